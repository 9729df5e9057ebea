"""The clock: once a day of the city's calendar it records what became due, through the ordinary commands.

It gives each command with an idempotency key of its own and the rules admit it only once, so that any number of workers
may strike at any time. A record compiled from publications is left alone: what became of it since, nobody knows here.
"""

from __future__ import annotations

import logging
from datetime import date, datetime
from typing import TYPE_CHECKING
from uuid import UUID
from zoneinfo import ZoneInfo

import psycopg

from domain.clock import Due, due
from domain.errors import DomainError
from domain.event import Mode
from projections.catalogue import SCHEMA
from projections.read_model import OPEN_POSITION
from tenants.book import Book, Request
from tenants.database import DatabaseUnavailable, Role
from tenants.event_store import VersionConflict

if TYPE_CHECKING:
    from collections.abc import Callable

    from domain.city import City
    from domain.history import History
    from tenants.city_keys import CityKeys
    from tenants.database import Database

log = logging.getLogger("kyodo.clock")

CLOCK = "X/clock"
_MOST = 100
"""Steps that one partnership may take in one strike; a century of yearly renewals."""


def tokyo_today() -> date:
    """Today in the calendar of every Japanese city."""
    return datetime.now(ZoneInfo("Asia/Tokyo")).date()


class Clock:
    """Strikes for every city whose last strike was on an earlier day."""

    def __init__(self, database: Database, keys: CityKeys, today: Callable[[], date] = tokyo_today) -> None:
        self.database, self.keys, self.today = database, keys, today

    def strike(self) -> int:
        """Record what is due in every city; returns the number of events recorded."""
        today = self.today()
        with self.database.projector() as connection:
            waiting = connection.execute(
                f"SELECT tenant_id FROM {SCHEMA}.tracking WHERE clock_day IS NULL OR clock_day < %s ORDER BY 1",
                (today,),
            ).fetchall()
        return sum(self._guarded(row[0], today) for row in waiting)

    def _guarded(self, tenant: UUID, today: date) -> int:
        try:
            return self._city(tenant, today)
        except (DatabaseUnavailable, psycopg.OperationalError):
            raise
        except Exception:  # Whatever is wrong with a city must keep its clock only; the next strike tries again.
            log.exception("clock: city %s is put off", tenant)
            return 0

    def _city(self, tenant: UUID, today: date) -> int:
        with self.database.tenant(Role.PROJECTOR, tenant) as connection:
            claimed = connection.execute(
                f"SELECT 1 FROM {SCHEMA}.tracking WHERE tenant_id = %s AND (clock_day IS NULL OR clock_day < %s)"
                " AND error IS NULL FOR UPDATE SKIP LOCKED",
                (tenant, today),
            ).fetchone()
            if claimed is None:
                return 0
            streams = connection.execute(
                f"SELECT partnership_id FROM {SCHEMA}.partnership"
                f" WHERE tenant_id = %s AND known_until = {OPEN_POSITION}"
                " ORDER BY 1",
                (tenant,),
            ).fetchall()
            book = Book(self.database, self.keys, tenant)
            recorded = sum(self._partnership(book, row[0], today) for row in streams)
            connection.execute(f"UPDATE {SCHEMA}.tracking SET clock_day = %s WHERE tenant_id = %s", (today, tenant))
        if recorded:
            log.info("clock: %s events recorded for city %s on %s", recorded, tenant, today)
        return recorded

    def _partnership(self, book: Book, stream: UUID, today: date) -> int:
        for step in range(_MOST):
            plan = book.plan()
            history = plan.history(stream)
            if history is None or _is_compiled(plan.city, history):
                return step
            programme = plan.programme(history)
            version = programme.in_force(today.isoformat()) if programme else None
            if programme is None or version is None:
                return step
            found = due(history, version.rules, programme.calls, today)
            # What the rules refuse must not keep the rest of what is due waiting.
            if not any(self._record(book, stream, history.version, each) for each in found):
                return step
        return _MOST

    @staticmethod
    def _record(book: Book, stream: UUID, version: int, due_now: Due) -> bool:
        """Record one thing that is due; whether that was possible."""
        request = Request(
            command=due_now.command,
            data=due_now.data,
            valid={"edtf": due_now.valid},
            mode=Mode.LIVE,
            actor=CLOCK,
            recorded_by=CLOCK,
        )
        try:
            book.execute(stream, request, f"clock:{stream}:{version + 1}:{due_now.command}")
        except VersionConflict:
            return False  # Somebody recorded something about it just now; tomorrow is early enough.
        except DomainError as refused:
            log.warning("clock: %s of %s is refused: %s", due_now.command, stream, refused)
            return False
        return True


def _is_compiled(city: City, history: History) -> bool:
    return city.compiled and any(entry.meta.mode is Mode.IMPORT for entry in history.recorded)
