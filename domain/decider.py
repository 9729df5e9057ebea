"""What an event is, how a command is decided, and the one fold that turns events into state.

A command asks for one event: it carries that event's fields, its texts still in clear. Read through a `Door` it
becomes a draft of the event; `decide` admits the draft under the rules in force or refuses it; `fold` evolves the
state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from enum import StrEnum
from functools import reduce
from typing import Annotated, Any, ClassVar, Self
from uuid import UUID

from pydantic import Field, StringConstraints
from pydantic_core import to_json

from domain import errors
from domain.dates import Edtf, bounds, can_follow
from domain.rules import Rules
from domain.text import PartyId, Text
from domain.values import Agent, Frozen, Ordinal, Slug

NEVER = datetime.min.replace(tzinfo=UTC)
"""The recorded time of an event that is not recorded yet."""


class Certainty(StrEnum):
    """How far the source goes: it states the fact and its date, the fact only, or neither in so many words."""

    STATED = "STATED"
    NOT_STATED = "NOT_STATED"
    INFERRED = "INFERRED"


class Valid(Frozen):
    """When it happened (valid time): EDTF as stated, the source's own wording, and what was inferred from what."""

    edtf: Edtf
    certainty: Certainty = Certainty.STATED
    label: Text | None = None
    source: Slug | None = None
    inferred_from: Text | None = None


class Mode(StrEnum):
    """How an event came in: as it happened, later by staff, or from an earlier record inside an import window."""

    LIVE = "LIVE"
    RETROACTIVE = "RETROACTIVE"
    IMPORT = "IMPORT"


class Role(StrEnum):
    """Who acts (domain.md §2)."""

    PARTY = "P"
    DEPARTMENT = "D"
    COORDINATOR = "C"
    SECRETARIAT = "S"
    REVIEWER = "R"
    AUTHORITY = "A"
    CLOCK = "X"
    ADMIN = "T"
    APPROVER = "Z"


class Meta(Frozen):
    """Who entered an event, for whom, on whose approval and under which programme; stands in clear in the log."""

    mode: Mode = Mode.LIVE
    actor: Annotated[str, StringConstraints(pattern=r"^[PDCSRAXTZ](/[\x21-\x7e]{1,98})?$")]
    recorded_by: Agent
    approved_by: Agent | None = None
    signatories: tuple[PartyId, ...] = ()
    document_ref: Text | None = None
    programme: Slug | None = None
    programme_version: int | None = None

    @property
    def role(self) -> Role:
        """The first letter of `actor`; what follows the slash names who, by an opaque id."""
        return Role(self.actor[0])


class State(Frozen):
    """What a stream's events amount to; here what every kind of stream may have: anomalies, custody, requests."""

    anomalies: tuple[Anomaly, ...] = ()
    attachments: tuple[str, ...] = ()
    retention: str | None = None
    holds: tuple[int, ...] = ()
    holds_set: int = 0
    disposed: bool = False
    steward: str | None = None
    disclosure_decisions: int = 0
    correction_requests: tuple[CorrectionRequest, ...] = ()
    missed: tuple[tuple[str, int], ...] = ()

    def having(self, **changes: Any) -> Self:
        """A copy with the changes."""
        return self.model_copy(update=changes)


class CorrectionRequest(Frozen):
    """A request for correction and what became of it; `granted` is None while undecided."""

    asked: str
    granted: bool | None = None


class Anomaly(Frozen):
    """A rule that an imported event breaks: it was accepted because it happened."""

    version: int
    event: str
    rule: str


class Call(Frozen):
    """A call for proposals (募集) of a programme; `closes` is its announced last day, `ended` when it was closed."""

    call: str
    opened: str
    closes: str | None = None
    ended: str | None = None
    cancelled: bool = False

    @property
    def last_day(self) -> str | None:
        """When it ended or will end (EDTF), None while that is open."""
        return self.ended or self.closes

    def takes(self, on: str) -> bool:
        """Whether a proposal of that date (EDTF) can have come in time."""
        if self.cancelled or not can_follow(self.opened, on):
            return False
        return self.last_day is None or can_follow(on, self.last_day)


