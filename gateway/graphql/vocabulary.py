"""The enums of the schema: the domain's vocabularies, each value with its label in Japanese and English."""

from enum import StrEnum
from typing import TYPE_CHECKING, NewType

import strawberry

from domain.event import Certainty, Mode
from domain.vocabulary import (
    CityRole,
    CoverageKind,
    FormCode,
    Labelled,
    Origin,
    PartyKind,
    RejectionCode,
    Side,
    Status,
    SubmissionKind,
)
from projections.metrics import BY_KEY, METRICS, Dimension, Shape, Time, Unit, Withheld

if TYPE_CHECKING:

    class MetricKey(StrEnum):
        """One of the metrics."""
else:
    MetricKey = StrEnum("MetricKey", {metric.key.upper(): metric.key for metric in METRICS})


def _enum(vocabulary: type[Labelled], name: str) -> None:
    described = strawberry.enum(vocabulary, name=name, description=(vocabulary.__doc__ or "").strip())
    for each in described.__strawberry_definition__.values:  # type: ignore[attr-defined]
        member = vocabulary(each.value)
        each.description = f"{member.ja} / {member.en}"


_enum(Status, "PartnershipStatus")
_enum(FormCode, "FormCode")
_enum(Origin, "Origin")
_enum(CityRole, "CityRole")
_enum(PartyKind, "PartyKind")
_enum(RejectionCode, "RejectionCode")
_enum(Side, "EvaluationSide")
_enum(SubmissionKind, "SubmissionKind")
_enum(CoverageKind, "CoverageKind")
_enum(Dimension, "Dimension")
_enum(Unit, "MetricUnit")
_enum(Time, "MetricTime")
_enum(Withheld, "Withheld")
strawberry.enum(Shape, name="MetricShape", description=Shape.__doc__)
_metrics = strawberry.enum(MetricKey, description="One of the fifteen metrics.")
for _key in _metrics.__strawberry_definition__.values:  # type: ignore[attr-defined]
    _metric = BY_KEY[_key.value]
    _key.description = (
        f"{_metric.number}. {_metric.title_ja} / {_metric.title_en}. {_metric.definition_ja} {_metric.definition_en}"
    )
strawberry.enum(Mode, name="EntryMode", description=Mode.__doc__)
strawberry.enum(Certainty, name="Certainty", description=Certainty.__doc__)

Yen = NewType("Yen", int)
"""Whole yen; sums exceed the 32 bits of GraphQL's Int."""

YEN = strawberry.scalar(name="Yen", description="A sum in whole yen.", serialize=int, parse_value=int)

__all__ = [
    "YEN",
    "Certainty",
    "CityRole",
    "CoverageKind",
    "Dimension",
    "FormCode",
    "MetricKey",
    "Mode",
    "Origin",
    "PartyKind",
    "RejectionCode",
    "Shape",
    "Side",
    "Status",
    "SubmissionKind",
    "Time",
    "Unit",
    "Withheld",
    "Yen",
]
