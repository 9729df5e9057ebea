"""The parts of a partnership's record: who takes part, what was proposed, decided, agreed, paid and evaluated."""

import strawberry
from strawberry.scalars import JSON

from gateway.graphql.declared import Link, about, link, reads, value
from gateway.graphql.happened import When, when
from gateway.graphql.vocabulary import CityRole, FormCode, PartyKind, RejectionCode, Side, Status, SubmissionKind, Yen
from projections.agreements import AGREEMENTS
from projections.evaluations import EVALUATIONS
from projections.facilities import FACILITIES, FEES
from projections.money import MONEY
from projections.partnerships import PARTIES
from projections.proposals import PROPOSALS
from projections.roles import ROLES

_PARTY, _PROPOSAL, _AGREEMENT, _EVALUATION = map(about, (PARTIES, PROPOSALS, AGREEMENTS, EVALUATIONS))
_MONEY, _ROLE, _FACILITY, _FEE = map(about, (MONEY, ROLES, FACILITIES, FEES))

SAME = "{t}.tenant_id = {p}.tenant_id AND {t}.partnership_id = {p}.partnership_id"


@reads(PARTIES, description="A party of a partnership.")
class Party:
    """A party."""

    id: strawberry.ID = value("{t}.party_id", f"{_PARTY['party_id']} The same that events name in `data`.")
    kind: PartyKind | None
    roles: list[str]
    city_role: CityRole | None
    count: int | None
    invited: str | None
    members: list[strawberry.ID]
    name_ja: str | None
    name_en: str | None


def _party(column: str, description: str) -> Party | None:
    """The party whose id stands in the column; null where none does."""
    made: Party | None = link(Link(f"{SAME} AND {{t}}.party_id = {{p}}.{column}"), description)
    return made


def _parties(column: str, description: str) -> list[Party]:
    made: list[Party] = link(
        Link(f"{SAME} AND {{t}}.party_id = ANY ({{p}}.{column})", ("{t}.place",), typical=2), description
    )
    return made


@reads(
    PROPOSALS,
    description="A proposal (提案): a submission with its review (審査) and its decision.",
    day=".submitted",
    later={
        ".decided": "panel recused presented present recommended weighted_total outcome decided_position actor"
        " authority accepted_as reasons local_reasons explanation advice note conditions fulfilled undone undone_on"
        " reconsidered review_comment"
    },
)
class Proposal:
    """A submission."""

    number: int
    kind: SubmissionKind
    proposed_by: str | None
    answers: int | None
    party: Party | None = _party("party", "Who proposes; null is not stated.")
    submitted: When = when("submitted", _PROPOSAL["submitted"])
    year_from: int | None
    year_until: int | None
    submitted_position: int
    programme: str | None
    programme_version: int | None
    call: str | None
    budget_yen: Yen | None
    panel: int | None
    recused: int | None
    presented: bool | None
    present: int | None
    averages: JSON
    recommended: bool | None
    weighted_total: int | None
    outcome: Status | None
    decided: When | None = when("decided", _PROPOSAL["decided"], on_day="{held:.decided}")
    decided_position: int | None
    actor: str | None
    decided_by: Party | None = _party("decided_by", "Who decided; null is not stated.")
    authority: str | None
    accepted_as: str | None
    reasons: list[RejectionCode]
    local_reasons: list[str]
    explanation: str | None
    advice: str | None
    note: str | None
    conditions: list[str | None]
    fulfilled: list[int]
    undone: str | None
    undone_on: str | None
    reconsidering: bool
    reconsidered: str | None
    objective: str | None
    review_comment: str | None


