"""The words of which invented histories are made. Places and people are called sample, example or imaginary."""

from __future__ import annotations

from typing import NamedTuple


class Theme(NamedTuple):
    """What a partnership is about: the code of its field, and its name in a title."""

    field: str
    ja: str
    en: str


class Named(NamedTuple):
    """A name in both languages."""

    ja: str
    en: str


THEMES = (
    Theme("CHILD_CARE", "子育てひろば", "Play groups"),
    Theme("CHILD_CARE", "親子の居場所づくり", "Places for parents and children"),
    Theme("YOUTH", "若者の居場所づくり", "Places for the young"),
    Theme("LEARNING_SUPPORT", "放課後の学習支援", "After-school learning"),
    Theme("CAREER_EDUCATION", "職場体験", "Work experience"),
    Theme("NEIGHBOURHOOD", "見守り活動", "Looking after neighbours"),
    Theme("NEIGHBOURHOOD", "買い物支援", "Help with shopping"),
    Theme("DISASTER", "避難所運営訓練", "Shelter drills"),
    Theme("DISASTER", "防災マップづくり", "Hazard mapping"),
    Theme("MULTICULTURAL", "多文化交流", "Exchange of cultures"),
    Theme("MULTICULTURAL", "やさしい日本語", "Plain Japanese"),
    Theme("CLEAN_UP", "花と緑の道", "Paths of flowers"),
    Theme("CLEAN_UP", "川の清掃", "River clean-up"),
    Theme("RECYCLING", "食器のリユース", "Reuse of tableware"),
    Theme("ANIMALS", "地域猫", "Community cats"),
    Theme("WILDLIFE", "里山の獣害対策", "Wildlife in the hills"),
    Theme("CULTURE", "民話の記録", "Recording folk tales"),
    Theme("CULTURE", "まちかど音楽会", "Street concerts"),
    Theme("TOWN_PLANNING", "空き家の活用", "Use of empty houses"),
    Theme("TOWN_PLANNING", "歩きたくなる道", "Streets to walk in"),
    Theme("COMMUNITY_EXCHANGE", "多世代の食堂", "A canteen for all ages"),
    Theme("COMMUNITY_FACILITY", "集会所の運営", "Running the meeting house"),
    Theme("CONSUMER", "消費生活講座", "Lessons for consumers"),
    Theme("SDGS", "食品ロスを減らす", "Less food waste"),
)
SUFFIXES = ("事業", "推進事業", "プロジェクト", "モデル事業", "ネットワーク事業", "支援事業")

DISTRICTS = (
    Named("仮町", "Karimachi"),
    Named("見本台", "Mihondai"),
    Named("例示坂", "Reijizaka"),
    Named("架空川", "Kakugawa"),
    Named("想定ヶ丘", "Soteigaoka"),
    Named("試作橋", "Shisakubashi"),
    Named("作例野", "Sakureino"),
    Named("雛形通り", "Hinagata-dori"),
    Named("生成台", "Seiseidai"),
    Named("乱数野", "Ransuno"),
    Named("標本浜", "Hyohonhama"),
    Named("仮説谷", "Kasetsudani"),
)

GROUPS = {
    "NPO": ("NPO法人{place}{word}ネット", "NPO法人{place}{word}の会"),
    "CITIZEN_GROUP": ("{place}{word}の会", "{place}{word}を考える会", "{place}{word}サークル"),
    "NEIGHBOURHOOD_ASSOCIATION": ("{place}第{n}町内会", "{place}自治会連合"),
    "COMPANY": ("株式会社{place}{word}", "{place}{word}商事株式会社"),
    "UNIVERSITY": ("{place}架空大学",),
    "SCHOOL": ("{place}第{n}小学校", "{place}第{n}中学校"),
    "SOCIAL_WELFARE_COUNCIL": ("{place}社会福祉協議会",),
    "COMMUNITY_HALL": ("{place}公民館",),
    "NETWORK": ("{place}{word}ネットワーク",),
    "COUNCIL": ("{place}{word}協議会",),
    "EXECUTIVE_COMMITTEE": ("{place}{word}実行委員会",),
    "VOLUNTEERS": ("{place}{word}ボランティア",),
    "INDIVIDUAL": ("{family} {given}",),
    "SOLE_PROPRIETOR": ("{family}{word}工房",),
}
KINDS = (
    *("NPO",) * 30,
    *("CITIZEN_GROUP",) * 26,
    *("NEIGHBOURHOOD_ASSOCIATION",) * 10,
    *("COMPANY",) * 8,
    *("VOLUNTEERS",) * 5,
    *("UNIVERSITY",) * 3,
    *("SCHOOL", "SOCIAL_WELFARE_COUNCIL", "COMMUNITY_HALL", "NETWORK", "COUNCIL", "EXECUTIVE_COMMITTEE") * 2,
    *("INDIVIDUAL", "SOLE_PROPRIETOR"),
)
GROUP_WORDS = (
    "子育て",
    "みどり",
    "ふれあい",
    "まなび",
    "みらい",
    "あおぞら",
    "ひだまり",
    "かけはし",
    "つどい",
    "ささえあい",
)
FAMILY_NAMES = ("見本", "例示", "架空", "仮名", "想定", "試作")
GIVEN_NAMES = ("太郎", "花子", "一郎", "次郎", "三郎", "一子")
DEPARTMENTS = (
    Named("市民協働課", "Partnership Section"),
    Named("子育て支援課", "Child Care Section"),
    Named("福祉総務課", "Welfare Section"),
    Named("環境課", "Environment Section"),
    Named("危機管理課", "Crisis Management Section"),
    Named("生涯学習課", "Lifelong Learning Section"),
    Named("都市計画課", "Town Planning Section"),
    Named("産業振興課", "Industry Section"),
)

