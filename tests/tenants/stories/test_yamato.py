"""Yamato 大和市: Citizen Partnership (市民パートナーシップ) — invited or proposed, tried, renewed, then a core service."""

# ruff: noqa: E501  (a story has one command a line)

from __future__ import annotations

import pytest

from domain import errors
from domain.event import Mode
from domain.vocabulary import Origin, PartyKind, Status
from tenants.book import Book
from tests.tenants.stories.telling import Said, decision, names, readable, refuse, said, tell

SLUG = "yamato"
MOTHERS, CITY, CARE = "yamato/mothers", "yamato/city", "yamato/care-npo"
TWO = (CITY, MOTHERS)


def registered(number: str, kind: str, partner: str = MOTHERS, **data: object) -> Said:
    parties = [
        {"party": CITY, "kind": "MUNICIPALITY", "name_ja": "大和市"},
        {"party": partner, "kind": "CITIZEN_GROUP", "name_ja": "子育ての会"},
    ]
    head = {"number": number, "programme": "citizen-partnership", "title_ja": f"事業{number}"}
    return said("2010-04-01", "S/officer", "register-partnership", kind=kind, parties=parties, **head | data)


def rejected(day: str, submission: int, **data: object) -> Said:
    why = {"codes": ["OBJECTIVES_UNCLEAR"], "public_explanation": "目的がはっきりしていない"} | data
    return decision(day, "reject-proposal", by=CITY, submission=submission, **why)


def submitted(day: str, submission: int, **data: object) -> Said:
    kind = {"kind": "RESUBMISSION" if "answers_rejection_of" in data else "NEW", "proposed_by": "CITIZENS"}
    return said(day, "P/partner", "submit-proposal", submission=submission, **kind | data)


def concluded(day: str, term: str | None = "P3Y") -> Said:
    return said(day, "A/mayor", "conclude-agreement", signed=TWO, parties=list(TWO), **({"term": term} if term else {}))


def renewed(day: str, no: int, term: str = "P3Y") -> Said:
    return said(day, "A/mayor", "renew-agreement", signed=TWO, no=no, term=term)


INVITED = [
    registered("D1", "SCALED_UP_COMMUNITY_PROJECT", origin="CITY_INVITED", city_role="PARTY"),
    said(
        "2010-04-02",
        "P/mothers",
        "launch-activity",
        party=MOTHERS,
        means="LITTLE_MONEY",
        services=[{"code": "DAY_TIME_CARE"}],
    ),
    said(
        "2010-05-01",
        "S/officer",
        "change-party-status",
        party=MOTHERS,
        from_kind="CITIZEN_GROUP",
        to_kind="NPO",
        how="REGISTERED",
    ),
    said("2010-06-01", "D/welfare", "invite-party", party=MOTHERS, by=CITY, invited_as="EARLY_PILOT"),
    said("2010-06-10", "P/mothers", "accept-invitation", party=MOTHERS),
]
TRIED = [
    said("2010-07-01", "D/welfare", "start-trial", length="P1Y"),
    said("2011-06-30", "D/welfare", "complete-trial", length="P1Y", result="CHOSEN"),
]
ACCEPTED = decision("2011-07-01", "accept-proposal", by=CITY, origin="CITY_INVITED")


def test_what_the_city_invited_is_tried_agreed_renewed_and_becomes_a_core_service(city: Book) -> None:
    care, advice = (city.stream("partnership", number) for number in ("D1", "D2"))
    history = tell(city, care, *INVITED, *TRIED)
    assert history.state.status is Status.TRIAL, "it is tried before it is accepted"
    history = tell(
        city,
        care,
        ACCEPTED,
        concluded("2011-08-01"),
        said("2011-08-01", "P/mothers", "start-activity"),
        renewed("2014-08-01", 1),
        renewed("2017-07-31", 2),
        said(
            "2020-07-01",
            "A/mayor",
            "mainstream-partnership",
            basis="CORE_SERVICE",
            provider=MOTHERS,
            funding="ANNUAL",
            decided_by=CITY,
        ),
        said(
            "2020-07-02",
            "A/mayor",
            "decide-funding",
            payee=MOTHERS,
            payer=CITY,
            recurrence="ANNUAL",
            yen=5_000_000,
            fiscal_year=2020,
        ),
    )
    state = history.state
    assert (state.status, state.origin, state.submissions) == (Status.MAINSTREAMED, Origin.CITY_INVITED, ())
    assert (state.trials, [known.renewals for known in state.agreements], state.ended) == ((True,), [2], "2020-07-01")
    assert [known.kind for known in state.parties] == [PartyKind.MUNICIPALITY, PartyKind.NPO]
    assert names(history)[-2:] == ["PartnershipMainstreamed", "FundingDecided"]

    assert tell(
        city,
        advice,
        registered("D2", "NEW_CO_DESIGNED_PROJECT", CARE, embargoed=True),
        submitted("2012-04-01", 1, objective="親を助ける"),
    )
    assert not {"親を助ける", "事業D2"} & readable(city, advice), "a proposal is closed until it is decided"
    history = tell(city, advice, rejected("2012-06-01", 1, advice="親と話し合うとよい"))
    assert {"親を助ける", "事業D2", "目的がはっきりしていない"} <= readable(city, advice)
    history = tell(
        city,
        advice,
        submitted("2013-04-01", 2, answers_rejection_of=1),
        rejected("2013-06-01", 2),
        said("2014-02-01", "C/centre", "hold-meeting", attendees=[CARE, CITY], recurring=True),
        said("2014-03-01", "P/care", "refine-objective", text="資格のあるボランティアが親を支える"),
        submitted("2014-04-01", 3, answers_rejection_of=2),
        decision("2014-06-01", "accept-proposal", by=CITY, submission=3),
        said("2014-07-01", "A/mayor", "conclude-agreement", signed=(CITY, CARE), parties=[CITY, CARE], term="P3Y"),
    )
    assert [(known.number, known.outcome, known.codes) for known in history.state.submissions] == [
        (1, Status.REJECTED, ("OBJECTIVES_UNCLEAR",)),
        (2, Status.REJECTED, ("OBJECTIVES_UNCLEAR",)),
        (3, Status.ACCEPTED, ()),
    ]
    assert history.state.status is Status.AGREED
    assert {entry.meta.mode for entry in history.entries} == {Mode.LIVE}
    assert {(entry.meta.programme, entry.meta.programme_version) for entry in history.entries} == {
        ("citizen-partnership", 1)
    }


