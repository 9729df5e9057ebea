"""The worker: brings the read models of every city up to its log, each event exactly once.

A batch is one transaction that holds the rows and the position up to which they reach. A city that cannot be projected
stops alone, with its error beside its position, and the others go on.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

import psycopg
from eventsourcing.persistence import OperationalError

from domain.commands import initial_state
from domain.history import advance, fold
from projections.catalogue import READ_MODELS, SCHEMA
from projections.clock import Clock
from projections.read_model import OPEN_POSITION, Versions, by_model
from tenants.book import read
from tenants.custody_journal import NAME as JOURNAL
from tenants.custody_journal import Journal, Taken
from tenants.database import DatabaseUnavailable, Role
from tenants.disclosures import public_texts
from tenants.event_store import TenantRecorder

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from domain.history import History, Recorded
    from projections.read_model import Row
    from tenants.city_keys import CityKeys, KeyService
    from tenants.database import Connection, Database

log = logging.getLogger("kyodo.worker")

BATCH = 1_000
_CLOCK_SECONDS = 60.0
SWAP_LOCK = int.from_bytes(hashlib.sha256(b"kyodo read model swap").digest()[:8], "big", signed=True)


@dataclass(frozen=True, slots=True)
class Lag:
    """How far the read models of one city are behind its log, in events; `error` is what stopped them, if anything."""

    tenant: UUID
    size: int
    position: int
    error: str | None

    @property
    def behind(self) -> int:
        """Events not yet projected."""
        return self.size - self.position


def lags(database: Database) -> list[Lag]:
    """Every city's lag."""
    with database.projector() as connection:
        rows = connection.execute(
            f"SELECT h.tenant_id, h.size, coalesce(t.position, 0), t.error FROM tenant_head h"
            f" LEFT JOIN {SCHEMA}.tracking t USING (tenant_id) ORDER BY 1"
        ).fetchall()
    return [Lag(*row) for row in rows]


def caught_up(database: Database, tenant: UUID, *, seconds: float) -> Lag:
    """Wait until a city's read models reach the end of its log, at most so long; its lag then."""
    deadline = time.monotonic() + seconds
    while True:
        lag = next(lag for lag in lags(database) if lag.tenant == tenant)
        if not lag.behind or lag.error or time.monotonic() > deadline:
            return lag
        time.sleep(0.1)


class Worker:
    """Projects the logs. Several workers share the work: a city that another one holds is passed over."""

    def __init__(self, database: Database, keys: CityKeys, *, batch: int = BATCH, journal: Path | None = None) -> None:
        """`batch`: the most events that one transaction applies; `journal`: beside the folder of keys unless named."""
        self.database, self.keys, self.batch = database, keys, batch
        self.journal = Journal(journal or keys.folder.parent / JOURNAL)

    def run(self, stop: threading.Event, interval: float = 0.2) -> None:
        """Work until `stop` is set, looking for new events every `interval` seconds; outlives a lost database.

        Once a minute it asks whether a new day has begun for a city, and then records what became due.
        """
        clock, asked = Clock(self.database, self.keys), -_CLOCK_SECONDS
        while not stop.is_set():
            try:
                worked = self.catch_up()
                if not worked and time.monotonic() - asked >= _CLOCK_SECONDS:
                    asked = time.monotonic()
                    worked = clock.strike()
            except (DatabaseUnavailable, psycopg.OperationalError) as gone:
                log.warning("waiting for the database: %s", gone)
                stop.wait(1.0)
                continue
            if not worked:
                stop.wait(interval)

    def catch_up(self) -> int:
        """Apply what is there now; returns the number of events applied."""
        return sum(self._city(lag) for lag in lags(self.database) if lag.behind and lag.error is None)

    def _city(self, lag: Lag) -> int:
        total = 0
        try:
            while applied := self.project(lag.tenant):
                total += applied
        except DatabaseUnavailable:
            raise
        except (OperationalError, psycopg.OperationalError) as passing:
            # A deadlock, a full disk, a cancelled statement: the log is not at fault, and the next round tries again.
            log.warning("projection of city %s is put off: %s", lag.tenant, passing)
        except Exception as poison:  # Whatever a city's log holds must stop that city only.
            log.exception("projection of city %s stopped; mend the cause, then run: kyodo rebuild", lag.tenant)
            self._stop_city(lag.tenant, poison)
        return total

    def project(self, tenant: UUID) -> int:
        """Apply one batch of a city; 0 when it is up to date or another worker holds it."""
        recorder = TenantRecorder(self.database, tenant, reads_as=Role.PROJECTOR)
        with self.database.tenant(Role.PROJECTOR, tenant) as connection:
            connection.execute("SELECT pg_advisory_xact_lock_shared(%s)", (SWAP_LOCK,))
            position = _claim(connection, tenant)
            if position is None:
                return 0
            events = [read(stored) for stored in recorder.read(position, self.batch)]
            if not events:
                return 0
            first = {event.stream: event.version for event in reversed(events)}
            histories = {stream: _before(recorder, stream, version) for stream, version in first.items()}
            versions = Versions(tenant, READ_MODELS)
            follow(versions, histories, events)
            texts = public_texts(connection, self.keys, tenant, first)
            _close(connection, versions.closed)
            _insert(connection, versions.rows, texts)
            _refresh(connection, self.keys, tenant, events)
            # Before the position counts: what a backup has to be rid of again must not be known to the database only.
            self.journal.note(taken for event in events if (taken := Taken.by(tenant, event)) is not None)
            connection.execute(
                f"UPDATE {SCHEMA}.tracking SET position = %s, updated_at = now() WHERE tenant_id = %s",
                (events[-1].position, tenant),
            )
        return len(events)

    def _stop_city(self, tenant: UUID, poison: Exception) -> None:
        with self.database.tenant(Role.PROJECTOR, tenant) as connection:
            connection.execute(
                f"INSERT INTO {SCHEMA}.tracking (tenant_id, position, error) VALUES (%s, 0, %s)"
                " ON CONFLICT (tenant_id) DO UPDATE SET error = excluded.error",
                (tenant, described(poison)),
            )


