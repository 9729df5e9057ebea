"""Documents that mean harm: each is answered or refused, soon, in words that name the limit and by how much it is."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx
import pytest
from fastapi import Request
from graphql import get_introspection_query

from gateway.graphql.asked import Refused, body_of
from gateway.graphql.engine import Engine, NotExecuted
from gateway.graphql.limits import ALIASES, COST, DEPTH, FIELDS, REPEATS, TOKENS
from gateway.graphql.schema import SCHEMA

_SCHEMA = SCHEMA._schema
SOON = 2.0
"""Seconds in which a document is refused, on a machine that has other things to do as well."""


def said(answer: httpx.Response) -> str:
    """What an answer says to be wrong, every message in a line."""
    errors = answer.json().get("errors", [])
    assert all(error["message"].strip() for error in errors)
    return "\n".join(error["message"] for error in errors)


# --- one by one ----------------------------------------------------------------------------------------------------


def nested(inside: str, times: int, before: str, after: str) -> str:
    return before * times + inside + after * times


FRAGMENTS = " ".join(f"fragment f{at} on Query {{ ...f{at + 1} ...f{at + 1} }}" for at in range(60))
CIRCLE = " ".join(f"fragment f{at} on Query {{ ...f{(at + 1) % 50} ...f{(at + 2) % 50} }}" for at in range(50))
ALIASED = " ".join(
    f"fragment f{at} on City {{ {'...f' + str(at + 1) if at < 5 else ''} a{at}: slug }}" for at in range(6)
)
TYPES_OF = "fields { type { fields { type { name } } } }"

REFUSED: dict[str, tuple[str, str]] = {
    "deep": (
        "{ partnerships { edges { node "
        + nested("{ number }", 4, "{ city { partnerships { edges { node ", "}}}}")
        + "}}}",
        f"is nested 20 fields deep; at most {DEPTH}",
    ),
    "deeper": (nested("a", 300, "{a", "}"), "nested too deeply: in 300 brackets; at most 100"),
    "deep in a list": (
        "{ partnerships(cities: " + nested('"a"', 200, "[", "]") + ") { totalCount } }",
        "nested too deeply: in 202 brackets; at most 100",
    ),
    "deep in inline fragments": ("{" + nested("__typename", 200, "... {", "}") + "}", "in 201 brackets; at most 100"),
    "deep in input objects": (
        "{ partnerships(asOf: " + nested("1", 90, "{positions: ", "}") + ") { totalCount } }",
        "Expected value of type 'CityPosition' to include required field 'city'",
    ),
    "long": ("{" + "slug " * 9_000 + "}", f"has 9,002 tokens; at most {TOKENS:,}"),
    "a field again and again": ("{" + "cities { totalCount } " * 400 + "}", f"`cities` 400 times; at most {REPEATS}"),
    "aliases": (
        "{" + " ".join(f"a{at}: __typename" for at in range(60)) + "}",
        f"gives 60 aliases once its fragments are expanded; at most {ALIASES}",
    ),
    "aliases through fragments": (
        "{" + " ".join(f"b{at}: cities {{ edges {{ node {{ ...f0 }} }} }}" for at in range(10)) + "}" + ALIASED,
        f"gives 70 aliases once its fragments are expanded; at most {ALIASES}",
    ),
    "fields through fragments": (
        f"{{ ...f0 }} {FRAGMENTS} fragment f60 on Query {{ cities {{ totalCount }} }}",
        f"selects 2,305,843,009,213,693,952 fields once its fragments are expanded; at most {FIELDS:,}",
    ),
    "a circle of fragments": (f"{{ ...f0 }} {CIRCLE}", "Cannot spread fragment 'f0' within itself"),
    "a fragment within itself": (
        "{ ...f } fragment f on Query { cities { edges { node { ...g } } } } fragment g on City { ...g }",
        "Cannot spread fragment 'g' within itself.",
    ),
    "too many objects": (
        "{ partnerships(first: 100) { edges { node { city { partnerships(first: 100) { totalCount } } } } } }",
        f"may hold 10,200 objects; at most {COST:,}",
    ),
    "a huge number": ("{ partnerships(first: 99999999999999999999) { totalCount } }", "cannot represent"),
    "a huge number that fits": ("{ partnerships(first: 2147483647) { totalCount } }", "1 to 100, not 2147483647"),
    "a number of a million digits": ("{ event(city: 1, position: " + "9" * 90_000 + ") { type } }", "cannot represent"),
    "a negative number": ("{ partnerships(first: -1) { totalCount } }", "is a number from 1 to 100, not -1"),
    "from both ends": ("{ partnerships(first: 1, last: 1) { totalCount } }", "`first` or `last`, not both"),
    "introspection without an end": (
        "{ __schema { types { " + nested("name", 8, "fields { type { ", "} }") + "} } }",
        "Maximum introspection depth exceeded",
    ),
    "many operations": (
        " ".join(f"query q{at} {{ __typename }}" for at in range(300)),
        "several operations: say which with `operationName`",
    ),
    "no such operation": ("subscription { nothing }", "Cannot query field 'nothing'"),
    "many variables": (
        "query (" + " ".join(f"$v{at}: Int" for at in range(400)) + ") { __typename }",
        "Variable '$v0' is never used.",
    ),
    "a variable that is not defined": (
        "{ partnerships(asOf: {moment: $nothing}) { totalCount } }",
        "Variable '$nothing' is not defined",
    ),
    "a variable that may be null, in a fragment before its operation": (
        "fragment f on Query { partnerships(asOf: {moment: $v}) { totalCount } } query ($v: DateTime) { ...f }",
        "must be non-nullable to be used for OneOf Input Object 'AsOf'",
    ),
    "two of which one is to be given": (
        '{ partnerships(asOf: {moment: "2015-04-01T00:00:00Z", positions: []}) { totalCount } }',
        "exactly one field must be specified",
    ),
    "neither of them": ("{ partnerships(asOf: {}) { totalCount } }", "exactly one field must be specified"),
    "null of them": ("{ partnerships(asOf: {moment: null}) { totalCount } }", "must be non-null"),
    "conflicts": (
        "{" + " ".join(f"a: cities(first: {at}) {{ totalCount }}" for at in range(1, 50)) + "}",
        "Fields 'a' conflict because they have differing arguments",
    ),
    "a position of no type": ('{ event(city: "a", position: 1e400) { type } }', "cannot represent"),
    "a null byte in a text": ('{ city(slug: "a\\u0000") { slug } }', "`slug` holds the character U+0000"),
    "a null byte in the document": ("{ city\0 { slug } }", "Unexpected character: U+0000"),
    "half a character": ('{ city(slug: "\\ud800") { slug } }', "Invalid Unicode escape sequence"),
    "a cursor of another list": (
        '{ city(slug: "yamato") { slug } partnerships(after: "WzFd") { totalCount } }',
        "The cursor is not one that this service gave out for this list",
    ),
    "a cursor of a huge number": (
        '{ cities { edges { node { events(after: "Wzk5OTk5OTk5OTk5OTk5OTk5OTk5XQ") { totalCount } } } } }',
        "The cursor is not one that this service gave out for this list",
    ),
    "too many cities": (
        "{ partnerships(asOf: {positions: [" + '{city: "a", position: 1}' * 180 + "]}) { totalCount } }",
        "`asOf` names a city twice.",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_hostile_document_is_refused_soon_with_the_limit_and_by_how_much(served, what) -> None:
    query, expected = REFUSED[what]
    began = time.monotonic()
    answer = served.client.post("/graphql", json={"query": query})
    took = time.monotonic() - began
    assert answer.status_code == 200
    assert expected in said(answer)
    assert took < SOON


ANSWERED: dict[str, tuple[str, Any]] = {
    "a long name": ("{ " + "a" * 90_000 + ": __typename }", "Query"),
    "a name as long as PostgreSQL's": ("{ " + "a" * 63 + ": cities { totalCount } }", {"totalCount": 6}),
    "a name longer than PostgreSQL's": ("{ " + "a" * 64 + ": cities { totalCount } }", {"totalCount": 6}),
    "a long text to find": ('{ a: partnerships(text: "' + "協働" * 15_000 + '") { totalCount } }', {"totalCount": 0}),
    "a long slug": ('{ a: city(slug: "' + "a" * 90_000 + '") { slug } }', None),
    "characters of every kind": (
        '{ a: city(slug: "\u202e\U0001f38f\\u{1F38F}\\uD83C\\uDF8F\u0301\ufeff") { slug } }',
        None,
    ),
    "a list of many": ("{ a: partnerships(cities: [" + '"a",' * 1_900 + "]) { totalCount } }", {"totalCount": 0}),
    "SQL": ('{ a: city(slug: "\'; DROP TABLE tenant; --") { slug } }', None),
    "placeholders": ('{ a: city(slug: "%(x)s %s {t} {known} $1") { slug } }', None),
    "the past of all cities": (
        '{ a: cities(asOf: {moment: "0001-01-01T00:00:00Z"}) { totalCount } }',
        {"totalCount": 6},
    ),
    "no city at all": ("{ a: cities(asOf: {positions: []}) { totalCount } }", {"totalCount": 0}),
    "an impossible position": (
        '{ a: partnerships(asOf: {positions: [{city: "kiyose", position: -2147483648}]}) { totalCount } }',
        {"totalCount": 0},
    ),
}


@pytest.mark.parametrize("what", ANSWERED)
def test_a_strange_document_is_answered(served, what) -> None:
    query, expected = ANSWERED[what]
    answer = served.client.post("/graphql", json={"query": query})
    assert said(answer) == ""
    assert list(answer.json()["data"].values()) == [expected]


def test_a_request_that_is_no_text_is_refused(served) -> None:
    plain = {"content-type": "application/json"}
    for body, status, expected in (
        (b'{"query": "{ city(slug: \\"\xff\\") { slug } }"}', 400, "The body is not JSON"),
        (b'{"query": "{ city(slug: \\"\\ud800\\") { slug } }"}', 400, "The body is not JSON"),
        (
            b'{"query": "query($s: String!) { city(slug: $s) { slug } }", "variables": {"s": "\\ud800"}}',
            400,
            "not JSON",
        ),
        (b'{"query": "{ __typename }", "variables": ' + b"[" * 5_000 + b"]" * 5_000 + b"}", 400, "not JSON"),
        (b'{"query": "{ __typename }"}' + b" " * 1_000_000, 413, "1,000,027 bytes or more; at most 100,000"),
        (b'{"query": "{ city(slug: \\"' + b"a" * 1_000_000 + b'\\") { slug } }"}', 413, "at most 100,000"),
        (b"[" + b'{"query": "{ __typename }"},' * 999 + b'{"query": "{ __typename }"}]', 400, "not 1,000: batching"),
    ):
        answer = served.client.post("/graphql", content=body, headers=plain)
        assert answer.status_code == status, body[:80]
        assert expected in said(answer)
    answer = served.client.get("/graphql?query=" + "%7B" * 20_000)
    assert (answer.status_code, said(answer)) == (
        414,
        "The query string has 60,006 bytes; at most 32,000 are allowed. Send it by POST.",
    )
    assert "Syntax Error" in said(served.client.get("/graphql?query=%FF%FE%00"))


def test_variables_of_any_shape_are_refused_in_clear_words(served) -> None:
    query = "query($p: [CityPosition!], $n: Int) { partnerships(asOf: {positions: $p}, first: $n) { totalCount } }"
    deep: Any = 1
    for _ in range(200):
        deep = [deep]
    for variables in (
        {"p": deep},
        {"p": {"city": {"city": deep}}},
        {"p": [{"city": "a", "position": 1, "more": deep}]},
        {"p": [{"city": "a", "position": 10**30}]},
        {"n": 10**400},
        {"n": 1.5},
        {"n": "1" * 50_000},
        {"p": None},
    ):
        assert said(served.client.post("/graphql", json={"query": query, "variables": variables}))


_EVERYTHING = (
    "partnerships(first: 100) { edges { node { titleJa timeline { type data valid { displayJa } } parties { nameJa }"
    " proposals { number } money { yen } evaluations { side } } } }"
)
_LIST = (
    'partnerships(first: 100, text: "の", partyKind: [NPO], rejectedFor: [], fiscalYear: 2015)'
    " { totalCount pageInfo { hasNextPage } edges { node { titleJa version } } }"
)
_EVENTS = "events(first: 100) { totalCount edges { node { type data } } }"
AT_THE_LIMIT = {
    "partnerships with everything": f"{{ a: {_EVERYTHING} b: {_EVERYTHING} c: {_EVERYTHING} d: {_EVERYTHING} }}",
    "partnerships of their cities": "{ partnerships(first: 95) { edges { node { city { partnerships(first: 100)"
    " { totalCount edges { node { version } } } } } } } }",
    "fifty lists": "{" + " ".join(f"a{at}: {_LIST}" for at in range(50)) + "}",
    "events as of then": '{ cities(first: 90, asOf: {moment: "2030-01-01T00:00:00Z"}) { edges { node { '
    + _EVENTS
    + " } } } }",
}


@pytest.mark.parametrize("what", AT_THE_LIMIT)
def test_the_most_that_may_be_asked_for_is_answered_in_time(served, what) -> None:
    answer = served.client.post("/graphql", json={"query": AT_THE_LIMIT[what]})
    assert said(answer) == ""
    assert COST * 0.4 <= answer.json()["extensions"]["cost"]["objects"] <= COST
    assert answer.elapsed.total_seconds() < 5


def test_introspection_as_tools_ask_for_it_is_answered(served) -> None:
    assert said(served.client.post("/graphql", json={"query": get_introspection_query()})) == ""


def test_a_client_that_goes_away_in_the_middle_of_its_request_is_no_error_of_ours() -> None:
    async def gone() -> dict[str, str]:
        return {"type": "http.disconnect"}

    with pytest.raises(Refused, match="ended before its body did"):
        asyncio.run(body_of(Request({"type": "http", "method": "POST", "headers": []}, gone)))


def test_what_is_remembered_of_documents_is_bounded_also_in_the_plans_of_a_single_one(generated, monkeypatch) -> None:
    monkeypatch.setattr("gateway.graphql.engine.REMEMBERED", 150_000)
    engine = Engine(_SCHEMA, generated)
    for at in range(60):
        with pytest.raises(NotExecuted):
            engine.answer(f"{{ nothing{at} }}", None, None)
    assert 0 < len(engine._known) < 30
    switches = [f"s{at}" for at in range(6)]
    fields = " ".join(f"{name}: nameJa @skip(if: ${name})" for name in switches)
    given = " ".join(f"${name}: Boolean!" for name in switches)
    query = f"query ({given}) {{ cities(first: 1) {{ edges {{ node {{ {fields} slug }} }} }} }}"
    for number in range(64):
        variables = {name: bool(number >> at & 1) for at, name in enumerate(switches)}
        assert b"slug" in engine.answer(query, variables, None).data
        assert engine._bytes == sum(each.bytes() for each in engine._known.values()) <= 150_000
