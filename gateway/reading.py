"""The public's questions to the read models, each one SQL statement; pages and GraphQL ask the same ones.

Whatever they return is as of now. A text that was withdrawn or erased, or that is not public, comes back as None.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

import orjson
from psycopg.rows import class_row

from projections.catalogue import SCHEMA
from projections.partnerships import bigrams, normal
from projections.read_model import OPEN_POSITION

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
    from datetime import date, datetime

    from tenants.database import Connection, Database

_Row = TypeVar("_Row")
_Key = TypeVar("_Key", bound="Hashable")

STATEMENT_TIMEOUT = "5s"
"""What the reader's login is given for each statement (tenants/migrations/0010-reader.sql)."""

LONGEST_TEXT = 200
Stream = tuple[UUID, UUID]
"""A city's tenant id and the id of one of its partnerships or programmes."""

_CURRENT = f"known_until = {OPEN_POSITION}"


@contextmanager
def snapshot(database: Database) -> Iterator[Connection]:
    """A reader's connection on which every question is answered from the same moment."""
    with database.reader() as connection:
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        try:
            yield connection
        finally:
            if not connection.closed:
                connection.rollback()


@dataclass(frozen=True, slots=True)
class City:
    """A registered city; `sources` are the publications that its record was taken from, in clear."""

    tenant: UUID
    slug: str
    municipal_code: str | None
    name_ja: str
    name_en: str
    population: int | None
    compiled: bool
    sources: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Participation:
    """A city's confirmed part in a partnership that another city records, where it is counted."""

    tenant: UUID
    slug: str
    name_ja: str
    name_en: str
    recording_city: str
    number: str
    since: str
    ended: str | None
    title_ja: str | None
    title_en: str | None


@dataclass(frozen=True, slots=True)
class Programme:
    """A programme with the latest version of its rules, in clear: a text that is not public is None."""

    tenant: UUID
    programme_id: UUID
    slug: str
    version: int
    effective: str | None
    standing: str | None
    rules: dict[str, Any]
    title_ja: str | None
    title_en: str | None

    @property
    def stream(self) -> Stream:
        return self.tenant, self.programme_id


@dataclass(frozen=True, slots=True)
class Partnership:
    """A partnership as it stands; `has_place` and `has_objective` tell a text that is not public from none at all."""

    tenant: UUID
    city: str
    municipal_code: str | None
    partnership_id: UUID
    number: str
    programme: str
    status: str
    kind: str | None
    origin: str | None
    city_role: str | None
    lead_area: str | None
    field: str | None
    joint: bool
    forms: list[str]
    submissions: int
    rejections: int
    renewals: int
    agreed: str | None
    ended: str | None
    anomalies: list[str]
    version: int
    title_ja: str | None
    title_en: str | None
    title_translated: str | None
    has_place: bool
    place: str | None
    has_objective: bool
    objective: str | None

    @property
    def stream(self) -> Stream:
        return self.tenant, self.partnership_id


@dataclass(frozen=True, slots=True)
class Party:
    """A party of a partnership; both names None when they are not public."""

    tenant: UUID
    partnership_id: UUID
    party_id: str
    place: int
    kind: str | None
    roles: list[str]
    city_role: str | None
    count: int | None
    invited: str | None
    members: list[str]
    name_ja: str | None
    name_en: str | None


