"""A unit of work on a city's book: commands decided one after the other in memory, and appended together or not at all.

A command comes in with its texts in clear; they are sealed on the way into the log, and what its event does to texts
beside the log (lifts, withdraws, erases, disposes) happens in the append's own transaction.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import orjson
from pydantic import Field, ValidationError

from domain.city import City
from domain.commands import BY_EVENT, command, initial_state
from domain.decider import decide
from domain.errors import DomainError, HoldForbids, NotFound, StewardshipElsewhere, SubjectsDiffer
from domain.event import Command, Context, Event, Meta, Mode
from domain.history import NEVER, EventCorrected, EventRetracted, History, Recorded, advance, corrected
from domain.partnership.state import Partnership
from domain.programme import Programme, Version
from domain.rules import Rules
from domain.values import Frozen
from tenants.database import Role
from tenants.disclosures import CityDoor, Clear, digests, seal
from tenants.event_store import Effects, SubjectKeyConflict

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

    from tenants.book import Book


class InvalidCommand(DomainError):
    """{command} cannot be read: {problems}."""

    ja = "{command} を読めません: {problems}。"


class Request(Frozen):
    """A command as a caller gives it: texts in clear, parties by id or by the city's own name for them."""

    command: str
    data: dict[str, Any] = Field(default_factory=dict)
    valid: dict[str, Any]
    mode: Mode = Mode.LIVE
    actor: str
    recorded_by: str
    approved_by: str | None = None
    signatories: tuple[str, ...] = ()
    document_ref: str | None = None
    placed_after: int | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """Where in the city's log a unit of work stands. `repeated`: it stood there already, nothing was added."""

    first: int
    last: int
    repeated: bool