NEW = [registered("B1", "NEW_CO_DESIGNED_PROJECT")]
BROKEN = [
    # what is tried, on which past, and its refusal
    ("a kind beside the three", [], registered("B1", "FESTIVAL"), errors.StageNotPartOfProgramme),
    ("a trial longer than a year", INVITED, said("2010-07-01", "D/welfare", "start-trial", length="P13M"), errors.LimitExceeded),
    ("a second end of the trial", [*INVITED, *TRIED], TRIED[1]._replace(day="2011-07"), errors.NotStarted),
    ("a model year", [*INVITED], said("2010-07-01", "D/welfare", "start-model-year", programme="citizen-partnership", n=1), errors.StageNotPartOfProgramme),
    ("an agreement for two years", [*INVITED, *TRIED, ACCEPTED], concluded("2011-08-01", "P2Y"), errors.TermMismatch),
    ("a renewal for one year", [*INVITED, ACCEPTED, concluded("2011-08-01")], renewed("2014-08-01", 1, "P1Y"), errors.TermMismatch),
    ("a renewal after the three years", [*INVITED, ACCEPTED, concluded("2011-08-01")], renewed("2014-08-02", 1), errors.TermOver),
    ("the second renewal first", [*INVITED, ACCEPTED, concluded("2011-08-01")], renewed("2014-08-01", 2), errors.NumberOutOfSequence),
    ("an agreement that the mothers did not sign", [*INVITED, ACCEPTED], concluded("2011-08-01")._replace(signed=(CITY,)), errors.SignatureMissing),
    ("a rejection without a reason code", [*NEW, submitted("2012-04-01", 1)], rejected("2012-06-01", 1, codes=[]), errors.ReasonRequired),
    ("a rejection that nobody explains", [*NEW, submitted("2012-04-01", 1)], rejected("2012-06-01", 1, public_explanation=None), errors.ReasonRequired),
    ("a rejection by nobody", [*NEW, submitted("2012-04-01", 1)], rejected("2012-06-01", 1, authority=None), errors.DeciderUnnamed),
    ("a resubmission that answers no rejection", [*NEW, submitted("2012-04-01", 1), rejected("2012-06-01", 1)], submitted("2013-04-01", 2, kind="RESUBMISSION"), errors.RejectionUnanswered),
    ("an acceptance beside the pending proposal", [*NEW, submitted("2012-04-01", 1)], decision("2012-06-01", "accept-proposal", by=CITY), errors.SubmissionNotPending),
    ("the mainstream without anything tried", [*INVITED, ACCEPTED], said("2020-07-01", "A/mayor", "mainstream-partnership", basis="CORE_SERVICE"), errors.NothingTried),
    ("yearly funds before anything is accepted", INVITED, said("2010-07-01", "A/mayor", "decide-funding", payee=MOTHERS, recurrence="ANNUAL"), errors.StatusForbids),
    ("the mainstream by the partners themselves", [*INVITED, *TRIED], said("2020-07-01", "P/mothers", "mainstream-partnership"), errors.Forbidden),
]  # fmt: skip


@pytest.mark.parametrize(("past", "broken", "refusal"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN])
def test_what_the_programme_forbids_is_refused(
    city: Book, request: pytest.FixtureRequest, past: list[Said], broken: Said, refusal: type[errors.DomainError]
) -> None:
    stream = city.stream("partnership", request.node.name)
    if past:
        tell(city, stream, *past)
    refuse(city, stream, broken, refusal)
