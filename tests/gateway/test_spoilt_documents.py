"""Thousands of documents that are wrong in every way: nothing of them breaks the service, or stays behind in it.

`make soak` sends many more of them; its seed, which it prints, can be given again as DRILL_SEED.
"""

from __future__ import annotations

import json
import os
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from graphql import introspection_from_schema
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis_graphql import nodes

from gateway.graphql.engine import Engine
from gateway.graphql.schema import SCHEMA
from tests.gateway.documents import Asked, documents
from tests.gateway.standing import Standing

BROKEN = "Something went wrong here"
_SCHEMA = SCHEMA._schema
_STRANGE = ["\0", "\u202e", "\U0001f38f", "\ufeff", '"', "{", "}", "$", "@skip(if: true)", "...", "#", "\\", "null"]

Spoil = Callable[[random.Random, httpx.Client, str], httpx.Response]
"""Sends a document that it has spoilt."""


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


SPOILT: list[Spoil] = [_other_character, _cut, _repeated, _flipped, _with_variables, _by_get, _garbled]


def as_it_is(client: httpx.Client, asked: Asked) -> Iterator[httpx.Response]:
    """The answers to a document, to the same once it is remembered, and with other variables."""
    for variables in (*asked.variables[:1], *asked.variables):
        yield _post(client, asked.query, variables=variables, operationName=asked.operation)


def invented() -> st.SearchStrategy[Asked]:
    """Documents of schemathesis, valid and invalid ones, whose values stand nowhere."""
    for name, values in (
        ("Date", ("2015-04-01", "0000-00-00", "")),
        ("DateTime", ("2015-04-01T00:00:00Z", "2015-04-01T00:00:00", "9999-12-31T23:59:59-23:59")),
    ):
        schemathesis.graphql.scalar(name, st.sampled_from(values).map(nodes.String))
    known = schemathesis.graphql.from_dict(introspection_from_schema(_SCHEMA))
    each = st.one_of([known.as_strategy(generation_mode=mode) for mode in schemathesis.GenerationMode])
    return each.map(lambda case: Asked(case.body, None, [{}]))


def plausible(database: Any) -> st.SearchStrategy[Asked]:
    """Valid documents over what stands in the database."""
    return documents(_SCHEMA, Standing.of(Engine(_SCHEMA, database), _SCHEMA))


def send(served: Any, asking: st.SearchStrategy[Asked], at: int, many: int) -> Counter[str]:
    """Send so many documents, each as it is and in every spoilt form; returns how many requests were answered how."""
    dice, counts = random.Random(at), Counter[str]()

    @seed(at)
    @settings(
        max_examples=many,
        database=None,
        deadline=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(asking)
    def sent(asked: Asked) -> None:
        spoilt = (spoil(dice, served.client, asked.query) for spoil in SPOILT)
        for answer in (*as_it_is(served.client, asked), *spoilt):
            assert answer.status_code < 500, (asked.query, answer.request.content, answer.text)
            found = answer.json()
            wrong = [error["message"] for error in found.get("errors", [])]
            assert not any(BROKEN in each for each in wrong), (asked.query, answer.request.content, answer.text)
            assert all(wrong) if wrong else "data" in found
            counts["requests"] += 1
            counts[f"{answer.status_code} {'refused' if wrong else 'answered'}"] += 1

    sent()
    return counts


def test_no_invented_or_spoilt_document_breaks_the_service(served, generated) -> None:
    counts = send(served, invented(), 1, 180) + send(served, plausible(generated), 2, 140)
    assert counts["requests"] >= 3_000, counts
    assert counts["200 answered"] >= 300, counts


@pytest.mark.soak
def test_a_hundred_thousand_requests_break_nothing_and_leave_nothing_behind(served, generated) -> None:
    start = int(os.environ.get("DRILL_SEED") or random.randrange(1 << 30))
    print(f"\nDRILL_SEED={start}")
    asking = (invented(), plausible(generated))
    total: Counter[str] = Counter()
    began = time.monotonic()
    warm = batch = 0
    while total["requests"] < 100_000:
        total += send(served, asking[batch % 2], start + batch, 250)
        batch += 1
        passed = f"{total['requests']:,} requests after {time.monotonic() - began:,.0f} s"
        print(f"{passed}, {served.resident / 1e6:,.0f} MB: {dict(total)}", flush=True)
        # By then it remembers as many documents as it ever will.
        if not warm and total["requests"] >= 20_000:
            warm = served.resident
    assert served.resident <= warm * 1.2
