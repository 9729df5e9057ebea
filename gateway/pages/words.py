"""What the pages themselves say, in Japanese and English."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from domain.vocabulary import Status
from gateway.pages.terms import DEFINITIONS

if TYPE_CHECKING:
    from gateway.pages.labels import Language

WORDS: dict[str, tuple[str, str]] = {
    **DEFINITIONS,
    "product": ("協働台帳", "Kyōdō Ledger"),
    "product_line": ("市民と市の協働の記録", "The record of partnerships between citizens and their city"),
    "skip": ("本文へ移動", "Skip to the content"),
    "switch": ("English", "日本語"),
    "switch_lang": ("en", "ja"),
    "main_navigation": ("主なページ", "Main pages"),
    "breadcrumb": ("現在の位置", "You are here"),
    "nav_cities": ("市の一覧", "Cities"),
    "nav_data": ("データ (GraphQL)", "Data (GraphQL)"),
    "comma": ("、", ", "),
    "colon": (":", ": "),
    "yes": ("はい", "Yes"),
    "no": ("いいえ", "No"),
    "party": ("団体", "Party"),
    "not_public": ("非公開", "not public"),
    "not_public_help": (
        "「非公開」は、公開の対象でない内容か、公開を取りやめた内容です。",
        "“Not public” stands for what is closed or has been withdrawn from publication.",
    ),
    "name_not_public": ("{kind}{n}(氏名・名称は非公開)", "{kind} {n} (name not public)"),
    "needs_first": ("{step}の前に{needed}", "{needed} before {step}"),
    "form_as": ("{local}({common})", "{local} ({common})"),
    "people": ("{n}人", "{n} people"),
    "bodies": ("{n}団体 ", "{n} bodies, "),
    "cases": ("{n}件", "{n}"),
    "compiled_title": ("この記録について", "About this record"),
    "compiled": (
        "公表された資料から編集した記録です。市が自ら作成した記録ではありません。",
        "This record was compiled from publications. It is not the city’s own record.",
    ),
    "compiled_all": (
        "ここに載っている市の記録は、公表された資料から編集したものです。市が自ら作成した記録ではありません。",
        "The records shown here were compiled from publications. They are not the cities’ own records.",
    ),
    "recorded_as": (
        "資料に書かれていない日付・数・名前は補っていません。資料から導いたことには「推定」と示し、根拠を添えています。",
        "What the sources do not state is left open. What was derived from them is marked “inferred”, with grounds.",
    ),
    "home_title": ("市民と市の協働の記録", "Partnerships between citizens and their city"),
    "home_lead": (
        "市民や団体と市が力を合わせる「協働」が、どう始まり、話し合われ、決まり、続き、終わったのかを、出来事ごとに記録しています。",
        "How citizens and their city came to work together, what they decided, how it went on and how it ended.",
    ),
    "home_how": (
        "一度記録した出来事は書き換えません。誤りは、訂正の記録を加えて直します。",
        "What has been recorded is never rewritten. A mistake is put right by recording the correction.",
    ),
    "home_cities": ("市から探す", "Find a city"),
    "home_city_counts": ("協働の件数と現在の状況", "Partnerships and where they stand"),
    "home_not_a_score": (
        "件数は、この台帳に収録した事例の数です。市どうしの優劣や、協働の成果を示すものではありません。",
        "The numbers count what is recorded here. They rank no city and measure no success.",
    ),
    "home_no_cities": ("まだ市が登録されていません。", "No city is registered yet."),
    "home_data_title": ("データとして使う", "Use the data"),
    "home_data": (
        "すべての公開データは、GraphQL で自由に検索・取得できます。",
        "All public data can be searched and fetched with GraphQL.",
    ),
    "home_data_link": ("GraphQL を開く", "Open GraphQL"),
    "municipal_code": ("全国地方公共団体コード", "Municipal code"),
    "partnerships": ("協働の事例", "Partnerships"),
    "partnerships_n": ("{n}件", "{n}"),
    "programmes": ("市の制度", "Programmes"),
    "programmes_lead": (
        "協働の進め方を定めた条例・指針・補助などです。",
        "The ordinances, guidelines and grants that say how collaboration works here.",
    ),
    "coverage": ("収録の範囲", "Coverage"),
    "coverage_none": ("収録の範囲は示されていません。", "No statement of coverage."),
    "coverage_partial": (
        "全数ではないため、割合や採択率は計算していません。",
        "It is not complete, so no rates are computed from it.",
    ),
    "sources": ("出典", "Sources"),
    "source": ("出典", "Source"),
    "source_n": ("資料{n}", "Source {n}"),
    "filter": ("絞り込み", "Filter"),
    "filter_text": ("ことば", "Words"),
    "filter_text_hint": ("名称・目的・場所・団体名から探します", "in titles, aims, places and names of parties"),
    "filter_status": ("現在の状況", "Where it stands"),
    "filter_form": ("協働の形態", "Form"),
    "filter_any": ("すべて", "Any"),
    "filter_go": ("探す", "Search"),
    "filter_clear": ("条件を消す", "Clear"),
    "found_n": ("{n}件が見つかりました", "{n} found"),
    "found_none_title": ("条件に合う事例はありません", "Nothing matches"),
    "found_none": (
        "ことばを短くするか、条件を減らしてお試しください。",
        "Try a shorter word or fewer conditions.",
    ),
    "city_empty": ("この市の事例は、まだ記録されていません。", "No partnership of this city is recorded yet."),
    "next_page": ("続きを見る", "Next page"),
    "translated": ("仮訳", "our translation"),
    "translated_help": (
        "資料に正式な名称がないため、内容を訳したものです",
        "A plain translation; the source gives no official name in this language",
    ),
    "status_now": ("現在の状況", "Where it stands"),
    "facts": ("概要", "In brief"),
    "title": ("名称", "Title"),
    "case_number": ("事例番号", "Case number"),
    "programme": ("制度", "Programme"),
    "kind": ("事業の種類", "Kind of project"),
    "field": ("分野", "Field"),
    "origin": ("始まり", "How it came about"),
    "city_role": ("市の役割", "The city’s role"),
    "lead_area": ("主導する側(領域)", "Who leads"),
    "place": ("場所", "Place"),
    "objective": ("目的", "Objective"),
    "forms": ("協働の形態", "Forms"),
    "joint": ("共同の市", "Joint"),
    "joined": ("ほかの市が記録する共同の事例", "Joint partnerships that another city records"),
    "joined_lead": (
        "この市が参加を確認した共同の事例です。件数は記録する市で一度だけ数えます。",
        "Joint partnerships in which this city confirmed its part. Each is counted once, where it is recorded.",
    ),
    "home_joining": ("共同の事例に参加する市", "Cities that join a partnership recorded elsewhere"),
    "joined_n": ("ほかの市が記録する共同の事例 {n}件", "Takes part in {n} recorded by another city"),
    "joined_until": ("{when}まで", "until {when}"),
    "confirmed": ("共に参加する市", "Cities that take part"),
    "confirmed_lead": (
        "参加はそれぞれの市の記録にもあります。この事例は全体で一度だけ数えます。",
        "The record of each city names its part too. This partnership is counted once overall.",
    ),
    "joint_text": ("複数の市による事業", "Several cities take part"),
    "agreed": ("最近の協定", "Last agreement"),
    "ended": ("終わり", "Ended"),
    "counts": ("提案と更新", "Proposals and renewals"),
    "count_submissions": ("提案{n}回", "{n} proposals"),
    "count_rejections": ("うち不採択{n}回", "{n} rejected"),
    "count_renewals": ("更新{n}回", "{n} renewals"),
    "parties": ("参加している人・団体", "Who takes part"),
    "party_count": ("{n}団体・人", "{n} bodies or people"),
    "party_members": ("構成員", "Members"),
    "anomalies": ("手続きについての注記", "Notes on procedure"),
    "anomalies_lead": (
        "資料から入力した出来事のうち、制度や手続の決まりと合わないものです。実際に起きたこととして、そのまま記録しています。",
        "Events from publications that do not fit the rules of procedure: recorded because they happened.",
    ),
    "anomaly": ("決まりとの相違", "Breaks a rule"),
    "timeline": ("これまでの経過", "What happened"),
    "timeline_lead": (
        "起きた順に並べています。時期が資料に書かれていない出来事も含みます。",
        "In the order in which it happened, including what the sources do not date.",
    ),
    "programme_timeline": ("制度の経過", "What happened"),
    "programme_timeline_lead": (
        "制定・改定、規程、推進施策などの記録です。日付の古い順に並べ、時期不明のものは最後に置いています。",
        "Definition and revisions, instruments, measures and statements; the oldest first, the undated last.",
    ),
    "wording": ("資料の表記", "In the source’s words"),
    "badge_inferred": ("推定", "inferred"),
    "badge_not_stated": ("時期の記載なし", "date not stated"),
    "badge_bounded": ("資料の日付からの範囲", "bounded by the source"),
    "inferred_from": ("推定の根拠", "Inferred from"),
    "inferred_note": ("推定による項目", "inferred"),
    "corrected": ("訂正後の内容です", "Shown as corrected"),
    "corrected_by": ("訂正の記録: No. {n}", "corrected by no. {n}"),
    "as_registered": ("登録の内容", "What was registered"),
    "record": ("記録の情報", "About this entry"),
    "record_mode": ("入力の方法", "Entered"),
    "record_position": ("台帳での番号", "Position in the log"),
    "record_at": ("記録した日時", "Recorded"),
    "record_proof": ("改ざんがないことの証明", "Proof that it is unchanged"),
    "record_proof_link": ("証明ファイル (tlog-proof)", "Proof file (tlog-proof)"),
    "nav_log": ("記録の検証", "Check the record"),
    "log_title": ("記録を自分で確かめる", "Check the record yourself"),
    "log_lead": (
        "記録した出来事を市ごとに一続きに積み重ね、署名した「チェックポイント」を公開しています。一か所でも書き換えると、値が合わなくなります。",
        "Each city has one log, whose size and root hash are signed and published: a later change makes the sums fail.",
    ),
    "log_seconds": (
        "新しい記録は、{n}秒以内に署名したチェックポイントに入ります。",
        "What is recorded is covered by a signed checkpoint within {n} seconds.",
    ),
    "log_witnessed": (
        "外部の立会人(ウィットネス)が、この台帳の巻き戻しや二重帳簿がないことを見張っています。",
        "Outside witnesses watch that these logs never go back and that everybody is shown the same one.",
    ),
    "log_no_witness": (
        "外部の立会人(ウィットネス)は、まだいません。相手ごとに別の台帳を見せていないか、控えと比べてください。",
        "There is no outside witness yet: compare with a checkpoint that you or others kept.",
    ),
    "log_honest": (
        "確かめられるのは「記録されたあと変わっていない」ことです。書かれた内容が正しいことの証明ではありません。",
        "What is proved is that the record has not changed since it was made, not that what it says is true.",
    ),
    "log_names": (
        "台帳そのものには、氏名や文章は入っていません。入っているのはそのハッシュ値だけなので、公開を取りやめても証明は壊れません。",
        "No name and no text stands in a log, only digests of them: what is withdrawn or erased breaks no proof.",
    ),
    "log_how": ("確かめ方", "How to check"),
    "log_how_1": (
        "確認用のプログラムを保存します(Python 3.11 以降。ほかに何も要りません)。",
        "Save the verifier (it needs Python 3.11 or newer and nothing else).",
    ),
    "log_how_2": (
        "次のように動かします。控えを残しておくと、次に確かめるとき、その間の書き換えも分かります。",
        "Run it like this. What it keeps lets the next run see changes made in between.",
    ),
    "log_logs": ("公開している台帳", "The logs"),
    "log_root": ("全市のチェックポイントの台帳", "The log of all cities’ checkpoints"),
    "log_size": ("記録の数", "Entries"),
    "log_size_root": ("チェックポイントの数", "Checkpoints"),
    "log_hash": ("ルートハッシュ", "Root hash"),
    "log_key": ("署名の公開鍵", "Verifier key"),
    "log_signed": ("最後に署名した日時", "Last signed"),
    "log_checkpoint": ("チェックポイント", "Checkpoint"),
    "log_cosigned": ("立会人の署名あり", "cosigned by witnesses"),
    "log_not_cosigned": ("立会人の署名なし", "not cosigned"),
    "log_not_sound": ("署名が合いません", "the signature does not fit"),
    "log_none": ("まだ署名したチェックポイントがありません。", "No checkpoint has been signed yet."),
    "record_programme": ("適用した制度", "Judged by"),
    "record_version": ("第{n}版", "version {n}"),
    "mode_LIVE": ("通常入力", "as it happened"),
    "mode_RETROACTIVE": ("遡及入力", "later, by staff"),
    "mode_IMPORT": ("移行入力", "imported from an earlier record"),
    "japan_time": ("{year}年{month}月{day}日 {time}(日本時間)", "{day} {month_name} {year}, {time} (Japan time)"),
    "rules": ("制度の内容", "The rules"),
    "rules_version": ("第{n}版({when})", "Version {n} ({when})"),
    "rules_of_version": ("この版の内容", "The rules of this version"),
    "rules_none": ("資料に内容の記載はありません。", "The source does not state them."),
    "rules_left_out": (
        "資料に書かれていない項目は載せていません。",
        "What the source does not state is left out.",
    ),
    "rules_inferred": ("推定による項目", "Inferred rules"),
    "standing_reference": (
        "参考として載せている制度で、この市の制度ではありません。",
        "Shown for reference: not a programme of this city.",
    ),
    "published_by": ("発行者", "Publisher"),
    "language": ("言語", "Language"),
    "date": ("日付", "Date"),
    "about": ("内容", "What it is"),
    "not_named": ("記載なし", "not named"),
    "other_cases": ("この市のほかの事例", "Other partnerships of this city"),
    "footer": (
        "この台帳が示すのは、記録してから書き換えられていないことです。内容の正しさを保証するものではありません。",
        "A record that is unchanged since it was entered is not thereby proved true.",
    ),
    "error_title": ("ページを表示できません", "This page cannot be shown"),
    "error_home": ("市の一覧へ戻る", "Back to the cities"),
    "error_400": ("検索の条件が正しくありません。", "The conditions of the search are not valid."),
    "error_404": ("お探しのページは見つかりませんでした。", "There is no such page."),
    "error_405": ("この操作はできません。", "This is not possible here."),
    "error_500": (
        "申し訳ありません。処理の途中で問題が起きました。",
        "Sorry, something went wrong here.",
    ),
    "error_503": (
        "ただいま混み合っているか、点検中です。少し待ってから、もう一度お試しください。",
        "The service is busy or under maintenance. Please try again in a moment.",
    ),
}

COUNTED: dict[str, tuple[str, str]] = {
    "members_count": ("{n}", "{n}"),
    "people": ("{n}人", "{n} people"),
    "stated_total": ("{n}人", "{n} people"),
    "discussion_groups_of": ("{n}人", "{n} people"),
    "meetings": ("{n}回", "{n}"),
    "lectures": ("{n}回", "{n}"),
    "times": ("{n}回", "{n}"),
    "shown": ("{n}件", "{n}"),
    "total": ("{n}件", "{n}"),
    "proposals": ("{n}件", "{n}"),
    "rejected": ("{n}件", "{n}"),
    "entered": ("{n}件", "{n}"),
    "panel": ("{n}人", "{n}"),
    "submission": ("第{n}回", "no. {n}"),
    "answers_rejection_of": ("第{n}回の提案", "no. {n}"),
    "session": ("第{n}回", "no. {n}"),
    "n": ("{n}年目", "year {n}"),
    "no": ("{n}", "{n}"),
    "target": ("{n}番目の記録", "entry {n} of this record"),
    "years_seen": ("{n}年", "{n}"),
    "maximum": ("{n}年", "{n}"),
    "version": ("第{n}版", "version {n}"),
}
"""How a count is said, by field; others are numbers alone."""

MEANINGS: dict[Status, tuple[str, str]] = {
    Status.REGISTERED: (
        "台帳に登録されています。その後の手続は記録されていません。",
        "Entered in the register; no later step of procedure is recorded.",
    ),
    Status.CONSULTING: ("相談の段階です。", "At the stage of consultation."),
    Status.DELIBERATING: ("関係者が集まって話し合う段階です。", "Those concerned are discussing it."),
    Status.SURVEYING: ("何が必要とされているかを調べています。", "Needs are being surveyed."),
    Status.PROPOSED: ("提案が出され、決定を待っています。", "A proposal awaits a decision."),
    Status.UNDER_REVIEW: ("提案を審査しています。", "A proposal is under review."),
    Status.ACCEPTED: ("実施が認められました。", "It has been accepted."),
    Status.REJECTED: (
        "提案は採択されませんでした。再び提案することもできます。",
        "The proposal was rejected; it may be proposed again.",
    ),
    Status.WITHDRAWN: ("提案者が提案を取り下げました。", "The proposer withdrew."),
    Status.DECLINED: ("採択の後に、提案者が辞退しました。", "The proposer declined after acceptance."),
    Status.REVOKED: ("採択が取り消されました。", "The acceptance was revoked."),
    Status.TRIAL: ("期間を限って試しています。", "It is being tried for a limited time."),
    Status.MODEL_YEAR: ("モデル事業として、年度を限って行っています。", "It runs as a model project, year by year."),
    Status.AGREED: ("役割などを定めた協定や契約が結ばれています。", "An agreement or contract is in force."),
    Status.ACTIVE: ("活動が行われています。", "It is being carried out."),
    Status.SUSPENDED: ("活動を休んでいます。", "It is suspended for now."),
    Status.COMPLETED: ("予定した活動を終えました。", "What was agreed has been done."),
    Status.LAPSED: ("期間が過ぎ、協定の効力がなくなりました。", "The agreement ran out."),
    Status.TERMINATED: ("協定が途中で解除されました。", "The agreement was ended early."),
    Status.INDEPENDENT: ("市の支援なしに、団体が続けています。", "The partners carry on without the city."),
    Status.MAINSTREAMED: (
        "市の通常の施策として続いています。協働の一つの終わり方で、成績や評価ではありません。",
        "It goes on as a regular service of the city. This is one way for a partnership to end, not a mark of success.",
    ),
    Status.CLOSED: (
        "市との協働には進まずに、相談や協議を終えました。",
        "The consultation ended without becoming a partnership.",
    ),
}


def say(key: str, language: Language, **values: Any) -> str:
    """A wording with its blanks filled."""
    return WORDS[key][0 if language == "ja" else 1].format(**values)


def counted(field: str, number: int, language: Language) -> str:
    """A number as the field counts it."""
    wording = COUNTED.get(field)
    if wording is None:
        return f"{number:,}"
    return wording[0 if language == "ja" else 1].format(n=f"{number:,}")


def meaning(status: str, language: Language) -> str:
    """What a status means, in one plain sentence."""
    return MEANINGS[Status(status)][0 if language == "ja" else 1]
