"""Those outside who vouch for checkpoints: witnesses (C2SP tlog-witness) and a timestamp authority (RFC 3161).

Neither is needed for a checkpoint to be published. What does not answer in time is asked again after the next round.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
import time
from base64 import b64encode
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from ssl import SSLContext
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
from tenants.ledger.store import ROOT_LOG, LogDamaged, PublishedLog, Subtrees

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tenants.database import Database
    from tenants.ledger.policy import Witness

log = logging.getLogger("kyodo.publisher")

_SECONDS = 5.0  # as long as anyone outside may take to answer
_ROUND = 15.0  # seconds after which a witness is asked nothing more in this round
_LARGEST = 100_000  # bytes of an answer
_LAST_PORT = 65_535  # which httpx leaves to the socket to refuse, in an error of another kind
_SIZE = re.compile(rb"(0|[1-9][0-9]{0,18})\n?")
_CERTIFICATES = 0xA0  # the tag of SignedData.certificates (RFC 5652 §5.1)
_BETWEEN_TIMESTAMPS = timedelta(hours=1)


class _NoAnswer(Exception):
    """Nothing that can be read came in time."""


class _Refused(Exception):
    """An answer came, and it is not what was asked for."""


@dataclass(frozen=True, slots=True)
class _Unseen:
    """A checkpoint that a witness has not signed; `last` is the size of the last one of the log that it did, or 0."""

    log: UUID
    size: int
    note: str
    last: int


Post = Callable[..., tuple[int, bytes]]


@cache
def _certificates() -> SSLContext:
    """Whom to believe about https; read once, since it takes longer than a round of questions."""
    return httpx.create_ssl_context()


@contextmanager
def _posting() -> Iterator[Post]:
    """POST with a bound on the whole exchange, however slowly or long the other side answers; connections are kept.

    httpx bounds only the wait from one byte to the next, and anyone outside could hold publication up for ever. What
    is given out takes URL, content and content type, and returns status and body or raises _NoAnswer.
    """
    with asyncio.Runner() as runner:
        client = httpx.AsyncClient(timeout=_SECONDS, verify=_certificates(), headers={"Accept-Encoding": "identity"})

        async def exchange(url: str, content: bytes, kind: str) -> tuple[int, bytes]:
            if (httpx.URL(url).port or 0) > _LAST_PORT:
                raise _NoAnswer(f"{url} has a port that cannot be")
            try:
                async with (
                    asyncio.timeout(_SECONDS),
                    client.stream("POST", url, content=content, headers={"Content-Type": kind}) as answer,
                ):
                    body = bytearray()
                    async for part in answer.aiter_raw():
                        body += part
                        if len(body) > _LARGEST:
                            raise _NoAnswer(f"the answer is longer than {_LARGEST} bytes")
                    return answer.status_code, bytes(body)
            except TimeoutError as late:
                raise _NoAnswer(f"there is no answer within {_SECONDS:g} s") from late
            except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as gone:  # the last: a host name that cannot be
                raise _NoAnswer(f"{gone}" or type(gone).__name__) from gone

        try:
            yield lambda *request: runner.run(exchange(*request))
        finally:
            runner.run(client.aclose())


class Witnesses:
    """Asks every witness for its cosignature of every log's latest checkpoint."""

    def __init__(self, database: Database, witnesses: Sequence[Witness]) -> None:
        """Only witnesses whose address the policy names can be asked."""
        self._database = database
        self._witnesses = [witness for witness in witnesses if witness.url]
        self._said: dict[tuple[str, UUID], str] = {}

    def ask(self) -> None:
        """Ask for what is missing; a witness that cannot be reached, or takes long over it, is left for this round."""
        with _posting() as post:
            for witness in self._witnesses:
                began = time.monotonic()
                for unseen in self._unseen(witness):
                    if time.monotonic() - began > _ROUND:
                        break
                    try:
                        line = self._cosignature(post, witness, unseen)
                    except _NoAnswer as gone:
                        self._say(witness, ROOT_LOG, f"cannot be reached: {gone}")
                        break
                    except (_Refused, LogDamaged) as refused:
                        self._say(
                            witness, unseen.log, f"does not sign log {unseen.log} at size {unseen.size}: {refused}"
                        )
                        continue
                    self._keep(unseen, witness.key, line)

    def _unseen(self, witness: Witness) -> list[_Unseen]:
        """Every log's latest checkpoint, where the witness has not signed it."""
        with self._database.projector() as connection:
            rows = connection.execute(_UNSEEN, (_named(witness.key),)).fetchall()
        return [_Unseen(*row) for row in rows]

    def _cosignature(self, post: Post, witness: Witness, unseen: _Unseen) -> str:
        """The witness's signature line of the checkpoint. Raises _NoAnswer, _Refused and LogDamaged."""
        status, answer = self._add_checkpoint(post, witness, unseen, unseen.last)
        if status == httpx.codes.CONFLICT and (size := _SIZE.fullmatch(answer)):
            # The witness has seen another size of this log: begin there (tlog-witness, "add-checkpoint").
            known = int(size[1])
            if known > unseen.size:
                raise _Refused(f"it has seen {known} entries")
            status, answer = self._add_checkpoint(post, witness, unseen, known)
        if status != httpx.codes.OK:
            raise _Refused(f"it answers {status}")
        return _cosignature_in(answer, witness.key, unseen.note)

    def _add_checkpoint(self, post: Post, witness: Witness, unseen: _Unseen, old: int) -> tuple[int, bytes]:
        proof: list[bytes] = []
        if 0 < old < unseen.size:
            with self._database.tenant(Role.PROJECTOR, unseen.log) as connection:
                proof = consistency_proof(old, unseen.size, Subtrees(connection, unseen.log))
        lines = "".join(b64encode(each).decode() + "\n" for each in proof)
        return post(f"{witness.url}/add-checkpoint", f"old {old}\n{lines}\n{unseen.note}".encode(), "text/plain")

    def _keep(self, unseen: _Unseen, key: Verifier, line: str) -> None:
        with self._database.tenant(Role.PROJECTOR, unseen.log) as connection:
            connection.execute(
                "INSERT INTO cosignature (tenant_id, size, witness, line, at) VALUES (%s, %s, %s, %s, %s)"
                " ON CONFLICT DO NOTHING",
                (unseen.log, unseen.size, _named(key), line, datetime.now(UTC)),
            )

    def _say(self, witness: Witness, about: UUID, what: str) -> None:
        """Warn once of what stays so round after round."""
        if self._said.get((witness.name, about)) != what:
            self._said[witness.name, about] = what
            log.warning("witness %s %s", witness.name, what)


