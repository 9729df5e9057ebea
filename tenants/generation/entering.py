"""Entering invented towns by the ordinary commands: in batches of whole partnerships, each batch one append.

A partnership stands in its town's log with all its events or not at all, so that a run that was interrupted goes on
where it was, and the same run again adds nothing.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass, replace
from multiprocessing import get_context, parent_process
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from uuid import UUID

from domain.event import Mode
from tenants.book import Book, Plan, Request
from tenants.city_keys import CityKeys
from tenants.database import Database, Role, Urls
from tenants.event_store import VersionConflict
from tenants.generation import agreements, projects, proposals
from tenants.generation.life import Life, number_of
from tenants.generation.town import BEGIN, CALLS, DESK, END, Town, chance_of
from tenants.registry import register

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from concurrent.futures import Executor, Future

    from domain.history import History

AT_ONCE = 50
"""Partnerships of one append."""

_UMBRELLA_EVERY = 40
_SECONDS_BETWEEN_LINES = 1.0
STORIES = {
    "proposals": (proposals.tell, 45),
    "projects": (projects.tell, 22),
    "agreements": (agreements.tell, 33),
}


class OtherSeed(Exception):
    """A town of that name was made from another seed; use that seed, or an installation of its own."""


@dataclass(frozen=True, slots=True)
class Added:
    """What a run added to the logs."""

    cities: int = 0
    partnerships: int = 0
    events: int = 0

    def __add__(self, other: Added) -> Added:
        return Added(self.cities + other.cities, self.partnerships + other.partnerships, self.events + other.events)


class _TownBook(Book):
    """The town's book for entering what is new: it remembers stream ids, and which streams nobody has begun.

    What begins all the same meanwhile makes the append fail with VersionConflict.
    """

    def __init__(self, database: Database, keys: CityKeys, tenant: UUID) -> None:
        super().__init__(database, keys, tenant)
        self._ids: dict[tuple[str, str], UUID] = {}
        self._missing: set[UUID] = set()

    def stream(self, kind: str, name: str = "") -> UUID:
        if (kind, name) not in self._ids:
            self._ids[kind, name] = super().stream(kind, name)
        return self._ids[kind, name]

    def history(self, stream: UUID) -> History | None:
        return None if stream in self._missing else super().history(stream)

    def missing(self, numbers: Iterable[int]) -> list[int]:
        """Those of the partnerships that are not there yet, found in one question."""
        streams = {number: self.stream("partnership", number_of(number)) for number in numbers}
        with self.database.tenant(Role.APP, self.tenant) as connection:
            rows = connection.execute(
                "SELECT stream_id FROM event WHERE tenant_id = %s AND version = 1 AND stream_id = ANY(%s)",
                (self.tenant, list(streams.values())),
            ).fetchall()
        self._missing = set(streams.values()).difference(stream for (stream,) in rows)
        return [number for number, stream in streams.items() if stream in self._missing]

    def imported(self) -> int:
        """How many events came in since the last import window was opened."""
        with self.database.tenant(Role.APP, self.tenant) as connection:
            row = connection.execute(
                "SELECT count(*) FROM event WHERE tenant_id = %s AND mode = 'IMPORT' AND position >"
                " (SELECT max(position) FROM event WHERE tenant_id = %s AND type = 'ImportWindowOpened')",
                (self.tenant, self.tenant),
            ).fetchone()
        return row[0] if row else 0


def partnership(town: Town, number: int) -> tuple[str, Callable[[Life], None]]:
    """The programme of a town's partnership of that number, and the story told of it."""
    if number % _UMBRELLA_EVERY == 1:
        return "agreements", agreements.umbrella
    weights = [weight for _, weight in STORIES.values()]
    (programme,) = chance_of(town.seed, town.slug, "story", number).choices(list(STORIES), weights)
    return programme, STORIES[programme][0]


def history(town: Town, number: int) -> list[Request]:
    """What is recorded of a town's partnership of that number, in order; always the same."""
    return Life(town, number).told(partnership(town, number)[1])


def enter(
    urls: Urls,
    keys_folder: Path,
    *,
    cities: int,
    partnerships: int,
    seed: int,
    processes: int = 1,
    say: Callable[[str], None] = lambda _: None,
) -> Added:
    """Enter so many towns with so many partnerships in all; returns what was not there yet.

    Raises OtherSeed, with nothing entered in that town.
    """
    shares = {number: partnerships // cities + (number <= partnerships % cities) for number in range(1, cities + 1)}
    turns = [_Turn(urls, keys_folder, Town(seed, number), share) for number, share in shares.items()]
    added, passed = Added(), 0
    began = said = time.monotonic()
    with _pool(processes) as pool:
        waiting: set[Future[_Done]] = {pool.submit(_take, turn) for turn in turns}
        try:
            while waiting:
                finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for done in (each.result() for each in finished):
                    added, passed = added + done.added, passed + done.passed
                    if done.next is not None:
                        waiting.add(pool.submit(_take, done.next))
                now = time.monotonic()
                if now - said >= _SECONDS_BETWEEN_LINES or not waiting:
                    said, speed = now, added.events / (now - began)
                    say(f"{passed} of {partnerships} partnerships, {added.events} events added, {speed:.0f}/s")
        finally:
            pool.shutdown(cancel_futures=True)
    return added


@dataclass(frozen=True, slots=True)
class _Turn:
    """The next batch of a town: of its `share` partnerships those from `first` on."""

    urls: Urls
    keys_folder: Path
    town: Town
    share: int
    first: int = 1
    tenant: UUID | None = None


@dataclass(frozen=True, slots=True)
class _Done:
    """What a turn came to: what it added, how many partnerships it went through, and what comes next in that town."""

    added: Added
    passed: int
    next: _Turn | None


def _pool(processes: int) -> Executor:
    if processes == 1:
        return ThreadPoolExecutor(1)
    return ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=_in_child)


