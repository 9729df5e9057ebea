"""Participations: what cities confirmed about joint partnerships that another city records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from domain.participation import Participation
from projections.read_model import Column, ReadModel

if TYPE_CHECKING:
    from domain.history import History
    from projections.read_model import Key, Parts


def _whole(history: History) -> Parts:
    return {(history.recorded[0].stream,): history.state}


def _row(_: Key, state: Participation, history: History) -> tuple[Any, ...]:
    return (
        state.recording_city,
        state.number,
        state.since,
        state.ended,
        history.recorded[0].position,
        state.title_ja,
        state.title_en,
    )


PARTICIPATIONS = ReadModel(
    name="participation",
    description="Participations: one row for each joint partnership in which a city confirmed its part.",
    state=Participation,
    key=(Column("participation_id", "uuid", "The stream of this city's part."),),
    parts=_whole,
    row=_row,
    columns=(
        Column("recording_city", "text", "The city that records the partnership; it is counted there.", required=True),
        Column("number", "text", "The partnership's number in that city.", required=True),
        Column("since", "text", "From when or in which period the city takes part (EDTF).", required=True),
        Column("ended", "text", "When its part ended (EDTF)."),
        Column("position", "bigint", "The position of the confirmation in this city's log.", required=True),
        Column("title_ja", "text", "Title in Japanese, as this city confirmed it.", text=True),
        Column("title_en", "text", "Title in English, as this city confirmed it.", text=True),
    ),
    indexes=("(recording_city, number, tenant_id)",),
)
