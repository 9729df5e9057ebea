"""What happened to texts and files beside the log: attachments, withdrawals, erasures, disposals, and who read what."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from domain.custody import (
    AttachmentRegistered,
    DisposalDecided,
    LegalHoldReleased,
    LegalHoldSet,
    PublicationWithdrawn,
    SubjectErased,
)
from projections.audit.evidence import event, is_of, when
from projections.audit.findings import Findings, Level, Row, Words, flagged, from_rows, listed, say
from tenants.database import Role
from tenants.disclosures import digests

if TYPE_CHECKING:
    from pathlib import Path

    from domain.history import History, Recorded
    from projections.audit.evidence import Evidence

_SHOWN = 200


def attachments(evidence: Evidence) -> Findings:
    """Every registered file by its SHA-256, compared with a folder's files where one is given."""
    registered = [found for history in evidence.streams.values() for found in _registered(history)]
    folder = evidence.options.attachments
    if not registered:
        return Findings(Level.OK, Words("登録された添付はありません。", "No attachment is registered."))
    if folder is None:
        text = "登録された{n}件の添付は確かめていません。フォルダーの指定がありません。"
        english = "Registered attachments: {n}, not checked: no folder given."
        rows = tuple(evidence.row(Level.NOT_CHECKED, entry, _file(entry, sha, None)) for entry, sha in registered)
        return Findings(Level.NOT_CHECKED, say(text, english, n=len(registered)), rows)
    present = _files(folder)
    rows = tuple(_compared(evidence, entry, sha, present) for entry, sha in registered)
    sentence = say(
        "登録された{n}件の添付を、フォルダーの{files}個のファイルと比べ、合わないものは{flagged}件です。",
        "Registered attachments: {n}; compared with files: {files}; missing or different: {flagged}.",
        n=len(registered),
        files=len(present),
        flagged=flagged(rows),
    )
    return from_rows(sentence, rows)


def _registered(history: History) -> Iterator[tuple[Recorded, str]]:
    for entry in history.entries:
        given: Any = entry.event
        sha = given.sha256 if is_of(entry, AttachmentRegistered) else getattr(given, "document_sha256", None)
        if sha is not None:
            yield entry, sha


def _files(folder: Path) -> dict[Path, str]:
    found = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        with path.open("rb") as file:
            found[path] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def _compared(evidence: Evidence, entry: Recorded, sha: str, present: dict[Path, str]) -> Row:
    named = [path for path in present if path.name.startswith(sha)]
    if sha in present.values():
        return evidence.row(Level.OK, entry, _file(entry, sha, Words("一致", "matches")))
    if named:
        return evidence.row(Level.FINDING, entry, _file(entry, sha, Words("内容が違う", "its content differs")))
    if getattr(entry.event, "salted", False):
        why = Words(
            "ソルトつきのため、ファイルだけでは確かめられない", "salted, so that the file alone cannot be compared"
        )
        return evidence.row(Level.NOTE, entry, _file(entry, sha, why))
    if evidence.streams[entry.stream].state.disposed:
        why = Words("ない(廃棄または移管が決まっている)", "not there; its disposal or transfer was decided")
        return evidence.row(Level.NOTE, entry, _file(entry, sha, why))
    return evidence.row(Level.FINDING, entry, _file(entry, sha, Words("見つからない", "is missing")))


def _file(entry: Recorded, sha: str, found: Words | None) -> Words:
    given: Any = entry.event
    named = say("{name} SHA-256 {sha}", "{name}, SHA-256 {sha}", name=event(entry.name), sha=sha)
    if is_of(entry, AttachmentRegistered):
        named = say("{named}、{size:,}バイト", "{named}, {size:,} bytes", named=named, size=given.size)
    return named if found is None else say("{named}: {found}", "{named}: {found}", named=named, found=found)


def withdrawals(evidence: Evidence) -> Findings:
    """Texts taken from publication: which, why, by whom; and whether they are still public."""
    rows = [
        _withdrawal(evidence, history, entry)
        for history in evidence.streams.values()
        for entry in history.recorded
        if is_of(entry, PublicationWithdrawn)
    ]
    rows.sort(key=lambda row: row.position or 0)
    if not rows:
        return Findings(Level.OK, Words("公開を取り下げた記述はありません。", "No text was taken from publication."))
    sentence = say(
        "公開の取下げが{n}件あり、なお公開されているものは{flagged}件です。",
        "Texts taken from publication: {n}; still public: {flagged}.",
        n=len(rows),
        flagged=flagged(rows),
    )
    return from_rows(sentence, rows)


def _withdrawal(evidence: Evidence, history: History, entry: Recorded) -> Row:
    given: Any = entry.event
    holder = next((e for e in history.recorded if given.disclosure in _digests(e) and e is not entry), None)
    parts = [
        say(
            "{position}件目「{name}」の記述 {digest}",
            "a text of no. {position}, {name}: {digest}",
            position=holder.position if holder else "?",
            name=event(holder.name) if holder else "?",
            digest=given.disclosure,
        ),
        say("理由 {code}", "reason: {code}", code=evidence.code("reason", given.reason)),
        say("入力 {by}({when})", "recorded by {by} ({when})", by=entry.meta.recorded_by, when=when(given.valid.edtf)),
    ]
    # A withdrawal that was retracted leaves its text closed until it is published anew.
    is_public = given.disclosure in evidence.texts
    if is_public:
        parts.append(Words("なお公開されている", "it is still public"))
    return evidence.row(Level.FINDING if is_public else Level.NOTE, entry, listed(parts))


