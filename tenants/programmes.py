"""The files of a city, read strictly: `city.toml` with its names and sources, `programmes/*.toml` with its rules."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass
from difflib import get_close_matches
from inspect import isclass
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_args
from uuid import UUID

import orjson
from pydantic import AfterValidator, Field, ValidationError

from domain.codes import MunicipalCode
from domain.dates import Edtf
from domain.rules import Rules
from domain.text import MAX_TEXT, Visibility
from domain.values import Frozen, Slug
from tenants.book import problems
from tenants.disclosures import masked
from tenants.ledger.store import ROOT_NAME
from tenants.toml_lines import Place, line_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from pydantic_core import ErrorDetails

_File = TypeVar("_File", bound=Frozen)


class InvalidFile(Exception):
    """The file cannot be read as what it should be; the message names the file, the place and what belongs there."""


class Dated(Frozen):
    """Something with its valid time beside it; what else stands there is the command's data."""

    valid: str
    certainty: str = "STATED"
    label: str | None = Field(default=None, max_length=MAX_TEXT)
    source: str | None = None
    inferred_from: str | None = None

    def valid_time(self) -> dict[str, Any]:
        """The valid time as a command takes it."""
        given = self.model_dump(
            include={"certainty", "label", "source", "inferred_from"}, exclude_none=True, mode="json"
        )
        return {"edtf": self.valid} | given


class SourceFile(Dated):
    """A publication, as city.toml lists it."""

    source: str
    date: str
    publisher: str | None = None
    language: str
    about: str | None = None
    copyright: str | None = None
    contact: str | None = None
    takes_from: dict[str, Any] | None = None

    def data(self) -> dict[str, Any]:
        """What register-source takes."""
        return self.model_dump(exclude_none=True, exclude={"valid", "certainty", "label", "inferred_from"})


class VersionFile(Dated):
    """One version of a programme's rules."""

    version: int
    reason_codes: tuple[str, ...] = ()
    reason: str | None = None
    rules: dict[str, Any] = Field(default_factory=dict)


class ProgrammeFile(Frozen):
    """A programme with its versions in order."""

    programme: Slug
    title_ja: str
    title_en: str | None = None
    versions: tuple[VersionFile, ...] = Field(min_length=1)

    def commands(self) -> list[tuple[str, VersionFile, dict[str, Any]]]:
        """For each version the command that enters it, and its data."""
        first, *later = self.versions
        head = {"programme": self.programme, "title_ja": self.title_ja, "title_en": self.title_en}
        entered = [("define-programme", first, head | {"version": first.version, "rules": first.rules})]
        entered += [
            (
                "revise-programme",
                version,
                version.model_dump(include={"version", "reason_codes", "reason", "rules"}, exclude_none=True),
            )
            for version in later
        ]
        return entered


def _is_free(slug: str) -> str:
    if slug == ROOT_NAME:
        raise ValueError(f"{slug} is the name of the log over all cities' checkpoints")
    return slug


class CityFile(Frozen):
    """A city as its `city.toml` gives it."""

    slug: Annotated[Slug, AfterValidator(_is_free)]
    municipal_code: MunicipalCode
    name_ja: str = Field(min_length=1, max_length=100)
    name_en: str = Field(min_length=1, max_length=100)
    sources: tuple[SourceFile, ...] = ()


def load_city(folder: Path) -> CityFile:
    """The city of the folder; InvalidFile names what is wrong."""
    return _load(folder / "city.toml", CityFile)


def load_programmes(folder: Path) -> list[ProgrammeFile]:
    """The programmes of the folder, by file name; InvalidFile names line and place of what is wrong."""
    return [load_programme(path) for path in sorted((folder / "programmes").glob("*.toml"))]


