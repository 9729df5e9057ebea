"""A log as it is published: checkpoints, tiles, bundles and proofs, read from the database by anyone who may read."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from tenants.database import Role
from tenants.ledger.checkpoint import tlog_proof
from tenants.ledger.merkle import (
    ProofWrong,
    check_inclusion,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    perfect_root,
)
from tenants.ledger.tiles import ENTRIES, HEIGHT, Tile, bundle

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from tenants.database import Connection, Database

ROOT_LOG = UUID(int=0)
"""The id of the log over the checkpoints of all cities."""

ROOT_NAME = "root"
"""Its name, which no city can have."""


class NotInLog(Exception):
    """The published log has no such entry, tile or checkpoint."""


class LogDamaged(Exception):
    """Part of the published log is missing or is not what was signed; compare it with a copy that verifies."""


@dataclass(frozen=True, slots=True)
class Published:
    """A checkpoint as it was signed: `note` with the log's own signatures, without those of witnesses."""

    size: int
    root: bytes
    note: str
    signed_at: datetime


class PublishedLog:
    """One city's log, or the root log, up to its latest checkpoint. Cheap to make."""

    def __init__(self, database: Database, log: UUID, role: Role = Role.READER) -> None:
        self._database, self.log, self._role = database, log, role

    def checkpoint(self) -> Published | None:
        """The latest one; None while nothing is published."""
        with self._connection() as connection:
            return latest_checkpoint(connection, self.log)

    def at(self, size: int) -> Published:
        """The checkpoint of that size; NotInLog where none was signed."""
        with self._connection() as connection:
            row = connection.execute(
                f"{_CHECKPOINT} AND size = %s ORDER BY signed_at DESC LIMIT 1", (self.log, size)
            ).fetchone()
        if row is None:
            raise NotInLog(f"no checkpoint of size {size} was signed")
        return Published(*row)

    def first_covering(self, position: int) -> Published:
        """The checkpoint with which the entry was published; NotInLog while there is none."""
        with self._connection() as connection:
            row = connection.execute(
                f"{_CHECKPOINT} AND size >= %s ORDER BY size, signed_at LIMIT 1", (self.log, position)
            ).fetchone()
        if row is None or position < 1:
            raise NotInLog(f"position {position} is not published yet")
        return Published(*row)

    def keys(self) -> list[str]:
        """The verifier keys of the log from the first to the present one."""
        with self._connection() as connection:
            rows = connection.execute(
                "SELECT vkey FROM log_key WHERE tenant_id = %s ORDER BY first_use, vkey", (self.log,)
            ).fetchall()
        return [vkey for (vkey,) in rows]

    def cosigned(self, published: Published) -> str:
        """The checkpoint's note with the cosignatures that witnesses gave to it so far."""
        with self._connection() as connection:
            rows = connection.execute(
                "SELECT line FROM cosignature WHERE tenant_id = %s AND size = %s ORDER BY witness",
                (self.log, published.size),
            ).fetchall()
        return published.note + "".join(line for (line,) in rows)

    def timestamp(self, size: int | None = None) -> tuple[int, bytes]:
        """The latest RFC 3161 response (DER), or that of one checkpoint, with the checkpoint's size; else NotInLog."""
        with self._connection() as connection:
            row = connection.execute(
                "SELECT size, response FROM checkpoint_timestamp WHERE tenant_id = %s AND size = coalesce(%s, size)"
                " ORDER BY size DESC LIMIT 1",
                (self.log, size),
            ).fetchone()
        if row is None:
            raise NotInLog("no timestamp was taken")
        return row[0], row[1]

    def tile(self, tile: Tile) -> bytes:
        """The bytes of a tile or of an entry bundle; NotInLog where the latest checkpoint does not cover it."""
        with self._connection() as connection:
            published = latest_checkpoint(connection, self.log)
            if published is None or not tile.within(published.size):
                raise NotInLog(f"tile {tile.path} is beyond the latest checkpoint")
            if tile.level == ENTRIES:
                return bundle(_entries(connection, self.log, tile.first, tile.width))
            return b"".join(_hashes(connection, self.log, tile.level, tile.first, tile.width))

    def entry(self, position: int) -> bytes:
        """The entry at a position, published or not yet; NotInLog where there is none."""
        with self._connection() as connection:
            found = _entries(connection, self.log, position - 1, 1, complete=False) if position > 0 else []
        if not found:
            raise NotInLog(f"the log has no position {position}")
        return found[0]

    def inclusion(self, position: int, size: int) -> list[bytes]:
        """The inclusion proof of a position in the tree of that size (RFC 6962 §2.1.1)."""
        with self._connection() as connection:
            return inclusion_proof(position - 1, size, Subtrees(connection, self.log))

    def consistency(self, old: int, size: int) -> list[bytes]:
        """The consistency proof between two sizes (RFC 6962 §2.1.2)."""
        with self._connection() as connection:
            return consistency_proof(old, size, Subtrees(connection, self.log))

    def proof(self, position: int) -> str:
        """The tlog-proof of a position in the latest checkpoint, the entry in its `extra`; NotInLog until published.

        Refuses with LogDamaged when what is stored is not what was signed.
        """
        published = self.checkpoint()
        if published is None or not 0 < position <= published.size:
            raise NotInLog(f"position {position} is not published")
        with self._connection() as connection:
            (entry,) = _entries(connection, self.log, position - 1, 1)
            proof = inclusion_proof(position - 1, published.size, Subtrees(connection, self.log))
        try:
            check_inclusion(proof, position - 1, published.size, leaf_hash(entry), published.root)
        except ProofWrong as damaged:
            raise LogDamaged(f"position {position} does not lead to the root that was signed") from damaged
        return tlog_proof(position - 1, proof, self.cosigned(published), entry)

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        with self._database.tenant(self._role, self.log) as connection:
            yield connection


