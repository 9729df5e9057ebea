"""The HTTP application: pages, GraphQL and health. It only reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from gateway.graphql.route import graphql
from gateway.headers import SecurityHeaders
from gateway.health import MAX_LAG, health
from gateway.pages.page import STATIC
from gateway.pages.portal import Portal
from gateway.problems import explain_errors

if TYPE_CHECKING:
    from collections.abc import Callable

    from tenants.database import Database


def create_app(database: Database, *, pending_migrations: Callable[[], list[str]], max_lag: int = MAX_LAG) -> FastAPI:
    """The application over an open database.

    `pending_migrations` names what `kyodo migrate` would still do; `max_lag` is how many events a city's read models
    may be behind its log before the service stops calling itself ready.
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
    app.include_router(graphql(database))
    app.include_router(Portal(database).router())
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    return app
