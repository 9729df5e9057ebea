"""`/healthz`: the process lives. `/readyz`: it can answer, and how far the read models are behind the logs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from fastapi import APIRouter, Response

from projections.worker import lags
from tenants.database import DatabaseUnavailable
from tenants.registry import tenants

if TYPE_CHECKING:
    from collections.abc import Callable

    from tenants.database import Database

MAX_LAG = 1_000
"""Events that one city's read models may be behind its log before the service stops calling itself ready."""


def health(database: Database, pending_migrations: Callable[[], list[str]], max_lag: int) -> APIRouter:
    """The two routes. A city whose projection stopped is named, but does not take the others out of service."""

    def healthz() -> Response:
        return _json(200, {"status": "alive"})

    def readyz() -> Response:
        state = _state(database, pending_migrations, max_lag)
        return _json(200 if state["ready"] else 503, state)

    router = APIRouter()
    router.add_api_route("/healthz", healthz, methods=["GET", "HEAD"], include_in_schema=False)
    router.add_api_route("/readyz", readyz, methods=["GET", "HEAD"], include_in_schema=False)
    return router


def _state(database: Database, pending_migrations: Callable[[], list[str]], max_lag: int) -> dict[str, Any]:
    state: dict[str, Any] = {"ready": False, "database": "unreachable", "pending_migrations": None, "cities": []}
    try:
        with database.reader() as connection:
            connection.execute("SELECT 1")
        state["database"] = "reachable"
        state["pending_migrations"] = pending_migrations()
        if state["pending_migrations"]:
            return state
        names = {city.tenant_id: city.slug for city in tenants(database)}
        found = lags(database)
    except DatabaseUnavailable:
        return state
    state["cities"] = [
        {
            "city": names.get(lag.tenant, str(lag.tenant)),
            "events": lag.size,
            "behind": lag.behind,
            # What stopped it may hold words of the record; only its kind is for everyone, the rest is in the log.
            "stopped_by": lag.error.partition(":")[0] if lag.error else None,
        }
        for lag in found
    ]
    state["ready"] = all(lag.behind <= max_lag or lag.error is not None for lag in found)
    return state


def _json(status: int, body: dict[str, Any]) -> Response:
    return Response(
        orjson.dumps(body),
        status_code=status,
        media_type="application/json",
        headers={"Cache-Control": "no-store"},
    )
