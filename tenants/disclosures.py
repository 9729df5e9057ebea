"""Names and texts beside the log: each a salted SD-JWT disclosure (RFC 9901 §4.2), sealed with its subject's own key.

The log holds the digest of a disclosure. The disclosure itself lies in a deletable table, encrypted (AES-256-GCM) with
a key of its subject — a person, a party, or the stream — which is wrapped by the city's key. City keys are files
outside the database. Withdrawing deletes a row, erasing destroys a subject's key; neither touches the log.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from contextlib import suppress
from dataclasses import dataclass
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING
from uuid import UUID

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tenants.event_store import NewDisclosure, NewKey

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from psycopg import Connection

    from domain.text import Visibility

_DIGEST = re.compile(r"[A-Za-z0-9_-]{43}")
_NONCE = 12
_SALT = 16


class KeyMissing(Exception):
    """The key of a city is not in the key folder; restore the folder from its backup, never make a new key."""


class DisclosureAltered(Exception):
    """A stored disclosure does not open with its subject's key, or does not hash to the digest in the log."""


class CityKeys:
    """The keys of the cities, one file of 32 random bytes each, mode 0600, in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._known: dict[UUID, bytes] = {}

    def create(self, tenant: UUID) -> None:
        """Make the city's key unless it has one, durably; never overwrites."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._path(tenant)
        if path.exists():
            return
        with NamedTemporaryFile(dir=self.folder, prefix=f"{tenant}.", suffix=".new") as fresh:
            fresh.write(secrets.token_bytes(32))
            fresh.flush()
            os.fsync(fresh.fileno())
            # A link never replaces: of two writers that make the key at once, the second one takes the first one's.
            with suppress(FileExistsError):
                os.link(fresh.name, path)
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def of(self, tenant: UUID) -> bytes:
        """The city's key; KeyMissing names the file."""
        if tenant not in self._known:
            path = self._path(tenant)
            try:
                self._known[tenant] = path.read_bytes()
            except FileNotFoundError as gone:
                raise KeyMissing(f"{path} is missing: {KeyMissing.__doc__}") from gone
        return self._known[tenant]

    def opaque(self, tenant: UUID, name: str) -> UUID:
        """A stable id (UUID version 8) for the city's own name of something; only its key leads from name to id."""
        digest = bytearray(hmac.digest(self.of(tenant), b"id:" + name.encode(), "sha256")[:16])
        digest[6] = digest[6] & 0x0F | 0x80
        digest[8] = digest[8] & 0x3F | 0x80
        return UUID(bytes=bytes(digest))

    def _path(self, tenant: UUID) -> Path:
        return self.folder / f"{tenant}.key"


@dataclass(frozen=True, slots=True)
class Clear:
    """A text on its way in: its disclosure in clear and where it belongs."""

    digest: str
    disclosure: bytes
    subject: str
    visibility: Visibility
    embargo: str | None = None


class CityDoor:
    """The door through which a command's texts and party names enter one stream (domain.text.Door)."""

    def __init__(self, keys: CityKeys, tenant: UUID, stream: UUID, known: Iterable[str] = ()) -> None:
        self._keys, self._tenant, self._stream = keys, tenant, stream
        self._known = frozenset(known)
        self.clear: list[Clear] = []

    def seal(self, name: str, value: str, visibility: Visibility, subject: str | None) -> str:
        if value in self._known:
            return value  # A correction repeats the digests of the texts that it leaves as they are.
        salt = _base64(secrets.token_bytes(_SALT))
        disclosure = _base64(orjson.dumps([salt, name, value])).encode()
        digest = digest_of(disclosure)
        self.clear.append(Clear(digest, disclosure, subject or str(self._stream), visibility))
        return digest

    def party(self, name: str) -> str:
        return str(self._keys.opaque(self._tenant, f"party:{name}"))

    def person(self, name: str) -> str:
        return str(self._keys.opaque(self._tenant, f"person:{self._stream}:{name}"))


def digest_of(disclosure: bytes) -> str:
    """RFC 9901 §4.2.3: base64url of SHA-256 over the ASCII bytes of the base64url-encoded disclosure."""
    return _base64(hashlib.sha256(disclosure).digest())


def value_of(disclosure: bytes) -> str:
    """The text in a disclosure `[salt, name, value]`."""
    _, _, value = orjson.loads(_unbase64(disclosure))
    return str(value)


