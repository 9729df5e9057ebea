"""Import of a city's cases: one file is one city is one append, decided in memory first, entered whole or not at all.

The file is JSON: `{"format": 1, "city": slug, "programmes": [{"programme", "facts"}], "cases": [{"case", "facts"}]}`,
with `"participations": [{"recording_city", "number", "facts"}]` for partnerships that another city records, and
`"city_facts": [fact]` for the city's own stream. `"compiled": false` says that it is the city's own earlier record and
not taken from publications. A fact is a command with its valid time: `{"command", "valid", "certainty", "label",
"source", "inferred_from", "data"}`, and where needed `actor`, `approved_by`, `signatories`, `document_ref`,
`placed_after`.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, ValidationError

from domain.errors import DomainError
from domain.event import Mode
from domain.text import MAX_TEXT
from domain.values import Code, Frozen, Slug
from tenants.book import Book, Request, problems
from tenants.programmes import Dated, InvalidFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path
    from uuid import UUID

    from tenants.book import Receipt

IMPORTER = "S/import"
_JSON = json.JSONDecoder()
_BLANKS = frozenset(" \t\r\n")


class BadCase(Exception):
    """A case in an import file cannot be entered; nothing of the file was."""


class Fact(Dated):
    """A command as an import file states it."""

    command: str
    actor: str | None = None
    approved_by: str | None = None
    signatories: tuple[str, ...] = ()
    document_ref: str | None = Field(default=None, max_length=MAX_TEXT)
    placed_after: int | None = None
    data: dict[str, Any] = Field(default_factory=dict)


class ProgrammeFacts(Frozen):
    """What was reported about one programme."""

    programme: str
    facts: tuple[Fact, ...]


class CaseFacts(Frozen):
    """One partnership's facts in the order of entry, its registration first."""

    case: str
    facts: tuple[Fact, ...] = Field(min_length=1)


class ParticipationFacts(Frozen):
    """What this city confirms about a partnership that another city records."""

    recording_city: Slug
    number: Code
    facts: tuple[Fact, ...] = Field(min_length=1)


class CaseFile(Frozen):
    """A whole import file."""

    format: Literal[1]
    city: str
    note: str | None = None
    programmes: tuple[ProgrammeFacts, ...] = ()
    compiled: bool = True
    cases: tuple[CaseFacts, ...] = ()
    participations: tuple[ParticipationFacts, ...] = ()
    city_facts: tuple[Fact, ...] = ()

    @property
    def facts(self) -> int:
        """How many facts the file states."""
        groups = (self.programmes, self.cases, self.participations)
        return sum(len(each.facts) for group in groups for each in group) + len(self.city_facts)


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did: how many cases and facts stand in the log, and the rules that imported facts break."""

    receipt: Receipt
    cases: int
    facts: int
    anomalies: tuple[tuple[str, str, str], ...]


def load_cases(path: Path) -> tuple[CaseFile, str]:
    """The file and its text; InvalidFile names line and place of what is wrong."""
    try:
        text = path.read_text(encoding="utf-8")
        data = json.loads(text)
    except FileNotFoundError as missing:
        raise InvalidFile(f"{path} does not exist") from missing
    except (OSError, UnicodeDecodeError) as unreadable:
        raise InvalidFile(f"{path}: {unreadable}") from unreadable
    except json.JSONDecodeError as broken:
        raise InvalidFile(f"{path}, line {broken.lineno}: {broken.msg}") from broken
    try:
        return CaseFile.model_validate_json(text), text
    except ValidationError as invalid:
        place = tuple(invalid.errors()[0]["loc"])
        line = line_of(text, place)
        raise InvalidFile(f"{path}, line {line}{_named(data, place)}: {problems(invalid)}") from invalid


def import_key(text: str) -> str:
    """The idempotency key under which a file of this text is entered."""
    return "import:" + hashlib.sha256(text.encode()).hexdigest()


def import_cases(book: Book, slug: str, path: Path, say: Callable[[str], None] = lambda _: None) -> Imported:
    """Enter a city's file. The same file again adds nothing; raises BadCase or InvalidFile with nothing written."""
    file, text = load_cases(path)
    if file.city != slug:
        raise InvalidFile(f"{path}: this file is for city {file.city!r}, not for {slug!r}")
    key = import_key(text)
    if (done := book.entered(key)) is not None:
        return Imported(done, len(file.cases), file.facts, ())
    plan = book.plan()
    city = book.stream("city")
    reason = "公表された資料からの編集" if file.compiled else "市の以前の記録の移行"
    opened = {"reason": reason, "scope": "CASES", "compiled": file.compiled}
    try:
        plan.add(city, _window("open-import-window", opened))
    except DomainError as refused:
        raise BadCase(f"{path}: {refused}") from refused
    anomalies: list[tuple[str, str, str]] = []
    for place, name, stream, fact in _facts(book, file):
        try:
            entered = plan.add(stream, _request(fact))
        except DomainError as refused:
            line = line_of(text, (*place, *_within(refused)))
            raise BadCase(f"{path}, line {line}, {name}, {fact.command} ({fact.valid}): {refused}") from refused
        anomalies += [(name, entered.name, rule) for rule in entered.event.breaks]
        if place[-1] == 0:
            say(name)
    plan.add(city, _window("close-import-window", {"entered": len(plan) - 1}))
    return Imported(plan.commit(key), len(file.cases), file.facts, tuple(anomalies))


