"""/events/<city>: the log as CloudEvents over server-sent events, each once and in order, whatever happens between."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import date, datetime
from itertools import islice
from typing import Any
from uuid import UUID

import httpx
import orjson
import pytest
from fastapi import FastAPI

from domain.commands import BY_EVENT
from gateway.app import create_app
from gateway.feed import Feed
from gateway.rates import Rate
from gateway.seats import Seats
from gateway.watching import Watching
from projections.read_model import OPEN_POSITION
from projections.worker import Worker
from tenants.city_keys import CityKeys
from tenants.custody import withdraw
from tenants.database import Database, Role, connect
from tests.conftest import Server
from tests.gateway.event_stream import Message, messages
from tests.gateway.small_town import small_town
from tests.projections.conftest import Town

Serve = Callable[[FastAPI], httpx.Client]

PROBLEM = "application/problem+json"
TYPE = re.compile(r"ledger\.kyodo\.([A-Za-z]+)\.v([1-9]\d*)")


@contextmanager
def listening(
    client: httpx.Client, path: str, headers: dict[str, str] | None = None, **kept: list[str]
) -> Iterator[Any]:
    """The events of a feed while it is open."""
    with client.stream("GET", path, headers=headers, timeout=20) as answer:
        assert answer.status_code == 200, answer.read()
        yield messages(answer.iter_lines(), **kept)


def first(client: httpx.Client, path: str, count: int, headers: dict[str, str] | None = None) -> list[Message]:
    with listening(client, path, headers) as events:
        return list(islice(events, count))


def ids(events: list[Message]) -> list[int]:
    return [int(each.id) for each in events]


def cloud(events: list[Message]) -> list[dict[str, Any]]:
    return [orjson.loads(each.data) for each in events]


def log_of(database: Database, slug: str) -> list[tuple[Any, ...]]:
    """Position, event type, leaf in hexadecimal and moment of every event, as the log has them."""
    with database.app() as connection:
        row = connection.execute("SELECT tenant_id FROM tenant WHERE slug = %s", (slug,)).fetchone()
    assert row
    with database.tenant(Role.READER, row[0]) as connection:
        return connection.execute(
            "SELECT position, type, translate(encode(leaf, 'base64'), E'\\n', ''), recorded_at FROM event"
            " WHERE tenant_id = %s ORDER BY position",
            (row[0],),
        ).fetchall()


@pytest.fixture
def town(database: Database, keys: CityKeys, tenant: Callable[..., UUID]) -> Town:
    """A town called machi, not yet projected."""
    return small_town(database, keys, tenant("machi"))


@pytest.fixture
def worker(database: Database, keys: CityKeys) -> Worker:
    return Worker(database, keys)


@pytest.fixture
def reader(database: Database, serve: Serve) -> httpx.Client:
    """A reader of the town."""
    return serve(create_app(database, pending_migrations=list, rate=None))


def test_every_event_of_the_log_comes_once_and_in_order(client: httpx.Client, five_cities: Database) -> None:
    log = log_of(five_cities, "yamato")
    events = first(client, "/events/yamato", len(log))
    assert ids(events) == [position for position, *_ in log] == list(range(1, len(log) + 1))
    for each, (position, name, leaf, recorded_at) in zip(cloud(events), log, strict=True):
        assert each["id"] == str(position)
        assert each["position"] == position
        assert each["leafhash"] == leaf
        assert datetime.fromisoformat(each["time"]) == recorded_at
        assert TYPE.fullmatch(each["type"]).groups() == (name, str(BY_EVENT[name].schema))  # type: ignore[union-attr]


def test_each_is_a_cloud_event_in_the_json_format(client: httpx.Client) -> None:
    for each in cloud(first(client, "/events/okayama", 48)):
        assert each["specversion"] == "1.0"
        assert each["source"] == "/log/okayama"
        assert each["datacontenttype"] == "application/json"
        assert isinstance(each["data"], dict)
        attributes = {name: value for name, value in each.items() if name != "data"}
        assert all(re.fullmatch(r"[a-z0-9]{1,20}", name) for name in attributes)
        assert all(isinstance(value, str | int) and value != "" for value in attributes.values())


def test_the_subject_is_the_number_of_a_partnership_or_else_the_stream(client: httpx.Client) -> None:
    events = cloud(first(client, "/events/yamato", 37))
    subjects = {each["subject"] for each in events}
    assert {"Y1", "Y2", "Y3"} <= subjects
    assert {each["subject"] for each in events if "Programme" in each["type"]} == {
        each["stream"] for each in events if "Programme" in each["type"]
    }


def test_data_are_what_the_timeline_shows(client: httpx.Client) -> None:
    shown = client.post(
        "/graphql",
        json={"query": '{ partnership(city: "yamato", number: "Y3") { timeline { position data correctedBy } } }'},
    ).json()["data"]["partnership"]["timeline"]
    events = {each["position"]: each["data"] for each in cloud(first(client, "/events/yamato", 37))}
    assert shown
    assert all(events[each["position"]] == each["data"] for each in shown if each["correctedBy"] is None)


def test_texts_that_are_not_public_are_null(client: httpx.Client, individuals: list[str]) -> None:
    text = "".join(each.data for each in first(client, "/events/kawasaki", 36))
    names = [name for name in individuals if len(name) > 3]
    assert names
    assert not [name for name in names if name in text]


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/events/yamato?after=30", {}),
        ("/events/yamato", {"Last-Event-ID": "30"}),
        ("/events/yamato?after=3", {"Last-Event-ID": "30"}),
        ("/events/yamato?after=30", {"Last-Event-ID": ""}),
    ],
)
def test_a_client_that_comes_back_goes_on_behind_what_it_saw_last(
    client: httpx.Client, path: str, headers: dict[str, str]
) -> None:
    assert ids(first(client, path, 7, headers)) == list(range(31, 38))


def test_a_partnership_can_be_listened_to_alone(client: httpx.Client) -> None:
    all_of_them = cloud(first(client, "/events/yamato", 37))
    wanted = [each["position"] for each in all_of_them if each["subject"] == "Y3"]
    assert ids(first(client, "/events/yamato?partnership=Y3", len(wanted))) == wanted
    behind = first(client, f"/events/yamato?partnership=Y3&after={wanted[1]}", len(wanted) - 2)
    assert ids(behind) == wanted[2:]


@pytest.mark.parametrize(
    ("path", "status", "detail"),
    [
        ("/events/nowhere", 404, "no city is called 'nowhere'"),
        ("/events/%00", 404, r"no city is called '\x00'"),
        ("/events/yamato?partnership=Y99", 404, "the city 'yamato' has no partnership 'Y99'"),
        ("/events/yamato?partnership=%00", 404, r"the city 'yamato' has no partnership '\x00'"),
        ("/events/yamato?after=-1", 400, "'-1' is not a position; 0 is before the first"),
        ("/events/yamato?after=1e3", 400, "'1e3' is not a position; 0 is before the first"),
        ("/events/yamato?after=9223372036854775808", 400, "'9223372036854775808' is not a position"),
    ],
)
def test_what_is_not_there_or_no_position_is_a_problem(
    client: httpx.Client, path: str, status: int, detail: str
) -> None:
    answer = client.get(path)
    assert answer.status_code == answer.json()["status"] == status
    assert answer.headers["content-type"] == PROBLEM
    assert answer.headers["access-control-allow-origin"] == "*"
    assert detail in answer.json()["detail"]


def test_a_last_event_id_that_is_no_position_is_a_problem(client: httpx.Client) -> None:
    assert client.get("/events/yamato", headers={"Last-Event-ID": "last"}).status_code == 400


def test_a_database_that_does_not_answer_is_a_problem(nowhere: httpx.Client) -> None:
    answer = nowhere.get("/events/yamato")
    assert answer.status_code == 503
    assert answer.headers["retry-after"]


def test_the_answer_is_open_to_every_page_and_for_no_cache(client: httpx.Client) -> None:
    with client.stream("GET", "/events/yamato") as answer:
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["access-control-allow-origin"] == "*"
    preflight = client.options("/events/yamato")
    assert preflight.status_code == 204
    assert "Last-Event-ID" in preflight.headers["access-control-allow-headers"]


def test_head_ends(client: httpx.Client) -> None:
    answer = client.head("/events/yamato")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"


def test_a_silent_feed_says_how_soon_to_come_back_and_that_it_is_still_there(
    five_cities: Database, serve: Serve
) -> None:
    app = FastAPI()
    app.include_router(Feed(Watching(five_cities), heartbeat=0.05).router())
    comments: list[str] = []
    retry: list[str] = []
    with serve(app).stream("GET", "/events/yamato?after=37") as answer:
        for line in answer.iter_lines():
            assert not list(messages([line], comments, retry))
            if len(comments) == 3:
                break
    assert retry == ["2000"]
    assert set(comments) == {"still here"}


def test_an_event_comes_as_soon_as_it_is_projected_and_not_before(
    town: Town, worker: Worker, reader: httpx.Client
) -> None:
    worker.catch_up()
    with listening(reader, "/events/machi") as events:
        assert ids(list(islice(events, 2))) == [1, 2]
        town.give("P1", "open-consultation", topic="保育")
        time.sleep(0.5)
        assert reader.get("/events/machi?partnership=P2").status_code == 404
        projected = threading.Timer(0.3, worker.catch_up)
        projected.start()
        began = time.monotonic()
        assert next(events).id == "3"
        assert time.monotonic() - began > 0.25
        projected.join()


def test_a_withdrawn_text_is_null_for_whoever_reads_later(
    database: Database, town: Town, worker: Worker, reader: httpx.Client
) -> None:
    worker.catch_up()
    [registered] = cloud(first(reader, "/events/machi?after=1", 1))
    assert registered["data"]["title_ja"] == "保育支援P1"
    with database.reader() as connection:
        digest = connection.execute("SELECT title_ja_digest FROM read_model.partnership").fetchone()
    assert digest
    withdraw(town.book, digest[0], reason="PERSONAL_DATA", by="S/officer", on=date(2026, 11, 22))
    worker.catch_up()
    again, withdrawn = cloud(first(reader, "/events/machi?after=1", 2))
    assert again["data"]["title_ja"] is None
    assert again | {"data": None} == registered | {"data": None}
    assert TYPE.fullmatch(withdrawn["type"])[1] == "PublicationWithdrawn"  # type: ignore[index]


def test_what_is_corrected_or_retracted_later_stays_as_it_was_recorded(
    town: Town, worker: Worker, reader: httpx.Client
) -> None:
    town.give("P1", "open-consultation", valid="2018-04", topic="保育")
    town.give("P1", "hold-meeting", attendees=["npo"])
    worker.catch_up()
    before = cloud(first(reader, "/events/machi", 4))
    town.give("P1", "correct-event", target=2, reason="誤記", data={"valid": {"edtf": "2018-05"}})
    town.give("P1", "retract-event", target=3, reason="別の件")
    worker.catch_up()
    after = cloud(first(reader, "/events/machi", 6))
    assert after[:4] == before
    assert [(each["position"], TYPE.fullmatch(each["type"])[1]) for each in after[4:]] == [  # type: ignore[index]
        (5, "EventCorrected"),
        (6, "EventRetracted"),
    ]
    assert [each["data"]["target"] for each in after[4:]] == [2, 3]
    assert ids(first(reader, "/events/machi?partnership=P1", 5)) == [2, 3, 4, 5, 6]


def test_nobody_holds_a_connection_to_the_database_while_waiting(five_cities: Database, serve: Serve) -> None:
    own = Database(five_cities.urls, pool_size=2, timeout=2)
    reader = serve(create_app(own, pending_migrations=list, rate=None))
    try:
        held = [reader.stream("GET", "/events/yamato?after=37") for _ in range(10)]
        for each in held:
            assert each.__enter__().status_code == 200
        assert reader.post("/graphql", json={"query": "{ cities { totalCount } }"}).status_code == 200
        for each in held:
            each.__exit__(None, None, None)
    finally:
        own.close()


def test_connections_are_bounded_for_a_client_and_in_all_and_can_be_had_again(
    five_cities: Database, serve: Serve
) -> None:
    seats = Seats(in_all=2, for_a_client=1)
    app = FastAPI()
    app.include_router(Feed(Watching(five_cities, seats)).router())
    reader = serve(app)
    with listening(reader, "/events/yamato") as events:
        next(events)
        refused = reader.get("/events/yamato")
        assert refused.status_code == 429
        assert refused.headers["retry-after"] == "30"
        assert "1 connections open" in refused.json()["detail"]
        seats.for_a_client, seats.in_all = 3, 1
        refused = reader.get("/events/yamato")
        assert refused.status_code == 503
        assert refused.headers["retry-after"] == "30"
    deadline = time.monotonic() + 10
    while seats.taken and time.monotonic() < deadline:
        time.sleep(0.02)
    assert first(reader, "/events/yamato", 1)
    assert reader.head("/events/yamato").status_code == 200


def test_who_connects_too_often_is_told_to_wait(five_cities: Database, serve: Serve) -> None:
    reader = serve(create_app(five_cities, pending_migrations=list, rate=Rate(2, 60)))
    assert [reader.head("/events/yamato").status_code for _ in range(3)] == [200, 200, 429]
    assert 0 < int(reader.head("/events/yamato").headers["retry-after"]) <= 60


def test_subscribers_outlive_the_end_of_every_connection_to_the_database(
    server: Server, town: Town, worker: Worker, reader: httpx.Client
) -> None:
    worker.catch_up()
    with listening(reader, "/events/machi") as events:
        assert ids(list(islice(events, 2))) == [1, 2]
        with closing(connect(server.superuser)) as superuser:
            login = f"{server.prefix}_{Role.READER}"
            superuser.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", (login,))
        town.register("P2")
        worker.catch_up()
        assert next(events).id == "3"


@pytest.mark.parametrize("number", [None, "Y3"])
def test_read_models_that_reach_less_far_for_a_while_make_neither_gap_nor_double(
    five_cities: Database, number: str | None
) -> None:
    """A rebuild exchanges the read models between the look for news and the reading."""
    asked: list[list[int]] = []

    def read(positions: Sequence[int]) -> list[int]:
        asked.append(list(positions))
        return list(positions)[: len(asked)]

    async def followed(count: int) -> list[tuple[int, int]]:
        watching = Watching(five_cities)
        following = watching.follow(await watching.find("yamato", number), 0, read, batch=3)
        return [await anext(following) for _ in range(count)]

    found = asyncio.run(followed(6))
    positions = cloud_positions(five_cities, number)[:6]
    assert found == [(position, position) for position in positions]
    assert asked == [positions[:3], positions[1:4], positions[3:6]]


def cloud_positions(database: Database, number: str | None) -> list[int]:
    if number is None:
        return [position for position, *_ in log_of(database, "yamato")]
    with database.reader() as connection:
        rows = connection.execute(
            "SELECT t.position FROM read_model.timeline t JOIN read_model.partnership p"
            " ON p.tenant_id = t.tenant_id AND p.partnership_id = t.stream_id AND p.known_until = %s"
            " WHERE p.number = %s AND t.known_from = t.position ORDER BY 1",
            (OPEN_POSITION, number),
        ).fetchall()
    return [position for (position,) in rows]
