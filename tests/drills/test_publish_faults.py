"""A publisher that dies at any of its steps, before or after the step took effect, and the round after it.

Every step is a row of the table: each statement and each commit that it sends, and the one file that it writes. What
was written by then stays, what was not committed is gone, as when a process is killed. The round that follows must end
where it would have ended without the death.
"""

from __future__ import annotations

import logging
import re
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar, cast
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from tenants.database import Connection, Database, Role, Urls, database_name, set_tenant
from tenants.event_store import RecordedEvent, TenantRecorder
from tenants.ledger.checkpoint import Checkpoint
from tenants.ledger.keys import LogKeys
from tenants.ledger.merkle import Frontier, check_consistency, leaf_hash, perfect_root, tree_root
from tenants.ledger.note import Signer, Verifier, opened, signed
from tenants.ledger.publish import Publisher, make_missing_keys
from tenants.ledger.store import ROOT_LOG, PublishedLog, entries
from tenants.ledger.tiles import Tile

if TYPE_CHECKING:
    from tests.conftest import Server

FIRST, SECOND, THIRD = 254, 257, 259
"""Sizes at which the log is published: the death is on the way to the second, which closes a tile."""

DURABLE = {
    "INSERT INTO tree_node",
    "write signed.json",
    "INSERT INTO checkpoint",
    "INSERT INTO log_key",
    "INSERT INTO root_entry",
    "COMMIT",
}
Done = TypeVar("Done")


class Fault(Enum):
    """How far the step got with which the publisher dies."""

    NOT_PERSISTED = "not persisted"
    PERSISTED = "persisted"


class Killed(BaseException):
    """The process is gone: nothing of it goes on, and nothing of it is caught."""


@dataclass
class Fate:
    """Counts steps, and ends the process at one of them; at none where `at` is None."""

    at: int | None = None
    fault: Fault = Fault.PERSISTED
    steps: list[str] = field(default_factory=list)

    def step(self, name: str, work: Callable[[], Done]) -> Done:
        """Do the work, unless this is where the publisher dies before it."""
        now = len(self.steps)
        self.steps.append(name)
        if now == self.at and self.fault is Fault.NOT_PERSISTED:
            raise Killed(name)
        done = work()
        if now == self.at:
            raise Killed(name)
        return done


class MortalDatabase(Database):
    """The database of a publisher whose every statement is a step of its fate."""

    def __init__(self, urls: Urls, fate: Fate) -> None:
        super().__init__(urls)
        self.fate = fate

    @contextmanager
    def connection(self, role: Role) -> Iterator[Connection]:
        with super().connection(role) as connection:
            yield cast("Connection", _Watched(connection, self.fate))

    @contextmanager
    def tenant(self, role: Role, tenant_id: UUID) -> Iterator[Connection]:
        with super().connection(role) as connection:
            connection.execute(f"BEGIN; {set_tenant(tenant_id)}")
            try:
                yield cast("Connection", _Watched(connection, self.fate))
                self.fate.step("COMMIT", connection.commit)
            except BaseException:
                connection.rollback()
                raise


@dataclass
class _Watched:
    """A connection or cursor whose statements are steps; everything else is that of the real one."""

    real: Any
    fate: Fate

    def execute(self, query: str, *arguments: Any, **options: Any) -> Any:
        return self.fate.step(_name(query), lambda: self.real.execute(query, *arguments, **options))

    def executemany(self, query: str, *arguments: Any) -> Any:
        return self.fate.step(_name(query), lambda: self.real.executemany(query, *arguments))

    @contextmanager
    def cursor(self) -> Iterator[Any]:
        with self.real.cursor() as cursor:
            yield _Watched(cursor, self.fate)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


def _name(query: str) -> str:
    """`INSERT INTO checkpoint`, or the beginning of what is only read."""
    found = re.match(r"\s*(INSERT INTO \w+)", query)
    return found[1] if found else " ".join(query.split())[:60]


class MortalKeys(LogKeys):
    """Keys beside which the publisher's fate decides whether a signed tree is written down."""

    fate = Fate()

    def sign(self, log: UUID, tree: Frontier) -> None:
        self.fate.step("write signed.json", lambda: super(MortalKeys, self).sign(log, tree))


