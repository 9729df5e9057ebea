"""Money: grants and what is paid on them, within the programme's limits and the fiscal year."""

# ruff: noqa: E501  (the tables hold one rule a line, to be read across)

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from domain import errors
from domain.event import Mode
from domain.rules import FundingRules, Rules
from domain.vocabulary import Status, Step
from tests.domain.facts import (
    ACCEPTED,
    AGREED,
    MAINSTREAMED,
    REGISTERED,
    Fact,
    World,
    draft,
    each,
    fact,
    given,
    is_refused,
    moves,
    told,
    when,
)


def granted(**data: Any) -> Fact:
    return fact("decide-grant", grant="G1", payee="npo", yen=500_000, fiscal_year=2018).but(**data)


def paid(yen: int, valid: str = "2018-10", **data: Any) -> Fact:
    return fact("record-payment", valid, payee="npo", yen=yen, fiscal_year=2018, grant="G1").but(**data)


def settled(yen: int) -> Fact:
    return fact("settle-grant", grant="G1", yen=yen)


def refunded(yen: int) -> Fact:
    return fact("order-refund", grant="G1", yen=yen)


# fmt: off
NO_RULES = Rules()
CAPPED = Rules(funding=FundingRules(max_yen=300_000, max_rate=5_000))
REPORT_FIRST = Rules(requires={Step.SETTLEMENT: (Step.FINAL_REPORT,), Step.COMPLETION: (Step.SETTLEMENT,)})
GRANTED = [REGISTERED, AGREED, granted()]
DONATION = fact("set-donation-terms", basis_points=10, base="card spend", donor="npo", fund="city")

REFUSED = [
    # sentence                                                    rules           past                                     command                                          refusal
    ("a second settlement",                                       NO_RULES,       [*GRANTED, fact("settle-grant", grant="G1", yen=1)], fact("settle-grant", grant="G1", yen=1), errors.AlreadyDone),
    ("a grant before anything is accepted",                       NO_RULES,       [REGISTERED],                            granted(),                                       errors.StatusForbids),
    ("a grant over the programme's maximum",                      CAPPED,         [REGISTERED, AGREED],                    granted(),                                       errors.LimitExceeded),
    ("a grant over the programme's share of the cost",            CAPPED,         [REGISTERED, AGREED],                    granted(yen=None, rate=5_001),                   errors.LimitExceeded),
    ("a payment on a grant that was not decided",                 NO_RULES,       GRANTED,                                 paid(1, grant="G2"),                             errors.GrantUnknown),
    ("payments beyond the grant",                                 NO_RULES,       [*GRANTED, paid(400_000)],               paid(100_001),                                   errors.LimitExceeded),
    ("payments beyond the settled sum",                           NO_RULES,       [*GRANTED, paid(400_000), settled(450_000)], paid(50_001),                                errors.LimitExceeded),
    ("a payment before its fiscal year",                          NO_RULES,       GRANTED,                                 paid(1, "2018-03-31"),                           errors.PaymentOutsideYear),
    ("a payment after the accounts of its fiscal year closed",    NO_RULES,       GRANTED,                                 paid(1, "2019-06-01"),                           errors.PaymentOutsideYear),
    ("a payment where nothing is agreed or granted",              NO_RULES,       [REGISTERED, ACCEPTED],                  paid(1, grant=None),                             errors.NothingAgreed),
    ("a settlement of a grant that was not decided",              NO_RULES,       [REGISTERED, AGREED],                    settled(1),                                      errors.GrantUnknown),
    ("a settlement beyond the grant",                             NO_RULES,       GRANTED,                                 settled(500_001),                                errors.LimitExceeded),
    ("a settlement before the report that is required",           REPORT_FIRST,   GRANTED,                                 settled(400_000),                                errors.StepRequired),
    ("a refund on a grant that was not decided",                  NO_RULES,       [REGISTERED, AGREED],                    refunded(1),                                     errors.GrantUnknown),
    ("completion before the settlement that is required",         REPORT_FIRST,   GRANTED,                                 fact("complete-partnership"),                    errors.StepRequired),
    ("terms of a donation after the end",                         NO_RULES,       [REGISTERED, AGREED, MAINSTREAMED],      DONATION,                                        errors.StatusForbids),
]

UNKNOWN_WHEN_IMPORTED = [
    ("a refund of more than was paid",                            NO_RULES,       [*GRANTED, paid(400_000)],               refunded(400_001),                               errors.LimitExceeded),
    ("a refund of what was rightly paid",                         NO_RULES,       [*GRANTED, paid(400_000), fact("settle-grant", grant="G1", yen=400_000)], fact("order-refund", grant="G1", yen=1), errors.LimitExceeded),
]

