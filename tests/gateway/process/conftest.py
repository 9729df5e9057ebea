"""Installations of the product for tests that start it as a person would: own folder, own database, real processes."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

KYODO = Path(sys.executable).parent / "kyodo"
STOCK = os.environ.get("KYODO_TEST_DATABASE_URL")
_ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")


@dataclass
class Demo:
    """A running `kyodo demo` and what it said."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)

    @property
    def address(self) -> str:
        """Where it serves; waits up to two minutes until it says so."""
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            for line in list(self.lines):
                if found := _ADDRESS.search(line):
                    return found.group()
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        raise AssertionError("kyodo demo did not come up:\n" + "\n".join(self.lines))

    def stop(self, how: int = signal.SIGINT) -> int:
        """End it; returns its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(timeout=60)


@dataclass
class Installation:
    """A data folder and a database, and `kyodo` run on them."""

    folder: Path
    env: dict[str, str]
    address: str = ""

    def __call__(self, *arguments: str, check: bool = True, **settings: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [KYODO, *arguments],
            env={**self.env, **settings},
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
        )
        if check and done.returncode != 0:
            raise AssertionError(f"kyodo {' '.join(arguments)} ended with {done.returncode}:\n{done.stderr}")
        return done

    def start(self, *arguments: str) -> Demo:
        """Start a long-running command, in a process group of its own."""
        process = subprocess.Popen(
            [KYODO, *arguments],
            env=self.env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        demo = Demo(process)

        def read() -> None:
            assert process.stderr is not None
            with process.stderr:
                demo.lines.extend(line.rstrip() for line in process.stderr)

        threading.Thread(target=read, daemon=True).start()
        return demo

    @property
    def postmaster(self) -> int | None:
        """The private PostgreSQL's process, None when it does not run or there is none."""
        try:
            return int((self.folder / "postgres" / "postmaster.pid").read_text().split()[0])
        except FileNotFoundError:
            return None


@contextmanager
def installed() -> Iterator[Installation]:
    """A fresh installation, removed at the end with whatever still runs in it."""
    folder = Path(tempfile.mkdtemp(prefix="kyodo-test-", dir="/tmp"))
    folder.chmod(0o755)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("KYODO_")}
    env = {**clean, "KYODO_DATA_DIR": str(folder), "KYODO_PORT": "0"}
    installation = Installation(folder, env)
    try:
        if STOCK is None:
            yield installation
        else:
            with _database(STOCK) as url:
                installation.env["KYODO_DATABASE_URL"] = url
                yield installation
    finally:
        if (pid := installation.postmaster) is not None:
            try:
                os.kill(pid, signal.SIGQUIT)
            except ProcessLookupError:
                pass
            else:
                _until(lambda: not Path(f"/proc/{pid}").exists())
        shutil.rmtree(folder, ignore_errors=True)


def _until(true: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not true() and time.monotonic() < deadline:
        time.sleep(0.05)


@contextmanager
def _database(server: str) -> Iterator[str]:
    name = f"kyodo_process_{uuid4().hex[:12]}"
    with closing(psycopg.connect(server, autocommit=True)) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield make_conninfo(**{**conninfo_to_dict(server), "dbname": name})
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
            for role in ("app", "projector", "reader", "auditor"):
                connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(f"{name}_{role}")))


@pytest.fixture
def kyodo_empty() -> Iterator[Installation]:
    """An installation on which nothing was run yet."""
    with installed() as installation:
        yield installation


@contextmanager
def _served() -> Iterator[Installation]:
    with installed() as installation:
        demo = installation.start("demo")
        try:
            installation.address = demo.address
            yield installation
        finally:
            demo.stop()


@pytest.fixture(scope="module")
def kyodo() -> Iterator[Installation]:
    """An installation with the five cities, its demo running; tests leave it as it is."""
    with _served() as installation:
        yield installation


@pytest.fixture
def kyodo_own() -> Iterator[Installation]:
    """The same for one test, which may do to it what it likes."""
    with _served() as installation:
        yield installation


@pytest.fixture
def owner() -> Callable[[Installation], object]:
    """Connects as superuser-like owner of an installation's database."""

    @contextmanager
    def connect(installation: Installation) -> Iterator[psycopg.Connection]:
        url = installation.env.get("KYODO_DATABASE_URL") or make_conninfo(
            host=str(installation.folder / "run"), user="kyodo_owner", dbname="kyodo"
        )
        with closing(psycopg.connect(url, autocommit=True)) as connection:
            yield connection

    return connect
