"""Towns that leave and come in, and archives taken apart and put together again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

from projections.catalogue import READ_MODELS, SCHEMA
from projections.worker import Worker
from tenants.archive.export import Closed, Exported, export
from tenants.archive.format import SEAL, Product, seal_text
from tenants.archive.stream import Member, end_of_archive, sha256_of, write_member
from tenants.archive.transfer import TransferKey
from tenants.book import Book, Request
from tenants.cases import import_cases
from tenants.city_keys import CityKeys
from tenants.custody import EXPORT, Level, Reader, exported, withdraw
from tenants.database import Database, Role
from tenants.ledger.keys import LogKeys
from tenants.ledger.note import Signer, signed
from tenants.ledger.publish import Publisher
from tenants.ledger.store import ROOT_LOG
from tenants.registry import register

PRODUCT = Product(name="kyodo-ledger", version="0.1.0")
EVERYTHING = Reader(Level.PERSONAL, "T/archivist", EXPORT)
CITIES = Path(__file__).parents[3] / "tenants"
EXAMPLE = Path(__file__).parents[3] / "docs" / "worked-example"
SECRET_TITLE, SECRET_NOTE = "まだ誰も知らない提案", "当事者だけの議事メモ"
_numbers = count(1)

Members = dict[str, bytes]


@contextmanager
def installation(server: Any, folder: Path) -> Iterator[Installation]:
    """A database and key folders of its own, with nothing in them."""
    name = f"{server.prefix}_home_{next(_numbers)}"
    server.execute("CREATE DATABASE {} TEMPLATE {} OWNER {}", name, server.template, server.owner)
    database = Database(server.urls(name))
    try:
        yield Installation(database, CityKeys(folder / "keys"), LogKeys(folder / "keys" / "log"))
    finally:
        database.close()
        server.execute("DROP DATABASE {} WITH (FORCE)", name)


@dataclass(frozen=True)
class Installation:
    """A home for cities."""

    database: Database
    keys: CityKeys
    log_keys: LogKeys

    @property
    def parts(self) -> tuple[Database, CityKeys, LogKeys]:
        """As an import asks for them."""
        return self.database, self.keys, self.log_keys

    def book(self, tenant: UUID) -> Book:
        return Book(self.database, self.keys, tenant)

    def enter(self, folder: Path) -> Book:
        """Register a city with its cases."""
        city, _ = register(self.database, self.keys, folder)
        book = self.book(city.tenant_id)
        import_cases(book, city.slug, folder / "cases.json")
        self.make_log_keys(city.tenant_id, city.slug)
        return book

    def make_log_keys(self, tenant: UUID, slug: str) -> None:
        self.log_keys.create(ROOT_LOG, "example.jp/log/root")
        self.log_keys.create(tenant, f"example.jp/log/{slug}")

    def archive(
        self, tenant: UUID, path: Path, key: TransferKey | None = None, reader: Reader = EVERYTHING
    ) -> Exported:
        """Publish and export; with a key everything, without one what is public."""
        Publisher(self.database, self.log_keys).publish_city(tenant)
        closed = Closed(reader, key) if key else None
        signers = self.log_keys.signers(tenant)
        return export(self.database, self.keys, signers, tenant, path, product=PRODUCT, closed=closed)

    def project(self) -> None:
        Worker(self.database, self.keys).catch_up()

    def rows(self, tenant: UUID) -> dict[str, list[tuple[Any, ...]]]:
        """Every row of every read model of the city."""
        with self.database.tenant(Role.PROJECTOR, tenant) as connection:
            return {
                model.name: sorted(
                    connection.execute(
                        f"SELECT {', '.join(model.table_columns)} FROM {SCHEMA}.{model.name} WHERE tenant_id = %s",
                        (tenant,),
                    ).fetchall(),
                    key=str,
                )
                for model in READ_MODELS
            }

    def texts(self, tenant: UUID) -> list[Any]:
        """Every disclosure, closed ones too."""
        return list(exported(self.database, self.keys, tenant, EVERYTHING))

    def traces(self, tenant: UUID) -> dict[str, int]:
        """How many rows the tables of cities hold for it."""
        tables = ("tenant", "tenant_head", "disclosure", "subject_key", "checkpoint", "log_key", "tree_node")
        with self.database.tenant(Role.OWNER, tenant) as connection:
            return {
                table: row[0]
                for table in (*tables, "event", "restoration")
                if (
                    row := connection.execute(
                        f"SELECT count(*) FROM {table} WHERE tenant_id = %s", (tenant,)
                    ).fetchone()
                )
                and row[0]
            }


def given(command: str, actor: str = "S", mode: str = "LIVE", day: str = "2026-06-01", **data: Any) -> Request:
    return Request.model_validate_json(
        json.dumps(
            {
                "command": command,
                "data": data,
                "valid": {"edtf": day},
                "actor": actor,
                "recorded_by": "S/officer",
                "mode": mode,
            }
        )
    )


def settle(home: Installation) -> Book:
    """The invented town, with more than 256 events and texts of every kind: public, closed, waiting and withdrawn."""
    book = home.enter(EXAMPLE)
    plan = book.plan()
    city = book.stream("city")
    for number in range(160):
        source = {"source": f"more-{number}", "date": "2026-01-01", "language": "ja", "publisher": f"発行所{number}"}
        plan.add(city, given("register-source", **source))
    plan.commit()
    define = given("define-programme", "T", programme="watching", title_ja="見守りの制度", rules={})
    book.execute(book.stream("programme", "watching"), define)
    partnership = book.stream("partnership", "L1")
    parties = [
        {"party": "npo", "kind": "NPO", "name_ja": "新しい会"},
        {"party": "person", "kind": "INDIVIDUAL", "name_ja": "山田花子"},
    ]
    story = (
        given("register-partnership", number="L1", programme="watching", title_ja="見守り", parties=parties),
        given("hold-meeting", "C", summary="話し合い", notes=SECRET_NOTE),
        given("submit-proposal", "P", submission=1, kind="NEW", objective=SECRET_TITLE, proposed_by="CITIZENS"),
    )
    for request in story:
        book.execute(partnership, request)
    return book


def withdrawn(book: Book, text: str) -> None:
    """Take a public text from publication."""
    from tenants.disclosures import public_texts

    with book.database.tenant(Role.APP, book.tenant) as connection:
        found = public_texts(connection, book.keys, book.tenant)
    digest = next(digest for digest, value in found.items() if value == text)
    withdraw(book, digest, reason="PERSONAL_DATA", by="S/desk", on=date(2026, 7, 1))


# --- Archives taken apart -----------------------------------------------------------------------------------


def members(path: Path) -> Members:
    """Every member with its content, in order."""
    found: Members = {}
    with path.open("rb") as file:
        offset, end = 0, path.stat().st_size
        while offset < end - 2_000 or len(found) == 0 or SEAL not in found:
            member = Member(file, offset)
            found[member.name] = b"".join(member.chunks())
            offset = member.end
    return found


def packed(path: Path, content: list[tuple[str, bytes]]) -> Path:
    """The members as an archive again, whole as a file whatever they say."""
    file = BytesIO()
    for name, data in content:
        write_member(file, name, len(data), [data])
    path.write_bytes(ended(file.getvalue()))
    return path


def ended(data: bytes) -> bytes:
    return data + end_of_archive(sha256_of(BytesIO(data), len(data)))


def sealed_again(content: Members, signer: Signer) -> list[tuple[str, bytes]]:
    """The members with a new seal, as only somebody with the key can make it."""
    from hashlib import sha256

    sums = ((name, sha256(data).hexdigest()) for name, data in content.items() if name != SEAL)
    return [*({**content, SEAL: signed(seal_text(sums), [signer]).encode()}).items()]


Change = Callable[[Members], Members]
