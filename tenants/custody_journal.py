"""The custody journal: what was withdrawn, erased or disposed of, kept outside the database, and applied to it again.

A backup of the database still holds what was taken away after it was made. Its log does not say so either, where the
event is younger than the backup. So the worker writes each such event into a file beside the keys, of ids and digests
only, and a database that was restored is not opened before everything in it was taken away again.
"""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson
from eventsourcing.persistence import OperationalError
from psycopg.types.json import Jsonb

from domain.commands import COMMANDS
from domain.event import Event
from tenants.book import read
from tenants.database import Role, connect, set_tenant
from tenants.event_store import TenantRecorder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from domain.history import Recorded
    from tenants.database import Database

NAME = "custody.journal"

TAKES_AWAY = tuple(
    sorted(
        {
            row.event_name
            for row in COMMANDS
            if any(getattr(row.event, way) is not getattr(Event, way) for way in ("withdraws", "erases", "disposes"))
        }
    )
)
"""The events that take texts away."""


class JournalUnwritable(OperationalError):
    """The custody journal cannot be written; nothing is projected that it would have to hold until it can."""


class JournalDamaged(Exception):
    """The custody journal cannot be read; restore it from its backup before the service is opened."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What one event took away: subjects, digests, or all texts of its stream. No name and no text stands in it."""

    tenant: UUID
    position: int
    recorded_at: datetime
    stream: UUID
    erases: tuple[str, ...] = ()
    withdraws: tuple[str, ...] = ()
    disposes: bool = False

    @property
    def identity(self) -> tuple[UUID, int, datetime]:
        """What tells events apart: after a restore another one may stand at the same position."""
        return self.tenant, self.position, self.recorded_at

    @classmethod
    def by(cls, tenant: UUID, event: Recorded) -> Taken | None:
        """What the event took away, None for nothing."""
        erases, withdraws, disposes = (
            tuple(event.event.erases()),
            tuple(event.event.withdraws()),
            event.event.disposes(),
        )
        if not (erases or withdraws or disposes):
            return None
        return cls(tenant, event.position, event.recorded_at, event.stream, erases, withdraws, disposes)


class Journal:
    """A file of JSON lines (mode 0600), added to durably; several processes may share it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def entries(self) -> list[Taken]:
        """What it holds, each event once. A last line without its end was never acknowledged, and does not count."""
        try:
            written = self.path.read_bytes()
        except FileNotFoundError:
            return []
        except OSError as failed:
            raise JournalDamaged(f"{self.path}: {failed.strerror}: {JournalDamaged.__doc__}") from failed
        found = {}
        for number, line in enumerate(written.split(b"\n")[:-1], start=1):
            try:
                taken = _read(orjson.loads(line))
            except (ValueError, KeyError, TypeError) as damaged:
                raise JournalDamaged(f"{self.path}, line {number}: {JournalDamaged.__doc__}") from damaged
            found[taken.identity] = taken
        return list(found.values())

    def note(self, taken: Iterable[Taken]) -> int:
        """Write down what is not written yet, on disk once it returns; how many that were. JournalUnwritable."""
        asked = list(taken)
        if not asked:
            return 0
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                self._mend(descriptor)
                known = {each.identity for each in self.entries()}
                fresh = {each.identity: each for each in asked if each.identity not in known}
                lines = b"".join(_line(each) for each in fresh.values())
                while lines:
                    lines = lines[os.write(descriptor, lines) :]
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            folder = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as failed:
            raise JournalUnwritable(f"{self.path}: {failed.strerror}: {JournalUnwritable.__doc__}") from failed
        return len(fresh)

    def _mend(self, descriptor: int) -> None:
        """Cut off what a writer that died left of a line."""
        written = self.path.read_bytes()
        whole = written.rfind(b"\n") + 1
        if whole < len(written):
            os.ftruncate(descriptor, whole)


def _line(taken: Taken) -> bytes:
    return orjson.dumps(
        {
            "tenant": str(taken.tenant),
            "position": taken.position,
            "recorded_at": taken.recorded_at.isoformat(),
            "stream": str(taken.stream),
            "erases": taken.erases,
            "withdraws": taken.withdraws,
            "disposes": taken.disposes,
        },
        option=orjson.OPT_APPEND_NEWLINE,
    )


def _read(line: dict[str, Any]) -> Taken:
    return Taken(
        UUID(line["tenant"]),
        int(line["position"]),
        datetime.fromisoformat(line["recorded_at"]),
        UUID(line["stream"]),
        tuple(line["erases"]),
        tuple(line["withdraws"]),
        bool(line["disposes"]),
    )


# --- After a restore ----------------------------------------------------------------------------------------

# The disclosures of a city that were taken away. What is younger than the event that took a subject's or a record's
# texts is not concerned: the subject may have come back since.
_CONCERNED = """
    WITH journal AS (
      SELECT * FROM jsonb_to_recordset(%(taken)s)
          AS (recorded_at timestamptz, stream uuid, erases text[], disposes boolean)
    ), concerned AS (
      SELECT d.digest, d.subject
        FROM journal j CROSS JOIN unnest(j.erases) AS erased
        JOIN disclosure d ON d.tenant_id = %(tenant)s AND d.subject = erased
        JOIN event e ON e.tenant_id = d.tenant_id AND e.position = d.position AND e.recorded_at <= j.recorded_at
       UNION
      SELECT d.digest, d.subject
        FROM journal j
        JOIN disclosure d ON d.tenant_id = %(tenant)s AND j.disposes AND d.stream_id = j.stream
        JOIN event e ON e.tenant_id = d.tenant_id AND e.position = d.position AND e.recorded_at <= j.recorded_at
    )