def described(poison: Exception) -> str:
    """What the tracking keeps of an error, so that an operator reads it beside the position that it stopped."""
    return f"{type(poison).__name__}: {poison}".replace("\0", "")[:2000]


def follow(versions: Versions, histories: dict[UUID, History | None], events: Iterable[Recorded]) -> None:
    """Fold the events into `histories` one by one and note every row version that they make."""
    for event in events:
        before = histories.get(event.stream)
        after = fold(initial_state(event.name), (event,)) if before is None else advance(before, event)
        versions.follow(before, after, event)
        histories[event.stream] = after


def _claim(connection: Connection, tenant: UUID) -> int | None:
    connection.execute(
        f"INSERT INTO {SCHEMA}.tracking (tenant_id, position) VALUES (%s, 0) ON CONFLICT DO NOTHING", (tenant,)
    )
    row = connection.execute(
        f"SELECT position FROM {SCHEMA}.tracking WHERE tenant_id = %s AND error IS NULL FOR UPDATE SKIP LOCKED",
        (tenant,),
    ).fetchone()
    return row[0] if row else None


def _before(recorder: TenantRecorder, stream: UUID, version: int) -> History | None:
    if version == 1:
        return None
    earlier = [read(stored) for stored in recorder.select_events(stream, lte=version - 1)]
    return fold(initial_state(earlier[0].name), earlier)


def _refresh(connection: Connection, keys: KeyService, tenant: UUID, events: Iterable[Recorded]) -> None:
    """Bring the texts of every row's versions up to what may be read after events that lift or take away."""
    events = [e for e in events if any((*e.event.lifts(), *e.event.withdraws(), *e.event.erases(), e.event.disposes()))]
    if not events:
        return
    # What is erased may stand in any stream of the city; everything else happens within one.
    everywhere = any(any(event.event.erases()) for event in events)
    streams = None if everywhere else {event.stream for event in events}
    texts = public_texts(connection, keys, tenant, streams)
    for model in READ_MODELS:
        read, names = model.read_columns, model.reading_columns
        if not names:
            continue
        where = "" if streams is None else f" AND {model.key[0].name} = ANY(%s)"
        chosen = () if streams is None else (list(streams),)
        rows = connection.execute(
            f"SELECT {', '.join(read)} FROM {SCHEMA}.{model.name} WHERE tenant_id = %s{where}", (tenant, *chosen)
        ).fetchall()
        keyed = " AND ".join(f"{column.name} = %s" for column in model.key)
        values = ", ".join(f"%s::{column.type}" for column in model.read_now)
        # As it was written: one cannot compare json.
        stand = ", ".join(f"{column.name}::text" if column.is_json else column.name for column in model.read_now)
        ought = ", ".join("%s::text" if column.is_json else f"%s::{column.type}" for column in model.read_now)
        # Rows that say what they may are left alone: each one that is written leaves its old texts behind for a while.
        with connection.cursor() as cursor:
            cursor.executemany(
                f"UPDATE {SCHEMA}.{model.name} SET ({', '.join(names)}) = ROW({values})"
                f" WHERE tenant_id = %s AND {keyed} AND known_from = %s"
                f" AND ROW({stand}) IS DISTINCT FROM ROW({ought})",
                [
                    (*reading, tenant, *row[: len(model.key) + 1], *reading)
                    for row in rows
                    for reading in [model.reading(row[len(model.key) + 1 :], texts)]
                ],
            )


def _close(connection: Connection, rows: Iterable[Row]) -> None:
    for model, closed in by_model(rows).values():
        keys = " AND ".join(f"{column.name} = %s" for column in model.key)
        with connection.cursor() as cursor:
            cursor.executemany(
                f"UPDATE {SCHEMA}.{model.name} SET known_until = %s, recorded_until = %s"
                f" WHERE tenant_id = %s AND {keys} AND known_until = {OPEN_POSITION}",
                [(row.known_until, row.recorded_until, row.tenant, *row.key) for row in closed],
            )


def _insert(connection: Connection, rows: Iterable[Row], texts: dict[str, str]) -> None:
    for model, opened in by_model(rows).values():
        columns = ", ".join(model.table_columns)
        places = ", ".join(["%s"] * len(model.table_columns))
        values: list[tuple[Any, ...]] = [row.table_values(texts) for row in opened]
        with connection.cursor() as cursor:
            cursor.executemany(f"INSERT INTO {SCHEMA}.{model.name} ({columns}) VALUES ({places})", values)
