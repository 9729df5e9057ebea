"""What narrows a list of partnerships: the questions that readers ask."""

from dataclasses import replace
from datetime import MAXYEAR, MINYEAR
from typing import Annotated, Any

import strawberry
from graphql import GraphQLError

from domain.dates import fiscal_year_days
from gateway.graphql.declared import Where
from gateway.graphql.pages import After, Before, First, Last
from gateway.graphql.vocabulary import FormCode, Origin, PartyKind, RejectionCode, Status
from projections.catalogue import SCHEMA
from projections.partnerships import bigrams, normal

LONGEST_TEXT = 200


def _words(text: str) -> dict[str, Any]:
    """The words of a text to find: their pairs of neighbouring characters for the index, each word for the rest."""
    cleaned = text[:LONGEST_TEXT].replace("\x00", " ").encode("utf-8", "ignore").decode()
    found = list(dict.fromkeys(normal(cleaned).split()))
    pairs = sorted({pair for word in found for pair in bigrams(word) if len(pair) > 1})
    escaped = [word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") for word in found]
    return {"pairs": pairs, "patterns": [f"%{word}%" for word in escaped]}


def _any(column: str) -> Where:
    """One of these values; an empty list narrows nothing."""
    return Where(f"(cardinality({{value}}::text[]) = 0 OR {column} = ANY ({{value}}))", lambda given: {"value": given})


def _within(model: str, condition: str) -> Where:
    """With at least one row of another model of which that holds."""
    return Where(
        "(cardinality({value}::text[]) = 0 OR EXISTS (SELECT FROM"
        f" {SCHEMA}.{model} x$ WHERE x$.tenant_id = {{t}}.tenant_id AND x$.partnership_id = {{t}}.partnership_id"
        f" AND {{known:x$}} AND {condition}))",
        lambda given: {"value": given},
    )


def _year(given: int) -> dict[str, Any]:
    if not MINYEAR <= given < MAXYEAR:
        raise GraphQLError(f"`fiscalYear`: {given} is no year of this calendar.")
    first, last = fiscal_year_days(given)
    return {"first": first, "last": last}


_IN_YEAR = Where(
    f"EXISTS (SELECT FROM {SCHEMA}.timeline x$ WHERE x$.tenant_id = {{t}}.tenant_id"
    " AND x$.stream_id = {t}.partnership_id AND {known:x$} AND coalesce(x$.earliest, x$.latest) IS NOT NULL"
    " AND coalesce(x$.earliest <= {last}, true) AND coalesce(x$.latest >= {first}, true))",
    _year,
)


STATUS_ON_DAY = (
    f"(SELECT x$.status FROM {SCHEMA}.timeline x$ WHERE x$.tenant_id = {{t}}.tenant_id"
    " AND x$.stream_id = {t}.partnership_id AND {known:x$} AND {held:x$} ORDER BY x$.place DESC LIMIT 1)"
)
"""SQL: where a partnership stood on the day that is asked for."""

PARTNERSHIP_FILTERS = {
    "status": replace(_any("{t}.status"), on_day=_any(STATUS_ON_DAY).sql),
    "form": Where("(cardinality({value}::text[]) = 0 OR {t}.forms && {value})", lambda given: {"value": given}),
    "text": Where("({t}.bigrams @> {pairs}::text[] AND {t}.search_text LIKE ALL ({patterns}::text[]))", _words),
    "lead_area": _any("{t}.lead_area"),
    "field": _any("{t}.field"),
    "origin": _any("{t}.origin"),
    "programme": _any("{t}.programme"),
    "party_kind": _within("party", "x$.kind = ANY ({value})"),
    "rejected_for": _within("proposal", "x$.reasons && {value}"),
    "fiscal_year": _IN_YEAR,
}

StatusFilter = Annotated[list[Status] | None, strawberry.argument(description="In one of these statuses.")]
FormFilter = Annotated[list[FormCode] | None, strawberry.argument(description="With one of these forms.")]
TextFilter = Annotated[
    str | None,
    strawberry.argument(description="With every word of this text in a title, aim, place, number or name of a party."),
]
LeadAreaFilter = Annotated[list[str] | None, strawberry.argument(description="Led so (領域).")]
FieldFilter = Annotated[list[str] | None, strawberry.argument(description="In one of these fields of activity.")]
OriginFilter = Annotated[list[Origin] | None, strawberry.argument(description="That came about so.")]
ProgrammeFilter = Annotated[list[str] | None, strawberry.argument(description="Of programmes with these slugs.")]
PartyKindFilter = Annotated[
    list[PartyKind] | None, strawberry.argument(description="With a party of one of these kinds.")
]
RejectedForFilter = Annotated[
    list[RejectionCode] | None, strawberry.argument(description="With a proposal that was rejected for such a reason.")
]
FiscalYearFilter = Annotated[
    int | None,
    strawberry.argument(description="With an event that may lie in this fiscal year (April of that year to March)."),
]


def filtered_page(
    *,
    status: StatusFilter = None,
    form: FormFilter = None,
    text: TextFilter = None,
    lead_area: LeadAreaFilter = None,
    field: FieldFilter = None,
    origin: OriginFilter = None,
    programme: ProgrammeFilter = None,
    party_kind: PartyKindFilter = None,
    rejected_for: RejectedForFilter = None,
    fiscal_year: FiscalYearFilter = None,
    first: First = None,
    after: After = None,
    last: Last = None,
    before: Before = None,
) -> Any:
    """The arguments of the partnerships of a city."""
