"""The fifteen metrics over public GraphQL: their definitions, the check values, groups, pages, times and limits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from graphql import OperationDefinitionNode, parse
from graphql.execution.values import VariableValues

from gateway.app import create_app
from gateway.graphql import measuring
from gateway.graphql.cost import cost
from gateway.graphql.limits import COST
from gateway.graphql.schema import SCHEMA
from projections.metrics import METRICS
from projections.worker import Worker
from tenants.book import Book
from tenants.city_keys import CityKeys
from tenants.database import Database
from tests.projections.metrics.town import (
    ACCEPTED,
    DECIDED,
    MAINSTREAMED,
    RECOMMENDED,
    RENEWED,
    SLUG,
    record_town,
)

Ask = Callable[..., Any]

NUMBER = """
    metric series { key unit shape } city { slug } fiscalYear form partyKind units numerator denominator excluded
    impreciseShare possibleUnits possibleNumerator possibleDenominator coverage withheld value low high least most
    durations { count shortest midpoint longest } curve { time atRisk events competing estimate least most low high }
"""
MEASURE = """
    query ($metric: MetricKey!, $cities: [String!], $years: FiscalYears, $by: [Dimension!], $series: [String!],
           $first: Int, $after: String, $last: Int, $before: String, $asOf: AsOf) {
      measure(metric: $metric, cities: $cities, years: $years, by: $by, series: $series, first: $first, after: $after,
              last: $last, before: $before, asOf: $asOf) {
        totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor } edges { node { %s } }
      }
    }
