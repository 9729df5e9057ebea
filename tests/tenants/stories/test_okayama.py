"""Okayama 岡山市: 相談 → 協議 → 実践, with a needs survey and model years on grants by open call, then mainstreamed."""

# ruff: noqa: E501  (a story has one command a line)

from __future__ import annotations

import pytest

from domain import errors
from domain.event import Mode
from domain.vocabulary import Status
from tenants.book import Book
from tests.tenants.stories.telling import Said, decision, names, refuse, said, tell

SLUG = "okayama"
CATS, CENTRE, HEALTH, HALL = "okayama/cats", "okayama/centre", "okayama/health-centre", "okayama/community-hall"

SURVEY_CALL = said(
    "2017-04-01",
    "S/planning",
    "open-call",
    call="SURVEY_2017",
    fiscal_year=2017,
    closes="2017-05-31",
    budget_yen=300_000,
)
MODEL_CALLS = [
    said("2018-02-01", "S/planning", "open-call", call="MODEL_2018", fiscal_year=2018, closes="2018-03-31"),
    said("2019-02-01", "S/planning", "open-call", call="MODEL_2019", fiscal_year=2019),
    said("2019-03-20", "S/planning", "close-call", call="MODEL_2019"),
]


@pytest.fixture(scope="module", autouse=True)
def calls(city: Book) -> None:
    """The calls of both grants."""
    tell(city, city.stream("programme", "needs-survey"), SURVEY_CALL)
    tell(city, city.stream("programme", "model-project"), *MODEL_CALLS)


CONSULTED = said("2017-01-10", "D/health", "open-consultation", topic="飼い主のいない猫", programme="ordinance")
REGISTERED = said(
    "2017-02-01",
    "C/centre",
    "register-partnership",
    number="D1",
    programme="ordinance",
    title_ja="地域猫",
    origin="CONSULTATION",
    city_role="PARTY",
    parties=[
        {"party": CATS, "kind": "CITIZEN_GROUP", "name_ja": "猫の会"},
        {"party": CENTRE, "kind": "INTERMEDIARY", "name_ja": "ESD・市民協働推進センター"},
        {"party": HEALTH, "kind": "DEPARTMENT", "name_ja": "保健所衛生課"},
    ],
)
DELIBERATED = [
    said(
        "2017-02-10",
        "C/centre",
        "invite-party",
        party=HALL,
        kind="COMMUNITY_HALL",
        name_ja="公民館",
        by=CENTRE,
        how="OPEN_RECRUITMENT",
    ),
    said("2017-02-20", "P/hall", "accept-invitation", party=HALL),
    said(
        "2017-03-01",
        "C/centre",
        "hold-meeting",
        kind="DELIBERATION",
        convened_by=CENTRE,
        attendees=[CATS, HEALTH, HALL],
    ),
]
REACHED = [CONSULTED, REGISTERED, *DELIBERATED]


def proposed(day: str, submission: int, programme: str, call: str | None, **data: object) -> Said:
    kind = {"kind": "NEW", "proposed_by": "CITIZENS", "party": CATS}
    named = {"submission": submission, "programme": programme, "call": call}
    return said(day, "P/cats", "submit-proposal", **kind | named | data)


def accepted(day: str, submission: int) -> Said:
    return decision(day, "accept-proposal", by=HEALTH, authority="BUREAU_CHIEF", submission=submission)


def model_year(day: str, n: int, programme: str = "model-project") -> Said:
    return said(
        day, "D/health", "start-model-year", programme=programme, n=n, fiscal_year=2017 + n, done_by=[CATS, HEALTH]
    )


def completed(day: str, n: int) -> Said:
    return said(day, "D/health", "complete-model-year", programme="model-project", n=n, fiscal_year=2017 + n)


def granted(day: str, grant: str, yen: int) -> Said:
    return said(
        day,
        "A/bureau",
        "decide-grant",
        grant=grant,
        programme="model-project",
        payee=CATS,
        yen=yen,
        fiscal_year=2018,
        decided_by=HEALTH,
    )


def paid(day: str, grant: str, yen: int) -> Said:
    return said(day, "D/health", "record-payment", payee=CATS, grant=grant, yen=yen, fiscal_year=2018)


SURVEYED = [
    proposed("2017-05-01", 1, "needs-survey", "SURVEY_2017", budget_yen=300_000),
    accepted("2017-06-15", 1),
    said("2017-07-01", "P/cats", "start-needs-survey", programme="needs-survey", fiscal_year=2017, grant_yen=300_000),
    said(
        "2018-01-31", "P/cats", "report-needs-survey", programme="needs-survey", findings=["活動への理解を広げること"]
    ),
]
FIRST = [
    proposed("2018-03-01", 2, "model-project", "MODEL_2018"),
    accepted("2018-04-01", 2),
    model_year("2018-04-02", 1),
]


