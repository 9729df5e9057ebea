"""What a document may ask for, counted after its fragments are expanded, in time linear in its length.

A fragment is measured once, however often it is spread: one that spreads another twice, and so on, doubles the answer
with every few tokens, and must not cost as much to measure as it would to answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    OperationDefinitionNode,
    ValidationRule,
)

if TYPE_CHECKING:
    from graphql import SelectionSetNode, ValidationContext

TOKENS = 2_000
DEPTH = 12
ALIASES = 50
FIELDS = 2_000
COST = 10_000


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
        for operation in definitions:
            if isinstance(operation, OperationDefinitionNode):
                self._check(operation)

    def _check(self, operation: OperationDefinitionNode) -> None:
        measure = self._measure(operation.selection_set)
        for what, found, limit in (
            ("is nested {} fields deep", measure.depth, DEPTH),
            ("selects {} fields once its fragments are expanded", measure.fields, FIELDS),
            ("gives {} aliases once its fragments are expanded", measure.aliases, ALIASES),
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
            fragment = self._fragments.get(name)
            self._measured[name] = self._measure(fragment.selection_set) if fragment else Measure()
        return self._measured[name]


def _selections(node: Any) -> SelectionSetNode | None:
    found: SelectionSetNode | None = node.selection_set
    return found
