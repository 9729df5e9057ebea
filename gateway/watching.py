"""News for whoever stays connected: which positions the read models of a city have reached, looked up once for all.

Nobody holds a connection to the database while nothing happens. Positions are those of the read models, so that a
subscriber never hears of anything that pages do not show yet.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import psycopg
from starlette.concurrency import run_in_threadpool

from gateway.seats import Seats
from projections.catalogue import SCHEMA
from projections.read_model import OPEN_POSITION
from tenants.database import DatabaseUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from uuid import UUID

    from tenants.database import Database

log = logging.getLogger("kyodo.watching")

BATCH = 100
"""The most events that are read at once."""

_INTERVAL = 0.2
_RETRY = 1.0

_Item = TypeVar("_Item")


class NothingThere(Exception):
    """There is no such city or partnership; the message names it."""


@dataclass(frozen=True, slots=True)
class Watched:
    """A city, or where `stream` is given one of its partnerships."""

    tenant: UUID
    city: str
    stream: UUID | None = None


@dataclass(eq=False, slots=True)
class _Waiting:
    """Someone who waits until a city is projected beyond a position."""

    tenant: UUID
    position: int
    reached: asyncio.Future[int] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Watching:
    """The watcher of one process, shared by its subscribers; to be used in one event loop."""

    def __init__(self, database: Database, seats: Seats | None = None) -> None:
        """`seats` are the places of those who stay connected."""
        self.database, self.seats = database, seats or Seats()
        self._waiting: set[_Waiting] = set()
        self._looking: asyncio.Task[None] | None = None

    async def find(self, city: str, number: str | None = None) -> Watched:
        """The city of that slug, or its partnership of that number; raises NothingThere or DatabaseUnavailable."""
        return await run_in_threadpool(self._find, city, number)

    async def follow(
        self, watched: Watched, after: int, read: Callable[[Sequence[int]], Sequence[_Item]], batch: int = BATCH
    ) -> AsyncIterator[tuple[int, _Item]]:
        """Each position behind `after` with what `read` makes of it, in order, none left out and none twice; endless.

        `read` runs in a thread, gets at most `batch` positions that are projected, and gives an item for each.
        """
        while True:
            reached = await self._beyond(watched.tenant, after)
            while after < reached:
                positions = await self._ask(partial(self._positions, watched, after, reached, batch))
                items = await self._ask(partial(read, positions))
                for position, item in zip(positions, items, strict=False):
                    yield position, item
                    after = position
                if len(items) < len(positions):
                    break  # The read models were exchanged for some that do not reach as far yet.
                if len(positions) < batch:
                    after = reached

    async def _beyond(self, tenant: UUID, position: int) -> int:
        """Up to where the city is projected, as soon as that is beyond the position."""
        waiting = _Waiting(tenant, position)
        self._waiting.add(waiting)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
            self._looking.add_done_callback(self._ended)
        try:
            return await waiting.reached
        finally:
            self._waiting.discard(waiting)

    async def _look(self) -> None:
        """Tell everyone who waits, as long as anyone does."""
        while self._waiting:
            tenants = list({waiting.tenant for waiting in self._waiting})
            reached = await self._ask(partial(self._reached, tenants))
            for waiting in self._waiting:
                found = reached.get(waiting.tenant, 0)
                if found > waiting.position and not waiting.reached.done():
                    waiting.reached.set_result(found)
            await asyncio.sleep(_INTERVAL)

    def _ended(self, looking: asyncio.Task[None]) -> None:
        """Whoever waited for a look that failed learns why."""
        if looking.cancelled() or (error := looking.exception()) is None:
            return
        for waiting in self._waiting:
            if not waiting.reached.done():
                waiting.reached.set_exception(error)

    @staticmethod
    async def _ask(question: Callable[[], _Item]) -> _Item:
        """The answer to a question to the database, asked again for as long as that does not answer."""
        while True:
            try:
                return await run_in_threadpool(question)
            except (DatabaseUnavailable, psycopg.OperationalError) as gone:
                log.warning("waiting for the database: %s", gone)
            await asyncio.sleep(_RETRY)

    def _find(self, city: str, number: str | None) -> Watched:
        with self.database.reader() as connection:
            found = connection.execute("SELECT tenant_id FROM tenant WHERE slug = %s", (_clean(city),)).fetchone()
            if found is None:
                raise NothingThere(f"no city is called {city[:80]!r}")
            if number is None:
                return Watched(found[0], city)
            stream = connection.execute(
                f"SELECT partnership_id FROM {SCHEMA}.partnership"
                f" WHERE tenant_id = %s AND number = %s AND known_until = {OPEN_POSITION}",
                (found[0], _clean(number)),
            ).fetchone()
        if stream is None:
            raise NothingThere(f"the city {city!r} has no partnership {number[:80]!r}")
        return Watched(found[0], city, stream[0])

    def _reached(self, tenants: list[UUID]) -> dict[UUID, int]:
        with self.database.reader() as connection:
            rows = connection.execute(
                f"SELECT tenant_id, position FROM {SCHEMA}.tracking WHERE tenant_id = ANY (%s)", (tenants,)
            ).fetchall()
        return dict(rows)

    def _positions(self, watched: Watched, after: int, reached: int, batch: int) -> Sequence[int]:
        if watched.stream is None:
            return range(after + 1, min(after + batch, reached) + 1)  # A log has no gaps.
        with self.database.reader() as connection:
            rows = connection.execute(
                f"SELECT position FROM {SCHEMA}.timeline WHERE tenant_id = %s AND stream_id = %s"
                " AND known_from = position AND position > %s AND position <= %s ORDER BY position LIMIT %s",
                (watched.tenant, watched.stream, after, reached, batch),
            ).fetchall()
        return [position for (position,) in rows]


def _clean(name: str) -> str:
    """A name as it may be looked up: what no text in the database holds is no name."""
    return "" if "\0" in name else name
