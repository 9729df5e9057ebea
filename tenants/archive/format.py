"""The archive of a city, declared: which members a file has, in which order, how large, and what its manifest says.

docs/archive-format.md describes the same for whoever reads or writes archives with another program.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AwareDatetime, Field, StringConstraints

from domain.values import Count, Frozen, Sha256, Slug
from tenants.ledger.tiles import ENTRIES, HEIGHT, WIDTH, Tile

if TYPE_CHECKING:
    from collections.abc import Iterator

FORMAT = 1
"""The version of the format that this release writes, and the newest that it reads."""

SEAL_HEADER = "kyodo archive v1"
"""The first line of the seal's text, so that no signature over anything else can pass for it."""

CHECKPOINT, KEY, MANIFEST, SEAL = "checkpoint", "key", "manifest.json", "SHA256SUMS.note"
PUBLIC, CLOSED = "disclosures/public.jsonl", "disclosures/closed.jsonl"
CITY_SECRET = "city-secret"  # noqa: S105  (the name under which it travels)

MAX_LINE = 262_144
"""Bytes of one line of a .jsonl member: a text of 10,000 characters, escaped, encoded and sealed, takes less."""

_MAX_ENTRY = 65_535
_MAX_TAR = 8**11 - 1
_LIMITS = {CHECKPOINT: 100_000, KEY: 1_000, MANIFEST: 1_000_000, PUBLIC: _MAX_TAR, CLOSED: _MAX_TAR}
_MAX_PROGRAMME = 16_000_000
_MAX_SEAL = 1_000_000_000
_PROGRAMME = re.compile(r"programmes/([a-z0-9][a-z0-9-]{0,79})\.json")
_HASH_SIZE = 32


class ArchiveError(Exception):
    """An archive cannot be written, read or taken in; the message says what is wrong and how to mend it."""


class ExportRefused(ArchiveError):
    """The city cannot be exported like this."""


class ArchiveRefused(ArchiveError):
    """The file is not a whole, unaltered archive that this release can read; nothing of it was imported."""


class ImportRefused(ArchiveError):
    """The archive is in order, but cannot come into this installation like this; nothing of it was imported."""


class Product(Frozen):
    """What wrote the archive."""

    name: str
    version: str


class City(Frozen):
    """The city's row in the registry."""

    id: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
    slug: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,62}$")]
    municipal_code: Annotated[str, StringConstraints(pattern=r"^[0-9]{6}$")] | None
    name_ja: str
    name_en: str
    kind: str
    registered_at: AwareDatetime


class LogKey(Frozen):
    """A key under which checkpoints of the log were signed, and since when."""

    vkey: str
    first_use: AwareDatetime


class Log(Frozen):
    """The log as of the archive's checkpoint; `root` in base64, `signed_at` when it was signed."""

    origin: str
    keys: tuple[LogKey, ...]
    size: Annotated[int, Field(ge=1)]
    root: str
    checkpoint_sha256: Sha256
    signed_at: AwareDatetime


class Disclosures(Frozen):
    """What the receiver may see: whose level, how many texts in clear, how many sealed, whether the city's secret."""

    level: Literal["PUBLIC", "PARTY", "CITY", "PERSONAL"]
    public: Count
    closed: Count
    city_secret: bool


class EventType(Frozen):
    """An event type in the log: in which schema version, how often."""

    type: str
    schema_version: int
    count: Count


class Manifest(Frozen):
    """What the archive holds."""

    format: Literal[1]
    product: Product
    city: City
    log: Log
    disclosures: Disclosures
    events: tuple[EventType, ...]
    programmes: tuple[Slug, ...]


def full_tiles(size: int) -> Iterator[Tile]:
    """The full bundles and tiles of a log of that size, in the order in which a growing log fills them.

    A larger log's list begins with a smaller one's, so that an interrupted export can go on after the log has grown.
    """
    for number in range(size // WIDTH):
        yield Tile(ENTRIES, number)
        level, filled = 0, number + 1
        yield Tile(level, number)
        while filled % WIDTH == 0:
            level, filled = level + 1, filled // WIDTH
            yield Tile(level, filled - 1)


def partial_tiles(size: int) -> Iterator[Tile]:
    """The partial bundle and tiles of a log of exactly that size."""
    for level in range(ENTRIES, 64 // HEIGHT):
        count = size >> (HEIGHT * max(level, 0))
        if count % WIDTH:
            yield Tile(level, count // WIDTH, count % WIDTH)


def tile_member(tile: Tile) -> str:
    """The member that holds a tile or bundle."""
    return f"tile/{tile.path}"


def programme_member(slug: str) -> str:
    """The member that holds a programme."""
    return f"programmes/{slug}.json"


def members(manifest: Manifest) -> Iterator[str]:
    """Every member of the archive in order, the seal last."""
    size = manifest.log.size
    yield from (tile_member(tile) for tile in full_tiles(size))
    yield from (tile_member(tile) for tile in partial_tiles(size))
    yield from (CHECKPOINT, KEY)
    yield from (programme_member(slug) for slug in manifest.programmes)
    yield PUBLIC
    if manifest.disclosures.level != "PUBLIC":
        yield CLOSED
    yield from (MANIFEST, SEAL)


def longest(name: str) -> int | None:
    """How many bytes a member of that name may have; None where no archive has such a member."""
    if name in _LIMITS:
        return _LIMITS[name]
    if name == SEAL:
        return _MAX_SEAL
    if _PROGRAMME.fullmatch(name):
        return _MAX_PROGRAMME
    tile = Tile.of(name.removeprefix("tile/")) if name.startswith("tile/") else None
    if tile is None:
        return None
    return tile.width * (_MAX_ENTRY + 2 if tile.level == ENTRIES else _HASH_SIZE)


def seal_text(sums: Iterator[tuple[str, str]]) -> str:
    """The text that the log's key signs: a line for each member but the seal, `<SHA-256 in hex>  <name>`, in order."""
    return f"{SEAL_HEADER}\n" + "".join(f"{digest}  {name}\n" for name, digest in sums)