class Plan:
    """Commands decided against the book as it stands plus what the plan itself holds."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self._histories: dict[UUID, History | None] = {}
        self._new: list[Recorded] = []
        self._asked: list[tuple[UUID, Request]] = []
        self._texts: list[tuple[int, Clear]] = []
        self._lifts: list[tuple[int, str]] = []
        self._withdraws: list[str] = []
        self._erases: list[str] = []
        self._disposes: list[int] = []

    def __len__(self) -> int:
        return len(self._new)

    @property
    def events(self) -> Sequence[Recorded]:
        """What would be appended."""
        return tuple(self._new)

    def history(self, stream: UUID) -> History | None:
        """The stream with the plan's own events."""
        if stream not in self._histories:
            self._histories[stream] = self.book.history(stream)
        return self._histories[stream]

    def add(self, stream: UUID, request: Request) -> Recorded:
        """Decide one more command. Raises InvalidCommand or a DomainError, and the plan stays as it was."""
        known = command(request.command)
        past = self.history(stream)
        door = self._door(stream, known, request, past)
        draft = self._draft(known, request, past, door)
        history = past or History(initial_state(known.event_name))
        if known.event is not EventRetracted:
            self._refuse_closed_city()
        judged = _replacement(history, draft) if isinstance(draft, EventCorrected) else draft
        programme = self.programme(history, judged)
        version = programme.in_force(judged.valid.edtf) if programme else None
        meta = self._meta(known, request, programme, version.number if version else None, door=door)
        city = self.city
        context = Context(
            rules=version.rules if version else Rules(),
            calls=programme.calls if programme else (),
            import_window=city.window is not None,
            rules_of=self.rules_of,
            exists=lambda number: self.history(self.book.stream("partnership", number)) is not None,
        )
        event = decide(history, context, known, draft, meta)
        new = Recorded(
            name=known.event_name,
            event=event,
            meta=meta,
            stream=stream,
            version=history.version + 1,
            position=0,
            recorded_at=NEVER,
        )
        self._check_effects(history, event)
        self._histories[stream] = advance(history, new)
        index = len(self._new)
        self._new.append(new)
        self._asked.append((stream, request))
        # What comes out of publications is public already and waits for nothing.
        published = meta.mode is Mode.IMPORT and city.window_compiled
        waits = None if published else _embargo(history, event, judged)
        self._texts.extend((index, replace(text, embargo=waits)) for text in door.clear)
        self._lifts.extend((index, embargo) for embargo in event.lifts())
        self._withdraws.extend(event.withdraws())
        self._erases.extend(event.erases())
        self._disposes.extend([index] if event.disposes() else [])
        return new

    def commit(self, key: str | None = None) -> Receipt:
        """Append everything in one call. With a key that was used before, nothing is added and the old place is named.

        Raises the recorder's IdempotencyConflict when the key was used for another request, and its VersionConflict
        when another writer was first; nothing is written then. When the database is lost on the way the outcome is
        unknown: commit again with the same key.
        """
        book = self.book
        asked = book.digest(self._asked) if key is not None and self._new else None
        if key is not None and (done := book.entered(key, asked)) is not None:
            return done
        if not self._new:
            return Receipt(first=0, last=0, repeated=True)
        stored = [book.mapper.to_stored_event(event) for event in self._new]
        effects = Effects(tuple(self._lifts), tuple(self._withdraws), tuple(self._erases), tuple(self._disposes))
        while True:
            with book.database.tenant(Role.APP, book.tenant) as connection:
                sealed, used = seal(connection, book.keys, book.tenant, self._texts)
            try:
                appended = book.city_log.append(
                    stored,
                    idempotency_key=key,
                    request_digest=asked,
                    disclosures=sealed,
                    keys=used,
                    effects=effects,
                )
            except SubjectKeyConflict:
                continue  # That subject's key was made or destroyed in between: seal with the one that stands now.
            return Receipt(appended.first_position, appended.last_position, repeated=appended.replayed)

    def _door(self, stream: UUID, known: Command, request: Request, past: History | None) -> CityDoor:
        kept: Iterable[str] = ()
        if known.event is EventCorrected and past is not None and (target := _target(request, past)):
            kept = digests(target.event.model_dump(mode="json"))
        return CityDoor(self.book.keys, self.book.tenant, stream, kept)

    def _draft(self, known: Command, request: Request, past: History | None, door: CityDoor) -> Event:
        data: dict[str, Any] = dict(request.data)
        if known.event is EventCorrected and past is not None:
            data = self._corrected_data(data, request, past, door)
        data["valid"] = request.valid
        if request.placed_after is not None:
            data["placed_after"] = request.placed_after
        if "breaks" in request.data:
            raise InvalidCommand(command=known.name, problems="breaks is found by the rules, not given")
        return _read(known.event, known.name, data, door)

    def _corrected_data(self, data: dict[str, Any], request: Request, past: History, door: CityDoor) -> dict[str, Any]:
        # The caller names only what changes; the log stores the whole corrected event, so that it can be read alone.
        target, changes = _target(request, past), data.get("data", {})
        if target is None:
            raise NotFound(what="event", name=data.get("target"))
        if data.get("event", target.name) != target.name:
            raise SubjectsDiffer(target=target.version, actual=target.name, given=data["event"])
        if not isinstance(changes, dict) or "breaks" in changes:
            raise InvalidCommand(
                command=f"correction of {target.name}", problems="data: fields by name, without breaks"
            )
        whole = target.event.model_dump(mode="json", exclude_none=True) | changes
        whole = {field: value for field, value in whole.items() if value is not None}
        event = _read(type(target.event), f"correction of {target.name}", whole, door)
        return data | {
            "event": target.name,
            "event_schema": BY_EVENT[target.name].schema,
            "data": event.model_dump(mode="json", exclude_none=True),
        }

    def programme(self, history: History, draft: Event | None = None) -> Programme | None:
        """The programme by which an event of the stream is judged, None where it belongs to none."""
        # A grant named in the data is the programme that its stage is judged by; otherwise it is the partnership's own.
        # What decides on a proposal for such a grant is judged by the grant's programme too.
        asked_for = None
        if isinstance(history.state, Partnership) and hasattr(draft, "submission") and history.state.at_hand:
            asked_for = history.state.at_hand.programme
        slug = getattr(draft, "programme", None) or asked_for or getattr(history.state, "programme", None)
        if isinstance(history.state, Programme | City) or not slug:
            return None
        found = self.history(self.book.stream("programme", slug))
        if found is None:
            raise NotFound(what="programme", name=slug)
        state: Programme = found.state
        return state

    @staticmethod
    def _meta(
        known: Command, request: Request, programme: Programme | None, version: int | None, *, door: CityDoor
    ) -> Meta:
        given = request.model_dump(
            include={"actor", "recorded_by", "approved_by", "signatories", "document_ref", "mode"}
        )
        given |= {"programme": programme.programme if programme else None, "programme_version": version}
        try:
            return Meta.model_validate(given, context=door)
        except ValidationError as invalid:
            raise InvalidCommand(command=known.name, problems=problems(invalid)) from invalid

    @property
    def city(self) -> City:
        """The city as it stands."""
        city = self.history(self.book.stream("city"))
        return city.state if city is not None else City()

    def _refuse_closed_city(self) -> None:
        steward = self.city.steward
        if steward is not None:
            raise StewardshipElsewhere(city=steward)

    def rules_of(self, meta: Meta) -> Rules:
        """The rules by which an event was judged."""
        past = self.history(self.book.stream("programme", meta.programme)) if meta.programme else None
        versions: tuple[Version, ...] = past.state.versions if past else ()
        return next((v.rules for v in versions if v.number == meta.programme_version), Rules())

    def _check_effects(self, history: History, event: Event) -> None:
        """Refuse what may not take effect in any mode: on a text that the stream does not hold, under a legal hold."""
        if event.disposes() and history.state.holds:
            raise HoldForbids
        for digest in event.withdraws():
            if not any(digest in digests(entry.event.model_dump(mode="json")) for entry in history.recorded):
                raise NotFound(what="text", name=f"{digest} of this stream")
        for subject in event.erases():
            streams = self.book.streams_of(subject)
            if not streams:
                raise NotFound(what="subject", name=f"{subject}, with texts that could be erased,")
            for stream in streams:
                past = self.history(stream)
                if past is not None and past.state.holds:
                    raise HoldForbids


