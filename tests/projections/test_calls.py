"""Calls for proposals: the next one, its theme and window, and whether it is over or called off."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from projections.replay import check
from projections.worker import Worker
from tests.projections.conftest import Town


def test_calls_are_told_with_their_window_and_what_became_of_them(
    town: Callable[[], Town], worker: Worker, rows: Callable[..., list[dict[str, Any]]]
) -> None:
    here = town()
    for year in (2024, 2025, 2026):
        window = {"fiscal_year": year, "theme": "子育て", "closes": f"{year}-06-30", "budget_yen": 3_000_000}
        here.of_programme("open-call", valid=f"{year}-05-01", call=f"FY{year}", **window)
    here.of_programme("close-call", valid="2024-07-01", call="FY2024")
    here.of_programme("cancel-call", call="FY2025", reason="予算が成立しなかった")
    worker.catch_up()
    closed, cancelled, still_open = rows(here, "call")
    assert [each["status"] for each in (closed, cancelled, still_open)] == ["CLOSED", "CANCELLED", "OPEN"]
    assert (closed["ended"], closed["last_day_latest"]) == ("2024-07-01", date(2024, 7, 1))
    assert cancelled["reason"] == "予算が成立しなかった"
    assert (still_open["theme"], still_open["fiscal_year"], still_open["budget_yen"]) == ("子育て", 2026, 3_000_000)
    assert (still_open["opened_earliest"], still_open["last_day_latest"]) == (date(2026, 5, 1), date(2026, 6, 30))
    assert (still_open["programme"], still_open["opened_position"]) == ("partnership", 4)
    assert [each["status"] for each in rows(here, "call", at=4)] == ["OPEN"] * 3
    assert check(here.book.database, worker.keys, here.id) == []
