"""The pages of Relay connections: how many, from where, and in which direction.

A cursor is the values of the connection's order as a JSON array in base64url: it stays valid when others come in.
https://relay.dev/graphql/connections.htm
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from graphql import GraphQLError

MOST = 100
PAGE = 20


@dataclass(frozen=True)
class Bounds:
    """A page: `limit` objects from behind `after`, or the last of them before `before`."""

    limit: int
    backwards: bool
    after: str | None
    before: str | None

    @classmethod
    def of(cls, arguments: Mapping[str, Any]) -> Bounds:
        """What the arguments of a connection ask for; refuses other numbers than 1 to 100, and both at once."""
        first, last = arguments.get("first"), arguments.get("last")
        if first is not None and last is not None:
            raise GraphQLError("Give `first` or `last`, not both.")
        name, limit = ("last", last) if last is not None else ("first", PAGE if first is None else first)
        if not 1 <= limit <= MOST:
            raise GraphQLError(f"`{name}` is a number from 1 to {MOST}, not {limit}.")
        return cls(limit, last is not None, arguments.get("after"), arguments.get("before"))

    def values(self, order: Sequence[str]) -> dict[str, Any]:
        """The parameters of the page; refuses a cursor that is not one of a connection in this order."""
        values: dict[str, Any] = {"limit": self.limit}
        for name, cursor in (("after", self.after), ("before", self.before)):
            if cursor is not None:
                values |= {f"{name}{at}": each for at, each in enumerate(_place(name, cursor, order))}
        return values

    def conditions(self, order: Sequence[str], prefix: str) -> list[str]:
        """SQL: behind `after`, and before `before`."""
        return [
            f"({', '.join(order)}) {sign} ({', '.join(f'%({prefix}{name}{at})s' for at in range(len(order)))})"
            for name, sign, cursor in (("after", ">", self.after), ("before", "<", self.before))
            if cursor is not None
        ]


def cursor(values: Sequence[Any]) -> str:
    """The cursor of an object with these values of the order."""
    return urlsafe_b64encode(orjson.dumps(list(values))).decode().rstrip("=")


def _place(name: str, cursor: str, order: Sequence[str]) -> list[Any]:
    try:
        place = orjson.loads(urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4)))
    except (UnicodeEncodeError, NotBase64, ValueError):
        place = None
    if not isinstance(place, list) or len(place) != len(order) or not all(map(_fits, place, order)):
        raise GraphQLError(
            f"`{name}`: The cursor is not one that this service gave out for this list;"
            " take `endCursor` or `startCursor` of another page."
        )
    return place


def _fits(given: Any, column: str) -> bool:
    """Whether it may be a value of that column of the order: texts have a collation there, the others are integers."""
    if "COLLATE" in column:
        return isinstance(given, str) and "\x00" not in given
    return isinstance(given, int) and not isinstance(given, bool) and -(1 << 63) <= given < 1 << 63
