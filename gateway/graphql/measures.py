"""Metrics: what each of them counts, and what it is in any cities, years and groups, as of any time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Annotated, Any
from uuid import UUID

import strawberry
from graphql import GraphQLError

from gateway.graphql.compiler import plain
from gateway.graphql.cursors import Bounds, cursor
from gateway.graphql.declared import MADE, Made
from gateway.graphql.measuring import SECONDS, Question, measured
from gateway.graphql.pages import After, Before, First, Last
from gateway.graphql.records import City
from gateway.graphql.resolvers import KEY, Asking, Found, several
from gateway.graphql.times import Asked, AsOfArgument
from gateway.graphql.vocabulary import (
    CoverageKind,
    Dimension,
    FormCode,
    MetricKey,
    PartyKind,
    Shape,
    Time,
    Unit,
    Withheld,
)
from projections import metrics as known
from projections.as_of import AsOf

_COST = 200  # objects that could be read in the time that a measure takes
_POINTS = 60
_EARLIEST, _LATEST = 0, 9_999


# --- Definitions --------------------------------------------------------------------------------------------


@strawberry.type(name="MetricSeries", description="One number of a metric: what its numerator and denominator count.")
class Series:
    """A series."""

    key: str = strawberry.field(description="Its name within the metric.")
    title_ja: str = strawberry.field(description="Its title in Japanese.")
    title_en: str = strawberry.field(description="Its title in English.")
    numerator_ja: str = strawberry.field(description="What the numerator counts, in Japanese.")
    numerator_en: str = strawberry.field(description="What the numerator counts, in English.")
    denominator_ja: str = strawberry.field(description="What the denominator counts, in Japanese.")
    denominator_en: str = strawberry.field(description="What the denominator counts, in English.")
    shape: Shape = strawberry.field(description="How its value comes of the units.")
    unit: Unit = strawberry.field(description="What its value is measured in.")


@strawberry.type(description="The definition of a metric, by which it is also computed.")
class Metric:
    """A metric."""

    key: MetricKey = strawberry.field(description="Its name, with which it is asked for.")
    number: int = strawberry.field(description="Its number among the fifteen.")
    title_ja: str = strawberry.field(description="Its title in Japanese.")
    title_en: str = strawberry.field(description="Its title in English.")
    definition_ja: str = strawberry.field(description="What it is, and what the fiscal year of its cohort is.")
    definition_en: str = strawberry.field(description="The same in English.")
    excluded_ja: str = strawberry.field(description="What is left out, and counted as `excluded`, in Japanese.")
    excluded_en: str = strawberry.field(description="What is left out, and counted as `excluded`, in English.")
    series: list[Series] = strawberry.field(description="Its numbers.")
    time: Time | None = strawberry.field(description="What its curves run over; null where it has none.")
    covered: str = strawberry.field(
        description="Of what the record of a period has to be complete for a value: PROPOSALS or PARTNERSHIPS."
    )
    facts: list[str] = strawberry.field(description="The types of events that it is counted from.")
    source: str = strawberry.field(description="The read models that it is computed from.")


# --- Values -------------------------------------------------------------------------------------------------


@strawberry.type(description="Medians, in days, of those durations that ended as asked.")
class Durations:
    """A summary of durations."""

    count: float = strawberry.field(description="How many ended as asked.")
    shortest: float = strawberry.field(description="The median of the shortest that the dates allow, in days.")
    midpoint: float = strawberry.field(description="The median of the middles between shortest and longest, in days.")
    longest: float = strawberry.field(description="The median of the longest that the dates allow, in days.")


@strawberry.type(
    description="A curve at one time. Counts go by the middle durations; estimates are null where `value` is withheld."
)
class CurvePoint:
    """A point."""

    time: float = strawberry.field(description="Days since the start, or the number of the renewal.")
    at_risk: float = strawberry.field(description="How many were still under observation.")
    events: float = strawberry.field(description="How many ended as asked since the point before.")
    competing: float = strawberry.field(description="How many ended otherwise since the point before.")
    estimate: float | None = strawberry.field(description="The share by then (Aalen–Johansen, Kaplan–Meier), 0 to 1.")
    least: float | None = strawberry.field(description="The lowest of the estimates that the dates allow.")
    most: float | None = strawberry.field(description="The highest of the estimates that the dates allow.")
    low: float | None = strawberry.field(description="The lower end of the 95 % confidence interval.")
    high: float | None = strawberry.field(description="The upper end of the 95 % confidence interval.")


_OF_GROUP = "null where the answer is not grouped by it, or where it is not known"


@strawberry.type(
    description="One number of a metric for one group. Joint partnerships weigh 1/n in each of n cities, so that counts"
    " need not be whole numbers."
)
class Measured:
    """A number."""

    metric: MetricKey = strawberry.field(description="The metric.")
    series: Series = strawberry.field(description="Which of its numbers, with the unit of `value`.")
    city: City | None = strawberry.field(description=f"The city; {_OF_GROUP}.", metadata={MADE: Made()})
    fiscal_year: int | None = strawberry.field(description=f"The fiscal year (April–March) of the cohort; {_OF_GROUP}.")
    form: FormCode | None = strawberry.field(description=f"The form of collaboration; {_OF_GROUP}.")
    party_kind: PartyKind | None = strawberry.field(description=f"The kind of party; {_OF_GROUP}.")
    units: float = strawberry.field(description="How many units certainly belong to the group and are counted.")
    numerator: float = strawberry.field(description="The numerator over these units.")
    denominator: float = strawberry.field(description="The denominator over these units.")
    excluded: float = strawberry.field(description="How many units are left out, as the metric says.")
    imprecise_share: float | None = strawberry.field(
        description="The share of these units whose dates are imprecise or inferred, 0 to 1; null where there are none."
    )
    possible_units: float = strawberry.field(
        description="How many units only may belong to the group, as their dates leave open; they are not in `units`."
    )
    possible_numerator: float = strawberry.field(description="The numerator over the possible units.")
    possible_denominator: float = strawberry.field(description="The denominator over the possible units.")
    coverage: CoverageKind = strawberry.field(
        description="How much of the period the record covers, the worst of what the units rest on."
    )
    withheld: Withheld | None = strawberry.field(description="Why there is no value; null where there is one.")
    value: float | None = strawberry.field(
        description="The value in the unit of the series; of a curve its last estimate. Given from"
        f" {known.LEAST_UNITS} units on, where the record of the period is complete."
    )
    low: float | None = strawberry.field(
        description="The lower end of the 95 % interval (Wilson; of a curve the estimator's); null where there is none."
    )
    high: float | None = strawberry.field(description="The upper end of the 95 % interval; null where there is none.")
    least: float | None = strawberry.field(
        description="The lowest value that imprecise dates and unknown outcomes allow; null where not bounded."
    )
    most: float | None = strawberry.field(
        description="The highest value that imprecise dates and unknown outcomes allow; null where not bounded."
    )
    durations: Durations | None = strawberry.field(
        description="Medians of durations in days; null where none ended as asked, or the metric has none."
    )
    curve: list[CurvePoint] = strawberry.field(
        description="Cumulative incidence or survival over time; empty where the metric has none.",
        metadata={MADE: Made(typical=_POINTS)},
    )


# --- The questions ------------------------------------------------------------------------------------------


@strawberry.input(description="Fiscal years, both included; an end that is left out is open.")
class FiscalYears:
    """A span of fiscal years."""

    from_: int | None = strawberry.field(
        name="from", default=None, description="The first: 2016 is April 2016 to March 2017."
    )
    to: int | None = strawberry.field(default=None, description="The last.")


def _metrics() -> Any:
    return known.METRICS


def _measure(
    info: strawberry.Info[Asking, None],
    *,
    metric: Annotated[MetricKey, strawberry.argument(description="Which metric; `metrics` defines them.")],
    cities: Annotated[
        list[str] | None, strawberry.argument(description="In the cities of these slugs only; in all unless given.")
    ] = None,
    years: Annotated[
        FiscalYears | None, strawberry.argument(description="Of cohorts of these fiscal years only.")
    ] = None,
    by: Annotated[list[Dimension] | None, strawberry.argument(description="One number for each of these.")] = None,
    series: Annotated[
        list[str] | None, strawberry.argument(description="These of the metric's numbers only, by their keys.")
    ] = None,
    first: First = None,
    after: After = None,
    last: Last = None,
    before: Before = None,
    as_of: AsOfArgument = None,
) -> Any:
    given = plain({"as_of": as_of, "cities": cities})
    asked = Asked.of(given, 0)
    asking, chosen = info.context, known.BY_KEY[metric.value]
    place = {each.key: at for at, each in enumerate(chosen.series)}
    if unknown := [each for each in series or () if each not in place]:
        raise GraphQLError(f"The metric has no series {unknown[0][:80]!r}, only {', '.join(place)}.")
    tenants = _tenants(asking, [*(given["cities"] or ()), *(asked.positions or ())])
    question = Question(
        chosen,
        None if cities is None else tuple(_tenant(tenants, slug) for slug in given["cities"]),
        _as_of(asked, tenants),
        _span(years),
        tuple(dict.fromkeys(by or ())),
    )
    found = [each for each in measured(asking, question) if series is None or each.series in series]
    page = {"first": first, "after": after, "last": last, "before": before}
    return _Page(info, chosen, place, asked).of(found, Bounds.of(page))


def _tenants(asking: Asking, slugs: Sequence[str]) -> Mapping[str, UUID]:
    if not slugs:
        return {}
    rows = asking.connection.execute("SELECT slug, tenant_id FROM tenant WHERE slug = ANY(%s)", (list(slugs),))
    return dict(rows.fetchall())


def _tenant(tenants: Mapping[str, UUID], slug: str) -> UUID:
    if slug not in tenants:
        # A misspelt city would quietly make a smaller number of a comparison.
        raise GraphQLError(f"No city is registered as {slug[:80]!r}; `cities` lists them.")
    return tenants[slug]


def _as_of(asked: Asked, tenants: Mapping[str, UUID]) -> AsOf:
    if asked.positions is None:
        return AsOf(asked.moment)
    return AsOf(positions={tenants[slug]: at for slug, at in asked.positions.items() if slug in tenants})


def _span(years: FiscalYears | None) -> tuple[int, int] | None:
    if years is None or (years.from_ is None and years.to is None):
        return None
    since = _EARLIEST if years.from_ is None else years.from_
    until = _LATEST if years.to is None else years.to
    if not _EARLIEST <= since <= until <= _LATEST:
        raise GraphQLError(f"`years`: {since} to {until} is no span of years; give `from` and `to` in their order.")
    return since, until


@dataclass(frozen=True)
class _Page:
    """A page of numbers: by series, then by city as elsewhere, fiscal year, form and party kind."""

    info: strawberry.Info[Asking, None]
    metric: known.Metric
    place: Mapping[str, int]
    asked: Asked

    ORDER = ("series", 'code COLLATE "C"', 'slug COLLATE "C"', "year", 'form COLLATE "C"', 'kind COLLATE "C"')

    def of(self, found: Sequence[known.Measured], bounds: Bounds) -> dict[str, Any]:
        """The page within these bounds, as the types above read it."""
        given = bounds.values(self.ORDER)
        cities = self._cities({each.city for each in found if each.city is not None})
        placed = sorted(((self._key(each, cities), each) for each in found), key=lambda one: one[0])
        after, before = (
            tuple(given[f"{name}{at}"] for at in range(len(self.ORDER))) if wanted is not None else None
            for name, wanted in (("after", bounds.after), ("before", bounds.before))
        )
        within = [
            (key, each) for key, each in placed if (after is None or key > after) and (before is None or key < before)
        ]
        shown = within[-bounds.limit :] if bounds.backwards else within[: bounds.limit]
        more = len(within) > bounds.limit
        edges = [{"cursor": cursor(key), "node": self._node(each, cities)} for key, each in shown]
        return {
            "edges": edges,
            "page_info": {
                "has_next_page": before is not None if bounds.backwards else more,
                "has_previous_page": more if bounds.backwards else after is not None,
                "start_cursor": edges[0]["cursor"] if edges else None,
                "end_cursor": edges[-1]["cursor"] if edges else None,
            },
            "total_count": len(placed),
        }

    def _cities(self, ids: set[UUID]) -> Mapping[UUID, Found]:
        if not ids:
            return {}
        schema = self.info._raw_info.schema  # noqa: SLF001 - the library's own info does not give it
        condition = "{t}.tenant_id = ANY(%(id0)s)"
        found = several(self.info.context, schema, "City", condition, ids=[list(ids)], asked=self.asked)
        return {UUID(each[KEY]["tenant_id"]): each for each in found}

    def _key(self, each: known.Measured, cities: Mapping[UUID, Found]) -> tuple[int | str, ...]:
        city = cities[each.city] if each.city is not None else {}
        year = -1 if each.fiscal_year is None else each.fiscal_year
        where = city.get("municipal_code") or "", city.get("slug") or ""
        return self.place[each.series], *where, year, each.form or "", each.party_kind or ""

    def _node(self, each: known.Measured, cities: Mapping[UUID, Found]) -> dict[str, Any]:
        values = {field.name: getattr(each, field.name) for field in fields(each)}
        series = self.metric.series[self.place[each.series]]
        return values | {"series": series, "city": each.city and cities[each.city]}


METRICS: Any = strawberry.field(_metrics, description="The fifteen metrics, each with its definition.")
"""The root field that defines the metrics."""

MEASURE: Any = strawberry.field(
    _measure,
    description="A metric in numbers, one for each of its series and each group. Whoever wants several asks under"
    f" several aliases; all of a request may take {SECONDS} seconds. Null where it is refused, as the error says.",
    metadata={MADE: Made(cost=_COST)},
)
"""The root field that measures them."""
