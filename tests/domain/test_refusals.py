"""No refusal without a test that provokes it, no command without one that admits it."""

from __future__ import annotations

import ast
import inspect
import pickle
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

from domain import errors
from domain.commands import BY_NAME
from domain.partnership.state import PartnershipEvent

# Each of these holds tables of what is REFUSED (the refusal stands last) and ADMITTED (the command before the last).
TABLES = [import_module(f"tests.domain.test_{each}") for each in ("decide", "review", "money", "evaluation", "custody")]

CLASSES = {each for each in vars(errors).values() if inspect.isclass(each) and issubclass(each, errors.DomainError)}
REFUSALS = {each.__name__ for each in CLASSES if not each.__subclasses__()}


@cache
def provoked_in_tables() -> set[str]:
    tables = (getattr(module, name, []) for module in TABLES for name in ("REFUSED", "UNKNOWN_WHEN_IMPORTED"))
    return {row[-1].__name__ for table in tables for row in table}


@cache
def provoked_in_tests() -> frozenset[str]:
    """What stands in `with pytest.raises(errors.…)` of a test in this folder: it would fail if nothing provoked it."""
    return frozenset(
        call.args[0].attr
        for path in Path(__file__).parent.glob("test_*.py")
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "pytest.raises"
        if isinstance(call.args[0], ast.Attribute) and ast.unparse(call.args[0].value) == "errors"
    )


@pytest.mark.parametrize("refusal", sorted(REFUSALS))
def test_every_refusal_is_provoked_by_a_test(refusal: str) -> None:
    assert refusal in provoked_in_tables() | provoked_in_tests()


@pytest.mark.parametrize(
    "command", sorted(name for name, row in BY_NAME.items() if issubclass(row.event, PartnershipEvent))
)
def test_every_command_on_a_partnership_is_admitted_by_a_test(command: str) -> None:
    assert command in {row[-2].command for module in TABLES for row in module.ADMITTED}


@pytest.mark.parametrize("refusal", sorted(CLASSES, key=lambda each: each.__name__), ids=lambda each: each.__name__)
def test_a_refusal_says_the_same_details_in_both_languages(refusal: type[errors.DomainError]) -> None:
    english, japanese = refusal().message("en"), refusal().message("ja")
    assert refusal.__doc__, "an inherited message says too little"
    assert "ja" in vars(refusal)
    assert not japanese.isascii()
    assert japanese.count("?") <= english.count("?"), "no detail is told in Japanese only"


def test_a_refusal_travels_between_processes_with_its_details() -> None:
    refusal = errors.LimitExceeded(what="yen", given=2, limit=1)
    again = pickle.loads(pickle.dumps(refusal))  # noqa: S301 (our own bytes)
    assert type(again) is errors.LimitExceeded
    assert again.message("ja") == refusal.message("ja")
