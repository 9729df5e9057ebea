"""What every question is answered from: the log read once, its streams folded once, and how a reader names things."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol
from zoneinfo import ZoneInfo

import psycopg
from pydantic import ValidationError

from domain.city import City, ImportWindowClosed, ImportWindowOpened
from domain.commands import BY_EVENT, initial_state
from domain.dates import display
from domain.errors import DomainError
from domain.event import Event, Meta, Mode, State
from domain.history import History, Recorded, evolve
from domain.participation import Participation
from domain.partnership.state import Partnership, PartnershipEvent
from domain.programme import Programme
from domain.rules import Rules
from projections.audit.findings import Level, Row, Words, say
from projections.audit.intact import Checkpoint, LogCheck
from tenants.book import HistoryBroken, history_of, read
from tenants.database import Role
from tenants.disclosures import DisclosureAltered, public_texts
from tenants.event_store import RecordedEvent

if TYPE_CHECKING:
    from pathlib import Path
    from uuid import UUID

    from tenants.city_keys import CityKeys
    from tenants.database import Connection, Database

_PAGE = 5_000
_TOKYO = ZoneInfo("Asia/Tokyo")
_NOTHING_YET = datetime(1970, 1, 1, tzinfo=UTC)


class Labels(Protocol):
    """What codes and fields are called; the gateway knows."""

    def code(self, field: str, code: str) -> Words:
        """What a code is called in a field."""

    def field(self, owner: str, field: str) -> Words:
        """What a field of an event or a part of it is called."""


@dataclass(frozen=True, slots=True)
class Options:
    """How an audit is asked for. `as_of`: the log's first so many entries only; `attachments`: a folder of files."""

    as_of: int | None = None
    late_days: int = 30
    attachments: Path | None = None


class _EntryDamaged(Exception):
    """The entry at a position is not even text any more."""

    def __init__(self, position: int) -> None:
        super().__init__(position)
        self.position = position


class BeyondTheLog(Exception):
    """The log does not have that many entries."""


@dataclass(frozen=True)
class Window:
    """An import window: what opened it, and what closed it if anything did."""

    opened: Recorded
    closed: Recorded | None

    @property
    def compiled(self) -> bool:
        """Whether what came in was taken from publications."""
        return isinstance(self.opened.event, ImportWindowOpened) and self.opened.event.compiled

    def holds(self, position: int) -> bool:
        """Whether a position of the log lies inside it."""
        return position > self.opened.position and (self.closed is None or position < self.closed.position)


