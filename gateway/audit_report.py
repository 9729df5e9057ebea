"""An audit as a report: plain text, JSON of a stable shape, or one printable page that needs nothing else.

The JSON: `{"format": 1, "city": {"slug", "municipal_code", "name_ja", "name_en", "compiled"}, "made_at", "as_of",
"late_days", "log": {"size", "root"}, "checkpoint": {"size", "root", "note"} or null, "level", "answers": [{"id",
"question", "level", "sentence", "rows": [{"level", "stream", "position", "what"}]}]}`. Roots are hexadecimal, moments
UTC (ISO 8601); `question`, `sentence` and `what` are `{"ja", "en"}`; a level is OK, NOTE, FINDING or NOT_CHECKED.
`stream` is a partnership's number, a programme's slug, `city`, a read model's name, or "" for the log as a whole.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from domain.event import Role
from gateway.pages.codes import code_label
from gateway.pages.labels import field_label
from gateway.pages.page import STATIC
from projections.audit.findings import Level, Words

if TYPE_CHECKING:
    from datetime import datetime

    from gateway.pages.labels import Language
    from projections.audit.findings import Row
    from projections.audit.questions import Audit
    from tenants.registry import Tenant

FORMAT = 1

LEVELS: dict[Level, Words] = {
    Level.OK: Words("問題なし", "In order"),
    Level.NOTE: Words("留意", "Note"),
    Level.FINDING: Words("指摘", "Finding"),
    Level.NOT_CHECKED: Words("未確認", "Not checked"),
}

_TONES = {
    Level.OK: "status-accepted",
    Level.NOTE: "status-pending",
    Level.FINDING: "status-refused",
    Level.NOT_CHECKED: "status-early",
}
"""The style of a status that says so."""

_ROLES: dict[Role, Words] = {
    Role.PARTY: Words("当事者", "party"),
    Role.DEPARTMENT: Words("市の担当課", "city department"),
    Role.COORDINATOR: Words("コーディネーター", "coordinator"),
    Role.SECRETARIAT: Words("制度の事務局", "programme secretariat"),
    Role.REVIEWER: Words("審査員", "reviewer"),
    Role.AUTHORITY: Words("決定権者", "deciding authority"),
    Role.CLOCK: Words("期限管理(自動)", "the clock"),
    Role.ADMIN: Words("管理者", "administrator"),
    Role.APPROVER: Words("承認者", "second approver"),
}

_WORDS: dict[str, Words] = {
    "title": Words("監査報告", "Audit report"),
    "product": Words("協働台帳", "Kyōdō Ledger"),
    "made_at": Words("作成", "Made at"),
    "as_of": Words("対象", "Covers"),
    "up_to": Words("{n}件目までの記録", "the log up to no. {n}"),
    "whole": Words("記録の全体({n}件)", "the whole log ({n} entries)"),
    "last": Words("最後の記録", "Last entry"),
    "root": Words("ルート(SHA-256)", "Root (SHA-256)"),
    "checkpoint": Words("署名つきの公開", "Signed checkpoint"),
    "checkpoint_of": Words("{n}件目まで、ルート {root}", "of {n} entries, root {root}"),
    "signed_by": Words("署名の検証鍵", "Verifier keys"),
    "no_checkpoint": Words("まだない", "none yet"),
    "result": Words("結果", "Result"),
    "late_days": Words("遅れとみなす日数", "Late means more than"),
    "days": Words("{n}日を超えるもの", "{n} days"),
    "compiled": Words(
        "この記録は公表された資料から編集したもので、市が自ら作成した記録ではありません。",
        "This record was compiled from publications. It is not the city’s own record.",
    ),
    "unchanged": Words(
        "この報告が示すのは、記録が入力の時から変わっていないか、決まりに沿っているかです。"
        "書かれた内容が事実であることの証明ではありません。",
        "This report shows whether the record is unchanged since it was entered, and whether it keeps the rules."
        " It does not prove that what was entered is true.",
    ),
    "in_short": Words("一覧", "In short"),
    "question": Words("問い", "Question"),
    "level": Words("判定", "Answer"),
    "whole_log": Words("台帳", "the log"),
    "city": Words("市", "city"),
    "no": Words("{n}件目", "no. {n}"),
    "agents": Words("略号", "Who is who"),
    "count": Words("{label}{n}問", "{n} × {label}"),
    "comma": Words("、", ", "),
    "colon": Words(":", ": "),
}

_TEMPLATES = Environment(
    loader=PackageLoader("gateway.pages"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


class PageLabels:
    """Codes and fields as the pages call them (projections.audit.evidence.Labels)."""

    def code(self, field: str, code: str) -> Words:
        """What a code is called, the code itself where it has no label."""
        return Words(code_label(field, code, "ja") or code, code_label(field, code, "en") or code)

    def field(self, owner: str, field: str) -> Words:
        """What a field is called."""
        return Words(field_label(owner, field, "ja"), field_label(owner, field, "en"))


def as_json(audit: Audit, city: Tenant, made_at: datetime) -> dict[str, Any]:
    """The report in the shape that stands at the top of this file."""
    evidence, published = audit.evidence, audit.evidence.log.published
    return {
        "format": FORMAT,
        "city": {
            "slug": city.slug,
            "municipal_code": city.municipal_code,
            "name_ja": city.name_ja,
            "name_en": city.name_en,
            "compiled": evidence.compiled,
        },
        "made_at": made_at.isoformat(timespec="seconds"),
        "as_of": evidence.options.as_of,
        "late_days": evidence.options.late_days,
        "log": {"size": evidence.log.size, "root": evidence.log.root.hex()},
        "checkpoint": None
        if published is None
        else {"size": published.size, "root": published.root.hex(), "note": published.note},
        "level": audit.level.value,
        "answers": [
            {
                "id": question.id,
                "question": question.asked._asdict(),
                "level": findings.level.value,
                "sentence": findings.sentence._asdict(),
                "rows": [
                    {
                        "level": row.level.value,
                        "stream": row.stream,
                        "position": row.position,
                        "what": row.what._asdict(),
                    }
                    for row in findings.rows
                ],
            }
            for question, findings in audit.answers
        ],
    }


def as_text(audit: Audit, city: Tenant, made_at: datetime, language: Language) -> str:
    """The report for a terminal or a text file; what needs attention is marked with `!`."""
    name = city.name_ja if language == "ja" else city.name_en
    lines = [f"{_say('title', language)}  {name} ({city.slug})", ""]
    facts = _facts(audit, made_at, language)
    lines += [f"  {label}{_say('colon', language)}{value}" for label, value in facts]
    lines += ["", *(f"  {note}" for note in _notes(audit, language)), ""]
    for number, (question, findings) in enumerate(audit.answers, start=1):
        answer = _in(LEVELS[findings.level], language)
        lines.append(f"{number:>2}. {_in(question.asked, language)}  [{answer}]")
        lines.append(f"    {_in(findings.sentence, language)}")
        for row in findings.rows:
            mark = {Level.FINDING: "!", Level.NOTE: "-"}.get(row.level, " ")
            place = " ".join(part for part in _place(row, language) if part)
            lines.append(f"    {mark} {place}{_say('colon', language)}{_in(row.what, language)}")
        lines.append("")
    legend = _say("comma", language).join(f"{role.value} {_in(words, language)}" for role, words in _ROLES.items())
    lines.append(f"{_say('agents', language)}{_say('colon', language)}{legend}")
    return "\n".join(lines) + "\n"


def as_html(audit: Audit, city: Tenant, made_at: datetime, language: Language) -> str:
    """The report as one page with its style inside, for reading and for printing."""
    answers = [
        {
            "id": question.id,
            "asked": _in(question.asked, language),
            "level": findings.level.value,
            "sentence": _in(findings.sentence, language),
            "rows": [
                {"level": row.level.value, "place": _place(row, language), "what": _in(row.what, language)}
                for row in findings.rows
            ],
        }
        for question, findings in audit.answers
    ]
    return _TEMPLATES.get_template("audit.html").render(
        language=language,
        name=city.name_ja if language == "ja" else city.name_en,
        style=(STATIC / "style.css").read_text(encoding="utf-8"),
        facts=_facts(audit, made_at, language),
        notes=_notes(audit, language),
        answers=answers,
        levels={level.value: _in(words, language) for level, words in LEVELS.items()},
        tones={level.value: tone for level, tone in _TONES.items()},
        roles=[(role.value, _in(words, language)) for role, words in _ROLES.items()],
        t=lambda key, **values: _say(key, language, **values),
    )


def _in(words: Words, language: Language) -> str:
    return words.ja if language == "ja" else words.en


def _say(key: str, language: Language, **values: Any) -> str:
    return _in(_WORDS[key], language).format(**values)


def in_short(audit: Audit, language: Language) -> str:
    """How many questions came to what, the gravest first."""
    counted = Counter(findings.level for _, findings in audit.answers)
    order = (Level.FINDING, Level.NOTE, Level.NOT_CHECKED, Level.OK)
    parts = (
        _say("count", language, n=counted[level], label=_in(LEVELS[level], language))
        for level in order
        if counted[level]
    )
    return _say("comma", language).join(parts)


def _facts(audit: Audit, made_at: datetime, language: Language) -> list[tuple[str, str]]:
    evidence, log = audit.evidence, audit.evidence.log
    covers = "whole" if evidence.options.as_of is None else "up_to"
    facts = [
        ("result", in_short(audit, language)),
        ("as_of", _say(covers, language, n=log.size)),
        ("last", f"{evidence.moment:%Y-%m-%d %H:%M:%S} UTC" if evidence.recorded else "–"),
        ("root", log.root.hex()),
    ]
    if log.published is None:
        facts.append(("checkpoint", _say("no_checkpoint", language)))
    else:
        root = log.published.root.hex()
        facts.append(("checkpoint", _say("checkpoint_of", language, n=log.published.size, root=root)))
        facts.append(("signed_by", " ".join(log.keys)))
    facts.append(("late_days", _say("days", language, n=evidence.options.late_days)))
    facts.append(("made_at", f"{made_at:%Y-%m-%d %H:%M:%S} UTC"))
    return [(_say(key, language), value) for key, value in facts]


def _notes(audit: Audit, language: Language) -> list[str]:
    keys = (("compiled",) if audit.evidence.compiled else ()) + ("unchanged",)
    return [_say(key, language) for key in keys]


def _place(row: Row, language: Language) -> tuple[str, str]:
    """The stream and the position as a reader names them."""
    stream = _say("city", language) if row.stream == "city" else row.stream or _say("whole_log", language)
    return stream, "" if row.position is None else _say("no", language, n=row.position)
