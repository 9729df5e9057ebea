"""Replay: a city's state folded afresh from its log, and the comparison of every read model with such a replay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json

from domain.history import NEVER
from projections.catalogue import READ_MODELS, SCHEMA
from projections.read_model import OPEN_POSITION, Versions
from projections.worker import follow
from tenants.book import history_of, read
from tenants.database import Role
from tenants.disclosures import public_texts
from tenants.event_store import RecordedEvent, TenantRecorder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from uuid import UUID

    from domain.history import History, Recorded
    from projections.read_model import Key, ReadModel, Row
    from tenants.city_keys import CityKeys
    from tenants.database import Connection, Database

_PAGE = 5_000


@dataclass(frozen=True, slots=True)
class Difference:
    """A row that a read model shows otherwise than a replay; `column` is "row" where one has no such version."""

    model: str
    key: tuple[Any, ...]
    column: str
    shown: Any
    replayed: Any

    def __str__(self) -> str:
        return f"{self.model} {self.key}: {self.column} is {self.shown!r}, a replay gives {self.replayed!r}"


def recorded(database: Database, tenant: UUID, *, until: int | datetime | None = None) -> Iterator[Recorded]:
    """The city's events in the order of its log, up to a position or a moment (both inclusive)."""
    recorder = TenantRecorder(database, tenant, reads_as=Role.PROJECTOR)
    position = 0
    while page := recorder.read(position, _PAGE):
        for stored in page:
            if until is not None and _is_after(stored, until):
                return
            yield read(stored)
        position = page[-1].position or position


def _is_after(stored: RecordedEvent, until: int | datetime) -> bool:
    if isinstance(until, int):
        return (stored.position or 0) > until
    return (stored.recorded_at or NEVER) > until


def replay(database: Database, tenant: UUID, *, until: int | datetime | None = None) -> dict[UUID, History]:
    """Every stream of the city folded up to a position or a moment, by stream, in the order of their first events."""
    streams: dict[UUID, list[Recorded]] = {}
    for event in recorded(database, tenant, until=until):
        streams.setdefault(event.stream, []).append(event)
    return {stream: folded for stream, events in streams.items() if (folded := history_of(events)) is not None}


def check(database: Database, keys: CityKeys, tenant: UUID) -> list[Difference]:
    """Where the city's read models differ from a fresh replay, in every version of every row; empty when they agree.

    Compares what the tracking says is projected, so that a worker that is behind is not a difference.
    """
    with database.tenant(Role.PROJECTOR, tenant) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        row = connection.execute(f"SELECT position FROM {SCHEMA}.tracking WHERE tenant_id = %s", (tenant,)).fetchone()
        texts = public_texts(connection, keys, tenant)
        shown = {model.name: _shown(connection, model, tenant) for model in READ_MODELS}
    versions = Versions(tenant, READ_MODELS)
    follow(versions, {}, recorded(database, tenant, until=row[0] if row else 0))
    found: list[Difference] = []
    for model in READ_MODELS:
        rows = (_replayed(model, version, texts) for version in versions.rows if version.model is model)
        fresh = {row[1 : len(model.key) + 2]: row for row in rows}
        found.extend(_compare(model, shown[model.name], fresh))
    return found


def _shown(connection: Connection, model: ReadModel, tenant: UUID) -> dict[Key, tuple[Any, ...]]:
    rows = connection.execute(
        f"SELECT {', '.join(model.table_columns)} FROM {SCHEMA}.{model.name} WHERE tenant_id = %s", (tenant,)
    ).fetchall()
    return {row[1 : len(model.key) + 2]: row for row in rows}


def _replayed(model: ReadModel, version: Row, texts: dict[str, str]) -> tuple[Any, ...]:
    # As PostgreSQL would return them: JSON parsed.
    json = {column.name for column in (*model.columns, *model.derived) if column.is_json}
    values = zip(model.table_columns, version.table_values(texts), strict=True)
    return tuple(from_json(value) if name in json and value else value for name, value in values)


def _compare(
    model: ReadModel, shown: dict[Key, tuple[Any, ...]], fresh: dict[Key, tuple[Any, ...]]
) -> Iterator[Difference]:
    for key in sorted({*shown, *fresh}, key=str):
        if key not in shown:
            yield Difference(model.name, key, "row", "missing", "present")
        elif key not in fresh:
            yield Difference(model.name, key, "row", "present", "missing")
        else:
            for name, here, there in zip(model.table_columns, shown[key], fresh[key], strict=True):
                if here != there:
                    yield Difference(model.name, key, name, here, there)


def anomalous(database: Database, tenant: UUID) -> dict[UUID, str]:
    """The city's streams that hold anomalies, each with the number or slug by which a reader knows it."""
    with database.tenant(Role.PROJECTOR, tenant) as connection:
        rows = connection.execute(
            "SELECT DISTINCT a.stream_id, coalesce(p.number, g.slug, 'city')"
            f" FROM {SCHEMA}.anomaly a"
            f" LEFT JOIN {SCHEMA}.partnership p ON p.tenant_id = a.tenant_id AND p.partnership_id = a.stream_id"
            f"  AND p.known_until = {OPEN_POSITION}"
            f" LEFT JOIN {SCHEMA}.programme g ON g.tenant_id = a.tenant_id AND g.programme_id = a.stream_id"
            f"  AND g.known_until = {OPEN_POSITION}"
            f" WHERE a.tenant_id = %s AND a.known_until = {OPEN_POSITION} ORDER BY 2, 1",
            (tenant,),
        ).fetchall()
    return dict(rows)
