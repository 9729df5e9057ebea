"""Whether a draft becomes an event: judged at its place, by the rules in force, with all that comes after it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import reduce
from typing import Any

from domain import errors
from domain.dates import bounds, can_follow
from domain.event import Command, Context, Event, Meta, Mode, State
from domain.history import NEVER, EventCorrected, EventRetracted, History, Recorded, advance, corrected, evolve


def decide(history: History, context: Context, command: Command, draft: Event, meta: Meta) -> Event:
    """Admit the draft or refuse it; the event that comes back carries the rules it breaks (IMPORT only).

    A retroactive event is judged by the state at its place, a correction by what it makes of its target there.
    Raises Forbidden, NotFound, AlreadyExists, or the RuleViolated that forbids it. A refusal changes nothing.
    """
    if not command.admits(meta):
        allowed = ", ".join(role.name for role in command.roles)
        raise errors.Forbidden(actor=meta.role.name, command=command.name, allowed=allowed)
    if meta.mode is Mode.IMPORT and not context.import_window:
        raise errors.ImportWindowNotOpen
    if meta.mode is Mode.LIVE and draft.placed_after is not None:
        raise errors.LiveComesLast
    if not isinstance(history.state, draft.folds_into) or (draft.folds_into is State and not history.recorded):
        raise errors.NotFound(what=draft.folds_into.__name__.lower(), name="of this stream")
    if history.state.steward is not None and not isinstance(draft, EventRetracted):
        raise errors.StewardshipElsewhere(city=history.state.steward)
    context = replace(context, meta=meta)
    if isinstance(draft, EventCorrected | EventRetracted):
        _check_target(history, draft)
    if isinstance(draft, EventCorrected):
        draft = _judged(history, context, draft, meta)
    place = Place(history.entries, (), history.state)
    if draft.placed_after is not None:
        place = _place_of(history, draft, command.event_name, meta, history.version + 1)
    return _admitted(command.event_name, draft, place, context, meta, later=_later(history, context, command, draft))


@dataclass(frozen=True, slots=True)
class Place:
    """Where an event stands: what comes before and after it, and the state that it meets."""

    before: Sequence[Recorded]
    after: Sequence[Recorded]
    state: Any


def _place_of(history: History, draft: Event, name: str, meta: Meta, version: int) -> Place:
    """The place that an event of the stream has once the draft is recorded, found by folding the draft in."""
    if not history.recorded:
        raise errors.NotFound(what="event", name=draft.placed_after)
    new = Recorded(name, draft, meta, history.recorded[0].stream, history.version + 1, 0, NEVER)
    entries = advance(history, new).entries
    at = next(at for at, entry in enumerate(entries) if entry.version == version)
    after = entries[at].event.placed_after
    # A correction may leave its target behind an event that was retracted meanwhile; nothing new is placed there.
    stood = next((entry.event.placed_after for entry in history.entries if entry.version == version), None)
    if after not in (None, stood) and not any(entry.version == after < version for entry in history.entries):
        raise errors.NotFound(what="event", name=after)
    return Place(entries[:at], entries[at + 1 :], reduce(evolve, entries[:at], type(history.state)()))


def _judged(history: History, context: Context, draft: EventCorrected, meta: Meta) -> EventCorrected:
    """The correction with the rules that its replacement breaks; those that its target broke already are no news."""
    target = next(entry for entry in history.entries if entry.version == draft.target)
    place = _place_of(history, draft, EventCorrected.__name__, meta, draft.target)
    replacement = _admitted(target.name, corrected(target, draft), place, context, meta, known=target.event.breaks)
    return draft.model_copy(update={"data": draft.data | {"breaks": list(replacement.breaks)}})


def _admitted(
    name: str,
    draft: Event,
    place: Place,
    context: Context,
    meta: Meta,
    *,
    known: Sequence[str] = (),
    later: Iterable[errors.RuleViolated] = (),
) -> Event:
    draft.check(place.state, context)
    broken = [*_out_of_order(name, draft, place), *draft.violations(place.state, context), *later]
    if draft.second_person and meta.approved_by in (None, meta.recorded_by):
        broken.append(errors.ApprovalRequired())
    refusal = next((violation for violation in broken if violation.code not in known), None)
    if refusal is not None and meta.mode is not Mode.IMPORT:
        raise refusal
    return draft.model_copy(update={"breaks": tuple(violation.code for violation in broken)})


def _later(history: History, context: Context, command: Command, draft: Event) -> Iterator[errors.RuleViolated]:
    """What comes after a changed past must still be possible: the first event that would break a new rule, if any."""
    refolds = isinstance(draft, EventCorrected | EventRetracted)
    if not refolds and draft.placed_after is None:
        return
    meta, version = context.meta, history.version + 1
    if meta is None or not history.recorded:
        return
    new = Recorded(command.event_name, draft, meta, history.recorded[0].stream, version, 0, NEVER)
    changed = getattr(draft, "target", version) if refolds else version
    before = {entry.version: codes for entry, codes in _codes(history.entries, changed, history.state, context)}
    for entry, codes in _codes(advance(history, new).entries, changed, history.state, context):
        found = codes - before.get(entry.version, frozenset()) - frozenset(entry.event.breaks)
        if found:
            yield errors.LaterEventForbids(event=entry.name, number=entry.version, rule=min(found))
            return


def _codes(
    entries: Sequence[Recorded], changed: int, like: Any, context: Context
) -> Iterator[tuple[Recorded, frozenset[str]]]:
    """What each entry but the changed one breaks where it stands, and whether its date still fits the others' there."""
    begun = date.min
    for entry, broken in judged_again(entries, type(like)(), context):
        if entry.version == changed:
            continue
        codes = {violation.code for violation in broken}
        if entry.event.in_order:
            days = bounds(entry.event.valid.edtf)
            if days.latest is not None and days.latest < begun:
                codes.add(errors.DoesNotFit.__name__)
            begun = max(begun, days.earliest or date.min)
        yield entry, frozenset(codes)


