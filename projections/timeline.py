"""The timeline: every event of every stream as it now counts, in its place, with its valid and its recorded time."""

from __future__ import annotations

from base64 import b64encode
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from domain.dates import bounds
from domain.event import State
from domain.history import evolve
from domain.partnership.state import Partnership
from projections.clear import event_in_clear
from projections.read_model import Column, ReadModel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from domain.history import History, Recorded
    from projections.read_model import Key, Parts

_APART = {"valid", "breaks", "placed_after"}


def _entries(history: History) -> Parts:
    stream = history.recorded[0].stream
    states = accumulate(history.entries, evolve, initial=type(history.state)())
    next(states)  # Nothing has happened yet.
    return {
        (stream, entry.version): (place, entry, _status(state))
        for place, (entry, state) in enumerate(zip(history.entries, states, strict=True), start=1)
    }


def _newest(history: History) -> tuple[Key, Any]:
    entry = history.entries[-1]
    return (entry.stream, entry.version), (len(history.entries), entry, _status(history.state))


def _status(state: State) -> str | None:
    return state.status.value if isinstance(state, Partnership) and state.status else None


def _row(_: Key, part: tuple[int, Recorded, str | None], __: History) -> tuple[Any, ...]:
    place, entry, status = part
    event, meta, valid = entry.event, entry.meta, entry.event.valid
    days = bounds(valid.edtf)
    return (
        place,
        entry.name,
        entry.position,
        b64encode(entry.leaf).decode(),
        entry.recorded_at,
        meta.mode.value,
        meta.actor,
        meta.programme,
        meta.programme_version,
        valid.edtf,
        days.earliest,
        days.latest,
        valid.certainty.value,
        valid.source,
        list(event.breaks),
        entry.corrected_by,
        event.model_dump_json(exclude=_APART, exclude_none=True),
        status,
        valid.label,
        valid.inferred_from,
    )


def _clear(row: dict[str, Any], texts: Mapping[str, str]) -> tuple[str]:
    return (event_in_clear(row["type"], row["data"], texts),)


TIMELINE = ReadModel(
    name="timeline",
    description="Timelines: one row for each event of a partnership, a programme or a city, as it now counts.",
    state=State,
    key=(
        Column("stream_id", "uuid", "The partnership, programme or city."),
        Column("version", "integer", "The number of the event in its stream, in recorded order."),
    ),
    parts=_entries,
    row=_row,
    appended=_newest,
    columns=(
        Column(
            "place",
            "integer",
            "Its place in the story: recorded order, but retroactive events where they belong.",
            required=True,
        ),
        Column("type", "text", "What happened.", required=True),
        Column("position", "bigint", "Its position in the city's log, from 1.", required=True),
        Column("leaf_hash", "text", "The hash of its entry in the city's log (RFC 6962), in base64.", required=True),
        Column("recorded_at", "timestamptz", "When it was recorded; never backdated.", required=True),
        Column("mode", "text", "LIVE, RETROACTIVE or IMPORT.", required=True),
        Column("actor", "text", "Role of who acted, with an opaque id where known.", required=True),
        Column("programme", "text", "The programme it was judged by."),
        Column("programme_version", "integer", "The version of that programme in force on its date."),
        Column("valid", "text", "When it happened (EDTF), exactly as the source allows."),
        Column("earliest", "date", "The first day on which it may have happened; NULL is unbounded."),
        Column("latest", "date", "The last day on which it may have happened; NULL is unbounded."),
        Column("certainty", "text", "STATED, NOT_STATED or INFERRED."),
        Column("source", "text", "The publication it was taken from."),
        Column("breaks", "text[]", "Rules it breaks: accepted because it happened."),
        Column("corrected_by", "bigint", "Position of the correction that it shows; NULL when it stands as recorded."),
        Column("data", "json", "Its fields, texts as digests."),
        Column("status", "text", "Where the partnership stands once it happened; NULL of programmes and cities."),
        Column("label", "text", "The source's own wording of the date.", text=True),
        Column("inferred_from", "text", "What was inferred, and from what.", text=True),
    ),
    derive=_clear,
    derived=(
        Column(
            "clear",
            "json",
            "Its fields, texts in their place; a text that is not public, or was withdrawn, is null.",
            required=True,
        ),
    ),
    indexes=("(tenant_id, position)",),
)
