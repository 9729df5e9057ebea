"""Documents that mean harm: each is answered or refused in clear words, soon, and leaves nothing behind.

`make soak` sends many more of them; its seed, which it prints, can be given again as DRILL_SEED.
"""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from graphql import get_introspection_query, introspection_from_schema
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis_graphql import nodes

from gateway.graphql.limits import ALIASES, COST, DEPTH, FIELDS, REPEATS, TOKENS
from gateway.graphql.schema import SCHEMA

ROOT = Path(__file__).resolve().parents[2]
BROKEN = "Something went wrong here"
SOON = 2.0
"""Seconds in which a document is refused, on a machine that has other things to do as well."""


@dataclass(frozen=True)
class Served:
    """GraphQL in a process of its own, with no limit on how often one may ask."""

    client: httpx.Client
    pid: int

    @property
    def resident(self) -> int:
        """Bytes of memory that the process holds now."""
        pages = Path(f"/proc/{self.pid}/statm").read_text(encoding="ascii").split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")


@pytest.fixture(scope="module")
def served(generated) -> Iterator[Served]:
    """The invented towns behind a process of their own."""
    command = [sys.executable, "-m", "tests.benchmarks.serving", generated.urls.reader, "compiled"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline())
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
                yield Served(client, process.pid)
        finally:
            process.terminate()


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
        "Expected value of type 'CityPosition' to include required field \"city\"",
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
        "{ partnerships(first: 100) { edges { node { city { partnerships(first: 100) { edges { node { number } } } } } } } }",
        f"may hold 10,300 objects; at most {COST:,}",
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
        "is never used in operation",
    ),
    "conflicts": (
        "{" + " ".join(f"a: cities(first: {at}) {{ totalCount }}" for at in range(1, 50)) + "}",
        "Fields 'a' conflict because they have differing arguments",
    ),
    "a position of no type": ('{ event(city: "a", position: 1e400) { type } }', "cannot represent"),
    "a null byte in a text": ('{ city(slug: "a\\u0000") { slug } }', "`slug` holds the character U+0000"),
    "a null byte in the document": ("{ city\0 { slug } }", "Invalid character: U+0000"),
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


AT_THE_LIMIT = {
    "partnerships with everything": "{ partnerships(first: 100) { edges { node { titleJa timeline { type data valid {"
    " displayJa } } parties { nameJa } proposals { number } money { yen } evaluations { side } } } } }",
    "cities of partnerships of cities": "{ partnerships(first: 95) { edges { node { city { partnerships(first: 100) {"
    " totalCount edges { node { version } } } } } } } }",
    "fifty lists": "{"
    + " ".join(
        f'a{at}: partnerships(first: 100, text: "の{at % 10}", partyKind: [NPO], rejectedFor: [], fiscalYear: 20{10 + at % 10})'
        " { totalCount pageInfo { hasNextPage } edges { node { titleJa version } } }"
        for at in range(48)
    )
    + "}",
    "events as of then": '{ cities(first: 90, asOf: {moment: "2030-01-01T00:00:00Z"}) { edges { node { events(first: 100) {'
    " totalCount edges { node { type data } } } } } } }",
}


@pytest.mark.parametrize("what", AT_THE_LIMIT)
def test_the_most_that_may_be_asked_for_is_answered_in_time(served, what) -> None:
    answer = served.client.post("/graphql", json={"query": AT_THE_LIMIT[what]})
    assert said(answer) == ""
    assert COST * 0.3 <= answer.json()["extensions"]["cost"]["objects"] <= COST
    assert answer.elapsed.total_seconds() < 5


def test_introspection_as_tools_ask_for_it_is_answered(served) -> None:
    assert said(served.client.post("/graphql", json={"query": get_introspection_query()})) == ""


# --- many --------------------------------------------------------------------------------------------------------

Spoil = Callable[[random.Random, httpx.Client, str], httpx.Response]
_STRANGE = [
    "\0",
    "\u202e",
    "\U0001f38f",
    "\ufeff",
    '"',
    "{",
    "}",
    "$",
    "@skip(if: true)",
    "...",
    "#",
    "\\",
    "null",
    "-1",
]


def _post(client: httpx.Client, query: str, **more: Any) -> httpx.Response:
    return client.post("/graphql", json={"query": query, **more})


def _other_character(dice: random.Random, client: httpx.Client, query: str) -> httpx.Response:
    at = dice.randrange(len(query))
    return _post(client, query[:at] + dice.choice(_STRANGE) + query[at + 1 :])


