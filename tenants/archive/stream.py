"""The bytes of an archive: a tar file in which every member is a gzip member of its own.

Bare tar and Python read it. The form is fixed to the bit: one ustar header, no times, no owners; and the last gzip
member carries the SHA-256 of all bytes before it, so that a copy that was cut off or damaged is known before any of it
is read.
"""

from __future__ import annotations

import hashlib
import re
import tarfile
import zlib
from typing import TYPE_CHECKING, BinaryIO

from tenants.archive.format import ArchiveRefused

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# RFC 1952 §2.3: deflate, no flags, no time, no extra flags, unknown system.
_GZIP = bytes.fromhex("1f8b08000000000000ff")
_GZIP_WITH_COMMENT = bytes.fromhex("1f8b08100000000000ff")
_LEVEL = 6
_BLOCK = tarfile.BLOCKSIZE
_CHUNK = 65_536
_END_OF_TAR = bytes(2 * _BLOCK)
_COMMENT = re.compile(rb"sha256 [0-9a-f]{64}")
_WORD = 4


class Torn(ArchiveRefused):
    """The bytes at this place are not a whole member in the form of an archive."""


def tar_header(name: str, size: int) -> bytes:
    """The one ustar header (POSIX.1-1988) that a member of that name and size may have."""
    header = tarfile.TarInfo(name)
    header.size = size
    return header.tobuf(tarfile.USTAR_FORMAT, "ascii", "strict")


def write_member(file: BinaryIO, name: str, size: int, chunks: Iterable[bytes]) -> str:
    """Write one member, whose content must have that size; returns the SHA-256 of the content in hex."""
    digest = hashlib.sha256()
    deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    checksum = written = 0

    def put(data: bytes) -> None:
        nonlocal checksum, written
        checksum = zlib.crc32(data, checksum)
        written += len(data)
        file.write(deflate.compress(data))

    file.write(_GZIP)
    put(tar_header(name, size))
    for chunk in chunks:
        digest.update(chunk)
        put(chunk)
    if written != _BLOCK + size:
        raise ValueError(f"{name} has {written - _BLOCK} bytes and not {size}")
    put(bytes(-size % _BLOCK))
    file.write(deflate.flush())
    file.write(checksum.to_bytes(_WORD, "little") + (written & 0xFFFFFFFF).to_bytes(_WORD, "little"))
    return digest.hexdigest()


def end_of_archive(sha256: str) -> bytes:
    """The last gzip member: the end of the tar file, stored, with the SHA-256 of all bytes before it as its comment."""
    length = len(_END_OF_TAR)
    stored = b"\x01" + length.to_bytes(2, "little") + (length ^ 0xFFFF).to_bytes(2, "little") + _END_OF_TAR
    trailer = zlib.crc32(_END_OF_TAR).to_bytes(_WORD, "little") + length.to_bytes(_WORD, "little")
    return _GZIP_WITH_COMMENT + f"sha256 {sha256}".encode() + b"\0" + stored + trailer


END_SIZE = len(end_of_archive("0" * 64))


def check_whole(file: BinaryIO) -> int:
    """Where the members end; ArchiveRefused when the file was cut off or its bytes are not those that were written."""
    size = file.seek(0, 2)
    file.seek(max(0, size - END_SIZE))
    end = file.read()
    found = _COMMENT.search(end)
    if found is None or end != end_of_archive(found.group()[7:].decode()):
        raise ArchiveRefused(f"the file of {size} bytes does not end as an archive does: it was cut off, or is none")
    file.seek(0)
    if sha256_of(file, size - END_SIZE) != found.group()[7:].decode():
        raise ArchiveRefused("the file is damaged: its bytes do not have the SHA-256 that its end names; copy it again")
    return size - END_SIZE


def sha256_of(file: BinaryIO, size: int) -> str:
    """The SHA-256, in hex, of the next `size` bytes."""
    digest = hashlib.sha256()
    while size:
        chunk = file.read(min(size, _CHUNK))
        if not chunk:
            break
        digest.update(chunk)
        size -= len(chunk)
    return digest.hexdigest()


class Member:
    """The member that begins at an offset: its name and size at once, then its content, chunk by chunk.

    Raises Torn where the bytes are not a member, and ArchiveRefused where it is not in the form of an archive. Never
    holds more than a chunk, whatever the compressed bytes would grow to.
    """

    def __init__(self, file: BinaryIO, offset: int) -> None:
        self._file, self.offset = file, offset
        self._inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        self._checksum = self._read = 0
        file.seek(offset)
        if file.read(len(_GZIP)) != _GZIP:
            raise Torn(f"byte {offset}: no member of an archive begins here")
        self._at = offset + len(_GZIP)  # Several members may be read by turns from one file.
        header = self._take(_BLOCK)
        try:
            info = tarfile.TarInfo.frombuf(header, "ascii", "strict")
        except (tarfile.HeaderError, UnicodeDecodeError) as wrong:
            raise Torn(f"byte {offset}: the tar header is damaged") from wrong
        self.name, self.size = info.name, info.size
        try:
            plain = tar_header(self.name, self.size)
        except (ValueError, UnicodeEncodeError) as wrong:
            raise ArchiveRefused(f"byte {offset}: an archive has no member {self.name!r}") from wrong
        if header != plain:
            raise ArchiveRefused(f"byte {offset}: {self.name!r} is not a plain file, as every member of an archive is")

    def chunks(self) -> Iterator[bytes]:
        """The content; afterwards `end` is where the next member begins."""
        left = self.size
        while left:
            chunk = self._take(min(left, _CHUNK))
            left -= len(chunk)
            yield chunk
        if any(self._take(-self.size % _BLOCK)):
            raise Torn(f"{self.name}: there is something behind its content")
        self.end = self._finish()

    def _take(self, size: int) -> bytes:
        """Exactly that many decompressed bytes."""
        taken = b""
        while len(taken) < size:
            more = self._inflated(size - len(taken))
            if not more and self._inflate.eof:
                raise Torn(f"byte {self.offset}: the member ends before its content does")
            taken += more
        self._checksum = zlib.crc32(taken, self._checksum)
        self._read += size
        return taken

    def _inflated(self, at_most: int) -> bytes:
        data = self._inflate.unconsumed_tail
        if not data and not self._inflate.eof:
            self._file.seek(self._at)
            data = self._file.read(_CHUNK)
            self._at += len(data)
        try:
            inflated = self._inflate.decompress(data, at_most)
        except zlib.error as wrong:
            raise Torn(f"byte {self.offset}: the compressed bytes are damaged ({wrong})") from wrong
        if not inflated and not data and not self._inflate.eof:
            raise Torn(f"byte {self.offset}: the file ends within this member")
        return inflated

    def _finish(self) -> int:
        """Check that the deflate stream and its trailer end here too; returns where."""
        while not self._inflate.eof:
            if self._inflated(1):
                raise Torn(f"{self.name}: there is something behind its content")
        end = self._at - len(self._inflate.unused_data)
        self._file.seek(end)
        trailer = self._file.read(2 * _WORD)
        expected = self._checksum.to_bytes(_WORD, "little") + (self._read & 0xFFFFFFFF).to_bytes(_WORD, "little")
        if trailer != expected:
            raise Torn(f"{self.name}: the checksum of its gzip member is wrong")
        return end + 2 * _WORD
