"""Programmes (制度): the versions of their rules, and the events of a programme's stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from domain import errors
from domain.dates import Edtf, can_follow
from domain.event import Call, Context, Event, State
from domain.rules import Rules, requires_in_one_place
from domain.text import Text
from domain.values import Clock, Code, Count, FiscalYear, Frozen, Ordinal, Slug, Yen
from domain.vocabulary import CoverageKind, RejectionCode

if TYPE_CHECKING:
    from collections.abc import Iterator


class Version(Frozen):
    """One version of the rules and the day from which it holds."""

    number: int
    effective: str
    rules: Rules


class Programme(State):
    """A programme: its versions in order and what was reported about it."""

    programme: str = ""
    title_ja: str | None = None
    title_en: str | None = None
    versions: tuple[Version, ...] = ()
    calls: tuple[Call, ...] = ()

    def in_force(self, on: str) -> Version | None:
        """The latest version that may have held on the date (EDTF); the first one where the date is older than all."""
        for version in reversed(self.versions):
            if can_follow(version.effective, on):
                return version
        return self.versions[0] if self.versions else None


class ProgrammeEvent(Event):
    """An event of a programme's stream; only its definition needs no programme before it."""

    folds_into: ClassVar[type[State]] = Programme
    in_order: ClassVar[bool] = False

    def check(self, state: Programme, context: Context) -> None:
        if not state.versions:
            raise errors.NotFound(what="programme", name="of this stream")

    def evolve(self, state: Programme) -> Programme:
        return state


class ProgrammeDefined(ProgrammeEvent):
    """A programme comes into being with its whole rule set, effective on the event's date."""

    programme: Slug
    title_ja: Text
    title_en: Text | None = None
    version: Literal[1] = 1
    rules: Rules

    def check(self, state: Programme, context: Context) -> None:
        if state.versions:
            raise errors.AlreadyExists(what="programme", name=self.programme)

    def evolve(self, state: Programme) -> Programme:
        first = Version(number=1, effective=self.valid.edtf, rules=self.rules)
        return state.having(programme=self.programme, title_ja=self.title_ja, title_en=self.title_en, versions=(first,))


class ProgrammeRevised(ProgrammeEvent):
    """The whole rule set is replaced from the event's date on; earlier decisions keep their version."""

    version: Ordinal
    reason_codes: tuple[Code, ...] = ()
    reason: Text | None = None
    rules: Rules

    def violations(self, state: Programme, context: Context) -> Iterator[errors.RuleViolated]:
        latest = state.versions[-1]
        if self.version != latest.number + 1:
            yield errors.ProgrammeVersionWrong(expected=latest.number + 1, given=self.version)
        if not can_follow(latest.effective, self.valid.edtf):
            yield errors.OutOfOrder(
                event="ProgrammeRevised",
                valid=self.valid.edtf,
                previous=f"version {latest.number}",
                previous_valid=latest.effective,
            )

    def evolve(self, state: Programme) -> Programme:
        revised = Version(number=self.version, effective=self.valid.edtf, rules=self.rules)
        return state.having(versions=(*state.versions, revised))


def rules_of_schema_1(data: dict[str, Any]) -> dict[str, Any]:
    """Version 1 held three requirements as flags at different places; version 2 has one table of them."""
    return data | {"rules": requires_in_one_place(data["rules"])}


class CallOpened(ProgrammeEvent):
    """Proposals are called for (募集), until `closes` where that day is announced."""

    call: Code
    fiscal_year: FiscalYear | None = None
    theme: Text | None = None
    closes: Edtf | None = None
    budget_yen: Yen | None = None

    def check(self, state: Programme, context: Context) -> None:
        super().check(state, context)
        if any(known.call == self.call for known in state.calls):
            raise errors.AlreadyExists(what="call", name=self.call)

    def violations(self, state: Programme, context: Context) -> Iterator[errors.RuleViolated]:
        if self.closes is not None and not can_follow(self.valid.edtf, self.closes):
            yield errors.OutOfOrder(
                event="closing", valid=self.closes, previous="CallOpened", previous_valid=self.valid.edtf
            )

    def evolve(self, state: Programme) -> Programme:
        opened = Call(
            call=self.call,
            opened=self.valid.edtf,
            fiscal_year=self.fiscal_year,
            theme=self.theme,
            budget_yen=self.budget_yen,
            closes=self.closes,
        )
        return state.having(calls=(*state.calls, opened))


