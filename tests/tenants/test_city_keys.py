"""City keys: made once, read by their owner only, changed without touching a text, retired when nothing needs them."""

from __future__ import annotations

import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from tenants.book import Book, Request
from tenants.city_keys import CityKeys, KeyDamaged, KeyInUse, KeyMissing, KeyUnusable, WrongKey, retire, rewrap
from tenants.database import Database, Role
from tenants.disclosures import public_texts
from tests.writing import writing

SUBJECTS = 12


@pytest.fixture
def book(database: Database, keys: CityKeys, tenant: Callable[..., UUID]) -> Book:
    """A city with a dozen partnerships, so with a dozen subjects and a party's."""
    city = tenant()
    keys.create(city)
    book = Book(database, keys, city)
    plan = book.plan()
    plan.add(
        book.stream("programme", "partnership"),
        request("define-programme", programme="partnership", title_ja="制度", rules={}),
    )
    for number in range(SUBJECTS - 2):
        parties = [{"party": "npo", "kind": "NPO", "name_ja": "保育の会"}]
        registration = request(
            "register-partnership",
            number=f"P{number}",
            programme="partnership",
            title_ja=f"支援{number}",
            parties=parties,
        )
        plan.add(book.stream("partnership", f"P{number}"), registration)
    plan.commit()
    return book


def request(command: str, **data: object) -> Request:
    actor = "T" if command == "define-programme" else "S"
    return Request(command=command, data=data, valid={"edtf": "XXXX"}, actor=actor, recorded_by="S/officer")


def texts(book: Book, keys: CityKeys | None = None) -> dict[str, str]:
    with book.database.tenant(Role.APP, book.tenant) as connection:
        return public_texts(connection, keys or book.keys, book.tenant)


def versions(book: Book) -> dict[int, int]:
    """How many subjects' keys each version of the city's wraps."""
    with book.database.tenant(Role.OWNER, book.tenant) as connection:
        rows = connection.execute("SELECT key_version, count(*) FROM subject_key GROUP BY 1").fetchall()
    return dict(rows)


# --- Files --------------------------------------------------------------------------------------------------


def test_a_key_is_made_once_and_for_the_owner_only(keys: CityKeys) -> None:
    city = uuid4()
    keys.create(city)
    path = keys.path(city, 1)
    first = path.read_bytes()
    keys.create(city)
    assert path.read_bytes() == first
    assert len(first) == 32
    assert list(keys.folder.iterdir()) == [path]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(keys.folder.stat().st_mode) == 0o700


def test_a_key_that_many_make_at_once_is_one_key(keys: CityKeys) -> None:
    city = uuid4()

    def make(_: int) -> UUID:
        own = CityKeys(keys.folder)
        own.create(city)
        return own.opaque(city, "party:npo")

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(make, range(8)))) == 1
    assert len(list(keys.folder.iterdir())) == 1, "nothing half-made stays behind"


def test_a_missing_key_names_its_file(keys: CityKeys) -> None:
    city = uuid4()
    for use in (keys.check, lambda c: keys.opaque(c, "x"), lambda c: keys.wrap(c, "s", bytes(32)), keys.rotate):
        with pytest.raises(KeyMissing, match=str(keys.folder / f"{city}.key")):
            use(city)
    assert not keys.folder.exists(), "a key that is missing is not replaced by a new one"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_key_that_others_may_read_is_refused(keys: CityKeys, mode: int) -> None:
    city = uuid4()
    keys.create(city)
    keys.path(city, 1).chmod(mode)
    for refused in (keys.check, lambda c: keys.opaque(c, "party:npo")):
        with pytest.raises(KeyUnusable, match="chmod 600"):
            refused(city)


def test_a_key_of_another_length_is_refused(keys: CityKeys) -> None:
    city = uuid4()
    keys.create(city)
    keys.path(city, 1).write_bytes(b"short")
    with pytest.raises(KeyDamaged, match="5 bytes"):
        keys.check(city)


def test_what_one_subject_or_city_wrapped_does_not_open_for_another(keys: CityKeys) -> None:
    city, other = uuid4(), uuid4()
    keys.create(city)
    keys.create(other)
    version, wrapped = keys.wrap(city, "one", bytes(range(32)))
    assert keys.unwrap(city, version, "one", wrapped) == bytes(range(32))
    for tenant, subject, altered in ((city, "two", wrapped), (other, "one", wrapped), (city, "one", wrapped[:-1])):
        with pytest.raises(WrongKey, match=subject):
            keys.unwrap(tenant, version, subject, altered)


