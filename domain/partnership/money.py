"""料金・予算・交付・支払・寄附: integer yen with its fiscal year; unknown yen is unknown, not 0."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from domain import errors
from domain.dates import Edtf, bounds
from domain.event import Context
from domain.partnership.consultation import given
from domain.partnership.parts import Grant
from domain.partnership.state import Partnership, PartnershipEvent
from domain.text import PartyId, Text
from domain.values import BasisPoints, Code, Duration, FiscalYear, Frozen, Slug, Yen
from domain.vocabulary import ENDED, IN_FORCE, OPEN, Status, Step

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_PAYABLE = IN_FORCE | ENDED | frozenset({Status.ACCEPTED, Status.TRIAL, Status.MODEL_YEAR, Status.SURVEYING})


class FeeLine(Frozen):
    """A price in yen for a unit of time."""

    unit: Duration
    yen: Yen
    when: Text | None = None


class FeeScheduleSet(PartnershipEvent):
    """What users pay, and who set it (料金)."""

    payer: Code
    set_by: PartyId | None = None
    order: Text | None = None
    lines: tuple[FeeLine, ...] = Field(min_length=1)

    def named_parties(self) -> Iterable[str]:
        return given(self.set_by)


class FundingDecided(PartnershipEvent):
    """The city decides to pay (予算). Unknown yen is unknown, not 0; money carries its fiscal year."""

    needs = _PAYABLE
    payee: PartyId
    payer: PartyId | None = None
    recurrence: Literal["ANNUAL", "ONE_OFF"] | None = None
    since: Edtf | None = None
    yen: Yen | None = None
    fiscal_year: FiscalYear | None = None
    stage: Literal["DECIDED", "PAID"] = "DECIDED"

    def named_parties(self) -> Iterable[str]:
        return given(self.payee, self.payer)


class DonationTermsSet(PartnershipEvent):
    """What share of which base is given to which fund, in basis points (1 = 0.01 %)."""

    needs = OPEN
    basis_points: BasisPoints
    base: Text
    donor: PartyId
    fund: PartyId
    use: Code | None = None
    agreement: Text | None = None

    def named_parties(self) -> Iterable[str]:
        return (self.donor, self.fund)


class DonationReceived(PartnershipEvent):
    """A donation came in; unknown yen is unknown, not 0."""

    donor: PartyId
    fund: PartyId
    yen: Yen | None = None
    fiscal_year: FiscalYear | None = None
    used_for: Code | None = None

    def named_parties(self) -> Iterable[str]:
        return (self.donor, self.fund)


class GrantDecided(PartnershipEvent):
    """A grant is decided (交付決定). `grant` is its number in this partnership, `rate` the share of the cost."""

    needs = _PAYABLE
    step = Step.GRANT
    grant: Code
    programme: Slug | None = None
    payee: PartyId
    yen: Yen | None = None
    rate: BasisPoints | None = None
    fiscal_year: FiscalYear
    decided_by: PartyId | None = None

    def named_parties(self) -> Iterable[str]:
        return given(self.payee, self.decided_by)

    def check(self, state: Partnership, context: Context) -> None:
        super().check(state, context)
        if state.grant(self.grant) is not None:
            raise errors.AlreadyExists(what="grant", name=self.grant)

    def breaks_rules(self, state: Partnership, context: Context) -> Iterator[errors.RuleViolated]:
        rules = context.rules.funding
        if rules.max_yen is not None and self.yen is not None and self.yen > rules.max_yen:
            yield errors.LimitExceeded(what="yen", given=self.yen, limit=rules.max_yen)
        if rules.max_rate is not None and self.rate is not None and self.rate > rules.max_rate:
            yield errors.LimitExceeded(what="rate", given=self.rate, limit=rules.max_rate)

    def apply(self, state: Partnership) -> Partnership:
        grant = Grant(grant=self.grant, yen=self.yen, fiscal_year=self.fiscal_year)
        return state.having(grants=(*state.grants, grant))


class PaymentRecorded(PartnershipEvent):
    """The city paid (支払). A fiscal year's payments run to May 31 after it (出納整理期間, 地方自治法235条の5)."""

    in_order: ClassVar[bool] = False
    needs = _PAYABLE
    payee: PartyId
    payer: PartyId | None = None
    grant: Code | None = None
    yen: Yen
    fiscal_year: FiscalYear

    def named_parties(self) -> Iterable[str]:
        return given(self.payee, self.payer)

    def breaks_rules(self, state: Partnership, context: Context) -> Iterator[errors.RuleViolated]:
        days = bounds(self.valid.edtf)
        first, last = date(self.fiscal_year, 4, 1), date(self.fiscal_year + 1, 5, 31)
        if (days.earliest or first) > last or (days.latest or last) < first:
            yield errors.PaymentOutsideYear(year=self.fiscal_year, valid=self.valid.edtf)
        if self.grant is None:
            if not state.agreements and not state.grants:
                yield errors.NothingAgreed()
            return
        grant = state.grant(self.grant)
        if grant is None:
            yield errors.GrantUnknown(given=self.grant)
        elif (limit := grant.limit) is not None and grant.paid + self.yen > limit:
            yield errors.LimitExceeded(what=f"paid on {self.grant}", given=grant.paid + self.yen, limit=limit)

    def apply(self, state: Partnership) -> Partnership:
        grant = state.grant(self.grant) if self.grant else None
        return state if grant is None else _changed(state, grant, paid=grant.paid + self.yen)


class GrantSettled(PartnershipEvent):
    """What the grant finally is, once the report is in (額の確定)."""

    in_order: ClassVar[bool] = False
    needs = _PAYABLE
    step = Step.SETTLEMENT
    grant: Code
    yen: Yen

    def breaks_rules(self, state: Partnership, context: Context) -> Iterator[errors.RuleViolated]:
        grant = state.grant(self.grant)
        if grant is None:
            yield errors.GrantUnknown(given=self.grant)
        elif grant.settled is not None:
            yield errors.AlreadyDone(what=f"the settlement of {self.grant}")
        elif grant.yen is not None and self.yen > grant.yen:
            yield errors.LimitExceeded(what="settled", given=self.yen, limit=grant.yen)

    def apply(self, state: Partnership) -> Partnership:
        grant = state.grant(self.grant)
        return state if grant is None else _changed(state, grant, settled=self.yen)


class RefundOrdered(PartnershipEvent):
    """What was paid beyond the settled sum goes back to the city (返還)."""

    in_order: ClassVar[bool] = False
    needs = _PAYABLE
    grant: Code
    yen: Yen
    due: Edtf | None = None
    reason: Text | None = None

    def breaks_rules(self, state: Partnership, context: Context) -> Iterator[errors.RuleViolated]:
        grant = state.grant(self.grant)
        if grant is None:
            yield errors.GrantUnknown(given=self.grant)
        elif not context.is_import and self.yen > (most := max(0, grant.paid - (grant.settled or 0))):
            yield errors.LimitExceeded(what="refund", given=self.yen, limit=most)

    def apply(self, state: Partnership) -> Partnership:
        grant = state.grant(self.grant)
        return state if grant is None else _changed(state, grant, paid=max(0, grant.paid - self.yen))


def _changed(state: Partnership, grant: Grant, **changes: int) -> Partnership:
    changed = grant.model_copy(update=changes)
    return state.having(grants=tuple(changed if known is grant else known for known in state.grants))
