"""What an event is, how a command is decided, and the one fold that turns events into state.

A command asks for one event: it carries that event's fields, its texts still in clear. Read through a `Door` it becomes a
draft of the event; `decide` admits the draft under the rules in force or refuses it; `fold` evolves the state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from domain import errors
from domain.dates import Edtf, can_follow
from domain.text import PartyId, Text

if TYPE_CHECKING:
    from datetime import datetime

    from domain.programme import Rules

Code = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]{0,79}$")]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,79}$")]
Count = Annotated[int, Field(ge=0, le=1_000_000_000)]
Ordinal = Annotated[int, Field(ge=1, le=10_000)]
Duration = Annotated[str, StringConstraints(pattern=r"^P(\d{1,3}Y)?(\d{1,3}M)?(\d{1,4}D)?(T\d{1,3}[HM])?$", min_length=3)]


class Frozen(BaseModel):
    """A value: immutable, strict, without unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


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
    recorded_by: str = Field(min_length=1, max_length=100)
    approved_by: str | None = None
    signatories: tuple[PartyId, ...] = ()
    document_ref: str | None = None
    programme: str | None = None
    programme_version: int | None = None

    @property
    def role(self) -> Role:
        """The first letter of `actor`; what follows the slash names who, by an opaque id."""
        return Role(self.actor[0])


class State(Frozen):
    """What a stream's events amount to."""

    last: Valid | None = None
    last_event: str = ""
    anomalies: tuple[Anomaly, ...] = ()

    def having(self, **changes: Any) -> Self:
        """A copy with the changes."""
        return self.model_copy(update=changes)


class Anomaly(Frozen):
    """A rule that an imported event breaks: it was accepted because it happened."""

    version: int
    event: str
    rule: str


@dataclass(frozen=True, slots=True)
class Context:
    """What a decision depends on beyond its own stream."""

    rules: Rules
    import_window: bool = False
    meta: Meta | None = None


class Event(Frozen):
    """A past-tense fact. Subclasses say what they need (`violations`) and what they change (`evolve`)."""

    in_order: ClassVar[bool] = True
    valid: Valid
    breaks: tuple[str, ...] = ()
    placed_after: int | None = Field(default=None, ge=1)

    def check(self, state: Any, context: Context) -> None:
        """Refuse what could not be recorded in any mode: unknown targets, doubled registrations."""

    def violations(self, state: Any, context: Context) -> Iterator[errors.RuleViolated]:
        """The rules that this draft breaks: a LIVE command is refused for the first, an IMPORT keeps them as anomalies."""
        yield from ()

    def evolve(self, state: Any) -> Any:
        """The state after this event. Total: an imported event may come in any state."""
        return state


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


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event in its place: `version` within the stream and `position` within the city's log, both from 1."""

    name: str
    event: Event
    meta: Meta
    stream: UUID
    version: int
    position: int
    recorded_at: datetime
    corrected_by: int | None = None

    @property
    def originator_id(self) -> UUID:
        """The stream, under the name that the event sourcing library uses."""
        return self.stream

    @property
    def originator_version(self) -> int:
        """The version, under the name that the event sourcing library uses."""
        return self.version


class EventCorrected(Event):
    """An earlier event of the stream was entered wrongly; this one replaces its fields, and the original stays replayable."""

    in_order: ClassVar[bool] = False
    target: Ordinal
    event: Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Za-z]{2,60}$")]
    event_schema: Ordinal
    data: dict[str, Any]
    reason: Text
    evidence: Text | None = None

    def violations(self, state: Any, context: Context) -> Iterator[errors.RuleViolated]:
        yield from _second_person(context)


class EventRetracted(Event):
    """An earlier event of the stream did not happen, or belongs elsewhere; it no longer counts."""

    in_order: ClassVar[bool] = False
    target: Ordinal
    reason: Text
    evidence: Text | None = None

    def violations(self, state: Any, context: Context) -> Iterator[errors.RuleViolated]:
        yield from _second_person(context)


def _second_person(context: Context) -> Iterator[errors.RuleViolated]:
    meta = context.meta
    if meta is not None and meta.approved_by in (None, meta.recorded_by):
        yield errors.ApprovalRequired()


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
    """Corrections and retractions are resolved, retroactive events put in their place, then every event evolves the state."""
    recorded = tuple(recorded)
    entries = tuple(_resolve(recorded))
    state = initial
    for entry in entries:
        state = evolve(state, entry)
    return History(state, entries, recorded)


