"""The files of a city, read strictly: `city.toml` with its names and sources, `programmes/*.toml` with its rules."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import Field, ValidationError

from domain.codes import MunicipalCode
from domain.values import Frozen, Slug
from tenants.book import problems

if TYPE_CHECKING:
    from pathlib import Path

_File = TypeVar("_File", bound=Frozen)


class InvalidFile(Exception):
    """The file cannot be read as what it should be; the message names the file, the place and what belongs there."""


class Dated(Frozen):
    """Something with its valid time beside it; what else stands there is the command's data."""

    valid: str
    certainty: str = "STATED"
    label: str | None = None
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


class CityFile(Frozen):
    """A city as its `city.toml` gives it."""

    slug: Slug
    municipal_code: MunicipalCode
    name_ja: str = Field(min_length=1, max_length=100)
    name_en: str = Field(min_length=1, max_length=100)
    sources: tuple[SourceFile, ...] = ()


def load_city(folder: Path) -> CityFile:
    """The city of the folder; InvalidFile names what is wrong."""
    return _load(folder / "city.toml", CityFile)


def load_programmes(folder: Path) -> list[ProgrammeFile]:
    """The programmes of the folder, by file name; InvalidFile names what is wrong."""
    return [_load(path, ProgrammeFile) for path in sorted((folder / "programmes").glob("*.toml"))]


def _load(path: Path, model: type[_File]) -> _File:
    try:
        return model.model_validate(tomllib.loads(path.read_text(encoding="utf-8")), strict=False)
    except FileNotFoundError as missing:
        raise InvalidFile(f"{path} does not exist") from missing
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as broken:
        raise InvalidFile(f"{path}: {broken}") from broken
    except ValidationError as invalid:
        raise InvalidFile(f"{path}: {problems(invalid)}") from invalid
