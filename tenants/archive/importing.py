"""Import: an archive's history, event for event, into an installation that has none of it, or its beginning.

The file is judged whole before anything is written. Then its events come in batches, of which nobody sees any: the
city has no row in the registry until the last transaction, which adds that row, the texts and the checkpoint. Killed
anywhere, an import leaves nothing visible, and run again it goes on where it stopped.
"""

from __future__ import annotations

import hashlib
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

import psycopg

from tenants.archive import format as layout
from tenants.archive.format import ArchiveRefused, ImportRefused
from tenants.archive.judging import city_secret, judge
from tenants.archive.reading import opened_archive
from tenants.archive.restoring import Restoration
from tenants.database import set_tenant
from tenants.key_files import create, secret
from tenants.ledger.merkle import EMPTY_ROOT, leaf_hash

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tenants.archive.judging import Judged
    from tenants.archive.reading import Archive
    from tenants.archive.transfer import TransferKey
    from tenants.city_keys import CityKeys
    from tenants.database import Connection, Database
    from tenants.ledger.keys import LogKeys
    from tenants.ledger.note import Verifier


@dataclass(frozen=True, slots=True)
class Imported:
    """What came in: `first` is the position of the first event that this run added, None where all was here already.

    `ahead` events were recorded here since the archive was made; `texts` came in with it; `opened`: closed ones too;
    `same_ids` says that a party of the city gets the same id here as in its former home; `new_key` is the verifier key
    that was made for the log, which goes on here, None where this machine had one.
    """

    archive: layout.Manifest
    signed_by: str
    first: int | None
    texts: int
    ahead: int
    opened: bool
    same_ids: bool
    new_key: str | None


@dataclass(frozen=True, slots=True)
class _Here:
    """A log that is here, or as much of it as an unfinished import brought."""

    size: int
    root: bytes


def import_archive(
    database: Database,
    keys: CityKeys,
    log_keys: LogKeys,
    path: Path,
    *,
    key: Verifier | None = None,
    transfer_key: TransferKey | None = None,
    complete: bool = False,
    restart: bool = False,
) -> Imported:
    """Bring the archive's city in, as the owner of the database; safe to run again, and to kill.

    `complete` adds what is missing to a city that is here with the beginning of the same history; `restart` discards
    what an unfinished import of another history left. Raises ArchiveRefused when the file is not in order and
    ImportRefused when it cannot come in here; nothing is imported then.
    """
    with opened_archive(path, key) as archive:
        tenant = UUID(archive.manifest.city.id)
        with _alone(database, tenant) as connection:
            return _import(connection, keys, log_keys, archive, transfer_key, complete=complete, restart=restart)


def _import(
    connection: Connection,
    keys: CityKeys,
    log_keys: LogKeys,
    archive: Archive,
    transfer_key: TransferKey | None,
    *,
    complete: bool,
    restart: bool,
) -> Imported:
    tenant, size = UUID(archive.manifest.city.id), archive.checkpoint.size
    here = _registered(connection, archive)
    begun = _begun(connection, tenant)
    judged = judge(archive, transfer_key, {log.size for log in (here, begun) if log})
    brought = city_secret(archive, transfer_key) if transfer_key else None

    def imported(first: int | None = None, texts: int = 0, ahead: int = 0) -> Imported:
        return Imported(
            archive.manifest,
            archive.signed_by.vkey,
            first,
            texts,
            ahead,
            opened=transfer_key is not None,
            same_ids=brought is not None or here is not None,
            new_key=_adopted(log_keys, archive, judged),
        )

    if here is not None:
        _check_same(connection, archive, judged, here)
        if here.size >= size:
            return imported(ahead=here.size - size)
        if not complete:
            raise ImportRefused(
                f"{archive.manifest.city.slug} is here with the first {here.size} of the archive's {size} events;"
                " to add the others, import with --complete"
            )
    elif begun is not None and judged.roots.get(begun.size, EMPTY_ROOT if not begun.size else None) != begun.root:
        if not restart:
            raise ImportRefused(
                f"an unfinished import of another history of {archive.manifest.city.slug} is here; to discard it, which"
                " nobody has seen, import with --restart"
            )
        _discard(connection, tenant)
        begun = None
    _take_keys(keys, tenant, brought, fresh=here is None)
    restoration = Restoration(connection, keys, archive, judged, transfer_key)
    first = (here or begun or _Here(0, b"")).size + 1
    # A city that others see gets all that is missing at once; one that nobody sees yet, bundle by bundle.
    with connection.transaction() if here else nullcontext():
        restoration.begin(grows=here is not None)
        if here is not None and restoration.size() != here.size:
            raise ImportRefused("somebody recorded an event meanwhile; import again")
        restoration.events(after=first - 1)
        texts = restoration.finish(after=here.size if here else None)
    return imported(first, texts)


