"""Metrics of the course of partnerships: forms, consultations, meetings, outcomes, evaluations and money."""

from __future__ import annotations

from domain.vocabulary import FormCode
from projections.metrics.declaration import COURSE, ENDINGS, Metric, Series, Shape, Unit, first, within

FORMED = ("AgreementConcluded", "AgreementAmended", "ActivityConfirmed", "RolesAssigned")
"""The facts that state forms of collaboration."""

_MODEL = "type = 'ModelYearStarted'"
_OPENED = "type = 'ConsultationOpened'"
_AGREED = "type = 'AgreementConcluded'"

# A partnership without a proposal has no fiscal year of submission: its first agreement or activity dates it.
_PRIORITY = (
    "CASE type WHEN 'ProposalSubmitted' THEN 1 WHEN 'AgreementConcluded' THEN 2 WHEN 'ActivityStarted' THEN 3"
    " WHEN 'ActivityConfirmed' THEN 3 ELSE 4 END"
)


def _cohort(column: str) -> str:
    return f"(array_agg({column} ORDER BY {_PRIORITY}, place))[1]"


_COHORT_JA = "年度は提案の提出の年度、提案がなければ協定(なければ実施)の年度。"
_COHORT_EN = (
    "The cohort is the fiscal year of submission, without a proposal that of the agreement or else the activity."
)

SUSTAINED = Metric(
    number=8,
    key="sustained_share",
    title_ja="モデル事業後の定着",
    title_en="Sustained share of model projects",
    definition_ja="モデル事業を経て終わった事業のうち、一般施策化または自立したもの。成果を示すもので、成績ではない。"
    "年度はモデル事業が始まった年度。",
    definition_en="Ended partnerships with a model project that were mainstreamed or became independent: an outcome,"
    " not a success score. The cohort is the fiscal year in which the model project began.",
    excluded_ja="終わっていないモデル事業",
    excluded_en="Model projects whose partnership has not ended",
    series=(
        Series(
            "sustained",
            "一般施策化・自立",
            "Mainstreamed or independent",
            "一般施策化または自立した事業",
            "Partnerships mainstreamed or independent",
            "モデル事業を経て終わった事業",
            "Ended partnerships with a model project",
        ),
    ),
    facts=("ModelYearStarted", *ENDINGS),
    sql=f"""{COURSE},
    unit AS (
        SELECT 'sustained' AS series, tenant_id, partnership_id, {first("programme", _MODEL)} AS programme,
               {first("year_from", _MODEL)} AS year_from, {first("year_until", _MODEL)} AS year_until,
               bool_or(imprecise) FILTER (WHERE {_MODEL} OR ends) AS imprecise,
               bool_or(type IN ('PartnershipMainstreamed', 'PartnershipBecameIndependent'))::integer::float8 AS amount,
               CASE WHEN bool_or(ends) THEN 1 END AS size
          FROM course GROUP BY tenant_id, partnership_id HAVING bool_or({_MODEL})
    )""",
)

FORMS = Metric(
    number=9,
    key="share_by_form",
    title_ja="形態別の割合",
    title_en="Share by form",
    definition_ja=f"協働の形態の割合。形態がk種ある事業は、それぞれに1/kずつ数える。{_COHORT_JA}",
    definition_en=f"Share of each form of collaboration; a partnership of k forms counts 1/k in each. {_COHORT_EN}",
    excluded_ja="形態が述べられていない事業",
    excluded_en="Partnerships whose form is not stated",
    series=tuple(
        Series(
            form.value,
            form.ja,
            form.en,
            f"「{form.ja}」の事業(1/k)",
            f"Partnerships of the form {form.en} (1/k)",
            "形態の分かる事業",
            "Partnerships whose form is stated",
        )
        for form in FormCode
    ),
    facts=("PartnershipRegistered", "ProposalSubmitted", "ActivityStarted", *FORMED),
    sql=f"""
    formed AS (
        SELECT tenant_id, partnership_id, array_agg(DISTINCT code) AS forms
          FROM fact CROSS JOIN unnest(codes) AS code GROUP BY 1, 2
    ),
    dated AS (
        SELECT tenant_id, partnership_id, {first("programme", "type = 'PartnershipRegistered'")} AS programme,
               {_cohort("year_from")} AS year_from, {_cohort("year_until")} AS year_until,
               {_cohort("imprecise")} AS imprecise
          FROM fact GROUP BY 1, 2 HAVING bool_or(type = 'PartnershipRegistered')
    ),
    used AS (SELECT DISTINCT unnest(forms) AS form FROM formed),
    unit AS (
        SELECT form AS series, tenant_id, partnership_id, programme, year_from, year_until, imprecise,
               (form = ANY(forms))::integer::float8 / cardinality(forms) AS amount,
               CASE WHEN forms IS NOT NULL THEN 1 END AS size
          FROM dated LEFT JOIN formed USING (tenant_id, partnership_id) CROSS JOIN used
    )""",
)

