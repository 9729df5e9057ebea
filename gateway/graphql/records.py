"""Cities, their programmes and calls, and partnerships: what has a record of its own."""

from typing import Any

import strawberry
from strawberry.scalars import JSON

from gateway.graphql.declared import Link, Table, about, link, reads, value
from gateway.graphql.details import (
    SAME,
    Agreement,
    Evaluation,
    Facility,
    Fee,
    Money,
    Party,
    Proposal,
    RoleAssignment,
)
from gateway.graphql.filters import PARTNERSHIP_FILTERS, STATUS_ON_DAY, filtered_page
from gateway.graphql.happened import RULE_EN, RULE_JA, RULES_OF, Anomaly, TimelineEvent, When, when
from gateway.graphql.pages import Connection, a_page
from gateway.graphql.vocabulary import CityRole, FormCode, Origin, PartyKind, Status, Yen
from projections.anomalies import ANOMALIES
from projections.calls import CALLS
from projections.catalogue import SCHEMA
from projections.cities import CITIES, PROGRAMMES
from projections.facts import COVERAGE
from projections.participations import PARTICIPATIONS
from projections.partnerships import PARTIES, PARTNERSHIPS

_CITY, _PROGRAMME, _PARTNERSHIP, _CALL = map(about, (CITIES, PROGRAMMES, PARTNERSHIPS, CALLS))
_PARTY, _COVERAGE = map(about, (PARTIES, COVERAGE))

_OF_CITY = "{t}.tenant_id = {p}.tenant_id"
_STREAM = _OF_CITY + " AND {t}.stream_id = {p}."
_ID = "Global id: opaque and permanent."


def global_id(kind: str, *keys: str) -> str:
    """SQL: the global id of a row, base64url without padding."""
    text = f"'{kind}:' || " + " || '/' || ".join(keys)
    return f"translate(encode(convert_to({text}, 'UTF8'), 'base64'), E'+/=\\n', '-_')"


@strawberry.interface(description="An object with a global id.")
class Node:
    """Relay's Node."""

    id: strawberry.ID = strawberry.field(description=_ID)

    @classmethod
    def is_type_of(cls, found: Any, _: Any) -> bool:
        """Whether it is an object of this type that was found."""
        return bool(found.kind.name == cls.__name__)


@strawberry.type(description="A publication that facts were taken from.")
class Source:
    """A source."""

    source: str = value("{t}.source", "Its name within the city, as events give it.")
    date: str = value("{t}.date", "Its date or the bounds of it (EDTF).")
    publisher: str | None = value("{t}.publisher", "Its publisher; null where none is named.")
    language: str = value("{t}.language", "The language it is written in.")
    about: str | None = value("{t}.about", "What it is.")


@reads(COVERAGE, description="How much of a period a programme's record covers (収録範囲).")
class Coverage:
    """A declaration of coverage; a later one overrides."""

    period: str | None
    year_from: int | None
    year_until: int | None
    extent: str = value("{t}.coverage", _COVERAGE["coverage"])
    of: str | None
    shown: int | None
    total: int | None
    valid: str
    source: str | None
    basis: str | None


@reads(CALLS, description="A call for proposals (募集).", day=".opened")
class Call:
    """A call."""

    code: str = value("{t}.call", _CALL["call"])
    status: str
    fiscal_year: int | None
    budget_yen: Yen | None
    opened: When = when("opened", _CALL["opened"])
    closes: str | None
    ended: str | None
    opened_position: int
    theme: str | None
    reason: str | None


@reads(PROGRAMMES, description="A programme (制度): the rules under which partnerships are made.")
class Programme:
    """A programme."""

    slug: str
    version: int
    effective: str | None
    standing: str | None
    title_ja: str | None
    title_en: str | None
    rules: JSON = value(
        "{t}.clear_rules", "The rule set of the latest version; what the source does not state is left out."
    )
    versions: list[TimelineEvent] = link(
        Link(
            _STREAM + "programme_id AND {t}.type IN ('ProgrammeDefined', 'ProgrammeRevised')",
            ("{t}.place",),
            typical=2,
        ),
        "Its versions: the events that defined and revised it, each with its whole rule set.",
    )
    timeline: list[TimelineEvent] = link(
        Link(_STREAM + "programme_id", ("{t}.place",), typical=10),
        "Its own events: versions, instruments, measures, statements, coverage.",
    )
    calls: list[Call] = link(
        Link(_OF_CITY + " AND {t}.programme_id = {p}.programme_id", ("{t}.opened_position",), typical=5),
        "Its calls for proposals, in the order in which they were opened.",
    )
    coverage: list[Coverage] = link(
        Link(_OF_CITY + " AND {t}.programme_id = {p}.programme_id", ("{t}.version",), typical=1),
        "What is declared of how much its record covers.",
    )