OBJECTIVES = (
    "{theme}を通じて、{place}の住民が互いに支え合う関係をつくる",
    "{place}で{theme}に取り組み、担い手を増やす",
    "{theme}の場を週に一度開き、孤立を防ぐ",
    "行政だけでは届かない世帯に、{theme}で寄り添う",
    "{theme}の経験を記録し、ほかの地区でも使えるようにする",
)
REFINED = (
    "対象を{place}の全世帯とし、一年目は{theme}の試みに絞る",
    "{theme}の目標を、参加者の数でなく続いている関係で測る",
    "市は場所と広報、団体は{theme}の運営を担うと整理した",
)
TOPICS = ("{theme}を始めたいが、場所がない", "{place}で{theme}に関心のある団体を知りたい", "{theme}の費用の相談")
SUMMARIES = (
    "{theme}の進め方を話し合い、役割の案を次回までにまとめることにした",
    "{place}の現地を見て、{theme}の日程を決めた",
    "予算と保険について確認した",
    "参加者の声を分かち合い、{theme}の見直しを始めた",
    "広報の分担を決めた",
)
NOTES = ("担当者の連絡先を交換した", "会場の鍵の受け渡しは事務局が行う", "次回は団体の事務所で開く")
EXPLANATIONS = {
    "OBJECTIVES_UNCLEAR": "何を目指すのかが提案から読み取れなかった",
    "NO_PUBLIC_BENEFIT": "受益が会員に限られている",
    "NO_SYNERGY": "協働で行うことによる効果が示されていない",
    "ROLES_UNCLEAR": "市と団体の役割の分担が示されていない",
    "INFEASIBLE": "日程と体制から、年度内の実施は難しいと判断した",
    "BUDGET_UNSOUND": "人件費の積算の根拠が示されていない",
    "CAPACITY": "実施する人員が足りない",
    "OTHER_SUBSIDY": "同じ経費に別の補助を受けている",
    "BELOW_THRESHOLD": "審査の基準点に届かなかった",
    "FUNDS_EXHAUSTED": "予算の範囲に収まらなかった",
    "NO_DEPARTMENT_CONSENT": "担当課との事前の協議が調っていない",
}
ADVICE = ("担当課と事前に話し合ってください", "対象と回数を絞って再び提案してください", "収支の見積りを添えてください")
DUTIES_OF_GROUP = ("{theme}の企画と運営", "ボランティアの募集", "参加者への連絡", "活動の記録")
DUTIES_OF_CITY = ("会場の提供", "広報紙での周知", "関係課との調整", "経費の負担")
ACTIVITIES = ("{theme}を{place}で開いた", "{theme}の講座を開いた", "{theme}の担い手の研修を行った")
OUTCOMES = (
    "{theme}に続けて参加する世帯が増えた",
    "{place}で新しい担い手が生まれた",
    "目標には届かなかったが、{theme}の課題が明らかになった",
    "ほかの地区からも{theme}の相談が寄せられた",
)
RESULTS = ("目標をおおむね達成した", "参加者が見込みを下回った", "満足度が高かった", "費用に見合う成果があった")
METHODS = (
    "話し合いの回数が十分だった",
    "役割の分担が途中で曖昧になった",
    "情報の共有が早かった",
    "担当者の異動で引継ぎに時間を要した",
)
NEXT_ACTIONS = ("月に一度の打合せを設ける", "役割の表を年度ごとに見直す", "周知の方法を改める")
FINDINGS = ("{place}では{theme}を望む世帯が多い", "{theme}の担い手は高齢化している", "既にある活動とつなぐ余地がある")
CONDITIONS = ("収支の予算書を改めて提出すること", "担当課と実施の日程を定めること", "保険に加入すること")
LACKING = ("活動の場所", "車両", "専門の知識", "若い担い手")
GROUNDS = ("担い手の不足により続けることが困難になった", "事業の方針が変わった", "経費の見通しが立たなくなった")
CAUSES = ("会場の改修", "感染症の拡大", "災害への対応")
STATEMENTS = ("{theme}の効果は数だけでは表せない", "記録の日付は団体の控えと一致する", "市の支援に感謝する")
MISTAKES = ("人数の転記の誤り", "単位の取り違え", "名簿との突合せで分かった誤り")
MEETING_FOUND = "団体の控えから分かった打合せ"