CONSULTATION = Metric(
    number=11,
    key="agreement_after_consultation",
    title_ja="相談から24か月以内の協定",
    title_en="Consultation to agreement within 24 months",
    definition_ja="相談のうち、24か月以内に協定に至ったもの。24か月すべてを追える相談だけを数える。年度は相談の年度。",
    definition_en="Consultations that led to an agreement within 24 months, among those that could be followed for all"
    " of the 24 months. The cohort is the fiscal year of the consultation.",
    excluded_ja="24か月を追えない相談、日付が不明な相談、日付からはどちらともいえないもの",
    excluded_en="Consultations not followed for 24 months, undated ones, and those whose dates allow either answer",
    series=(
        Series(
            "agreed",
            "24か月以内に協定",
            "Agreed within 24 months",
            "24か月以内に協定に至った相談",
            "Consultations with an agreement within 24 months",
            "24か月を追えた相談",
            "Consultations followed for 24 months",
        ),
    ),
    facts=("ConsultationOpened", "AgreementConcluded"),
    sql=f"""
    consulted AS (
        SELECT tenant_id, partnership_id, {first("programme", _OPENED)} AS programme,
               {first("year_from", _OPENED)} AS year_from, {first("year_until", _OPENED)} AS year_until,
               bool_or(imprecise) AS imprecise,
               {first("earliest", _OPENED)} AS consultation_earliest, {first("latest", _OPENED)} AS consultation_latest,
               min(place) FILTER (WHERE {_AGREED}) AS agreement_place,
               {first("earliest", _AGREED)} AS agreement_earliest, {first("latest", _AGREED)} AS agreement_latest
          FROM fact GROUP BY 1, 2 HAVING bool_or({_OPENED})
    ),
    unit AS (
        SELECT 'agreed' AS series, tenant_id, partnership_id, programme, year_from, year_until, imprecise,
               {within(24, "consultation", "agreement", "day")}
          FROM consulted LEFT JOIN observed USING (tenant_id)
    )""",
)

MEETINGS = Metric(
    number=12,
    key="meetings_before_agreement",
    title_ja="協定までの協議と主体の種類",
    title_en="Meetings and party kinds before agreement",
    definition_ja="最初の協定より前に開かれた協議の平均回数と、そこに出た主体の種類の平均数。述べられていない回数は0ではなく"
    f"不明とする。{_COHORT_JA}",
    definition_en="Mean number of meetings before the first agreement, and of distinct kinds of parties that attended"
    f" them. A number that is not stated is unknown, which is not 0. {_COHORT_EN}",
    excluded_ja="回数または出席者が記録されていない事業",
    excluded_en="Partnerships whose number of meetings, or whose attendees, are not recorded",
    series=(
        Series(
            "meetings",
            "協議",
            "Meetings",
            "最初の協定より前の協議",
            "Meetings before the first agreement",
            "協議の回数が分かる、協定に至った事業",
            "Partnerships with an agreement and a known number of meetings",
            Shape.MEAN,
            Unit.COUNT,
        ),
        Series(
            "party_kinds",
            "主体の種類",
            "Party kinds",
            "その協議に出た主体の種類",
            "Distinct kinds of parties at these meetings",
            "出席者の分かる、協定に至った事業",
            "Partnerships with an agreement and known attendees",
            Shape.MEAN,
            Unit.COUNT,
        ),
    ),
    facts=("ProposalSubmitted", "AgreementConcluded", "MeetingHeld"),
    sql=f"""
    told AS (
        SELECT *, min(place) FILTER (WHERE {_AGREED}) OVER (PARTITION BY tenant_id, partnership_id) AS agreed_at
          FROM fact
    ),
    agreed AS (
        SELECT tenant_id, partnership_id, {first("programme", _AGREED)} AS programme,
               {_cohort("year_from")} AS year_from, {_cohort("year_until")} AS year_until,
               bool_or(imprecise) AS imprecise,
               sum(count) FILTER (WHERE type = 'MeetingHeld' AND place < agreed_at) AS meetings,
               bool_or(count IS NULL) FILTER (WHERE type = 'MeetingHeld' AND place < agreed_at) AS unknown
          FROM told WHERE agreed_at IS NOT NULL GROUP BY 1, 2
    ),
    attended AS (
        SELECT t.tenant_id, t.partnership_id, count(DISTINCT p.kind) AS kinds
          FROM told t CROSS JOIN unnest(t.parties) AS attendee
          JOIN known_party p ON (p.tenant_id, p.partnership_id, p.party_id) = (t.tenant_id, t.partnership_id, attendee)
         WHERE t.type = 'MeetingHeld' AND t.place < t.agreed_at GROUP BY 1, 2
    ),
    unit AS (
        SELECT 'meetings' AS series, tenant_id, partnership_id, programme, year_from, year_until, imprecise,
               CASE WHEN NOT unknown THEN meetings END::float8 AS amount, 1 AS size FROM agreed
        UNION ALL
        SELECT 'party_kinds', tenant_id, partnership_id, programme, year_from, year_until, imprecise,
               nullif(kinds, 0), 1
          FROM agreed LEFT JOIN attended USING (tenant_id, partnership_id)
    )""",
)

