"""報告・意見・相違: outcomes, a party's own statement, and where sources disagree."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from domain.decider import Event
from domain.partnership.consultation import given
from domain.partnership.state import PartnershipEvent
from domain.text import PartyId, Text
from domain.values import Code, Count, Frozen, Ordinal
from domain.vocabulary import EARLY, ENDED, IN_FORCE, TRYING, Status

if TYPE_CHECKING:
    from collections.abc import Iterable


class Indicator(Frozen):
    """A measured or merely directional change."""

    code: Code
    direction: Literal["UP", "DOWN", "SAME"] | None = None
    value: Count | None = None


class OutcomeReported(PartnershipEvent):
    """What came of it."""

    needs = IN_FORCE | ENDED | TRYING | (EARLY - {Status.REGISTERED})
    report_by: PartyId | None = None
    text: Text | None = None
    indicators: tuple[Indicator, ...] = ()

    def named_parties(self) -> Iterable[str]:
        return given(self.report_by)


class PartyStatementFiled(PartnershipEvent):
    """A party's own words beside the record (意見)."""

    in_order: ClassVar[bool] = False
    party: PartyId
    kind: Code | None = None
    text: Text

    def named_parties(self) -> Iterable[str]:
        return (self.party,)


class SourceDiscrepancyNoted(Event):
    """What two sources, or one source in two places, say differently; neither is chosen silently (相違)."""

    in_order: ClassVar[bool] = False
    about: Code
    values: tuple[Text, ...] = Field(default=(), max_length=10)
    reading: Text | None = None
    used_here: Text | None = None
    session: Ordinal | None = None
    stated: Count | None = None
    sum_of_parts: Count | None = None
