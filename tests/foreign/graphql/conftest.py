"""The packages of others, installed by npm, and our endpoint on a real server.

They are skipped where npm cannot install them; with KYODO_REQUIRE_NODE=1, as in CI, that is a failure.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import uvicorn

from gateway.app import create_app
from tenants.database import Database
from tests import node

FOLDER = Path(__file__).parent


@pytest.fixture(scope="session")
def run() -> Callable[..., CompletedProcess[str]]:
    """Runs one of the scripts in this folder with its arguments."""
    try:
        installed = node.installed(FOLDER)
    except node.NotInstalled as missing:
        if os.environ.get("KYODO_REQUIRE_NODE") == "1":
            pytest.fail(str(missing))
        pytest.skip(str(missing))

    def running(script: str, *arguments: str | Path) -> CompletedProcess[str]:
        return node.run(installed, script, *arguments)

    return running


@pytest.fixture
def address(database: Database) -> Iterator[str]:
    """Where GraphQL over an empty database is served."""
    app = create_app(database, pending_migrations=list)
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/graphql"
        finally:
            server.should_exit = True
            thread.join()
