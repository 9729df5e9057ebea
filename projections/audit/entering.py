"""How the record was entered: late, corrected, approved by whom, and in bulk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import orjson

from domain.city import ImportWindowClosed, ImportWindowOpened
from domain.commands import initial_state
from domain.dates import bounds
from domain.decider import judged_again
from domain.event import Context, Meta, Mode, Role
from domain.history import EventCorrected, EventRetracted
from domain.rules import Rules
from projections.audit.evidence import day_of, event, is_of, when
from projections.audit.findings import Findings, Level, Row, Words, flagged, from_rows, listed, say
from tenants.cases import IMPORTER
from tenants.disclosures import masked

if TYPE_CHECKING:
    from domain.history import History, Recorded
    from projections.audit.evidence import Evidence, Window

_LONG = 60
_WINDOWS = (ImportWindowOpened, ImportWindowClosed)


def late_entries(evidence: Evidence) -> Findings:
    """Entries recorded more than so many days after they happened, other than by import or when the city joined."""
    rows: list[Row] = []
    judged = undated = 0
    for entry in evidence.recorded:
        if entry.meta.mode is Mode.IMPORT or entry.position <= evidence.joined or is_of(entry, *_WINDOWS):
            continue
        judged += 1
        latest = bounds(entry.event.valid.edtf).latest
        if latest is None:
            undated += 1
            continue
        late = (day_of(entry.recorded_at) - latest).days
        if late > evidence.options.late_days:
            rows.append(_late(evidence, entry, late))
    if not judged:
        only = Words(
            "移行入力と参加時の登録のほかに記録はありません。", "There are only imports, and what the city joined with."
        )
        return Findings(Level.OK, only)
    sentence = say(
        "移行入力と参加時の登録を除く{judged}件のうち、{days}日を超えて遅れた入力は{n}件です"
        "(日付が不明で判断できないもの{undated}件)。",
        "Entries, without imports and what the city joined with: {judged}; made more than {days} days late: {n}"
        " (undated, so that it cannot be judged: {undated}).",
        judged=judged,
        days=evidence.options.late_days,
        n=len(rows),
        undated=undated,
    )
    return from_rows(sentence, rows)


def _late(evidence: Evidence, entry: Recorded, days: int) -> Row:
    # The clock dates a lapse by the day after the term, although it has to wait until grace is over.
    is_clock = entry.meta.role is Role.CLOCK
    how = {
        Mode.LIVE: Words("その時の入力として", "entered as if it had just happened"),
        Mode.RETROACTIVE: Words("遡及入力", "entered retroactively"),
    }[entry.meta.mode]
    if is_clock:
        how = Words("期限管理による", "by the clock")
    return evidence.row(
        Level.NOTE if is_clock else Level.FINDING,
        entry,
        say(
            "{name}({when}): {days}日後、{how}、入力者 {by}",
            "{name} ({when}): {days} days later, {how}, recorded by {by}",
            name=event(entry.name),
            when=when(entry.event.valid.edtf),
            days=days,
            how=how,
            by=entry.meta.recorded_by,
        ),
    )


def corrections(evidence: Evidence) -> Findings:
    """Every correction and retraction: of what, what changed, by whom, approved by whom, why."""
    rows = [
        _correction(evidence, history, entry)
        for history in evidence.streams.values()
        for entry in history.recorded
        if isinstance(entry.event, EventCorrected | EventRetracted)
    ]
    rows.sort(key=lambda row: row.position or 0)
    if not rows:
        return Findings(Level.OK, Words("訂正も取消もありません。", "Nothing was corrected or retracted."))
    sentence = say(
        "訂正・取消が{n}件あり、二人目の承認を欠くものは{flagged}件です。",
        "Corrections and retractions: {n}; without a second person’s approval: {flagged}.",
        n=len(rows),
        flagged=flagged(rows),
    )
    return from_rows(sentence, rows)


def _correction(evidence: Evidence, history: History, entry: Recorded) -> Row:
    given: Any = entry.event
    target = next(each for each in history.recorded if each.version == given.target)
    parts = [
        say(
            "{how}: {position}件目の「{name}」",
            "{how}: no. {position}, {name}",
            how=event(entry.name),
            position=target.position,
            name=event(target.name),
        )
    ]
    if isinstance(given, EventCorrected):
        parts += _changes(evidence, history, entry, target)
    approved = entry.meta.approved_by
    parts.append(
        say(
            "入力 {by}、承認 {approved}",
            "recorded by {by}, approved by {approved}",
            by=entry.meta.recorded_by,
            approved=approved or Words("なし", "nobody"),
        )
    )
    parts.append(say("理由 {text}", "reason: {text}", text=evidence.text(given.reason)))
    return evidence.row(Level.NOTE if approved else Level.FINDING, entry, listed(parts))


def _changes(evidence: Evidence, history: History, entry: Recorded, target: Recorded) -> list[Words]:
    """The fields that differ from what counted before: from the last correction of the same event, else from itself."""
    given: Any = entry.event
    earlier = [
        e.event
        for e in history.recorded
        if isinstance(e.event, EventCorrected) and e.event.target == given.target and e.version < entry.version
    ]
    before = earlier[-1].data if earlier else target.event.model_dump(mode="json", exclude_none=True)
    changed = sorted(
        name for name in {*before, *given.data} - {"breaks", "placed_after"} if before.get(name) != given.data.get(name)
    )
    return [
        say(
            "{field} {old} → {new}",
            "{field} {old} → {new}",
            field=evidence.labels.field(type(target.event).__name__, name),
            old=_value(evidence, before.get(name)),
            new=_value(evidence, given.data.get(name)),
        )
        for name in changed
    ]


def _value(evidence: Evidence, value: Any) -> Words:
    if value is None:
        return Words("記載なし", "not stated")
    if isinstance(value, dict) and "edtf" in value:
        return when(value["edtf"])
    found = [masked(value, evidence.texts, withheld) for withheld in ("非公開", "not public")]
    ja, en = (each if isinstance(each, str) else orjson.dumps(each).decode() for each in found)
    return Words(*(text if len(text) <= _LONG else f"{text[:_LONG]}…" for text in (ja, en)))


def self_approvals(evidence: Evidence) -> Findings:
    """Entries that one person both made and approved, or that lack the second person whom they need."""
    approved = [entry for entry in evidence.recorded if entry.meta.approved_by is not None]
    rows = [row for entry in evidence.recorded if (row := _approval(evidence, entry)) is not None]
    needed = sum(entry.event.second_person for entry in evidence.recorded)
    sentence = say(
        "承認者のある{n}件と、二人目の承認を要する{needed}件を確かめました。自己承認または承認の欠落{flagged}件、"
        "移行プログラムによるもの{noted}件です。",
        "Entries approved: {n}; entries that need a second person: {needed}; approved by who made them, or by nobody:"
        " {flagged}; by the import program itself: {noted}.",
        n=len(approved),
        needed=needed,
        flagged=flagged(rows),
        noted=len(rows) - flagged(rows),
    )
    return from_rows(sentence, rows)


def _approval(evidence: Evidence, entry: Recorded) -> Row | None:
    meta = entry.meta
    level = Level.FINDING
    if meta.approved_by is None:
        if not entry.event.second_person:
            return None
        what = Words("二人目の承認がない", "nobody approved it")
    elif not _same_person(meta):
        return None
    elif _person(meta.approved_by) == _person(IMPORTER):
        level = Level.NOTE
        what = Words("移行プログラムが自ら承認した", "approved by the import program itself")
    else:
        what = say(
            "入力 {by}・行為者 {actor} と承認 {approved} が同じ人",
            "recorded by {by} for {actor}, approved by the same person, {approved}",
            by=meta.recorded_by,
            actor=meta.actor,
            approved=meta.approved_by,
        )
    return evidence.row(level, entry, say("{name}: {what}", "{name}: {what}", name=event(entry.name), what=what))


def _same_person(meta: Meta) -> bool:
    # S/tanaka who is approved by Z/tanaka is one person in two roles.
    return _person(meta.approved_by or "") in {_person(meta.recorded_by), _person(meta.actor)}


def _person(agent: str) -> str:
    _, slash, who = agent.partition("/")
    return who if slash else agent


def import_windows(evidence: Evidence) -> Findings:
    """Each import window: opened and closed by whom, how many entries were announced and came, and its anomalies."""
    imported = [entry for entry in evidence.recorded if entry.meta.mode is Mode.IMPORT]
    rows = [row for window in evidence.windows for row in _window(evidence, window, imported)]
    outside = [e for e in imported if not any(window.holds(e.position) for window in evidence.windows)]
    rows += [
        evidence.row(
            Level.FINDING, e, say("{name}: 期間の外での移行入力", "{name}: outside any window", name=event(e.name))
        )
        for e in outside
    ]
    if not evidence.windows and not imported:
        return Findings(Level.OK, Words("移行期間が開かれたことはありません。", "No import window was ever opened."))
    sentence = say(
        "移行期間{n}回、移行入力{imported}件。規則に合わないが事実として残されたもの{anomalies}件です。",
        "Import windows: {n}; entries: {imported}; breaches of rules kept as anomalies, because they happened:"
        " {anomalies}.",
        n=len(evidence.windows),
        imported=len(imported),
        anomalies=sum(len(entry.event.breaks) for entry in imported),
    )
    return from_rows(sentence, rows)


def _window(evidence: Evidence, window: Window, imported: list[Recorded]) -> Iterator[Row]:
    opened: Any = window.opened.event
    inside = [entry for entry in imported if window.holds(entry.position)]
    parts = [
        say(
            "開始 {by}、承認 {approved}、理由 {reason}、{kind}",
            "opened by {by}, approved by {approved}, reason: {reason}, {kind}",
            by=window.opened.meta.recorded_by,
            approved=window.opened.meta.approved_by or Words("なし", "nobody"),
            reason=evidence.text(opened.reason),
            kind=Words("公表資料からの編集", "compiled from publications")
            if opened.compiled
            else Words("市の以前の記録", "the city’s own earlier record"),
        )
    ]
    level = Level.OK
    if window.closed is None:
        level = Level.NOTE
        parts.append(say("{n}件入力、まだ閉じていない", "{n} entries so far, not closed yet", n=len(inside)))
    else:
        closed: Any = window.closed.event
        parts.append(
            say(
                "{position}件目で終了、終了 {by}、承認 {approved}、入力数の申告 {stated}、実際 {counted}",
                "closed at no. {position} by {by}, approved by {approved}, entries stated {stated}, counted {counted}",
                position=window.closed.position,
                by=window.closed.meta.recorded_by,
                approved=window.closed.meta.approved_by or Words("なし", "nobody"),
                stated=closed.entered,
                counted=len(inside),
            )
        )
        if closed.entered == len(inside) + 2:
            # The import program counts so.
            parts.append(Words("申告は開始と終了を含む", "the stated number includes opening and closing"))
        elif closed.entered != len(inside):
            level = Level.FINDING
            parts.append(Words("申告と実際が違う", "the two differ"))
    yield evidence.row(level, window.opened, listed(parts))
    yield from _anomalies(evidence, window)


def _anomalies(evidence: Evidence, window: Window) -> Iterator[Row]:
    context = Context(rules=Rules(), import_window=True, rules_of=evidence.rules_of)
    broken_in = Counter(e.stream for e in evidence.recorded if e.event.breaks and window.holds(e.position))
    for stream in broken_in:
        history = evidence.streams[stream]
        for entry, broken in judged_again(history.entries, initial_state(history.recorded[0].name), context):
            why = {violation.code: Words(violation.message("ja"), violation.message("en")) for violation in broken}
            order = Words("前後の出来事の日付と合わない。", "its date does not agree with the dates around it.")
            for rule in entry.event.breaks if window.holds(entry.position) else ():
                what = say("{name}: {why}", "{name}: {why}", name=event(entry.name), why=why.get(rule, order))
                yield evidence.row(Level.NOTE, entry, what)
