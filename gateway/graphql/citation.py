"""Citations: a reference to an answer that anyone can have given again, and checked, at any later time.

A citation pins the positions of the logs that an answer rests on. What is structure stays the same for ever; texts are
as of now, so that one that was withdrawn or erased since is gone from the answer, and is marked. Nothing is kept here:
the citation holds all that is needed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Literal

import orjson
import rfc8785
from graphql import GraphQLSchema, parse
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from domain.commands import BY_EVENT
from domain.event import Event
from gateway.graphql.pinning import NotCitable, pinned
from gateway.graphql.texts import ABSENT, WHOLE, Masked, masked, selects_by_text
from projections.catalogue import SCHEMA as TABLES
from projections.read_model import OPEN_POSITION
from tenants.ledger.store import ROOT_LOG

if TYPE_CHECKING:
    from gateway.graphql.asked import Asked
    from gateway.graphql.engine import Answer
    from tenants.database import Connection

FORMAT = "kyodo citation v1"
LONGEST = 1_000_000
"""Bytes of a citation that is sent to be checked: one of 2,000 cities has a third of that."""

RELEASE = version("kyodo-ledger")

_Hash = Field(pattern="^[0-9a-f]{64}$")


class BadCitation(ValueError):
    """What was sent is no citation; the message says what is wrong with it."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Log(_Part):
    """A log that the answer rests on: its size and root then, and for which fields where these are of other times."""

    city: str
    logSize: int = Field(ge=0)  # noqa: N815 - as in the provenance of an answer
    rootHash: str = _Hash  # noqa: N815
    fields: tuple[str, ...] | None = None


class Digests(_Part):
    """SHA-256 of the data as RFC 8785 writes them, and of those with null for each text; what there is of each text."""

    sha256: str = _Hash
    structure: str = _Hash
    texts: str = Field(pattern="^[-+~]*$")


class Reference(_Part):
    """The citation in words, for a list of references."""

    ja: str
    en: str


class Citation(_Part):
    """A citation. `document` and `variables` are an ordinary request, pinned, that any client can send."""

    citation: Literal["kyodo citation v1"]
    service: str | None
    release: str
    issued: datetime = Field(strict=False)
    document: str
    operationName: str | None  # noqa: N815 - as in a request
    variables: dict[str, Any]
    provenance: tuple[Log, ...]
    answer: Digests
    reference: Reference | None = None

    @classmethod
    def of(cls, body: bytes) -> Citation:
        """The citation that was sent; raises BadCitation."""
        try:
            return cls.model_validate_json(body)
        except ValidationError as invalid:
            wrong = invalid.errors()[0]
            place = ".".join(map(str, wrong["loc"])) or "it"
            raise BadCitation(f"This is no {FORMAT!r}: {place}: {wrong['msg']}.") from None

    def shown(self) -> dict[str, Any]:
        """As JSON has it."""
        return self.model_dump(mode="json", exclude={"provenance"}) | {
            "provenance": [log.model_dump(mode="json", exclude_none=True) for log in self.provenance]
        }


def cited(schema: GraphQLSchema, asked: Asked, answer: Answer, service: str | None) -> Citation:
    """The citation of an answer that went well, with the provenance of every city; raises NotCitable."""
    missing = [log["city"] for log in answer.provenance if log["rootHash"] is None]
    if missing:
        raise NotCitable(f"The log of {missing[0]} is damaged, so that nothing of it can be cited; tell its city.")
    pins = pinned(schema, asked, answer.provenance)
    digests, _ = _digests(schema, pins.document, answer.data)
    logs = tuple(Log(**log | {"fields": tuple(log["fields"])} if "fields" in log else log) for log in answer.provenance)
    issued = datetime.now(UTC).replace(microsecond=0)
    return Citation(
        citation="kyodo citation v1",
        service=service,
        release=RELEASE,
        issued=issued,
        document=pins.document,
        operationName=pins.name,
        variables=pins.variables,
        provenance=logs,
        answer=digests,
        reference=_reference(pins.name, service, logs, digests, issued),
    )


