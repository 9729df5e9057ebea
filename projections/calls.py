"""Calls for proposals (募集) of the programmes: open, closed, called off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from domain.dates import bounds
from domain.programme import CallOpened, Programme
from projections.read_model import Column, ReadModel

if TYPE_CHECKING:
    from domain.event import Call
    from domain.history import History
    from projections.read_model import Key, Parts


def _calls(history: History) -> Parts:
    stream = history.recorded[0].stream
    return {(stream, known.call): known for known in history.state.calls}


def _source(history: History) -> Any:
    return history.state.calls


def _row(_: Key, known: Call, history: History) -> tuple[Any, ...]:
    opened, last = bounds(known.opened), bounds(known.last_day or "XXXX")
    return (
        history.state.programme,
        "CANCELLED" if known.cancelled else "CLOSED" if known.ended else "OPEN",
        known.fiscal_year,
        known.budget_yen,
        known.opened,
        opened.earliest,
        opened.latest,
        known.closes,
        known.ended,
        last.earliest,
        last.latest,
        next(e.position for e in history.entries if isinstance(e.event, CallOpened) and e.event.call == known.call),
        known.theme,
        known.reason,
    )


CALLS = ReadModel(
    name="call",
    description="Calls: one row for each call for proposals of a programme.",
    state=Programme,
    key=(
        Column("programme_id", "uuid", "The programme's stream."),
        Column("call", "text", "The call's name in its programme."),
    ),
    parts=_calls,
    source=_source,
    row=_row,
    columns=(
        Column("programme", "text", "The programme that calls."),
        Column(
            "status", "text", "CLOSED or CANCELLED, else OPEN: on which days is what its window says.", required=True
        ),
        Column("fiscal_year", "integer", "The fiscal year that it is for; NULL is not stated."),
        Column("budget_yen", "bigint", "The budget behind it in yen; NULL is unknown, which is not 0."),
        Column("opened", "text", "When it was opened (EDTF)."),
        Column("opened_earliest", "date", "The first day on which that may have been; NULL is unbounded."),
        Column("opened_latest", "date", "The last day on which that may have been; NULL is unbounded."),
        Column("closes", "text", "Its last day as announced (EDTF)."),
        Column("ended", "text", "When it was closed (EDTF)."),
        Column("last_day_earliest", "date", "The earliest possible last day of its window; NULL is unbounded."),
        Column("last_day_latest", "date", "The latest possible last day of its window; NULL is unbounded."),
        Column("opened_position", "bigint", "The position of its opening in the city's log.", required=True),
        Column("theme", "text", "What proposals are called for.", text=True),
        Column("reason", "text", "Why it was called off.", text=True),
    ),
)
