"""GraphQL over HTTP: GET and POST, `application/graphql-response+json` or JSON, and GraphiQL for browsers.

https://graphql.github.io/graphql-over-http/draft/ — an answer to a request that was never executed has no `data`, and
in the newer media type status 400. The library is synchronous, so each request runs in a thread of its own.

Everything here is public and only read, so that any page on the web may ask, and caches may keep what was asked by GET
for a moment: its ETag changes with the position up to which any city is projected.
"""

from __future__ import annotations

import hashlib
import logging
from typing import TYPE_CHECKING, Any

import orjson
import psycopg
from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse
from graphql import GraphQLError

from gateway.graphql import ide, over_sse, over_websocket
from gateway.graphql.asked import GRAPHQL, JSON, Asked, Refused, asked, body_of, newer
from gateway.graphql.citation import LONGEST, BadCitation, Citation, checked, cited, service_name
from gateway.graphql.documents import LISTED
from gateway.graphql.engine import Answer, Engine, NotExecuted, NotStreamed, OnlyQueries
from gateway.graphql.limits import COST
from gateway.graphql.live import Live
from gateway.graphql.pinning import NotCitable
from gateway.graphql.schema import SCHEMA
from gateway.graphql.state import state
from gateway.problems import RETRY_AFTER
from gateway.rates import Limiter, Rate, client_of
from gateway.threads import Threads
from gateway.watching import Watching
from tenants.database import DatabaseUnavailable

if TYPE_CHECKING:
    from fastapi import WebSocket
    from starlette.requests import HTTPConnection

    from tenants.database import Database

log = logging.getLogger("kyodo.graphql")

RATE = Rate(requests=600, seconds=60)
"""How often one client may ask unless the route is given another rate."""

PATH = "/graphql"

_AT_ONCE = 16
"""Requests of one process that are answered at a time, as many as it has connections; the others wait."""

MOMENT = "public, max-age=2"
NEVER = "no-store"

# Sent to everyone, not only where an Origin was: a cache hands one reader's answer to another.
_OPEN = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "ETag, RateLimit, RateLimit-Policy, Retry-After",
}
_METHODS = "GET, HEAD, POST, OPTIONS"
_PREFLIGHT = _OPEN | {
    "Allow": _METHODS,
    "Access-Control-Allow-Methods": _METHODS,
    "Access-Control-Allow-Headers": "Accept, Content-Type, If-None-Match, Last-Event-ID",
    "Access-Control-Max-Age": "86400",
}
_SCHEMA = SCHEMA._schema  # noqa: SLF001 - the library hides it
_TOO_LONG = "The answer took too long; ask for less at a time."
_BROKEN = "Something went wrong here; it has been logged."


def _documents(_: Request) -> Response:
    return Response(LISTED, media_type=JSON, headers=_OPEN | {"Cache-Control": MOMENT})


