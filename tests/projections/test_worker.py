"""The worker applies each event exactly once, whoever dies in between, and one city's trouble stays that city's."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any

import psycopg
import pytest

from projections.replay import check
from projections.worker import Worker, caught_up, lags
from tenants.city_keys import CityKeys
from tenants.database import Connection, Database, DatabaseUnavailable, Role, connect

Ask = Callable[..., list[tuple[Any, ...]]]
MakeTown = Callable[[], Any]


def fill(town: Any, numbers: int = 3) -> None:
    for number in range(numbers):
        town.register(f"P{number}")
        town.give(f"P{number}", "open-consultation", topic="保育")
        town.give(f"P{number}", "hold-meeting", attendees=["npo"])


def errors(database: Database) -> dict[Any, str | None]:
    return {lag.tenant: lag.error for lag in lags(database)}


def snapshot(ask: Ask, town: Any) -> tuple[Any, ...]:
    """Everything that is shown of a city, and how far it reaches."""
    tables = ("tracking", "programme", "partnership", "party", "timeline")
    return tuple(
        ask(f"SELECT * FROM read_model.{table} WHERE tenant_id = %s ORDER BY 1, 2, 3, 4", town.id) for table in tables
    )


@contextmanager
def table_locked(database: Database, table: str) -> Iterator[Connection]:
    """While this lasts, whoever writes the table waits."""
    with closing(connect(database.urls.owner)) as holder, holder.transaction(force_rollback=True):
        holder.execute(f"LOCK TABLE read_model.{table} IN SHARE MODE")  # type: ignore[arg-type]
        yield holder


def waiting(holder: Connection) -> list[int]:
    """The backends that wait for a lock, as soon as there is one."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        rows = holder.execute(
            "SELECT DISTINCT pid FROM pg_locks WHERE NOT granted"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        ).fetchall()
        if rows:
            return [pid for (pid,) in rows]
        time.sleep(0.01)
    raise AssertionError("nobody came to wait")


def test_a_city_is_brought_up_to_its_log(town: MakeTown, worker: Worker, database: Database, ask: Ask) -> None:
    here = town()
    fill(here, 2)
    (lag,) = lags(database)
    assert (lag.tenant, lag.size, lag.position, lag.behind) == (here.id, 7, 0, 7)
    assert worker.catch_up() == 7
    assert worker.catch_up() == 0
    assert [lag.behind for lag in lags(database)] == [0]
    assert ask("SELECT number, status FROM read_model.partnership WHERE known_until > 1000 ORDER BY 1") == [
        ("P0", "DELIBERATING"),
        ("P1", "DELIBERATING"),
    ]
    assert check(database, worker.keys, here.id) == []


@pytest.mark.parametrize("batch", [1, 2, 3, 1000])
def test_the_size_of_a_batch_changes_nothing(
    town: MakeTown, database: Database, keys: CityKeys, ask: Ask, batch: int
) -> None:
    here = town()
    fill(here)
    assert Worker(database, keys, batch=batch).catch_up() == 10
    assert check(database, keys, here.id) == []


def test_a_worker_that_dies_within_a_batch_has_applied_nothing(
    town: MakeTown, worker: Worker, database: Database, ask: Ask, server: Any
) -> None:
    here = town()
    fill(here)
    worker.catch_up()
    here.give("P0", "refine-objective", text="目的")
    before = snapshot(ask, here)
    # The last table that a batch writes is locked, so that it dies with everything else written.
    with ThreadPoolExecutor(1) as pool, table_locked(database, "timeline") as holder:
        running = pool.submit(worker.catch_up)
        pids = waiting(holder)
        with closing(psycopg.connect(server.superuser, autocommit=True)) as superuser:
            superuser.execute("SELECT pg_terminate_backend(pid, 5000) FROM unnest(%s::int[]) pid", (pids,))
        with pytest.raises(DatabaseUnavailable):
            running.result()
    assert snapshot(ask, here) == before
    assert worker.catch_up() == 1
    assert check(database, worker.keys, here.id) == []


def test_a_batch_that_fails_within_the_database_has_applied_nothing(
    town: MakeTown, worker: Worker, database: Database, ask: Ask
) -> None:
    here, other = town(), town()
    fill(here)
    worker.catch_up()
    before = snapshot(ask, here)[1:]
    with database.owner() as owner:
        owner.execute(
            "ALTER TABLE read_model.timeline ADD CONSTRAINT refused CHECK (type <> 'ObjectiveRefined') NOT VALID"
        )
    here.give("P0", "refine-objective", text="目的")
    other.register("P9")
    assert worker.catch_up() == 1
    assert snapshot(ask, here)[1:] == before
    assert "refused" in (errors(database)[here.id] or "")
    assert errors(database)[other.id] is None


