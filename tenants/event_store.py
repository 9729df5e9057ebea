"""One city's event log, fulfilling the recorder interface of the library `eventsourcing`."""

import re
from base64 import b64encode
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from threading import Event
from typing import Any
from uuid import UUID

import orjson
import psycopg
from eventsourcing.persistence import (
    ApplicationRecorder,
    DataError,
    IntegrityError,
    Notification,
    OperationalError,
    PersistenceError,
    ProgrammingError,
    StoredEvent,
    Subscription,
)

from tenants.database import Database, Role, set_tenant

_POLL_SECONDS = 0.2
_PAGE = 500


@dataclass(frozen=True)
class RecordedEvent(StoredEvent):
    """A stored event with its envelope. `position`, `recorded_at`, `root` and `leaf` are known once it was read."""

    schema_version: int = 1
    mode: str = "LIVE"
    actor: str = "system"
    recorded_by: str = "system"
    approved_by: str | None = None
    signatories: tuple[str, ...] = ()
    document_ref: str | None = None
    programme: str | None = None
    programme_version: int | None = None
    position: int | None = None
    recorded_at: datetime | None = None
    root: bytes | None = None
    leaf: bytes | None = None


@dataclass(frozen=True)
class NewDisclosure:
    """A sealed value to be stored beside the event at this index of the append, under its digest."""

    digest: str
    event: int
    subject: str
    visibility: str  # PUBLIC, PARTY, CITY or PERSONAL
    sealed: bytes
    embargo: str | None = None


@dataclass(frozen=True)
class Effects:
    """What an append does to disclosures beside the log, in its own transaction.

    `lifts`: index of an event and the embargo that ends with it; `withdraws`: digests that the public may not read any
    more; `erases`: subjects whose texts and key are destroyed; `disposes`: indexes of events whose streams lose all
    their texts.
    """

    lifts: tuple[tuple[int, str], ...] = ()
    withdraws: tuple[str, ...] = ()
    erases: tuple[str, ...] = ()
    disposes: tuple[int, ...] = ()


NO_EFFECTS = Effects()


@dataclass(frozen=True)
class NewKey:
    """The key of a subject, wrapped by that version of the city's key.

    `known`: it is no new one but was stored before, and the append is refused unless it still stands.
    """

    subject: str
    wrapped: bytes
    version: int = 1
    known: bool = False


@dataclass(frozen=True)
class Appended:
    """Where an append stands in the log; `replayed` when its idempotency key had been answered before."""

    first_position: int
    last_position: int
    recorded_at: datetime
    replayed: bool


@dataclass(frozen=True)
class Head:
    """The log's size, and root and frontier of its Merkle tree (RFC 6962 §2.1); no time while it is empty."""

    size: int
    root: bytes
    frontier: tuple[bytes, ...]
    last_recorded_at: datetime | None


class VersionConflict(IntegrityError):
    """Somebody else recorded this version of the stream first: load it again and decide anew."""

    def __init__(self, message: str, stream: UUID, version: int) -> None:
        super().__init__(message)
        self.stream, self.version = stream, version


class VersionGap(IntegrityError):
    """The version before this one was never recorded; a stream begins at 0 or 1."""

    def __init__(self, message: str, stream: UUID, version: int) -> None:
        super().__init__(message)
        self.stream, self.version = stream, version


class IdempotencyConflict(IntegrityError):
    """The idempotency key was used for a different request."""


class SubjectKeyConflict(IntegrityError):
    """The subject's key was made, wrapped anew or destroyed meanwhile: load it and seal again."""

    def __init__(self, message: str, subject: str) -> None:
        super().__init__(message)
        self.subject = subject


class UnknownTenant(ProgrammingError):
    """No city is registered under this id."""


class ClockBehind(OperationalError):
    """The server's clock is more than 60 s behind the log's last event; nothing is recorded until it is set."""


class EntryTooLarge(DataError):
    """The event's entry in the log would exceed 65,535 bytes."""


class StateRefused(DataError):
    """An event's state must be UTF-8 text without NUL."""