@dataclass
class Rounds:
    """Cities of one database, each published up to FIRST and then once more by a publisher with a fate."""

    database: Database
    keys: LogKeys
    count: int = 0

    def city(self) -> UUID:
        """A new city whose log is published up to FIRST and has SECOND events."""
        self.count += 1
        city, slug = uuid4(), f"town-{self.count}"
        with self.database.app() as connection:
            connection.execute("SELECT register_tenant(%s, %s, NULL, '町', 'Town', 'MUNICIPALITY')", (city, slug))
        make_missing_keys(self.database, self.keys, "example.jp/log", {city: slug})
        self.record(city, FIRST)
        Publisher(self.database, self.keys).publish()
        self.record(city, SECOND)
        return city

    def record(self, city: UUID, up_to: int) -> None:
        """Make the log that long."""
        recorder = TenantRecorder(self.database, city)
        size = recorder.head().size
        recorder.append([RecordedEvent(uuid4(), 1, "Something", b'{"n":%d}' % at) for at in range(size, up_to)])

    def dies(self, fate: Fate) -> bool:
        """One round of a publisher with this fate; whether it died."""
        mortal = MortalDatabase(self.database.urls, fate)
        keys = MortalKeys(self.keys.folder)
        keys.fate = fate
        try:
            Publisher(mortal, keys).publish()
        except Killed:
            return True
        finally:
            mortal.close()
        return False

    def check(self, city: UUID, sizes: list[int]) -> None:
        """The published state is the only correct one: signed, whole, and grown from what was signed before."""
        head = TenantRecorder(self.database, city).head()
        log = PublishedLog(self.database, city)
        with self.database.tenant(Role.PROJECTOR, city) as connection:
            leaves = list(map(leaf_hash, entries(connection, city, 0, head.size)))
        vkeys = log.keys()
        assert len(vkeys) == 1
        assert self._column("SELECT size FROM checkpoint WHERE tenant_id = %s ORDER BY size", city) == sizes
        for size in sizes:
            published = log.at(size)
            assert published.root == tree_root(leaves[:size])
            text, _ = opened(published.note, [Verifier.of(vkeys[0])])
            assert Checkpoint.of(text) == Checkpoint(Verifier.of(vkeys[0]).name, size, published.root)
        assert self.keys.signed(city) == Frontier(head.size, head.frontier)
        assert log.tile(Tile(1, 0, 1)) == perfect_root(leaves[:256])
        for old, new in pairwise(sizes):
            check_consistency(log.consistency(old, new), old, new, log.at(old).root, log.at(new).root)

    def check_root_log(self, city: UUID, sizes: list[int]) -> None:
        """The root log holds each checkpoint of the city once, in their order, and covers all it holds."""
        root = PublishedLog(self.database, ROOT_LOG)
        places = self._column("SELECT position FROM root_entry WHERE tenant_id = %s ORDER BY size", city)
        assert len(places) == len(sizes)
        assert places == sorted(places)
        notes = [PublishedLog(self.database, city).at(size).note.encode() for size in sizes]
        assert [root.entry(position) for position in places] == notes
        everything = self._column("SELECT position FROM root_entry ORDER BY position")
        assert everything == list(range(1, len(everything) + 1))
        published = root.checkpoint()
        assert published is not None
        assert published.size == len(everything)
        assert published.root == tree_root(leaf_hash(root.entry(position)) for position in everything)
        signed = self.keys.signed(ROOT_LOG)
        assert signed is not None
        assert (signed.size, signed.root()) == (published.size, published.root)

    def _column(self, query: str, *parameters: Any) -> list[Any]:
        with self.database.reader() as connection:
            return [value for (value,) in connection.execute(query, parameters).fetchall()]


@pytest.fixture
def rounds(database: Database, log_keys: LogKeys) -> Rounds:
    return Rounds(database, log_keys)


@pytest.mark.parametrize("fault", Fault, ids=lambda fault: fault.value)
def test_a_publisher_that_dies_at_any_step_ends_where_it_would_have_ended(rounds: Rounds, fault: Fault) -> None:
    whole = Fate()
    city = rounds.city()
    assert not rounds.dies(whole)
    rounds.check(city, [FIRST, SECOND])
    assert set(whole.steps) >= DURABLE, "every step that leaves something behind is in the table"
    assert whole.steps.count("write signed.json") == 2, "the city's and the root log's"
    for at, name in enumerate(whole.steps):
        city = rounds.city()
        assert rounds.dies(Fate(at, fault)), f"{fault.value}: step {at}, {name}"
        assert not rounds.dies(Fate()), f"after {fault.value}: step {at}, {name}"
        rounds.check(city, [FIRST, SECOND])
    rounds.check_root_log(city, [FIRST, SECOND])


@pytest.mark.parametrize("fault", Fault, ids=lambda fault: fault.value)
def test_events_recorded_between_the_death_and_the_next_round_are_signed_with_the_rest(
    rounds: Rounds, fault: Fault
) -> None:
    whole = Fate()
    rounds.city()
    rounds.dies(whole)
    for at in (number for number, name in enumerate(whole.steps) if name in DURABLE):
        city = rounds.city()
        assert rounds.dies(Fate(at, fault))
        published = PublishedLog(rounds.database, city).checkpoint()
        assert published is not None
        rounds.record(city, THIRD)
        assert not rounds.dies(Fate())
        sizes = sorted({FIRST, published.size, THIRD})
        rounds.check(city, sizes)
        rounds.check_root_log(city, sizes)


