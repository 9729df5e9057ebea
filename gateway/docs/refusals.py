"""The page of refusals: each with its code and its message in both languages."""

from __future__ import annotations

from inspect import getdoc, isclass

from domain import errors
from domain.errors import DomainError, RuleViolated
from gateway.docs.fields import flat, table
from tenants.book import InvalidCommand

_HEAD = ("code", "English", "日本語")

_INTRODUCTION = """\
A refusal changes nothing. Its code is stable; its message comes in Japanese and in English, with what stands in braces
filled in.
"""

_RULES = """\
They refuse a LIVE or RETROACTIVE command. An imported event (IMPORT) that breaks one is accepted, because it happened,
and keeps the code in `breaks`: an anomaly.
"""


def refusals_page() -> str:
    """What the domain refuses."""
    known = [each for each in vars(errors).values() if isclass(each) and issubclass(each, DomainError)]
    rules = [each for each in known if issubclass(each, RuleViolated) and each is not RuleViolated]
    others = [each for each in known if not issubclass(each, RuleViolated) and each is not DomainError]
    return "\n".join(
        [
            "# Refusals 受け付けない理由\n",
            _INTRODUCTION,
            "## In any mode\n",
            "What cannot be recorded at all.\n",
            table(_HEAD, map(_row, [*others, InvalidCommand])),
            "## Rules 決まり\n",
            _RULES,
            table(_HEAD, map(_row, rules)),
        ]
    )


def _row(refusal: type[DomainError]) -> tuple[str, str, str]:
    return f"`{refusal.__name__}`", flat(getdoc(refusal)), refusal.ja