def line_of(text: str, place: Sequence[str | int]) -> int:
    """The line (from 1) on which the value at `place` of a JSON text begins, or the nearest value around it."""
    at = _next(text, 0)
    for step in place:
        found = next((start for name, start in _members(text, at) if name == step), None)
        if found is None:
            break
        at = found
    return text.count("\n", 0, at) + 1


def _members(text: str, at: int) -> Iterator[tuple[str | int, int]]:
    """Name or index of each member of the JSON value that begins at `at`, and where the member's own value begins."""
    if text[at] not in "{[":
        return
    is_object, index, at = text[at] == "{", 0, _next(text, at + 1)
    while text[at] not in "}]":
        name: str | int = index
        if is_object:
            name, at = _JSON.raw_decode(text, at)
            at = _next(text, _next(text, at) + 1)  # behind the colon
        yield name, at
        at = _next(text, _JSON.raw_decode(text, at)[1])
        at = _next(text, at + 1) if text[at] == "," else at
        index += 1


def _next(text: str, at: int) -> int:
    """Where the next token begins."""
    while text[at : at + 1] in _BLANKS:
        at += 1
    return at


def _facts(book: Book, file: CaseFile) -> Iterator[tuple[tuple[str | int, ...], str, UUID, Fact]]:
    for at, group in enumerate(file.programmes):
        stream = book.stream("programme", group.programme)
        for number, fact in enumerate(group.facts):
            yield ("programmes", at, "facts", number), f"programme {group.programme}", stream, fact
    for at, case in enumerate(file.cases):
        stream = book.stream("partnership", case.case)
        for number, fact in enumerate(case.facts):
            yield ("cases", at, "facts", number), f"case {case.case}", stream, fact
    for at, part in enumerate(file.participations):
        stream = book.participation(part.recording_city, part.number)
        for number, fact in enumerate(part.facts):
            yield ("participations", at, "facts", number), f"{part.recording_city} {part.number}", stream, fact
    for number, fact in enumerate(file.city_facts):
        yield ("city_facts", number), "city", book.stream("city"), fact


def _request(fact: Fact) -> Request:
    return Request(
        command=fact.command,
        data=fact.data,
        valid=fact.valid_time(),
        mode=Mode.IMPORT,
        actor=fact.actor or IMPORTER,
        recorded_by=IMPORTER,
        approved_by=fact.approved_by,
        signatories=fact.signatories,
        document_ref=fact.document_ref,
        placed_after=fact.placed_after,
    )


def _window(command: str, data: dict[str, Any]) -> Request:
    valid = {"edtf": "XXXX", "certainty": "NOT_STATED"}
    return Request(
        command=command, data=data, valid=valid, actor="T/import", recorded_by="T/import", approved_by="Z/import"
    )


def _within(refused: DomainError) -> tuple[str | int, ...]:
    """Where in the fact the first thing stands that cannot be read; nowhere in particular for a broken rule."""
    if not isinstance(refused.__cause__, ValidationError):
        return ()
    match refused.__cause__.errors()[0]["loc"]:
        case ("valid", *_):
            return ("valid",)
        case (("actor" | "approved_by" | "signatories" | "document_ref" | "placed_after") as field, *_):
            return (field,)
        case place:
            return ("data", *place)


def _named(data: Any, place: tuple[str | int, ...]) -> str:
    match place:
        case (("cases" | "programmes") as group, int(at), *_):
            kind = group.removesuffix("s")
            named = data[group][at]
            return f", {kind} {named.get(kind)}" if isinstance(named, dict) else ""
        case _:
            return ""
