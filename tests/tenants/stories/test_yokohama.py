"""Yokohama 横浜市: coordinators chain consultations before any proposal exists; contracts between equals (協働契約)."""

# ruff: noqa: E501  (a story has one command a line)

from __future__ import annotations

import pytest

from domain import errors
from domain.event import Mode
from domain.vocabulary import CityRole, FormCode, Origin, Status
from tenants.book import Book
from tests.tenants.stories.telling import Said, decision, names, refuse, said, tell

SLUG = "yokohama"
DESK, ADVISER, SECTION = "yokohama/centre", "yokohama/adviser", "yokohama/section"
HELPERS = ("yokohama/nursery-npo", "yokohama/welfare-council", "yokohama/career-npo")
TYPES = [("委託型", "COMMISSION"), ("補助型", "SUBSIDY"), ("負担金型", "COST_SHARE"), ("共催型", "CO_HOSTING")]

CONSULTED = said(
    "2021-04-05",
    "P/adviser",
    "open-consultation",
    topic="事務所を地域に開きたい",
    occupation="税理士",
    programme="ordinance",
)
ROUTED = said("2021-04-06", "C/centre", "route-consultation", department="こども青少年局")
SOUGHT = said("2021-04-07", "C/centre", "seek-partner", lacking=["子育て支援の経験"], sought="NPO")
REGISTERED = said(
    "2021-04-20",
    "C/centre",
    "register-partnership",
    number="D1",
    programme="ordinance",
    title_ja="ひらかれた事務所",
    origin="CONSULTATION",
    city_role="FACILITATOR",
    parties=[
        {"party": ADVISER, "kind": "SOLE_PROPRIETOR", "name_ja": "H氏"},
        {"party": DESK, "kind": "INTERMEDIARY", "name_ja": "市民協働推進センター"},
        {"party": SECTION, "kind": "DEPARTMENT", "name_ja": "市民協働推進課"},
    ],
)
DESKED = [CONSULTED, ROUTED, SOUGHT]


def chained(month: int, helper: str) -> list[Said]:
    """An invitation by the coordinator, its acceptance, and the meeting that leads to the next."""
    day = f"2021-{month:02}"
    return [
        said(
            f"{day}-01", "C/centre", "invite-party", party=helper, kind="NPO", name_ja=helper, by=DESK, role="INVITEE"
        ),
        said(f"{day}-08", "P/helper", "accept-invitation", party=helper),
        said(
            f"{day}-15",
            "C/centre",
            "hold-meeting",
            no=month - 4,
            kind="EXCHANGE_OF_VIEWS",
            attendees=[helper, ADVISER],
            recurring=True,
        ),
    ]


PROPOSED = said(
    "2021-09-01", "P/adviser", "submit-proposal", submission=1, kind="NEW", proposed_by="CITIZENS", party=ADVISER
)
ACCEPTED = decision("2021-10-01", "accept-proposal", by=SECTION, authority="BUREAU_CHIEF", submission=1)


def contract(day: str, local: str, code: str, *, signed: tuple[str, ...] = (SECTION, ADVISER)) -> Said:
    return said(
        day,
        "A/bureau",
        "conclude-agreement",
        signed=signed,
        parties=[SECTION, ADVISER],
        instrument="COLLABORATION_CONTRACT",
        instrument_local="協働契約",
        forms=[{"local": local, "codes": [code]}],
        selection_ground="PROPOSED_BY_PARTNER",
    )


