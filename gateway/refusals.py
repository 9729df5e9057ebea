"""The rules that imported events break, explained to readers by the domain's own messages."""

from __future__ import annotations

from inspect import getdoc
from string import Formatter
from typing import TYPE_CHECKING

from domain import errors
from domain.errors import DomainError

if TYPE_CHECKING:
    from typing import Literal

RULES = {
    name: known for name, known in vars(errors).items() if isinstance(known, type) and issubclass(known, DomainError)
}


def explained(rule: str, language: Literal["ja", "en"], **known: str) -> str:
    """The rule in one sentence; what is not `known` of its details shows as an ellipsis."""
    if rule not in RULES:
        return rule
    refusal = RULES[rule]
    template = refusal.ja if language == "ja" else (getdoc(refusal) or "")
    if refusal is errors.SubmissionNotPending:
        # Its detail follows the sentence, so that without it nothing is missing.
        known = {"given": ""}
    details = {name: known.get(name, "…") for _, name, _, _ in Formatter().parse(template) if name}
    return refusal(**details).message(language)
