"""状態遷移: how a partnership may move from status to status, derived from the command table and drawn for readers."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from domain.commands import BY_EVENT, COMMANDS
from domain.partnership.state import PartnershipEvent
from domain.vocabulary import Status

if TYPE_CHECKING:
    from collections.abc import Iterator

    from domain.values import Language

_SHOWN_APART = 2  # An event that leaves more statuses than these for the same one is drawn as one arrow.


class Transition(NamedTuple):
    """A move that an event makes: `source` None is before anything is recorded."""

    event: str
    source: Status | None
    target: Status


@cache
def transitions() -> tuple[Transition, ...]:
    """Every move that an event can make, in the order of the command table; what leaves a status alone is none."""
    return tuple(
        Transition(row.event_name, source, target)
        for row in COMMANDS
        if issubclass(row.event, PartnershipEvent)
        for target in Status
        if target is row.event.leads or target in row.event.outcomes
        for source in (None, *Status)
        if source is not target and _leaves(row.event, source)
    )


def _leaves(event: type[PartnershipEvent], source: Status | None) -> bool:
    # What narrows the move also says whether the event may come first, before there is a status to need.
    narrowed = event.leads_from
    if source is None:
        return narrowed is not None and None in narrowed
    return source in event.needs and (narrowed is None or source in narrowed)


def diagram(language: Language) -> str:
    """The transitions as a Mermaid stateDiagram-v2, labelled in Japanese or English.

    An event with many sources leaves them by one arrow from a box that lists them; events with the same sources and
    target share it.
    """
    boxes: dict[tuple[Status, ...], str] = {}
    arrows: dict[tuple[str, str], list[str]] = {}
    for event, target, sources in _merged():
        known = tuple(source for source in sources if source is not None)
        joint = len(known) > _SHOWN_APART
        leaving = [boxes.setdefault(known, f"FROM_{len(boxes) + 1}")] if joint else [status.value for status in known]
        for source in ["[*]"] * (None in sources) + leaving:
            arrows.setdefault((source, target.value), []).append(_label(event, language))
    separator = "・" if language == "ja" else ", "
    lines = [f'state "{status.label(language)}" as {status.value}' for status in Status]
    for known, name in boxes.items():
        lines.append(f'state "{separator.join(status.label(language) for status in known)}" as {name}')
    lines += [f"{source} --> {target} : {' / '.join(labels)}" for (source, target), labels in arrows.items()]
    left = {source for _, source, _ in transitions()}
    lines += [f"{status.value} --> [*]" for status in Status if status not in left]
    return "\n    ".join(["stateDiagram-v2", *lines]) + "\n"


def _merged() -> Iterator[tuple[str, Status, list[Status | None]]]:
    merged: dict[tuple[str, Status], list[Status | None]] = {}
    for event, source, target in transitions():
        merged.setdefault((event, target), []).append(source)
    yield from ((event, target, sources) for (event, target), sources in merged.items())


def _label(event: str, language: Language) -> str:
    return BY_EVENT[event].ja if language == "ja" else BY_EVENT[event].en
