"""協定・議決・更新・失効・解除: what the parties put in writing, how long it holds and how it ends."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from domain import errors
from domain.dates import Edtf, bounds, can_follow, plus
from domain.event import Context, Role
from domain.partnership.parts import Agreement, Clause
from domain.partnership.state import Partnership, PartnershipEvent
from domain.rules import Form, Rules
from domain.text import PartyId, Text
from domain.values import Code, Duration, Ordinal, Sha256, Slug
from domain.vocabulary import (
    EARLY,
    ENDED,
    IN_FORCE,
    OPEN,
    TRYING,
    Initiator,
    Status,
    Step,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class CouncilResolved(PartnershipEvent):
    """The city's council resolved, for instance to designate a facility manager (議決、指定管理者の指定)."""

    needs = OPEN
    step = Step.COUNCIL_RESOLUTION
    subject: Code
    result: Literal["PASSED", "REJECTED"] = "PASSED"
    bill: Text | None = None
    facility: Slug | None = None

    def breaks_rules(self, state: Partnership, context: Context) -> Iterator[errors.RuleViolated]:
        if self.facility is not None and self.facility not in state.facilities:
            yield errors.FacilityUnknown()

    def apply(self, state: Partnership) -> Partnership:
        return state.having(resolutions=state.resolutions + 1) if self.result == "PASSED" else state


class AgreementConcluded(PartnershipEvent):
    """The parties put in writing what they do together (協定締結). `term` None: untermed, or not stated.

    `selection_ground`: why this partner without tender (随意契約の根拠). `document_sha256`: of the signed document.
    """

    needs = EARLY | TRYING | IN_FORCE | frozenset({Status.ACCEPTED})
    leads = Status.AGREED
    leads_from = OPEN - IN_FORCE
    step = Step.AGREEMENT
    signed = True
    parties: tuple[PartyId, ...] = Field(min_length=2)
    instrument: Code | None = None
    instrument_local: Text | None = None
    about: Text | None = None
    forms: tuple[Form, ...] = ()
    term: Duration | None = None
    auto_renewal: bool | None = None
    basis_of: tuple[Text, ...] = ()
    clauses: tuple[Clause, ...] = ()
    selection_ground: Code | None = None
    document_sha256: Sha256 | None = None

    def named_parties(self) -> Iterable[str]:
        return self.parties

    def check(self, state: Partnership, context: Context) -> None:
        super().check(state, context)
        if len(set(self.parties)) != len(self.parties):
            raise errors.AlreadyExists(what="party", name=max(self.parties, key=self.parties.count))

    def breaks_rules(self, state: Partnership, context: Context) -> Iterator[errors.RuleViolated]:
        yield from _wrong_term(self.term, context)
        missing = set(context.rules.agreement.states) - {clause.code for clause in self.clauses}
        if missing and not context.is_import:
            yield errors.ClausesMissing(missing=", ".join(sorted(missing)))
        if self.term is None and context.rules.agreement.term_required and not context.is_import:
            yield errors.TermRequired()
        still_open = [str(n) for n in range(1, state.conditions + 1) if n not in state.fulfilled]
        if still_open:
            yield errors.ConditionsOpen(open=", ".join(still_open))
        yield from _forms_not_offered(self.forms, context)

    def apply(self, state: Partnership) -> Partnership:
        agreement = Agreement(
            number=len(state.agreements) + 1,
            parties=self.parties,
            instrument=self.instrument,
            instrument_local=self.instrument_local,
            about=self.about,
            forms=_codes(self.forms),
            local_forms=self.forms,
            basis=self.basis_of,
            clauses=self.clauses,
            selection_ground=self.selection_ground,
            document_sha256=self.document_sha256,
            began=self.valid.edtf,
            terms=(self.term,) if self.term else (),
            auto_renewal=self.auto_renewal,
        )
        return _with_forms(state, self.forms).having(agreements=(*state.agreements, agreement))


def _codes(forms: tuple[Form, ...]) -> tuple[str, ...]:
    return tuple(code.value for form in forms for code in form.codes)


