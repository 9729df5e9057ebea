"""Measuring: the sums of a metric's units become values, as far as their number, their dates and the record allow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import sqrt
from typing import TYPE_CHECKING, Any
from uuid import UUID

from domain.vocabulary import CoverageKind, Labelled
from projections.as_of import NOW, AsOf
from projections.metrics.declaration import Dimension, Metric, Shape, Time
from projections.metrics.declaration import Series as Declared
from projections.metrics.statement import COLUMNS, COVERAGES, parameters, statement
from projections.metrics.survival import Durations, Lived, Point, curve, durations

if TYPE_CHECKING:
    from tenants.database import Connection

_SUMMED = ("numerator", "denominator", "units", "left_out", "unknown", "imprecise")

LEAST_UNITS = 10
"""Below so many units counts are shown and no value."""

MOST_GROUPS = 20_000
"""So many numbers are measured at once; the whole country by city has some thousands."""

MOST_CURVES = 1_000
"""So many of them may be curves of up to some hundred points."""

MOST_ESTIMATES = 100
"""So many of the curves may be estimated, each of which takes up to a tenth of a second."""

_Z = 1.959963984540054  # of a 95 % interval


class TooManyGroups(ValueError):
    """More groups than are measured at once; the message says how many there are and how to ask for fewer."""


class Withheld(Labelled):
    """Why a number has counts but no value."""

    NO_UNITS = "NO_UNITS", "分母が0", "The denominator is 0"
    COVERAGE = "COVERAGE", "期間の全数が収録されていない", "The record of the period is not complete"
    FEW_UNITS = "FEW_UNITS", "10件未満", "Fewer than 10 units"


@dataclass(frozen=True, slots=True)
class Measured:
    """One number of a metric for one group. A group's field is None where it is not grouped by, or not known.

    `low` and `high` are the 95 % interval (Wilson for rates); `least` and `most` are what the dates leave open: the
    value if all that is only possible or unknown went one way or the other. Where `value` is None, `withheld` says why.
    `numerator` and so on count what certainly belongs to the group, `possible_*` what may belong to it.
    """

    metric: str
    series: str
    city: UUID | None
    fiscal_year: int | None
    form: str | None
    party_kind: str | None
    units: float
    numerator: float
    denominator: float
    excluded: float
    imprecise_share: float | None
    possible_units: float
    possible_numerator: float
    possible_denominator: float
    coverage: CoverageKind
    withheld: Withheld | None
    value: float | None
    low: float | None
    high: float | None
    least: float | None
    most: float | None
    durations: Durations | None
    curve: tuple[Point, ...]


def wilson(hits: float, number: float) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927, score interval without continuity correction)."""
    share, square = hits / number, _Z * _Z
    middle = share + square / (2 * number)
    half = _Z * sqrt(max(0.0, share * (1 - share) / number + square / (4 * number * number)))
    whole = 1 + square / number
    return (middle - half) / whole, (middle + half) / whole


def measure(
    connection: Connection,
    metric: Metric,
    *,
    tenants: Sequence[UUID] | None = None,
    as_of: AsOf = NOW,
    years: tuple[int, int] | None = None,
    by: tuple[Dimension, ...] = (),
) -> list[Measured]:
    """Every number of the metric, one for each of its series and each group; one SELECT.

    `tenants`: the cities asked for, None for all. `years`: the first and the last fiscal year of the cohort. A group
    without any unit is left out, but not the whole where it is not grouped at all. Refuses TooManyGroups.
    """
    given = parameters(metric, as_of, tenants, years)
    rows = connection.execute(statement(metric, as_of, tenants, years, by), given).fetchall()
    sums: dict[tuple[Any, ...], _Sums] = {}
    if not by:
        whole = (None,) * len(Dimension)
        sums = {(series.key, *whole): _Sums() for series in metric.series if not _is_open(metric)}
    for row in rows:
        read = dict(zip(COLUMNS, row, strict=True))
        key = tuple(read[name] for name in COLUMNS[: 1 + len(Dimension)])
        sums.setdefault(key, _Sums()).add(read)
    declared = {series.key: (place, series) for place, series in enumerate(metric.series)}
    _refuse_too_many([(declared[key[0]][1], total) for key, total in sums.items()])
    found = sorted(sums.items(), key=lambda each: (declared[each[0][0]][0], *(str(part or "") for part in each[0][1:])))
    return [_measured(metric, declared[key[0]][1], key, total) for key, total in found]


