"""Whether the city paid within what was agreed and decided, and whether grants were settled in time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from domain.dates import Bounds, bounds, fiscal_year
from domain.partnership.money import FundingDecided, GrantDecided, PaymentRecorded
from domain.partnership.parts import Agreement, Grant
from domain.partnership.state import Partnership
from domain.vocabulary import Status
from projections.audit.evidence import event, when
from projections.audit.findings import Findings, Level, Row, Words, flagged, from_rows, say

if TYPE_CHECKING:
    from domain.history import History, Recorded
    from projections.audit.evidence import Evidence


@dataclass(frozen=True, slots=True)
class Payment:
    """Money that the city paid; `year`, `yen`: None where the source does not say."""

    entry: Recorded
    days: Bounds
    grant: str | None
    year: int | None
    yen: int | None


def closing_day(year: int) -> date:
    """The last day on which a fiscal year's payments are made (出納整理期間, 地方自治法235条の5)."""
    return date(year + 1, 5, 31)


def payments(evidence: Evidence) -> Findings:
    """Payments outside the agreement's term or the grant's year, and sums above what was decided or allowed."""
    paid = sum(1 for history in evidence.partnerships for _ in _paid(history))
    rows = [row for history in evidence.partnerships for row in _outside(evidence, history)]
    rows += [row for history in evidence.partnerships for row in _above(evidence, history)]
    rows.sort(key=lambda row: row.position or 0)
    sentence = say(
        "支払{n}件と交付決定を確かめ、期間または額を外れるものは{flagged}件です。",
        "Payments: {n}; payments and grants outside the term or above the amount: {flagged}.",
        n=paid,
        flagged=flagged(rows),
    )
    return from_rows(sentence, rows)


def _paid(history: History) -> Iterator[Payment]:
    for entry in history.entries:
        given = entry.event
        days = bounds(given.valid.edtf)
        if isinstance(given, PaymentRecorded):
            yield Payment(entry, days, given.grant, given.fiscal_year, given.yen)
        elif isinstance(given, FundingDecided) and given.stage == "PAID":
            yield Payment(entry, days, None, given.fiscal_year, given.yen)


def _outside(evidence: Evidence, history: History) -> Iterator[Row]:
    state = history.state
    if not isinstance(state, Partnership):
        return
    for payment in _paid(history):
        why = _why_outside(state, payment)
        if why is not None:
            yield _payment_row(evidence, payment, Level.FINDING, why)
        elif payment.days.earliest is None or payment.days.latest is None:
            what = Words("日付が不明で、期間を確かめられない", "undated, so that the term cannot be judged")
            yield _payment_row(evidence, payment, Level.NOTE, what)


def _why_outside(state: Partnership, payment: Payment) -> Words | None:
    """What certainly puts a payment outside of what it rests on; None where nothing does."""
    grant = state.grant(payment.grant) if payment.grant else None
    if grant is not None and payment.year is not None and grant.fiscal_year != payment.year:
        return say(
            "交付決定は{decided}年度、支払は{paid}年度",
            "the grant is for FY{decided}, the payment for FY{paid}",
            decided=grant.fiscal_year,
            paid=payment.year,
        )
    # What became a regular service is paid without an agreement.
    if state.status is Status.MAINSTREAMED and _not_before(payment, bounds(state.ended or "XXXX").earliest):
        return None
    return _why_outside_terms(state, payment, on_grant=grant is not None)


def _why_outside_terms(state: Partnership, payment: Payment, *, on_grant: bool) -> Words | None:
    # A grant may be all that there is, or come before the first agreement: surveys and model years are paid so.
    if not state.agreements:
        return None if on_grant else Words("協定も交付決定もない", "there is neither an agreement nor a grant")
    first = min(_began(agreement) for agreement in state.agreements)
    if payment.days.latest is not None and payment.days.latest < first:
        text = say("協定の始まり({day})より前", "before the agreement began on {day}", day=when(first.isoformat()))
        return None if on_grant else text
    if payment.days.earliest is None or any(_covers(each, payment) for each in state.agreements):
        return None
    ends = [last for each in state.agreements if (last := _last_day(each)) is not None]
    return say("協定の終わり({day})より後", "after the agreement ended on {day}", day=when(max(ends).isoformat()))


def _not_before(payment: Payment, day: date | None) -> bool:
    return day is None or payment.days.latest is None or payment.days.latest >= day


def _began(agreement: Agreement) -> date:
    return bounds(agreement.began).earliest or date.min


def _last_day(agreement: Agreement) -> date | None:
    """The latest possible last day of an agreement's term; None where it is open."""
    ended = bounds(agreement.ended_on).latest if agreement.ended_on else None
    term = agreement.last_days[1] if agreement.last_days else None
    return min((day for day in (ended, term) if day is not None), default=None)


def _covers(agreement: Agreement, payment: Payment) -> bool:
    """Whether the payment may lie in the term, or pays for the term's last fiscal year within its closing period."""
    if payment.days.latest is not None and payment.days.latest < _began(agreement):
        return False
    last = _last_day(agreement)
    if last is None or payment.days.earliest is None or payment.days.earliest <= last:
        return True
    year = fiscal_year(last)
    return payment.year is not None and payment.year <= year and payment.days.earliest <= closing_day(year)


def _payment_row(evidence: Evidence, payment: Payment, level: Level, what: Words) -> Row:
    return evidence.row(
        level,
        payment.entry,
        say(
            "{name}({when}){yen}: {what}",
            "{name} ({when}), {yen}: {what}",
            name=event(payment.entry.name),
            when=when(payment.entry.event.valid.edtf),
            yen=yen(payment.yen),
            what=what,
        ),
    )


