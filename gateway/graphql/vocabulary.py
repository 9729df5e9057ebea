"""The enums of the schema: the domain's vocabularies, each value with its label in Japanese and English."""

from typing import NewType

import strawberry

from domain.event import Certainty, Mode
from domain.vocabulary import (
    CityRole,
    FormCode,
    Labelled,
    Origin,
    PartyKind,
    RejectionCode,
    Side,
    Status,
    SubmissionKind,
)


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
strawberry.enum(Mode, name="EntryMode", description=Mode.__doc__)
strawberry.enum(Certainty, name="Certainty", description=Certainty.__doc__)

Yen = NewType("Yen", int)
"""Whole yen; sums exceed the 32 bits of GraphQL's Int."""

YEN = strawberry.scalar(name="Yen", description="A sum in whole yen.", serialize=int, parse_value=int)

__all__ = [
    "YEN",
    "Certainty",
    "CityRole",
    "FormCode",
    "Mode",
    "Origin",
    "PartyKind",
    "RejectionCode",
    "Side",
    "Status",
    "SubmissionKind",
    "Yen",
]
