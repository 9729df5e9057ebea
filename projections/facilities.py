"""Facilities (施設): who owns, runs and uses each, and what it charges (料金)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from domain.dates import bounds
from domain.partnership.agreement import CouncilResolved
from domain.partnership.delivery import FacilityEstablished, FacilityTransferred
from domain.partnership.money import FeeLine, FeeScheduleSet
from domain.partnership.state import Partnership
from projections.read_model import Column, ReadModel

if TYPE_CHECKING:
    from domain.history import History, Recorded
    from projections.read_model import Key, Parts

_OF_FACILITIES = (FacilityEstablished, FacilityTransferred, CouncilResolved)


def _facilities(history: History) -> Parts:
    """Each facility with what happened to it, its establishment first."""
    stream = history.recorded[0].stream
    found: dict[Key, tuple[Recorded, ...]] = {}
    for entry in history.entries:
        event = entry.event
        if isinstance(event, FacilityEstablished):
            found[stream, event.facility] = (entry,)
        elif isinstance(event, FacilityTransferred | CouncilResolved) and (stream, event.facility) in found:
            found[stream, event.facility or ""] += (entry,)
    return found


def _facility_row(_: Key, entries: tuple[Recorded, ...], __: History) -> tuple[Any, ...]:
    established: Any = entries[0].event
    holders = {"OWNERSHIP": established.owner, "MANAGEMENT": established.managed_by, "USE": None}
    changed, designated = None, None
    for entry in entries[1:]:
        event = entry.event
        if isinstance(event, FacilityTransferred):
            holders[event.right] = event.to_party
            holders["OWNERSHIP"] = event.owner_after or holders["OWNERSHIP"]
            changed = event.valid.edtf
        elif isinstance(event, CouncilResolved) and event.result == "PASSED":
            designated = event.valid.edtf
    days = bounds(established.valid.edtf)
    return (
        holders["OWNERSHIP"],
        holders["MANAGEMENT"],
        holders["USE"],
        established.valid.edtf,
        days.earliest,
        days.latest,
        changed,
        designated,
        established.valid.source,
        entries[-1].position,
        established.name,
        established.description,
        established.beside,
    )


FACILITIES = ReadModel(
    name="facility",
    description="Facilities: one row for each facility of a partnership, with who owns, runs and uses it.",
    state=Partnership,
    key=(
        Column("partnership_id", "uuid", "The partnership."),
        Column("facility", "text", "The facility's name in its partnership."),
    ),
    parts=_facilities,
    changed_by=_OF_FACILITIES,
    row=_facility_row,
    columns=(
        Column("owned_by", "text", "The party id of its owner; NULL is not stated."),
        Column("managed_by", "text", "The party id of who runs it; NULL is not stated."),
        Column("used_by", "text", "The party id of who was given its use; NULL where nobody was."),
        Column("established", "text", "When it came to be, as far as told (EDTF)."),
        Column("earliest", "date", "The first day on which that may have been; NULL is unbounded."),
        Column("latest", "date", "The last day on which that may have been; NULL is unbounded."),
        Column("transferred", "text", "When ownership, management or use last passed on (EDTF)."),
        Column(
            "designated", "text", "When the council last resolved on it, such as on its manager (指定管理者) (EDTF)."
        ),
        Column("source", "text", "The publication it was taken from."),
        Column("position", "bigint", "The position in the city's log of what last changed it.", required=True),
        Column("name", "text", "Its name.", text=True),
        Column("description", "text", "What it is.", text=True),
        Column("beside", "text", "What it stands beside.", text=True),
    ),
)


def _lines(history: History) -> Parts:
    """Each line of each schedule, with its event and whether the schedule still stands."""
    schedules = [(entry, entry.event) for entry in history.entries if isinstance(entry.event, FeeScheduleSet)]
    newest = {event.payer: entry.version for entry, event in schedules}
    return {
        (entry.stream, entry.version, number): (entry, event, line, newest[event.payer] == entry.version)
        for entry, event in schedules
        for number, line in enumerate(event.lines, start=1)
    }


def _fee_row(_: Key, part: tuple[Recorded, FeeScheduleSet, FeeLine, bool], __: History) -> tuple[Any, ...]:
    entry, event, line, stands = part
    days = bounds(event.valid.edtf)
    return (
        event.payer,
        event.set_by,
        line.unit,
        line.yen,
        stands,
        event.valid.edtf,
        days.earliest,
        days.latest,
        event.valid.source,
        entry.position,
        line.when,
        event.order,
    )


FEES = ReadModel(
    name="fee",
    description="Fees: one row for each line of each schedule of what users pay.",
    state=Partnership,
    key=(
        Column("partnership_id", "uuid", "The partnership."),
        Column("version", "integer", "The number of the event in its stream, in recorded order."),
        Column("line", "integer", "The number of the line in the schedule, from 1."),
    ),
    parts=_lines,
    changed_by=(FeeScheduleSet,),
    row=_fee_row,
    columns=(
        Column("payer", "text", "Who pays it, as a code.", required=True),
        Column("set_by", "text", "The party id of who set it; NULL is not stated."),
        Column("unit", "text", "The unit of time it is for (ISO 8601)."),
        Column("yen", "bigint", "The price of a unit in yen."),
        Column("stands", "boolean", "Whether no later schedule for the same payer took its place.", required=True),
        Column("valid", "text", "From when it holds (EDTF)."),
        Column("earliest", "date", "The first day on which that may have been; NULL is unbounded."),
        Column("latest", "date", "The last day on which that may have been; NULL is unbounded."),
        Column("source", "text", "The publication it was taken from."),
        Column("position", "bigint", "The position of its event in the city's log.", required=True),
        Column("condition", "text", "When this price holds.", text=True),
        Column("ruling", "text", "The rule by which it was set.", text=True),
    ),
)
