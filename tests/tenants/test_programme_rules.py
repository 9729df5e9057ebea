"""A city writes its rules as TOML alone, and they bind: a veto criterion, and a deadline for the published decision."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from domain import errors
from domain.clock import Due, due
from domain.event import Mode
from domain.programme import Programme
from domain.vocabulary import Status
from tenants.book import Book, Request
from tenants.city_keys import CityKeys
from tenants.database import Database
from tenants.programmes import InvalidFile, load_programmes
from tenants.registry import register

CITY = """
slug = "town"
municipal_code = "142131"
name_ja = "町"
name_en = "Town"
"""

PROGRAMME = """
programme = "proposals"
title_ja = "市民提案制度"

[[versions]]
version = 1
valid = "2024-04"

[versions.rules.proposal]
call = "OPEN_CALL"

[versions.rules.requires]
ACCEPTANCE = ["RECOMMENDATION"]
"""

VETO = """
[versions.rules.review]
quorum = 3
threshold = 6000
criteria = [
  { code = "PUBLIC_BENEFIT", local = "公益性", veto_at = 2 },
  { code = "FEASIBILITY", local = "実現性", weight = 9 },
]
"""

DEADLINE = """
[[versions.rules.deadlines]]
what = "DECISION"
within = "P6M"
after = "CALL_CLOSED"
"""


def request(command: str, day: str, actor: str = "S/officer", **data: Any) -> Request:
    return Request(command=command, data=data, valid={"edtf": day}, actor=actor, recorded_by="S/officer")


REGISTERED = request(
    "register-partnership",
    "2024-05-01",
    number="P1",
    programme="proposals",
    title_ja="見守り",
    parties=[
        {"party": "town/npo", "kind": "NPO", "name_ja": "見守りの会"},
        {"party": "town/city", "kind": "MUNICIPALITY", "name_ja": "町"},
    ],
)
SUBMITTED = request(
    "submit-proposal", "2024-05-10", "P/npo", submission=1, kind="NEW", proposed_by="CITIZENS", call="SPRING"
)
ACCEPTED = request("accept-proposal", "2024-08-01", "A/mayor", submission=1, decided_by="town/city", authority="MAYOR")
VETOED = request(
    "reject-proposal",
    "2024-08-01",
    "A/mayor",
    submission=1,
    codes=["VETO"],
    public_explanation="公益性を過半数の委員が認めなかった",
    decided_by="town/city",
    authority="MAYOR",
)


def recommended(result: str) -> Request:
    return request("issue-recommendation", "2024-07-01", "R/chair", submission=1, result=result, present=5)


@pytest.fixture
def town(database: Database, keys: CityKeys, tmp_path: Path) -> Callable[[str], Book]:
    """Registers a city with one programme, written as TOML, and opens its call of spring 2024."""

    def written(*rules: str) -> Book:
        (tmp_path / "programmes").mkdir()
        (tmp_path / "city.toml").write_text(CITY, encoding="utf-8")
        (tmp_path / "programmes" / "proposals.toml").write_text("".join((PROGRAMME, *rules)), encoding="utf-8")
        city, _ = register(database, keys, tmp_path)
        book = Book(database, keys, city.tenant_id)
        call = request("open-call", "2024-05-01", call="SPRING", closes="2024-05-31")
        book.execute(book.stream("programme", "proposals"), call)
        return book

    return written


def reviewed(book: Book, stream: UUID, benefit: list[int]) -> None:
    """A submission with a panel that finds it feasible without exception, and of so much public benefit."""
    plan = book.plan()
    for each in (REGISTERED, SUBMITTED, request("open-review", "2024-06-10", submission=1, panel=len(benefit))):
        plan.add(stream, each)
    for no, score in enumerate(benefit):
        for criterion, points in (("PUBLIC_BENEFIT", score), ("FEASIBILITY", 5)):
            score_of = {"submission": 1, "reviewer": f"r{no}", "criterion": criterion, "score": points}
            plan.add(stream, request("record-score", "2024-06-20", f"R/r{no}", **score_of))
    plan.commit()


# --- A veto criterion ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("benefit", [[2, 2, 2, 5, 5], [1, 1, 1, 1, 1], [2, 1, 5]])
def test_a_majority_that_sees_no_public_benefit_rejects_whatever_the_total(
    town: Callable[..., Book], benefit: list[int]
) -> None:
    book = town(VETO)
    stream = book.stream("partnership", "P1")
    reviewed(book, stream, benefit)
    size = book.recorder.max_notification_id()
    with pytest.raises(errors.Vetoed, match=r"PUBLIC_BENEFIT"):
        book.execute(stream, recommended("RECOMMENDED"))
    assert book.recorder.max_notification_id() == size
    book.execute(stream, recommended("NOT_RECOMMENDED"))
    with pytest.raises(errors.Vetoed) as refused:
        book.execute(stream, ACCEPTED)
    assert "公益性" not in refused.value.message("ja"), "names are texts, a refusal names the code"
    book.execute(stream, VETOED)
    history = book.history(stream)
    assert history is not None
    assert history.state.status is Status.REJECTED
    assert history.state.submissions[0].codes == ("VETO",)


@pytest.mark.parametrize("benefit", [[2, 2, 5, 5, 5], [1, 3, 3], [2, 2, 3, 3]])
def test_a_minority_of_low_scores_does_not_veto(town: Callable[..., Book], benefit: list[int]) -> None:
    book = town(VETO)
    stream = book.stream("partnership", "P1")
    reviewed(book, stream, benefit)
    for each in (recommended("RECOMMENDED"), ACCEPTED):
        book.execute(stream, each)
    history = book.history(stream)
    assert history is not None
    assert (history.state.status, history.state.anomalies) == (Status.ACCEPTED, ())


def test_without_the_veto_in_the_file_the_total_decides(town: Callable[..., Book]) -> None:
    book = town(VETO.replace(", veto_at = 2", ""))
    stream = book.stream("partnership", "P1")
    reviewed(book, stream, [1, 1, 1])
    for each in (recommended("RECOMMENDED"), ACCEPTED):
        book.execute(stream, each)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (VETO.replace("veto_at = 2", "veto_at = 5"), "veto_at must lie within the scale"),
        (VETO.replace("veto_at", "vetoat"), "vetoat"),
        (DEADLINE.replace("P6M", "6 months"), "within"),
        (DEADLINE.replace("DECISION", "PARTY"), "what"),
    ],
)
def test_a_rule_that_cannot_be_read_is_named_and_no_city_is_entered(
    town: Callable[..., Book], tmp_path: Path, wrong: str, says: str
) -> None:
    with pytest.raises(InvalidFile, match=says):
        town(wrong)
    with pytest.raises(InvalidFile, match=says):
        load_programmes(tmp_path)


# --- A deadline for the published decision ------------------------------------------------------------------

MISSED = Due("miss-deadline", {"what": "DECISION", "number": 1, "due": "2024-11-30"}, "2024-12-01")


def waiting(book: Book, stream: UUID, today: date) -> list[Due]:
    """What the clock finds due on the day."""
    history, programme = book.history(stream), book.history(book.stream("programme", "proposals"))
    assert history is not None
    assert programme is not None
    state: Programme = programme.state
    return due(history, state.versions[-1].rules, state.calls, today)


def test_a_decision_that_is_not_published_half_a_year_after_the_call_is_flagged_once(
    town: Callable[..., Book],
) -> None:
    book = town(DEADLINE)
    stream = book.stream("partnership", "P1")
    for each in (REGISTERED, SUBMITTED):
        book.execute(stream, each)
    assert waiting(book, stream, date(2024, 11, 30)) == [], "the last day is in time"
    assert waiting(book, stream, date(2024, 12, 1)) == [MISSED]
    assert waiting(book, stream, date(2025, 4, 1)) == [MISSED], "valid on the day after, whenever it is noticed"
    early = request(MISSED.command, "2024-11-30", "X/clock", **MISSED.data)
    with pytest.raises(errors.NotDue):
        book.execute(stream, early)
    book.execute(stream, request(MISSED.command, MISSED.valid, "X/clock", **MISSED.data))
    assert waiting(book, stream, date(2025, 4, 1)) == [], "once"
    history = book.history(stream)
    assert history is not None
    assert (history.state.status, history.state.missed) == (Status.PROPOSED, (("DECISION", 1),))
    with pytest.raises(errors.NotDue):
        book.execute(stream, request(MISSED.command, MISSED.valid, "X/clock", **MISSED.data))


def test_the_time_runs_from_the_day_on_which_the_call_was_closed_in_fact(town: Callable[..., Book]) -> None:
    book = town(DEADLINE)
    stream = book.stream("partnership", "P1")
    for each in (REGISTERED, SUBMITTED):
        book.execute(stream, each)
    book.execute(book.stream("programme", "proposals"), request("close-call", "2024-05-20", call="SPRING"))
    assert waiting(book, stream, date(2024, 11, 20)) == []
    assert [each.data["due"] for each in waiting(book, stream, date(2024, 11, 21))] == ["2024-11-20"]


def test_what_was_decided_or_withdrawn_in_time_is_not_flagged(town: Callable[..., Book]) -> None:
    book = town(DEADLINE)
    decided, withdrawn = (book.stream("partnership", number) for number in ("P1", "P2"))
    reviewed(book, decided, [3, 3, 3])
    for each in (recommended("NOT_RECOMMENDED"), VETOED):
        book.execute(decided, each)
    for each in (REGISTERED, SUBMITTED, request("withdraw-proposal", "2024-06-01", "P/npo", submission=1)):
        book.execute(withdrawn, each)
    assert waiting(book, decided, date(2025, 4, 1)) == waiting(book, withdrawn, date(2025, 4, 1)) == []


def test_without_the_deadline_in_the_file_nothing_is_due(town: Callable[..., Book]) -> None:
    book = town()
    stream = book.stream("partnership", "P1")
    for each in (REGISTERED, SUBMITTED):
        book.execute(stream, each)
    assert waiting(book, stream, date(2034, 1, 1)) == []


def test_a_decision_entered_later_from_the_files_shows_that_it_was_in_time(town: Callable[..., Book]) -> None:
    book = town(DEADLINE)
    stream = book.stream("partnership", "P1")
    for each in (REGISTERED, SUBMITTED, request(MISSED.command, MISSED.valid, "X/clock", **MISSED.data)):
        book.execute(stream, each)
    late = {"mode": Mode.RETROACTIVE, "placed_after": 2}
    review = request("open-review", "2024-06-10", submission=1).model_copy(update=late)
    book.execute(stream, review)
    rejection = VETOED.model_copy(update=late | {"placed_after": 4})
    book.execute(stream, rejection)
    history = book.history(stream)
    assert history is not None
    assert [entry.version for entry in history.entries] == [1, 2, 4, 5, 3]
    assert history.state.status is Status.REJECTED
