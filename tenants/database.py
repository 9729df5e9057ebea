"""One PostgreSQL database, entered through logins that each may do as little as their work needs."""

import select
import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from threading import Lock
from typing import Any, Self
from uuid import UUID

import psycopg
from eventsourcing.persistence import OperationalError
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg_pool import ConnectionPool, PoolTimeout

PasswordFor = Callable[[str], str | None]


class Connection(psycopg.Connection[tuple[Any, ...]]):
    """A connection that keeps one cursor for the statement that runs all the time."""

    @cached_property
    def fast_cursor(self) -> psycopg.Cursor[tuple[Any, ...]]:
        """Results in binary; it remembers how to adapt types, which a new cursor learns anew at a third of the cost.

        For small results only: it holds on to the last one.
        """
        return self.cursor(binary=True)


class Role(StrEnum):
    """What a connection is for; the value is also the ending of the login's name."""

    OWNER = "owner"  # migrations, rebuilds
    APP = "app"  # commands: reads a city's events, appends to them
    PROJECTOR = "projector"  # the worker: sees every city's head, reads the events of one city at a time
    READER = "reader"  # the public's questions
    AUDITOR = "auditor"  # people who look at tables


SERVICE_ROLES = (Role.APP, Role.PROJECTOR, Role.READER, Role.AUDITOR)


class DatabaseUnavailable(OperationalError):
    """The database does not answer, or all connections stay busy; the message names host and database."""


class TooMuchPrivilege(Exception):
    """A login of the service could read or write around the rules that keep cities apart."""


def no_password(_login: str) -> None:
    """For servers that trust the socket or use certificates or a password file."""


@dataclass(frozen=True)
class Urls:
    """A connection string (libpq URI or key=value) for each role; they may hold passwords, so they never print."""

    owner: str = field(repr=False)
    app: str = field(repr=False)
    projector: str = field(repr=False)
    reader: str = field(repr=False)
    auditor: str = field(repr=False)

    @classmethod
    def derive(cls, owner_url: str, password_for: PasswordFor = no_password, *, role_prefix: str | None = None) -> Self:
        """The owner's URL with the login and password of each role: `<prefix>_app` and so on, as migrate() makes.

        The prefix is the name of the database unless given. Everything else of the URL stays.
        """
        owner = conninfo_to_dict(owner_url)
        prefix = role_prefix or database_name(owner_url)

        def url(role: Role) -> str:
            login = f"{prefix}_{role}"
            return make_conninfo("", **{**owner, "user": login, "password": password_for(login)})

        return cls(owner_url, *map(url, SERVICE_ROLES))

    def of(self, role: Role) -> str:
        url: str = getattr(self, role.value)
        return url


