"""How a story is told: commands given as they happen, on a partnership or a programme of one city."""

from __future__ import annotations

from typing import Any, NamedTuple
from uuid import UUID

import pytest

from domain.errors import DomainError
from domain.history import History
from tenants.book import Book, Request
from tenants.database import Role
from tenants.disclosures import public_texts


class Said(NamedTuple):
    """What somebody did on a day: the command, its data, and who signed or approved it."""

    day: str
    actor: str
    command: str
    data: dict[str, Any]
    signed: tuple[str, ...] = ()
    approved: str | None = None

    def request(self) -> Request:
        """As the city's officer enters it, on the day."""
        return Request(
            command=self.command,
            data=self.data,
            valid={"edtf": self.day},
            actor=self.actor,
            recorded_by="S/officer",
            signatories=self.signed,
            approved_by=self.approved,
        )


def said(
    day: str, actor: str, command: str, *, signed: tuple[str, ...] = (), approved: str | None = None, **data: Any
) -> Said:
    return Said(day, actor, command, data, signed, approved)


def tell(book: Book, stream: UUID, *story: Said) -> History:
    """Every command of the story, one after the other; what the stream amounts to then."""
    for each in story:
        book.execute(stream, each.request())
    history = book.history(stream)
    assert history is not None
    assert history.state.anomalies == (), "what happens now breaks no rule"
    return history


def refuse(book: Book, stream: UUID, given: Said, refusal: type[DomainError]) -> None:
    """The command is refused by that name and nothing is changed."""
    before = (size(book), book.history(stream))
    with pytest.raises(refusal) as refused:
        book.execute(stream, given.request())
    assert type(refused.value) is refusal
    assert "?" not in refused.value.message("en") + refused.value.message("ja"), "a detail is missing"
    assert (size(book), book.history(stream)) == before


def size(book: Book) -> int:
    """How many events the city's log holds."""
    return book.recorder.max_notification_id() or 0


def names(history: History) -> list[str]:
    """The names of the events as they count now."""
    return [entry.name for entry in history.entries]


def readable(book: Book, stream: UUID) -> set[str]:
    """What the public may read of the stream."""
    with book.database.tenant(Role.APP, book.tenant) as connection:
        return set(public_texts(connection, book.keys, book.tenant, [stream]).values())


def decision(day: str, command: str, *, by: str, authority: str = "MAYOR", **data: Any) -> Said:
    """A decision by `by`, on the mayor's authority unless it says otherwise."""
    return said(day, "A/decides", command, decided_by=by, authority=authority, **data)
