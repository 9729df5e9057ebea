"""The tamper drill: whatever the database's superuser does to checkpointed history, an earlier visitor finds it.

Each round is one random alteration of a disposable copy, made with SQL as superuser, and one visit by `kyodo verify`
with what was kept of the visit before. It must fail, and name exactly the positions that are not what they were.
The dice are thrown anew in each run, which prints their seed; DRILL_SEED repeats one.
"""

from __future__ import annotations

import os
import random
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import psycopg
import pytest
from eventsourcing.persistence import PersistenceError
from psycopg.conninfo import make_conninfo

from tenants.book import Book
from tenants.cases import import_cases
from tenants.city_keys import CityKeys
from tenants.database import Connection, Database, Role
from tenants.event_store import RecordedEvent, TenantRecorder
from tenants.ledger import verify as verifier
from tenants.ledger.checkpoint import Checkpoint
from tenants.ledger.keys import LogKeys
from tenants.ledger.merkle import tree_root
from tenants.ledger.note import NoteWrong, Verifier, opened
from tenants.ledger.publish import Publisher, make_missing_keys
from tenants.ledger.store import ROOT_LOG
from tenants.registry import register
from tests.drills.conftest import serving
from tests.drills.evidence import Difference, Log, Served
from tests.drills.tampering import AS_THEY_ARE, CARED_FOR, OF_THE_ROOT_LOG, Attacker, Sequel, altered

if TYPE_CHECKING:
    from tests.conftest import Server

CITIES = ("yamato", "higashikurume", "yokohama", "okayama", "kawasaki")
OF_A_CITY = (*dict.fromkeys(CARED_FOR), *AS_THEY_ARE)
EVERY = (*OF_A_CITY, *OF_THE_ROOT_LOG)
LONG = "yokohama"
"""The city whose log is made longer than a tile."""


@dataclass(frozen=True)
class Visit:
    """What an earlier visitor kept, and the size that each log had then."""

    folder: Path
    sizes: dict[str, int]


class Pointed(Database):
    """The database that a server shows: whichever copy is its turn."""

    shown: Database

    def __init__(self) -> None:
        pass

    @contextmanager
    def connection(self, role: Role) -> Iterator[Connection]:
        with self.shown.connection(role) as connection:
            yield connection

    def close(self) -> None:
        self.shown.close()


@dataclass
class Ground:
    """Where the drill takes place: a published template, its signing keys, a server, and two earlier visits."""

    server: Server
    template: str
    log_keys: Path
    pointed: Pointed
    address: str
    logs: dict[str, Log]
    visits: list[Visit]

    @contextmanager
    def copy(self) -> Iterator[tuple[Database, str]]:
        """A disposable copy, which the server shows: its database, and a superuser's URL of it."""
        name = f"{self.template}_{uuid4().hex[:8]}"
        self.server.execute("CREATE DATABASE {} TEMPLATE {} OWNER {}", name, self.template, self.server.owner)
        with closing(Database(self.server.urls(name))) as database:
            self.pointed.shown = database
            try:
                yield database, make_conninfo(self.server.superuser, dbname=name)
            finally:
                database.close()
                self.server.execute("DROP DATABASE {} WITH (FORCE)", name)

    def target(self, log: Log) -> str:
        """Where a log is read."""
        return f"{self.address}/log/{log.name}"


