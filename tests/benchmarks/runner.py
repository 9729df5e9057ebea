"""The library's own way to project, as its manual shows: Application, ProjectionRunner, PostgresTrackingRecorder.

The application keeps the same events in a table of the library's PostgreSQL recorder; the state of each is the entry of
the product's log. The projection folds event by event with the product's own functions, and the view writes the rows
that come of it into tables of the same declaration, with their indexes, in one transaction with the tracking.

It is spared what the product's worker has to do besides: folded streams stay in memory, all texts are opened before the
measuring begins, no row security is on.
"""

from __future__ import annotations

import threading
import time
from contextlib import closing
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, cast
from uuid import UUID

import orjson
from eventsourcing.application import Application
from eventsourcing.persistence import Mapper, StoredEvent, Tracking
from eventsourcing.postgres import PostgresTrackingRecorder
from eventsourcing.projection import Projection, ProjectionRunner
from psycopg.conninfo import conninfo_to_dict

from projections.catalogue import READ_MODELS, SCHEMA
from projections.read_model import OPEN_POSITION, Row, Versions
from projections.worker import follow
from tenants.book import read
from tenants.database import Role, connect, set_tenant
from tenants.disclosures import public_texts
from tenants.event_store import RecordedEvent
from tenants.ledger.merkle import leaf_hash

if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain.history import History, Recorded
    from tenants.city_keys import CityKeys
    from tenants.database import Database

VIEWS = "runner"
_PAGE = 500
_FEWEST = 200  # events; the rate of fewer would say nothing
_NOT_COMPARED = ("known_until", "recorded_until")


class Entry(NamedTuple):
    """A domain event with its city."""

    tenant: UUID
    recorded: Recorded


class EntryMapper(Mapper[UUID]):
    """Reads the entries of the product's log."""

    def __init__(self) -> None:
        pass

    def to_domain_event(self, stored_event: StoredEvent) -> Entry:  # type: ignore[override]
        entry = orjson.loads(stored_event.state)
        programme = entry["programme"] or {"id": None, "version": None}
        stored = RecordedEvent(
            originator_id=stored_event.originator_id,
            originator_version=stored_event.originator_version,
            topic=stored_event.topic,
            state=orjson.dumps(entry["data"]),
            schema_version=entry["schema_version"],
            mode=entry["mode"],
            actor=entry["actor"],
            recorded_by=entry["recorded_by"],
            approved_by=entry["approved_by"],
            signatories=tuple(entry["signatories"]),
            document_ref=entry["document_ref"],
            programme=programme["id"],
            programme_version=programme["version"],
            position=entry["position"],
            recorded_at=datetime.fromisoformat(entry["recorded_at"]),
            leaf=leaf_hash(stored_event.state),
        )
        return Entry(UUID(entry["tenant"]), read(stored))


class Logs(Application[UUID]):
    """All cities' events in one application."""

    def construct_mapper(self) -> Mapper[UUID]:
        return EntryMapper()


class View(PostgresTrackingRecorder):
    """The read models, written as the library's manual writes views: one transaction an event, tracking included."""

    def write(self, closed: Sequence[Row], opened: Sequence[Row], texts: dict[str, str], tracking: Tracking) -> None:
        with self.datastore.transaction(commit=True) as cursor:
            for row in closed:
                keys = " AND ".join(f"{column.name} = %s" for column in row.model.key)
                cursor.execute(
                    f"UPDATE {VIEWS}.{row.model.name} SET known_until = %s, recorded_until = %s"
                    f" WHERE tenant_id = %s AND {keys} AND known_until = {OPEN_POSITION}",
                    (row.known_until, row.recorded_until, row.tenant, *row.key),
                )
            for row in opened:
                places = ", ".join(["%s"] * len(row.model.table_columns))
                cursor.execute(
                    f"INSERT INTO {VIEWS}.{row.model.name} ({', '.join(row.model.table_columns)}) VALUES ({places})",
                    row.table_values(texts),
                )
            self._insert_tracking(cursor, tracking)


class ReadModels(Projection[View]):
    """Folds each event and writes the rows that it changes."""

    texts: ClassVar[dict[str, str]] = {}
    last: ClassVar[int] = 0

    def __init__(self, view: View) -> None:
        super().__init__(view)
        self._histories: dict[UUID, History | None] = {}
        self.done = 0
        self.began = self.ended = 0.0
        self.finished = threading.Event()

    def process_event(self, domain_event: Entry, tracking: Tracking) -> None:
        self.began = self.began or time.perf_counter()
        versions = Versions(domain_event.tenant, READ_MODELS)
        follow(versions, self._histories, [domain_event.recorded])
        self.view.write(versions.closed, versions.rows, self.texts, tracking)
        self.done += 1
        self.ended = time.perf_counter()
        if tracking.notification_id >= self.last:
            self.finished.set()


