"""Facts: what the metrics are counted from, for the shipped cities and through corrections."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from domain.event import Mode
from projections.facts import UNKNOWN_YEARS, fiscal_years
from projections.replay import check
from projections.worker import Worker
from tenants.book import Book, Request
from tenants.city_keys import CityKeys
from tenants.database import Database
from tests.projections.conftest import Town

Ask = Callable[..., list[tuple[Any, ...]]]

CURRENT = "known_until = 9223372036854775807"


def facts(ask: Ask, book: Book, number: str, columns: str, *types: str) -> list[tuple[Any, ...]]:
    stream = book.stream("partnership", number)
    chosen = "AND type = ANY(%s)" if types else ""
    query = f"SELECT {columns} FROM read_model.fact WHERE partnership_id = %s AND {CURRENT} {chosen} ORDER BY place"
    return ask(query, stream, *([list(types)] if types else []))


def test_the_facts_of_the_five_cities_are_what_their_sources_tell(
    five_cities: dict[str, Book], worker: Worker, ask: Ask
) -> None:
    worker.catch_up()
    yamato, okayama = five_cities["yamato"], five_cities["okayama"]

    dated = "type, number, valid, earliest, latest, certainty"
    assert facts(ask, yamato, "Y3", dated, "ProposalSubmitted", "ProposalRejected", "AgreementConcluded") == [
        ("ProposalSubmitted", 1, "2003", date(2003, 1, 1), date(2003, 12, 31), "STATED"),
        ("ProposalRejected", 1, "2003?", date(2003, 1, 1), date(2003, 12, 31), "INFERRED"),
        ("ProposalSubmitted", 2, "2004", date(2004, 1, 1), date(2004, 12, 31), "STATED"),
        ("ProposalRejected", 2, "2004?", date(2004, 1, 1), date(2004, 12, 31), "INFERRED"),
        ("AgreementConcluded", None, "2005", date(2005, 1, 1), date(2005, 12, 31), "STATED"),
    ]
    care = facts(ask, yamato, "Y1", "type, number, kind, certainty")
    assert ("PartnershipRegistered", None, "CITY_INVITED", "NOT_STATED") in care
    assert [row for row in care if row[0] == "AgreementRenewed"] == [
        ("AgreementRenewed", 1, None, "INFERRED"),
        ("AgreementRenewed", 2, None, "INFERRED"),
    ]
    assert "ProposalSubmitted" not in {row[0] for row in care}
    years = facts(ask, okayama, "O5", "type, number, year_from, year_until", "ModelYearStarted", "NeedsSurveyStarted")
    assert years == [
        ("NeedsSurveyStarted", None, 2017, 2017),
        ("ModelYearStarted", 1, 2018, 2018),
        ("ModelYearStarted", 2, 2019, 2019),
    ]
    assert facts(ask, yamato, "Y3", "count", "MeetingHeld") == [(None,)]
    assert facts(ask, yamato, "Y1", "yen", "FundingDecided") == [(None,)]


def test_the_coverage_of_each_programme_is_as_declared(five_cities: dict[str, Book], worker: Worker, ask: Ask) -> None:
    worker.catch_up()
    rows = ask(
        "SELECT t.slug, programme, coverage, year_from, year_until, shown FROM read_model.coverage"
        f" JOIN tenant t USING (tenant_id) WHERE {CURRENT} ORDER BY 1, 2"
    )
    assert rows == [
        ("higashikurume", "guideline", "SELECTION", 2016, 2016, 4),
        ("kawasaki", "basic-policy", "SELECTION", None, None, 5),
        ("okayama", "ordinance", "SELECTION", None, None, 5),
        ("yamato", "citizen-partnership", "SELECTION", None, None, 3),
        ("yokohama", "five-principles", "UNKNOWN", None, None, 0),
        ("yokohama", "ordinance", "SELECTION", None, None, 4),
    ]


@pytest.mark.parametrize(
    ("period", "years"),
    [
        (None, (None, None)),
        ("2016-04/2017-03", (2016, 2016)),
        ("2016/2018", (2016, 2017)),
        ("2016-04/..", (2016, None)),
        ("2016-05/2017-03", (2017, 2016)),
        ("XXXX", UNKNOWN_YEARS),
    ],
)
def test_a_declaration_covers_the_fiscal_years_that_lie_wholly_in_its_period(
    town: Callable[[], Town], worker: Worker, ask: Ask, period: str | None, years: tuple[int | None, int | None]
) -> None:
    book = town().book
    data = {"coverage": "COMPLETE", "of": "PARTNERSHIPS", "shown": 1} | ({"period": period} if period else {})
    declare = Request(
        command="declare-coverage", data=data, valid={"edtf": "2020"}, actor="S/desk", recorded_by="S/desk"
    )
    book.execute(book.stream("programme", "partnership"), declare)
    worker.catch_up()
    assert ask("SELECT year_from, year_until FROM read_model.coverage") == [years]


def test_a_stated_fiscal_year_goes_before_the_date() -> None:
    assert fiscal_years("2011", 2010) == (2010, 2010)
    assert fiscal_years("2011") == (2010, 2011)
    assert fiscal_years("XXXX") == (None, None)


def test_a_corrected_fact_has_two_versions_and_a_retracted_one_ends(
    database: Database, keys: CityKeys, town: Callable[[], Town], worker: Worker, ask: Ask
) -> None:
    city = town()
    city.register("P1")
    submitted = {"submission": 1, "kind": "NEW", "proposed_by": "CITIZENS"}
    first = city.give("P1", "submit-proposal", valid="2019-05", **submitted)
    worker.catch_up()
    corrected = city.give("P1", "correct-event", target=2, reason="誤記", data={"valid": {"edtf": "2018-05"}})
    worker.catch_up()
    retracted = city.give("P1", "retract-event", target=2, reason="取違え")
    worker.catch_up()
    rows = ask(
        "SELECT valid, year_from, known_from, known_until FROM read_model.fact"
        " WHERE type = 'ProposalSubmitted' ORDER BY known_from"
    )
    assert rows == [
        ("2019-05", 2019, first.first, corrected.first),
        ("2018-05", 2018, corrected.first, retracted.first),
    ]
    assert check(database, keys, city.id) == []


def test_what_is_placed_between_moves_the_places_behind_it(town: Callable[[], Town], worker: Worker, ask: Ask) -> None:
    city = town()
    city.register("P1")
    city.give("P1", "hold-meeting", valid="2019", attendees=["npo"])
    city.give("P1", "file-party-statement", mode=Mode.RETROACTIVE, party="npo", text="意見", placed_after=1)
    worker.catch_up()
    assert facts(ask, city.book, "P1", "type, place") == [("PartnershipRegistered", 1), ("MeetingHeld", 3)]


def test_scores_become_a_number_when_they_are_shared(
    database: Database, keys: CityKeys, town: Callable[[], Town], worker: Worker, ask: Ask
) -> None:
    city = town()
    city.register("P1")
    city.give("P1", "submit-proposal", valid="2019", submission=1, kind="NEW", proposed_by="CITIZENS")
    city.give("P1", "accept-proposal", valid="2019", submission=1, decided_by="city", authority="MAYOR")
    city.give("P1", "start-activity", valid="2019")
    scores = [{"item": "B", "score": "5"}, {"item": "A", "score": "2"}]
    for side in ("PARTNER", "CITY"):
        scale = {"lowest": 1, "highest": 5, "principle_set": "TOWN"}
        city.give("P1", "file-evaluation", valid="2020", evaluation=1, side=side, scores=scores, **scale)
    worker.catch_up()
    assert facts(ask, city.book, "P1", "side, codes, score", "EvaluationFiled") == [
        ("PARTNER", ["A", "B"], None),
        ("CITY", ["A", "B"], None),
    ]
    city.give("P1", "share-evaluations", valid="2020", evaluation=1)
    worker.catch_up()
    assert facts(ask, city.book, "P1", "score", "EvaluationFiled") == [(625_000,), (625_000,)]
    assert check(database, keys, city.id) == []
