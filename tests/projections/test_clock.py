"""The clock: years in a second, each due thing once, by the city's calendar."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

import tenants
from domain.event import Mode
from projections.clock import Clock, tokyo_today
from projections.replay import check
from projections.worker import Worker
from tenants.book import Book, Request
from tenants.city_keys import CityKeys
from tenants.database import Database
from tests.projections.conftest import SLUGS, Town

RULES: dict[str, Any] = {
    "term": {"grace": "P3M"},
    "evaluation": {"due": "FISCAL_YEAR"},
    "deadlines": [{"what": "DECISION", "within": "P6M", "after": "SUBMITTED"}],
}


def give(town: Town, number: str, command: str, valid: str, **data: Any) -> None:
    request = Request(
        command=command,
        data=data,
        valid={"edtf": valid},
        actor="S/officer",
        recorded_by="S/officer",
        approved_by="Z/second",
        document_ref="7協推第12号",
    )
    town.book.execute(town.stream(number), request)


def revise(town: Town, rules: dict[str, Any]) -> None:
    request = Request(
        command="revise-programme",
        data={"version": 2, "rules": rules},
        valid={"edtf": "2017"},
        actor="T",
        recorded_by="T/test",
    )
    town.book.execute(town.book.stream("programme", "partnership"), request)


def strike(town: Town, on: str) -> int:
    """A worker's day: project, strike, project."""
    worker = Worker(town.book.database, town.book.keys)
    worker.catch_up()
    struck = Clock(town.book.database, town.book.keys, lambda: date.fromisoformat(on)).strike()
    worker.catch_up()
    return struck


def recorded(town: Town, number: str) -> list[tuple[str, str, str]]:
    history = town.book.history(town.stream(number))
    assert history is not None
    return [(e.name, e.event.valid.edtf, e.meta.actor) for e in history.recorded if e.meta.actor == "X/clock"]


def test_a_term_lapses_once_its_grace_is_over_on_the_day_after_its_end(town: Callable[[], Town]) -> None:
    city = town()
    revise(city, {"term": {"grace": "P3M"}})
    city.register("P1")
    give(city, "P1", "conclude-agreement", "2020-04-01", parties=["npo", "city"], term="P3Y")
    assert [strike(city, day) for day in ("2023-03-31", "2023-04-01", "2023-06-30")] == [0, 0, 0]
    give(city, "P1", "hold-meeting", "2023-05-10", attendees=["npo"])
    assert strike(city, "2023-07-01") == 1
    assert recorded(city, "P1") == [("AgreementLapsed", "2023-04-01", "X/clock")]
    assert [strike(city, day) for day in ("2023-07-01", "2023-07-02", "2030-01-01")] == [0, 0, 0]
    assert not check(city.book.database, city.book.keys, city.id)


def test_a_renewal_in_grace_keeps_it_and_an_untermed_agreement_never_lapses(town: Callable[[], Town]) -> None:
    city = town()
    revise(city, {"term": {"grace": "P3M"}})
    for number, term in (("P1", "P3Y"), ("P2", None)):
        city.register(number)
        give(
            city,
            number,
            "conclude-agreement",
            "2020-04-01",
            parties=["npo", "city"],
            **({"term": term} if term else {}),
        )
    strike(city, "2023-04-15")
    give(city, "P1", "renew-agreement", "2023-05-01", no=1)
    assert strike(city, "2025-01-01") == 0
    assert strike(city, "2026-07-02") == 1
    assert recorded(city, "P1") == [("AgreementLapsed", "2026-04-01", "X/clock")]
    assert recorded(city, "P2") == []


def test_what_renews_itself_is_renewed_for_every_term_that_went_by(town: Callable[[], Town]) -> None:
    city = town()
    city.register("P1")
    give(city, "P1", "conclude-agreement", "2020-04-01", parties=["npo", "city"], term="P1Y", auto_renewal=True)
    assert strike(city, "2024-05-01") == 4
    assert [valid for _, valid, _ in recorded(city, "P1")] == ["2021-04-01", "2022-04-01", "2023-04-01", "2024-04-01"]
    assert strike(city, "2024-05-02") == 0


