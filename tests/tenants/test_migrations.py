"""The schema's way into a database: once, together, by whoever may, and with words for whoever may not."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Protocol

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tenants.database import SERVICE_ROLES, Database, DatabaseUnavailable, Role, Urls, connect
from tenants.migrate import MigrationRefused, migrate, pending

ALL = [
    "0001-roles",
    "0002-registry",
    "0003-events",
    "0004-disclosures",
    "0005-append",
    "0006-disclosure-effects",
    "0007-ledger",
    "0008-custody",
    "0009-archive",
    "0010-reader",
    "0011-log-roots",
]
PASSWORD = "only-for-tests"


class Server(Protocol):
    """What the fixture `server` offers to these tests."""

    superuser: str
    owner: str
    prefix: str

    def url(self, database: str) -> str: ...
    def execute(self, statement: str, *names: str) -> None: ...


@pytest.fixture
def empty(server: Server) -> Iterator[str]:
    """The owner's URL of a database without a schema."""
    name = f"{server.prefix}_empty"
    server.execute("CREATE DATABASE {} OWNER {}", name, server.owner)
    try:
        yield server.url(name)
    finally:
        server.execute("DROP DATABASE {} WITH (FORCE)", name)
        for role in SERVICE_ROLES:
            server.execute("DROP ROLE IF EXISTS {}", f"{name}_{role}")


def silent(_: str) -> None:
    pass


def test_a_second_migration_changes_nothing(server: Server, empty: str) -> None:
    said: list[str] = []
    assert pending(empty) == ALL
    assert migrate(empty, said.append, role_prefix=server.prefix) == ALL
    assert said == [f"Applying {name}." for name in ALL]
    assert pending(empty) == []
    assert migrate(empty, said.append, role_prefix=server.prefix) == []
    assert len(said) == len(ALL)


def test_concurrent_migrations_apply_each_file_once(server: Server, empty: str) -> None:
    with ThreadPoolExecutor(3) as pool:
        runs = [pool.submit(migrate, empty, silent, role_prefix=server.prefix) for _ in range(3)]
        applied = [run.result(timeout=60) for run in runs]
    assert sorted(applied) == [[], [], ALL]


def test_a_migration_that_died_half_way_is_taken_up_again(server: Server, empty: str) -> None:
    def die_before_the_third(message: str) -> None:
        if "0003" in message:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        migrate(empty, die_before_the_third, role_prefix=server.prefix)
    assert pending(empty) == ALL[2:]
    assert migrate(empty, silent, role_prefix=server.prefix) == ALL[2:]


def test_every_login_may_ask_what_is_pending(database: Database) -> None:
    for role in SERVICE_ROLES:
        with database.connection(role) as connection:
            assert pending(connection) == []


def test_logins_begin_with_the_databases_name_unless_told_otherwise(server: Server, empty: str) -> None:
    name = conninfo_to_dict(empty)["dbname"]
    migrate(empty, silent, lambda _: PASSWORD)
    with closing(Database(Urls.derive(empty, lambda _: PASSWORD))) as database, database.reader() as connection:
        assert connection.info.user == f"{name}_reader"
    with pytest.raises(MigrationRefused, match="cannot become"):
        migrate(empty, silent, role_prefix="other")


def test_a_login_that_may_not_create_roles_is_told_what_to_run(server: Server, empty: str) -> None:
    name, login = conninfo_to_dict(empty)["dbname"], f"{server.prefix}_plain"
    server.execute(f"CREATE ROLE {{}} LOGIN PASSWORD '{PASSWORD}'", login)
    server.execute("ALTER DATABASE {} OWNER TO {}", str(name), login)
    try:
        plain = make_conninfo(empty, user=login)
        with pytest.raises(MigrationRefused, match="may not create roles") as refused:
            migrate(plain, silent, role_prefix="nobodys")
        assert 'CREATE ROLE "nobodys_auditor" LOGIN;' in str(refused.value)
        assert migrate(plain, silent, role_prefix=server.prefix) == ALL  # where the logins exist, nothing is missing
    finally:
        server.execute("ALTER DATABASE {} OWNER TO {}", str(name), server.owner)
        with closing(psycopg.connect(make_conninfo(server.superuser, dbname=str(name)), autocommit=True)) as connection:
            connection.execute(f"REASSIGN OWNED BY {login} TO {server.owner}")
            connection.execute(f"DROP OWNED BY {login}")
        server.execute("DROP ROLE {}", login)


def test_a_database_that_is_not_the_logins_own_is_refused(server: Server, empty: str) -> None:
    server.execute("ALTER DATABASE {} OWNER TO CURRENT_USER", str(conninfo_to_dict(empty)["dbname"]))
    with pytest.raises(MigrationRefused, match="must own the database"):
        migrate(empty, silent, role_prefix=server.prefix)


def test_a_schema_of_the_logins_own_name_is_refused(server: Server, empty: str) -> None:
    with closing(connect(empty)) as owner:
        owner.execute(f"CREATE SCHEMA {server.owner}")
    with pytest.raises(MigrationRefused, match="search_path"):
        migrate(empty, silent, role_prefix=server.prefix)


def test_another_encoding_than_utf_8_is_refused(server: Server) -> None:
    name = f"{server.prefix}_latin"
    server.execute(
        "CREATE DATABASE {} OWNER {} ENCODING 'LATIN1' LOCALE 'C' LOCALE_PROVIDER libc TEMPLATE template0",
        name,
        server.owner,
    )
    try:
        with pytest.raises(MigrationRefused, match="must have the encoding UTF8"):
            migrate(server.url(name), silent)
    finally:
        server.execute("DROP DATABASE {} WITH (FORCE)", name)


def test_a_name_too_long_for_the_logins_is_refused(empty: str) -> None:
    with pytest.raises(MigrationRefused, match="too long"):
        migrate(empty, silent, role_prefix="p" * 60)


def test_an_absent_database_is_named_without_the_password(server: Server) -> None:
    absent = server.url("absent")
    for ask in (lambda: pending(absent), lambda: migrate(absent, silent), lambda: _open(absent)):
        with pytest.raises(DatabaseUnavailable, match="database absent") as refused:
            ask()
        assert PASSWORD not in str(refused.value)


def _open(url: str) -> None:
    with closing(Database(Urls.derive(url))) as database, database.owner():
        pass


def test_urls_keep_everything_but_user_and_password() -> None:
    urls = Urls.derive("postgresql://boss:secret@db.example:6000/k?sslmode=require", "pw-{}".format)
    assert conninfo_to_dict(urls.of(Role.PROJECTOR)) == {
        "user": "k_projector",
        "password": "pw-k_projector",
        "dbname": "k",
        "host": "db.example",
        "port": "6000",
        "sslmode": "require",
    }
    assert "secret" not in repr(urls)
    assert "password" not in conninfo_to_dict(Urls.derive("postgresql://boss:secret@/k").app)