def _digests(schema: GraphQLSchema, document: str, data: bytes) -> tuple[Digests, Masked]:
    parsed = orjson.loads(data)
    mask = masked(schema, parse(document), parsed)
    return Digests(sha256=_sha256(parsed), structure=_sha256(mask.structure), texts=mask.texts), mask


def _sha256(value: Any) -> str:
    try:
        return hashlib.sha256(rfc8785.dumps(value)).hexdigest()
    except rfc8785.CanonicalizationError:
        raise NotCitable("The answer holds a number that JSON cannot carry exactly; ask for less.") from None


def _reference(
    name: str | None, service: str | None, logs: Sequence[Log], digests: Digests, issued: datetime
) -> Reference:
    positions = _sha256([[log.city, log.logSize, log.rootHash] for log in logs])[:16]
    cities = ", ".join(dict.fromkeys(f"{log.city} {log.logSize}" for log in logs)) if len(logs) <= 5 else ""  # noqa: PLR2004
    on, where = issued.date().isoformat(), service or "localhost"
    counted = len({log.city for log in logs})
    return Reference(
        ja=f"協働台帳({where})、照会「{name or '無題'}」、{cities or f'{counted}自治体'}の記録番号時点"
        f"(位置 {positions}、回答 {digests.sha256[:16]})、{on} 引用。",
        en=f"Kyōdō Ledger ({where}), query “{name or 'unnamed'}”, as of {cities or f'{counted} cities'}"
        f" (positions {positions}, answer {digests.sha256[:16]}), cited {on}.",
    )


# --- Checked again ------------------------------------------------------------------------------------------

_CONCERNED = ("lifts", "withdraws", "erases", "disposes")
_TAKEN_OR_GIVEN = sorted(
    name
    for name, known in BY_EVENT.items()
    if any(getattr(known.event, each) is not getattr(Event, each) for each in _CONCERNED)
)
"""The events that change what can be read of texts that were recorded before."""


@dataclass(frozen=True)
class Checked:
    """What came of giving a cited answer again."""

    same: bool
    structure: bool
    roots: bool
    withdrawn: list[str]
    published: list[str]
    changed: list[dict[str, Any]]
    failures: list[dict[str, Any]]

    @property
    def verdict(self) -> str:
        """SAME, SAME_BUT_FOR_TEXTS where recorded events say why they differ, or else DIFFERENT."""
        if self.failures:
            return "DIFFERENT"
        return "SAME" if self.same else "SAME_BUT_FOR_TEXTS"

    def shown(self) -> dict[str, Any]:
        """As JSON has it."""
        return {"verdict": self.verdict} | vars(self)


def checked(schema: GraphQLSchema, citation: Citation, answer: Answer, connection: Connection) -> Checked:
    """Compares an answer to the cited document with what was cited; BadCitation where it is not pinned so."""
    now = {(log["city"], log["logSize"]): log["rootHash"] for log in answer.provenance}
    _require_pinned(citation, now)
    failures = [
        _failure(
            log.city,
            f"the log of {log.city} no longer has the root that its first {log.logSize} entries had:"
            f" {log.rootHash} was cited, {now[log.city, log.logSize] or 'nothing'} is there now",
            f"{log.city}の台帳の先頭{log.logSize}件のルートが引用時と異なります",
        )
        for log in citation.provenance
        if now[log.city, log.logSize] != log.rootHash
    ]
    roots = not failures
    digests, mask = _digests(schema, citation.document, answer.data)
    same, structure = digests.sha256 == citation.answer.sha256, digests.structure == citation.answer.structure
    changed = [] if same else _changed(connection, citation)
    cities = sorted({log.city for log in citation.provenance})
    withdrawn, published = _marked(citation.answer.texts, mask) if structure else ([], [])
    explained = bool(changed) or citation.release != RELEASE
    if not structure and not (changed and selects_by_text(schema, parse(citation.document), citation.variables)):
        failures += [
            _failure(
                city,
                f"the record of {city} up to the cited position no longer says what it said",
                f"{city}の引用時点までの記録の内容が引用時と異なります",
            )
            for city in cities
        ]
    elif not same and not explained:
        failures += [
            _failure(
                city,
                f"a text of {city} reads otherwise, and no event that was recorded since says why",
                f"{city}の文が引用時と異なり、その理由となる記録がありません",
            )
            for city in cities
        ]
    return Checked(same, structure, roots, withdrawn, published, changed, failures)


