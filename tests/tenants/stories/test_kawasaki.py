"""Kawasaki 川崎市: any pairing of parties, the city not always one; a ward's open call with screening; an umbrella."""

# ruff: noqa: E501  (a story has one command a line)

from __future__ import annotations

import pytest

from domain import errors
from domain.event import Mode
from domain.vocabulary import CityRole, Status
from tenants.book import Book, InvalidCommand
from tests.tenants.stories.telling import Said, decision, names, refuse, said, tell

SLUG = "kawasaki"
GREEN, WARD = "kawasaki/green", "kawasaki/ward"
SHOP, FUND, CITY = "kawasaki/shop", "kawasaki/fund", "kawasaki/city"
NPO, FIRMS, NEIGHBOURS = "kawasaki/npo", "kawasaki/firms", "kawasaki/neighbours"


def registered(number: str, programme: str, *parties: tuple[str, str], **data: object) -> Said:
    listed = [{"party": party, "kind": kind, "name_ja": party} for party, kind in parties]
    head = {"number": number, "programme": programme, "title_ja": f"事業{number}"}
    return said("2024-04-01", "S/officer", "register-partnership", parties=listed, **head | data)


WARD_CALL = said(
    "2024-04-01", "S/ward", "open-call", call="WARD_2024", fiscal_year=2024, closes="2024-05-31", theme="まちの美化"
)


@pytest.fixture(scope="module", autouse=True)
def call(city: Book) -> None:
    """The ward's call."""
    tell(city, city.stream("programme", "ward-proposals"), WARD_CALL)


WARD_CASE = registered(
    "D1", "ward-proposals", (GREEN, "CITIZEN_GROUP"), (WARD, "DEPARTMENT"), origin="CITIZEN_PROPOSED", city_role="PARTY"
)
PROPOSED = said(
    "2024-05-31",
    "P/green",
    "submit-proposal",
    submission=1,
    kind="NEW",
    proposed_by="CITIZENS",
    party=GREEN,
    call="WARD_2024",
)
SCREENED = [
    said(
        "2024-06-10",
        "S/ward",
        "open-review",
        submission=1,
        panel=3,
        members=[{"reviewer": "sato"}, {"reviewer": "kato"}, {"reviewer": "green-member", "belongs_to": GREEN}],
    ),
    said("2024-06-20", "S/ward", "hold-presentation", submission=1, public=True),
    said("2024-06-20", "R/sato", "record-score", submission=1, reviewer="sato", criterion="SYNERGY", score=4),
    said("2024-06-20", "R/kato", "record-score", submission=1, reviewer="kato", criterion="SYNERGY", score=3),
    said(
        "2024-06-21",
        "R/kato",
        "revise-score",
        submission=1,
        reviewer="kato",
        criterion="SYNERGY",
        score=5,
        reason="発表を聞いて",
    ),
    said(
        "2024-06-25",
        "R/chair",
        "issue-recommendation",
        submission=1,
        result="RECOMMENDED",
        comment="多様な力が合わさる",
    ),
]
DECIDED = decision("2024-07-01", "accept-proposal", by=WARD, authority="WARD_MAYOR", submission=1)

