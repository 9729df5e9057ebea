"""Where an event stands: dates in order, late entries, and what is corrected, retracted or no longer possible."""

# ruff: noqa: E501  (a table holds one story a line)

from __future__ import annotations

from collections.abc import Callable

import pytest

from domain import errors
from domain.event import Mode
from domain.history import History, fold
from domain.partnership.state import Partnership
from domain.vocabulary import Status
from tests.domain.facts import (
    AGREED,
    MET,
    NPO,
    REGISTERED,
    SCHOOL,
    TERMED,
    Fact,
    accepted,
    answering,
    asked_again,
    correction,
    decided_again,
    fact,
    given,
    placed,
    recorded,
    rejected,
    renewed,
    retraction,
    reviewed,
    submitted,
    then,
    when,
)

# --- Order and place ----------------------------------------------------------------------------------------


def dated(*years: str) -> History:
    return given(REGISTERED, *(MET.on(year) for year in years))


@pytest.mark.parametrize(
    ("years", "year"),
    [(["2003"], "2002"), (["2003", "XXXX"], "2002"), (["2003-05-01"], "2003-04"), (["2003", "[..2004]"], "2002-12-31")],
)
def test_a_live_event_dated_before_an_earlier_one_is_refused(years: list[str], year: str) -> None:
    with pytest.raises(errors.OutOfOrder):
        when(dated(*years), MET.on(year))


@pytest.mark.parametrize(
    ("years", "year"),
    [(["2003"], "2003"), (["2003-05-01"], "2003"), (["2003?"], "XXXX"), (["[2003..2005]"], "2004"), (["XXXX"], "1900")],
)
def test_a_live_event_that_may_have_happened_later_is_admitted(years: list[str], year: str) -> None:
    assert when(dated(*years), MET.on(year))


def test_a_statement_needs_no_order() -> None:
    assert when(dated("2003"), fact("file-party-statement", "2001", party="npo", text="we disagree"))


@pytest.mark.parametrize(
    ("year", "after", "fits"),
    [
        ("2004", 2, True),
        ("2004", 1, False),
        ("2006", 2, False),
        ("2004", 3, False),
        ("2002", 1, True),
        ("XXXX", 2, True),
        ("[2004..2007]", 2, True),
    ],
)
def test_a_retroactive_event_fits_between_its_neighbours_or_is_refused(year: str, after: int, *, fits: bool) -> None:
    history, forgotten = dated("2003", "2005"), placed(MET.on(year), after)
    if not fits:
        with pytest.raises((errors.DoesNotFit, errors.OutOfOrder)):
            when(history, forgotten, mode=Mode.RETROACTIVE)
        return
    event = when(history, forgotten, mode=Mode.RETROACTIVE)
    assert [e.version for e in then(history, forgotten, event).entries].index(4) == after


def test_retroactive_events_at_one_place_keep_the_order_of_entry() -> None:
    history = dated("2003", "2005")
    for year, after in (("2003-02", 2), ("2003-03", 4), ("2004", 2)):
        forgotten = placed(MET.on(year), after)
        history = then(history, forgotten, when(history, forgotten, mode=Mode.RETROACTIVE))
    assert [entry.version for entry in history.entries] == [1, 2, 4, 5, 6, 3]


def test_a_retroactive_event_is_judged_by_the_state_at_its_place() -> None:
    history = given(REGISTERED, submitted(1), rejected(1))
    forgotten = placed(reviewed(1), 2)
    with pytest.raises(errors.StatusForbids):
        when(history, reviewed(1), mode=Mode.RETROACTIVE)
    after = then(history, forgotten, when(history, forgotten, mode=Mode.RETROACTIVE))
    assert after.state.status is Status.REJECTED
    assert after.state.submissions[0].review is not None


@pytest.mark.parametrize("after", [3, 99])
def test_a_place_that_does_not_exist_is_refused(after: int) -> None:
    for command in (MET, fact("file-party-statement", party="npo", text="we disagree")):
        with pytest.raises(errors.NotFound):
            when(given(REGISTERED, MET), placed(command, after), mode=Mode.RETROACTIVE)
    with pytest.raises(errors.NotFound):
        when(given(), placed(REGISTERED, after), mode=Mode.RETROACTIVE)


def test_a_live_event_names_no_place() -> None:
    with pytest.raises(errors.LiveComesLast):
        when(given(REGISTERED, MET), placed(MET, 1))


def test_what_was_placed_behind_a_retracted_event_stays_there() -> None:
    history = dated("2003", "2005")
    for command in (placed(MET.on("2004"), 2), placed(MET.on("2004"), 4), retraction(4)):
        history = then(history, command, when(history, command, mode=Mode.RETROACTIVE))
    assert [entry.version for entry in history.entries] == [1, 2, 5, 3, 6]