def _in_child() -> None:
    """Ctrl-C lets the batch at hand be finished; a parent that was killed takes its children along."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    if (parent := parent_process()) is not None:
        parent.join()
        os._exit(1)


def _take(turn: _Turn) -> _Done:
    last = min(turn.first + AT_ONCE - 1, turn.share)
    with closing(Database(turn.urls, pool_size=1)) as database:
        keys, town = CityKeys(turn.keys_folder), turn.town
        tenant, added = (turn.tenant, Added()) if turn.tenant else _registered(database, keys, town)
        book = _TownBook(database, keys, tenant)
        added += _batch(book, town, range(turn.first, last + 1))
        if last == turn.share:
            added += _closed(book, town, turn.share)
    following = replace(turn, first=last + 1, tenant=tenant) if last < turn.share else None
    return _Done(added, last - turn.first + 1, following)


def _registered(database: Database, keys: CityKeys, town: Town) -> tuple[UUID, Added]:
    """The town in the register with its programmes and their calls."""
    with TemporaryDirectory(prefix="kyodo-generate-") as folder:
        town.write(Path(folder))
        tenant, receipt = register(database, keys, Path(folder))
    book = Book(database, keys, tenant.tenant_id)
    if town.source not in {source.source for source in book.plan().city.sources}:
        raise OtherSeed(f"{town.slug} was not made from seed {town.seed}: {OtherSeed.__doc__}")
    added = Added() if receipt.repeated else Added(cities=1, events=receipt.last - receipt.first + 1)
    return tenant.tenant_id, added + _with_calls(book, town)


def _with_calls(book: Book, town: Town) -> Added:
    """The calls of all years, unless they are there."""

    def fill(plan: Plan) -> int:
        streams = {programme: book.stream("programme", programme) for programme in CALLS}
        if any(known.state.calls for stream in streams.values() if (known := plan.history(stream)) is not None):
            return 0
        _open_window(plan, town)
        for programme, request in town.calls():
            plan.add(streams[programme], request)
        return 0

    return _entered(book, fill)


def _batch(book: _TownBook, town: Town, numbers: Iterable[int]) -> Added:
    """Those of the partnerships that are not there yet."""

    def fill(plan: Plan) -> int:
        missing = book.missing(numbers)
        if missing:
            _open_window(plan, town)
        for number in missing:
            for request in history(town, number):
                plan.add(book.stream("partnership", number_of(number)), request)
        return len(missing)

    return _entered(book, fill)


def _closed(book: _TownBook, town: Town, share: int) -> Added:
    """The end of an import window: the record is declared complete, as every partnership of the town is in it."""

    def fill(plan: Plan) -> int:
        if plan.city.window is None:
            return 0
        told = Counter(partnership(town, number)[0] for number in range(1, share + 1))
        for programme in STORIES:
            shown = {"shown": told[programme], "total": told[programme], "of": "PARTNERSHIPS", "coverage": "COMPLETE"}
            data = shown | {"period": f"{BEGIN:%Y-%m}/{END:%Y-%m}"}
            plan.add(book.stream("programme", programme), _request("declare-coverage", data, mode=Mode.IMPORT))
        entered = {"entered": book.imported() + len(STORIES)}
        plan.add(book.stream("city"), _request("close-import-window", entered, "T/generator"))
        return 0

    return _entered(book, fill)


def _entered(book: Book, fill: Callable[[Plan], int]) -> Added:
    """Append what `fill` adds to a plan; it returns the number of partnerships among it.

    Begun anew where another writer was first, such as a second run: what is there then is not added again.
    """
    while True:
        plan = book.plan()
        partnerships = fill(plan)
        try:
            plan.commit()
        except VersionConflict:
            continue
        return Added(partnerships=partnerships, events=len(plan))


def _open_window(plan: Plan, town: Town) -> None:
    if plan.city.window is None:
        reason = f"架空の記録の生成(種{town.seed})"
        data = {"reason": reason, "scope": "CASES", "compiled": False}
        plan.add(plan.book.stream("city"), _request("open-import-window", data, "T/generator"))


def _request(command: str, data: dict[str, Any], actor: str = DESK, mode: Mode = Mode.LIVE) -> Request:
    valid = {"edtf": END.isoformat()}
    return Request(
        command=command, data=data, valid=valid, mode=mode, actor=actor, recorded_by=actor, approved_by="Z/second"
    )
