"""Cities to project: small ones made of commands, and the five shipped ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from psycopg.rows import dict_row

import tenants
from domain.event import Mode
from projections.catalogue import READ_MODELS, SCHEMA
from projections.read_model import OPEN_POSITION
from projections.worker import Worker
from tenants.book import Book, Receipt, Request
from tenants.cases import import_cases
from tenants.city_keys import CityKeys
from tenants.database import Database, Role
from tenants.event_store import RecordedEvent, TenantRecorder
from tenants.registry import register

CITIES = Path(tenants.__file__).parent
SLUGS = ("yamato", "higashikurume", "yokohama", "okayama", "kawasaki")


@dataclass(frozen=True)
class Town:
    """A small city with its book and short ways to give commands."""

    book: Book

    @property
    def id(self) -> UUID:
        """The city's id."""
        return self.book.tenant

    def give(
        self, number: str, command: str, /, *, valid: str = "XXXX", mode: Mode = Mode.LIVE, **data: Any
    ) -> Receipt:
        """One command on the partnership of that number."""
        placed_after = data.pop("placed_after", None)
        request = Request(
            command=command,
            data=data,
            valid={"edtf": valid},
            mode=mode,
            actor="S/officer",
            recorded_by="S/officer",
            approved_by="Z/second",
            placed_after=placed_after,
        )
        return self.book.execute(self.book.stream("partnership", number), request)

    def register(self, number: str, **data: Any) -> Receipt:
        """A partnership of an NPO, an individual and the city."""
        parties = [
            {"party": "npo", "kind": "NPO", "name_ja": "保育の会"},
            {"party": "person", "kind": "INDIVIDUAL", "name_ja": "山田花子"},
            {"party": "city", "kind": "MUNICIPALITY", "name_ja": "町"},
        ]
        given = {"number": number, "programme": "partnership", "title_ja": f"保育支援{number}", "parties": parties}
        return self.give(number, "register-partnership", **given | data)

    def poison(self) -> None:
        """Append an event of a type that no release knows, as a newer one might have."""
        stream = self.book.stream("partnership", "poison")
        log = TenantRecorder(self.book.database, self.id)
        log.append([RecordedEvent(stream, 1, "SomethingNewer", b"{}")])

    def stream(self, number: str) -> UUID:
        """The id of the partnership."""
        return self.book.stream("partnership", number)

    def of_programme(self, command: str, /, *, valid: str = "XXXX", **data: Any) -> Receipt:
        """One command on the city's programme."""
        request = Request(command=command, data=data, valid={"edtf": valid}, actor="S/officer", recorded_by="S/officer")
        return self.book.execute(self.book.stream("programme", "partnership"), request)


@pytest.fixture
def town(database: Database, keys: CityKeys, tenant: Callable[..., UUID]) -> Callable[[], Town]:
    """Makes a city with one programme."""

    def make() -> Town:
        city = tenant()
        keys.create(city)
        book = Book(database, keys, city)
        define = Request(
            command="define-programme",
            data={"programme": "partnership", "title_ja": "協働の制度", "rules": {"note": "ひな形"}},
            valid={"edtf": "2016"},
            actor="T",
            recorded_by="T/test",
        )
        book.execute(book.stream("programme", "partnership"), define)
        return Town(book)

    return make


@pytest.fixture
def worker(database: Database, keys: CityKeys) -> Worker:
    return Worker(database, keys)


@pytest.fixture
def five_cities(database: Database, keys: CityKeys) -> dict[str, Book]:
    """The shipped cities, registered and imported, not yet projected."""
    books = {}
    for slug in SLUGS:
        city, _ = register(database, keys, CITIES / slug)
        books[slug] = Book(database, keys, city.tenant_id)
        import_cases(books[slug], slug, CITIES / slug / "cases.json")
    return books


@pytest.fixture
def ask(database: Database) -> Callable[..., list[tuple[Any, ...]]]:
    """A query as the public's questions are asked: in every city at once, of read models only."""

    def rows(query: str, *values: Any) -> list[tuple[Any, ...]]:
        with database.connection(Role.READER) as connection:
            return connection.execute(query, values).fetchall()

    return rows


@pytest.fixture
def rows(database: Database) -> Callable[..., list[dict[str, Any]]]:
    """A city's rows of a read model as known now, or as known at a position, in the order of their keys."""

    def shown(town: Town, model: str, at: int = OPEN_POSITION - 1) -> list[dict[str, Any]]:
        keys = next(len(known.key) for known in READ_MODELS if known.name == model)
        with database.reader() as connection, connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(
                f"SELECT * FROM {SCHEMA}.{model} WHERE tenant_id = %s AND known_from <= %s AND known_until > %s"
                f" ORDER BY {', '.join(str(place) for place in range(2, 2 + keys))}",
                (town.id, at, at),
            ).fetchall()

    return shown
