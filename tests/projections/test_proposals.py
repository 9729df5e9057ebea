"""Proposals as readers ask for them: why was it rejected, who decided, what did the panel say, is it still open."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from projections.replay import check
from projections.worker import Worker
from tests.projections.conftest import Town

MakeTown = Callable[[], Town]
Rows = Callable[..., list[dict[str, Any]]]
DECIDED = {"decided_by": "city", "authority": "MAYOR"}


def submitted(town: MakeTown, **data: Any) -> Town:
    here = town()
    here.register("P1")
    proposal = {
        "submission": 1,
        "kind": "NEW",
        "proposed_by": "CITIZENS",
        "party": "npo",
        "objective": "放課後の居場所",
    }
    here.give("P1", "submit-proposal", valid="2016-05", **proposal | data)
    return here


def test_a_submission_is_told_with_its_dates_its_budget_and_its_closed_text(
    town: MakeTown, worker: Worker, rows: Rows
) -> None:
    here = submitted(town, budget_yen=500_000)
    worker.catch_up()
    (shown,) = rows(here, "proposal")
    assert (shown["number"], shown["kind"], shown["proposed_by"], shown["answers"]) == (1, "NEW", "CITIZENS", None)
    assert (shown["submitted"], shown["year_from"], shown["year_until"]) == ("2016-05", 2016, 2016)
    assert (shown["submitted_earliest"], shown["submitted_latest"]) == (date(2016, 5, 1), date(2016, 5, 31))
    assert (shown["budget_yen"], shown["programme"], shown["programme_version"]) == (500_000, "partnership", 1)
    assert (shown["outcome"], shown["decided"], shown["actor"], shown["panel"]) == (None, None, None, None)
    assert shown["submitted_position"] == shown["known_from"] == 3
    assert shown["objective_digest"] is not None
    assert shown["objective"] is None, "it stays closed until the decision"


def test_a_rejection_is_told_with_who_decided_and_why(town: MakeTown, worker: Worker, rows: Rows) -> None:
    here = submitted(town)
    why = {"codes": ["CAPACITY", "BUDGET_UNSOUND"], "public_explanation": "体制が整わない", "advice": "仲間を増やす"}
    here.give("P1", "reject-proposal", valid="2016-07-01", submission=1, **why, **DECIDED)
    worker.catch_up()
    (shown,) = rows(here, "proposal")
    assert (shown["outcome"], shown["decided"], shown["decided_latest"]) == (
        "REJECTED",
        "2016-07-01",
        date(2016, 7, 1),
    )
    assert (shown["actor"], shown["authority"], shown["decided_position"]) == ("S/officer", "MAYOR", 4)
    assert shown["reasons"] == ["CAPACITY", "BUDGET_UNSOUND"]
    assert (shown["explanation"], shown["advice"]) == ("体制が整わない", "仲間を増やす")
    assert shown["objective"] == "放課後の居場所"
    (before,) = rows(here, "proposal", at=3)
    assert (before["outcome"], before["reasons"], before["objective"]) == (None, [], "放課後の居場所")


def test_a_resubmission_is_a_row_of_its_own_that_names_the_rejection_it_answers(
    town: MakeTown, worker: Worker, rows: Rows
) -> None:
    here = submitted(town)
    here.give("P1", "reject-proposal", submission=1, codes=["CAPACITY"], public_explanation="体制", **DECIDED)
    again = {"submission": 2, "kind": "RESUBMISSION", "proposed_by": "CITIZENS", "answers_rejection_of": 1}
    here.give("P1", "submit-proposal", valid="2017-05", **again)
    here.give("P1", "accept-proposal", submission=2, conditions=["名簿を出す", "保険に入る"], note="期待", **DECIDED)
    here.give("P1", "fulfil-condition", condition=2)
    worker.catch_up()
    first, second = rows(here, "proposal")
    assert (first["outcome"], second["outcome"]) == ("REJECTED", "ACCEPTED")
    assert (second["kind"], second["answers"], second["budget_yen"]) == ("RESUBMISSION", 1, None)
    assert (second["conditions"], second["fulfilled"]) == (["名簿を出す", "保険に入る"], [2])
    assert (second["note"], second["decided_position"], second["known_from"]) == ("期待", 6, 7)
    assert check(here.book.database, worker.keys, here.id) == []


def test_the_panel_s_averages_are_told_once_it_has_spoken(town: MakeTown, worker: Worker, rows: Rows) -> None:
    here = submitted(town)
    members = [{"reviewer": "one"}, {"reviewer": "two"}, {"reviewer": "kin", "belongs_to": "npo"}]
    here.give("P1", "open-review", submission=1, members=members)
    here.give("P1", "hold-presentation", submission=1)
    for reviewer, score in (("one", 4), ("two", 5)):
        here.give("P1", "record-score", submission=1, reviewer=reviewer, criterion="BENEFIT", score=score)
    worker.catch_up()
    (open_,) = rows(here, "proposal")
    assert (open_["panel"], open_["recused"], open_["presented"], open_["averages"]) == (3, 1, True, [])
    assert open_["known_from"] == 5, "single scores change nothing that it shows"
    here.give("P1", "issue-recommendation", submission=1, result="RECOMMENDED", weighted_total=9_000, comment="良い")
    worker.catch_up()
    (shown,) = rows(here, "proposal")
    counted = {"criterion": "BENEFIT", "hundredths": 450, "stated": False, "reviewers": 2}
    assert (shown["recommended"], shown["weighted_total"], shown["averages"]) == (True, 9_000, [counted])
    assert shown["review_comment"] is None, "it waits for the decision"


def test_averages_that_the_panel_stated_are_told_as_stated(town: MakeTown, worker: Worker, rows: Rows) -> None:
    here = submitted(town)
    here.give("P1", "open-review", submission=1, panel=5)
    averages = [{"criterion": "BENEFIT", "hundredths": 380}]
    here.give("P1", "issue-recommendation", submission=1, result="NOT_RECOMMENDED", present=5, averages=averages)
    worker.catch_up()
    (shown,) = rows(here, "proposal")
    assert shown["averages"] == [{"criterion": "BENEFIT", "hundredths": 380, "stated": True}]
    assert (shown["panel"], shown["present"], shown["recommended"]) == (5, 5, False)


def test_a_rejection_that_is_decided_again_shows_both_ways(town: MakeTown, worker: Worker, rows: Rows) -> None:
    here = submitted(town)
    here.give("P1", "reject-proposal", submission=1, codes=["CAPACITY"], public_explanation="体制", **DECIDED)
    here.give("P1", "request-reconsideration", submission=1, by="npo")
    worker.catch_up()
    assert rows(here, "proposal")[0]["reconsidering"] is True
    here.give("P1", "resolve-reconsideration", submission=1, outcome="ACCEPTED", reason="体制が整った", **DECIDED)
    worker.catch_up()
    (shown,) = rows(here, "proposal")
    assert (shown["outcome"], shown["reconsidered"], shown["reconsidering"]) == ("ACCEPTED", "ACCEPTED", False)
    assert (shown["decided_position"], shown["note"], shown["reasons"]) == (6, "体制が整った", ["CAPACITY"])


def test_an_acceptance_that_did_not_last_says_so(town: MakeTown, worker: Worker, rows: Rows) -> None:
    here = submitted(town)
    here.give("P1", "accept-proposal", submission=1, **DECIDED)
    here.give("P1", "revoke-acceptance", valid="2017-03-31", reason="BUDGET_NOT_PASSED", **DECIDED)
    worker.catch_up()
    (shown,) = rows(here, "proposal")
    assert (shown["outcome"], shown["undone"], shown["undone_on"]) == ("ACCEPTED", "REVOKED", "2017-03-31")


def test_a_withdrawn_explanation_is_gone_from_every_version(town: MakeTown, worker: Worker, rows: Rows) -> None:
    here = submitted(town)
    here.give("P1", "accept-proposal", submission=1, conditions=["電話番号", "保険"], **DECIDED)
    here.give("P1", "fulfil-condition", condition=1)
    worker.catch_up()
    (shown,) = rows(here, "proposal")
    slip = shown["conditions_digest"][0]
    here.give("P1", "withdraw-publication", disclosure=slip, reason="PERSONAL_DATA")
    worker.catch_up()
    for at in (4, 5):
        (version,) = rows(here, "proposal", at=at)
        assert version["conditions"] == [None, "保険"]
        assert version["conditions_digest"][0] == slip
    assert check(here.book.database, worker.keys, here.id) == []
