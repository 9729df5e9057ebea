"""Subscriptions as text/event-stream: GraphQL over Server-Sent Events, distinct connections mode.

https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md — one connection for each subscription. The id of an
event is its position in the city's log, so that a client that comes back with Last-Event-ID misses none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sse_starlette.event import ServerSentEvent

from gateway.event_stream import EventStream, event, last_seen, position_of
from gateway.graphql.asked import Refused
from gateway.graphql.live import Ended
from gateway.seats import RETRY_AFTER, NoSeat

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from fastapi import Request, Response

    from gateway.graphql.asked import Asked
    from gateway.graphql.live import Live

MEDIA_TYPE = "text/event-stream"


def wanted(request: Request) -> bool:
    """Whether the request accepts its answer as a stream of events."""
    return MEDIA_TYPE in request.headers.get("accept", "").lower()


def stream(live: Live, request: Request, asked: Asked, headers: Mapping[str, str]) -> Response:
    """The answer to a subscription; raises Refused where no stream can begin."""
    given = last_seen(request)
    after = None if given is None else position_of(given)
    if given is not None and after is None:
        raise Refused(400, f"Last-Event-ID: {given[:80]!r} is not a position.")
    try:
        seat = live.watching.seats.take(request.client.host if request.client else None)
    except NoSeat as full:
        raise Refused(full.status, full.message, {"Retry-After": RETRY_AFTER}) from None
    return EventStream(_events(live, asked, after), seat, headers)


async def _events(live: Live, asked: Asked, after: int | None) -> AsyncIterator[ServerSentEvent]:
    try:
        async for each in live.answers(asked, after):
            yield event(each.result, id=each.position, name="next")
    except Ended as ended:
        yield event(ended.result, name="next")
    yield event(b"", name="complete")
