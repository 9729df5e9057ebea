"""報告・振り返り・意見・相違: reports, mutual evaluations, a party's own statement, and where sources disagree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from domain import errors
from domain.dates import Edtf, bounds
from domain.event import Context, Event, State
from domain.partnership.consultation import given
from domain.partnership.parts import Evaluation, Filing
from domain.partnership.state import Partnership, PartnershipEvent
from domain.rules import EvaluationRules
from domain.text import PartyId, SealedNumber, Text
from domain.values import Code, Count, FiscalYear, Frozen, Ordinal, Yen
from domain.vocabulary import EARLY, ENDED, IN_FORCE, TRYING, DeadlineKind, Side, Status, Step

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Indicator(Frozen):
    """A measured or merely directional change."""

    code: Code
    direction: Literal["UP", "DOWN", "SAME"] | None = None
    value: Count | None = None


class OutcomeReported(PartnershipEvent):
    """What came of it."""

    needs = IN_FORCE | ENDED | TRYING | (EARLY - {Status.REGISTERED})
    report_by: PartyId | None = None
    text: Text | None = None
    indicators: tuple[Indicator, ...] = ()

    def named_parties(self) -> Iterable[str]:
        return given(self.report_by)


class InterimReported(PartnershipEvent):
    """A report while the work is under way (中間報告)."""

    needs = IN_FORCE | TRYING
    step = Step.INTERIM_REPORT
    report_by: PartyId | None = None
    fiscal_year: FiscalYear | None = None
    text: Text | None = None
    indicators: tuple[Indicator, ...] = ()
    spent_yen: Yen | None = None
    income_yen: Yen | None = None

    def named_parties(self) -> Iterable[str]:
        return given(self.report_by)

    def apply(self, state: Partnership) -> Partnership:
        return state.having(interim_reports=state.interim_reports + 1)


class FinalReported(InterimReported):
    """The report on what was done, with its accounts in yen (実績報告)."""

    needs = IN_FORCE | TRYING | ENDED
    step = Step.FINAL_REPORT

    def apply(self, state: Partnership) -> Partnership:
        return state.having(final_reports=state.final_reports + 1)


class EvaluationOpened(PartnershipEvent):
    """An evaluation is due for a period; the clock or the secretariat opens it (振り返りの開始)."""

    in_order: ClassVar[bool] = False
    needs = IN_FORCE | TRYING | ENDED
    step = Step.EVALUATION
    evaluation: Ordinal
    period: Edtf | None = None

    def breaks_rules(self, state: Partnership, context: Context) -> Iterator[errors.RuleViolated]:
        expected = len(state.evaluations) + 1
        if self.evaluation != expected:
            yield errors.NumberOutOfSequence(what="evaluation", given=self.evaluation, expected=expected)
        if self.period is not None and any(known.period == self.period for known in state.evaluations):
            yield errors.AlreadyDone(what=f"the evaluation of {self.period}")

    def apply(self, state: Partnership) -> Partnership:
        return _opened(state, self.evaluation, self.valid.edtf, self.period)


class SealedScore(Frozen):
    """The score of one item. It is sealed like a text, so that neither side can read the other's before its own."""

    item: Code
    score: SealedNumber


class EvaluationFiled(PartnershipEvent):
    """One side evaluates result and method; both sides' are revealed together (振り返りの提出).

    `principle_set` and `scale` are stored with it, so that only like is compared with like. Texts and scores stay
    closed until the evaluations are shared.
    """

    in_order: ClassVar[bool] = False
    needs = IN_FORCE | TRYING | ENDED
    evaluation: Ordinal
    side: Side
    by: PartyId | None = None
    principle_set: Code | None = None
    lowest: Annotated[int, Field(ge=0, le=100)] | None = None
    highest: Annotated[int, Field(ge=1, le=100)] | None = None
    scores: tuple[SealedScore, ...] = ()
    result: Text | None = None
    method: Text | None = None
    next_actions: tuple[Text, ...] = ()

    def named_parties(self) -> Iterable[str]:
        return given(self.by)

    def embargo(self) -> str | None:
        return f"EVALUATION/{self.evaluation}"

    def breaks_rules(self, state: Partnership, context: Context) -> Iterator[errors.RuleViolated]:
        rules = context.rules.evaluation or EvaluationRules()
        known = state.evaluation(self.evaluation)
        if known is None and (rules.due is not None or self.evaluation != len(state.evaluations) + 1):
            yield errors.EvaluationNotOpen(given=self.evaluation, why="it is not due yet")
        if known is not None and self.side in known.sides:
            yield errors.EvaluationNotOpen(given=self.evaluation, why=f"{self.side} has filed already")
        if known is not None and known.shared:
            yield errors.EvaluationNotOpen(given=self.evaluation, why="it is revealed already")
        if rules.sides and self.side not in rules.sides:
            yield errors.EvaluationNotOpen(given=self.evaluation, why=f"{self.side} does not take part")
        unknown = [score.item for score in self.scores if rules.criteria and score.item not in rules.criteria]
        if unknown:
            yield errors.CriterionUnknown(criterion=", ".join(unknown), allowed=", ".join(rules.criteria))

    def apply(self, state: Partnership) -> Partnership:
        state = _opened(state, self.evaluation, self.valid.edtf, None)
        known = state.evaluation(self.evaluation)
        if known is None or self.side in known.sides:
            return state
        filing = Filing(
            side=self.side,
            filed=self.valid.edtf,
            by=self.by,
            principle_set=self.principle_set,
            lowest=self.lowest,
            highest=self.highest,
            scores=tuple((score.item, score.score) for score in self.scores),
            result=self.result,
            method=self.method,
            next_actions=self.next_actions,
        )
        return state.with_evaluation(known.model_copy(update={"filings": (*known.filings, filing)}))


