"""提案・審査・決定: numbered submissions, and the decisions on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from domain import errors
from domain.decider import Context
from domain.partnership.consultation import given
from domain.partnership.state import Partnership, PartnershipEvent, Submission
from domain.text import PartyId, Text
from domain.values import Code, Count, Ordinal, Yen
from domain.vocabulary import (
    EARLY,
    REFUSED,
    TRYING,
    UNDECIDED,
    Origin,
    Proposer,
    RejectionCode,
    Status,
    SubmissionKind,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class ProposalSubmitted(PartnershipEvent):
    """A proposal is put before the city. A resubmission stays in the same stream and names the rejection it answers."""

    needs = EARLY | REFUSED | frozenset({Status.MODEL_YEAR, Status.AGREED, Status.ACTIVE})
    leads = Status.PROPOSED
    submission: Ordinal
    kind: SubmissionKind
    proposed_by: Proposer
    party: PartyId | None = None
    answers_rejection_of: Ordinal | None = None
    objective: Text | None = None
    budget_yen: Yen | None = None
    call: Code | None = None

    def named_parties(self) -> Iterable[str]:
        return given(self.party)

    def breaks_rules(self, state: Partnership, context: Context) -> Iterator[errors.RuleViolated]:
        expected = len(state.submissions) + 1
        if self.submission != expected:
            yield errors.SubmissionNumberWrong(expected=expected, given=self.submission)
        rejected = {known.number for known in state.submissions if known.outcome is Status.REJECTED}
        is_answer = self.kind is SubmissionKind.RESUBMISSION
        if is_answer != (self.answers_rejection_of is not None) or (
            is_answer and self.answers_rejection_of not in rejected
        ):
            yield errors.RejectionUnanswered(given=self.answers_rejection_of)
        limit = context.rules.proposal.max_yen
        if limit is not None and self.budget_yen is not None and self.budget_yen > limit:
            yield errors.LimitExceeded(what="budget_yen", given=self.budget_yen, limit=limit)

    def apply(self, state: Partnership) -> Partnership:
        return state.having(submissions=(*state.submissions, Submission(number=self.submission, kind=self.kind)))


class ProposalWithdrawn(PartnershipEvent):
    """The proposer takes an undecided proposal back."""

    needs = UNDECIDED
    leads = Status.WITHDRAWN
    submission: Ordinal
    reason: Text | None = None

    def breaks_rules(self, state: Partnership, context: Context) -> Iterator[errors.RuleViolated]:
        yield from _not_pending(state, self.submission)

    def apply(self, state: Partnership) -> Partnership:
        return _settle(state, self.submission, Status.WITHDRAWN)


class ReviewOpened(PartnershipEvent):
    """A submission goes before a panel. `panel` None: its size is not stated."""

    needs = frozenset({Status.PROPOSED})
    leads = Status.UNDER_REVIEW
    submission: Ordinal
    panel: Count | None = None

    def breaks_rules(self, state: Partnership, context: Context) -> Iterator[errors.RuleViolated]:
        yield from _not_pending(state, self.submission)

    def apply(self, state: Partnership) -> Partnership:
        return state.having(reviewed=(*state.reviewed, self.submission))


class ProposalAccepted(PartnershipEvent):
    """The deciding authority accepts: a submission, or (without one) the party it invited itself (採択)."""

    needs = UNDECIDED | EARLY | TRYING | frozenset({Status.REJECTED})
    leads = Status.ACCEPTED
    submission: Ordinal | None = None
    origin: Origin | None = None
    accepted_as: Code | None = None
    decided_by: PartyId | None = None
    authority: Code | None = None
    conditions: tuple[Text, ...] = ()
    note: Text | None = None

    def named_parties(self) -> Iterable[str]:
        return given(self.decided_by)

    def breaks_rules(self, state: Partnership, context: Context) -> Iterator[errors.RuleViolated]:
        rules = context.rules.proposal
        if self.submission is not None:
            yield from _not_pending(state, self.submission)
        elif state.submissions:
            # Acceptance without a submission is the city's invitation; where there are proposals, one is decided.
            yield errors.SubmissionNotPending(given="")
        elif not rules.city_may_invite:
            yield errors.CityMayNotInvite()
        if rules.review_required and self.submission not in state.reviewed:
            yield errors.ReviewRequired()
        if state.trials and context.rules.trial is not None and not context.rules.trial.before_acceptance:
            yield errors.AcceptanceRequired(what="trial")

    def apply(self, state: Partnership) -> Partnership:
        return state if self.submission is None else _settle(state, self.submission, Status.ACCEPTED)


class ProposalRejected(PartnershipEvent):
    """The deciding authority refuses a proposal, with at least one reason code and a public explanation (不採択)."""

    needs = UNDECIDED
    leads = Status.REJECTED
    submission: Ordinal
    codes: tuple[RejectionCode, ...] = Field(default=(), max_length=16)
    public_explanation: Text | None = None
    advice: Text | None = None
    decided_by: PartyId | None = None
    authority: Code | None = None

    def named_parties(self) -> Iterable[str]:
        return given(self.decided_by)

    def breaks_rules(self, state: Partnership, context: Context) -> Iterator[errors.RuleViolated]:
        if not self.codes or self.public_explanation is None:
            yield errors.ReasonRequired()
        allowed = context.rules.proposal.rejection_codes
        unknown = [code for code in self.codes if allowed and code not in allowed]
        if unknown:
            yield errors.ReasonUnknown(codes=", ".join(unknown))
        yield from _not_pending(state, self.submission)
        if context.rules.proposal.review_required and self.submission not in state.reviewed:
            yield errors.ReviewRequired()

    def apply(self, state: Partnership) -> Partnership:
        return _settle(state, self.submission, Status.REJECTED, self.codes)


def _not_pending(state: Partnership, submission: int) -> Iterator[errors.RuleViolated]:
    if state.pending is None or state.pending.number != submission:
        yield errors.SubmissionNotPending(given=f" ({submission})")


def _settle(state: Partnership, submission: int, outcome: Status, codes: tuple[RejectionCode, ...] = ()) -> Partnership:
    def settled(known: Submission) -> Submission:
        if known.number != submission or known.outcome is not None:
            return known
        return known.model_copy(update={"outcome": outcome, "codes": codes})

    return state.having(submissions=tuple(settled(known) for known in state.submissions))