"""


def numbers(page: Any) -> list[dict[str, Any]]:
    return [edge["node"] for edge in page["edges"]]


def asking(client: httpx.Client) -> Ask:
    """Asks for a metric over HTTP; a list of its numbers, or the one of a series."""

    def asked(metric: str, series: str | None = None, /, *, selecting: str = NUMBER, **variables: Any) -> Any:
        given = {"metric": metric.upper(), **variables} | ({"series": [series]} if series else {})
        answer = client.post("/graphql", json={"query": MEASURE % selecting, "variables": given}).json()
        assert "errors" not in answer, answer["errors"]
        page = answer["data"]["measure"]
        if series is None:
            return page
        (found,) = numbers(page)
        return found

    return asked


@pytest.fixture
def ask(client: httpx.Client) -> Ask:
    """Asks the five cities."""
    return asking(client)


@pytest.fixture(scope="module")
def town(server, city_keys: CityKeys) -> Iterator[tuple[Database, Book]]:
    """A database with the invented town; nobody writes to it."""
    name = f"{server.prefix}_invented_town"
    server.execute("CREATE DATABASE {} TEMPLATE {} OWNER {}", name, server.template, server.owner)
    opened = Database(server.urls(name))
    try:
        book = record_town(opened, city_keys)
        Worker(opened, city_keys).catch_up()
        yield opened, book
    finally:
        opened.close()
        server.execute("DROP DATABASE {} WITH (FORCE)", name)


@pytest.fixture
def ask_town(town: tuple[Database, Book], serve) -> Ask:
    """Asks a service that knows the invented town only."""
    return asking(serve(create_app(town[0], pending_migrations=list)))


# --- Definitions --------------------------------------------------------------------------------------------


def test_every_metric_is_defined_in_the_schema_and_by_the_schema(client) -> None:
    fields = "key number titleJa titleEn definitionJa definitionEn excludedJa excludedEn time covered facts source"
    series = "key titleJa titleEn numeratorJa numeratorEn denominatorJa denominatorEn shape unit"
    answer = client.post("/graphql", json={"query": f"{{ metrics {{ {fields} series {{ {series} }} }} }}"}).json()
    assert "errors" not in answer
    found = answer["data"]["metrics"]
    assert [each["number"] for each in found] == list(range(1, 16))
    assert [each["key"].lower() for each in found] == [metric.key for metric in METRICS]
    assert found[0]["definitionJa"] == METRICS[0].definition_ja
    assert {each["unit"] for metric in found for each in metric["series"]} == {
        "SHARE", "COUNT", "SCALE", "YEN_PER_MONTH",
    }  # fmt: skip
    described = client.post(
        "/graphql", json={"query": '{ __type(name: "MetricKey") { enumValues { name description } } }'}
    ).json()["data"]["__type"]["enumValues"]
    for metric, value in zip(METRICS, described, strict=True):
        assert value["name"] == metric.key.upper()
        assert metric.definition_en in value["description"]
        assert metric.definition_ja in value["description"]


# --- The check values of the shipped cities -----------------------------------------------------------------


def test_the_child_care_advisers_took_between_367_and_1095_days_and_two_inferred_rejections(ask: Ask) -> None:
    found = ask("time_to_agreement", "agreed", cities=["yamato"])
    assert found["durations"] == {"count": 1, "shortest": 367, "midpoint": 731, "longest": 1095}
    rejections = ask("rejections_before_acceptance", "rejections", cities=["yamato"])
    assert (rejections["numerator"], rejections["impreciseShare"]) == (2, 1)


@pytest.mark.parametrize(("series", "days"), [("model_year", (367, 731, 1095)), ("survey", (732, 1096, 1460))])
def test_community_cats_were_mainstreamed_after_days_counted_from_both_starts(
    ask: Ask, series: str, days: tuple[int, int, int]
) -> None:
    found = ask("time_to_mainstreaming", series, cities=["okayama"])["durations"]
    assert (found["shortest"], found["midpoint"], found["longest"]) == days


def test_child_care_was_renewed_twice_as_was_inferred_and_mainstreamed(ask: Ask, client) -> None:
    renewals = ask("renewal_survival", "renewals", cities=["yamato"])
    assert (renewals["numerator"], renewals["denominator"], renewals["impreciseShare"]) == (2, 1, 1)
    curve = ask("renewal_survival", "sustained", cities=["yamato"])["curve"]
    assert [(point["time"], point["atRisk"], point["events"]) for point in curve] == [(1, 1, 0), (2, 1, 0), (3, 1, 1)]
    query = '{ partnership(city: "yamato", number: "Y1") { origin status ended submissions } }'
    assert client.post("/graphql", json={"query": query}).json()["data"]["partnership"] == {
        "origin": "CITY_INVITED",
        "status": "MAINSTREAMED",
        "ended": "2011",
        "submissions": 0,
    }


def test_a_selection_gives_counts_and_says_why_it_gives_no_value(ask: Ask) -> None:
    for metric in METRICS:
        for found in numbers(ask(metric.key)):
            assert found["value"] is None
            assert found["withheld"] in {"COVERAGE", "NO_UNITS"}
            assert all(point["estimate"] is None for point in found["curve"])
    accepted = ask("acceptance_rate", "accepted", cities=["yamato"])
    assert (accepted["numerator"], accepted["denominator"], accepted["coverage"]) == (1, 3, "SELECTION")


# --- The check values of the invented town ------------------------------------------------------------------


def test_the_town_accepted_20_of_47_and_recommended_23(ask_town: Ask) -> None:
    accepted = ask_town("acceptance_rate", "accepted", cities=[SLUG])
    assert (accepted["numerator"], accepted["denominator"], accepted["coverage"]) == (ACCEPTED, DECIDED, "COMPLETE")
    assert accepted["value"] == pytest.approx(0.426, abs=0.0005)
    assert (accepted["low"], accepted["high"]) == pytest.approx((0.30, 0.57), abs=0.005)
    recommended = ask_town("recommendation_rate", "recommended")
    assert (recommended["numerator"], recommended["value"]) == (RECOMMENDED, pytest.approx(0.489, abs=0.0005))
    differing = ask_town("recommendation_rate", "recommended_not_accepted")
    assert (differing["numerator"], differing["denominator"]) == (3, 23)
    assert differing["value"] == pytest.approx(0.130, abs=0.0005)


@pytest.mark.parametrize(
    ("metric", "series", "value"),
    [
        ("time_to_agreement", "agreed", ACCEPTED / DECIDED),
        ("rejections_before_acceptance", "rejections", 0),
        ("acceptance_after_rejection", "accepted", 0),
        ("renewal_survival", "renewals", RENEWED / ACCEPTED),
        ("renewal_survival", "sustained", MAINSTREAMED / ACCEPTED),
        ("share_by_form", "SUBSIDY", 15 / 20),
        ("rejection_reasons", "OBJECTIVES_UNCLEAR", 24 / 27),
        ("agreement_after_consultation", "agreed", ACCEPTED / DECIDED),
        ("meetings_before_agreement", "meetings", 2),
        ("city_proposed_share", "city_proposed", 10 / 47),
        ("evaluation_gap", "gap", 0.25),
        ("city_yen_per_month", "paid", ACCEPTED * 240_000 / ((8 * 365 + 12 * 730) / 30.4375)),
    ],
)
def test_the_other_metrics_of_the_town_are_what_it_did(ask_town: Ask, metric: str, series: str, value: float) -> None:
    assert ask_town(metric, series)["value"] == pytest.approx(value)


def test_what_has_no_units_has_no_value(ask_town: Ask) -> None:
    for series in ("model_year", "trial", "survey"):
        found = ask_town("time_to_mainstreaming", series)
        assert (found["denominator"], found["value"], found["withheld"]) == (0, None, "NO_UNITS")
    assert ask_town("sustained_share", "sustained")["withheld"] == "NO_UNITS"


def test_a_curve_lies_between_its_bounds_and_ends_at_the_value(ask_town: Ask) -> None:
    found = ask_town("time_to_agreement", "agreed")
    estimates = [point["estimate"] for point in found["curve"]]
    assert estimates == sorted(estimates)
    assert estimates[-1] == found["value"]
    assert found["low"] < found["value"] < found["high"]
    assert all(point["least"] <= point["estimate"] <= point["most"] for point in found["curve"])


# --- Groups, pages, several at once -------------------------------------------------------------------------


def test_numbers_come_by_city_and_year_and_add_up(ask: Ask, ask_town: Ask) -> None:
    cities = numbers(ask("meetings_before_agreement", by=["CITY"], first=100))
    slugs = [each["city"]["slug"] for each in cities if each["series"]["key"] == "meetings"]
    assert len(slugs) == len(set(slugs)) > 1
    years = numbers(ask_town("acceptance_rate", by=["FISCAL_YEAR"], first=100))
    accepted = {each["fiscalYear"]: each for each in years if each["series"]["key"] == "accepted"}
    assert {year: each["denominator"] for year, each in accepted.items()} == {2021: 16, 2022: 16, 2023: 15}
    assert sum(each["numerator"] for each in accepted.values()) == ACCEPTED
    later = ask_town("acceptance_rate", "accepted", years={"from": 2022})
    assert later["denominator"] == 31
    earlier = ask_town("acceptance_rate", "accepted", years={"to": 2021})
    assert earlier["denominator"] == 16


def test_a_group_s_city_leads_to_all_that_the_city_has(ask: Ask) -> None:
    page = ask(
        "acceptance_rate",
        cities=["yamato"],
        by=["CITY"],
        selecting="city { nameJa municipalCode programmes { slug } partnerships(first: 2) { totalCount } }",
    )
    for found in numbers(page):
        assert found["city"]["nameJa"] == "大和市"
        assert found["city"]["partnerships"]["totalCount"] == 3
        assert found["city"]["programmes"]


def test_pages_give_every_number_once_in_both_directions(ask: Ask) -> None:
    every = {
        "by": ["CITY", "FISCAL_YEAR", "PARTY_KIND"],
        "selecting": "series { key } city { slug } fiscalYear partyKind",
    }
    whole = ask("acceptance_rate", first=100, **every)
    assert whole["totalCount"] > 40
    forwards: list[Any] = []
    page: Any = {"pageInfo": {"hasNextPage": True, "endCursor": None}}
    while page["pageInfo"]["hasNextPage"]:
        page = ask("acceptance_rate", first=37, after=page["pageInfo"]["endCursor"], **every)
        forwards += numbers(page)
    assert len(forwards) == whole["totalCount"]
    assert forwards[:100] == numbers(whole)
    backwards: list[Any] = []
    page = {"pageInfo": {"hasPreviousPage": True, "startCursor": None}}
    while page["pageInfo"]["hasPreviousPage"]:
        page = ask("acceptance_rate", last=41, before=page["pageInfo"]["startCursor"], **every)
        backwards = numbers(page) + backwards
    assert backwards == forwards


def test_all_fifteen_can_be_asked_for_in_one_request(client) -> None:
    fields = " ".join(
        f"m{each.number}: measure(metric: {each.key.upper()}, by: [CITY], first: 5) {{ ...page }}" for each in METRICS
    )
    page = f"fragment page on MeasuredConnection {{ totalCount edges {{ node {{ {NUMBER} }} }} }}"
    answer = client.post("/graphql", json={"query": f"{{ {fields} }} {page}"}).json()
    assert "errors" not in answer
    assert len(answer["data"]) == 15
    assert answer["extensions"]["cost"]["objects"] <= COST


# --- As of any time -----------------------------------------------------------------------------------------


def test_a_measure_as_of_positions_or_a_moment_is_what_was_known_then(ask: Ask, client) -> None:
    whole = '{ city(slug: "yamato") { events(first: 100) { totalCount edges { node { position type recordedAt } } } } }'
    events = client.post("/graphql", json={"query": whole}).json()["data"]["city"]["events"]["edges"]
    rejected = [each["node"] for each in events if each["node"]["type"] == "ProposalRejected"]
    before = {"positions": [{"city": "yamato", "position": rejected[0]["position"] - 1}]}
    then = {"positions": [{"city": "yamato", "position": rejected[0]["position"]}]}
    assert ask("rejection_reasons", asOf=before)["totalCount"] == 0
    assert ask("rejection_reasons", "OBJECTIVES_UNCLEAR", asOf=then)["numerator"] == 1
    assert ask("rejection_reasons", "OBJECTIVES_UNCLEAR")["numerator"] == 2
    moment = {"moment": events[-1]["node"]["recordedAt"]}
    assert ask("rejection_reasons", "OBJECTIVES_UNCLEAR", cities=["yamato"], asOf=moment)["numerator"] == 2
    early = {"moment": "2000-01-01T00:00:00Z"}
    assert ask("acceptance_rate", "accepted", asOf=early)["units"] == 0


def test_a_city_that_the_positions_do_not_name_is_no_part_of_the_answer(ask: Ask) -> None:
    page = ask("acceptance_rate", by=["CITY"], asOf={"positions": [{"city": "yamato", "position": 1_000}]})
    assert {each["city"]["slug"] for each in numbers(page)} == {"yamato"}


# --- Refusals -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ('cities: ["nara"]', "No city is registered as 'nara'"),
        ('series: ["gap"]', "The metric has no series 'gap', only accepted, first_submission"),
        ("years: {from: 2020, to: 2010}", "2020 to 2010 is no span of years"),
        ("first: 0", "`first` is a number from 1 to 100, not 0"),
        ("first: 1, last: 1", "Give `first` or `last`, not both"),
        ('after: "bm8"', "The cursor is not one that this service gave out"),
        ('asOf: {moment: "2020-01-01T00:00:00"}', "has no offset"),
        ('cities: ["\\u0000"]', "holds the character U+0000"),
    ],
)
def test_what_cannot_be_measured_is_refused_in_clear_words_and_leaves_the_rest(
    client, arguments: str, said: str
) -> None:
    query = (
        f"{{ wrong: measure(metric: ACCEPTANCE_RATE, {arguments}) {{ totalCount }}"
        " right: measure(metric: ACCEPTANCE_RATE) { totalCount } }"
    )
    answer = client.post("/graphql", json={"query": query}).json()
    assert said in answer["errors"][0]["message"]
    assert answer["errors"][0]["path"] == ["wrong"]
    assert answer["data"] == {"wrong": None, "right": {"totalCount": 5}}


def test_more_curves_than_may_be_are_refused_with_their_number(client, monkeypatch) -> None:
    monkeypatch.setattr("projections.metrics.measuring.MOST_CURVES", 2)
    query = "{ measure(metric: TIME_TO_MAINSTREAMING, years: {from: 1990}) { totalCount } }"
    (error,) = client.post("/graphql", json={"query": query}).json()["errors"]
    assert error["message"].startswith("Grouped like this there are 3 curves, and at most 2 are measured at once")


def test_more_curves_than_are_estimated_at_once_are_refused_where_their_record_is_complete(
    town: tuple[Database, Book], ask: Ask, serve, monkeypatch
) -> None:
    monkeypatch.setattr("projections.metrics.measuring.MOST_ESTIMATES", 0)
    assert ask("time_to_agreement", years={"from": 1989})["totalCount"] == 1
    query = "{ measure(metric: TIME_TO_AGREEMENT, years: {from: 1989}) { totalCount } }"
    reader = serve(create_app(town[0], pending_migrations=list))
    (error,) = reader.post("/graphql", json={"query": query}).json()["errors"]
    assert error["message"].startswith("Grouped like this there are 1 curves to estimate, and at most 0 are measured")


def test_a_measure_that_takes_too_long_says_so_and_leaves_the_rest_of_the_answer(client, monkeypatch) -> None:
    monkeypatch.setattr(measuring, "SECONDS", 0.001)
    query = "{ measure(metric: RENEWAL_SURVIVAL, years: {from: 1991}) { totalCount } cities { totalCount } }"
    answer = client.post("/graphql", json={"query": query}).json()
    (error,) = answer["errors"]
    assert error["message"].startswith("Measuring took longer than 0.001 seconds")
    assert answer["data"] == {"measure": None, "cities": {"totalCount": 5}}


def test_when_everybody_measures_another_is_asked_to_come_back(client, monkeypatch) -> None:
    monkeypatch.setattr(measuring, "WAIT", 0.01)
    taken = [measuring._TURNS.acquire(blocking=False) for _ in range(measuring.AT_ONCE)]
    try:
        query = "{ measure(metric: RENEWAL_SURVIVAL, years: {from: 1992}) { totalCount } }"
        (error,) = client.post("/graphql", json={"query": query}).json()["errors"]
        assert error["message"] == "4 metrics are being measured already; ask again in a few seconds."
    finally:
        for _ in filter(None, taken):
            measuring._TURNS.release()


def estimate(query: str) -> int:
    document = parse(query)
    (operation,) = document.definitions
    assert isinstance(operation, OperationDefinitionNode)
    return cost(SCHEMA._schema, document, operation, VariableValues({}, {}))[0]


def test_measures_cost_what_they_take_and_what_they_give() -> None:
    assert estimate("{ measure(metric: ACCEPTANCE_RATE) { totalCount } }") == 220
    assert estimate("{ measure(metric: ACCEPTANCE_RATE, first: 2) { edges { node { value } } } }") == 202
    curve = "{ measure(metric: TIME_TO_AGREEMENT, first: 10) { edges { node { city { slug } curve { time } } } } }"
    assert estimate(curve) == 200 + 10 * (1 + 1 + 60)
