"""Texts beside the log: they open to what the digest says, and what is withdrawn or erased is gone everywhere else."""

from __future__ import annotations

import hashlib
import json
from base64 import urlsafe_b64decode
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.text import Visibility
from projections.rebuild import rebuild
from projections.replay import check
from projections.worker import Worker, lags
from tenants.book import Book, Request
from tenants.city_keys import CityKeys
from tenants.database import Database, Role
from tenants.disclosures import (
    CityDoor,
    DisclosureAltered,
    digest_of,
    digests,
    is_digest,
    masked,
    public_texts,
    seal,
    value_of,
)

PERSON = "山田花子"


def request(command: str, **data: Any) -> Request:
    actor = "T" if command == "define-programme" else "S"
    return Request(command=command, data=data, valid={"edtf": "XXXX"}, actor=actor, recorded_by="S/officer")


@pytest.fixture
def book(database: Database, keys: CityKeys, tenant: Callable[..., UUID]) -> Book:
    """A city with one partnership of an NPO and an individual."""
    city = tenant()
    keys.create(city)
    book = Book(database, keys, city)
    define = request("define-programme", programme="partnership", title_ja="協働の制度", rules={})
    book.execute(book.stream("programme", "partnership"), define)
    parties = [
        {"party": "npo", "kind": "NPO", "name_ja": "保育の会"},
        {"party": "person", "kind": "INDIVIDUAL", "name_ja": PERSON},
    ]
    registration = request(
        "register-partnership", number="P1", programme="partnership", title_ja="保育支援", parties=parties
    )
    book.execute(book.stream("partnership", "P1"), registration)
    return book


def open_rows(book: Book, query: str, *values: Any) -> list[tuple[Any, ...]]:
    """Rows as the owner sees them, closed ones too."""
    with book.database.tenant(Role.OWNER, book.tenant) as connection:
        cursor = connection.execute(query, values)
        return cursor.fetchall() if cursor.description else []


def texts(book: Book) -> dict[str, str]:
    with book.database.tenant(Role.APP, book.tenant) as connection:
        return public_texts(connection, book.keys, book.tenant)


def digest(book: Book, text: str) -> str:
    return next(found for found, value in texts(book).items() if value == text)


def shown(book: Book) -> tuple[Any, ...]:
    """Title, names and search text as the public finds them."""
    with book.database.connection(Role.READER) as connection:
        (row,) = connection.execute("SELECT title_ja, search_text FROM read_model.partnership").fetchall()
        names = connection.execute("SELECT name_ja FROM read_model.party ORDER BY place").fetchall()
    return (row[0], [name for (name,) in names], row[1].splitlines())


def project(book: Book) -> None:
    Worker(book.database, book.keys).catch_up()
    assert [lag.error for lag in lags(book.database)] == [None]


def rebuilt(book: Book) -> None:
    rebuild(book.database.urls.owner, book.keys.folder)
    assert check(book.database, book.keys, book.tenant) == []


def test_public_texts_open_and_hash_to_what_the_log_holds(book: Book) -> None:
    opened = texts(book)
    assert sorted(opened.values()) == ["保育の会", "保育支援", "協働の制度"]
    in_the_log = {
        found for (state,) in open_rows(book, "SELECT state FROM event") for found in digests(json.loads(state))
    }
    assert set(opened) < in_the_log
    assert len(in_the_log) == len(opened) + 1, "the person's name is in the log as a digest only"


def test_a_disclosure_is_the_one_of_rfc_9901(keys: CityKeys) -> None:
    door = CityDoor(keys, uuid4(), uuid4())
    named = door.seal("title_ja", "保育支援", Visibility.PUBLIC, None)
    (clear,) = door.clear
    salt, name, value = json.loads(urlsafe_b64decode(clear.disclosure + b"=" * (-len(clear.disclosure) % 4)))
    assert (name, value) == ("title_ja", "保育支援")
    assert len(urlsafe_b64decode(salt + "==")) == 16
    assert named == digest_of(clear.disclosure)
    # The digest of the disclosure in RFC 9901 §4.2.3.
    example = b"WyJfMjZiYzRMVC1hYzZxMktJNmNCVzVlcyIsICJmYW1pbHlfbmFtZSIsICJNw7ZiaXVzIl0"
    assert digest_of(example) == "X9yH0Ajrdm1Oij4tWso9UzzKJvPoDxwmuEcO3XAdRC0"
    assert value_of(example) == "Möbius"


@given(st.text(min_size=1, max_size=50))
def test_equal_texts_have_different_digests(text: str) -> None:
    door = CityDoor(CityKeys(Path("unused")), UUID(int=1), UUID(int=2))
    first, second = (door.seal("title_ja", text, Visibility.PUBLIC, None) for _ in range(2))
    assert first != second
    assert is_digest(first)
    assert [value_of(clear.disclosure) for clear in door.clear] == [text, text]


