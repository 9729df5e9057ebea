"""The public pages, as a reader sees them, over the five cities."""

from __future__ import annotations

import html
import re

import httpx
import pytest
from pydantic import BaseModel

from domain.commands import COMMANDS
from domain.errors import SubmissionNotPending
from domain.fields import Kind, fields
from domain.vocabulary import Status
from gateway.pages.labels import field_label
from gateway.pages.readable import Reader, duration
from gateway.pages.words import MEANINGS
from gateway.refusals import explained

DIGEST = re.compile(r"(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])")
HTML = {"accept": "text/html"}


def text_of(page: str) -> str:
    """What a page says, without its markup."""
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", page)))


def events_of(page: str) -> list[str]:
    """What each event of a page's timeline says."""
    return [text_of(each) for each in re.findall(r'<li class="event.*?</article>', page, flags=re.DOTALL)]


def test_every_page_opens_and_says_that_the_record_is_not_the_city_s_own(pages) -> None:
    assert len(pages) == 2 * (1 + 5 + 21 + 9)
    for (path, language), page in pages.items():
        notice = "市が自ら作成した記録ではありません" if language == "ja" else "not the cit"
        assert f'<html lang="{language}">' in page, path
        assert notice in text_of(page), path
        assert page.count("<h1>") == 1, path
        assert '<a class="skip" href="#content">' in page, path


def test_no_page_shows_a_digest_or_a_code_without_a_label(pages, digests) -> None:
    assert len(digests) > 200
    for place, page in pages.items():
        assert not DIGEST.search(page), place
        assert not [digest for digest in digests if digest in page], place
        assert 'class="unlabelled"' not in page, place


def test_no_japanese_page_shows_a_bare_code(pages) -> None:
    for (path, language), page in pages.items():
        codes = set(re.findall(r"(?<![A-Za-z])[A-Z]{2,}(?:_[A-Z0-9]+)+(?![A-Za-z])", text_of(page)))
        assert language == "en" or not codes, path


def test_every_field_of_every_event_has_labels() -> None:
    seen: set[type[BaseModel]] = set()

    def check(model: type[BaseModel]) -> None:
        if model in seen:
            return
        seen.add(model)
        for field in fields(model):
            for language in ("ja", "en"):
                assert field_label(model.__name__, field.name, language)
            if field.kind is Kind.PART and field.part is not None:
                check(field.part)

    for command in COMMANDS:
        check(command.event)
    assert len(seen) > len(COMMANDS)


def test_a_code_without_a_label_is_marked_so_that_a_test_can_find_it() -> None:
    assert Reader("ja").code("field", "BEEKEEPING").unlabelled
    assert not Reader("ja").code("field", "ANIMALS").unlabelled


def test_every_status_is_explained() -> None:
    assert set(MEANINGS) == set(Status)


def test_child_care_advisers_show_two_rejections_with_their_reason_and_the_agreement_of_2005(client) -> None:
    page = client.get("/cities/yamato/partnerships/Y3", params={"lang": "ja"}).text
    events = events_of(page)
    rejected = [said for said in events if "不採択 " in said and "公開された説明" in said]
    assert len(rejected) == 2
    assert "2003年" in rejected[0]
    assert "2004年" in rejected[1]
    for said in rejected:
        assert "理由 目的が不明確" in said
        assert "推定の根拠" in said
        assert "移行入力" in said
    agreed = [said for said in events if "協定締結" in said]
    assert len(agreed) == 1
    assert "2005年" in agreed[0]
    assert page.count("tone-bad") == 2


def test_an_anomaly_is_explained_where_it_happened_and_at_the_head(client) -> None:
    for language in ("ja", "en"):
        said = text_of(client.get("/cities/yamato/partnerships/Y3", params={"lang": language}).text)
        assert said.count(explained("SubmissionNotPending", language)) == 2
    assert explained("SubmissionNotPending", "en") == "No submission awaits this decision."
    assert explained("OutOfOrder", "ja", event="採択", valid="2005年").startswith(
        "採択(2005年)は …(…)より前の日付です。"
    )
    assert explained("NoSuchRule", "en") == "NoSuchRule"
    assert SubmissionNotPending.__doc__


