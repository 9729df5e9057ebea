"""Cumulative incidence and survival, with the bounds that imprecise dates leave open (lifelines).

The estimators are Aalen–Johansen and Kaplan–Meier. Days, competing events and entries come as counts per distinct
duration, so that a curve over a million partnerships is fitted from a few thousand rows.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate
from math import ceil, isfinite, lcm

from projections.metrics.declaration import Shape, Time

INTEREST, COMPETING = 1, 2
_DAYS_IN_MONTH = 365.25 / 12
_MOST_POINTS = 240
_MOST_CITIES = 2_000  # in one joint partnership; weights are 1/n


@dataclass(frozen=True, slots=True)
class Lived:
    """So many units with the same bounds of their duration: what ended it (0: nothing yet), at risk after `entry`."""

    weight: float
    shortest: int
    longest: int
    event: int
    entry: int = 0

    @property
    def midpoint(self) -> float:
        """The middle of the bounds."""
        return (self.shortest + self.longest) / 2


@dataclass(frozen=True, slots=True)
class Point:
    """A curve at one time: counts by the middle durations, and estimates where these may be given.

    `least` and `most` bound the estimate by the dates, `low` and `high` are its 95 % confidence interval.
    """

    time: float
    at_risk: float
    events: float
    competing: float
    estimate: float | None = None
    least: float | None = None
    most: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Durations:
    """Of those that ended as asked: medians of the shortest, middle and longest durations, which bound the median."""

    count: float
    shortest: float
    midpoint: float
    longest: float


def durations(lived: Sequence[Lived]) -> Durations | None:
    """The medians; None where nothing ended as asked."""
    ended = [each for each in lived if each.event == INTEREST]
    if not ended:
        return None
    return Durations(
        round(sum(each.weight for each in ended), 9),
        _median((each.shortest, each.weight) for each in ended),
        _median((each.midpoint, each.weight) for each in ended),
        _median((each.longest, each.weight) for each in ended),
    )


def _median(weighed: Iterable[tuple[float, float]]) -> float:
    """The weighted median; between the two middle values where they share the weight evenly."""
    values = sorted(weighed)
    half, passed = sum(weight for _, weight in values) / 2, 0.0
    for at, (value, weight) in enumerate(values):
        passed += weight
        if abs(passed - half) < 1e-9 and at + 1 < len(values):  # noqa: PLR2004 (sums of 1/n are exact to about 1e-15)
            return (value + values[at + 1][0]) / 2
        if passed > half:
            return float(value)
    return float(values[-1][0])


def curve(lived: Sequence[Lived], shape: Shape, time: Time, *, estimated: bool) -> tuple[Point, ...]:
    """The curve over a grid of months, or of renewals; counts only unless `estimated`."""
    if not lived:
        return ()
    fits = _fits(lived, shape) if estimated else None
    entered = _Running((each.entry, each.weight) for each in lived)
    left = _Running((each.midpoint, each.weight) for each in lived)
    ended = [_Running((e.midpoint, e.weight) for e in lived if e.event == event) for event in (INTEREST, COMPETING)]
    points, before = [], -1.0
    for at in _grid(lived, time):
        at_risk = entered.before(max(at, 1)) - left.before(at)
        events, competing = (each.until(at) - each.until(before) for each in ended)
        estimates = fits.at(at) if fits else (None,) * 5
        points.append(Point(at, round(at_risk, 9), round(events, 9), round(competing, 9), *estimates))
        before = at
    return tuple(points)


class _Running:
    """Weights that come one after the other in time, and what they add up to by a time."""

    def __init__(self, weighed: Iterable[tuple[float, float]]) -> None:
        """`weighed`: times with their weights, in any order."""
        found = sorted(weighed)
        self._times = [time for time, _ in found]
        self._sums = [0.0, *accumulate(weight for _, weight in found)]

    def before(self, time: float) -> float:
        """The weight that came before the time."""
        return self._sums[bisect_left(self._times, time)]

    def until(self, time: float) -> float:
        """The weight that came by the time."""
        return self._sums[bisect_right(self._times, time)]


def _grid(lived: Sequence[Lived], time: Time) -> list[float]:
    longest = max((each.longest for each in lived), default=0)
    if time is Time.RENEWALS:
        return [float(number) for number in range(1, longest + 1)]
    months = ceil(longest / _DAYS_IN_MONTH)
    step = ceil(months / _MOST_POINTS) or 1
    return [round(month * _DAYS_IN_MONTH, 1) for month in range(0, months + step, step)]


# --- Fitting ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Step:
    """A step function: its value from each tick on."""

    ticks: Sequence[float]
    values: Sequence[float]

    def at(self, time: float) -> float | None:
        """Its value at the end of a time; None where it is not given."""
        value = self.values[bisect_right(self.ticks, _tick(int(2 * time) / 2, 3)) - 1]
        return round(value, 9) if isfinite(value) else None


@dataclass(frozen=True, slots=True)
class _Fits:
    """Fitted curves of the middle, the shortest and the longest durations, and the interval of the first."""

    middle: _Step
    shortest: _Step
    longest: _Step
    interval: tuple[_Step, _Step] | None

    def at(self, time: float) -> tuple[float | None, ...]:
        """Estimate, bounds by the dates, confidence interval."""
        given = [value for fit in (self.middle, self.shortest, self.longest) if (value := fit.at(time)) is not None]
        interval = [step.at(time) for step in self.interval] if self.interval else [None, None]
        return (self.middle.at(time), min(given, default=None), max(given, default=None), *interval)


def _fits(lived: Sequence[Lived], shape: Shape) -> _Fits | None:
    # Who entered only after the end of the record was never at risk.
    seen = [each for each in lived if each.longest > each.entry or each.entry == 0]
    if not seen:
        return None
    # Weights of 1/n are scaled to whole numbers, which leaves an estimate as it is but would narrow its interval.
    shares = [Fraction(each.weight).limit_denominator(_MOST_CITIES) for each in seen]
    scale = lcm(*(share.denominator for share in shares))
    weights = [int(share * scale) for share in shares]
    middle, interval = _fit([each.midpoint for each in seen], seen, weights, shape, interval=scale == 1)
    if all(each.shortest == each.longest for each in seen):
        return _Fits(middle, middle, middle, interval)
    shortest, _ = _fit([each.shortest for each in seen], seen, weights, shape, interval=False)
    longest, _ = _fit([each.longest for each in seen], seen, weights, shape, interval=False)
    return _Fits(middle, shortest, longest, interval)


def _tick(time: float, order: int) -> int:
    """A time, multiple of half a day, as a whole number; at the same time what is asked for comes first, then what
    competes, then the censored, then entries. An Aalen–Johansen estimate is the same as if the first two came at once,
    and the library, which would shuffle ties at random, meets none.
    """
    return 4 + int(2 * time) * 4 + order


def _fit(
    times: Sequence[float], lived: Sequence[Lived], weights: list[int], shape: Shape, *, interval: bool
) -> tuple[_Step, tuple[_Step, _Step] | None]:
    # It takes two seconds to import, which only who asks for a curve should wait for.
    import numpy as np  # noqa: PLC0415
    from lifelines import AalenJohansenFitter, KaplanMeierFitter  # type: ignore[import-untyped] # noqa: PLC0415

    orders = {INTEREST: 0, COMPETING: 1, 0: 2}
    ticks = [_tick(time, orders[each.event]) for time, each in zip(times, lived, strict=True)]
    entries = [_tick(each.entry, 3) if each.entry else 0 for each in lived]
    events = [each.event for each in lived]
    given = {"entry": entries if any(entries) else None, "weights": np.asarray(weights)}
    # Where everybody at risk ends at once the variance is 0/0; such an interval is not given.
    with np.errstate(all="ignore"):
        if shape is Shape.SURVIVAL:
            fitted = KaplanMeierFitter().fit(ticks, [event > 0 for event in events], **given)
            estimate, bounds = fitted.survival_function_, fitted.confidence_interval_survival_function_
        else:
            fitted = AalenJohansenFitter(calculate_variance=interval).fit(ticks, events, INTEREST, **given)
            estimate, bounds = fitted.cumulative_density_, fitted.confidence_interval_
    at = estimate.index.tolist()
    step = _Step(at, estimate.iloc[:, 0].tolist())
    if not interval:
        return step, None
    return step, (_Step(at, bounds.min(axis=1).tolist()), _Step(at, bounds.max(axis=1).tolist()))