def _refuse_too_many(groups: Sequence[tuple[Declared, _Sums]]) -> None:
    curves = [sums for series, sums in groups if series.shape.of_durations]
    estimates = [sums for sums in curves if sums.withheld is None]
    for found, most, what in (
        (len(groups), MOST_GROUPS, "groups"),
        (len(curves), MOST_CURVES, "curves"),
        (len(estimates), MOST_ESTIMATES, "curves to estimate"),
    ):
        if found > most:
            raise TooManyGroups(
                f"grouped like this there are {found:,} {what}, and at most {most:,} are measured at once;"
                " name fewer cities or years, or group by less"
            )


def _is_open(metric: Metric) -> bool:
    # Shares of a vocabulary are given for those of its codes that occur.
    return metric.key in {"rejection_reasons", "share_by_form"}


@dataclass(slots=True)
class _Sums:
    """What the rows of one group add up to."""

    certain: dict[str, float] = field(default_factory=lambda: dict.fromkeys(_SUMMED, 0.0))
    possible: dict[str, float] = field(default_factory=lambda: dict.fromkeys(_SUMMED, 0.0))
    excluded: float = 0.0
    coverage: int | None = None
    lived: list[Lived] = field(default_factory=list)

    @property
    def known(self) -> CoverageKind:
        """How much of the period the record covers."""
        return CoverageKind(COVERAGES[self.coverage] if self.coverage is not None else "UNKNOWN")

    @property
    def withheld(self) -> Withheld | None:
        """Why no value is formed of these."""
        if not self.certain["denominator"]:
            return Withheld.NO_UNITS
        if self.known is not CoverageKind.COMPLETE:
            return Withheld.COVERAGE
        return Withheld.FEW_UNITS if _exact(self.certain["units"]) < LEAST_UNITS else None

    def add(self, row: dict[str, Any]) -> None:
        if row["coverage"] is not None:
            self.coverage = max(self.coverage or 0, row["coverage"])
        if row["standing"] == "UNDATED":
            self.excluded += float(row["units"] + row["left_out"] + row["unknown"])
            return
        into = self.certain if row["standing"] == "CERTAIN" else self.possible
        for name in _SUMMED:
            into[name] += float(row[name])
        if row["standing"] != "CERTAIN":
            return
        self.excluded += float(row["left_out"] + row["unknown"])
        if row["units"] and row["shortest"] is not None and row["event"] is not None:
            weight = float(row["units"])
            self.lived.append(Lived(weight, row["shortest"], row["longest"], row["event"], row["entry"]))


def _measured(metric: Metric, series: Declared, key: tuple[Any, ...], sums: _Sums) -> Measured:
    certain, possible = sums.certain, sums.possible
    withheld = sums.withheld
    points: tuple[Point, ...] = ()
    if series.shape.of_durations:
        points = curve(sums.lived, series.shape, metric.time or Time.DAYS, estimated=withheld is None)
    value, low, high, least, most = (None,) * 5 if withheld else _value(series, sums, points)
    name, city, fiscal_year, form, party_kind = key
    return Measured(
        metric=metric.key,
        series=name,
        city=city,
        fiscal_year=fiscal_year,
        form=form,
        party_kind=party_kind,
        units=_exact(certain["units"]),
        numerator=_exact(certain["numerator"]),
        denominator=_exact(certain["denominator"]),
        excluded=_exact(sums.excluded),
        imprecise_share=_exact(certain["imprecise"] / certain["units"]) if certain["units"] else None,
        possible_units=_exact(possible["units"]),
        possible_numerator=_exact(possible["numerator"]),
        possible_denominator=_exact(possible["denominator"]),
        coverage=sums.known,
        withheld=withheld,
        value=value,
        low=low,
        high=high,
        least=least,
        most=most,
        durations=durations(sums.lived) if series.shape.of_durations and metric.time is Time.DAYS else None,
        curve=points,
    )


def _value(series: Declared, sums: _Sums, points: tuple[Point, ...]) -> tuple[float | None, ...]:
    """Value, interval and what the dates leave open."""
    if series.shape.of_durations:
        last = points[-1] if points else None
        return (last.estimate, last.low, last.high, last.least, last.most) if last else (None,) * 5
    hits, number = sums.certain["numerator"], sums.certain["denominator"]
    if series.shape is Shape.MEAN:
        return _exact(hits / number), None, None, None, None
    low, high = wilson(hits, number)
    # What is unknown, or only possible, may be in the denominator or not, and in the numerator or not.
    unknown = sums.certain["unknown"] + sums.possible["unknown"]
    may_hit = sums.possible["numerator"] + unknown
    may_miss = sums.possible["denominator"] - sums.possible["numerator"] + unknown
    bounds = (hits / (number + may_miss), (hits + may_hit) / (number + may_hit))
    return tuple(_exact(each) for each in (hits / number, low, high, *bounds))


def _exact(number: float) -> float:
    # Sums of 1/n are not quite whole numbers, and what rounds to nothing has no sign.
    return round(number, 9) + 0.0
