"""Tiles and entry bundles: a log as static files (C2SP tlog-tiles)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

HEIGHT = 8  # levels of the tree in one tile
WIDTH = 256  # hashes of a full tile, entries of a full bundle
ENTRIES = -1
"""The level under which the entry bundles are found, beside those of the tree."""

# Six groups of digits number more tiles than a tree of 2**63 leaves has.
_PATH = re.compile(r"(entries|0|[1-9][0-9]?)/((?:x[0-9]{3}/){0,5}[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?")
_HIGHEST = 63


@dataclass(frozen=True, slots=True)
class Tile:
    """Hashes of one level, or entries: the `width` of them that follow number × 256."""

    level: int
    number: int
    width: int = WIDTH

    @property
    def first(self) -> int:
        """The index of its first hash within the level."""
        return self.number * WIDTH

    @property
    def path(self) -> str:
        """`<L>/<N>` with `.p/<W>` for a partial tile; N in groups of three digits."""
        digits = str(self.number)
        digits = digits.zfill(-(-len(digits) // 3) * 3)
        groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
        number = "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
        partial = "" if self.width == WIDTH else f".p/{self.width}"
        return f"{'entries' if self.level == ENTRIES else self.level}/{number}{partial}"

    @classmethod
    def of(cls, path: str) -> Tile | None:
        """The tile of a path, None where the path is not one that the specification writes."""
        found = _PATH.fullmatch(path)
        if found is None:
            return None
        level = ENTRIES if found[1] == "entries" else int(found[1])
        number = int(found[2].replace("x", "").replace("/", ""))
        width = int(found[3]) if found[3] else WIDTH
        tile = cls(level, number, width)
        return tile if level <= _HIGHEST and width <= WIDTH and tile.path == path else None

    def within(self, size: int) -> bool:
        """Whether a tree of that size has all of it."""
        return self.first + self.width <= size >> (HEIGHT * max(self.level, 0))


def tiles_of(size: int) -> Iterator[Tile]:
    """Every tile of a tree of that size, full ones before the partial one of each level; the bundles first."""
    for level in range(ENTRIES, _HIGHEST):
        count = size >> (HEIGHT * max(level, 0))
        if not count:
            return
        for number in range(count // WIDTH):
            yield Tile(level, number)
        if count % WIDTH:
            yield Tile(level, count // WIDTH, count % WIDTH)


def bundle(entries: Iterable[bytes]) -> bytes:
    """Entries one after the other, each behind its length as big-endian uint16."""
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def unbundled(data: bytes) -> Iterator[bytes]:
    """The entries of a bundle; ValueError where it ends within one."""
    at = 0
    while at < len(data):
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        if end > len(data) or at + 2 > len(data):
            raise ValueError("the entry bundle is cut off")
        yield data[at + 2 : end]
        at = end
