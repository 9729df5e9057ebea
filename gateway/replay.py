"""What `kyodo replay` prints: the state of streams folded afresh, their texts opened where they are public."""

from __future__ import annotations

from contextlib import suppress
from datetime import date, datetime
from typing import Any
from uuid import UUID

from domain.commands import initial_state
from domain.dates import Holding, began_by
from domain.errors import NotFound
from domain.event import State
from domain.history import History, Recorded, evolve
from projections.replay import replay
from tenants.book import Book
from tenants.database import Role
from tenants.disclosures import masked, public_texts

WITHHELD = "[not public, withdrawn or erased]"


def printed(
    book: Book, stream: str | None, *, until: int | datetime | None, day: date | None, possible: bool
) -> list[dict[str, Any]]:
    """The streams of a city as known at `until`, of events that had happened by `day`.

    NotFound when the stream has no event by then. Texts are as of now; those that are not public are marked.
    """
    histories = replay(book.database, book.tenant, until=until)
    chosen = {found: histories[found] for found in histories if stream is None or found in _named(book, stream)}
    if stream is not None and not chosen:
        raise NotFound(what="stream", name=f"{stream!r} (a partnership's number, a programme's slug, city, or an id)")
    with book.database.tenant(Role.APP, book.tenant) as connection:
        texts = public_texts(connection, book.keys, book.tenant, chosen)
    return [_shown(found, history, texts, day, possible=possible) for found, history in chosen.items()]


def _named(book: Book, stream: str) -> set[UUID]:
    named = {book.stream(kind, stream) for kind in ("partnership", "programme")}
    if stream == "city":
        named.add(book.stream("city"))
    with suppress(ValueError):
        named.add(UUID(stream))
    return named


def _shown(
    stream: UUID, history: History, texts: dict[str, str], day: date | None, *, possible: bool
) -> dict[str, Any]:
    left_out: list[Recorded] = []
    if day is not None:
        history, left_out = _by(history, day, possible=possible)
    return {
        "stream": str(stream),
        "kind": type(history.state).__name__,
        "version": history.version,
        "state": masked(history.state.model_dump(mode="json", exclude_none=True), texts, WITHHELD),
        "events": [_entry(entry, texts) for entry in history.entries],
        **({"left_out": [_entry(entry, texts) for entry in left_out]} if day is not None else {}),
    }


def _by(history: History, day: date, *, possible: bool) -> tuple[History, list[Recorded]]:
    # The registration frames the record whatever its date; everything else counts by when it happened.
    wanted = {Holding.CERTAIN, Holding.POSSIBLE} if possible else {Holding.CERTAIN}
    first, *rest = history.entries
    kept = [entry for entry in rest if began_by(entry.event.valid.edtf, day) in wanted]
    left_out = [entry for entry in rest if entry not in kept]
    entries = (first, *kept)
    state: State = initial_state(first.name)
    for entry in entries:
        state = evolve(state, entry)
    return History(state, entries, entries), left_out


def _entry(entry: Recorded, texts: dict[str, str]) -> dict[str, Any]:
    return {
        "position": entry.position,
        "version": entry.version,
        "recorded_at": entry.recorded_at.isoformat(),
        "type": entry.name,
        "mode": entry.meta.mode.value,
        **({"corrected_by": entry.corrected_by} if entry.corrected_by else {}),
        "data": masked(entry.event.model_dump(mode="json", exclude_none=True), texts, WITHHELD),
    }
