"""Publication: what is signed follows from what was signed before, whatever became of the database."""

from __future__ import annotations

import logging
import random
import stat
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from tenants.database import Database, Role
from tenants.event_store import RecordedEvent, TenantRecorder
from tenants.ledger.checkpoint import Checkpoint
from tenants.ledger.keys import LogKeys
from tenants.ledger.merkle import (
    ProofWrong,
    check_consistency,
    check_inclusion,
    leaf_hash,
    tree_root,
)
from tenants.ledger.note import Signer, Verifier, opened, signed
from tenants.ledger.publish import HistoryChanged, Publisher, make_missing_keys
from tenants.ledger.store import ROOT_LOG, NotInLog, PublishedLog
from tenants.ledger.tiles import ENTRIES, Tile, bundle, tiles_of, unbundled
from tests.writing import writing


@pytest.fixture
def log_keys(tmp_path: Path) -> LogKeys:
    return LogKeys(tmp_path / "log")


def record(database: Database, tenant: UUID, count: int, stream: UUID | None = None, first: int = 1) -> None:
    stream = stream or uuid4()
    recorder = TenantRecorder(database, tenant)
    for start in range(0, count, 500):
        recorder.append(
            [
                RecordedEvent(stream, first + number, "Something", b'{"n":%d}' % number)
                for number in range(start, min(start + 500, count))
            ]
        )


@pytest.fixture
def city(database: Database, tenant, log_keys: LogKeys) -> UUID:
    known = tenant("kaku-cho")
    make_missing_keys(database, log_keys, "example.jp/log", {known: "kaku-cho"})
    return known


def test_a_checkpoint_is_signed_by_the_key_of_its_origin_and_covers_the_log(database, log_keys, city) -> None:
    record(database, city, 3)
    assert Publisher(database, log_keys).publish() == 2, "the city's and the root log's"
    log = PublishedLog(database, city)
    published = log.checkpoint()
    assert published is not None
    (vkey,) = log.keys()
    text, _ = opened(published.note, [Verifier.of(vkey)])
    head = TenantRecorder(database, city).head()
    assert Checkpoint.of(text) == Checkpoint("example.jp/log/kaku-cho", 3, head.root)
    assert Publisher(database, log_keys).publish() == 0, "nothing is new"


def test_the_root_log_holds_every_checkpoint_of_every_city(database, tenant, log_keys) -> None:
    cities = {tenant(f"town-{number}"): f"town-{number}" for number in range(3)}
    make_missing_keys(database, log_keys, "example.jp/log", cities)
    publisher = Publisher(database, log_keys)
    for each in [*cities, *list(cities)[:2]]:
        record(database, each, 2)
        publisher.publish()
    root = PublishedLog(database, ROOT_LOG)
    published = root.checkpoint()
    assert published is not None
    assert published.size == 5
    entries = [root.entry(position) for position in range(1, 6)]
    assert tree_root(map(leaf_hash, entries)) == published.root
    notes = {PublishedLog(database, each).at(2).note.encode() for each in cities}
    assert notes <= set(entries)


