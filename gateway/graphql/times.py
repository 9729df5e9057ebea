"""Which time a part of an answer is about: what the logs held at a moment or up to some positions, and what held then.

Structure is as of then, texts are as of now: what was withdrawn or erased since is null in every answer.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from typing import Annotated, Any

import strawberry
from graphql import GraphQLError

from projections.catalogue import SCHEMA
from projections.read_model import OPEN_POSITION

MOST_CITIES = 2_000


@strawberry.input(description="A position of a city's log: its first so many events.")
class CityPosition:
    """One city of a vector."""

    city: str = strawberry.field(description="The city's slug.")
    position: int = strawberry.field(description="How many events of its log are known, from 1.")


@strawberry.input(one_of=True, description="When the answer is known as of: exactly one of these. Now, unless given.")
class AsOf:
    """A moment or positions."""

    moment: datetime | None = strawberry.field(
        default=strawberry.UNSET, description="What the logs held at that moment; with its offset, as RFC 3339 says."
    )
    positions: list[CityPosition] | None = strawberry.field(
        default=strawberry.UNSET,
        description="Positions of logs, as a citation holds them. A city that is not named is no part of the answer.",
    )


@strawberry.enum(description="What counts as having happened by a day, where a date is not known to the day.")
class Holding(Enum):
    """CERTAIN or POSSIBLE."""

    CERTAIN = strawberry.enum_value(
        "CERTAIN", description="Every day on which it may have happened lies before, or is the day itself."
    )
    POSSIBLE = strawberry.enum_value(
        "POSSIBLE",
        description="Some day on which it may have happened does. What has no date at all is possible from the date of"
        " its source on.",
    )


@strawberry.input(description="What held on a day, by what is known: of what had happened by then.")
class ValidOn:
    """A day, and what counts."""

    day: date = strawberry.field(description="The day.")
    holding: Holding = strawberry.field(default=Holding.CERTAIN, description="What counts as having happened.")


ValidOnArgument = Annotated[
    ValidOn | None,
    strawberry.argument(
        description="What held on that day. Partnerships that had not begun are no part of the answer; titles, parties"
        " and programmes are as known, whenever they became so."
    ),
]
AsOfArgument = Annotated[
    AsOf | None, strawberry.argument(description="As it was known then. Texts are always as of now.")
]


@dataclass(frozen=True)
class Asked:
    """The time of one root field, with parameters of its own: another one may be asked as of another time."""

    moment: datetime | None = None
    positions: Mapping[str, int] | None = None
    number: int = 0
    day: date | None = None
    possible: bool = False

    @classmethod
    def of(cls, arguments: Mapping[str, Any], number: int) -> "Asked":
        """What the arguments of a root field ask for; refuses what could be read in two ways."""
        given = arguments.get("as_of") or {}
        moment, positions = given.get("moment"), given.get("positions")
        if moment is not None and moment.utcoffset() is None:
            raise GraphQLError(f"`asOf`: {moment.isoformat()} has no offset; write {moment.isoformat()}+09:00 or Z.")
        on = arguments.get("valid_on") or {}
        holding = on.get("holding")
        day, possible = on.get("day"), getattr(holding, "value", holding) == "POSSIBLE"
        if positions is None:
            return cls(moment, None, number, day, possible)
        if len(positions) > MOST_CITIES:
            raise GraphQLError(f"`asOf` names {len(positions):,} cities; at most {MOST_CITIES:,} are allowed.")
        vector = {each["city"]: each["position"] for each in positions}
        if len(vector) < len(positions):
            raise GraphQLError("`asOf` names a city twice.")
        return cls(None, vector, number, day, possible)

    def condition(self, alias: str) -> str:
        """SQL: whether the row version under this alias was the known one then."""
        if self.positions is not None:
            reached = self._reached(alias)
            return f"({alias}.known_from <= {reached} AND {alias}.known_until > {reached})"
        if self.moment is not None:
            moment = f"%(root{self.number}_moment)s::timestamptz"
            return f"({alias}.recorded_from <= {moment} AND {alias}.recorded_until > {moment})"
        # Spelt as in the partial indexes, so that they are used.
        return f"{alias}.known_until = {OPEN_POSITION}"

    def names(self, alias: str) -> str:
        """SQL: whether the city of this alias is part of the answer."""
        return "true" if self.positions is None else f"{self._reached(alias)} IS NOT NULL"

    def held(self, earliest: str, latest: str) -> str:
        """SQL: whether what may have been on these days had happened by the day asked for."""
        day = f"%(root{self.number}_day)s::date"
        if not self.possible:
            return f"coalesce({latest} <= {day}, false)"
        alias = earliest.partition(".")[0]
        return (
            f"CASE WHEN coalesce({earliest}, {latest}) IS NOT NULL THEN coalesce({earliest} <= {day}, true)"
            f" ELSE {self._sourced(alias, day) if earliest == f'{alias}.earliest' else 'true'} END"
        )

    def _sourced(self, alias: str, day: str) -> str:
        """Whether the source of a row without a date was there by that day; where no source is named, it may be."""
        return (
            "coalesce((SELECT coalesce((s$ ->> 'earliest')::date <= "
            f"{day}, true) FROM {SCHEMA}.city c$, json_array_elements(c$.clear_sources) s$"
            f" WHERE c$.tenant_id = {alias}.tenant_id AND {self.condition('c$')}"
            f" AND s$ ->> 'source' = {alias}.source LIMIT 1), true)"
        )

    def _reached(self, alias: str) -> str:
        # The inner query depends on nothing outside, so that it is run once for a statement and not for each row.
        return (
            f"((SELECT jsonb_object_agg(n$.tenant_id, r$.position)"
            f" FROM unnest(%(root{self.number}_cities)s::text[], %(root{self.number}_positions)s::bigint[])"
            f" AS r$ (city, position) JOIN tenant n$ ON n$.slug = r$.city) ->> {alias}.tenant_id::text)::bigint"
        )

    def values(self) -> Mapping[str, Any]:
        """The parameters of the conditions."""
        positions = self.positions or {}
        return {
            f"root{self.number}_day": self.day,
            f"root{self.number}_moment": self.moment,
            f"root{self.number}_cities": list(positions),
            f"root{self.number}_positions": list(positions.values()),
        }


class AsRecorded(Asked):
    """As of the position of each event that the first link of a statement, `t0$`, leads to: when it was recorded."""

    def condition(self, alias: str) -> str:
        """SQL: whether the row version under this alias was the known one then."""
        return f"({self.names(alias)} AND {alias}.known_from <= t0$.position AND {alias}.known_until > t0$.position)"

    def names(self, alias: str) -> str:
        """SQL: whether the row is one of the city whose event it is."""
        return f"{alias}.tenant_id = t0$.tenant_id"
