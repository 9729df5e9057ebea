"""A rebuild gives what the worker gave, while others read and write; until its last moment nothing has changed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from typing import Any

import psycopg
import pytest

from projections.catalogue import READ_MODELS
from projections.rebuild import NEXT, is_current, rebuild
from projections.replay import check
from projections.worker import SWAP_LOCK, Worker, lags
from tenants.book import Book
from tenants.city_keys import CityKeys
from tenants.database import Database, Role, connect

Ask = Callable[..., list[tuple[Any, ...]]]
MakeTown = Callable[[], Any]


def everything(ask: Ask) -> dict[str, list[tuple[Any, ...]]]:
    return {
        model.name: ask(f"SELECT {', '.join(model.table_columns)} FROM read_model.{model.name} ORDER BY 1, 2, 3, 4")
        for model in READ_MODELS
    }


def schemas(database: Database) -> set[str]:
    with database.owner() as owner:
        rows = owner.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'read_model%'").fetchall()
    return {name for (name,) in rows}


@pytest.mark.parametrize("processes", [1, 2])
def test_a_rebuild_of_the_five_cities_gives_what_the_worker_gave(
    five_cities: dict[str, Book], database: Database, keys: CityKeys, ask: Ask, processes: int
) -> None:
    assert Worker(database, keys).catch_up() == 207
    before = everything(ask)
    said: list[str] = []
    assert rebuild(database.urls.owner, keys.folder, processes=processes, say=said.append) == 207
    assert said
    assert everything(ask) == before
    assert [(lag.behind, lag.error) for lag in lags(database)] == [(0, None)] * 5
    assert ask("SELECT count(*) FROM read_model.partnership WHERE known_until > 1000000") == [(21,)]
    assert ask(
        "SELECT number, anomalies FROM read_model.partnership WHERE known_until > 1000000 AND anomalies <> '{}'"
    ) == [("Y3", ["SubmissionNotPending"])]
    for book in five_cities.values():
        assert check(database, keys, book.tenant) == []
    assert schemas(database) == {"read_model"}


def test_the_worker_goes_on_where_a_rebuild_ended(town: MakeTown, worker: Worker, database: Database) -> None:
    here = town()
    here.register("P1")
    assert rebuild(database.urls.owner, worker.keys.folder) == 2
    here.give("P1", "refine-objective", text="目的")
    assert worker.catch_up() == 1
    assert check(database, worker.keys, here.id) == []


def test_tables_of_another_declaration_are_not_current(database: Database, keys: CityKeys) -> None:
    assert is_current(database.urls.owner)
    with database.owner() as owner:
        owner.execute("UPDATE read_model.built SET fingerprint = 'of yesterday'")
    assert not is_current(database.urls.owner)
    rebuild(database.urls.owner, keys.folder)
    assert is_current(database.urls.owner)
    with database.owner() as owner:
        owner.execute("DROP SCHEMA read_model CASCADE")
    assert not is_current(database.urls.owner)


def test_rebuilds_during_appends_and_projection_lose_nothing_and_disturb_no_reader(
    town: MakeTown, database: Database, keys: CityKeys, ask: Ask
) -> None:
    towns, done = [town(), town()], threading.Event()
    for here in towns:
        here.register("P0")
    Worker(database, keys).catch_up()

    def until_done(step: Callable[[int], None]) -> None:
        number = 0
        while not done.is_set():
            number += 1
            step(number)

    def write(here: Any, number: int) -> None:
        here.register(f"P{number}")
        here.give(f"P{number}", "open-consultation", topic="保育")

    shown = [0]

    def read(_: int) -> None:
        ((found,),) = ask("SELECT count(*) FROM read_model.timeline")
        assert found >= shown[-1], "readers never go back in time"
        shown.append(found)

    def work(_: int) -> None:
        Worker(database, keys, batch=3).catch_up()

    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(until_done, step) for step in (*(partial(write, here) for here in towns), work, read)]
        try:
            for _ in range(3):
                rebuild(database.urls.owner, keys.folder)
        finally:
            done.set()
        for each in running:
            each.result()
    Worker(database, keys).catch_up()
    assert [(lag.behind, lag.error) for lag in lags(database)] == [(0, None)] * 2
    for here in towns:
        assert check(database, keys, here.id) == []


def test_an_interrupted_rebuild_leaves_the_old_tables_and_can_be_repeated(
    town: MakeTown, worker: Worker, database: Database, ask: Ask, server: Any
) -> None:
    here = town()
    here.register("P1")
    worker.catch_up()
    before = everything(ask)
    with ThreadPoolExecutor(1) as pool, closing(connect(database.urls.owner)) as holder:
        # As a batch does, hold what the swap waits for; then the rebuild has done everything but the swap.
        holder.execute("SELECT pg_advisory_lock_shared(%s)", (SWAP_LOCK,))
        running = pool.submit(rebuild, database.urls.owner, worker.keys.folder)
        (pid,) = wait_for_rebuild(holder)
        with closing(psycopg.connect(server.superuser, autocommit=True)) as superuser:
            superuser.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))
        with pytest.raises(psycopg.OperationalError):
            running.result()
    assert everything(ask) == before
    assert schemas(database) == {"read_model", NEXT}
    here.give("P1", "refine-objective", text="目的")
    assert worker.catch_up() == 1
    assert rebuild(database.urls.owner, worker.keys.folder) == 3
    assert schemas(database) == {"read_model"}
    assert check(database, worker.keys, here.id) == []


def wait_for_rebuild(holder: psycopg.Connection[Any]) -> list[int]:
    """The backend that waits to swap."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        rows = holder.execute(
            "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        ).fetchall()
        if rows:
            return [pid for (pid,) in rows]
        time.sleep(0.01)
    raise AssertionError("the rebuild never came to swap")


