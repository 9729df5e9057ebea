"""GraphQL over HTTP, against the five cities."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from graphql import OperationDefinitionNode, get_introspection_query, parse

from domain.vocabulary import FormCode, Status
from gateway import reading
from gateway.app import create_app
from gateway.graphql.ide import EXAMPLES

DIGEST = re.compile(r"(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])")
GRAPHQL = {"accept": "application/graphql-response+json"}
EVERYTHING = """
    { cities(first: 10) { edges { node {
        id slug municipalCode nameJa nameEn population compiled sources { source date publisher language about }
        programmes { slug version effective standing titleJa titleEn rules
          timeline { version place type labelJa labelEn position recordedAt mode source data
            valid { edtf earliest latest certainty label inferredFrom displayJa displayEn } breaks { rule } } }
        partnerships(first: 30) { totalCount edges { node {
          id number status titleJa titleEn titleTranslated kind origin cityRole leadArea field place objective joint
          forms submissions rejections renewals agreed ended version anomalies { rule messageJa messageEn }
          city { slug } programme { slug }
          parties { id kind roles cityRole count invited members nameJa nameEn }
          timeline { version place type labelJa labelEn position recordedAt mode source correctedBy programme
            programmeVersion data breaks { rule messageJa messageEn }
            valid { edtf earliest latest certainty label inferredFrom displayJa displayEn } } } } } } } } }
