"""The command table: every command, the event it makes, who may give it, and its labels, on one screen.

`event_name` and `schema` are what the log stores: they stay when a class moves or is renamed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic_core import from_json, to_json

from domain import city as c
from domain import custody as k
from domain import participation as j
from domain import programme as g
from domain.errors import NotFound
from domain.event import Command, Event
from domain.history import EventCorrected, EventRetracted
from domain.partnership import agreement as a
from domain.partnership import consultation as s
from domain.partnership import delivery as d
from domain.partnership import ending as n
from domain.partnership import evaluation as e
from domain.partnership import money as m
from domain.partnership import proposal as p
from domain.partnership import review as r
from domain.partnership import trial as t
from domain.partnership.state import PartnershipRegistered

if TYPE_CHECKING:
    from domain.event import State

# fmt: off
COMMANDS: tuple[Command, ...] = (
    # command                      stored event and schema version     class                            who     日本語              English
    Command("state-city-attribute",      "CityAttributeStated", 1,          c.CityAttributeStated,           "T",    "自治体の属性",          "City attribute stated"),
    Command("register-source",           "SourceRegistered", 1,             c.SourceRegistered,              "S",    "出典の登録",            "Source registered"),
    Command("open-import-window",        "ImportWindowOpened", 1,           c.ImportWindowOpened,            "TZ",   "移行入力の開始",        "Import window opened"),
    Command("close-import-window",       "ImportWindowClosed", 1,           c.ImportWindowClosed,            "TZ",   "移行入力の終了",        "Import window closed"),
    Command("define-programme",          "ProgrammeDefined", 2,             g.ProgrammeDefined,              "T",    "制度制定",              "Programme defined", {1: g.rules_of_schema_1}),
    Command("revise-programme",          "ProgrammeRevised", 2,             g.ProgrammeRevised,              "T",    "制度改定",              "Programme revised", {1: g.rules_of_schema_1}),
    Command("adopt-instrument",          "InstrumentAdopted", 1,            g.InstrumentAdopted,             "T",    "規程・ひな形",          "Instrument adopted"),
    Command("report-programme-measure",  "ProgrammeMeasureReported", 1,     g.ProgrammeMeasureReported,      "SC",   "推進施策",              "Measure reported"),
    Command("state-aggregate",           "AggregateStated", 1,              g.AggregateStated,               "S",    "集計の記載",            "Aggregate stated"),
    Command("declare-coverage",          "CoverageDeclared", 1,             g.CoverageDeclared,              "S",    "収録範囲",              "Coverage declared"),
    Command("open-call",                 "CallOpened", 1,                   g.CallOpened,                    "S",    "募集",                  "Call opened"),
    Command("close-call",                "CallClosed", 1,                   g.CallClosed,                    "S",    "募集終了",              "Call closed"),
    Command("cancel-call",               "CallCancelled", 1,                g.CallCancelled,                 "S",    "募集中止",              "Call cancelled"),
    Command("note-source-discrepancy",   "SourceDiscrepancyNoted", 1,       e.SourceDiscrepancyNoted,        "S",    "出典の相違",            "Source discrepancy noted"),
    Command("register-partnership",      "PartnershipRegistered", 1,        PartnershipRegistered,           "SC",   "登録",                  "Registered"),
    Command("launch-activity",           "ActivityLaunched", 1,             s.ActivityLaunched,              "P",    "活動開始",              "Activity launched"),
    Command("change-party-status",       "PartyStatusChanged", 1,           s.PartyStatusChanged,            "S",    "法人格の変更",          "Party status changed"),
    Command("change-party-membership",   "PartyMembershipChanged", 1,       s.PartyMembershipChanged,        "S",    "構成の変更",            "Party membership changed"),
    Command("open-consultation",         "ConsultationOpened", 1,           s.ConsultationOpened,            "PCD",  "相談",                  "Consultation opened"),
    Command("route-consultation",        "ConsultationRouted", 1,           s.ConsultationRouted,            "CS",   "担当課紹介",            "Consultation routed"),
    Command("seek-partner",              "PartnerSought", 1,                s.PartnerSought,                 "CS",   "相手先募集",            "Partner sought"),
    Command("close-consultation",        "ConsultationClosed", 1,           s.ConsultationClosed,            "CS",   "相談終結",              "Consultation closed"),
    Command("offer-resource",            "ResourceOffered", 1,              s.ResourceOffered,               "PD",   "資源提供",              "Resource offered"),
    Command("invite-party",              "PartyInvited", 1,                 s.PartyInvited,                  "CDP",  "参画要請",              "Party invited"),
    Command("accept-invitation",         "InvitationAccepted", 1,           s.InvitationAccepted,            "P",    "参画受諾",              "Invitation accepted"),
    Command("decline-invitation",        "InvitationDeclined", 1,           s.InvitationDeclined,            "P",    "参画辞退",              "Invitation declined"),
    Command("plan-meeting",              "MeetingPlanned", 1,               s.MeetingPlanned,                "CP",   "協議の予定",            "Meeting planned"),
    Command("hold-meeting",              "MeetingHeld", 1,                  s.MeetingHeld,                   "CP",   "協議",                  "Meeting held"),
    Command("refine-objective",          "ObjectiveRefined", 1,             s.ObjectiveRefined,              "PC",   "目的整理",              "Objective refined"),
    Command("start-needs-survey",        "NeedsSurveyStarted", 1,           s.NeedsSurveyStarted,            "P",    "ニーズ調査開始",        "Needs survey started"),
    Command("report-needs-survey",       "NeedsSurveyReported", 1,          s.NeedsSurveyReported,           "P",    "ニーズ調査報告",        "Needs survey reported"),
    Command("submit-proposal",           "ProposalSubmitted", 1,            p.ProposalSubmitted,             "PD",   "提案",                  "Proposal submitted"),
    Command("withdraw-proposal",         "ProposalWithdrawn", 1,            p.ProposalWithdrawn,             "P",    "取下げ",                "Proposal withdrawn"),
    Command("open-review",               "ReviewOpened", 1,                 r.ReviewOpened,                  "S",    "審査",                  "Review opened"),
    Command("hold-presentation",         "PresentationHeld", 1,             r.PresentationHeld,              "S",    "公開プレゼンテーション", "Presentation held"),
    Command("record-score",              "ScoreRecorded", 1,                r.ScoreRecorded,                 "R",    "採点",                  "Score recorded"),
    Command("revise-score",              "ScoreRevised", 1,                 r.ScoreRevised,                  "R",    "採点の修正",            "Score revised"),
    Command("issue-recommendation",      "RecommendationIssued", 1,         r.RecommendationIssued,          "R",    "答申",                  "Recommendation issued"),
    Command("accept-proposal",           "ProposalAccepted", 1,             p.ProposalAccepted,              "A",    "採択",                  "Accepted"),
    Command("fulfil-condition",          "ConditionFulfilled", 1,           p.ConditionFulfilled,            "S",    "条件充足",              "Condition fulfilled"),
    Command("decline-acceptance",        "AcceptanceDeclined", 1,           p.AcceptanceDeclined,            "P",    "採択後辞退",            "Acceptance declined"),
    Command("revoke-acceptance",         "AcceptanceRevoked", 1,            p.AcceptanceRevoked,             "A",    "採択取消",              "Acceptance revoked"),
    Command("reject-proposal",           "ProposalRejected", 1,             p.ProposalRejected,              "A",    "不採択",                "Rejected"),
    Command("request-reconsideration",   "ReconsiderationRequested", 1,     p.ReconsiderationRequested,      "P",    "再検討の申出",          "Reconsideration requested"),
    Command("resolve-reconsideration",   "ReconsiderationResolved", 1,      p.ReconsiderationResolved,       "A",    "再検討の決定",          "Reconsideration resolved"),
    Command("start-trial",               "TrialStarted", 1,                 t.TrialStarted,                  "D",    "試行開始",              "Trial started"),
    Command("complete-trial",            "TrialCompleted", 1,               t.TrialCompleted,                "D",    "試行終了",              "Trial completed"),
    Command("start-model-year",          "ModelYearStarted", 1,             t.ModelYearStarted,              "D",    "モデル事業開始",        "Model year started"),
    Command("complete-model-year",       "ModelYearCompleted", 1,           t.ModelYearCompleted,            "D",    "モデル事業終了",        "Model year completed"),
    Command("resolve-by-council",        "CouncilResolved", 1,              a.CouncilResolved,               "S",    "議決",                  "Council resolved"),
    Command("conclude-agreement",        "AgreementConcluded", 2,           a.AgreementConcluded,            "AP",   "協定締結",              "Agreement concluded", {1: a.forms_with_labels}),
    Command("amend-agreement",           "AgreementAmended", 1,             a.AgreementAmended,              "AP",   "変更",                  "Agreement amended"),
    Command("renew-agreement",           "AgreementRenewed", 1,             a.AgreementRenewed,              "APX",  "更新",                  "Agreement renewed"),
    Command("lapse-agreement",           "AgreementLapsed", 1,              a.AgreementLapsed,               "X",    "失効",                  "Agreement lapsed"),
    Command("terminate-agreement",       "AgreementTerminated", 1,          a.AgreementTerminated,           "AP",   "解除",                  "Agreement terminated"),
    Command("suspend-partnership",       "PartnershipSuspended", 1,         n.PartnershipSuspended,          "A",    "休止",                  "Suspended"),
    Command("resume-partnership",        "PartnershipResumed", 1,           n.PartnershipResumed,            "A",    "再開",                  "Resumed"),
    Command("start-activity",            "ActivityStarted", 1,              d.ActivityStarted,               "DP",   "開始",                  "Activity started"),
    Command("confirm-activity",          "ActivityConfirmed", 1,            d.ActivityConfirmed,             "S",    "実施確認",              "Activity confirmed"),
    Command("assign-roles",              "RolesAssigned", 1,                d.RolesAssigned,                 "DP",   "役割分担",              "Roles assigned"),
    Command("set-fee-schedule",          "FeeScheduleSet", 1,               m.FeeScheduleSet,                "PD",   "料金",                  "Fee schedule set"),
    Command("decide-funding",            "FundingDecided", 1,               m.FundingDecided,                "DA",   "予算",                  "Funding decided"),
    Command("decide-grant",              "GrantDecided", 1,                 m.GrantDecided,                  "DA",   "交付決定",              "Grant decided"),
    Command("record-payment",            "PaymentRecorded", 1,              m.PaymentRecorded,               "DA",   "支払",                  "Payment recorded"),
    Command("settle-grant",              "GrantSettled", 1,                 m.GrantSettled,                  "DA",   "額の確定",              "Grant settled"),
    Command("order-refund",              "RefundOrdered", 1,                m.RefundOrdered,                 "DA",   "返還",                  "Refund ordered"),
    Command("set-donation-terms",        "DonationTermsSet", 1,             m.DonationTermsSet,              "D",    "寄附の条件",            "Donation terms set"),
    Command("receive-donation",          "DonationReceived", 1,             m.DonationReceived,              "D",    "寄附",                  "Donation received"),
    Command("establish-facility",        "FacilityEstablished", 1,          d.FacilityEstablished,           "S",    "施設",                  "Facility established"),
    Command("transfer-facility",         "FacilityTransferred", 1,          d.FacilityTransferred,           "A",    "施設の移管",            "Facility transferred"),
    Command("agree-rotation",            "RotationAgreed", 1,               d.RotationAgreed,                "S",    "持ち回り",              "Rotation agreed"),
    Command("rotate-host",               "HostRotated", 1,                  d.HostRotated,                   "S",    "持ち回り開催",          "Host rotated"),
    Command("report-outcome",            "OutcomeReported", 1,              e.OutcomeReported,               "PD",   "成果報告",              "Outcome reported"),
    Command("report-interim",            "InterimReported", 1,              e.InterimReported,               "PD",   "中間報告",              "Interim reported"),
    Command("report-final",              "FinalReported", 1,                e.FinalReported,                 "PD",   "実績報告",              "Final reported"),
    Command("open-evaluation",           "EvaluationOpened", 1,             e.EvaluationOpened,              "XS",   "振り返りの開始",        "Evaluation opened"),
    Command("file-evaluation",           "EvaluationFiled", 1,              e.EvaluationFiled,               "PD",   "振り返りの提出",        "Evaluation filed"),
    Command("share-evaluations",         "EvaluationsShared", 1,            e.EvaluationsShared,             "S",    "振り返りの公開",        "Evaluations shared"),
    Command("hold-evaluation-dialogue",  "EvaluationDialogueHeld", 1,       e.EvaluationDialogueHeld,        "S",    "振り返りの対話",        "Evaluation dialogue held"),
    Command("miss-deadline",             "DeadlineMissed", 1,               e.DeadlineMissed,                "X",    "期限超過",              "Deadline missed"),
    Command("file-party-statement",      "PartyStatementFiled", 1,          e.PartyStatementFiled,           "PD",   "意見",                  "Party statement filed"),
    Command("complete-partnership",      "PartnershipCompleted", 1,         n.PartnershipCompleted,          "DP",   "完了",                  "Completed"),
    Command("become-independent",        "PartnershipBecameIndependent", 1, n.PartnershipBecameIndependent,  "DP",   "自立",                  "Became independent"),
    Command("mainstream-partnership",    "PartnershipMainstreamed", 1,      n.PartnershipMainstreamed,       "A",    "一般施策化",            "Mainstreamed"),
    Command("link-partnerships",         "PartnershipsLinked", 1,           n.PartnershipsLinked,            "S",    "関連付け",              "Partnerships linked"),
    Command("confirm-participation",     "ParticipationConfirmed", 1,       j.ParticipationConfirmed,        "SD",   "共同事業への参加確認",  "Participation confirmed"),
    Command("end-participation",         "ParticipationEnded", 1,           j.ParticipationEnded,            "SD",   "共同事業への参加終了",  "Participation ended"),
    Command("correct-event",             "EventCorrected", 1,               EventCorrected,                  "S",    "訂正",                  "Corrected"),
    Command("retract-event",             "EventRetracted", 1,               EventRetracted,                  "S",    "取消",                  "Retracted"),
    Command("request-correction",        "CorrectionRequested", 1,          k.CorrectionRequested,           "P",    "訂正請求",              "Correction requested"),
    Command("decide-correction",         "CorrectionDecided", 1,            k.CorrectionDecided,             "A",    "訂正請求への決定",      "Correction decided"),
    Command("decide-disclosure",         "DisclosureDecided", 1,            k.DisclosureDecided,             "A",    "開示決定",              "Disclosure decided"),
    Command("withdraw-publication",      "PublicationWithdrawn", 1,         k.PublicationWithdrawn,          "S",    "公開取下げ",            "Publication withdrawn"),
    Command("register-attachment",       "AttachmentRegistered", 1,         k.AttachmentRegistered,          "SP",   "添付",                  "Attachment registered"),
    Command("set-retention",             "RetentionSet", 1,                 k.RetentionSet,                  "S",    "保存年限",              "Retention set"),
    Command("set-legal-hold",            "LegalHoldSet", 1,                 k.LegalHoldSet,                  "A",    "廃棄停止",              "Legal hold set"),
    Command("release-legal-hold",        "LegalHoldReleased", 1,            k.LegalHoldReleased,             "A",    "廃棄停止の解除",        "Legal hold released"),
    Command("decide-disposal",           "DisposalDecided", 1,              k.DisposalDecided,               "A",    "廃棄・移管の決定",      "Disposal decided"),
    Command("erase-subject",             "SubjectErased", 1,                k.SubjectErased,                 "T",    "個人情報の消去",        "Subject erased"),
    Command("transfer-stewardship",      "StewardshipTransferred", 1,       k.StewardshipTransferred,        "T",    "承継",                  "Stewardship transferred"),
)
# fmt: on

BY_NAME = {command.name: command for command in COMMANDS}
BY_EVENT = {command.event_name: command for command in COMMANDS}


def command(name: str) -> Command:
    """The command of that name; NotFound lists where to look."""
    if name not in BY_NAME:
        raise NotFound(what="command", name=f"{name!r} (kyodo commands lists them)")
    return BY_NAME[name]


def current(event_name: str, schema: int, data: dict[str, Any]) -> tuple[type[Event], dict[str, Any]]:
    """The class of a stored event and its data as of today's schema, upcast version by version.

    Raises NotFound for an event type or a schema version that this release does not know.
    """
    if event_name not in BY_EVENT:
        raise NotFound(what="event type", name=event_name)
    known = BY_EVENT[event_name]
    if not 1 <= schema <= known.schema:
        raise NotFound(what=f"schema version {schema} of", name=event_name)
    for version in range(schema, known.schema):
        data = known.upcast[version](data)
    if known.event is EventCorrected:
        # A correction carries the data of another event, which ages like that event's own.
        _, inner = current(data["event"], data["event_schema"], data["data"])
        data = data | {"data": inner, "event_schema": BY_EVENT[data["event"]].schema}
    return known.event, data


def parse(event_name: str, schema: int, stored: bytes) -> Event:
    """A stored event (canonical JSON) as it reads today."""
    known = BY_EVENT.get(event_name)
    if known is not None and known.schema == schema and known.event is not EventCorrected:
        return known.event.model_validate_json(stored)
    event, data = current(event_name, schema, from_json(stored))
    return event.model_validate_json(to_json(data))


def initial_state(first_event: str) -> State:
    """The empty state of the kind of stream that begins with such an event."""
    return BY_EVENT[first_event].event.folds_into()
