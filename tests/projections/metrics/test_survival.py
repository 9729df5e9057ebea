"""Curves: the estimates are those of the textbook, and imprecise dates bound them."""

from __future__ import annotations

from math import isclose

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from projections.metrics import Shape, Time, wilson
from projections.metrics.survival import COMPETING, INTEREST, Lived, curve, durations


def exact(days: int, event: int, weight: float = 1, entry: int = 0) -> Lived:
    return Lived(weight, days, days, event, entry)


def incidence(lived: list[Lived], times: list[int]) -> list[float]:
    """Aalen–Johansen by hand: the sum of S(t−) d/n over the times of interest."""
    surviving, total, found = 1.0, 0.0, []
    for time in times:
        at_risk = sum(each.weight for each in lived if each.entry < time <= each.longest)
        here = {e: sum(x.weight for x in lived if x.longest == time and x.event == e) for e in (INTEREST, COMPETING)}
        if at_risk:
            total += surviving * here[INTEREST] / at_risk
            surviving *= 1 - (here[INTEREST] + here[COMPETING]) / at_risk
        found.append(total)
    return found


def test_ties_truncation_and_competition_are_estimated_as_by_hand() -> None:
    lived = [
        *(exact(1, INTEREST), exact(1, COMPETING), exact(1, 0), exact(2, INTEREST, weight=3), exact(2, COMPETING)),
        *(exact(3, 0, weight=2), exact(3, INTEREST, entry=1), exact(4, INTEREST, entry=2), exact(4, 0)),
    ]
    found = [point.estimate for point in curve(lived, Shape.INCIDENCE, Time.RENEWALS, estimated=True)]
    assert found == pytest.approx(incidence(lived, [1, 2, 3, 4]))


def test_survival_is_the_share_that_nothing_ended() -> None:
    lived = [exact(1, INTEREST), exact(2, INTEREST), exact(2, 0), exact(3, 0)]
    found = curve(lived, Shape.SURVIVAL, Time.RENEWALS, estimated=True)
    assert [point.estimate for point in found] == pytest.approx([3 / 4, 2 / 4, 2 / 4])
    assert [(point.at_risk, point.events) for point in found] == [(4, 1), (3, 1), (1, 0)]


def test_an_event_on_the_first_day_counts() -> None:
    found = curve([exact(0, INTEREST), exact(40, 0)], Shape.INCIDENCE, Time.DAYS, estimated=True)
    assert found[0].estimate == pytest.approx(0.5)


def test_durations_are_bounded_by_medians() -> None:
    found = durations([Lived(1, 10, 30, INTEREST), Lived(1, 20, 22, INTEREST), exact(99, 0)])
    assert found is not None
    assert (found.count, found.shortest, found.midpoint, found.longest) == (2, 15, 20.5, 26)
    assert durations([exact(5, 0)]) is None


def test_nobody_makes_no_curve() -> None:
    assert curve([], Shape.INCIDENCE, Time.DAYS, estimated=True) == ()


LIVED = st.lists(
    st.builds(
        lambda weight, shortest, more, event: Lived(weight, shortest, shortest + more, event),
        st.sampled_from([1, 2, 1 / 2, 1 / 3]),
        st.integers(0, 400),
        st.integers(0, 300),
        st.sampled_from([0, INTEREST, COMPETING]),
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=40, deadline=None)
@given(LIVED)
def test_an_incidence_rises_within_its_bounds_and_agrees_with_the_counts(lived: list[Lived]) -> None:
    points = curve(lived, Shape.INCIDENCE, Time.DAYS, estimated=True)
    before = 0.0
    for point in points:
        assert point.estimate is not None
        assert point.least is not None
        assert point.most is not None
        assert before - 1e-9 <= point.estimate <= 1 + 1e-9
        assert point.least <= point.estimate <= point.most
        before = point.estimate
    of_interest = sum(each.weight for each in lived if each.event == INTEREST)
    assert isclose(sum(point.events for point in points), of_interest, abs_tol=1e-6)
    if all(each.event for each in lived):
        assert before == pytest.approx(of_interest / sum(each.weight for each in lived))


@given(st.integers(1, 10_000), st.data())
def test_a_wilson_interval_holds_its_share(number: int, data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, number))
    low, high = wilson(hits, number)
    assert -1e-12 <= low <= hits / number + 1e-12
    assert hits / number - 1e-12 <= high <= 1 + 1e-12
