"""Subscriptions, whatever carries them: from what a client asked for to the answers that it gets, one by one."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
import psycopg
from graphql import GraphQLError
from starlette.concurrency import run_in_threadpool

from gateway.graphql.engine import NotExecuted, OnlySubscriptions
from gateway.graphql.limits import COST
from gateway.watching import BATCH, NothingThere
from tenants.database import DatabaseUnavailable

if TYPE_CHECKING:
    from gateway.graphql.asked import Asked
    from gateway.graphql.engine import Answer, Engine, Subscribed
    from gateway.watching import Watched, Watching

log = logging.getLogger("kyodo.graphql")

Shown = Callable[[GraphQLError], dict[str, Any]]
"""An error as the reader may see it."""

_TOO_LONG = "An answer took too long; ask for less of each event."
_BROKEN = "Something went wrong here; it has been logged."
_AWAY = "The database does not answer; try again shortly."


class Ended(Exception):
    """The subscription cannot begin or go on; the errors, as the reader may see them, say why."""

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        super().__init__(*errors)
        self.errors = errors

    @property
    def result(self) -> bytes:
        """The execution result without data."""
        return orjson.dumps({"errors": self.errors})


@dataclass(frozen=True, slots=True)
class Next:
    """One answer: the position of its event, and the execution result."""

    position: int
    result: bytes


class Live:
    """Answers the subscriptions of one engine."""

    def __init__(self, engine: Engine, watching: Watching, shown: Shown) -> None:
        self.watching = watching
        self._engine, self._shown = engine, shown

    async def answers(self, asked: Asked, last_seen: int | None = None) -> AsyncIterator[Next]:
        """An answer for each event behind the one seen last, or else behind the argument `after`; raises Ended."""
        subscribed, watched = await self._begun(asked)
        after = max(subscribed.arguments.get("after") or 0, 0) if last_seen is None else last_seen

        def read(positions: Sequence[int]) -> list[bytes]:
            return [self._result(answer) for answer in _answered(subscribed, watched, positions)]

        async for position, result in self.watching.follow(watched, after, read, at_once(subscribed.cost)):
            yield Next(position, result)

    async def _begun(self, asked: Asked) -> tuple[Subscribed, Watched]:
        try:
            subscribed = await run_in_threadpool(self._engine.subscribed, asked.query, asked.variables, asked.operation)
            given = subscribed.arguments
            return subscribed, await self.watching.find(given["city"], given.get("number"))
        except NotExecuted as wrong:
            raise Ended([self._shown(error) for error in wrong.errors]) from None
        except OnlySubscriptions as other:
            raise Ended([{"message": f"Only subscriptions are answered this way; send a {other} by POST."}]) from None
        except NothingThere as missing:
            message = str(missing)
            raise Ended([{"message": f"{message[0].upper()}{message[1:]}."}]) from None
        except DatabaseUnavailable:
            raise Ended([{"message": _AWAY}]) from None

    def _result(self, answer: Answer) -> bytes:
        body: dict[str, Any] = {"data": orjson.Fragment(answer.data)}
        if answer.errors:
            body["errors"] = [self._shown(error) for error in answer.errors]
        return orjson.dumps(body)


def at_once(cost: int) -> int:
    """How many answers are asked for at once that may hold so many objects each."""
    return min(max(COST // max(cost, 1), 1), BATCH)


def _answered(subscribed: Subscribed, watched: Watched, positions: Sequence[int]) -> list[Answer]:
    try:
        return subscribed.answers(watched.tenant, watched.city, positions)
    except psycopg.errors.QueryCanceled:
        raise Ended([{"message": _TOO_LONG}]) from None
    except psycopg.OperationalError:
        raise  # The watcher asks again.
    except psycopg.Error:
        log.exception("unexpected error in an answer to a subscription")
        raise Ended([{"message": _BROKEN}]) from None