def test_evaluations_open_after_each_fiscal_year_and_late_decisions_are_flagged(town: Callable[[], Town]) -> None:
    city = town()
    revise(city, RULES)
    city.register("P1")
    give(city, "P1", "conclude-agreement", "2020-10-01", parties=["npo", "city"])
    city.register("P2")
    give(city, "P2", "submit-proposal", "2020-10-01", submission=1, kind="NEW", proposed_by="CITIZENS")
    assert strike(city, "2021-03-31") == 0
    assert strike(city, "2021-04-01") == 1
    assert strike(city, "2021-04-02") == 1
    assert strike(city, "2023-04-01") == 2
    assert [(name, valid) for name, valid, _ in recorded(city, "P1")] == [
        ("EvaluationOpened", "2021-04-01"),
        ("EvaluationOpened", "2022-04-01"),
        ("EvaluationOpened", "2023-04-01"),
    ]
    assert [(name, valid) for name, valid, _ in recorded(city, "P2")] == [("DeadlineMissed", "2021-04-02")]
    assert strike(city, "2023-04-02") == 0


def test_years_pass_in_a_moment_and_several_clocks_do_the_work_once(
    town: Callable[[], Town], database: Database, keys: CityKeys
) -> None:
    city = town()
    revise(city, RULES)
    city.register("P1")
    give(city, "P1", "conclude-agreement", "2020-04-01", parties=["npo", "city"], term="P3Y")
    Worker(database, keys).catch_up()
    for year in range(2020, 2031):
        for _ in range(2):
            Clock(database, keys, lambda year=year: date(year, 12, 31)).strike()  # type: ignore[misc]
        Worker(database, keys).catch_up()
    names = [name for name, _, _ in recorded(city, "P1")]
    assert names.count("AgreementLapsed") == 1
    assert names.count("EvaluationOpened") == 4, "one for each fiscal year up to the one in which it ended"
    assert not check(database, keys, city.id)


def test_records_compiled_from_publications_are_left_alone(
    five_cities: dict[str, Book], worker: Worker, database: Database, keys: CityKeys
) -> None:
    worker.catch_up()
    assert Clock(database, keys, lambda: date(2099, 1, 1)).strike() == 0
    assert set(five_cities) == set(SLUGS)
    assert (Path(tenants.__file__).parent / "yamato").is_dir()


def test_only_the_clock_lapses(town: Callable[[], Town]) -> None:
    city = town()
    city.register("P1")
    give(city, "P1", "conclude-agreement", "2020-04-01", parties=["npo", "city"], term="P1Y")
    with pytest.raises(Exception, match="CLOCK"):
        give(city, "P1", "lapse-agreement", "2021-04-01")
    with pytest.raises(Exception, match="CLOCK"):
        city.give("P1", "lapse-agreement", valid="2021-04-01", mode=Mode.RETROACTIVE)


def test_the_day_is_that_of_tokyo() -> None:
    assert abs((datetime.now(UTC).astimezone(ZoneInfo("Asia/Tokyo")).date() - tokyo_today()).days) <= 1


def test_what_renews_itself_lapses_after_the_last_renewal_that_the_programme_allows(town: Callable[[], Town]) -> None:
    city = town()
    revise(city, {"term": {"max_renewals": 1}})
    city.register("P1")
    give(city, "P1", "conclude-agreement", "2020-04-01", parties=["npo", "city"], term="P1Y", auto_renewal=True)
    assert strike(city, "2024-05-01") == 2
    assert [(name, valid) for name, valid, _ in recorded(city, "P1")] == [
        ("AgreementRenewed", "2021-04-01"),
        ("AgreementLapsed", "2022-04-01"),
    ]


def test_a_city_whose_clock_fails_keeps_no_other_city_waiting(
    town: Callable[[], Town], database: Database, keys: CityKeys
) -> None:
    cities = sorted((town(), town()), key=lambda city: city.id)
    for city in cities:
        city.register("P1")
        give(city, "P1", "conclude-agreement", "2020-04-01", parties=["npo", "city"], term="P1Y")
    Worker(database, keys).catch_up()
    lost = keys.folder / f"{cities[0].id}.key"
    kept = lost.read_bytes()
    lost.unlink()
    assert Clock(database, CityKeys(keys.folder), lambda: date(2022, 1, 1)).strike() == 1
    assert len(recorded(cities[1], "P1")) == 1
    lost.write_bytes(kept)
    lost.chmod(0o600)
    assert Clock(database, CityKeys(keys.folder), lambda: date(2022, 1, 1)).strike() == 1