# --- Corrections and retractions ----------------------------------------------------------------------------


@pytest.mark.parametrize("approved_by", [None, "S/officer"])
def test_a_correction_needs_a_second_person(approved_by: str | None) -> None:
    history = given(REGISTERED, submitted(1))
    for command in (correction(history, 2, budget_yen=5), retraction(2)):
        with pytest.raises(errors.ApprovalRequired):
            when(history, command.by(approved_by=approved_by))


def test_a_correction_replaces_fields_and_the_original_stays() -> None:
    history = given(REGISTERED, submitted(1, budget_yen=500), rejected(1))
    command = correction(history, 3, codes=["CAPACITY"])
    after = then(history, command, when(history, command))
    assert after.state.submissions[0].codes == ("CAPACITY",)
    assert after.recorded[2].event.codes == ("OBJECTIVES_UNCLEAR",)
    assert after.entries[2].corrected_by == 4


def test_an_event_can_be_corrected_twice_and_the_second_correction_taken_back() -> None:
    history = given(REGISTERED, submitted(1), rejected(1))
    for command, code in (
        (correction(history, 3, codes=["CAPACITY"]), "CAPACITY"),
        (correction(history, 3, codes=["VETO"]), "VETO"),
        (retraction(5), "CAPACITY"),
        (retraction(4), "OBJECTIVES_UNCLEAR"),
    ):
        history = then(history, command, when(history, command))
        assert history.state.submissions[0].codes == (code,)


def test_a_retracted_event_no_longer_counts() -> None:
    history = given(REGISTERED, submitted(1), rejected(1))
    after = then(history, retraction(3), when(history, retraction(3)))
    assert after.state.status is Status.PROPOSED
    assert after.state.pending is not None


def test_a_correction_keeps_the_kind_of_event() -> None:
    history = given(REGISTERED, submitted(1))
    command = correction(history, 2)
    with pytest.raises(errors.SubjectsDiffer):
        when(history, command.but(event="ProposalRejected"))


@pytest.mark.parametrize(
    ("target", "refusal"),
    [(9, errors.NotFound), (3, errors.AlreadyRevoked), (4, errors.AlreadyRevoked), (5, errors.AlreadyRevoked)],
    ids=["nothing there", "retracted", "a retraction", "a correction"],
)
def test_what_cannot_be_corrected(target: int, refusal: type[errors.DomainError]) -> None:
    history = given(REGISTERED, submitted(1), MET, retraction(3))
    history = then(history, correction(history, 2), when(history, correction(history, 2)))
    command = fact("correct-event", target=target, event="MeetingHeld", event_schema=1, data={}, reason="why")
    with pytest.raises(refusal):
        when(history, command)


def test_the_registration_is_not_retracted() -> None:
    with pytest.raises(errors.AlreadyRevoked):
        when(given(REGISTERED), retraction(1))


def test_an_event_is_retracted_once() -> None:
    history = given(REGISTERED, MET, retraction(2))
    with pytest.raises(errors.AlreadyRevoked):
        when(history, retraction(2))


def test_a_correction_does_not_get_around_a_rule() -> None:
    history = given(REGISTERED, submitted(1), rejected(1), AGREED.on("2005"))
    with pytest.raises(errors.ReasonRequired):
        when(history, correction(history, 3, codes=[]))
    with pytest.raises(errors.NotFound):
        when(history, correction(history, 4, parties=[NPO, SCHOOL]))
    with pytest.raises(errors.SubmissionNumberWrong):
        when(history, correction(history, 2, submission=7))
    with pytest.raises(errors.DoesNotFit):
        when(history, correction(history, 3, valid={"edtf": "2006"}))
    with pytest.raises(errors.NotFound):
        when(history, correction(history, 3, placed_after=4))


def test_a_correction_tolerates_what_its_imported_target_broke_and_finds_what_no_longer_breaks() -> None:
    history = given(REGISTERED)
    event = when(history, rejected(1), mode=Mode.IMPORT)
    history = recorded(history, rejected(1), event, Mode.IMPORT)
    assert {a.rule for a in history.state.anomalies} == {"StatusForbids", "SubmissionNotPending"}
    command = correction(history, 2, codes=["VETO"])
    assert when(history, command).model_dump()["data"]["breaks"] == ["StatusForbids", "SubmissionNotPending"]
    forgotten = placed(submitted(1), 1)
    history = then(history, forgotten, when(history, forgotten, mode=Mode.RETROACTIVE))
    after = then(history, command, when(history, command))
    assert after.state.anomalies == ()