def test_child_care_ends_mainstreamed_with_two_renewals_shown_as_inferred(client) -> None:
    page = client.get("/cities/yamato/partnerships/Y1", params={"lang": "ja"}).text
    events = events_of(page)
    renewals = [said for said in events if "何回目の更新" in said]
    assert len(renewals) == 2
    for said in renewals:
        assert "推定" in said
        assert "推定の根拠" in said
    assert "一般施策化" in events[-1] or any("一般施策化" in said for said in events)
    said = text_of(page)
    assert "成績や評価ではありません" in said
    assert "更新2回" in said


def test_names_of_individuals_stand_on_no_page(pages, individuals) -> None:
    assert len(individuals) >= 4
    for place, page in pages.items():
        # The project itself is called after the initial by which its source speaks of the person.
        said = text_of(page).replace("H氏プロジェクト", "").replace("H's project", "")
        for name in individuals:
            assert len(name) == 1 or name not in said, (place, name)


def test_what_is_closed_reads_as_not_public(client) -> None:
    page = client.get("/cities/yokohama/partnerships/K4", params={"lang": "ja"}).text
    assert "会議の記録" in text_of(page)
    assert '<span class="withheld">非公開</span>' in page
    assert "個人1(氏名・名称は非公開)" in text_of(page)
    english = text_of(client.get("/cities/yokohama/partnerships/K4", params={"lang": "en"}).text)
    assert "Individual 1 (name not public)" in english


def test_the_source_s_own_wording_and_the_date_in_words_stand_together(client) -> None:
    events = events_of(client.get("/cities/okayama/partnerships/O5", params={"lang": "ja"}).text)
    mainstreamed = next(said for said in events if "一般施策化" in said and "2020年度中" in said)
    assert "資料の表記:令和2年度" in mainstreamed
    assert "台帳での番号 No. " in mainstreamed
    assert "日本時間" in mainstreamed


def test_titles_that_are_plain_translations_are_marked_in_that_language_only(client) -> None:
    for path, language, marked in (
        ("/cities/yamato/partnerships/Y3", "ja", True),
        ("/cities/yamato/partnerships/Y3", "en", False),
        ("/cities/higashikurume/partnerships/H2", "en", True),
        ("/cities/higashikurume/partnerships/H2", "ja", False),
    ):
        page = client.get(path, params={"lang": language}).text
        assert ('class="translated"' in page) is marked, (path, language)


def test_a_programme_shows_its_rules_in_words_and_its_own_timeline(client) -> None:
    said = text_of(client.get("/cities/higashikurume/programmes/guideline", params={"lang": "ja"}).text)
    for expected in (
        "第2版(2017年10月)",
        "共催・後援(共催、後援)",
        "1. 市民意識の啓発(啓発)",
        "時限性",
        "制度改定",
        "2007年4月",
    ):
        assert expected in said
    assert said.index("2007年4月") < said.rindex("2017年10月以後")


def test_derived_rules_are_marked_and_say_what_from(client) -> None:
    page = client.get("/cities/yamato/programmes/citizen-partnership", params={"lang": "ja"}).text
    said = text_of(page)
    assert "市からの要請による実施 推定 はい" in said
    assert "事例Y1だけから読み取った" in said
    assert 'lang="en"' in page


def test_a_reference_programme_says_that_it_is_not_the_city_s(client) -> None:
    said = text_of(client.get("/cities/yokohama/programmes/five-principles", params={"lang": "ja"}).text)
    assert "この市の制度ではありません" in said


def test_the_home_page_counts_all_partnerships_by_status(client) -> None:
    page = client.get("/", params={"lang": "ja"}).text
    counts = [int(found) for found in re.findall(r'<span class="count">(\d+)</span>', page)]
    assert sum(counts) == 21
    assert "市どうしの優劣や、協働の成果を示すものではありません" in page


def test_coverage_is_stated_and_no_rate_is_shown_for_a_selection(client) -> None:
    said = text_of(client.get("/cities/okayama", params={"lang": "ja"}).text)
    assert "一部の事例" in said
    assert "割合や採択率は計算していません" in said


