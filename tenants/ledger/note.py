"""Signed notes: a text with Ed25519 signatures of named keys (C2SP signed-note), and witnesses' cosignatures of it."""

from __future__ import annotations

import hashlib
from base64 import b64decode, b64encode
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ED25519 = b"\x01"
COSIGNATURE = b"\x04"
"""The signature types of signed-note that these logs use: a log's own, and a witness's with its time."""

_MAX_NOTE = 100_000
_MAX_SIGNATURES = 64
_ID_SIZE = 4
_TIME_SIZE = 8
_LAST_TIME = (1 << 63) - 1  # "It MUST NOT exceed 2^63 - 1" (tlog-cosignature, "Format").
_SECRET_PARTS = 5


class NoteWrong(Exception):
    """The note is malformed, or not signed by the keys that it must be signed by."""


def key_id(name: str, kind: bytes, public: bytes) -> bytes:
    """The four bytes by which signatures name their key (signed-note, "Signatures")."""
    return hashlib.sha256(name.encode() + b"\n" + kind + public).digest()[:_ID_SIZE]


@dataclass(frozen=True)
class Verifier:
    """A public key with its name, from a verifier key: `<name>+<hex of the key ID>+<base64 of type and key>`."""

    name: str
    kind: bytes
    public: bytes

    @classmethod
    def of(cls, vkey: str) -> Verifier:
        """Read a verifier key. Raises NoteWrong where it is malformed, of an unknown type, or its ID is not its own."""
        name, _, rest = vkey.strip().partition("+")
        given, _, encoded = rest.partition("+")
        try:
            material = b64decode(encoded, validate=True)
        except ValueError as malformed:
            raise NoteWrong(f"{vkey!r} is not a verifier key: {malformed}") from malformed
        verifier = cls(name, material[:1], material[1:])
        if verifier.kind not in {ED25519, COSIGNATURE} or len(verifier.public) != 32:  # noqa: PLR2004  (RFC 8032)
            raise NoteWrong(f"{vkey!r} is not an Ed25519 verifier key")
        if not is_key_name(name) or given != verifier.id.hex():
            raise NoteWrong(f"the name or ID of the verifier key {vkey!r} is not that of its key")
        return verifier

    @cached_property
    def id(self) -> bytes:
        """The four bytes by which signatures name this key."""
        return key_id(self.name, self.kind, self.public)

    @property
    def vkey(self) -> str:
        """The key as one line."""
        return f"{self.name}+{self.id.hex()}+{b64encode(self.kind + self.public).decode()}"

    def verifies(self, text: str, signature: bytes) -> bool:
        """Whether the signature is of this key over the note text (a cosignature: over text and time)."""
        message = text.encode()
        if self.kind == COSIGNATURE:
            time, signature = int.from_bytes(signature[:_TIME_SIZE], "big"), signature[_TIME_SIZE:]
            if time > _LAST_TIME:
                return False
            message = f"cosignature/v1\ntime {time}\n".encode() + message
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True)
class Signer:
    """A private key with its name. It never prints."""

    name: str
    private: Ed25519PrivateKey

    def __repr__(self) -> str:
        return f"Signer({self.name!r})"

    @classmethod
    def create(cls, name: str) -> Signer:
        """A new key of that name; NoteWrong where the name is empty or holds space or plus."""
        if not is_key_name(name):
            raise NoteWrong(f"{name!r} cannot be the name of a key: it must have no space and no plus sign")
        return cls(name, Ed25519PrivateKey.generate())

    @classmethod
    def of(cls, secret: str) -> Signer:
        """Read what `secret` gives, in the form of Go's sumdb/note."""
        parts = secret.strip().split("+", _SECRET_PARTS - 1)
        if len(parts) != _SECRET_PARTS or parts[:2] != ["PRIVATE", "KEY"]:
            raise NoteWrong("a log's key file must hold PRIVATE+KEY+<name>+<ID>+<key>")
        try:
            material = b64decode(parts[4], validate=True)
            signer = cls(parts[2], Ed25519PrivateKey.from_private_bytes(material[1:]))
        except ValueError as malformed:
            raise NoteWrong(f"the key of {parts[2]} cannot be read: {malformed}") from malformed
        if material[:1] != ED25519 or not is_key_name(signer.name) or parts[3] != signer.verifier.id.hex():
            raise NoteWrong(f"the key of {parts[2]} is not the one that its ID names")
        return signer

    @property
    def secret(self) -> str:
        """The private key as one line, for its file and nowhere else."""
        seed = self.private.private_bytes_raw()
        return f"PRIVATE+KEY+{self.name}+{self.verifier.id.hex()}+{b64encode(ED25519 + seed).decode()}"

    @cached_property
    def verifier(self) -> Verifier:
        """The public key to it."""
        return Verifier(self.name, ED25519, self.private.public_key().public_bytes_raw())

    def sign(self, text: str) -> str:
        """The signature line of a note text, which ends in a newline."""
        return signature_line(self.name, self.verifier.id, self.private.sign(text.encode()))