@pytest.fixture(scope="module")
def drill_ground(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """Five cities with their cases, published three times; one of them longer than a tile of its log."""
    folder = tmp_path_factory.mktemp("drill")
    template = f"{server.prefix}_drill"
    server.execute("CREATE DATABASE {} TEMPLATE {} OWNER {}", template, server.template, server.owner)
    try:
        with closing(Database(server.urls(template))) as database:
            yield from _prepared(server, template, database, folder)
    finally:
        server.execute("DROP DATABASE {} WITH (FORCE)", template)


def _prepared(server: Server, template: str, database: Database, folder: Path) -> Iterator[Ground]:
    keys, log_keys = CityKeys(folder / "keys"), LogKeys(folder / "log")
    cities: dict[str, UUID] = {}
    for city in CITIES:
        registered, _ = register(database, keys, Path(str(files("tenants").joinpath(city))))
        cities[city] = registered.tenant_id
    make_missing_keys(database, log_keys, "localhost/log", {tenant: city for city, tenant in cities.items()})
    publisher, pointed = Publisher(database, log_keys), Pointed()
    pointed.shown = database
    publisher.publish()
    with serving(pointed, keys) as address:
        found = Ground(server, template, folder / "log", pointed, address, {}, [])
        for city, tenant in cities.items():
            import_cases(Book(database, keys, tenant), city, Path(str(files("tenants") / city / "cases.json")))
        _record(database, cities[LONG], 550)
        publisher.publish()
        found.visits.append(_visit(found, folder / "first", cities))
        for tenant in cities.values():
            _record(database, tenant, 12)
        publisher.publish()
        found.visits.append(_visit(found, folder / "second", cities))
        for name, tenant in {**cities, "root": ROOT_LOG}.items():
            with database.tenant(Role.READER, tenant) as connection:
                rows = connection.execute("SELECT size FROM checkpoint WHERE tenant_id = %s ORDER BY 1", (tenant,))
                sizes = tuple(size for (size,) in rows.fetchall())
            found.logs[name] = Log(tenant, name, f"localhost/log/{name}", sizes, sizes[-1])
        # A database that is copied must have no sessions.
        database.close()
        yield found


def _record(database: Database, tenant: UUID, count: int) -> None:
    """More events, in streams of five."""
    stream = uuid4()
    events = []
    for number in range(count):
        stream = stream if number % 5 else uuid4()
        data = b'{"n":%d,"text":"%s"}' % (number, uuid4().hex.encode())
        events.append(RecordedEvent(stream, number % 5 + 1, "ObjectiveRefined", data, actor="S/desk"))
    TenantRecorder(database, tenant).append(events)


def _visit(where: Ground, folder: Path, cities: dict[str, UUID]) -> Visit:
    sizes = {}
    for name in (*cities, "root"):
        report = verifier.verify(f"{where.address}/log/{name}", keep=folder, processes=1)
        assert report.verified, verifier.as_text(report)
        sizes[name] = report.size
    return Visit(folder, sizes)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server on this machine that refuses once will do so again."""
    monkeypatch.setattr(verifier, "TRIES", 1)


@dataclass
class Round:
    """One alteration and the visit after it."""

    number: int
    said: str
    log: Log
    before: Served
    after: Served
    difference: Difference
    report: verifier.Report | None
    problem: str = ""

    def named(self, *steps: int) -> set[int]:
        """The positions that these steps of the verification name."""
        ranges = [each for step in self._steps() if step.number in steps for each in step.positions]
        return {at for first, last in ranges for at in range(first, last + 1)}

    def _steps(self) -> tuple[verifier.Step, ...]:
        return self.report.steps if self.report else ()

    def failed(self, *steps: int) -> bool:
        """Whether one of these steps failed."""
        return any(step.outcome == verifier.FAILED for step in self._steps() if step.number in steps)

    def complaint(self) -> str:
        """What the verifier missed or named wrongly; empty where it was right."""
        if self.report is None or self.report.verified:
            return "not caught"
        kept = self.log.kept
        if altered := {at for at in self.difference.entries | self.difference.unserved if at <= kept}:
            named = {at for at in self.named(4, 7) if at <= self.before.size}
            right = altered <= named <= self.difference.entries | self._unread()
            return "" if right else f"named {_short(named)} instead of {_short(altered)}"
        if self.difference.leaves:
            right = self.named(5) == self.difference.leaves
            return "" if right else f"named {_short(self.named(5))} instead of {_short(self.difference.leaves)}"
        if self.difference.nodes:
            # Of a tile with a hole nothing is served, so that the nodes beside it are named as well.
            tiles = {(level, n // 256) for level, n in self.difference.nodes if (level, n) not in self.after.nodes}
            nodes = {(level, n) for level, n in self.before.nodes if (level, n // 256) in tiles}
            below = {at for level, n in nodes | self.difference.nodes for at in _below(level, n)}
            return "" if self.named(5) == below else f"named {_short(self.named(5))} instead of {_short(below)}"
        if self.difference.checkpoint and self.after.shown < kept and not self.failed(1, 2):
            gone = set(range(self.after.shown + 1, kept + 1))
            return "" if self.named(7) == gone else f"named {_short(self.named(7))} instead of {_short(gone)}"
        return "" if self.failed(1, 2, 4, 7) else "neither key nor checkpoint is named"

    def _unread(self) -> set[int]:
        """Positions that share a tile with one that cannot be read: of such a tile nothing is served."""
        holes = {at for at in range(1, self.after.shown + 1) if at not in self.after.entries} | self.difference.unserved
        tiles = {(at - 1) // 256 for at in holes | self.after.illegible}
        return {at for at in range(1, self.before.size + 1) if (at - 1) // 256 in tiles}

    def __str__(self) -> str:
        return f"{self.number}: {self.log.name} of {self.before.size}, {self.log.kept} kept: {self.said}"


def _below(level: int, number: int) -> range:
    return range((number << 8 * level) + 1, (number + 1 << 8 * level) + 1)


def _short(positions: set[int] | frozenset[int]) -> str:
    return verifier.spoken(verifier.merged((at, at) for at in positions)) if positions else "nothing"


def one_round(where: Ground, number: int, seed: int, scratch: Path) -> Round | None:
    """Alter a copy and verify it; None where that changed nothing that is served.

    The first rounds take every kind of change in turn, those after them what the dice say.
    """
    dice = random.Random(f"{seed}/{number}")
    visit = dice.choice(where.visits)
    log = dice.choice(list(where.logs.values()))
    change = EVERY[number - 1] if number <= len(EVERY) else None
    if change is not None:
        log = where.logs["root" if number > len(OF_A_CITY) else LONG]
    log = replace(log, kept=visit.sizes[log.name])
    with where.copy() as (database, superuser):
        with closing(psycopg.connect(superuser)) as sql:
            before = Served.of(sql, log)
            said, sequel = altered(Attacker(sql, log, dice), change)
            sql.commit()
            honest = sequel is Sequel.WORKER and _worker_signs(where, database, log, scratch / f"log-{number}")
            after = Served.of(sql, log)
        difference = Difference.between(before, after)
        if honest and after.size > before.size:
            _check_signed(before, after, log)
            difference = replace(difference, checkpoint=False)
        if not difference:
            return None
        keep = scratch / f"keep-{number}"
        shutil.copytree(visit.folder, keep)
        round_ = Round(number, said, log, before, after, difference, None)
        try:
            round_.report = verifier.verify(where.target(log), keep=keep, processes=1)
        except verifier.CannotCheck as why:
            round_.problem = str(why)
        shutil.rmtree(keep)
        return round_


def _worker_signs(where: Ground, database: Database, log: Log, folder: Path) -> bool:
    """One more event is recorded, as far as that is still possible, and the worker publishes."""
    shutil.copytree(where.log_keys, folder)
    tenant = log.id if not log.is_root else where.logs[CITIES[0]].id
    with suppress(PersistenceError):  # The attacker may have left a head that no event can follow.
        _record(database, tenant, 1)
    Publisher(database, LogKeys(folder)).publish()
    shutil.rmtree(folder)
    return True


def _check_signed(before: Served, after: Served, log: Log) -> None:
    """What the worker signed after the alteration is the history of before it, and what was recorded since."""
    try:
        text, _ = opened(after.note, [Verifier.of(before.keys[0])])
    except NoteWrong:
        return  # not signed by the worker
    signed = Checkpoint.of(text)
    leaves = [before.leaves[at] for at in range(1, before.size + 1)]
    leaves += [after.leaves[at] for at in range(before.size + 1, signed.size + 1)]
    assert signed.root == tree_root(leaves), f"the worker signed an altered history of {log.name}"


def test_a_copy_that_nobody_altered_verifies_for_every_visitor(drill_ground: Ground, tmp_path: Path) -> None:
    with drill_ground.copy():
        for number, visit in enumerate(drill_ground.visits):
            shutil.copytree(visit.folder, tmp_path / str(number))
            for log in drill_ground.logs.values():
                report = verifier.verify(drill_ground.target(log), keep=tmp_path / str(number), processes=1)
                assert report.verified, verifier.as_text(report)
                assert any("are those of the checkpoint kept" in line for line in report.steps[6].details)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("rounds", [50, pytest.param(1_000, marks=pytest.mark.soak)])
def test_every_alteration_of_checkpointed_history_is_caught_where_it_was_made(
    drill_ground: Ground, tmp_path: Path, rounds: int
) -> None:
    seed = int(os.environ.get("DRILL_SEED", random.SystemRandom().randrange(1 << 32)))
    print(f"\ntamper drill: {rounds} alterations, seed {seed}")
    began, told = time.monotonic(), time.monotonic()
    caught, number, idle = Counter[str](), 0, 0
    wrong: list[str] = []
    while caught.total() + len(wrong) < rounds:
        number += 1
        done = one_round(drill_ground, number, seed, tmp_path)
        if done is None:
            idle += 1
        elif complaint := done.complaint():
            wrong.append(f"{done}\n    {complaint} {done.problem}")
            print(f"  {wrong[-1]}")
        else:
            caught[done.said.split(";")[-1]] += 1
        if time.monotonic() > told + 10:
            told = time.monotonic()
            print(f"  {told - began:5.0f} s  {caught.total()} caught, {len(wrong)} not, {idle} changed nothing")
    print(f"  {time.monotonic() - began:5.0f} s  {caught.total()} caught, {len(wrong)} not, {idle} changed nothing")
    assert not wrong, f"{len(wrong)} of {rounds} with seed {seed}:\n" + "\n".join(wrong[:40])
