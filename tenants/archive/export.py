"""Export: a city's published log, its programmes and the texts that the receiver may see, as one file.

An export that was interrupted goes on: FILE.part keeps the members that are whole and still right, and FILE is there
only when it is complete and durable. Nothing larger than a bundle of 256 entries is held in memory.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, BinaryIO

from tenants.archive import format as layout
from tenants.archive.contents import Closed, Source, Texts, manifest, pretty, programmes
from tenants.archive.format import ArchiveRefused, ExportRefused
from tenants.archive.stream import Member, end_of_archive, sha256_of, write_member
from tenants.database import Role
from tenants.ledger.note import NoteWrong, opened, signed
from tenants.ledger.store import PublishedLog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path
    from uuid import UUID

    from tenants.city_keys import CityKeys
    from tenants.database import Database
    from tenants.ledger.note import Signer
    from tenants.ledger.store import Published

__all__ = ["Closed", "Exported", "export"]

_CHUNK = 65_536


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written: the file, the log's size and root, how many members an earlier attempt left, and texts."""

    path: Path
    size: int
    root: bytes
    kept: int
    public: int
    closed: int


@dataclass(frozen=True, slots=True)
class _Part:
    """A member to be written; `chunks` gives its content."""

    name: str
    size: int
    chunks: Callable[[], Iterator[bytes]]


def export(
    database: Database,
    keys: CityKeys,
    signers: Sequence[Signer],
    tenant: UUID,
    path: Path,
    *,
    product: layout.Product,
    closed: Closed | None = None,
) -> Exported:
    """Write the archive of the city's latest checkpoint to `path`, in the place of what was there.

    Raises ExportRefused where nothing is published yet, the log's key is another, or somebody is writing the file.
    """
    log = PublishedLog(database, tenant, Role.APP)
    published = log.checkpoint()
    if published is None:
        raise ExportRefused("nothing of this city's log is published yet: an archive needs a signed checkpoint")
    signer = _signer_of(published, signers)
    source = Source(database, keys, tenant, published, log.cosigned(published).encode(), closed, product)
    with (
        _part_file(path) as file,
        # In the archive's folder, which has room for them.
        TemporaryFile(dir=path.parent) as public_lines,
        TemporaryFile(dir=path.parent) as closed_lines,
    ):
        sums = _kept(file, log, published.size)
        kept = len(sums)
        missing = islice(layout.full_tiles(published.size), kept, None)
        sums.extend(_write(file, _small(layout.tile_member(tile), log.tile(tile))) for tile in missing)
        texts = Texts(public_lines, closed_lines)
        texts.take(source)
        sums.extend(_write(file, part) for part in _of_this_size(source, log, signer, texts))
        seal = signed(layout.seal_text(iter(sums)), [signer]).encode()
        _write(file, _small(layout.SEAL, seal))
        _finish(file, path)
    return Exported(path, published.size, published.root, kept, texts.public_count, texts.closed_count)


def _signer_of(published: Published, signers: Sequence[Signer]) -> Signer:
    """The newest of the keys that signed the checkpoint; the archive is sealed with the same."""
    try:
        _, by = opened(published.note, [signer.verifier for signer in signers])
    except NoteWrong as wrong:
        raise ExportRefused(
            f"the latest checkpoint is not signed with a key of this machine ({wrong}): export where that key is, or"
            " once this machine has signed a newer one"
        ) from wrong
    return next(signer for signer in reversed(signers) if signer.verifier in by)


def _part_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.part")


@contextmanager
def _part_file(path: Path) -> Iterator[BinaryIO]:
    """FILE.part for this process alone; it stays when the export does not come to its end."""
    part = _part_path(path)
    try:
        descriptor = os.open(part, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as refused:
        raise ExportRefused(f"{part} cannot be written: {refused.strerror}") from refused
    with os.fdopen(descriptor, "r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as taken:
            raise ExportRefused(f"another export is writing {part}; wait for it, or name another file") from taken
        if not part.exists() or part.stat().st_ino != os.fstat(descriptor).st_ino:
            # What was opened has got its final name meanwhile, and must not be written to.
            raise ExportRefused(f"another export has just finished {path}; run this one again if it is still needed")
        yield file


def _kept(file: BinaryIO, log: PublishedLog, size: int) -> list[tuple[str, str]]:
    """Name and SHA-256 of the members of an earlier attempt that stay; the file is cut off behind them.

    Full tiles never change. Each is compared with the log all the same, so that an attempt at another city's archive,
    or a part that a disk lost, is never built upon.
    """
    kept, end = [], 0
    for tile in layout.full_tiles(size):
        name = layout.tile_member(tile)
        try:
            member = Member(file, end)
            if member.name != name or member.size > (layout.longest(name) or 0):
                break
            content = b"".join(member.chunks())
        except ArchiveRefused:
            break
        if content != log.tile(tile):
            break
        kept.append((name, hashlib.sha256(content).hexdigest()))
        end = member.end
    file.seek(end)
    file.truncate()
    return kept


def _of_this_size(source: Source, log: PublishedLog, signer: Signer, texts: Texts) -> Iterator[_Part]:
    """The members that belong to this size of the log, in order, but for the seal."""
    for tile in layout.partial_tiles(source.published.size):
        yield _small(layout.tile_member(tile), log.tile(tile))
    yield _small(layout.CHECKPOINT, source.note)
    yield _small(layout.KEY, f"{signer.verifier.vkey}\n".encode())
    readable = dict(sorted(programmes(source).items()))
    for slug, content in readable.items():
        yield _small(layout.programme_member(slug), content)
    yield _spooled(layout.PUBLIC, texts.public)
    if source.closed is not None:
        yield _spooled(layout.CLOSED, texts.closed)
    described = manifest(source, texts, list(readable))
    yield _small(layout.MANIFEST, pretty(described.model_dump(mode="json")))


def _small(name: str, content: bytes) -> _Part:
    return _Part(name, len(content), partial(iter, (content,)))


def _spooled(name: str, file: BinaryIO) -> _Part:
    def chunks() -> Iterator[bytes]:
        file.seek(0)
        while chunk := file.read(_CHUNK):
            yield chunk

    return _Part(name, file.tell(), chunks)


def _write(file: BinaryIO, part: _Part) -> tuple[str, str]:
    if part.size > (layout.longest(part.name) or 0):
        raise ExportRefused(f"{part.name} has {part.size} bytes, more than the archive format allows")
    return part.name, write_member(file, part.name, part.size, part.chunks())


def _finish(file: BinaryIO, path: Path) -> None:
    """End the archive and give it its name, durably."""
    size = file.tell()
    file.seek(0)
    digest = sha256_of(file, size)
    file.seek(size)
    file.write(end_of_archive(digest))
    file.flush()
    os.fsync(file.fileno())
    _part_path(path).replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
