"""Reviews: who scores what, what the scores amount to, and what they forbid."""

# ruff: noqa: E501  (the tables hold one rule a line, to be read across)

from __future__ import annotations

import pytest

from domain import errors
from domain.partnership.parts import Review, Score
from domain.partnership.review import Tally, tally
from domain.rules import Criterion, ReviewRules, Rules
from domain.vocabulary import Status, Step
from tests.domain.facts import (
    AGREED,
    REGISTERED,
    Fact,
    World,
    accepted,
    each,
    fact,
    given,
    is_refused,
    moves,
    rejected,
    reviewed,
    submitted,
    when,
)

# fmt: off
NO_RULES = Rules()
CRITERIA = Rules(review=ReviewRules(criteria=(Criterion(code="BENEFIT", weight=2), Criterion(code="PLAN")), threshold=6_000))
DECISIVE = Rules(review=ReviewRules(criteria=(Criterion(code="PLAN"),), threshold=6_000, threshold_binds="DECISION"))
MAJORITY_VETO = Rules(review=ReviewRules(criteria=(Criterion(code="BENEFIT", veto_at=2), Criterion(code="PLAN", weight=10))))
ANY_VETO = Rules(review=ReviewRules(criteria=(Criterion(code="BENEFIT", veto_at=2),), veto_by="ANY"))
THREE = Rules(review=ReviewRules(quorum=3))
PRESENTED = Rules(requires={Step.RECOMMENDATION: (Step.PRESENTATION,), Step.ACCEPTANCE: (Step.RECOMMENDATION,)})

PROPOSED = [REGISTERED, submitted(1, party="npo")]
PANEL = reviewed(members=[{"reviewer": "sato"}, {"reviewer": "kato"}, {"reviewer": "of-npo", "belongs_to": "npo"}], recused=[{"reviewer": "kato"}])
OPENED = [*PROPOSED, reviewed()]
PRESENTATION = fact("hold-presentation", submission=1)


def scored(reviewer: str, score: int, criterion: str = "PLAN", command: str = "record-score", **data: str) -> Fact:
    return fact(command, submission=1, reviewer=reviewer, criterion=criterion, score=score, **data)


def revised(reviewer: str, score: int) -> Fact:
    return scored(reviewer, score, command="revise-score", reason="after the presentation")


def recommended(result: str = "RECOMMENDED", **data: int) -> Fact:
    return fact("issue-recommendation", submission=1, result=result, **data)


def benefit(*scores: int) -> list[Fact]:
    """So many reviewers, who find the plan perfect and the public benefit as given."""
    return [f for no, score in enumerate(scores) for f in (scored(f"r{no}", score, "BENEFIT"), scored(f"r{no}", 5))]


