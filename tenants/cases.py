"""Import of a city's cases: one file is one city is one append, decided in memory first, entered whole or not at all.

The file is JSON: `{"format": 1, "city": slug, "programmes": [{"programme", "facts"}], "cases": [{"case", "facts"}]}`. A
fact is a command with its valid time: `{"command", "valid", "certainty", "label", "source", "inferred_from", "data"}`.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import yaml
from pydantic import Field, ValidationError

from domain.decider import Frozen, Mode
from domain.errors import DomainError
from domain.text import MAX_TEXT
from tenants.book import Book, Request, problems
from tenants.programmes import InvalidFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path
    from uuid import UUID

    from tenants.book import Plan, Receipt

IMPORTER = "S/import"


class BadCase(Exception):
    """A case in an import file cannot be entered; nothing of the file was."""


class Fact(Frozen):
    """A command as an import file states it."""

    command: str
    valid: str
    certainty: str = "STATED"
    label: str | None = Field(default=None, max_length=MAX_TEXT)
    source: str | None = None
    inferred_from: str | None = None
    actor: str | None = None
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


class CaseFile(Frozen):
    """A whole import file."""

    format: Literal[1]
    city: str
    note: str | None = None
    programmes: tuple[ProgrammeFacts, ...] = ()
    cases: tuple[CaseFacts, ...] = ()


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
        case = _case_of(data, place)
        raise InvalidFile(f"{path}, line {line}{case}: {problems(invalid)}") from invalid


def import_cases(book: Book, slug: str, path: Path, say: Callable[[str], None] = lambda _: None) -> Imported:
    """Enter a city's file. The same file again adds nothing; raises BadCase or InvalidFile with nothing written."""
    file, text = load_cases(path)
    if file.city != slug:
        raise InvalidFile(f"{path}: this file is for city {file.city!r}, not for {slug!r}")
    key = "import:" + hashlib.sha256(text.encode()).hexdigest()
    facts = sum(len(group.facts) for group in (*file.programmes, *file.cases))
    if (done := book.entered(key)) is not None:
        return Imported(done, len(file.cases), facts, ())
    plan = book.plan()
    city = book.stream("city")
    opened = {"reason": "compiled from publications", "scope": "CASES"}
    try:
        plan.add(city, _window("open-import-window", opened))
    except DomainError as refused:
        raise BadCase(f"{path}: {refused}") from refused
    anomalies: list[tuple[str, str, str]] = []
    for place, name, stream, fact in _facts(book, file):
        try:
            entered = plan.add(stream, _request(fact))
        except DomainError as refused:
            line = line_of(text, place)
            raise BadCase(f"{path}, line {line}, {name}, {fact.command} ({fact.valid}): {refused}") from refused
        anomalies += [(name, entered.name, rule) for rule in entered.event.breaks]
        if place[-1] == 0:
            say(name)
    plan.add(city, _window("close-import-window", {"entered": len(plan) + 1}))
    return Imported(plan.commit(key), len(file.cases), facts, tuple(anomalies))


def line_of(text: str, place: Sequence[str | int]) -> int:
    """The line (from 1) on which the value at `place` begins, or the nearest value around it."""
    # JSON is YAML 1.2, whose reader keeps the lines that JSON's forgets.
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    line = 1
    for step in place:
        line = node.start_mark.line + 1
        if isinstance(node, yaml.MappingNode):
            found = next((value for key, value in node.value if key.value == step), None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            found = node.value[step]
        else:
            found = None
        if found is None:
            return line
        node, line = found, found.start_mark.line + 1
    return line


def _facts(book: Book, file: CaseFile) -> Iterator[tuple[tuple[str | int, ...], str, UUID, Fact]]:
    for at, group in enumerate(file.programmes):
        stream = book.stream("programme", group.programme)
        for number, fact in enumerate(group.facts):
            yield ("programmes", at, "facts", number), f"programme {group.programme}", stream, fact
    for at, case in enumerate(file.cases):
        stream = book.stream("partnership", case.case)
        for number, fact in enumerate(case.facts):
            yield ("cases", at, "facts", number), f"case {case.case}", stream, fact


def _request(fact: Fact) -> Request:
    valid = {"edtf": fact.valid} | fact.model_dump(
        include={"certainty", "label", "source", "inferred_from"}, exclude_none=True
    )
    return Request(
        command=fact.command,
        data=fact.data,
        valid=valid,
        mode=Mode.IMPORT,
        actor=fact.actor or IMPORTER,
        recorded_by=IMPORTER,
        placed_after=fact.placed_after,
    )


def _window(command: str, data: dict[str, Any]) -> Request:
    valid = {"edtf": "XXXX", "certainty": "NOT_STATED"}
    return Request(command=command, data=data, valid=valid, actor="T/import", recorded_by="T/import", approved_by="Z/import")


def _case_of(data: Any, place: tuple[str | int, ...]) -> str:
    match place:
        case ("cases", int(at), *_):
            return f", case {data['cases'][at].get('case')}"
        case ("programmes", int(at), *_):
            return f", programme {data['programmes'][at].get('programme')}"
        case _:
            return ""
