"""The worked example of the documents: a city added with files only, entered whole, and every command exemplified."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest

from domain.commands import COMMANDS
from domain.errors import StewardshipElsewhere
from domain.history import History
from domain.partnership.state import Partnership
from domain.rules import Rules
from domain.values import Frozen
from domain.vocabulary import Status
from tenants.book import Book, Request
from tenants.cases import Fact, Imported, import_cases
from tenants.city_keys import CityKeys
from tenants.database import Database
from tenants.registry import register

EXAMPLE = Path(__file__).parents[2] / "docs" / "worked-example"
CASES = EXAMPLE / "cases.json"
SLUG = "kaku-cho"

# The registration gives these, from city.toml and programmes/; the import opens and closes its window itself.
FROM_FILES = {"state-city-attribute", "register-source", "define-programme", "revise-programme"}


@pytest.fixture
def book(database: Database, keys: CityKeys) -> Book:
    """The invented town, registered."""
    city, _ = register(database, keys, EXAMPLE)
    return Book(database, keys, city.tenant_id)


@pytest.fixture
def imported(book: Book) -> Imported:
    """What its import did."""
    return import_cases(book, SLUG, CASES)


def partnership(book: Book, number: str) -> tuple[History, Partnership]:
    history = book.history(book.stream("partnership", number))
    assert history is not None
    assert isinstance(history.state, Partnership)
    return history, history.state


def facts(name: str) -> Iterator[tuple[str, Fact]]:
    """Each fact of a file with the case that it belongs to, the empty text for the city's own."""
    file = json.loads((EXAMPLE / name).read_text(encoding="utf-8"))
    for group in ("programmes", "cases", "participations"):
        for each in file.get(group, ()):
            yield from ((each.get("case", group), Fact.model_validate_json(json.dumps(f))) for f in each["facts"])
    yield from (("", Fact.model_validate_json(json.dumps(fact))) for fact in file["city_facts"])


def test_the_invented_town_is_imported_without_an_anomaly(book: Book, imported: Imported) -> None:
    assert imported.anomalies == ()
    assert imported.cases == 6
    statuses = {number: partnership(book, number)[1].status for number in ("K1", "K2", "K3", "K4", "K5", "K6")}
    assert statuses == {
        "K1": Status.LAPSED,
        "K2": Status.MAINSTREAMED,
        "K3": Status.REVOKED,
        "K4": Status.INDEPENDENT,
        "K5": Status.TERMINATED,
        "K6": Status.COMPLETED,
    }


def test_the_same_files_again_add_nothing(database: Database, keys: CityKeys, book: Book, imported: Imported) -> None:
    size = book.recorder.max_notification_id()
    _, registered = register(database, keys, EXAMPLE)
    again = import_cases(book, SLUG, CASES)
    assert registered.repeated
    assert again.receipt.repeated
    assert book.recorder.max_notification_id() == size == imported.receipt.last


def test_the_meals_were_vetoed_then_recommended_and_renewed(book: Book, imported: Imported) -> None:
    history, meals = partnership(book, "K2")
    assert [known.outcome for known in meals.submissions] == [Status.REJECTED, Status.ACCEPTED]
    assert [(grant.yen, grant.settled, grant.paid) for grant in meals.grants] == [(500_000, 462_000, 462_000)]
    assert [agreement.renewals for agreement in meals.agreements] == [1]
    assert [entry.event.people for entry in history.entries if entry.name == "PresentationHeld"] == [23]


def test_every_command_is_exemplified() -> None:
    given = {fact.command for name in ("cases.json", "more-commands.json") for _, fact in facts(name)}
    assert given | FROM_FILES == {row.name for row in COMMANDS}


def test_commands_stand_in_the_second_file_only_where_the_first_cannot_hold_them() -> None:
    first = {fact.command for _, fact in facts("cases.json")}
    second = {fact.command for _, fact in facts("more-commands.json")}
    window = {"open-import-window", "close-import-window"}
    assert second == window | {"withdraw-publication", "erase-subject", "transfer-stewardship"}
    assert not first & second


def test_what_no_file_holds_is_recorded_one_by_one(book: Book, imported: Imported) -> None:
    for case, fact in facts("more-commands.json"):
        data = dict(fact.data)
        if fact.command == "withdraw-publication":
            data["disclosure"] = partnership(book, case)[1].title_en
        stream = book.stream("partnership", case) if case else book.stream("city")
        request = Request(
            command=fact.command,
            data=data,
            valid={"edtf": fact.valid, "certainty": fact.certainty},
            actor=fact.actor or "S/officer",
            recorded_by="S/officer",
            approved_by=fact.approved_by,
        )
        assert not book.execute(stream, request).repeated, fact.command
    with pytest.raises(StewardshipElsewhere, match="kamino-cho"):
        book.execute(book.stream("city"), request)


def keys_of(model: type[Frozen], path: str = "") -> set[str]:
    """Every key of a table of the programme format and of the tables within it."""
    found = set()
    for name, field in model.model_fields.items():
        found.add(path + name)
        for member in _members(field.annotation):
            found |= keys_of(member, f"{path}{name}.")
    return found


def _members(annotation: Any) -> Iterator[type[Frozen]]:
    if isinstance(annotation, type) and get_origin(annotation) is None and issubclass(annotation, Frozen):
        yield annotation
    for part in get_args(annotation):
        yield from _members(part)


def used(given: Any, path: str = "") -> Iterator[str]:
    """Every key that a parsed TOML file gives."""
    if isinstance(given, dict):
        for name, value in given.items():
            yield path + name
            yield from used(value, f"{path}{name}.")
    elif isinstance(given, list):
        for value in given:
            yield from used(value, path)


def test_the_programmes_use_every_key_of_the_format() -> None:
    files = [path.read_text(encoding="utf-8") for path in sorted((EXAMPLE / "programmes").glob("*.toml"))]
    given = {key for text in files for key in used(tomllib.loads(text))}
    assert {key.removeprefix("versions.rules.") for key in given} >= keys_of(Rules)


def test_the_town_lies_in_no_prefecture() -> None:
    code = tomllib.loads((EXAMPLE / "city.toml").read_text(encoding="utf-8"))["municipal_code"]
    assert code.startswith("99"), "Japan has 47 prefectures"
