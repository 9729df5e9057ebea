"""The keys of the cities: what wraps the keys of their subjects, and what makes opaque ids of names.

Everything asks for them through `KeyService`, so that a key management service can take the place of files: it has to
wrap and unwrap 32 bytes under a version of a city's key, and to compute an HMAC under the first one.
"""

from __future__ import annotations

import hmac
import os
import secrets
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tenants.database import Role
from tenants.key_files import KeyExposed, create, secret

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tenants.database import Database

SIZE = 32
NONCE = 12
_BATCH = 500


class KeyUnusable(Exception):
    """A key of a city cannot be used."""


class KeyMissing(KeyUnusable):
    """The key of a city is not in the key folder; restore the folder from its backup, never make a new key."""


class KeyDamaged(KeyUnusable):
    """The file does not hold the 32 bytes of a key; restore it from its backup."""


class KeyInUse(KeyUnusable):
    """This version of a city's key is still needed."""


class WrongKey(KeyUnusable):
    """What is to be unwrapped was wrapped by another key, for another subject, or was altered."""


class KeyService(Protocol):
    """What is asked of the keys of the cities. Each city has numbered versions of its key; new ones wrap, old unwrap.

    Version 1 also makes opaque ids and request digests, for ever: the ids stand in the log. Raises KeyUnusable.
    """

    def create(self, tenant: UUID) -> None:
        """Make the city's first key unless it has one."""

    def newest(self, tenant: UUID) -> int:
        """The version that wraps."""

    def wrap(self, tenant: UUID, subject: str, key: bytes) -> tuple[int, bytes]:
        """The subject's key (32 bytes) wrapped by the newest version of the city's, and which version that is."""

    def unwrap(self, tenant: UUID, version: int, subject: str, wrapped: bytes) -> bytes:
        """The subject's key; WrongKey where it is not what that version wrapped for this subject."""

    def opaque(self, tenant: UUID, name: str) -> UUID:
        """A stable id (UUID version 8) for the city's own name of something; only its key leads from name to id."""

    def request_digest(self, tenant: UUID, canonical: bytes) -> bytes:
        """What tells requests apart without letting anyone test a guess (HMAC-SHA-256, 32 bytes)."""


class CityKeys:
    """The KeyService of files: 32 random bytes each, mode 0600, in `folder` (0700), outside the database.

    `<tenant>.key` is version 1 and `<tenant>.<n>.key` version n. Files are made durably and never written again.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._known: dict[tuple[UUID, int], bytes] = {}
        self._listed: dict[UUID, tuple[int, list[int]]] = {}

    def create(self, tenant: UUID) -> None:
        """Make the city's key unless it has one, durably; never overwrites."""
        create(self.path(tenant, 1), secrets.token_bytes(SIZE))
        self._listed.pop(tenant, None)

    def rotate(self, tenant: UUID) -> int:
        """Make the next version, which wraps from now on, and return its number. See `rewrap` for what is there."""
        self._key(tenant, 1)  # A city without its first key must not be given a second one.
        version = self.newest(tenant) + 1
        create(self.path(tenant, version), secrets.token_bytes(SIZE))
        self._listed.pop(tenant, None)
        return version

    def retire(self, tenant: UUID, version: int) -> None:
        """Destroy an old version; whoever asks has made sure that nothing is wrapped by it any more.

        KeyInUse for version 1, which makes the ids in the log, and for the newest.
        """
        if version == 1:
            raise KeyInUse("version 1 makes the opaque ids that stand in the log, and has to stay")
        if version == self.newest(tenant):
            raise KeyInUse(f"version {version} is the newest, and wraps; rotate first")
        path = self.path(tenant, version)
        try:
            # What lay in the file's blocks: a file system that copies on write keeps it all the same.
            with path.open("r+b") as file:
                file.write(bytes(SIZE))
                file.flush()
                os.fsync(file.fileno())
            path.unlink()
        except FileNotFoundError as gone:
            raise KeyMissing(f"{path} is missing: it was retired before, or never made") from gone
        self._known.pop((tenant, version), None)
        self._listed.pop(tenant, None)

    def versions(self, tenant: UUID) -> list[int]:
        """Every version that is in the folder, oldest first; retired ones leave gaps."""
        # Another process may rotate and retire: nothing may be wrapped by a version that is gone. A folder in which
        # nothing was made or removed need not be searched again.
        changed = self.folder.stat().st_mtime_ns if self.folder.exists() else 0
        seen, found = self._listed.get(tenant, (-1, []))
        if seen != changed:
            numbered = (path.name.split(".")[1] for path in self.folder.glob(f"{tenant}.*.key"))
            first = [1] if self.path(tenant, 1).exists() else []
            found = first + sorted(int(number) for number in numbered if number.isdigit())
            self._listed[tenant] = (changed, found)
        return found

    def newest(self, tenant: UUID) -> int:
        return max(self.versions(tenant), default=1)

    def wrap(self, tenant: UUID, subject: str, key: bytes) -> tuple[int, bytes]:
        version, nonce = self.newest(tenant), secrets.token_bytes(NONCE)
        return version, nonce + AESGCM(self._key(tenant, version)).encrypt(nonce, key, subject.encode())

    def unwrap(self, tenant: UUID, version: int, subject: str, wrapped: bytes) -> bytes:
        city = AESGCM(self._key(tenant, version))
        try:
            return city.decrypt(wrapped[:NONCE], wrapped[NONCE:], subject.encode())
        except InvalidTag as altered:
            raise WrongKey(
                f"the key of subject {subject} does not open with version {version} of the city's"
            ) from altered

    def opaque(self, tenant: UUID, name: str) -> UUID:
        digest = bytearray(hmac.digest(self._key(tenant, 1), b"id:" + name.encode(), "sha256")[:16])
        digest[6] = digest[6] & 0x0F | 0x80
        digest[8] = digest[8] & 0x3F | 0x80
        return UUID(bytes=bytes(digest))

    def request_digest(self, tenant: UUID, canonical: bytes) -> bytes:
        return hmac.digest(self._key(tenant, 1), b"request:" + canonical, "sha256")

    def check(self, tenant: UUID) -> None:
        """Raises KeyUnusable, naming the file, where any version of the city's key could not be used."""
        for version in self.versions(tenant) or [1]:
            _read(self.path(tenant, version))

    def path(self, tenant: UUID, version: int) -> Path:
        """The file of a version."""
        return self.folder / (f"{tenant}.key" if version == 1 else f"{tenant}.{version}.key")

    def _key(self, tenant: UUID, version: int) -> bytes:
        known = self._known.get((tenant, version))
        if known is None:
            known = self._known[tenant, version] = _read(self.path(tenant, version))
        return known


