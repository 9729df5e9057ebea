"""休止・完了・自立・一般施策化・関連付け: how a partnership rests, how it ends, and what follows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from domain import errors
from domain.dates import Edtf
from domain.event import Context
from domain.partnership.consultation import given
from domain.partnership.state import Partnership, PartnershipEvent
from domain.text import PartyId, Text
from domain.values import Code, FiscalYear, Slug
from domain.vocabulary import EARLY, OPEN, UNDECIDED, Status, Step

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class PartnershipSuspended(PartnershipEvent):
    """The partnership rests (休止)."""

    needs = frozenset({Status.AGREED, Status.ACTIVE})
    outcomes = frozenset({Status.SUSPENDED})
    cause: Text | None = None
    until: Edtf | None = None

    def apply(self, state: Partnership) -> Partnership:
        # An earlier record may tell of a second suspension, or of one after the end: what it rests from stays known.
        resumes = state.status if state.status in self.needs else state.resumes
        return state.having(status=Status.SUSPENDED, resumes=resumes)


class PartnershipResumed(PartnershipEvent):
    """The partnership goes on (再開)."""

    needs = frozenset({Status.SUSPENDED})
    outcomes = frozenset({Status.AGREED, Status.ACTIVE})

    def apply(self, state: Partnership) -> Partnership:
        return state.having(status=state.resumes or Status.ACTIVE, resumes=None)


class _Ending(PartnershipEvent):
    needs = OPEN - EARLY - UNDECIDED

    def breaks_rules(self, state: Partnership, context: Context) -> Iterator[errors.RuleViolated]:
        if not state.was_tried and state.status is not Status.ACTIVE:
            yield errors.NothingTried()

    def apply(self, state: Partnership) -> Partnership:
        return state.having(ended=self.valid.edtf)


class PartnershipCompleted(_Ending):
    """What was agreed has been done (完了)."""

    leads = Status.COMPLETED
    step = Step.COMPLETION
    result: Text | None = None


class PartnershipBecameIndependent(_Ending):
    """The partners carry on without the city (自立)."""

    leads = Status.INDEPENDENT
    step = Step.INDEPENDENCE
    successor: PartyId | None = None

    def named_parties(self) -> Iterable[str]:
        return given(self.successor)


class PartnershipMainstreamed(_Ending):
    """The city makes it a regular service (一般施策化): an outcome, not a success score. Funding may still follow."""

    leads = Status.MAINSTREAMED
    step = Step.MAINSTREAMING
    basis: Code | None = None
    basis_text: Text | None = None
    fiscal_year: FiscalYear | None = None
    provider: PartyId | None = None
    funding: Literal["ANNUAL", "ONE_OFF", "NONE"] | None = None
    content: Text | None = None
    decided_by: PartyId | None = None

    def named_parties(self) -> Iterable[str]:
        return given(self.provider, self.decided_by)


class PartnershipsLinked(PartnershipEvent):
    """Another partnership is its successor, a part of it, what it merged into, or the umbrella over it (関連付け)."""

    in_order: ClassVar[bool] = False
    link: Literal["SUCCESSOR", "SPLIT", "MERGED", "UNDER_UMBRELLA"]
    number: Code
    city: Slug | None = None

    def check(self, state: Partnership, context: Context) -> None:
        super().check(state, context)
        if self.city is None and not context.exists(self.number):
            raise errors.NotFound(what="partnership", name=self.number)
        if (self.link, self.number) in state.links:
            raise errors.AlreadyExists(what="link", name=f"{self.link} {self.number}")

    def breaks_rules(self, state: Partnership, context: Context) -> Iterator[errors.RuleViolated]:
        if self.city is None and self.number == state.number:
            yield errors.LinkedToItself()

    def apply(self, state: Partnership) -> Partnership:
        return state.having(links=(*state.links, (self.link, self.number)))
