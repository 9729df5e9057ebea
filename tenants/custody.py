"""Custody of a city's texts: who may read closed ones and how that is kept account of, withdrawal, and erasure.

Public texts are anyone's and are read without a trace. Every other value leaves the database only through disclose()
(migrations/0008-custody.sql), which hands over what stands in the access log already, committed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from domain.errors import DomainError, NotFound
from domain.partnership.state import Partnership
from tenants.book import Book, Request
from tenants.database import Role
from tenants.disclosures import is_digest, opened, public_texts, value_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import date, datetime

    from domain.history import History
    from tenants.book import Receipt
    from tenants.city_keys import KeyService
    from tenants.database import Database

EXPORT = "export"
"""The purpose for which a city takes all of its closed values along."""

_WINDOW = 1_000
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class ReaderUnnamed(DomainError):
    """Closed texts are read by somebody for a purpose: name both, and the party of a reader of level PARTY."""

    ja = "非公開の文を読むには、読む人と目的(PARTY の場合は団体も)が必要です。"


class TakesNoPart(DomainError):
    """{party} takes no part in {stream}, so that its closed texts are not for that party."""

    ja = "{party} は {stream} の当事者ではないため、非公開の文を読めません。"


class RecordIsNoSubject(DomainError):
    """{subject} is a record, not a person or a party; what a record says is destroyed by decide-disposal."""

    ja = "{subject} は記録であり、個人や団体ではありません。記録の文の廃棄は decide-disposal によります。"


class Level(StrEnum):
    """How far a reader of closed texts may read: that visibility and those below it."""

    PARTY = "PARTY"
    CITY = "CITY"
    PERSONAL = "PERSONAL"


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads closed texts, up to which level and what for; `party` is whose part a reader of level PARTY takes.

    What waits for a decision opens to CITY and PERSONAL, who have to review it. Evaluations open to nobody before both
    are shared. Raises ReaderUnnamed.
    """

    level: Level
    who: str
    purpose: str
    party: UUID | None = None

    def __post_init__(self) -> None:
        if not self.who.strip() or not self.purpose.strip() or (self.level is Level.PARTY) != (self.party is not None):
            raise ReaderUnnamed

    @property
    def leaving(self) -> bool:
        """Whether the reader takes everything along, what waits for something too: a city that leaves."""
        return self.level is Level.PERSONAL and self.purpose == EXPORT


# --- Reading ------------------------------------------------------------------------------------------------


def read_closed(
    database: Database, keys: KeyService, tenant: UUID, reader: Reader, streams: Iterable[UUID]
) -> dict[str, str]:
    """Digest → text of all texts of the streams that the reader may have, public ones among them.

    Each closed one is in the access log before it is returned. Raises TakesNoPart for a reader of level PARTY, and
    DisclosureAltered.
    """
    chosen = list(streams)
    _require_part(Book(database, keys, tenant), reader, chosen)
    with database.tenant(Role.APP, tenant) as connection:
        texts = public_texts(connection, keys, tenant, chosen)
    closed = _disclosed(database, tenant, reader, chosen)
    return texts | {digest: value_of(found) for digest, found in opened(keys, tenant, (row.sealed for row in closed))}


@dataclass(frozen=True, slots=True)
class Exported:
    """One disclosure (RFC 9901 §4.2) on its way out; its stream is that of the event at its position."""

    position: int
    digest: str
    visibility: str
    subject: str
    embargo: str | None
    disclosure: str


def exported(database: Database, keys: KeyService, tenant: UUID, reader: Reader | None = None) -> Iterator[Exported]:
    """The city's disclosures by position and digest: public ones that wait for nothing, and what the reader may have.

    With level PERSONAL and the purpose EXPORT that is everything, as a city leaves with everything. Closed ones are in
    the access log before they are handed out, a thousand positions at a time. Raises DisclosureAltered.
    """
    book = Book(database, keys, tenant)
    streams = _parts(book, reader.party) if reader is not None and reader.party is not None else None
    size = book.recorder.max_notification_id() or 0
    for after in range(0, size, _WINDOW):
        with database.tenant(Role.APP, tenant) as connection:
            rows = [_Row(*row) for row in connection.execute(_PUBLIC, (tenant, after, after + _WINDOW)).fetchall()]
        if reader is not None:
            rows += _disclosed(database, tenant, reader, streams, (after, after + _WINDOW))
        rows.sort(key=lambda row: (row.position, row.digest))
        clear = opened(keys, tenant, (row.sealed for row in rows))
        for row, (digest, disclosure) in zip(rows, clear, strict=True):
            yield Exported(row.position, digest, row.visibility, row.subject, row.embargo, disclosure.decode())


class _Row(NamedTuple):
    """A sealed value with its place, as disclose() returns it."""

    position: int
    digest: str
    visibility: str
    embargo: str | None
    subject: str
    value: bytes
    wrapped: bytes
    version: int

    @property
    def sealed(self) -> tuple[str, str, bytes, bytes, int]:
        return self.digest, self.subject, self.value, self.wrapped, self.version