class TenantRecorder(ApplicationRecorder):
    """Reads and appends to one city's log over the shared pools; cheap to make, safe to share between threads.

    Positions are gap-free from 1 in the order of commits, so a follower that reads on from its last position
    misses nothing. Refuses with the errors above, with DatabaseUnavailable, and with the library's
    PersistenceError for anything else.
    """

    def __init__(self, database: Database, tenant_id: UUID, *, reads_as: Role = Role.APP) -> None:
        self.tenant_id = tenant_id
        self._database = database
        self._reads_as = reads_as

    def append(
        self,
        stored_events: Sequence[StoredEvent],
        *,
        idempotency_key: str | None = None,
        request_digest: bytes | None = None,
        disclosures: Sequence[NewDisclosure] = (),
        keys: Sequence[NewKey] = (),
        effects: Effects = NO_EFFECTS,
    ) -> Appended:
        """Records all or nothing, durably once it returns; several streams may be mixed.

        An idempotency key that was used before answers as it did then and records nothing. When the connection
        is lost the outcome is unknown: try again with the same key, or load the streams first.
        """
        batch = _batch(stored_events, idempotency_key, request_digest, disclosures, keys)
        if effects != NO_EFFECTS:
            lifts = [{"event": event, "embargo": embargo} for event, embargo in effects.lifts]
            batch |= {"lifts": lifts, "withdraws": effects.withdraws, "erases": effects.erases}
            batch |= {"disposes": effects.disposes}
        waits = effects != NO_EFFECTS or any(disclosure.embargo for disclosure in disclosures)
        try:
            with self._database.connection(Role.APP) as connection:
                row = connection.fast_cursor.execute(
                    _APPEND_WITH_EFFECTS if waits else _APPEND, (self.tenant_id, _json(batch)), prepare=True
                ).fetchone()
        except psycopg.Error as error:
            raise _translated(error) from error
        return Appended(*(row or ()))

    def insert_events(
        self,
        stored_events: Sequence[StoredEvent],
        *,
        idempotency_key: str | None = None,
        request_digest: bytes | None = None,
        disclosures: Sequence[NewDisclosure] = (),
        keys: Sequence[NewKey] = (),
        **_: Any,
    ) -> Sequence[int]:
        """Appends and returns the positions; does nothing when there is no event."""
        if not stored_events:
            return []
        appended = self.append(
            stored_events,
            idempotency_key=idempotency_key,
            request_digest=request_digest,
            disclosures=disclosures,
            keys=keys,
        )
        return list(range(appended.first_position, appended.last_position + 1))

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[RecordedEvent]:
        """One stream's events by version."""
        where: list[tuple[str, Any]] = [("stream_id = %s", originator_id)]
        if gt is not None:
            where.append(("version > %s", gt))
        if lte is not None:
            where.append(("version <= %s", lte))
        return self._events(where, "version DESC" if desc else "version", limit)

    def read(self, after: int, limit: int) -> list[RecordedEvent]:
        """The events that follow a position, at most `limit`."""
        return self._events([("position > %s", after)], "position", limit)

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        """The events from `start` to `stop` by position, as the library's followers want them."""
        where: list[tuple[str, Any]] = []
        if start is not None:
            where.append(("position >= %s" if inclusive_of_start else "position > %s", start))
        if stop is not None:
            where.append(("position <= %s", stop))
        if topics:
            where.append(("type = ANY(%s)", list(topics)))
        return [
            Notification(
                id=event.position or 0,
                originator_id=event.originator_id,
                originator_version=event.originator_version,
                topic=event.topic,
                state=event.state,
            )
            for event in self._events(where, "position", limit)
        ]

    def max_notification_id(self) -> int | None:
        return self.head().size or None

    def head(self) -> Head:
        rows = self._rows(_HEAD, [self.tenant_id])
        if not rows:
            raise UnknownTenant(f"tenant {self.tenant_id} is not registered")
        size, root, frontier, last_recorded_at = rows[0]
        return Head(size, root, tuple(frontier), last_recorded_at)

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> "PollingSubscription":
        """Follows the log by asking for more a few times a second."""
        return PollingSubscription(self, gt, topics)

    def _events(self, where: list[tuple[str, Any]], order: str, limit: int | None) -> list[RecordedEvent]:
        conditions = " AND ".join(["tenant_id = %s", *(condition for condition, _ in where)])
        params = [self.tenant_id, *(value for _, value in where), limit]
        rows = self._rows(f"{_SELECT} WHERE {conditions} ORDER BY {order} LIMIT %s", params)
        return [RecordedEvent(*(*row[:9], tuple(row[9]), *row[10:])) for row in rows]

    def _rows(self, query: str, params: list[Any]) -> list[tuple[Any, ...]]:
        """One transaction for this city in one round trip."""
        try:
            with self._database.connection(self._reads_as) as connection:
                with connection.pipeline(), connection.transaction():
                    connection.execute(set_tenant(self.tenant_id), prepare=False)
                    cursor = connection.execute(query, params, prepare=True, binary=True)
                return cursor.fetchall()
        except psycopg.Error as error:
            raise _translated(error) from error


class PollingSubscription(Subscription[TenantRecorder]):
    """Yields notifications for ever, waiting at the end of the log, until stop() is called by any thread."""

    def __init__(self, recorder: TenantRecorder, gt: int | None, topics: Sequence[str]) -> None:
        super().__init__(recorder, gt, topics)
        self._fetched: deque[Notification] = deque()
        self._stopped = Event()

    def stop(self) -> None:
        super().stop()
        self._stopped.set()

    def __next__(self) -> Notification:
        while not self._stopped.is_set():
            if self._fetched:
                notification = self._fetched.popleft()
                self._last_notification_id = notification.id
                return notification
            self._fetched.extend(
                self._recorder.select_notifications(
                    self._last_notification_id or 0, _PAGE, topics=self._topics, inclusive_of_start=False
                )
            )
            if not self._fetched:
                self._stopped.wait(_POLL_SECONDS)
        raise StopIteration