@pytest.mark.parametrize("size", [1, 255, 256, 257, 700])
def test_tiles_bundles_and_proofs_make_up_the_signed_tree(database, log_keys, city, size: int) -> None:
    record(database, city, size)
    publisher = Publisher(database, log_keys)
    publisher.publish()
    log = PublishedLog(database, city)
    published = log.checkpoint()
    assert published is not None
    entries: list[bytes] = []
    leaves: list[bytes] = []
    for tile in tiles_of(size):
        data = log.tile(tile)
        if tile.level == ENTRIES:
            entries += unbundled(data)
            assert bundle(list(unbundled(data))) == data
        elif tile.level == 0:
            leaves += [data[at : at + 32] for at in range(0, len(data), 32)]
        else:
            hashes = [data[at : at + 32] for at in range(0, len(data), 32)]
            assert hashes == [tree_root(leaves[n * 256 : n * 256 + 256]) for n in range(tile.width)]
    assert list(map(leaf_hash, entries)) == leaves
    assert tree_root(leaves) == published.root
    for position in {1, size // 2 or 1, size}:
        check_inclusion(log.inclusion(position, size), position - 1, size, leaves[position - 1], published.root)
    if size > 1:
        old = random.Random(size).randrange(1, size)
        check_consistency(log.consistency(old, size), old, size, tree_root(leaves[:old]), published.root)


def test_what_no_checkpoint_covers_is_not_published(database, log_keys, city) -> None:
    log = PublishedLog(database, city)
    record(database, city, 3)
    with pytest.raises(NotInLog, match="beyond the latest checkpoint"):
        log.tile(Tile(0, 0, 3))
    Publisher(database, log_keys).publish()
    record(database, city, 3)
    assert len(log.tile(Tile(0, 0, 3))) == 96
    for beyond in (Tile(0, 0, 4), Tile(ENTRIES, 0), Tile(1, 0, 1), Tile(0, 1, 1)):
        with pytest.raises(NotInLog):
            log.tile(beyond)
    with pytest.raises(NotInLog):
        log.proof(4)


def alter(server_url: str, statement: str) -> None:
    import psycopg

    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(statement)


@pytest.fixture
def superuser(server, database) -> str:
    from psycopg.conninfo import conninfo_to_dict, make_conninfo

    name = conninfo_to_dict(database.urls.owner)["dbname"]
    return make_conninfo(**{**conninfo_to_dict(server.superuser), "dbname": name})


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE event SET state = '{\"n\":9}' WHERE position = 5", "position 5 is not what was recorded"),
        ("UPDATE event SET actor = 'A/other' WHERE position = 6", "position 6 is not what was recorded"),
        ("DELETE FROM event WHERE position = 4", "position 4 is missing"),
        ("UPDATE tenant_head SET root = sha256('x')", "does not follow from what was signed"),
        ("UPDATE tenant_head SET size = 2", "positions 3 to 3 are missing"),
        ("UPDATE checkpoint SET root = sha256('x')", "does not follow from what was signed here before"),
    ],
)
def test_a_changed_history_is_never_signed(
    database, log_keys, city, superuser, caplog, statement: str, said: str
) -> None:
    record(database, city, 3)
    publisher = Publisher(database, log_keys)
    publisher.publish()
    record(database, city, 3)
    alter(superuser, statement)
    with caplog.at_level(logging.ERROR):
        assert publisher.publish() == 0
        assert publisher.publish() == 0
    (message,) = [entry.getMessage() for entry in caplog.records if str(city) in entry.getMessage()]
    assert said in message, "said once, not every round"
    published = PublishedLog(database, city).checkpoint()
    assert published is not None
    assert published.size == 3


def test_a_change_of_what_was_signed_is_outlived_by_the_next_checkpoint(database, log_keys, city, superuser) -> None:
    """The publisher goes on from the tree that it signed, so that the next checkpoint contradicts the change."""
    record(database, city, 3)
    publisher = Publisher(database, log_keys)
    publisher.publish()
    before = PublishedLog(database, city).entry(2)
    alter(superuser, "UPDATE event SET actor = 'A/other', leaf = sha256('x') WHERE position = 2")
    record(database, city, 1)
    publisher.publish()
    published = PublishedLog(database, city).checkpoint()
    assert published is not None
    assert published.size == 4
    log = PublishedLog(database, city)
    with pytest.raises(ProofWrong):
        check_inclusion(log.inclusion(2, 4), 1, 4, leaf_hash(log.entry(2)), published.root)
    leaves = [leaf_hash(log.entry(position)) for position in (1, 3, 4)]
    assert tree_root([leaves[0], leaf_hash(before), *leaves[1:]]) == published.root


def test_a_log_that_went_back_with_its_checkpoints_is_noticed(database, log_keys, city, superuser, caplog) -> None:
    record(database, city, 3)
    publisher = Publisher(database, log_keys)
    publisher.publish()
    head = TenantRecorder(database, city).head()
    record(database, city, 3)
    publisher.publish()
    frontier = ", ".join(f"'\\x{each.hex()}'::bytea" for each in head.frontier)
    alter(
        superuser,
        f"DELETE FROM event WHERE position > 3; DELETE FROM checkpoint WHERE size > 3;"
        f"UPDATE tenant_head SET size = 3, root = '\\x{head.root.hex()}', frontier = ARRAY[{frontier}]",
    )
    with caplog.at_level(logging.ERROR):
        assert publisher.publish() == 0
    assert "positions 4 to 6 are missing" in caplog.text


def test_another_machine_goes_on_from_the_checkpoint_that_follows_from_its_own(
    database, log_keys, city, tmp_path
) -> None:
    record(database, city, 300)
    Publisher(database, log_keys).publish()
    elsewhere = tmp_path / "elsewhere"
    import shutil

    shutil.copytree(log_keys.folder, elsewhere)
    for forgotten in elsewhere.glob("*/signed.json"):
        forgotten.unlink()
    record(database, city, 300)
    assert Publisher(database, LogKeys(elsewhere)).publish() == 2
    record(database, city, 5)
    assert Publisher(database, log_keys).publish() == 2, "the first machine follows what the second one signed"
    published = PublishedLog(database, city).checkpoint()
    assert published is not None
    assert published.root == TenantRecorder(database, city).head().root