class Database:
    """Pools of autocommit connections, one per role, opened when first used; safe to share between threads.

    A connection that the server has closed (restart, failover) is noticed before it is handed out and replaced.
    """

    def __init__(self, urls: Urls, *, pool_size: int = 16, timeout: float = 10.0) -> None:
        """`pool_size` connections per role at most; `timeout` is the longest wait for one, in seconds."""
        self.urls = urls
        self._pool_size = pool_size
        self._timeout = timeout
        self._pools: dict[Role, ConnectionPool[Connection]] = {}
        self._opening = Lock()
        # Also at the interpreter's end, so that no connection is left to the garbage collector.
        self._close = weakref.finalize(self, _close_pools, self._pools)

    def owner(self) -> AbstractContextManager[Connection]:
        return self.connection(Role.OWNER)

    def app(self) -> AbstractContextManager[Connection]:
        return self.connection(Role.APP)

    def projector(self) -> AbstractContextManager[Connection]:
        return self.connection(Role.PROJECTOR)

    def reader(self) -> AbstractContextManager[Connection]:
        return self.connection(Role.READER)

    def auditor(self) -> AbstractContextManager[Connection]:
        return self.connection(Role.AUDITOR)

    @contextmanager
    def connection(self, role: Role) -> Iterator[Connection]:
        """An autocommit connection; a transaction left open is rolled back. Refuses with DatabaseUnavailable."""
        pool = self._pools.get(role) or self._open(role)
        try:
            # A restarted server ended all idle connections. The pool's own check would sleep after each one it meets.
            while _ended(connection := pool.getconn()):
                pool.putconn(connection)
        except PoolTimeout as error:
            raise self._explained(role) from error
        try:
            yield connection
        except psycopg.OperationalError as error:
            if connection.closed:
                raise DatabaseUnavailable(f"{describe(self.urls.of(role))}: {error}") from error
            raise
        finally:
            pool.putconn(connection)

    @contextmanager
    def tenant(self, role: Role, tenant_id: UUID) -> Iterator[Connection]:
        """One transaction that sees one city: committed at the end, rolled back on an exception."""
        with self.connection(role) as connection:
            connection.execute(f"BEGIN; {set_tenant(tenant_id)}")  # one round trip
            try:
                yield connection
            except BaseException:
                connection.rollback()
                raise
            connection.commit()

    def check_least_privilege(self) -> None:
        """Refuses with TooMuchPrivilege when a service role is superuser, BYPASSRLS or may write events directly."""
        for role in SERVICE_ROLES:
            with self.connection(role) as connection:
                found = connection.execute(_PRIVILEGES).fetchone()
            login, above_the_rules, writes_events = found or ("", True, True)
            if above_the_rules:
                raise TooMuchPrivilege(
                    f"{login}, the login for {role.value}, is a superuser or has BYPASSRLS, so row security would not "
                    f"bind it. Use a plain login, such as those that `kyodo migrate` creates."
                )
            if writes_events:
                raise TooMuchPrivilege(
                    f"{login}, the login for {role.value}, could change recorded events. Use a login of its own, such "
                    f"as those that `kyodo migrate` creates, and not the owner."
                )

    def close(self) -> None:
        """Closes every connection; may be called twice. The object cannot be used afterwards."""
        with self._opening:
            self._close()

    def _open(self, role: Role) -> ConnectionPool[Connection]:
        with self._opening:
            if role in self._pools:
                return self._pools[role]
            if not self._close.alive:
                raise DatabaseUnavailable(f"{describe(self.urls.of(role))} has been closed")
            # A pool would go on trying for as long as anyone waits; a wrong password is known at once.
            connect(self.urls.of(role)).close()
            pool = ConnectionPool(
                self.urls.of(role),
                connection_class=Connection,
                kwargs={"autocommit": True},
                min_size=1,
                max_size=self._pool_size,
                open=True,
                configure=_configure,
                timeout=self._timeout,
                # Attempts grow rarer while the server is away; begin anew for whoever asks next.
                reconnect_timeout=self._timeout,
                name=f"{role.value} of {describe(self.urls.of(role))}",
            )
            self._pools[role] = pool
            return pool

    def _explained(self, role: Role) -> DatabaseUnavailable:
        """Why the pool gave no connection in time: the server does not answer, or all are busy."""
        try:
            connect(self.urls.of(role)).close()
        except DatabaseUnavailable as error:
            return error
        return DatabaseUnavailable(
            f"{describe(self.urls.of(role))}: all {self._pool_size} connections for {role.value} were busy for "
            f"{self._timeout:g} s"
        )


_PRIVILEGES = """
    SELECT rolname, rolsuper OR rolbypassrls,
           coalesce(has_table_privilege(to_regclass('public.event'), 'INSERT, UPDATE, DELETE, TRUNCATE'), false)
      FROM pg_roles WHERE rolname = current_user
"""


def connect(url: str) -> Connection:
    """One autocommit connection outside any pool. Refuses with DatabaseUnavailable."""
    try:
        return Connection.connect(url, autocommit=True)
    except psycopg.OperationalError as error:
        raise DatabaseUnavailable(f"{describe(url)}: {error}") from error


def set_tenant(tenant_id: UUID) -> str:
    """The statement that makes one city's rows visible until the end of the transaction.

    A literal SET LOCAL, which distributed PostgreSQL hands on to its nodes; a UUID needs no quoting.
    """
    return f"SET LOCAL kyodo.tenant = '{UUID(str(tenant_id))}'"


def describe(url: str) -> str:
    """Where a connection string leads, without its password: `database kyodo on db.example:5432 as kyodo_app`."""
    params = conninfo_to_dict(url)
    host = params.get("host") or params.get("hostaddr") or "the default host"
    port = f":{params['port']}" if "port" in params else ""
    login = f" as {params['user']}" if "user" in params else ""
    return f"database {database_name(url)} on {host}{port}{login}"


def database_name(url: str) -> str:
    """The database that a connection string names; libpq takes the user's name where it names none."""
    params = conninfo_to_dict(url)
    return str(params.get("dbname") or params.get("user") or "")


def _configure(connection: Connection) -> None:
    # Compiling a statement to machine code takes seconds where it has many expressions, to run it for milliseconds.
    connection.execute("SET timezone TO 'UTC'; SET jit TO off")


def _ended(connection: Connection) -> bool:
    """Whether the server has ended an idle connection, without a round trip when it has not.

    An idle connection has nothing to read unless the server said goodbye; only then it is asked.
    """
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    if not poll.poll(0):
        return False
    try:
        ConnectionPool.check_connection(connection)
    except psycopg.OperationalError:
        return True
    return False


def _close_pools(pools: dict[Role, ConnectionPool[Connection]]) -> None:
    for pool in pools.values():
        pool.close()
    pools.clear()
