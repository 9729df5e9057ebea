"""The two servers that are measured, each a process of its own on a free port: ours and PostGraphile.

`python -m tests.benchmarks.serving` is ours: the whole application, for a reader's connection string and the way
to answer, without a limit on how often one client may ask.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn
from psycopg.conninfo import conninfo_to_dict

from gateway.app import create_app, settle
from tenants.database import Database, Urls
from tests import node

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_ROOT = Path(__file__).resolve().parents[2]
PACKAGES = Path(__file__).parent / "postgraphile"


@contextmanager
def ours(reader_url: str, *, compiled: bool = True) -> Iterator[str]:
    """Where our GraphQL answers from that database: by one statement, or by its resolvers."""
    way = "compiled" if compiled else "resolvers"
    with _process([sys.executable, "-m", "tests.benchmarks.serving", reader_url, way], _ROOT) as port:
        yield f"http://127.0.0.1:{port}/graphql"


@contextmanager
def postgraphile(reader_url: str) -> Iterator[str]:
    """Where PostGraphile answers from the views in the schema `beside`. Raises NotInstalled."""
    given = conninfo_to_dict(reader_url)
    names = {"user": "user", "password": "password", "host": "host", "port": "port", "database": "dbname"}
    pool = {name: given[ours] for name, ours in names.items() if given.get(ours)}
    installed = node.installed(PACKAGES)
    with _process([str(node.NODE), "server.mjs", json.dumps(pool)], installed) as port:
        yield f"http://127.0.0.1:{port}/graphql"


@contextmanager
def _process(command: Sequence[str], folder: Path) -> Iterator[int]:
    """A process that says its port once it listens; it is ended afterwards."""
    environment = os.environ | {"NODE_ENV": "production", "GRAPHILE_ENV": "production"}
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            said = process.stdout.readline() if process.stdout else ""
            if not said.strip().isdecimal():
                raise RuntimeError(f"{command[:3]} did not start; it says why above")
            yield int(said)
        finally:
            process.terminate()


def _serve(reader_url: str, way: str) -> None:
    urls = Urls(reader_url, reader_url, reader_url, reader_url, reader_url)
    with closing(Database(urls)) as database, closing(socket.create_server(("127.0.0.1", 0))) as listener:
        app = create_app(database, pending_migrations=list, rate=None, compiled=way == "compiled")
        # An accepted connection inherits it; without it, head and body of an answer wait for each other for 40 ms.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        print(listener.getsockname()[1], flush=True)
        config = uvicorn.Config(app, log_level="warning", lifespan="off", access_log=False)
        settle()
        uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    _serve(*sys.argv[1:])
