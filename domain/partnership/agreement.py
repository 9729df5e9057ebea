"""試行・モデル事業・協定・更新・終わり方: from the first try to the way a partnership ends."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from domain import errors
from domain.dates import Edtf, bounds, plus
from domain.decider import Context
from domain.partnership.consultation import given
from domain.partnership.state import Agreement, Partnership, PartnershipEvent, finished
from domain.rules import Form
from domain.text import PartyId, Text
from domain.values import Code, Duration, FiscalYear, Ordinal, Slug, Yen
from domain.vocabulary import (
    EARLY,
    ENDED,
    IN_FORCE,
    OPEN,
    REFUSED,
    TRYING,
    UNDECIDED,
    Initiator,
    Status,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_BEFORE_TRYING = EARLY | TRYING | REFUSED | frozenset({Status.ACCEPTED})


class TrialStarted(PartnershipEvent):
    """A trial run begins, of the stated length (試行)."""

    needs = _BEFORE_TRYING - REFUSED
    leads = Status.TRIAL
    length: Duration | None = None

    def breaks_rules(self, state: Partnership, context: Context) -> Iterator[errors.RuleViolated]:
        trial = context.rules.trial
        if trial is None:
            yield errors.StageNotPartOfProgramme(programme=state.programme, stage="TRIAL")
        elif not trial.before_acceptance and state.status is not Status.ACCEPTED:
            yield errors.AcceptanceRequired(what="trial")
        elif trial.max_length and self.length and _days(self.length) > _days(trial.max_length):
            yield errors.LimitExceeded(what="length", given=self.length, limit=trial.max_length)

    def apply(self, state: Partnership) -> Partnership:
        return state.having(trials=(*state.trials, False))


class TrialCompleted(PartnershipEvent):
    """The trial run is over, with its result."""

    length: Duration | None = None
    result: Code | None = None

    def breaks_rules(self, state: Partnership, context: Context) -> Iterator[errors.RuleViolated]:
        if False not in state.trials:
            yield errors.NotStarted(what="trial")

    def apply(self, state: Partnership) -> Partnership:
        return state.having(trials=finished(state.trials))


class ModelYearStarted(PartnershipEvent):
    """Year `n` of a model project begins (モデル事業), for its fiscal year and grant where they are stated."""

    needs = _BEFORE_TRYING
    leads = Status.MODEL_YEAR
    programme: Slug
    n: Ordinal
    fiscal_year: FiscalYear | None = None
    grant_yen: Yen | None = None
    content: tuple[Text, ...] = ()
    done_by: tuple[PartyId, ...] = ()
    status: Code | None = None

    def named_parties(self) -> Iterable[str]:
        return self.done_by

    def breaks_rules(self, state: Partnership, context: Context) -> Iterator[errors.RuleViolated]:
        done = [n for programme, n, _ in state.model_years if programme == self.programme]
        expected = max(done, default=0) + 1
        if self.n != expected:
            yield errors.NumberOutOfSequence(what="model year", given=self.n, expected=expected)
        rules = context.rules.model_years
        if rules is not None and rules.maximum is not None and self.n > rules.maximum:
            yield errors.LimitExceeded(what="model year", given=self.n, limit=rules.maximum)

    def apply(self, state: Partnership) -> Partnership:
        return state.having(model_years=(*state.model_years, (self.programme, self.n, False)))


class ModelYearCompleted(PartnershipEvent):
    """Year `n` of the model project was carried out."""

    programme: Slug
    n: Ordinal
    fiscal_year: FiscalYear | None = None

    def breaks_rules(self, state: Partnership, context: Context) -> Iterator[errors.RuleViolated]:
        if (self.programme, self.n, False) not in state.model_years:
            yield errors.NotStarted(what=f"model year {self.n}")

    def apply(self, state: Partnership) -> Partnership:
        year = (self.programme, self.n, False)
        return state.having(model_years=tuple((*y[:2], True) if y == year else y for y in state.model_years))


class AgreementConcluded(PartnershipEvent):
    """The parties put in writing what they do together (協定締結). `term` None: untermed, or not stated."""

    needs = EARLY | TRYING | IN_FORCE | frozenset({Status.ACCEPTED})
    leads = Status.AGREED
    leads_from = OPEN - IN_FORCE
    parties: tuple[PartyId, ...] = Field(min_length=2)
    instrument: Code | None = None
    instrument_local: Text | None = None
    about: Text | None = None
    forms: tuple[Form, ...] = ()
    term: Duration | None = None
    auto_renewal: bool | None = None
    basis_of: tuple[Text, ...] = ()

    def named_parties(self) -> Iterable[str]:
        return self.parties

    def breaks_rules(self, state: Partnership, context: Context) -> Iterator[errors.RuleViolated]:
        if context.rules.agreement.acceptance_required and state.status in EARLY | UNDECIDED:
            yield errors.AcceptanceRequired(what="agreement")
        every = context.rules.term.renewal_every
        if every is not None and self.term is not None and self.term != every:
            yield errors.TermMismatch(given=self.term, rule=every)

    def apply(self, state: Partnership) -> Partnership:
        codes = tuple(code.value for form in self.forms for code in form.codes)
        agreement = Agreement(
            number=len(state.agreements) + 1,
            instrument=self.instrument,
            forms=codes,
            began=self.valid.edtf,
            term=self.term,
            auto_renewal=self.auto_renewal,
        )
        forms = (*state.forms, *(code for code in codes if code not in state.forms))
        return state.having(agreements=(*state.agreements, agreement), forms=forms)


def forms_with_labels(data: dict[str, Any]) -> dict[str, Any]:
    """Version 1 of AgreementConcluded held bare form codes; version 2 keeps each city's own label beside its codes."""
    if "forms" in data:
        data = data | {"forms": [{"codes": [code]} for code in data["forms"]]}
    return data