def _with_forms(state: Partnership, forms: tuple[Form, ...]) -> Partnership:
    return state.having(forms=(*state.forms, *(code for code in _codes(forms) if code not in state.forms)))


def _wrong_term(term: str | None, context: Context) -> Iterator[errors.RuleViolated]:
    every = context.rules.term.renewal_every
    if every is not None and term is not None and term != every:
        yield errors.TermMismatch(given=term, rule=every)


def _forms_not_offered(forms: tuple[Form, ...], context: Context) -> Iterator[errors.RuleViolated]:
    offered = _codes(context.rules.forms)
    foreign = [code for code in _codes(forms) if code not in offered]
    if foreign and offered and not context.rules.forms_open:
        yield errors.FormNotOffered(codes=", ".join(foreign), allowed=", ".join(offered))


def forms_with_labels(data: dict[str, Any]) -> dict[str, Any]:
    """Version 1 of AgreementConcluded held bare form codes; version 2 keeps each city's own label beside its codes."""
    if "forms" in data:
        data = data | {"forms": [{"codes": [code]} for code in data["forms"]]}
    return data


class AgreementAmended(PartnershipEvent):
    """Clauses of the agreement in force are changed (変更). A correction of the record is another thing."""

    needs = IN_FORCE
    signed = True
    parties: tuple[PartyId, ...] = ()
    changed: tuple[Clause, ...] = Field(min_length=1)
    forms: tuple[Form, ...] = ()
    auto_renewal: bool | None = None
    reason: Text | None = None
    document_sha256: Sha256 | None = None

    def named_parties(self) -> Iterable[str]:
        return self.parties

    def signers(self, state: Partnership) -> Iterable[str]:
        return (*self.parties, *(state.agreement.parties if state.agreement else ()))

    def breaks_rules(self, state: Partnership, context: Context) -> Iterator[errors.RuleViolated]:
        if state.agreement is None:
            yield errors.NothingAgreed()
        yield from _forms_not_offered(self.forms, context)

    def apply(self, state: Partnership) -> Partnership:
        agreement = state.agreement
        if agreement is not None:
            changed = {clause.code for clause in self.changed}
            state = _change(
                state,
                amendments=agreement.amendments + 1,
                auto_renewal=agreement.auto_renewal if self.auto_renewal is None else self.auto_renewal,
                clauses=(*(clause for clause in agreement.clauses if clause.code not in changed), *self.changed),
                forms=(*agreement.forms, *(code for code in _codes(self.forms) if code not in agreement.forms)),
                local_forms=(*agreement.local_forms, *self.forms),
            )
        return _with_forms(state, self.forms)


class AgreementRenewed(PartnershipEvent):
    """The agreement runs for another term; `no` counts the renewals (更新). The clock renews what renews itself."""

    in_order: ClassVar[bool] = False  # the clock records it on the day that it notices; its own rules hold its date
    needs = IN_FORCE
    step = Step.RENEWAL
    signed = True
    no: Ordinal
    term: Duration | None = None

    def signers(self, state: Partnership) -> Iterable[str]:
        return state.agreement.parties if state.agreement else ()

    def violations(self, state: Partnership, context: Context) -> Iterator[errors.RuleViolated]:
        if context.meta is None or context.meta.role is not Role.CLOCK:
            yield from super().violations(state, context)
            return
        # What renews itself by its own terms waits for nobody's evaluation.
        if state.status not in self.needs:
            yield errors.StatusForbids(
                event=type(self).__name__, status=state.status, needs=", ".join(sorted(self.needs))
            )
        yield from self.breaks_rules(state, context)
        if state.agreement is not None and not state.agreement.auto_renewal:
            yield errors.NotDue(why="the agreement does not renew itself")

    def breaks_rules(self, state: Partnership, context: Context) -> Iterator[errors.RuleViolated]:
        agreement = state.agreement
        if agreement is None:
            yield errors.NothingAgreed()
        elif self.no != agreement.renewals + 1:
            yield errors.NumberOutOfSequence(what="renewal", given=self.no, expected=agreement.renewals + 1)
        if agreement is not None and not can_follow(agreement.began, self.valid.edtf):
            yield errors.OutOfOrder(
                event="AgreementRenewed",
                valid=self.valid.edtf,
                previous="AgreementConcluded",
                previous_valid=agreement.began,
            )
        term = context.rules.term
        yield from _wrong_term(self.term, context)
        if term.max_renewals is not None and self.no > term.max_renewals:
            yield errors.LimitExceeded(what="renewal", given=self.no, limit=term.max_renewals)
        last_day = last_day_with_grace(agreement, context.rules) if agreement else None
        earliest = bounds(self.valid.edtf).earliest
        if last_day is not None and earliest is not None and (earliest - last_day).days > 1:
            yield errors.TermOver(ended=last_day)

    def apply(self, state: Partnership) -> Partnership:
        agreement = state.agreement
        if agreement is None:
            return state
        term = self.term or (agreement.terms[-1] if agreement.terms else None)
        return _change(state, renewals=self.no, terms=(*agreement.terms, term) if term else ())


