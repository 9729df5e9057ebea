"""Many at once: writers, followers, lost connections."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from threading import Barrier
from typing import Protocol, TypeVar
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from tenants.database import Connection, Database, DatabaseUnavailable, Role
from tenants.event_store import (
    NewKey,
    RecordedEvent,
    SubjectKeyConflict,
    TenantRecorder,
    VersionConflict,
)
from tenants.ledger.merkle import tree_root

Register = Callable[..., UUID]
T = TypeVar("T")

WRITERS = 8


class Server(Protocol):
    """What the fixture `server` offers to these tests."""

    superuser: str


def event(stream: UUID, version: int) -> RecordedEvent:
    return RecordedEvent(stream, version, "SomethingHappened", b"{}")


@pytest.fixture
def recorder(database: Database, tenant: Register) -> TenantRecorder:
    return TenantRecorder(database, tenant())


def at_once(act: Callable[[int], T]) -> list[T]:
    """What WRITERS threads return that all begin at the same moment."""
    start = Barrier(WRITERS)

    def begin(number: int) -> T:
        start.wait(timeout=60)
        return act(number)

    with ThreadPoolExecutor(WRITERS) as pool:
        return list(pool.map(begin, range(WRITERS), timeout=120))


def test_followers_of_many_cities_miss_double_and_reorder_nothing(database: Database, tenant: Register) -> None:
    cities = [tenant() for _ in range(6)]
    appends, writers = 25, 3

    def write(city: UUID) -> None:
        recorder = TenantRecorder(database, city)
        for _ in range(appends):
            stream = uuid4()
            recorder.append([event(stream, 1), event(stream, 2)])

    def follow(city: UUID) -> list[tuple[int, UUID, int]]:
        recorder, seen = TenantRecorder(database, city, reads_as=Role.PROJECTOR), []
        while len(seen) < appends * writers * 2:
            after = seen[-1][0] if seen else 0
            seen += [(e.position, e.originator_id, e.originator_version) for e in recorder.read(after, 7)]
        return seen  # type: ignore[return-value]

    with ThreadPoolExecutor(len(cities) * (writers + 1)) as pool:
        followers = [pool.submit(follow, city) for city in cities]
        for done in [pool.submit(write, city) for city in cities for _ in range(writers)]:
            done.result(timeout=120)
        for city, follower in zip(cities, followers, strict=True):
            seen = follower.result(timeout=120)
            assert [position for position, _, _ in seen] == list(range(1, appends * writers * 2 + 1))
            assert len({(stream, version) for _, stream, version in seen}) == len(seen)
            recorder = TenantRecorder(database, city)
            assert [(e.position, e.originator_id, e.originator_version) for e in recorder.read(0, 10_000)] == seen


def test_writers_that_race_for_one_stream_record_each_version_once(
    database: Database, recorder: TenantRecorder
) -> None:
    stream, versions = uuid4(), 12

    def climb(_: int) -> int:
        won = 0
        while (latest := recorder.select_events(stream, desc=True, limit=1)) == [] or (
            latest[0].originator_version < versions
        ):
            try:
                recorder.append([event(stream, latest[0].originator_version + 1 if latest else 1)])
                won += 1
            except VersionConflict:
                continue
        return won

    assert sum(at_once(climb)) == versions
    assert [e.originator_version for e in recorder.read(0, 100)] == list(range(1, versions + 1))
    with database.tenant(Role.APP, recorder.tenant_id) as connection:
        leaves = [leaf for (leaf,) in connection.execute("SELECT leaf FROM event ORDER BY position")]
    assert recorder.head().root == tree_root(leaves)


def test_one_request_sent_many_times_at_once_is_recorded_once(recorder: TenantRecorder) -> None:
    answers = at_once(lambda _: recorder.append([event(uuid4(), 1)], idempotency_key="k", request_digest=b"d"))
    assert recorder.head().size == 1
    assert [answer.replayed for answer in answers].count(False) == 1
    assert len({(answer.first_position, answer.last_position, answer.recorded_at) for answer in answers}) == 1


def test_of_many_first_keys_for_a_subject_one_stands_and_the_others_are_told(recorder: TenantRecorder) -> None:
    def record(number: int) -> bool:
        try:
            recorder.append([event(uuid4(), 1)], keys=[NewKey("someone", b"%d" % number)])
        except SubjectKeyConflict as refused:
            return refused.subject != "someone"
        return True

    assert at_once(record).count(True) == 1
    assert recorder.head().size == 1


@contextmanager
def waiting_append(database: Database, recorder: TenantRecorder) -> Iterator[ThreadPoolExecutor]:
    """Holds a city's log locked meanwhile, so that an append to it that is submitted waits."""
    with ThreadPoolExecutor(1) as pool, closing(psycopg.connect(database.urls.owner)) as holder:
        holder.execute(f"SET LOCAL kyodo.tenant = '{recorder.tenant_id}'")
        holder.execute("SELECT FROM tenant_head FOR UPDATE")
        yield pool
        holder.rollback()


