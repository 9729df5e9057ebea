"""The five cities with all their cases, entered once for every test that only reads."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from gateway.app import create_app
from gateway.rates import Rate
from projections.worker import Worker
from tenants.book import Book
from tenants.cases import import_cases
from tenants.city_keys import CityKeys
from tenants.database import Database, Urls
from tenants.generation.entering import enter
from tenants.ledger.keys import LogKeys
from tenants.ledger.publish import Publisher, make_missing_keys
from tenants.registry import register

CITIES = ("yamato", "higashikurume", "yokohama", "okayama", "kawasaki")


@pytest.fixture(scope="session")
def city_keys(tmp_path_factory: pytest.TempPathFactory) -> CityKeys:
    """The keys of the five cities."""
    return CityKeys(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="session")
def five_cities(server, city_keys: CityKeys) -> Iterator[Database]:
    """A database with the five cities and their 21 partnerships, their logs signed; nobody writes to it."""
    name = f"{server.prefix}_five_cities"
    server.execute("CREATE DATABASE {} TEMPLATE {} OWNER {}", name, server.template, server.owner)
    opened = Database(server.urls(name))
    log_keys = LogKeys(city_keys.folder / "log")
    try:
        for city in CITIES:
            folder = Path(str(files("tenants").joinpath(city)))
            tenant, _ = register(opened, city_keys, folder)
            import_cases(Book(opened, city_keys, tenant.tenant_id), city, folder / "cases.json")
            make_missing_keys(opened, log_keys, "example.jp/log", {tenant.tenant_id: city})
        Worker(opened, city_keys).catch_up()
        Publisher(opened, log_keys).publish()
        yield opened
    finally:
        opened.close()
        server.execute("DROP DATABASE {} WITH (FORCE)", name)


@pytest.fixture(scope="session")
def generated(server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A database with 60 partnerships of four invented towns and one of two real cities; nobody writes to it."""
    name = f"{server.prefix}_generated"
    server.execute("CREATE DATABASE {} TEMPLATE {} OWNER {}", name, server.template, server.owner)
    opened, keys = Database(server.urls(name)), CityKeys(tmp_path_factory.mktemp("generated"))
    try:
        enter(opened.urls, keys.folder, cities=4, partnerships=60, seed=7)
        for city in ("higashikurume", "kiyose"):
            folder = Path(str(files("tenants").joinpath(city)))
            tenant, _ = register(opened, keys, folder)
            import_cases(Book(opened, keys, tenant.tenant_id), city, folder / "cases.json")
        Worker(opened, keys).catch_up()
        yield opened
    finally:
        opened.close()
        server.execute("DROP DATABASE {} WITH (FORCE)", name)


@dataclass(frozen=True)
class Served:
    """GraphQL in a process of its own, with no limit on how often one may ask."""

    client: httpx.Client
    pid: int

    @property
    def resident(self) -> int:
        """Bytes of memory that the process holds now."""
        pages = Path(f"/proc/{self.pid}/statm").read_text(encoding="ascii").split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")


@pytest.fixture(scope="session")
def served(generated: Database) -> Iterator[Served]:
    """The generated towns behind a process of their own."""
    command = [sys.executable, "-m", "tests.benchmarks.serving", generated.urls.reader, "compiled"]
    with subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            with httpx.Client(base_url=f"http://127.0.0.1:{int(process.stdout.readline())}", timeout=30) as opened:
                yield Served(opened, process.pid)
        finally:
            process.terminate()


@contextmanager
def _serving(app: FastAPI) -> Iterator[str]:
    """A real server on a free port of this machine; a request that comes too early waits in the socket's queue."""
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


@pytest.fixture(scope="session")
def address(five_cities: Database, city_keys: CityKeys) -> Iterator[str]:
    """Where the five cities are served."""
    with _serving(create_app(five_cities, pending_migrations=list, keys=city_keys, rate=Rate(1_000_000, 60))) as where:
        yield where


@pytest.fixture
def client(address: str) -> Iterator[httpx.Client]:
    """A reader without cookies and without a language of its own."""
    with httpx.Client(base_url=address, timeout=30) as opened:
        yield opened


@pytest.fixture
def serve() -> Iterator[Callable[[FastAPI], httpx.Client]]:
    """Serves another application and returns a reader of it."""
    with ExitStack() as stack:

        def reader(app: FastAPI) -> httpx.Client:
            where = stack.enter_context(_serving(app))
            return stack.enter_context(httpx.Client(base_url=where, timeout=30))

        yield reader


@pytest.fixture
def nowhere(serve: Callable[[FastAPI], httpx.Client]) -> Iterator[httpx.Client]:
    """A reader of a service whose database is gone."""
    url = "host=/nonexistent dbname=nowhere user=nobody"
    with closing(Database(Urls(url, url, url, url, url), timeout=0.5)) as gone:
        yield serve(create_app(gone, pending_migrations=list))


@pytest.fixture(scope="session")
def paths(five_cities: Database) -> list[str]:
    """Every public page of the five cities."""
    with five_cities.reader() as connection:
        found = connection.execute(
            """
            SELECT '/' UNION ALL SELECT '/cities/' || slug FROM tenant
            UNION ALL SELECT '/cities/' || t.slug || '/partnerships/' || number
              FROM read_model.partnership JOIN tenant t USING (tenant_id)
            UNION ALL SELECT '/cities/' || t.slug || '/programmes/' || p.slug
              FROM read_model.programme p JOIN tenant t USING (tenant_id)
            """
        ).fetchall()
    return sorted({path for (path,) in found})


@pytest.fixture(scope="session")
def pages(address: str, paths: list[str]) -> dict[tuple[str, str], str]:
    """Every public page in both languages, by path and language."""
    with httpx.Client(base_url=address, timeout=30, headers={"accept": "text/html"}) as reader:
        read = {(path, each): reader.get(path, params={"lang": each}) for path in paths for each in ("ja", "en")}
    assert {answer.status_code for answer in read.values()} == {200}
    return {place: answer.text for place, answer in read.items()}


@pytest.fixture(scope="session")
def digests(five_cities: Database) -> set[str]:
    """Every digest that a timeline or a city's sources hold, of public and of closed texts."""
    found: set[str] = set()
    with five_cities.reader() as connection:
        for column, table in (("data", "timeline"), ("sources", "city"), ("rules", "programme")):
            for (digest,) in connection.execute(
                f"SELECT DISTINCT (regexp_matches({column}::text, '\"([A-Za-z0-9_-]{{43}})\"', 'g'))[1]"
                f" FROM read_model.{table}"
            ):
                found.add(digest)
    return found


@pytest.fixture(scope="session")
def individuals() -> list[str]:
    """The names of individuals in the shipped cases, which are nobody's to read."""
    names: list[str] = []
    for city in CITIES:
        file = json.loads((files("tenants") / city / "cases.json").read_text(encoding="utf-8"))
        for case in file["cases"]:
            for party in case["facts"][0]["data"]["parties"]:
                if party.get("kind") in ("INDIVIDUAL", "SOLE_PROPRIETOR"):
                    names += [party[name] for name in ("name_ja", "name_en") if name in party]
    return names