ADMITTED = [
    # sentence                                                    rules           past                                     command                                          status after
    ("a grant",                                                   CAPPED,         [REGISTERED, ACCEPTED],                  granted(yen=300_000, rate=5_000),                Status.ACCEPTED),
    ("a grant whose yen nobody states",                           CAPPED,         [REGISTERED, AGREED],                    granted(yen=None),                               Status.AGREED),
    ("the first day of its fiscal year",                          NO_RULES,       GRANTED,                                 paid(1, "2018-04-01"),                           Status.AGREED),
    ("a payment on the last day of the accounts",                 NO_RULES,       GRANTED,                                 paid(1, "2019-05-31"),                           Status.AGREED),
    ("a payment of a year that may lie within",                   NO_RULES,       GRANTED,                                 paid(1, "2019"),                                 Status.AGREED),
    ("all of the grant",                                          NO_RULES,       [*GRANTED, paid(400_000)],               paid(100_000),                                   Status.AGREED),
    ("a payment on a grant of unknown yen",                       NO_RULES,       [REGISTERED, AGREED, granted(yen=None)], paid(10**9),                                     Status.AGREED),
    ("a payment on the agreement alone",                          NO_RULES,       [REGISTERED, AGREED],                    paid(10**9, grant=None),                         Status.AGREED),
    ("a settlement after the report",                             REPORT_FIRST,   [*GRANTED, fact("report-final")],        settled(400_000),                                Status.AGREED),
    ("a refund of what was paid beyond the settled sum",          NO_RULES,       [*GRANTED, paid(500_000), settled(400_000)], refunded(100_000),                           Status.AGREED),
    ("completion once everything is settled",                     REPORT_FIRST,   [*GRANTED, settled(400_000)],            fact("complete-partnership"),                    Status.COMPLETED),
    ("funding after mainstreaming",                               NO_RULES,       [REGISTERED, AGREED, MAINSTREAMED],      fact("decide-funding", payee="npo", recurrence="ANNUAL"), Status.MAINSTREAMED),
    ("fees that users pay",                                       NO_RULES,       [REGISTERED],                            fact("set-fee-schedule", payer="USERS", lines=[{"unit": "PT1H", "yen": 500}]), Status.REGISTERED),
    ("a tenth of a percent for a fund",                           NO_RULES,       [REGISTERED],                            DONATION,                                        Status.REGISTERED),
    ("a donation of unknown yen",                                 NO_RULES,       [REGISTERED, DONATION],                  fact("receive-donation", donor="npo", fund="city"), Status.REGISTERED),
]
# fmt: on


@each(REFUSED, "refusal")
def test_what_breaks_a_rule_about_money_is_refused(
    world: World | Rules, past: list[Fact], command: Fact, refusal: type[errors.RuleViolated]
) -> None:
    is_refused(past, command, refusal, world, imported="ANOMALY")


@each(UNKNOWN_WHEN_IMPORTED, "refusal")
def test_payments_that_a_source_does_not_list_are_unknown(
    world: World | Rules, past: list[Fact], command: Fact, refusal: type[errors.RuleViolated]
) -> None:
    is_refused(past, command, refusal, world, imported="UNKNOWN")


@each(ADMITTED, "status")
def test_what_the_rules_about_money_allow(
    world: World | Rules, past: list[Fact], command: Fact, status: Status
) -> None:
    moves(past, command, status, world)


def test_a_grant_is_decided_paid_settled_and_refunded() -> None:
    history = told(REGISTERED, AGREED, granted(), paid(500_000), settled(420_000), refunded(80_000))
    (grant,) = history.state.grants
    assert (grant.yen, grant.paid, grant.settled, grant.limit) == (500_000, 420_000, 420_000, 420_000)
    with pytest.raises(errors.LimitExceeded):
        when(history, paid(1))


@pytest.mark.parametrize("mode", list(Mode))
def test_a_grant_is_decided_once_in_every_mode(mode: Mode) -> None:
    with pytest.raises(errors.AlreadyExists, match="G1"):
        when(given(*GRANTED), granted(), mode=mode)


@pytest.mark.parametrize(
    "wrong",
    [granted(yen=0.5), granted(yen=-1), paid(True), DONATION.but(basis_points=10_001), granted(fiscal_year=30)],
    ids=["half a yen", "less than nothing", "no number", "more than all of it", "an era year"],
)
def test_yen_and_shares_are_whole_numbers_within_bounds(wrong: Fact) -> None:
    with pytest.raises(ValidationError):
        draft(wrong)
