"""Cities kept apart, and history kept: what each login may do, asked of PostgreSQL itself."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import errors

from tenants.database import SERVICE_ROLES, Database, Role, TooMuchPrivilege, Urls
from tenants.event_store import NewDisclosure, NewKey, RecordedEvent, TenantRecorder
from tests.writing import writing

Register = Callable[..., UUID]

OF_ONE_CITY = ("tenant_head", "event", "idempotency", "disclosure", "subject_key")
RARELY_FILLED = ("access_log", "restoration")
PUBLISHED = ("tree_node", "checkpoint", "log_key", "cosignature", "checkpoint_timestamp", "root_entry")
"""The tables that are one city's own."""


@pytest.fixture
def two(database: Database, tenant: Register) -> tuple[UUID, UUID]:
    """Two cities whose logs collide in stream, version, position, digest, subject and key."""
    cities = tenant(), tenant()
    stream = uuid4()
    for city, word in zip(cities, (b'"one"', b'"two"'), strict=True):
        TenantRecorder(database, city).append(
            [RecordedEvent(stream, 1, "SomethingHappened", word)],
            idempotency_key="k",
            disclosures=[NewDisclosure("d" * 43, 0, "s", "PUBLIC", word)],
            keys=[NewKey("s", word)],
        )
    return cities


WRITES = (
    "UPDATE event SET state = 'x'",
    "UPDATE event SET root = leaf",
    "DELETE FROM event",
    "TRUNCATE event",
    "INSERT INTO event SELECT * FROM event",
    "ALTER TABLE event DISABLE ROW LEVEL SECURITY",
    "DROP TABLE event CASCADE",
    "UPDATE tenant_head SET size = 0",
    "DELETE FROM idempotency",
    "UPDATE tenant SET slug = 'mine'",
)
"""Every way of changing a recorded event by hand."""


@pytest.mark.parametrize("role", SERVICE_ROLES)
def test_no_login_of_the_service_can_change_a_recorded_event(
    database: Database, two: tuple[UUID, UUID], role: Role
) -> None:
    for statement in WRITES:
        with pytest.raises(errors.InsufficientPrivilege), writing(database, role, two[0]) as connection:
            connection.execute(statement)


@pytest.mark.parametrize("table", OF_ONE_CITY)
def test_with_no_tenant_set_nothing_of_any_city_is_seen(database: Database, two: tuple[UUID, UUID], table: str) -> None:
    for role in (Role.OWNER, Role.APP, Role.PROJECTOR, Role.AUDITOR):
        if (role, table) == (Role.PROJECTOR, "tenant_head"):
            continue  # The worker sees how far every city's log reaches, and nothing else of them.
        with database.connection(role) as connection:
            try:
                rows = connection.execute(f"SELECT * FROM {table}").fetchall()
            except errors.InsufficientPrivilege:
                continue
            assert rows == []


@pytest.mark.parametrize("table", OF_ONE_CITY)
def test_a_city_sees_its_own_rows_only_though_ids_and_positions_collide(
    database: Database, two: tuple[UUID, UUID], table: str
) -> None:
    for city in two:
        for role in (Role.OWNER, Role.APP):
            with database.tenant(role, city) as connection:
                found = connection.execute(f"SELECT tenant_id FROM {table}").fetchall()
            assert found == [(city,)]


def test_a_session_of_one_city_cannot_append_to_another(database: Database, two: tuple[UUID, UUID]) -> None:
    batch = '{"events": [{"stream": "%s", "version": 1, "type": "T", "schema": 1, "mode": "LIVE", "actor": "S",'
    batch += ' "recorded_by": "S", "signatories": [], "data": "{}"}]}'
    with pytest.raises(psycopg.Error) as refused, database.tenant(Role.APP, two[0]) as connection:
        connection.execute("SELECT append_events(%s, %s)", (two[1], batch % uuid4()))
    assert refused.value.sqlstate == "KY008"
    assert TenantRecorder(database, two[1]).head().size == 1


