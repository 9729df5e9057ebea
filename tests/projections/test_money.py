"""Money as readers ask for it: decided and paid in a year, from whom to whom, and unknown where it is unknown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from domain.event import Mode
from projections.replay import check
from projections.worker import Worker
from tenants.book import Request
from tests.projections.conftest import Town

Rows = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def here(town: Callable[[], Town]) -> Town:
    """An accepted partnership."""
    made = town()
    made.register("P1")
    made.give("P1", "submit-proposal", submission=1, kind="NEW", proposed_by="CITIZENS")
    made.give("P1", "accept-proposal", submission=1, decided_by="city", authority="MAYOR")
    return made


def told(rows: list[dict[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in names) for row in rows]


def test_a_grant_is_told_from_its_decision_to_its_refund(here: Town, worker: Worker, rows: Rows) -> None:
    here.give("P1", "decide-grant", valid="2016-05", grant="G1", payee="npo", yen=900, fiscal_year=2016, rate=5_000)
    here.give("P1", "record-payment", valid="2016-06", payee="npo", payer="city", grant="G1", yen=900, fiscal_year=2016)
    here.give("P1", "settle-grant", valid="2017-04", grant="G1", yen=700)
    here.give("P1", "order-refund", valid="2017-05", grant="G1", yen=200, due="2017-05-31", reason="残金")
    worker.catch_up()
    shown = rows(here, "money")
    assert told(shown, "kind", "stage", "yen", "fiscal_year", "grant_id", "position") == [
        ("GRANT", "DECIDED", 900, 2016, "G1", 5),
        ("PAYMENT", "PAID", 900, 2016, "G1", 6),
        ("GRANT", "SETTLED", 700, 2016, "G1", 7),
        ("REFUND", "ORDERED", 200, 2016, "G1", 8),
    ]
    decided, paid, settled, refund = shown
    assert decided["to_party"] == paid["to_party"] == settled["to_party"] == refund["from_party"] is not None
    assert (decided["rate"], decided["from_party"], refund["to_party"]) == (5_000, None, None)
    assert (refund["due"], refund["reason"]) == ("2017-05-31", "残金")
    assert check(here.book.database, worker.keys, here.id) == []


def test_unknown_yen_is_unknown(here: Town, worker: Worker, rows: Rows) -> None:
    here.give("P1", "decide-funding", payee="npo", recurrence="ANNUAL", since="2011")
    here.give("P1", "receive-donation", donor="npo", fund="city", used_for="ARTS")
    worker.catch_up()
    funding, donation = rows(here, "money")
    assert told([funding, donation], "kind", "yen", "fiscal_year") == [
        ("FUNDING", None, None),
        ("DONATION", None, None),
    ]
    assert (funding["recurrence"], funding["since"], donation["used_for"]) == ("ANNUAL", "2011", "ARTS")
    assert donation["from_party"] == funding["to_party"]


def test_a_model_year_tells_of_money_only_where_a_sum_is_stated(here: Town, worker: Worker, rows: Rows) -> None:
    window = Request(
        command="open-import-window",
        data={"reason": "移行", "scope": "CASES"},
        valid={"edtf": "2026-04-01"},
        actor="T/admin",
        recorded_by="T/admin",
        approved_by="Z/second",
    )
    here.book.execute(here.book.stream("city"), window)
    year = {"programme": "partnership", "mode": Mode.IMPORT}
    here.give("P1", "start-model-year", n=1, fiscal_year=2018, **year)
    here.give("P1", "start-model-year", n=2, fiscal_year=2019, grant_yen=500_000, **year)
    worker.catch_up()
    assert told(rows(here, "money"), "kind", "stage", "yen", "fiscal_year", "programme") == [
        ("MODEL_YEAR_GRANT", "STATED", 500_000, 2019, "partnership")
    ]


def test_a_payment_placed_before_what_is_known_is_told_once(here: Town, worker: Worker, rows: Rows) -> None:
    here.give("P1", "decide-grant", valid="2016-05", grant="G1", payee="npo", yen=900, fiscal_year=2016)
    here.give("P1", "settle-grant", valid="2017-04", grant="G1", yen=700)
    worker.catch_up()
    late = {"payee": "npo", "grant": "G1", "yen": 600, "fiscal_year": 2016}
    here.give("P1", "record-payment", valid="2016-06", mode=Mode.RETROACTIVE, placed_after=4, **late)
    worker.catch_up()
    assert told(rows(here, "money"), "version", "stage", "known_from") == [
        (4, "DECIDED", 5),
        (5, "SETTLED", 6),
        (6, "PAID", 7),
    ]


def test_a_corrected_sum_takes_the_place_of_the_wrong_one(here: Town, worker: Worker, rows: Rows) -> None:
    here.give("P1", "decide-funding", payee="npo", yen=100, fiscal_year=2016)
    correction = Request(
        command="correct-event",
        data={"target": 4, "data": {"yen": 1_000}, "reason": "桁の誤り"},
        valid={"edtf": "2026-04-01"},
        actor="S/officer",
        recorded_by="S/officer",
        approved_by="Z/second",
    )
    here.book.execute(here.stream("P1"), correction)
    worker.catch_up()
    assert told(rows(here, "money"), "yen", "known_from", "position") == [(1_000, 6, 5)]
    assert told(rows(here, "money", at=5), "yen", "known_from", "position") == [(100, 5, 5)]
