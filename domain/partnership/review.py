"""審査・答申: the panel, its scores, and what they amount to under the programme's criteria."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from domain import errors
from domain.event import Context
from domain.partnership.parts import Review, Score, Submission
from domain.partnership.state import Partnership, PartnershipEvent
from domain.rules import ReviewRules
from domain.text import Disclosed, Note, PartyId, PersonId, Text, Visibility
from domain.values import BasisPoints, Code, Count, Frozen, Ordinal
from domain.vocabulary import IN_FORCE, TRYING, UNDECIDED, Status, Step

if TYPE_CHECKING:
    from collections.abc import Iterator

Points = Annotated[int, Field(ge=0, le=1_000)]
_WHOLE = 10_000


@dataclass(frozen=True, slots=True)
class Tally:
    """What the scores amount to: the weighted total in basis points of the greatest possible one (None: no scores)."""

    reviewers: int
    total: int | None
    vetoes: tuple[tuple[str, int, int], ...]
    """Criterion, votes against, and the score that is a vote against."""


def tally(review: Review, rules: ReviewRules) -> Tally:
    """Weigh the scores by the programme's criteria; scores of unknown criteria and of who stands back do not count.

    Where no single scores are recorded, the total that the panel stated counts.
    """
    criteria = {criterion.code: criterion for criterion in rules.criteria}
    scores = [s for s in review.scores if s.criterion in criteria and s.reviewer not in review.recused]
    reviewers = {score.reviewer for score in scores}
    reached = sum(criteria[score.criterion].weight * score.score for score in scores)
    possible = sum(criteria[score.criterion].weight * criteria[score.criterion].highest for score in scores)
    vetoes = []
    for code, criterion in criteria.items():
        given = [score.score for score in scores if score.criterion == code]
        against = sum(1 for score in given if criterion.veto_at is not None and score <= criterion.veto_at)
        if criterion.veto_at is not None and against and (rules.veto_by == "ANY" or 2 * against > len(given)):
            vetoes.append((code, against, criterion.veto_at))
    total = reached * _WHOLE // possible if possible else review.weighted_total
    return Tally(len(reviewers), total, tuple(vetoes))


def forbids_acceptance(review: Review, rules: ReviewRules, *, decision: bool) -> Iterator[errors.RuleViolated]:
    """Why the scores forbid a favourable recommendation or, with `decision`, an acceptance."""
    found = tally(review, rules)
    for criterion, votes, veto_at in found.vetoes:
        yield errors.Vetoed(criterion=criterion, votes=votes, reviewers=found.reviewers, veto_at=veto_at)
    binds = not decision or rules.threshold_binds == "DECISION"
    if binds and rules.threshold is not None and found.total is not None and found.total < rules.threshold:
        yield errors.BelowThreshold(total=found.total, threshold=rules.threshold)


def not_pending(state: Partnership, submission: int) -> Iterator[errors.RuleViolated]:
    """That the submission awaits no decision, if so."""
    if state.pending is None or state.pending.number != submission:
        yield errors.SubmissionNotPending(given=f" ({submission})")


class PanelMember(Frozen):
    """Who sits on the panel: an opaque id, the name for the city's own eyes, and the party it belongs to."""

    reviewer: PersonId
    name: Annotated[str, Disclosed(Visibility.PERSONAL, subject="reviewer")] | None = None
    belongs_to: PartyId | None = None


class Recusal(Frozen):
    """A member who stands back, and why (除斥・回避)."""

    reviewer: PersonId
    reason: Code | None = None


class ReviewEvent(PartnershipEvent):
    """An event of the review of one submission."""

    needs = UNDECIDED | IN_FORCE | TRYING
    submission: Ordinal

    def breaks_rules(self, state: Partnership, context: Context) -> Iterator[errors.RuleViolated]:
        pending = state.pending
        if pending is None or pending.number != self.submission or pending.review is None:
            yield errors.ReviewNotOpen(given=self.submission)
        else:
            yield from self.breaks_review(pending, pending.review, context)

    def breaks_review(self, submission: Submission, review: Review, context: Context) -> Iterator[errors.RuleViolated]:
        """The rules that this event breaks while the review is open."""
        yield from ()

    def apply(self, state: Partnership) -> Partnership:
        known = next((s for s in state.submissions if s.number == self.submission), None)
        if known is None:
            return state
        return state.with_submission(self.submission, review=self.reviewed(known.review or Review()))

    def reviewed(self, review: Review) -> Review:
        """The review after this event."""
        return review


