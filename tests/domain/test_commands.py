"""The command table: each command once, named, labelled and described, with the event that it makes."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import pytest
from pydantic import AfterValidator

import domain
from domain.commands import BY_EVENT, BY_NAME, COMMANDS, command, current, initial_state, parse
from domain.errors import NotFound
from domain.event import Command, Event, Role, State
from domain.text import Disclosed
from domain.values import Frozen

EACH = pytest.mark.parametrize("row", COMMANDS, ids=lambda row: row.name)

# Past participles that do not end in -ed.
IRREGULAR = {"Held", "Sought", "Set", "Withdrawn", "Independent"}

# Bases of several events; they are never recorded themselves.
BASES = {
    "Event",
    "PartnershipEvent",
    "ProgrammeEvent",
    "CityEvent",
    "CustodyEvent",
    "ReviewEvent",
    "_Decision",
    "_Ending",
}


def event_classes() -> set[type[Event]]:
    root = Path(domain.__file__).parent
    modules = [".".join(path.relative_to(root.parent).with_suffix("").parts) for path in root.rglob("*.py")]
    found = (each for name in modules for each in vars(import_module(name)).values() if inspect.isclass(each))
    return {each for each in found if issubclass(each, Event) and each.__name__ not in BASES}


def test_every_event_of_the_domain_has_its_command() -> None:
    assert event_classes() == {row.event for row in COMMANDS}


def test_names_are_given_once() -> None:
    assert len(BY_NAME) == len(BY_EVENT) == len({row.event for row in COMMANDS}) == len(COMMANDS)
    assert len({row.ja for row in COMMANDS}) == len({row.en for row in COMMANDS}) == len(COMMANDS)


@EACH
def test_a_command_is_one_phrase_in_three_spellings(row: Command) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)+", row.name)
    assert row.name.replace("-", "_").isidentifier()
    assert row.name.title().replace("-", "").isidentifier()


@EACH
def test_an_event_is_named_in_the_past_tense(row: Command) -> None:
    words = re.findall(r"[A-Z][a-z]*", row.event_name)
    assert "".join(words) == row.event_name
    assert any(word in IRREGULAR or word.endswith("ed") for word in words)
    assert row.event_name == row.event.__name__


@EACH
def test_a_command_is_labelled_described_and_given_by_somebody(row: Command) -> None:
    assert re.search(r"[぀-ヿ一-鿿]", row.ja), "a Japanese label"
    assert row.en.isascii()
    assert row.en[0].isupper()
    assert row.event.__doc__, "inherited descriptions say too little"
    assert row.description.splitlines()[0].endswith((".", ")"))
    assert row.roles
    assert len(set(row.roles)) == len(row.roles)


@EACH
def test_every_earlier_schema_is_upcast(row: Command) -> None:
    assert set(row.upcast) == set(range(1, row.schema))


@EACH
def test_a_stream_that_begins_with_the_event_has_an_empty_state(row: Command) -> None:
    assert isinstance(initial_state(row.event_name), State)


def test_every_role_gives_a_command() -> None:
    assert {role for row in COMMANDS for role in row.roles} == set(Role)


def test_an_unknown_command_is_not_found() -> None:
    with pytest.raises(NotFound, match="reject-everything"):
        command("reject-everything")
    assert command("reject-proposal") is BY_NAME["reject-proposal"]


@pytest.mark.parametrize(
    ("name", "schema"), [("Unheard", 1), ("ProposalRejected", 0), ("ProposalRejected", 2), ("AgreementConcluded", 3)]
)
def test_an_event_of_an_unknown_type_or_schema_is_not_read(name: str, schema: int) -> None:
    with pytest.raises(NotFound):
        current(name, schema, {})
    with pytest.raises(NotFound):
        parse(name, schema, b"{}")
    with pytest.raises(NotFound):
        parse("EventCorrected", 1, b'{"event":"%s","event_schema":%d,"data":{}}' % (name.encode(), schema))


def _strings(annotation: Any, metadata: Sequence[Any], path: str) -> Iterator[tuple[str, Sequence[Any]]]:
    """Every plain string within an annotation, with the constraints that bind it."""
    if get_origin(annotation) is Annotated:
        bare, *more = get_args(annotation)
        yield from _strings(bare, [*metadata, *more], path)
    elif inspect.isclass(annotation) and issubclass(annotation, Frozen):
        for name, field in annotation.model_fields.items():
            yield from _strings(field.annotation, field.metadata, f"{path}.{name}")
    elif annotation is str:
        yield path, metadata
    else:
        for part in get_args(annotation):
            if not isinstance(part, str):
                yield from _strings(part, metadata, path)


@EACH
def test_no_string_of_an_event_is_free_text(row: Command) -> None:
    """What stands in clear is bound to a pattern or checked; everything else passes the door and becomes a digest."""
    unbound = {
        path.removeprefix(f"{row.event_name}.")
        for path, metadata in _strings(row.event, [], row.event_name)
        if not any(isinstance(each, Disclosed | AfterValidator) or _is_bound(each) for each in metadata)
    }
    inner = {"data"} if row.name == "correct-event" else set()  # another event's fields, read by that event's class
    assert unbound <= {"breaks"} | inner, "only the names of broken rules are left"


def _is_bound(constraint: Any) -> bool:
    return getattr(constraint, "pattern", None) is not None or hasattr(constraint, "_opaque")
