"""Provenance and citations: what an answer rests on, and the same answer given again later, whatever happened since."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from typer.testing import CliRunner

from domain.event import Mode
from gateway.app import create_app
from gateway.cli import app
from gateway.graphql.engine import Engine
from gateway.graphql.schema import SCHEMA
from projections.worker import Worker
from tenants.book import Book, Request
from tenants.city_keys import CityKeys
from tenants.custody import erase, withdraw
from tenants.database import Database, Role
from tenants.ledger.merkle import tree_root

TODAY = date(2026, 11, 23)
STORY = """
    query Story($first: Int = 50, $when: AsOf) {
      partnerships(first: $first, asOf: $when) { totalCount edges { cursor node { ...story } } }
      cities { edges { node { slug nameJa programmes { slug titleJa rules } } } }
    }
    fragment story on Partnership {
      number status titleJa objective field parties { id nameJa roles }
      timeline { version type labelEn position leafHash data valid { edtf displayJa label } }
    }
"""


class Towns:
    """Two small cities whose records grow while a reader cites them."""

    def __init__(self, database: Database, keys: CityKeys, client: httpx.Client, ids: dict[str, UUID]) -> None:
        self.database, self.keys, self.client, self.ids = database, keys, client, ids
        self.worker = Worker(database, keys)
        for city in ids:
            definition = {"programme": "partnership", "title_ja": "協働の制度", "rules": {"note": "ひな形"}}
            self._run(city, "programme", "partnership", "define-programme", {"valid": "2016"}, definition)
            self.register(city, "P1")
        self.worker.catch_up()

    def book(self, city: str) -> Book:
        return Book(self.database, self.keys, self.ids[city])

    def register(self, city: str, number: str, **data: Any) -> None:
        parties = [
            {"party": "npo", "kind": "NPO", "name_ja": "榊原の会"},
            {"party": "city", "kind": "MUNICIPALITY", "name_ja": "町"},
        ]
        given = {"number": number, "programme": "partnership", "title_ja": f"保育支援{number}", "parties": parties}
        self.give(city, number, "register-partnership", **given | data)

    def give(self, city: str, number: str, command: str, /, **data: Any) -> None:
        how = {name: data.pop(name) for name in ("valid", "mode", "placed_after") if name in data}
        self._run(city, "partnership", number, command, how, data)

    def _run(self, city: str, kind: str, name: str, command: str, how: dict[str, Any], data: dict[str, Any]) -> None:
        book = self.book(city)
        request = Request(
            command=command,
            data=data,
            valid={"edtf": how.pop("valid", "XXXX")},
            actor="T" if kind == "programme" else "S/officer",
            recorded_by="S/officer",
            approved_by="Z/second",
            **how,
        )
        book.execute(book.stream(kind, name), request)

    def goes_on(self) -> None:
        """Corrections, new partnerships, a retroactive event: in both cities."""
        for city in self.ids:
            self.register(city, "P2", title_ja="新しい協働")
            self.give(city, "P1", "refine-objective", text="早い目的", mode=Mode.RETROACTIVE, placed_after=1)
            self.give(city, "P1", "correct-event", target=1, reason="誤記", data={"title_ja": "なおした題"})
        self.worker.catch_up()

    def asked(self, query: str, variables: dict[str, Any] | None = None, **extensions: Any) -> dict[str, Any]:
        body = {"query": query, "variables": variables, "extensions": extensions}
        answer: dict[str, Any] = self.client.post("/graphql", json=body).json()
        assert "errors" not in answer, answer
        return answer

    def cite(self, query: str = STORY, variables: dict[str, Any] | None = None) -> dict[str, Any]:
        found: dict[str, Any] = self.asked(query, variables, cite=True)["extensions"]["citation"]
        return json.loads(json.dumps(found))  # type: ignore[no-any-return]

    def again(self, citation: dict[str, Any]) -> dict[str, Any]:
        answer = self.client.post("/graphql/citations", json=citation)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()["extensions"]["citation"]
        return found

    def by_hand(self, citation: dict[str, Any]) -> str:
        """The data that any client gets for the cited document, as they came."""
        body = {"query": citation["document"], "variables": citation["variables"]}
        return self.client.post("/graphql", json=body).text.partition(',"extensions"')[0]

    def as_superuser(self, server: Any, statement: str, *values: Any) -> None:
        name = str(conninfo_to_dict(self.database.urls.owner)["dbname"])
        url = make_conninfo(server.superuser, dbname=name)
        with closing(psycopg.connect(url, autocommit=True)) as connection:
            assert connection.execute(statement, values).rowcount > 0


@pytest.fixture
def towns(
    database: Database, keys: CityKeys, tenant: Callable[[str], UUID], serve: Callable[..., httpx.Client]
) -> Towns:
    ids = {slug: tenant(slug) for slug in ("kita", "minami")}
    for each in ids.values():
        keys.create(each)
    return Towns(database, keys, serve(create_app(database, pending_migrations=list, rate=None)), ids)


def sizes(provenance: list[dict[str, Any]]) -> dict[str, int]:
    return {log["city"]: log["logSize"] for log in provenance}


# --- Provenance ---------------------------------------------------------------------------------------------


def test_an_answer_names_every_log_that_it_rests_on_with_the_root_of_so_many_entries(towns: Towns) -> None:
    for city in towns.ids:
        towns.give(city, "P1", "refine-objective", text="目的")
    behind = towns.asked("{ partnerships { totalCount } }")["extensions"]["provenance"]
    assert sizes(behind) == {"kita": 2, "minami": 2}, "not yet projected"
    towns.worker.catch_up()
    for log in [*behind, *towns.asked("{ cities { totalCount } }")["extensions"]["provenance"]]:
        tenant = towns.ids[log["city"]]
        with towns.database.tenant(Role.READER, tenant) as connection:
            rows = connection.execute(
                "SELECT leaf FROM event WHERE tenant_id = %s ORDER BY position LIMIT %s", (tenant, log["logSize"])
            ).fetchall()
        assert len(rows) == log["logSize"]
        assert log["rootHash"] == tree_root([leaf for (leaf,) in rows]).hex()


DEPENDS = {
    "{ partnerships { totalCount } }": {"kita", "minami"},
    '{ city(slug: "kita") { slug } }': {"kita"},
    '{ partnership(city: "kita", number: "P1") { number } }': {"kita"},
    '{ a: city(slug: "kita") { slug } b: partnerships(city: "minami") { totalCount } }': {"kita", "minami"},
    '{ partnerships(cities: ["minami", "none"]) { totalCount } }': {"minami"},
    '{ partnership(city: "kita", number: "P1") { ...p } } fragment p on Partnership { participations { number } }': {
        "kita",
        "minami",
    },
    '{ city(slug: "none") { slug } }': set(),
    "{ __schema { queryType { name } } }": set(),
    "{ __typename }": set(),
}


@pytest.mark.parametrize("compiled", [True, False])
def test_an_answer_depends_on_the_cities_it_names_or_else_on_all(towns: Towns, compiled: bool) -> None:
    engine = Engine(SCHEMA._schema, towns.database, compiled=compiled)
    for query, cities in DEPENDS.items():
        assert sizes(engine.answer(query, None, None).provenance) == dict.fromkeys(cities, 2), query


@pytest.mark.parametrize("compiled", [True, False])
def test_provenance_is_of_the_time_that_each_field_is_asked_as_of(towns: Towns, compiled: bool) -> None:
    moment = datetime.now(UTC)
    towns.goes_on()
    query = """query ($moment: DateTime!) {
      now: partnerships { totalCount } then: partnerships(asOf: {moment: $moment}) { totalCount }
      one: partnerships(asOf: {positions: [{city: "kita", position: 1}]}) { totalCount }
      beyond: city(slug: "kita", asOf: {positions: [{city: "kita", position: 900}]}) { slug } }"""
    engine = Engine(SCHEMA._schema, towns.database, compiled=compiled)
    answer = engine.answer(query, {"moment": moment.isoformat()}, None)
    assert [(log["city"], log["logSize"], set(log["fields"])) for log in answer.provenance] == [
        ("kita", 1, {"one"}),
        ("kita", 2, {"then"}),
        ("kita", 5, {"now", "beyond"}),
        ("minami", 2, {"then"}),
        ("minami", 5, {"now"}),
    ]
    alone = engine.answer(
        "query ($m: DateTime!) { a: cities(asOf: {moment: $m}) { totalCount }"
        " b: partnerships(asOf: {moment: $m}) { totalCount } }",
        {"m": moment.isoformat()},
        None,
    )
    assert sizes(alone.provenance) == {"kita": 2, "minami": 2}
    assert all("fields" not in log for log in alone.provenance)
    before = engine.answer('{ cities(asOf: {moment: "2001-01-01T00:00:00Z"}) { totalCount } }', None, None).provenance
    assert {(log["logSize"], log["rootHash"]) for log in before} == {(0, tree_root([]).hex())}


def test_of_many_cities_only_the_number_is_told_unless_all_are_asked_for(
    database: Database, tenant: Callable[[], UUID], serve: Callable[..., httpx.Client]
) -> None:
    for _ in range(101):
        tenant()
    client = serve(create_app(database, pending_migrations=list))
    query = {"query": "{ cities { totalCount } }"}
    assert client.post("/graphql", json=query).json()["extensions"]["provenance"] == {"cities": 101}
    every = client.post("/graphql", json=query | {"extensions": {"provenance": True}}).json()
    assert len(every["extensions"]["provenance"]) == 101
    by_get = client.get("/graphql", params=query | {"extensions": '{"provenance": true}'}).json()
    assert by_get["extensions"]["provenance"] == every["extensions"]["provenance"]


# --- Citations ----------------------------------------------------------------------------------------------


def test_a_cited_answer_stays_the_same_whatever_is_recorded_after(towns: Towns, tenant: Callable[[str], UUID]) -> None:
    citation = towns.cite()
    before = towns.by_hand(citation)
    fresh = towns.asked(STORY)["data"]
    assert json.loads(before + "}")["data"] == fresh
    towns.goes_on()
    tenant("new-city")
    assert towns.asked(STORY)["data"] != fresh
    assert towns.by_hand(citation) == before, "byte for byte, for any client"
    found = towns.again(citation)
    assert found == {
        "verdict": "SAME",
        "same": True,
        "structure": True,
        "roots": True,
        "withdrawn": [],
        "published": [],
        "changed": [],
        "failures": [],
    }


def test_a_citation_holds_all_that_is_needed_and_says_in_words_what_it_is(towns: Towns) -> None:
    citation = towns.cite(STORY, {"first": 3, "unused": None})
    assert citation["citation"] == "kyodo citation v1"
    assert citation["variables"] == {
        "first": 3,
        "asOf": {"positions": [{"city": "kita", "position": 2}, {"city": "minami", "position": 2}]},
    }
    assert "$when" not in citation["document"]
    assert citation["document"].count("asOf: $asOf") == 2
    assert {log["city"] for log in citation["provenance"]} == {"kita", "minami"}
    assert "Story" in citation["reference"]["en"]
    assert "協働台帳" in citation["reference"]["ja"]


def test_fields_asked_as_of_different_times_are_pinned_each_to_its_own(towns: Towns) -> None:
    moment = datetime.now(UTC).isoformat()
    towns.goes_on()
    query = """query ($asOf: DateTime!) { now: partnerships { totalCount }
      then: partnerships(asOf: {moment: $asOf}) { totalCount edges { node { number } } } }"""
    citation = towns.cite(query, {"asOf": moment})
    assert set(citation["variables"]) == {"asOf2", "asOf3"}
    towns.register("kita", "P9")
    towns.worker.catch_up()
    assert towns.again(citation)["verdict"] == "SAME"
    assert towns.asked(citation["document"], citation["variables"])["data"]["then"]["totalCount"] == 2


def test_a_text_that_was_withdrawn_since_is_marked_and_the_withdrawal_is_named(towns: Towns) -> None:
    towns.give("kita", "P1", "refine-objective", text="うっかり書いた電話番号")
    towns.worker.catch_up()
    citation = towns.cite()
    book = towns.book("kita")
    history = book.history(book.stream("partnership", "P1"))
    assert history is not None
    withdraw(book, history.state.objective, reason="PERSONAL_DATA", by="S/officer", on=TODAY)
    towns.worker.catch_up()
    found = towns.again(citation)
    assert (found["verdict"], found["same"], found["structure"], found["roots"]) == (
        "SAME_BUT_FOR_TEXTS",
        False,
        True,
        True,
    )
    assert found["withdrawn"] == [
        "/partnerships/edges/0/node/objective",
        "/partnerships/edges/0/node/timeline/1/data",
    ]
    (changed,) = found["changed"]
    assert (changed["city"], changed["position"], changed["type"]) == ("kita", 4, "PublicationWithdrawn")
    assert found["failures"] == []


def test_an_erasure_leaves_the_structure_of_every_answer(towns: Towns) -> None:
    citation = towns.cite()
    erase(
        towns.book("minami"), "npo", basis="APPI_99", decided_by="city", by="T/admin", approved_by="Z/second", on=TODAY
    )
    towns.goes_on()
    found = towns.again(citation)
    assert found["verdict"] == "SAME_BUT_FOR_TEXTS"
    assert found["withdrawn"] == [
        "/partnerships/edges/1/node/parties/0/nameJa",
        "/partnerships/edges/1/node/timeline/0/data",
    ]
    assert [each["type"] for each in found["changed"]] == ["SubjectErased"]


def test_what_a_search_found_by_a_text_that_is_gone_is_no_failure_of_the_record(towns: Towns) -> None:
    citation = towns.cite(
        'query ($text: String) { partnerships(city: "minami", text: $text) { totalCount } }', {"text": "榊原"}
    )
    erase(
        towns.book("minami"), "npo", basis="APPI_99", decided_by="city", by="T/admin", approved_by="Z/second", on=TODAY
    )
    towns.worker.catch_up()
    found = towns.again(citation)
    assert (found["verdict"], found["structure"]) == ("SAME_BUT_FOR_TEXTS", False)


ALTERED = {
    "structure": (
        "UPDATE read_model.partnership SET status = 'ACTIVE'",
        "UPDATE read_model.partnership SET status = 'REGISTERED'",
    ),
    "same": (
        "UPDATE read_model.partnership SET title_ja = '別の題'",
        "UPDATE read_model.partnership SET title_ja = '保育支援P1'",
    ),
    "roots": ("DELETE FROM event", ""),
}


def test_what_somebody_altered_in_the_database_is_a_failure_of_the_record(towns: Towns, server: Any) -> None:
    citation = towns.cite('{ partnerships(city: "kita") { edges { node { number status titleJa } } } }')
    for what, (alter, mend) in ALTERED.items():
        towns.as_superuser(server, f"{alter} WHERE tenant_id = %s", towns.ids["kita"])
        found = towns.again(citation)
        assert (found["verdict"], found[what]) == ("DIFFERENT", False)
        assert [failure["city"] for failure in found["failures"]] == ["kita"]
        assert "kita" in found["failures"][0]["message"]
        if mend:
            towns.as_superuser(server, f"{mend} WHERE tenant_id = %s", towns.ids["kita"])
            assert towns.again(citation)["verdict"] == "SAME"


def test_what_is_no_citation_of_this_service_is_refused_in_clear_words(towns: Towns) -> None:
    citation = towns.cite()

    def refused(changed: Any) -> str:
        answer = towns.client.post("/graphql/citations", json=changed)
        assert answer.status_code == 400
        message: str = answer.json()["errors"][0]["message"]
        return message

    def moved(size: int, city: str = "kita") -> dict[str, Any]:
        copy = json.loads(json.dumps(citation))
        copy["provenance"][0] |= {"logSize": size, "city": city}
        copy["variables"]["asOf"]["positions"][0] |= {"position": size, "city": city}
        return copy  # type: ignore[no-any-return]

    assert "position 900 of kita, whose log reaches 2 here" in refused(moved(900))
    assert "No city is called 'higashi' here" in refused(moved(2, "higashi"))
    assert "not pinned" in refused(
        citation | {"document": STORY, "variables": {}} | {"provenance": moved(1)["provenance"]}
    )
    assert "provenance.0.rootHash" in refused(
        citation | {"provenance": [{"city": "kita", "logSize": 2, "rootHash": "x"}]}
    )
    assert "kyodo citation v1" in refused({"query": STORY})
    assert "It is" in refused([]) or "it:" in refused([])


def test_what_cannot_be_cited_is_refused_in_clear_words(towns: Towns) -> None:
    def refused(method: str, query: str) -> str:
        body = {"query": query, "extensions": {"cite": True}}
        if method == "GET":
            answer = towns.client.get("/graphql", params=body | {"extensions": json.dumps(body["extensions"])})
        else:
            answer = towns.client.post("/graphql", json=body)
        assert answer.status_code == 400
        message: str = answer.json()["errors"][0]["message"]
        return message

    assert "by POST" in refused("GET", "{ cities { totalCount } }")
    assert "introspection" in refused("POST", "{ __schema { queryType { name } } cities { totalCount } }")
    answer = towns.client.post("/graphql", json={"query": "{ __typename }", "extensions": {"cite": "yes"}})
    assert answer.status_code == 400
    assert "`extensions.cite` is neither true nor false" in answer.text


def test_metrics_and_single_objects_are_cited_like_everything_else(towns: Towns) -> None:
    known = towns.asked('{ partnership(city: "kita", number: "P1") { id } }')["data"]["partnership"]["id"]
    query = """query ($id: ID!) {
      metrics { key titleJa } node(id: $id) { id ... on Partnership { status titleJa objective } }
      measure(metric: REJECTION_REASONS, cities: ["kita"]) {
        totalCount edges { node { series { key titleEn } value } } } }"""
    citation = towns.cite(query, {"id": known})
    assert sizes(citation["provenance"]) == {"kita": 2, "minami": 2}
    before = towns.by_hand(citation)
    towns.goes_on()
    assert towns.by_hand(citation) == before
    assert towns.again(citation)["verdict"] == "SAME"


def test_the_command_line_cites_and_checks(towns: Towns, server: Any, tmp_path: Path) -> None:
    def kyodo(*arguments: object, url: object = towns.client.base_url) -> tuple[int, str]:
        found = CliRunner().invoke(app, ["cite", *map(str, arguments), "--url", str(url)])
        return found.exit_code, found.output

    query, citation = tmp_path / "story.graphql", tmp_path / "story.citation.json"
    query.write_text(STORY, encoding="utf-8")
    code, said = kyodo(query, "--variables", '{"first": 1}')
    assert (code, "協働台帳" in said, "query “Story”" in said) == (0, True, True)
    assert json.loads(citation.read_text(encoding="utf-8"))["variables"]["first"] == 1
    towns.goes_on()
    code, said = kyodo("--check", citation)
    assert (code, "byte for byte" in said) == (0, True)
    erase(towns.book("kita"), "npo", basis="APPI_99", decided_by="city", by="T/a", approved_by="Z/b", on=TODAY)
    towns.worker.catch_up()
    code, said = kyodo("--check", citation)
    assert (code, "SubjectErased" in said, "/parties/0/nameJa" in said) == (0, True, True)
    towns.as_superuser(server, "UPDATE read_model.partnership SET number = 'X' WHERE tenant_id = %s", towns.ids["kita"])
    code, said = kyodo("--check", citation)
    assert (code, "the record of kita" in said) == (1, True)
    assert kyodo("--check", query)[0] == 2
    assert kyodo("--check", tmp_path / "none")[0] == 2
    code, said = kyodo("--check", citation, url="http://127.0.0.1:9")
    assert (code, "is the service running" in said) == (2, True)
    query.write_text("{ nothing }", encoding="utf-8")
    code, said = kyodo(query)
    assert (code, "nothing" in said) == (1, True)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_at_any_moment_what_is_cited_is_what_was_answered(five_cities: Database, data: st.DataObject) -> None:
    from gateway.graphql.asked import Asked
    from gateway.graphql.citation import checked, cited

    with five_cities.reader() as connection:
        moments = [
            at for (at,) in connection.execute("SELECT DISTINCT recorded_from FROM read_model.timeline ORDER BY 1")
        ]
    moment = data.draw(st.sampled_from(moments))
    engine = Engine(SCHEMA._schema, five_cities, compiled=data.draw(st.booleans()))
    asked = Asked(STORY, {"when": {"moment": moment.isoformat()}}, None)
    answer = engine.answer(asked.query, asked.variables, None, every_city=True)
    citation = cited(SCHEMA._schema, asked, answer, None)
    again = engine.answer(citation.document, citation.variables, None, every_city=True)
    assert again.data == answer.data
    with five_cities.reader() as connection:
        assert checked(SCHEMA._schema, citation, again, connection).verdict == "SAME"
