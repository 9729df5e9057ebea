"""A city leaves with its history and comes in elsewhere: same log, same answers, closed texts for the entitled."""

from __future__ import annotations

import gzip
import stat
import tarfile
from pathlib import Path

import pytest

from projections.replay import check
from tenants.archive.export import export
from tenants.archive.format import ExportRefused, ImportRefused
from tenants.archive.importing import import_archive
from tenants.archive.transfer import TransferKey, TransferKeyWrong
from tenants.custody import Level, Reader, accesses
from tenants.database import Role
from tenants.key_files import KeyExposed
from tenants.ledger.note import Verifier, opened
from tenants.ledger.publish import Publisher
from tenants.ledger.store import PublishedLog
from tenants.ledger.tiles import tiles_of
from tests.tenants.archives.conftest import Left
from tests.tenants.archives.town import (
    CITIES,
    EVERYTHING,
    PRODUCT,
    SECRET_NOTE,
    SECRET_TITLE,
    Installation,
    given,
    installation,
    members,
)


def test_a_city_comes_in_with_the_same_root_rows_texts_and_checkpoint(left: Left, elsewhere: Installation) -> None:
    tenant = left.book.tenant
    done = import_archive(*elsewhere.parts, left.everything, transfer_key=left.key)
    assert (done.first, done.same_ids, done.opened) == (1, True, True)
    assert elsewhere.book(tenant).city_log.head() == left.book.city_log.head()
    elsewhere.project()
    assert elsewhere.rows(tenant) == left.home.rows(tenant)
    assert check(elsewhere.database, elsewhere.keys, tenant) == []
    assert elsewhere.texts(tenant) == left.home.texts(tenant)
    here, there = (PublishedLog(each.database, tenant) for each in (elsewhere, left.home))
    assert here.checkpoint() == there.checkpoint()
    assert here.keys() == there.keys()
    tiles = list(tiles_of(done.archive.log.size))
    assert [here.tile(tile) for tile in tiles] == [there.tile(tile) for tile in tiles]
    assert max(tile.level for tile in tiles) == 1, "the town's log is larger than one tile"


def test_anomalies_come_along(home: Installation, elsewhere: Installation, tmp_path: Path) -> None:
    book = home.enter(CITIES / "yamato")
    import_archive(*elsewhere.parts, home.archive(book.tenant, tmp_path / "yamato.tar.gz").path)
    for each in (home, elsewhere):
        each.project()
    assert home.rows(book.tenant)["anomaly"]
    assert elsewhere.rows(book.tenant) == home.rows(book.tenant)


def test_importing_again_adds_nothing(left: Left, elsewhere: Installation) -> None:
    import_archive(*elsewhere.parts, left.public)
    before = elsewhere.traces(left.book.tenant)
    again = import_archive(*elsewhere.parts, left.public)
    assert (again.first, again.texts, again.ahead) == (None, 0, 0)
    assert elsewhere.traces(left.book.tenant) == before


def test_the_log_goes_on_in_its_new_home(left: Left, elsewhere: Installation) -> None:
    tenant = left.book.tenant
    done = import_archive(*elsewhere.parts, left.everything, transfer_key=left.key)
    book = elsewhere.book(tenant)
    book.execute(book.stream("partnership", "L1"), given("hold-meeting", "C", summary="新しい家での話"))
    elsewhere.make_log_keys(tenant, "kaku-cho")
    published = Publisher(elsewhere.database, elsewhere.log_keys).publish_city(tenant)
    assert published.size == done.archive.log.size + 1
    text, _ = opened(published.note, [Verifier.of(done.new_key or "")])
    assert text.startswith("example.jp/log/kaku-cho\n"), "under the name that the log always had"
    ahead = import_archive(*elsewhere.parts, left.everything)
    assert (ahead.first, ahead.ahead) == (None, 1), "what was recorded here since is no other history"


def test_the_same_party_keeps_its_id_where_the_secret_came_along(left: Left, server, tmp_path: Path) -> None:
    tenant, keys = left.book.tenant, left.home.keys
    ids = []
    for name, key in (("entitled", left.key), ("public", None)):
        with installation(server, tmp_path / name) as home:
            done = import_archive(*home.parts, left.everything, transfer_key=key)
            ids.append((done.same_ids, home.keys.opaque(tenant, "party:npo") == keys.opaque(tenant, "party:npo")))
            wrapping = home.keys.newest(tenant)
            assert home.keys.path(tenant, wrapping).read_bytes() != keys.path(tenant, 1).read_bytes()
    assert ids == [(True, True), (False, False)]


def test_a_public_archive_holds_no_closed_text(left: Left) -> None:
    closed = [each for each in left.home.texts(left.book.tenant) if each.visibility != "PUBLIC" or each.embargo]
    assert len(closed) > 10
    whole = gzip.decompress(left.public.read_bytes())
    sealed = gzip.decompress(left.everything.read_bytes())
    for each in closed:
        assert each.digest.encode() in whole, "the log holds the digest"
        assert each.disclosure.encode() not in whole
        assert each.disclosure.encode() not in sealed
    for text in (SECRET_TITLE, SECRET_NOTE):
        assert text.encode() not in whole + sealed