EVALUATION_GAP = Metric(
    number=14,
    key="evaluation_gap",
    title_ja="振り返りの評価の差",
    title_en="Evaluation gap",
    definition_ja="同じ振り返りで市民側の評価から行政側の評価を引いた差の平均。同じ原則・同じ項目の組だけを、"
    "尺度を0から1に直して比べる。公開された評価だけが読める。年度は市民側の提出の年度。",
    definition_en="Mean of the partner's evaluation minus the city's in the same mutual evaluation, over pairs with the"
    " same principle set and the same items, each scaled to 0–1. Only shared evaluations can be read. The cohort is"
    " the fiscal year in which the partner's was filed.",
    excluded_ja="片方だけの評価、原則や項目の異なる組、公開前または公開を取り下げられた評価",
    excluded_en="Evaluations of one side only, pairs that differ in principle set or items, and scores not public",
    series=(
        Series(
            "gap",
            "市民側−行政側",
            "Partner minus city",
            "差の合計",
            "Sum of the differences",
            "評価の組",
            "Pairs of evaluations",
            Shape.MEAN,
            Unit.SCALE,
        ),
    ),
    facts=("EvaluationFiled",),
    sql="""
    unit AS (
        SELECT 'gap' AS series, tenant_id, partnership_id, coalesce(p.programme, c.programme) AS programme,
               coalesce(p.year_from, c.year_from) AS year_from, coalesce(p.year_until, c.year_until) AS year_until,
               p.imprecise OR c.imprecise AS imprecise, (p.score - c.score) / 1000000.0::float8 AS amount,
               CASE WHEN p.kind = c.kind AND p.codes = c.codes AND p.score IS NOT NULL AND c.score IS NOT NULL
                    THEN 1 END AS size
          FROM (SELECT * FROM fact WHERE side = 'PARTNER') p
          FULL JOIN (SELECT * FROM fact WHERE side = 'CITY') c USING (tenant_id, partnership_id, number)
    )""",
)

_PAYING = ("FundingDecided", "GrantDecided", "PaymentRecorded", "RefundOrdered")
_STARTED = "type IN ('AgreementConcluded', 'ActivityStarted')"


def _yen(sums: str) -> dict[str, str]:
    """How a year of a partnership counts: unknown yen is unknown, and nothing recorded is 0."""
    return {
        "amount": f"CASE WHEN NOT {sums}_unknown THEN {sums} END",
        "size": "months",
        "applies": f"months IS NOT NULL OR {sums} <> 0 OR {sums}_unknown",
    }


