"""Higashikurume 東久留米市: 協働の指針 — written agreements, five cities in turn, and both sides looking back (振り返り)."""

# ruff: noqa: E501  (a story has one command a line)

from __future__ import annotations

import pytest

from domain import errors
from domain.event import Mode
from domain.vocabulary import FormCode, LeadArea, Status
from tenants.book import Book
from tests.tenants.stories.telling import Said, names, readable, refuse, said, tell

SLUG = "higashikurume"
CITIES = tuple(f"{name}/city" for name in ("kodaira", "nishitokyo", "higashimurayama", "kiyose", "higashikurume"))
GROUP, FAR = "higashikurume/lecturers", "musashino/city"
ALL = (*CITIES, GROUP)

REGISTERED = said(
    "2016-04-01",
    "S/officer",
    "register-partnership",
    number="D1",
    programme="guideline",
    title_ja="五市を回る講座",
    field="MULTICULTURAL",
    lead_area="JOINT",
    city_role="PARTY",
    joint=True,
    recording_city="higashikurume",
    parties=[
        *({"party": name, "kind": "MUNICIPALITY", "name_ja": name} for name in (*CITIES, FAR)),
        {"party": GROUP, "kind": "CITIZEN_GROUP", "name_ja": "講座の会"},
    ],
)
WRITTEN = said(
    "2016-05-01",
    "A/mayor",
    "conclude-agreement",
    signed=ALL,
    parties=list(ALL),
    instrument="AGREEMENT",
    instrument_local="協定書",
    forms=[{"local": "共催・後援", "codes": ["CO_HOSTING", "ENDORSEMENT"]}],
    clauses=[{"code": "ROLES", "text": "会場は当番の市、進行は講座の会"}, {"code": "RESPONSIBILITIES"}],
)
ROLES = said(
    "2016-05-01",
    "D/culture",
    "assign-roles",
    roles=[{"party": GROUP, "duties": ["進行"]}, {"party": CITIES[0], "resources": ["会場"]}],
)
TURNS = said("2016-05-02", "S/officer", "agree-rotation", hosts=list(CITIES))
HELD = [
    said("2016-06-01", "D/culture", "start-activity"),
    said("2016-06-01", "S/officer", "rotate-host", host=CITIES[0], fiscal_year=2016),
]
AGREED = [REGISTERED, WRITTEN, ROLES, TURNS, *HELD]


def filed(day: str, evaluation: int, side: str, *, item: str = "GOAL_REACHED", **data: object) -> Said:
    actor = {"PARTNER": "P/group", "CITY": "D/culture", "CITIZEN": "P/citizens"}[side]
    scores = [{"item": item, "score": "4"}]
    said_of = {"result": f"{side}の成果{evaluation}", "method": f"{side}の進め方{evaluation}"}
    return said(day, actor, "file-evaluation", evaluation=evaluation, side=side, scores=scores, **said_of | data)


def shared(day: str, evaluation: int) -> Said:
    return said(day, "S/officer", "share-evaluations", evaluation=evaluation)


def talked(day: str, evaluation: int) -> Said:
    return said(day, "S/officer", "hold-evaluation-dialogue", evaluation=evaluation, next_actions=["会場を広げる"])


