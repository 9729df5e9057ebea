"""A real PostgreSQL for every test that wants one: a fresh database each, cloned from a migrated template.

The server is the product's own private one, or the one that KYODO_TEST_DATABASE_URL names by a superuser's URL. The
databases belong to a plain login, as in production, so that row security binds the owner too.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from projections.rebuild import rebuild
from tenants.city_keys import CityKeys
from tenants.database import SERVICE_ROLES, Database, Urls
from tenants.embedded import EmbeddedPostgres
from tenants.migrate import migrate

PASSWORD = "only-for-tests"


@dataclass(frozen=True)
class Server:
    """A PostgreSQL on which databases may be made, the plain login that owns them, and the template of them all."""

    superuser: str
    owner: str
    prefix: str
    template: str

    def url(self, database: str) -> str:
        """The owner's URL of a database."""
        login = {"user": self.owner, "password": PASSWORD, "dbname": database}
        return make_conninfo(**{**conninfo_to_dict(self.superuser), **login})

    def urls(self, database: str) -> Urls:
        """The URLs of every role of a database."""
        return Urls.derive(self.url(database), lambda _: PASSWORD, role_prefix=self.prefix)

    def execute(self, statement: str, *names: str) -> None:
        """Run a statement as superuser, its {} filled with quoted names."""
        with closing(psycopg.connect(self.superuser, autocommit=True)) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The server of this test process, with a migrated template database; nothing of it stays behind."""
    if stock := os.environ.get("KYODO_TEST_DATABASE_URL"):
        yield from _prepared(stock)
        return
    folder = Path(tempfile.mkdtemp(prefix="kyodo-test-", dir="/tmp"))
    folder.chmod(0o755)
    try:
        with EmbeddedPostgres(folder, lambda _: None) as postgres:
            yield from _prepared(postgres.url("postgres"))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _prepared(superuser: str) -> Iterator[Server]:
    superuser = make_conninfo(**{**conninfo_to_dict(superuser), "dbname": "postgres"})
    name = f"kyodo_test_{uuid4().hex[:12]}"
    prepared = Server(superuser, f"{name}_owner", name, f"{name}_template")
    prepared.execute(f"CREATE ROLE {{}} LOGIN CREATEROLE CREATEDB PASSWORD '{PASSWORD}'", prepared.owner)
    prepared.execute("CREATE DATABASE {} OWNER {}", prepared.template, prepared.owner)
    try:
        url = prepared.url(prepared.template)
        migrate(url, lambda _: None, lambda _: PASSWORD, role_prefix=name)
        rebuild(url, Path("unused"))
        yield prepared
    finally:
        prepared.execute("DROP DATABASE {} WITH (FORCE)", prepared.template)
        for role in (*(f"{name}_{role}" for role in SERVICE_ROLES), prepared.owner):
            prepared.execute("DROP ROLE {}", role)


_numbers = count(1)


@pytest.fixture
def database(server: Server) -> Iterator[Database]:
    """A fresh migrated database of this test's own, with empty read models."""
    name = f"{server.prefix}_{next(_numbers)}"
    server.execute("CREATE DATABASE {} TEMPLATE {} OWNER {}", name, server.template, server.owner)
    opened = Database(server.urls(name))
    try:
        yield opened
    finally:
        opened.close()
        server.execute("DROP DATABASE {} WITH (FORCE)", name)


@pytest.fixture
def tenant(database: Database) -> Callable[[str], UUID]:
    """Registers a city with an empty log and returns its id."""

    def register(slug: str = "") -> UUID:
        tenant_id = uuid4()
        with database.app() as connection:
            connection.execute(
                "SELECT register_tenant(%s, %s, NULL, '町', 'Town', 'MUNICIPALITY')",
                (tenant_id, slug or f"t-{tenant_id.hex}"),
            )
        return tenant_id

    return register


@pytest.fixture
def keys(tmp_path: Path) -> CityKeys:
    """An empty key folder."""
    return CityKeys(tmp_path / "keys")
