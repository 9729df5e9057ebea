"""An archive, opened: nothing is given out of it before its bytes, layout, seal and checkpoint have been checked.

Nothing is ever unpacked onto a disk. Every later read of a member checks its SHA-256 again, so that a file that is
changed while it is read is noticed too.
"""

from __future__ import annotations

import hashlib
from base64 import b64decode
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, BinaryIO

import orjson
from pydantic import ValidationError

from tenants.archive import format as layout
from tenants.archive.format import ArchiveRefused, Manifest
from tenants.archive.stream import Member, check_whole
from tenants.book import problems
from tenants.ledger.checkpoint import Checkpoint
from tenants.ledger.note import NoteWrong, Verifier, opened, signatures
from tenants.ledger.tiles import ENTRIES, unbundled

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a member lies in the file, how large it is, and the SHA-256 of its content in hex."""

    offset: int
    size: int
    sha256: str


@dataclass(frozen=True)
class Archive:
    """A whole and sealed archive. `note` is the checkpoint as it stands there; `signed_by` the key that it was told."""

    manifest: Manifest
    checkpoint: Checkpoint
    note: str
    signed_by: Verifier
    _file: BinaryIO
    _places: dict[str, _Place]

    def content(self, name: str) -> bytes:
        """A member that fits into memory."""
        return b"".join(self._chunks(name))

    def lines(self, name: str) -> Iterator[tuple[int, bytes]]:
        """The lines of a member, without their ends, numbered from 1; ArchiveRefused where one is too long."""
        rest, number = b"", 0
        for chunk in self._chunks(name):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                number += 1
                yield number, line
            if len(rest) > layout.MAX_LINE:
                raise ArchiveRefused(f"{name}, line {number + 1}: longer than {layout.MAX_LINE} bytes")
        if rest:
            raise ArchiveRefused(f"{name}: the last line has no end")

    def bundles(self, after: int = 0) -> Iterator[list[bytes]]:
        """The entries in order, bundle by bundle, from the bundle on that holds the position behind `after`."""
        size = self.checkpoint.size
        for tile in chain(layout.full_tiles(size), layout.partial_tiles(size)):
            if tile.level != ENTRIES or tile.first + tile.width <= after:
                continue
            name = layout.tile_member(tile)
            try:
                entries = list(unbundled(self.content(name)))
            except ValueError as wrong:
                raise ArchiveRefused(f"{name}: {wrong}") from wrong
            if len(entries) != tile.width:
                raise ArchiveRefused(f"{name} holds {len(entries)} entries and not {tile.width}")
            yield entries[max(0, after - tile.first) :]

    def _chunks(self, name: str) -> Iterator[bytes]:
        place, digest = self._places[name], hashlib.sha256()
        for chunk in Member(self._file, place.offset).chunks():
            digest.update(chunk)
            yield chunk
        if digest.hexdigest() != place.sha256:
            raise ArchiveRefused(f"{name} was changed while it was read")


@contextmanager
def opened_archive(path: Path, key: Verifier | None = None) -> Iterator[Archive]:
    """Open an archive; ArchiveRefused names what is wrong with it.

    `key` is the log's verifier key, known from elsewhere. Without it the archive is checked against the key that it
    brings along: then it is whole, and whoever relies on it has to compare that key with one that he trusts.
    """
    try:
        file = path.open("rb")
    except OSError as unreadable:
        raise ArchiveRefused(f"{path} cannot be read: {unreadable.strerror}") from unreadable
    with file:
        try:
            yield _checked(file, key)
        except ArchiveRefused as refused:
            raise ArchiveRefused(f"{path}: {refused}") from refused


def _checked(file: BinaryIO, key: Verifier | None) -> Archive:
    places = _places(file, check_whole(file))

    def small(name: str) -> bytes:
        if name not in places:
            raise ArchiveRefused(f"the member {name} is missing")
        return b"".join(Member(file, places[name].offset).chunks())

    signer = _key(small(layout.KEY), key)
    _check_seal(small(layout.SEAL), places, signer)
    manifest = _manifest(small(layout.MANIFEST))
    expected = list(layout.members(manifest))
    for at, (found, wanted) in enumerate(zip(places, expected, strict=False), start=1):
        if found != wanted:
            raise ArchiveRefused(f"member {at} is {found} where {wanted} belongs")
    if len(places) != len(expected):
        raise ArchiveRefused(
            f"the archive has {len(places)} members and not the {len(expected)} that its manifest says"
        )
    note = small(layout.CHECKPOINT)
    checkpoint = _checkpoint(note, signer)
    log = manifest.log
    told = (log.origin, log.size, log.root, log.checkpoint_sha256)
    digest = places[layout.CHECKPOINT].sha256
    if told != (checkpoint.origin, checkpoint.size, _base64(checkpoint.root, log.root), digest):
        raise ArchiveRefused("the manifest speaks of another checkpoint than the one in the archive")
    return Archive(manifest, checkpoint, note.decode(), signer, file, places)


def _base64(root: bytes, told: str) -> str | None:
    try:
        return told if b64decode(told, validate=True) == root else None
    except ValueError:
        return None


def _places(file: BinaryIO, end: int) -> dict[str, _Place]:
    """Every member by name, in their order; each is read through once, and none is larger than its kind may be."""
    places: dict[str, _Place] = {}
    offset = 0
    while offset < end:
        member = Member(file, offset)
        limit = layout.longest(member.name)
        if limit is None:
            raise ArchiveRefused(f"an archive has no member {member.name!r}")
        if member.size > limit:
            raise ArchiveRefused(f"{member.name} has {member.size} bytes, and {limit} at most are allowed")
        if member.name in places:
            raise ArchiveRefused(f"the member {member.name} is there twice")
        digest = hashlib.sha256()
        for chunk in member.chunks():
            digest.update(chunk)
        places[member.name] = _Place(offset, member.size, digest.hexdigest())
        offset = member.end
    if next(reversed(places), None) != layout.SEAL:
        raise ArchiveRefused(f"the last member is not {layout.SEAL}: the archive is not sealed")
    return places


def _key(content: bytes, known: Verifier | None) -> Verifier:
    try:
        brought = Verifier.of(content.decode().removesuffix("\n"))
    except (NoteWrong, UnicodeDecodeError) as wrong:
        raise ArchiveRefused(f"{layout.KEY} holds no verifier key: {wrong}") from wrong
    if known is not None and known.vkey != brought.vkey:
        raise ArchiveRefused(f"the archive is sealed with the key {brought.vkey}, and not with {known.vkey}")
    return brought


def _check_seal(content: bytes, places: dict[str, _Place], signer: Verifier) -> None:
    """That the log's key signed exactly these members in this order."""
    found = iter((name, place.sha256) for name, place in places.items() if name != layout.SEAL)
    text = layout.seal_text(found)
    seal = content.decode(errors="replace")
    if not seal.startswith(f"{text}\n—"):
        raise ArchiveRefused(_first_difference(text.splitlines(), seal.split("\n\n")[0].splitlines()))
    try:
        by = [each for each in signatures(seal[len(text) + 1 :]) if (each.name, each.id) == (signer.name, signer.id)]
    except NoteWrong as wrong:
        raise ArchiveRefused(f"{layout.SEAL}: {wrong}") from wrong
    if not by or not all(signer.verifies(text, each.signature) for each in by):
        raise ArchiveRefused(f"{layout.SEAL} is not signed by {signer.vkey}")


