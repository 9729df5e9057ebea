"""A city's book: its streams read back, commands decided on them, and what was decided appended in one call."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID, uuid5

import rfc8785
from eventsourcing.application import Application
from eventsourcing.persistence import InfrastructureFactory, Mapper, StoredEvent
from eventsourcing.popo import POPOFactory
from eventsourcing.utils import Environment

from domain.commands import BY_EVENT, initial_state, parse
from domain.errors import NotFound
from domain.event import Meta, Mode
from domain.history import NEVER, History, Recorded, fold
from tenants.database import Role
from tenants.event_store import IdempotencyConflict, RecordedEvent, TenantRecorder
from tenants.plan import InvalidCommand, Plan, Receipt, Request, problems

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from eventsourcing.domain import DomainEventProtocol
    from eventsourcing.persistence import ApplicationRecorder
    from eventsourcing.utils import EnvType

    from tenants.city_keys import KeyService
    from tenants.database import Database

__all__ = [
    "Book",
    "EventMapper",
    "HistoryBroken",
    "InvalidCommand",
    "Plan",
    "Receipt",
    "Request",
    "at_position",
    "history_of",
    "problems",
    "read",
]


class HistoryBroken(Exception):
    """The stream's versions are not 1, 2, 3 … as stored; restore the log from a copy that verifies before going on."""


class EventMapper(Mapper[UUID]):
    """Between events and what the log stores: canonical JSON (RFC 8785) under a stable name, upcast on the way back."""

    def __init__(self) -> None:
        pass

    def to_stored_event(self, domain_event: DomainEventProtocol[UUID]) -> RecordedEvent:
        if not isinstance(domain_event, Recorded):
            raise TypeError(type(domain_event).__name__)
        known, meta = BY_EVENT[domain_event.name], domain_event.meta
        data = domain_event.event.model_dump(mode="json", exclude_none=True)
        return RecordedEvent(
            originator_id=domain_event.stream,
            originator_version=domain_event.version,
            topic=domain_event.name,
            state=rfc8785.dumps(data),
            schema_version=known.schema,
            mode=meta.mode.value,
            actor=meta.actor,
            recorded_by=meta.recorded_by,
            approved_by=meta.approved_by,
            signatories=tuple(meta.signatories),
            document_ref=meta.document_ref,
            programme=meta.programme,
            programme_version=meta.programme_version,
        )

    def to_domain_event(self, stored_event: StoredEvent) -> Recorded:
        if not isinstance(stored_event, RecordedEvent) or not isinstance(stored_event.originator_id, UUID):
            raise TypeError(type(stored_event).__name__)
        return read(stored_event)


def read(stored: RecordedEvent) -> Recorded:
    """A stored event as today's domain reads it."""
    return Recorded(
        name=stored.topic,
        event=parse(stored.topic, stored.schema_version, stored.state),
        meta=_meta(
            stored.mode,
            stored.actor,
            stored.recorded_by,
            stored.approved_by,
            stored.signatories,
            stored.document_ref,
            stored.programme,
            stored.programme_version,
        ),
        stream=stored.originator_id if isinstance(stored.originator_id, UUID) else UUID(stored.originator_id),
        version=stored.originator_version,
        position=stored.position or 0,
        recorded_at=stored.recorded_at or NEVER,
        leaf=stored.leaf or b"",
    )


@lru_cache(maxsize=1_024)
def _meta(mode: str, *fields: Any) -> Meta:
    # Thousands of events share who entered them; what was validated on the way in is not validated again.
    return Meta.model_construct(**dict(zip(Meta.model_fields, (Mode(mode), *fields), strict=True)))


def history_of(events: Iterable[Recorded]) -> History | None:
    """The folded stream, None when it has no event; HistoryBroken where a version is missing or doubled."""
    recorded = tuple(events)
    if not recorded:
        return None
    for expected, entry in enumerate(recorded, start=1):
        if entry.version != expected:
            raise HistoryBroken(f"stream {entry.stream}: version {entry.version} where {expected} belongs")
    return fold(initial_state(recorded[0].name), recorded)


