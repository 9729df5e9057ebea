"""Exports and imports that were interrupted go on; what is here in part or otherwise is completed or refused."""

from __future__ import annotations

import fcntl
import random
from datetime import date
from pathlib import Path
from uuid import UUID

import pytest

from projections.replay import check
from projections.worker import lags
from tenants import custody, registry
from tenants.archive.format import ExportRefused, ImportRefused
from tenants.archive.importing import import_archive
from tenants.archive.judging import judge
from tenants.archive.reading import opened_archive
from tenants.archive.restoring import Restoration
from tenants.book import Book
from tenants.database import Role
from tenants.disclosures import public_texts
from tests.tenants.archives.conftest import Left
from tests.tenants.archives.town import CITIES, Installation, given, settle, withdrawn


def part_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.part")


def test_an_interrupted_export_goes_on_to_the_same_bytes(left: Left, tmp_path: Path) -> None:
    whole, path, places = left.public.read_bytes(), tmp_path / "archive.tar.gz", random.Random(3)
    kept = []
    for length in (0, len(whole), *(places.randrange(len(whole)) for _ in range(3))):
        part_of(path).write_bytes(whole[:length])
        kept.append(left.home.archive(left.book.tenant, path).kept)
        assert path.read_bytes() == whole
        assert not part_of(path).exists()
    assert kept[:2] == [0, 2], "the town has one full bundle and its hashes"


def test_a_part_of_another_archive_is_not_built_upon(left: Left, home: Installation, tmp_path: Path) -> None:
    other = settle(home)
    path = tmp_path / "archive.tar.gz"
    part_of(path).write_bytes(left.public.read_bytes())
    done = home.archive(other.tenant, path)
    assert done.kept == 0
    assert done.root == other.city_log.head().root


def test_an_export_goes_on_after_the_log_has_grown(home: Installation, tmp_path: Path) -> None:
    book, path = settle(home), tmp_path / "archive.tar.gz"
    earlier = home.archive(book.tenant, tmp_path / "earlier.tar.gz")
    part_of(path).write_bytes(earlier.path.read_bytes())
    book.execute(book.stream("partnership", "L1"), given("hold-meeting", "C", summary="あとから"))
    done = home.archive(book.tenant, path)
    assert (done.kept, done.size) == (2, earlier.size + 1)
    assert path.read_bytes() == home.archive(book.tenant, tmp_path / "fresh.tar.gz").path.read_bytes()


def test_two_exports_do_not_write_one_file(left: Left, tmp_path: Path) -> None:
    path = tmp_path / "archive.tar.gz"
    with part_of(path).open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(ExportRefused, match="another export is writing"):
            left.home.archive(left.book.tenant, path)
    with pytest.raises(ExportRefused, match="cannot be written"):
        left.home.archive(left.book.tenant, tmp_path / "none" / "archive.tar.gz")


def begun(home: Installation, archive: Path) -> int:
    """An import that stops after its first bundle, as one that is killed does."""
    with opened_archive(archive) as opened, home.database.owner() as connection:
        judged = judge(opened, None, set())
        restoration = Restoration(connection, home.keys, opened, judged, None)
        restoration.begin(grows=False)
        tenant = UUID(opened.manifest.city.id)
        with connection.transaction():
            connection.execute(f"SET LOCAL kyodo.tenant = '{tenant}'")
            first = next(opened.bundles())
            connection.execute("SELECT restore_events(%s, %s::bytea[])", (tenant, first))
        return restoration.size()


def test_an_unfinished_import_shows_nothing_and_goes_on(left: Left, elsewhere: Installation) -> None:
    assert begun(elsewhere, left.public) == 256
    assert registry.tenants(elsewhere.database) == []
    assert lags(elsewhere.database) == []
    assert elsewhere.traces(left.book.tenant) == {"event": 256, "restoration": 1}
    done = import_archive(*elsewhere.parts, left.public)
    assert done.first == 257
    assert "restoration" not in elsewhere.traces(left.book.tenant)
    elsewhere.project()
    assert elsewhere.rows(left.book.tenant) == left.home.rows(left.book.tenant)


def another_history(home: Installation, tenant: UUID) -> Book:
    """A city of the same id and slug to which something else happened."""
    with home.database.app() as connection:
        connection.execute("SELECT register_tenant(%s, 'kaku-cho', NULL, '町', 'Town', 'MUNICIPALITY')", (tenant,))
    home.keys.create(tenant)
    book = home.book(tenant)
    for number in range(3):
        book.execute(book.stream("city"), given("register-source", source=f"s-{number}", date="2026", language="ja"))
    home.make_log_keys(tenant, "kaku-cho")
    return book


