"""Codes with their Japanese and English labels (domain.md §2, §7)."""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class Labelled(StrEnum):
    """A code that knows its labels."""

    ja: str
    en: str

    def __new__(cls, code: str, ja: str = "", en: str = "") -> Self:
        """The member is its code; the labels hang on it."""
        member = str.__new__(cls, code)
        member._value_ = code
        member.ja = ja
        member.en = en or code.replace("_", " ").capitalize()
        return member

    def label(self, language: str) -> str:
        """What a reader sees."""
        return self.ja if language == "ja" and self.ja else self.en


class Status(Labelled):
    """Where a partnership stands."""

    REGISTERED = "REGISTERED", "登録", "Registered"
    CONSULTING = "CONSULTING", "相談中", "Consulting"
    DELIBERATING = "DELIBERATING", "協議中", "Deliberating"
    SURVEYING = "SURVEYING", "ニーズ調査中", "Surveying needs"
    PROPOSED = "PROPOSED", "提案中", "Proposed"
    UNDER_REVIEW = "UNDER_REVIEW", "審査中", "Under review"
    ACCEPTED = "ACCEPTED", "採択", "Accepted"
    REJECTED = "REJECTED", "不採択", "Rejected"
    WITHDRAWN = "WITHDRAWN", "取下げ", "Withdrawn"
    DECLINED = "DECLINED", "採択後辞退", "Declined"
    REVOKED = "REVOKED", "採択取消", "Acceptance revoked"
    TRIAL = "TRIAL", "試行", "On trial"
    MODEL_YEAR = "MODEL_YEAR", "モデル事業", "Model project"
    AGREED = "AGREED", "協定締結", "Agreed"
    ACTIVE = "ACTIVE", "実施中", "Active"
    SUSPENDED = "SUSPENDED", "休止", "Suspended"
    COMPLETED = "COMPLETED", "完了", "Completed"
    LAPSED = "LAPSED", "失効", "Lapsed"
    TERMINATED = "TERMINATED", "解除", "Terminated"
    INDEPENDENT = "INDEPENDENT", "自立", "Independent"
    MAINSTREAMED = "MAINSTREAMED", "一般施策化", "Mainstreamed"
    CLOSED = "CLOSED", "終結", "Closed"


EARLY = frozenset({Status.REGISTERED, Status.CONSULTING, Status.DELIBERATING, Status.SURVEYING})
UNDECIDED = frozenset({Status.PROPOSED, Status.UNDER_REVIEW})
TRYING = frozenset({Status.TRIAL, Status.MODEL_YEAR})
IN_FORCE = frozenset({Status.AGREED, Status.ACTIVE, Status.SUSPENDED})
REFUSED = frozenset({Status.REJECTED, Status.WITHDRAWN, Status.DECLINED, Status.REVOKED})
ENDED = frozenset(
    {
        Status.COMPLETED,
        Status.LAPSED,
        Status.TERMINATED,
        Status.INDEPENDENT,
        Status.MAINSTREAMED,
        Status.CLOSED,
    }
)
OPEN = frozenset(Status) - ENDED
KNOWN = frozenset(Status)


class PartyKind(Labelled):
    """What a party is."""

    NPO = "NPO", "NPO", "NPO"
    CITIZEN_GROUP = "CITIZEN_GROUP", "市民活動団体", "Citizen group"
    NEIGHBOURHOOD_ASSOCIATION = "NEIGHBOURHOOD_ASSOCIATION", "町内会・自治会", "Neighbourhood association"
    COMPANY = "COMPANY", "企業", "Company"
    SOLE_PROPRIETOR = "SOLE_PROPRIETOR", "個人事業主", "Sole proprietor"
    UNIVERSITY = "UNIVERSITY", "大学", "University"
    SCHOOL = "SCHOOL", "学校", "School"
    SOCIAL_WELFARE_COUNCIL = "SOCIAL_WELFARE_COUNCIL", "社会福祉協議会", "Social welfare council"
    COMMUNITY_HALL = "COMMUNITY_HALL", "公民館", "Community hall"
    JOINT_VENTURE = "JOINT_VENTURE", "共同事業体", "Joint venture"
    NETWORK = "NETWORK", "ネットワーク", "Network"
    COUNCIL = "COUNCIL", "協議体", "Council"
    EXECUTIVE_COMMITTEE = "EXECUTIVE_COMMITTEE", "実行委員会", "Executive committee"
    VOLUNTEERS = "VOLUNTEERS", "ボランティア", "Volunteers"
    MUNICIPALITY = "MUNICIPALITY", "自治体", "Municipality"
    DEPARTMENT = "DEPARTMENT", "担当課", "City department"
    PUBLIC_CORPORATION = "PUBLIC_CORPORATION", "公社", "Public corporation"
    FUND = "FUND", "基金", "Fund"
    INTERMEDIARY = "INTERMEDIARY", "中間支援組織", "Intermediary"
    INDIVIDUAL = "INDIVIDUAL", "個人", "Individual"