# --- Rotation -----------------------------------------------------------------------------------------------


def test_rotation_changes_the_wrapping_and_neither_texts_nor_ids(book: Book, keys: CityKeys) -> None:
    before, ids, asked = texts(book), keys.opaque(book.tenant, "party:npo"), keys.request_digest(book.tenant, b"{}")
    assert versions(book) == {1: SUBJECTS}
    with book.database.tenant(Role.OWNER, book.tenant) as connection:
        sealed = connection.execute("SELECT digest, sealed FROM disclosure ORDER BY 1").fetchall()
    assert keys.rotate(book.tenant) == 2
    assert texts(book) == before, "both versions open"
    assert list(rewrap(book.database, keys, book.tenant))[-1] == (SUBJECTS, SUBJECTS)
    assert versions(book) == {2: SUBJECTS}
    assert texts(book) == before
    assert (keys.opaque(book.tenant, "party:npo"), keys.request_digest(book.tenant, b"{}")) == (ids, asked)
    with book.database.tenant(Role.OWNER, book.tenant) as connection:
        assert connection.execute("SELECT digest, sealed FROM disclosure ORDER BY 1").fetchall() == sealed


def test_another_process_wraps_by_the_new_version_at_once_and_opens_both(book: Book, keys: CityKeys) -> None:
    elsewhere = Book(book.database, CityKeys(keys.folder), book.tenant)
    stream = book.stream("partnership", "P0")
    elsewhere.execute(stream, request("refine-objective", text="前の目的"))
    keys.rotate(book.tenant)
    parties = [{"party": "new", "kind": "NPO", "name_ja": "新しい会"}]
    elsewhere.execute(
        book.stream("partnership", "Q1"),
        request("register-partnership", number="Q1", programme="partnership", title_ja="新", parties=parties),
    )
    assert versions(book) == {1: SUBJECTS, 2: 2}
    assert {"前の目的", "新しい会"} < set(texts(book).values())


def test_rewrapping_can_be_interrupted_and_run_again(
    book: Book, keys: CityKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = texts(book)
    keys.rotate(book.tenant)
    monkeypatch.setattr("tenants.city_keys._BATCH", 5)
    assert next(rewrap(book.database, keys, book.tenant)) == (5, SUBJECTS)
    assert versions(book) == {1: SUBJECTS - 5, 2: 5}
    assert texts(book) == before
    assert list(rewrap(book.database, keys, book.tenant)) == [(5, SUBJECTS - 5), (SUBJECTS - 5, SUBJECTS - 5)]
    assert versions(book) == {2: SUBJECTS}
    assert list(rewrap(book.database, keys, book.tenant)) == []
    assert texts(book) == before


def test_a_version_is_retired_once_nothing_needs_it(book: Book, keys: CityKeys) -> None:
    before = texts(book)
    keys.rotate(book.tenant)
    list(rewrap(book.database, keys, book.tenant))
    with pytest.raises(KeyInUse, match="ids"):
        retire(book.database, keys, book.tenant, 1)
    with pytest.raises(KeyInUse, match="wraps the keys of 12 subjects"):
        retire(book.database, keys, book.tenant, 2)
    assert keys.rotate(book.tenant) == 3
    with pytest.raises(KeyInUse, match="wraps the keys of 12 subjects"):
        retire(book.database, keys, book.tenant, 2)
    list(rewrap(book.database, keys, book.tenant))
    retire(book.database, keys, book.tenant, 2)
    assert keys.versions(book.tenant) == [1, 3]
    assert texts(book, CityKeys(keys.folder)) == before
    with pytest.raises(KeyMissing, match="retired"):
        retire(book.database, keys, book.tenant, 2)
    assert keys.rotate(book.tenant) == 4, "a number is not used again"


def test_no_login_of_the_service_can_wrap_a_key_anew(book: Book) -> None:
    for role in (Role.APP, Role.PROJECTOR, Role.READER, Role.AUDITOR):
        for statement in ("UPDATE subject_key SET key_version = 9", "DELETE FROM subject_key", "TRUNCATE subject_key"):
            with pytest.raises(Exception, match="permission denied"), writing(book.database, role, book.tenant) as c:
                c.execute(statement)


def test_keys_are_found_in_a_folder_of_many_cities(tmp_path: Path) -> None:
    keys, cities = CityKeys(tmp_path), [uuid4() for _ in range(30)]
    for city in cities:
        keys.create(city)
    keys.rotate(cities[7])
    assert [keys.newest(city) for city in cities] == [2 if n == 7 else 1 for n in range(30)]