@dataclass(frozen=True, slots=True)
class Entry:
    """An event of a timeline as it now counts; `data` is in clear: a text that is not public is None."""

    tenant: UUID
    city: str
    stream_id: UUID
    version: int
    place: int
    type: str
    position: int
    leaf_hash: str
    recorded_at: datetime
    mode: str
    programme: str | None
    programme_version: int | None
    valid: str
    earliest: date | None
    latest: date | None
    certainty: str
    source: str | None
    breaks: list[str]
    corrected_by: int | None
    data: dict[str, Any]
    label: str | None
    inferred_from: str | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which partnerships: of a city, in one of some statuses, with one of some forms, with every word of a text."""

    city: str | None = None
    statuses: tuple[str, ...] = ()
    forms: tuple[str, ...] = ()
    text: str | None = None


class BrokenCursor(ValueError):
    """The cursor is not one that this service gave out; take `endCursor` of the page before."""


Place = tuple[str, str, str]
"""Where a partnership stands in the order of all: municipal code, slug, number. It stays when others come in."""


def cursor_of(partnership: Partnership) -> str:
    """An opaque cursor that leads behind the partnership."""
    place = (partnership.municipal_code or "", partnership.city, partnership.number)
    return urlsafe_b64encode(orjson.dumps(place)).decode().rstrip("=")


def place_of(cursor: str) -> Place:
    """The place behind which a page begins; raises BrokenCursor."""
    try:
        place = orjson.loads(urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4)))
    except (UnicodeEncodeError, NotBase64, ValueError):
        raise BrokenCursor(BrokenCursor.__doc__) from None
    match place:
        case [str(code), str(slug), str(number)] if "\x00" not in f"{code}{slug}{number}":
            return code, slug, number
    raise BrokenCursor(BrokenCursor.__doc__)


def cities(connection: Connection, tenants: Sequence[UUID] | None = None) -> list[City]:
    """Every city, or those named, by municipal code."""
    return _cities(connection, "%(tenants)s::uuid[] IS NULL OR t.tenant_id = ANY(%(tenants)s)", tenants=_list(tenants))


def city(connection: Connection, slug: str) -> City | None:
    """The city of that slug."""
    found = _cities(connection, "t.slug = %(slug)s", slug=slug) if _is_name(slug) else []
    return found[0] if found else None


def _cities(connection: Connection, which: str, **values: Any) -> list[City]:
    statement = f"""
        SELECT t.tenant_id AS tenant, t.slug, t.municipal_code, t.name_ja, t.name_en, c.population,
               coalesce(c.compiled, false) AS compiled, coalesce(c.clear_sources, '[]') AS sources
          FROM tenant t
          LEFT JOIN {SCHEMA}.city c ON c.tenant_id = t.tenant_id AND c.{_CURRENT}
         WHERE {which}
         ORDER BY coalesce(t.municipal_code, '') COLLATE "C", t.slug COLLATE "C"
    """
    return _all(connection, City, statement, values)


def participations(
    connection: Connection,
    *,
    tenants: Sequence[UUID] | None = None,
    recorded: tuple[str, str] | None = None,
) -> list[Participation]:
    """What cities confirmed: those of `tenants`, or those about one partnership (recording city, number)."""
    city, number = recorded or (None, None)
    statement = f"""
        SELECT t.tenant_id AS tenant, t.slug, t.name_ja, t.name_en, p.recording_city, p.number, p.since, p.ended,
               p.title_ja, p.title_en
          FROM {SCHEMA}.participation p JOIN tenant t USING (tenant_id)
         WHERE p.{_CURRENT}
           AND (%(tenants)s::uuid[] IS NULL OR p.tenant_id = ANY(%(tenants)s))
           AND (%(city)s::text IS NULL OR (p.recording_city = %(city)s AND p.number = %(number)s))
         ORDER BY coalesce(t.municipal_code, '') COLLATE "C", t.slug COLLATE "C", p.recording_city, p.number
    """
    return _all(connection, Participation, statement, {"tenants": _list(tenants), "city": city, "number": number})


def programmes(connection: Connection, tenants: Sequence[UUID]) -> list[Programme]:
    """The programmes of the cities, by slug."""
    statement = f"""
        SELECT tenant_id AS tenant, programme_id, slug, version, effective, standing, clear_rules AS rules, title_ja,
               title_en
          FROM {SCHEMA}.programme WHERE tenant_id = ANY(%(tenants)s) AND {_CURRENT}
         ORDER BY tenant_id, slug COLLATE "C"
    """
    return _all(connection, Programme, statement, {"tenants": list(tenants)})


def statuses(connection: Connection, tenants: Sequence[UUID]) -> dict[UUID, dict[str, int]]:
    """For each city how many partnerships stand where in the life-cycle."""
    rows = connection.execute(
        f"SELECT tenant_id, status, count(*) FROM {SCHEMA}.partnership"
        f" WHERE tenant_id = ANY(%s) AND {_CURRENT} GROUP BY 1, 2",
        (list(tenants),),
    ).fetchall()
    counts: dict[UUID, dict[str, int]] = {tenant: {} for tenant in tenants}
    for tenant, status, count in rows:
        counts[tenant][status] = count
    return counts


def forms(connection: Connection, tenant: UUID) -> list[str]:
    """The forms of collaboration that occur among a city's partnerships."""
    rows = connection.execute(
        f"SELECT DISTINCT unnest(forms) FROM {SCHEMA}.partnership WHERE tenant_id = %s AND {_CURRENT} ORDER BY 1",
        (tenant,),
    ).fetchall()
    return [form for (form,) in rows]


