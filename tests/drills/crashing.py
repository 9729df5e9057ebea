"""A city hall that never stops writing, and what it was promised; for drills that kill what it writes to."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import orjson
import psycopg
from eventsourcing.persistence import OperationalError

from projections.replay import check
from projections.worker import caught_up
from tenants.book import Book, Request
from tenants.city_keys import CityKeys
from tenants.database import Database, Role
from tenants.ledger import verify as verifier
from tenants.ledger.keys import LogKeys
from tenants.ledger.merkle import Frontier, check_consistency, leaf_hash
from tenants.ledger.store import ROOT_LOG, PublishedLog, entries

ORIGIN = "localhost/log"
_PROGRAMME = "partnership"
_MEETINGS = 12  # of one partnership, before the writer registers the next


def found_city(database: Database, keys: CityKeys, slug: str) -> Book:
    """A city with a programme that asks for nothing."""
    city = uuid4()
    with database.app() as connection:
        connection.execute("SELECT register_tenant(%s, %s, NULL, '町', 'Town', 'MUNICIPALITY')", (city, slug))
    keys.create(city)
    book = Book(database, keys, city)
    data = {"programme": _PROGRAMME, "title_ja": "協働の制度", "rules": {}}
    book.execute(book.stream("programme", _PROGRAMME), _request("define-programme", "2016", data, "T"))
    return book


@dataclass(frozen=True)
class Promise:
    """What an acknowledgement said: at this position stands this meeting of this stream (None: its registration)."""

    stream: UUID
    meeting: int | None


@dataclass
class CityHall:
    """Threads that record partnerships and their meetings; each keeps to its own streams, and retries until answered.

    What is acknowledged is noted in this process, which nobody kills.
    """

    books: dict[str, Book]
    threads: int = 3
    promised: dict[str, dict[int, Promise]] = field(default_factory=dict)
    failures: list[BaseException] = field(default_factory=list)
    retried: int = 0

    def __post_init__(self) -> None:
        self.promised = {slug: {} for slug in self.books}
        self._stop = threading.Event()
        self._at_work = [threading.Lock() for _ in range(self.threads)]

    @property
    def total(self) -> int:
        """Acknowledged events."""
        return sum(map(len, self.promised.values()))

    @contextmanager
    def open(self) -> Iterator[CityHall]:
        """The writers write until the end of the block."""
        writers = [
            threading.Thread(target=self._write, args=(number,), name=f"writer-{number}")
            for number in range(self.threads)
        ]
        for each in writers:
            each.start()
        try:
            yield self
        finally:
            self._stop.set()
            for each in writers:
                each.join()

    @contextmanager
    def at_rest(self) -> Iterator[None]:
        """Nobody writes within the block: whatever was begun is answered."""
        with ExitStack() as stack:
            for lock in self._at_work:
                stack.enter_context(lock)
            if self.failures:
                raise self.failures[0]
            yield

    def _write(self, number: int) -> None:
        slugs = sorted(self.books)
        turn = 0
        try:
            while not self._stop.is_set():
                turn += 1
                self._partnership(slugs[(number + turn) % len(slugs)], f"W{number}_{turn}")
        except BaseException as failure:  # noqa: BLE001  (whoever opened the hall raises it)
            self.failures.append(failure)

    def _partnership(self, slug: str, number: str) -> None:
        book = self.books[slug]
        stream = book.stream("partnership", number)
        parties = [
            {"party": "npo", "kind": "NPO", "name_ja": "保育の会"},
            {"party": "city", "kind": "MUNICIPALITY", "name_ja": "町"},
        ]
        given = {"number": number, "programme": _PROGRAMME, "title_ja": "保育支援", "parties": parties}
        day = date(2020, 4, 1)
        self._until_answered(slug, number, _request("register-partnership", day.isoformat(), given), stream, None)
        for meeting in range(1, _MEETINGS + 1):
            day += timedelta(days=1)
            held = _request("hold-meeting", day.isoformat(), {"meetings": meeting, "summary": "話し合い"})
            self._until_answered(slug, f"{number}/{meeting}", held, stream, meeting)
            if self._stop.is_set():
                return

    def _until_answered(self, slug: str, key: str, asked: Request, stream: UUID, meeting: int | None) -> None:
        """Record once, however often it has to be asked for: the same key each time."""
        writer = int(threading.current_thread().name.rpartition("-")[2])
        with self._at_work[writer]:
            while True:
                try:
                    receipt = self.books[slug].execute(stream, asked, key)
                except (OperationalError, psycopg.OperationalError):
                    self.retried += 1
                    if self._stop.wait(0.05):
                        return
                else:
                    self.promised[slug][receipt.first] = Promise(stream, meeting)
                    return


def _request(command: str, day: str, data: dict[str, Any], actor: str = "S/desk") -> Request:
    return Request(command=command, data=data, valid={"edtf": day}, actor=actor, recorded_by="S/desk")


class Auditor:
    """Looks at everything after each crash, and remembers what it saw before."""

    def __init__(self, hall: CityHall, database: Database, keys: CityKeys, log_keys: LogKeys, keep: Path) -> None:
        self.hall, self.database, self.keys, self.log_keys, self.keep = hall, database, keys, log_keys, keep
        self._seen: dict[UUID, dict[int, str]] = {}
        self._signed: dict[UUID, int] = {}

    def look(self, address: str) -> None:
        """Every promise, every root, every checkpoint, every read model; AssertionError says what does not hold."""
        for slug, book in self.hall.books.items():
            self._events(slug, book)
            self._published(book.tenant, f"{address}/log/{slug}")
            lag = caught_up(self.database, book.tenant, seconds=30)
            assert not lag.error, f"{slug}: {lag.error}"
            assert not lag.behind, f"{slug}: the read models are {lag.behind} events behind"
            assert not check(self.database, self.keys, book.tenant), f"{slug}: read models differ from a replay"
        self._published(ROOT_LOG, f"{address}/log/root")

    def published(self) -> bool:
        """Whether the checkpoints of all logs cover all that is recorded."""
        with self.database.projector() as connection:
            row = connection.execute(
                "SELECT (SELECT coalesce(sum(size), 0) FROM tenant_head)"
                "     = (SELECT coalesce(sum(c.size), 0) FROM tenant_head h JOIN LATERAL ("
                "          SELECT max(size) AS size FROM checkpoint c WHERE c.tenant_id = h.tenant_id) c ON true)"
                "   AND (SELECT max(position) FROM root_entry)"
                "     = (SELECT max(size) FROM checkpoint WHERE tenant_id = root_log())"
            ).fetchone()
        return bool(row and row[0])

    def _events(self, slug: str, book: Book) -> None:
        """What was acknowledged stands where it was promised, once, and there is no gap."""
        events = book.city_log.read(0, 10_000_000)
        assert [event.position for event in events] == list(range(1, len(events) + 1)), f"{slug}: a gap"
        said = [Promise(_uuid(event.originator_id), orjson.loads(event.state).get("meetings")) for event in events]
        for position, promise in self.hall.promised[slug].items():
            assert position <= len(said), f"{slug}: position {position} was acknowledged and is gone"
            assert said[position - 1] == promise, f"{slug}: position {position} holds something else than acknowledged"
        twice = [promise for promise, count in Counter(said).items() if count > 1 and promise.meeting is not None]
        assert not twice, f"{slug}: recorded twice: {twice}"
        tree = Frontier()
        for event in events:
            tree = tree.append(event.leaf or b"")
            assert tree.root() == event.root, f"{slug}: the root stored with position {event.position} is wrong"
        head = book.city_log.head()
        assert (head.size, head.root, head.frontier) == (tree.size, tree.root(), tree.hashes)

    def _published(self, log: UUID, target: str) -> None:
        """Checkpoints only grow, each follows from the one before, and an earlier visitor verifies the log."""
        with self.database.tenant(Role.PROJECTOR, log) as connection:
            notes: dict[int, str] = dict(
                connection.execute("SELECT size, note FROM checkpoint WHERE tenant_id = %s", (log,)).fetchall()
            )
            leaves = list(map(leaf_hash, entries(connection, log, 0, 10_000_000)))
        before = self._seen.get(log, {})
        assert before.items() <= notes.items(), f"{target}: a checkpoint that was seen is gone or another one"
        self._seen[log] = notes
        published = PublishedLog(self.database, log)
        tree, roots = Frontier(), {}
        for leaf in leaves:
            tree = tree.append(leaf)
            if tree.size in notes:
                roots[tree.size] = tree.root()
        assert roots == {size: published.at(size).root for size in notes}, f"{target}: a signed root is wrong"
        last = max(notes)
        if before:  # The roots of all are right; the latest one seen stands for the proofs, of which there are many.
            old = max(before)
            check_consistency(published.consistency(old, last), old, last, roots[old], roots[last])
        signed = self.log_keys.signed(log)
        assert signed is not None
        assert last <= signed.size <= len(leaves), f"{target}: {signed.size} signed, {last} published"
        assert signed.size >= self._signed.get(log, 0), f"{target}: the signed tree went back"
        assert signed.root() == Frontier().extended(leaves[: signed.size])[0].root()
        self._signed[log] = signed.size
        report = verifier.verify(target, keep=self.keep, processes=1)
        assert report.verified, verifier.as_text(report)


def _uuid(given: UUID | str) -> UUID:
    return given if isinstance(given, UUID) else UUID(given)
