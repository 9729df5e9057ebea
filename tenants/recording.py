"""Commands given one by one, as JSON: what happens now (LIVE) or is entered late (RETROACTIVE), all or nothing.

An entry names its stream (`partnership`, `programme`, `participation` as "city/number", or none of them for the city's
own) and otherwise is a fact as in a case file, with `mode`, `recorded_by` and, for safe repetition, `key` on the first.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pydantic import Field, ValidationError

from domain.errors import DomainError
from domain.event import Mode
from domain.values import Agent
from tenants.book import Book, Request, problems
from tenants.cases import Fact

if TYPE_CHECKING:
    from uuid import UUID

    from tenants.book import Receipt


class Entry(Fact):
    """One command with its stream and who gives it."""

    partnership: str | None = None
    programme: str | None = None
    participation: str | None = Field(default=None, pattern=r"^[a-z0-9-]+/[A-Z0-9_]+$")
    mode: Mode = Mode.LIVE
    actor: str
    recorded_by: Agent
    key: str | None = Field(default=None, min_length=1, max_length=200)


class BadEntry(Exception):
    """A command cannot be recorded; nothing was."""


def read_entries(text: str) -> list[Entry]:
    """One entry, or a list of them; BadEntry names what is wrong."""
    try:
        given = json.loads(text)
    except json.JSONDecodeError as broken:
        raise BadEntry(f"line {broken.lineno}: this is not JSON: {broken.msg}") from broken
    entries = []
    for number, each in enumerate(given if isinstance(given, list) else [given], start=1):
        try:
            entries.append(Entry.model_validate_json(json.dumps(each)))
        except ValidationError as invalid:
            raise BadEntry(f"entry {number}: {problems(invalid)}") from invalid
    return entries


def record(book: Book, entries: list[Entry]) -> Receipt:
    """Decide the commands in order and append them together; BadEntry names the one that is refused, and by which rule.

    With the key of an earlier call that asked the same, its answer of then.
    """
    requests = [(_stream(book, entry), _request(entry)) for entry in entries]
    key = entries[0].key if entries else None
    if key is not None and (done := book.entered(key, book.digest(requests))) is not None:
        return done
    plan = book.plan()
    for number, (stream, request) in enumerate(requests, start=1):
        try:
            plan.add(stream, request)
        except DomainError as refused:
            raise BadEntry(f"entry {number}, {request.command}: {refused.code}: {refused}") from refused
    return plan.commit(key)


def _stream(book: Book, entry: Entry) -> UUID:
    if entry.partnership is not None:
        return book.stream("partnership", entry.partnership)
    if entry.programme is not None:
        return book.stream("programme", entry.programme)
    if entry.participation is not None:
        return book.participation(*entry.participation.split("/"))
    return book.stream("city")


def _request(entry: Entry) -> Request:
    given = entry.model_dump(
        include={"command", "data", "mode", "actor", "recorded_by", "approved_by", "signatories"}
        | {"document_ref", "placed_after"}
    )
    return Request(valid=entry.valid_time(), **given)