def test_a_consultation_becomes_a_chain_of_people_then_a_proposal_then_a_contract_between_equals(city: Book) -> None:
    stream = city.stream("partnership", "D1")
    state = tell(city, stream, *DESKED).state
    assert (state.status, state.registered, state.consulted) == (Status.CONSULTING, False, True)
    state = tell(city, stream, REGISTERED).state
    assert (state.status, state.origin, state.city_role) == (
        Status.CONSULTING,
        Origin.CONSULTATION,
        CityRole.FACILITATOR,
    )

    chain = [each for month, helper in enumerate(HELPERS, start=5) for each in chained(month, helper)]
    state = tell(
        city,
        stream,
        said(
            "2021-04-21",
            "P/adviser",
            "offer-resource",
            party=ADVISER,
            kind="SPACE",
            what="事務所の床の半分",
            share="1/2",
        ),
        *chain,
        said("2021-08-01", "P/adviser", "refine-objective", no=1, text="子どもを地元の企業と結ぶ"),
        said("2021-08-20", "C/centre", "plan-meeting", convened_by=DESK, attendees=list(HELPERS), date="2021-09"),
    ).state
    assert (state.status, state.meetings, state.submissions) == (Status.DELIBERATING, 3, ()), "no proposal exists yet"
    assert [known.invited for known in state.parties] == [None, None, None, "ACCEPTED", "ACCEPTED", "ACCEPTED"]

    history = tell(
        city,
        stream,
        said("2021-08-31", "C/centre", "close-consultation", outcome="PROPOSAL"),
        PROPOSED,
        ACCEPTED,
        said(
            "2021-10-15",
            "D/section",
            "assign-roles",
            roles=[{"party": ADVISER, "resources": ["場所"]}, {"party": SECTION, "costs": "SHARED"}],
        ),
        *(contract(f"2021-11-0{no}", *each) for no, each in enumerate(TYPES, start=1)),
        said("2021-12-01", "P/adviser", "start-activity", activity="ひらかれた事務所"),
    )
    state = history.state
    assert state.status is Status.ACTIVE
    assert [agreement.forms for agreement in state.agreements] == [(FormCode(code),) for _, code in TYPES]
    assert {agreement.instrument for agreement in state.agreements} == {"COLLABORATION_CONTRACT"}
    assert all(set(agreement.parties) == set(history.entries[-2].meta.signatories) for agreement in state.agreements)

    # One of several contracts ends, the partnership goes on; with the last one it ends.
    ending = [said(f"2022-03-0{no}", "A/bureau", "terminate-agreement", initiator="BOTH") for no in range(1, 5)]
    assert tell(city, stream, *ending[:3]).state.status is Status.ACTIVE
    history = tell(city, stream, ending[3])
    assert (history.state.status, history.state.ended) == (Status.TERMINATED, "2022-03-04")
    assert names(history)[:4] == ["ConsultationOpened", "ConsultationRouted", "PartnerSought", "PartnershipRegistered"]
    assert {entry.meta.mode for entry in history.entries} == {Mode.LIVE}


REACHED = [*DESKED, REGISTERED]
BROKEN = [
    # what is tried, on which past, and its refusal
    ("a proposal from the desk, before anything is registered", DESKED, PROPOSED._replace(data=PROPOSED.data | {"party": None}), errors.NotRegistered),
    ("a contract from the desk", DESKED, contract("2021-11-01", *TYPES[0]), errors.NotRegistered),
    ("an answer without an invitation", REACHED, said("2021-05-08", "P/adviser", "accept-invitation", party=ADVISER), errors.NotInvited),
    ("a second answer", [*REACHED, *chained(5, HELPERS[0])], said("2021-05-20", "P/helper", "decline-invitation", party=HELPERS[0]), errors.NotInvited),
    ("a meeting with somebody unheard of", REACHED, said("2021-05-08", "C/centre", "hold-meeting", attendees=[HELPERS[0]]), errors.NotFound),
    ("an invitation by who is no coordinator", REACHED, said("2021-05-01", "A/bureau", "invite-party", party=HELPERS[0], name_ja="会"), errors.Forbidden),
    ("the end of a consultation that became a proposal", [*REACHED, PROPOSED], said("2021-09-02", "C/centre", "close-consultation", outcome="NONE"), errors.StatusForbids),
    ("a contract while the proposal waits", [*REACHED, PROPOSED], contract("2021-09-02", *TYPES[0]), errors.StatusForbids),
    ("a contract that is not in writing", REACHED, contract("2021-11-01", *TYPES[0], signed=()), errors.SignatureMissing),
    ("a contract that the city alone signed", REACHED, contract("2021-11-01", *TYPES[0], signed=(SECTION,)), errors.SignatureMissing),
    ("an amendment that the city alone signed", [*REACHED, contract("2021-11-01", *TYPES[0])], said("2021-11-02", "A/bureau", "amend-agreement", signed=(SECTION,), changed=[{"code": "COSTS"}]), errors.SignatureMissing),
    ("a trial", REACHED, said("2021-11-01", "D/section", "start-trial"), errors.StageNotPartOfProgramme),
    ("a model year", REACHED, said("2021-11-01", "D/section", "start-model-year", programme="ordinance", n=1), errors.StageNotPartOfProgramme),
    ("a decision that nobody made", [*REACHED, PROPOSED], ACCEPTED._replace(data={"submission": 1}), errors.DeciderUnnamed),
    ("a programme that the city does not have", REACHED, said("2021-11-01", "D/section", "start-model-year", programme="ghost", n=1), errors.NotFound),
]  # fmt: skip


@pytest.mark.parametrize(("past", "broken", "refusal"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN])
def test_what_the_ordinance_forbids_is_refused(
    city: Book, request: pytest.FixtureRequest, past: list[Said], broken: Said, refusal: type[errors.DomainError]
) -> None:
    stream = city.stream("partnership", request.node.name)
    tell(city, stream, *past)
    refuse(city, stream, broken, refusal)