UMBRELLA = [
    registered("D2", "basic-policy", (SHOP, "COMPANY"), (CITY, "MUNICIPALITY"), city_role="PARTY"),
    said(
        "2024-05-01",
        "A/mayor",
        "conclude-agreement",
        signed=(SHOP, CITY),
        parties=[SHOP, CITY],
        instrument="UMBRELLA",
        instrument_local="包括連携協定",
        basis_of=["ご当地カード"],
    ),
]
CARD_CASE = registered(
    "D3", "basic-policy", (SHOP, "COMPANY"), (CITY, "MUNICIPALITY"), (FUND, "FUND"), city_role="PARTY"
)
CARD = [
    CARD_CASE,
    said("2024-05-02", "S/officer", "link-partnerships", link="UNDER_UMBRELLA", number="D2"),
    said(
        "2024-05-02",
        "D/culture",
        "set-donation-terms",
        basis_points=10,
        base="カード利用金額",
        donor=SHOP,
        fund=FUND,
        use="CULTURE_AND_ARTS",
    ),
    said(
        "2024-05-02",
        "D/culture",
        "assign-roles",
        roles=[
            {"party": SHOP, "duties": ["カードの運営", "寄附"], "resources": ["電子マネー"]},
            {"party": CITY, "costs": "NONE", "benefit": "費用なしで文化芸術を振興"},
        ],
    ),
    said("2024-05-02", "P/shop", "start-activity", activity="カードの発行"),
    said("2025-05-20", "D/culture", "receive-donation", donor=SHOP, fund=FUND, yen=1_234_567, fiscal_year=2024),
    said("2026-05-20", "D/culture", "receive-donation", donor=SHOP, fund=FUND, fiscal_year=2025),
]
PAIR_CASE = registered(
    "D4",
    "basic-policy",
    (NPO, "NPO"),
    (FIRMS, "COMPANY"),
    (NEIGHBOURS, "NEIGHBOURHOOD_ASSOCIATION"),
    city_role="REGISTRAR",
)
PAIR = [
    PAIR_CASE,
    said("2024-04-10", "P/npo", "refine-objective", text="働く大人と出会い、自分を知る"),
    said("2024-04-11", "C/desk", "seek-partner", by=NPO, lacking=["人材", "施設"], sought="COMPANY", asked=[FIRMS]),
    said("2024-05-01", "P/npo", "conclude-agreement", signed=(NPO, FIRMS), parties=[NPO, FIRMS]),
    said("2024-06-01", "P/firms", "start-activity"),
    said(
        "2024-07-01",
        "S/officer",
        "confirm-activity",
        activity="工場の見学",
        city_role="REGISTRAR",
        audience={"who": "小学生", "people": 30},
    ),
    said("2025-03-31", "P/npo", "become-independent", successor=NPO),
]


def test_the_ward_screens_a_proposal_a_shop_gives_a_tenth_of_a_percent_and_two_parties_need_no_city(city: Book) -> None:
    ward, umbrella, card, pair = (city.stream("partnership", number) for number in ("D1", "D2", "D3", "D4"))
    state = tell(city, ward, WARD_CASE, PROPOSED, *SCREENED).state
    review = state.submissions[0].review
    assert (state.status, review.presented, review.recommended) == (Status.UNDER_REVIEW, True, True)
    assert [score.score for score in review.scores] == [4, 5]
    assert len(review.recused) == 1, "who belongs to the proposer stands back"
    history = tell(
        city,
        ward,
        DECIDED,
        said(
            "2024-08-01",
            "D/ward",
            "assign-roles",
            roles=[{"party": GREEN, "duties": ["ごみ拾い"]}, {"party": WARD, "resources": ["広報紙"]}],
        ),
        said("2024-09-01", "P/green", "start-activity", activity="ごみ拾い"),
    )
    assert (history.state.status, history.state.submissions[0].call) == (Status.ACTIVE, "WARD_2024")
    assert {entry.meta.programme for entry in history.entries} == {"ward-proposals"}
    assert names(history)[-3:] == ["ProposalAccepted", "RolesAssigned", "ActivityStarted"]

    state = tell(city, umbrella, *UMBRELLA).state
    assert (state.status, state.agreements[0].instrument) == (Status.AGREED, "UMBRELLA")
    assert (state.agreements[0].terms, state.agreements[0].last_days) == ((), None), "an umbrella has no term that ends"
    history = tell(city, card, *CARD)
    assert (history.state.status, history.state.links) == (Status.ACTIVE, (("UNDER_UMBRELLA", "D2"),))
    terms = next(entry.event for entry in history.entries if entry.name == "DonationTermsSet")
    assert terms.basis_points == 10, "0.1 %"
    assert [e.event.yen for e in history.entries if e.name == "DonationReceived"] == [1_234_567, None], (
        "unknown is not 0"
    )

    history = tell(city, pair, *PAIR)
    assert (history.state.status, history.state.city_role) == (Status.INDEPENDENT, CityRole.REGISTRAR)
    assert "MUNICIPALITY" not in {known.kind for known in history.state.parties}
    assert {entry.meta.mode for entry in history.entries} == {Mode.LIVE}


