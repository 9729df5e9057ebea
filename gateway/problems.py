"""Errors as their readers want them: problem details (RFC 9457) for programs, a page in their language for people."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

import orjson
import psycopg
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from gateway.headers import SECURITY
from gateway.pages.page import page
from gateway.pages.words import WORDS
from tenants.database import DatabaseUnavailable

if TYPE_CHECKING:
    from fastapi import FastAPI

RETRY_AFTER = "5"
"""Seconds after which it is worth asking again when the database did not answer."""


class Problem(Exception):
    """A request that cannot be answered: its HTTP status and one sentence that says why."""

    def __init__(self, status: int, detail: str) -> None:
        self.status, self.detail = status, detail
        super().__init__(detail)


def explain_errors(app: FastAPI) -> None:
    """Let the application answer every error in the form that the request accepts."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(DatabaseUnavailable, _unavailable)
    app.add_exception_handler(psycopg.errors.QueryCanceled, _too_long)
    app.add_exception_handler(Exception, _unexpected)


def problem(status: int, detail: str | None = None, headers: dict[str, str] | None = None) -> Response:
    """Problem details without a page."""
    body: dict[str, str | int] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
    }
    if detail is not None:
        body["detail"] = detail
    return Response(
        orjson.dumps(body),
        status_code=status,
        media_type="application/problem+json",
        headers=SECURITY | {"Vary": "Accept", "Cache-Control": "no-store"} | (headers or {}),
    )


def _answer(
    request: Request, status: int, detail: str | None = None, headers: dict[str, str] | None = None
) -> Response:
    if "text/html" not in request.headers.get("accept", ""):
        return problem(status, detail, headers)
    said = f"error_{status}" if f"error_{status}" in WORDS else "error_400" if status < 500 else "error_500"  # noqa: PLR2004
    response = page(request, "error.html", status, said=said, code=status)
    response.headers.update(SECURITY | {"Cache-Control": "no-store"} | (headers or {}))
    return response


def _problem(request: Request, error: Exception) -> Response:
    known = error if isinstance(error, Problem) else Problem(500, "")
    return _answer(request, known.status, known.detail)


def _http(request: Request, error: Exception) -> Response:
    known = error if isinstance(error, HTTPException) else HTTPException(500)
    allow = {"Allow": known.headers["Allow"]} if known.headers and "Allow" in known.headers else {}
    return _answer(request, known.status_code, known.detail, allow)


def _invalid(request: Request, _: Exception) -> Response:
    return _answer(request, 400, "the request is not valid")


def _unavailable(request: Request, _: Exception) -> Response:
    return _answer(request, 503, "the database does not answer", {"Retry-After": RETRY_AFTER})


def _too_long(request: Request, _: Exception) -> Response:
    return _answer(request, 503, "the answer took too long", {"Retry-After": RETRY_AFTER})


def _unexpected(request: Request, _: Exception) -> Response:
    # The server logs the error itself; what it says may hold names of tables and is for operators only.
    return _answer(request, 500)
