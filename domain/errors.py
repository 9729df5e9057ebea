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

    def __reduce__(self) -> tuple[Any, ...]:
        """Travels between processes with its details."""
        return _again, (type(self), self.details)

    @property
    def code(self) -> str:
        """The stable name under which the refusal is listed, logged and translated."""
        return type(self).__name__

    def message(self, language: str) -> str:
        """The reason in one sentence, filled with the details; unknown languages read English."""
        template = self.ja if language == "ja" else (getdoc(type(self)) or "")
        return template.format_map(_Blank(self.details))


def _again(refusal: type[DomainError], details: dict[str, Any]) -> DomainError:
    return refusal(**details)


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


class SubmissionPending(RuleViolated):
    """Submission {pending} still awaits its decision; decide or withdraw it first."""

    ja = "第 {pending} 回の提案がまだ決定されていません。先に決定または取下げを記録してください。"


class RejectionUnanswered(RuleViolated):
    """A resubmission names the rejected submission that it answers; {given} is not one."""

    ja = "再提案は、不採択となったどの提案に答えるものかを示してください({given} は該当しません)。"


class CityMayNotInvite(RuleViolated):
    """The programme takes proposals only; the city may not accept without one."""

    ja = "この制度では、提案のない採択はできません。"


class LaterEventForbids(RuleViolated):
    """{event} (number {number}) came later and would not have been possible: {rule}. Correct or retract it first."""

    ja = "後の出来事 {event}({number} 番)が成り立たなくなります({rule})。先にそちらを訂正または取り消してください。"


class StewardshipElsewhere(RuleViolated):
    """This record is closed: its stewardship passed to {city}, where it goes on."""

    ja = "この記録は {city} に承継されたため、ここでは追記できません。"


class NotRegistered(RuleViolated):
    """{event} needs a registered partnership; this is a consultation only. Register it with register-partnership."""

    ja = "相談だけの記録に {event} は記録できません。先に協働を登録してください。"


class StepRequired(RuleViolated):
    """The programme requires {needs} before {step}."""

    ja = "この制度では、{step}の前に{needs}が必要です。"


class SignatureMissing(RuleViolated):
    """{event} is signed: name every party among the signatories, or the document that they signed (document_ref)."""

    ja = "{event} には署名が必要です。当事者全員を署名者とするか、文書番号を記入してください。"


class DeciderUnnamed(RuleViolated):
    """A decision names who decided (decided_by) and on whose authority (authority)."""

    ja = "決定には、決定者と権限(専決の別)を記入してください。"


class AuthorityUnknown(RuleViolated):
    """{authority} does not decide in this programme; it is for {allowed}."""

    ja = "{authority} はこの制度の決定権者ではありません(決定権者: {allowed})。"


class ProposerNotAdmitted(RuleViolated):
    """The programme takes no proposals by citizens."""

    ja = "この制度では市民からの提案を受け付けていません。"


class RoleUnknown(RuleViolated):
    """{role} is not a role of parties in this programme; it has {allowed}."""

    ja = "{role} はこの制度の当事者の役割ではありません(役割: {allowed})。"


class FormNotOffered(RuleViolated):
    """{codes} are not forms of this programme, which has {allowed} only."""

    ja = "{codes} はこの制度の協働の形態ではありません(形態: {allowed})。"


class TermRequired(RuleViolated):
    """The programme's agreements have a term (時限性)."""

    ja = "この制度の協定には期間の定めが必要です。"


class TermOver(RuleViolated):
    """The term ended on {ended} and so did its grace; a late renewal is a new agreement."""

    ja = "期間は {ended} に終わり、猶予も過ぎています。更新ではなく新しい協定として記録してください。"


class ConditionsOpen(RuleViolated):
    """Conditions of the acceptance are still open: {open}."""

    ja = "採択の条件が満たされていません({open})。"


class ConditionUnknown(RuleViolated):
    """Condition {given} is not open."""

    ja = "条件 {given} は未充足の条件ではありません。"


class CallUnknown(RuleViolated):
    """Call {given} is not open."""

    ja = "募集 {given} は行われていません。"


class ReviewNotOpen(RuleViolated):
    """No review of submission {given} is open."""

    ja = "第 {given} 回の提案の審査は開かれていません。"


class ReviewerUnknown(RuleViolated):
    """{reviewer} does not sit on the panel."""

    ja = "{reviewer} は審査員ではありません。"


class ConflictOfInterest(RuleViolated):
    """{reviewer} stands back from this review and gives no score."""

    ja = "{reviewer} はこの審査から除斥・回避されています。"


class CriterionUnknown(RuleViolated):
    """{criterion} is not a criterion of this programme; it has {allowed}."""

    ja = "{criterion} はこの制度の審査基準ではありません(基準: {allowed})。"


