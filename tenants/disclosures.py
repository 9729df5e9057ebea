"""Names and texts beside the log: each a salted SD-JWT disclosure (RFC 9901 §4.2), sealed with its subject's own key.

The log holds the digest of a disclosure. The disclosure itself lies in a deletable table, encrypted (AES-256-GCM) with
a key of its subject — a person, a party, or the stream — which is wrapped by the city's key (tenants/city_keys.py), and
that lies outside the database. Withdrawing closes a row, erasing destroys rows and key; neither touches the log.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tenants.city_keys import WrongKey
from tenants.event_store import NewDisclosure, NewKey

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from psycopg import Connection

    from domain.text import Visibility
    from tenants.city_keys import KeyService

_DIGEST = re.compile(r"[A-Za-z0-9_-]{43}")
_NONCE = 12
_SALT = 16


class DisclosureAltered(Exception):
    """A stored disclosure does not open with its subject's key, or does not hash to the digest in the log."""


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

    def __init__(self, keys: KeyService, tenant: UUID, stream: UUID, known: Iterable[str] = ()) -> None:
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
    connection: Connection, keys: KeyService, tenant: UUID, texts: Iterable[tuple[int, Clear]]
) -> tuple[list[NewDisclosure], list[NewKey]]:
    """Encrypt texts, each with the index of its event in the append, and the keys of their subjects, wrapped.

    A subject without a key gets one; one that is known is named all the same, so that the append is refused should it
    be destroyed meanwhile. Runs in a transaction that has the tenant set.
    """
    texts = list(texts)
    subjects = sorted({text.subject for _, text in texts})
    rows = connection.execute(
        "SELECT subject, wrapped_key, key_version FROM subject_key WHERE tenant_id = %s AND subject = ANY(%s)",
        (tenant, subjects),
    ).fetchall()
    used = {subject: NewKey(subject, wrapped, version, known=True) for subject, wrapped, version in rows}
    plain = {key.subject: _unwrapped(keys, tenant, key.subject, key.wrapped, key.version) for key in used.values()}
    for subject in subjects:
        if subject not in plain:
            plain[subject] = secrets.token_bytes(32)
            version, wrapped = keys.wrap(tenant, subject, plain[subject])
            used[subject] = NewKey(subject, wrapped, version)
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
    return sealed, [used[subject] for subject in subjects]


def public_texts(
    connection: Connection, keys: KeyService, tenant: UUID, streams: Iterable[UUID] | None = None
) -> dict[str, str]:
    """Digest → text of each public disclosure of the streams (all of the city's when None) that waits for nothing.

    Runs in a transaction that has the tenant set. A text whose subject's key was destroyed is left out: it is erased.
    Raises DisclosureAltered when a stored disclosure is not what the log holds the digest of.
    """
    chosen = None if streams is None else list(streams)
    rows = connection.execute(
        f"{_PUBLIC} AND (%s::uuid[] IS NULL OR stream_id = ANY(%s))", (tenant, chosen, chosen)
    ).fetchall()
    return {digest: value_of(disclosure) for digest, disclosure in opened(keys, tenant, rows)}


def public_disclosures(connection: Connection, keys: KeyService, tenant: UUID, position: int) -> list[str]:
    """The disclosures (RFC 9901 §4.2) of one entry of the log that are public and wait for nothing, by digest.

    For every login; runs in a transaction that has the tenant set. Raises as `public_texts` does.
    """
    rows = connection.execute(f"{_PUBLIC} AND position = %s ORDER BY digest", (tenant, position)).fetchall()
    return [disclosure.decode() for _, disclosure in opened(keys, tenant, rows)]


# What every login may read is the same by row security; it is said again here for the owner, who rebuilds.
_PUBLIC = (
    "SELECT digest, subject, sealed, wrapped_key, key_version"
    " FROM disclosure JOIN subject_key USING (tenant_id, subject)"
    " WHERE tenant_id = %s AND visibility = 'PUBLIC' AND embargo IS NULL"
)

Sealed = tuple[str, str, bytes, bytes, int]
"""Digest, subject, sealed disclosure, wrapped key of the subject, and the version of the city's key that wrapped it."""


def opened(keys: KeyService, tenant: UUID, rows: Iterable[Sealed]) -> Iterator[tuple[str, bytes]]:
    """Digest and disclosure of each row, checked against each other; DisclosureAltered where they do not agree."""
    ciphers: dict[str, AESGCM] = {}
    for digest, subject, sealed, wrapped, version in rows:
        if subject not in ciphers:
            ciphers[subject] = AESGCM(_unwrapped(keys, tenant, subject, wrapped, version))
        try:
            disclosure = ciphers[subject].decrypt(sealed[:_NONCE], sealed[_NONCE:], digest.encode())
        except InvalidTag as altered:
            raise DisclosureAltered(f"{digest}: {DisclosureAltered.__doc__}") from altered
        if digest_of(disclosure) != digest:
            raise DisclosureAltered(f"{digest}: {DisclosureAltered.__doc__}")
        yield digest, disclosure


def _unwrapped(keys: KeyService, tenant: UUID, subject: str, wrapped: bytes, version: int) -> bytes:
    try:
        return keys.unwrap(tenant, version, subject, wrapped)
    except WrongKey as wrong:
        raise DisclosureAltered(f"the key of subject {subject} does not open with the city's key") from wrong


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
