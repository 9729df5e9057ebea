"""The logs as anyone may read them: checkpoints, tiles and proofs under /log/ (C2SP tlog-tiles and tlog-proof).

What is immutable says so to caches. Nothing here needs a key except the disclosures, which are opened at each request,
so that a text that was withdrawn or erased is gone with the next one.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from base64 import b64encode
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib.resources import files
from typing import TYPE_CHECKING

import orjson
from fastapi import APIRouter, Request
from fastapi.responses import Response

from gateway.pages.page import language_of, page
from gateway.pages.stories import recorded
from gateway.problems import Problem
from tenants.database import Role
from tenants.disclosures import public_disclosures
from tenants.ledger.note import NoteWrong, Verifier, opened
from tenants.ledger.policy import Policy
from tenants.ledger.store import ROOT_LOG, ROOT_NAME, LogDamaged, NotInLog, PublishedLog, position_in_root
from tenants.ledger.tiles import ENTRIES, Tile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from uuid import UUID

    from tenants.city_keys import KeyService
    from tenants.database import Database

FOREVER = "public, max-age=31536000, immutable"
MOMENT = "public, max-age=2"
NEVER = "no-store"
_TEXT = "text/plain; charset=utf-8"
_BYTES = "application/octet-stream"
_WORTH_COMPRESSING = 512  # bytes
_POSITION = re.compile(r"0|[1-9][0-9]{0,17}")  # at most a bigint, and each in one spelling


@dataclass(frozen=True, slots=True)
class Promise:
    """What the service says in public of its publication: how often, and which witnesses look on."""

    seconds: float = 10
    policy: Policy = field(default_factory=Policy)


@dataclass(frozen=True, slots=True)
class Shown:
    """A log as the index lists it.

    `sound`: its latest checkpoint is signed by its key; `witnessed`: and cosigned by the quorum of the policy.
    """

    name: str
    name_ja: str
    name_en: str
    origin: str
    key: str
    size: int
    root: str
    signed_at: datetime
    sound: bool
    witnessed: bool


class Log:
    """The routes of /log/ over one database. Without `keys` the process shows no disclosures."""

    def __init__(self, database: Database, keys: KeyService | None, promise: Promise) -> None:
        self._database, self._keys, self._promise = database, keys, promise

    def router(self) -> APIRouter:
        """The routes; HEAD answers as GET does, without a body."""
        router = APIRouter()
        for path, answer in (
            ("/log", self.index),
            ("/log/verify.py", self.verifier),
            ("/log/{name}/checkpoint", self.checkpoint),
            ("/log/{name}/key", self.key),
            ("/log/{name}/keys", self.keys),
            ("/log/{name}/tile/{path:path}", self.tile),
            ("/log/{name}/proof/{position}", self.proof),
            ("/log/{name}/root-proof", self.root_proof),
            ("/log/{name}/timestamp", self.timestamp),
            ("/log/{name}/disclosures/{position}", self.disclosures),
        ):
            router.add_api_route(path, answer, methods=["GET", "HEAD"], include_in_schema=False)
        return router

    def index(self, request: Request) -> Response:
        """Every log with its key and latest checkpoint: a page for people, JSON for programs."""
        logs = self._shown()
        if "text/html" in request.headers.get("accept", ""):
            return page(
                request,
                "log.html",
                logs=logs,
                promise=self._promise,
                seconds=f"{self._promise.seconds:g}",
                address=f"{request.url.scheme}://{request.url.netloc}",
                moment=lambda at: recorded(at, language_of(request)),
            )
        body = {
            "checkpoint_seconds": self._promise.seconds,
            "witnesses": [witness.key.vkey for witness in self._promise.policy.witnesses],
            "logs": [asdict(each) for each in logs],
        }
        return Response(
            orjson.dumps(body), media_type="application/json", headers={"Cache-Control": MOMENT, "Vary": "Accept"}
        )

    def verifier(self) -> Response:
        """The verifier as one file without dependencies."""
        source = files("tenants.ledger").joinpath("verify.py").read_bytes()
        return Response(source, media_type="text/x-python; charset=utf-8", headers={"Cache-Control": MOMENT})

    def checkpoint(self, request: Request, name: str) -> Response:
        """The latest checkpoint with the cosignatures it has so far."""
        with self._log(name) as log:
            published = log.checkpoint()
            if published is None:
                raise Problem(404, f"no checkpoint of {name!r} is signed yet")
            note = log.cosigned(published).encode()
        tag = f'"{hashlib.sha256(note).hexdigest()[:32]}"'
        headers = {"Cache-Control": MOMENT, "ETag": tag}
        # One or several tags, weak where something on the way compresses (RFC 9110 §13.1.2).
        if tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(note, media_type=_TEXT, headers=headers)

    def key(self, name: str) -> Response:
        """The verifier key that signs now, one line."""
        return Response(self._keys_of(name)[-1] + "\n", media_type=_TEXT, headers={"Cache-Control": MOMENT})

    def keys(self, name: str) -> Response:
        """Every verifier key that ever signed, the first one first."""
        lines = "".join(f"{vkey}\n" for vkey in self._keys_of(name))
        return Response(lines, media_type=_TEXT, headers={"Cache-Control": MOMENT})

    def tile(self, request: Request, name: str, path: str) -> Response:
        """A tile of hashes or a bundle of entries."""
        tile = Tile.of(path)
        if tile is None:
            raise Problem(400, f"{path[:80]!r} is no tile: <L>/<N> or entries/<N>, with .p/<W> for a partial one")
        with self._log(name) as log:
            data = log.tile(tile)
        headers = {"Cache-Control": FOREVER, "Vary": "Accept-Encoding"}
        compressed = tile.level == ENTRIES and len(data) > _WORTH_COMPRESSING
        if compressed and "gzip" in request.headers.get("accept-encoding", ""):
            data, headers["Content-Encoding"] = gzip.compress(data, 6, mtime=0), "gzip"
        return Response(data, media_type=_BYTES, headers=headers)

    def proof(self, name: str, position: str) -> Response:
        """That a position stands in the latest checkpoint, with the entry itself: all that is needed to check it."""
        with self._log(name) as log:
            text = log.proof(_position(position))
        headers = {
            "Cache-Control": MOMENT,
            "Content-Disposition": f'inline; filename="{name}-{_position(position)}.tlog-proof"',
        }
        return Response(text, media_type=_TEXT, headers=headers)

    def root_proof(self, name: str) -> Response:
        """That the city's latest checkpoint stands in the root log."""
        with self._log(name) as log, self._log(ROOT_NAME) as root:
            published = log.checkpoint()
            if published is None or name == ROOT_NAME:
                raise NotInLog("only a city's checkpoint stands in the root log")
            with self._database.tenant(Role.READER, ROOT_LOG) as connection:
                position = position_in_root(connection, log.log, published.size)
            text = root.proof(position or 0)
        return Response(text, media_type=_TEXT, headers={"Cache-Control": MOMENT})

    def timestamp(self, name: str) -> Response:
        """The latest RFC 3161 response over a checkpoint, whose size stands in the header Checkpoint-Size."""
        with self._log(name) as log:
            size, response = log.timestamp()
        headers = {"Cache-Control": MOMENT, "Checkpoint-Size": str(size)}
        return Response(response, media_type="application/timestamp-reply", headers=headers)

    def disclosures(self, name: str, position: str) -> Response:
        """The public texts of an entry as RFC 9901 disclosures, each of which hashes to a digest in it."""
        if self._keys is None:
            raise Problem(503, "this process has no keys of the cities")
        with self._log(name) as log:
            log.first_covering(_position(position))
            with self._database.tenant(Role.READER, log.log) as connection:
                found = public_disclosures(connection, self._keys, log.log, _position(position))
        body = {"position": _position(position), "disclosures": found}
        return Response(orjson.dumps(body), media_type="application/json", headers={"Cache-Control": NEVER})

    def _shown(self) -> list[Shown]:
        """Every log that was ever signed: the root log, then the cities by municipal code."""
        with self._database.reader() as connection:
            rows = connection.execute(_LOGS, {"root_log": ROOT_LOG, "root": ROOT_NAME}).fetchall()
        shown = []
        for name, name_ja, name_en, vkey, size, root, note, signed_at, lines in rows:
            witnesses = [witness.key for witness in self._promise.policy.witnesses]
            try:
                _, signed_by = opened(note + lines, [Verifier.of(vkey), *witnesses])
                sound = True
            except NoteWrong:
                signed_by, sound = [], False
            witnessed = bool(witnesses) and self._promise.policy.satisfied(set(signed_by))
            origin, root_text = vkey.partition("+")[0], b64encode(root).decode()
            shown.append(Shown(name, name_ja, name_en, origin, vkey, size, root_text, signed_at, sound, witnessed))
        return shown

    def _keys_of(self, name: str) -> list[str]:
        with self._log(name) as log:
            found = log.keys()
        if not found:
            raise Problem(404, f"no checkpoint of {name!r} is signed yet")
        return found

    @contextmanager
    def _log(self, name: str) -> Iterator[PublishedLog]:
        """The log of that name; what it does not have is 404, what is damaged is 500 and says so."""
        try:
            yield PublishedLog(self._database, self._id(name))
        except NotInLog as missing:
            raise Problem(404, str(missing)) from missing
        except LogDamaged as damaged:
            raise Problem(500, str(damaged)) from damaged

    def _id(self, name: str) -> UUID:
        if name == ROOT_NAME:
            return ROOT_LOG
        known = name.isascii() and "\0" not in name
        with self._database.reader() as connection:
            row = connection.execute(
                "SELECT tenant_id FROM tenant WHERE slug = %s", (name if known else "",)
            ).fetchone()
        if row is None:
            raise Problem(404, f"no log is called {name[:80]!r}")
        found: UUID = row[0]
        return found


_LOGS = """
    SELECT coalesce(t.slug, %(root)s), coalesce(t.name_ja, ''), coalesce(t.name_en, ''), k.vkey, c.size, c.root,
           c.note, c.signed_at, coalesce(w.lines, '')
      FROM (SELECT DISTINCT ON (tenant_id) * FROM checkpoint ORDER BY tenant_id, size DESC, signed_at DESC) c
      JOIN (SELECT DISTINCT ON (tenant_id) * FROM log_key ORDER BY tenant_id, first_use DESC, vkey DESC) k
     USING (tenant_id)
      LEFT JOIN tenant t USING (tenant_id)
      LEFT JOIN LATERAL (
        SELECT string_agg(line, '' ORDER BY witness) AS lines FROM cosignature o
         WHERE o.tenant_id = c.tenant_id AND o.size = c.size) w ON true
     WHERE t.tenant_id IS NOT NULL OR c.tenant_id = %(root_log)s
     ORDER BY t.tenant_id IS NOT NULL, coalesce(t.municipal_code, '') COLLATE "C", t.slug COLLATE "C"
"""


def _position(given: str) -> int:
    if not _POSITION.fullmatch(given):
        raise Problem(400, f"{given[:80]!r} is not a position; the first is 1")
    return int(given)