_APPEND = "SELECT first_position, last_position, recorded_at, replayed FROM append_events(%s, %s)"
_APPEND_WITH_EFFECTS = _APPEND.replace("append_events", "append_events_with_effects")
_HEAD = "SELECT size, root, frontier, last_recorded_at FROM tenant_head WHERE tenant_id = %s"
# In the order of RecordedEvent's fields.
_SELECT = """
    SELECT stream_id, version, type, state, schema_version, mode, actor, recorded_by, approved_by, signatories,
           document_ref, programme, programme_version, position, recorded_at, root, leaf
      FROM event
"""
_ESCAPED_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
_ERRORS: dict[str, type[PersistenceError]] = {
    "KY003": UnknownTenant,
    "KY004": ClockBehind,
    "KY005": EntryTooLarge,
    "KY006": IdempotencyConflict,
    "KY008": ProgrammingError,
    "KY009": ProgrammingError,
}
_CLASSES: dict[type[PersistenceError], type[psycopg.Error]] = {
    IntegrityError: psycopg.IntegrityError,
    DataError: psycopg.DataError,
    OperationalError: psycopg.OperationalError,
    ProgrammingError: psycopg.ProgrammingError,
}


def _batch(
    stored_events: Sequence[StoredEvent],
    idempotency_key: str | None,
    request_digest: bytes | None,
    disclosures: Sequence[NewDisclosure],
    keys: Sequence[NewKey],
) -> dict[str, Any]:
    """The one argument of append_events() beside the tenant; its migration describes it."""
    if any(not 0 <= disclosure.event < len(stored_events) for disclosure in disclosures):
        raise DataError("a disclosure names an event that is not in this append")
    batch: dict[str, Any] = {"events": [_event(event) for event in stored_events]}
    if disclosures:
        batch["disclosures"] = [
            {**vars(disclosure), "sealed": b64encode(disclosure.sealed).decode()} for disclosure in disclosures
        ]
    if keys:
        batch["keys"] = [{**vars(key), "wrapped": b64encode(key.wrapped).decode()} for key in keys]
    if idempotency_key is not None:
        batch["key"] = idempotency_key
    if request_digest is not None:
        batch["request_digest"] = request_digest.hex()
    return batch


def _json(batch: dict[str, Any]) -> str:
    try:
        return orjson.dumps(batch).decode()
    except TypeError as error:
        raise DataError(f"an event's envelope is not JSON: {error}") from error


def _event(event: StoredEvent) -> dict[str, Any]:
    if not isinstance(event, RecordedEvent):
        event = RecordedEvent(event.originator_id, event.originator_version, event.topic, event.state)
    fields: dict[str, Any] = {
        "stream": event.originator_id,
        "version": event.originator_version,
        "type": event.topic,
        "schema": event.schema_version,
        "mode": event.mode,
        "actor": event.actor,
        "recorded_by": event.recorded_by,
        "data": _text(event),
    }
    if event.approved_by is not None:
        fields["approved_by"] = event.approved_by
    if event.signatories:
        fields["signatories"] = event.signatories
    if event.document_ref is not None:
        fields["document_ref"] = event.document_ref
    if event.programme is not None:
        fields["programme"] = event.programme
    if event.programme_version is not None:
        fields["programme_version"] = event.programme_version
    return fields


def _text(event: StoredEvent) -> str:
    try:
        text = event.state.decode()
    except UnicodeDecodeError as error:
        raise StateRefused(f"{_name(event)}: the state is not UTF-8: {error}") from error
    # Neither PostgreSQL's text nor its jsonb can hold NUL, so an escaped one would break every reader.
    if "\0" in text or ("\\u0000" in text and _ESCAPED_NUL.search(text)):
        raise StateRefused(f"{_name(event)}: the state holds NUL")
    return text


def _name(event: StoredEvent) -> str:
    return f"{event.topic} (stream {event.originator_id}, version {event.originator_version})"


def _translated(error: psycopg.Error) -> PersistenceError:
    """The error as callers know it: by append_events()'s own SQLSTATE, else by PostgreSQL's class of errors."""
    message = error.diag.message_primary or str(error)
    detail = error.diag.message_detail or ""
    match error.sqlstate:
        case "KY001":
            return VersionConflict(message, *_stream_and_version(detail))
        case "KY002":
            return VersionGap(message, *_stream_and_version(detail))
        case "KY007":
            return SubjectKeyConflict(message, detail)
        case str() as state if state in _ERRORS:
            return _ERRORS[state](message)
    for ours, theirs in _CLASSES.items():
        if isinstance(error, theirs):
            return ours(message)
    return PersistenceError(message)


def _stream_and_version(detail: str) -> tuple[UUID, int]:
    stream, version = detail.split()
    return UUID(stream), int(version)