def prepare(owner_url: str, database: Database, keys: CityKeys, cities: Sequence[UUID]) -> None:
    """Copies the logs into the application's table, city by city in turn, and opens all public texts."""
    entries: list[tuple[int, UUID, StoredEvent]] = []
    with closing(connect(owner_url)) as owner:
        for city in cities:
            with owner.transaction():
                owner.execute(set_tenant(city))
                entries += [
                    (position, city, StoredEvent(stream, version, topic, bytes(entry)))
                    for position, stream, version, topic, entry in owner.execute(
                        "SELECT position, stream_id, version, type, event_entry(e) FROM event e WHERE tenant_id = %s",
                        (city,),
                    )
                ]
            with database.tenant(Role.PROJECTOR, city) as connection:
                ReadModels.texts |= public_texts(connection, keys, city)
    entries.sort(key=lambda entry: entry[:2])
    with closing(Logs(_environment(owner_url))) as logs:
        for start in range(0, len(entries), _PAGE):
            logs.recorder.insert_events([stored for _, _, stored in entries[start : start + _PAGE]])
        ReadModels.last = logs.recorder.max_notification_id() or 0


def events_per_second(owner_url: str, seconds: float) -> float:
    """Projects from the beginning into empty tables for so long, or to the end of the log; start-up is not counted."""
    _make_tables(owner_url)
    with ProjectionRunner(
        application_class=Logs, projection_class=ReadModels, view_class=View, env=_environment(owner_url)
    ) as runner:
        projection = cast("ReadModels", runner.projection)
        while not (projection.finished.wait(seconds) or runner.is_interrupted.is_set()):
            if projection.done >= _FEWEST:
                break
    return projection.done / (projection.ended - projection.began)


def differences(owner_url: str) -> list[str]:
    """Rows that the rebuilt tables and the runner's do not share, as far as the runner came.

    Until when a row was known is left out, for the runner may not have come so far.
    """
    found = []
    with closing(connect(owner_url)) as owner:
        for model in READ_MODELS:
            # As it was written: json cannot be compared.
            json = {column.name for column in (*model.columns, *model.derived) if column.is_json}
            columns = ", ".join(
                f"{name}::text" if name in json else name for name in model.table_columns if name not in _NOT_COMPARED
            )
            ours = (
                f"SELECT {columns} FROM {SCHEMA}.{model.name} JOIN (SELECT tenant_id, max(position) AS reached"
                f" FROM {VIEWS}.timeline GROUP BY tenant_id) r USING (tenant_id) WHERE known_from <= reached"
            )
            theirs = f"SELECT {columns} FROM {VIEWS}.{model.name}"
            counted = owner.execute(
                f"SELECT (SELECT count(*) FROM ({ours} EXCEPT ALL {theirs}) a),"
                f" (SELECT count(*) FROM ({theirs} EXCEPT ALL {ours}) b), (SELECT count(*) FROM ({ours}) c)"
            ).fetchone()
            missing, surplus, rows = counted or (0, 0, 0)
            if missing or surplus:
                found.append(f"{model.name}: {missing} of {rows} rows missing, {surplus} surplus")
    return found


def _make_tables(owner_url: str) -> None:
    with closing(connect(owner_url)) as owner:
        owner.execute(f"DROP SCHEMA IF EXISTS {VIEWS} CASCADE")
        owner.execute(f"CREATE SCHEMA {VIEWS}")
        for model in READ_MODELS:
            for statement in (model.ddl(VIEWS), *model.index_ddl(VIEWS)):
                owner.execute(statement)


def _environment(owner_url: str) -> dict[str, str]:
    given: dict[str, Any] = conninfo_to_dict(owner_url)
    return {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": given["dbname"],
        "POSTGRES_HOST": given.get("host") or "",
        "POSTGRES_PORT": str(given.get("port") or 5432),
        "POSTGRES_USER": given.get("user") or "",
        "POSTGRES_PASSWORD": given.get("password") or "",
        f"{ReadModels.__name__.upper()}_POSTGRES_SCHEMA": VIEWS,
    }