def yen(amount: int | None) -> Words:
    """A sum as a reader writes it."""
    if amount is None:
        return Words("額の記載なし", "amount not stated")
    return Words(f"{amount:,}円", f"{amount:,} yen")


def _above(evidence: Evidence, history: History) -> Iterator[Row]:
    state = history.state
    for entry in history.entries:
        given = entry.event
        if isinstance(given, GrantDecided):
            yield from _grant_above(evidence, entry, given, state.grant(given.grant))
    yield from _funding_above(evidence, history)


def _grant_above(evidence: Evidence, entry: Recorded, given: GrantDecided, grant: Grant | None) -> Iterator[Row]:
    rules = evidence.rules_of(entry.judged_by or entry.meta).funding
    if rules.max_yen is not None and given.yen is not None and given.yen > rules.max_yen:
        yield _above_row(
            evidence, entry, given.grant, given.yen, limit=rules.max_yen, of=Words("制度の上限", "the programme’s cap")
        )
    if rules.max_rate is not None and given.rate is not None and given.rate > rules.max_rate:
        what = say(
            "交付決定 {grant}: 補助率 {rate}%は制度の上限 {cap}%を超える",
            "Grant {grant}: its rate of {rate} % is above the programme’s cap of {cap} %",
            grant=given.grant,
            rate=given.rate / 100,
            cap=rules.max_rate / 100,
        )
        yield evidence.row(Level.FINDING, entry, what)
    if grant is not None and grant.yen is not None and grant.paid > grant.yen:
        yield _above_row(
            evidence, entry, given.grant, grant.paid, limit=grant.yen, of=Words("交付決定額", "what was decided")
        )


def _above_row(evidence: Evidence, entry: Recorded, grant: str, amount: int, *, limit: int, of: Words) -> Row:
    return evidence.row(
        Level.FINDING,
        entry,
        say(
            "交付決定 {grant}: {amount}は{of} {limit}を超える",
            "Grant {grant}: {amount} is above {of}, {limit}",
            grant=grant,
            amount=yen(amount),
            of=of,
            limit=yen(limit),
        ),
    )


def _funding_above(evidence: Evidence, history: History) -> Iterator[Row]:
    """Fiscal years in which more was paid without a grant than was decided; silent where a sum is not stated."""
    decided = [e.event for e in history.entries if isinstance(e.event, FundingDecided) and e.event.stage == "DECIDED"]
    if not decided or any(each.yen is None or each.fiscal_year is None for each in decided):
        return
    spent: dict[int, int] = {}
    for payment in _paid(history):
        if payment.grant is None and payment.year is not None and payment.yen is not None:
            before = spent.get(payment.year, 0)
            spent[payment.year] = before + payment.yen
            limit = _decided_for(payment.year, decided)
            if before <= limit < spent[payment.year]:
                what = say(
                    "{year}年度の支払の計 {paid}は、予算の決定 {limit}を超える",
                    "with it FY{year} comes to {paid}, above the {limit} decided",
                    year=payment.year,
                    paid=yen(spent[payment.year]),
                    limit=yen(limit),
                )
                yield _payment_row(evidence, payment, Level.FINDING, what)


def _decided_for(year: int, decided: list[FundingDecided]) -> int:
    once = sum(each.yen or 0 for each in decided if each.recurrence != "ANNUAL" and each.fiscal_year == year)
    yearly = [each for each in decided if each.recurrence == "ANNUAL" and (each.fiscal_year or year) <= year]
    # A yearly sum holds until the next one is decided for the same payee.
    latest = {each.payee: each.yen or 0 for each in sorted(yearly, key=lambda each: each.fiscal_year or 0)}
    return once + sum(latest.values())


def unsettled_grants(evidence: Evidence) -> Findings:
    """Grants that were paid and not settled once their fiscal year's closing day was over, or paid beyond it."""
    decided = [(e, e.event) for h in evidence.partnerships for e in h.entries if isinstance(e.event, GrantDecided)]
    rows = []
    for entry, given in decided:
        grant = evidence.streams[entry.stream].state.grant(given.grant)
        if grant is not None and (what := _unsettled(evidence, grant)) is not None:
            text = say("交付決定 {grant}: {what}", "Grant {grant}: {what}", grant=given.grant, what=what)
            rows.append(evidence.row(evidence.lacking(entry), entry, text))
    sentence = say(
        "交付決定{n}件のうち、{day}現在で確定または返還の済んでいないものは{open}件です。",
        "Grants: {n}; not settled, or not refunded, by {day}: {open}.",
        n=len(decided),
        open=len(rows),
        day=when(evidence.today.isoformat()),
    )
    return from_rows(sentence, rows)


def _unsettled(evidence: Evidence, grant: Grant) -> Words | None:
    if grant.settled is None:
        last = closing_day(grant.fiscal_year)
        if grant.paid == 0 or evidence.today <= last:
            return None
        return say(
            "{year}年度の{paid}が支払われ、{last}を過ぎても額が確定していない",
            "{paid} paid for FY{year}, not settled although {last} is over",
            year=grant.fiscal_year,
            paid=yen(grant.paid),
            last=when(last.isoformat()),
        )
    if grant.paid > grant.settled:
        return say(
            "{settled}で確定したが、{paid}が支払われたままで返還の命令がない",
            "settled at {settled}, {paid} stay paid and no refund was ordered",
            settled=yen(grant.settled),
            paid=yen(grant.paid),
        )
    return None