class Book(Application[UUID]):
    """One city's book over the shared connection pools. Cheap to make: it holds no state of any stream."""

    def __init__(self, database: Database, keys: KeyService, tenant: UUID) -> None:
        self.database, self.keys, self.tenant = database, keys, tenant
        self.city_log = TenantRecorder(database, tenant)
        super().__init__()

    def construct_env(self, name: str, env: EnvType | None = None) -> Environment:
        return Environment(name, {})

    def construct_factory(self, env: Environment) -> InfrastructureFactory[Any]:
        return POPOFactory(env)

    def construct_mapper(self) -> Mapper[UUID]:
        return EventMapper()

    def construct_recorder(self) -> ApplicationRecorder:
        return self.city_log

    def stream(self, kind: str, name: str = "") -> UUID:
        """The stream of a partnership by number, of a programme by slug, or of the city itself."""
        return uuid5(self.tenant, f"{kind}/{name}")

    def participation(self, recording_city: str, number: str) -> UUID:
        """The stream of this city's part in a partnership that another city records."""
        return self.stream("participation", f"{recording_city}/{number}")

    def history(self, stream: UUID) -> History | None:
        """The stream as it stands now; None when it has no event."""
        return history_of(cast("Iterable[Recorded]", self.events.get(stream)))

    def at(self, position: int) -> Recorded:
        """The event at a position of the city's log; NotFound beyond its end."""
        for stored in self.city_log.read(position - 1, 1):
            return read(stored)
        raise NotFound(what="position", name=position)

    def entered(self, key: str, asked: bytes | None = None) -> Receipt | None:
        """Where the unit of work with this idempotency key stands in the log, None when it was never appended.

        Raises IdempotencyConflict where `asked`, the digest of a request, is not that of the request with this key.
        """
        with self.database.tenant(Role.APP, self.tenant) as connection:
            row = connection.execute(
                "SELECT first_position, last_position, request_digest FROM idempotency"
                " WHERE tenant_id = %s AND key = %s",
                (self.tenant, key),
            ).fetchone()
        if row is not None and asked is not None and row[2] not in {None, asked}:
            raise IdempotencyConflict(f"idempotency key {key} belongs to another request")
        return Receipt(first=row[0], last=row[1], repeated=True) if row else None

    def digest(self, asked: Sequence[tuple[UUID, Request]]) -> bytes:
        """What requests are told apart by; keyed, as a plain hash of a request with a name in it could be guessed."""
        canonical = rfc8785.dumps([{"stream": str(stream), **req.model_dump(mode="json")} for stream, req in asked])
        return self.keys.request_digest(self.tenant, canonical)

    def streams_of(self, subject: str) -> list[UUID]:
        """The streams that hold texts of a person or a party, closed ones included."""
        with self.database.tenant(Role.APP, self.tenant) as connection:
            rows = connection.execute(
                "SELECT DISTINCT stream_id FROM disclosure_places(%s, p_subject => %s) ORDER BY 1",
                (self.tenant, subject),
            ).fetchall()
        return [row[0] for row in rows]

    def plan(self) -> Plan:
        """A unit of work: commands decided one after the other in memory and appended together or not at all."""
        return Plan(self)

    def execute(self, stream: UUID, request: Request, key: str | None = None) -> Receipt:
        """One command on one stream; with the key of an earlier one that asked the same, the answer of then."""
        if key is not None and (done := self.entered(key, self.digest([(stream, request)]))) is not None:
            return done
        plan = self.plan()
        plan.add(stream, request)
        return plan.commit(key)


def at_position(history: History, position: int) -> History | None:
    """The same stream as it stood when the log had `position` events."""
    return history_of(entry for entry in history.recorded if entry.position <= position)
