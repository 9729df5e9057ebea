"""A city whose log can be signed, and a way to fill it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from tenants.database import Database
from tenants.event_store import RecordedEvent, TenantRecorder
from tenants.ledger.keys import LogKeys
from tenants.ledger.publish import make_missing_keys

ORIGIN = "example.jp/log"


@pytest.fixture
def log_keys(tmp_path: Path) -> LogKeys:
    """An empty folder of signing keys."""
    return LogKeys(tmp_path / "log")


@pytest.fixture
def city(database: Database, tenant: Callable[[str], UUID], log_keys: LogKeys) -> UUID:
    """A city, kaku-cho, with an empty log and a key to sign it."""
    known = tenant("kaku-cho")
    make_missing_keys(database, log_keys, ORIGIN, {known: "kaku-cho"})
    return known


@pytest.fixture
def record(database: Database) -> Callable[[UUID, int], None]:
    """Appends so many events to a city's log, in one stream of their own."""

    def append(to: UUID, count: int) -> None:
        stream, recorder = uuid4(), TenantRecorder(database, to)
        for start in range(0, count, 1_000):
            numbers = range(start, min(start + 1_000, count))
            recorder.append([RecordedEvent(stream, 1 + n, "Something", b'{"n":%d}' % n) for n in numbers])

    return append


@pytest.fixture
def superuser(server, database: Database) -> str:
    """The URL of one who may change what is stored, whatever the service's logins may."""
    from psycopg.conninfo import conninfo_to_dict, make_conninfo

    name = conninfo_to_dict(database.urls.owner)["dbname"]
    return make_conninfo(**{**conninfo_to_dict(server.superuser), "dbname": name})


Answer = tuple[int, str, bytes]
"""Status, content type and body."""


@contextmanager
def _answering(respond: Callable[[str, bytes], Answer], port: int = 0) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            status, kind, body = respond(self.path, self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def answering() -> Callable[..., AbstractContextManager[str]]:
    """A server of somebody outside: its answer to each POST is what a function makes of path and body."""
    return _answering
