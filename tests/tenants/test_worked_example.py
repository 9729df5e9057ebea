"""The worked example of the documents: a city added with files only, entered whole, and every command exemplified."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tenants.book import Book
from tenants.cases import Imported, import_cases
from tenants.database import Database
from tenants.disclosures import CityKeys
from tenants.registry import register

EXAMPLE = Path(__file__).parents[2] / "docs" / "worked-example"


@pytest.fixture
def entered(database: Database, keys: CityKeys) -> tuple[Book, Imported]:
    """The invented town, registered and imported."""
    city, _ = register(database, keys, EXAMPLE)
    book = Book(database, keys, city.tenant_id)
    return book, import_cases(book, "kaku-cho", EXAMPLE / "cases.json")


def test_the_invented_town_is_imported_without_an_anomaly(entered: tuple[Book, Imported]) -> None:
    _, imported = entered
    assert imported.anomalies == ()
