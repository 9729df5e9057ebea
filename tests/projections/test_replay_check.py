"""The check finds every way in which a read model can differ from a replay, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from projections.replay import check, recorded, replay
from projections.worker import Worker
from tenants.database import Database

MakeTown = Callable[[], Any]


@pytest.fixture
def here(town: MakeTown, worker: Worker) -> Any:
    """A projected city with one partnership of three events."""
    made = town()
    made.register("P1")
    made.give("P1", "open-consultation", topic="保育")
    made.give("P1", "refine-objective", text="目的")
    worker.catch_up()
    return made


def alter(database: Database, city: Any, statement: str) -> None:
    with database.owner() as owner, owner.transaction():
        owner.execute(f"SET LOCAL kyodo.tenant = '{city}'")
        assert owner.execute(statement).rowcount  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("statement", "model", "column"),
    [
        ("UPDATE read_model.partnership SET status = 'REJECTED' WHERE known_from = 3", "partnership", "status"),
        ("UPDATE read_model.partnership SET title_ja = '別' WHERE known_from = 2", "partnership", "title_ja"),
        ("UPDATE read_model.partnership SET search_text = '' WHERE known_from = 4", "partnership", "search_text"),
        ("UPDATE read_model.partnership SET known_until = 9 WHERE known_from = 4", "partnership", "known_until"),
        ("UPDATE read_model.timeline SET recorded_at = now() WHERE version = 2", "timeline", "recorded_at"),
        ("UPDATE read_model.timeline SET data = '{}' WHERE version = 2", "timeline", "data"),
        ("UPDATE read_model.programme SET clear_rules = '{}'", "programme", "clear_rules"),
        ("DELETE FROM read_model.party WHERE place = 2", "party", "row"),
        ("UPDATE read_model.party SET known_from = 1 WHERE place = 2", "party", "row"),
    ],
)
def test_a_row_that_was_altered_is_found(
    here: Any, worker: Worker, database: Database, *, statement: str, model: str, column: str
) -> None:
    assert check(database, worker.keys, here.id) == []
    alter(database, here.id, statement)
    found = check(database, worker.keys, here.id)
    assert {(difference.model, difference.column) for difference in found} == {(model, column)}
    assert column in str(found[0])


def test_a_worker_that_is_behind_is_no_difference(here: Any, worker: Worker, database: Database) -> None:
    here.register("P2")
    assert check(database, worker.keys, here.id) == []


def test_another_citys_rows_are_no_difference(here: Any, town: MakeTown, worker: Worker, database: Database) -> None:
    other = town()
    other.register("P1")
    worker.catch_up()
    alter(database, other.id, "UPDATE read_model.partnership SET status = 'REJECTED'")
    assert check(database, worker.keys, here.id) == []
    assert check(database, worker.keys, other.id) != []


def test_a_replay_stops_at_a_position_or_a_moment(here: Any, database: Database) -> None:
    events = list(recorded(database, here.id))
    assert [entry.position for entry in events] == [1, 2, 3, 4]
    for until in (3, events[2].recorded_at):
        assert [entry.position for entry in recorded(database, here.id, until=until)] == [1, 2, 3]
        history = replay(database, here.id, until=until)[here.stream("P1")]
        assert (history.version, history.state.status) == (2, "CONSULTING")
    assert replay(database, here.id, until=0) == {}
    assert set(replay(database, here.id)) == {here.stream("P1"), here.book.stream("programme", "partnership")}