class ReviewOpened(ReviewEvent):
    """A submission goes before a panel. `panel` None: its size is not stated."""

    needs = frozenset({Status.PROPOSED}) | IN_FORCE | TRYING
    leads = Status.UNDER_REVIEW
    leads_from = frozenset({Status.PROPOSED})
    step = Step.REVIEW
    panel: Count | None = None
    members: tuple[PanelMember, ...] = ()
    recused: tuple[Recusal, ...] = ()

    def breaks_rules(self, state: Partnership, context: Context) -> Iterator[errors.RuleViolated]:
        yield from not_pending(state, self.submission)
        if state.status in self.needs and state.pending is not None and state.pending.review is not None:
            # What is under way keeps its status while a continuation is reviewed, once like any other.
            yield errors.StatusForbids(event="ReviewOpened", status=Status.UNDER_REVIEW, needs=Status.PROPOSED)

    def apply(self, state: Partnership) -> Partnership:
        pending = next((s for s in state.submissions if s.number == self.submission), None)
        if pending is None:
            return state
        # Who belongs to the proposer stands back without being asked.
        own = {m.reviewer for m in self.members if m.belongs_to is not None and m.belongs_to == pending.party}
        review = Review(
            size=self.panel,
            members=tuple(member.reviewer for member in self.members),
            recused=tuple(sorted(own | {recusal.reviewer for recusal in self.recused})),
        )
        return state.with_submission(self.submission, review=review)


class PresentationHeld(ReviewEvent):
    """The proposers presented their proposal to the panel; who stands back from now on (公開プレゼンテーション)."""

    step = Step.PRESENTATION
    public: bool | None = None
    people: Count | None = None
    place: Text | None = None
    recused: tuple[Recusal, ...] = ()

    def reviewed(self, review: Review) -> Review:
        recused = {*review.recused, *(recusal.reviewer for recusal in self.recused)}
        return review.model_copy(update={"presented": True, "recused": tuple(sorted(recused))})


class ScoreRecorded(ReviewEvent):
    """What one reviewer gives for one criterion, in points of its scale (採点)."""

    reviewer: PersonId
    criterion: Code
    score: Points
    comment: Note | None = None

    def breaks_review(self, submission: Submission, review: Review, context: Context) -> Iterator[errors.RuleViolated]:
        if review.members and self.reviewer not in review.members:
            yield errors.ReviewerUnknown(reviewer=self.reviewer)
        if self.reviewer in review.recused:
            yield errors.ConflictOfInterest(reviewer=self.reviewer)
        criteria = {criterion.code: criterion for criterion in context.rules.review.criteria}
        if criteria and self.criterion not in criteria:
            yield errors.CriterionUnknown(criterion=self.criterion, allowed=", ".join(criteria))
        elif criteria:
            scale = criteria[self.criterion]
            if not scale.lowest <= self.score <= scale.highest:
                yield errors.ScoreOutOfScale(score=self.score, lowest=scale.lowest, highest=scale.highest)
        yield from self._out_of_turn(review)

    def _out_of_turn(self, review: Review) -> Iterator[errors.RuleViolated]:
        if self.is_scored(review):
            yield errors.AlreadyScored(reviewer=self.reviewer, criterion=self.criterion)
        if review.recommended is not None:
            yield errors.AlreadyDone(what="the recommendation on these scores")

    def is_scored(self, review: Review) -> bool:
        """Whether this reviewer has scored the criterion."""
        return any((s.reviewer, s.criterion) == (self.reviewer, self.criterion) for s in review.scores)

    def reviewed(self, review: Review) -> Review:
        others = (s for s in review.scores if (s.reviewer, s.criterion) != (self.reviewer, self.criterion))
        own = Score(reviewer=self.reviewer, criterion=self.criterion, score=self.score)
        return review.model_copy(update={"scores": (*others, own)})


class ScoreRevised(ScoreRecorded):
    """A reviewer changes a score before the decision, and says why; the first score stays in the record."""

    reason: Text

    def _out_of_turn(self, review: Review) -> Iterator[errors.RuleViolated]:
        if not self.is_scored(review):
            yield errors.NotScored(reviewer=self.reviewer, criterion=self.criterion)


class Average(Frozen):
    """The panel's mean score for one criterion, in hundredths of a point."""

    criterion: Code
    hundredths: Annotated[int, Field(ge=0, le=100_000)]


class RecommendationIssued(ReviewEvent):
    """The panel says whether the proposal should be accepted (答申); it advises, the authority decides.

    `weighted_total` is in basis points of the greatest possible one, `present` how many reviewers took part.
    """

    step = Step.RECOMMENDATION
    result: Literal["RECOMMENDED", "NOT_RECOMMENDED"]
    present: Count | None = None
    weighted_total: BasisPoints | None = None
    averages: tuple[Average, ...] = ()
    comment: Text | None = None

    def embargo(self) -> str | None:
        return f"DECISION/{self.submission}"

    def breaks_review(self, submission: Submission, review: Review, context: Context) -> Iterator[errors.RuleViolated]:
        rules = context.rules.review
        scoring = {score.reviewer for score in review.scores} - set(review.recused)
        present = max(self.present or 0, len(scoring))
        if rules.quorum is not None and present < rules.quorum and not (context.is_import and present == 0):
            yield errors.QuorumMissing(quorum=rules.quorum, present=present)
        if review.recommended is not None:
            yield errors.AlreadyDone(what="the recommendation")
        if self.result == "RECOMMENDED":
            yield from forbids_acceptance(self.reviewed(review), rules, decision=False)

    def reviewed(self, review: Review) -> Review:
        issued = {
            "recommended": self.result == "RECOMMENDED",
            "present": self.present,
            "weighted_total": self.weighted_total,
            "averages": tuple((average.criterion, average.hundredths) for average in self.averages),
            "comment": self.comment,
        }
        return review.model_copy(update=issued)
