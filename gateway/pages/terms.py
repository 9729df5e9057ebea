"""What the page of definitions says in Japanese and English: how to read the numbers, and the terms they use."""

from __future__ import annotations

DEFINITIONS: dict[str, tuple[str, str]] = {
    "nav_definitions": ("指標の定義", "Metrics"),
    "home_definitions": (
        "市どうしや年度ごとの比較に使う15の指標には、数え方の定義があります。",
        "Fifteen metrics compare cities and years; each has a definition.",
    ),
    "home_definitions_link": ("指標の定義を読む", "Read the definitions"),
    "definitions_title": ("指標の定義", "Definitions of the metrics"),
    "definitions_lead": (
        (
            "協働を市や年度で比べるための15の指標について、何を数え、何を数えないかを示します。"
            "どの数字も、公開された記録から、ここに書いたとおりに計算しています。"
        ),
        (
            "What the fifteen metrics for comparing partnerships between cities and years count, and what they leave"
            " out. Every number is computed from the public record exactly as written here."
        ),
    ),
    "definitions_contents": ("目次", "Contents"),
    "definitions_reading": ("数字の読み方", "How to read the numbers"),
    "definitions_metrics": ("15の指標", "The fifteen metrics"),
    "definitions_terms": ("用語", "Terms"),
    "definitions_rule_coverage": (
        "割合は、全数を記録した期間についてだけ出します。",
        "Rates come from complete records only.",
    ),
    "definitions_rule_coverage_text": (
        "選ばれた事例だけの記録や、収録の範囲が分からない期間では、件数だけを示します。",
        "Where a record is a selection, or nobody declared what it covers, there are counts and no rate.",
    ),
    "definitions_rule_few": ("10件未満では、割合を出しません。", "Below 10 cases there is no rate."),
    "definitions_rule_few_text": (
        "10件以上では、割合に95%信頼区間を添えます。",
        "From 10 on, a rate comes with its 95 % confidence interval.",
    ),
    "definitions_rule_zero": ("分母が0のときは、値がありません。", "Where the denominator is 0 there is no value."),
    "definitions_rule_zero_text": (
        "0と「分からない」は区別します。述べられていない回数や額は、0ではなく不明です。",
        "Zero and unknown are kept apart: a number or a sum that no source states is unknown, not 0.",
    ),
    "definitions_rule_dates": ("日付は、資料より細かくしません。", "No date is made more precise than its source."),
    "definitions_rule_dates_text": (
        (
            "「2003年」とだけ分かる日付は、2003年のどの日でもありえます。期間は最短・中央・最長の3つの日数で示し、"
            "日付に幅があるものや推定したものが占める割合を添えます。まったく日付の分からないものは除き、除いた件数を示します。"
        ),
        (
            "A date given as “2003” may be any day of 2003. Durations come as the shortest, the middle and the"
            " longest number of days, with the share of dates that are imprecise or inferred. What has no date at all"
            " is left out and counted as left out."
        ),
    ),
    "definitions_rule_years": (
        "二つの年度にまたがりうる日付は、どちらの年度でも「可能性」として数えます。",
        "What may belong to either of two fiscal years is counted as possible in both.",
    ),
    "definitions_rule_years_text": (
        "確かにその年度に属する件数とは分けて示すので、値がとりうる下限と上限が分かります。",
        "It stands apart from what certainly belongs there, so that the value’s bounds can be seen.",
    ),
    "definitions_rule_joint": ("共同の事業は、一度だけ数えます。", "A joint partnership is counted once."),
    "definitions_rule_joint_text": (
        "n市が共同で行う事業は、それぞれの市で1/nずつ数えます。件数が整数にならないことがあるのはこのためです。",
        "In each of its n cities it weighs 1/n, which is why some counts are no whole numbers.",
    ),
    "definitions_rule_excluded": ("除いたものの件数も示します。", "What is left out is counted too."),
    "definitions_rule_excluded_text": (
        "何を除くかは、指標ごとに書いてあります。",
        "Each metric says what that is.",
    ),
    "definitions_rule_then": ("過去のどの時点の記録でも計算できます。", "Each can be computed as of any earlier time."),
    "definitions_rule_then_text": (
        "その時点で分かっていたことだけから計算し直すので、発表した数字を後から確かめられます。",
        "It is computed from what was known then, so that a published number can be checked later.",
    ),
    "definitions_series_n": ("区分ごとの数え方({n}種)", "How each of the {n} codes is counted"),
    "definitions_numerator": ("分子", "Numerator"),
    "definitions_denominator": ("分母", "Denominator"),
    "definitions_unit": ("単位", "Unit"),
    "definitions_excluded": ("除くもの", "Left out"),
    "definitions_dates": ("日付に幅があるとき", "Where dates leave room"),
    "definitions_dates_cohort": (
        "年度にだけ関わります。二つの年度にまたがりうるものは、それぞれの年度で「可能性」として分けて数えます。",
        "Only the fiscal year depends on it: what may lie in two years is counted apart, as possible in each.",
    ),
    "definitions_dates_days": (
        "日数は最短・中央・最長で示します。曲線は中央の日数で描き、最短と最長で描いた場合の下限と上限を添えます。",
        (
            "Days come as the shortest, the middle and the longest. The curve is drawn by the middle, with the lowest"
            " and the highest that the shortest and the longest would give."
        ),
    ),
    "definitions_dates_renewals": (
        "時間は日数ではなく更新の回数なので、日付の幅は影響しません。推定した更新は、その割合に表れます。",
        (
            "Time is counted in renewals and not in days, so that imprecise dates change nothing. Inferred renewals"
            " show in their share."
        ),
    ),
    "definitions_dates_followed": (
        "期間内だったともそうでなかったともいえるものは除き、除いた件数に加えます。",
        "What may lie within the time or beyond it is left out, and counted as left out.",
    ),
    "definitions_dates_months": (
        "活動月数は、日付から考えられる最短と最長の中央をとります。",
        "Active months are the middle of the fewest and the most that the dates allow.",
    ),
    "definitions_covered": ("割合や平均を出す条件", "A value is given where"),
    "definitions_covered_proposals": (
        "その期間の提案が全数記録されていて、10件以上あること。",
        "the record holds all proposals of the period, and at least 10.",
    ),
    "definitions_covered_partnerships": (
        "その期間の事業が全数記録されていて、10件以上あること。",
        "the record holds all partnerships of the period, and at least 10.",
    ),
    "definitions_facts": ("もとになる記録", "Counted from"),
    "definitions_example": ("問い合わせの例(GraphQL)", "Example of a query (GraphQL)"),
    "definitions_ask": ("この例を問い合わせ画面で開く", "Open the example in the query page"),
    "definitions_answer": ("今の答えを見る(JSON)", "See the answer as of now (JSON)"),
}
"""What the page says beside the definitions themselves."""

