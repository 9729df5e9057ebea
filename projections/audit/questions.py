"""The auditors' questions, all on one screen, and the audit that asks them of one city's record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from projections.audit import custody, deadlines, decisions, entering, intact, money
from projections.audit.evidence import Evidence, Labels, Options, gather
from projections.audit.findings import Findings, Level, Words, gravest

if TYPE_CHECKING:
    from uuid import UUID

    from tenants.city_keys import CityKeys
    from tenants.database import Database


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked; `id` is stable, so that reports can be compared."""

    id: str
    asked: Words
    answer: Callable[[Evidence], Findings]
    needs_reading: bool = True
    """Whether the entries have to be understood, and not only hashed."""


QUESTIONS: tuple[Question, ...] = (
    Question(
        "log", Words("台帳は記録した時のままか", "Is the log intact?"), intact.is_the_log_intact, needs_reading=False
    ),
    Question(
        "read-models",
        Words("公開されている内容は記録と一致するか", "Do the read models equal a replay?"),
        intact.do_the_read_models_equal_a_replay,
    ),
    Question(
        "decisions",
        Words("だれが、どの権限で、どの審査を経て決めたか", "Who decided, on whose authority, after which review?"),
        decisions.who_decided,
    ),
    Question(
        "scores",
        Words("公開プレゼンテーションの後に点は変わったか", "Were scores changed after the presentation?"),
        decisions.scores_after_presentation,
    ),
    Question(
        "reasons",
        Words("理由のない不採択はあるか", "Are there rejections without reasons?"),
        decisions.rejections_without_reasons,
    ),
    Question("late", Words("遅れて入力された記録はあるか", "Which entries were made late?"), entering.late_entries),
    Question(
        "corrections",
        Words("何が、だれにより、なぜ訂正・取消されたか", "What was corrected or retracted, by whom, and why?"),
        entering.corrections,
    ),
    Question(
        "self-approvals",
        Words("自分で承認した入力はあるか", "Did anybody approve an entry of their own?"),
        entering.self_approvals,
    ),
    Question(
        "payments",
        Words("期間や額を外れた支払はあるか", "Are there payments outside the term or above the amount?"),
        money.payments,
    ),
    Question(
        "grants",
        Words("額の確定していない交付はあるか", "Are there grants not settled when due?"),
        money.unsettled_grants,
    ),
    Question(
        "attachments", Words("添付ファイルは登録時のままか", "Do the attachments still match?"), custody.attachments
    ),
    Question(
        "withdrawals",
        Words("公開を取り下げた記述はあるか", "Which texts were taken from publication?"),
        custody.withdrawals,
    ),
    Question(
        "erasures",
        Words("消去・廃棄・廃棄停止はあるか", "What was erased, disposed of or held, and on which basis?"),
        custody.erasures,
    ),
    Question("imports", Words("移行入力はどう行われたか", "How did earlier records come in?"), entering.import_windows),
    Question("accesses", Words("非公開の内容をだれが読んだか", "Who read closed values?"), custody.accesses),
    Question("deadlines", Words("過ぎた期限はあるか", "Which deadlines were missed?"), deadlines.missed_deadlines),
)


@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit came to: the evidence, and each question with its findings, in the order of the questions."""

    evidence: Evidence
    answers: tuple[tuple[Question, Findings], ...]

    @property
    def level(self) -> Level:
        """The gravest of the answers."""
        return gravest(findings.level for _, findings in self.answers)


def audit(database: Database, keys: CityKeys, tenant: UUID, options: Options, labels: Labels) -> Audit:
    """Ask every question. Raises BeyondTheLog where `as_of` lies behind the log's end.

    The same position gives the same answers, but for what lies beside the log: the read models, accesses to closed
    values, files, and texts, which are as of now.
    """
    evidence = gather(database, keys, tenant, options, labels)
    return Audit(evidence, tuple((question, _answered(question, evidence)) for question in QUESTIONS))


def _answered(question: Question, evidence: Evidence) -> Findings:
    if evidence.unreadable is not None and question.needs_reading:
        return Findings(Level.NOT_CHECKED, evidence.unreadable)
    return question.answer(evidence)
