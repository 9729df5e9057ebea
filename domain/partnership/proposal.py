"""提案・決定・再検討: numbered submissions, and the decisions on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from domain import errors
from domain.dates import bounds, plus
from domain.event import Context
from domain.partnership.consultation import given
from domain.partnership.parts import Decision, Submission
from domain.partnership.review import forbids_acceptance, not_pending
from domain.partnership.state import Partnership, PartnershipEvent
from domain.text import PartyId, Text
from domain.values import Code, Ordinal, Slug, Yen
from domain.vocabulary import (
    EARLY,
    IN_FORCE,
    REFUSED,
    TRYING,
    UNDECIDED,
    Origin,
    Proposer,
    RejectionCode,
    Status,
    Step,
    SubmissionKind,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# A proposal to go on with what is under way leaves it under way.
_UNDER_WAY = IN_FORCE | TRYING


class ProposalSubmitted(PartnershipEvent):
    """A proposal is put before the city; its texts stay closed until the decision.

    A resubmission stays in the same stream and names the rejection that it answers. A continuation is no resubmission:
    what is under way goes on while it is decided. `programme`: whose call it answers, where it asks for the grant of
    another programme than the partnership's own.
    """

    needs = EARLY | REFUSED | _UNDER_WAY
    leads = Status.PROPOSED
    leads_from = EARLY | REFUSED
    step = Step.PROPOSAL
    submission: Ordinal
    kind: SubmissionKind
    proposed_by: Proposer
    party: PartyId | None = None
    answers_rejection_of: Ordinal | None = None
    objective: Text | None = None
    budget_yen: Yen | None = None
    programme: Slug | None = None
    call: Code | None = None

    def named_parties(self) -> Iterable[str]:
        return given(self.party)

    def embargo(self) -> str | None:
        return f"DECISION/{self.submission}"

    def breaks_rules(self, state: Partnership, context: Context) -> Iterator[errors.RuleViolated]:
        rules = context.rules.proposal
        expected = len(state.submissions) + 1
        if self.submission != expected:
            yield errors.SubmissionNumberWrong(expected=expected, given=self.submission)
        if state.pending is not None:
            yield errors.SubmissionPending(pending=state.pending.number)
        rejected = {known.number for known in state.submissions if known.outcome is Status.REJECTED}
        is_answer = self.kind is SubmissionKind.RESUBMISSION
        if is_answer != (self.answers_rejection_of is not None) or (
            is_answer and self.answers_rejection_of not in rejected
        ):
            yield errors.RejectionUnanswered(given=self.answers_rejection_of)
        if self.proposed_by is Proposer.CITIZENS and rules.citizens_may_propose is False:
            yield errors.ProposerNotAdmitted()
        if rules.max_yen is not None and self.budget_yen is not None and self.budget_yen > rules.max_yen:
            yield errors.LimitExceeded(what="budget_yen", given=self.budget_yen, limit=rules.max_yen)
        yield from self._out_of_call(context)

    def _out_of_call(self, context: Context) -> Iterator[errors.RuleViolated]:
        taking = {known.call for known in context.calls if known.takes(self.valid.edtf)}
        if self.call is not None and self.call not in taking:
            if not context.is_import or context.calls:
                yield errors.CallUnknown(given=self.call)
        elif (
            context.rules.proposal.call == "OPEN_CALL" and not taking and not (context.is_import and not context.calls)
        ):
            # An earlier record whose calls nobody wrote down says nothing about them.
            yield errors.CallRequired()

    def apply(self, state: Partnership) -> Partnership:
        submitted = Submission(
            number=self.submission,
            kind=self.kind,
            submitted=self.valid.edtf,
            proposed_by=self.proposed_by,
            answers=self.answers_rejection_of,
            party=self.party,
            objective=self.objective,
            budget_yen=self.budget_yen,
            programme=self.programme,
            call=self.call,
        )
        return state.having(submissions=(*state.submissions, submitted))


class ProposalWithdrawn(PartnershipEvent):
    """The proposer takes an undecided proposal back (取下げ); its texts stay closed, as nothing was decided."""

    needs = UNDECIDED | _UNDER_WAY
    leads = Status.WITHDRAWN
    leads_from = UNDECIDED
    submission: Ordinal
    reason: Text | None = None

    def breaks_rules(self, state: Partnership, context: Context) -> Iterator[errors.RuleViolated]:
        yield from not_pending(state, self.submission)

    def apply(self, state: Partnership) -> Partnership:
        return _settle(state, self.submission, Status.WITHDRAWN, self.valid.edtf)


class _Decision(PartnershipEvent):
    submission: Ordinal | None = None
    decided_by: PartyId | None = None
    authority: Code | None = None

    def named_parties(self) -> Iterable[str]:
        return given(self.decided_by)

    def lifts(self) -> Iterable[str]:
        # The city's own invitation has no number; what was registered with it waited as for a first proposal.
        return (f"DECISION/{self.submission or 1}",)

    def breaks_rules(self, state: Partnership, context: Context) -> Iterator[errors.RuleViolated]:
        yield from _wrongly_decided(self.decided_by, self.authority, context)


def _wrongly_decided(decided_by: str | None, authority: str | None, context: Context) -> Iterator[errors.RuleViolated]:
    # Who decided is unknown, not wrong, where the source of an earlier record does not say.
    if not context.is_import and (decided_by is None or authority is None):
        yield errors.DeciderUnnamed()
    allowed = context.rules.proposal.decided_by
    if allowed and authority is not None and authority not in allowed:
        yield errors.AuthorityUnknown(authority=authority, allowed=", ".join(allowed))


class ProposalAccepted(_Decision):
    """The deciding authority accepts: a submission, or (without one) the party it invited itself (採択)."""

    needs = UNDECIDED | EARLY | _UNDER_WAY | frozenset({Status.REJECTED})
    leads = Status.ACCEPTED
    leads_from = frozenset(Status) - IN_FORCE
    step = Step.ACCEPTANCE
    origin: Origin | None = None
    accepted_as: Code | None = None
    conditions: tuple[Text, ...] = Field(default=(), max_length=50)
    note: Text | None = None

    def breaks_rules(self, state: Partnership, context: Context) -> Iterator[errors.RuleViolated]:
        yield from super().breaks_rules(state, context)
        if self.submission is not None:
            yield from not_pending(state, self.submission)
        elif state.submissions or state.status in IN_FORCE:
            # Acceptance without a submission is the city's invitation; where there are proposals, one is decided.
            yield errors.SubmissionNotPending(given="")
        elif not context.rules.proposal.city_may_invite:
            yield errors.CityMayNotInvite()
        pending = state.pending
        if pending is not None and pending.number == self.submission and pending.review is not None:
            yield from forbids_acceptance(pending.review, context.rules.review, decision=True)

    def apply(self, state: Partnership) -> Partnership:
        state = state.having(accepted=True, conditions=len(self.conditions), fulfilled=())
        if self.submission is None:
            return state
        decision = Decision(
            decided_by=self.decided_by,
            authority=self.authority,
            accepted_as=self.accepted_as,
            note=self.note,
            conditions=self.conditions,
        )
        return _settle(state, self.submission, Status.ACCEPTED, self.valid.edtf, decision=decision)


class ConditionFulfilled(PartnershipEvent):
    """A condition of the acceptance is met; `condition` is its number in the acceptance, from 1 (条件充足)."""

    needs = IN_FORCE | TRYING | frozenset({Status.ACCEPTED})
    condition: Ordinal
    evidence: Text | None = None

    def breaks_rules(self, state: Partnership, context: Context) -> Iterator[errors.RuleViolated]:
        if self.condition > state.conditions or self.condition in state.fulfilled:
            yield errors.ConditionUnknown(given=self.condition)

    def apply(self, state: Partnership) -> Partnership:
        accepted = state.last_accepted
        if accepted is not None:
            state = state.with_submission(accepted.number, fulfilled=(*accepted.fulfilled, self.condition))
        return state.having(fulfilled=(*state.fulfilled, self.condition))


class ProposalRejected(_Decision):
    """The deciding authority refuses a proposal, with at least one reason code and a public explanation (不採択)."""

    needs = UNDECIDED | _UNDER_WAY
    leads = Status.REJECTED
    leads_from = UNDECIDED
    step = Step.REJECTION
    submission: Ordinal
    codes: tuple[RejectionCode, ...] = Field(default=(), max_length=16)
    local_codes: tuple[Code, ...] = Field(default=(), max_length=16)
    public_explanation: Text | None = None
    advice: Text | None = None

    def breaks_rules(self, state: Partnership, context: Context) -> Iterator[errors.RuleViolated]:
        yield from super().breaks_rules(state, context)
        if not self.codes or self.public_explanation is None:
            yield errors.ReasonRequired()
        allowed = context.rules.proposal.rejection_codes
        local = {known.code: known.common for known in context.rules.proposal.local_rejections}
        unknown = [code.value for code in self.codes if allowed and code not in {*allowed, *local.values()}]
        unknown += [code for code in self.local_codes if local.get(code) not in self.codes]
        if unknown:
            yield errors.ReasonUnknown(codes=", ".join(unknown))
        yield from not_pending(state, self.submission)

    def apply(self, state: Partnership) -> Partnership:
        decision = Decision(
            decided_by=self.decided_by,
            authority=self.authority,
            local_codes=self.local_codes,
            explanation=self.public_explanation,
            advice=self.advice,
        )
        return _settle(state, self.submission, Status.REJECTED, self.valid.edtf, codes=self.codes, decision=decision)


class AcceptanceDeclined(PartnershipEvent):
    """The accepted party steps back before anything is agreed (採択後辞退)."""

    needs = frozenset({Status.ACCEPTED})
    leads = Status.DECLINED
    reason: Code | None = None
    text: Text | None = None

    def apply(self, state: Partnership) -> Partnership:
        accepted = state.last_accepted
        if accepted is not None:
            state = state.with_submission(accepted.number, undone=self.leads, undone_on=self.valid.edtf)
        return state.having(accepted=False, conditions=0, fulfilled=())


class AcceptanceRevoked(AcceptanceDeclined):
    """The authority takes an acceptance back before anything is agreed, for instance as no budget passed (採択取消)."""

    leads = Status.REVOKED
    reason: Code
    decided_by: PartyId | None = None
    authority: Code | None = None

    def named_parties(self) -> Iterable[str]:
        return given(self.decided_by)

    def breaks_rules(self, state: Partnership, context: Context) -> Iterator[errors.RuleViolated]:
        yield from _wrongly_decided(self.decided_by, self.authority, context)


class ReconsiderationRequested(PartnershipEvent):
    """The proposer asks to decide again on a rejected submission (再検討の申出)."""

    needs = frozenset({Status.REJECTED}) | _UNDER_WAY
    step = Step.RECONSIDERATION
    submission: Ordinal
    by: PartyId | None = None
    ground: Text | None = None

    def named_parties(self) -> Iterable[str]:
        return given(self.by)

    def breaks_rules(self, state: Partnership, context: Context) -> Iterator[errors.RuleViolated]:
        last = state.at_hand
        if last is None or last.number != self.submission or last.outcome is not Status.REJECTED or last.reconsidering:
            yield errors.NothingToReconsider()
            return
        within = context.rules.proposal.reconsideration_within
        decided, asked = bounds(last.decided or "XXXX").latest, bounds(self.valid.edtf).earliest
        if within is not None and decided is not None and asked is not None and asked > plus(decided, within):
            yield errors.TooLate(event="ReconsiderationRequested", last_day=plus(decided, within))

    def apply(self, state: Partnership) -> Partnership:
        return state.with_submission(self.submission, reconsidering=True)


class ReconsiderationResolved(PartnershipEvent):
    """The authority decides again: the rejection stands, or the submission is accepted after all (再検討の決定)."""

    needs = frozenset({Status.REJECTED}) | _UNDER_WAY
    outcomes = frozenset({Status.ACCEPTED})
    leads_from = frozenset(Status) - IN_FORCE
    submission: Ordinal
    outcome: Literal["UPHELD", "ACCEPTED"]
    reason: Text
    decided_by: PartyId | None = None
    authority: Code | None = None

    def named_parties(self) -> Iterable[str]:
        return given(self.decided_by)

    def breaks_rules(self, state: Partnership, context: Context) -> Iterator[errors.RuleViolated]:
        yield from _wrongly_decided(self.decided_by, self.authority, context)
        known = next((s for s in state.submissions if s.number == self.submission and s.reconsidering), None)
        if known is None:
            yield errors.NothingToReconsider()
        elif self.outcome == "ACCEPTED":
            if state.pending is not None:
                # Once this one is accepted, nobody could decide on the other any more.
                yield errors.SubmissionPending(pending=state.pending.number)
            # What forbids an acceptance forbids it the second time too.
            yield from self.out_of_step(Step.ACCEPTANCE, state, context)
            if known.review is not None:
                yield from forbids_acceptance(known.review, context.rules.review, decision=True)

    def apply(self, state: Partnership) -> Partnership:
        state = state.with_submission(self.submission, reconsidering=False, reconsidered=self.outcome)
        if self.outcome == "UPHELD":
            return state
        decision = Decision(decided_by=self.decided_by, authority=self.authority, note=self.reason)
        state = state.with_submission(
            self.submission, outcome=Status.ACCEPTED, decided=self.valid.edtf, decision=decision, undone=None
        )
        state = state.having(accepted=True, conditions=0, fulfilled=())
        return state.having(status=Status.ACCEPTED) if state.status in self.leads_from else state


def _settle(state: Partnership, submission: int, outcome: Status, decided: str, **told: Any) -> Partnership:
    known = next((s for s in state.submissions if s.number == submission), None)
    if known is None or known.outcome is not None:
        return state
    return state.with_submission(submission, outcome=outcome, decided=decided, **told)
