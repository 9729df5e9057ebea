"""The HTTP application: pages, GraphQL, the logs and health. It only reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from gateway.feed import Feed
from gateway.graphql.route import RATE, graphql
from gateway.headers import SecurityHeaders
from gateway.health import MAX_LAG, health
from gateway.log import Log, Promise
from gateway.pages.definitions import definitions
from gateway.pages.page import STATIC
from gateway.pages.portal import Portal
from gateway.problems import explain_errors
from gateway.watching import Watching

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.rates import Rate
    from tenants.city_keys import KeyService
    from tenants.database import Database


def create_app(
    database: Database,
    *,
    pending_migrations: Callable[[], list[str]],
    max_lag: int = MAX_LAG,
    keys: KeyService | None = None,
    promise: Promise | None = None,
    rate: Rate | None = RATE,
) -> FastAPI:
    """The application over an open database.

    `pending_migrations` names what `kyodo migrate` would still do; `max_lag` is how many events a city's read models
    may be behind its log before the service stops calling itself ready; without `keys` the texts of a log's entries are
    not given out as disclosures; `promise` is what is said in public of how logs are published; `rate` is how often one
    client may ask GraphQL, or connect to a feed.
    """
    app = FastAPI(
        title="Kyōdō Ledger",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.add_middleware(SecurityHeaders)
    explain_errors(app)
    app.include_router(health(database, pending_migrations, max_lag))
    watching = Watching(database)
    app.include_router(graphql(database, rate=rate, watching=watching))
    app.include_router(Feed(watching, rate).router())
    app.include_router(Log(database, keys, promise or Promise()).router())
    app.include_router(Portal(database).router())
    app.include_router(definitions())
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    return app