class GraphQL:
    """The routes `/graphql`, `/graphql/documents` and `/graphql/citations`."""

    def __init__(
        self, database: Database, *, rate: Rate | None = RATE, compiled: bool = True, watching: Watching | None = None
    ) -> None:
        """Without a rate, everyone may ask as often as they like; without `compiled` the resolvers give every answer.

        `watching` is what tells subscribers of news; one of its own unless given.
        """
        self._database = database
        self._engine = Engine(_SCHEMA, database, compiled=compiled)
        self._live = Live(self._engine, watching or Watching(database), lambda error: _shown(error, _cause(error)))
        self._limiter = Limiter(rate) if rate else None
        self._threads = Threads(_AT_ONCE)

    def router(self) -> APIRouter:
        """The routes."""
        router = APIRouter()
        router.add_route(PATH, self.answer, methods=["GET", "POST", "OPTIONS"])
        router.add_websocket_route(PATH, self.connect)
        router.add_route("/graphql/documents", _documents, methods=["GET"])
        router.add_route("/graphql/citations", self.check, methods=["POST", "OPTIONS"])
        router.include_router(ide.ide())
        return router

    async def answer(self, request: Request) -> Response:
        """Answer one request, whatever its method."""
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=_PREFLIGHT)
        accept = request.headers.get("accept", "")
        if request.method != "POST" and "text/html" in accept and not _asks(request):
            return HTMLResponse(ide.PAGE, headers={"Content-Security-Policy": ide.POLICY, "Vary": "Accept"})
        form = _Form(newer=newer(accept))
        try:
            form.headers |= self._allowance(request)
            what = await asked(request)
            if over_sse.wanted(request):
                return over_sse.stream(self._live, request, what, form.headers)
            return await self._threads.run(self._execute, request, what, form, None)
        except Refused as refused:
            return form.refusal(refused)

    async def check(self, request: Request) -> Response:
        """Give a cited answer again, and say what became of it."""
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=_PREFLIGHT)
        form = _Form(newer=newer(request.headers.get("accept", "")))
        try:
            form.headers |= self._allowance(request)
            found = Citation.of(await body_of(request, LONGEST))
            what = Asked(found.document, found.variables, found.operationName, provenance=True)
            return await self._threads.run(self._execute, request, what, form, found)
        except BadCitation as bad:
            return form.refusal(Refused(400, str(bad)))
        except Refused as refused:
            return form.refusal(refused)

    async def connect(self, websocket: WebSocket) -> None:
        """Serve subscriptions over a WebSocket; each counts as a request."""
        await over_websocket.serve(self._live, websocket, lambda: self._allowance(websocket))

    def _allowance(self, request: HTTPConnection) -> dict[str, str]:
        """Header fields that say how often this client may still ask; raises Refused when it may not now."""
        if self._limiter is None:
            return {}
        allowance = self._limiter.ask(client_of(request.client.host if request.client else None))
        rate = self._limiter.rate
        headers = {"RateLimit-Policy": rate.header, "RateLimit": allowance.header}
        if allowance.wait:
            raise Refused(
                429,
                f"This address has asked {rate.requests:,} times in {rate.seconds} seconds, which is all that one may;"
                f" ask again in {allowance.wait} s.",
                headers | {"Retry-After": str(allowance.wait)},
            )
        return headers

    def _execute(self, request: Request, what: Asked, form: _Form, again: Citation | None) -> Response:
        by_get = request.method != "POST"
        if by_get and what.cite:
            raise Refused(400, "Ask for a citation by POST: each one is made anew.")
        try:
            tag = self._tag(request, form) if by_get else None
            # One or several tags, weak where something on the way compresses (RFC 9110 §13.1.2).
            if tag and tag in request.headers.get("if-none-match", ""):
                return form.unchanged(tag)
            every = what.cite or what.provenance
            answer = self._engine.answer(
                what.query, what.variables, what.operation, only_queries=by_get, every_city=every
            )
            form.citation = self._citation(what, answer, again)
        except NotExecuted as not_executed:
            return form.not_executed(not_executed)
        except NotStreamed:
            raise Refused(
                406,
                f"A subscription is answered as {over_sse.MEDIA_TYPE}, or over a WebSocket with the subprotocol"
                f" {over_websocket.PROTOCOL}.",
            ) from None
        except OnlyQueries as other:
            raise Refused(405, f"A {other} cannot be sent by GET.", {"Allow": "POST"}) from None
        except psycopg.errors.QueryCanceled:
            return form.answer(Answer(b"null", [GraphQLError(_TOO_LONG)], 0), None)
        except psycopg.Error:
            log.exception("unexpected error in a GraphQL answer")
            return form.answer(Answer(b"null", [GraphQLError(_BROKEN)], 0), None)
        except DatabaseUnavailable:
            raise _unavailable() from None
        return form.answer(answer, tag)

    def _citation(self, what: Asked, answer: Answer, again: Citation | None) -> dict[str, Any] | None:
        """What is said of citations: the new one that is asked for, or what became of the one that is checked."""
        if answer.errors or not (what.cite or again):
            return None
        try:
            with self._database.reader() as connection:
                if again is not None:
                    return checked(_SCHEMA, again, answer, connection).shown()
                return cited(_SCHEMA, what, answer, service_name(connection)).shown()
        except NotCitable as refused:
            raise Refused(400, str(refused)) from None

    def _tag(self, request: Request, form: _Form) -> str:
        """Changes with whatever may change the answer. Taken before the answer, so that it never vouches for less."""
        with self._database.reader() as connection:
            now = state(connection)
        content = b"\0".join((now.encode(), form.media_type.encode(), request.scope["query_string"]))
        return f'"{hashlib.sha256(content).hexdigest()[:32]}"'


