"""An attacker who owns the database: what one can do to a published log with SQL, drawn by dice.

An alteration is a change of history (or of what is published about it), made with some care (are leaves, roots, head
and tree recomputed as if it had always been so?), and what is done afterwards about the signed checkpoint. The signing
keys are files elsewhere, so that an attacker can forge notes, sign with a key of his own, or have the worker sign.

What an alteration changed is not taken from how it was made, but read off what the log serves before and after it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from enum import Enum
from typing import Any
from uuid import uuid4

from tenants.ledger.checkpoint import Checkpoint
from tenants.ledger.merkle import Frontier, leaf_hash
from tenants.ledger.note import Signer, signed
from tests.drills.evidence import ENVELOPE, NONSENSE, SQL, Log


class Care(Enum):
    """What is recomputed after a change of entries."""

    NONE = "nothing is recomputed"
    LEAF = "the leaves are recomputed"
    ALL = "leaves, roots, head and tree are recomputed"


class Sequel(Enum):
    """What is done about the signed checkpoint afterwards."""

    NOTHING = "the checkpoint is left alone"
    FORGED = "the checkpoint is rewritten under its old signature"
    OWN_KEY = "the checkpoint is signed with another key of the same name"
    WORKER = "the worker signs again"


class Attacker:
    """Superuser of a disposable copy, with dice. Works in one transaction, which the caller commits."""

    def __init__(self, sql: SQL, log: Log, dice: random.Random) -> None:
        self.sql, self.log, self.dice = sql, log, dice

    def position(self) -> int:
        """One that the visitor has seen."""
        return self.dice.randint(1, self.log.kept)

    def run(self, statement: str, *values: Any) -> None:
        """A statement in which :log is the log's id."""
        named = {"log": self.log.id, **{f"v{number}": value for number, value in enumerate(values)}}
        for number in range(len(values)):
            statement = statement.replace("%s", f"%(v{number})s", 1)
        self.sql.execute(statement.replace(":log", "%(log)s"), named)

    # ---- Changes of entries.

    def edit(self) -> str:
        """Another value in any column of an event."""
        column = self.dice.choice(sorted(_EDITS))
        at = self.position()
        self.run(f"UPDATE event SET {column} = {_EDITS[column]} WHERE tenant_id = :log AND position = %s", at)
        return f"{column} of position {at} edited"

    def edit_state(self) -> str:
        """One character of what an event says."""
        at = self.position()
        row = self.sql.execute(
            "SELECT convert_from(state, 'UTF8') FROM event WHERE tenant_id = %s AND position = %s", (self.log.id, at)
        ).fetchone()
        text = row[0] if row else ""
        places = [place for place, each in enumerate(text) if each.isascii() and each.isalnum()]
        place = self.dice.choice(places)
        other = self.dice.choice([each for each in "0123456789abcxyz" if each != text[place]])
        altered = (text[:place] + other + text[place + 1 :]).encode()
        self.run("UPDATE event SET state = %s WHERE tenant_id = :log AND position = %s", altered, at)
        return f"character {place} of what position {at} says edited"

    def edit_to_nonsense(self) -> str:
        """Bytes that are no text at all."""
        at = self.position()
        self.run("UPDATE event SET state = %s WHERE tenant_id = :log AND position = %s", NONSENSE, at)
        return f"position {at} overwritten with bytes that are no text"

    def swap(self) -> str:
        """Two events in each other's place."""
        one, other = self.dice.sample(range(1, self.log.kept + 1), 2)
        self.run("UPDATE event SET position = -1 WHERE tenant_id = :log AND position = %s", one)
        self.run("UPDATE event SET position = %s WHERE tenant_id = :log AND position = %s", one, other)
        self.run("UPDATE event SET position = %s WHERE tenant_id = :log AND position = -1", other)
        return f"positions {one} and {other} swapped"

    def swap_data(self) -> str:
        """What two events say, each under the other's envelope."""
        one, other = self.dice.sample(range(1, self.log.kept + 1), 2)
        self.run(
            "UPDATE event e SET state = o.state, type = o.type FROM event o WHERE e.tenant_id = :log"
            " AND o.tenant_id = :log AND (e.position, o.position) IN ((%s, %s), (%s, %s))",
            one, other, other, one,
        )  # fmt: skip
        return f"what positions {one} and {other} say swapped"

    def delete_and_close_up(self) -> str:
        """One event less, the later ones moved up."""
        at = self.position()
        self.run("DELETE FROM event WHERE tenant_id = :log AND position = %s", at)
        self._shift(at, -1)
        return f"position {at} deleted, the later ones renumbered"

    def insert(self) -> str:
        """One event more, the later ones moved down."""
        at = self.position()
        self._shift(at, 1)
        self.run(
            f"INSERT INTO event ({ENVELOPE}, state, leaf, root) SELECT tenant_id, %s, %s, 1, {_REST}, state, leaf,"
            " root FROM event WHERE tenant_id = :log AND position = %s",
            at, uuid4(), at + 1,
        )  # fmt: skip
        return f"an event inserted at position {at}, the later ones renumbered"

    def _shift(self, first: int, by: int) -> None:
        # The primary key is checked row by row, so that they pass through negative positions.
        self.run("UPDATE event SET position = -position WHERE tenant_id = :log AND position >= %s", first)
        self.run("UPDATE event SET position = -position + %s WHERE tenant_id = :log AND position < 0", by)

    def delete(self) -> str:
        """Some events, the gap left open."""
        gone = sorted({self.position() for _ in range(self.dice.choice((1, 1, 2, 5)))})
        self.run("DELETE FROM event WHERE tenant_id = :log AND position = ANY(%s)", gone)
        return f"positions {gone} deleted"

    def give_away(self) -> str:
        """One event moved into another city's log."""
        at = self.position()
        self.run(
            "UPDATE event SET tenant_id = (SELECT tenant_id FROM tenant WHERE tenant_id <> :log ORDER BY 1 LIMIT 1),"
            " position = 100000 WHERE tenant_id = :log AND position = %s",
            at,
        )
        return f"position {at} moved to another city"

    def truncate(self) -> str:
        """The end of the log cut off."""
        size = self.dice.randint(0, self.log.kept - 1)
        self._cut(size)
        return f"the log cut off after {size}"

    def roll_back(self) -> str:
        """The log as it was at an older checkpoint, with that checkpoint."""
        size = self.dice.choice([size for size in self.log.sizes if size < self.log.kept])
        self._cut(size)
        self.run("DELETE FROM checkpoint WHERE tenant_id = :log AND size > %s", size)
        self.run("DELETE FROM tree_node WHERE tenant_id = :log AND (number + 1) << (8 * level) > %s", size)
        self.recompute(Care.ALL)
        return f"the log rolled back to its checkpoint of {size}"

    def roll_back_and_go_on(self) -> str:
        """Another continuation of the log from an older checkpoint."""
        said = self.roll_back()
        size = max(self.log.sizes) + self.dice.randint(-3, 3)
        self.run(
            f"INSERT INTO event ({ENVELOPE}, state, leaf, root) SELECT tenant_id,"
            " (SELECT max(position) FROM event WHERE tenant_id = :log) + n, gen_random_uuid(), 1,"
            f" {_REST}, state, leaf, root FROM event, generate_series(1, %s) n WHERE tenant_id = :log AND position = 1",
            size,
        )
        self.run("DELETE FROM event WHERE tenant_id = :log AND position > %s", size)
        return f"{said} and continued in another way"

    def _cut(self, size: int) -> None:
        table = "root_entry WHERE :log IS NOT NULL" if self.log.is_root else "event WHERE tenant_id = :log"
        self.run(f"DELETE FROM {table} AND position > %s", size)

    # ---- Changes of what is published about the entries.

    def leaf(self) -> str:
        """A hash in a level-0 tile."""
        at = self.position()
        self.run("UPDATE event SET leaf = sha256(leaf) WHERE tenant_id = :log AND position = %s", at)
        return f"the leaf hash of position {at} edited"

    def node(self) -> str:
        """A hash in a tile above."""
        if self.dice.random() < 0.3:
            self.run("DELETE FROM tree_node WHERE tenant_id = :log AND level = 1 AND number = 0")
            return "a tree node deleted"
        self.run("UPDATE tree_node SET hash = sha256(hash) WHERE tenant_id = :log AND level = 1 AND number = 0")
        return "a tree node edited"

    def note_edited(self) -> str:
        """One character of the latest note."""
        size, note = self._latest()
        place = self.dice.choice([at for at, each in enumerate(note) if each.isascii() and each.isalnum()])
        other = self.dice.choice([each for each in "ABCabc123" if each != note[place]])
        note = note[:place] + other + note[place + 1 :]
        self.run("UPDATE checkpoint SET note = %s WHERE tenant_id = :log AND size = %s", note, size)
        return f"character {place} of the checkpoint edited"

    def note_put_back(self) -> str:
        """An older note under the newest size."""
        size, _ = self._latest()
        older = self.dice.choice([each for each in self.log.sizes if each < self.log.kept])
        self.run(
            "UPDATE checkpoint SET note = (SELECT note FROM checkpoint WHERE tenant_id = :log AND size = %s)"
            " WHERE tenant_id = :log AND size = %s",
            older, size,
        )  # fmt: skip
        return f"the checkpoint of {older} shown as the latest"

    def checkpoints_deleted(self) -> str:
        """The newest checkpoints, the entries left alone."""
        older = self.dice.choice([0, *(each for each in self.log.sizes if each < self.log.kept)])
        self.run("DELETE FROM checkpoint WHERE tenant_id = :log AND size > %s", older)
        return f"the checkpoints after {older} deleted"

    def checkpoint_resized(self) -> str:
        """The size of the newest row, which says how much is served."""
        size, _ = self._latest()
        self.run("UPDATE checkpoint SET size = %s WHERE tenant_id = :log AND size = %s", size + 7, size)
        self.run("DELETE FROM checkpoint WHERE tenant_id = :log AND size < %s", size)
        if self.dice.random() < 0.5:
            self.run("UPDATE checkpoint SET size = %s WHERE tenant_id = :log", self.dice.randint(1, size - 1))
        return "the size of the checkpoint's row edited"

    def key(self) -> str:
        """Another key of the log's name is shown."""
        self.run("UPDATE log_key SET vkey = %s WHERE tenant_id = :log", Signer.create(self.log.origin).verifier.vkey)
        return "the log's key replaced"

    # ---- Changes of the root log.

    def root_entry(self) -> str:
        """One byte of an entry of the root log."""
        at = self.position()
        self.run(
            "UPDATE root_entry SET entry = set_byte(entry, %s, (get_byte(entry, %s) + 1) %% 128) WHERE position = %s",
            place := self.dice.randint(0, 40), place, at,
        )  # fmt: skip
        return f"byte {place} of the root log's position {at} edited"

    def root_entries_swapped(self) -> str:
        """Two entries of the root log in each other's place."""
        one, other = self.dice.sample(range(1, self.log.kept + 1), 2)
        self.run("UPDATE root_entry SET position = -1 WHERE position = %s", one)
        self.run("UPDATE root_entry SET position = %s WHERE position = %s", one, other)
        self.run("UPDATE root_entry SET position = %s WHERE position = -1", other)
        return f"positions {one} and {other} of the root log swapped"

    def root_entry_replaced(self) -> str:
        """A well-formed checkpoint of another history in an entry's place."""
        at = self.position()
        forged = signed(Checkpoint("localhost/log/yamato", at, self.dice.randbytes(32)).text, [_own("yamato")])
        self.run("UPDATE root_entry SET entry = %s WHERE position = %s", forged.encode(), at)
        return f"the root log's position {at} replaced by a checkpoint of another history"

    def root_entry_deleted(self) -> str:
        """An entry of the root log."""
        at = self.position()
        self.run("DELETE FROM root_entry WHERE position = %s", at)
        return f"the root log's position {at} deleted"

    # ---- Care, and what is done about the checkpoint.

    def recompute(self, care: Care) -> None:
        """Make what is derived from the entries fit them again."""
        if care is Care.NONE or self.log.is_root:
            return
        self.run("UPDATE event e SET leaf = leaf_hash(event_entry(e)) WHERE tenant_id = :log")
        if care is Care.LEAF:
            return
        rows = self.sql.execute(
            "SELECT position, leaf FROM event WHERE tenant_id = %s ORDER BY position", (self.log.id,)
        ).fetchall()
        tree, roots, nodes = Frontier(), [], []
        for _, leaf in rows:
            tree, closed = tree.extended((leaf,), 8)
            roots.append(tree.root())
            nodes += closed
        self.run(
            "UPDATE event SET root = n.root FROM unnest(%s::bigint[], %s::bytea[]) n (at, root)"
            " WHERE tenant_id = :log AND position = n.at",
            [position for position, _ in rows], roots,
        )  # fmt: skip
        self.run(
            "UPDATE tenant_head SET size = %s, root = %s, frontier = %s::bytea[] WHERE tenant_id = :log",
            tree.size, tree.root(), list(tree.hashes),
        )  # fmt: skip
        self.run("DELETE FROM tree_node WHERE tenant_id = :log")
        for level, number, node in nodes:
            self.run("INSERT INTO tree_node VALUES (:log, %s, %s, %s)", level // 8, number, node)

    def forge(self, *, own_key: bool) -> None:
        """Make the latest checkpoint say what the entries say, under its old signature or that of another key."""
        size, note = self._latest()
        leaves = self._leaves()
        root = Frontier().extended(leaves)[0].root()
        text = Checkpoint(self.log.origin, len(leaves), root).text
        signer = Signer.create(self.log.origin)
        forged = signed(text, [signer]) if own_key else text + note[note.rindex("\n\n") + 1 :]
        self.run("DELETE FROM checkpoint WHERE tenant_id = :log AND size >= %s", min(size, len(leaves)))
        if leaves:
            self.run("INSERT INTO checkpoint VALUES (:log, %s, %s, %s, now())", len(leaves), root, forged)
        if own_key:
            self.run("UPDATE log_key SET vkey = %s WHERE tenant_id = :log", signer.verifier.vkey)

    def _leaves(self) -> list[bytes]:
        if self.log.is_root:
            rows: Iterable[tuple[Any, ...]] = self.sql.execute("SELECT entry FROM root_entry ORDER BY position")
            return [leaf_hash(entry) for (entry,) in rows]
        rows = self.sql.execute("SELECT leaf FROM event WHERE tenant_id = %s ORDER BY position", (self.log.id,))
        return [leaf for (leaf,) in rows]

    def _latest(self) -> tuple[int, str]:
        row = self.sql.execute(
            "SELECT size, note FROM checkpoint WHERE tenant_id = %s ORDER BY size DESC, signed_at DESC LIMIT 1",
            (self.log.id,),
        ).fetchone()
        if row is None:
            raise LookupError(f"{self.log.name} has no checkpoint")
        return row[0], row[1]


def _own(city: str) -> Signer:
    return Signer.create(f"localhost/log/{city}")


_EDITS = {
    "stream_id": "gen_random_uuid()",
    "version": "version + 1000",
    "type": "type || 'Not'",
    "schema_version": "schema_version + 1",
    "mode": "CASE mode WHEN 'LIVE' THEN 'IMPORT' ELSE 'LIVE' END",
    "actor": "'A/mayor-' || position",
    "recorded_by": "'S/desk-' || position",
    "approved_by": "coalesce(approved_by || '-2', 'Z/nobody')",
    "signatories": "array_append(signatories, 'P/late-signatory')",
    "document_ref": "coalesce(NULL, '第' || position || '号')",
    "programme": "coalesce(programme || '-2', 'ordinance')",
    "programme_version": "coalesce(programme_version + 1, 1)",
    "recorded_at": "recorded_at - interval '1 microsecond'",
}
_REST = (
    "type, schema_version, mode, actor, recorded_by, approved_by, signatories, document_ref, programme,"
    " programme_version, recorded_at"
)

Change = Callable[[Attacker], str]

CARED_FOR: tuple[Change, ...] = (
    Attacker.edit,
    Attacker.edit,
    Attacker.edit_state,
    Attacker.swap,
    Attacker.swap_data,
    Attacker.delete_and_close_up,
    Attacker.insert,
    Attacker.truncate,
    Attacker.roll_back_and_go_on,
)
"""Changes of entries that an attacker may make with any care, and any sequel."""

AS_THEY_ARE: tuple[Change, ...] = (
    Attacker.edit_to_nonsense,
    Attacker.delete,
    Attacker.give_away,
    Attacker.roll_back,
    Attacker.leaf,
    Attacker.node,
    Attacker.note_edited,
    Attacker.note_put_back,
    Attacker.checkpoints_deleted,
    Attacker.checkpoint_resized,
    Attacker.key,
)

OF_THE_ROOT_LOG: tuple[Change, ...] = (
    Attacker.root_entry,
    Attacker.root_entries_swapped,
    Attacker.root_entry_replaced,
    Attacker.root_entry_deleted,
    Attacker.truncate,
    Attacker.roll_back,
    Attacker.note_edited,
    Attacker.note_put_back,
    Attacker.key,
)


def altered(attacker: Attacker, change: Change | None = None) -> tuple[str, Sequel]:
    """One alteration, this one or one by the dice: what was done, and what is left to do about the checkpoint."""
    dice = attacker.dice
    if change is None:
        of_a_city = CARED_FOR if dice.random() < 0.6 else AS_THEY_ARE
        change = dice.choice(OF_THE_ROOT_LOG if attacker.log.is_root else of_a_city)
    said = change(attacker)
    if attacker.log.is_root or change not in CARED_FOR:
        sequel = dice.choice((Sequel.NOTHING, Sequel.WORKER))
        return f"{said}; {sequel.value}", sequel
    care, sequel = dice.choice(list(Care)), dice.choice(list(Sequel))
    attacker.recompute(care)
    if sequel in {Sequel.FORGED, Sequel.OWN_KEY}:
        attacker.forge(own_key=sequel is Sequel.OWN_KEY)
    return f"{said}; {care.value}; {sequel.value}", sequel