REFUSED = [
    # sentence                                                    rules           past                                     command                                          refusal
    ("a second recommendation",                                   NO_RULES,       [*OPENED, recommended()],                recommended(),                                   errors.AlreadyDone),
    ("a score after the recommendation",                          NO_RULES,       [*OPENED, recommended()],                scored("sato", 3),                               errors.AlreadyDone),
    ("a score before the review",                                 NO_RULES,       PROPOSED,                                scored("sato", 3),                               errors.ReviewNotOpen),
    ("a score of another submission",                             NO_RULES,       OPENED,                                  scored("sato", 3).but(submission=2),             errors.ReviewNotOpen),
    ("a score after the decision",                                NO_RULES,       [*OPENED, rejected(1)],                  scored("sato", 3),                               errors.StatusForbids),
    ("a presentation before the review",                          NO_RULES,       PROPOSED,                                PRESENTATION,                                    errors.ReviewNotOpen),
    ("a recommendation before the review",                        NO_RULES,       PROPOSED,                                recommended(),                                   errors.ReviewNotOpen),
    ("a second review of one submission",                         NO_RULES,       OPENED,                                  reviewed(),                                      errors.StatusForbids),
    ("a second review of a proposal to go on",                    NO_RULES,       [REGISTERED, AGREED, submitted(1, "CONTINUATION"), reviewed()], reviewed(),               errors.StatusForbids),
    ("a score by who does not sit on the panel",                  NO_RULES,       [*PROPOSED, PANEL],                      scored("ito", 3),                                errors.ReviewerUnknown),
    ("a score by who stands back",                                NO_RULES,       [*PROPOSED, PANEL],                      scored("kato", 3),                               errors.ConflictOfInterest),
    ("a score by who belongs to the proposer",                    NO_RULES,       [*PROPOSED, PANEL],                      scored("of-npo", 3),                             errors.ConflictOfInterest),
    ("a score by who stands back since the presentation",         NO_RULES,       [*PROPOSED, PANEL, PRESENTATION.but(recused=[{"reviewer": "sato"}])], scored("sato", 3),  errors.ConflictOfInterest),
    ("a score of what is no criterion",                           CRITERIA,       OPENED,                                  scored("sato", 3, "BEAUTY"),                     errors.CriterionUnknown),
    ("a score above the scale",                                   CRITERIA,       OPENED,                                  scored("sato", 6),                               errors.ScoreOutOfScale),
    ("a score below the scale",                                   CRITERIA,       OPENED,                                  scored("sato", 0),                               errors.ScoreOutOfScale),
    ("a second score instead of a revision",                      NO_RULES,       [*OPENED, scored("sato", 3)],            scored("sato", 4),                               errors.AlreadyScored),
    ("a revision of what was not scored",                         NO_RULES,       [*OPENED, scored("kato", 3)],            revised("sato", 4),                              errors.NotScored),
    ("a recommendation by too few",                               THREE,          [*OPENED, scored("sato", 3), scored("ito", 3)], recommended(),                            errors.QuorumMissing),
    ("a recommendation by enough, one of whom stands back",       THREE,          [*OPENED, scored("sato", 3), scored("ito", 3), scored("kato", 3), PRESENTATION.but(recused=[{"reviewer": "kato"}])], recommended(), errors.QuorumMissing),
    ("a recommendation below the threshold",                      CRITERIA,       [*OPENED, scored("sato", 2, "BENEFIT"), scored("sato", 4)], recommended(),                errors.BelowThreshold),
    ("an acceptance below a threshold that binds the decision",   DECISIVE,       [*OPENED, scored("sato", 2)],            accepted(1),                                     errors.BelowThreshold),
    ("a recommendation against a veto of the majority",           MAJORITY_VETO,  [*OPENED, *benefit(2, 1, 5)],            recommended(),                                   errors.Vetoed),
    ("an acceptance against a veto of the majority",              MAJORITY_VETO,  [*OPENED, *benefit(2, 1, 5)],            accepted(1),                                     errors.Vetoed),
    ("an acceptance against the veto of one",                     ANY_VETO,       [*OPENED, *benefit(2, 5, 5)],            accepted(1),                                     errors.Vetoed),
    ("a recommendation before the presentation that is required", PRESENTED,      OPENED,                                  recommended(),                                   errors.StepRequired),
    ("an acceptance before the recommendation that is required",  PRESENTED,      [*OPENED, PRESENTATION],                 accepted(1),                                     errors.StepRequired),
]

UNKNOWN_WHEN_IMPORTED = [
    ("a recommendation by nobody in particular",                  THREE,          OPENED,                                  recommended(),                                   errors.QuorumMissing),
]

