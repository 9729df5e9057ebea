"""GraphQL subscriptions over server-sent events and WebSockets: what comes, when, how it is resumed and refused."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any
from uuid import UUID

import httpx
import orjson
import pytest
from fastapi import FastAPI, WebSocket
from psycopg.conninfo import conninfo_to_dict
from starlette.routing import WebSocketRoute
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from gateway.app import create_app
from gateway.graphql import over_websocket
from gateway.graphql.engine import Engine
from gateway.graphql.limits import COST
from gateway.graphql.live import Live, at_once
from gateway.graphql.route import GraphQL
from gateway.graphql.schema import SCHEMA
from gateway.rates import Rate
from gateway.seats import Seats
from gateway.watching import Watching
from projections.worker import Worker
from tenants.city_keys import CityKeys
from tenants.database import Database
from tests.gateway.event_stream import Message, messages
from tests.gateway.small_town import small_town
from tests.projections.conftest import Town

Serve = Callable[[FastAPI], httpx.Client]

STREAM = {"accept": "text/event-stream"}
PROTOCOL = "graphql-transport-ws"
WATCH = "subscription ($city: String!, $number: String, $after: Int) {"
WATCH += " timeline(city: $city, number: $number, after: $after) { position type } }"


@contextmanager
def streaming(
    client: httpx.Client, query: str, headers: dict[str, str] | None = None, **variables: Any
) -> Iterator[Any]:
    """The events of a subscription over server-sent events while it is open."""
    body = {"query": query, "variables": variables}
    with client.stream("POST", "/graphql", json=body, headers=STREAM | (headers or {}), timeout=20) as answer:
        assert answer.status_code == 200, answer.read()
        yield messages(answer.iter_lines())


def results(events: list[Message]) -> list[Any]:
    assert {each.event for each in events} <= {"next"}
    return [orjson.loads(each.data)["data"]["timeline"] for each in events]


def streamed(client: httpx.Client, query: str, count: int, **variables: Any) -> list[Any]:
    with streaming(client, query, **variables) as events:
        return results(list(islice(events, count)))


def refused(client: httpx.Client, query: str, **variables: Any) -> list[str]:
    """What a subscription over server-sent events is refused with."""
    with streaming(client, query, **variables) as events:
        told, complete = events
    assert (told.event, complete.event, complete.data) == ("next", "complete", "")
    body = orjson.loads(told.data)
    assert "data" not in body
    return [each["message"] for each in body["errors"]]


@dataclass(frozen=True)
class Socket:
    """A WebSocket as a client of graphql-transport-ws uses it."""

    connection: ClientConnection

    def say(self, **message: Any) -> None:
        self.connection.send(orjson.dumps(message).decode())

    def hear(self) -> dict[str, Any]:
        found: dict[str, Any] = orjson.loads(self.connection.recv(timeout=20))
        return found

    def begin(self) -> Socket:
        self.say(type="connection_init")
        assert self.hear() == {"type": "connection_ack"}
        return self

    def subscribe(self, id: str, query: str, **variables: Any) -> None:
        self.say(id=id, type="subscribe", payload={"query": query, "variables": variables})

    def timeline(self, id: str, count: int) -> list[Any]:
        found = [self.hear() for _ in range(count)]
        assert {(each["id"], each["type"]) for each in found} == {(id, "next")}
        return [each["payload"]["data"]["timeline"] for each in found]

    def closed(self) -> tuple[int, str]:
        """The code and reason of the end that comes next."""
        with pytest.raises(ConnectionClosed) as ended:
            self.hear()
        assert ended.value.rcvd
        return ended.value.rcvd.code, ended.value.rcvd.reason


@contextmanager
def socket(client: httpx.Client, protocol: str | None = PROTOCOL) -> Iterator[Socket]:
    url = str(client.base_url).replace("http", "ws").rstrip("/") + "/graphql"
    with connect(url, subprotocols=[protocol] if protocol else None) as connection:  # type: ignore[list-item]
        assert connection.subprotocol == (protocol if protocol == PROTOCOL else None)
        yield Socket(connection)


@pytest.fixture
def town(database: Database, keys: CityKeys, tenant: Callable[..., UUID]) -> Town:
    """A town called machi with two events, projected."""
    made = small_town(database, keys, tenant("machi"))
    Worker(database, keys).catch_up()
    return made


@pytest.fixture
def project(database: Database, keys: CityKeys) -> Callable[[], int]:
    return Worker(database, keys).catch_up


@pytest.fixture
def reader(database: Database, serve: Serve) -> httpx.Client:
    """A reader of the town."""
    return serve(create_app(database, pending_migrations=list, rate=None))


def positions(events: list[Any]) -> list[int]:
    return [each["position"] for each in events]


def test_every_event_of_a_city_comes_over_both_transports(client: httpx.Client) -> None:
    found = streamed(client, WATCH, 37, city="yamato")
    assert positions(found) == list(range(1, 38))
    with socket(client) as opened:
        opened.begin().subscribe("1", WATCH, city="yamato")
        assert opened.timeline("1", 37) == found


def test_a_partnership_can_be_watched_alone_and_resumed_by_the_last_position(client: httpx.Client) -> None:
    query = '{ partnership(city: "yamato", number: "Y3") { timeline { position type } } }'
    timeline = client.post("/graphql", json={"query": query}).json()["data"]["partnership"]["timeline"]
    wanted = sorted(timeline, key=lambda each: each["position"])
    assert streamed(client, WATCH, len(wanted), city="yamato", number="Y3") == wanted
    after = wanted[2]["position"]
    assert streamed(client, WATCH, len(wanted) - 3, city="yamato", number="Y3", after=after) == wanted[3:]


def test_the_id_of_a_streamed_event_is_its_position_and_resumes_it(client: httpx.Client) -> None:
    with streaming(client, WATCH, {"Last-Event-ID": "30"}, city="yamato", after=3) as events:
        found = list(islice(events, 7))
    assert [int(each.id) for each in found] == positions(results(found)) == list(range(31, 38))


def test_a_browser_s_event_source_can_ask_by_get(client: httpx.Client) -> None:
    query = 'subscription { timeline(city: "yamato") { position } }'
    with client.stream("GET", "/graphql", params={"query": query}, headers=STREAM) as answer:
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["access-control-allow-origin"] == "*"
        assert results(list(islice(messages(answer.iter_lines()), 1))) == [{"position": 1}]


def test_an_event_comes_when_it_is_projected(town: Town, reader: httpx.Client, project: Callable[[], int]) -> None:
    with socket(reader) as opened, streaming(reader, WATCH, city="machi", after=2) as events:
        opened.begin().subscribe("all", WATCH, city="machi")
        opened.subscribe("P2", WATCH, city="machi", number="P1", after=2)
        assert positions(opened.timeline("all", 2)) == [1, 2]
        town.give("P1", "open-consultation", topic="保育")
        project()
        told = [opened.hear() for _ in range(2)]
        assert {each["id"] for each in told} == {"all", "P2"}
        [streamed_event] = results(list(islice(events, 1)))
        assert streamed_event == {"position": 3, "type": "ConsultationOpened"}
        assert all(each["payload"]["data"]["timeline"] == streamed_event for each in told)


def test_what_is_retracted_later_is_still_sent_as_it_was_recorded(
    town: Town, reader: httpx.Client, project: Callable[[], int]
) -> None:
    selected = "position correctedBy breaks { rule } data valid { edtf }"
    query = f'subscription {{ timeline(city: "machi", after: 1) {{ {selected} }} }}'
    town.give("P1", "open-consultation", valid="2018-04", topic="保育")
    project()
    before = streamed(reader, query, 2)
    town.give("P1", "correct-event", target=1, reason="誤記", data={"valid": {"edtf": "2018-03"}})
    town.give("P1", "retract-event", target=2, reason="別の件")
    project()
    after = streamed(reader, query, 4)
    assert after[:2] == before
    assert positions(after) == [2, 3, 4, 5]
    assert {each["correctedBy"] for each in after} == {None}


EVERYTHING = """
    subscription Watching($after: Int, $with: Boolean = true) {
      ...Root
    }
    fragment Root on Subscription { t: timeline(city: "kawasaki", after: $after) { ...Event id: position ...Event } }
    fragment Event on TimelineEvent {
      __typename version place type labelJa labelEn leafHash recordedAt mode actor source correctedBy programme
      programmeVersion proof data breaks @include(if: $with) { __typename rule messageJa messageEn }
      valid { edtf earliest latest certainty label inferredFrom displayJa displayEn }
      ... on TimelineEvent { valid { from: earliest } }
    }