# The last event is always in its timeline: only another one after it could have retracted it.
_PARTNERSHIP = f"""
    t.tenant_id AS tenant, t.slug AS city, t.municipal_code, p.partnership_id, p.number, p.programme, p.status, p.kind,
    p.origin, p.city_role, p.lead_area, p.field, p.joint, p.forms, p.submissions, p.rejections, p.renewals, p.agreed,
    p.ended, p.anomalies, p.title_ja, p.title_en, p.title_translated,
    p.place_digest IS NOT NULL AS has_place, p.place, p.objective_digest IS NOT NULL AS has_objective, p.objective,
    (SELECT max(e.version) FROM {SCHEMA}.timeline e
      WHERE e.tenant_id = p.tenant_id AND e.stream_id = p.partnership_id AND e.{_CURRENT}) AS version
"""
_KEY = """coalesce(t.municipal_code, '') COLLATE "C", t.slug COLLATE "C", p.number COLLATE "C" """


def partnerships(connection: Connection, wanted: Wanted, limit: int, after: Place | None = None) -> list[Partnership]:
    """Partnerships by municipal code and number, at most `limit` of them, from behind `after`."""
    where, values = _where(wanted, after)
    statement = f"""
        SELECT {_PARTNERSHIP} FROM {SCHEMA}.partnership p JOIN tenant t USING (tenant_id)
         WHERE {where} ORDER BY {_KEY} LIMIT %(limit)s
    """
    return _all(connection, Partnership, statement, values | {"limit": limit})


def partnerships_of_each(
    connection: Connection,
    tenants: Sequence[UUID],
    wanted: Wanted,
    limit: int,
    after: Place | None = None,
    *,
    most: int | None = None,
) -> dict[UUID, list[Partnership]]:
    """For each city its partnerships by number, at most `limit` of each and `most` in all, from behind `after`."""
    where, values = _where(wanted, after)
    statement = f"""
        SELECT {_PARTNERSHIP}
          FROM (SELECT p.*, row_number() OVER (PARTITION BY p.tenant_id ORDER BY p.number COLLATE "C") AS nth
                  FROM {SCHEMA}.partnership p JOIN tenant t USING (tenant_id)
                 WHERE p.tenant_id = ANY(%(tenants)s) AND {where}) p
          JOIN tenant t USING (tenant_id)
         WHERE p.nth <= %(limit)s ORDER BY {_KEY} LIMIT %(most)s
    """
    given = {"limit": limit, "tenants": list(tenants), "most": most}
    found = _all(connection, Partnership, statement, values | given)
    return _grouped(tenants, found, lambda partnership: partnership.tenant)


def count(connection: Connection, wanted: Wanted) -> int:
    """How many partnerships are wanted."""
    where, values = _where(wanted, None)
    row = connection.execute(
        f"SELECT count(*) FROM {SCHEMA}.partnership p JOIN tenant t USING (tenant_id) WHERE {where}", values
    ).fetchone()
    return row[0] if row else 0


def count_of_each(connection: Connection, tenants: Sequence[UUID], wanted: Wanted) -> dict[UUID, int]:
    """For each city how many of its partnerships are wanted."""
    where, values = _where(wanted, None)
    rows = connection.execute(
        f"SELECT p.tenant_id, count(*) FROM {SCHEMA}.partnership p JOIN tenant t USING (tenant_id)"
        f" WHERE p.tenant_id = ANY(%(tenants)s) AND {where} GROUP BY 1",
        values | {"tenants": list(tenants)},
    ).fetchall()
    return dict.fromkeys(tenants, 0) | dict(rows)


def partnership(connection: Connection, city: str, number: str) -> Partnership | None:
    """The city's partnership of that number."""
    if not (_is_name(city) and _is_name(number)):
        return None
    statement = f"""
        SELECT {_PARTNERSHIP} FROM {SCHEMA}.partnership p JOIN tenant t USING (tenant_id)
         WHERE p.{_CURRENT} AND t.slug = %(city)s AND p.number = %(number)s
    """
    found = _all(connection, Partnership, statement, {"city": city, "number": number})
    return found[0] if found else None


def partnership_by_stream(connection: Connection, stream: Stream) -> Partnership | None:
    """The partnership with that permanent id."""
    statement = f"""
        SELECT {_PARTNERSHIP} FROM {SCHEMA}.partnership p JOIN tenant t USING (tenant_id)
         WHERE p.{_CURRENT} AND p.tenant_id = %(tenant)s AND p.partnership_id = %(stream)s
    """
    found = _all(connection, Partnership, statement, {"tenant": stream[0], "stream": stream[1]})
    return found[0] if found else None