class AgreementRenewed(PartnershipEvent):
    """The agreement runs for another term; `no` counts the renewals (更新)."""

    needs = IN_FORCE
    no: Ordinal
    term: Duration | None = None

    def breaks_rules(self, state: Partnership, context: Context) -> Iterator[errors.RuleViolated]:
        agreement = state.agreement
        if agreement is None:
            yield errors.NothingAgreed()
        elif self.no != agreement.renewals + 1:
            yield errors.NumberOutOfSequence(what="renewal", given=self.no, expected=agreement.renewals + 1)
        every = context.rules.term.renewal_every
        if every is not None and self.term is not None and self.term != every:
            yield errors.TermMismatch(given=self.term, rule=every)

    def apply(self, state: Partnership) -> Partnership:
        return _change(state, renewals=self.no, term=self.term or (state.agreement and state.agreement.term))


class AgreementLapsed(PartnershipEvent):
    """The term and its grace are over, neither renewed nor auto-renewing; recorded by the clock (失効)."""

    needs = IN_FORCE

    def breaks_rules(self, state: Partnership, context: Context) -> Iterator[errors.RuleViolated]:
        agreement = state.agreement
        if agreement is None:
            yield errors.NothingAgreed()
        elif agreement.term is None:
            yield errors.NotDue(why="it has no term")
        elif agreement.auto_renewal:
            yield errors.NotDue(why="it renews itself")
        else:
            began = bounds(agreement.began).earliest
            latest = bounds(self.valid.edtf).latest
            if began is not None and latest is not None:
                for _ in range(agreement.renewals + 1):
                    began = plus(began, agreement.term)
                if latest < began:
                    yield errors.NotDue(why=f"its term runs until {began}")

    def apply(self, state: Partnership) -> Partnership:
        return _end_agreement(state, Status.LAPSED, self.valid.edtf)


class AgreementTerminated(PartnershipEvent):
    """An agreement in force is ended by the city, a party or both (解除)."""

    needs = IN_FORCE
    initiator: Initiator
    ground: Text | None = None
    effective: Edtf | None = None

    def breaks_rules(self, state: Partnership, context: Context) -> Iterator[errors.RuleViolated]:
        if state.agreement is None:
            yield errors.NothingAgreed()

    def apply(self, state: Partnership) -> Partnership:
        return _end_agreement(state, Status.TERMINATED, self.effective or self.valid.edtf)


class PartnershipSuspended(PartnershipEvent):
    """The partnership rests (休止)."""

    needs = frozenset({Status.AGREED, Status.ACTIVE})
    cause: Text | None = None
    until: Edtf | None = None

    def apply(self, state: Partnership) -> Partnership:
        return state.having(status=Status.SUSPENDED, resumes=state.status)


class PartnershipResumed(PartnershipEvent):
    """The partnership goes on (再開)."""

    needs = frozenset({Status.SUSPENDED})

    def apply(self, state: Partnership) -> Partnership:
        return state.having(status=state.resumes or Status.ACTIVE, resumes=None)


class _Ending(PartnershipEvent):
    needs = OPEN - EARLY - UNDECIDED

    def breaks_rules(self, state: Partnership, context: Context) -> Iterator[errors.RuleViolated]:
        if not state.was_tried and state.status is not Status.ACTIVE:
            yield errors.NothingTried()

    def apply(self, state: Partnership) -> Partnership:
        return state.having(ended=self.valid.edtf)


class PartnershipCompleted(_Ending):
    """What was agreed has been done (完了)."""

    leads = Status.COMPLETED
    result: Text | None = None


class PartnershipBecameIndependent(_Ending):
    """The partners carry on without the city (自立)."""

    leads = Status.INDEPENDENT
    successor: PartyId | None = None

    def named_parties(self) -> Iterable[str]:
        return given(self.successor)


class PartnershipMainstreamed(_Ending):
    """The city makes it a regular service (一般施策化): an outcome, not a success score. Funding may still follow."""

    leads = Status.MAINSTREAMED
    basis: Code | None = None
    basis_text: Text | None = None
    fiscal_year: FiscalYear | None = None
    provider: PartyId | None = None
    funding: Literal["ANNUAL", "ONE_OFF", "NONE"] | None = None
    content: Text | None = None
    decided_by: PartyId | None = None

    def named_parties(self) -> Iterable[str]:
        return given(self.provider, self.decided_by)


def _change(state: Partnership, **changes: Any) -> Partnership:
    current = state.agreement
    if current is None:
        return state
    changed = current.model_copy(update=changes)
    return state.having(agreements=tuple(changed if a is current else a for a in state.agreements))


def _end_agreement(state: Partnership, how: Status, on: str) -> Partnership:
    # The end of one agreement does not end a partnership that holds another in force.
    state = _change(state, ended=how)
    if state.agreement is not None or state.status in ENDED:
        return state
    return state.having(status=how, ended=on)


def _days(duration: str) -> int:
    start = date(2001, 1, 1)
    return (plus(start, duration) - start).days
