"""The one statement that measures a metric: its units, weighed, put into groups, and summed by the database.

A joint partnership weighs 1/n in each of the n cities that take part. What the cohort's dates leave open is kept apart:
a unit is CERTAIN or only POSSIBLE in a fiscal year, or UNDATED.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from uuid import UUID

from projections.catalogue import SCHEMA
from projections.metrics.course import FORMED
from projections.metrics.declaration import Dimension

if TYPE_CHECKING:
    from collections.abc import Sequence

    from projections.as_of import AsOf
    from projections.metrics.declaration import Metric

COLUMNS = (
    *("series", "city", "fiscal_year", "form", "party_kind", "standing", "shortest", "longest", "event", "entry"),
    *("numerator", "denominator", "units", "left_out", "unknown", "imprecise", "coverage"),
)
"""What a row of the answer holds: a group's key, a duration's bounds, and the sums over its units."""

COVERAGES = ("COMPLETE", "SELECTION", "UNKNOWN")
"""From best to worst; `coverage` is an index into them, the worst of what the units rest on."""

_FACT_COLUMNS = (
    *("number", "kind", "side", "codes", "parties", "count", "yen", "length", "score", "programme", "earliest"),
    *("latest", "imprecise", "year_from", "year_until"),
)
# An undated unit lies in a period that only an unbounded declaration covers.
_FIRST_YEAR, _LAST_YEAR = 0, 9999


def parameters(
    metric: Metric, as_of: AsOf, tenants: Sequence[UUID] | None, years: tuple[int, int] | None
) -> dict[str, Any]:
    """The parameters of `statement`."""
    first, last = years or (None, None)
    return as_of.values() | {
        "types": list(metric.facts),
        "formed": list(FORMED),
        "tenants": list(tenants) if tenants is not None else None,
        "first_year": first,
        "last_year": last,
        "covered": metric.covered,
    }


def statement(
    metric: Metric,
    as_of: AsOf,
    tenants: Sequence[UUID] | None,
    years: tuple[int, int] | None,
    by: tuple[Dimension, ...],
) -> str:
    """The SELECT of COLUMNS."""
    scoped = tenants is not None
    parts = [
        *_cities(as_of, scoped=scoped),
        f"""fact AS (
            SELECT tenant_id, partnership_id, place, type, {", ".join(_read_by(metric))} FROM {SCHEMA}.fact f
             WHERE {as_of.condition("f")} AND f.type = ANY(%(types)s){_within_scope("f", scoped)}
        )""",
        *_beside(metric, as_of, scoped=scoped),
        metric.sql.strip(),
        *_groups(as_of, by, scoped=scoped),
        _cells(metric, by, scoped=scoped),
        _placed(Dimension.FISCAL_YEAR in by, years is not None),
        _covered(as_of),
    ]
    return f"WITH {', '.join(parts)} {_TOTALS}"


def _read_by(metric: Metric) -> list[str]:
    """The columns that the metric names: the facts are put aside once, and narrow ones take half the time."""
    words = set(re.findall(r"[a-z_]+", metric.sql))
    return [column for column in _FACT_COLUMNS if column in words]


def _within_scope(alias: str, scoped: bool) -> str:  # noqa: FBT001 (one of two shapes of the same SQL)
    return f" AND {alias}.tenant_id IN (SELECT tenant_id FROM scope)" if scoped else ""


def _cities(as_of: AsOf, *, scoped: bool) -> list[str]:
    """The joint partnerships with their cities, and the cities whose logs hold what the asked ones take part in."""
    joint = f"""joint AS (
        SELECT DISTINCT p.tenant_id, p.partnership_id, j.tenant_id AS city
          FROM {SCHEMA}.participation j
          JOIN tenant t ON t.slug = j.recording_city
          JOIN {SCHEMA}.partnership p ON p.tenant_id = t.tenant_id AND p.number = j.number
         WHERE {as_of.condition("j")} AND {as_of.condition("p")}
    )"""
    share = """share AS (
        SELECT tenant_id, partnership_id, city,
               1.0::float8 / count(*) OVER (PARTITION BY tenant_id, partnership_id) AS weight
          FROM (SELECT * FROM joint UNION SELECT tenant_id, partnership_id, tenant_id FROM joint) AS member
    )"""
    scope = """scope AS (
        SELECT unnest(%(tenants)s::uuid[]) AS tenant_id
        UNION SELECT tenant_id FROM joint WHERE city = ANY(%(tenants)s)
    )"""
    return [joint, share, scope] if scoped else [joint, share]


def _beside(metric: Metric, as_of: AsOf, *, scoped: bool) -> list[str]:
    """What some metrics read beside the facts: until when a city was observed, and the kinds of the parties."""
    parts = []
    if "observed" in metric.sql:
        # The clock of the reader says nothing about what a city had recorded by then; its last fact does.
        parts.append(f"""observed AS (
            SELECT t.tenant_id, (latest.recorded_from AT TIME ZONE interval '9 hours')::date AS day
              FROM tenant t
             CROSS JOIN LATERAL (
                SELECT f.recorded_from FROM {SCHEMA}.fact f
                 WHERE f.tenant_id = t.tenant_id AND {as_of.recorded("f")} ORDER BY f.recorded_from DESC LIMIT 1
             ) AS latest{" WHERE t.tenant_id IN (SELECT tenant_id FROM scope)" if scoped else ""}
        )""")
    if "known_party" in metric.sql:
        parts.append(f"""known_party AS (
            SELECT tenant_id, partnership_id, party_id, kind FROM {SCHEMA}.party p
             WHERE {as_of.condition("p")}{_within_scope("p", scoped)}
        )""")
    return parts


def _groups(as_of: AsOf, by: tuple[Dimension, ...], *, scoped: bool) -> list[str]:
    """The forms and party kinds of every partnership, where they are grouped by; it counts whole in each of them."""
    parts = []
    if Dimension.FORM in by:
        parts.append(f"""form_of AS (
            SELECT DISTINCT f.tenant_id, f.partnership_id, form
              FROM {SCHEMA}.fact f CROSS JOIN unnest(f.codes) AS form
             WHERE {as_of.condition("f")} AND f.type = ANY(%(formed)s){_within_scope("f", scoped)}
        )""")
    if Dimension.PARTY_KIND in by:
        parts.append(f"""kind_of AS (
            SELECT DISTINCT p.tenant_id, p.partnership_id, p.kind AS party_kind
              FROM {SCHEMA}.party p WHERE {as_of.condition("p")} AND p.kind IS NOT NULL{_within_scope("p", scoped)}
        )""")
    return parts


_SUMS = ("numerator", "denominator", "units", "left_out", "unknown", "imprecise")


def _cells(metric: Metric, by: tuple[Dimension, ...], *, scoped: bool) -> str:
    """Units of one series, group, cohort and duration, summed."""
    form = "form" if Dimension.FORM in by else "NULL::text"
    kind = "party_kind" if Dimension.PARTY_KIND in by else "NULL::text"
    city = "coalesce(city, tenant_id)"
    keys = {
        "tenant_id": "tenant_id",
        "city": city if Dimension.CITY in by else "NULL::uuid",
        "programme": "coalesce(programme, '')",
        "year_from": "year_from",
        "year_until": "year_until",
        "form": form,
        "party_kind": kind,
    }
    durations = ("shortest", "longest", "event", "entry")
    if not metric.split:
        keys["series"] = "series"
    if metric.time:
        keys |= {column: column for column in durations}
    summed = [_summed(series.amount, series.size, series.applies) for series in metric.series if metric.split]
    summed = summed or [_summed("amount", "size", "true")]
    columns = [f"{sql} AS {name}_{at}" for at, sums in enumerate(summed) for name, sql in zip(_SUMS, sums, strict=True)]
    wide = f"""wide AS (
        SELECT {", ".join(f"{sql} AS {name}" for name, sql in keys.items())}, {", ".join(columns)}
          FROM (
            SELECT unit.*, share.city, coalesce(share.weight, 1) AS weight
              FROM unit LEFT JOIN share USING (tenant_id, partnership_id)
          ) AS weighed
          {"LEFT JOIN form_of USING (tenant_id, partnership_id)" if Dimension.FORM in by else ""}
          {"LEFT JOIN kind_of USING (tenant_id, partnership_id)" if Dimension.PARTY_KIND in by else ""}
         {f"WHERE {city} = ANY(%(tenants)s)" if scoped else ""}
         GROUP BY {", ".join(str(place) for place, _ in enumerate(keys, start=1))}
    )"""
    series = [f"'{each.key}'" for each in metric.series] if metric.split else ["series"]
    rows = [f"({key}, {', '.join(f'{name}_{at}' for name in _SUMS)})" for at, key in enumerate(series)]
    shown = ", ".join(durations) if metric.time else ", ".join(f"NULL::integer AS {column}" for column in durations)
    return f"""{wide},
    cell AS (
        SELECT counted.*, tenant_id, city, programme, year_from, year_until, form, party_kind, {shown}
          FROM wide CROSS JOIN LATERAL (VALUES {", ".join(rows)}) AS counted (series, {", ".join(_SUMS)})
         WHERE counted.units + counted.left_out + counted.unknown > 0
    )"""


def _summed(amount: str, size: str, applies: str) -> tuple[str, ...]:
    """SQL for each of the sums over weighed units."""
    known = f"({applies}) AND ({amount}) IS NOT NULL AND ({size}) IS NOT NULL"
    sums = (
        (f"weight * ({amount})", known),
        (f"weight * ({size})", known),
        ("weight", known),
        ("weight", f"({applies}) AND ({size}) IS NULL"),
        ("weight", f"({applies}) AND ({size}) IS NOT NULL AND ({amount}) IS NULL"),
        ("weight", f"{known} AND imprecise"),
    )
    return tuple(f"coalesce(sum({what}) FILTER (WHERE {which}), 0)" for what, which in sums)


def _placed(by_year: bool, filtered: bool) -> str:  # noqa: FBT001 (four shapes of the same SQL)
    """Every cell with the fiscal year it is counted in, how sure that is, and the period its coverage is asked for."""
    undated = "year_from IS NULL OR year_until IS NULL"
    since, until = "year_from", "year_until"
    if filtered:
        since, until = "greatest(year_from, %(first_year)s)", "least(year_until, %(last_year)s)"
    if by_year:
        certain = "CASE WHEN year_from = year_until THEN 'CERTAIN' ELSE 'POSSIBLE' END"
        dated = f"SELECT year, {certain}, year, year FROM generate_series({since}, {until}) AS year"
    elif filtered:
        certain = (
            "CASE WHEN year_from >= %(first_year)s AND year_until <= %(last_year)s THEN 'CERTAIN' ELSE 'POSSIBLE' END"
        )
        dated = f"SELECT NULL::integer, {certain}, {since}, {until} WHERE {since} <= {until} AND NOT ({undated})"
    else:
        dated = f"SELECT NULL::integer, 'CERTAIN', {since}, {until} WHERE NOT ({undated})"
    standing = "UNDATED" if filtered else "CERTAIN"
    return f"""placed AS (
        SELECT cell.*, put.fiscal_year, put.standing, put.since, put.until FROM cell CROSS JOIN LATERAL (
            {dated} UNION ALL SELECT NULL, '{standing}', {_FIRST_YEAR}, {_LAST_YEAR} WHERE {undated}
        ) AS put (fiscal_year, standing, since, until)
    )"""


def _covered(as_of: AsOf) -> str:
    """How much of each period of a programme its city's record covers: the latest declaration on what is counted."""
    rank = " ".join(f"WHEN '{coverage}' THEN {rank}" for rank, coverage in enumerate(COVERAGES))
    return f"""period AS MATERIALIZED (
        SELECT DISTINCT tenant_id, programme, since, until FROM placed
    ),
    covered AS MATERIALIZED (
        SELECT period.*, coalesce((
            SELECT CASE c.coverage {rank} END FROM {SCHEMA}.coverage c
             WHERE {as_of.condition("c")} AND c.tenant_id = period.tenant_id AND c.programme = period.programme
               AND c.of IN ('PROPOSALS', 'PARTNERSHIPS')
               AND coalesce(c.year_from, {_FIRST_YEAR}) <= period.since
               AND coalesce(c.year_until, {_LAST_YEAR}) >= period.until
             ORDER BY c.of = %(covered)s DESC, c.version DESC LIMIT 1
        ), {COVERAGES.index("UNKNOWN")}) AS coverage
          FROM period
    )"""


_TOTALS = """
    SELECT series, city, fiscal_year, form, party_kind, standing, shortest, longest, event, entry,
           sum(numerator), sum(denominator), sum(units), sum(left_out), sum(unknown), sum(imprecise),
           max(coverage) FILTER (WHERE standing <> 'UNDATED')
      FROM placed JOIN covered USING (tenant_id, programme, since, until)
     GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
"""