def test_what_a_death_left_of_the_file_beside_the_keys_is_not_read(rounds: Rounds) -> None:
    """The file is replaced whole, so that a half-written one has another name."""
    city = rounds.city()
    folder = rounds.keys.folder / str(city)
    (folder / "signed.json.abc.new").write_text('{"size": 52')
    assert not rounds.dies(Fate())
    rounds.check(city, [FIRST, SECOND])


def test_a_signed_tree_that_no_checkpoint_shows_is_kept_to(rounds: Rounds) -> None:
    """What was signed may have been seen, although the database does not have it: no other history is signed after."""
    city = rounds.city()
    steps = Fate()
    rounds.dies(steps)
    city = rounds.city()
    assert rounds.dies(Fate(steps.steps.index("write signed.json"), Fault.PERSISTED))
    kept = rounds.keys.signed(city)
    assert kept is not None
    assert kept.size == SECOND
    published = PublishedLog(rounds.database, city).checkpoint()
    assert published is not None
    assert published.size == FIRST
    assert not rounds.dies(Fate())
    after = PublishedLog(rounds.database, city).at(SECOND)
    assert after.root == kept.root()
    assert b64decode(after.note.split("\n")[2]) == kept.root()


Damage = Callable[[Rounds, str, UUID], None]


def _torn_file(rounds: Rounds, _: str, city: UUID) -> None:
    (rounds.keys.folder / str(city) / "signed.json").write_text('{"size": 25')


def _file_that_cannot_be_read(rounds: Rounds, _: str, city: UUID) -> None:
    (rounds.keys.folder / str(city) / "signed.json").unlink()
    (rounds.keys.folder / str(city) / "signed.json").mkdir()


def _entry_that_is_no_text(_: Rounds, superuser: str, city: UUID) -> None:
    with psycopg.connect(superuser) as sql:
        sql.execute("UPDATE event SET state = '\\xff' WHERE tenant_id = %s AND position = %s", (city, THIRD))


def _checkpoint_of_another_key(rounds: Rounds, superuser: str, city: UUID) -> None:
    forged = Signer.create("example.jp/log/forged")
    head = TenantRecorder(rounds.database, city).head()
    note = signed(Checkpoint(forged.name, head.size, head.root).text, [forged])
    with psycopg.connect(superuser) as sql:
        sql.execute("INSERT INTO checkpoint VALUES (%s, %s, %s, %s, now())", (city, head.size, head.root, note))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (_torn_file, "signed.json: What was last signed"),
        (_file_that_cannot_be_read, "signed.json"),
        (_entry_that_is_no_text, "invalid byte sequence"),
        (_checkpoint_of_another_key, "the note is not signed by"),
    ],
    ids=lambda value: value.__name__.strip("_") if callable(value) else "",
)
def test_a_log_that_cannot_be_signed_keeps_no_other_waiting(
    rounds: Rounds, superuser: str, caplog: pytest.LogCaptureFixture, damage: Damage, said: str
) -> None:
    first, second = sorted((rounds.city(), rounds.city()))  # in the order in which they are signed
    for city in (first, second):
        rounds.record(city, THIRD)
    damage(rounds, superuser, first)
    publisher = Publisher(rounds.database, rounds.keys)
    with caplog.at_level(logging.ERROR):
        assert publisher.publish() == 2, "the other city's and the root log's"
        assert publisher.publish() == 0
    (message,) = [entry.getMessage() for entry in caplog.records]
    assert str(first) in message
    assert said in message
    published = PublishedLog(rounds.database, second).checkpoint()
    assert published is not None
    assert published.size == THIRD


def test_a_checkpoint_that_was_lost_is_signed_once_more_and_is_the_same(rounds: Rounds, superuser: str) -> None:
    city = rounds.city()
    rounds.dies(Fate())
    before = PublishedLog(rounds.database, city).at(SECOND)
    with psycopg.connect(superuser) as sql:
        sql.execute("DELETE FROM checkpoint WHERE tenant_id = %s AND size = %s", (city, SECOND))
    assert not rounds.dies(Fate())
    assert PublishedLog(rounds.database, city).at(SECOND).note == before.note
    rounds.check(city, [FIRST, SECOND])
    rounds.check_root_log(city, [FIRST, SECOND])


@pytest.fixture
def superuser(server: Server, database: Database) -> str:
    """The URL of one who may change what is stored, whatever the service's logins may."""
    return make_conninfo(server.superuser, dbname=database_name(database.urls.owner))
