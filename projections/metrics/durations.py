"""Metrics of time: how long until an agreement, until the next end of a term, until a trial becomes a regular service.

Durations are bounds in days between two dates (EDTF): the shortest and the longest, later minus earlier day.
"""

from __future__ import annotations

from projections.metrics.declaration import COURSE, ENDINGS, Metric, Series, Shape, Time, Unit, first


def _lived(series: str, start: str, interest: str) -> str:
    """SQL: one incidence: from the first `start` to the first `interest` after it; other ends compete with that.

    A unit whose start, or whose end, has no bounds is left out; so is one that surely ended before it began.
    """
    return f"""
        SELECT '{series}' AS series, tenant_id, partnership_id, programme, year_from, year_until, imprecise,
               (event = 1)::integer::float8 AS amount,
               CASE WHEN until_latest >= since_earliest AND until_earliest IS NOT NULL AND since_latest IS NOT NULL
                    THEN 1 END AS size,
               greatest(0, until_earliest - since_latest) AS shortest, until_latest - since_earliest AS longest,
               event, 0 AS entry
          FROM (
            SELECT tenant_id, partnership_id, {first("programme", start)} AS programme,
                   {first("year_from", start)} AS year_from, {first("year_until", start)} AS year_until,
                   bool_or(imprecise) FILTER (WHERE {start} OR {interest}) AS imprecise,
                   {first("earliest", start)} AS since_earliest, {first("latest", start)} AS since_latest,
                   CASE WHEN bool_or({interest}) THEN 1 WHEN bool_or(ends) THEN 2 ELSE 0 END AS event,
                   CASE WHEN bool_or({interest}) THEN {first("earliest", interest)}
                        WHEN bool_or(ends) THEN {first("earliest", "ends")}
                        ELSE greatest(max(day), {first("earliest", start)}) END AS until_earliest,
                   CASE WHEN bool_or({interest}) THEN {first("latest", interest)}
                        WHEN bool_or(ends) THEN {first("latest", "ends")}
                        ELSE greatest(max(day), {first("earliest", start)}) END AS until_latest
              FROM course LEFT JOIN observed USING (tenant_id)
             GROUP BY tenant_id, partnership_id HAVING bool_or({start})
          ) AS lived"""


_FOLLOWED_JA = "始まりか終わりの日付が不明な事業"
_FOLLOWED_EN = "Partnerships with an undated start or end"

TIME_TO_AGREEMENT = Metric(
    number=3,
    key="time_to_agreement",
    title_ja="初回提案から最初の協定まで",
    title_en="Time from first submission to first agreement",
    definition_ja="初回提案から最初の協定までの日数と、累積発生率(アーレン・ヨハンセン)。協定なしに終わることは競合事象、"
    "続いているものは市が最後に事実を記録した日で打切り。日付に幅があれば最短・中央・最長で示す。年度は初回提案の年度。",
    definition_en="Days from the first submission to the first agreement and their cumulative incidence"
    " (Aalen–Johansen). An end without an agreement competes; what goes on is censored on the day on which its city"
    " last recorded a fact. Where dates leave room, with the shortest, the middle and the longest durations. The cohort"
    " is the fiscal year of the first submission.",
    excluded_ja=_FOLLOWED_JA,
    excluded_en=_FOLLOWED_EN,
    series=(
        Series(
            "agreed",
            "協定に至る",
            "Agreed",
            "協定に至った事業",
            "Partnerships with an agreement",
            "日付の分かる初回提案",
            "Dated first submissions",
            Shape.INCIDENCE,
        ),
    ),
    facts=("ProposalSubmitted", *ENDINGS),
    time=Time.DAYS,
    covered="PROPOSALS",
    sql=f"""{COURSE},
    unit AS ({_lived("agreed", "type = 'ProposalSubmitted'", "type = 'AgreementConcluded'")})""",
)

_MAINSTREAMED = "type = 'PartnershipMainstreamed'"


def _since(key: str, ja: str, en: str) -> Series:
    return Series(
        key,
        f"{ja}から一般施策化",
        f"From the {en}",
        "一般施策化された事業",
        "Mainstreamed partnerships",
        f"日付の分かる{ja}のある事業",
        f"Partnerships with a dated {en}",
        Shape.INCIDENCE,
    )