ADMITTED = [
    # sentence                                                    rules           past                                                  command                             status after
    ("a review opens",                                            NO_RULES,       PROPOSED,                                             PANEL,                              Status.UNDER_REVIEW),
    ("a review of a proposal to go on",                           NO_RULES,       [REGISTERED, AGREED, submitted(1, "CONTINUATION")],   reviewed(),                         Status.AGREED),
    ("a presentation",                                            NO_RULES,       OPENED,                                               PRESENTATION,                       Status.UNDER_REVIEW),
    ("a score of a member",                                       CRITERIA,       [*PROPOSED, PANEL],                                   scored("sato", 5),                  Status.UNDER_REVIEW),
    ("a score by a panel whose members are not listed",           NO_RULES,       OPENED,                                               scored("anyone", 9),                Status.UNDER_REVIEW),
    ("a revision with its reason",                                NO_RULES,       [*OPENED, scored("sato", 3)],                         revised("sato", 5),                 Status.UNDER_REVIEW),
    ("a recommendation by as many as are needed",                 THREE,          [*OPENED, scored("sato", 3)],                         recommended(present=3),             Status.UNDER_REVIEW),
    ("a recommendation at the threshold",                         CRITERIA,       [*OPENED, scored("sato", 3, "BENEFIT"), scored("sato", 3)], recommended(),                Status.UNDER_REVIEW),
    ("a recommendation against, whatever the scores",             CRITERIA,       [*OPENED, scored("sato", 1)],                         recommended("NOT_RECOMMENDED"),     Status.UNDER_REVIEW),
    ("an acceptance below a threshold that binds the panel only", CRITERIA,       [*OPENED, scored("sato", 1)],                         accepted(1),                        Status.ACCEPTED),
    ("an acceptance where a minority votes against",              MAJORITY_VETO,  [*OPENED, *benefit(2, 5, 5)],                         accepted(1),                        Status.ACCEPTED),
    ("an acceptance where as many vote for as against",           MAJORITY_VETO,  [*OPENED, *benefit(2, 5)],                            accepted(1),                        Status.ACCEPTED),
    ("an acceptance against the advice",                          NO_RULES,       [*OPENED, recommended("NOT_RECOMMENDED")],            accepted(1),                        Status.ACCEPTED),
    ("a rejection against the advice",                            NO_RULES,       [*OPENED, recommended()],                             rejected(1),                        Status.REJECTED),
]
# fmt: on


@each(REFUSED, "refusal")
def test_what_breaks_a_rule_of_the_review_is_refused(
    world: World | Rules, past: list[Fact], command: Fact, refusal: type[errors.RuleViolated]
) -> None:
    is_refused(past, command, refusal, world, imported="ANOMALY")


@each(UNKNOWN_WHEN_IMPORTED, "refusal")
def test_reviewers_that_a_source_does_not_count_are_unknown(
    world: World | Rules, past: list[Fact], command: Fact, refusal: type[errors.RuleViolated]
) -> None:
    is_refused(past, command, refusal, world, imported="UNKNOWN")


@each(ADMITTED, "status")
def test_what_the_rules_of_the_review_allow(
    world: World | Rules, past: list[Fact], command: Fact, status: Status
) -> None:
    moves(past, command, status, world)


def test_a_resubmission_is_reviewed_afresh() -> None:
    again = submitted(2, "RESUBMISSION", answers_rejection_of=1)
    history = given(*OPENED, scored("sato", 1), rejected(1), again, reviewed(2))
    assert [len(s.review.scores) for s in history.state.submissions] == [1, 0]
    assert when(history, scored("sato", 5).but(submission=2))
    with pytest.raises(errors.ReviewNotOpen):
        when(history, scored("ito", 5))


def test_the_first_score_stays_in_the_record_when_it_is_revised() -> None:
    history = given(*OPENED, scored("sato", 2), revised("sato", 5))
    assert [score.score for score in history.state.submissions[0].review.scores] == [5]
    assert [entry.event.score for entry in history.recorded[3:]] == [2, 5]


def scores(*rows: tuple[str, str, int]) -> tuple[Score, ...]:
    return tuple(Score(reviewer=reviewer, criterion=criterion, score=score) for reviewer, criterion, score in rows)


def test_scores_are_weighed_and_counted_by_reviewer() -> None:
    given_scores = scores(("a", "BENEFIT", 5), ("a", "PLAN", 1), ("b", "BENEFIT", 2), ("b", "BEAUTY", 5))
    assert tally(Review(scores=given_scores), CRITERIA.review) == Tally(2, 6_000, ())  # (10 + 1 + 4) of 25
    assert tally(Review(), CRITERIA.review) == Tally(0, None, ())


def test_scores_of_who_stands_back_afterwards_do_not_count() -> None:
    given_scores = scores(("a", "BENEFIT", 5), ("b", "BENEFIT", 1), ("c", "BENEFIT", 1))
    assert tally(Review(scores=given_scores), MAJORITY_VETO.review).vetoes == (("BENEFIT", 2, 2),)
    assert tally(Review(scores=given_scores, recused=("b",)), MAJORITY_VETO.review) == Tally(2, 6_000, ())