@reads(ANOMALIES, description="A rule that an imported event breaks, with the event.")
class RecordedAnomaly:
    """A broken rule and where it stands."""

    rule: str
    message_ja: str = value("{t}.rule", "What it says, in Japanese.", labels=RULE_JA)
    message_en: str = value("{t}.rule", "What it says, in English.", labels=RULE_EN)
    type: str
    position: int
    valid: str
    source: str | None
    programme: str | None
    partnership: "Partnership | None" = link(
        Link(
            "{t}.tenant_id = {p}.tenant_id AND {t}.partnership_id = {p}.stream_id",
        ),
        "The partnership whose record tells it; null where it is a programme's or the city's own.",
    )


@reads(PARTICIPATIONS, description="A city's confirmed part in a joint partnership that another city records.")
class Participation:
    """A part in another city's partnership."""

    city: "City" = link(Link(_OF_CITY), "The city that takes part.")
    recording_city: str
    number: str
    since: str
    ended: str | None
    position: int
    title_ja: str | None
    title_en: str | None


@reads(
    PARTIES,
    Table(
        f"(SELECT DISTINCT ON (x$.tenant_id, x$.party_id) x$.* FROM {SCHEMA}.party x$ WHERE {{known:x$}}"
        " ORDER BY x$.tenant_id, x$.party_id, x$.known_from DESC, x$.partnership_id) {t}",
        {"tenant_id": "uuid", "party_id": "text"},
    ),
    "An organisation: a party under one id in a city's record, as last recorded, with all its partnerships.",
)
class Organisation:
    """A party across the partnerships of its city."""

    id: strawberry.ID = value("{t}.party_id", _PARTY["party_id"])
    kind: PartyKind | None
    name_ja: str | None
    name_en: str | None
    partnerships: list["Partnership"] = link(
        Link(
            _OF_CITY + " AND {t}.partnership_id IN (SELECT y$.partnership_id FROM"
            f" {SCHEMA}.party y$ WHERE y$.tenant_id = {{p}}.tenant_id AND y$.party_id = {{p}}.party_id"
            " AND {known:y$})",
            ('{t}.number COLLATE "C"',),
            typical=2,
        ),
        "The partnerships that it takes part in, by number.",
    )


@reads(
    CITIES,
    Table(
        "(SELECT tenant_id, slug, coalesce(municipal_code, '') AS code, municipal_code, name_ja, name_en FROM tenant)"
        f" {{t}} LEFT JOIN {SCHEMA}.city {{t}}c ON {{t}}c.tenant_id = {{t}}.tenant_id AND {{known}}",
        {"tenant_id": "uuid"},
        version="{t}c",
        city="{t}",
    ),
    "A city with its own log. Where `compiled` is true, this is not the city's own record.",
)
class City(Node):
    """A city. It is registered once for all; what its own stream says of it is as of the time asked for."""

    id: strawberry.ID = value(global_id("City", "{t}.tenant_id"), _ID)
    slug: str = value("{t}.slug", _CITY["slug"])
    municipal_code: str | None
    name_ja: str = value("{t}.name_ja", _CITY["name_ja"])
    name_en: str = value("{t}.name_en", _CITY["name_en"])
    population: int | None = value("{t}c.population", _CITY["population"])
    compiled: bool = value("coalesce({t}c.compiled, false)", _CITY["compiled"])
    sources: list[Source] = link(
        Link(
            table=Table(
                "json_to_recordset({p}c.clear_sources)"
                " AS {t} (source text, date text, publisher text, language text, about text)",
                version=None,
            ),
            typical=3,
        ),
        "The publications that its record was taken from.",
    )
    programmes: list[Programme] = link(Link(_OF_CITY, ('{t}.slug COLLATE "C"',), typical=3), "Its programmes (制度).")
    partnerships: Connection["Partnership"] = link(
        Link(_OF_CITY, ('{t}.number COLLATE "C"',), PARTNERSHIP_FILTERS),
        "The partnerships that it records, by number.",
        filtered_page,
    )
    participations: list[Participation] = link(
        Link(_OF_CITY, ('{t}.recording_city COLLATE "C"', '{t}.number COLLATE "C"'), typical=1),
        "Its parts in joint partnerships that other cities record, and that are counted there.",
    )
    anomalies: Connection[RecordedAnomaly] = link(
        Link(_OF_CITY, ("{t}.position", '{t}.rule COLLATE "C"')),
        "Rules that imported events break, by position: accepted because they happened.",
        a_page,
    )
    organisations: Connection[Organisation] = link(
        Link(_OF_CITY, ('{t}.party_id COLLATE "C"',)), "Who takes part in its partnerships, by id.", a_page
    )
    events: Connection[TimelineEvent] = link(
        Link(_OF_CITY, ("{t}.position",)), "Every event of its log, by position, as it now counts.", a_page
    )