def test_the_name_of_an_individual_never_reaches_a_read_model(book: Book) -> None:
    project(book)
    assert shown(book) == ("保育支援", ["保育の会", None], ["p1", "保育支援", "保育の会"])
    with book.database.connection(Role.READER) as connection:
        tables = connection.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'read_model'"
        ).fetchall()
        for (table,) in tables:
            found = connection.execute(f"SELECT t::text FROM read_model.{table} t").fetchall()  # type: ignore[arg-type]
            assert PERSON not in "".join(row for (row,) in found)
    (sealed,) = open_rows(book, "SELECT sealed FROM disclosure WHERE visibility = 'PERSONAL'")
    assert PERSON.encode() not in sealed[0]


def test_a_withdrawn_text_is_masked_in_a_rebuild(book: Book) -> None:
    project(book)
    open_rows(
        book, "DELETE FROM disclosure WHERE tenant_id = %s AND digest = %s", book.tenant, digest(book, "保育支援")
    )
    assert {str(difference.column) for difference in check(book.database, book.keys, book.tenant)} >= {"title_ja"}
    rebuilt(book)
    assert shown(book) == (None, ["保育の会", None], ["p1", "保育の会"])


def test_destroying_a_subjects_key_masks_all_its_texts(book: Book) -> None:
    project(book)
    npo = str(book.keys.opaque(book.tenant, "party:npo"))
    open_rows(book, "DELETE FROM subject_key WHERE tenant_id = %s AND subject = %s", book.tenant, npo)
    rebuilt(book)
    assert shown(book) == ("保育支援", [None, None], ["p1", "保育支援"])
    stream = str(book.stream("partnership", "P1"))
    open_rows(book, "DELETE FROM subject_key WHERE tenant_id = %s AND subject = %s", book.tenant, stream)
    rebuilt(book)
    assert shown(book) == (None, [None, None], ["p1"])


def test_an_altered_disclosure_is_refused_and_stops_its_city(book: Book, database: Database) -> None:
    named = digest(book, "保育支援")
    with database.owner() as owner, owner.transaction():
        owner.execute(f"SET LOCAL kyodo.tenant = '{book.tenant}'")
        owner.execute(
            "UPDATE disclosure SET sealed = set_byte(sealed, 20, 255 - get_byte(sealed, 20)) WHERE digest = %s",
            (named,),
        )
    with pytest.raises(DisclosureAltered, match=named):
        texts(book)
    Worker(database, book.keys).catch_up()
    (lag,) = lags(database)
    assert lag.position == 0
    assert named in (lag.error or "")


def test_a_disclosure_under_another_digest_is_refused(book: Book, database: Database) -> None:
    """Ciphertexts cannot be exchanged: each is bound to its digest."""
    first, second = digest(book, "保育支援"), digest(book, "協働の制度")
    with database.owner() as owner, owner.transaction():
        owner.execute(f"SET LOCAL kyodo.tenant = '{book.tenant}'")
        owner.execute(
            "UPDATE disclosure d SET sealed = o.sealed, subject = o.subject"
            " FROM disclosure o WHERE d.digest = %s AND o.digest = %s",
            (first, second),
        )
    with pytest.raises(DisclosureAltered, match=first):
        texts(book)


def test_a_text_that_was_exchanged_by_somebody_with_the_keys_is_refused(book: Book, database: Database) -> None:
    named, stream = digest(book, "保育支援"), book.stream("partnership", "P1")
    door = CityDoor(book.keys, book.tenant, stream)
    door.seal("title_ja", "別の名前", Visibility.PUBLIC, None)
    forged = replace(door.clear[0], digest=named)
    with database.tenant(Role.APP, book.tenant) as connection:
        (sealed,), _ = seal(connection, book.keys, book.tenant, [(0, forged)])
    with database.owner() as owner, owner.transaction():
        owner.execute(f"SET LOCAL kyodo.tenant = '{book.tenant}'")
        owner.execute("UPDATE disclosure SET sealed = %s WHERE digest = %s", (sealed.sealed, named))
    with pytest.raises(DisclosureAltered, match=named):
        texts(book)


def test_a_wrong_city_key_is_noticed(book: Book, tmp_path: Path) -> None:
    other = CityKeys(tmp_path / "other")
    other.create(book.tenant)
    with book.database.tenant(Role.APP, book.tenant) as connection, pytest.raises(DisclosureAltered, match="subject"):
        public_texts(connection, other, book.tenant)


# --- Showing ------------------------------------------------------------------------------------------------


def test_masking_replaces_digests_and_nothing_else() -> None:
    known, unknown = (hashlib.sha256(n).digest() for n in (b"1", b"2"))
    known_digest, unknown_digest = (digest_of(n) for n in (known, unknown))
    data = {"a": known_digest, "b": [unknown_digest, "CODE", 5, None], "c": {"d": "x" * 42, "e": "あ" * 43 + "!"}}
    assert masked(data, {known_digest: "text"}, "[withheld]") == {
        "a": "text",
        "b": ["[withheld]", "CODE", 5, None],
        "c": {"d": "x" * 42, "e": "あ" * 43 + "!"},
    }
    assert sorted(digests(data)) == sorted([known_digest, unknown_digest])


@pytest.mark.parametrize("text", ["あ" * 43, "x" * 42 + "é", "x" * 42 + "²"])
def test_only_base64url_is_a_digest(text: str) -> None:
    assert not is_digest(text)