def parties(connection: Connection, streams: Sequence[Stream], *, most: int | None = None) -> dict[Stream, list[Party]]:
    """For each partnership its parties in their order, at most `most` in all."""
    statement = f"""
        SELECT tenant_id AS tenant, partnership_id, party_id, place, kind, roles, city_role, count, invited, members,
               name_ja, name_en
          FROM {SCHEMA}.party
          JOIN unnest(%(tenants)s::uuid[], %(streams)s::uuid[]) AS asked (tenant_id, partnership_id)
         USING (tenant_id, partnership_id)
         WHERE {_CURRENT} ORDER BY place LIMIT %(most)s
    """
    found = _all(connection, Party, statement, _unzipped(streams) | {"most": most})
    return _grouped(streams, found, lambda party: (party.tenant, party.partnership_id))


def timelines(
    connection: Connection, streams: Sequence[Stream], types: Sequence[str] | None = None, *, most: int | None = None
) -> dict[Stream, list[Entry]]:
    """For each partnership or programme its events in their places, or those of some types, at most `most` in all."""
    statement = f"""
        SELECT tenant_id AS tenant, city, stream_id, version, place, type, position, leaf_hash, recorded_at, mode,
               programme, programme_version, valid, earliest, latest, certainty, source, breaks, corrected_by,
               clear AS data, label, inferred_from
          FROM {SCHEMA}.timeline
          JOIN (SELECT tenant_id, slug AS city FROM tenant) t USING (tenant_id)
          JOIN unnest(%(tenants)s::uuid[], %(streams)s::uuid[]) AS asked (tenant_id, stream_id)
         USING (tenant_id, stream_id)
         WHERE {_CURRENT} AND (%(types)s::text[] IS NULL OR type = ANY(%(types)s)) ORDER BY place
         LIMIT %(most)s
    """
    found = _all(connection, Entry, statement, _unzipped(streams) | {"types": _list(types), "most": most})
    return _grouped(streams, found, lambda entry: (entry.tenant, entry.stream_id))


def _where(wanted: Wanted, after: Place | None) -> tuple[str, dict[str, Any]]:
    conditions = [f"p.{_CURRENT}"]
    values: dict[str, Any] = {}
    if wanted.city is not None:
        conditions.append("t.slug = %(city)s")
        values["city"] = wanted.city if _is_name(wanted.city) else None
    if wanted.statuses:
        conditions.append("p.status = ANY(%(statuses)s)")
        values["statuses"] = list(wanted.statuses)
    if wanted.forms:
        conditions.append("p.forms && %(forms)s")
        values["forms"] = list(wanted.forms)
    words = _words(wanted.text)
    if words:
        # The index finds rows that hold every pair of neighbouring characters, the text whether they are together.
        pairs = sorted({pair for word in words for pair in bigrams(word) if len(pair) > 1})
        conditions.append("p.bigrams @> %(pairs)s::text[]")
        values["pairs"] = pairs
        for at, word in enumerate(words):
            conditions.append(f"position(%(word{at})s IN p.search_text) > 0")
            values[f"word{at}"] = word
    if after is not None:
        conditions.append(f"({_KEY}) > (%(code)s, %(slug)s, %(number)s)")
        values |= dict(zip(("code", "slug", "number"), after, strict=True))
    return " AND ".join(conditions), values


def _words(text: str | None) -> list[str]:
    cleaned = (text or "")[:LONGEST_TEXT].replace("\x00", " ").encode("utf-8", "ignore").decode()
    return list(dict.fromkeys(normal(cleaned).split()))


def _is_name(text: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9_-]{1,80}", text) is not None


def _all(connection: Connection, row: type[_Row], statement: str, values: dict[str, Any]) -> list[_Row]:
    with connection.cursor(row_factory=class_row(row)) as cursor:
        return cursor.execute(statement, values).fetchall()


def _list(values: Iterable[_Row] | None) -> list[_Row] | None:
    return None if values is None else list(values)


def _unzipped(streams: Sequence[Stream]) -> dict[str, list[UUID]]:
    return {"tenants": [tenant for tenant, _ in streams], "streams": [stream for _, stream in streams]}


def _grouped(keys: Iterable[_Key], rows: Iterable[_Row], key: Callable[[_Row], _Key]) -> dict[_Key, list[_Row]]:
    groups: dict[_Key, list[_Row]] = {each: [] for each in keys}
    for row in rows:
        groups[key(row)].append(row)
    return groups
