"""Publication: what was recorded becomes part of a signed checkpoint, city by city, and the root log covers them all.

The publisher trusts the database with nothing that it signed before. It keeps the last signed tree's frontier beside
the keys, hashes every newer entry itself, and signs what follows from these two. So a history that somebody changed in
the database is never signed: the next checkpoint commits to what stood there first, and the change shows.

Safe to be killed anywhere: entries are durable before they are signed, what was signed is durable before it is shown,
and a round that was cut off is taken up by the next one. One publisher works at a time, the others pass.
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

import psycopg

from tenants.database import DatabaseUnavailable, Role
from tenants.key_files import KeyExposed
from tenants.ledger.checkpoint import Checkpoint
from tenants.ledger.keys import LogKeyMissing, SignedTreeUnreadable
from tenants.ledger.merkle import Frontier, leaf_hash
from tenants.ledger.note import NoteWrong, Signer, opened, signed, split
from tenants.ledger.store import ROOT_LOG, ROOT_NAME, Published, entries, first_missing, latest_checkpoint
from tenants.ledger.tiles import HEIGHT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tenants.database import Connection, Database
    from tenants.ledger.keys import LogKeys

log = logging.getLogger("kyodo.publisher")

_LOCK = 0x6B796F646F6C6F67  # "kyodolog" in ASCII; an advisory lock is a number
_PAGE = 2_000


class HistoryChanged(Exception):
    """What is stored is not what was signed; nothing more is signed until the log equals a copy that verifies."""


@dataclass(frozen=True, slots=True)
class _Head:
    """A city's log as it stands, and size and note of its latest checkpoint, 0 and nothing where it has none."""

    tenant: UUID
    size: int
    root: bytes
    published: int
    note: str


