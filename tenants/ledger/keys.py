"""The keys that sign the logs' checkpoints, in files outside the database, and what was last signed with them.

A log may have several keys while it changes from one to the next: all of them sign until the old one is retired. What
was signed last is kept beside the keys, so that nobody who owns the database can have an older or another history
signed: see tenants.ledger.publish.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING

from tenants.key_files import create, replace, secret
from tenants.ledger.merkle import Frontier
from tenants.ledger.note import Signer

if TYPE_CHECKING:
    from pathlib import Path
    from uuid import UUID


class LogKeyMissing(Exception):
    """The log has no signing key on this machine; make one with: kyodo keys create, or restore the key folder."""


class SignedTreeUnreadable(Exception):
    """What was last signed with these keys cannot be read: put back the newest copy of the key folder's signed.json."""


class LogKeys:
    """Signing keys, one file each: `<log>/<n>.key` in `folder`, in the form of Go's sumdb/note, mode 0600."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def create(self, log: UUID, origin: str) -> bool:
        """Make the log's first key, under the origin that the log has from then on; whether there was none."""
        if self._files(log):
            return False
        return create(self._path(log, 1), f"{Signer.create(origin).secret}\n".encode())

    def rotate(self, log: UUID) -> Signer:
        """Make one more key; from the next checkpoint on the former ones sign beside it until they are retired."""
        *_, newest = self.signers(log)
        number = 1 + max(self._files(log))
        create(self._path(log, number), f"{Signer.create(newest.name).secret}\n".encode())
        return self.signers(log)[-1]

    def retire(self, log: UUID) -> list[Signer]:
        """Destroy every key but the newest; returns those destroyed."""
        *old, _ = self.signers(log)
        *numbers, _ = sorted(self._files(log))
        for number in numbers:
            self._path(log, number).unlink()
        return old

    def signers(self, log: UUID) -> list[Signer]:
        """The log's keys from the oldest to the newest. Raises LogKeyMissing, KeyExposed or NoteWrong."""
        numbers = sorted(self._files(log))
        if not numbers:
            raise LogKeyMissing(f"{self._path(log, 1)} is missing: {LogKeyMissing.__doc__}")
        return [Signer.of(secret(self._path(log, number)).decode()) for number in numbers]

    def has(self, log: UUID) -> bool:
        """Whether the log can be signed on this machine."""
        return bool(self._files(log))

    def signed(self, log: UUID) -> Frontier | None:
        """The tree that was last signed on this machine, None where none was. Raises SignedTreeUnreadable."""
        path = self._signed_path(log)
        try:
            kept = json.loads(path.read_text())
            return Frontier(kept["size"], tuple(b64decode(each, validate=True) for each in kept["frontier"]))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as damaged:
            raise SignedTreeUnreadable(f"{path}: {SignedTreeUnreadable.__doc__}") from damaged

    def sign(self, log: UUID, tree: Frontier) -> None:
        """Remember that this tree is signed; durable on return."""
        kept = {"size": tree.size, "frontier": [b64encode(each).decode() for each in tree.hashes]}
        replace(self._signed_path(log), json.dumps(kept).encode())

    def _path(self, log: UUID, number: int) -> Path:
        return self.folder / str(log) / f"{number}.key"

    def _signed_path(self, log: UUID) -> Path:
        return self.folder / str(log) / "signed.json"

    def _files(self, log: UUID) -> list[int]:
        return [int(path.stem) for path in (self.folder / str(log)).glob("*.key")]
