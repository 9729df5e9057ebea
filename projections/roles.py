"""Who does what (役割分担): each party's duties and resources, for the whole or for one activity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from domain.dates import bounds
from domain.partnership.delivery import ActivityRoles, Assignment, RolesAssigned, Unassigned
from domain.partnership.state import Partnership
from projections.read_model import Column, ReadModel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from domain.history import History, Recorded
    from projections.read_model import Key, Parts


class _Role(NamedTuple):
    """One line of what an event assigns, or leaves without a bearer."""

    entry: Recorded
    event: RolesAssigned
    line: Assignment | Unassigned
    activity: ActivityRoles | None = None


def _roles(history: History) -> Parts:
    return {
        (entry.stream, entry.version, place): role
        for entry in history.entries
        if isinstance(entry.event, RolesAssigned)
        for place, role in enumerate(_assigned(entry, entry.event), start=1)
    }


def _assigned(entry: Recorded, event: RolesAssigned) -> Iterator[_Role]:
    for assignment in event.roles:
        yield _Role(entry, event, assignment)
    for activity in event.activities:
        for assignment in activity.roles:
            yield _Role(entry, event, assignment, activity)
    for duty in event.unassigned:
        yield _Role(entry, event, duty)


def _row(_: Key, role: _Role, __: History) -> tuple[Any, ...]:
    entry, event, line, activity = role
    days = bounds(event.valid.edtf)
    said: tuple[Any, ...]
    if isinstance(line, Assignment):
        said = (line.party, line.costs, list(line.duties), list(line.resources), line.benefit, None)
    else:
        said = (None, None, [line.duty], [], None, line.why)
    return (
        *said[:2],
        activity.city_role.value if activity and activity.city_role else None,
        [code.value for form in activity.forms for code in form.codes] if activity else [],
        event.as_expected_by,
        event.valid.edtf,
        days.earliest,
        days.latest,
        event.valid.certainty.value,
        event.valid.source,
        entry.position,
        *said[2:],
        activity.activity if activity else None,
    )


ROLES = ReadModel(
    name="role_assignment",
    description="Role assignments: one row for each party, or each duty without a bearer, of each assignment of roles.",
    state=Partnership,
    key=(
        Column("partnership_id", "uuid", "The partnership."),
        Column("version", "integer", "The number of the event in its stream, in recorded order."),
        Column("place", "integer", "Its place in the event, from 1."),
    ),
    parts=_roles,
    changed_by=(RolesAssigned,),
    row=_row,
    columns=(
        Column("party", "text", "The party id of who bears it; NULL where the source does not settle it."),
        Column("costs", "text", "NONE, OWN or SHARED: what costs the party bears; NULL is not stated."),
        Column("city_role", "text", "What the city is in this activity: PARTY, FACILITATOR or REGISTRAR."),
        Column("forms", "text[]", "Common codes of this activity's forms of collaboration.", required=True),
        Column("expected_by", "text", "The party id of who only expects it so; NULL where it is settled."),
        Column("valid", "text", "From when it is so (EDTF)."),
        Column("earliest", "date", "The first day on which that may have been; NULL is unbounded."),
        Column("latest", "date", "The last day on which that may have been; NULL is unbounded."),
        Column("certainty", "text", "STATED, NOT_STATED or INFERRED."),
        Column("source", "text", "The publication it was taken from."),
        Column("position", "bigint", "The position of its event in the city's log.", required=True),
        Column("duties", "text[]", "What the party does.", text=True, required=True),
        Column("resources", "text[]", "What it brings.", text=True, required=True),
        Column("benefit", "text", "What it gains.", text=True),
        Column("why_unsettled", "text", "Why nobody is known to bear the duty.", text=True),
        Column("activity", "text", "The activity it is for; NULL is the whole.", text=True),
    ),
)
