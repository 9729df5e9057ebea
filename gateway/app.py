"""The HTTP application: pages, GraphQL, the logs and health. It only reads."""

from __future__ import annotations

import gc
import logging
from typing import TYPE_CHECKING

from fastapi import FastAPI, Request
from fastapi.staticfiles import StaticFiles

from gateway.feed import Feed
from gateway.graphql.route import PATH, RATE, GraphQL
from gateway.headers import SecurityHeaders
from gateway.health import MAX_LAG, health
from gateway.log import Log, Promise
from gateway.pages.definitions import definitions
from gateway.pages.page import STATIC
from gateway.pages.portal import Portal
from gateway.problems import explain_errors, problem
from gateway.watching import Watching

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from fastapi import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

    from gateway.rates import Rate
    from tenants.city_keys import KeyService
    from tenants.database import Database

log = logging.getLogger("kyodo.app")


class _Straight:
    """Hands the questions of GraphQL to who answers them; everything else goes through the framework.

    Its middleware and the search for a route take as long as the answer to a short question does.
    """

    def __init__(self, app: ASGIApp, answer: Callable[[Request], Awaitable[Response]]) -> None:
        self._app, self._answer = app, answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass the request on."""
        if scope["type"] != "http" or scope["path"] != PATH or scope["method"] not in {"GET", "POST"}:
            await self._app(scope, receive, send)
            return
        try:
            response = await self._answer(Request(scope, receive))
        except Exception:
            log.exception("unexpected error in an answer to %s", PATH)
            response = problem(500)
        await response(scope, receive, send)


def create_app(
    database: Database,
    *,
    pending_migrations: Callable[[], list[str]],
    max_lag: int = MAX_LAG,
    keys: KeyService | None = None,
    promise: Promise | None = None,
    rate: Rate | None = RATE,
    compiled: bool = True,
) -> ASGIApp:
    """The application over an open database.

    `pending_migrations` names what `kyodo migrate` would still do; `max_lag` is how many events a city's read models
    may be behind its log before the service stops calling itself ready; without `keys` the texts of a log's entries are
    not given out as disclosures; `promise` is what is said in public of how logs are published; `rate` is how often one
    client may ask GraphQL, or connect to a feed; without `compiled` the resolvers give every answer of GraphQL.
    """
    app = FastAPI(
        title="Kyōdō Ledger",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    watching = Watching(database)
    questions = GraphQL(database, rate=rate, compiled=compiled, watching=watching)
    explain_errors(app)
    app.include_router(health(database, pending_migrations, max_lag))
    app.include_router(questions.router())
    app.include_router(Feed(watching, rate).router())
    app.include_router(Log(database, keys, promise or Promise()).router())
    app.include_router(Portal(database).router())
    app.include_router(definitions())
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    return SecurityHeaders(_Straight(app, questions.answer))


def settle() -> None:
    """Let this process serve: what it has loaded stays, and is not looked through for garbage again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)