def _read(event: type[Event], name: str, data: dict[str, Any], door: CityDoor) -> Event:
    try:
        return event.model_validate_json(orjson.dumps(data), context=door)
    except ValidationError as invalid:
        raise InvalidCommand(command=name, problems=problems(invalid)) from invalid
    except TypeError as invalid:
        raise InvalidCommand(command=name, problems=str(invalid)) from invalid


def problems(invalid: ValidationError) -> str:
    """What is wrong and where, in one line."""
    return "; ".join(
        f"{'.'.join(str(part) for part in error['loc']) or 'data'}: {error['msg']}"
        for error in invalid.errors(include_url=False, include_input=False)
    )


def _target(request: Request, past: History) -> Recorded | None:
    """What a correction or retraction speaks of, as it counts now; what no longer counts, as it was recorded."""
    version = request.data.get("target")
    return next((e for e in (*past.entries, *past.recorded) if e.version == version), None)


def _replacement(history: History, draft: EventCorrected) -> Event:
    """The event that a correction makes of its target, by which its programme is found; else the correction itself."""
    target = next((e for e in history.entries if e.version == draft.target and e.name == draft.event), None)
    return draft if target is None else corrected(target, draft)


def _embargo(history: History, event: Event, judged: Event) -> str | None:
    """What the event's texts wait for: a correction's for what its target's wait for, nothing if that has come."""
    embargo = judged.embargo() or event.embargo()
    if embargo is None:
        return None
    lifted = any(embargo in entry.event.lifts() for entry in history.recorded)
    return None if lifted else embargo