def test_another_history_of_the_city_is_refused_by_the_first_position(
    left: Left, elsewhere: Installation, tmp_path: Path
) -> None:
    book = another_history(elsewhere, left.book.tenant)
    before = elsewhere.traces(book.tenant)
    with pytest.raises(ImportRefused, match="kaku-cho is registered here with another history: position 1 "):
        import_archive(*elsewhere.parts, left.public, complete=True)
    assert elsewhere.traces(book.tenant) == before
    path = elsewhere.archive(book.tenant, tmp_path / "other.tar.gz").path
    with pytest.raises(ImportRefused, match="another history: position 1 "):
        import_archive(*left.home.parts, path)


def test_what_an_unfinished_import_of_another_history_left_is_discarded_on_request(
    left: Left, home: Installation, elsewhere: Installation, tmp_path: Path
) -> None:
    book = another_history(home, left.book.tenant)
    other = home.archive(book.tenant, tmp_path / "other.tar.gz").path
    begun(elsewhere, left.public)
    with pytest.raises(ImportRefused, match="--restart"):
        import_archive(*elsewhere.parts, other)
    done = import_archive(*elsewhere.parts, other, restart=True)
    assert (done.first, done.archive.log.size) == (1, 3)
    assert elsewhere.book(book.tenant).city_log.head() == book.city_log.head()


def test_one_import_of_a_city_runs_at_a_time(left: Left, elsewhere: Installation) -> None:
    from tenants.archive.importing import _alone

    with (
        _alone(elsewhere.database, left.book.tenant),
        pytest.raises(ImportRefused, match="another import of this city is running"),
    ):
        import_archive(*elsewhere.parts, left.public)


def test_a_key_that_would_give_other_ids_is_refused(left: Left, elsewhere: Installation) -> None:
    elsewhere.keys.create(left.book.tenant)
    with pytest.raises(ImportRefused, match="holds another key than the archive brings"):
        import_archive(*elsewhere.parts, left.everything, transfer_key=left.key)
    assert elsewhere.traces(left.book.tenant) == {}


def public(home: Installation, tenant: UUID) -> set[str]:
    with home.database.tenant(Role.APP, tenant) as connection:
        return set(public_texts(connection, home.keys, tenant).values())


def test_a_city_restored_from_an_older_copy_is_completed(
    home: Installation, elsewhere: Installation, tmp_path: Path
) -> None:
    book = home.enter(CITIES / "okayama")
    partnership = book.stream("partnership", "M1")
    define = given("define-programme", "T", programme="watching", title_ja="見守りの制度", rules={})
    book.execute(book.stream("programme", "watching"), define)
    parties = [{"party": "npo", "kind": "NPO", "name_ja": "消える会"}]
    book.execute(
        partnership,
        given("register-partnership", number="M1", programme="watching", title_ja="誤りのある題", parties=parties),
    )
    older = home.archive(book.tenant, tmp_path / "older.tar.gz").path
    import_archive(*elsewhere.parts, older)
    elsewhere.project()
    withdrawn(book, "誤りのある題")
    custody.erase(
        book, "npo", basis="REQUEST", decided_by="npo", by="T/admin", approved_by="Z/second", on=date(2026, 7, 2)
    )
    book.execute(partnership, given("hold-meeting", "C", summary="その後の話し合い"))
    newer = home.archive(book.tenant, tmp_path / "newer.tar.gz").path
    with pytest.raises(ImportRefused, match="--complete"):
        import_archive(*elsewhere.parts, newer)
    assert {"誤りのある題", "消える会"} <= public(elsewhere, book.tenant)
    done = import_archive(*elsewhere.parts, newer, complete=True)
    assert done.archive.log.size - (done.first or 0) + 1 == 3
    assert elsewhere.book(book.tenant).city_log.head() == book.city_log.head()
    shown = public(elsewhere, book.tenant)
    assert "その後の話し合い" in shown
    assert not {"誤りのある題", "消える会"} & shown, "what was withdrawn or erased meanwhile is so here too"
    for each in (home, elsewhere):
        each.project()
    assert elsewhere.rows(book.tenant) == home.rows(book.tenant)
    assert check(elsewhere.database, elsewhere.keys, book.tenant) == []