"""
_STANDING = f"""{_CONCERNED}
    SELECT t.slug, (SELECT count(*) FROM concerned) + (
             SELECT count(*) FROM disclosure d
              WHERE d.tenant_id = %(tenant)s AND d.digest = ANY(%(withdrawn)s) AND d.visibility IN ('PUBLIC', 'PARTY'))
      FROM tenant t WHERE t.tenant_id = %(tenant)s
"""
_DESTROY = f"""{_CONCERNED}
    DELETE FROM disclosure d USING concerned c
     WHERE d.tenant_id = %(tenant)s AND d.digest = c.digest RETURNING d.subject
"""
_DESTROY_KEYS = """
    DELETE FROM subject_key k
     WHERE k.tenant_id = %(tenant)s AND k.subject = ANY(%(subjects)s)
       AND NOT EXISTS (SELECT FROM disclosure d WHERE d.tenant_id = k.tenant_id AND d.subject = k.subject)
"""
_CLOSE = """
    UPDATE disclosure SET visibility = 'CITY'
     WHERE tenant_id = %(tenant)s AND digest = ANY(%(withdrawn)s) AND visibility IN ('PUBLIC', 'PARTY')
"""


def still_standing(owner_url: str, journal: Journal) -> list[str]:
    """What the journal says was taken away and the database still has, a line for each city; empty when all is well.

    Cheap: one query by index for each city of which the journal tells. Raises JournalDamaged.
    """
    found = []
    cities = _by_city(journal.entries())
    if not cities:
        return []
    with connect(owner_url) as connection:
        for tenant, taken in cities.items():
            with connection.transaction():
                connection.execute(set_tenant(tenant))
                row = connection.execute(_STANDING, _asked(tenant, taken)).fetchone()
            if row and row[1]:
                found.append(f"{row[0]}: {row[1]} texts that were withdrawn, erased or disposed of are back")
    return found


def reapply(database: Database, journal: Journal, say: Callable[[str], None]) -> int:
    """Take away again what the logs or the journal say was taken away; the number of texts that were back.

    Enters in the journal what only the logs say. As the owner, a transaction a city, so that it may be interrupted and
    run again. Read models are not touched: rebuild them afterwards. Raises JournalDamaged and JournalUnwritable.
    """
    with database.owner() as connection:
        registered = {row[0]: row[1] for row in connection.execute("SELECT tenant_id, slug FROM tenant ORDER BY slug")}
    for tenant in registered:
        journal.note(_logged(database, tenant))
    total = 0
    for tenant, taken in _by_city(journal.entries()).items():
        if tenant not in registered:
            continue  # The backup is older than the city.
        with database.tenant(Role.OWNER, tenant) as connection:
            asked = _asked(tenant, taken)
            destroyed = [subject for (subject,) in connection.execute(_DESTROY, asked).fetchall()]
            subjects = {*destroyed, *(s for each in taken for s in each.erases)}
            subjects |= {str(each.stream) for each in taken if each.disposes}
            connection.execute(_DESTROY_KEYS, {"tenant": tenant, "subjects": sorted(subjects)})
            closed = connection.execute(_CLOSE, asked).rowcount
        total += len(destroyed) + closed
        say(f"{registered[tenant]}: {len(destroyed)} texts destroyed again, {closed} withdrawn again")
    return total


def _logged(database: Database, tenant: UUID) -> Iterator[Taken]:
    with database.tenant(Role.OWNER, tenant) as connection:
        rows = connection.execute(
            "SELECT position FROM event WHERE tenant_id = %s AND type = ANY(%s) ORDER BY 1", (tenant, list(TAKES_AWAY))
        ).fetchall()
    recorder = TenantRecorder(database, tenant, reads_as=Role.OWNER)
    for (position,) in rows:
        (stored,) = recorder.read(position - 1, 1)
        taken = Taken.by(tenant, read(stored))
        if taken is not None:
            yield taken


def _by_city(entries: Iterable[Taken]) -> dict[UUID, list[Taken]]:
    cities: dict[UUID, list[Taken]] = {}
    for taken in entries:
        cities.setdefault(taken.tenant, []).append(taken)
    return cities


def _asked(tenant: UUID, taken: list[Taken]) -> dict[str, Any]:
    rows = [
        {
            "recorded_at": each.recorded_at.isoformat(),
            "stream": str(each.stream),
            "erases": list(each.erases),
            "disposes": each.disposes,
        }
        for each in taken
    ]
    return {"tenant": tenant, "taken": Jsonb(rows), "withdrawn": [d for each in taken for d in each.withdraws]}
