"""The five shipped cities and the invented town, entered once for every test that only measures them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import pytest

import tenants
from projections.as_of import NOW, AsOf
from projections.metrics import BY_KEY, Dimension, Measured, measure
from projections.worker import Worker
from tenants.book import Book
from tenants.cases import import_cases
from tenants.city_keys import CityKeys
from tenants.database import Database
from tenants.registry import register
from tests.projections.metrics.town import SLUG, record_town

CITIES = Path(tenants.__file__).parent
SLUGS = ("yamato", "higashikurume", "yokohama", "okayama", "kawasaki")

Measure = Callable[..., dict[str, Measured]]


@pytest.fixture(scope="session")
def measured_keys(tmp_path_factory: pytest.TempPathFactory) -> CityKeys:
    return CityKeys(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="session")
def cities(server, measured_keys: CityKeys) -> Iterator[tuple[Database, dict[str, UUID]]]:
    """A database with the five cities and the town, and their ids; nobody writes to it."""
    name = f"{server.prefix}_measured"
    server.execute("CREATE DATABASE {} TEMPLATE {} OWNER {}", name, server.template, server.owner)
    opened = Database(server.urls(name))
    try:
        ids = {}
        for slug in SLUGS:
            city, _ = register(opened, measured_keys, CITIES / slug)
            ids[slug] = city.tenant_id
            import_cases(Book(opened, measured_keys, city.tenant_id), slug, CITIES / slug / "cases.json")
        ids[SLUG] = record_town(opened, measured_keys).tenant
        Worker(opened, measured_keys).catch_up()
        yield opened, ids
    finally:
        opened.close()
        server.execute("DROP DATABASE {} WITH (FORCE)", name)


@pytest.fixture
def ask(cities) -> Callable[..., list[Measured]]:
    """Measures a metric in the cities of these slugs, none for all, grouped as asked."""
    database, ids = cities

    def asked(
        key: str,
        *slugs: str,
        years: tuple[int, int] | None = None,
        by: tuple[Dimension, ...] = (),
        as_of: AsOf = NOW,
    ) -> list[Measured]:
        within = [ids[slug] for slug in slugs] if slugs else None
        with database.reader() as connection:
            return measure(connection, BY_KEY[key], tenants=within, years=years, by=by, as_of=as_of)

    return asked
