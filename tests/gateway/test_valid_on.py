"""What held on a day, certainly or possibly, by what is known now or was known then."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from gateway.graphql import schema
from gateway.graphql.engine import Engine

PARTNERSHIP = """query ($on: ValidOn, $city: String!, $number: String!) {
  partnership(city: $city, number: $number, validOn: $on) {
    status submissions rejections renewals agreed ended
    proposals { number submitted { edtf } outcome decided { edtf } reasons explanation }
    agreements { number began { edtf } ended }
    timeline { type status valid { edtf } }
  } }"""


@pytest.fixture
def ask(five_cities) -> Callable[..., Any]:
    """Asks both ways, which have to agree."""

    def asked(query: str, **variables: Any) -> Any:
        answers = []
        for compiled in (True, False):
            engine = Engine(schema.SCHEMA._schema, five_cities, compiled=compiled)
            answer = engine.answer(query, variables, None)
            assert not answer.errors, answer.errors
            answers.append(orjson.loads(answer.data))
        assert answers[0] == answers[1]
        return answers[0]

    return asked


def on(day: str, holding: str = "CERTAIN") -> dict[str, str]:
    return {"day": day, "holding": holding}


def test_a_year_holds_certainly_at_its_end_and_possibly_from_its_beginning(ask) -> None:
    """The child-care advisers of Yamato: submitted and rejected in 2003 and again in 2004, agreed in 2005."""

    def found(day: str, holding: str) -> Any:
        return ask(PARTNERSHIP, city="yamato", number="Y3", on=on(day, holding))["partnership"]

    assert found("2002-12-31", "POSSIBLE") is None
    assert found("2003-06-30", "CERTAIN") is None
    early = found("2003-06-30", "POSSIBLE")
    assert (early["status"], early["rejections"], early["agreed"]) == ("REJECTED", 1, None)
    certain = found("2003-12-31", "CERTAIN")
    assert (certain["status"], certain["submissions"], certain["rejections"]) == ("REJECTED", 1, 1)
    assert [proposal["reasons"] for proposal in certain["proposals"]] == [["OBJECTIVES_UNCLEAR"]]
    assert certain["agreements"] == []
    assert {event["valid"]["edtf"] for event in certain["timeline"]} == {"2003", "2003?"}
    later = found("2005-12-31", "CERTAIN")
    assert (later["status"], later["rejections"], later["agreed"]) == ("AGREED", 2, "2005")


def test_what_was_decided_later_is_not_told_of_a_proposal_that_was_under_way(ask) -> None:
    everything = ask("{ partnerships(first: 100) { edges { node { number city { slug } proposals { decided { latest }"
                     " submitted { latest } } } } } }")  # fmt: skip
    for edge in everything["partnerships"]["edges"]:
        for place, proposal in enumerate(edge["node"]["proposals"]):
            submitted, decided = proposal["submitted"]["latest"], (proposal["decided"] or {}).get("latest")
            if submitted and decided and submitted < decided:
                found = ask(
                    PARTNERSHIP, city=edge["node"]["city"]["slug"], number=edge["node"]["number"], on=on(submitted)
                )
                then = found["partnership"]["proposals"][place]
                assert (then["outcome"], then["decided"], then["reasons"], then["explanation"]) == (
                    None,
                    None,
                    [],
                    None,
                )


def test_the_filter_by_status_asks_for_the_status_of_that_day(ask) -> None:
    query = """query ($on: ValidOn) {
        partnerships(city: "yamato", status: REJECTED, validOn: $on) { edges { node { number } } } }"""
    assert ask(query, on=None)["partnerships"]["edges"] == []
    assert ask(query, on=on("2003-12-31"))["partnerships"]["edges"] == [{"node": {"number": "Y3"}}]


def test_at_the_end_of_all_days_everything_is_possible(ask) -> None:
    query = """query ($on: ValidOn) { partnerships(first: 100, validOn: $on) { totalCount edges { node { number status
        submissions rejections renewals agreed ended timeline { position } money { position } fees { position }
        proposals { number outcome } agreements { number ended } evaluations { number side } roles { position }
        programme { calls { code } } } } } cities(validOn: $on) { totalCount } }"""
    assert ask(query, on=on("9000-01-01", "POSSIBLE")) == ask(query, on=None)


def test_what_has_no_date_is_possible_from_the_date_of_its_source_on_and_never_certain(ask) -> None:
    query = """query ($on: ValidOn) { partnerships(first: 100, validOn: $on) {
        edges { node { number timeline { valid { edtf } source } } } } }"""

    def unknown(day: str, holding: str) -> int:
        edges = ask(query, on=on(day, holding))["partnerships"]["edges"]
        return sum(event["valid"]["edtf"] == "XXXX" for edge in edges for event in edge["node"]["timeline"])

    assert unknown("9000-01-01", "CERTAIN") == 0
    assert unknown("1990-01-01", "POSSIBLE") == 0 < unknown("9000-01-01", "POSSIBLE")
