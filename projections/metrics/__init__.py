"""The fifteen metrics: each declared once with its definition as text, measured by SQL over the table of facts."""

from __future__ import annotations

from projections.metrics.course import CONSULTATION, EVALUATION_GAP, FORMS, MEETINGS, MONEY, SUSTAINED
from projections.metrics.declaration import Dimension, Metric, Series, Shape, Time, Unit
from projections.metrics.durations import RENEWAL, TIME_TO_AGREEMENT, TIME_TO_MAINSTREAMING
from projections.metrics.measuring import LEAST_UNITS, Measured, TooManyGroups, Withheld, measure, wilson
from projections.metrics.proposals import (
    ACCEPTANCE,
    CITY_PROPOSED,
    REASONS,
    RECOMMENDATION,
    REJECTIONS,
    SECOND_CHANCE,
)
from projections.metrics.survival import Durations, Point

METRICS: tuple[Metric, ...] = (
    ACCEPTANCE,
    RECOMMENDATION,
    TIME_TO_AGREEMENT,
    REJECTIONS,
    SECOND_CHANCE,
    RENEWAL,
    TIME_TO_MAINSTREAMING,
    SUSTAINED,
    FORMS,
    REASONS,
    CONSULTATION,
    MEETINGS,
    CITY_PROPOSED,
    EVALUATION_GAP,
    MONEY,
)
"""Every metric, in the order of its number."""

BY_KEY = {metric.key: metric for metric in METRICS}

__all__ = [
    "BY_KEY",
    "LEAST_UNITS",
    "METRICS",
    "Dimension",
    "Durations",
    "Measured",
    "Metric",
    "Point",
    "Series",
    "Shape",
    "Time",
    "TooManyGroups",
    "Unit",
    "Withheld",
    "measure",
    "wilson",
]