def numbers_on(page: str) -> list[str]:
    return re.findall(r'<span class="item-number">([^<]+)</span>', page)


@pytest.mark.parametrize(
    ("city", "query", "expected"),
    [
        ("okayama", {}, ["O1", "O2", "O3", "O4", "O5"]),
        ("okayama", {"status": "MODEL_YEAR"}, ["O3", "O4"]),
        ("okayama", {"text": "地域猫"}, ["O5"]),
        ("okayama", {"text": "公園 エリア"}, ["O3"]),
        ("okayama", {"text": "公園 猫の国"}, []),
        ("yokohama", {"form": "SUBSIDY"}, ["K2"]),
        ("yokohama", {"text": "sdgs"}, ["K3"]),
        ("yokohama", {"text": "SDGs"}, ["K3"]),
        ("okayama", {"after": "O3"}, ["O4", "O5"]),
        ("okayama", {"status": "", "form": "", "text": ""}, ["O1", "O2", "O3", "O4", "O5"]),
    ],
)
def test_a_city_s_list_is_filtered_by_status_form_and_words(client, city, query, expected) -> None:
    page = client.get(f"/cities/{city}", params={"lang": "ja", **query})
    assert page.status_code == 200
    assert numbers_on(page.text) == expected
    assert ("条件に合う事例はありません" in page.text) is (not expected)


def test_what_was_searched_for_stands_escaped_in_the_form(client) -> None:
    page = client.get("/cities/okayama", params={"text": '"><script>alert(1)</script>', "lang": "en"}).text
    assert "<script" not in page
    assert "&lt;script&gt;" in page


@pytest.mark.parametrize("text", ["\x00", "%", "_", "\\", "'", " ", "あ" * 5000, "a\x00b"])
def test_no_search_text_breaks_the_page(client, text) -> None:
    assert client.get("/cities/okayama", params={"text": text}).status_code == 200
    assert client.get("/cities/okayama", params={"after": text}).status_code == 200


def test_an_unknown_condition_is_a_clear_error_and_not_an_unfiltered_list(client) -> None:
    answer = client.get("/cities/okayama", params={"status": "SLEEPING"})
    assert answer.status_code == 400
    assert "SLEEPING" in answer.json()["detail"]
    page = client.get("/cities/okayama", params={"status": "SLEEPING", "lang": "ja"}, headers=HTML)
    assert page.status_code == 400
    assert "検索の条件が正しくありません" in page.text


def test_the_language_is_that_of_the_link_then_the_cookie_then_the_browser_then_japanese(address) -> None:
    def language(*, cookie: str | None = None, accept: str | None = None, link: str | None = None) -> str:
        headers = {"accept-language": accept} if accept else {}
        cookies = {"lang": cookie} if cookie else {}
        with httpx.Client(base_url=address, cookies=cookies) as reader:
            answer = reader.get("/", params={"lang": link} if link else {}, headers=headers)
        assert answer.headers["content-language"] in answer.text
        return answer.headers["content-language"]

    assert language() == "ja"
    assert language(accept="fr-FR") == "ja"
    assert language(accept="en-US,en;q=0.9") == "en"
    assert language(accept="ja;q=0.3, en;q=0.8") == "en"
    assert language(accept="en;q=0.5, ja") == "ja"
    assert language(accept="en;q=x") == "ja"
    assert language(cookie="en", accept="ja") == "en"
    assert language(cookie="xx", accept="en") == "en"
    assert language(link="ja", cookie="en", accept="en") == "ja"
    assert language(link="xx", cookie="en") == "en"


def test_a_chosen_language_is_remembered_and_the_switch_keeps_the_page(client) -> None:
    answer = client.get("/cities/okayama", params={"text": "猫", "lang": "en"})
    assert "lang=en" in answer.headers["set-cookie"]
    assert "samesite=lax" in answer.headers["set-cookie"].lower()
    switch = html.unescape(re.search(r'<a class="switch" href="([^"]+)"', answer.text).group(1))
    assert switch == "?text=%E7%8C%AB&lang=ja"
    assert 'lang="ja"' in client.get(f"/cities/okayama{switch}").text
    assert "set-cookie" not in client.get("/cities/okayama").headers