def signed(text: str, signers: Iterable[Signer]) -> str:
    """The note of a text with the signatures of all these keys."""
    return text + "\n" + "".join(signer.sign(text) for signer in signers)


def signature_line(name: str, identity: bytes, signature: bytes) -> str:
    """`— <name> base64(key ID || signature)` and a newline."""
    return f"— {name} {b64encode(identity + signature).decode()}\n"


@dataclass(frozen=True)
class Signature:
    """A signature line as it stands in a note, not yet verified."""

    name: str
    id: bytes
    signature: bytes

    @property
    def line(self) -> str:
        """The line."""
        return signature_line(self.name, self.id, self.signature)


def split(note: str) -> tuple[str, list[Signature]]:
    """The text of a note and its signature lines; NoteWrong where it is not a note."""
    if len(note) > _MAX_NOTE or any(ord(each) < ord(" ") and each != "\n" for each in note):
        raise NoteWrong("a note holds no control characters and is not that long")
    text, blank, lines = note.rpartition("\n\n")
    if not blank or not lines.endswith("\n") or lines.count("\n") > _MAX_SIGNATURES:
        raise NoteWrong("a note is a text, an empty line, and signature lines")
    return text + "\n", list(signatures(lines))


def signatures(lines: str) -> Iterator[Signature]:
    """Signature lines as they stand at the end of a note or in a witness's answer; NoteWrong for anything else."""
    # Only a newline ends a line; Python's splitlines() knows ten more ends, at which other readers would not stop.
    for line in lines.removesuffix("\n").split("\n"):
        dash, _, rest = line.partition(" ")
        name, _, encoded = rest.partition(" ")
        try:
            material = b64decode(encoded, validate=True)
        except ValueError as malformed:
            raise NoteWrong(f"{line!r} is not a signature line: {malformed}") from malformed
        if dash != "—" or not is_key_name(name) or len(material) <= _ID_SIZE:
            raise NoteWrong(f"{line!r} is not a signature line")
        yield Signature(name, material[:_ID_SIZE], material[_ID_SIZE:])


def opened(note: str, verifiers: Iterable[Verifier]) -> tuple[str, list[Verifier]]:
    """The text of a note, and which of the keys signed it.

    NoteWrong where a signature of a known key does not verify, or none of the keys signed; others are passed over.
    """
    text, found = split(note)
    known = {(each.name, each.id): each for each in verifiers}
    signed_by = []
    for each in found:
        verifier = known.get((each.name, each.id))
        if verifier is None or verifier in signed_by:
            continue
        if not verifier.verifies(text, each.signature):
            raise NoteWrong(f"the signature of {each.name} does not verify")
        signed_by.append(verifier)
    if not signed_by:
        raise NoteWrong(f"the note is not signed by {', '.join(sorted({v.name for v in known.values()})) or 'any key'}")
    return text, signed_by


def is_key_name(name: str) -> bool:
    """Whether a key may be called so: not empty, no Unicode space, no plus."""
    return bool(name) and "+" not in name and not any(each.isspace() for each in name)
