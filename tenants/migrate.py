"""Brings a database to the schema that this version of the service was written for."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from urllib.parse import urlencode

import psycopg
import yoyo
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from yoyo.backends.base import DatabaseBackend
from yoyo.migrations import MigrationList

from tenants.database import SERVICE_ROLES, Connection, PasswordFor, connect, describe, no_password

_OLDEST_SERVER = 15
_LOCK = 0x6B796F646F  # "kyodo" in ASCII; an advisory lock is a number
_LONGEST_NAME = 63  # bytes of a PostgreSQL identifier


class MigrationRefused(Exception):
    """The database cannot be brought to the schema; the message says what is missing and how to mend it."""


def migrate(
    owner_url: str,
    say: Callable[[str], None],
    password_for: PasswordFor = no_password,
    *,
    role_prefix: str | None = None,
) -> list[str]:
    """Applies what is pending, each file in one transaction with its mark, and returns the names of those applied.

    Safe to run twice, concurrently, and again after a sudden death. The login becomes the owner of all tables.
    `password_for` is asked for every login of the service by name; None leaves its password as it is. The prefix of
    the logins is the database's name unless given, and stays as it was at the first run. Refuses with
    MigrationRefused or DatabaseUnavailable.
    """
    with closing(connect(owner_url)) as owner, _refusals_explained(owner_url):
        _check_server(owner)
        _check_schema(owner)
        with _one_at_a_time(owner, say):
            prefix = _role_prefix(owner, role_prefix)
            logins = [f"{prefix}_{role}" for role in SERVICE_ROLES]
            _check_logins(owner, logins)
            applied = _apply(owner_url, pending(owner), prefix, say)
            for login in logins:
                _set_password(owner, login, password_for(login))
    return applied


def pending(database: Connection | str) -> list[str]:
    """The names of the migrations still to be applied, in order; any role of the service may ask."""
    with closing(connect(database)) if isinstance(database, str) else nullcontext(database) as connection:
        known = connection.execute("SELECT to_regclass('public._yoyo_migration') IS NOT NULL").fetchone()
        rows = connection.execute("SELECT migration_id FROM _yoyo_migration") if known == (True,) else ()
        applied = {name for (name,) in rows}
    return [migration.id for migration in _migrations() if migration.id not in applied]


def _migrations() -> MigrationList:
    return yoyo.read_migrations("package:tenants:migrations")


def _apply(owner_url: str, names: list[str], prefix: str, say: Callable[[str], None]) -> list[str]:
    """Applies the named migrations through yoyo, on a connection of its own."""
    if not names:
        return []
    # All parts of a connection string travel as parameters: only those are decoded on the other side.
    backend: DatabaseBackend = yoyo.get_backend(f"postgresql+psycopg:///?{urlencode(conninfo_to_dict(owner_url))}")
    with backend:
        # yoyo's own lock is a row that would outlive a killed process. Ours does not, and we hold it.
        backend.break_lock()
        backend.ensure_internal_schema_updated()
        backend.connection.execute("SELECT set_config('kyodo.role_prefix', %s, false)", [prefix])
        for migration in _migrations():
            if migration.id in names:
                say(f"Applying {migration.id}.")
                # yoyo marks a migration after its transaction; a death between the two would stop every later run.
                with backend.transaction():
                    migration.process_steps(backend, "apply")
                    backend.mark_one(migration, log=False)
    return names


@contextmanager
def _one_at_a_time(owner: Connection, say: Callable[[str], None]) -> Iterator[None]:
    """One migration per database; the lock ends with the connection."""
    if owner.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK]).fetchone() != (True,):
        say("Another process is migrating this database; waiting for it.")
        owner.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
    yield


def _check_server(owner: Connection) -> None:
    version = owner.info.server_version
    if version < _OLDEST_SERVER * 10_000:
        raise MigrationRefused(f"PostgreSQL {_OLDEST_SERVER} or newer is needed, this is {version // 10_000}.")
    encoding = owner.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise MigrationRefused(
            f"The database must have the encoding UTF8, this one has {encoding}: create it with "
            f"CREATE DATABASE {owner.info.dbname} ENCODING 'UTF8' TEMPLATE template0."
        )


def _check_schema(owner: Connection) -> None:
    """Refuses when what is created would not be in the schema public, where append_events() looks for it."""
    found = owner.execute("SELECT current_schema(), has_schema_privilege(current_schema(), 'CREATE')").fetchone()
    schema, may_create = found or (None, False)
    if schema != "public":
        raise MigrationRefused(
            f"{owner.info.user} would create the tables in the schema {schema} instead of public; let an administrator "
            f"run ALTER ROLE {owner.info.user} IN DATABASE {owner.info.dbname} SET search_path = public."
        )
    if not may_create:
        raise MigrationRefused(
            f"{owner.info.user} may not create tables in the schema public. The login that migrates must own the "
            f"database; let an administrator run ALTER DATABASE {owner.info.dbname} OWNER TO {owner.info.user}."
        )


def _role_prefix(owner: Connection, wanted: str | None) -> str:
    """The prefix of the service's logins in this database: as its first migration fixed it, else as wanted."""
    if owner.execute("SELECT to_regprocedure('public.role_name(text)') IS NOT NULL").fetchone() == (True,):
        (kept,) = owner.execute("SELECT public.role_name('')").fetchone() or ("",)
        prefix = str(kept).removesuffix("_")
        if wanted not in (None, prefix):
            raise MigrationRefused(f"This database's logins begin with {prefix!r}, which cannot become {wanted!r}.")
        return prefix
    prefix = wanted or owner.info.dbname
    if max(len(f"{prefix}_{role}".encode()) for role in SERVICE_ROLES) > _LONGEST_NAME:
        raise MigrationRefused(f"{prefix!r} is too long to begin the names of the service's logins; give a prefix.")
    return prefix


def _check_logins(owner: Connection, logins: list[str]) -> None:
    """Refuses when a login is missing and this one may not create it, with the statements for one who may."""
    missing = [
        login for login in logins if not owner.execute("SELECT FROM pg_roles WHERE rolname = %s", [login]).rowcount
    ]
    found = owner.execute("SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user").fetchone()
    if missing and found != (True,):
        statements = "\n".join(
            sql.SQL("CREATE ROLE {} LOGIN;").format(sql.Identifier(login)).as_string(owner) for login in missing
        )
        raise MigrationRefused(
            f"{owner.info.user} may not create roles. Let an administrator run ALTER ROLE {owner.info.user} "
            f"CREATEROLE, or create the service's logins:\n{statements}"
        )


def _set_password(owner: Connection, login: str, password: str | None) -> None:
    """Sends only the SCRAM verifier, so that no log of the server can show the password."""
    if password is None:
        return
    verifier = owner.pgconn.encrypt_password(password.encode(), login.encode(), b"scram-sha-256").decode()
    owner.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(login), sql.Literal(verifier)))


@contextmanager
def _refusals_explained(owner_url: str) -> Iterator[None]:
    try:
        yield
    except psycopg.errors.InsufficientPrivilege as error:
        raise MigrationRefused(
            f"{describe(owner_url)}: {error} The login that migrates must own the database (or its schema public)."
        ) from error
