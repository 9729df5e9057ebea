"""Rebuilding the read models from the logs: a new schema fills beside the old one and takes its name at one stroke.

Readers see the old rows until the swap and the new ones after it. The tables are filled by COPY before row security and
indexes are on; what is recorded meanwhile is caught up under the lock that batches share.
"""

from __future__ import annotations

import gc
import logging
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import closing, contextmanager
from itertools import islice
from multiprocessing import get_context
from typing import TYPE_CHECKING
from uuid import UUID

from eventsourcing.persistence import PersistenceError
from psycopg import sql

from projections.catalogue import READ_MODELS, SCHEMA, TRACKING, fingerprint
from projections.copying import copy_lines
from projections.read_model import Versions, by_model
from projections.worker import SWAP_LOCK, described, follow
from tenants.book import read
from tenants.city_keys import CityKeys
from tenants.custody_journal import NAME as JOURNAL
from tenants.custody_journal import Journal, Taken
from tenants.database import Database, Role, Urls, connect, set_tenant
from tenants.disclosures import public_texts
from tenants.event_store import TenantRecorder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from domain.history import History
    from projections.read_model import ReadModel
    from tenants.database import Connection

log = logging.getLogger("kyodo.rebuild")

NEXT, OLD = f"{SCHEMA}_next", f"{SCHEMA}_old"
_PAGE = 5_000
_LINES = 200


def is_current(owner_url: str) -> bool:
    """Whether the tables stand and were built from today's declarations."""
    with connect(owner_url) as connection:
        found = connection.execute("SELECT to_regclass(%s)", (f"{SCHEMA}.built",)).fetchone()
        if found is None or found[0] is None:
            return False
        row = connection.execute(f"SELECT fingerprint FROM {SCHEMA}.built").fetchone()
    return row is not None and row[0] == fingerprint()


def rebuild(
    owner_url: str, keys_folder: Path, *, processes: int = 1, say: Callable[[str], None] = lambda _: None
) -> int:
    """Build every read model anew from the logs and swap it in; returns the number of events folded.

    Safe to run at any time and to interrupt: until the swap nothing that readers see has changed.
    """
    with connect(owner_url) as connection:
        # Only one rebuild at a time: the lock is the session's, so that it outlives the transactions below.
        connection.execute("SELECT pg_advisory_lock(%s)", (SWAP_LOCK + 1,))
        _create(connection)
        events = _fill_all(owner_url, keys_folder, _tenants(connection), processes)
        say(f"{events} events folded")
        say("making indexes")
        _index(owner_url, processes)
        with connection.transaction():
            # Batches hold this lock shared: from here to the commit nothing is projected into the old tables.
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (SWAP_LOCK,))
            events += _catch_up(connection, owner_url, CityKeys(keys_folder))
            _protect(connection)
            connection.execute(f"DROP SCHEMA IF EXISTS {OLD} CASCADE")
            if _exists(connection, SCHEMA):
                connection.execute(f"ALTER SCHEMA {SCHEMA} RENAME TO {OLD}")
            connection.execute(f"ALTER SCHEMA {NEXT} RENAME TO {SCHEMA}")
        connection.execute(f"DROP SCHEMA IF EXISTS {OLD} CASCADE")
    return events


def _tenants(connection: Connection) -> list[UUID]:
    return [row[0] for row in connection.execute("SELECT tenant_id FROM tenant ORDER BY 1").fetchall()]


def _exists(connection: Connection, schema: str) -> bool:
    row = connection.execute("SELECT to_regnamespace(%s)", (schema,)).fetchone()
    return row is not None and row[0] is not None


def _create(connection: Connection) -> None:
    with connection.transaction():
        connection.execute(f"DROP SCHEMA IF EXISTS {NEXT} CASCADE")
        connection.execute(f"CREATE SCHEMA {NEXT}")
        for model in READ_MODELS:
            connection.execute(model.ddl(NEXT))
        connection.execute(f"CREATE TABLE {NEXT}.tracking ({TRACKING})")
        connection.execute(f"CREATE TABLE {NEXT}.built (fingerprint text NOT NULL, built_at timestamptz NOT NULL)")
        connection.execute(f"INSERT INTO {NEXT}.built VALUES (%s, now())", (fingerprint(),))


def _fill_all(owner_url: str, keys_folder: Path, tenants: list[UUID], processes: int) -> int:
    """Fill the new tables in this process and in the others beside it; returns the number of events folded."""
    work = (owner_url, keys_folder, tenants)
    if processes == 1:
        return _fill(*work)
    with ProcessPoolExecutor(processes - 1, mp_context=get_context("spawn")) as pool:
        others = [pool.submit(_fill, *work) for _ in range(processes - 1)]
        return _fill(*work) + sum(other.result() for other in others)


def _fill(owner_url: str, keys_folder: Path, tenants: list[UUID]) -> int:
    """Fill the new tables with the cities that no other process has taken yet."""
    with connect(owner_url) as connection, _logs(owner_url) as logs, _without_collecting():
        # Nothing that is written here counts before the swap, whose commit makes all of it durable.
        connection.execute("SET synchronous_commit = off")
        return sum(
            _fill_city(connection, logs, CityKeys(keys_folder), tenant)
            for tenant in tenants
            if connection.execute(
                f"INSERT INTO {NEXT}.tracking (tenant_id, position) VALUES (%s, 0) ON CONFLICT DO NOTHING", (tenant,)
            ).rowcount
        )