def test_what_passes_is_tried_again(town: MakeTown, worker: Worker, database: Database, caplog: Any) -> None:
    """A lock that is not granted in time is not the log's fault."""
    here = town()
    fill(here)
    with database.connection(Role.PROJECTOR) as connection:
        login = connection.info.user
    with database.owner() as owner:
        owner.execute(f"ALTER ROLE {login} SET lock_timeout = '50ms'")  # type: ignore[arg-type]
    impatient = Worker(Database(database.urls), worker.keys)
    try:
        with table_locked(database, "party"), caplog.at_level(logging.WARNING):
            assert impatient.catch_up() == 0
        assert "put off" in caplog.text
        assert errors(database) == {here.id: None}
        assert impatient.catch_up() == 10
    finally:
        impatient.database.close()
        with database.owner() as owner:
            owner.execute(f"ALTER ROLE {login} RESET lock_timeout")  # type: ignore[arg-type]
    assert check(database, worker.keys, here.id) == []


def test_two_workers_on_the_same_cities_double_nothing(town: MakeTown, database: Database, keys: CityKeys) -> None:
    towns = [town() for _ in range(3)]
    for here in towns:
        fill(here)
    start = threading.Barrier(4)

    def work(batch: int) -> int:
        start.wait()
        applied = 0
        while any(lag.behind and not lag.error for lag in lags(database)):
            applied += Worker(database, keys, batch=batch).catch_up()
        return applied

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(work, [1, 2, 3, 1])) == 30
    for here in towns:
        assert check(database, keys, here.id) == []


def test_workers_and_writers_at_once_lose_nothing(town: MakeTown, database: Database, keys: CityKeys) -> None:
    here, done = town(), threading.Event()

    def write() -> None:
        fill(here, 8)
        done.set()

    def work() -> int:
        applied = 0
        while not done.is_set() or any(lag.behind and not lag.error for lag in lags(database)):
            applied += Worker(database, keys, batch=2).catch_up()
        return applied

    with ThreadPoolExecutor(3) as pool:
        writer, *workers = pool.submit(write), pool.submit(work), pool.submit(work)
        writer.result()
        assert sum(each.result() for each in workers) == 25
    assert check(database, keys, here.id) == []


# --- Poison -------------------------------------------------------------------------------------------------


def test_a_poison_event_stops_its_city_alone_and_loudly(
    town: MakeTown, worker: Worker, database: Database, ask: Ask, caplog: Any
) -> None:
    here, other = town(), town()
    fill(here, 1)
    worker.catch_up()
    before = snapshot(ask, here)[1:]
    here.poison()
    here.give("P0", "refine-objective", text="目的")
    fill(other, 1)
    assert worker.catch_up() == 3
    assert "SomethingNewer" in caplog.text
    assert "kyodo rebuild" in caplog.text
    assert "SomethingNewer" in (errors(database)[here.id] or "")
    assert errors(database)[other.id] is None
    assert snapshot(ask, here)[1:] == before
    caplog.clear()
    assert worker.catch_up() == 0
    assert not caplog.text, "it is said once, not five times a second"
    assert check(database, worker.keys, here.id) == []


def test_a_city_whose_first_event_is_poison_is_stopped_too(
    town: MakeTown, worker: Worker, database: Database, tenant: Callable[..., Any], keys: CityKeys
) -> None:
    here = town()
    here.poison()
    assert worker.catch_up() == 0
    (lag,) = lags(database)
    assert (lag.position, lag.behind) == (0, 2)
    assert "SomethingNewer" in (lag.error or "")


# --- Running ------------------------------------------------------------------------------------------------


def test_a_running_worker_outlives_a_lost_database(
    town: MakeTown, worker: Worker, database: Database, server: Any
) -> None:
    here, stop = town(), threading.Event()
    thread = threading.Thread(target=worker.run, args=(stop, 0.02))
    thread.start()
    try:
        fill(here, 1)
        assert caught_up(database, here.id, seconds=20).behind == 0
        with database.owner() as owner:
            name = owner.info.dbname
        with closing(psycopg.connect(server.superuser, autocommit=True)) as superuser:
            superuser.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", (name,)
            )
        here.give("P0", "refine-objective", text="目的")
        assert caught_up(database, here.id, seconds=20).behind == 0
        assert thread.is_alive()
    finally:
        stop.set()
        thread.join()
    assert check(database, worker.keys, here.id) == []


def test_waiting_for_a_city_that_nobody_projects_ends(town: MakeTown, database: Database) -> None:
    here = town()
    assert caught_up(database, here.id, seconds=0.2).behind == 1