GLOSSARY: tuple[tuple[str, str, str, str], ...] = (
    (
        "協働",
        "Partnership",
        "市民や団体と市が、対等な立場で役割を分担して公共の課題に取り組むこと。",
        "Citizens or their organisations and a city share the work on a public task as equals.",
    ),
    (
        "新規・再提案・継続",
        "New, resubmission, continuation",
        "新規は初めての提案、再提案は不採択の後に出し直した提案、継続はすでに行っている事業を次の年度に続けるための提案。",
        "A first proposal; one made again after a rejection; one that carries a running project into the next year.",
    ),
    (
        "採択・不採択",
        "Accepted, rejected",
        "提案を実施すると市が決めること、しないと決めること。条件を付けた採択も採択に数えます。",
        "The city’s decision on a proposal. Acceptance with conditions counts as acceptance.",
    ),
    (
        "答申",
        "Recommendation",
        "審査する委員会が、採択すべきかどうかを市に伝える意見。決めるのは市です。",
        "What the review panel advises. The city decides.",
    ),
    (
        "協定",
        "Agreement",
        "役割や費用、期間を当事者が書面で約束したもの。協定書、協働契約、包括連携協定など。",
        "What the parties put in writing: roles, costs, term.",
    ),
    (
        "試行・モデル事業",
        "Trial, model project",
        "期間や年度を限って試す段階。",
        "A stage in which the work is tried for a limited time, or year by year.",
    ),
    (
        "一般施策化",
        "Mainstreaming",
        "協働で始めた事業が、市の通常の施策になること。協働の一つの終わり方で、成績ではありません。",
        "What began as a partnership becomes a regular service of the city: one way to end, not a mark of success.",
    ),
    (
        "自立",
        "Independence",
        "市の支援なしに、団体が事業を続けること。",
        "The partners carry on without the city.",
    ),
    (
        "振り返り",
        "Mutual evaluation",
        "市民側と行政側がそれぞれ、結果と進め方を評価し、見せ合って話し合うこと。",
        "Both sides evaluate result and method, show each other, and talk about it.",
    ),
    (
        "年度",
        "Fiscal year",
        "4月から翌年3月まで。2016年度は2016年4月から2017年3月まで。",
        "April to March: FY2016 is April 2016 to March 2017.",
    ),
    (
        "D(決定された提案)",
        "D (decided proposals)",
        "採択または不採択と決まった新規の提案と再提案。継続、未決定、取下げの提案は含みません。",
        (
            "New proposals and resubmissions that were accepted or rejected; neither continuations nor what is"
            " undecided or withdrawn."
        ),
    ),
    (
        "全数・一部",
        "Complete, a selection",
        "その期間の事業や提案が、すべて記録されているか、選ばれた一部だけか。市が宣言します。",
        "Whether all partnerships or proposals of a period are recorded, or only some. Each record declares it.",
    ),
    (
        "95%信頼区間",
        "95 % confidence interval",
        "件数が少ないために値がどれだけ揺れうるかの幅。割合にはウィルソンの方法を使います。",
        "How far a value may be off because there are few cases; for shares by Wilson’s method.",
    ),
    (
        "累積発生率",
        "Cumulative incidence",
        (
            "始まりから数えて、ある時点までにそうなった割合。まだ途中の事業も、追えたところまで計算に入れます"
            "(アーレン・ヨハンセン法)。"
        ),
        (
            "The share to which it has happened by some time after the start; what is still going on counts as long"
            " as it could be followed (Aalen–Johansen)."
        ),
    ),
    (
        "競合事象",
        "Competing event",
        "先に起きると、調べている出来事がもう起きえなくなる別の終わり方。",
        "Another end, after which what is asked for can no longer happen.",
    ),
    (
        "打切り・左側切断",
        "Censoring, left truncation",
        "打切りは、まだ続いていてその先が分からないこと。左側切断は、記録が途中から始まり、それより前が分からないこと。",
        (
            "Censored: it still goes on, and what follows is unknown. Left-truncated: the record begins in the"
            " middle, and what came before is unknown."
        ),
    ),
)
"""Terms that the definitions use: in Japanese, in English, and what they mean."""