def judged_again(
    entries: Sequence[Recorded], initial: Any, context: Context
) -> Iterator[tuple[Recorded, list[errors.DomainError]]]:
    """What each entry breaks where it stands, under the rules by which it was judged; dates are not looked at."""
    state = initial
    for entry in entries:
        meta = entry.judged_by or entry.meta
        rules = context.rules_of(meta) if context.rules_of else context.rules
        there = replace(context, meta=meta, rules=rules)
        broken: list[errors.DomainError]
        try:
            entry.event.check(state, there)
            broken = list(entry.event.violations(state, there))
        except errors.DomainError as impossible:
            broken = [impossible]
        yield entry, broken
        state = evolve(state, entry)


def _check_target(history: History, draft: EventCorrected | EventRetracted) -> None:
    target = next((entry for entry in history.recorded if entry.version == draft.target), None)
    if target is None:
        raise errors.NotFound(what="event", name=draft.target)
    gone = {entry.event.target for entry in history.recorded if isinstance(entry.event, EventRetracted)}
    if draft.target in gone or isinstance(target.event, EventRetracted):
        raise errors.AlreadyRevoked(target=draft.target)
    if draft.target == 1 and isinstance(draft, EventRetracted):
        # The registration is the stream; to take it back is to end the partnership, not to unsay it.
        raise errors.AlreadyRevoked(target=draft.target)
    if isinstance(draft, EventCorrected):
        if isinstance(target.event, EventCorrected):
            raise errors.AlreadyRevoked(target=draft.target)
        if draft.event != target.name:
            raise errors.SubjectsDiffer(target=draft.target, actual=target.name, given=draft.event)


def _out_of_order(name: str, draft: Event, place: Place) -> Iterator[errors.RuleViolated]:
    if not draft.in_order:
        return
    valid = draft.valid.edtf
    # Not only the neighbours count: an undated event between them says nothing about what came before it.
    before = [e for e in place.before if e.event.in_order and not can_follow(e.event.valid.edtf, valid)]
    after = [e for e in place.after if e.event.in_order and not can_follow(valid, e.event.valid.edtf)]
    if before and not place.after:
        last = before[-1]
        yield errors.OutOfOrder(event=name, valid=valid, previous=last.name, previous_valid=last.event.valid.edtf)
    elif before or after:
        names = [f"{e.name} ({e.event.valid.edtf})" for e in (*before[-1:], *after[:1])]
        yield errors.DoesNotFit(event=name, valid=valid, neighbours=", ".join(names))