def test_appends_wait_for_their_own_city_only(database: Database, recorder: TenantRecorder, tenant: Register) -> None:
    with waiting_append(database, recorder) as pool:
        waits = pool.submit(recorder.append, [event(uuid4(), 1)])
        other = TenantRecorder(database, tenant())
        for _ in range(5):
            other.append([event(uuid4(), 1)])
        assert not waits.done()
    assert waits.result(timeout=60).first_position == 1


def end_connections(server: Server, database: Database, which: str = "true") -> int:
    """Ends the connections to this test's database as a stopping server does; how many there were."""
    name = conninfo_to_dict(database.urls.owner)["dbname"]
    with closing(psycopg.connect(server.superuser, autocommit=True)) as superuser:
        return superuser.execute(
            f"""
            WITH chosen AS MATERIALIZED (SELECT pid FROM pg_stat_activity WHERE datname = %s AND {which})
            SELECT pg_terminate_backend(pid, 10000) FROM chosen
            """,
            [name],
        ).rowcount


def test_connections_that_the_server_ended_are_replaced_unseen(
    server: Server, database: Database, recorder: TenantRecorder
) -> None:
    at_once(lambda _: recorder.head())
    assert end_connections(server, database) >= 1
    assert at_once(lambda _: recorder.head().size) == [0] * WRITERS
    end_connections(server, database)
    assert recorder.append([event(uuid4(), 1)]).first_position == 1


def test_an_append_whose_connection_is_lost_says_so_and_records_nothing(
    server: Server, database: Database, recorder: TenantRecorder
) -> None:
    with waiting_append(database, recorder) as pool:
        lost = pool.submit(recorder.append, [event(uuid4(), 1)])
        while not end_connections(server, database, "wait_event_type = 'Lock'"):
            assert not lost.done()
        with pytest.raises(DatabaseUnavailable, match="database kyodo_test") as refused:
            lost.result(timeout=60)
        assert "only-for-tests" not in str(refused.value)
    assert recorder.append([event(uuid4(), 1)]).first_position == 1


def test_busy_connections_and_a_closed_pool_are_told_apart_from_an_absent_server(database: Database) -> None:
    with closing(Database(database.urls, pool_size=1, timeout=0.1)) as small:
        with small.app(), pytest.raises(DatabaseUnavailable, match="all 1 connections for app were busy"), small.app():
            pass
        with small.app() as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
    with pytest.raises(DatabaseUnavailable, match="has been closed"), small.app():
        pass


def test_a_transaction_for_a_city_ends_with_its_block(database: Database, recorder: TenantRecorder) -> None:
    recorder.append([event(uuid4(), 1)])

    def seen(connection: Connection) -> int:
        (count,) = connection.execute("SELECT count(*) FROM event").fetchone() or (-1,)
        return int(count)

    with database.tenant(Role.APP, recorder.tenant_id) as connection:
        assert seen(connection) == 1
    with pytest.raises(ZeroDivisionError), database.tenant(Role.APP, recorder.tenant_id) as connection:
        raise ZeroDivisionError
    with database.app() as connection:
        assert seen(connection) == 0