@reads(
    AGREEMENTS,
    description="An agreement (協定書, 協働契約, 包括連携協定): what the parties put in writing.",
    day=".began",
    later={".ended_on": "ended ended_on ended_by ground"},
)
class Agreement:
    """An agreement."""

    number: int
    instrument: str | None
    instrument_local: str | None
    about: str | None
    forms: list[FormCode]
    local_forms: JSON = value("{t}.clear_forms", _AGREEMENT["local_forms"])
    parties: list[Party] = _parties("parties", "Who agrees.")
    signatories: list[Party] = _parties("signatories", "Who signed, as far as recorded.")
    began: When = when("began", _AGREEMENT["began"])
    concluded_position: int
    programme: str | None
    programme_version: int | None
    terms: list[str]
    auto_renewal: bool | None
    renewals: int
    amendments: int
    selection_ground: str | None
    document_sha256: str | None
    clauses: JSON = value("{t}.clear_clauses", _AGREEMENT["clauses"])
    ended: Status | None
    ended_on: str | None
    ended_by: str | None
    ground: str | None


@reads(MONEY, description="Money that a partnership's record tells of. Unknown yen is null, which is not 0.", day=".")
class Money:
    """A sum."""

    kind: str
    stage: str
    yen: Yen | None
    fiscal_year: int | None
    recurrence: str | None
    since: str | None
    grant_id: str | None
    programme: str | None
    rate: int | None
    from_party: Party | None = _party("from_party", "Who pays; null is not stated.")
    to_party: Party | None = _party("to_party", "Who is paid; null is not stated.")
    used_for: str | None
    due: str | None
    valid: When = when("valid", _MONEY["valid"], bounds="")
    source: str | None
    position: int
    reason: str | None


@reads(
    EVALUATIONS,
    description="One side of a mutual evaluation (振り返り); closed until all sides are revealed.",
    day=".filed",
)
class Evaluation:
    """A side of an evaluation."""

    number: int = value("{t}.evaluation", _EVALUATION["evaluation"])
    side: Side
    period: When | None = when("period", _EVALUATION["period"])
    opened: str
    filed: When = when("filed", _EVALUATION["filed"])
    filed_position: int
    party: Party | None = _party("party", "Who filed; null is not stated.")
    principle_set: str | None
    lowest: int | None
    highest: int | None
    scores: JSON = value("{t}.clear_scores", _EVALUATION["clear_scores"])
    revealed: bool
    revealed_on: str | None
    discussed: bool
    renewals: int
    result: str | None
    method: str | None
    next_actions: list[str | None]


@reads(ROLES, description="Who does what (役割分担): what one party does and brings.", day=".")
class RoleAssignment:
    """A party's part, or a duty that nobody is known to bear."""

    party: Party | None = _party("party", "Who bears it; null where the source does not settle it.")
    costs: str | None
    city_role: CityRole | None
    forms: list[FormCode]
    valid: When = when("valid", _ROLE["valid"], bounds="")
    source: str | None
    position: int
    duties: list[str | None]
    resources: list[str | None]
    benefit: str | None
    why_unsettled: str | None
    activity: str | None


@reads(FACILITIES, description="A facility (施設), with who owns, runs and uses it.")
class Facility:
    """A facility."""

    code: str = value("{t}.facility", _FACILITY["facility"])
    name: str | None
    description: str | None
    beside: str | None
    owned_by: Party | None = _party("owned_by", "Its owner; null is not stated.")
    managed_by: Party | None = _party("managed_by", "Who runs it; null is not stated.")
    used_by: Party | None = _party("used_by", "Who was given its use; null where nobody was.")
    established: When | None = when("established", _FACILITY["established"], bounds="")
    transferred: str | None
    designated: str | None
    source: str | None
    position: int


@reads(FEES, description="What users pay (料金): one line of a schedule.", day=".")
class Fee:
    """A line of a fee schedule."""

    payer: str
    set_by: Party | None = _party("set_by", "Who set it; null is not stated.")
    unit: str | None
    yen: Yen | None
    condition: str | None
    ruling: str | None
    stands: bool
    valid: When = when("valid", _FEE["valid"], bounds="")
    source: str | None
    position: int