def _cosignature_in(answer: bytes, key: Verifier, note: str) -> str:
    """The witness's own line in its answer, other signatures passed over; _Refused where there is none."""
    text, _ = split(note)
    try:
        for each in signatures(answer.decode()):
            if (each.name, each.id) == (key.name, key.id) and key.verifies(text, each.signature):
                return each.line
    except (NoteWrong, UnicodeDecodeError) as malformed:
        raise _Refused(f"it answers what is no cosignature: {str(malformed)[:200]}") from malformed
    raise _Refused("it answers without a cosignature of the key that the policy names")


class TimestampAuthority:
    """Has the root log's checkpoint timestamped, and so the checkpoints of all cities, which are its entries."""

    def __init__(self, database: Database, url: str) -> None:
        self._database, self._url = database, url
        self._said = ""

    def ask(self) -> None:
        """Take a timestamp of the latest checkpoint unless there was one within the hour."""
        root = PublishedLog(self._database, ROOT_LOG, Role.PROJECTOR)
        published = root.checkpoint()
        if published is None or not self._is_due(published.size):
            return
        try:
            with _posting() as post:
                response = _timestamp(post, self._url, published.note.encode())
        except (_NoAnswer, _Refused) as refused:
            # Said once, not every round: it stays so until somebody mends it.
            if self._said != str(refused):
                log.warning("the timestamp authority gave no timestamp: %s", refused)
            self._said = str(refused)
            return
        self._said = ""
        with self._database.tenant(Role.PROJECTOR, ROOT_LOG) as connection:
            connection.execute(
                "INSERT INTO checkpoint_timestamp (tenant_id, size, response, at) VALUES (%s, %s, %s, %s)"
                " ON CONFLICT DO NOTHING",
                (ROOT_LOG, published.size, response, datetime.now(UTC)),
            )

    def _is_due(self, size: int) -> bool:
        with self._database.projector() as connection:
            row = connection.execute(
                "SELECT max(size), max(at) FROM checkpoint_timestamp WHERE tenant_id = %s", (ROOT_LOG,)
            ).fetchone()
        last_size, last_at = row or (None, None)
        return last_size is None or (last_size < size and last_at + _BETWEEN_TIMESTAMPS <= datetime.now(UTC))


