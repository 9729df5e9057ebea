"""The writing side of an import: entries into events, and one last transaction that makes the city visible."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING
from uuid import UUID

from psycopg.errors import UniqueViolation

from tenants.archive import format as layout
from tenants.archive.format import ArchiveRefused, ImportRefused
from tenants.archive.judging import texts
from tenants.database import set_tenant
from tenants.disclosures import seal
from tenants.ledger.merkle import EMPTY_ROOT
from tenants.ledger.note import split

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tenants.archive.judging import Judged
    from tenants.archive.reading import Archive
    from tenants.archive.transfer import TransferKey
    from tenants.city_keys import CityKeys
    from tenants.database import Connection
    from tenants.disclosures import Clear

_BATCH = 500
_WITHDRAW = """
    UPDATE disclosure SET visibility = 'CITY'
     WHERE tenant_id = %s AND position <= %s AND digest = %s AND visibility IN ('PUBLIC', 'PARTY')
"""
_LIFT = """
    UPDATE disclosure SET embargo = NULL WHERE tenant_id = %s AND position <= %s AND stream_id = %s AND embargo = %s
"""
_ERASE = "DELETE FROM disclosure WHERE tenant_id = %s AND position <= %s AND subject = %s"
_DISPOSE = "DELETE FROM disclosure WHERE tenant_id = %s AND position <= %s AND stream_id = %s"


class Restoration:
    """One city's history on its way in, over the owner's connection. Its steps: begin, events, finish."""

    def __init__(
        self, connection: Connection, keys: CityKeys, archive: Archive, judged: Judged, key: TransferKey | None
    ) -> None:
        self._connection, self._keys, self._archive, self._judged, self._key = connection, keys, archive, judged, key
        self.tenant = UUID(archive.manifest.city.id)

    def begin(self, *, grows: bool) -> None:
        """Note where the tree stands, unless an earlier attempt did; `grows` is a city that is here already."""
        with self._connection.transaction():
            self._connection.execute(set_tenant(self.tenant))
            if grows:
                # Whoever appends to this city waits from here on.
                self._connection.execute(
                    "INSERT INTO restoration SELECT tenant_id, size, root, frontier, last_recorded_at"
                    " FROM tenant_head WHERE tenant_id = %s FOR UPDATE",
                    (self.tenant,),
                )
            else:
                self._connection.execute(
                    "INSERT INTO restoration VALUES (%s, 0, %s, '{}', NULL) ON CONFLICT DO NOTHING",
                    (self.tenant, EMPTY_ROOT),
                )

    def size(self) -> int:
        """How many events are there."""
        return self._tree()[0]

    def events(self, after: int) -> None:
        """Add the entries behind a position, a bundle in one transaction."""
        for bundle in self._archive.bundles(after):
            with self._connection.transaction():
                self._connection.execute(set_tenant(self.tenant))
                self._connection.execute("SELECT restore_events(%s, %s::bytea[])", (self.tenant, bundle))

    def finish(self, after: int | None) -> int:
        """Make the city visible, or, with `after`, the events behind that position of a city that is; how many texts.

        Refuses where the tree is not the one that the checkpoint signs, or the slug was taken meanwhile.
        """
        checkpoint = self._archive.checkpoint
        with self._connection.transaction():
            self._connection.execute(set_tenant(self.tenant))
            if self._tree() != (checkpoint.size, checkpoint.root):
                raise ArchiveRefused("the restored events do not have the root that the checkpoint signs")
            if after is None:
                self._register()
            else:
                self._connection.execute(
                    "UPDATE tenant_head h SET size = r.size, root = r.root, frontier = r.frontier,"
                    " last_recorded_at = r.last_recorded_at"
                    " FROM restoration r WHERE h.tenant_id = %s AND r.tenant_id = h.tenant_id",
                    (self.tenant,),
                )
            self._connection.execute("DELETE FROM restoration WHERE tenant_id = %s", (self.tenant,))
            self._publish()
            self._apply_effects(after or 0)
            count = self._disclose(after or 0)
            # Whatever an archive says: what the log withdrew or destroyed does not come back with it.
            self._apply_effects(after or 0)
        return count

    def _tree(self) -> tuple[int, bytes]:
        with self._connection.transaction():
            self._connection.execute(set_tenant(self.tenant))
            row = self._connection.execute(
                "SELECT size, root FROM restoration WHERE tenant_id = %s", (self.tenant,)
            ).fetchone()
        return (row[0], row[1]) if row else (0, EMPTY_ROOT)

    def _register(self) -> None:
        city = self._archive.manifest.city
        try:
            self._connection.execute(
                "INSERT INTO tenant (tenant_id, slug, municipal_code, name_ja, name_en, kind, registered_at)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s)",
                tuple(getattr(city, name) for name in layout.City.model_fields),
            )
        except UniqueViolation as taken:
            raise ImportRefused(f"{city.slug} was registered here meanwhile as another city") from taken
        self._connection.execute(
            "INSERT INTO tenant_head (tenant_id, size, root, frontier, last_recorded_at)"
            " SELECT tenant_id, size, root, frontier, last_recorded_at FROM restoration WHERE tenant_id = %s",
            (self.tenant,),
        )

    def _publish(self) -> None:
        """What the former home published: its checkpoint, the keys that signed, witnesses' lines, and closed tiles."""
        log, (text, found) = self._archive.manifest.log, split(self._archive.note)
        own = [each.line for each in found if each.name == log.origin]
        with self._connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO checkpoint (tenant_id, size, root, note, signed_at) VALUES (%s, %s, %s, %s, %s)"
                " ON CONFLICT DO NOTHING",
                (self.tenant, log.size, self._archive.checkpoint.root, f"{text}\n{''.join(own)}", log.signed_at),
            )
            cursor.executemany(
                "INSERT INTO log_key (tenant_id, vkey, first_use) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
                [(self.tenant, key.vkey, key.first_use) for key in log.keys],
            )
            cursor.executemany(
                "INSERT INTO cosignature (tenant_id, size, witness, line, at) VALUES (%s, %s, %s, %s, %s)"
                " ON CONFLICT DO NOTHING",
                [
                    (self.tenant, log.size, each.name, each.line, datetime.now(UTC))
                    for each in found
                    if each.name != log.origin
                ],
            )
            cursor.executemany(
                "INSERT INTO tree_node (tenant_id, level, number, hash) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
                [(self.tenant, level, number, node) for level, number, node in self._judged.nodes],
            )

    def _apply_effects(self, after: int) -> None:
        """What the events behind a position did to texts in front of them (append_events_with_effects)."""
        judged = self._judged
        for statement, effects in (
            (_WITHDRAW, judged.withdrawn),
            (_LIFT, judged.lifted),
            (_ERASE, judged.erased),
            (_DISPOSE, judged.disposed),
        ):
            with self._connection.cursor() as cursor:
                cursor.executemany(statement, [(self.tenant, *each) for each in effects if each[0] > after])
        self._connection.execute(
            "DELETE FROM subject_key k WHERE k.tenant_id = %s AND NOT EXISTS"
            " (SELECT FROM disclosure d WHERE d.tenant_id = k.tenant_id AND d.subject = k.subject)",
            (self.tenant,),
        )

    def _disclose(self, after: int) -> int:
        """Seal the archive's texts of the events behind a position with keys made here; how many."""
        count, clear = 0, self._clear(after)
        while batch := list(islice(clear, _BATCH)):
            sealed, used = seal(self._connection, self._keys, self.tenant, batch)
            with self._connection.cursor() as cursor:
                cursor.executemany(
                    "INSERT INTO subject_key (tenant_id, subject, wrapped_key, key_version) VALUES (%s, %s, %s, %s)",
                    [(self.tenant, key.subject, key.wrapped, key.version) for key in used if not key.known],
                )
                cursor.executemany(
                    "INSERT INTO disclosure"
                    " (tenant_id, digest, stream_id, position, subject, visibility, sealed, embargo)"
                    " SELECT tenant_id, %s, stream_id, position, %s, %s, %s, %s"
                    " FROM event WHERE tenant_id = %s AND position = %s",
                    [(x.digest, x.subject, x.visibility, x.sealed, x.embargo, self.tenant, x.event) for x in sealed],
                )
            count += len(batch)
        return count

    def _clear(self, after: int) -> Iterator[tuple[int, Clear]]:
        """The texts that can be read, each with its position."""
        level = self._archive.manifest.disclosures.level
        for name in (layout.PUBLIC, *((layout.CLOSED,) if level != "PUBLIC" and self._key else ())):
            for _, text in texts(self._archive, name, self._key):
                if text.clear is not None and text.position > after:
                    yield text.position, text.clear
