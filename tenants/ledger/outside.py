"""Those outside who vouch for checkpoints: witnesses (C2SP tlog-witness) and a timestamp authority (RFC 3161).

Neither is needed for a checkpoint to be published. What does not answer in time is asked again after the next round.
"""

from __future__ import annotations

import hashlib
import logging
from base64 import b64encode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import httpx
from rfc3161_client import (
    HashAlgorithm,
    TimestampRequestBuilder,
    decode_timestamp_response,
)

from tenants.database import Role
from tenants.ledger.merkle import consistency_proof
from tenants.ledger.note import NoteWrong, Verifier, signatures, split
from tenants.ledger.store import ROOT_LOG, PublishedLog, Subtrees

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tenants.database import Database
    from tenants.ledger.policy import Witness

log = logging.getLogger("kyodo.publisher")

_SECONDS = 5.0  # as long as anyone outside may take to answer
_LARGEST = 100_000  # bytes of an answer
_BETWEEN_TIMESTAMPS = timedelta(hours=1)
_NOT_THAT_SIZE = httpx.codes.CONFLICT


@dataclass(frozen=True, slots=True)
class _Unseen:
    """A checkpoint that a witness has not signed; `last` is the size of the last one of the log that it did, or 0."""

    log: UUID
    size: int
    note: str
    last: int


class Witnesses:
    """Asks every witness for its cosignature of every log's latest checkpoint."""

    def __init__(self, database: Database, witnesses: Sequence[Witness]) -> None:
        """Only witnesses whose address the policy names can be asked."""
        self._database = database
        self._witnesses = [witness for witness in witnesses if witness.url]
        self._said: set[str] = set()

    def ask(self) -> None:
        """Ask for what is missing; a witness that cannot be reached is left for this round."""
        with httpx.Client(timeout=_SECONDS, follow_redirects=False) as client:
            for witness in self._witnesses:
                for unseen in self._unseen(witness):
                    try:
                        line = self._cosignature(client, witness, unseen)
                    except httpx.HTTPError as gone:
                        self._say(f"witness {witness.name} cannot be reached: {gone or type(gone).__name__}")
                        break
                    if line is not None:
                        self._keep(unseen, witness.key, line)

    def _unseen(self, witness: Witness) -> list[_Unseen]:
        """Every log's latest checkpoint, where the witness has not signed it."""
        with self._database.projector() as connection:
            rows = connection.execute(_UNSEEN, (_named(witness.key),)).fetchall()
        return [_Unseen(*row) for row in rows]

    def _cosignature(self, client: httpx.Client, witness: Witness, unseen: _Unseen) -> str | None:
        answer = self._add_checkpoint(client, witness, unseen, unseen.last)
        if answer.status_code == _NOT_THAT_SIZE and answer.text.strip().isdigit():
            # The witness has seen another size of this log: begin there (tlog-witness, "add-checkpoint").
            known = int(answer.text)
            if known > unseen.size:
                self._say(f"witness {witness.name} has seen {known} entries of {unseen.log}, which has {unseen.size}")
                return None
            answer = self._add_checkpoint(client, witness, unseen, known)
        if answer.status_code != httpx.codes.OK:
            self._say(f"witness {witness.name} answers {answer.status_code} about log {unseen.log}")
            return None
        return self._verified(witness, unseen.note, answer.text)

    def _add_checkpoint(self, client: httpx.Client, witness: Witness, unseen: _Unseen, old: int) -> httpx.Response:
        proof: list[bytes] = []
        if 0 < old < unseen.size:
            with self._database.tenant(Role.PROJECTOR, unseen.log) as connection:
                proof = consistency_proof(old, unseen.size, Subtrees(connection, unseen.log))
        lines = "".join(b64encode(each).decode() + "\n" for each in proof)
        return client.post(f"{witness.url}/add-checkpoint", content=f"old {old}\n{lines}\n{unseen.note}")

    def _verified(self, witness: Witness, note: str, answer: str) -> str | None:
        """The witness's own line in its answer; other signatures are passed over."""
        text, _ = split(note)
        try:
            for each in signatures(answer[:_LARGEST]):
                if (each.name, each.id) == (witness.key.name, witness.key.id) and witness.key.verifies(
                    text, each.signature
                ):
                    return each.line
        except NoteWrong as malformed:
            self._say(f"witness {witness.name} answers what is no cosignature: {malformed}")
            return None
        self._say(f"witness {witness.name} answers without a cosignature of the key that the policy names")
        return None

    def _keep(self, unseen: _Unseen, key: Verifier, line: str) -> None:
        with self._database.tenant(Role.PROJECTOR, unseen.log) as connection:
            connection.execute(
                "INSERT INTO cosignature (tenant_id, size, witness, line, at) VALUES (%s, %s, %s, %s, %s)"
                " ON CONFLICT DO NOTHING",
                (unseen.log, unseen.size, _named(key), line, datetime.now(UTC)),
            )

    def _say(self, what: str) -> None:
        """Warn once of what stays so round after round."""
        if what not in self._said:
            self._said.add(what)
            log.warning("%s", what)


