"""As of when an answer is given: now, at a moment, or at a position of each city's log.

Every row of a read model carries the positions and the times from which and until which it was known, so that an answer
as of then is the same query with one more condition.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from projections.read_model import OPEN_POSITION


class UnclearAsOf(ValueError):
    """The time of an answer can be read in more than one way; the message says how to put it."""


@dataclass(frozen=True)
class AsOf:
    """Now (neither is given), a moment, or positions by city: a city that these do not name is no part of the answer.

    UnclearAsOf where both are given, or where the moment has no time zone.
    """

    moment: datetime | None = None
    positions: Mapping[UUID, int] | None = None

    def __post_init__(self) -> None:
        """Refuse what could be read in two ways."""
        if self.moment is not None and self.positions is not None:
            raise UnclearAsOf("give a moment or positions, not both")
        if self.moment is not None and self.moment.utcoffset() is None:
            raise UnclearAsOf(f"{self.moment.isoformat()} has no time zone; write {self.moment.isoformat()}+09:00")

    def condition(self, alias: str) -> str:
        """SQL: whether the row version under this alias was the known one then. Needs `values` as parameters."""
        if self.positions is not None:
            return self._reached(
                f"{alias}.known_from <= reached.position AND {alias}.known_until > reached.position", alias
            )
        if self.moment is not None:
            return f"({alias}.recorded_from <= %(as_of_moment)s AND {alias}.recorded_until > %(as_of_moment)s)"
        # Spelt as in the partial indexes, so that they are used.
        return f"{alias}.known_until = {OPEN_POSITION}"

    def recorded(self, alias: str) -> str:
        """SQL: whether the row version under this alias was recorded by then, known or known otherwise since."""
        if self.positions is not None:
            return self._reached(f"{alias}.known_from <= reached.position", alias)
        return "true" if self.moment is None else f"{alias}.recorded_from <= %(as_of_moment)s"

    def values(self) -> dict[str, Any]:
        """The parameters of the conditions, all of them whichever are used."""
        positions = self.positions or {}
        return {
            "as_of_moment": self.moment,
            "as_of_tenants": list(positions),
            "as_of_positions": list(positions.values()),
        }

    @staticmethod
    def _reached(what: str, alias: str) -> str:
        return (
            "EXISTS (SELECT FROM unnest(%(as_of_tenants)s::uuid[], %(as_of_positions)s::bigint[])"
            f" AS reached(tenant_id, position) WHERE reached.tenant_id = {alias}.tenant_id AND {what})"
        )


NOW = AsOf()
"""What is known now."""