def load_programme(path: Path) -> ProgrammeFile:
    """The programme of one file; InvalidFile names line and place of the first thing that is wrong."""
    for problem in check_programme(path):
        raise InvalidFile(f"{path}, {problem}")
    return _load(path, ProgrammeFile)


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong in a programme file: its line (from 1), its place, and what would be right."""

    line: int
    place: str
    message: str

    def __str__(self) -> str:
        return f"line {self.line}{f', {self.place}' if self.place else ''}: {self.message}"


def check_programme(path: Path) -> list[Problem]:
    """Everything that is wrong in the file, by line; empty when the programme could be entered as it stands."""
    try:
        text = path.read_text(encoding="utf-8")
        data = tomllib.loads(text)
    except FileNotFoundError as missing:
        raise InvalidFile(f"{path} does not exist") from missing
    except UnicodeDecodeError as unreadable:
        raise InvalidFile(f"{path}: {unreadable}") from unreadable
    except tomllib.TOMLDecodeError as broken:
        found = _AT_LINE.search(str(broken))
        return [Problem(int(found[1]) if found else text.count("\n") + 1, "", f"this is not TOML: {broken}")]
    places = [*_invalid(ProgrammeFile, data, ())]
    versions = data.get("versions")
    for at, version in enumerate(versions if isinstance(versions, list) else ()):
        place = ("versions", at)
        if isinstance(version, dict):
            places += _invalid(Rules, version.get("rules", {}), (*place, "rules"))
            places += _invalid(_Date, {"valid": version.get("valid")}, place)
            if version.get("version") != at + 1:
                places.append(((*place, "version"), f"versions are numbered in order; this is version {at + 1}"))
    problems = (Problem(line_of(text, place), _dotted(place), message) for place, message in places)
    return sorted(problems, key=lambda problem: (problem.line, problem.place))


_AT_LINE = re.compile(r"at line (\d+)")


class _Date(Frozen):
    valid: Edtf


class _AnyDoor:
    """Lets every text and every name in, for looking at a file without entering it."""

    def seal(self, name: str, value: str, visibility: Visibility, subject: str | None) -> str:
        return "A" * 43

    def party(self, name: str) -> str:
        return str(UUID(int=0))

    person = party


def _invalid(model: type[Frozen], data: Any, around: Place) -> Iterator[tuple[Place, str]]:
    try:
        model.model_validate_json(orjson.dumps(data, default=str), context=_AnyDoor())
    except ValidationError as invalid:
        for error in invalid.errors(include_url=False):
            place = (*around, *error["loc"])
            yield place, _explained(model, error)


def _explained(model: type[Frozen], error: ErrorDetails) -> str:
    if error["type"] != "extra_forbidden":
        return error["msg"]
    *tables, unknown = (str(part) for part in error["loc"] if isinstance(part, str))
    known = sorted(_fields(model, tables))
    near = get_close_matches(unknown, known, n=1)
    meant = f" (did you mean {near[0]!r}?)" if near else ""
    return f"there is no key {unknown!r} here{meant}; keys here: {', '.join(known)}"


def _fields(model: type[Frozen], tables: Sequence[str]) -> set[str]:
    """The keys of a table of the format."""
    for table in tables:
        inner = [kind for kind in _models(model.model_fields[table].annotation) if table in model.model_fields]
        if not inner:
            break
        model = inner[0]
    return set(model.model_fields)


def _models(annotation: Any) -> Iterator[type[Frozen]]:
    if isclass(annotation) and issubclass(annotation, Frozen):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)


def _dotted(place: Place) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).removeprefix(".")


def changes(old: Rules, new: Rules, texts: Mapping[str, str]) -> Iterator[str]:
    """What differs between two versions of the rules, a line for each: `- place = value` was, `+ place = value` is."""
    before, after = (dict(_flat(masked(_plain(rules), texts, "(withheld)"))) for rules in (old, new))
    for place in dict.fromkeys([*before, *after]):
        if before.get(place) != after.get(place):
            if place in before:
                yield f"- {place} = {before[place]}"
            if place in after:
                yield f"+ {place} = {after[place]}"


def _plain(rules: Rules) -> Any:
    return rules.model_dump(mode="json", exclude_none=True, exclude_defaults=True)


def _flat(data: Any, place: Place = ()) -> Iterator[tuple[str, str]]:
    if isinstance(data, dict):
        for key, value in data.items():
            yield from _flat(value, (*place, key))
    elif isinstance(data, list) and any(isinstance(value, dict) for value in data):
        for at, value in enumerate(data):
            yield from _flat(value, (*place, at))
    else:
        yield _dotted(place), json.dumps(data, ensure_ascii=False)


def _load(path: Path, model: type[_File]) -> _File:
    try:
        return model.model_validate(tomllib.loads(path.read_text(encoding="utf-8")), strict=False)
    except FileNotFoundError as missing:
        raise InvalidFile(f"{path} does not exist") from missing
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as broken:
        raise InvalidFile(f"{path}: {broken}") from broken
    except ValidationError as invalid:
        raise InvalidFile(f"{path}: {problems(invalid)}") from invalid