def seal(
    connection: Connection, keys: CityKeys, tenant: UUID, texts: Iterable[tuple[int, Clear]]
) -> tuple[list[NewDisclosure], list[NewKey]]:
    """Encrypt texts, each with the index of its event in the append; keys of new subjects come along wrapped.

    Runs in a transaction that has the tenant set.
    """
    texts = list(texts)
    subjects = sorted({text.subject for _, text in texts})
    city = AESGCM(keys.of(tenant))
    rows = connection.execute(
        "SELECT subject, wrapped_key FROM subject_key WHERE tenant_id = %s AND subject = ANY(%s)",
        (tenant, subjects),
    ).fetchall()
    plain = {subject: _unwrap(city, subject, wrapped) for subject, wrapped in rows}
    fresh = []
    for subject in subjects:
        if subject not in plain:
            plain[subject] = secrets.token_bytes(32)
            nonce = secrets.token_bytes(_NONCE)
            wrapped = nonce + city.encrypt(nonce, plain[subject], subject.encode())
            fresh.append(NewKey(subject=subject, wrapped=wrapped))
    ciphers = {subject: AESGCM(key) for subject, key in plain.items()}
    sealed = []
    for event, text in texts:
        nonce = secrets.token_bytes(_NONCE)
        cipher = ciphers[text.subject].encrypt(nonce, text.disclosure, text.digest.encode())
        sealed.append(
            NewDisclosure(
                digest=text.digest,
                event=event,
                subject=text.subject,
                visibility=text.visibility.value,
                sealed=nonce + cipher,
                embargo=text.embargo,
            )
        )
    return sealed, fresh


def public_texts(
    connection: Connection, keys: CityKeys, tenant: UUID, streams: Iterable[UUID] | None = None
) -> dict[str, str]:
    """Digest → text of each public disclosure of the streams (all of the city's when None) that waits for nothing.

    Runs in a transaction that has the tenant set. A text whose subject's key was destroyed is left out: it is erased.
    Raises DisclosureAltered when a stored disclosure is not what the log holds the digest of.
    """
    chosen = None if streams is None else list(streams)
    rows = connection.execute(
        "SELECT digest, subject, sealed, wrapped_key FROM disclosure JOIN subject_key USING (tenant_id, subject)"
        " WHERE tenant_id = %s AND visibility = 'PUBLIC' AND embargo IS NULL"
        " AND (%s::uuid[] IS NULL OR stream_id = ANY(%s))",
        (tenant, chosen, chosen),
    ).fetchall()
    return open_texts(keys.of(tenant), rows)


def open_texts(city_key: bytes, rows: Iterable[tuple[str, str, bytes, bytes]]) -> dict[str, str]:
    """Digest → text for rows of digest, subject, sealed disclosure and wrapped key, each checked against its digest."""
    city = AESGCM(city_key)
    ciphers: dict[str, AESGCM] = {}
    texts = {}
    for digest, subject, sealed, wrapped in rows:
        if subject not in ciphers:
            ciphers[subject] = AESGCM(_unwrap(city, subject, wrapped))
        try:
            disclosure = ciphers[subject].decrypt(sealed[:_NONCE], sealed[_NONCE:], digest.encode())
        except InvalidTag as altered:
            raise DisclosureAltered(f"{digest}: {DisclosureAltered.__doc__}") from altered
        if digest_of(disclosure) != digest:
            raise DisclosureAltered(f"{digest}: {DisclosureAltered.__doc__}")
        texts[digest] = value_of(disclosure)
    return texts


def _unwrap(city: AESGCM, subject: str, wrapped: bytes) -> bytes:
    try:
        return city.decrypt(wrapped[:_NONCE], wrapped[_NONCE:], subject.encode())
    except InvalidTag as altered:
        raise DisclosureAltered(f"the key of subject {subject} does not open with the city's key") from altered


def masked(data: object, texts: Mapping[str, str], withheld: str) -> object:
    """The data with every digest replaced by its text, or by `withheld` where the text may not or no longer be read."""
    if isinstance(data, dict):
        return {key: masked(value, texts, withheld) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [masked(value, texts, withheld) for value in data]
    if isinstance(data, str) and is_digest(data):
        return texts.get(data, withheld)
    return data


def digests(data: object) -> Iterator[str]:
    """Every digest in an event's data."""
    if isinstance(data, dict):
        for value in data.values():
            yield from digests(value)
    elif isinstance(data, list | tuple):
        for value in data:
            yield from digests(value)
    elif isinstance(data, str) and is_digest(data):
        yield data


def is_digest(value: str) -> bool:
    """Whether the string has the form of a disclosure digest."""
    return _DIGEST.fullmatch(value) is not None


def _base64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _unbase64(data: bytes) -> bytes:
    return urlsafe_b64decode(data + b"=" * (-len(data) % 4))