def _asks(request: Request) -> bool:
    return "query" in request.query_params or "documentId" in request.query_params


def _unavailable() -> Refused:
    return Refused(503, "The database does not answer; try again shortly.", {"Retry-After": RETRY_AFTER})


class _Form:
    """The form of one answer: its media type, and the headers gathered on the way."""

    def __init__(self, *, newer: bool) -> None:
        self.newer = newer
        self.media_type = f"{GRAPHQL if newer else JSON}; charset=utf-8"
        self.headers = _OPEN | {"Vary": "Accept"}
        self.citation: dict[str, Any] | None = None

    def answer(self, answer: Answer, tag: str | None) -> Response:
        """What came of executing an operation; to be kept by caches under the tag if nothing went wrong."""
        causes = [_cause(error) for error in answer.errors]
        if any(isinstance(cause, DatabaseUnavailable) for cause in causes):
            raise _unavailable()
        shown = [_shown(error, cause) for error, cause in zip(answer.errors, causes, strict=True)]
        body: dict[str, Any] = {"data": orjson.Fragment(answer.data)}
        if shown:
            body["errors"] = shown
        extensions: dict[str, Any] = {"cost": {"objects": answer.cost, "limit": COST}}
        if answer.provenance is not None:
            extensions["provenance"] = answer.provenance
        if self.citation is not None:
            extensions["citation"] = self.citation
        body["extensions"] = extensions
        if tag and not shown:
            return self._response(body, 200, {"Cache-Control": MOMENT, "ETag": tag})
        return self._response(body, 200, {"Cache-Control": NEVER})

    def not_executed(self, why: NotExecuted) -> Response:
        """Nothing was executed; the older media type cannot tell this from an answer by its status."""
        body = {"errors": [_shown(error, None) for error in why.errors]}
        return self._response(body, 400 if self.newer or why.malformed else 200, {"Cache-Control": NEVER})

    def unchanged(self, tag: str) -> Response:
        """To a client that has the answer already."""
        return Response(status_code=304, headers=self.headers | {"Cache-Control": MOMENT, "ETag": tag})

    def refusal(self, refused: Refused) -> Response:
        """To a request that is not executed."""
        body = {"errors": [{"message": refused.message}]}
        return self._response(body, refused.status, {"Cache-Control": NEVER} | refused.headers)

    def _response(self, body: dict[str, Any], status: int, headers: dict[str, str]) -> Response:
        content = orjson.dumps(body)
        return Response(content, status_code=status, media_type=self.media_type, headers=self.headers | headers)


def _cause(error: GraphQLError) -> BaseException | None:
    """What a resolver raised; None for an error of the request itself."""
    cause: BaseException | None = error.original_error
    while isinstance(cause, GraphQLError):
        cause = cause.original_error
    return cause


def _shown(error: GraphQLError, cause: BaseException | None) -> dict[str, Any]:
    """The error as the reader may see it: messages of what went wrong inside stay inside."""
    shown = dict(error.formatted)
    if isinstance(cause, psycopg.errors.QueryCanceled | psycopg.errors.InFailedSqlTransaction):
        shown["message"] = _TOO_LONG
    elif isinstance(cause, RecursionError):
        shown["message"] = "The document is nested too deeply."
    elif cause is not None:
        log.error("unexpected error in a GraphQL answer", exc_info=cause)
        shown["message"] = _BROKEN
    return shown