def _digests(entry: Recorded) -> set[str]:
    return {*digests(entry.event.model_dump(mode="json", exclude_none=True)), entry.meta.document_ref or ""}


def erasures(evidence: Evidence) -> Findings:
    """Erasures, disposals and legal holds: who decided and approved, on which basis; and whether they took effect."""
    kinds = (SubjectErased, DisposalDecided, LegalHoldSet, LegalHoldReleased)
    entries = [e for h in evidence.streams.values() for e in h.recorded if is_of(e, *kinds)]
    remaining = _remaining(evidence, entries)
    rows = sorted((_custody(evidence, e, remaining) for e in entries), key=lambda row: row.position or 0)
    if not rows:
        return Findings(
            Level.OK, Words("消去・廃棄・廃棄停止はありません。", "Nothing was erased, disposed of or held.")
        )
    counted = Counter(type(entry.event) for entry in entries)
    holding = [evidence.name(stream) for stream, history in evidence.streams.items() if history.state.holds]
    sentence = say(
        "消去{erased}件、廃棄・移管の決定{disposed}件、廃棄停止{holds}件(うち今も有効な事例: {open})。",
        "Erasures: {erased}; disposals and transfers: {disposed}; legal holds: {holds} (standing: {open}).",
        erased=counted[SubjectErased],
        disposed=counted[DisposalDecided],
        holds=counted[LegalHoldSet],
        open=Words("、".join(holding) or "なし", ", ".join(holding) or "none"),
    )
    return from_rows(sentence, rows)


def _custody(evidence: Evidence, entry: Recorded, remaining: dict[int, int]) -> Row:
    given, meta = entry.event, entry.meta
    parts = [say("{name}({when})", "{name} ({when})", name=event(entry.name), when=when(given.valid.edtf))]
    match given:
        case SubjectErased():
            parts.append(say("対象 {subject}", "subject {subject}", subject=given.subject))
            parts.append(_basis(evidence, "legal_basis", given.legal_basis))
        case DisposalDecided():
            parts.append(evidence.code("outcome", given.outcome))
            parts.append(_basis(evidence, "basis", given.basis))
        case LegalHoldSet():
            parts.append(_basis(evidence, "basis", given.basis))
    parts.append(
        say(
            "行為者 {actor}、入力 {by}、承認 {approved}",
            "by {actor}, recorded by {by}, approved by {approved}",
            actor=meta.actor,
            by=meta.recorded_by,
            approved=meta.approved_by or Words("なし", "nobody"),
        )
    )
    level = Level.NOTE
    if "HoldForbids" in given.breaks:
        level = Level.FINDING
        parts.append(Words("廃棄停止中に行われた", "done while a legal hold stood"))
    if left := remaining.get(entry.position, 0):
        level = Level.FINDING
        parts.append(say("なくなったはずの記述が{n}件残っている", "{n} of its texts are still there", n=left))
    return evidence.row(level, entry, listed(parts, "、", ", "))


def _basis(evidence: Evidence, field: str, code: str) -> Words:
    return say("根拠 {code}", "basis: {code}", code=evidence.code(field, code))


def _remaining(evidence: Evidence, entries: list[Recorded]) -> dict[int, int]:
    """Position of an erasure or disposal → texts of before it that it should have destroyed and that can be opened."""
    found = {}
    with evidence.database.tenant(Role.AUDITOR, evidence.tenant) as connection:
        for entry in entries:
            subject = entry.event.subject if isinstance(entry.event, SubjectErased) else None
            streams = [entry.stream] if entry.event.disposes() else None
            if subject is None and streams is None:
                continue
            row = connection.execute(
                "SELECT count(*) FROM disclosure_places(%s, %s, %s) WHERE position < %s",
                (evidence.tenant, streams, subject, entry.position),
            ).fetchone()
            found[entry.position] = row[0] if row else 0
    return found


_ACCESSES = """
    SELECT reader, level, purpose, visibility, count(*), count(DISTINCT digest), min(at), max(at)
      FROM access_log WHERE tenant_id = %s AND at <= coalesce(%s, at)
     GROUP BY reader, level, purpose, visibility ORDER BY reader, purpose, level, visibility
"""


def accesses(evidence: Evidence) -> Findings:
    """Who read closed values and for what, in sum; of an earlier position, what was read until it was recorded."""
    until = evidence.moment if evidence.options.as_of is not None else None
    with evidence.database.tenant(Role.AUDITOR, evidence.tenant) as connection:
        found = connection.execute(_ACCESSES, (evidence.tenant, until)).fetchall()
    if not found:
        return Findings(Level.OK, Words("非公開の内容は閲覧されていません。", "No closed value was read."))
    rows = tuple(
        Row(
            Level.NOTE,
            "",
            None,
            say(
                "{reader}(閲覧の範囲 {level})、目的「{purpose}」、{visibility}: {times}回、{values}点"
                "({first:%Y-%m-%d}から{last:%Y-%m-%d})",
                "{reader} (level {level}), purpose “{purpose}”, {visibility}: {times} ×, {values} values"
                " ({first:%Y-%m-%d} to {last:%Y-%m-%d})",
                reader=reader,
                level=level,
                purpose=purpose,
                visibility=visibility,
                times=times,
                values=values,
                first=first,
                last=last,
            ),
        )
        for reader, level, purpose, visibility, times, values, first, last in found[:_SHOWN]
    )
    sentence = say(
        "非公開の内容が、{readers}の閲覧者によりのべ{times}回閲覧されました。",
        "Readers of closed values: {readers}; values read: {times}.",
        readers=len({row[0] for row in found}),
        times=sum(row[4] for row in found),
    )
    return from_rows(sentence, rows)
