"""Deadlines that were missed, what became of them, and requests for correction that nobody flagged."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING

from domain.custody import CorrectionDecided, CorrectionRequested
from domain.dates import bounds, plus
from domain.history import EventRetracted
from domain.partnership.evaluation import DeadlineMissed, EvaluationsShared, FinalReported
from domain.vocabulary import DeadlineKind
from projections.audit.evidence import when
from projections.audit.findings import Findings, Level, Row, Words, flagged, from_rows, say

if TYPE_CHECKING:
    from domain.history import History, Recorded
    from projections.audit.evidence import Evidence

_CORRECTION = "P30D"  # 個人情報保護法94条, applied to the whole record


def missed_deadlines(evidence: Evidence) -> Findings:
    """Every deadline flagged as missed: since done or not, retracted or not; and requests left undecided unflagged."""
    rows = [row for history in evidence.streams.values() for row in _missed(evidence, history)]
    rows += [row for history in evidence.streams.values() for row in _undecided(evidence, history)]
    rows.sort(key=lambda row: row.position or 0)
    if not rows:
        return Findings(Level.OK, Words("期限を過ぎたものはありません。", "No deadline was missed."))
    sentence = say(
        "期限超過が{n}件あり、うち{retracted}件は後に取り消されています。",
        "Deadlines missed: {n}; of these flags, retracted later: {retracted}.",
        n=len(rows),
        retracted=len(rows) - flagged(rows),
    )
    return from_rows(sentence, rows)


def _missed(evidence: Evidence, history: History) -> Iterator[Row]:
    retracted = {e.event.target: e for e in history.recorded if isinstance(e.event, EventRetracted)}
    for entry in history.recorded:
        given = entry.event
        if not isinstance(given, DeadlineMissed):
            continue
        back = retracted.get(entry.version)
        if back is not None:
            became = say(
                "{position}件目で取消、理由 {text}",
                "retracted at no. {position}, reason: {text}",
                position=back.position,
                text=evidence.text(getattr(back.event, "reason", None)),
            )
        else:
            became = _done(history, given)
        what = say(
            "{kind}(番号{n})、期限 {due}: {became}",
            "{kind} (no. {n}), due {due}: {became}",
            kind=Words(given.what.label("ja"), given.what.label("en")),
            n=given.number,
            due=when(given.due),
            became=became,
        )
        yield evidence.row(Level.NOTE if back is not None else Level.FINDING, entry, what)


def _done(history: History, missed: DeadlineMissed) -> Words:
    done = next((e for e in history.entries if _does(e, missed)), None)
    if done is None:
        return Words("まだ行われていない", "still open")
    on, due = bounds(done.event.valid.edtf).latest, bounds(missed.due).latest
    if on is None or due is None or on <= due:
        return say("行われた({when})", "done ({when})", when=when(done.event.valid.edtf))
    days = (on - due).days
    text = "{days}日遅れで行われた({when})"
    return say(text, "done {days} days late ({when})", days=days, when=when(done.event.valid.edtf))


def _does(entry: Recorded, missed: DeadlineMissed) -> bool:
    given = entry.event
    match missed.what:
        case DeadlineKind.DECISION:
            decides = hasattr(given, "authority") or entry.name == "ProposalWithdrawn"
            return decides and getattr(given, "submission", None) == missed.number
        case DeadlineKind.EVALUATION:
            return isinstance(given, EvaluationsShared) and given.evaluation == missed.number
        case DeadlineKind.FINAL_REPORT:
            return isinstance(given, FinalReported)
        case DeadlineKind.CORRECTION_DECISION:
            return isinstance(given, CorrectionDecided) and given.request == missed.number


def _undecided(evidence: Evidence, history: History) -> Iterator[Row]:
    """Requests for correction that were due by the day of the last entry, undecided, and not flagged."""
    missed = set(history.state.missed)
    for entry in history.entries:
        given = entry.event
        if not isinstance(given, CorrectionRequested):
            continue
        requests = history.state.correction_requests
        is_open = given.request <= len(requests) and requests[given.request - 1].granted is None
        due = _due(given)
        if is_open and (DeadlineKind.CORRECTION_DECISION.value, given.request) not in missed and due < evidence.today:
            text = "訂正請求(番号{n})、期限 {due}: 決定がなく、期限超過の記録もない"
            what = say(
                text,
                "request for correction no. {n}, due {due}: undecided, not flagged",
                n=given.request,
                due=when(due.isoformat()),
            )
            yield evidence.row(Level.FINDING, entry, what)


def _due(given: CorrectionRequested) -> date:
    asked = bounds(given.valid.edtf).latest
    return plus(asked, _CORRECTION) if asked is not None else date.max