MONEY = Metric(
    number=15,
    key="city_yen_per_month",
    title_ja="活動月あたりの市の支出",
    title_en="City yen per active partnership-month",
    definition_ja="市が決定した額と支払った額(返還を命じた額を引く)を、事業が続いていた月数で割る。月数は最初の協定または"
    "開始から終わりまでで、日付に幅があれば最短と最長の中央をとる。休止中も含む。件数は事業と年度の組、年度は会計年度。",
    definition_en="Yen that the city decided, and yen that it paid less refunds ordered, by months that partnerships"
    " were active: from the first agreement or start to the end, the middle of the shortest and the longest where the"
    " dates leave room, suspensions included. Units are years of partnerships; the cohort is the money's fiscal year.",
    excluded_ja="額の不明な年度、年度の定まらない支出、活動期間の外の支出、開始または終わりの日付が不明な事業。市以外が払う額は数えない。",
    excluded_en="Years with an unknown sum, money of no certain year or outside the active time, and partnerships with"
    " an undated start or end; what others than the city pay is not counted",
    series=(
        Series(
            "decided",
            "決定額",
            "Decided",
            "市が決定した額(円)",
            "Yen decided by the city",
            "活動月数",
            "Active months",
            Shape.MEAN,
            Unit.YEN_PER_MONTH,
            **_yen("decided"),
        ),
        Series(
            "paid",
            "支払額",
            "Paid",
            "市が支払った額(円)",
            "Yen paid by the city",
            "活動月数",
            "Active months",
            Shape.MEAN,
            Unit.YEN_PER_MONTH,
            **_yen("paid"),
        ),
    ),
    facts=(*_PAYING, "ActivityStarted", *ENDINGS),
    sql=f"""{COURSE},
    spell AS (
        SELECT tenant_id, partnership_id, {first("programme", _STARTED)} AS programme,
               {first("earliest", _STARTED)} AS began_earliest, {first("latest", _STARTED)} AS began_latest,
               CASE WHEN bool_or(ends) THEN {first("earliest", "ends")} ELSE max(day) END AS ended_earliest,
               CASE WHEN bool_or(ends) THEN {first("latest", "ends")} ELSE max(day) END AS ended_latest,
               bool_or(imprecise) FILTER (WHERE {_STARTED} OR ends) AS imprecise
          FROM course LEFT JOIN observed USING (tenant_id) GROUP BY 1, 2 HAVING bool_or({_STARTED})
    ),
    active AS (
        SELECT tenant_id, partnership_id, programme, imprecise, fiscal_year AS year_from, fiscal_year AS year_until,
               (greatest(0, least(ended_latest, next_april) - greatest(began_earliest, april))
              + greatest(0, least(ended_earliest, next_april) - greatest(began_latest, april)))
               / 2.0 / 30.4375 AS months
          FROM spell
         CROSS JOIN generate_series(extract(year FROM began_earliest - interval '3 months')::integer,
                                    extract(year FROM ended_latest - interval '3 months')::integer) AS fiscal_year
         CROSS JOIN LATERAL (
            SELECT make_date(fiscal_year, 4, 1) AS april, make_date(fiscal_year + 1, 4, 1) AS next_april
         ) AS year
         WHERE began_latest IS NOT NULL AND ended_earliest IS NOT NULL
    ),
    money AS (
        SELECT f.tenant_id, f.partnership_id, f.year_from, f.year_until, max(f.programme) AS programme,
               bool_or(f.imprecise) AS imprecise,
               sum(f.yen) FILTER (WHERE f.decides) AS decided,
               coalesce(bool_or(f.yen IS NULL AND f.decides), false) AS decided_unknown,
               sum(CASE WHEN f.type = 'RefundOrdered' THEN -f.yen ELSE f.yen END) FILTER (WHERE NOT f.decides) AS paid,
               coalesce(bool_or(f.yen IS NULL AND NOT f.decides), false) AS paid_unknown
          FROM (SELECT *, type = 'GrantDecided' OR type = 'FundingDecided' AND kind = 'DECIDED' AS decides FROM fact) f
          LEFT JOIN known_party p
            ON (p.tenant_id, p.partnership_id, p.party_id) = (f.tenant_id, f.partnership_id, f.parties[1])
         WHERE f.type IN {_PAYING} AND (f.parties = '{{}}' OR p.kind IN ('MUNICIPALITY', 'DEPARTMENT'))
         GROUP BY 1, 2, 3, 4
    ),
    unit AS (
        SELECT tenant_id, partnership_id, coalesce(a.programme, m.programme) AS programme, year_from, year_until,
               coalesce(a.imprecise, m.imprecise) AS imprecise, a.months,
               coalesce(m.decided, 0) AS decided, coalesce(m.decided_unknown, false) AS decided_unknown,
               coalesce(m.paid, 0) AS paid, coalesce(m.paid_unknown, false) AS paid_unknown
          FROM active a FULL JOIN money m USING (tenant_id, partnership_id, year_from, year_until)
    )""",
)