class CallClosed(ProgrammeEvent):
    """The call is over; what comes later is not taken (募集終了)."""

    call: Code

    def violations(self, state: Programme, context: Context) -> Iterator[errors.RuleViolated]:
        if not any(known.call == self.call and not known.ended and not known.cancelled for known in state.calls):
            yield errors.CallUnknown(given=self.call)

    def evolve(self, state: Programme) -> Programme:
        return _with_call(state, self.call, ended=self.valid.edtf)


class CallCancelled(CallClosed):
    """The call is called off, with its reason (募集中止)."""

    reason: Text | None = None

    def evolve(self, state: Programme) -> Programme:
        return _with_call(state, self.call, cancelled=True, reason=self.reason)


def _with_call(state: Programme, call: str, **changes: Any) -> Programme:
    changed = (known.model_copy(update=changes) if known.call == call else known for known in state.calls)
    return state.having(calls=tuple(changed))


class InstrumentAdopted(ProgrammeEvent):
    """An ordinance, plan, staff standard or template that carries the programme was adopted or revised."""

    kind: Code
    name: Text
    text: Text | None = None
    principles_count: Count | None = None
    in_force: Edtf | None = None
    change: Code | None = None
    period: Edtf | None = None
    stance: Text | None = None
    policy_no: Count | None = None
    policy: Text | None = None
    provides_for: Text | None = None


class Reference(Frozen):
    """Something outside the record, by name."""

    name: Text
    run_by: Text | None = None


class Advice(Frozen):
    """A piece of advice that the city gives partners."""

    code: Code
    text: Text


class Sector(Frozen):
    """Attendance of one sector: bodies and people."""

    sector: Code
    bodies: Count | None = None
    people: Count


class Attendance(Frozen):
    """Who came, as stated in sum and by sector; the two may differ."""

    stated_total: Count | None = None
    by_sector: tuple[Sector, ...] = ()


class ProgrammeMeasureReported(ProgrammeEvent):
    """A measure of promotion (training, seminars, templates, support, published cases): announced, planned or done."""

    measure: Code
    status: Literal["ANNOUNCED", "PLANNED", "DONE"]
    no: Ordinal | None = None
    count: Count | None = None
    text: Text | None = None
    name: Text | None = None
    made_of: tuple[Code, ...] = ()
    cases: tuple[Code, ...] = ()
    medium: Code | None = None
    centre: Text | None = None
    desk: Text | None = None
    place: Text | None = None
    basis: Code | None = None
    profile: Text | None = None
    practice: tuple[Text, ...] = ()
    recruiting: Text | None = None
    desk_hours: Text | None = None
    asked: tuple[Text, ...] = ()
    routes: Text | None = None
    external_refs: tuple[Reference, ...] = ()
    advice: tuple[Advice, ...] = ()
    series: Text | None = None
    session: Ordinal | None = None
    topic: Text | None = None
    organiser: Text | None = None
    starts: Clock | None = None
    channel: Text | None = None
    attendance: Attendance | None = None
    speakers: tuple[Text, ...] = ()
    discussion_groups_of: tuple[Count, ...] = ()


class AggregateStated(ProgrammeEvent):
    """What a source says in sum; never derived from the partnerships recorded here."""

    about: Code
    statement: Text | None = None
    said_by: Text | None = None
    reason_code: RejectionCode | None = None
    proposals: Count | None = None
    rejected: Count | None = None
    value: Count | None = None
    approximate: bool | None = None
    trend: Code | None = None


class CoverageDeclared(ProgrammeEvent):
    """How much of a period the record covers: no rate is computed where it is not COMPLETE."""

    period: Edtf | None = None
    coverage: CoverageKind
    of: Code
    shown: Count
    total: Count | None = None
    basis: Text | None = None
