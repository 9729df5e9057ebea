"""The pages of events and of the life-cycle: each command with its event, conditions, fields and an example."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from domain.city import City
from domain.commands import BY_EVENT, COMMANDS
from domain.event import Command, Event, Meta, Mode, Role, Valid
from domain.history import EventCorrected
from domain.lifecycle import diagram, transitions
from domain.participation import Participation
from domain.partnership.state import Partnership, PartnershipEvent
from domain.programme import Programme
from domain.vocabulary import KNOWN, OPEN, Status
from gateway.docs.fields import Types, fields, flat, table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

Fact = dict[str, Any]

ROLES = {
    Role.PARTY: "a party 当事者",
    Role.DEPARTMENT: "a city department 担当課",
    Role.COORDINATOR: "a coordinator コーディネーター",
    Role.SECRETARIAT: "the programme's secretariat 事務局",
    Role.REVIEWER: "a reviewer 審査員",
    Role.AUTHORITY: "the deciding authority 決定権者",
    Role.CLOCK: "the clock 時計",
    Role.ADMIN: "the city's administrator 管理者",
    Role.APPROVER: "the second approver 承認者",
}

STREAMS = {City: "the city", Programme: "a programme", Partnership: "a partnership", Participation: "a participation"}


def events_page(examples: Mapping[str, Fact]) -> str:
    types = Types()
    sections = [_event(row, examples[row.name], types) for row in COMMANDS]
    return "\n".join(
        [
            "# Events 出来事\n",
            _EVENTS_INTRODUCTION,
            fields(Valid, types),
            _EVERY_EVENT,
            "## Every command\n",
            table(
                ("command", "event", "日本語", "English", "who"),
                ((f"[`{r.name}`](#{r.name})", f"`{r.event_name}`", r.ja, r.en, r.actors) for r in COMMANDS),
            ),
            "Who: " + "; ".join(f"{role.value} {words}" for role, words in ROLES.items()) + ".\n",
            *sections,
            "# Parts of events\n",
            *types.parts(),
            "# Vocabularies\n",
            *types.vocabularies(),
        ]
    )


_EVENTS_INTRODUCTION = """\
A command asks for one event. It is given with its fields below, texts in clear and parties by the city's own names for
them; the event that is stored holds their digests and opaque ids instead. *In the log* says what stands there: the
value itself, or a text's digest, with who may read the text — `PUBLIC` everybody, `PARTY` the parties and the city,
`CITY` the city's staff, `PERSONAL` named officers only.