def rewrap(database: Database, keys: KeyService, tenant: UUID) -> Iterator[tuple[int, int]]:
    """Wrap every subject's key anew by the newest version; yields how many are done, of how many, as it goes.

    As the owner, in batches that count one by one, so that it can be interrupted and run again. A key that is made,
    changed or destroyed meanwhile is left as it is. The texts stay as they are: it is the wrapping that changes.
    """
    newest = keys.newest(tenant)
    with database.tenant(Role.OWNER, tenant) as connection:
        row = connection.execute(
            "SELECT count(*) FROM subject_key WHERE tenant_id = %s AND key_version <> %s", (tenant, newest)
        ).fetchone()
    total, done, after = row[0] if row else 0, 0, ""
    while True:
        with database.tenant(Role.OWNER, tenant) as connection:
            rows = connection.execute(
                "SELECT subject, wrapped_key, key_version FROM subject_key"
                " WHERE tenant_id = %s AND key_version <> %s AND subject > %s ORDER BY subject LIMIT %s",
                (tenant, newest, after, _BATCH),
            ).fetchall()
            changed = []
            for subject, wrapped, version in rows:
                now, again = keys.wrap(tenant, subject, keys.unwrap(tenant, version, subject, wrapped))
                changed.append((again, now, tenant, subject, wrapped))
            with connection.cursor() as cursor:
                cursor.executemany(
                    "UPDATE subject_key SET wrapped_key = %s, key_version = %s"
                    " WHERE tenant_id = %s AND subject = %s AND wrapped_key = %s",
                    changed,
                )
        if not rows:
            return
        done, after = done + len(rows), rows[-1][0]
        yield done, max(total, done)


def retire(database: Database, keys: CityKeys, tenant: UUID, version: int) -> None:
    """Destroy an old version of a city's key once nothing is wrapped by it; KeyInUse tells how much still is."""
    with database.tenant(Role.OWNER, tenant) as connection:
        row = connection.execute(
            "SELECT count(*) FROM subject_key WHERE tenant_id = %s AND key_version = %s", (tenant, version)
        ).fetchone()
    if row and row[0]:
        raise KeyInUse(f"version {version} still wraps the keys of {row[0]} subjects; run: kyodo city-key rotate")
    keys.retire(tenant, version)


def _read(path: Path) -> bytes:
    try:
        key = secret(path)
    except FileNotFoundError as gone:
        raise KeyMissing(f"{path} is missing: {KeyMissing.__doc__}") from gone
    except KeyExposed as exposed:
        raise KeyUnusable(str(exposed)) from exposed
    if len(key) != SIZE:
        raise KeyDamaged(f"{path} has {len(key)} bytes: {KeyDamaged.__doc__}")
    return key