def test_a_key_is_made_once_and_only_for_a_log_that_was_never_signed(database, log_keys, city, tmp_path) -> None:
    assert make_missing_keys(database, log_keys, "example.jp/log", {city: "kaku-cho"}) == []
    record(database, city, 1)
    Publisher(database, log_keys).publish()
    assert make_missing_keys(database, LogKeys(tmp_path / "lost"), "example.jp/log", {city: "kaku-cho"}) == []
    for path in log_keys.folder.glob("*/*.key"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_log_without_its_key_keeps_its_last_checkpoint_and_says_so(database, log_keys, city, caplog) -> None:
    record(database, city, 1)
    with caplog.at_level(logging.ERROR):
        Publisher(database, LogKeys(log_keys.folder / "elsewhere")).publish()
    assert "kyodo keys create" in caplog.text


def test_old_and_new_key_sign_together_until_the_old_one_is_retired(database, log_keys, city) -> None:
    publisher = Publisher(database, log_keys)
    record(database, city, 1)
    publisher.publish()
    (first,) = PublishedLog(database, city).keys()
    second = log_keys.rotate(city).verifier
    record(database, city, 1)
    publisher.publish()
    both = PublishedLog(database, city).checkpoint()
    assert both is not None
    assert opened(both.note, [Verifier.of(first)])[1] == [Verifier.of(first)]
    assert opened(both.note, [second])[1] == [second]
    assert PublishedLog(database, city).keys() == [first, second.vkey]
    assert [each.verifier.vkey for each in log_keys.retire(city)] == [first]
    record(database, city, 1)
    publisher.publish()
    last = PublishedLog(database, city).checkpoint()
    assert last is not None
    assert opened(last.note, [Verifier.of(first), second])[1] == [second]


def test_no_login_of_the_service_can_change_or_remove_what_was_published(database, log_keys, city) -> None:
    import psycopg

    record(database, city, 1)
    Publisher(database, log_keys).publish()
    for role in (Role.APP, Role.PROJECTOR, Role.READER, Role.AUDITOR):
        for table in ("checkpoint", "tree_node", "log_key", "cosignature", "root_entry", "checkpoint_timestamp"):
            for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET tenant_id = tenant_id", f"TRUNCATE {table}"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege), writing(database, role, city) as connection:
                    connection.execute(statement)


def test_the_publisher_that_was_refused_says_what_is_missing(database, log_keys, city) -> None:
    with pytest.raises(HistoryChanged, match="no events"):
        Publisher(database, log_keys).publish_city(city)


def test_a_log_at_rest_is_signed_again_when_its_keys_change(database, log_keys, city) -> None:
    record(database, city, 2)
    publisher = Publisher(database, log_keys)
    publisher.publish()
    second = log_keys.rotate(city).verifier
    assert publisher.publish() == 2, "the same size, by both keys, and the root log that covers it"
    log = PublishedLog(database, city)
    assert log.keys()[-1] == second.vkey, "the newest key comes last, though both came into use at once"
    published = log.checkpoint()
    assert published is not None
    assert (published.size, opened(published.note, [second])[1]) == (2, [second])
    root = PublishedLog(database, ROOT_LOG)
    assert root.entry(2) == published.note.encode()
    assert publisher.publish() == 0


def test_the_root_log_takes_no_entry_that_no_citys_key_signed(database, log_keys, city, superuser, caplog) -> None:
    record(database, city, 2)
    publisher = Publisher(database, log_keys)
    publisher.publish()
    forged = signed(
        Checkpoint("example.jp/log/kaku-cho", 9, bytes(32)).text, [Signer.create("example.jp/log/kaku-cho")]
    )
    alter(superuser, f"INSERT INTO root_entry VALUES ('{city}', 9, 2, convert_to('{forged}', 'UTF8'))")
    record(database, city, 1)
    with caplog.at_level(logging.ERROR):
        assert publisher.publish() == 1, "the city's log goes on"
    assert "position 2 of the root log was not signed here" in caplog.text
    published = PublishedLog(database, ROOT_LOG).checkpoint()
    assert published is not None
    assert published.size == 1