def last_day_with_grace(agreement: Agreement, rules: Rules) -> date | None:
    """The latest day on which the agreement may still be renewed; None where it has no term or no known start."""
    if agreement.last_days is None:
        return None
    last = agreement.last_days[1]
    return plus(last, rules.term.grace) if rules.term.grace else last


def renews_itself(agreement: Agreement, rules: Rules) -> bool:
    """Whether another term follows without anybody's doing; not once the programme's last renewal is behind."""
    most = rules.term.max_renewals
    return bool(agreement.auto_renewal) and (most is None or agreement.renewals < most)


class AgreementLapsed(PartnershipEvent):
    """The term and its grace are over, neither renewed nor auto-renewing; recorded by the clock (失効).

    It is valid on the day after the term's end.
    """

    in_order: ClassVar[bool] = False  # what happened within the grace came before it in the record
    needs = IN_FORCE
    outcomes = frozenset({Status.LAPSED})

    def breaks_rules(self, state: Partnership, context: Context) -> Iterator[errors.RuleViolated]:
        agreement = state.agreement
        if agreement is None:
            yield errors.NothingAgreed()
        elif not agreement.terms:
            yield errors.NotDue(why="it has no term")
        elif renews_itself(agreement, context.rules):
            yield errors.NotDue(why="it renews itself")
        elif agreement.last_days is not None:
            latest = bounds(self.valid.edtf).latest
            if latest is not None and latest <= agreement.last_days[0]:
                yield errors.NotDue(why=f"its term runs until {agreement.last_days[0]}")

    def apply(self, state: Partnership) -> Partnership:
        return _end_agreement(state, Status.LAPSED, self.valid.edtf)


class AgreementTerminated(PartnershipEvent):
    """An agreement in force is ended by the city, a party or both (解除)."""

    needs = IN_FORCE
    outcomes = frozenset({Status.TERMINATED})
    initiator: Initiator
    ground: Text | None = None
    effective: Edtf | None = None

    def breaks_rules(self, state: Partnership, context: Context) -> Iterator[errors.RuleViolated]:
        if state.agreement is None:
            yield errors.NothingAgreed()

    def apply(self, state: Partnership) -> Partnership:
        told = {"ended_by": self.initiator, "ground": self.ground}
        return _end_agreement(state, Status.TERMINATED, self.effective or self.valid.edtf, **told)


def _change(state: Partnership, **changes: Any) -> Partnership:
    current = state.agreement
    if current is None:
        return state
    changed = current.model_copy(update=changes)
    return state.having(agreements=tuple(changed if a is current else a for a in state.agreements))


def _end_agreement(state: Partnership, how: Status, on: str, **told: Any) -> Partnership:
    # The end of one agreement does not end a partnership that holds another in force.
    state = _change(state, ended=how, ended_on=on, **told)
    if state.agreement is not None or state.status in ENDED:
        return state
    return state.having(status=how, ended=on)
