"""The five cities with all their cases, entered once for every test that only reads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from gateway.app import create_app
from projections.worker import Worker
from tenants.book import Book
from tenants.cases import import_cases
from tenants.database import Database
from tenants.disclosures import CityKeys
from tenants.registry import register

CITIES = ("yamato", "higashikurume", "yokohama", "okayama", "kawasaki")


@pytest.fixture(scope="session")
def five_cities(server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A database with the five cities and their 21 partnerships; nobody writes to it."""
    name = f"{server.prefix}_five_cities"
    server.execute("CREATE DATABASE {} TEMPLATE {} OWNER {}", name, server.template, server.owner)
    opened = Database(server.urls(name))
    keys = CityKeys(tmp_path_factory.mktemp("keys"))
    try:
        for city in CITIES:
            folder = Path(str(files("tenants").joinpath(city)))
            tenant, _ = register(opened, keys, folder)
            import_cases(Book(opened, keys, tenant.tenant_id), city, folder / "cases.json")
        Worker(opened, keys).catch_up()
        yield opened
    finally:
        opened.close()
        server.execute("DROP DATABASE {} WITH (FORCE)", name)


@pytest.fixture(scope="session")
def app(five_cities: Database) -> FastAPI:
    """The application over the five cities."""
    return create_app(five_cities, pending_migrations=list)


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    """A reader without cookies."""
    with TestClient(app, follow_redirects=False) as opened:
        yield opened


@pytest.fixture
def nowhere(five_cities: Database) -> Iterator[TestClient]:
    """A reader of a service whose database is gone."""
    gone = Database(type(five_cities.urls)(*["postgresql://nobody@/nowhere?host=/nonexistent"] * 5), timeout=0.5)
    with TestClient(create_app(gone, pending_migrations=list), raise_server_exceptions=False) as opened:
        yield opened
    gone.close()


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