_PUBLIC = """
    SELECT position, digest, visibility, embargo, subject, sealed, wrapped_key, key_version
      FROM disclosure JOIN subject_key USING (tenant_id, subject)
     WHERE tenant_id = %s AND visibility = 'PUBLIC' AND embargo IS NULL AND position > %s AND position <= %s
"""


def _disclosed(
    database: Database,
    tenant: UUID,
    reader: Reader,
    streams: list[UUID] | None,
    positions: tuple[int, int] = (0, 2**63 - 1),
) -> list[_Row]:
    """The closed values that the reader may have, each of which stands in the access log by then."""
    leaving = reader.leaving and streams is None
    asked = (tenant, reader.who, reader.purpose, reader.level.value, reader.party, streams, *positions, leaving)
    with database.tenant(Role.APP, tenant) as connection:
        entered = connection.execute(
            "SELECT first_number, last_number FROM enter_access(%s, %s, %s, %s, %s, %s::uuid[], %s, %s, %s)", asked
        ).fetchone()
    if entered is None or entered[0] is None:
        return []
    with database.tenant(Role.APP, tenant) as connection:
        rows = connection.execute(
            "SELECT position, digest, visibility, embargo, subject, sealed, wrapped_key, key_version"
            " FROM disclose(%s, %s, %s)",
            (tenant, *entered),
        ).fetchall()
    return [_Row(*row) for row in rows]


def _require_part(book: Book, reader: Reader, streams: Iterable[UUID]) -> None:
    if reader.party is None:
        return
    for stream in streams:
        if not _takes_part(book.history(stream), reader.party):
            raise TakesNoPart(party=reader.party, stream=stream)


def _takes_part(history: History | None, party: UUID) -> bool:
    """Whether the party is one of the partnership's: not only invited, and not one that declined."""
    if history is None or not isinstance(history.state, Partnership):
        return False
    known = history.state.membership(str(party))
    return known is not None and known.invited in {None, "ACCEPTED"}


def _parts(book: Book, party: UUID) -> list[UUID]:
    """The streams in which a party takes part. The database finds those that name it, the fold says which count."""
    with book.database.tenant(Role.APP, book.tenant) as connection:
        rows = connection.execute(
            "SELECT DISTINCT stream_id FROM event"
            " WHERE tenant_id = %s AND strpos(convert_from(state, 'UTF8'), %s) > 0 ORDER BY 1",
            (book.tenant, str(party)),
        ).fetchall()
    return [stream for (stream,) in rows if _takes_part(book.history(stream), party)]


# --- The texts of a stream ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Told:
    """A text where an event says it. `condition`: "", withdrawn, erased, disposed of, or what it waits for.

    `text` is None where the reader may not have it, or nobody any more; `visibility` is None once it is destroyed.
    """

    digest: str
    position: int
    event: str
    field: str
    visibility: str | None
    condition: str
    text: str | None


def told(book: Book, stream: UUID, reader: Reader | None = None) -> list[Told]:
    """Every text that the stream's log holds the digest of, in its order; for the reader, where there is one.

    Raises NotFound where the stream has no event, and TakesNoPart.
    """
    history = book.history(stream)
    if history is None:
        raise NotFound(what="stream", name=stream)
    if reader is None:
        with book.database.tenant(Role.APP, book.tenant) as connection:
            texts = public_texts(connection, book.keys, book.tenant, [stream])
    else:
        texts = read_closed(book.database, book.keys, book.tenant, reader, [stream])
    with book.database.tenant(Role.APP, book.tenant) as connection:
        places = connection.execute(
            "SELECT digest, visibility, embargo FROM disclosure_places(%s, %s)", (book.tenant, [stream])
        ).fetchall()
    lying = {digest: (visibility, embargo) for digest, visibility, embargo in places}
    withdrawn = {digest for entry in history.recorded for digest in entry.event.withdraws()}
    destroyed = "disposed of" if any(entry.event.disposes() for entry in history.recorded) else "erased"
    found: dict[str, Told] = {}
    for entry in history.recorded:
        data = entry.event.model_dump(mode="json") | {"document_ref": entry.meta.document_ref}
        for field, digest in _fields(data):
            visibility, embargo = lying.get(digest, (None, None))
            condition = "withdrawn" if digest in withdrawn else f"waits for {embargo}" if embargo else ""
            if visibility is None:
                condition = destroyed
            # A withdrawal names a digest that an earlier event said, a correction repeats those that it leaves.
            found.setdefault(
                digest,
                Told(digest, entry.position, entry.name, field, visibility, condition, texts.get(digest)),
            )
    return list(found.values())


def _fields(data: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(data, str):
        if is_digest(data):
            yield path, data
        return
    members = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list | tuple) else ()
    for name, member in members:
        yield from _fields(member, f"{path}.{name}" if path else str(name))


