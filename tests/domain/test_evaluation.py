"""Mutual evaluation: both sides file, both are revealed together, then they talk it over."""

# ruff: noqa: E501  (the tables hold one rule a line, to be read across)

from __future__ import annotations

from domain import errors
from domain.rules import EvaluationRules, Rules
from domain.vocabulary import Status, Step
from tests.domain.facts import (
    AGREED,
    MAINSTREAMED,
    REGISTERED,
    TERMED,
    Fact,
    World,
    draft,
    each,
    fact,
    is_refused,
    moves,
    renewed,
    told,
    when,
)


def opened(no: int = 1) -> Fact:
    return fact("open-evaluation", evaluation=no)


def filed(side: str, no: int = 1, **data: object) -> Fact:
    return fact("file-evaluation", evaluation=no, side=side, result="reached", method="well", **data)


def shared(no: int = 1) -> Fact:
    return fact("share-evaluations", evaluation=no)


def talked(no: int = 1) -> Fact:
    return fact("hold-evaluation-dialogue", evaluation=no)


# fmt: off
NO_RULES = Rules()
THREE_SIDES = Rules(evaluation=EvaluationRules(sides=("PARTNER", "CITY", "CITIZEN"), criteria=("GOAL_REACHED",)))
YEARLY = Rules(evaluation=EvaluationRules(due="FISCAL_YEAR"))
TWO_SIDES = Rules(evaluation=EvaluationRules(sides=("PARTNER", "CITY")))
EVALUATED = Rules(evaluation=EvaluationRules(), requires={Step.RENEWAL: (Step.EVALUATION, Step.EVALUATION_DIALOGUE)})
AGREEMENT = [REGISTERED, AGREED]
BOTH = [*AGREEMENT, filed("PARTNER"), filed("CITY")]

REFUSED = [
    # sentence                                                    rules           past                                     command                                          refusal
    ("an evaluation before anything is agreed",                   NO_RULES,       [REGISTERED],                            opened(),                                        errors.StatusForbids),
    ("a second evaluation of the same period",                    NO_RULES,       [*AGREEMENT, fact("open-evaluation", evaluation=1, period="2024")], fact("open-evaluation", evaluation=2, period="2024"), errors.AlreadyDone),
    ("the second evaluation first",                               NO_RULES,       AGREEMENT,                               opened(2),                                       errors.NumberOutOfSequence),
    ("an evaluation opened twice",                                NO_RULES,       [*AGREEMENT, opened()],                  opened(),                                        errors.NumberOutOfSequence),
    ("a paper on an evaluation that is not due",                  YEARLY,         AGREEMENT,                               filed("PARTNER"),                                errors.EvaluationNotOpen),
    ("a paper on the evaluation after the next",                  NO_RULES,       AGREEMENT,                               filed("PARTNER", 2),                             errors.EvaluationNotOpen),
    ("a second paper of one side",                                NO_RULES,       [*AGREEMENT, filed("PARTNER")],          filed("PARTNER"),                                errors.EvaluationNotOpen),
    ("a paper after they were revealed",                          NO_RULES,       [*BOTH, shared()],                       filed("CITIZEN"),                                errors.EvaluationNotOpen),
    ("a paper of a side that does not take part",                 TWO_SIDES,      AGREEMENT,                               filed("CITIZEN"),                                errors.EvaluationNotOpen),
    ("a score of an item that the programme lacks",               THREE_SIDES,    AGREEMENT,                               filed("CITY", scores=[{"item": "BEAUTY", "score": "5"}]), errors.CriterionUnknown),
    ("revealing what nobody filed",                               NO_RULES,       AGREEMENT,                               shared(),                                        errors.EvaluationNotOpen),
    ("revealing what is revealed",                                NO_RULES,       [*BOTH, shared()],                       shared(),                                        errors.EvaluationNotOpen),
    ("a dialogue before they are revealed",                       NO_RULES,       AGREEMENT,                               talked(),                                        errors.EvaluationNotOpen),
    ("a renewal before the evaluation that is required",          EVALUATED,      [REGISTERED, TERMED, filed("PARTNER"), filed("CITY")], renewed(1, "2023"),                errors.StepRequired),
    ("a second renewal on the first term's evaluation",           EVALUATED,      [REGISTERED, TERMED, filed("PARTNER"), filed("CITY"), shared(), talked(), renewed(1, "2023")], renewed(2, "2026"), errors.StepRequired),
]

