"""Subscriptions over a WebSocket: the subprotocol graphql-transport-ws.

https://github.com/graphql/graphql-over-http/blob/main/rfcs/GraphQLOverWebSocket.md — several subscriptions share one
connection. A client that loses it connects anew and subscribes with `after`, the last position that it saw.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson
from starlette.websockets import WebSocketDisconnect, WebSocketState

from gateway.graphql.asked import LONGEST_BODY, Refused, checked
from gateway.graphql.live import Ended
from gateway.problems import problem
from gateway.seats import RETRY_AFTER, NoSeat

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.websockets import WebSocket

    from gateway.graphql.asked import Asked
    from gateway.graphql.live import Live

PROTOCOL = "graphql-transport-ws"
SUBSCRIPTIONS = 10
"""The most that one connection may hold at a time."""

INIT_SECONDS = 10.0
"""How long a client may take to say ConnectionInit."""

_LONGEST_REASON = 123  # bytes, of a frame that closes (RFC 6455 §5.5)


class Closed(Exception):
    """The client did not keep to the protocol: the code and the reason with which the connection is closed."""

    def __init__(self, code: int, reason: str) -> None:
        self.code, self.reason = code, reason
        super().__init__(code, reason)


async def serve(live: Live, websocket: WebSocket, allow: Callable[[], object], init: float = INIT_SECONDS) -> None:
    """Serve a connection to its end. `allow` raises Refused where the client may not subscribe now."""
    try:
        seat = live.watching.seats.take(websocket.client.host if websocket.client else None)
    except NoSeat as full:
        await websocket.send_denial_response(problem(full.status, full.message, {"Retry-After": RETRY_AFTER}))
        return
    try:
        known = PROTOCOL in websocket.scope["subprotocols"]
        await websocket.accept(PROTOCOL if known else None)
        if known:
            await _Connection(live, websocket, allow).serve(init)
        else:
            await websocket.close(4406, f"Subprotocol not acceptable: ask for {PROTOCOL}")
    except Closed as closed:
        reason = closed.reason.encode()[:_LONGEST_REASON].decode(errors="ignore")
        await websocket.close(closed.code, reason)
    except WebSocketDisconnect:
        pass
    finally:
        seat.leave()


@dataclass(frozen=True)
class _Connection:
    live: Live
    websocket: WebSocket
    allow: Callable[[], object]
    running: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    async def serve(self, init: float) -> None:
        """Obey the client's messages; raises Closed or WebSocketDisconnect."""
        try:
            async with asyncio.timeout(init):
                while (message := await self._received())["type"] != "connection_init":
                    if message["type"] == "subscribe":
                        raise Closed(4401, "Unauthorized: say connection_init first")
                    await self._obey(message)
        except TimeoutError:
            raise Closed(4408, "Connection initialisation timeout") from None
        await self._send({"type": "connection_ack"})
        try:
            while True:
                await self._obey(await self._received())
        finally:
            for task in self.running.values():
                task.cancel()
            await asyncio.gather(*self.running.values(), return_exceptions=True)

    async def _received(self) -> dict[str, Any]:
        message = await self.websocket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1000), message.get("reason"))
        text = message.get("text") or ""
        if (found := len(text)) > LONGEST_BODY:
            raise Closed(1009, f"The message has {found:,} characters; at most {LONGEST_BODY:,} are allowed")
        try:
            given = orjson.loads(text)
        except orjson.JSONDecodeError:
            raise Closed(4400, "Invalid message: it is not JSON") from None
        if not isinstance(given, dict) or not isinstance(given.get("type"), str):
            raise Closed(4400, "Invalid message: it is no object with a type")
        return given

    async def _obey(self, message: dict[str, Any]) -> None:
        match message["type"]:
            case "connection_init":
                raise Closed(4429, "Too many initialisation requests")
            case "ping":
                await self._send({"type": "pong"})
            case "pong":
                pass
            case "subscribe":
                await self._subscribe(_id(message), message.get("payload"))
            case "complete":
                if (task := self.running.pop(_id(message), None)) is not None:
                    task.cancel()
            case other:
                raise Closed(4400, f"Invalid message: no message has the type {other}")

    async def _subscribe(self, id: str, payload: Any) -> None:
        if id in self.running:
            raise Closed(4409, f"Subscriber for {id} already exists")
        try:
            asked = self._asked(payload)
        except Refused as refused:
            await self._send({"id": id, "type": "error", "payload": [{"message": refused.message}]})
            return
        self.running[id] = asyncio.create_task(self._answer(id, asked))

    def _asked(self, payload: Any) -> Asked:
        if len(self.running) >= SUBSCRIPTIONS:
            raise Refused(
                429, f"This connection holds {SUBSCRIPTIONS} subscriptions, which is all that one may; complete one."
            )
        self.allow()
        if not isinstance(payload, dict):
            raise Refused(400, "The payload is not an object.")
        return checked(payload)

    async def _answer(self, id: str, asked: Asked) -> None:
        task = asyncio.current_task()
        try:
            async for each in self.live.answers(asked):
                await self._send({"id": id, "type": "next", "payload": orjson.Fragment(each.result)})
        except Ended as ended:
            self._forget(id, task)
            with suppress(WebSocketDisconnect):
                await self._send({"id": id, "type": "error", "payload": ended.errors})
        except WebSocketDisconnect:
            pass  # Whoever receives learns it too, and ends the connection.
        finally:
            self._forget(id, task)

    def _forget(self, id: str, task: asyncio.Task[None] | None) -> None:
        # The client may have completed this subscription and begun another one under the same id.
        if self.running.get(id) is task:
            del self.running[id]

    async def _send(self, message: dict[str, Any]) -> None:
        if self.websocket.application_state is WebSocketState.DISCONNECTED:
            raise WebSocketDisconnect(1006)  # as another subscription found out
        await self.websocket.send_text(orjson.dumps(message).decode())


def _id(message: dict[str, Any]) -> str:
    found = message.get("id")
    if not isinstance(found, str) or not found:
        raise Closed(4400, "Invalid message: its id is not a string")
    return found