"""

Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def ask(client) -> Ask:
    """Asks a query that has to succeed, and returns its data."""

    def asked(query: str, **variables: Any) -> dict[str, Any]:
        answer = client.post("/graphql", json={"query": query, "variables": variables}).json()
        assert "errors" not in answer, answer["errors"]
        found: dict[str, Any] = answer["data"]
        return found

    return asked


@pytest.fixture
def refused(client) -> Callable[..., str]:
    """Asks a query that has to be refused, and returns the messages."""

    def asked(query: str, **variables: Any) -> str:
        answer = client.post("/graphql", json={"query": query, "variables": variables})
        assert answer.status_code in (200, 400)
        errors = answer.json()["errors"]
        assert errors
        return "\n".join(error["message"] for error in errors)

    return asked


def numbers(connection: dict[str, Any]) -> list[str]:
    return [edge["node"]["number"] for edge in connection["edges"]]


def test_all_21_partnerships_answer_in_the_order_of_municipal_code_and_number(ask) -> None:
    found = ask("{ partnerships(first: 100) { totalCount edges { node { number city { municipalCode } } } } }")
    assert found["partnerships"]["totalCount"] == 21
    places = [
        (edge["node"]["city"]["municipalCode"], edge["node"]["number"]) for edge in found["partnerships"]["edges"]
    ]
    assert len(places) == 21
    assert places == sorted(places)


def test_paging_five_at_a_time_gives_each_partnership_once(ask) -> None:
    seen: list[str] = []
    after = None
    for page in range(5):
        found = ask(
            "query($after: String) { partnerships(first: 5, after: $after)"
            " { pageInfo { hasNextPage hasPreviousPage startCursor endCursor } edges { cursor node { number } } } }",
            after=after,
        )["partnerships"]
        info = found["pageInfo"]
        assert info["hasNextPage"] is (page < 4)
        assert info["hasPreviousPage"] is (page > 0)
        assert info["startCursor"] == found["edges"][0]["cursor"]
        assert info["endCursor"] == found["edges"][-1]["cursor"]
        seen += numbers(found)
        after = info["endCursor"]
    assert len(seen) == len(set(seen)) == 21


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ('city: "yamato"', ["Y1", "Y2", "Y3"]),
        ('city: "atlantis"', []),
        ('city: "a b"', []),
        ("status: MAINSTREAMED", ["Y1", "O5"]),
        ('status: [MAINSTREAMED, CLOSED], city: "okayama"', ["O2", "O5"]),
        ("form: [CO_HOSTING, SUBSIDY]", ["K2", "W5"]),
        ('text: "地域猫"', ["O5"]),
        ('text: "子育"', ["K4", "Y3"]),
        ('text: "保育"', ["Y1"]),
        ('text: "猫"', ["O5"]),
        ('text: "ＳＤＧｓ"', ["K3"]),
        ('text: "sdgs デザイン"', ["K3"]),
        ('text: "インザデ"', []),
        ('text: "H4"', ["H4"]),
        ('text: "100%"', []),
        ("status: [], form: [], text: null", None),
    ],
)
def test_partnerships_are_found_by_city_status_form_and_words_of_two_characters(ask, arguments, expected) -> None:
    found = ask(f"{{ partnerships(first: 100, {arguments}) {{ totalCount edges {{ node {{ number }} }} }} }}")
    if expected is None:
        assert found["partnerships"]["totalCount"] == 21
    else:
        assert numbers(found["partnerships"]) == expected
        assert found["partnerships"]["totalCount"] == len(expected)


def test_a_partnership_tells_its_rejections_reasons_and_anomalies(ask) -> None:
    found = ask(
        '{ partnership(city: "yamato", number: "Y3") { status rejections submissions agreed ended'
        " anomalies { rule messageJa messageEn } timeline { type labelJa labelEn mode data"
        " valid { edtf earliest latest certainty displayJa displayEn inferredFrom } breaks { rule } } } }"
    )["partnership"]
    assert (found["status"], found["submissions"], found["rejections"]) == ("AGREED", 2, 2)
    assert found["agreed"] == "2005"
    assert [anomaly["rule"] for anomaly in found["anomalies"]] == ["SubmissionNotPending"]
    assert found["anomalies"][0]["messageJa"] == "決定を待つ提案がありません。"
    rejections = [event for event in found["timeline"] if event["type"] == "ProposalRejected"]
    assert [event["valid"]["earliest"] for event in rejections] == ["2003-01-01", "2004-01-01"]
    for event in rejections:
        assert (event["labelJa"], event["labelEn"], event["mode"]) == ("不採択", "Rejected", "IMPORT")
        assert event["data"]["codes"] == ["OBJECTIVES_UNCLEAR"]
        assert event["data"]["public_explanation"]
        assert event["valid"]["certainty"] == "INFERRED"
        assert event["valid"]["inferredFrom"]
    assert [event["breaks"] for event in found["timeline"] if event["breaks"]] == [[{"rule": "SubmissionNotPending"}]]


def test_a_partnership_and_a_city_are_found_again_by_their_global_id(ask) -> None:
    first = ask('{ partnership(city: "okayama", number: "O5") { id city { id } } }')["partnership"]
    query = "query($id: ID!) { node(id: $id) { __typename id ... on Partnership { number } ... on City { slug } } }"
    assert ask(query, id=first["id"])["node"] == {"__typename": "Partnership", "id": first["id"], "number": "O5"}
    assert ask(query, id=first["city"]["id"])["node"] == {
        "__typename": "City",
        "id": first["city"]["id"],
        "slug": "okayama",
    }
    assert ask(query, id="Q2l0eTowMDAwMDAwMC0wMDAwLTAwMDAtMDAwMC0wMDAwMDAwMDAwMDA")["node"] is None


def test_a_city_answers_with_its_programmes_sources_and_partnerships(ask) -> None:
    found = ask(
        '{ city(slug: "higashikurume") { municipalCode nameJa nameEn compiled sources { source date language about }'
        " programmes { slug version titleJa rules timeline { type } }"
        " partnerships(first: 2, status: REGISTERED) { totalCount pageInfo { hasNextPage } edges { node { number } } }"
        ' } none: city(slug: "atlantis") { slug } }'
    )
    city = found["city"]
    assert found["none"] is None
    assert (city["municipalCode"], city["nameJa"], city["compiled"]) == ("132225", "東久留米市", True)
    assert city["sources"][0]["about"].startswith("東久留米市の協働の指針の改定を知らせるページ")
    assert city["programmes"][0]["version"] == 2
    assert len(city["programmes"][0]["rules"]["forms"]) == 7
    assert city["programmes"][0]["rules"]["forms"][2] == {"local": "共催・後援", "codes": ["CO_HOSTING", "ENDORSEMENT"]}
    assert "CoverageDeclared" in [event["type"] for event in city["programmes"][0]["timeline"]]
    assert numbers(city["partnerships"]) == ["H1", "H3"]
    assert city["partnerships"]["totalCount"] == 3
    assert city["partnerships"]["pageInfo"]["hasNextPage"]


def test_no_answer_holds_a_digest_or_the_name_of_an_individual(ask, digests, individuals) -> None:
    said = json.dumps(ask(EVERYTHING), ensure_ascii=False)
    assert not DIGEST.search(said)
    assert not [digest for digest in digests if digest in said]
    said = said.replace("H氏プロジェクト", "").replace("H's project", "")
    for name in individuals:
        assert f'"{name}"' not in said
        assert len(name) == 1 or name not in said


def test_what_is_closed_is_null_and_not_left_out(ask) -> None:
    found = ask(
        '{ partnership(city: "yokohama", number: "K4") { parties { kind nameJa nameEn } timeline { type data } } }'
    )["partnership"]
    closed = [party for party in found["parties"] if party["kind"] == "INDIVIDUAL"]
    assert len(closed) >= 4
    assert all(party["nameJa"] is None and party["nameEn"] is None for party in closed)
    held = [event["data"] for event in found["timeline"] if event["type"] == "MeetingHeld"]
    assert any("notes" in data and data["notes"] is None for data in held)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("{ partnerships(first: 0) { totalCount } }", "`first` is a number from 1 to 100, not 0."),
        ("{ partnerships(first: 101) { totalCount } }", "`first` is a number from 1 to 100, not 101."),
        ("{ partnerships(first: -1) { totalCount } }", "`first` is a number from 1 to 100, not -1."),
        ('{ city(slug: "yamato") { partnerships(first: 0) { totalCount } } }', "`first` is a number from 1 to 100"),
        ('{ partnerships(after: "nonsense") { totalCount } }', "The cursor is not one that this service gave out"),
        ('{ partnerships(after: "") { totalCount } }', "The cursor is not one that this service gave out"),
        ('{ partnerships(after: "あ") { totalCount } }', "The cursor is not one that this service gave out"),
        ('{ partnerships(after: "WzEsMiwzXQ") { totalCount } }', "The cursor is not one that this service gave out"),
        ("{ partnerships(status: [SLEEPING]) { totalCount } }", "'SLEEPING' does not exist in 'PartnershipStatus'"),
        ("{ partnerships(form: BARTER) { totalCount } }", "'BARTER' does not exist in 'FormCode'"),
        ('{ node(id: "xyz") { id } }', "The id is not one that this service gave out."),
        ('{ node(id: "あ") { id } }', "The id is not one that this service gave out."),
        ("{ nothing }", "Cannot query field 'nothing' on type 'Query'."),
        ("{", "Syntax Error"),
        ("query A { cities { totalCount } } query B { cities { totalCount } }", "say which with `operationName`"),
        ("mutation { accept }", "not supported by the schema"),
        ("subscription { events }", "Cannot query field 'events' on type 'Subscription'"),
        ("{" + "a{" * 300 + "b" + "}" * 300 + "}", "nested too deeply"),
        ("{" + "city " * 2500 + "}", "The document has 2,502 tokens; at most 2,000 are allowed."),
        ("{" + " ".join(f"a{n}: __typename" for n in range(51)) + "}", "gives 51 aliases"),
        (
            "{ partnerships { edges { node "
            + "{ city { partnerships { edges { node " * 3
            + "{ number }"
            + "}}}}" * 3
            + "}}}",
            "nested 16 fields deep; at most 12",
        ),
        (
            "{ ...f0 } "
            + " ".join(f"fragment f{n} on Query {{ ...f{n + 1} ...f{n + 1} }}" for n in range(70))
            + " fragment f70 on Query { cities { totalCount } }",
            "fields once its fragments are expanded; at most 2,000",
        ),
        ("{ ...f } fragment f on Query { ...f }", "Cannot spread fragment 'f' within itself."),
        ("{ ...missing }", "Unknown fragment 'missing'."),
    ],
)
def test_what_cannot_be_answered_is_refused_in_clear_words(refused, query, said) -> None:
    assert said in refused(query)


def test_a_wrong_variable_is_refused_in_clear_words(refused) -> None:
    query = "query($s: [PartnershipStatus!], $n: Int) { partnerships(status: $s, first: $n) { totalCount } }"
    assert "SLEEPING" in refused(query, s=["SLEEPING"])
    assert "Int cannot represent" in refused(query, n="many")
    assert "first" in refused(query, n=1000)


def test_the_worked_examples_of_the_query_page_answer(client) -> None:
    definitions = parse(EXAMPLES).definitions
    operations = [each.name.value for each in definitions if isinstance(each, OperationDefinitionNode)]
    assert len(operations) >= 4
    for operation in operations:
        answer = client.post("/graphql", json={"query": EXAMPLES, "operationName": operation}).json()
        assert "errors" not in answer, operation
        assert answer["data"]


def test_introspection_is_on_and_every_type_field_and_argument_is_described(ask) -> None:
    schema = ask(get_introspection_query(descriptions=True))["__schema"]
    for kind in schema["types"]:
        if kind["name"].startswith("__") or kind["kind"] == "SCALAR":
            continue
        assert kind["description"], kind["name"]
        for field in kind["fields"] or []:
            assert field["description"], (kind["name"], field["name"])
            assert all(argument["description"] for argument in field["args"]), (kind["name"], field["name"])
    assert schema["mutationType"] is None
    enums = {
        kind["name"]: {value["name"] for value in kind["enumValues"]} for kind in schema["types"] if kind["enumValues"]
    }
    assert enums["PartnershipStatus"] == set(Status)
    assert enums["FormCode"] == set(FormCode)


# --- over HTTP ----------------------------------------------------------------------------------------------------


def test_queries_come_by_get_and_by_post(client) -> None:
    query = "query($n: Int) { partnerships(first: $n) { totalCount } }"
    by_get = client.get("/graphql", params={"query": query, "variables": '{"n": 1}'})
    by_post = client.post("/graphql", json={"query": query, "variables": {"n": 1}, "extensions": None})
    assert by_get.status_code == by_post.status_code == 200
    assert by_get.json() == by_post.json()
    assert by_get.json()["data"] == {"partnerships": {"totalCount": 21}}
    assert by_get.json()["extensions"]["cost"] == {"objects": 1, "limit": 10_000}


def test_the_answer_comes_in_the_media_type_that_was_asked_for(client) -> None:
    for accept, expected in (
        ("application/graphql-response+json", "application/graphql-response+json; charset=utf-8"),
        ("application/json", "application/json; charset=utf-8"),
        ("*/*", "application/json; charset=utf-8"),
        (
            "application/graphql-response+json, application/json;q=0.9",
            "application/graphql-response+json; charset=utf-8",
        ),
    ):
        answer = client.post("/graphql", json={"query": "{ __typename }"}, headers={"accept": accept})
        assert answer.headers["content-type"] == expected


def test_a_request_that_was_not_executed_has_no_data_and_status_400_in_the_newer_media_type(client) -> None:
    for query in ("{", "{ nothing }", "query($n: Int!) { partnerships(first: $n) { totalCount } }"):
        answer = client.post("/graphql", json={"query": query}, headers=GRAPHQL)
        assert answer.status_code == 400
        assert "data" not in answer.json()
        assert client.post("/graphql", json={"query": query}).status_code == 200
    executed = client.post("/graphql", json={"query": "{ partnerships(first: 0) { totalCount } }"}, headers=GRAPHQL)
    assert executed.status_code == 200
    assert executed.json()["data"] is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b'{ "not JSON',
        b"[]",
        b'[{"query": "{ __typename }"}]',
        b"7",
        b"{}",
        b'{"query": ""}',
        b'{"query": null}',
        b'{"query": ["{ __typename }"]}',
        b'{"query": "{ __typename }", "variables": "n"}',
        b'{"query": "{ __typename }", "variables": [1]}',
        b'{"query": "{ __typename }", "operationName": 5}',
        b'{"query": "{ __typename }", "operationName": "Other"}',
        b'{"query": "{ __typename }", "extensions": 1}',
        b'{"query": "\xff"}',
    ],
)
def test_a_malformed_request_is_a_bad_request(client, body) -> None:
    answer = client.post("/graphql", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["message"]


def test_parameters_that_are_null_count_as_left_out(client) -> None:
    asked = {"query": "{ __typename }", "variables": None, "operationName": None, "extensions": None}
    assert client.post("/graphql", json=asked).json()["data"] == {"__typename": "Query"}


def test_other_content_types_and_charsets_are_refused(client) -> None:
    body = b'{"query": "{ __typename }"}'
    for content_type in ("text/plain", "application/x-www-form-urlencoded", "application/json; charset=shift_jis", ""):
        answer = client.post("/graphql", content=body, headers={"content-type": content_type})
        assert answer.status_code == 415, content_type
    good = client.post("/graphql", content=body, headers={"content-type": 'application/json; charset="UTF-8"'})
    assert good.status_code == 200


def test_a_mutation_by_get_is_refused(client) -> None:
    answer = client.get("/graphql", params={"query": "mutation { __typename }"}, headers=GRAPHQL)
    assert 400 <= answer.status_code < 500


def test_a_request_longer_than_any_document_is_refused(client) -> None:
    answer = client.post("/graphql", content=b" " * 200_000, headers={"content-type": "application/json"})
    assert answer.status_code == 413


def test_browsers_get_graphiql_with_the_examples_and_a_form_for_where_it_cannot_load(client) -> None:
    page = client.get("/graphql", headers={"accept": "text/html"})
    assert page.headers["content-type"].startswith("text/html")
    assert "query Rejections" in page.text
    assert '<form method="get" action="/graphql">' in page.text
    assert "Strawberry" not in page.text
    assert "https://" not in page.text.replace("https://example", "")
    by_form = client.get("/graphql", params={"query": "{ __typename }"}, headers={"accept": "text/html"})
    assert by_form.json()["data"] == {"__typename": "Query"}


def test_without_the_database_queries_fail_clearly_and_introspection_still_answers(nowhere) -> None:
    answer = nowhere.post("/graphql", json={"query": "{ cities { totalCount } }"})
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"
    assert answer.json() == {"errors": [{"message": "The database does not answer; try again shortly."}]}
    assert nowhere.post("/graphql", json={"query": "{ __schema { queryType { name } } }"}).status_code == 200


def test_an_unexpected_error_is_logged_and_says_nothing_of_the_inside(database, tenant, serve, caplog) -> None:
    tenant("some-city")
    with database.owner() as connection:
        connection.execute("DROP TABLE read_model.programme")
    reader = serve(create_app(database, pending_migrations=list))
    answer = reader.post("/graphql", json={"query": "{ cities { edges { node { slug programmes { slug } } } } }"})
    assert answer.status_code == 200
    assert answer.json()["errors"][0]["message"] == "Something went wrong here; it has been logged."
    assert "read_model" not in answer.text
    assert "UndefinedTable" in caplog.text
    page = reader.get("/cities/some-city", headers={"accept": "text/html"})
    assert page.status_code == 500
    assert "read_model" not in page.text
    assert page.headers["content-security-policy"]


def test_a_statement_that_takes_too_long_is_stopped(five_cities) -> None:
    with five_cities.reader() as connection:
        assert connection.execute("SHOW statement_timeout").fetchone() == (reading.STATEMENT_TIMEOUT,)
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            connection.execute("CREATE TABLE public.x ()")
    with reading.snapshot(five_cities) as connection:
        connection.execute("SET LOCAL statement_timeout = '50ms'")
        with pytest.raises(psycopg.errors.QueryCanceled):
            connection.execute("SELECT pg_sleep(5)")


def test_an_event_names_its_place_in_the_log_and_where_it_is_proved(client, five_cities) -> None:
    query = """{ partnership(city: "yamato", number: "Y3") { timeline { position leafHash proof } } }"""
    timeline = client.post("/graphql", json={"query": query}).json()["data"]["partnership"]["timeline"]
    with five_cities.owner() as connection, connection.transaction():
        connection.execute(
            "SELECT set_config('kyodo.tenant', (SELECT tenant_id::text FROM tenant WHERE slug = 'yamato'), true)"
        )
        leaves = dict(
            connection.execute("SELECT position, encode(leaf_hash(event_entry(e)), 'base64') FROM event e").fetchall()
        )
    assert timeline
    for event in timeline:
        assert event["leafHash"] == leaves[event["position"]]
        assert event["proof"] == f"/log/yamato/proof/{event['position']}"
