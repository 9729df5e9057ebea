"""Checkpoints: origin, size and root of a log as a signed note (C2SP tlog-checkpoint), and proofs against them."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tenants.ledger.merkle import HASH_SIZE
from tenants.ledger.note import NoteWrong

if TYPE_CHECKING:
    from collections.abc import Sequence

_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")
_LINES = 3

PROOF_HEADER = "c2sp.org/tlog-proof@v1"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log's operator signs: the log of this origin has so many entries, and this is their root."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """The three lines of the note."""
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n"

    @classmethod
    def of(cls, text: str) -> Checkpoint:
        """Read a note's text, extension lines passed over; NoteWrong where it is not that of a checkpoint."""
        lines = text.removesuffix("\n").split("\n")
        origin, size, root = [*lines, "", "", ""][:_LINES]
        try:
            digest = b64decode(root, validate=True)
        except ValueError:
            digest = b""
        if not all(lines) or not _SIZE.fullmatch(size) or len(digest) != HASH_SIZE:
            raise NoteWrong("a checkpoint is an origin line, a size line and a root line")
        checkpoint = cls(origin, int(size), digest)
        # One tree is written in one way only: base64 may hide bits behind the last byte.
        if not text.startswith(checkpoint.text):
            raise NoteWrong("the root of a checkpoint is not written as base64 of 32 bytes and a newline")
        return checkpoint


def tlog_proof(index: int, proof: Sequence[bytes], checkpoint: str, extra: bytes) -> str:
    """That an entry stands in a log, provable without the log (C2SP tlog-proof).

    `extra` is what the leaf hash is made of: the entry itself. `checkpoint` is the signed note.
    """
    hashes = "".join(b64encode(each).decode() + "\n" for each in proof)
    return f"{PROOF_HEADER}\nextra {b64encode(extra).decode()}\nindex {index}\n{hashes}\n{checkpoint}"
