"""What a GraphQL request asks for, read from its address or its body (GraphQL over HTTP §4), and how it is refused."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import orjson
from starlette.requests import ClientDisconnect

from gateway.graphql.documents import DOCUMENTS

if TYPE_CHECKING:
    from fastapi import Request

LONGEST_BODY = 100_000
"""Bytes of a request's body; the longest sensible document has a tenth of that."""

LONGEST_ADDRESS = 32_000
"""Bytes of the query string of a GET; more than that does not pass every proxy."""

JSON = "application/json"
GRAPHQL = "application/graphql-response+json"


class Refused(Exception):
    """A request that is not executed: its HTTP status, and one sentence that says why and how to mend it."""

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        self.status, self.message, self.headers = status, message, headers or {}
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Asked:
    """One operation to execute.

    `cite`: whether a citation of the answer is wanted; `provenance`: whether that of all cities is, however many.
    """

    query: str
    variables: dict[str, Any] | None
    operation: str | None
    cite: bool = False
    provenance: bool = False


async def asked(request: Request) -> Asked:
    """What the request asks for; raises Refused."""
    return checked(
        _in_address(request) if request.method in {"GET", "HEAD"} else _in_body(request, await body_of(request))
    )


@lru_cache(maxsize=256)
def newer(accept: str) -> bool:
    """Whether the answer is wanted as GRAPHQL rather than as JSON, which it is unless the header says otherwise."""
    weights: dict[str, float] = {}
    for each in accept.lower().split(","):
        media_type, *parameters = (part.strip() for part in each.split(";"))
        weights[media_type] = _weight(parameters)
    return weights.get(GRAPHQL, 0) > 0 and weights[GRAPHQL] >= weights.get(JSON, 0)


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0
    return 1


def _in_address(request: Request) -> dict[str, Any]:
    if (found := len(request.scope["query_string"])) > LONGEST_ADDRESS:
        message = f"The query string has {found:,} bytes; at most {LONGEST_ADDRESS:,} are allowed. Send it by POST."
        raise Refused(414, message)
    params = request.query_params
    given: dict[str, Any] = {name: params[name] for name in ("query", "documentId", "operationName") if name in params}
    for name in ("variables", "extensions"):
        if params.get(name):
            given[name] = _parsed(params[name], f"`{name}`")
    return given


async def body_of(request: Request, most: int = LONGEST_BODY) -> bytes:
    """The body of a request, of at most so many bytes; raises Refused."""
    stated = request.headers.get("content-length", "")
    found = int(stated) if stated.isdecimal() else 0
    body = bytearray()
    if found <= most:
        try:
            async for chunk in request.stream():
                body += chunk
                if len(body) > most:
                    break
        except ClientDisconnect:
            raise Refused(400, "The request ended before its body did; send all of it.") from None
    if (found := max(found, len(body))) > most:
        # Of a body that does not say its length only the beginning was read.
        raise Refused(413, f"The request has {found:,} bytes or more; at most {most:,} are allowed.")
    return bytes(body)


def _in_body(request: Request, body: bytes) -> dict[str, Any]:
    media_type, _, parameters = request.headers.get("content-type", "").partition(";")
    charset = parameters.lower().partition("charset=")[2].partition(";")[0].strip(' "')
    if media_type.strip().lower() != JSON or charset not in {"", "utf-8", "utf8"}:
        raise Refused(415, f"Send the request as {JSON} in UTF-8.", {"Accept": JSON})
    given = _parsed(body, "The body")
    if isinstance(given, list):
        raise Refused(400, f"Send 1 operation at a time, not {len(given):,}: batching is off.")
    if not isinstance(given, dict):
        raise Refused(400, "The body is not a JSON object.")
    return given


def _parsed(text: str | bytes, what: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as broken:
        raise Refused(400, f"{what} is not JSON: {broken}.") from None


def checked(given: dict[str, Any]) -> Asked:
    """What the parameters of a request ask for; raises Refused."""
    for name, kind, called in (
        ("query", str, "a string"),
        ("documentId", str, "a string"),
        ("operationName", str, "a string"),
        ("variables", dict, "an object"),
        ("extensions", dict, "an object"),
    ):
        if given.get(name) is not None and not isinstance(given[name], kind):
            raise Refused(400, f"`{name}` is not {called}.")
    wanted = given.get("extensions") or {}
    for name in ("cite", "provenance"):
        if not isinstance(wanted.get(name, False), bool):
            raise Refused(400, f"`extensions.{name}` is neither true nor false.")
    cite, provenance = wanted.get("cite", False), wanted.get("provenance", False)
    return Asked(_document(given), given.get("variables"), given.get("operationName") or None, cite, provenance)


def _document(given: dict[str, Any]) -> str:
    query: str = given.get("query") or ""
    document_id: str | None = given.get("documentId")
    if document_id is None:
        if not query.strip():
            raise Refused(400, "`query` is missing or empty.")
        return query
    if query:
        raise Refused(400, "Send `query` or `documentId`, not both.")
    if document_id not in DOCUMENTS:
        raise Refused(400, "No document has that `documentId`; /graphql/documents lists those there are.")
    return DOCUMENTS[document_id]