def _catch_up(connection: Connection, owner_url: str, keys: CityKeys) -> int:
    """Fill in what was recorded since the tables were filled. Cities that changed are few, and are folded anew."""
    with _logs(owner_url) as logs:
        return sum(_fill_city(connection, logs, keys, tenant) for tenant in _tenants(connection))


def _logs(owner_url: str) -> closing[Database]:
    return closing(Database(Urls(*[owner_url] * 5), pool_size=1))


@contextmanager
def _without_collecting() -> Iterator[None]:
    # What is folded is kept until it is written; to search it for garbage over and over takes a third of the time.
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _fill_city(connection: Connection, logs: Database, keys: CityKeys, tenant: UUID) -> int:
    """COPY the row versions of a city that has events beyond its tracking row; returns how many events these are."""
    with connection.transaction():
        connection.execute(set_tenant(tenant))
        row = connection.execute(f"SELECT position FROM {NEXT}.tracking WHERE tenant_id = %s", (tenant,)).fetchone()
        start = row[0] if row else 0
        if _size(connection, tenant) == start:
            return 0
        versions, position, error, taken = _replayed(TenantRecorder(logs, tenant, reads_as=Role.OWNER))
        # As the worker does it, which may find nothing left to project.
        Journal(keys.folder.parent / JOURNAL).note(taken)
        texts = public_texts(connection, keys, tenant)
        for model in READ_MODELS if start else ():
            connection.execute(f"DELETE FROM {NEXT}.{model.name} WHERE tenant_id = %s", (tenant,))
        for model, rows in by_model(versions.rows).values():
            columns = ", ".join(model.table_columns)
            lines = copy_lines(model.table_types, (row.table_values(texts) for row in rows))
            with connection.cursor() as cursor, cursor.copy(f"COPY {NEXT}.{model.name} ({columns}) FROM STDIN") as copy:
                while chunk := "".join(islice(lines, _LINES)):
                    copy.write(chunk)
        connection.execute(
            f"INSERT INTO {NEXT}.tracking (tenant_id, position, error) VALUES (%s, %s, %s)"
            " ON CONFLICT (tenant_id) DO UPDATE SET position = excluded.position, error = excluded.error",
            (tenant, position, error),
        )
    return position - start


def _replayed(recorder: TenantRecorder) -> tuple[Versions, int, str | None, list[Taken]]:
    """A city's row versions, the position they reach, the error of the event that stopped them, and what was taken."""
    versions, position, error = Versions(recorder.tenant_id, READ_MODELS), 0, None
    taken: list[Taken] = []
    histories: dict[UUID, History | None] = {}
    try:
        while page := recorder.read(position, _PAGE):
            for stored in page:
                event = read(stored)
                follow(versions, histories, (event,))
                if (took := Taken.by(recorder.tenant_id, event)) is not None:
                    taken.append(took)
                position = stored.position or position
    except PersistenceError:
        raise
    except Exception as poison:  # Whatever a city's log holds must stop that city only.
        log.exception("the rebuild of city %s stops at position %s", recorder.tenant_id, position)
        versions.cut(position)
        error = described(poison)
    return versions, position, error, taken


def _size(connection: Connection, tenant: UUID) -> int:
    row = connection.execute("SELECT size FROM tenant_head WHERE tenant_id = %s", (tenant,)).fetchone()
    return row[0] if row else 0


def _index(owner_url: str, processes: int) -> None:
    """Primary keys and indexes of every table, so many tables at a time."""

    def index(model: ReadModel) -> None:
        with connect(owner_url) as connection, connection.transaction():
            # A small sample will do until autovacuum takes its own.
            connection.execute("SET LOCAL default_statistics_target = 20")
            for statement in model.index_ddl(NEXT):
                connection.execute(statement)
            connection.execute(f"ANALYZE {NEXT}.{model.name}")

    with ThreadPoolExecutor(processes) as pool:
        list(pool.map(index, READ_MODELS))


def _protect(connection: Connection) -> None:
    """Row security and grants: readers see every city's public rows, the projector writes those of one city."""
    connection.execute(
        f"CALL with_roles('GRANT USAGE ON SCHEMA {NEXT} TO {{app}}, {{projector}}, {{reader}}, {{auditor}}')"
    )
    tables = [model.name for model in READ_MODELS] + ["tracking"]
    for table in tables:
        name = sql.Identifier(NEXT, table).as_string()
        connection.execute(f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY")
        connection.execute(f"ALTER TABLE {name} FORCE ROW LEVEL SECURITY")
        connection.execute(f"CREATE POLICY every_reader ON {name} FOR SELECT USING (true)")
        connection.execute(
            f"CREATE POLICY own_city ON {name} FOR ALL"
            " USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant())"
        )
        connection.execute(
            f"CALL with_roles('GRANT SELECT ON {name} TO {{app}}, {{projector}}, {{reader}}, {{auditor}}')"
        )
        connection.execute(f"CALL with_roles('GRANT INSERT, UPDATE, DELETE ON {name} TO {{projector}}')")
    connection.execute(
        f"CALL with_roles('GRANT SELECT ON {NEXT}.built TO {{app}}, {{projector}}, {{reader}}, {{auditor}}')"
    )
