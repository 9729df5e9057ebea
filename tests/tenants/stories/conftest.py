"""A city of the record, registered from its own files on a real database that the stories of one file share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

import tenants as package
from tenants.book import Book
from tenants.city_keys import CityKeys
from tenants.database import Database
from tenants.registry import register


@pytest.fixture(scope="module")
def city(request: pytest.FixtureRequest, server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Book]:
    """The book of the city that the module names in SLUG."""
    name = f"{server.prefix}_{uuid4().hex[:8]}"
    server.execute("CREATE DATABASE {} TEMPLATE {} OWNER {}", name, server.template, server.owner)
    database = Database(server.urls(name))
    try:
        keys = CityKeys(tmp_path_factory.mktemp("keys"))
        registered, _ = register(database, keys, Path(package.__file__).parent / request.module.SLUG)
        yield Book(database, keys, registered.tenant_id)
    finally:
        database.close()
        server.execute("DROP DATABASE {} WITH (FORCE)", name)
