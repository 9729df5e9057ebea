"""What a metric is: declared once, with its definition as text and the SQL that yields the units it counts.

A unit is what one metric counts: a decided proposal, an agreement, a pair of evaluations. The SQL ends in rows of
`series, tenant_id, partnership_id, programme, year_from, year_until, imprecise, amount, size`, where `year_from` and
`year_until` bound the unit's cohort, `size` is what it adds to the denominator and `amount` what it adds to the
numerator. A unit without a size is left out by definition; one with a size whose amount is NULL is left out because it
is not known, and both are counted as excluded. Incidences add `shortest, longest, event, entry`: a duration's bounds,
what ended it (1 what is asked for, 2 what competes with it, 0 nothing until the last day observed), and from when on it
was observed at all.

A metric of several series over the same units may leave `series, amount, size` to them instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from domain.vocabulary import Labelled


class Dimension(Labelled):
    """By what a metric may be grouped."""

    CITY = "CITY", "自治体", "City"
    FISCAL_YEAR = "FISCAL_YEAR", "年度", "Fiscal year"
    FORM = "FORM", "形態", "Form of collaboration"
    PARTY_KIND = "PARTY_KIND", "主体の種類", "Kind of party"


class Unit(Labelled):
    """What a value is measured in."""

    SHARE = "SHARE", "割合(0から1)", "Share, 0 to 1"
    COUNT = "COUNT", "平均件数", "Mean number"
    SCALE = "SCALE", "尺度に対する差(-1から1)", "Difference on the scale, -1 to 1"
    YEN_PER_MONTH = "YEN_PER_MONTH", "円/月", "Yen per month"


class Time(Labelled):
    """What the curve of an incidence runs over."""

    DAYS = "DAYS", "日", "Days"
    RENEWALS = "RENEWALS", "更新の回", "Number of the renewal"


class Shape(StrEnum):
    """How a value comes of the units: numerator by denominator with a Wilson interval, without, or from durations."""

    RATE = "RATE"
    MEAN = "MEAN"
    INCIDENCE = "INCIDENCE"
    SURVIVAL = "SURVIVAL"

    @property
    def of_durations(self) -> bool:
        """Whether there is a curve."""
        return self in {Shape.INCIDENCE, Shape.SURVIVAL}


@dataclass(frozen=True)
class Series:
    """One number of a metric: what its numerator and its denominator count.

    Where `amount` and `size` are given, they are SQL over the unit's columns, so that one pass over the units counts
    several series; a unit that is not of `applies` is none of this series.
    """

    key: str
    title_ja: str
    title_en: str
    numerator_ja: str
    numerator_en: str
    denominator_ja: str
    denominator_en: str
    shape: Shape = Shape.RATE
    unit: Unit = Unit.SHARE
    amount: str = ""
    size: str = ""
    applies: str = "true"


@dataclass(frozen=True)
class Metric:
    """One of the metrics. `facts`: the types of facts that `sql` reads from the table `fact`; `sql` defines `unit`."""

    number: int
    key: str
    title_ja: str
    title_en: str
    definition_ja: str
    definition_en: str
    excluded_ja: str
    excluded_en: str
    series: tuple[Series, ...]
    facts: tuple[str, ...]
    sql: str
    time: Time | None = None
    covered: str = "PARTNERSHIPS"
    source: str = "fact (domain events), party, coverage"

    @property
    def split(self) -> bool:
        """Whether `unit` yields no series, amount and size of its own, but its series say how to count it."""
        return bool(self.series[0].amount)

    @property
    def unit(self) -> Unit:
        """What its first number is measured in."""
        return self.series[0].unit


def first(column: str, which: str) -> str:
    """SQL: the column of the first fact in the story for which `which` holds."""
    return f"(array_agg({column} ORDER BY place) FILTER (WHERE {which}))[1]"


def within(months: int, start: str, end: str, observed: str) -> str:
    """SQL: `amount, size` of whether `end` came within so many months of `start`, each a pair of days.

    `start` and `end` are prefixes of `_earliest` and `_latest`, `end` also of `_place`, NULL where it never came. Only
    units that were observed for all the months count; where the dates allow either answer, the amount is NULL.
    """
    span = f"interval '{months} months'"
    return f"""
        CASE WHEN {end}_place IS NULL THEN 0
             WHEN {end}_latest <= {start}_earliest + {span} THEN 1
             WHEN {end}_earliest > {start}_latest + {span} THEN 0 END AS amount,
        CASE WHEN {start}_earliest IS NOT NULL AND {observed} >= {start}_latest + {span} THEN 1 END AS size"""


COURSE = """
    course AS (
        SELECT *, CASE
            WHEN type IN ('PartnershipMainstreamed', 'PartnershipBecameIndependent', 'PartnershipCompleted') THEN true
            WHEN type = 'ConsultationClosed' THEN kind <> 'PROPOSAL'
            -- The end of one agreement does not end a partnership that holds another in force.
            WHEN type IN ('AgreementLapsed', 'AgreementTerminated')
                THEN count(*) FILTER (WHERE type = 'AgreementConcluded') OVER told
                  <= count(*) FILTER (WHERE type IN ('AgreementLapsed', 'AgreementTerminated')) OVER told
            ELSE false END AS ends
          FROM fact WINDOW told AS (PARTITION BY tenant_id, partnership_id ORDER BY place)
    )"""
"""The facts, each with whether it ended its partnership. Reads the facts of ENDINGS."""

ENDINGS = (
    "PartnershipMainstreamed",
    "PartnershipBecameIndependent",
    "PartnershipCompleted",
    "ConsultationClosed",
    "AgreementConcluded",
    "AgreementLapsed",
    "AgreementTerminated",
)