@dataclass(frozen=True)
class Evidence:
    """A city's record up to a position.

    `unreadable`: why it could not be folded; then it holds no streams. `altered`: that a public text is not the one of
    which the log holds the digest; then it holds no texts.
    """

    database: Database
    keys: CityKeys
    tenant: UUID
    options: Options
    labels: Labels
    log: LogCheck
    recorded: tuple[Recorded, ...]
    streams: Mapping[UUID, History]
    texts: Mapping[str, str]
    unreadable: Words | None = None
    altered: str | None = None

    @cached_property
    def moment(self) -> datetime:
        """When the last entry was recorded: what "now" is for a report, so that it can be made again."""
        return self.recorded[-1].recorded_at if self.recorded else _NOTHING_YET

    @property
    def today(self) -> date:
        """The day of that moment in the calendar of every Japanese city."""
        return day_of(self.moment)

    @cached_property
    def partnerships(self) -> tuple[History, ...]:
        """The streams of partnerships and consultations, in the order of their first entries."""
        return tuple(history for history in self.streams.values() if isinstance(history.state, Partnership))

    @cached_property
    def windows(self) -> tuple[Window, ...]:
        """The city's import windows in order."""
        opened: list[Recorded] = []
        windows: list[Window] = []
        for entry in self.recorded:
            if isinstance(entry.event, ImportWindowOpened):
                opened.append(entry)
            elif isinstance(entry.event, ImportWindowClosed) and opened:
                windows.append(Window(opened.pop(), entry))
        return (*windows, *(Window(entry, None) for entry in opened))

    @cached_property
    def joined(self) -> int:
        """The position up to which the city only entered its rules and sources, before any partnership."""
        first = (e.position for e in self.recorded if isinstance(e.event, PartnershipEvent | ImportWindowOpened))
        return next(first, len(self.recorded) + 1) - 1

    @cached_property
    def _parties(self) -> dict[str, Words]:
        named: dict[str, Words] = {}
        for history in self.partnerships:
            for member in history.state.parties:
                party = member.party
                ja, en = self.texts.get(party.name_ja), self.texts.get(party.name_en or "")
                if known := ja or en:
                    named[party.party] = Words(ja or known, en or known)
        return named

    @cached_property
    def _rules(self) -> dict[tuple[str, int], Rules]:
        programmes = [h.state for h in self.streams.values() if isinstance(h.state, Programme)]
        return {(each.programme, version.number): version.rules for each in programmes for version in each.versions}

    def rules_of(self, meta: Meta) -> Rules:
        """The rules by which an entry was judged."""
        return self._rules.get((meta.programme or "", meta.programme_version or 0), Rules())

    @cached_property
    def compiled(self) -> bool:
        """Whether the record was compiled from publications, so that it is not the city's own."""
        return any(isinstance(h.state, City) and h.state.compiled for h in self.streams.values())

    @cached_property
    def _local(self) -> dict[str, Words]:
        named: dict[str, Words] = {}
        for rules in self._rules.values():
            for label in rules.labels:
                if label.ja in self.texts:
                    named[label.code] = Words(
                        self.texts[label.ja], self.texts.get(label.en or "", self.texts[label.ja])
                    )
            for criterion in rules.review.criteria:
                if criterion.local is not None and criterion.local in self.texts:
                    named[criterion.code] = Words(self.texts[criterion.local], self.texts[criterion.local])
        return named

    def code(self, field: str, code: str) -> Words:
        """What a code is called: by the city's own programmes, else as everywhere."""
        return self._local.get(code) or self.labels.code(field, code)

    def is_silent(self, entry: Recorded) -> bool:
        """Whether the entry repeats a publication, so that what it leaves out is unknown and not wrong."""
        inside = (window for window in self.windows if window.holds(entry.position))
        return entry.meta.mode is Mode.IMPORT and any(window.compiled for window in inside)

    def lacking(self, entry: Recorded) -> Level:
        """How grave it is that the entry leaves something out."""
        return Level.NOTE if self.is_silent(entry) else Level.FINDING

    def name(self, stream: UUID) -> str:
        """By what a reader knows a stream: a partnership's number, a programme's slug, `city`, or its first entry."""
        history = self.streams.get(stream)
        match history.state if history else None:
            case Partnership(number=number) if number:
                return number
            case Programme(programme=slug) if slug:
                return slug
            case City():
                return "city"
            case Participation(recording_city=city, number=number) if city:
                return f"{city}/{number}"
        return f"no. {history.recorded[0].position}" if history else str(stream)

    def row(self, level: Level, entry: Recorded, what: Words) -> Row:
        """A row about an entry."""
        return Row(level, self.name(entry.stream), entry.position, what)

    def text(self, digest: str | None) -> Words:
        """A public text, or that it is not public, with its digest."""
        if digest is None:
            return Words("記載なし", "not stated")
        if digest in self.texts:
            return Words(f"「{self.texts[digest]}」", f"“{self.texts[digest]}”")
        return say("非公開(ダイジェスト {digest})", "not public (digest {digest})", digest=digest)

    def party(self, party: str | None) -> Words:
        """A party by its public name."""
        if party is None:
            return Words("記載なし", "not stated")
        return self._parties.get(party) or say("非公開の当事者 {id}", "a party not public {id}", id=party[:8])


def when(edtf: str) -> Words:
    """A date as a reader writes it."""
    return Words(display(edtf, "ja"), display(edtf, "en"))


def day_of(moment: datetime) -> date:
    """The day in the calendar of every Japanese city."""
    return moment.astimezone(_TOKYO).date()


def event(name: str) -> Words:
    """What an event is called."""
    known = BY_EVENT.get(name)
    return Words(known.ja, known.en) if known else Words(name, name)


def steps(history: History) -> Iterator[tuple[Recorded, State]]:
    """The entries as they now count, each with the state that it met."""
    state: State = initial_state(history.recorded[0].name)
    for entry in history.entries:
        yield entry, state
        state = evolve(state, entry)


