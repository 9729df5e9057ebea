"""What is due on a day: terms that renew or lapse, evaluations to open, deadlines that passed. Time is an argument."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from domain.dates import bounds, fiscal_year, fiscal_year_days, plus
from domain.partnership.agreement import last_day_with_grace, renews_itself
from domain.partnership.state import Partnership
from domain.rules import Rules
from domain.vocabulary import IN_FORCE, DeadlineKind, Status, Step

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from domain.event import Call
    from domain.history import History

_DAY = timedelta(days=1)
_CORRECTION = "P30D"
"""Within what time a request for correction is decided (個人情報保護法94条, applied to the whole record)."""


@dataclass(frozen=True, slots=True)
class Due:
    """A command that the clock gives: its data and the day on which it is valid (ISO 8601)."""

    command: str
    data: dict[str, Any]
    valid: str


def due(history: History, rules: Rules, calls: Sequence[Call], today: date) -> list[Due]:
    """What the clock has to record about a partnership on that day of the city's calendar, in order.

    Only what is certainly over counts: a term that began some time in a year ends with the latest of its possible days.
    After one of them was recorded the others may look different, so give the first and ask again.
    """
    state = history.state
    if not isinstance(state, Partnership) or state.status is None or state.steward is not None:
        return []
    return [*_terms(state, rules, today), *_evaluations(state, rules, today), *_deadlines(state, rules, calls, today)]


def _terms(state: Partnership, rules: Rules, today: date) -> Iterator[Due]:
    agreement = state.agreement
    if agreement is None or agreement.last_days is None or state.status not in IN_FORCE:
        return
    ended = agreement.last_days[1]
    follows = (ended + _DAY).isoformat()
    if renews_itself(agreement, rules):
        if today > ended:
            yield Due("renew-agreement", {"no": agreement.renewals + 1}, follows)
        return
    last_day = last_day_with_grace(agreement, rules)
    if last_day is not None and today > last_day:
        yield Due("lapse-agreement", {}, follows)


def _evaluations(state: Partnership, rules: Rules, today: date) -> Iterator[Due]:
    scheduled = rules.evaluation.due if rules.evaluation else None
    waits = any(not state.has_done(step) for step in rules.requires.get(Step.EVALUATION, ()))
    if scheduled is None or not state.agreements or waits or not rules.has(Step.EVALUATION):
        return
    periods = {known.period for known in state.evaluations}
    for first, last in _years(state, today) if scheduled == "FISCAL_YEAR" else _ended_terms(state, today):
        period = f"{first.isoformat()}/{last.isoformat()}"
        if period not in periods and today > last:
            number = len(state.evaluations) + 1
            data = {"evaluation": number, "period": period}
            yield Due("open-evaluation", data, (last + _DAY).isoformat())
            return


def _years(state: Partnership, today: date) -> Iterator[tuple[date, date]]:
    """The fiscal years from the first agreement to the partnership's end, or to today."""
    began = bounds(state.agreements[0].began).latest
    over = min((bounds(state.ended).latest if state.ended else None) or today, today)
    for year in range(fiscal_year(began), fiscal_year(over) + 1) if began is not None else ():
        yield fiscal_year_days(year)


def _ended_terms(state: Partnership, today: date) -> Iterator[tuple[date, date]]:
    for agreement in state.agreements:
        began, ended = bounds(agreement.began).latest, _ended(state, agreement.ended_on)
        if began is not None and ended is not None and began <= ended <= today:
            yield began, ended


def _ended(state: Partnership, on: str | None) -> date | None:
    edtf = on or state.ended
    return bounds(edtf).latest if edtf else None


def _deadlines(state: Partnership, rules: Rules, calls: Sequence[Call], today: date) -> Iterator[Due]:
    for what, number, runs_from, within in _running(state, rules, calls):
        if runs_from is None or (what.value, number) in state.missed:
            continue
        last_day = plus(runs_from, within)
        if today > last_day:
            data = {"what": what.value, "number": number, "due": last_day.isoformat()}
            yield Due("miss-deadline", data, (last_day + _DAY).isoformat())


def _running(
    state: Partnership, rules: Rules, calls: Sequence[Call]
) -> Iterator[tuple[DeadlineKind, int, date | None, str]]:
    """What still has to be done: its kind and number, the day from which its time runs, and how long it may take."""
    decision, pending = rules.deadline(DeadlineKind.DECISION), state.pending
    if decision is not None and pending is not None:
        runs_from: str | None = pending.submitted
        if decision.after == "CALL_CLOSED":
            taken = (c for c in calls if c.call == pending.call or (not pending.call and c.takes(pending.submitted)))
            runs_from = next((call.last_day for call in taken), None)
        yield DeadlineKind.DECISION, pending.number, bounds(runs_from or "XXXX").latest, decision.within
    evaluation = rules.deadline(DeadlineKind.EVALUATION)
    for known in state.evaluations if evaluation is not None else ():
        if not known.shared and evaluation is not None:
            yield DeadlineKind.EVALUATION, known.number, bounds(known.opened).latest, evaluation.within
    report = rules.deadline(DeadlineKind.FINAL_REPORT)
    over = state.status not in {Status.REJECTED, Status.WITHDRAWN} and state.agreements and state.ended
    if report is not None and over and not state.final_reports:
        yield DeadlineKind.FINAL_REPORT, len(state.agreements), bounds(over).latest, report.within
    correction = rules.deadline(DeadlineKind.CORRECTION_DECISION)
    for number, request in enumerate(state.correction_requests, start=1):
        if request.granted is None:
            within = correction.within if correction else _CORRECTION
            yield DeadlineKind.CORRECTION_DECISION, number, bounds(request.asked).latest, within
