"""Closed texts on their way to another home: sealed with a transfer key, which the receiver gets on another way.

Each is sealed on its own (AES-256-GCM) and bound to what it belongs to. The nonce is made of key and content, so that
the same texts under the same key give the same bytes and no nonce ever serves two contents.
"""

from __future__ import annotations

import hmac
import secrets
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tenants.archive.format import ArchiveError
from tenants.key_files import create, secret

if TYPE_CHECKING:
    from pathlib import Path

_KEY = 32
_NONCE = 12


class TransferKeyWrong(ArchiveError):
    """The transfer key cannot be used, or is not the one with which the archive was sealed."""


class TransferKey:
    """32 random bytes in a file of mode 0600. It never prints."""

    def __init__(self, key: bytes, path: Path) -> None:
        self._gcm, self._path = AESGCM(key), path
        self._nonces = hmac.digest(key, b"nonces of kyodo archive v1", "sha256")

    @classmethod
    def read(cls, path: Path) -> TransferKey:
        """The key of a file. Raises TransferKeyWrong, or KeyExposed when others may read it."""
        try:
            key = secret(path)
        except OSError as unreadable:
            raise TransferKeyWrong(f"the transfer key {path} cannot be read: {unreadable.strerror}") from unreadable
        if len(key) != _KEY:
            raise TransferKeyWrong(f"{path} is not a transfer key: it has {len(key)} bytes and not {_KEY}")
        return cls(key, path)

    @classmethod
    def made(cls, path: Path) -> tuple[TransferKey, bool]:
        """The key of a file, made now where there is none; whether it was made."""
        made = create(path, secrets.token_bytes(_KEY))
        return cls.read(path), made

    def seal(self, content: bytes, belongs_to: str) -> str:
        """base64 of nonce, ciphertext and tag; opens only for the same `belongs_to`."""
        about = belongs_to.encode()
        nonce = hmac.digest(self._nonces, about + b"\n" + content, "sha256")[:_NONCE]
        return b64encode(nonce + self._gcm.encrypt(nonce, content, about)).decode()

    def open(self, sealed: str, belongs_to: str) -> bytes:
        """What was sealed; TransferKeyWrong where this key, or what it belongs to, is another."""
        try:
            data = b64decode(sealed, validate=True)
            return self._gcm.decrypt(data[:_NONCE], data[_NONCE:], belongs_to.encode())
        except (InvalidTag, ValueError) as wrong:
            raise TransferKeyWrong(
                f"{belongs_to} does not open with {self._path}: it is not this archive's transfer key"
            ) from wrong
