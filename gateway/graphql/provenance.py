"""What an answer rests on: for each city's log that it depends on, how many entries count, and their root hash.

It is one more column of the statement that gives the answer, so that both are of the same moment. An answer depends on
the cities that its root fields name in `city`, `cities` or `slug`; on all of them where a root field names none, or
leads on to rows of other cities.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.graphql.writer import Writer
from projections.catalogue import SCHEMA

if TYPE_CHECKING:
    from gateway.graphql.resolvers import Asking
    from gateway.graphql.times import Asked

MOST = 100
"""Of more cities than these only the number is told, unless the request asks for all."""

EVERY = 2**31
"""For requests that ask for all."""

_NAMING = ("slug", "city", "cities")
_NOW = (None, None)
_SLUG = re.compile("[a-z][a-z0-9-]{0,62}")


@dataclass(frozen=True)
class Root:
    """A root field of a request: its key in the answer, its time, the cities that it depends on; None is all."""

    key: str
    asked: Asked
    cities: frozenset[str] | None

    @classmethod
    def of(cls, key: str, asked: Asked, arguments: Mapping[str, Any], *, elsewhere: bool) -> Root:
        """`elsewhere`: whether it leads to rows of other cities than those that its arguments name."""
        given = [arguments[name] for name in _NAMING if arguments.get(name) is not None]
        if elsewhere or not given:
            return cls(key, asked, None)
        return cls(key, asked, _union([each] if isinstance(each, str) else each for each in given))


@dataclass(frozen=True)
class _Group:
    """Root fields that are asked for as of one time, by one place in the request."""

    asked: Asked
    cities: frozenset[str] | None
    keys: tuple[str, ...]

    @property
    def time(self) -> tuple[Any, Any]:
        """The moment and the positions; neither is now."""
        return self.asked.moment, self.asked.positions

    @property
    def named(self) -> list[str] | None:
        """The slugs of the cities, None where it is all of them."""
        positions = self.asked.positions
        if positions is None and self.cities is None:
            return None
        named = positions if self.cities is None else self.cities
        return sorted(
            city for city in named or () if _SLUG.fullmatch(city) and (positions is None or city in positions)
        )


class Provenance:
    """The provenance of one request. `sql` is the same for all requests of one form."""

    def __init__(self, roots: Sequence[Root], *, every: bool = False) -> None:
        """`every`: whether all cities are listed, of more than MOST too."""
        single = [_Group(root.asked, root.cities, (root.key,)) for root in roots]
        now = [each for each in single if each.time == _NOW]
        self._groups = [each for each in single if each.time != _NOW]
        if now:
            cities = None if any(each.cities is None for each in now) else _union(each.cities for each in now)
            self._groups.append(_Group(now[0].asked, cities, tuple(each.keys[0] for each in now)))
        self._most = EVERY if every else MOST

    @property
    def sql(self) -> str:
        """An expression that gives, for `read`, an array with an element for each time that is asked as of."""
        return f"json_build_array({', '.join(_sql(number, group) for number, group in enumerate(self._groups))})"

    @property
    def values(self) -> dict[str, Any]:
        """The parameters of the expression."""
        values: dict[str, Any] = {"logs_most": self._most}
        for number, group in enumerate(self._groups):
            named = group.named or []
            if len(named) > self._most:
                named = []
            positions = group.asked.positions or {}
            # As text: slugs and numbers need no quotes, and the driver takes its time over lists.
            values[f"logs{number}_named"] = f"{{{','.join(named)}}}"
            values[f"logs{number}_sizes"] = f"{{{','.join(str(positions.get(city, 'NULL')) for city in named)}}}"
            values[f"logs{number}_moment"] = group.asked.moment
        return values

    def asked_by(self, asking: Asking) -> Any:
        """What is shown, asked in the snapshot that the resolvers' questions were answered from."""
        if not self._groups:
            return []
        writer = Writer()
        writer.values |= self.values
        return self.read(asking.ask(f"SELECT {self.sql}::text", writer, self._groups[0].asked)[0])

    def read(self, found: Sequence[Any]) -> Any:
        """What is shown: an object for each city by slug, with `fields` where these are as of different times.

        Of too many cities their number alone, `{"cities": …}`.
        """
        named = _union(group.named for group in self._groups)
        counted = [each for each in found if isinstance(each, int)]
        if counted or len(named) > self._most:
            return {"cities": max([len(named), *counted])}
        several = any(group.time != self._groups[0].time for group in self._groups)
        keys: dict[tuple[str, int, str | None], list[str]] = {}
        for group, logs in zip(self._groups, found, strict=True):
            for city, size, root in logs:
                known = keys.setdefault((city, size, root), [])
                known += [key for key in group.keys if key not in known]
        return [
            {"city": city, "logSize": size, "rootHash": root} | ({"fields": fields} if several else {})
            for (city, size, root), fields in sorted(keys.items(), key=lambda item: item[0][:2])
        ]


def _union(each: Iterable[Iterable[str] | None]) -> frozenset[str]:
    return frozenset(city for cities in each for city in cities or ())


def _sql(number: int, group: _Group) -> str:
    """The logs of a group as arrays of slug, size and root; or where they are all and too many, how many."""
    named, reached = f"%(logs{number}_named)s::text[]", "coalesce(k$.position, 0)"
    origin, which = "tenant n$", ""
    if group.asked.positions is not None:
        origin = (
            f"unnest({named}, %(logs{number}_sizes)s::bigint[]) AS r$ (city, position)"
            " JOIN tenant n$ ON n$.slug = r$.city"
        )
        # A position that is not reached yet answers as the last one that is.
        reached = f"greatest(least(r$.position, {reached}), 0)"
    elif group.named is not None:
        which = f" WHERE n$.slug = ANY ({named})"
    if group.asked.moment is not None:
        reached = f"log_size(n$.tenant_id, {reached}, %(logs{number}_moment)s::timestamptz)"
    # OFFSET keeps the planner from writing the size into both places that it is used in, to be found twice.
    logs = (
        f"(SELECT n$.tenant_id, n$.slug, {reached} AS size"
        f" FROM {origin} LEFT JOIN {SCHEMA}.tracking k$ USING (tenant_id){which} OFFSET 0) l$"
    )
    root = "encode(log_root(l$.tenant_id, l$.size), 'hex')"
    listed = f"(SELECT coalesce(json_agg(json_build_array(l$.slug, l$.size, {root})), '[]') FROM {logs})"
    if group.named is not None:
        return listed
    count = "(SELECT count(*) FROM tenant)"
    return f"CASE WHEN {count} > %(logs_most)s THEN to_json({count}) ELSE {listed} END"
