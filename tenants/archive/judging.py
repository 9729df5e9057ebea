"""What an archive says, judged before anything is written: its entries, their tree, its texts, and the tiles."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import orjson
import rfc8785
from pydantic import Field, StringConstraints, ValidationError

from domain.commands import BY_EVENT, parse
from domain.errors import DomainError
from domain.event import Meta
from domain.text import Visibility
from domain.values import Frozen
from tenants.archive import format as layout
from tenants.archive.format import ArchiveRefused
from tenants.archive.transfer import TransferKey
from tenants.book import problems
from tenants.city_keys import SIZE as CITY_KEY_SIZE
from tenants.disclosures import Clear, digest_of, digests
from tenants.ledger.merkle import Frontier, leaf_hash
from tenants.ledger.tiles import HEIGHT, WIDTH, Tile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from domain.event import Event
    from tenants.archive.reading import Archive

_Id = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]


class ProgrammeVersion(Frozen):
    """The programme under which an event was recorded."""

    id: str
    version: int


class Entry(Frozen):
    """The envelope of an event as the log holds it (tenants/migrations/0003-events.sql, event_entry)."""

    actor: str
    approved_by: str | None
    data: Any
    document_ref: str | None
    mode: str
    position: int
    programme: ProgrammeVersion | None
    recorded_at: Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$")]
    recorded_by: str
    schema_version: int
    signatories: tuple[str, ...]
    stream: _Id
    tenant: _Id
    type: str
    version: Annotated[int, Field(ge=0)]


class _PublicLine(Frozen):
    """A line of disclosures/public.jsonl, and what is sealed in one of closed.jsonl beside its place."""

    digest: str
    position: int
    disclosure: str
    embargo: str | None
    subject: str
    visibility: str


class _ClosedLine(Frozen):
    """A line of disclosures/closed.jsonl."""

    digest: str
    position: int
    sealed: str


class _SecretLine(Frozen):
    """The first line of disclosures/closed.jsonl where everything was exported."""

    city_secret: str


@dataclass(frozen=True, slots=True)
class Text:
    """A disclosure of the archive; `clear` is None while nobody opened it."""

    position: int
    digest: str
    clear: Clear | None


@dataclass
class Judged:
    """What was learned on the way: closed subtrees (level, number, hash) and what the events did to texts.

    Each effect begins with the position of its event, then: a digest, a subject, stream and embargo, a stream. `roots`
    is the root at each size that was asked for, as far as the log reaches; `tree` is the whole.
    """

    tree: Frontier = field(default_factory=Frontier)
    nodes: list[tuple[int, int, bytes]] = field(default_factory=list)
    withdrawn: list[tuple[int, str]] = field(default_factory=list)
    erased: list[tuple[int, str]] = field(default_factory=list)
    lifted: list[tuple[int, UUID, str]] = field(default_factory=list)
    disposed: list[tuple[int, UUID]] = field(default_factory=list)
    roots: dict[int, bytes] = field(default_factory=dict)


def judge(archive: Archive, key: TransferKey | None, sizes: set[int]) -> Judged:
    """Read the whole archive; ArchiveRefused names the place of the first thing that is wrong, nothing is written."""
    _check_types(archive)
    judged, tiles = Judged(), _Tiles(archive)
    waiting = [_Cursor(texts(archive, name, key)) for name in _texts_of(archive)]
    counted: dict[tuple[str, int], int] = {}
    for bundle in archive.bundles():
        leaves = [leaf_hash(entry) for entry in bundle]
        for size in sizes:
            if judged.tree.size < size <= judged.tree.size + len(leaves):
                judged.roots[size] = judged.tree.extended(leaves[: size - judged.tree.size])[0].root()
        for position, raw in enumerate(bundle, start=judged.tree.size + 1):
            entry, event = _read(archive, position, raw)
            counted[entry.type, entry.schema_version] = counted.get((entry.type, entry.schema_version), 0) + 1
            _note_effects(judged, position, UUID(entry.stream), event)
            known = {*digests(entry.data), *digests(entry.document_ref)}
            for cursor in waiting:
                known -= cursor.taken(position, known)
        judged.tree, closed = judged.tree.extended(leaves, HEIGHT)
        judged.nodes += [(level // HEIGHT, number, node) for level, number, node in closed]
        tiles.check(leaves, closed)
    if judged.tree.root() != archive.checkpoint.root:
        raise ArchiveRefused("the entries do not have the root that the checkpoint signs")
    tiles.check_rest()
    for cursor, name in zip(waiting, _texts_of(archive), strict=True):
        cursor.check_end(name)
    _check_counts(archive, counted, [cursor.count for cursor in waiting])
    return judged


def texts(archive: Archive, name: str, key: TransferKey | None) -> Iterator[tuple[int, Text]]:
    """The disclosures of a member with the numbers of their lines; sealed ones are opened where there is a key."""
    for number, line in archive.lines(name):
        place = f"{name}, line {number}"
        try:
            if name == layout.PUBLIC:
                told = _PublicLine.model_validate_json(line)
                if told.visibility != Visibility.PUBLIC.value or told.embargo is not None:
                    raise ArchiveRefused(f"{place}: a text that is not public stands among those that are")
                yield number, Text(told.position, told.digest, _clear(place, told))
            elif number == 1 and archive.manifest.disclosures.city_secret:
                _SecretLine.model_validate_json(line)
            else:
                sealed = _ClosedLine.model_validate_json(line)
                clear = None
                if key is not None:
                    inside = orjson.loads(key.open(sealed.sealed, sealed.digest))
                    told = _PublicLine.model_validate({**inside, "digest": sealed.digest, "position": sealed.position})
                    clear = _clear(place, told)
                yield number, Text(sealed.position, sealed.digest, clear)
        except ValidationError as wrong:
            raise ArchiveRefused(f"{place}: {problems(wrong)}") from wrong


def city_secret(archive: Archive, key: TransferKey) -> bytes | None:
    """The secret of the city's opaque ids; None where it did not travel."""
    if not archive.manifest.disclosures.city_secret:
        return None
    _, line = next(archive.lines(layout.CLOSED))
    secret = key.open(_SecretLine.model_validate_json(line).city_secret, layout.CITY_SECRET)
    if len(secret) != CITY_KEY_SIZE:
        raise ArchiveRefused(f"{layout.CLOSED}, line 1: the city's secret has {len(secret)} bytes")
    return secret


