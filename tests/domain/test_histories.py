"""Histories that the state machine found, told again as plainly as they can be."""

from __future__ import annotations

import pytest

from domain import errors
from domain.commands import BY_NAME
from domain.decider import decide
from domain.event import Context, Meta, Mode
from domain.rules import Rules, TrialRules
from domain.vocabulary import Status, Step
from tests.domain.facts import (
    ACTIVE,
    MET,
    REGISTERED,
    TERMED,
    accepted,
    asked_again,
    correction,
    decided_again,
    draft,
    fact,
    given,
    placed,
    rejected,
    renewed,
    retraction,
    reviewed,
    submitted,
    then,
    told,
    when,
)


def test_a_date_does_not_come_back_once_later_events_would_contradict_it() -> None:
    history = told(REGISTERED, MET.on("2004"))
    earlier = correction(history, 2, valid={"edtf": "2002"})
    history = then(history, earlier, when(history, earlier))
    history = then(history, MET.on("2003"), when(history, MET.on("2003")))
    with pytest.raises(errors.LaterEventForbids, match="DoesNotFit"):
        when(history, retraction(3))


def test_what_was_placed_behind_an_event_does_not_follow_it_to_where_its_date_is_wrong() -> None:
    history = given(REGISTERED, MET.on("2003"), MET.on("2005"), MET.on("XXXX"), placed(MET.on("2006"), 4))
    with pytest.raises(errors.LaterEventForbids, match="DoesNotFit"):
        when(history, correction(history, 4, placed_after=1))


def test_a_corrected_event_is_judged_by_the_programme_of_its_correction() -> None:
    history = given(REGISTERED, submitted(1), reviewed(1), accepted(1))
    moved = correction(history, 4, valid={"edtf": "2006-05-01"}).by(programme="partnership", programme_version=2)
    history = then(history, moved, when(history, moved))
    needs_review = Rules(requires={Step.ACCEPTANCE: (Step.REVIEW,)})

    def rules_of(meta: Meta) -> Rules:
        return needs_review if meta.programme_version == 2 else Rules()

    retract = retraction(3)
    meta = Meta(actor="S/officer", recorded_by="S/officer", approved_by="Z/second")
    with pytest.raises(errors.LaterEventForbids, match="StepRequired"):
        decide(history, Context(rules=Rules(), rules_of=rules_of), BY_NAME[retract.command], draft(retract), meta)


def test_a_correction_may_leave_its_target_behind_what_was_retracted_since() -> None:
    history = told(REGISTERED, MET.on("2004"))
    forgotten = placed(MET.on("2004"), 2)
    history = then(history, forgotten, when(history, forgotten, mode=Mode.RETROACTIVE), Mode.RETROACTIVE)
    history = then(history, retraction(2), when(history, retraction(2)))
    command = correction(history, 3, meetings=3)
    after = then(history, command, when(history, command))
    assert [entry.version for entry in after.entries] == [1, 3, 4, 5]
    with pytest.raises(errors.NotFound):
        when(after, placed(MET, 2), mode=Mode.RETROACTIVE)


def test_a_rejection_is_not_turned_while_another_proposal_awaits_its_decision() -> None:
    rules, turned = Rules(trial=TrialRules()), decided_again("ACCEPTED")
    under_way = (REGISTERED, fact("start-trial"), submitted(1), rejected(1), asked_again())
    assert then(told(*under_way, world=rules), turned, draft(turned)).state.status is Status.ACCEPTED
    with pytest.raises(errors.SubmissionPending):
        when(told(*under_way, submitted(2), world=rules), turned, rules)


@pytest.mark.parametrize("left", ["decline-acceptance", "revoke-acceptance"])
def test_conditions_end_with_the_acceptance_that_made_them(left: str) -> None:
    leaving = fact(left, reason="BUDGET_NOT_PASSED", decided_by="city", authority="MAYOR")
    leaving = leaving.but(decided_by=None, authority=None) if left == "decline-acceptance" else leaving
    surveyed = fact("start-needs-survey")
    state = told(REGISTERED, accepted().but(conditions=["a budget"]), leaving, surveyed).state
    assert (state.conditions, state.accepted) == (0, False)


def test_a_second_suspension_in_an_earlier_record_does_not_outlast_the_resumption() -> None:
    suspended, resumed = fact("suspend-partnership"), fact("resume-partnership")
    assert given(REGISTERED, ACTIVE, suspended, suspended, resumed).state.status is Status.ACTIVE


@pytest.mark.parametrize(
    ("agreed", "term", "again"), [("9999-12-31", "P1Y", "9999-12-31"), ("0001-01-01", "P0D", "0001-01-01")]
)
def test_a_term_at_either_end_of_the_calendar_is_no_accident(agreed: str, term: str, again: str) -> None:
    history = told(REGISTERED, TERMED.on(agreed).but(term=term))
    assert when(history, renewed(1, again))
