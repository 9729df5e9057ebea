"""The page of definitions, and the worked examples that it leads to."""

from __future__ import annotations

import html
import re
from importlib.resources import files
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from graphql import FragmentDefinitionNode, OperationDefinitionNode, parse

from gateway.graphql.documents import ABOUT, TEXTS
from gateway.pages.definitions import example_of
from gateway.pages.terms import GLOSSARY
from projections.metrics import METRICS

LANGUAGES = ("ja", "en")


@pytest.fixture(scope="module")
def definitions(address: str) -> dict[str, str]:
    """The page in both languages."""
    with httpx.Client(base_url=address, timeout=30, headers={"accept": "text/html"}) as reader:
        answers = {each: reader.get("/definitions", params={"lang": each}) for each in LANGUAGES}
    assert {answer.status_code for answer in answers.values()} == {200}
    return {language: answer.text for language, answer in answers.items()}


def said(page: str) -> str:
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", page)))


def links(page: str) -> list[str]:
    return [html.unescape(each) for each in re.findall(r'href="([^"]*)"', page)]


def test_every_metric_stands_on_the_page_with_its_whole_definition(definitions: dict[str, str]) -> None:
    for language, page in definitions.items():
        text = said(page)
        for metric in METRICS:
            assert getattr(metric, f"title_{language}") in text
            assert getattr(metric, f"definition_{language}") in text
            assert getattr(metric, f"excluded_{language}") in text
            for series in metric.series:
                assert getattr(series, f"numerator_{language}") in text
                assert getattr(series, f"denominator_{language}") in text
                assert series.unit.label(language) in text


def test_the_page_is_a_page_of_the_house_in_both_languages(definitions: dict[str, str]) -> None:
    for language, page in definitions.items():
        assert f'<html lang="{language}">' in page
        assert page.count("<h1>") == 1
        assert "<script" not in page
        assert "style=" not in page
        identifiers = re.findall(r' id="([^"]*)"', page)
        assert len(identifiers) == len(set(identifiers))
        assert {link[1:] for link in links(page) if link.startswith("#")} <= set(identifiers)
        assert set(re.findall(r'aria-labelledby="([^"]*)"', page)) <= set(identifiers)


def test_a_japanese_page_shows_no_code_and_an_english_one_no_japanese(definitions: dict[str, str]) -> None:
    outside = {
        each: said(re.sub(r"(?s)<pre.*?</pre>|<header class=.site.*?</header>", " ", page))
        for each, page in definitions.items()
    }
    assert not re.findall(r"[A-Z]{2,}_[A-Z_]+", outside["ja"])
    assert not re.findall(r"[぀-ヿ一-鿿]", outside["en"])


def test_terms_that_the_definitions_use_are_explained(definitions: dict[str, str]) -> None:
    for japanese, english, meaning_ja, meaning_en in GLOSSARY:
        assert f"{japanese} {meaning_ja}" in said(definitions["ja"])
        assert f"{english} {meaning_en}" in said(definitions["en"])


def test_every_metric_leads_to_its_example_in_the_query_page_and_to_its_answer(definitions, client) -> None:
    page = definitions["ja"]
    asked = [parse_qs(urlsplit(link).query)["q"][0] for link in links(page) if link.startswith("/graphql?q=")]
    answers = [link for link in links(page) if link.startswith("/graphql?documentId=")]
    assert len(asked) == len(answers) == len(METRICS)
    assert 'query: given.get("q")' in (files("gateway") / "graphql/graphiql/start.js").read_text(encoding="utf-8")
    for metric, query, link in zip(METRICS, asked, answers, strict=True):
        assert f"metric: {metric.key.upper()}" in query
        assert query.startswith(f"# {metric.number}. ")
        answer = client.get(link, headers={"accept": "text/html"}).json()
        assert "errors" not in answer
        assert client.post("/graphql", json={"query": query}).json() == answer
        opened = client.get("/graphql", params={"q": query}, headers={"accept": "text/html"})
        assert opened.headers["content-type"].startswith("text/html")


def test_there_is_a_worked_example_for_each_metric_in_both_languages() -> None:
    for metric in METRICS:
        name = example_of(metric)
        assert metric.key.upper() in TEXTS[name]
        assert ABOUT[name].isascii() is False
        assert re.match(rf"{metric.number}\. [A-Z]", ABOUT[name])
        kinds = {type(each) for each in parse(TEXTS[name]).definitions}
        assert kinds == {OperationDefinitionNode, FragmentDefinitionNode}


def test_every_page_leads_to_the_definitions(client) -> None:
    for path in ("/", "/cities/yamato"):
        assert "/definitions" in links(client.get(path).text)
    assert client.head("/definitions").status_code == 200