def _cut(dice: random.Random, client: httpx.Client, query: str) -> httpx.Response:
    return _post(client, query[: dice.randrange(len(query))])


def _repeated(dice: random.Random, client: httpx.Client, query: str) -> httpx.Response:
    begin = dice.randrange(len(query))
    piece = query[begin : begin + dice.randrange(1, 80)]
    return _post(client, query[:begin] + piece * dice.randrange(2, 60) + query[begin:])


def _flipped(dice: random.Random, client: httpx.Client, query: str) -> httpx.Response:
    body = bytearray(json.dumps({"query": query}).encode())
    for _ in range(dice.randrange(1, 4)):
        body[dice.randrange(len(body))] = dice.randrange(256)
    return client.post("/graphql", content=bytes(body), headers={"content-type": "application/json"})


def _with_variables(dice: random.Random, client: httpx.Client, query: str) -> httpx.Response:
    value = dice.choice([None, [], {}, "\0", 10**30, -1, 0.1, [[1]], {"city": 1}, True])
    text = re.sub(r': (-?\d+|".*?"|null)', ": $v", query, count=1)
    kind = dice.choice(["Int", "String", "String!", "[String!]", "AsOf", "ID!", "Nothing"])
    return _post(client, f"query($v: {kind}) {text.removeprefix('query')}", variables={"v": value})


def _by_get(dice: random.Random, client: httpx.Client, query: str) -> httpx.Response:
    return client.get(
        "/graphql", params={"query": query[:9_000], "variables": dice.choice(["", "{}", "{", "[]", "\0"])}
    )


def _garbled(dice: random.Random, client: httpx.Client, query: str) -> httpx.Response:
    return client.get(f"/graphql?query={''.join(f'%{dice.randrange(256):02x}' for _ in query[:200])}")


SPOILT: list[Spoil] = [
    lambda _, client, query: _post(client, query),
    lambda _, client, query: _post(client, query),  # now it is remembered
    _other_character,
    _cut,
    _repeated,
    _flipped,
    _with_variables,
    _by_get,
    _garbled,
]


def send(served: Served, at: int, documents: int) -> Counter[str]:
    """Send so many documents, each in every spoilt form, and return how many requests were answered how."""
    invented = {
        name: st.sampled_from(values).map(nodes.String)
        for name, values in (
            ("Date", ("2015-04-01", "0000-00-00", "")),
            ("DateTime", ("2015-04-01T00:00:00Z", "2015-04-01T00:00:00", "9999-12-31T23:59:59-23:59")),
        )
    }
    for name, strategy in invented.items():
        schemathesis.graphql.scalar(name, strategy)
    known = schemathesis.graphql.from_dict(introspection_from_schema(SCHEMA._schema))
    modes = list(schemathesis.GenerationMode)
    written = st.one_of([known.as_strategy(generation_mode=mode) for mode in modes])
    dice, counts = random.Random(at), Counter[str]()

    @seed(at)
    @settings(
        max_examples=documents,
        database=None,
        deadline=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(written)
    def sent(case: Any) -> None:
        for spoil in SPOILT:
            answer = spoil(dice, served.client, case.body)
            assert answer.status_code < 500, (case.body, answer.text)
            wrong = said(answer)
            assert BROKEN not in wrong, (case.body, spoil, answer.text)
            assert wrong or "data" in answer.json()
            counts["requests"] += 1
            counts[f"{answer.status_code} {'refused' if wrong else 'answered'}"] += 1

    sent()
    return counts


def test_no_invented_or_spoilt_document_breaks_the_service(served) -> None:
    counts = send(served, 1, 340)
    assert counts["requests"] >= 3_000, counts
    assert counts["200 answered"] >= 200, counts


@pytest.mark.soak
def test_a_hundred_thousand_requests_break_nothing_and_leave_nothing_behind(served) -> None:
    start = int(os.environ.get("DRILL_SEED") or random.randrange(1 << 30))
    print(f"\nDRILL_SEED={start}")
    total: Counter[str] = Counter()
    began, batch = time.monotonic(), 0
    warm = 0
    while total["requests"] < 100_000:
        total += send(served, start + batch, 250)
        batch += 1
        print(
            f"{total['requests']:,} requests after {time.monotonic() - began:,.0f} s,"
            f" {served.resident / 1e6:,.0f} MB: {dict(total)}",
            flush=True,
        )
        if not warm and total["requests"] >= 20_000:
            warm = served.resident
    assert served.resident <= warm * 1.25 + 20_000_000
