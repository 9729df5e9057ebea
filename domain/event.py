"""What an event is: a past-tense fact with its two times, who entered it, and what a decision on it depends on.

A command asks for one event: it carries that event's fields, its texts still in clear. Read through a `Door` it
becomes a draft of the event, which `domain.decider.decide` admits or refuses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, StringConstraints

from domain import errors
from domain.dates import Edtf, can_follow
from domain.rules import Rules
from domain.text import PartyId, Text
from domain.values import Agent, Frozen, Slug


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
    """A call for proposals (募集) of a programme; `closes` is its announced last day, `ended` when it was closed.

    `theme` and `reason`, why it was called off, are digests.
    """

    call: str
    opened: str
    fiscal_year: int | None = None
    theme: str | None = None
    budget_yen: int | None = None
    closes: str | None = None
    ended: str | None = None
    cancelled: bool = False
    reason: str | None = None

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

    def disposes(self) -> bool:
        """Whether every text of the stream is destroyed with this event."""
        return False


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


State.model_rebuild()