@contextmanager
def _alone(database: Database, tenant: UUID) -> Iterator[Connection]:
    """The owner's connection, for one import of this city at a time; the lock ends with the process at the latest."""
    lock = int.from_bytes(hashlib.sha256(b"kyodo import " + tenant.bytes).digest()[:8], "big", signed=True)
    with database.owner() as connection:
        if connection.execute("SELECT pg_try_advisory_lock(%s)", (lock,)).fetchone() != (True,):
            raise ImportRefused("another import of this city is running; wait for it")
        try:
            yield connection
        except psycopg.Error as error:
            if error.sqlstate and error.sqlstate.startswith(("KY", "22")):
                # What restore_events() found, or PostgreSQL in an entry that it cannot hold.
                raise ArchiveRefused(error.diag.message_primary or str(error)) from error
            raise
        finally:
            if not connection.closed:
                connection.execute("SELECT pg_advisory_unlock(%s)", (lock,))


def _registered(connection: Connection, archive: Archive) -> _Here | None:
    """The city's log as it is here, None where the city is not registered; refuses where its slug is another city's."""
    city = archive.manifest.city
    with connection.transaction():
        connection.execute(set_tenant(UUID(city.id)))
        other = connection.execute(
            "SELECT tenant_id FROM tenant WHERE slug = %s AND tenant_id <> %s", (city.slug, city.id)
        ).fetchone()
        if other is not None:
            raise ImportRefused(f"{city.slug} is registered here as another city ({other[0]}, not {city.id})")
        row = connection.execute("SELECT size, root FROM tenant_head WHERE tenant_id = %s", (city.id,)).fetchone()
    return _Here(*row) if row else None


def _begun(connection: Connection, tenant: UUID) -> _Here | None:
    with connection.transaction():
        connection.execute(set_tenant(tenant))
        row = connection.execute("SELECT size, root FROM restoration WHERE tenant_id = %s", (tenant,)).fetchone()
    return _Here(*row) if row else None


def _check_same(connection: Connection, archive: Archive, judged: Judged, here: _Here) -> None:
    """Refuse unless one of the two histories is the beginning of the other."""
    size, slug = archive.checkpoint.size, archive.manifest.city.slug
    if here.size <= size:
        if not here.size or judged.roots[here.size] == here.root:
            return
    else:
        with connection.transaction():
            connection.execute(set_tenant(UUID(archive.manifest.city.id)))
            row = connection.execute(
                "SELECT root FROM event WHERE tenant_id = %s AND position = %s", (archive.manifest.city.id, size)
            ).fetchone()
        if row is not None and row[0] == archive.checkpoint.root:
            return
    position = _first_difference(connection, archive)
    raise ImportRefused(f"{slug} is registered here with another history: position {position} is not the archive's")


def _first_difference(connection: Connection, archive: Archive) -> int | None:
    tenant, position = archive.manifest.city.id, 0
    with connection.transaction():
        connection.execute(set_tenant(UUID(tenant)))
        for bundle in archive.bundles():
            rows = connection.execute(
                "SELECT leaf FROM event WHERE tenant_id = %s AND position > %s ORDER BY position LIMIT %s",
                (tenant, position, len(bundle)),
            ).fetchall()
            for entry, (leaf,) in zip(bundle, rows, strict=False):
                position += 1
                if leaf != leaf_hash(entry):
                    return position
    return None


def _discard(connection: Connection, tenant: UUID) -> None:
    """Take away the events of an import that was never finished; nobody saw one of them."""
    with connection.transaction():
        connection.execute(set_tenant(tenant))
        connection.execute(
            "DELETE FROM event WHERE tenant_id = %s AND NOT EXISTS (SELECT FROM tenant WHERE tenant_id = %s)",
            (tenant, tenant),
        )
        connection.execute("DELETE FROM restoration WHERE tenant_id = %s", (tenant,))


def _adopted(log_keys: LogKeys, archive: Archive, judged: Judged) -> str | None:
    """Let this machine sign the log from now on, under the name that it has; the new key, None where there was one.

    The publisher signs only what follows from a tree that it signed before: that is the archive's, which was verified.
    """
    log = UUID(archive.manifest.city.id)
    if log_keys.has(log):
        return None
    if log_keys.signed(log) is None:
        log_keys.sign(log, judged.tree)
    log_keys.create(log, archive.checkpoint.origin)
    return log_keys.signers(log)[-1].verifier.vkey


def _take_keys(keys: CityKeys, tenant: UUID, brought: bytes | None, *, fresh: bool) -> None:
    """The city's key: the one that makes its ids where it travelled along, else a new one where it has none here."""
    path = keys.path(tenant, 1)
    if brought is None:
        if fresh:
            keys.create(tenant)
        return
    create(path, brought)
    if secret(path) != brought:
        raise ImportRefused(
            f"{path} holds another key than the archive brings, so that parties would get other ids; if the city was"
            " never entered here, move that file away and import again"
        )
    if keys.newest(tenant) == 1:
        # The former home knows version 1, which makes the ids; what is sealed here is wrapped by one that it does not.
        keys.rotate(tenant)