TIME_TO_MAINSTREAMING = Metric(
    number=7,
    key="time_to_mainstreaming",
    title_ja="試行・モデル事業から一般施策化まで",
    title_en="Time from trial or model start to mainstreaming",
    definition_ja="モデル事業の開始(試行、ニーズ調査は別に)から一般施策化までの日数と、累積発生率(アーレン・ヨハンセン)。"
    "自立など他の終わりは競合事象、続いているものは市が最後に事実を記録した日で打切り。年度は開始の年度。",
    definition_en="Days from the start of the first model year (trials and needs surveys apart) to mainstreaming, and"
    " their cumulative incidence (Aalen–Johansen). Other ends, independence among them, compete; what goes on is"
    " censored on the day on which its city last recorded a fact. The cohort is the fiscal year of the start.",
    excluded_ja=_FOLLOWED_JA,
    excluded_en=_FOLLOWED_EN,
    series=(
        _since("model_year", "モデル事業の開始", "start of the model project"),
        _since("trial", "試行の開始", "start of the trial"),
        _since("survey", "ニーズ調査の開始", "start of the needs survey"),
    ),
    facts=("ModelYearStarted", "TrialStarted", "NeedsSurveyStarted", *ENDINGS),
    time=Time.DAYS,
    sql=f"""{COURSE},
    unit AS (
        {_lived("model_year", "type = 'ModelYearStarted'", _MAINSTREAMED)}
        UNION ALL {_lived("trial", "type = 'TrialStarted'", _MAINSTREAMED)}
        UNION ALL {_lived("survey", "type = 'NeedsSurveyStarted'", _MAINSTREAMED)}
    )""",
)

_TERMED_JA, _TERMED_EN = "期間のある協定", "Agreements with a term"


def _renewing(key: str, ja: str, en: str, shape: Shape = Shape.INCIDENCE) -> Series:
    return Series(key, ja, en, f"{ja}の協定", f"Agreements: {en.lower()}", _TERMED_JA, _TERMED_EN, shape)


_AT_RISK = (
    "SELECT '{0}' AS series, tenant_id, partnership_id, programme, year_from, year_until, imprecise,"
    " {1}::float8 AS amount, CASE WHEN termed THEN 1 END AS size, duration AS shortest, duration AS longest,"
    " {2} AS event, entry FROM term"
)

RENEWAL = Metric(
    number=6,
    key="renewal_survival",
    title_ja="更新の継続",
    title_en="Renewal survival",
    definition_ja="期間のある協定が何回目の更新まで続くか(アーレン・ヨハンセン)。更新されずに終わることと、一般施策化・自立は"
    "競合する。記録が途中の更新から始まる協定はその回から観察し(左側切断)、続いている協定は打切りとする。"
    "時間は更新の回で、年度は協定の年度。",
    definition_en="How many renewals agreements with a term live through (Aalen–Johansen): ending without renewal"
    " competes with mainstreaming and independence. An agreement whose record begins with a later renewal is observed"
    " from there on (left truncation), one that is in force is censored. Time is the number of the renewal; the cohort"
    " is the fiscal year of the agreement.",
    excluded_ja="期間のない、または期間の分からない協定",
    excluded_en="Agreements without a term, or of unknown term",
    series=(
        _renewing("surviving", "続いている", "Still renewed", Shape.SURVIVAL),
        _renewing("ended", "更新されずに終わる", "Ended without renewal"),
        _renewing("sustained", "一般施策化・自立", "Mainstreamed or independent"),
        Series(
            "renewals",
            "更新",
            "Renewals",
            "更新の回数",
            "Renewals",
            _TERMED_JA,
            _TERMED_EN,
            Shape.MEAN,
            Unit.COUNT,
        ),
    ),
    facts=("AgreementRenewed", *ENDINGS),
    time=Time.RENEWALS,
    sql=f"""
    numbered AS (
        SELECT *, count(*) FILTER (WHERE type = 'AgreementConcluded') OVER told AS agreement
          FROM fact WINDOW told AS (PARTITION BY tenant_id, partnership_id ORDER BY place)
    ),
    chain AS (
        SELECT tenant_id, partnership_id, agreement, {first("programme", "true")} AS programme,
               {first("year_from", "true")} AS year_from, {first("year_until", "true")} AS year_until,
               bool_or(imprecise) AS imprecise,
               coalesce(max(number) FILTER (WHERE type = 'AgreementRenewed'), 0) AS renewals,
               coalesce(min(number) FILTER (WHERE type = 'AgreementRenewed'), 1) - 1 AS entry,
               bool_or(length IS NOT NULL OR type = 'AgreementRenewed') AS termed,
               bool_or(type IN ('AgreementLapsed', 'AgreementTerminated', 'PartnershipCompleted')) AS ended,
               bool_or(type IN ('PartnershipMainstreamed', 'PartnershipBecameIndependent')) AS sustained
          FROM numbered GROUP BY 1, 2, 3
        HAVING agreement > 0 OR bool_or(type = 'AgreementRenewed')
    ),
    -- What ends, ends where the next renewal would have come.
    term AS (
        SELECT *, renewals + (ended OR sustained)::integer AS duration,
               CASE WHEN sustained THEN 2 ELSE ended::integer END AS end_event
          FROM chain
    ),
    unit AS (
        {_AT_RISK.format("surviving", "(end_event = 0)::integer", "(end_event > 0)::integer")}
        UNION ALL {_AT_RISK.format("ended", "(end_event = 1)::integer", "end_event")}
        UNION ALL {_AT_RISK.format("sustained", "(end_event = 2)::integer", "(ARRAY[0, 2, 1])[end_event + 1]")}
        UNION ALL {_AT_RISK.format("renewals", "renewals", "NULL::integer")}
    )""",
)
