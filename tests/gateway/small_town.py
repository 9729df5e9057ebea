"""A town that a test watches while it records."""

from __future__ import annotations

from uuid import UUID

from tenants.book import Book, Request
from tenants.city_keys import CityKeys
from tenants.database import Database
from tests.projections.conftest import Town


def small_town(database: Database, keys: CityKeys, tenant: UUID) -> Town:
    """A registered city with a programme and the partnership P1: two events, not yet projected."""
    keys.create(tenant)
    town = Town(Book(database, keys, tenant))
    define = Request(
        command="define-programme",
        data={"programme": "partnership", "title_ja": "協働の制度", "rules": {"note": "ひな形"}},
        valid={"edtf": "2016"},
        actor="T",
        recorded_by="T/test",
    )
    town.book.execute(town.book.stream("programme", "partnership"), define)
    town.register("P1")
    return town
