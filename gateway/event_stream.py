"""Answers that stay open: server-sent events (HTML §9.2) with a heartbeat, ended when the server stops.

A client that loses one comes back by itself and says in Last-Event-ID what it saw last.
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

from sse_starlette.event import ServerSentEvent
from sse_starlette.sse import EventSourceResponse, SendTimeoutError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from fastapi import Request
    from starlette.types import Message, Receive, Scope, Send

    from gateway.seats import Seat

log = logging.getLogger("kyodo.events")

HEARTBEAT = 15.0
"""Seconds between comments, by which both ends and all between them learn that the other is still there."""

RETRY = 2_000
"""Milliseconds after which a client that lost the connection should come back."""

_STUCK = 30.0
"""Seconds after which a client that takes nothing is given up."""

_POSITION = re.compile(r"0|[1-9][0-9]{0,17}")


class EventStream(EventSourceResponse):
    """The events as an answer, with the seat that it leaves in the end."""

    def __init__(
        self,
        events: AsyncIterator[ServerSentEvent],
        seat: Seat,
        headers: Mapping[str, str] | None = None,
        heartbeat: float = HEARTBEAT,
    ) -> None:
        super().__init__(
            _with_hint(events),
            headers=headers,
            ping=heartbeat,
            ping_message_factory=lambda: ServerSentEvent(comment="still here", sep="\n"),
            send_timeout=_STUCK,
        )
        self._seat = seat

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer until the events or one of both sides ends."""
        whole = False

        async def sending(message: Message) -> None:
            nonlocal whole
            await send(message)
            whole = message["type"] == "http.response.body" and not message.get("more_body", False)

        try:
            await super().__call__(scope, receive, sending)
            if self.active and not whole:
                # The server stops: an answer that is whole tells the client so at once.
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        except SendTimeoutError:
            log.info("%s took nothing for %g s and was given up", self._seat.client, _STUCK)
        finally:
            self._seat.leave()


def event(data: bytes, *, id: int | None = None, name: str | None = None) -> ServerSentEvent:
    """One event with JSON as its data, on one line: a line break in JSON is a space as well."""
    text = data.decode().replace("\n", " ")
    return ServerSentEvent(text, id=None if id is None else str(id), event=name, sep="\n")


def position_of(given: str) -> int | None:
    """The position that a client names as the last that it saw; None where it is none."""
    return int(given) if _POSITION.fullmatch(given) else None


def last_seen(request: Request) -> str | None:
    """What the client says it saw last, in Last-Event-ID; empty is nothing, as browsers have it."""
    return request.headers.get("last-event-id") or None


async def _with_hint(events: AsyncIterator[ServerSentEvent]) -> AsyncIterator[ServerSentEvent]:
    yield ServerSentEvent(retry=RETRY, sep="\n")
    async for each in events:
        yield each
