"""Metrics of proposals: what is accepted, recommended and rejected, why, by whom, and what comes after a rejection."""

from __future__ import annotations

from domain.vocabulary import RejectionCode
from projections.metrics.declaration import Metric, Series, Shape, Unit, first, within

_DECISIONS = ("ProposalSubmitted", "ProposalAccepted", "ProposalRejected", "ReconsiderationResolved")
_ACCEPTING = "(type = 'ProposalAccepted' OR type = 'ReconsiderationResolved' AND kind = 'ACCEPTED')"
_SUBMITTED = "type = 'ProposalSubmitted'"

_JUDGED = f"""
    submission AS (
        SELECT tenant_id, partnership_id, number,
               max(kind) FILTER (WHERE {_SUBMITTED}) AS kind,
               max(side) FILTER (WHERE {_SUBMITTED}) AS side,
               max(programme) FILTER (WHERE {_SUBMITTED}) AS programme,
               max(year_from) FILTER (WHERE {_SUBMITTED}) AS year_from,
               max(year_until) FILTER (WHERE {_SUBMITTED}) AS year_until,
               min(place) FILTER (WHERE type = 'ProposalAccepted') AS accepted,
               min(place) FILTER (WHERE type = 'ProposalRejected') AS rejected,
               min(place) FILTER (WHERE type = 'ProposalWithdrawn') AS withdrawn,
               bool_or(type = 'ReconsiderationResolved' AND kind = 'ACCEPTED') AS reconsidered,
               bool_or(type = 'RecommendationIssued' AND kind = 'RECOMMENDED') AS recommended,
               bool_or(imprecise) FILTER (WHERE type <> 'RecommendationIssued') AS imprecise
          FROM fact WHERE number IS NOT NULL GROUP BY 1, 2, 3 HAVING bool_or({_SUBMITTED})
    ),
    -- The first decision counts, unless the city reconsidered and accepted.
    judged AS (
        SELECT *, CASE WHEN reconsidered THEN 'ACCEPTED' ELSE
                  CASE least(accepted, rejected, withdrawn)
                      WHEN accepted THEN 'ACCEPTED' WHEN rejected THEN 'REJECTED' WHEN withdrawn THEN 'WITHDRAWN' END
                  END AS outcome
          FROM submission
    ),
    proposal AS (
        SELECT *, kind <> 'CONTINUATION' AND outcome IN ('ACCEPTED', 'REJECTED') AS decided FROM judged
    )"""


_UNIT = "SELECT tenant_id, partnership_id, programme, year_from, year_until, imprecise"
_DECIDED = "CASE WHEN decided THEN 1 END"

_D_JA, _D_EN = "決定された新規・再提案の件数(D)", "Decided NEW and RESUBMISSION proposals (D)"
_OPEN_JA = "未決定・取下げの提案と継続の提案"
_OPEN_EN = "Undecided and withdrawn proposals, and continuations"

ACCEPTANCE = Metric(
    number=1,
    key="acceptance_rate",
    title_ja="採択率",
    title_en="Acceptance rate",
    definition_ja="決定された提案のうち採択されたもの。条件付き採択と、再検討による採択を含む。後の辞退・取消は差し引かない。"
    "年度は提案の提出の年度。",
    definition_en="Decided proposals that were accepted, conditionally or on reconsideration too; an acceptance later"
    " declined or revoked stays one. The cohort is the fiscal year of submission.",
    excluded_ja=_OPEN_JA,
    excluded_en=_OPEN_EN,
    series=(
        Series(
            "accepted",
            "採択",
            "Accepted",
            "採択された提案",
            "Accepted proposals",
            _D_JA,
            _D_EN,
            amount="accepted",
            size=_DECIDED,
            applies="whole IS NULL",
        ),
        Series(
            "first_submission",
            "初回提案の採択",
            "Accepted at the first submission",
            "採択された初回提案",
            "Accepted first submissions",
            "決定された初回提案",
            "Decided first submissions",
            amount="accepted",
            size="CASE WHEN decided AND number = 1 THEN 1 END",
            applies="whole IS NULL",
        ),
        Series(
            "ever_accepted",
            "いずれかで採択",
            "Ever accepted",
            "一度でも採択された事業",
            "Partnerships ever accepted",
            "決定が一度でもあった事業(年度は初回提案)",
            "Partnerships with any decided proposal (cohort: first submission)",
            amount="accepted",
            size=_DECIDED,
            applies="whole",
        ),
        Series(
            "undecided",
            "未決定",
            "Undecided",
            "未決定の提案",
            "Proposals not decided yet",
            "新規・再提案",
            "NEW and RESUBMISSION proposals",
            amount="(outcome IS NULL)::integer",
            size="CASE WHEN kind <> 'CONTINUATION' THEN 1 END",
            applies="whole IS NULL",
        ),
        Series(
            "withdrawn",
            "取下げ",
            "Withdrawn",
            "取り下げられた提案",
            "Withdrawn proposals",
            "新規・再提案",
            "NEW and RESUBMISSION proposals",
            amount="coalesce(outcome = 'WITHDRAWN', false)::integer",
            size="CASE WHEN kind <> 'CONTINUATION' THEN 1 END",
            applies="whole IS NULL",
        ),
    ),
    facts=(*_DECISIONS, "ProposalWithdrawn"),
    covered="PROPOSALS",
    sql=f"""{_JUDGED},
    uninvited AS (
        SELECT DISTINCT tenant_id, partnership_id FROM fact WHERE type = 'ProposalAccepted' AND number IS NULL
    ),
    unit AS (
        {_UNIT}, number, kind, outcome, decided, (outcome = 'ACCEPTED')::integer AS accepted, NULL::boolean AS whole
          FROM proposal
        UNION ALL
        -- An acceptance may answer no numbered proposal, where the source tells it so.
        SELECT p.tenant_id, p.partnership_id, (array_agg(programme ORDER BY number))[1],
               (array_agg(year_from ORDER BY number))[1], (array_agg(year_until ORDER BY number))[1],
               bool_or(imprecise), NULL, NULL, NULL, bool_or(decided),
               (coalesce(bool_or(outcome = 'ACCEPTED'), false) OR count(u.tenant_id) > 0)::integer, true
          FROM proposal p LEFT JOIN uninvited u USING (tenant_id, partnership_id) GROUP BY 1, 2
    )""",
)