_EVENT = f"SELECT FROM {SCHEMA}.timeline x$ WHERE x$.tenant_id = {{t}}.tenant_id"
BEGUN = f"EXISTS ({_EVENT} AND x$.stream_id = {{t}}.partnership_id AND {{known:x$}} AND {{held:x$}})"
_PROPOSAL = (
    f"(SELECT count(*) FROM {SCHEMA}.proposal x$ WHERE x$.tenant_id = {{t}}.tenant_id"
    " AND x$.partnership_id = {t}.partnership_id AND {known:x$} AND "
)


@reads(
    PARTNERSHIPS,
    Table(f"{SCHEMA}.partnership {{t}}", {"tenant_id": "uuid", "partnership_id": "uuid"}, on_day=BEGUN),
    "A partnership (協働).",
)
class Partnership(Node):
    """A partnership."""

    id: strawberry.ID = value(global_id("Partnership", "{t}.tenant_id", "{t}.partnership_id"), _ID)
    number: str
    status: Status = value("{t}.status", _PARTNERSHIP["status"], on_day=STATUS_ON_DAY)
    title_ja: str | None
    title_en: str | None
    title_translated: str | None
    kind: str | None
    origin: Origin | None
    city_role: CityRole | None
    lead_area: str | None
    field: str | None
    place: str | None
    objective: str | None
    joint: bool
    forms: list[FormCode]
    submissions: int = value("{t}.submissions", _PARTNERSHIP["submissions"], on_day=_PROPOSAL + "{held:x$.submitted})")
    rejections: int = value(
        "{t}.rejections",
        _PARTNERSHIP["rejections"],
        on_day=_PROPOSAL + "x$.outcome = 'REJECTED' AND {held:x$.decided})",
    )
    renewals: int = value(
        "{t}.renewals",
        _PARTNERSHIP["renewals"],
        on_day=f"(SELECT count(*) FROM {SCHEMA}.timeline x$ WHERE x$.tenant_id = {{t}}.tenant_id"
        " AND x$.stream_id = {t}.partnership_id AND {known:x$} AND {held:x$} AND x$.type = 'AgreementRenewed')",
    )
    agreed: str | None = value(
        "{t}.agreed",
        _PARTNERSHIP["agreed"],
        on_day=f"(SELECT x$.began FROM {SCHEMA}.agreement x$ WHERE x$.tenant_id = {{t}}.tenant_id"
        " AND x$.partnership_id = {t}.partnership_id AND {known:x$} AND {held:x$.began}"
        " ORDER BY x$.number DESC LIMIT 1)",
    )
    ended: str | None = value(
        "{t}.ended", _PARTNERSHIP["ended"], on_day=f"CASE WHEN {STATUS_ON_DAY} = {{t}}.status THEN {{t}}.ended END"
    )
    version: int = value(
        f"(SELECT max(x$.version) FROM {SCHEMA}.timeline x$ WHERE x$.tenant_id = {{t}}.tenant_id"
        " AND x$.stream_id = {t}.partnership_id AND {known:x$})",
        "The number of the last event recorded in its stream.",
    )
    anomalies: list[Anomaly] = link(
        Link(table=Table(RULES_OF % "anomalies", version=None), typical=0), _PARTNERSHIP["anomalies"]
    )
    city: City = link(Link(_OF_CITY), "The city that records it.")
    programme: Programme | None = link(Link(_OF_CITY + " AND {t}.slug = {p}.programme"), _PARTNERSHIP["programme"])
    parties: list[Party] = link(Link(SAME, ("{t}.place",), typical=3), "Who takes part.")
    proposals: list[Proposal] = link(
        Link(SAME, ("{t}.place",), typical=1), "What was proposed and decided, with the reasons."
    )
    agreements: list[Agreement] = link(Link(SAME, ("{t}.number",), typical=1), "Its agreements.")
    roles: list[RoleAssignment] = link(Link(SAME, ("{t}.version", "{t}.place"), typical=1), "Who does what.")
    facilities: list[Facility] = link(
        Link(SAME, ('{t}.facility COLLATE "C"',), typical=0), "The facilities that it is about."
    )
    fees: list[Fee] = link(Link(SAME, ("{t}.version", "{t}.line"), typical=0), "What users pay.")
    money: list[Money] = link(Link(SAME, ("{t}.version",), typical=2), "Money decided, paid, settled and given.")
    evaluations: list[Evaluation] = link(
        Link(SAME, ("{t}.evaluation", '{t}.side COLLATE "C"'), typical=1), "What each side evaluated."
    )
    participations: list[Participation] = link(
        Link(
            "{t}.recording_city = (SELECT slug FROM tenant WHERE tenant.tenant_id = {p}.tenant_id)"
            " AND {t}.number = {p}.number",
            ("{t}.tenant_id",),
            typical=0,
        ),
        "The parts that other cities confirmed in it.",
    )
    timeline: list[TimelineEvent] = link(
        Link(_STREAM + "partnership_id", ("{t}.place",), typical=12), "What happened, in its place."
    )
