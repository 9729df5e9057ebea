"""What GraphQL does over HTTP beside answering: caches, other sites' pages, trusted documents, sizes and rates."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from fastapi import FastAPI

from gateway.app import create_app
from gateway.graphql.asked import GRAPHQL, JSON, newer
from gateway.graphql.route import GraphQL
from gateway.rates import Limiter, Rate, client_of
from projections.rebuild import rebuild
from projections.worker import Worker
from tenants.registry import register

CITIES = {"query": "{ cities { edges { node { slug } } } }"}
PLAIN = {"content-type": "application/json"}


def served(serve: Callable[[FastAPI], httpx.Client], database: Any, rate: Rate | None = None) -> httpx.Client:
    """A reader of the routes alone."""
    app = FastAPI()
    app.include_router(GraphQL(database, rate=rate).router())
    return serve(app)


@pytest.fixture
def statements(monkeypatch) -> list[str]:
    """Every statement that this process sends."""
    sent: list[str] = []
    execute = psycopg.Connection.execute

    def keeping(connection: Any, query: Any, *arguments: Any, **options: Any) -> Any:
        sent.append(str(query))
        return execute(connection, query, *arguments, **options)

    monkeypatch.setattr(psycopg.Connection, "execute", keeping)
    return sent


# --- caches --------------------------------------------------------------------------------------------------------


def test_an_answer_by_get_is_kept_for_a_moment_and_confirmed_by_its_tag_without_running_the_query(
    client, statements
) -> None:
    first = client.get("/graphql", params=CITIES)
    assert first.headers["cache-control"] == "public, max-age=2"
    assert first.headers["vary"] == "Accept"
    tag = first.headers["etag"]
    for known in (tag, f"W/{tag}", f'"other", {tag}'):
        statements.clear()
        again = client.get("/graphql", params=CITIES, headers={"if-none-match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        assert again.headers["cache-control"] == "public, max-age=2"
        assert len(statements) == 1
        assert "tracking" in statements[0]
    assert client.get("/graphql", params=CITIES, headers={"if-none-match": '"other"'}).json() == first.json()


def test_the_tag_differs_by_what_is_asked_and_by_media_type(client) -> None:
    tags = [
        client.get("/graphql", params=params, headers={"accept": accept}).headers["etag"]
        for params in (CITIES, {"query": "{ cities { edges { node { nameJa } } } }"}, CITIES | {"variables": '{"a":1}'})
        for accept in (JSON, GRAPHQL)
    ]
    assert len(set(tags)) == 6


def test_the_tag_changes_with_every_city_s_position_and_with_the_tables_that_answer(
    database, keys, tenant, serve, tmp_path
) -> None:
    reader = served(serve, database)

    def tag() -> str:
        found: str = reader.get("/graphql", params=CITIES).headers["etag"]
        return found

    seen = [tag()]
    assert tag() == seen[0]
    tenant("some-city")
    seen.append(tag())
    register(database, keys, Path(str(files("tenants").joinpath("kiyose"))))
    seen.append(tag())
    Worker(database, keys).catch_up()
    seen.append(tag())
    rebuild(database.urls.owner, keys.folder)
    seen.append(tag())
    assert len(set(seen)) == len(seen)
    assert tag() == seen[-1]


def test_errors_and_answers_by_post_are_not_kept(client) -> None:
    answers = [
        client.get("/graphql", params={"query": "{ nothing }"}),
        client.get("/graphql", params={"query": "{ a: partnerships(first: 1) { totalCount } city(slug: 1) { id } }"}),
        client.get("/graphql", params={"query": "{ cities { slug partnerships(first: 0) { totalCount } } }"}),
        client.get("/graphql"),
        client.post("/graphql", json=CITIES),
        client.post("/graphql", content=b"{", headers=PLAIN),
    ]
    for answer in answers:
        assert answer.headers["cache-control"] == "no-store"
        assert "etag" not in answer.headers


def test_head_answers_as_get_without_the_body(client) -> None:
    got, headed = client.get("/graphql", params=CITIES), client.head("/graphql", params=CITIES)
    assert (headed.status_code, headed.content) == (200, b"")
    for name in ("etag", "content-type", "content-length", "cache-control"):
        assert headed.headers[name] == got.headers[name]


# --- pages of other sites ------------------------------------------------------------------------------------------


def test_any_site_s_page_may_read_but_not_with_a_reader_s_credentials(client) -> None:
    allowed = client.options(
        "/graphql",
        headers={
            "origin": "https://example.org",
            "access-control-request-method": "POST",
            "access-control-request-headers": "content-type",
        },
    )
    assert allowed.status_code == 204
    assert allowed.headers["access-control-allow-origin"] == "*"
    assert {"GET", "POST"} <= set(allowed.headers["access-control-allow-methods"].split(", "))
    assert "content-type" in allowed.headers["access-control-allow-headers"].lower()
    assert "access-control-allow-credentials" not in allowed.headers


def test_every_answer_lets_other_sites_read_its_tag_and_its_rate(client, nowhere) -> None:
    answers = [
        (200, client.get("/graphql", params=CITIES)),
        (200, client.post("/graphql", json=CITIES)),
        (400, client.post("/graphql", content=b"{", headers=PLAIN)),
        (413, client.post("/graphql", content=b" " * 200_000, headers=PLAIN)),
        (415, client.post("/graphql", content=b"{}")),
        (503, nowhere.post("/graphql", json=CITIES)),
        (503, nowhere.get("/graphql", params=CITIES)),
    ]
    for status, answer in answers:
        assert answer.status_code == status
        assert answer.headers["access-control-allow-origin"] == "*"
        exposed = set(answer.headers["access-control-expose-headers"].split(", "))
        assert exposed == {"ETag", "RateLimit", "RateLimit-Policy", "Retry-After"}
        assert re.fullmatch(r'"client";q=\d+;w=60', answer.headers["ratelimit-policy"])
        assert status == 200 or answer.json()["errors"][0]["message"]


# --- trusted documents ---------------------------------------------------------------------------------------------


def test_the_documents_that_are_shipped_are_listed_and_answer_by_their_id(client) -> None:
    listed = client.get("/graphql/documents").json()["documents"]
    assert {"Rejections", "Search", "Sources"} <= {each["operationName"] for each in listed}
    for each in listed:
        assert each["documentId"] == f"sha256:{hashlib.sha256(each['query'].encode()).hexdigest()}"
        assert each["about"]
        by_id = {"documentId": each["documentId"]}
        whole = client.post("/graphql", json={"query": each["query"]}).json()
        assert "errors" not in whole
        assert client.get("/graphql", params=by_id).json() == whole
        assert client.post("/graphql", json=by_id | {"operationName": each["operationName"]}).json() == whole


def test_a_browser_that_follows_a_document_s_address_gets_its_answer(client) -> None:
    (first, *_) = client.get("/graphql/documents").json()["documents"]
    answer = client.get("/graphql", params={"documentId": first["documentId"]}, headers={"accept": "text/html"})
    assert answer.json()["data"]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"documentId": "sha256:" + "0" * 64}, "/graphql/documents lists those there are"),
        ({"documentId": "x"}, "/graphql/documents lists those there are"),
        ({"documentId": ""}, "/graphql/documents lists those there are"),
        ({"documentId": 5}, "`documentId` is not a string"),
        ({"documentId": "x", "query": "{ __typename }"}, "not both"),
        ([CITIES, CITIES], "Send 1 operation at a time, not 2: batching is off."),
    ],
)
def test_unknown_documents_and_batches_are_refused_in_clear_words(client, asked, said) -> None:
    answer = client.post("/graphql", json=asked)
    assert answer.status_code == 400
    assert said in answer.json()["errors"][0]["message"]


# --- sizes, methods, media types -----------------------------------------------------------------------------------


def test_a_request_that_is_too_long_is_told_how_long_it_is_and_may_be(client) -> None:
    def piecemeal() -> Iterator[bytes]:
        for _ in range(30):
            yield b" " * 10_000

    stated = client.post("/graphql", content=b" " * 250_000, headers=PLAIN)
    assert stated.status_code == 413
    said = stated.json()["errors"][0]["message"]
    assert said == "The request has 250,000 bytes or more; at most 100,000 are allowed."
    unstated = client.post("/graphql", content=piecemeal(), headers=PLAIN)
    assert unstated.status_code == 413
    assert "at most 100,000 are allowed" in unstated.json()["errors"][0]["message"]
    address = client.get("/graphql", params={"query": "a" * 40_000})
    assert address.status_code == 414
    said = address.json()["errors"][0]["message"]
    assert said == "The query string has 40,006 bytes; at most 32,000 are allowed. Send it by POST."


@pytest.mark.parametrize(
    "body",
    [
        b'{"query":"{__typename}","variables":{"a":' + b"[" * 900 + b"]" * 900 + b"}}",
        b'{"query":"{__typename}","variables":{"a":' + b"[" * 5_000 + b"]" * 5_000 + b"}}",
        b'{"query":"\\ud800"}',
        b'{"query":"{ city(slug: \\"\\\\ud800\\") { slug } }"}',
        b'{"query":"{ city(slug: \\"\\u0000\\") { slug } }"}',
        b'{"query":"{ partnerships(first: 99999999999999999999) { totalCount } }"}',
        b'{"query":"query($n:Int){partnerships(first:$n){totalCount}}","variables":{"n":1e400}}',
        b'{"query":"query($n:ID!){node(id:$n){id}}","variables":{"n":"' + b"A" * 90_000 + b'"}}',
        b'{"query":"' + b"{a" * 20_000 + b'"}',
    ],
)
def test_hostile_bodies_are_answered_or_refused_and_break_nothing(client, body) -> None:
    answer = client.post("/graphql", content=body, headers=PLAIN)
    assert answer.status_code in {200, 400}
    assert answer.json().keys() <= {"data", "errors", "extensions"}


def test_a_mutation_by_get_is_no_allowed_method(client) -> None:
    for operation in ("mutation", "subscription"):
        answer = client.get("/graphql", params={"query": f"{operation} {{ __typename }}"})
        assert answer.status_code == 405
        assert answer.headers["allow"] == "POST"
        assert answer.json()["errors"][0]["message"].startswith(f"A {operation} cannot be sent by GET")
    assert client.delete("/graphql").status_code == 405


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", False),
        ("*/*", False),
        (JSON, False),
        (GRAPHQL, True),
        (f"{GRAPHQL};charset=utf-8", True),
        (f"{GRAPHQL}, {JSON};q=0.9", True),
        (f"{JSON}, {GRAPHQL}", True),
        (f"{JSON};q=0.9, {GRAPHQL};q=0.8", False),
        (f"{GRAPHQL};q=0, {JSON}", False),
        (f"{GRAPHQL};q=nonsense", False),
        (f"text/html, {GRAPHQL.upper()} ; q = 0.5", True),
    ],
)
def test_the_media_type_is_the_one_that_the_reader_prefers(accept, expected) -> None:
    assert newer(accept) is expected


# --- rates ---------------------------------------------------------------------------------------------------------


def test_whoever_asks_too_often_is_told_the_limit_and_when_to_come_back(five_cities, serve) -> None:
    reader = served(serve, five_cities, Rate(3, 60))
    left = []
    for _ in range(3):
        answer = reader.post("/graphql", json=CITIES)
        assert answer.status_code == 200
        left.append(answer.headers["ratelimit"].partition("r=")[2][0])
    assert left == ["2", "1", "0"]
    refused = reader.get("/graphql", params=CITIES, headers={"accept": GRAPHQL})
    assert refused.status_code == 429
    wait = int(refused.headers["retry-after"])
    assert 15 < wait <= 20
    assert refused.headers["ratelimit-policy"] == '"client";q=3;w=60'
    assert refused.headers["ratelimit"].startswith('"client";r=0;t=')
    assert refused.headers["cache-control"] == "no-store"
    assert refused.headers["access-control-allow-origin"] == "*"
    assert refused.headers["content-type"].startswith(GRAPHQL)
    assert refused.json() == {
        "errors": [
            {
                "message": "This address has asked 3 times in 60 seconds, which is all that one may;"
                f" ask again in {wait} s."
            }
        ]
    }
    # Behind a proxy on the same machine, the server takes the reader's own address from it.
    other = reader.post("/graphql", json=CITIES, headers={"x-forwarded-for": "192.0.2.7"})
    assert other.status_code == 200
    assert reader.options("/graphql").status_code == 204


def test_without_a_rate_nobody_is_counted(five_cities, serve) -> None:
    answer = served(serve, five_cities).post("/graphql", json=CITIES)
    assert "ratelimit" not in answer.headers


def test_requests_are_given_back_evenly() -> None:
    now = 0.0
    limiter = Limiter(Rate(requests=4, seconds=8), lambda: now)
    assert [limiter.ask("a").remaining for _ in range(4)] == [3, 2, 1, 0]
    refused = limiter.ask("a")
    assert (refused.remaining, refused.reset, refused.wait) == (0, 8, 2)
    assert limiter.ask("b").remaining == 3
    now = 2.0
    assert limiter.ask("a").wait == 0
    assert limiter.ask("a").wait == 2
    now = 100.0
    assert limiter.ask("a").remaining == 3


def test_clients_that_are_long_gone_are_forgotten_and_no_more_are_remembered_than_may_be() -> None:
    now = 0.0
    limiter = Limiter(Rate(requests=2, seconds=10), lambda: now, most=100)
    for number in range(1_000):
        limiter.ask(str(number))
    assert len(limiter._given_back) == 100
    assert limiter.ask("999").remaining == 0
    now = 20.0
    for number in range(60):
        limiter.ask(f"later {number}")
    assert len(limiter._given_back) == 60


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("testclient", "testclient"),
        (None, ""),
    ],
)
def test_a_client_is_an_ipv4_address_or_an_ipv6_network_of_one_subscriber(address, expected) -> None:
    assert client_of(address) == expected


def test_an_error_of_ours_is_answered_without_what_it_was(five_cities, serve, monkeypatch) -> None:
    async def broken(*_: object) -> None:
        raise ValueError("a secret")

    monkeypatch.setattr(GraphQL, "answer", broken)
    answer = serve(create_app(five_cities, pending_migrations=list)).post("/graphql", json={"query": "{ __typename }"})
    assert answer.status_code == 500
    assert answer.json() == {"type": "about:blank", "title": "Internal Server Error", "status": 500}
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
