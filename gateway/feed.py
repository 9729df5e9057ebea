"""/events/<city>: a city's log as it grows, one CloudEvent for each recorded event, as server-sent events.

CloudEvents 1.0 in the JSON event format, in order of position. Each is as it was recorded: what is corrected or
retracted later is so by an event of its own. Its texts are as of now: null once they are withdrawn or erased.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
from fastapi import APIRouter, Request, Response

from domain.commands import BY_EVENT
from gateway.event_stream import HEARTBEAT, EventStream, event, last_seen, position_of
from gateway.problems import RETRY_AFTER as DATABASE_RETRY_AFTER
from gateway.problems import problem
from gateway.rates import Limiter, client_of
from gateway.seats import RETRY_AFTER, NoSeat
from gateway.watching import NothingThere
from projections.catalogue import SCHEMA
from projections.read_model import OPEN_POSITION
from tenants.database import DatabaseUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from sse_starlette.event import ServerSentEvent

    from gateway.rates import Rate
    from gateway.watching import Watched, Watching

TYPE = "ledger.kyodo.{name}.v{schema}"
"""The type of a CloudEvent: the event's name and the version of the schema that its data have."""

_METHODS = "GET, HEAD, OPTIONS"
_OPEN = {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "Retry-After"}
_PREFLIGHT = _OPEN | {
    "Allow": _METHODS,
    "Access-Control-Allow-Methods": _METHODS,
    "Access-Control-Allow-Headers": "Accept, Cache-Control, Last-Event-ID",
    "Access-Control-Max-Age": "86400",
}

_EVENTS = f"""
    SELECT t.position, t.type, t.leaf_hash, t.recorded_at, t.mode, t.valid, t.certainty, t.stream_id, t.version,
           p.number, t.clear::text
      FROM {SCHEMA}.timeline t
      LEFT JOIN {SCHEMA}.partnership p
        ON p.tenant_id = t.tenant_id AND p.partnership_id = t.stream_id AND p.known_until = {OPEN_POSITION}
     WHERE t.tenant_id = %s AND t.position = ANY (%s) AND t.known_from = t.position
     ORDER BY t.position
"""


class Feed:
    """The route of /events/ over a watcher. Without a rate, clients may connect as often as they like."""

    def __init__(self, watching: Watching, rate: Rate | None = None, heartbeat: float = HEARTBEAT) -> None:
        """`heartbeat`: seconds between the comments that keep a connection open."""
        self._watching, self._heartbeat = watching, heartbeat
        self._limiter = Limiter(rate) if rate else None

    def router(self) -> APIRouter:
        """The route."""
        router = APIRouter()
        router.add_route("/events/{city}", self.events, methods=["GET", "HEAD", "OPTIONS"], include_in_schema=False)
        return router

    async def events(self, request: Request) -> Response:
        """The events of a city, or with `partnership` of one of its partnerships, behind the position seen last.

        Last-Event-ID says which that is, `after` does on a first connection, and without both all are sent.
        """
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=_PREFLIGHT)
        given = last_seen(request) or request.query_params.get("after", "0")
        after = position_of(given)
        if after is None:
            return _refused(400, f"{given[:80]!r} is not a position; 0 is before the first")
        return await self._answer(request, after)

    async def _answer(self, request: Request, after: int) -> Response:
        client = request.client.host if request.client else None
        if self._limiter and (wait := self._limiter.ask(client_of(client)).wait):
            return _refused(429, f"this address connects too often; come back in {wait} s", str(wait))
        try:
            watched = await self._watching.find(request.path_params["city"], request.query_params.get("partnership"))
            seat = self._watching.seats.take(client)
        except NothingThere as missing:
            return _refused(404, str(missing))
        except NoSeat as full:
            return _refused(full.status, full.message, RETRY_AFTER)
        except DatabaseUnavailable:
            return _refused(503, "the database does not answer", DATABASE_RETRY_AFTER)
        return EventStream(self._following(watched, after), seat, _OPEN, self._heartbeat)

    async def _following(self, watched: Watched, after: int) -> AsyncIterator[ServerSentEvent]:
        def read(positions: Sequence[int]) -> list[bytes]:
            return self._read(watched, positions)

        async for position, cloud_event in self._watching.follow(watched, after, read):
            yield event(cloud_event, id=position)

    def _read(self, watched: Watched, positions: Sequence[int]) -> list[bytes]:
        """The CloudEvents of these positions."""
        with self._watching.database.reader() as connection:
            rows = connection.execute(_EVENTS, (watched.tenant, list(positions)), prepare=True).fetchall()
        return [
            orjson.dumps(
                {
                    "specversion": "1.0",
                    "id": str(position),
                    "source": f"/log/{watched.city}",
                    "type": TYPE.format(name=name, schema=BY_EVENT[name].schema),
                    "time": recorded_at,
                    "subject": number or str(stream),
                    "datacontenttype": "application/json",
                    "position": position,
                    "leafhash": leaf,
                    "entrymode": mode,
                    "validtime": valid,
                    "certainty": certainty,
                    "stream": str(stream),
                    "streamversion": version,
                    "data": orjson.Fragment(data),
                }
            )
            for position, name, leaf, recorded_at, mode, valid, certainty, stream, version, number, data in rows
        ]


def _refused(status: int, detail: str, retry_after: str | None = None) -> Response:
    retry = {"Retry-After": retry_after} if retry_after else {}
    return problem(status, detail, _OPEN | retry)
