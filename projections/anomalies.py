"""Anomalies: what an earlier record tells although a rule forbids it; accepted, because it happened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from domain.event import Anomaly, State
from projections.read_model import Column, ReadModel

if TYPE_CHECKING:
    from domain.history import History
    from projections.read_model import Key, Parts


def _found(history: History) -> Parts:
    stream = history.recorded[0].stream
    return {(stream, found.version, found.rule): found for found in history.state.anomalies}


def _source(history: History) -> Any:
    return history.state.anomalies


def _row(_: Key, found: Anomaly, history: History) -> tuple[Any, ...]:
    entry = next(entry for entry in history.entries if entry.version == found.version)
    return (found.event, entry.position, entry.event.valid.edtf, entry.event.valid.source, entry.meta.programme)


ANOMALIES = ReadModel(
    name="anomaly",
    description="Anomalies: one row for each rule that an event breaks, accepted because it happened.",
    state=State,
    key=(
        Column("stream_id", "uuid", "The partnership, programme or city."),
        Column("version", "integer", "The number of the event in its stream."),
        Column("rule", "text", "The rule that it breaks."),
    ),
    parts=_found,
    source=_source,
    row=_row,
    columns=(
        Column("type", "text", "What happened.", required=True),
        Column("position", "bigint", "Its position in the city's log, from 1.", required=True),
        Column("valid", "text", "When it happened (EDTF).", required=True),
        Column("source", "text", "The publication it was taken from."),
        Column("programme", "text", "The programme it was judged by."),
    ),
)