def _timestamp(post: Post, url: str, data: bytes) -> bytes:
    """The authority's response over the data, DER. Raises _NoAnswer; _Refused unless it is granted and over the data.

    Whether the authority may be trusted is for those who verify: they know its certificate.
    """
    request = TimestampRequestBuilder().data(data).hash_algorithm(HashAlgorithm.SHA256).nonce(nonce=True).build()
    status, answer = post(url, request.as_bytes(), "application/timestamp-query")
    if status != httpx.codes.OK:
        raise _Refused(f"it answers {status}")
    try:
        stamped = decode_timestamp_response(_in_order(answer)).tst_info
    except ValueError as malformed:
        raise _Refused(f"it answers without a timestamp: {malformed}") from malformed
    if stamped.message_imprint.message != hashlib.sha256(data).digest() or stamped.nonce != request.nonce:
        raise _Refused("it stamped something else than the checkpoint")
    return answer


def _in_order(response: bytes) -> bytes:
    """The response with its certificates sorted.

    They are a set, which DER sorts (X.690 §11.6) and our parser wants sorted; openssl and the authorities built on it
    leave them as configured. What is not a response is returned as it is.
    """
    try:
        _, token = _elements(response, 0)
        _, content = _elements(response, token)
        (signed_data,) = _elements(response, content)
        certificates = _elements(response, signed_data)[3]
        if response[certificates] != _CERTIFICATES:
            return response
        begin, end = _content(response, certificates)
        starts = _elements(response, certificates)
    except (IndexError, ValueError):
        return response
    ordered = sorted(response[low:high] for low, high in zip(starts, [*starts[1:], end], strict=True))
    return response[:begin] + b"".join(ordered) + response[end:]


def _elements(der: bytes, at: int) -> list[int]:
    """Where each element within the one at `at` begins; IndexError where the bytes end too early."""
    at, end = _content(der, at)
    found = []
    while at < end:
        found.append(at)
        at = _content(der, at)[1]
    return found


def _content(der: bytes, at: int) -> tuple[int, int]:
    """Begin and end of the content of the element at `at` (X.690 §8.1.3)."""
    length, begin = der[at + 1], at + 2
    if length & 0x80:
        begin += length & 0x7F
        length = int.from_bytes(der[at + 2 : begin], "big")
    return begin, begin + length


_UNSEEN = """
    SELECT c.tenant_id, c.size, c.note,
           coalesce((SELECT max(o.size) FROM cosignature o WHERE o.tenant_id = c.tenant_id AND o.witness = w), 0)
      FROM (SELECT DISTINCT ON (tenant_id) tenant_id, size, note
              FROM checkpoint ORDER BY tenant_id, size DESC, signed_at DESC) c,
           (SELECT %s::text) AS known(w)
     WHERE NOT EXISTS (
       SELECT FROM cosignature o WHERE o.tenant_id = c.tenant_id AND o.size = c.size AND o.witness = w)
     ORDER BY 1
"""


def _named(key: Verifier) -> str:
    """Name and ID of a witness's key: what tells one signature line of a note from another."""
    return f"{key.name}+{key.id.hex()}"