def test_five_cities_take_turns_and_both_sides_look_back_under_the_guideline_of_the_day(city: Book) -> None:
    stream = city.stream("partnership", "D1")
    state = tell(city, stream, *AGREED).state
    assert (state.status, state.joint, state.lead_area) == (Status.ACTIVE, True, LeadArea.JOINT)
    assert state.forms == (FormCode.CO_HOSTING, FormCode.ENDORSEMENT), "one local form, two codes"
    assert len(state.hosts) == 5

    # The first guideline of April 2007 names neither sides nor items: partner and city are enough.
    tell(city, stream, filed("2017-04-10", 1, "PARTNER", item="FRIENDLINESS"))
    assert "PARTNERの成果1" not in readable(city, stream), "one side waits for the other"
    tell(city, stream, filed("2017-04-20", 1, "CITY", item="FRIENDLINESS"))
    assert not {"PARTNERの成果1", "CITYの進め方1", "4"} & readable(city, stream), "both wait until they are revealed"
    tell(city, stream, shared("2017-05-01", 1), talked("2017-05-10", 1))
    assert {"PARTNERの成果1", "PARTNERの進め方1", "CITYの成果1", "CITYの進め方1", "4"} <= readable(city, stream)

    # The second one of October 2017 hears the citizens too, and asks two things.
    tell(city, stream, said("2017-06-01", "S/officer", "rotate-host", host=CITIES[4], fiscal_year=2017))
    tell(city, stream, filed("2018-04-10", 2, "PARTNER"), filed("2018-04-11", 2, "CITY", item="WORTH_ITS_COST"))
    refuse(city, stream, shared("2018-05-01", 2), errors.SidesMissing)
    history = tell(city, stream, filed("2018-04-30", 2, "CITIZEN"), shared("2018-05-01", 2), talked("2018-05-10", 2))
    assert "CITIZENの成果2" in readable(city, stream)
    assert [(e.sides, e.shared, e.discussed) for e in history.state.evaluations] == [
        (("PARTNER", "CITY"), True, True),
        (("PARTNER", "CITY", "CITIZEN"), True, True),
    ]
    versions = [e.meta.programme_version for e in history.entries if e.name == "EvaluationsShared"]
    assert versions == [1, 2], "each decision under the version of its date"

    history = tell(city, stream, said("2019-03-31", "D/culture", "complete-partnership", result="五市を一巡した"))
    assert (history.state.status, history.state.ended) == (Status.COMPLETED, "2019-03-31")
    assert [year for _, year in history.state.hosted] == [2016, 2017]
    assert names(history)[:5] == [
        "PartnershipRegistered",
        "AgreementConcluded",
        "RolesAssigned",
        "RotationAgreed",
        "ActivityStarted",
    ]
    assert {entry.meta.mode for entry in history.entries} == {Mode.LIVE}


BROKEN = [
    # what is tried, on which past, and its refusal
    ("an agreement that is not in writing", [REGISTERED], WRITTEN._replace(signed=()), errors.SignatureMissing),
    ("an agreement that one city did not sign", [REGISTERED], WRITTEN._replace(signed=ALL[1:]), errors.SignatureMissing),
    ("a trial", [REGISTERED], said("2016-05-01", "D/culture", "start-trial"), errors.StageNotPartOfProgramme),
    ("a model year", [REGISTERED], said("2016-05-01", "D/culture", "start-model-year", programme="guideline", n=1), errors.StageNotPartOfProgramme),
    ("a turn of a sixth city", AGREED, said("2017-06-01", "S/officer", "rotate-host", host=FAR), errors.NotAJointHost),
    ("a turn of somebody unheard of", AGREED, said("2017-06-01", "S/officer", "rotate-host", host="mitaka/city"), errors.NotFound),
    ("roles of somebody unheard of", AGREED, said("2017-06-01", "D/culture", "assign-roles", roles=[{"party": "mitaka/city"}]), errors.NotFound),
    ("an evaluation before anything is agreed", [REGISTERED], filed("2017-04-10", 1, "CITY"), errors.StatusForbids),
    ("one side revealed alone under the first guideline", [*AGREED, filed("2017-04-10", 1, "PARTNER")], shared("2017-05-01", 1), errors.SidesMissing),
    ("two sides revealed without the third under the second guideline", [*AGREED, filed("2018-04-10", 1, "PARTNER"), filed("2018-04-10", 1, "CITY")], shared("2018-05-01", 1), errors.SidesMissing),
    ("an item beside the two of the second guideline", AGREED, filed("2018-04-10", 1, "CITY", item="FRIENDLINESS"), errors.CriterionUnknown),
    ("a second paper of one side", [*AGREED, filed("2018-04-10", 1, "CITY")], filed("2018-04-11", 1, "CITY"), errors.EvaluationNotOpen),
    ("a paper once both are revealed", [*AGREED, filed("2017-04-10", 1, "PARTNER"), filed("2017-04-10", 1, "CITY"), shared("2017-05-01", 1)], filed("2017-05-02", 1, "CITIZEN"), errors.EvaluationNotOpen),
    ("a dialogue before they are revealed", [*AGREED, filed("2017-04-10", 1, "PARTNER"), filed("2017-04-10", 1, "CITY")], talked("2017-05-01", 1), errors.EvaluationNotOpen),
    ("papers revealed by the partner", [*AGREED, filed("2017-04-10", 1, "PARTNER"), filed("2017-04-10", 1, "CITY")], shared("2017-05-01", 1)._replace(actor="P/group"), errors.Forbidden),
]  # fmt: skip


@pytest.mark.parametrize(("past", "broken", "refusal"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN])
def test_what_the_guideline_forbids_is_refused(
    city: Book, request: pytest.FixtureRequest, past: list[Said], broken: Said, refusal: type[errors.DomainError]
) -> None:
    stream = city.stream("partnership", request.node.name)
    tell(city, stream, *past)
    refuse(city, stream, broken, refusal)