def test_two_rebuilds_at_once_follow_each_other(town: MakeTown, database: Database, keys: CityKeys) -> None:
    here = town()
    here.register("P1")
    with ThreadPoolExecutor(2) as pool:
        running = [pool.submit(rebuild, database.urls.owner, keys.folder) for _ in range(2)]
        assert [each.result() for each in running] == [2, 2]
    assert check(database, keys, here.id) == []


def test_a_poison_event_does_not_stop_the_rebuild_of_the_other_cities(
    town: MakeTown, worker: Worker, database: Database, ask: Ask, caplog: Any
) -> None:
    here, other = town(), town()
    for each in (here, other):
        each.register("P1")
        each.give("P1", "open-consultation", topic="保育")
    here.poison()
    here.give("P1", "refine-objective", text="目的")
    assert rebuild(database.urls.owner, worker.keys.folder) == 6
    found = {lag.tenant: lag for lag in lags(database)}
    assert (found[here.id].position, found[other.id].position) == (3, 3)
    assert "SomethingNewer" in (found[here.id].error or "")
    assert found[other.id].error is None
    assert "SomethingNewer" in caplog.text
    assert worker.catch_up() == 0
    for each in (here, other):
        assert check(database, worker.keys, each.id) == []
    shown = ask("SELECT known_from, status FROM read_model.partnership WHERE known_until > 1000")
    assert shown == [(3, "CONSULTING")] * 2


def test_read_models_are_read_across_cities_and_written_by_the_projector_alone(
    town: MakeTown, worker: Worker, database: Database, ask: Ask
) -> None:
    for here in (town(), town()):
        here.register("P1")
    rebuild(database.urls.owner, worker.keys.folder)
    assert ask("SELECT count(*) FROM read_model.partnership") == [(2,)]
    for role in (Role.APP, Role.READER, Role.AUDITOR):
        for model in READ_MODELS:
            with database.connection(role) as connection:
                connection.execute("SET default_transaction_read_only = off")  # A login's own caution is not the point.
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(f"DELETE FROM read_model.{model.name}")  # type: ignore[arg-type]
    with database.connection(Role.PROJECTOR) as connection:
        assert connection.execute("DELETE FROM read_model.partnership").rowcount == 0, "no city is set"
