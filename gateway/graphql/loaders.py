"""One request's way to the database: one snapshot, one question for many keys, and a bound on how much it may fetch."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Generic, TypeVar

import psycopg
from graphql import GraphQLError

from gateway import reading

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
    from types import TracebackType
    from typing import Self

    from tenants.database import Connection, Database

MOST_OBJECTS = 10_000
"""Objects in one answer, counted where lists are made."""

FETCHED_AT_MOST = MOST_OBJECTS + 1
"""Rows that one question fetches: one more than an answer may hold shows that it would hold too many."""

_Asked = TypeVar("_Asked", bound="Hashable")
_Found = TypeVar("_Found")
_Many = TypeVar("_Many", bound="Collection[object]")


class Together(Generic[_Asked, _Found]):
    """Answers for several keys: whoever asks first fetches them all with one question."""

    def __init__(self, keys: Sequence[_Asked], fetch: Callable[[Sequence[_Asked]], Mapping[_Asked, _Found]]) -> None:
        self._keys, self._fetch = keys, fetch
        self._found: Mapping[_Asked, _Found] | None = None
        self._refused: GraphQLError | psycopg.Error | None = None

    def of(self, key: _Asked) -> _Found:
        """The answer for one of the keys; a question that failed is not asked again for the others."""
        if self._refused is not None:
            raise self._refused
        if self._found is None:
            try:
                self._found = self._fetch(self._keys)
            except (GraphQLError, psycopg.Error) as refused:
                self._refused = refused
                raise
        return self._found[key]


class Asking:
    """The context of one request. The snapshot is taken with the first question: introspection needs no database."""

    def __init__(self, database: Database, operation: str | None = None) -> None:
        self.operation = operation
        self._database = database
        self._open = ExitStack()
        self._connection: Connection | None = None
        self._left = MOST_OBJECTS

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.__exit__(kind, error, trace)

    @property
    def connection(self) -> Connection:
        """The snapshot that every question of this request reads."""
        if self._connection is None:
            self._connection = self._open.enter_context(reading.snapshot(self._database))
        return self._connection

    def spend(self, objects: _Many) -> _Many:
        """The objects themselves, while the answer stays within its bound; refuses beyond it."""
        self._left -= len(objects)
        if self._left < 0:
            raise _too_many()
        return objects

    def bounded(self, found: Mapping[_Asked, _Many]) -> Mapping[_Asked, _Many]:
        """What was fetched for several keys, unless it is more than any answer may hold."""
        if sum(map(len, found.values())) >= FETCHED_AT_MOST:
            raise _too_many()
        return found


def _too_many() -> GraphQLError:
    return GraphQLError(
        f"The answer would hold more than {MOST_OBJECTS:,} objects. "
        "Ask for fewer at a time with `first`, and go on with `after`."
    )
