"""Measuring for the public: each request within its time, few at once, and what was measured before from memory.

A metric over the whole country reads every fact of it, which takes longer than other questions may. Its answer is the
same as long as no city is projected further, so that it is kept until then.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from threading import BoundedSemaphore, Lock
from time import monotonic
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import psycopg
from graphql import GraphQLError

from gateway.graphql.state import state
from gateway.reading import STATEMENT_TIMEOUT
from projections.metrics import TooManyGroups, measure

if TYPE_CHECKING:
    from collections.abc import Hashable
    from uuid import UUID

    from gateway.graphql.resolvers import Asking
    from projections.as_of import AsOf
    from projections.metrics import Dimension, Measured, Metric
    from tenants.database import Connection, Database

SECONDS = 20
"""How long all measures of one request may take together, in the database."""

AT_ONCE = 4
"""How many measures one process makes at a time, so that they leave connections to everybody else."""

WAIT = 2.0
"""Seconds that a measure waits for its turn."""

REMEMBERED = 200_000
"""Numbers and points of curves that are kept of what was measured; some 100 MB at most."""

_TURNS = BoundedSemaphore(AT_ONCE)


@dataclass(frozen=True)
class Question:
    """What is measured: `tenants` None for all cities, `years` the first and the last fiscal year of the cohort."""

    metric: Metric
    tenants: tuple[UUID, ...] | None
    as_of: AsOf
    years: tuple[int, int] | None
    by: tuple[Dimension, ...]

    @property
    def key(self) -> Hashable:
        """Equal for questions with the same answer in the same state."""
        positions = self.as_of.positions
        vector = None if positions is None else frozenset(positions.items())
        tenants = None if self.tenants is None else frozenset(self.tenants)
        return self.metric.key, tenants, self.as_of.moment, vector, self.years, frozenset(self.by)


class Memory:
    """Answers by question and state, the latest used, up to so many numbers and points. Shared between threads."""

    def __init__(self, most: int = REMEMBERED) -> None:
        self._most = most
        self._size = 0
        self._kept: OrderedDict[Hashable, tuple[list[Measured], int]] = OrderedDict()
        self._lock = Lock()

    def recall(self, key: Hashable) -> list[Measured] | None:
        """What was measured then, if it is still kept."""
        with self._lock:
            if key not in self._kept:
                return None
            self._kept.move_to_end(key)
            return self._kept[key][0]

    def keep(self, key: Hashable, found: list[Measured]) -> None:
        """Keep an answer, and forget those that were not asked for the longest."""
        size = 1 + sum(1 + len(each.curve) for each in found)
        with self._lock:
            if key in self._kept or size > self._most:
                return
            self._kept[key] = found, size
            self._size += size
            while self._size > self._most:
                self._size -= self._kept.popitem(last=False)[1][1]


_MEMORIES: WeakKeyDictionary[Database, Memory] = WeakKeyDictionary()


def measured(asking: Asking, question: Question) -> list[Measured]:
    """Every number, measured in the request's snapshot or remembered; GraphQLError where it takes or gives too much."""
    memory = _MEMORIES.setdefault(asking.database, Memory())
    key = state(asking.connection), question.key
    if (known := memory.recall(key)) is not None:
        return known
    if not _TURNS.acquire(timeout=WAIT):
        raise GraphQLError(f"{AT_ONCE} metrics are being measured already; ask again in a few seconds.")
    try:
        if (known := memory.recall(key)) is not None:
            return known
        found = _measured_now(asking, question)
    finally:
        _TURNS.release()
    memory.keep(key, found)
    return found


def _measured_now(asking: Asking, question: Question) -> list[Measured]:
    began = monotonic()
    left = SECONDS - asking.measured_for
    try:
        if left <= 0:
            raise _took_too_long()
        # What goes wrong in here leaves the snapshot to the fields that follow.
        connection = asking.connection
        with connection.transaction():
            _limit(connection, f"{int(left * 1000)}ms")
            found = measure(
                connection,
                question.metric,
                tenants=question.tenants,
                as_of=question.as_of,
                years=question.years,
                by=question.by,
            )
            _limit(connection, STATEMENT_TIMEOUT)
    except psycopg.errors.QueryCanceled:
        raise _took_too_long() from None
    except TooManyGroups as many:
        said = str(many)
        raise GraphQLError(f"{said[0].upper()}{said[1:]}.") from None
    finally:
        asking.measured_for += monotonic() - began
    return found


def _limit(connection: Connection, timeout: str) -> None:
    """Set for this transaction only how long a statement may take."""
    connection.execute("SELECT set_config('statement_timeout', %s, true)", (timeout,))


def _took_too_long() -> GraphQLError:
    return GraphQLError(
        f"Measuring took longer than {SECONDS} seconds, which is all that one request may;"
        " name fewer cities or years, group by less, or ask for fewer metrics at a time."
    )