# --- Taking away --------------------------------------------------------------------------------------------


def withdraw(book: Book, digest: str, *, reason: str, by: str, on: date, note: str | None = None) -> Receipt | None:
    """Take a text from publication (PublicationWithdrawn) in its stream; None where it is not public any more.

    Raises NotFound where no text lies under the digest: it never did, or it was destroyed.
    """
    with book.database.tenant(Role.APP, book.tenant) as connection:
        place = connection.execute(
            "SELECT stream_id, visibility FROM disclosure_places(%s, p_digest => %s)", (book.tenant, digest)
        ).fetchone()
    if place is None:
        raise NotFound(what="text", name=digest)
    stream, visibility = place
    if visibility in {"CITY", "PERSONAL"}:
        return None
    return book.execute(
        stream,
        Request(
            command="withdraw-publication",
            data={"disclosure": digest, "reason": reason} | ({"note": note} if note else {}),
            valid={"edtf": on.isoformat()},
            actor=by if by.startswith("S/") else "S",
            recorded_by=by,
        ),
    )


@dataclass(frozen=True, slots=True)
class Erasure:
    """What became of a subject: where its texts stood, and the positions of the events that say so.

    `mentions`: digests of the city's other public texts that contain one of those destroyed, word for word.
    """

    subject: str
    streams: tuple[UUID, ...]
    positions: tuple[int, ...]
    repeated: bool
    mentions: tuple[str, ...] = ()


def erase(
    book: Book,
    subject: str,
    *,
    basis: str,
    decided_by: str,
    by: str,
    approved_by: str,
    on: date,
    note: str | None = None,
) -> Erasure:
    """Destroy a person's or party's texts and key, and say so (SubjectErased) in every stream that held some, at once.

    `subject` is an opaque id or the city's own name of a party. `repeated`: nothing was left, it was erased before.
    Raises NotFound, RecordIsNoSubject, HoldForbids where one of the streams is held, ApprovalRequired.
    """
    known = subject if _UUID.fullmatch(subject) else str(book.keys.opaque(book.tenant, f"party:{subject}"))
    if book.history(UUID(known)) is not None:
        raise RecordIsNoSubject(subject=subject)
    streams = book.streams_of(known)
    if not streams:
        positions = _erasures(book, known)
        if not positions:
            raise NotFound(what="subject", name=f"{subject}, with texts that could be erased,")
        return Erasure(known, (), positions, repeated=True)
    plan = book.plan()
    for stream in streams:
        plan.add(
            stream,
            Request(
                command="erase-subject",
                data={"subject": known, "legal_basis": basis, "decided_by": decided_by}
                | ({"note": note} if note else {}),
                valid={"edtf": on.isoformat()},
                actor=by if by.startswith("T/") else "T",
                recorded_by=by,
                approved_by=approved_by,
            ),
        )
    mentions = _mentions(book, known)
    receipt = plan.commit()
    positions = tuple(range(receipt.first, receipt.last + 1))
    return Erasure(known, tuple(streams), positions, repeated=False, mentions=mentions)


def _mentions(book: Book, subject: str) -> tuple[str, ...]:
    """The public texts of others that say what a public text of the subject says, such as its name."""
    with book.database.tenant(Role.APP, book.tenant) as connection:
        texts = public_texts(connection, book.keys, book.tenant)
        rows = connection.execute(
            "SELECT digest FROM disclosure_places(%s, p_subject => %s)", (book.tenant, subject)
        ).fetchall()
    own = {digest: texts.pop(digest) for (digest,) in rows if digest in texts}
    return tuple(sorted(digest for digest, text in texts.items() if any(said in text for said in own.values())))


def _erasures(book: Book, subject: str) -> tuple[int, ...]:
    with book.database.tenant(Role.APP, book.tenant) as connection:
        rows = connection.execute(
            "SELECT position FROM event WHERE tenant_id = %s AND type = 'SubjectErased'"
            " AND convert_from(state, 'UTF8')::jsonb ->> 'subject' = %s ORDER BY 1",
            (book.tenant, subject),
        ).fetchall()
    return tuple(position for (position,) in rows)


# --- The access log -----------------------------------------------------------------------------------------


class Access(NamedTuple):
    """One closed value that was given to somebody."""

    number: int
    at: datetime
    reader: str
    level: str
    party: UUID | None
    purpose: str
    login: str
    stream: UUID
    position: int
    digest: str
    visibility: str
    embargo: str | None


def accesses(database: Database, tenant: UUID) -> list[Access]:
    """The city's access log, oldest first."""
    with database.tenant(Role.AUDITOR, tenant) as connection:
        rows = connection.execute(
            "SELECT number, at, reader, level, party, purpose, login, stream_id, position, digest, visibility, embargo"
            " FROM access_log WHERE tenant_id = %s ORDER BY number",
            (tenant,),
        ).fetchall()
    return [Access(*row) for row in rows]