UNKNOWN_WHEN_IMPORTED = [
    ("revealing one side alone",                                  NO_RULES,       [*AGREEMENT, filed("PARTNER")],          shared(),                                        errors.SidesMissing),
    ("revealing without the third side",                          THREE_SIDES,    BOTH,                                    shared(),                                        errors.SidesMissing),
]

ADMITTED = [
    # sentence                                                    rules           past                                                  command                             status after
    ("the clock opens an evaluation",                             YEARLY,         AGREEMENT,                                            opened().by(actor="X/clock"),       Status.AGREED),
    ("one side files",                                            YEARLY,         [*AGREEMENT, opened()],                               filed("PARTNER"),                   Status.AGREED),
    ("without a due date a side may begin",                       THREE_SIDES,    AGREEMENT,                                            filed("CITIZEN", scores=[{"item": "GOAL_REACHED", "score": "4"}]), Status.AGREED),
    ("both are revealed together",                                NO_RULES,       BOTH,                                                 shared(),                           Status.AGREED),
    ("they are talked over",                                      NO_RULES,       [*BOTH, shared()],                                    talked(),                           Status.AGREED),
    ("an evaluation after the end",                               NO_RULES,       [*AGREEMENT, MAINSTREAMED],                           opened(),                           Status.MAINSTREAMED),
    ("a renewal after the evaluation",                            EVALUATED,      [REGISTERED, TERMED, filed("PARTNER"), filed("CITY"), shared(), talked()], renewed(1, "2023"), Status.AGREED),
    ("the clock's renewal waits for no evaluation",               EVALUATED,      [REGISTERED, TERMED.but(auto_renewal=True)],          renewed(1, "2023-04-01").by(actor="X/clock"), Status.AGREED),
]
# fmt: on


@each(REFUSED, "refusal")
def test_what_breaks_a_rule_of_the_evaluation_is_refused(
    world: World | Rules, past: list[Fact], command: Fact, refusal: type[errors.RuleViolated]
) -> None:
    is_refused(past, command, refusal, world, imported="ANOMALY")


@each(UNKNOWN_WHEN_IMPORTED, "refusal")
def test_papers_that_a_source_does_not_show_are_unknown(
    world: World | Rules, past: list[Fact], command: Fact, refusal: type[errors.RuleViolated]
) -> None:
    is_refused(past, command, refusal, world, imported="UNKNOWN")


@each(ADMITTED, "status")
def test_what_the_rules_of_the_evaluation_allow(
    world: World | Rules, past: list[Fact], command: Fact, status: Status
) -> None:
    moves(past, command, status, world)


def test_both_papers_wait_under_one_embargo_that_their_revelation_lifts() -> None:
    assert draft(filed("PARTNER")).embargo() == draft(filed("CITY")).embargo() == "EVALUATION/1"
    assert tuple(draft(shared()).lifts()) == ("EVALUATION/1",)
    assert tuple(draft(filed("CITY")).lifts()) == ()


def test_evaluations_are_counted_by_term() -> None:
    first = [filed("PARTNER"), filed("CITY"), shared()]
    history = told(REGISTERED, TERMED, *first, renewed(1, "2023"), opened(2))
    assert [(e.number, e.renewals, e.shared) for e in history.state.evaluations] == [(1, 0, True), (2, 1, False)]
    assert when(history, filed("CITY", 2))
