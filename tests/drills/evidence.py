"""What a log serves, read off the tables without the product's code, and how two such readings differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg

from tenants.ledger.store import ROOT_LOG

SQL = psycopg.Connection[tuple[Any, ...]]

ENVELOPE = (
    "tenant_id, position, stream_id, version, type, schema_version, mode, actor, recorded_by, approved_by, signatories,"
    " document_ref, programme, programme_version, recorded_at"
)
"""The columns of an event that make its entry, but for what it says."""

NONSENSE = b"\xff\x00\xfe"
"""Bytes that are no text."""


@dataclass(frozen=True)
class Log:
    """A published log under attack: `sizes` are those of its checkpoints, `kept` that of the visitor's."""

    id: UUID
    name: str
    origin: str
    sizes: tuple[int, ...]
    kept: int

    @property
    def is_root(self) -> bool:
        return self.id == ROOT_LOG


@dataclass(frozen=True)
class Served:
    """All that a log serves, read without its code: it must be legible whatever was done to it."""

    entries: dict[int, tuple[bytes, bytes]]
    leaves: dict[int, bytes]
    nodes: dict[tuple[int, int], bytes]
    size: int  # as the newest checkpoint's row says: nothing is served beyond
    note: str
    keys: tuple[str, ...]

    @property
    def shown(self) -> int:
        """The size that the note says, 0 where there is none or it says none."""
        size = [*self.note.split("\n"), "", ""][1]
        return int(size) if size.isdecimal() else 0

    @property
    def illegible(self) -> set[int]:
        """Positions that hold bytes which are no text."""
        return {at for at, (_, said) in self.entries.items() if NONSENSE in said}

    @classmethod
    def of(cls, sql: SQL, log: Log) -> Served:
        """What stands in the tables now."""
        if log.is_root:
            rows = sql.execute("SELECT position, ''::bytea, entry, leaf_hash(entry) FROM root_entry").fetchall()
        else:
            rows = sql.execute(
                f"SELECT position, event_entry({ENVELOPE}, ''), state, leaf FROM event WHERE tenant_id = %s", (log.id,)
            ).fetchall()
        nodes = sql.execute("SELECT level, number, hash FROM tree_node WHERE tenant_id = %s", (log.id,)).fetchall()
        last = sql.execute(
            "SELECT size, note FROM checkpoint WHERE tenant_id = %s ORDER BY size DESC, signed_at DESC LIMIT 1",
            (log.id,),
        ).fetchone()
        keys = sql.execute("SELECT vkey FROM log_key WHERE tenant_id = %s ORDER BY first_use, vkey", (log.id,))
        return cls(
            {position: (envelope, state) for position, envelope, state, _ in rows},
            {position: leaf for position, _, _, leaf in rows},
            {(level, number): node for level, number, node in nodes},
            last[0] if last else 0,
            last[1] if last else "",
            tuple(vkey for (vkey,) in keys),
        )


@dataclass(frozen=True)
class Difference:
    """What an alteration did to what a log serves."""

    entries: frozenset[int]  # positions whose entry is another one, or gone
    leaves: frozenset[int]  # positions whose hash is another one, or gone
    nodes: frozenset[tuple[int, int]]  # level and number
    unserved: frozenset[int]  # positions that the checkpoint covers and the log keeps to itself
    checkpoint: bool
    keys: bool  # whether another key is offered

    @classmethod
    def between(cls, before: Served, after: Served) -> Difference:
        """What is served differently, as far as the checkpoint of before covers it."""
        # The leaf of the root log is made of the entry, so that it is gone where the entry is.
        covered = range(1, before.size + 1)
        return cls(
            frozenset(at for at in covered if before.entries[at] != after.entries.get(at)),
            frozenset(at for at in covered if before.leaves[at] != after.leaves.get(at)),
            frozenset(
                place
                for place, node in before.nodes.items()
                if (place[1] + 1) << 8 * place[0] <= before.size and node != after.nodes.get(place)
            ),
            frozenset(range(after.size + 1, before.size + 1)) if before.note == after.note else frozenset(),
            before.note != after.note,
            before.keys[-1:] != after.keys[-1:],
        )

    def __bool__(self) -> bool:
        return any((self.entries, self.leaves, self.nodes, self.unserved, self.checkpoint, self.keys))