class EvaluationsShared(PartnershipEvent):
    """The evaluations of all sides are revealed together (振り返りの公開)."""

    in_order: ClassVar[bool] = False
    needs = IN_FORCE | TRYING | ENDED
    evaluation: Ordinal

    def lifts(self) -> Iterable[str]:
        return (f"EVALUATION/{self.evaluation}",)

    def breaks_rules(self, state: Partnership, context: Context) -> Iterator[errors.RuleViolated]:
        rules = context.rules.evaluation or EvaluationRules()
        known = state.evaluation(self.evaluation)
        if known is None or known.shared:
            yield errors.EvaluationNotOpen(given=self.evaluation, why="nobody filed it, or it is revealed already")
            return
        missing = [side for side in rules.sides or (Side.PARTNER, Side.CITY) if side not in known.sides]
        if missing and not context.is_import:
            yield errors.SidesMissing(missing=", ".join(missing))

    def apply(self, state: Partnership) -> Partnership:
        known = state.evaluation(self.evaluation)
        if known is None or known.shared:
            return state
        return state.with_evaluation(known.model_copy(update={"shared_on": self.valid.edtf}))


class EvaluationDialogueHeld(PartnershipEvent):
    """The sides talk over what they filed, and agree what comes next (振り返りの対話)."""

    in_order: ClassVar[bool] = False
    needs = IN_FORCE | TRYING | ENDED
    step = Step.EVALUATION_DIALOGUE
    evaluation: Ordinal
    attendees: tuple[PartyId, ...] = ()
    summary: Text | None = None
    next_actions: tuple[Text, ...] = ()

    def named_parties(self) -> Iterable[str]:
        return self.attendees

    def breaks_rules(self, state: Partnership, context: Context) -> Iterator[errors.RuleViolated]:
        known = state.evaluation(self.evaluation)
        if known is None or not (known.shared or context.is_import):
            yield errors.EvaluationNotOpen(given=self.evaluation, why="it is not revealed yet")

    def apply(self, state: Partnership) -> Partnership:
        known = state.evaluation(self.evaluation)
        return state if known is None else state.with_evaluation(known.model_copy(update={"discussed": True}))


def _opened(state: Partnership, number: int, on: str, period: str | None) -> Partnership:
    if state.evaluation(number) is not None:
        return state
    renewals = state.agreements[-1].renewals if state.agreements else 0
    return state.with_evaluation(Evaluation(number=number, period=period, opened=on, renewals=renewals))


class DeadlineMissed(Event):
    """Something was not done in time; recorded by the clock on the day after (期限超過). `number`: which one."""

    in_order: ClassVar[bool] = False
    what: DeadlineKind
    number: Ordinal
    due: Edtf

    def violations(self, state: State, context: Context) -> Iterator[errors.RuleViolated]:
        latest, due = bounds(self.valid.edtf).latest, bounds(self.due).latest
        if latest is not None and due is not None and latest <= due:
            yield errors.NotDue(why=f"it is due on {due}")
        if (self.what, self.number) in state.missed:
            yield errors.NotDue(why="it is flagged already")

    def evolve(self, state: State) -> State:
        return state.having(missed=(*state.missed, (self.what.value, self.number)))


class PartyStatementFiled(PartnershipEvent):
    """A party's own words beside the record (意見)."""

    in_order: ClassVar[bool] = False
    party: PartyId
    kind: Code | None = None
    text: Text

    def named_parties(self) -> Iterable[str]:
        return (self.party,)


class SourceDiscrepancyNoted(Event):
    """What two sources, or one source in two places, say differently; neither is chosen silently (相違)."""

    in_order: ClassVar[bool] = False
    about: Code
    values: tuple[Text, ...] = Field(default=(), max_length=10)
    reading: Text | None = None
    used_here: Text | None = None
    session: Ordinal | None = None
    stated: Count | None = None
    sum_of_parts: Count | None = None
