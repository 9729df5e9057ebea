"""A stream's events in their places, and the one fold that turns them into state.

Corrections and retractions are resolved on the list of events, retroactive events are put where they belong, then every
event evolves the state. Commands, replays, as-of answers and projections all use it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import reduce
from typing import Annotated, Any, ClassVar
from uuid import UUID

from pydantic import StringConstraints
from pydantic_core import to_json

from domain.event import Anomaly, Event, Meta
from domain.text import Text
from domain.values import Ordinal

NEVER = datetime.min.replace(tzinfo=UTC)
"""The recorded time of an event that is not recorded yet."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event in its place: `version` within the stream and `position` within the city's log, both from 1.

    `leaf` is the hash of its entry in the log (RFC 6962 §2.1), empty while it is not recorded. Where a correction
    counts, `corrected_by` is its position and `judged_by` who entered it under which programme.
    """

    name: str
    event: Event
    meta: Meta
    stream: UUID
    version: int
    position: int
    recorded_at: datetime
    corrected_by: int | None = None
    judged_by: Meta | None = None
    leaf: bytes = b""

    @property
    def originator_id(self) -> UUID:
        """The stream, under the name that the event sourcing library uses."""
        return self.stream

    @property
    def originator_version(self) -> int:
        """The version, under the name that the event sourcing library uses."""
        return self.version


class EventCorrected(Event):
    """An earlier event of the stream was entered wrongly; this replaces its fields, the original stays replayable."""

    in_order: ClassVar[bool] = False
    second_person: ClassVar[bool] = True
    target: Ordinal
    event: Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Za-z]{2,60}$")]
    event_schema: Ordinal
    data: dict[str, Any]
    reason: Text
    evidence: Text | None = None


class EventRetracted(Event):
    """An earlier event of the stream did not happen, or belongs elsewhere; it no longer counts."""

    in_order: ClassVar[bool] = False
    second_person: ClassVar[bool] = True
    target: Ordinal
    reason: Text
    evidence: Text | None = None


@dataclass(frozen=True, slots=True)
class History:
    """A stream read to some moment: its events as they now count, in their order, and what they amount to."""

    state: Any
    entries: tuple[Recorded, ...] = ()
    recorded: tuple[Recorded, ...] = ()

    @property
    def version(self) -> int:
        """The version of the last recorded event; 0 for an empty stream."""
        return self.recorded[-1].version if self.recorded else 0


def fold(initial: Any, recorded: Iterable[Recorded]) -> History:
    """Corrections and retractions are resolved, retroactive events put in place, then every event evolves the state."""
    recorded = tuple(recorded)
    entries = tuple(_resolve(recorded))
    return History(reduce(evolve, entries, initial), entries, recorded)


def advance(history: History, new: Recorded) -> History:
    """The history with one more event; only a correction or a retroactive event makes the stream fold again."""
    recorded = (*history.recorded, new)
    if isinstance(new.event, EventCorrected | EventRetracted) or new.event.placed_after is not None:
        return fold(type(history.state)(), recorded)
    return History(evolve(history.state, new), (*history.entries, new), recorded)


def evolve(state: Any, entry: Recorded) -> Any:
    """The only place where an event turns into state."""
    state = entry.event.evolve(state)
    if not entry.event.breaks:
        return state
    found = (Anomaly(version=entry.version, event=entry.name, rule=rule) for rule in entry.event.breaks)
    return state.having(anomalies=(*state.anomalies, *found))


def _resolve(recorded: Sequence[Recorded]) -> list[Recorded]:
    retracted = {entry.event.target for entry in recorded if isinstance(entry.event, EventRetracted)}
    corrections = {
        entry.event.target: entry
        for entry in recorded
        if isinstance(entry.event, EventCorrected) and entry.version not in retracted
    }
    placed: list[Recorded] = []
    for entry in recorded:
        current = entry
        if entry.version in corrections:
            correction = corrections[entry.version]
            current = replace(
                entry,
                event=corrected(entry, correction.event),
                corrected_by=correction.position,
                judged_by=correction.meta,
            )
        placed.insert(_place(placed, current.event.placed_after), current)
    # What is retracted holds its place until the end, so that what was placed behind it stays there.
    return [entry for entry in placed if entry.version not in retracted]


def _place(placed: Sequence[Recorded], after: int | None) -> int:
    """Where an event goes that is placed after that version: behind it and behind those that were placed so before."""
    if after is None:
        return len(placed)
    at = 1 + next((at for at, entry in enumerate(placed) if entry.version == after), -1)
    behind = {after}
    while at < len(placed) and placed[at].event.placed_after in behind:
        behind.add(placed[at].version)
        at += 1
    return at


def corrected(entry: Recorded, correction: Event) -> Event:
    """The event with the corrected fields, of the same kind and at the same place."""
    if not isinstance(correction, EventCorrected):
        raise TypeError(type(correction).__name__)
    return type(entry.event).model_validate_json(to_json(correction.data))