class CityRole(Labelled):
    """What the city is in a partnership or an activity."""

    PARTY = "PARTY", "当事者", "Party"
    FACILITATOR = "FACILITATOR", "つなぎ役", "Facilitator"
    REGISTRAR = "REGISTRAR", "記録者", "Registrar"


class FormCode(Labelled):
    """The common forms of collaboration; local forms map to one or more of them."""

    COMMISSION = "COMMISSION", "委託", "Commission"
    SUBSIDY = "SUBSIDY", "補助", "Subsidy"
    COST_SHARE = "COST_SHARE", "負担金", "Cost share"
    CO_HOSTING = "CO_HOSTING", "共催", "Co-hosting"
    ENDORSEMENT = "ENDORSEMENT", "後援", "Endorsement"
    PERSONNEL = "PERSONNEL", "人的交流", "Personnel exchange"
    VENUE = "VENUE", "場の提供", "Venue"
    FACILITY_MANAGEMENT = "FACILITY_MANAGEMENT", "施設の管理運営", "Facility management"
    POLICY_PROPOSAL = "POLICY_PROPOSAL", "政策提言", "Policy proposal"
    EXECUTIVE_COMMITTEE = "EXECUTIVE_COMMITTEE", "実行委員会", "Executive committee"
    COOPERATION = "COOPERATION", "事業協力", "Cooperation"


class RejectionCode(Labelled):
    """Why a proposal was refused."""

    OBJECTIVES_UNCLEAR = "OBJECTIVES_UNCLEAR", "目的が不明確", "Objectives unclear"
    NO_PUBLIC_BENEFIT = "NO_PUBLIC_BENEFIT", "公益性がない", "No public benefit"
    NO_SYNERGY = "NO_SYNERGY", "相乗効果がない", "No synergy"
    ROLES_UNCLEAR = "ROLES_UNCLEAR", "役割分担が不明確", "Roles unclear"
    INFEASIBLE = "INFEASIBLE", "実現が困難", "Infeasible"
    BUDGET_UNSOUND = "BUDGET_UNSOUND", "予算が不適切", "Budget unsound"
    CAPACITY = "CAPACITY", "実施体制の不足", "Capacity lacking"
    OTHER_SUBSIDY = "OTHER_SUBSIDY", "他の補助と重複", "Funded by another subsidy"
    INELIGIBLE_APPLICANT = "INELIGIBLE_APPLICANT", "応募資格がない", "Applicant not eligible"
    EXCLUDED_PURPOSE = "EXCLUDED_PURPOSE", "対象外の目的", "Purpose excluded"
    NO_DEPARTMENT_CONSENT = "NO_DEPARTMENT_CONSENT", "担当課の同意がない", "No department consents"
    BELOW_THRESHOLD = "BELOW_THRESHOLD", "基準点に届かない", "Below the threshold"
    VETO = "VETO", "必須基準を満たさない", "Veto criterion"
    FUNDS_EXHAUSTED = "FUNDS_EXHAUSTED", "予算額に達した", "Funds exhausted"
    INCOMPLETE = "INCOMPLETE", "書類の不備", "Incomplete"
    OTHER = "OTHER", "その他", "Other"


class SubmissionKind(Labelled):
    """What a proposal is to those before it."""

    NEW = "NEW", "新規", "New"
    RESUBMISSION = "RESUBMISSION", "再提案", "Resubmission"
    CONTINUATION = "CONTINUATION", "継続", "Continuation"


class Proposer(Labelled):
    """Whose proposal it is."""

    CITIZENS = "CITIZENS", "市民提案", "Citizen-proposed"
    CITY = "CITY", "行政提案", "City-proposed"


