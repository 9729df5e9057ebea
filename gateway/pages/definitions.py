"""The page of definitions: what each metric counts, what its dates leave open, and the query that asks for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from domain.commands import BY_EVENT
from gateway.graphql.documents import ABOUT, TEXTS, document_id
from gateway.pages.page import language_of, page
from gateway.pages.terms import GLOSSARY
from projections.metrics import METRICS

if TYPE_CHECKING:
    from gateway.pages.labels import Language
    from projections.metrics import Metric, Series

_MOST_SHOWN = 6
"""Metrics with more series than this fold them away: they are the codes of a vocabulary, counted alike."""

_DATES = {
    "acceptance_after_rejection": "followed",
    "agreement_after_consultation": "followed",
    "city_yen_per_month": "months",
}
"""What imprecise dates mean for a metric without a curve, where they matter beyond its cohort."""


@dataclass(frozen=True, slots=True)
class _Shown:
    """A metric as its reader's language shows it; `ask` opens its example in the query page, `answer` its answer."""

    number: int
    anchor: str
    title: str
    definition: str
    series: list[tuple[str, str, str, str]]
    folded: bool
    excluded: str
    dates: str
    covered: str
    facts: list[str]
    example: str
    ask: str
    answer: str


def definitions() -> APIRouter:
    """The route `/definitions`; HEAD answers as GET does, without a body."""
    router = APIRouter(default_response_class=HTMLResponse)
    router.add_api_route("/definitions", _definitions, methods=["GET", "HEAD"], include_in_schema=False)
    return router


def _definitions(request: Request) -> HTMLResponse:
    language = language_of(request)
    glossary = [(ja, about_ja) if language == "ja" else (en, about_en) for ja, en, about_ja, about_en in GLOSSARY]
    metrics = [_shown(metric, language) for metric in METRICS]
    return page(request, "definitions.html", metrics=metrics, glossary=glossary)


def _shown(metric: Metric, language: Language) -> _Shown:
    ja = language == "ja"
    name = example_of(metric)
    query = f"# {ABOUT[name]}\n{TEXTS[name]}"
    return _Shown(
        number=metric.number,
        anchor=metric.key.replace("_", "-"),
        title=metric.title_ja if ja else metric.title_en,
        definition=metric.definition_ja if ja else metric.definition_en,
        series=[_series(each, language) for each in metric.series],
        folded=len(metric.series) > _MOST_SHOWN,
        excluded=metric.excluded_ja if ja else metric.excluded_en,
        dates=f"definitions_dates_{metric.time.value.lower() if metric.time else _DATES.get(metric.key, 'cohort')}",
        covered=f"definitions_covered_{metric.covered.lower()}",
        facts=[BY_EVENT[fact].ja if ja else BY_EVENT[fact].en for fact in dict.fromkeys(metric.facts)],
        example=TEXTS[name],
        # The query page reads its address by itself, where a + is no space.
        ask=f"/graphql?q={quote(query)}",
        answer=f"/graphql?documentId={document_id(TEXTS[name])}",
    )


def example_of(metric: Metric) -> str:
    """The name of the worked example that asks for the metric."""
    return metric.key.title().replace("_", "")


def _series(series: Series, language: Language) -> tuple[str, str, str, str]:
    if language == "ja":
        return series.title_ja, series.numerator_ja, series.denominator_ja, series.unit.ja
    return series.title_en, series.numerator_en, series.denominator_en, series.unit.en
