"""Readers who watch a city while it records, whose connections are cut and whose server is stopped meanwhile."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
import orjson
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from gateway.runtime import Service, service
from gateway.settings import Settings
from tenants.book import Book
from tenants.registry import tenant
from tests.gateway.event_stream import messages
from tests.gateway.process.conftest import Installation
from tests.projections.conftest import Town

WRITERS, EACH = 3, 50
WATCH = 'subscription ($after: Int) { timeline(city: "yamato", after: $after) { position } }'


@contextmanager
def opened(kyodo: Installation) -> Iterator[Service]:
    """The installation from within this process."""
    given = {"data_dir": kyodo.folder, "database_url": kyodo.env.get("KYODO_DATABASE_URL")}
    with service(Settings(**given), lambda _: None) as found:  # type: ignore[arg-type]
        yield found


def over_the_feed(address: str, after: int) -> Iterator[int]:
    headers = {"Last-Event-ID": str(after)} if after else {}
    with (
        httpx.Client(timeout=30) as client,
        client.stream("GET", f"{address}/events/yamato", headers=headers) as answer,
    ):
        for each in messages(answer.raise_for_status().iter_lines()):
            assert orjson.loads(each.data)["position"] == int(each.id)
            yield int(each.id)


def over_sse(address: str, after: int) -> Iterator[int]:
    body = {"query": WATCH, "variables": {"after": after}}
    headers = {"accept": "text/event-stream"}
    with (
        httpx.Client(timeout=30) as client,
        client.stream("POST", f"{address}/graphql", json=body, headers=headers) as answer,
    ):
        for each in messages(answer.raise_for_status().iter_lines()):
            yield orjson.loads(each.data)["data"]["timeline"]["position"]


def over_websocket(address: str, after: int) -> Iterator[int]:
    url, protocols = f"{address}/graphql".replace("http", "ws"), [Subprotocol("graphql-transport-ws")]
    # Nobody waits for a reply when he hangs up.
    with connect(url, subprotocols=protocols, close_timeout=0.05) as socket:
        socket.send('{"type": "connection_init"}')
        assert orjson.loads(socket.recv(timeout=30))["type"] == "connection_ack"
        payload = {"query": WATCH, "variables": {"after": after}}
        socket.send(orjson.dumps({"id": "1", "type": "subscribe", "payload": payload}).decode())
        while True:
            yield orjson.loads(socket.recv(timeout=30))["payload"]["data"]["timeline"]["position"]


@dataclass
class Watcher:
    """Somebody who watches until the last position, and loses the connection every now and then."""

    kyodo: Installation
    transport: Callable[[str, int], Iterator[int]]
    last: int
    seed: int
    seen: list[int] = field(default_factory=list)
    cut: int = 0

    def watch(self, stop: threading.Event) -> None:
        chance = random.Random(self.seed)
        while not stop.is_set() and (not self.seen or self.seen[-1] < self.last):
            try:
                # Closed in the midst of things, with more on its way.
                for position in self.transport(self.kyodo.address, self.seen[-1] if self.seen else 0):
                    self.seen.append(position)
                    if position == self.last or chance.random() < 0.04:
                        break
            except (httpx.HTTPError, WebSocketException, OSError, EOFError):
                time.sleep(0.05)  # The server is away or has just gone.
            self.cut += 1


def until_it_ends(transport: Callable[[str, int], Iterator[int]], address: str, into: list[int]) -> None:
    """Note what is seen until the answer is complete; raises where it breaks off."""
    for position in transport(address, 0):
        into.append(position)  # noqa: PERF402 - one by one, for whoever counts them meanwhile


def test_whoever_loses_the_connection_while_events_are_recorded_resumes_without_gap_or_double(
    kyodo_empty: Installation,
) -> None:
    kyodo = kyodo_empty
    demo = kyodo.start("demo")
    kyodo.address = demo.address
    with opened(kyodo) as here, ThreadPoolExecutor(WRITERS + 3) as threads:
        city = tenant(here.database, "yamato").tenant_id
        stop = threading.Event()

        def write(writer: int) -> None:
            town = Town(Book(here.database, here.keys, city))
            for number in range(EACH):
                town.register(f"W{writer}_{number}", programme="citizen-partnership")

        last = 37 + WRITERS * EACH
        watchers = [
            Watcher(kyodo, transport, last, seed)
            for seed, transport in enumerate((over_the_feed, over_sse, over_websocket))
        ]
        watching = [threads.submit(watcher.watch, stop) for watcher in watchers]
        writing = [threads.submit(write, number) for number in range(WRITERS)]
        try:
            time.sleep(0.5)
            # It ends although streams are open, and another one takes over while events are recorded.
            began = time.monotonic()
            demo.stop(signal.SIGTERM)
            assert time.monotonic() - began < 20
            before, demo = demo, kyodo.start("serve", "--worker")
            kyodo.address = demo.address
            for each in writing:
                each.result(timeout=60)
            wait(watching, timeout=60)
            # Whoever has seen everything and stays is told that it ends, as a whole answer.
            heard: list[list[int]] = [[], []]
            staying = [
                threads.submit(until_it_ends, over, kyodo.address, into)
                for over, into in zip((over_the_feed, over_sse), heard, strict=True)
            ]
            patience = time.monotonic() + 30
            while any(len(each) < last for each in heard) and time.monotonic() < patience:
                time.sleep(0.1)
        finally:
            stop.set()
            ended = demo.stop(signal.SIGINT)
    assert ended in (0, 130)
    for each in staying:
        each.result(timeout=10)
    assert heard == [list(range(1, last + 1))] * 2
    for watcher, done in zip(watchers, watching, strict=True):
        done.result()
        assert watcher.seen == list(range(1, last + 1)), watcher.transport
        assert watcher.cut > 3
    said = before.lines + demo.lines
    assert not [line for line in said if "Traceback" in line or "ERROR" in line], "\n".join(said)