def _failure(city: str, en: str, ja: str) -> dict[str, Any]:
    return {"city": city, "message": f"A failure of the record: {en}.", "messageJa": f"記録の不整合: {ja}。"}


def _require_pinned(citation: Citation, now: Mapping[tuple[str, int], str | None]) -> None:
    reached: dict[str, int] = {}
    for city, size in now:
        reached[city] = max(size, reached.get(city, 0))
    for log in citation.provenance:
        if log.city not in reached:
            raise BadCitation(f"No city is called {log.city!r} here, or the document does not ask for it.")
        if (log.city, log.logSize) not in now and reached[log.city] < log.logSize:
            raise BadCitation(
                f"The citation is of position {log.logSize} of {log.city}, whose log reaches {reached[log.city]} here:"
                " it is of another service, or this one is not up to date yet."
            )
    if now.keys() != {(log.city, log.logSize) for log in citation.provenance}:
        raise BadCitation("The document is not pinned to the positions that the citation names; cite the query anew.")


def _marked(before: str, now: Masked) -> tuple[list[str], list[str]]:
    """Where there is less of a text than there was, and where there is more."""
    order = (ABSENT, "~", WHOLE)
    compared = list(zip(now.places, before, now.texts, strict=False))
    less = [place for place, then, is_now in compared if order.index(is_now) < order.index(then)]
    more = [place for place, then, is_now in compared if order.index(is_now) > order.index(then)]
    return less, more


def _changed(connection: Connection, citation: Citation) -> list[dict[str, Any]]:
    """The events behind the cited positions that took away or gave out texts of what was recorded before them."""
    sizes: dict[str, int] = {}
    for log in citation.provenance:
        sizes[log.city] = min(log.logSize, sizes.get(log.city, log.logSize))
    rows = connection.execute(_CHANGED, (list(sizes), list(sizes.values()), _TAKEN_OR_GIVEN)).fetchall()
    return [
        {"city": city, "position": position, "type": kind, "at": at.isoformat().replace("+00:00", "Z")}
        for city, position, kind, at in rows
    ]


_CHANGED = f"""
    SELECT n.slug, e.position, e.type, e.recorded_at
      FROM unnest(%s::text[], %s::bigint[]) AS cited (city, size)
      JOIN tenant n ON n.slug = cited.city
      JOIN {TABLES}.timeline e ON e.tenant_id = n.tenant_id AND e.position > cited.size
     WHERE e.known_until = {OPEN_POSITION} AND e.type = ANY (%s)
       AND EXISTS (SELECT FROM {TABLES}.timeline x WHERE x.tenant_id = e.tenant_id AND x.stream_id = e.stream_id
                      AND x.position <= cited.size)
     ORDER BY n.slug COLLATE "C", e.position
"""

_SERVICE = """
    SELECT regexp_replace(split_part(vkey, '+', 1), '/[^/]*$', '') FROM log_key
     ORDER BY tenant_id = %s DESC, first_use DESC LIMIT 1
"""


def service_name(connection: Connection) -> str | None:
    """The name under which this service's logs are known, None while none of them is signed."""
    row = connection.execute(_SERVICE, (ROOT_LOG,)).fetchone()
    return row[0] if row else None