class Publisher:
    """Signs checkpoints of every city's log and of the root log."""

    def __init__(self, database: Database, keys: LogKeys, outside: Sequence[Callable[[], None]] = ()) -> None:
        """`outside` is called after each round: witnesses, a timestamp authority."""
        self.database, self.keys, self._outside = database, keys, outside
        self._failed: dict[UUID, str] = {}

    def run(self, stop: threading.Event, seconds: float) -> None:
        """Publish every so many seconds until `stop` is set; outlives a lost database."""
        while not stop.is_set():
            began = time.monotonic()
            try:
                self.publish()
            except (DatabaseUnavailable, psycopg.OperationalError) as gone:
                log.warning("waiting for the database: %s", gone)
            stop.wait(max(0.0, began + seconds - time.monotonic()))

    def publish(self) -> int:
        """Sign what is new; returns the number of checkpoints made, the root log's among them.

        A city whose log cannot be signed is named in the log of the service and keeps its last checkpoint.
        """
        made: dict[UUID, Published] = {}
        with self._turn(wait=False) as holder:
            if holder is None:
                return 0
            for head in _heads(holder):
                if published := self._guarded(head.tenant, partial(self._sign_city, head)):
                    made[head.tenant] = published
            if published := self._guarded(ROOT_LOG, self._sign_root):
                made[ROOT_LOG] = published
        for ask in self._outside:
            ask()
        return len(made)

    def publish_city(self, tenant: UUID) -> Published:
        """Sign one city's log now, and the root log; the city's latest checkpoint. Raises what `publish` would log."""
        with self._turn(wait=True) as holder:
            if holder is not None:
                for head in _heads(holder):
                    if head.tenant == tenant:
                        self._sign_city(head)
                self._sign_root()
        with self.database.tenant(Role.PROJECTOR, tenant) as connection:
            published = latest_checkpoint(connection, tenant)
        if published is None:
            raise HistoryChanged("the log has no events, so that there is nothing to sign")
        return published

    @contextmanager
    def _turn(self, *, wait: bool) -> Iterator[Connection | None]:
        """The right to publish, None when another publisher has it and `wait` is not set."""
        with self.database.projector() as holder:
            lock = "SELECT pg_advisory_lock(%s) IS NOT NULL" if wait else "SELECT pg_try_advisory_lock(%s)"
            if holder.execute(lock, (_LOCK,)).fetchone() != (True,):
                yield None
                return
            try:
                yield holder
            finally:
                if not holder.closed:
                    holder.execute("SELECT pg_advisory_unlock(%s)", (_LOCK,))

    def _guarded(self, signed_log: UUID, work: Callable[[], Published | None]) -> Published | None:
        try:
            published = work()
        except (
            HistoryChanged,
            LogKeyMissing,
            KeyExposed,
            NoteWrong,
            SignedTreeUnreadable,
            psycopg.Error,
            OSError,
        ) as refused:
            # Whatever is wrong with one log keeps no other waiting; only a lost database ends the round.
            # Said once, not every round: it stays so until somebody mends it.
            if self._failed.get(signed_log) != str(refused):
                log.error("log %s is not signed: %s", signed_log, refused)  # noqa: TRY400  (the message says it all)
            self._failed[signed_log] = str(refused)
            return None
        self._failed.pop(signed_log, None)
        return published

    def _sign_city(self, head: _Head) -> Published | None:
        kept = self.keys.signed(head.tenant)
        if not head.size and not head.published and kept is None:
            return None  # Nothing was ever recorded.
        signers = self.keys.signers(head.tenant)
        if head.size == head.published and (kept is None or kept.size == head.size) and _bears(head.note, signers):
            return None
        with self.database.tenant(Role.PROJECTOR, head.tenant) as connection:
            tree = self._tree(connection, head.tenant, head.size)
            if tree.root() != head.root:
                raise HistoryChanged(_where(connection, head))
        with self.database.tenant(Role.PROJECTOR, head.tenant) as connection:
            published = self._signed(connection, head.tenant, tree, signers)
            if published is not None:
                connection.execute(
                    _ENTER, {"log": head.tenant, "size": published.size, "entry": published.note.encode()}
                )
        return published

    def _sign_root(self) -> Published | None:
        signers = self.keys.signers(ROOT_LOG)
        with self.database.tenant(Role.PROJECTOR, ROOT_LOG) as connection:
            row = connection.execute("SELECT coalesce(max(position), 0) FROM root_entry").fetchone()
            self._check_root_entries(connection)
            tree = self._tree(connection, ROOT_LOG, row[0] if row else 0)
        if not tree.size:
            return None
        with self.database.tenant(Role.PROJECTOR, ROOT_LOG) as connection:
            return self._signed(connection, ROOT_LOG, tree, signers)

    def _check_root_entries(self, connection: Connection) -> None:
        """Raises HistoryChanged where an entry that the root log does not cover yet is none that was signed here."""
        kept = self.keys.signed(ROOT_LOG)
        rows = connection.execute(
            "SELECT position, tenant_id, entry FROM root_entry WHERE position > %s ORDER BY 1",
            (kept.size if kept else 0,),
        ).fetchall()
        for position, city, entry in rows if kept else ():
            try:
                opened(entry.decode(), [signer.verifier for signer in self.keys.signers(city)])
            except (NoteWrong, UnicodeDecodeError, LogKeyMissing) as forged:
                raise HistoryChanged(f"position {position} of the root log was not signed here: {forged}") from forged

    def _tree(self, connection: Connection, signed_log: UUID, size: int) -> Frontier:
        """The tree of that size, grown from what was last signed on this machine; HistoryChanged where it cannot be.

        The tiles that it closes are noted down: they follow from entries that are durable, signed or not.
        """
        last = latest_checkpoint(connection, signed_log)
        tree = self.keys.signed(signed_log)
        if tree is None:
            if last is not None:
                log.warning("log %s was never signed on this machine: its entries are hashed again", signed_log)
            tree = Frontier()
        if tree.size > size or (last is not None and last.size > size):
            signed_size = max(tree.size, last.size if last else 0)
            gone = f"positions {size + 1} to {signed_size} are missing"
            raise HistoryChanged(f"{signed_size} entries were signed and {size} are there: {gone}")
        if last is not None and tree.size < last.size:
            # Another machine signed the latest checkpoint: it must follow from what this one signed.
            opened(last.note, [signer.verifier for signer in self.keys.signers(signed_log)])
            tree = _fold(connection, signed_log, tree, last.size)
        if last is not None and tree.size == last.size and tree.root() != last.root:
            raise HistoryChanged(f"the checkpoint of size {last.size} does not follow from what was signed here before")
        return _fold(connection, signed_log, tree, size)

    def _signed(
        self, connection: Connection, signed_log: UUID, tree: Frontier, signers: Sequence[Signer]
    ) -> Published | None:
        """The tree's checkpoint, signed and stored; None when the latest one is of that size and of all of the keys."""
        last = latest_checkpoint(connection, signed_log)
        if last is not None and last.size >= tree.size and _bears(last.note, signers):
            if self.keys.signed(signed_log) != tree:
                self.keys.sign(signed_log, tree)  # Another machine signed it, and this one has followed.
            return None
        checkpoint = Checkpoint(signers[-1].name, tree.size, tree.root())
        published = Published(tree.size, tree.root(), signed(checkpoint.text, signers), datetime.now(UTC))
        # Before anyone can see the checkpoint, this machine remembers that it will never sign another history.
        self.keys.sign(signed_log, tree)
        connection.execute(
            "INSERT INTO checkpoint (tenant_id, size, root, note, signed_at) VALUES (%s, %s, %s, %s, %s)",
            (signed_log, published.size, published.root, published.note, published.signed_at),
        )
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO log_key (tenant_id, vkey, first_use) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
                [
                    (signed_log, signer.verifier.vkey, published.signed_at + timedelta(microseconds=number))
                    for number, signer in enumerate(signers)
                ],
            )
        return published


