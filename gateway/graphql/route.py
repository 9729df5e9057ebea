"""GraphQL over HTTP: GET and POST, `application/graphql-response+json` or JSON, and GraphiQL for browsers.

https://graphql.github.io/graphql-over-http/draft/ — an answer to a request that was never executed has no `data`, and
in the newer media type status 400. The library is synchronous, so each request runs in a thread of its own.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import psycopg
from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse
from graphql import GraphQLError
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError

from gateway.graphql import ide
from gateway.graphql.loaders import Asking
from gateway.graphql.schema import SCHEMA
from gateway.problems import RETRY_AFTER, Problem
from tenants.database import DatabaseUnavailable

if TYPE_CHECKING:
    from strawberry.types import ExecutionResult

    from tenants.database import Database

log = logging.getLogger("kyodo.graphql")

LONGEST_BODY = 100_000
"""Bytes of a request; the longest sensible document has a tenth of that."""

_JSON = "application/json"
_GRAPHQL = "application/graphql-response+json"


@dataclass(frozen=True, slots=True)
class _Asked:
    query: str
    variables: dict[str, Any] | None
    operation: str | None


async def _body(request: Request) -> bytes:
    """The request's body; refuses what is longer than any document may be."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LONGEST_BODY:
            raise Problem(413, f"a request holds at most {LONGEST_BODY:,} bytes")
    return bytes(body)


_Body = Annotated[bytes, Depends(_body)]


def graphql(database: Database) -> APIRouter:
    """The route `/graphql`."""

    def get(request: Request) -> Response:
        if "query" not in request.query_params and "text/html" in request.headers.get("accept", ""):
            return HTMLResponse(ide.PAGE, headers={"Content-Security-Policy": ide.POLICY, "Vary": "Accept"})
        return _answer(database, request, _from_query(request))

    def post(request: Request, body: _Body) -> Response:
        return _answer(database, request, _from_body(request, body))

    router = APIRouter()
    router.add_api_route("/graphql", get, methods=["GET", "HEAD"], include_in_schema=False)
    router.add_api_route("/graphql", post, methods=["POST"], include_in_schema=False)
    return router


def _from_query(request: Request) -> _Asked | str:
    params = request.query_params
    given: dict[str, Any] = {name: params[name] for name in ("query", "operationName") if name in params}
    for name in ("variables", "extensions"):
        if params.get(name):
            try:
                given[name] = orjson.loads(params[name])
            except orjson.JSONDecodeError:
                return f"`{name}` is not JSON"
    return _checked(given)


def _from_body(request: Request, body: bytes) -> _Asked | str:
    media_type, _, parameters = request.headers.get("content-type", "").partition(";")
    charset = parameters.lower().partition("charset=")[2].strip(' "')
    if media_type.strip().lower() != _JSON or charset not in {"", "utf-8", "utf8"}:
        raise Problem(415, f"send {_JSON} in UTF-8")
    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError as broken:
        return f"the body is not JSON: {broken}"
    if isinstance(given, list):
        return "send one operation at a time: batching is off"
    if not isinstance(given, dict):
        return "the body is not a JSON object"
    return _checked(given)


def _checked(given: dict[str, Any]) -> _Asked | str:
    query, variables, operation = (given.get(name) for name in ("query", "variables", "operationName"))
    if not isinstance(query, str) or not query.strip():
        return "`query` is missing or not a string"
    if variables is not None and not isinstance(variables, dict):
        return "`variables` is not an object"
    if operation is not None and not isinstance(operation, str):
        return "`operationName` is not a string"
    if given.get("extensions") is not None and not isinstance(given["extensions"], dict):
        return "`extensions` is not an object"
    return _Asked(query, variables, operation or None)


def _answer(database: Database, request: Request, asked: _Asked | str) -> Response:
    newer = _GRAPHQL in request.headers.get("accept", "")
    if isinstance(asked, str):
        return _response({"errors": [{"message": asked}]}, 400, newer=newer)
    try:
        with Asking(database, operation=asked.operation) as asking:
            result = SCHEMA.execute_sync(
                asked.query, variable_values=asked.variables, context_value=asking, operation_name=asked.operation
            )
    except CannotGetOperationTypeError as unknown:
        return _response({"errors": [{"message": unknown.as_http_error_reason()}]}, 400, newer=newer)
    except InvalidOperationTypeError:
        return _response({"errors": [{"message": "this service only answers queries"}]}, 400, newer=newer)
    return _response(*_outcome(result, newer=newer), newer=newer)


def _outcome(result: ExecutionResult, *, newer: bool) -> tuple[dict[str, Any], int]:
    errors = result.errors or []
    causes = [_cause(error) for error in errors]
    if any(isinstance(cause, DatabaseUnavailable) for cause in causes):
        return {"errors": [{"message": "The database does not answer; try again shortly."}]}, 503
    shown = [_shown(error, cause) for error, cause in zip(errors, causes, strict=True)]
    if result.data is None and not any(error.path for error in errors):
        # Nothing was executed. The older media type cannot tell this from an answer by its status.
        return {"errors": shown}, 400 if newer else 200
    return {"data": result.data} | ({"errors": shown} if shown else {}), 200


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
        shown["message"] = "The answer took too long; ask for less at a time."
    elif isinstance(cause, RecursionError):
        shown["message"] = "The document is nested too deeply."
    elif cause is not None:
        log.error("unexpected error in a GraphQL answer", exc_info=cause)
        shown["message"] = "Something went wrong here; it has been logged."
    return shown


def _response(body: dict[str, Any], status: int, *, newer: bool) -> Response:
    headers = {"Vary": "Accept", "Cache-Control": "no-cache"}
    if status == 503:  # noqa: PLR2004
        headers["Retry-After"] = RETRY_AFTER
    media_type = f"{_GRAPHQL if newer else _JSON}; charset=utf-8"
    return Response(orjson.dumps(body), status_code=status, media_type=media_type, headers=headers)