@pytest.mark.parametrize("table", ["disclosure", "subject_key", "access_log", "checkpoint", "root_entry"])
def test_no_login_of_the_service_takes_away_a_text_a_key_or_what_was_published(
    database: Database, two: tuple[UUID, UUID], table: str
) -> None:
    for role in SERVICE_ROLES:
        for statement in (f"DELETE FROM {table}", f"TRUNCATE {table}", f"UPDATE {table} SET tenant_id = tenant_id"):
            with pytest.raises(errors.InsufficientPrivilege), writing(database, role, two[0]) as connection:
                connection.execute(statement)


@pytest.mark.parametrize("table", ["idempotency", "tenant_head", "access_log", "restoration"])
def test_readers_of_public_pages_reach_nothing_but_what_is_public(
    database: Database, two: tuple[UUID, UUID], table: str
) -> None:
    with pytest.raises(errors.InsufficientPrivilege), writing(database, Role.READER, two[0]) as connection:
        connection.execute(f"SELECT * FROM {table}")


def test_the_projector_writes_read_models_of_the_city_it_has_set_only(
    database: Database, two: tuple[UUID, UUID]
) -> None:
    insert = "INSERT INTO read_model.tracking (tenant_id, position) VALUES (%s, 0)"
    with database.tenant(Role.PROJECTOR, two[0]) as connection:
        connection.execute(insert, (two[0],))
    with pytest.raises(errors.InsufficientPrivilege), database.tenant(Role.PROJECTOR, two[0]) as connection:
        connection.execute(insert, (two[1],))
    for role in (Role.APP, Role.READER, Role.AUDITOR):
        with pytest.raises(errors.InsufficientPrivilege), writing(database, role, two[0]) as connection:
            connection.execute("UPDATE read_model.tracking SET position = 9")


def test_every_table_with_a_tenant_forces_row_security_and_starts_its_key_with_it(database: Database) -> None:
    with database.owner() as connection:
        tables = connection.execute(
            """
            SELECT c.oid::regclass::text, c.relrowsecurity AND c.relforcerowsecurity,
                   (SELECT a.attname FROM pg_index i JOIN pg_attribute a
                       ON a.attrelid = c.oid AND a.attnum = i.indkey[0] WHERE i.indrelid = c.oid AND i.indisprimary)
              FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE c.relkind IN ('r', 'p') AND n.nspname IN ('public', 'read_model')
               AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id')
            """
        ).fetchall()
    found = {table: (forced, first) for table, forced, first in tables}
    assert found.pop("tenant") == (False, "tenant_id")  # the public registry
    assert {*OF_ONE_CITY} < found.keys()
    assert all(each == (True, "tenant_id") for each in found.values()), found


def test_policies_on_a_citys_own_tables_are_those_that_are_documented(database: Database) -> None:
    with database.owner() as connection:
        policies = connection.execute(
            "SELECT tablename, policyname, qual FROM pg_policies WHERE schemaname = 'public' ORDER BY 1, 2"
        ).fetchall()
    own = [(table, "own_city", "(tenant_id = current_tenant())") for table in (*OF_ONE_CITY, *RARELY_FILLED)]
    public = [(table, "everyone", "true") for table in PUBLISHED] + [(table, "own_log", None) for table in PUBLISHED]
    closed = ("disclosure", "published", "((visibility = 'PUBLIC'::text) AND (embargo IS NULL))")
    assert sorted(policies, key=str) == sorted([*own, *public, closed, ("tenant_head", "every_city", "true")], key=str)


def test_the_service_refuses_a_superuser_and_the_owner(database: Database, server) -> None:
    database.check_least_privilege()
    urls = database.urls
    name = psycopg.conninfo.conninfo_to_dict(urls.owner)["dbname"]
    superuser = psycopg.conninfo.make_conninfo(server.superuser, dbname=name)
    for above in (superuser, urls.owner):
        opened = Database(Urls(urls.owner, above, urls.projector, urls.reader, urls.auditor))
        with closing(opened), pytest.raises(TooMuchPrivilege):
            opened.check_least_privilege()


def test_a_login_that_bypasses_row_security_is_refused(database: Database, server) -> None:
    login = psycopg.conninfo.conninfo_to_dict(database.urls.reader)["user"]
    server.execute("ALTER ROLE {} BYPASSRLS", login)
    try:
        with pytest.raises(TooMuchPrivilege, match="reader"):
            database.check_least_privilege()
    finally:
        server.execute("ALTER ROLE {} NOBYPASSRLS", login)