def test_what_is_consulted_on_is_surveyed_tried_for_two_years_and_mainstreamed(city: Book) -> None:
    stream = city.stream("partnership", "D1")
    state = tell(city, stream, *REACHED).state
    assert (state.status, state.consulted, state.meetings) == (Status.DELIBERATING, True, 1)
    state = tell(city, stream, *SURVEYED).state
    assert (state.status, state.surveys) == (Status.SURVEYING, (True,))
    state = tell(
        city, stream, *FIRST, granted("2018-05-01", "G2018", 500_000), paid("2018-06-01", "G2018", 500_000)
    ).state
    assert (state.status, state.model_years) == (Status.MODEL_YEAR, (("model-project", 1, False),))

    # A proposal to go on leaves the first year under way while it is decided.
    state = tell(city, stream, proposed("2019-02-15", 3, "model-project", "MODEL_2019", kind="CONTINUATION")).state
    assert (state.status, state.pending.number) == (Status.MODEL_YEAR, 3)
    history = tell(
        city,
        stream,
        completed("2019-03-31", 1),
        accepted("2019-04-01", 3),
        model_year("2019-04-02", 2),
        said("2019-04-10", "D/health", "settle-grant", grant="G2018", yen=450_000),
        said("2019-04-20", "D/health", "order-refund", grant="G2018", yen=50_000, due="2019-05-31"),
        said(
            "2020-03-20",
            "D/health",
            "report-outcome",
            report_by=HEALTH,
            indicators=[{"code": "GROUPS_ACTIVE", "direction": "UP"}],
        ),
        completed("2020-03-31", 2),
        said(
            "2020-04-01",
            "A/mayor",
            "mainstream-partnership",
            fiscal_year=2020,
            basis_text="一般施策化",
            decided_by=HEALTH,
        ),
    )
    state = history.state
    assert (state.status, state.ended) == (Status.MAINSTREAMED, "2020-04-01")
    assert state.model_years == (("model-project", 1, True), ("model-project", 2, True))
    assert [(known.number, known.kind, known.call, known.outcome) for known in state.submissions] == [
        (1, "NEW", "SURVEY_2017", Status.ACCEPTED),
        (2, "NEW", "MODEL_2018", Status.ACCEPTED),
        (3, "CONTINUATION", "MODEL_2019", Status.ACCEPTED),
    ]
    assert [(grant.yen, grant.paid, grant.settled) for grant in state.grants] == [(500_000, 450_000, 450_000)]
    assert names(history)[:3] == ["ConsultationOpened", "PartnershipRegistered", "PartyInvited"]
    judged_by = {entry.name: entry.meta.programme for entry in history.entries}
    assert (judged_by["NeedsSurveyStarted"], judged_by["ModelYearStarted"]) == ("needs-survey", "model-project")
    assert judged_by["PartnershipMainstreamed"] == "ordinance"
    assert {entry.meta.mode for entry in history.entries} == {Mode.LIVE}


MODEL = [
    *REACHED,
    proposed("2018-03-01", 1, "model-project", "MODEL_2018"),
    accepted("2018-04-01", 1),
    model_year("2018-04-02", 1),
]
BROKEN = [
    # what is tried, on which past, and its refusal
    ("a survey grant asked for after its call", REACHED, proposed("2017-06-01", 1, "needs-survey", None), errors.CallRequired),
    ("a survey grant asked for before its call", REACHED, proposed("2017-03-31", 1, "needs-survey", None), errors.CallRequired),
    ("a model grant asked for in the survey's call", REACHED, proposed("2017-05-01", 1, "model-project", "SURVEY_2017"), errors.CallUnknown),
    ("a model grant asked for after the call was closed early", REACHED, proposed("2019-03-21", 1, "model-project", "MODEL_2019"), errors.CallUnknown),
    ("a report of a survey that nobody began", REACHED, said("2018-01-31", "P/cats", "report-needs-survey", programme="needs-survey"), errors.NotStarted),
    ("the second model year first", REACHED, model_year("2018-04-02", 2), errors.NumberOutOfSequence),
    ("the first model year twice", MODEL, model_year("2019-04-02", 1), errors.NumberOutOfSequence),
    ("a model year on the survey's grant", REACHED, model_year("2018-04-02", 1, "needs-survey"), errors.StageNotPartOfProgramme),
    ("the end of a model year that nobody began", MODEL, completed("2020-03-31", 2), errors.NotStarted),
    ("a trial", REACHED, said("2018-04-02", "D/health", "start-trial"), errors.StageNotPartOfProgramme),
    ("the mainstream of what was only talked about", REACHED, said("2020-04-01", "A/mayor", "mainstream-partnership"), errors.StatusForbids),
    ("a grant before anything is accepted", REACHED, granted("2018-05-01", "G1", 1), errors.StatusForbids),
    ("more than was granted", [*MODEL, granted("2018-05-01", "G1", 100)], paid("2018-06-01", "G1", 101), errors.LimitExceeded),
    ("a payment after the year's accounts closed", [*MODEL, granted("2018-05-01", "G1", 100)], paid("2019-06-01", "G1", 100), errors.PaymentOutsideYear),
    ("a deliberation with somebody nobody recruited", REACHED, said("2017-04-01", "C/centre", "hold-meeting", attendees=["okayama/stranger"]), errors.NotFound),
    ("a matter brought to the desk by the clock", [], CONSULTED._replace(actor="X/clock"), errors.Forbidden),
]  # fmt: skip


@pytest.mark.parametrize(("past", "broken", "refusal"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN])
def test_what_ordinance_and_grants_forbid_is_refused(
    city: Book, request: pytest.FixtureRequest, past: list[Said], broken: Said, refusal: type[errors.DomainError]
) -> None:
    stream = city.stream("partnership", request.node.name)
    if past:
        tell(city, stream, *past)
    refuse(city, stream, broken, refusal)


def test_model_years_are_counted_by_programme(city: Book) -> None:
    stream = city.stream("partnership", "D2")
    state = tell(city, stream, *MODEL, model_year("2018-05-01", 1, "ordinance"), model_year("2019-04-02", 2)).state
    assert state.model_years == (("model-project", 1, False), ("ordinance", 1, False), ("model-project", 2, False))