RECOMMENDATION = Metric(
    number=2,
    key="recommendation_rate",
    title_ja="答申率と決定との違い",
    title_en="Recommendation rate and divergences",
    definition_ja="決定された提案のうち、採択すべきと答申されたもの。あわせて、答申と決定が分かれた割合を両方向に示す。"
    "答申のない提案は、答申されなかったものとして数える。年度は提案の提出の年度。",
    definition_en="Decided proposals that the panel recommended, and in both directions how often the decision"
    " differed. A proposal without a recommendation counts as not recommended. The cohort is the fiscal year of"
    " submission.",
    excluded_ja=_OPEN_JA,
    excluded_en=_OPEN_EN,
    series=(
        Series(
            "recommended",
            "答申",
            "Recommended",
            "採択すべきと答申された提案",
            "Recommended proposals",
            _D_JA,
            _D_EN,
            amount="recommended::integer",
            size=_DECIDED,
        ),
        Series(
            "recommended_not_accepted",
            "答申されたが不採択",
            "Recommended, not accepted",
            "採択されなかった提案",
            "Of these, not accepted",
            "採択すべきと答申された提案",
            "Recommended proposals of D",
            amount="1 - accepted",
            size="CASE WHEN decided AND recommended THEN 1 END",
        ),
        Series(
            "accepted_not_recommended",
            "答申なしで採択",
            "Accepted, not recommended",
            "採択された提案",
            "Of these, accepted",
            "採択すべきと答申されなかった提案",
            "Proposals of D that were not recommended",
            amount="accepted",
            size="CASE WHEN decided AND NOT recommended THEN 1 END",
        ),
    ),
    facts=(*_DECISIONS, "ProposalWithdrawn", "RecommendationIssued"),
    covered="PROPOSALS",
    sql=f"""{_JUDGED},
    unit AS ({_UNIT}, decided, recommended, (outcome = 'ACCEPTED')::integer AS accepted FROM proposal)""",
)

REJECTIONS = Metric(
    number=4,
    key="rejections_before_acceptance",
    title_ja="最初の採択までの不採択",
    title_en="Rejections before first acceptance",
    definition_ja="採択に至った事業が、最初の採択より前に受けた不採択の平均件数。年度は初回提案の年度。",
    definition_en="Mean number of rejections of an accepted partnership before its first acceptance. The cohort is the"
    " fiscal year of the first submission.",
    excluded_ja="まだ採択されていない事業。提案のない事業は数えない。",
    excluded_en="Partnerships not accepted so far; those without a proposal are not counted at all.",
    series=(
        Series(
            "rejections",
            "不採択",
            "Rejections",
            "最初の採択より前の不採択",
            "Rejections before the first acceptance",
            "提案を経て採択された事業",
            "Accepted partnerships with a proposal",
            Shape.MEAN,
            Unit.COUNT,
        ),
    ),
    facts=_DECISIONS,
    covered="PROPOSALS",
    sql=f"""
    told AS (
        SELECT *, min(place) FILTER (WHERE {_ACCEPTING}) OVER (PARTITION BY tenant_id, partnership_id) AS accepted_at
          FROM fact
    ),
    unit AS (
        SELECT 'rejections' AS series, tenant_id, partnership_id, {first("programme", _SUBMITTED)} AS programme,
               {first("year_from", _SUBMITTED)} AS year_from, {first("year_until", _SUBMITTED)} AS year_until,
               bool_or(imprecise) FILTER (WHERE place <= accepted_at) AS imprecise,
               (count(*) FILTER (WHERE type = 'ProposalRejected' AND place < accepted_at))::float8 AS amount,
               CASE WHEN accepted_at IS NOT NULL THEN 1 END AS size
          FROM told GROUP BY tenant_id, partnership_id, accepted_at HAVING bool_or({_SUBMITTED})
    )""",
)