"""


@pytest.mark.parametrize("variables", [{}, {"after": 30}, {"with": False}])
def test_the_statement_and_the_resolvers_answer_alike(five_cities: Database, variables: dict[str, Any]) -> None:
    with five_cities.reader() as connection:
        row = connection.execute("SELECT tenant_id FROM tenant WHERE slug = 'kawasaki'").fetchone()
    assert row
    answers = [
        Engine(SCHEMA._schema, five_cities, compiled=compiled)
        .subscribed(EVERYTHING, variables, None)
        .answers(row[0], "kawasaki", range(1, 37))
        for compiled in (True, False)
    ]
    assert [len(each) for each in answers] == [36, 36]
    for compiled, resolved in zip(*answers, strict=True):
        assert compiled.errors == resolved.errors == []
        assert orjson.dumps(orjson.loads(compiled.data)) == resolved.data


def test_a_served_subscription_is_answered_alike_without_the_compiler(five_cities: Database, serve: Serve) -> None:
    app = FastAPI()
    app.include_router(GraphQL(five_cities, rate=None, compiled=False).router())
    assert positions(streamed(serve(app), WATCH, 37, city="yamato")) == list(range(1, 38))


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("subscription { timeline { position } }", "of type 'String!' is required"),
        ('subscription { timeline(city: "yamato") { nothing } }', "Cannot query field 'nothing'"),
        ('subscription { a: timeline(city: "a") { place } b: timeline(city: "b") { place } }', "only one top level"),
        ('subscription { timeline(city: "nowhere") { place } }', "No city is called 'nowhere'."),
        (
            'subscription { timeline(city: "yamato", number: "Y99") { place } }',
            "The city 'yamato' has no partnership 'Y99'.",
        ),
        ('subscription { timeline(city: "\\u0000") { place } }', "`city` holds the character U+0000"),
        ('subscription { timeline(city: "yamato", after: 9999999999) { place } }', "non 32-bit signed integer"),
        ("{ cities { totalCount } }", "Only subscriptions are answered this way; send a query by POST."),
        ('subscription { timeline(city: "yamato") { ' + "a: place " * 60 + "} }", "at most 50"),
        ('subscription ($a: Int!) { timeline(city: "yamato", after: $a) { place } }', "'$a'"),
        ("subscription {", "Syntax Error"),
    ],
)
def test_what_cannot_be_watched_is_refused_over_both_transports_alike(
    client: httpx.Client, query: str, message: str
) -> None:
    told = refused(client, query)
    assert any(message in each for each in told), told
    with socket(client) as opened:
        opened.begin().subscribe("1", query)
        error = opened.hear()
        assert (error["id"], error["type"]) == ("1", "error")
        assert [each["message"] for each in error["payload"]] == told
        opened.subscribe("1", WATCH, city="yamato", after=36)
        assert positions(opened.timeline("1", 1)) == [37]


def test_a_subscription_is_not_answered_as_a_query(client: httpx.Client) -> None:
    answer = client.post("/graphql", json={"query": 'subscription { timeline(city: "yamato") { position } }'})
    assert answer.status_code == 406
    assert "text/event-stream" in answer.json()["errors"][0]["message"]


def test_a_last_event_id_that_is_no_position_is_refused(client: httpx.Client) -> None:
    answer = client.post("/graphql", json={"query": WATCH}, headers=STREAM | {"Last-Event-ID": "x"})
    assert answer.status_code == 400


def test_a_database_that_does_not_answer_is_told(nowhere: httpx.Client) -> None:
    assert refused(nowhere, WATCH, city="yamato") == ["The database does not answer; try again shortly."]


def test_what_goes_wrong_inside_stays_inside(
    town: Town, database: Database, reader: httpx.Client, project: Callable[[], int]
) -> None:
    with streaming(reader, WATCH, city="machi", after=2) as events:
        town.give("P1", "open-consultation", topic="保育")
        with database.owner() as owner:
            owner.execute(f"REVOKE SELECT ON read_model.timeline FROM {conninfo_to_dict(database.urls.reader)['user']}")
        project()
        told, complete = events
    assert orjson.loads(told.data) == {"errors": [{"message": "Something went wrong here; it has been logged."}]}
    assert complete.event == "complete"


@pytest.mark.parametrize(
    ("messages_before", "code", "reason"),
    [
        (["nonsense"], 4400, "Invalid message: it is not JSON"),
        (["[]"], 4400, "Invalid message: it is no object with a type"),
        (['{"type": 1}'], 4400, "Invalid message: it is no object with a type"),
        (['{"type": "hello"}'], 4400, "Invalid message: no message has the type hello"),
        (['{"type": "' + "hello" * 100 + '"}'], 4400, "Invalid message: no message has the type " + "hello" * 16),
        (['{"type": "subscribe", "id": "1"}'], 4401, "Unauthorized: say connection_init first"),
        (['{"type": "connection_init"}'] * 2, 4429, "Too many initialisation requests"),
        (['{"type": "connection_init"}', '{"type": "subscribe"}'], 4400, "Invalid message: its id is not a string"),
        (['{"type": "connection_init"}', '{"type": "complete", "id": 1}'], 4400, "Invalid message: its id"),
        (['{"type": "' + " " * 100_001 + '"}'], 1009, "The message has 100,013 characters; at most 100,000"),
    ],
)
def test_who_does_not_keep_to_the_protocol_is_cut_off(
    client: httpx.Client, messages_before: list[str], code: int, reason: str
) -> None:
    with socket(client) as opened:
        for each in messages_before:
            opened.connection.send(each)
        if messages_before[0] == '{"type": "connection_init"}':
            assert opened.hear() == {"type": "connection_ack"}
        found = opened.closed()
        assert found[0] == code
        assert found[1].startswith(reason)


def test_binary_messages_are_none_of_the_protocol(client: httpx.Client) -> None:
    with socket(client) as opened:
        opened.connection.send(b'{"type": "connection_init"}')
        assert opened.closed()[0] == 4400


@pytest.mark.parametrize("protocol", [None, "graphql-ws"])
def test_another_subprotocol_is_not_acceptable(client: httpx.Client, protocol: str | None) -> None:
    with socket(client, protocol) as opened:
        assert opened.closed() == (4406, "Subprotocol not acceptable: ask for graphql-transport-ws")


def test_who_does_not_begin_in_time_is_cut_off(five_cities: Database, serve: Serve) -> None:
    live = Live(Engine(SCHEMA._schema, five_cities), Watching(five_cities), lambda error: dict(error.formatted))

    async def hurried(websocket: WebSocket) -> None:
        await over_websocket.serve(live, websocket, lambda: None, init=0.2)

    app = FastAPI(routes=[WebSocketRoute("/graphql", hurried)])
    with socket(serve(app)) as opened:
        opened.say(type="ping")
        assert opened.hear() == {"type": "pong"}
        assert opened.closed() == (4408, "Connection initialisation timeout")


def test_pings_are_answered_and_pongs_are_not(client: httpx.Client) -> None:
    with socket(client) as opened:
        opened.begin()
        opened.say(type="pong")
        opened.say(type="ping", payload={"any": "thing"})
        assert opened.hear() == {"type": "pong"}


def test_an_id_is_taken_until_its_subscription_is_completed(client: httpx.Client) -> None:
    with socket(client) as opened:
        opened.begin().subscribe("1", WATCH, city="yamato", after=36)
        assert positions(opened.timeline("1", 1)) == [37]
        opened.say(id="1", type="complete")
        opened.say(id="unknown", type="complete")
        opened.subscribe("1", WATCH, city="okayama", after=47)
        assert positions(opened.timeline("1", 1)) == [48]
        opened.subscribe("1", WATCH, city="yamato")
        assert opened.closed() == (4409, "Subscriber for 1 already exists")


def test_a_connection_holds_so_many_subscriptions(client: httpx.Client) -> None:
    with socket(client) as opened:
        opened.begin()
        for number in range(over_websocket.SUBSCRIPTIONS):
            opened.subscribe(str(number), WATCH, city="yamato", after=37)
        opened.subscribe("more", WATCH, city="yamato")
        error = opened.hear()
        assert (error["id"], error["type"]) == ("more", "error")
        assert error["payload"][0]["message"].startswith("This connection holds 10 subscriptions")
        opened.say(id="0", type="complete")
        opened.subscribe("more", WATCH, city="yamato", after=36)
        assert positions(opened.timeline("more", 1)) == [37]


def test_a_payload_that_is_no_request_is_refused_alone(client: httpx.Client) -> None:
    with socket(client) as opened:
        opened.begin()
        for payload in (None, [], {"query": 1}, {"query": WATCH, "variables": []}, {}):
            opened.say(id="1", type="subscribe", payload=payload)
            assert opened.hear()["type"] == "error"


def test_each_subscription_counts_as_a_request(five_cities: Database, serve: Serve) -> None:
    client = serve(create_app(five_cities, pending_migrations=list, rate=Rate(2, 60)))
    with socket(client) as opened:
        opened.begin()
        for number in "123":
            opened.subscribe(number, WATCH, city="yamato", after=36)
        told = [opened.hear() for _ in range(3)]
        assert sorted((each["id"], each["type"]) for each in told) == [("1", "next"), ("2", "next"), ("3", "error")]
    with client.stream("POST", "/graphql", json={"query": WATCH}, headers=STREAM) as answer:
        assert answer.status_code == 429
        assert answer.headers["retry-after"]


def test_sockets_and_streams_share_the_seats_of_a_client(five_cities: Database, serve: Serve) -> None:
    seats = Seats(in_all=9, for_a_client=1)
    app = FastAPI()
    app.include_router(GraphQL(five_cities, watching=Watching(five_cities, seats)).router())
    client = serve(app)
    with socket(client) as opened:
        opened.begin()
        answer = client.post("/graphql", json={"query": WATCH}, headers=STREAM)
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "30")
        with pytest.raises(InvalidStatus) as denied, socket(client):
            pass
        assert denied.value.response.status_code == 429
        assert b"1 connections open" in denied.value.response.body
    deadline = time.monotonic() + 10
    while seats.taken and time.monotonic() < deadline:
        time.sleep(0.02)
    with socket(client) as opened:
        opened.begin()


@pytest.mark.parametrize(("cost", "answers"), [(0, 100), (1, 100), (COST // 100, 100), (COST // 10, 10), (COST, 1)])
def test_fewer_events_are_asked_for_at_once_where_each_costs_more(cost: int, answers: int) -> None:
    assert at_once(cost) == answers


def test_a_client_that_hangs_up_while_it_is_answered_leaves_no_error_behind(five_cities: Database) -> None:
    """As a server says it: sending fails with an OSError, and only later comes the message of the disconnection."""
    live = Live(Engine(SCHEMA._schema, five_cities), Watching(five_cities), lambda error: dict(error.formatted))
    subscribe = {"type": "subscribe", "payload": {"query": WATCH, "variables": {"city": "yamato"}}}
    said = [{"type": "connection_init"}, *({"id": name, **subscribe} for name in "12")]
    unheard: list[dict[str, Any]] = []

    async def hang_up() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: unheard.append(context))
        to_come = iter([{"type": "websocket.connect"}, *({"type": "websocket.receive", "text": t} for t in texts)])
        tried = asyncio.Event()

        async def receive() -> Any:
            for message in to_come:
                return message
            await tried.wait()
            await asyncio.sleep(0.2)  # The other subscription finds out as well.
            return {"type": "websocket.disconnect", "code": 1006}

        async def send(message: Any) -> None:
            if '"next"' in message.get("text", ""):
                assert not tried.is_set()  # Once is enough to know.
                tried.set()
                raise OSError("the client is gone")

        scope = {"type": "websocket", "path": "/graphql", "headers": [], "subprotocols": [PROTOCOL], "client": ("c", 1)}
        await over_websocket.serve(live, WebSocket(scope, receive, send), lambda: None)
        gc.collect()

    texts = [orjson.dumps(message).decode() for message in said]
    asyncio.run(hang_up())
    gc.collect()
    assert not unheard
