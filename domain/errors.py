"""What the domain refuses, each refusal a class whose docstring is its message in English and `ja` in Japanese."""

from __future__ import annotations

from inspect import getdoc
from typing import Any, ClassVar


class DomainError(Exception):
    """The request cannot be carried out."""

    ja: ClassVar[str] = "この操作はできません。"

    def __init__(self, **details: Any) -> None:
        self.details = details
        super().__init__(self.message("en"))

    @property
    def code(self) -> str:
        """The stable name under which the refusal is listed, logged and translated."""
        return type(self).__name__

    def message(self, language: str) -> str:
        """The reason in one sentence, filled with the details; unknown languages read English."""
        template = self.ja if language == "ja" else (getdoc(type(self)) or "")
        return template.format_map(_Blank(self.details))


class _Blank(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "?"


class NotFound(DomainError):
    """{what} {name} does not exist."""

    ja = "{what} {name} は存在しません。"


class Forbidden(DomainError):
    """{actor} may not {command}; that is for {allowed}."""

    ja = "{actor} は {command} を行えません。行えるのは {allowed} です。"


class AlreadyExists(DomainError):
    """{what} {name} already exists."""

    ja = "{what} {name} はすでに存在します。"


class RuleViolated(DomainError):
    """A rule of the programme or of the life-cycle forbids this."""

    ja = "制度または手続の決まりに反します。"


class StatusForbids(RuleViolated):
    """{event} is not possible while the partnership is {status}; it needs one of: {needs}."""

    ja = "現在の状態({status})では {event} を記録できません。必要な状態: {needs}"


class ImportWindowNotOpen(RuleViolated):
    """IMPORT is possible only inside an import window of the city; open one with open-import-window."""

    ja = "移行入力は移行期間の中でのみ行えます。先に移行期間を開いてください。"


class ImportWindowAlreadyOpen(RuleViolated):
    """An import window is open already; close it before opening another."""

    ja = "移行期間はすでに開いています。"


class OutOfOrder(RuleViolated):
    """{event} of {valid} lies before {previous} of {previous_valid}; enter it as RETROACTIVE, placed where it fits."""

    ja = "{event}({valid})は {previous}({previous_valid})より前の日付です。遡及入力として位置を指定してください。"


class DoesNotFit(RuleViolated):
    """{event} of {valid} does not fit at its place beside {neighbours}."""

    ja = "{event}({valid})は指定の位置に収まりません(前後の出来事: {neighbours})。"


class LiveComesLast(RuleViolated):
    """What happens now comes last; only a RETROACTIVE or imported event names its place."""

    ja = "現在の出来事は最後に記録されます。位置を指定できるのは遡及入力または移行入力だけです。"


class ReasonRequired(RuleViolated):
    """A rejection needs at least one reason code and a public explanation."""

    ja = "不採択には、理由の区分を一つ以上と、公開する説明が必要です。"


class ReasonUnknown(RuleViolated):
    """{codes} are not rejection reasons of this programme."""

    ja = "{codes} はこの制度の不採択理由ではありません。"


class SubmissionNumberWrong(RuleViolated):
    """The next submission is number {expected}, not {given}."""

    ja = "次の提案は第 {expected} 回です({given} ではありません)。"


class SubmissionNotPending(RuleViolated):
    """No submission awaits this decision{given}."""

    ja = "決定を待つ提案がありません{given}。"


class RejectionUnanswered(RuleViolated):
    """A resubmission names the rejected submission that it answers; {given} is not one."""

    ja = "再提案は、不採択となったどの提案に答えるものかを示してください({given} は該当しません)。"


class CityMayNotInvite(RuleViolated):
    """The programme takes proposals only; the city may not accept without one."""

    ja = "この制度では、提案のない採択はできません。"


class CallRequired(RuleViolated):
    """The programme takes proposals in an open call only, and none is open."""

    ja = "この制度の提案は募集期間中に限られ、現在は募集がありません。"


class ReviewRequired(RuleViolated):
    """The programme requires a review before a decision."""

    ja = "この制度では、決定の前に審査が必要です。"


class AcceptanceRequired(RuleViolated):
    """The programme requires acceptance before {what}."""

    ja = "この制度では、{what}の前に採択が必要です。"


class StageNotPartOfProgramme(RuleViolated):
    """The programme {programme} has no stage {stage}."""

    ja = "制度 {programme} に {stage} の段階はありません。"


class LimitExceeded(RuleViolated):
    """{what} is {given}; the programme allows at most {limit}."""

    ja = "{what}は {given} です。この制度の上限は {limit} です。"


class NotStarted(RuleViolated):
    """{what} cannot end: it was not started, or has ended already."""

    ja = "{what}は始まっていないか、すでに終わっています。"


class NumberOutOfSequence(RuleViolated):
    """{what} {given} does not follow; the next is {expected}."""

    ja = "{what} {given} は連番になりません(次は {expected})。"


class NothingAgreed(RuleViolated):
    """No agreement is in force."""

    ja = "有効な協定がありません。"


class NothingTried(RuleViolated):
    """Neither a trial, a model year nor an agreement existed."""

    ja = "試行・モデル事業・協定のいずれもありません。"


class NotDue(RuleViolated):
    """The agreement cannot lapse: {why}."""

    ja = "協定は失効できません: {why}"


class TermMismatch(RuleViolated):
    """The term is {given}; the programme renews every {rule}."""

    ja = "期間は {given} です。この制度の更新は {rule} ごとです。"


class NotInvited(RuleViolated):
    """{party} has no open invitation."""

    ja = "{party} への参画要請がありません。"


class FacilityUnknown(RuleViolated):
    """The facility was not recorded before."""

    ja = "この施設はまだ記録されていません。"


class AlreadyRevoked(RuleViolated):
    """Event {target} was retracted already, or is itself a correction or retraction that cannot be the target."""

    ja = "{target} 番の記録はすでに取り消されているか、訂正の対象にできません。"


class ApprovalRequired(RuleViolated):
    """A second person approves this: approved_by is missing or is the person who recorded it."""

    ja = "記録者とは別の承認者が必要です。"


class ProgrammeVersionWrong(RuleViolated):
    """The next version of the programme is {expected}, not {given}."""

    ja = "制度の次の版は第 {expected} 版です({given} ではありません)。"


class SubjectsDiffer(DomainError):
    """A correction keeps the kind of event: event {target} is {actual}, not {given}."""

    ja = "訂正は出来事の種類を変えられません: {target} 番は {actual} です({given} ではありません)。"