def _texts_of(archive: Archive) -> list[str]:
    closed = archive.manifest.disclosures.level != "PUBLIC"
    return [layout.PUBLIC, *([layout.CLOSED] if closed else [])]


def _clear(place: str, told: _PublicLine) -> Clear:
    disclosure = told.disclosure.encode()
    if digest_of(disclosure) != told.digest:
        raise ArchiveRefused(f"{place}: the disclosure is not the one behind the digest {told.digest}")
    try:
        visibility = Visibility(told.visibility)
    except ValueError as unknown:
        raise ArchiveRefused(f"{place}: unknown visibility {told.visibility!r}") from unknown
    return Clear(told.digest, disclosure, told.subject, visibility, told.embargo)


class _Cursor:
    """The disclosures of one member beside the entries that hold their digests, both in order of position."""

    def __init__(self, given: Iterator[tuple[int, Text]]) -> None:
        self._given = given
        self._last = (0, "")
        self._next = next(given, None)
        self.count = 0

    def taken(self, position: int, known: set[str]) -> set[str]:
        """The digests of this position that the member has, each of which the entry must hold."""
        found: set[str] = set()
        while self._next is not None and self._next[1].position <= position:
            number, text = self._next
            if (text.position, text.digest) <= self._last:
                raise ArchiveRefused(f"disclosure in line {number}: out of order, or there twice")
            if text.position != position or text.digest not in known:
                raise ArchiveRefused(
                    f"disclosure in line {number}: the entry at position {text.position} holds no digest {text.digest},"
                    " or another line discloses it"
                )
            self._last = (text.position, text.digest)
            self.count += 1
            found.add(text.digest)
            self._next = next(self._given, None)
        return found

    def check_end(self, name: str) -> None:
        """That nothing is left over."""
        if self._next is not None:
            raise ArchiveRefused(f"{name}, line {self._next[0]}: the log has no position {self._next[1].position}")


