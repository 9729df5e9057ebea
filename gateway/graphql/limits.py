"""What a document may ask for, counted after its fragments are expanded, in time linear in its length.

A fragment is measured once, however often it is spread: one that spreads another twice, and so on, doubles the answer
with every few tokens, and must not cost as much to measure as it would to answer.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    Lexer,
    OperationDefinitionNode,
    Source,
    TokenKind,
    ValidationRule,
)

if TYPE_CHECKING:
    from graphql import SelectionSetNode, ValidationContext

TOKENS = 2_000
BRACKETS = 100
DEPTH = 12
ALIASES = 50
FIELDS = 2_000
REPEATS = 50
COST = 10_000


def too_long(query: str) -> GraphQLError | None:
    """What is wrong with the length or nesting of a document; None if nothing is, or if it cannot be read at all."""
    tokens = brackets = deepest = 0
    lexer = Lexer(Source(query))
    try:
        while (kind := lexer.advance().kind) is not TokenKind.EOF:
            tokens += 1
            brackets += (kind in _OPENING) - (kind in _CLOSING)
            deepest = max(deepest, brackets)
    except GraphQLError:
        return None
    if tokens > TOKENS:
        return GraphQLError(f"The document has {tokens:,} tokens; at most {TOKENS:,} are allowed.")
    if deepest > BRACKETS:
        return GraphQLError(
            f"The document is nested too deeply: in {deepest:,} brackets; at most {BRACKETS:,} are allowed."
        )
    return None


_OPENING = {TokenKind.BRACE_L, TokenKind.BRACKET_L, TokenKind.PAREN_L}
_CLOSING = {TokenKind.BRACE_R, TokenKind.BRACKET_R, TokenKind.PAREN_R}


@dataclass(frozen=True, slots=True)
class Measure:
    """How deep a selection goes, and how many fields and aliases it holds."""

    depth: int = 0
    fields: int = 0
    aliases: int = 0


class Limits(ValidationRule):
    """Refuses documents beyond the limits; introspection does not count towards depth."""

    def __init__(self, context: ValidationContext) -> None:
        super().__init__(context)
        definitions = context.document.definitions
        self._fragments = {each.name.value: each for each in definitions if isinstance(each, FragmentDefinitionNode)}
        self._measured: dict[str, Measure] = {}
        self._open: set[str] = set()
        self._circular = False
        for operation in definitions:
            if isinstance(operation, OperationDefinitionNode):
                self._check(operation)

    def _check(self, operation: OperationDefinitionNode) -> None:
        measure = self._measure(operation.selection_set)
        place, times = ("", 0) if self._circular or measure.fields > FIELDS else self._repeated(operation.selection_set)
        for what, found, limit in (
            ("is nested {} fields deep", measure.depth, DEPTH),
            ("selects {} fields once its fragments are expanded", measure.fields, FIELDS),
            ("gives {} aliases once its fragments are expanded", measure.aliases, ALIASES),
            (f"selects `{place}` {{}} times", times, REPEATS),
        ):
            if found > limit:
                self.context.report_error(
                    GraphQLError(
                        f"The operation {what.format(f'{found:,}')}; at most {limit:,} are allowed.", operation
                    )
                )

    def _measure(self, selections: SelectionSetNode | None) -> Measure:
        depth = fields = aliases = 0
        for node in selections.selections if selections else ():
            if isinstance(node, FieldNode):
                below = self._measure(node.selection_set)
                meta = node.name.value.startswith("__")
                depth = max(depth, 1 if meta else below.depth + 1)
                fields += below.fields + 1
                aliases += below.aliases + (node.alias is not None)
            else:
                below = self._spread(node) if isinstance(node, FragmentSpreadNode) else self._measure(_selections(node))
                depth = max(depth, below.depth)
                fields += below.fields
                aliases += below.aliases
        return Measure(depth, fields, aliases)

    def _spread(self, node: FragmentSpreadNode) -> Measure:
        name = node.name.value
        if name not in self._measured:
            # While a fragment is measured it counts as empty: a cycle is refused by a rule of its own.
            self._measured[name] = Measure()
            self._open.add(name)
            fragment = self._fragments.get(name)
            self._measured[name] = self._measure(fragment.selection_set) if fragment else Measure()
            self._open.remove(name)
        self._circular |= name in self._open
        return self._measured[name]

    def _repeated(self, selections: SelectionSetNode) -> tuple[str, int]:
        """What is selected most often in one place, and how often: whether all of it can be merged takes its square."""
        counts: Counter[tuple[str, ...]] = Counter()
        waiting: list[tuple[tuple[str, ...], SelectionSetNode]] = [((), selections)]
        spread: set[tuple[tuple[str, ...], str]] = set()
        while waiting:
            place, among = waiting.pop()
            for node in among.selections:
                here, below = place, _selections(node)
                if isinstance(node, FieldNode):
                    here = (*place, node.alias.value if node.alias else node.name.value)
                    counts[here] += 1
                elif isinstance(node, FragmentSpreadNode):
                    fragment = self._fragments.get(node.name.value)
                    below = fragment.selection_set if fragment and (place, node.name.value) not in spread else None
                    spread.add((place, node.name.value))
                if below:
                    waiting.append((here, below))
        ((most, times),) = counts.most_common(1) or [((), 0)]
        return ".".join(most), times


def _selections(node: Any) -> SelectionSetNode | None:
    found: SelectionSetNode | None = getattr(node, "selection_set", None)
    return found