def _every_number(_: str) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Context:
    """What a decision depends on beyond its own stream.

    `rules` and `calls` are those of the programme by which it is judged, on the date of the event; `rules_of` finds the
    rules by which an earlier event was judged; `exists` tells whether the city has a partnership of that number.
    """

    rules: Rules
    calls: tuple[Call, ...] = ()
    import_window: bool = False
    meta: Meta | None = None
    rules_of: Callable[[Meta], Rules] | None = None
    exists: Callable[[str], bool] = _every_number

    @property
    def is_import(self) -> bool:
        """Whether an earlier record is entered: what its source leaves out is unknown, not wrong."""
        return self.meta is not None and self.meta.mode is Mode.IMPORT


class Event(Frozen):
    """A past-tense fact. Subclasses say what they need (`violations`) and what they change (`evolve`).

    `folds_into`: what its kind of stream amounts to, State for any kind. `in_order`: whether its date has to agree with
    the dates of the events before and after it. `second_person`: whether somebody other than who records it approves.
    """

    folds_into: ClassVar[type[State]] = State
    in_order: ClassVar[bool] = True
    second_person: ClassVar[bool] = False
    valid: Valid
    breaks: tuple[str, ...] = ()
    placed_after: int | None = Field(default=None, ge=1)

    def check(self, state: Any, context: Context) -> None:
        """Refuse what could not be recorded in any mode: unknown targets, doubled registrations."""

    def violations(self, state: Any, context: Context) -> Iterator[errors.RuleViolated]:
        """The rules that this draft breaks: they refuse a LIVE command, an IMPORT keeps them as anomalies."""
        yield from ()

    def evolve(self, state: Any) -> Any:
        """The state after this event. Total: an imported event may come in any state."""
        return state

    def embargo(self) -> str | None:
        """What its texts wait for before the public may read them, None for nothing (`DECISION/2`)."""
        return None

    def lifts(self) -> Iterable[str]:
        """The embargoes of earlier texts of the stream that end with this event."""
        return ()

    def withdraws(self) -> Iterable[str]:
        """The digests of texts that the public may no longer read from now on."""
        return ()

    def erases(self) -> Iterable[str]:
        """The subjects whose texts and keys are destroyed with this event."""
        return ()


