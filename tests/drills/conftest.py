"""What the drills share: signing keys in a folder of their own, and a real server of the product."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn

from gateway.app import create_app
from tenants.city_keys import CityKeys
from tenants.database import Database
from tenants.ledger.keys import LogKeys


@pytest.fixture
def log_keys(tmp_path: Path) -> LogKeys:
    """An empty folder of signing keys."""
    return LogKeys(tmp_path / "log")


@contextmanager
def serving(database: Database, keys: CityKeys) -> Iterator[str]:
    """The product's application over a database, on a free port of this machine; its address."""
    app = create_app(database, pending_migrations=list, keys=keys)
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