def test_an_import_of_a_public_archive_shows_the_public_what_it_saw_before(left: Left, elsewhere: Installation) -> None:
    done = import_archive(*elsewhere.parts, left.public)
    elsewhere.project()
    assert elsewhere.rows(left.book.tenant) == left.home.rows(left.book.tenant)
    assert {(each.visibility, each.embargo) for each in elsewhere.texts(left.book.tenant)} == {("PUBLIC", None)}
    assert done.texts == done.archive.disclosures.public


def test_closed_texts_open_with_the_transfer_key_only(left: Left, elsewhere: Installation, tmp_path: Path) -> None:
    other, _ = TransferKey.made(tmp_path / "other.key")
    with pytest.raises(TransferKeyWrong, match=r"other\.key"):
        import_archive(*elsewhere.parts, left.everything, transfer_key=other)
    assert elsewhere.traces(left.book.tenant) == {}
    without = import_archive(*elsewhere.parts, left.everything)
    assert (without.opened, without.texts) == (False, without.archive.disclosures.public)


def test_every_closed_text_that_leaves_is_in_the_access_log(home: Installation, tmp_path: Path) -> None:
    book = home.enter(CITIES / "okayama")
    book.execute(book.stream("partnership", "O1"), given("hold-meeting", "C", notes=SECRET_NOTE))
    key, _ = TransferKey.made(tmp_path / "transfer.key")
    done = home.archive(book.tenant, tmp_path / "o.tar.gz", key)
    (entered,) = accesses(home.database, book.tenant)
    assert done.closed == 1
    assert (entered.reader, entered.purpose) == (EVERYTHING.who, EVERYTHING.purpose)


def test_a_lower_level_takes_less_and_never_the_secret_of_the_ids(left: Left, tmp_path: Path) -> None:
    reader = Reader(Level.CITY, "D/section", "handing over files")
    path = left.home.archive(left.book.tenant, tmp_path / "city.tar.gz", left.key, reader).path
    found, everything = members(path), members(left.everything)
    assert b"city_secret" in everything["disclosures/closed.jsonl"]
    assert b"city_secret" not in found["disclosures/closed.jsonl"]
    assert 0 < found["disclosures/closed.jsonl"].count(b"\n") < everything["disclosures/closed.jsonl"].count(b"\n")


def test_the_same_log_and_texts_give_the_same_bytes(left: Left, tmp_path: Path) -> None:
    for path, key in ((left.public, None), (left.everything, left.key)):
        again = left.home.archive(left.book.tenant, tmp_path / "again.tar.gz", key).path
        assert again.read_bytes() == path.read_bytes()


def test_bare_python_reads_an_archive(left: Left) -> None:
    with tarfile.open(left.everything) as archive:
        names = archive.getnames()
        programme = archive.extractfile("programmes/ordinance.json")
        assert programme is not None
        assert "versions" in programme.read().decode()
    assert names == list(members(left.everything))
    assert names[-2:] == ["manifest.json", "SHA256SUMS.note"]


def test_a_transfer_key_is_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "transfer.key"
    key, made = TransferKey.made(path)
    assert made
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_bytes().hex() not in repr(key)
    assert not TransferKey.made(path)[1]
    path.chmod(0o644)
    with pytest.raises(KeyExposed):
        TransferKey.read(path)
    path.chmod(0o600)
    path.write_bytes(b"short")
    with pytest.raises(TransferKeyWrong, match="5 bytes"):
        TransferKey.read(path)
    with pytest.raises(TransferKeyWrong, match="cannot be read"):
        TransferKey.read(tmp_path / "none")


def test_an_archive_needs_a_checkpoint_signed_here(left: Left, home: Installation, tmp_path: Path) -> None:
    book = home.enter(CITIES / "okayama")
    signers, path = home.log_keys.signers(book.tenant), tmp_path / "o.tar.gz"
    with pytest.raises(ExportRefused, match="nothing of this city's log is published"):
        export(home.database, home.keys, signers, book.tenant, path, product=PRODUCT)
    home.archive(book.tenant, path)
    others = left.home.log_keys.signers(left.book.tenant)
    with pytest.raises(ExportRefused, match="not signed with a key of this machine"):
        export(home.database, home.keys, others, book.tenant, path, product=PRODUCT)


def test_the_seal_is_checked_against_a_key_known_from_elsewhere(left: Left, elsewhere: Installation) -> None:
    (vkey,) = PublishedLog(left.home.database, left.book.tenant).keys()
    done = import_archive(*elsewhere.parts, left.public, key=Verifier.of(vkey))
    assert done.signed_by == vkey


def test_nobody_but_the_owner_may_restore_events(elsewhere: Installation, left: Left) -> None:
    from psycopg import errors

    for role in (Role.APP, Role.PROJECTOR, Role.READER, Role.AUDITOR):
        with (
            pytest.raises(errors.InsufficientPrivilege),
            elsewhere.database.tenant(role, left.book.tenant) as connection,
        ):
            connection.execute("SELECT restore_events(%s, '{}')", (left.book.tenant,))


def test_a_slug_that_another_city_has_is_refused_by_name(left: Left, elsewhere: Installation) -> None:
    with elsewhere.database.app() as connection:
        connection.execute("SELECT register_tenant(gen_random_uuid(), 'kaku-cho', NULL, '町', 'Town', 'MUNICIPALITY')")
    with pytest.raises(ImportRefused, match="kaku-cho is registered here as another city"):
        import_archive(*elsewhere.parts, left.public)
    assert elsewhere.traces(left.book.tenant) == {}