class TimestampAuthority:
    """Has the root log's checkpoint timestamped, and so the checkpoints of all cities, which are its entries."""

    def __init__(self, database: Database, url: str) -> None:
        self._database, self._url = database, url

    def ask(self) -> None:
        """Take a timestamp of the latest checkpoint unless there was one within the hour."""
        root = PublishedLog(self._database, ROOT_LOG, Role.PROJECTOR)
        published = root.checkpoint()
        if published is None or not self._is_due(published.size):
            return
        data = published.note.encode()
        request = TimestampRequestBuilder().data(data).hash_algorithm(HashAlgorithm.SHA256).nonce(nonce=True).build()
        try:
            answer = httpx.post(
                self._url,
                content=request.as_bytes(),
                headers={"Content-Type": "application/timestamp-query"},
                timeout=_SECONDS,
            ).raise_for_status()
            response = decode_timestamp_response(answer.content[:_LARGEST])
            stamped = response.tst_info
        except (httpx.HTTPError, ValueError) as failed:
            log.warning("the timestamp authority gave no timestamp: %s", failed)
            return
        if stamped.message_imprint.message != hashlib.sha256(data).digest() or stamped.nonce != request.nonce:
            log.warning("the timestamp authority stamped something else than the checkpoint")
            return
        with self._database.tenant(Role.PROJECTOR, ROOT_LOG) as connection:
            connection.execute(
                "INSERT INTO checkpoint_timestamp (tenant_id, size, response, at) VALUES (%s, %s, %s, %s)"
                " ON CONFLICT DO NOTHING",
                (ROOT_LOG, published.size, answer.content, datetime.now(UTC)),
            )

    def _is_due(self, size: int) -> bool:
        with self._database.projector() as connection:
            row = connection.execute(
                "SELECT max(size), max(at) FROM checkpoint_timestamp WHERE tenant_id = %s", (ROOT_LOG,)
            ).fetchone()
        last_size, last_at = row or (None, None)
        return last_size is None or (last_size < size and last_at + _BETWEEN_TIMESTAMPS <= datetime.now(UTC))


_UNSEEN = """
    SELECT c.tenant_id, c.size, c.note,
           coalesce((SELECT max(o.size) FROM cosignature o WHERE o.tenant_id = c.tenant_id AND o.witness = w), 0)
      FROM (SELECT DISTINCT ON (tenant_id) tenant_id, size, note FROM checkpoint ORDER BY tenant_id, size DESC) c,
           (SELECT %s::text) AS known(w)
     WHERE NOT EXISTS (
       SELECT FROM cosignature o WHERE o.tenant_id = c.tenant_id AND o.size = c.size AND o.witness = w)
     ORDER BY 1
"""


def _named(key: Verifier) -> str:
    """Name and ID of a witness's key: what tells one signature line of a note from another."""
    return f"{key.name}+{key.id.hex()}"
