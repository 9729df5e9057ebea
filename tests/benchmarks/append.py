"""Appends per second: 4 processes with 4 writers each, over 64 cities, one event in one append, fsync on.

Every writer takes a city by chance and records the next event of a stream of its own there, which it leaves for a new
one after eight events. The event is the same for all: type ProposalSubmitted, canonical JSON of about 500 bytes.

- ours: `TenantRecorder.insert_events`, with envelope, leaf, frontier and root.
- stock: the library's `PostgresApplicationRecorder` as it comes, its own datastore and pool, its own table, which 64
  cities share as the applications of one service would.
- insert: one prepared autocommit INSERT of one row through a psycopg pool, into a table with the columns, constraints
  and indexes of `event` and all its values (leaf and root are 32 bytes made beforehand), but without function, head,
  row security or anything computed. Nothing that PostgreSQL does for a durable row of this shape could cost less.

Each process has as many connections as writers. Processes, connections and prepared statements live through all
rounds and are warmed up first; all sides run on one server, one after the other.
"""

from __future__ import annotations

import random
import time
import traceback
from base64 import urlsafe_b64encode
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from multiprocessing import get_context
from typing import TYPE_CHECKING, Protocol
from uuid import UUID, uuid4

import rfc8785
from eventsourcing.persistence import StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import ConnectionPool

from tenants.database import Database, Urls, connect
from tenants.event_store import RecordedEvent, TenantRecorder
from tests.benchmarks.measure import Plan, Result, rounds, say, scratch_database

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

PROCESSES, WRITERS, CITIES = 4, 4, 64
_STREAM_LENGTH = 8
_TYPE = "ProposalSubmitted"
_INSERT = "INSERT INTO bare_event VALUES (" + ", ".join(["%b"] * 18) + ")"


def measure(url: str, plan: Plan) -> list[Result]:
    """The two rows of the table that are about appending."""
    with scratch_database(url) as owner_url:
        cities = registered_cities(owner_url)
        with writing_processes(owner_url, cities) as processes:
            sides = {side: slice_of(processes, side, plan.seconds) for side in _SIDES}
            say(f"append: {PROCESSES} processes × {WRITERS} writers over {CITIES} cities, warming up")
            for side in _SIDES:
                slice_of(processes, side, min(plan.seconds, 1.0))()
            rates = rounds(plan.rounds, sides)
        _check_logs(owner_url)
    what = f"{PROCESSES} × {WRITERS} writers over {CITIES} cities, proofs and roots included, beside "
    return [
        Result(
            "append_vs_stock", f"{what}the library's PostgreSQL recorder", "appends/s", 3, rates["ours"], rates["stock"]
        ),
        Result(
            "append_vs_insert",
            f"{what}bare one-row INSERTs into the same table shape and indexes",
            "appends/s",
            0.5,
            rates["ours"],
            rates["insert"],
        ),
    ]


class Slice(Protocol):
    def __call__(self) -> float: ...


def slice_of(processes: list[Connection], side: str, seconds: float) -> Slice:
    """Has all writers append by one side for so many seconds, together; what it returns says appends per second."""

    def run() -> float:
        # All start together, and late enough for the order to have reached everybody.
        start = time.monotonic() + 0.05
        for process in processes:
            process.send((side, start, start + seconds))
        return sum(_answer(process) for process in processes)

    return run


def _answer(process: Connection) -> float:
    answer = process.recv()
    if isinstance(answer, str):
        raise RuntimeError(f"a writing process failed:\n{answer}")  # noqa: TRY004 - it is no wrong argument
    return float(answer)


def registered_cities(owner_url: str) -> list[UUID]:
    """Registers the cities, makes the two other tables, and returns the cities' ids."""
    cities = [uuid4() for _ in range(CITIES)]
    with closing(Database(Urls.derive(owner_url))) as database, database.app() as app:
        for number, city in enumerate(cities):
            app.execute(
                "SELECT register_tenant(%s, %s, NULL, %s, %s, 'MUNICIPALITY')",
                (city, f"bench-{number}", f"市{number}", f"City {number}"),
            )
    with closing(connect(owner_url)) as owner:
        owner.execute("CREATE TABLE bare_event (LIKE event INCLUDING ALL)")
    stock = _datastore(owner_url)
    PostgresApplicationRecorder(stock).create_table()
    stock.close()
    return cities


@contextmanager
def writing_processes(owner_url: str, cities: list[UUID]) -> Iterator[list[Connection]]:
    """The writing processes, by our ends of the pipes to them; an order of None ends them."""
    spawn = get_context("spawn")
    with ExitStack() as stack:
        ours: list[Connection] = []
        for number in range(PROCESSES):
            here, there = spawn.Pipe()
            process = spawn.Process(target=_work, args=(there, owner_url, cities, number), daemon=True)
            process.start()
            stack.callback(process.join, 30)
            there.close()
            ours.append(stack.enter_context(closing(here)))
        for here in ours:
            _answer(here)  # Each says once that it is ready.
        yield ours
        for here in ours:
            here.send(None)


