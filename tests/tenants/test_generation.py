"""Invented towns: the same seed tells the same histories, by events that the rules of their programmes admit."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from domain.city import ImportWindowClosed
from domain.commands import BY_NAME
from domain.dates import bounds, fiscal_year
from domain.event import Mode
from domain.partnership.state import Partnership
from domain.programme import CoverageDeclared
from domain.vocabulary import ENDED, REFUSED, RejectionCode, Status
from projections.replay import check, replay
from projections.worker import Worker
from tenants import registry
from tenants.book import Book, Request
from tenants.city_keys import CityKeys
from tenants.database import Database, Role
from tenants.generation.entering import STORIES, Added, OtherSeed, enter, history
from tenants.generation.life import FEWEST, MOST
from tenants.generation.town import CALLS, END, Town, call_of
from tenants.programmes import load_city

Enter = Callable[..., Added]
HISTORIES = [history(Town(7, 1), number) for number in range(1, 301)]


@pytest.fixture
def generate(database: Database, keys: CityKeys) -> Enter:
    """Enters towns in this process."""

    def entered(cities: int, partnerships: int, seed: int = 7, **more: int) -> Added:
        return enter(database.urls, keys.folder, cities=cities, partnerships=partnerships, seed=seed, **more)

    return entered


def sizes(database: Database) -> dict[str, int]:
    with database.projector() as connection:
        rows = connection.execute("SELECT slug, size FROM tenant JOIN tenant_head USING (tenant_id)").fetchall()
    return dict(rows)


def test_the_same_seed_tells_the_same_histories_in_any_process() -> None:
    told = "from tenants.generation.entering import history; from tenants.generation.town import Town; "
    told += "print([history(Town(7, 1), number) for number in range(1, 31)])"
    env = os.environ | {"PYTHONHASHSEED": "1"}
    other = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True, env=env)
    assert other.stdout == f"{HISTORIES[:30]}\n"
    assert history(Town(7, 1), 5) == HISTORIES[4]
    assert history(Town(8, 1), 5) != HISTORIES[4] != history(Town(7, 2), 5)


def test_histories_have_5_to_40_events_and_about_12() -> None:
    counts = [len(each) for each in HISTORIES]
    assert FEWEST <= min(counts) <= max(counts) <= MOST
    assert 11 <= sum(counts) / len(counts) <= 14


def test_dates_are_of_every_precision_and_within_the_years_that_are_told_of() -> None:
    edtf = [request.valid["edtf"] for each in HISTORIES for request in each]
    shapes = Counter("set" if text.startswith("[") else "?" if text.endswith("?") else len(text) for text in edtf)
    assert set(shapes) == {"set", "?", 4, 7, 10}
    days = [bounds(text) for text in edtf]
    assert all(each.earliest is None or each.earliest <= END for each in days)
    assert set(range(2005, 2026)) <= {fiscal_year(each.earliest) for each in days if each.earliest}


def test_a_call_that_was_cancelled_takes_no_proposal() -> None:
    town = Town(7, 1)
    cancelled = [(p, r.data["call"]) for p, r in town.calls() if r.command == "cancel-call"]
    assert cancelled == [("proposals", "FY2020")]
    for programme in CALLS:
        opened = {r.data["call"] for p, r in town.calls() if p == programme and r.command == "open-call"}
        assert len(opened) == END.year - 2005
    assert call_of("proposals", bounds("2020-04-12").earliest or END)[0] == "FY2021"


def test_a_town_says_that_it_is_invented_and_takes_no_real_code(tmp_path: Path) -> None:
    Town(7, 12).write(tmp_path)
    city = load_city(tmp_path)
    assert city.slug == "generated-0012"
    assert "架空" in city.name_ja
    assert "invented" in city.name_en
    assert int(city.municipal_code[:2]) > 47
    assert "実在しない" in (city.sources[0].about or "")


def test_300_partnerships_show_every_ending_and_break_no_rule(
    generate: Enter, database: Database, keys: CityKeys
) -> None:
    added = generate(2, 300)
    assert (added.cities, added.partnerships) == (2, 300)
    seen: Counter[Status | None] = Counter()
    given: Counter[str] = Counter()
    reasons: set[RejectionCode] = set()
    origins, kinds, forms, programmes, modes = (set[object]() for _ in range(5))
    for city in registry.tenants(database):
        for each in replay(database, city.tenant_id).values():
            assert [entry.event.breaks for entry in each.recorded if entry.event.breaks] == []
            given.update(entry.name for entry in each.recorded)
            modes |= {entry.meta.mode for entry in each.recorded}
            if isinstance(each.state, Partnership):
                state = each.state
                seen[state.status] += 1
                reasons |= {code for known in state.submissions for code in known.codes}
                origins.add(state.origin)
                kinds |= {known.kind for known in state.parties}
                forms |= set(state.forms)
                programmes.add(state.programme)
    assert sum(given.values()) == added.events
    assert sum(seen.values()) == 300
    assert set(seen) >= ENDED | REFUSED | {Status.ACTIVE}
    assert programmes == set(STORIES)
    assert len(reasons) >= 8
    assert len(origins) == 4
    assert len(kinds) >= 10
    assert len(forms) >= 7
    assert len(modes) == 3
    assert {"EventCorrected", "EvaluationFiled", "RefundOrdered", "TrialStarted", "ModelYearStarted"} <= set(given)
    assert {"ScoreRecorded", "ReconsiderationResolved", "InvitationDeclined", "AgreementRenewed"} <= set(given)
    assert len(given) >= 60


def test_the_rules_would_admit_the_same_events_as_they_happen(
    generate: Enter, database: Database, keys: CityKeys
) -> None:
    generate(1, 1)
    (city,) = registry.tenants(database)
    plan = Book(database, keys, city.tenant_id).plan()
    for number, requests in enumerate(HISTORIES[1:60], start=2):
        stream = plan.book.stream("partnership", f"G{number:05d}")
        for request in requests:
            late = request.mode is Mode.RETROACTIVE
            plan.add(stream, request if late else request.model_copy(update={"mode": Mode.LIVE}))
    assert len(plan) == sum(map(len, HISTORIES[1:60]))


def test_some_texts_are_closed(generate: Enter, database: Database) -> None:
    generate(1, 60)
    (city,) = registry.tenants(database)
    with database.tenant(Role.OWNER, city.tenant_id) as connection:
        found = connection.execute(
            "SELECT DISTINCT visibility, embargo IS NOT NULL FROM disclosure WHERE tenant_id = %s",
            (city.tenant_id,),
        ).fetchall()
    assert set(found) >= {("PUBLIC", False), ("PUBLIC", True), ("PARTY", False), ("PERSONAL", False), ("CITY", False)}


def test_a_second_run_adds_nothing_and_a_larger_one_what_is_missing(generate: Enter, database: Database) -> None:
    first = generate(2, 9)
    before = sizes(database)
    assert sum(before.values()) == first.events
    assert generate(2, 9) == Added()
    assert sizes(database) == before
    more = generate(2, 12)
    assert (more.cities, more.partnerships) == (0, 3)
    assert sum(sizes(database).values()) == first.events + more.events


def test_another_seed_is_refused_where_a_town_stands(generate: Enter, database: Database) -> None:
    generate(1, 2)
    before = sizes(database)
    with pytest.raises(OtherSeed, match="generated-0001 was not made from seed 8"):
        generate(1, 2, seed=8)
    assert sizes(database) == before


def test_an_interrupted_run_goes_on_where_it_was(
    generate: Enter, database: Database, keys: CityKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tenants.generation.entering.AT_ONCE", 4)

    class Killed(Exception):
        pass

    told: list[int] = []

    def stop(town: Town, number: int) -> list[Request]:
        told.append(number)
        if len(told) > 10:
            raise Killed
        return history(town, number)

    with monkeypatch.context() as patched:
        patched.setattr("tenants.generation.entering.history", stop)
        with pytest.raises(Killed):
            generate(1, 16)
    (city,) = registry.tenants(database)
    entered = [each for each in replay(database, city.tenant_id).values() if isinstance(each.state, Partnership)]
    assert len(entered) == 8  # Two batches stand; of the third there is nothing.
    assert generate(1, 16).partnerships == 8
    town = Town(7, 1)
    for each in replay(database, city.tenant_id).values():
        if isinstance(each.state, Partnership):
            wanted = history(town, int(each.state.number[1:]))
            assert [entry.name for entry in each.recorded] == [BY_NAME[r.command].event_name for r in wanted]


def test_read_models_of_a_generated_town_equal_a_replay(generate: Enter, database: Database, keys: CityKeys) -> None:
    generate(1, 30)
    Worker(database, keys).catch_up()
    (city,) = registry.tenants(database)
    assert check(database, keys, city.tenant_id) == []


def test_what_a_town_declares_of_its_record_is_what_it_has(generate: Enter, database: Database) -> None:
    generate(1, 20)
    (city,) = registry.tenants(database)
    found: Counter[Any] = Counter()
    declared: dict[str, int] = {}
    entered = imported = 0
    for each in replay(database, city.tenant_id).values():
        found[getattr(each.state, "number", None) and each.state.programme] += 1
        for entry in each.recorded:
            if isinstance(entry.event, CoverageDeclared):
                declared[each.state.programme] = entry.event.shown
            if isinstance(entry.event, ImportWindowClosed):
                entered = entry.event.entered
            imported += entry.meta.mode is Mode.IMPORT
    assert declared == {programme: found[programme] for programme in STORIES}
    assert entered == imported
