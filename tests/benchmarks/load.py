"""A bounded load on a server of this machine: so many connections that each ask again once they are answered."""

from __future__ import annotations

import asyncio
import json
import time
from functools import partial
from itertools import cycle
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CONNECTIONS = 8
_ANSWERED = b"HTTP/1.1 200 "
_LONGEST_WAIT = 30.0  # seconds for the answers that are still on their way


class Broken(Exception):
    """A server answered otherwise than with 200 and a body of stated length, or not at all."""


def request(address: str, body: dict[str, Any]) -> bytes:
    """The bytes of a POST of JSON that keeps its connection."""
    where, content = urlsplit(address), json.dumps(body).encode()
    head = (
        f"POST {where.path} HTTP/1.1\r\nHost: {where.netloc}\r\nContent-Type: application/json\r\n"
        f"Accept: application/graphql-response+json\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


def rate(address: str, requests: Sequence[bytes], seconds: float, connections: int = CONNECTIONS) -> float:
    """Answers per second over about `seconds`, the requests sent in turn. Raises Broken."""
    return asyncio.run(_rate(address, requests, seconds, connections))


async def _rate(address: str, requests: Sequence[bytes], seconds: float, connections: int) -> float:
    where, loop, waiting = urlsplit(address), asyncio.get_running_loop(), cycle(requests)
    host, port = where.hostname or "", where.port or 80
    began = time.perf_counter()
    askers = [_Asker(waiting, began + seconds, loop.create_future()) for _ in range(connections)]
    for asker in askers:
        await loop.create_connection(partial(_itself, asker), host, port)
    await asyncio.wait_for(asyncio.gather(*(asker.done for asker in askers)), seconds + _LONGEST_WAIT)
    return sum(asker.answers for asker in askers) / (time.perf_counter() - began)


def _itself(asker: _Asker) -> _Asker:
    return asker


class _Asker(asyncio.Protocol):
    """One connection. It counts the bytes of an answer and keeps none of them, so that little time is lost here."""

    def __init__(self, requests: Iterator[bytes], until: float, done: asyncio.Future[None]) -> None:
        self._requests, self._until, self.done = requests, until, done
        self.answers = 0
        self._head = b""
        self._left = 0

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._ask()

    def data_received(self, data: bytes) -> None:
        if self._left == 0:
            self._head += data
            head, end, body = self._head.partition(b"\r\n\r\n")
            if not end:
                return
            self._left = self._length(head) - len(body)
            self._head = b""
        else:
            self._left -= len(data)
        if self._left == 0:
            self.answers += 1
            self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(Broken(f"the connection was closed: {exc}"))

    def _ask(self) -> None:
        if time.perf_counter() < self._until:
            self._transport.write(next(self._requests))
        else:
            self.done.set_result(None)
            self._transport.close()

    def _length(self, head: bytes) -> int:
        _, stated, after = head.lower().partition(b"\r\ncontent-length:")
        if not head.startswith(_ANSWERED) or not stated:
            if not self.done.done():
                self.done.set_exception(Broken(head.decode("latin-1")))
            self._transport.abort()
            return -1
        return int(after.partition(b"\r\n")[0])