Each event has a valid time, `valid`:
"""


_EVERY_EVENT = """\
Every event also carries `breaks`, the rules that an imported event breaks, as found when it was recorded, and, when it
was entered later, `placed_after`: the number of the event in its stream that it follows.
"""


def _event(row: Command, example: Fact, types: Types) -> str:
    lines = [
        f'<a id="{row.name}"></a>\n',
        f"## {row.ja} {row.en}\n",
        f"`{row.name}` makes `{row.event_name}` (schema {row.schema}) on {_stream(row)}.\n",
        f"{flat(row.description)}\n",
        f"- **Who:** {_who(row)}",
        *(f"- **{name}:** {words}" for name, words in _conditions(row, example)),
        "",
        fields(row.event, types, leave_out=Event.model_fields),
        "```json",
        json.dumps(example, ensure_ascii=False, indent=2),
        "```\n",
    ]
    return "\n".join(lines)


def _stream(row: Command) -> str:
    return STREAMS.get(row.event.folds_into, "any stream of the city")


def _who(row: Command) -> str:
    who = " · ".join(ROLES[role] for role in row.roles)
    if row.event.second_person:
        who += "; a second person approves (`approved_by`)"
    on_behalf = Meta(mode=Mode.LIVE, actor=Role.SECRETARIAT.value, recorded_by="S")
    if Role.SECRETARIAT not in row.roles and row.admits(on_behalf):
        who += "; the secretariat may record it on their behalf"
    return who


def _conditions(row: Command, example: Fact) -> Iterator[tuple[str, str]]:
    event = row.event
    if issubclass(event, PartnershipEvent):
        yield "Needs", _needs(event)
        yield "Leads to", _moves(row.event_name)
        if event.step is not None:
            yield "Step", f"`{event.step}` {event.step.ja}, with what the programme requires before it"
        if event.signed:
            yield "Signed", "a LIVE one names every party in `signatories`, or the document in `document_ref`"
    waits = _instance(row, example)
    if event.embargo is not Event.embargo:
        embargo = waits.embargo() if waits else None
        yield "Embargo", f"its texts wait for {_embargo(embargo)}" if embargo else "only if it asks for one"
    if waits is not None and (lifted := tuple(waits.lifts())):
        yield "Lifts", "the embargo on " + ", ".join(_embargo(each) for each in lifted)
    if event.withdraws is not Event.withdraws:
        yield "Withdraws", "the text from publication, at once"
    if event.erases is not Event.erases:
        yield "Erases", "the subject's texts and their key; the digests stay"
    if event is EventCorrected:
        yield "Given", "in `data` only the fields that change; `event_schema` is filled in, as is `event` if left out"
    if not event.in_order:
        yield "Order", "its date need not follow the dates of the events before it"


def _needs(event: type[PartnershipEvent]) -> str:
    if event.needs == KNOWN:
        words = "any status"
    elif event.needs == OPEN:
        words = "a partnership that has not ended"
    else:
        words = _statuses(event.needs)
    return words + (" (a consultation that is not registered yet will do)" if event.at_desk else "")


def _statuses(statuses: Iterable[Status | None]) -> str:
    known = set(statuses)
    first = ["nothing recorded"] if None in known else []
    return ", ".join([*first, *(f"`{status}`" for status in Status if status in known)])


def _moves(event_name: str) -> str:
    moves: dict[Status, list[Status | None]] = {}
    for event, source, target in transitions():
        if event == event_name:
            moves.setdefault(target, []).append(source)
    said = [f"`{target}` {target.ja}, from {_statuses(sources)}" for target, sources in moves.items()]
    return "; or ".join(said) or "no other status"


def _instance(row: Command, example: Fact) -> Event | None:
    """The event that the example makes; None for a correction, whose data is another event's."""
    if row.event is EventCorrected:
        return None
    data = example["data"] | {"valid": {"edtf": example["valid"]}}
    return row.event.model_validate_json(json.dumps(data), context=_Stand())


class _Stand:
    """A door for examples: what a text or a name becomes does not matter to a document."""

    def seal(self, name: str, value: str, visibility: object, subject: str | None) -> str:
        return "0" * 43

    def party(self, name: str) -> str:
        return name

    def person(self, name: str) -> str:
        return name


def _embargo(embargo: str) -> str:
    kind, _, number = embargo.partition("/")
    waited = {"DECISION": "the decision on submission", "EVALUATION": "the sharing of evaluation"}[kind]
    return f"{waited} {number} in the example (`{embargo}`)"


# --- The life-cycle -----------------------------------------------------------------------------------------


_LIFE_CYCLE_INTRODUCTION = """\
Which stages exist and which are required is each programme's business (`requires`, `absent`); these are the moves that
the events can make. An event that makes no move is a fact that leaves the status as it is.
"""


def life_cycle_page() -> str:
    """The statuses and the moves between them, drawn and as a table."""
    moves = [
        (f"[`{event}`](events.md#{BY_EVENT[event].name})", BY_EVENT[event].ja, f"`{source or '–'}`", f"`{target}`")
        for event, source, target in transitions()
    ]
    return "\n".join(
        [
            "# The life-cycle of a partnership 協働の流れ\n",
            _LIFE_CYCLE_INTRODUCTION,
            "## 日本語\n",
            f"```mermaid\n{diagram('ja')}```\n",
            "## English\n",
            f"```mermaid\n{diagram('en')}```\n",
            "## Statuses 状態\n",
            table(("code", "日本語", "English"), ((f"`{status}`", status.ja, status.en) for status in Status)),
            "## Moves 遷移\n",
            table(("event", "日本語", "from", "to"), moves),
        ]
    )