def test_a_discrepancy_may_be_noted_on_any_stream_that_exists() -> None:
    command = fact("note-source-discrepancy", about="DATE")
    assert when(given(REGISTERED), command)
    with pytest.raises(errors.NotFound):
        when(given(), command)


# --- A past that later events forbid ------------------------------------------------------------------------

STORY = (REGISTERED, submitted(1), rejected(1), answering(2, 1), accepted(2))

FORBIDDEN = [
    # sentence, past, command
    ("retracting the rejection that a resubmission answers", STORY, lambda _: retraction(3)),
    ("retracting the submission that was rejected", STORY, lambda _: retraction(2)),
    ("retracting the invitation that was accepted", (REGISTERED, fact("invite-party", party="school", name_ja="小学校"), fact("accept-invitation", party="school")), lambda _: retraction(2)),
    ("retracting the request that was resolved", (REGISTERED, submitted(1), rejected(1), asked_again(), decided_again("UPHELD")), lambda _: retraction(4)),
    ("leaving a party out that is spoken of later", (REGISTERED, MET), lambda past: correction(past, 1, parties=[{"party": SCHOOL, "name_ja": "A" * 43}])),
    ("leaving a condition out that was fulfilled", (REGISTERED, submitted(1), accepted(1, conditions=["insure"]), fact("fulfil-condition", condition=1)), lambda past: correction(past, 3, conditions=[])),
    ("a shorter term than that of a renewal in time", (REGISTERED, TERMED, renewed(1, "2023-03-01")), lambda past: correction(past, 2, term="P1Y")),
    ("a withdrawal before the rejection", STORY, lambda _: placed(fact("withdraw-proposal", submission=1), 2)),
    ("an end before what was agreed", (REGISTERED, AGREED, fact("start-activity")), lambda _: placed(fact("complete-partnership"), 2)),
]  # fmt: skip


@pytest.mark.parametrize(("past", "command"), [row[1:] for row in FORBIDDEN], ids=[row[0] for row in FORBIDDEN])
def test_what_would_make_a_later_event_impossible_is_refused(
    past: tuple[Fact, ...], command: Callable[[History], Fact]
) -> None:
    history = given(*past)
    asked = command(history)
    modes = [Mode.RETROACTIVE] if asked.data.get("placed_after") else [Mode.LIVE, Mode.RETROACTIVE]
    for mode in modes:
        with pytest.raises(errors.LaterEventForbids) as refused:
            when(history, asked, mode=mode)
        assert "?" not in refused.value.message("en") + refused.value.message("ja"), "a detail is missing"
    imported = when(history, asked, mode=Mode.IMPORT)
    assert "LaterEventForbids" in imported.breaks


def test_what_came_later_is_named_and_once_it_is_retracted_the_earlier_can_be() -> None:
    history = given(REGISTERED, submitted(1), rejected(1), answering(2, 1))
    with pytest.raises(errors.LaterEventForbids, match=r"ProposalSubmitted \(number 4\)"):
        when(history, retraction(3))
    for target in (4, 3):
        history = then(history, retraction(target), when(history, retraction(target)))
    assert history.state.status is Status.PROPOSED


def test_a_later_event_that_broke_a_rule_already_forbids_nothing() -> None:
    history = given(REGISTERED, submitted(1))
    imported = when(history, accepted(7), mode=Mode.IMPORT)
    history = recorded(history, accepted(7), imported, Mode.IMPORT)
    after = then(history, retraction(2), when(history, retraction(2)))
    assert after.state.submissions == ()


@pytest.mark.parametrize(
    ("command", "status", "codes"),
    [
        (lambda past: correction(past, 3, codes=["CAPACITY"]), Status.REJECTED, ("CAPACITY",)),
        (lambda _: retraction(3), Status.PROPOSED, ()),
        (lambda _: placed(reviewed(), 2), Status.REJECTED, ("OBJECTIVES_UNCLEAR",)),
    ],
    ids=["a correction", "a retraction", "a retroactive entry"],
)
def test_the_current_view_changes_and_the_view_as_of_before_does_not(
    command: Callable[[History], Fact], status: Status, codes: tuple[str, ...]
) -> None:
    before = given(REGISTERED, submitted(1), rejected(1))
    asked = command(before)
    after = then(before, asked, when(before, asked, mode=Mode.RETROACTIVE), Mode.RETROACTIVE)
    assert (after.state.status, after.state.submissions[0].codes) == (status, codes)
    assert after.state != before.state
    assert fold(Partnership(), after.recorded[: before.version]) == before
