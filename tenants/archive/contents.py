"""What goes into an archive beside the tiles: texts, programmes for people who read, and the manifest."""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, BinaryIO

import rfc8785

from tenants.archive import format as layout
from tenants.book import Book, at_position
from tenants.custody import exported
from tenants.database import Role
from tenants.disclosures import masked, public_texts
from tenants.key_files import secret

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from tenants.archive.transfer import TransferKey
    from tenants.city_keys import CityKeys
    from tenants.custody import Exported, Reader
    from tenants.database import Database
    from tenants.ledger.store import Published

WITHHELD = "（公開なし / not public）"


@dataclass(frozen=True, slots=True)
class Closed:
    """Who asks for texts that are not public, and the key under which they travel."""

    reader: Reader
    key: TransferKey


@dataclass(frozen=True, slots=True)
class Source:
    """A city at its latest checkpoint, and who takes it where.

    `note` is the checkpoint with what witnesses added to it; `closed` is None where only public texts are asked for.
    """

    database: Database
    keys: CityKeys
    tenant: UUID
    published: Published
    note: bytes
    closed: Closed | None
    product: layout.Product


class Texts:
    """The disclosures, on their way into two members whose sizes must be known before they are written."""

    def __init__(self, public: BinaryIO, closed: BinaryIO) -> None:
        """Two empty files that take the lines meanwhile: nothing stands there in clear but what is public."""
        self.public, self.closed = public, closed
        self.public_count = self.closed_count = 0

    def take(self, source: Source) -> None:
        """Every disclosure up to the checkpoint that the receiver may see, in order of position and digest."""
        closed = source.closed
        if closed is not None and closed.reader.leaving:
            # Only a city that leaves takes it along: in its new home the same party must get the same id.
            key = secret(source.keys.path(source.tenant, 1))
            self.closed.write(_line({"city_secret": closed.key.seal(key, layout.CITY_SECRET)}))
        given = exported(source.database, source.keys, source.tenant, closed.reader if closed else None)
        for _, same in groupby(given, lambda each: (each.position, each.digest)):
            # What was withdrawn while it was read may come twice: then it is not public.
            each = min(same, key=_is_public)
            if each.position > source.published.size:
                return
            self._write(each, closed)

    def _write(self, each: Exported, closed: Closed | None) -> None:
        place = {"digest": each.digest, "position": each.position}
        what = {
            "disclosure": each.disclosure,
            "embargo": each.embargo,
            "subject": each.subject,
            "visibility": each.visibility,
        }
        if _is_public(each):
            self.public.write(_line({**place, **what}))
            self.public_count += 1
        elif closed is not None:
            self.closed.write(_line({**place, "sealed": closed.key.seal(rfc8785.dumps(what), each.digest)}))
            self.closed_count += 1


def programmes(source: Source) -> dict[str, bytes]:
    """Each programme as it stood at the checkpoint, with its public texts, by slug."""
    book = Book(source.database, source.keys, source.tenant)
    with source.database.tenant(Role.APP, source.tenant) as connection:
        rows = connection.execute(
            "SELECT DISTINCT stream_id FROM event"
            " WHERE tenant_id = %s AND type = 'ProgrammeDefined' AND position <= %s",
            (source.tenant, source.published.size),
        ).fetchall()
        texts = public_texts(connection, source.keys, source.tenant, [stream for (stream,) in rows])
    found = {}
    for (stream,) in rows:
        whole = book.history(stream)
        history = at_position(whole, source.published.size) if whole else None
        if history is not None:
            state = history.state.model_dump(
                mode="json", exclude_none=True, include={"programme", "title_ja", "title_en", "versions", "calls"}
            )
            found[history.state.programme] = pretty(masked(state, texts, WITHHELD))
    return found


def manifest(source: Source, texts: Texts, slugs: Sequence[str]) -> layout.Manifest:
    """What the archive says about itself."""
    published, closed = source.published, source.closed
    with source.database.tenant(Role.APP, source.tenant) as connection:
        city = connection.execute(
            "SELECT tenant_id::text, slug, municipal_code, name_ja, name_en, kind, registered_at"
            " FROM tenant WHERE tenant_id = %s",
            (source.tenant,),
        ).fetchone()
        keys = connection.execute(
            "SELECT vkey, first_use FROM log_key WHERE tenant_id = %s ORDER BY first_use, vkey", (source.tenant,)
        ).fetchall()
        types = connection.execute(
            "SELECT type, schema_version, count(*) FROM event WHERE tenant_id = %s AND position <= %s"
            ' GROUP BY 1, 2 ORDER BY type COLLATE "C", 2',
            (source.tenant, published.size),
        ).fetchall()
    return layout.Manifest(
        format=1,
        product=source.product,
        city=layout.City(**dict(zip(layout.City.model_fields, city or (), strict=True))),
        log=layout.Log(
            origin=published.note.split("\n", 1)[0],
            keys=tuple(layout.LogKey(vkey=vkey, first_use=since) for vkey, since in keys),
            size=published.size,
            root=b64encode(published.root).decode(),
            checkpoint_sha256=hashlib.sha256(source.note).hexdigest(),
            signed_at=published.signed_at,
        ),
        disclosures=layout.Disclosures(
            level=closed.reader.level.value if closed else "PUBLIC",
            public=texts.public_count,
            closed=texts.closed_count,
            city_secret=closed is not None and closed.reader.leaving,
        ),
        events=tuple(layout.EventType(type=name, schema_version=schema, count=n) for name, schema, n in types),
        programmes=tuple(slugs),
    )


def pretty(value: object) -> bytes:
    """JSON for people who read, the same bytes for the same value."""
    return json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True).encode() + b"\n"


def _line(value: dict[str, object]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode() + b"\n"


def _is_public(each: Exported) -> bool:
    return each.visibility == "PUBLIC" and each.embargo is None