def _work(orders: Connection, owner_url: str, cities: list[UUID], process: int) -> None:
    """One process: four writers that wait for orders and answer with their rate."""
    database = Database(Urls.derive(owner_url), pool_size=WRITERS)
    stock = _datastore(owner_url)
    bare = ConnectionPool(
        owner_url, kwargs={"autocommit": True}, min_size=WRITERS, max_size=WRITERS, open=True, name="bare"
    )
    shared = _Shared(database, PostgresApplicationRecorder(stock), bare, cities)
    stock.register_type_adapters()
    writers = [_Writer(shared, process * WRITERS + number) for number in range(WRITERS)]
    try:
        with ThreadPoolExecutor(WRITERS) as pool:
            orders.send(0.0)
            while (order := orders.recv()) is not None:
                try:
                    orders.send(sum(pool.map(lambda writer: writer.run(*order), writers)))
                except Exception:  # noqa: BLE001 - whatever it is, the one who ordered shall raise it
                    orders.send(traceback.format_exc())
    except (EOFError, ConnectionError):
        pass  # The one who ordered is gone.
    finally:
        bare.close()
        stock.close()
        database.close()


@dataclass
class _Shared:
    """What the writers of one process share, as the threads of a service would."""

    database: Database
    stock: PostgresApplicationRecorder
    bare: ConnectionPool
    cities: list[UUID]
    recorders: dict[UUID, TenantRecorder] = field(init=False)

    def __post_init__(self) -> None:
        self.recorders = {city: TenantRecorder(self.database, city) for city in self.cities}


class _Writer:
    """Appends one event after the other to streams that nobody else writes."""

    def __init__(self, shared: _Shared, number: int) -> None:
        self._shared, self._number = shared, number
        self._random = random.Random(number)
        self._open: dict[tuple[str, UUID], tuple[UUID, int]] = {}
        self._rows = 0
        self._state = state(self._random)
        self._hashes = [self._random.randbytes(32) for _ in range(64)]

    def run(self, side: str, start: float, end: float) -> float:
        """Appends from `start` to `end` on the monotonic clock, which processes share; returns appends per second."""
        append = _SIDES[side]
        time.sleep(max(0.0, start - time.monotonic()))
        began, done = time.monotonic(), 0
        while (now := time.monotonic()) < end:
            append(self, self._random.choice(self._shared.cities))
            done += 1
        return done / (now - began)

    def _next(self, side: str, city: UUID) -> tuple[UUID, int]:
        stream, version = self._open.get((side, city), (uuid4(), 0))
        if version == _STREAM_LENGTH:
            stream, version = uuid4(), 0
        self._open[side, city] = stream, version + 1
        return stream, version + 1

    def ours(self, city: UUID) -> None:
        stream, version = self._next("ours", city)
        event = RecordedEvent(
            stream, version, _TYPE, self._state, actor="S/desk-1", recorded_by="S/desk-1",
            programme="ordinance", programme_version=1,
        )  # fmt: skip
        self._shared.recorders[city].insert_events([event])

    def stock(self, city: UUID) -> None:
        stream, version = self._next("stock", city)
        self._shared.stock.insert_events([StoredEvent(stream, version, _TYPE, self._state)])

    def insert(self, city: UUID) -> None:
        stream, version = self._next("insert", city)
        # Positions grow within each city as they do in a log, and no two writers take the same one.
        position = self._rows * PROCESSES * WRITERS + self._number
        leaf, root = self._hashes[self._rows % 64], self._hashes[self._rows // 64 % 64]
        self._rows += 1
        row: tuple[object, ...] = (
            city, position, stream, version, _TYPE, 1, "LIVE", "S/desk-1", "S/desk-1", None, [], None, "ordinance", 1,
            datetime.now(UTC), self._state, leaf, root,
        )  # fmt: skip
        with self._shared.bare.connection() as connection:
            connection.execute(_INSERT, row, prepare=True)


_SIDES = {"ours": _Writer.ours, "stock": _Writer.stock, "insert": _Writer.insert}


def state(chance: random.Random) -> bytes:
    """A stored ProposalSubmitted in canonical JSON: codes, yen, and texts as digests."""
    digests = [urlsafe_b64encode(chance.randbytes(32)).rstrip(b"=").decode() for _ in range(3)]
    return rfc8785.dumps(
        {
            "answers_rejection_of": 1,
            "breaks": [],
            "budget_yen": 480_000,
            "call": "FY2026_FIRST",
            "kind": "RESUBMISSION",
            "objective": digests[0],
            "party": str(uuid4()),
            "proposed_by": "CITIZENS",
            "submission": 2,
            "valid": {
                "certainty": "STATED",
                "edtf": "2026-05-11",
                "inferred_from": digests[1],
                "label": digests[2],
                "source": "desk-register",
            },
        }
    )


def _datastore(owner_url: str) -> PostgresDatastore:
    """The library's datastore with as many connections as there are writers."""
    given = {key: str(value) for key, value in conninfo_to_dict(owner_url).items() if value is not None}
    return PostgresDatastore(
        dbname=given["dbname"],
        host=given.get("host", ""),
        port=given.get("port", "5432"),
        user=given.get("user", ""),
        password=given.get("password", ""),
        connect_timeout=30,
        pool_size=WRITERS,
    )


def _check_logs(owner_url: str) -> None:
    """What was measured was recorded: every log is as long as its head says, without a gap."""
    with closing(connect(owner_url)) as owner:
        owner.execute("ALTER TABLE event NO FORCE ROW LEVEL SECURITY")
        owner.execute("ALTER TABLE tenant_head NO FORCE ROW LEVEL SECURITY")
        broken = owner.execute(
            "SELECT tenant_id FROM tenant_head h LEFT JOIN event e USING (tenant_id)"
            " GROUP BY tenant_id, h.size HAVING count(e.position) <> h.size OR coalesce(max(e.position), 0) <> h.size"
        ).fetchall()
    if broken:
        raise AssertionError(f"the logs of {len(broken)} cities do not hold what was appended")
