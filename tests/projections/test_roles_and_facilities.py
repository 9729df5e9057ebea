"""Who does what, who runs this facility, and what it charges."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from projections.replay import check
from projections.worker import Worker
from tests.projections.conftest import Town

Rows = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def here(town: Callable[[], Town]) -> Town:
    """A registered partnership."""
    made = town()
    made.register("P1")
    return made


def test_every_party_s_duties_and_every_duty_without_a_bearer_are_told(here: Town, worker: Worker, rows: Rows) -> None:
    here.give(
        "P1",
        "assign-roles",
        valid="2016",
        roles=[{"party": "npo", "duties": ["受付", "広報"], "resources": ["会員"], "costs": "OWN", "benefit": "経験"}],
        activities=[
            {
                "activity": "祭り",
                "city_role": "PARTY",
                "forms": [{"codes": ["CO_HOSTING"], "local": "共催"}],
                "roles": [{"party": "city", "duties": ["会場"]}],
            }
        ],
        unassigned=[{"duty": "指導", "why": "図からは決まらない"}],
    )
    worker.catch_up()
    npo, city, nobody = rows(here, "role_assignment")
    assert (npo["duties"], npo["resources"], npo["costs"]) == (["受付", "広報"], ["会員"], "OWN")
    assert (npo["benefit"], npo["activity"], npo["forms"], npo["valid"]) == ("経験", None, [], "2016")
    assert (city["activity"], city["city_role"], city["forms"]) == ("祭り", "PARTY", ["CO_HOSTING"])
    assert (nobody["party"], nobody["duties"], nobody["why_unsettled"]) == (None, ["指導"], "図からは決まらない")
    assert {each["position"] for each in (npo, city, nobody)} == {3}
    assert check(here.book.database, worker.keys, here.id) == []


def test_a_facility_is_told_with_who_owns_and_runs_it(here: Town, worker: Worker, rows: Rows) -> None:
    here.give("P1", "establish-facility", valid="2003", facility="hall", name="会館", owner="city", managed_by="city")
    moved = {"facility": "hall", "right": "MANAGEMENT", "from_party": "city", "to_party": "npo"}
    here.give("P1", "transfer-facility", valid="2005", **moved)
    here.give("P1", "resolve-by-council", valid="2006", subject="DESIGNATED_MANAGER", facility="hall")
    worker.catch_up()
    parties = {row["name_ja"]: row["party_id"] for row in rows(here, "party")}
    (shown,) = rows(here, "facility")
    assert (shown["name"], shown["owned_by"], shown["managed_by"]) == ("会館", parties["町"], parties["保育の会"])
    assert (shown["established"], shown["transferred"], shown["designated"]) == ("2003", "2005", "2006")
    assert (shown["position"], shown["used_by"]) == (5, None)
    assert rows(here, "facility", at=3)[0]["managed_by"] == parties["町"]
    assert check(here.book.database, worker.keys, here.id) == []


def test_a_new_schedule_of_fees_takes_the_place_of_the_old_one(here: Town, worker: Worker, rows: Rows) -> None:
    lines = [{"unit": "PT1H", "yen": 720, "when": "平日"}, {"unit": "PT15M", "yen": 180}]
    here.give("P1", "set-fee-schedule", payer="USER", set_by="npo", lines=lines)
    here.give("P1", "set-fee-schedule", payer="MEMBER", lines=[{"unit": "P1Y", "yen": 1_000}])
    here.give("P1", "set-fee-schedule", payer="USER", lines=[{"unit": "PT1H", "yen": 800}], order="要綱第3条")
    worker.catch_up()
    shown = [(row["payer"], row["line"], row["unit"], row["yen"], row["stands"]) for row in rows(here, "fee")]
    assert shown == [
        ("USER", 1, "PT1H", 720, False),
        ("USER", 2, "PT15M", 180, False),
        ("MEMBER", 1, "P1Y", 1_000, True),
        ("USER", 1, "PT1H", 800, True),
    ]
    first, *_, last = rows(here, "fee")
    assert (first["condition"], last["condition"], last["ruling"]) == ("平日", None, "要綱第3条")
    assert rows(here, "fee", at=3)[0]["stands"] is True
    assert check(here.book.database, worker.keys, here.id) == []