class _Tiles:
    """The hash tiles of the archive beside those that its entries make."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._rows: dict[int, list[bytes]] = {}
        self._done: dict[int, int] = {}

    def check(self, leaves: list[bytes], closed: list[tuple[int, int, bytes]]) -> None:
        """Take the hashes of one more bundle and compare each tile that is full now."""
        self._rows.setdefault(0, []).extend(leaves)
        for level, _, node in closed:
            self._rows.setdefault(level // HEIGHT, []).append(node)
        for level, hashes in self._rows.items():
            if len(hashes) == WIDTH:
                self._compare(level)

    def check_rest(self) -> None:
        """Compare the partial tiles."""
        for level, hashes in self._rows.items():
            if hashes:
                self._compare(level)

    def _compare(self, level: int) -> None:
        hashes, number = self._rows[level], self._done.get(level, 0)
        name = layout.tile_member(Tile(level, number, len(hashes)))
        if self._archive.content(name) != b"".join(hashes):
            raise ArchiveRefused(f"{name} does not hold the hashes of the entries")
        self._rows[level], self._done[level] = [], number + 1


def _check_types(archive: Archive) -> None:
    """Refuse what this release cannot read, by what its manifest says, before thousands of entries are looked at."""
    unknown = [
        f"{each.type} in schema version {each.schema_version}"
        for each in archive.manifest.events
        if each.type not in BY_EVENT or not 1 <= each.schema_version <= BY_EVENT[each.type].schema
    ]
    if unknown:
        product = archive.manifest.product
        raise ArchiveRefused(
            f"this release does not know {', '.join(unknown)}; the archive was written by {product.name}"
            f" {product.version}: upgrade to that release or a newer one, then import again"
        )


def _read(archive: Archive, position: int, raw: bytes) -> tuple[Entry, Event]:
    place = f"position {position}"
    try:
        value = orjson.loads(raw)
        if rfc8785.dumps(value) != raw:
            raise ArchiveRefused(f"{place}: the entry is not canonical JSON (RFC 8785)")
        entry = Entry.model_validate_json(raw)
        if (entry.position, entry.tenant) != (position, archive.manifest.city.id):
            raise ArchiveRefused(f"{place}: the entry is of position {entry.position} of the city {entry.tenant}")
        meta = {name: value[name] for name in Meta.model_fields if name in value}
        meta["programme"] = entry.programme.id if entry.programme else None
        meta["programme_version"] = entry.programme.version if entry.programme else None
        Meta.model_validate_json(orjson.dumps(meta))
        return entry, parse(entry.type, entry.schema_version, orjson.dumps(entry.data))
    except ValidationError as wrong:
        raise ArchiveRefused(f"{place}: {problems(wrong)}") from wrong
    except (ValueError, KeyError, TypeError, RecursionError, rfc8785.CanonicalizationError, DomainError) as wrong:
        # What an upcaster meets in data that no release wrote is of any of these kinds.
        raise ArchiveRefused(f"{place}: the entry cannot be read: {type(wrong).__name__}: {wrong}") from wrong


def _note_effects(judged: Judged, position: int, stream: UUID, event: Event) -> None:
    judged.withdrawn.extend((position, digest) for digest in event.withdraws())
    judged.erased.extend((position, subject) for subject in event.erases())
    judged.lifted.extend((position, stream, embargo) for embargo in event.lifts())
    judged.disposed.extend([(position, stream)] if event.disposes() else [])


def _check_counts(archive: Archive, counted: dict[tuple[str, int], int], found: list[int]) -> None:
    told = {(each.type, each.schema_version): each.count for each in archive.manifest.events}
    if told != counted:
        raise ArchiveRefused(f"{layout.MANIFEST} counts other event types than the log holds")
    disclosures = archive.manifest.disclosures
    if [disclosures.public, disclosures.closed][: len(found)] != found:
        raise ArchiveRefused(f"{layout.MANIFEST} counts other disclosures than the archive holds")
