"""Groups: what a date leaves open is counted as possible, joint partnerships weigh 1/n, coverage is asked by period."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from projections.metrics import BY_KEY, Dimension, Measured, measure
from projections.worker import Worker
from tenants.book import Book, Request
from tenants.city_keys import CityKeys
from tenants.database import Database
from tests.projections.metrics.town import ACCEPTED, DECIDED, PROGRAMME, SLUG, give, record_town

Ask = Callable[..., list[Measured]]
YEARLY = (Dimension.FISCAL_YEAR,)


def of(found: list[Measured], series: str, field: str) -> dict[Any, Measured]:
    return {getattr(each, field): each for each in found if each.series == series}


def test_the_years_of_a_cohort_add_up_to_the_whole(ask: Ask) -> None:
    years = of(ask("acceptance_rate", SLUG, by=YEARLY), "accepted", "fiscal_year")
    assert {year: each.denominator for year, each in years.items()} == {2021: 16, 2022: 16, 2023: 15}
    assert sum(each.numerator for each in years.values()) == ACCEPTED
    (chosen,) = of(ask("acceptance_rate", SLUG, years=(2022, 2023)), "accepted", "fiscal_year").values()
    assert chosen.denominator == 31


def test_a_date_that_straddles_years_is_possible_in_each_and_certain_in_none(ask: Ask) -> None:
    years = of(ask("acceptance_rate", "yamato", by=YEARLY), "accepted", "fiscal_year")
    # 2003 lies in FY2002 and FY2003, 2004 in FY2003 and FY2004; the centre was proposed some time from 2003 to 2024.
    assert {year: (each.units, each.possible_units) for year, each in years.items()} == {
        2002: (0, 2),
        2003: (0, 3),
        2004: (0, 2),
        **dict.fromkeys(range(2005, 2025), (0, 1)),
    }
    (chosen,) = of(ask("acceptance_rate", "yamato", years=(2002, 2004)), "accepted", "fiscal_year").values()
    assert (chosen.units, chosen.possible_units) == (2, 1)


def test_an_undated_cohort_is_left_out_of_years_and_counted_as_left_out(ask: Ask) -> None:
    (whole,) = of(ask("acceptance_rate", "kawasaki"), "accepted", "fiscal_year").values()
    (chosen,) = of(ask("acceptance_rate", "kawasaki", years=(2000, 2020)), "accepted", "fiscal_year").values()
    assert (whole.units, whole.excluded) == (1, 0)
    assert (chosen.units, chosen.excluded) == (0, 1)
    assert list(of(ask("acceptance_rate", "kawasaki", by=YEARLY), "accepted", "fiscal_year")) == [None]


def test_a_partnership_counts_whole_in_each_of_its_forms(ask: Ask) -> None:
    forms = of(ask("renewal_survival", SLUG, by=(Dimension.FORM,)), "renewals", "form")
    assert {form: each.denominator for form, each in forms.items()} == {"SUBSIDY": 20, "CO_HOSTING": 10}


def test_a_city_without_units_does_not_spoil_the_coverage_of_others(ask: Ask) -> None:
    (found,) = ask("evaluation_gap")
    assert found.coverage == "COMPLETE"
    (mixed,) = of(ask("acceptance_rate"), "accepted", "city").values()
    assert (mixed.coverage, mixed.value) == ("UNKNOWN", None)


# --- A town that others join --------------------------------------------------------------------------------


@pytest.fixture
def book(database: Database, keys: CityKeys) -> Book:
    """The invented town, recorded and not yet projected."""
    return record_town(database, keys)


def measured(database: Database, key: str, **given: Any) -> list[Measured]:
    with database.reader() as connection:
        return measure(connection, BY_KEY[key], **given)


def test_a_joint_partnership_weighs_one_nth_in_each_of_its_cities(
    database: Database, keys: CityKeys, worker: Worker, tenant: Callable[..., UUID], book: Book
) -> None:
    neighbour = tenant("neighbour")
    keys.create(neighbour)
    joining = Book(database, keys, neighbour)
    confirm = Request(
        command="confirm-participation",
        data={"recording_city": SLUG, "number": "T1", "title_ja": "共同の事業"},
        valid={"edtf": "2022"},
        actor="S/desk",
        recorded_by="S/desk",
    )
    joining.execute(joining.participation(SLUG, "T1"), confirm)
    worker.catch_up()
    cities = of(measured(database, "acceptance_rate", by=(Dimension.CITY,)), "accepted", "city")
    assert {city: (each.numerator, each.denominator) for city, each in cities.items()} == {
        book.tenant: (ACCEPTED - 0.5, DECIDED - 0.5),
        neighbour: (0.5, 0.5),
    }
    (whole,) = of(measured(database, "acceptance_rate"), "accepted", "city").values()
    assert (whole.numerator, whole.denominator) == (ACCEPTED, DECIDED)
    (theirs,) = of(measured(database, "acceptance_rate", tenants=[neighbour]), "accepted", "city").values()
    assert (theirs.numerator, theirs.denominator) == (0.5, 0.5)
    # A curve is drawn of fractions too, but without an interval.
    (ours,) = measured(database, "time_to_agreement", tenants=[book.tenant])
    assert (ours.units, ours.low) == (DECIDED - 0.5, None)
    assert ours.value == pytest.approx((ACCEPTED - 0.5) / (DECIDED - 0.5))


def test_rates_need_a_complete_record_of_the_years_asked_for(database: Database, worker: Worker, book: Book) -> None:
    def coverages() -> dict[int, str]:
        worker.catch_up()
        found = of(measured(database, "acceptance_rate", by=YEARLY), "accepted", "fiscal_year")
        return {year: each.coverage.value for year, each in found.items()}

    assert coverages() == dict.fromkeys((2021, 2022, 2023), "COMPLETE")
    plan = book.plan()
    partial = {"coverage": "SELECTION", "of": "PROPOSALS", "shown": 3, "period": "2022-04/2023-03"}
    give(plan, book.stream("programme", PROGRAMME), "declare-coverage", "2026-05-01", **partial)
    plan.commit()
    assert coverages() == {2021: "COMPLETE", 2022: "SELECTION", 2023: "COMPLETE"}
    (whole,) = of(measured(database, "acceptance_rate"), "accepted", "city").values()
    assert (whole.coverage, whole.value, whole.denominator) == ("SELECTION", None, DECIDED)