@pytest.mark.parametrize(
    "path",
    [
        "/cities/atlantis",
        "/cities/atlantis/partnerships/Y3",
        "/cities/yamato/partnerships/Y99",
        "/cities/yamato/programmes/none",
        "/cities/%00/partnerships/%00",
        "/cities/yamato/partnerships/%E3%81%82",
        "/nothing",
    ],
)
def test_what_does_not_exist_is_a_problem_for_programs_and_a_page_for_people(client, path) -> None:
    for_programs = client.get(path)
    assert for_programs.status_code == 404
    assert for_programs.headers["content-type"] == "application/problem+json"
    assert for_programs.json()["status"] == 404
    for language, said in (("ja", "お探しのページは見つかりませんでした"), ("en", "There is no such page")):
        for_people = client.get(path, params={"lang": language}, headers=HTML)
        assert for_people.status_code == 404
        assert for_people.headers["content-type"].startswith("text/html")
        assert said in for_people.text


def test_no_host_or_path_of_a_request_enters_the_links_of_a_page(address) -> None:
    page = httpx.get(f"{address}//evil.example/?x=1", headers={"host": "evil.example", **HTML})
    assert page.status_code == 404
    assert "evil.example" not in page.text


def test_without_the_database_people_and_programs_are_told_to_come_back(nowhere) -> None:
    for_programs = nowhere.get("/cities/yamato")
    assert for_programs.status_code == 503
    assert for_programs.headers["retry-after"] == "5"
    assert for_programs.json()["detail"] == "the database does not answer"
    assert "nowhere" not in for_programs.text
    for_people = nowhere.get("/?lang=ja", headers=HTML)
    assert for_people.status_code == 503
    assert "もう一度お試しください" in for_people.text


def test_the_service_only_reads(client) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        for path in ("/", "/cities/yamato", "/cities/yamato/partnerships/Y3"):
            answer = client.request(method, path)
            assert answer.status_code == 405
            assert answer.headers["allow"]


def test_every_answer_carries_the_security_headers(client) -> None:
    for path in ("/", "/healthz", "/static/style.css", "/graphql?query={__typename}", "/nothing", "/graphql"):
        headers = client.get(path, headers=HTML).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert ("script-src" in headers["content-security-policy"]) is (path == "/graphql")


def test_pages_bring_nothing_that_their_policy_forbids(pages) -> None:
    for page in pages.values():
        assert "<script" not in page
        assert " style=" not in page
        assert not re.search(r'(?:src|href)="(?:https?:)?//', page)


def test_every_link_between_pages_leads_somewhere(client, pages) -> None:
    links: set[str] = set()
    for place, page in pages.items():
        ids = set(re.findall(r'id="([^"]+)"', page))
        for link in re.findall(r'href="([^"]+)"', page):
            target, _, anchor = html.unescape(link).partition("#")
            if not target:
                assert anchor in ids, (place, link)
            elif target.startswith("/"):
                links.add(target)
                assert not anchor or f'id="{anchor}"' in pages[target, place[1]], (place, link)
    for link in links:
        assert client.get(link, headers=HTML).status_code == 200, link


def test_head_answers_as_get_does_without_a_body(client) -> None:
    for path in ("/", "/cities/yamato", "/healthz"):
        answer = client.head(path)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == client.get(path).headers["content-type"]


@pytest.mark.parametrize(
    ("text", "ja", "en"),
    [
        ("P3Y", "3年", "3 years"),
        ("P1Y6M", "1年6か月", "1 year 6 months"),
        ("PT15M", "15分", "15 minutes"),
        ("P30D", "30日", "30 days"),
        ("PT1H", "1時間", "1 hour"),
        ("soon", "soon", "soon"),
    ],
)
def test_durations_are_put_in_words(text, ja, en) -> None:
    assert duration(text, "ja") == ja
    assert duration(text, "en") == en