def advance(history: History, new: Recorded, initial: Any) -> History:
    """The history with one more event; only a correction or a retroactive event makes the stream fold again."""
    recorded = (*history.recorded, new)
    if isinstance(new.event, EventCorrected | EventRetracted) or new.event.placed_after is not None:
        return fold(initial, recorded)
    return History(evolve(history.state, new), (*history.entries, new), recorded)


def evolve(state: Any, entry: Recorded) -> Any:
    """The only place where an event turns into state."""
    event = entry.event
    state = event.evolve(state)
    changes: dict[str, Any] = {}
    if event.in_order:
        changes = {"last": event.valid, "last_event": entry.name}
    if event.breaks:
        found = (Anomaly(version=entry.version, event=entry.name, rule=rule) for rule in event.breaks)
        changes["anomalies"] = (*state.anomalies, *found)
    return state.having(**changes) if changes else state


def _resolve(recorded: Sequence[Recorded]) -> list[Recorded]:
    retracted = {entry.event.target for entry in recorded if isinstance(entry.event, EventRetracted)}
    corrections = {
        entry.event.target: entry
        for entry in recorded
        if isinstance(entry.event, EventCorrected) and entry.version not in retracted
    }
    placed: list[Recorded] = []
    for entry in recorded:
        if entry.version in retracted:
            continue
        current = entry
        if entry.version in corrections:
            correction = corrections[entry.version]
            current = replace(entry, event=corrected(entry, correction.event), corrected_by=correction.position)
        after = current.event.placed_after
        if after is None:
            placed.append(current)
        else:
            placed.insert(_place(placed, after, retracted), current)
    return placed


def _place(placed: Sequence[Recorded], after: int, retracted: set[int]) -> int:
    # An event whose neighbour was retracted keeps its place: right behind the nearest earlier event that still counts.
    while after in retracted:
        after -= 1
    found = next((at for at, entry in enumerate(placed) if entry.version == after), -1)
    at = found + 1
    while at < len(placed) and placed[at].event.placed_after == after:
        at += 1
    return at


def corrected(entry: Recorded, correction: Event) -> Event:
    """The event with the corrected fields, of the same kind and at the same place."""
    if not isinstance(correction, EventCorrected):
        raise TypeError(type(correction).__name__)
    return type(entry.event).model_validate(correction.data, strict=False)


def decide(history: History, context: Context, command: Command, draft: Event, meta: Meta) -> Event:
    """Admit the draft or refuse it; the event that comes back carries the rules it breaks (IMPORT only).

    Raises Forbidden, NotFound, AlreadyExists, or the RuleViolated that forbids it. A refusal changes nothing.
    """
    if meta.role not in command.roles and meta.role is not Role.SECRETARIAT:
        allowed = ", ".join(role.name for role in command.roles)
        raise errors.Forbidden(actor=meta.role.name, command=command.name, allowed=allowed)
    if meta.mode is Mode.IMPORT and not context.import_window:
        raise errors.ImportWindowNotOpen
    context = replace(context, meta=meta)
    draft.check(history.state, context)
    _check_target(history, draft)
    broken = [*_out_of_order(history, command, draft, meta), *draft.violations(history.state, context)]
    if broken and meta.mode is not Mode.IMPORT:
        raise broken[0]
    return draft.model_copy(update={"breaks": tuple(violation.code for violation in broken)})


def _check_target(history: History, draft: Event) -> None:
    if not isinstance(draft, EventCorrected | EventRetracted):
        return
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


def _out_of_order(history: History, command: Command, draft: Event, meta: Meta) -> Iterator[errors.RuleViolated]:
    if not draft.in_order:
        return
    name, valid = command.event_name, draft.valid.edtf
    if draft.placed_after is not None:
        versions = [entry.version for entry in history.entries]
        if draft.placed_after not in versions:
            raise errors.NotFound(what="event", name=draft.placed_after)
        at = _place(history.entries, draft.placed_after, set())
        before = next((e for e in reversed(history.entries[:at]) if e.event.in_order), None)
        after = next((e for e in history.entries[at:] if e.event.in_order), None)
        fits = (before is None or can_follow(before.event.valid.edtf, valid)) and (
            after is None or can_follow(valid, after.event.valid.edtf)
        )
        if not fits or meta.mode is Mode.LIVE:
            names = [e.event.valid.edtf if e else "-" for e in (before, after)]
            yield errors.DoesNotFit(event=name, valid=valid, before=names[0], after=names[1])
    elif history.state.last is not None and not can_follow(history.state.last.edtf, valid):
        yield errors.OutOfOrder(
            event=name, valid=valid, previous=history.state.last_event, previous_valid=history.state.last.edtf
        )


State.model_rebuild()