class Subtrees:
    """Reads the roots of perfect subtrees out of tile hashes (merkle.ReadSubtree)."""

    def __init__(self, connection: Connection, log: UUID) -> None:
        self._connection, self._log = connection, log

    def __call__(self, level: int, index: int) -> bytes:
        tile_level, height = divmod(level, HEIGHT)
        return perfect_root(_hashes(self._connection, self._log, tile_level, index << height, 1 << height))


def latest_checkpoint(connection: Connection, log: UUID) -> Published | None:
    """The log's latest checkpoint, None while nothing is published."""
    row = connection.execute(f"{_CHECKPOINT} ORDER BY size DESC, signed_at DESC LIMIT 1", (log,)).fetchone()
    return Published(*row) if row else None


def position_in_root(connection: Connection, tenant: UUID, size: int) -> int | None:
    """Where in the root log a city's checkpoint stands."""
    row = connection.execute(
        "SELECT max(position) FROM root_entry WHERE tenant_id = %s AND size = %s", (tenant, size)
    ).fetchone()
    return row[0] if row else None


def entries(connection: Connection, log: UUID, after: int, limit: int) -> list[bytes]:
    """The entries that follow a position, at most `limit`; the connection serves the log's city."""
    return _entries(connection, log, after, limit, complete=False)


def first_missing(connection: Connection, log: UUID, after: int, count: int) -> int | None:
    """The first of the `count` positions after one at which the log has no entry."""
    table, which = ("root_entry", "true") if log == ROOT_LOG else ("event", "tenant_id = %(log)s")
    row = connection.execute(
        f"SELECT min(n) FROM generate_series(%(first)s::bigint, %(last)s::bigint) n"
        f" WHERE NOT EXISTS (SELECT FROM {table} WHERE {which} AND position = n)",
        {"log": log, "first": after + 1, "last": after + count},
    ).fetchone()
    return row[0] if row else None


_CHECKPOINT = "SELECT size, root, note, signed_at FROM checkpoint WHERE tenant_id = %s"


def _entries(connection: Connection, log: UUID, first: int, count: int, *, complete: bool = True) -> list[bytes]:
    if log == ROOT_LOG:
        query = "SELECT entry FROM root_entry WHERE position > %s AND position <= %s ORDER BY position"
        params: tuple[Any, ...] = (first, first + count)
    else:
        query = (
            "SELECT event_entry(e) FROM event e"
            " WHERE tenant_id = %s AND position > %s AND position <= %s ORDER BY position"
        )
        params = (log, first, first + count)
    found = [entry for (entry,) in connection.execute(query, params, binary=True)]
    if complete and len(found) != count:
        raise LogDamaged(f"position {first_missing(connection, log, first, count)} is missing")
    return found


def _hashes(connection: Connection, log: UUID, level: int, first: int, count: int) -> list[bytes]:
    """`count` hashes of a level of tiles."""
    last = first + count
    if level > 0:
        query = (
            "SELECT hash FROM tree_node"
            " WHERE tenant_id = %s AND level = %s AND number >= %s AND number < %s ORDER BY number"
        )
        params: tuple[Any, ...] = (log, level, first, last)
    elif log == ROOT_LOG:
        query = "SELECT leaf_hash(entry) FROM root_entry WHERE position > %s AND position <= %s ORDER BY position"
        params = (first, last)
    else:
        query = "SELECT leaf FROM event WHERE tenant_id = %s AND position > %s AND position <= %s ORDER BY position"
        params = (log, first, last)
    found = [each for (each,) in connection.execute(query, params, binary=True)]
    if len(found) != count and level > 0:
        raise LogDamaged(f"of the hashes {first} to {last - 1} of tile level {level}, {count - len(found)} are missing")
    if len(found) != count:
        raise LogDamaged(f"position {first_missing(connection, log, first, count)} is missing")
    return found