# A checkpoint that was lost and is signed once more, which makes the same note, stands in the root log already.
_ENTER = """
    INSERT INTO root_entry (tenant_id, size, position, entry)
    SELECT %(log)s, %(size)s, (SELECT coalesce(max(position), 0) + 1 FROM root_entry), %(entry)s
     WHERE NOT EXISTS (SELECT FROM root_entry WHERE tenant_id = %(log)s AND size = %(size)s AND entry = %(entry)s)
"""
_HEADS = """
    SELECT h.tenant_id, h.size, h.root, coalesce(c.size, 0), coalesce(c.note, '') FROM tenant_head h
      LEFT JOIN LATERAL (
        SELECT size, note FROM checkpoint c
         WHERE c.tenant_id = h.tenant_id ORDER BY size DESC, signed_at DESC LIMIT 1) c ON true
     ORDER BY 1
"""


def _bears(note: str, signers: Sequence[Signer]) -> bool:
    """Whether a checkpoint bears a signature of each of the keys."""
    found = {(each.name, each.id) for each in split(note)[1]} if note else set()
    return all((signer.name, signer.verifier.id) in found for signer in signers)


def _heads(connection: Connection) -> list[_Head]:
    return [_Head(*row) for row in connection.execute(_HEADS).fetchall()]


def _fold(connection: Connection, signed_log: UUID, tree: Frontier, size: int) -> Frontier:
    """The tree with the log's entries up to `size`, hashed here; the tiles that this closes are stored."""
    while tree.size < size:
        wanted = min(_PAGE, size - tree.size)
        page = entries(connection, signed_log, tree.size, wanted)
        if len(page) < wanted:
            raise HistoryChanged(f"position {first_missing(connection, signed_log, tree.size, wanted)} is missing")
        tree, closed = tree.extended(map(leaf_hash, page), HEIGHT)
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO tree_node (tenant_id, level, number, hash) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
                [(signed_log, level // HEIGHT, number, node) for level, number, node in closed],
            )
    return tree


def _where(connection: Connection, head: _Head) -> str:
    """Which entry is not the one whose hash was stored when it was recorded."""
    row = connection.execute(
        "SELECT min(position) FROM event e WHERE tenant_id = %s AND leaf <> leaf_hash(event_entry(e))", (head.tenant,)
    ).fetchone()
    if row is None or row[0] is None:
        return f"the log of {head.size} events does not follow from what was signed before"
    return f"position {row[0]} is not what was recorded"


def standing(database: Database) -> list[tuple[UUID, int, int]]:
    """Every log with the number of its entries and how many of them its latest checkpoint covers."""
    with database.projector() as connection:
        cities = [(head.tenant, head.size, head.published) for head in _heads(connection)]
        row = connection.execute(
            "SELECT coalesce(max(position), 0), (SELECT coalesce(max(size), 0) FROM checkpoint WHERE tenant_id = %s)"
            " FROM root_entry",
            (ROOT_LOG,),
        ).fetchone()
    return [(ROOT_LOG, *(row or (0, 0))), *cities]


def make_missing_keys(database: Database, keys: LogKeys, origin: str, cities: Mapping[UUID, str]) -> list[str]:
    """Make a key for the root log and for each city's, `<origin>/<slug>`, unless it has one; returns the names made.

    A log that was signed before, with a key that is not here, gets none: that would be another log's identity.
    """
    made = []
    for signed_log, name in {ROOT_LOG: ROOT_NAME, **cities}.items():
        if keys.has(signed_log):
            continue
        with database.tenant(Role.PROJECTOR, signed_log) as connection:
            if latest_checkpoint(connection, signed_log) is not None:
                log.warning("log %s was signed on another machine, whose key folder belongs here", signed_log)
                continue
        if keys.create(signed_log, f"{origin}/{name}"):
            made.append(f"{origin}/{name}")
    return made