class Origin(Labelled):
    """How the partnership came about."""

    CITY_INVITED = "CITY_INVITED", "市からの要請", "Invited by the city"
    CITIZEN_PROPOSED = "CITIZEN_PROPOSED", "市民からの提案", "Proposed by citizens"
    CITY_PROPOSED = "CITY_PROPOSED", "行政からの提案", "Proposed by the city"
    CONSULTATION = "CONSULTATION", "相談から", "From a consultation"


class LeadArea(Labelled):
    """Who leads (領域)."""

    CITIZENS_LEAD = "CITIZENS_LEAD", "市民主導", "Citizens lead"
    JOINT = "JOINT", "双方", "Joint"
    CITY_LEADS = "CITY_LEADS", "行政主導", "City leads"


class ConsultationOutcome(Labelled):
    """How a consultation ended."""

    PROPOSAL = "PROPOSAL", "提案へ", "A proposal"
    PRIVATE_VENTURE = "PRIVATE_VENTURE", "民間事業へ", "A private venture"
    ADVICE = "ADVICE", "助言", "Advice"
    NONE = "NONE", "なし", "None"


class CoverageKind(Labelled):
    """How much of a period the record covers."""

    COMPLETE = "COMPLETE", "全数", "Complete"
    SELECTION = "SELECTION", "一部の事例", "A selection"
    UNKNOWN = "UNKNOWN", "不明", "Unknown"


class Initiator(Labelled):
    """Who ended an agreement."""

    CITY = "CITY", "市", "The city"
    PARTY = "PARTY", "相手方", "A party"
    BOTH = "BOTH", "双方", "Both"


class Step(Labelled):
    """A step of the life-cycle that a programme may have, lack, or require before another one."""

    CONSULTATION = "CONSULTATION", "相談", "Consultation"
    DELIBERATION = "DELIBERATION", "協議", "Deliberation"
    NEEDS_SURVEY = "NEEDS_SURVEY", "ニーズ調査", "Needs survey"
    PROPOSAL = "PROPOSAL", "提案", "Proposal"
    REVIEW = "REVIEW", "審査", "Review"
    PRESENTATION = "PRESENTATION", "公開プレゼンテーション", "Presentation"
    RECOMMENDATION = "RECOMMENDATION", "答申", "Recommendation"
    ACCEPTANCE = "ACCEPTANCE", "採択", "Acceptance"
    REJECTION = "REJECTION", "不採択", "Rejection"
    RECONSIDERATION = "RECONSIDERATION", "再検討", "Reconsideration"
    TRIAL = "TRIAL", "試行", "Trial"
    MODEL_YEAR = "MODEL_YEAR", "モデル事業", "Model year"
    COUNCIL_RESOLUTION = "COUNCIL_RESOLUTION", "議決", "Council resolution"
    AGREEMENT = "AGREEMENT", "協定締結", "Agreement"
    ACTIVITY = "ACTIVITY", "実施", "Activity"
    INTERIM_REPORT = "INTERIM_REPORT", "中間報告", "Interim report"
    FINAL_REPORT = "FINAL_REPORT", "実績報告", "Final report"
    EVALUATION = "EVALUATION", "振り返り", "Mutual evaluation"
    EVALUATION_DIALOGUE = "EVALUATION_DIALOGUE", "振り返りの対話", "Evaluation dialogue"
    GRANT = "GRANT", "交付決定", "Grant"
    SETTLEMENT = "SETTLEMENT", "額の確定", "Settlement"
    RENEWAL = "RENEWAL", "更新", "Renewal"
    COMPLETION = "COMPLETION", "完了", "Completion"
    INDEPENDENCE = "INDEPENDENCE", "自立", "Independence"
    MAINSTREAMING = "MAINSTREAMING", "一般施策化", "Mainstreaming"


class DeadlineKind(Labelled):
    """What has to be done in time."""

    DECISION = "DECISION", "決定と理由の公表", "Decision and its reason published"
    EVALUATION = "EVALUATION", "振り返り", "Mutual evaluation filed"
    FINAL_REPORT = "FINAL_REPORT", "実績報告", "Final report"
    CORRECTION_DECISION = "CORRECTION_DECISION", "訂正請求への決定", "Decision on a request for correction"


class Side(Labelled):
    """Whose evaluation it is."""

    PARTNER = "PARTNER", "市民側", "Partner"
    CITY = "CITY", "行政側", "City"
    CITIZEN = "CITIZEN", "市民", "Citizens"