@dataclass(frozen=True)
class Command:
    """A command and the event it makes, declared once: the row of the command table."""

    name: str
    event_name: str
    schema: int
    event: type[Event]
    actors: str
    ja: str
    en: str
    upcast: Mapping[int, Callable[[dict[str, Any]], dict[str, Any]]] = field(default_factory=dict)

    @property
    def description(self) -> str:
        """What the event says, for forms, documents and the schema."""
        return (self.event.__doc__ or "").strip()

    @property
    def roles(self) -> tuple[Role, ...]:
        """Who may give it."""
        return tuple(Role(letter) for letter in self.actors)

    def admits(self, meta: Meta) -> bool:
        """Whether who acts may give it: its roles, and the secretariat on anyone's behalf but the clock's and T's."""
        if meta.role in self.roles:
            return True
        on_behalf = meta.mode is Mode.IMPORT or not {Role.CLOCK, Role.ADMIN, Role.APPROVER}.issuperset(self.roles)
        return meta.role is Role.SECRETARIAT and on_behalf


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event in its place: `version` within the stream and `position` within the city's log, both from 1.

    Where a correction counts, `corrected_by` is its position and `judged_by` who entered it under which programme.
    """

    name: str
    event: Event
    meta: Meta
    stream: UUID
    version: int
    position: int
    recorded_at: datetime
    corrected_by: int | None = None
    judged_by: Meta | None = None

    @property
    def originator_id(self) -> UUID:
        """The stream, under the name that the event sourcing library uses."""
        return self.stream

    @property
    def originator_version(self) -> int:
        """The version, under the name that the event sourcing library uses."""
        return self.version


class EventCorrected(Event):
    """An earlier event of the stream was entered wrongly; this replaces its fields, the original stays replayable."""

    in_order: ClassVar[bool] = False
    second_person: ClassVar[bool] = True
    target: Ordinal
    event: Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Za-z]{2,60}$")]
    event_schema: Ordinal
    data: dict[str, Any]
    reason: Text
    evidence: Text | None = None


class EventRetracted(Event):
    """An earlier event of the stream did not happen, or belongs elsewhere; it no longer counts."""

    in_order: ClassVar[bool] = False
    second_person: ClassVar[bool] = True
    target: Ordinal
    reason: Text
    evidence: Text | None = None


Parse = Callable[[str, int, dict[str, Any]], Event]
"""Turns stable event name, schema version and stored data into an event (the mapper's way in)."""


@dataclass(frozen=True, slots=True)
class History:
    """A stream read to some moment: its events as they now count, in their order, and what they amount to."""

    state: Any
    entries: tuple[Recorded, ...] = ()
    recorded: tuple[Recorded, ...] = ()

    @property
    def version(self) -> int:
        """The version of the last recorded event; 0 for an empty stream."""
        return self.recorded[-1].version if self.recorded else 0


def fold(initial: Any, recorded: Iterable[Recorded]) -> History:
    """Corrections and retractions are resolved, retroactive events put in place, then every event evolves the state."""
    recorded = tuple(recorded)
    entries = tuple(_resolve(recorded))
    return History(reduce(evolve, entries, initial), entries, recorded)


def advance(history: History, new: Recorded) -> History:
    """The history with one more event; only a correction or a retroactive event makes the stream fold again."""
    recorded = (*history.recorded, new)
    if isinstance(new.event, EventCorrected | EventRetracted) or new.event.placed_after is not None:
        return fold(type(history.state)(), recorded)
    return History(evolve(history.state, new), (*history.entries, new), recorded)


def evolve(state: Any, entry: Recorded) -> Any:
    """The only place where an event turns into state."""
    state = entry.event.evolve(state)
    if not entry.event.breaks:
        return state
    found = (Anomaly(version=entry.version, event=entry.name, rule=rule) for rule in entry.event.breaks)
    return state.having(anomalies=(*state.anomalies, *found))


def _resolve(recorded: Sequence[Recorded]) -> list[Recorded]:
    retracted = {entry.event.target for entry in recorded if isinstance(entry.event, EventRetracted)}
    corrections = {
        entry.event.target: entry
        for entry in recorded
        if isinstance(entry.event, EventCorrected) and entry.version not in retracted
    }
    placed: list[Recorded] = []
    for entry in recorded:
        current = entry
        if entry.version in corrections:
            correction = corrections[entry.version]
            current = replace(
                entry,
                event=corrected(entry, correction.event),
                corrected_by=correction.position,
                judged_by=correction.meta,
            )
        placed.insert(_place(placed, current.event.placed_after), current)
    # What is retracted holds its place until the end, so that what was placed behind it stays there.
    return [entry for entry in placed if entry.version not in retracted]


def _place(placed: Sequence[Recorded], after: int | None) -> int:
    """Where an event goes that is placed after that version: behind it and behind those that were placed so before."""
    if after is None:
        return len(placed)
    at = 1 + next((at for at, entry in enumerate(placed) if entry.version == after), -1)
    behind = {after}
    while at < len(placed) and placed[at].event.placed_after in behind:
        behind.add(placed[at].version)
        at += 1
    return at


def corrected(entry: Recorded, correction: Event) -> Event:
    """The event with the corrected fields, of the same kind and at the same place."""
    if not isinstance(correction, EventCorrected):
        raise TypeError(type(correction).__name__)
    return type(entry.event).model_validate_json(to_json(correction.data))


def decide(history: History, context: Context, command: Command, draft: Event, meta: Meta) -> Event:
    """Admit the draft or refuse it; the event that comes back carries the rules it breaks (IMPORT only).

    A retroactive event is judged by the state at its place, a correction by what it makes of its target there.
    Raises Forbidden, NotFound, AlreadyExists, or the RuleViolated that forbids it. A refusal changes nothing.
    """
    if not command.admits(meta):
        allowed = ", ".join(role.name for role in command.roles)
        raise errors.Forbidden(actor=meta.role.name, command=command.name, allowed=allowed)
    if meta.mode is Mode.IMPORT and not context.import_window:
        raise errors.ImportWindowNotOpen
    if meta.mode is Mode.LIVE and draft.placed_after is not None:
        raise errors.LiveComesLast
    if not isinstance(history.state, draft.folds_into) or (draft.folds_into is State and not history.recorded):
        raise errors.NotFound(what=draft.folds_into.__name__.lower(), name="of this stream")
    if history.state.steward is not None and not isinstance(draft, EventRetracted):
        raise errors.StewardshipElsewhere(city=history.state.steward)
    context = replace(context, meta=meta)
    if isinstance(draft, EventCorrected | EventRetracted):
        _check_target(history, draft)
    if isinstance(draft, EventCorrected):
        draft = _judged(history, context, draft, meta)
    place = Place(history.entries, (), history.state)
    if draft.placed_after is not None:
        place = _place_of(history, draft, command.event_name, meta, history.version + 1)
    return _admitted(command.event_name, draft, place, context, meta, later=_later(history, context, command, draft))


@dataclass(frozen=True, slots=True)
class Place:
    """Where an event stands: what comes before and after it, and the state that it meets."""

    before: Sequence[Recorded]
    after: Sequence[Recorded]
    state: Any


def _place_of(history: History, draft: Event, name: str, meta: Meta, version: int) -> Place:
    """The place that an event of the stream has once the draft is recorded, found by folding the draft in."""
    if not history.recorded:
        raise errors.NotFound(what="event", name=draft.placed_after)
    new = Recorded(name, draft, meta, history.recorded[0].stream, history.version + 1, 0, NEVER)
    entries = advance(history, new).entries
    at = next(at for at, entry in enumerate(entries) if entry.version == version)
    after = entries[at].event.placed_after
    # A correction may leave its target behind an event that was retracted meanwhile; nothing new is placed there.
    stood = next((entry.event.placed_after for entry in history.entries if entry.version == version), None)
    if after not in (None, stood) and not any(entry.version == after < version for entry in history.entries):
        raise errors.NotFound(what="event", name=after)
    return Place(entries[:at], entries[at + 1 :], reduce(evolve, entries[:at], type(history.state)()))


def _judged(history: History, context: Context, draft: EventCorrected, meta: Meta) -> EventCorrected:
    """The correction with the rules that its replacement breaks; those that its target broke already are no news."""
    target = next(entry for entry in history.entries if entry.version == draft.target)
    place = _place_of(history, draft, EventCorrected.__name__, meta, draft.target)
    replacement = _admitted(target.name, corrected(target, draft), place, context, meta, known=target.event.breaks)
    return draft.model_copy(update={"data": draft.data | {"breaks": list(replacement.breaks)}})


def _admitted(
    name: str,
    draft: Event,
    place: Place,
    context: Context,
    meta: Meta,
    *,
    known: Sequence[str] = (),
    later: Iterable[errors.RuleViolated] = (),
) -> Event:
    draft.check(place.state, context)
    broken = [*_out_of_order(name, draft, place), *draft.violations(place.state, context), *later]
    if draft.second_person and meta.approved_by in (None, meta.recorded_by):
        broken.append(errors.ApprovalRequired())
    refusal = next((violation for violation in broken if violation.code not in known), None)
    if refusal is not None and meta.mode is not Mode.IMPORT:
        raise refusal
    return draft.model_copy(update={"breaks": tuple(violation.code for violation in broken)})


def _later(history: History, context: Context, command: Command, draft: Event) -> Iterator[errors.RuleViolated]:
    """What comes after a changed past must still be possible: the first event that would break a new rule, if any."""
    refolds = isinstance(draft, EventCorrected | EventRetracted)
    if not refolds and draft.placed_after is None:
        return
    meta, version = context.meta, history.version + 1
    if meta is None or not history.recorded:
        return
    new = Recorded(command.event_name, draft, meta, history.recorded[0].stream, version, 0, NEVER)
    changed = getattr(draft, "target", version) if refolds else version
    before = {entry.version: codes for entry, codes in _codes(history.entries, changed, history.state, context)}
    for entry, codes in _codes(advance(history, new).entries, changed, history.state, context):
        found = codes - before.get(entry.version, frozenset()) - frozenset(entry.event.breaks)
        if found:
            yield errors.LaterEventForbids(event=entry.name, number=entry.version, rule=min(found))
            return


def _codes(
    entries: Sequence[Recorded], changed: int, like: Any, context: Context
) -> Iterator[tuple[Recorded, frozenset[str]]]:
    """What each entry but the changed one breaks where it stands, and whether its date still fits the others' there."""
    begun = date.min
    for entry, broken in judged_again(entries, type(like)(), context):
        if entry.version == changed:
            continue
        codes = {violation.code for violation in broken}
        if entry.event.in_order:
            days = bounds(entry.event.valid.edtf)
            if days.latest is not None and days.latest < begun:
                codes.add(errors.DoesNotFit.__name__)
            begun = max(begun, days.earliest or date.min)
        yield entry, frozenset(codes)


def judged_again(
    entries: Sequence[Recorded], initial: Any, context: Context
) -> Iterator[tuple[Recorded, list[errors.DomainError]]]:
    """What each entry breaks where it stands, under the rules by which it was judged; dates are not looked at."""
    state = initial
    for entry in entries:
        meta = entry.judged_by or entry.meta
        rules = context.rules_of(meta) if context.rules_of else context.rules
        there = replace(context, meta=meta, rules=rules)
        broken: list[errors.DomainError]
        try:
            entry.event.check(state, there)
            broken = list(entry.event.violations(state, there))
        except errors.DomainError as impossible:
            broken = [impossible]
        yield entry, broken
        state = evolve(state, entry)


def _check_target(history: History, draft: EventCorrected | EventRetracted) -> None:
    target = next((entry for entry in history.recorded if entry.version == draft.target), None)
    if target is None:
        raise errors.NotFound(what="event", name=draft.target)
    gone = {entry.event.target for entry in history.recorded if isinstance(entry.event, EventRetracted)}
    if draft.target in gone or isinstance(target.event, EventRetracted):
        raise errors.AlreadyRevoked(target=draft.target)
    if draft.target == 1 and isinstance(draft, EventRetracted):
        # The registration is the stream; to take it back is to end the partnership, not to unsay it.
        raise errors.AlreadyRevoked(target=draft.target)
    if isinstance(draft, EventCorrected):
        if isinstance(target.event, EventCorrected):
            raise errors.AlreadyRevoked(target=draft.target)
        if draft.event != target.name:
            raise errors.SubjectsDiffer(target=draft.target, actual=target.name, given=draft.event)


def _out_of_order(name: str, draft: Event, place: Place) -> Iterator[errors.RuleViolated]:
    if not draft.in_order:
        return
    valid = draft.valid.edtf
    # Not only the neighbours count: an undated event between them says nothing about what came before it.
    before = [e for e in place.before if e.event.in_order and not can_follow(e.event.valid.edtf, valid)]
    after = [e for e in place.after if e.event.in_order and not can_follow(valid, e.event.valid.edtf)]
    if before and not place.after:
        last = before[-1]
        yield errors.OutOfOrder(event=name, valid=valid, previous=last.name, previous_valid=last.event.valid.edtf)
    elif before or after:
        names = [f"{e.name} ({e.event.valid.edtf})" for e in (*before[-1:], *after[:1])]
        yield errors.DoesNotFit(event=name, valid=valid, neighbours=", ".join(names))


State.model_rebuild()
