"""The private PostgreSQL: shared by processes, surviving their deaths and its own, and plain about what it refuses."""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tenants.embedded import EmbeddedError, EmbeddedPostgres

AS_ROOT = os.geteuid() == 0
only_as_root = pytest.mark.skipif(not AS_ROOT, reason="only root starts the server as another user")

# Starts the server on argv[1] as the user argv[2], who need not be able to read this Python: hence the imports first.
CHILD = """
import os, sys
from pathlib import Path
import psycopg
from tenants.embedded import EmbeddedError, EmbeddedPostgres
folder, uid = Path(sys.argv[1]), int(sys.argv[2])
if uid != os.geteuid():
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)
with EmbeddedPostgres(folder) as server:
    with psycopg.connect(server.owner_url) as connection:
        print(server.pid, *connection.execute("SELECT current_user").fetchone(), flush=True)
    sys.stdin.readline()
"""


class Neighbour:
    """Another process that uses the server until it is told to leave, or is killed."""

    def __init__(self, data_dir: Path, uid: int | None = None) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(data_dir), str(os.geteuid() if uid is None else uid)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def greeting(self) -> list[str]:
        """The process id of the server and the role that the neighbour found there."""
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        words = self.process.stdout.readline().split()
        assert words, self.process.stderr.read()
        return words

    def leave(self) -> None:
        _, complaints = self.process.communicate("\n", timeout=60)
        assert self.process.returncode == 0, complaints

    def kill(self, number: signal.Signals = signal.SIGKILL, *, group: bool = False) -> None:
        (os.killpg if group else os.kill)(self.process.pid, number)
        self.process.communicate(timeout=60)


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 30
    while EmbeddedPostgresProcess(pid):
        assert time.monotonic() < deadline, f"process {pid} is still there"
        time.sleep(0.02)


def EmbeddedPostgresProcess(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