def ward_case(*story: Said) -> list[Said]:
    return [WARD_CASE, PROPOSED, *story]


BROKEN = [
    # what is tried, on which past, and its refusal
    ("a proposal after the ward's call", [WARD_CASE], PROPOSED._replace(day="2024-06-01"), errors.CallUnknown),
    ("a proposal without the ward's call", [WARD_CASE], PROPOSED._replace(day="2024-06-01", data=PROPOSED.data | {"call": None}), errors.CallRequired),
    ("a proposal to another call", [WARD_CASE], PROPOSED._replace(data=PROPOSED.data | {"call": "WARD_2023"}), errors.CallUnknown),
    ("an acceptance without screening", ward_case(), DECIDED, errors.StepRequired),
    ("a rejection without screening", ward_case(), decision("2024-07-01", "reject-proposal", by=WARD, submission=1, codes=["CAPACITY"], public_explanation="人手が足りない"), errors.StepRequired),
    ("an invitation by the ward itself", [WARD_CASE], decision("2024-07-01", "accept-proposal", by=WARD), errors.StepRequired),
    ("a score by who belongs to the proposer", ward_case(SCREENED[0]), said("2024-06-20", "R/member", "record-score", submission=1, reviewer="green-member", criterion="SYNERGY", score=5), errors.ConflictOfInterest),
    ("a score by who was not asked", ward_case(SCREENED[0]), said("2024-06-20", "R/ito", "record-score", submission=1, reviewer="ito", criterion="SYNERGY", score=5), errors.ReviewerUnknown),
    ("a score before the screening", ward_case(), SCREENED[2], errors.ReviewNotOpen),
    ("a decision that names nobody", ward_case(*SCREENED), DECIDED._replace(data={"submission": 1}), errors.DeciderUnnamed),
    ("a decision by the reviewers", ward_case(*SCREENED), DECIDED._replace(actor="R/chair"), errors.Forbidden),
    ("more than all of the card's turnover", [CARD_CASE], CARD[2]._replace(data=CARD[2].data | {"basis_points": 10_001}), InvalidCommand),
    ("a donation to nobody's fund", [CARD_CASE], said("2025-05-20", "D/culture", "receive-donation", donor=SHOP, fund="kawasaki/other"), errors.NotFound),
    ("an umbrella that is not registered", [CARD_CASE], said("2024-05-02", "S/officer", "link-partnerships", link="UNDER_UMBRELLA", number="D9"), errors.NotFound),
    ("an umbrella that one side signed", UMBRELLA[:1], UMBRELLA[1]._replace(signed=(CITY,)), errors.SignatureMissing),
    ("an agreement with the city, which is not a party", PAIR[:1], said("2024-05-01", "P/npo", "conclude-agreement", signed=(NPO, CITY), parties=[NPO, CITY]), errors.NotFound),
    ("independence without anything agreed or begun", PAIR[:1], PAIR[-1], errors.StatusForbids),
    ("a trial", PAIR[:1], said("2024-05-01", "D/ward", "start-trial"), errors.StageNotPartOfProgramme),
]  # fmt: skip


@pytest.mark.parametrize(("past", "broken", "refusal"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN])
def test_what_policy_and_ward_forbid_is_refused(
    city: Book, request: pytest.FixtureRequest, past: list[Said], broken: Said, refusal: type[errors.DomainError]
) -> None:
    stream = city.stream("partnership", request.node.name)
    tell(city, stream, *past)
    refuse(city, stream, broken, refusal)


def test_parties_that_the_city_only_registers_owe_it_no_screening(city: Book) -> None:
    stream = city.stream("partnership", "D5")
    pair = registered("D5", "ward-proposals", (NPO, "NPO"), (FIRMS, "COMPANY"), city_role="REGISTRAR")
    accepted = decision("2024-07-01", "accept-proposal", by=NPO, authority="BOARD", submission=1)
    proposed = PROPOSED._replace(data=PROPOSED.data | {"party": NPO})
    assert tell(city, stream, pair, proposed, accepted).state.status is Status.ACCEPTED