def gather(database: Database, keys: CityKeys, tenant: UUID, options: Options, labels: Labels) -> Evidence:
    """Read a city's log once, as the auditor's login sees it at one moment, and fold it. Raises BeyondTheLog."""
    recorded: list[Recorded] = []
    unreadable: Words | None = None
    with database.tenant(Role.AUDITOR, tenant) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        log = _opened_log(connection, tenant, options.as_of)
        try:
            for row in _rows(connection, tenant, options.as_of):
                entry, leaf, stored = row[16], row[17], RecordedEvent(*(*row[:9], tuple(row[9]), *row[10:16]))
                log.add(stored.position or 0, entry, leaf, stored.root or b"")
                if unreadable is None:
                    try:
                        recorded.append(read(stored))
                    except (DomainError, ValidationError, ValueError) as broken:
                        unreadable = _unreadable(f"no. {stored.position}", broken)
        except _EntryDamaged as damaged:
            log.damaged(damaged.position)
            unreadable = unreadable or _unreadable(f"no. {damaged.position}", damaged)
        log.close()
    streams: dict[UUID, History] = {}
    texts: dict[str, str] = {}
    altered: str | None = None
    if unreadable is None:
        try:
            streams = _folded(recorded)
        except (DomainError, ValidationError, HistoryBroken) as broken:
            unreadable = _unreadable("", broken)
        with database.tenant(Role.PROJECTOR, tenant) as connection:
            try:
                texts = public_texts(connection, keys, tenant)
            except DisclosureAltered as found:
                altered = str(found)
    return Evidence(
        database=database,
        keys=keys,
        tenant=tenant,
        options=options,
        labels=labels,
        log=log,
        recorded=tuple(recorded),
        streams=streams,
        texts=texts,
        unreadable=unreadable,
        altered=altered,
    )


_EVENTS = """
    SELECT stream_id, version, type, state, schema_version, mode, actor, recorded_by, approved_by, signatories,
           document_ref, programme, programme_version, position, recorded_at, root, event_entry(e), leaf
      FROM event e WHERE tenant_id = %s AND position > %s ORDER BY position LIMIT %s
"""


def _rows(connection: Connection, tenant: UUID, as_of: int | None) -> Iterator[tuple[Any, ...]]:
    position, limit = 0, _PAGE
    while True:
        try:
            with connection.transaction():
                page = connection.execute(_EVENTS, (tenant, position, limit), binary=True).fetchall()
        except psycopg.DataError as damaged:
            if limit == 1:
                raise _EntryDamaged(position + 1) from damaged
            limit = 1  # One by one from here on, to name the entry.
            continue
        if not page:
            return
        for row in page:
            position = row[13]
            if as_of is not None and position > as_of:
                return
            yield row


def _opened_log(connection: Connection, tenant: UUID, as_of: int | None) -> LogCheck:
    head = connection.execute("SELECT size, root FROM tenant_head WHERE tenant_id = %s", (tenant,)).fetchone()
    size, root = head or (0, b"")
    if as_of is not None and as_of > size:
        raise BeyondTheLog(f"the log has {size} entries, not {as_of}; ask as of {size} or earlier")
    checkpoints = connection.execute(
        "SELECT size, root, note FROM checkpoint WHERE tenant_id = %s AND size <= coalesce(%s, size) ORDER BY size",
        (tenant, as_of),
    ).fetchall()
    keys = connection.execute(
        "SELECT vkey FROM log_key WHERE tenant_id = %s ORDER BY first_use, vkey", (tenant,)
    ).fetchall()
    whole = as_of is None or as_of == size
    return LogCheck(
        head=(size, root) if whole else None,
        checkpoints=tuple(Checkpoint(*row) for row in checkpoints),
        keys=tuple(key for (key,) in keys),
    )


def _folded(recorded: list[Recorded]) -> dict[UUID, History]:
    streams: dict[UUID, list[Recorded]] = {}
    for entry in recorded:
        streams.setdefault(entry.stream, []).append(entry)
    return {stream: folded for stream, events in streams.items() if (folded := history_of(events)) is not None}


def _unreadable(place: str, broken: Exception) -> Words:
    where = f"{place}: " if place else ""
    return say(
        "記録を読めないため確認していません({why})",
        "not checked, as the record cannot be read ({why})",
        why=f"{where}{type(broken).__name__}: {str(broken).splitlines()[0]}",
    )


def is_of(entry: Recorded, *kinds: type[Event]) -> bool:
    """Whether the entry is an event of one of the kinds."""
    return isinstance(entry.event, kinds)