class ScoreOutOfScale(RuleViolated):
    """{score} lies outside the scale from {lowest} to {highest}."""

    ja = "{score} は評価の範囲({lowest}〜{highest})の外です。"


class AlreadyScored(RuleViolated):
    """{reviewer} has scored {criterion} already; a change is a revision (revise-score)."""

    ja = "{criterion} はすでに採点されています。変更は採点の修正として記録してください。"


class NotScored(RuleViolated):
    """{reviewer} has not scored {criterion} yet."""

    ja = "{criterion} はまだ採点されていません。"


class QuorumMissing(RuleViolated):
    """A recommendation needs {quorum} reviewers; {present} took part."""

    ja = "答申には {quorum} 人の審査員が必要です(参加は {present} 人)。"


class BelowThreshold(RuleViolated):
    """The weighted total is {total} of 10000; the programme asks for {threshold}."""

    ja = "得点は {total}/10000 で、基準の {threshold} に届きません。"


class Vetoed(RuleViolated):
    """{criterion} vetoes the proposal: {votes} of {reviewers} reviewers scored it {veto_at} or less."""

    ja = "{criterion} が必須基準を満たしません({reviewers} 人中 {votes} 人が {veto_at} 以下)。"


class NothingToReconsider(RuleViolated):
    """There is no decision to reconsider, or its reconsideration is not open."""

    ja = "再検討の対象となる決定がないか、再検討が開かれていません。"


class TooLate(RuleViolated):
    """{event} came after {last_day}, the last day for it."""

    ja = "{event} の期限({last_day})を過ぎています。"


class AlreadyDone(RuleViolated):
    """{what} is recorded already; correct that entry instead."""

    ja = "{what}はすでに記録されています。変更はその記録の訂正として行ってください。"


class ReferenceOnly(RuleViolated):
    """The programme {programme} is another body's and stands here for reference; nothing is registered under it."""

    ja = "制度 {programme} は他団体の制度で、参考として載せています。この制度では登録できません。"


class LeadAreaUnknown(RuleViolated):
    """{given} is not a lead area (領域) of this programme; it has {allowed}."""

    ja = "{given} はこの制度の領域ではありません(領域: {allowed})。"


class CityMustBeParty(RuleViolated):
    """In this programme the city is a party to every partnership; it cannot be the registrar only."""

    ja = "この制度では市が当事者になります。記録だけの登録はできません。"


class ClausesMissing(RuleViolated):
    """An agreement of this programme states {missing}; add these clauses."""

    ja = "この制度の協定には {missing} の条項が必要です。"


class LinkedToItself(RuleViolated):
    """A partnership is not linked to itself."""

    ja = "同じ事例どうしを関連付けることはできません。"


class GrantUnknown(RuleViolated):
    """Grant {given} was not decided."""

    ja = "交付決定 {given} は記録されていません。"


class PaymentOutsideYear(RuleViolated):
    """A payment of fiscal year {year} falls between April 1 and May 31 of the following year; {valid} does not."""

    ja = "{year} 年度の支払は出納整理期間(翌年5月31日)までです。{valid} は範囲外です。"


class EvaluationNotOpen(RuleViolated):
    """Evaluation {given} is not open: {why}."""

    ja = "第 {given} 回の振り返りは行えません: {why}"


class SidesMissing(RuleViolated):
    """Evaluations are revealed together; {missing} has not filed."""

    ja = "振り返りは双方がそろってから公開します。{missing} がまだ提出していません。"


class HoldForbids(RuleViolated):
    """A legal hold is set on this record; release it first."""

    ja = "この記録は保全(廃棄停止)の対象です。先に解除してください。"


class HoldUnknown(RuleViolated):
    """Legal hold {given} is not set."""

    ja = "保全 {given} は設定されていません。"


class RetentionUnknown(RuleViolated):
    """No retention class is set; a disposal needs one."""

    ja = "保存年限の区分が設定されていません。廃棄にはこれが必要です。"


class RefusalUnexplained(RuleViolated):
    """A refusal gives its reason."""

    ja = "認めない決定には理由が必要です。"


class ParticipationOver(RuleViolated):
    """The participation ended already ({ended})."""

    ja = "参加はすでに終了しています({ended})。"


class RequestUnknown(RuleViolated):
    """Request for correction {given} is not open."""

    ja = "訂正請求 {given} は受付中ではありません。"


class NotAJointHost(RuleViolated):
    """{party} is not one of the cities that take turns."""

    ja = "{party} は持ち回りに加わる自治体ではありません。"


class CallRequired(RuleViolated):
    """The programme takes proposals in an open call only, and none is open."""

    ja = "この制度の提案は募集期間中に限られ、現在は募集がありません。"


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
    """It is not due: {why}."""

    ja = "まだその時期ではありません: {why}"


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