SECOND_CHANCE = Metric(
    number=5,
    key="acceptance_after_rejection",
    title_ja="不採択から36か月以内の採択",
    title_en="Acceptance of rejected partnerships within 36 months",
    definition_ja="不採択となった事業のうち、最初の不採択から36か月以内に採択されたもの。"
    "36か月すべてを追える事業だけを数える。年度は初回提案の年度。",
    definition_en="Rejected partnerships that were accepted within 36 months of their first rejection, among those that"
    " could be followed for all of the 36 months. The cohort is the fiscal year of the first submission.",
    excluded_ja="36か月を追えない事業、不採択の日付が不明な事業、日付からはどちらともいえない事業",
    excluded_en="Partnerships not followed for 36 months, undated rejections, and dates that allow either answer",
    series=(
        Series(
            "accepted",
            "36か月以内に採択",
            "Accepted within 36 months",
            "36か月以内に採択された事業",
            "Partnerships accepted within 36 months",
            "不採択となり36か月を追えた事業",
            "Rejected partnerships followed for 36 months",
        ),
    ),
    facts=_DECISIONS,
    covered="PROPOSALS",
    sql=f"""
    told AS (
        SELECT *, min(place) FILTER (WHERE type = 'ProposalRejected') OVER (PARTITION BY tenant_id, partnership_id)
                  AS rejected_at
          FROM fact
    ),
    turned AS (
        SELECT tenant_id, partnership_id, {first("programme", _SUBMITTED)} AS programme,
               {first("year_from", _SUBMITTED)} AS year_from, {first("year_until", _SUBMITTED)} AS year_until,
               bool_or(imprecise) FILTER (WHERE NOT {_SUBMITTED}) AS imprecise,
               max(earliest) FILTER (WHERE place = rejected_at) AS refusal_earliest,
               max(latest) FILTER (WHERE place = rejected_at) AS refusal_latest,
               {first("place", f"{_ACCEPTING} AND place > rejected_at")} AS acceptance_place,
               {first("earliest", f"{_ACCEPTING} AND place > rejected_at")} AS acceptance_earliest,
               {first("latest", f"{_ACCEPTING} AND place > rejected_at")} AS acceptance_latest
          FROM told WHERE rejected_at IS NOT NULL GROUP BY tenant_id, partnership_id
    ),
    unit AS (
        SELECT 'accepted' AS series, tenant_id, partnership_id, programme, year_from, year_until, imprecise,
               {within(36, "refusal", "acceptance", "day")}
          FROM turned LEFT JOIN observed USING (tenant_id)
    )""",
)

REASONS = Metric(
    number=10,
    key="rejection_reasons",
    title_ja="不採択の理由",
    title_en="Rejection reasons",
    definition_ja="不採択のうち、その理由を挙げたものの割合。一件が複数の理由を挙げるため合計は1を超えうる。"
    "年度は提案の提出の年度。",
    definition_en="Share of rejections that cite each reason; a rejection may cite several, so that the shares may add"
    " up to more than 1. The cohort is the fiscal year of submission.",
    excluded_ja="理由のコードがない不採択",
    excluded_en="Rejections without a reason code",
    series=tuple(
        Series(
            code.value,
            code.ja,
            code.en,
            f"「{code.ja}」を理由に挙げた不採択",
            f"Rejections citing {code.en}",
            "理由のある不採択",
            "Rejections with a reason",
        )
        for code in RejectionCode
    ),
    facts=("ProposalSubmitted", "ProposalRejected"),
    covered="PROPOSALS",
    sql=f"""
    refusal AS (
        SELECT f.tenant_id, f.partnership_id, s.programme, s.year_from, s.year_until, f.codes,
               f.imprecise OR s.imprecise AS imprecise
          FROM fact f JOIN fact s USING (tenant_id, partnership_id, number)
         WHERE f.type = 'ProposalRejected' AND s.{_SUBMITTED}
    ),
    cited AS (SELECT DISTINCT unnest(codes) AS code FROM refusal),
    unit AS (
        SELECT code AS series, tenant_id, partnership_id, programme, year_from, year_until, imprecise,
               (code = ANY(codes))::integer::float8 AS amount, CASE WHEN codes <> '{{}}' THEN 1 END AS size
          FROM refusal CROSS JOIN cited
    )""",
)

CITY_PROPOSED = Metric(
    number=13,
    key="city_proposed_share",
    title_ja="行政提案の割合",
    title_en="City-proposed share",
    definition_ja="決定された提案のうち、行政が提案したもの。年度は提案の提出の年度。",
    definition_en="Decided proposals that the city proposed. The cohort is the fiscal year of submission.",
    excluded_ja=_OPEN_JA,
    excluded_en=_OPEN_EN,
    series=(
        Series(
            "city_proposed",
            "行政提案",
            "City-proposed",
            "行政提案",
            "Proposals by the city",
            _D_JA,
            _D_EN,
            amount="(side = 'CITY')::integer",
            size=_DECIDED,
        ),
    ),
    facts=(*_DECISIONS, "ProposalWithdrawn"),
    covered="PROPOSALS",
    sql=f"""{_JUDGED},
    unit AS ({_UNIT}, decided, side FROM proposal)""",
)