def _first_difference(found: list[str], sealed: list[str]) -> str:
    if sealed[:1] != [layout.SEAL_HEADER]:
        return f"{layout.SEAL} is not the seal of an archive"
    for at in range(1, max(len(found), len(sealed))):
        here = found[at].split("  ", 1) if at < len(found) else None
        there = sealed[at].split("  ", 1) if at < len(sealed) else None
        if here is None and there is not None:
            return f"the member {there[-1]}, which {layout.SEAL} names, is missing"
        if there is None and here is not None:
            return f"{layout.SEAL} does not name the member {here[-1]}: it was added"
        if here is not None and there is not None and here != there:
            if here[-1] != there[-1]:
                return (
                    f"member {at} is {here[-1]} where {layout.SEAL} names {there[-1]}: members are added, gone or moved"
                )
            return f"{here[-1]} was altered: {layout.SEAL} names another SHA-256"
    return f"{layout.SEAL} is not a signed note"


def _manifest(content: bytes) -> Manifest:
    try:
        told = orjson.loads(content)
        if isinstance(told, dict) and isinstance(told.get("format"), int) and told["format"] > layout.FORMAT:
            raise ArchiveRefused(
                f"the archive has format {told['format']}, written by {told.get('product')}; this release reads up to"
                f" format {layout.FORMAT}: upgrade it, then import again"
            )
        return Manifest.model_validate_json(content)
    except orjson.JSONDecodeError as wrong:
        raise ArchiveRefused(f"{layout.MANIFEST} is not JSON: {wrong}") from wrong
    except ValidationError as wrong:
        raise ArchiveRefused(f"{layout.MANIFEST}: {problems(wrong)}") from wrong


def _checkpoint(note: bytes, signer: Verifier) -> Checkpoint:
    try:
        text, _ = opened(note.decode(), [signer])
        return Checkpoint.of(text)
    except (NoteWrong, UnicodeDecodeError) as wrong:
        raise ArchiveRefused(f"{layout.CHECKPOINT}: {wrong}") from wrong
