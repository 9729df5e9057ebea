"""How many objects an answer may hold, estimated from the document before anything is asked.

A page counts as full, a list as long as is typical of it; fields of the same name are counted each. A fragment is
measured once for each type, however often it is spread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLInterfaceType,
    GraphQLObjectType,
    get_argument_values,
    get_named_type,
)

from gateway.graphql.compiler import declaration, shape_of, varies
from gateway.graphql.cursors import MOST, PAGE
from gateway.graphql.declared import MADE, Link, Made

if TYPE_CHECKING:
    from graphql import DocumentNode, GraphQLField, GraphQLSchema, OperationDefinitionNode, SelectionSetNode
    from graphql.execution.values import VariableValues


def cost(
    schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode, variables: VariableValues
) -> tuple[int, bool]:
    """How many objects the operation may ask for with these variables, and whether it is as many with any others.

    The document has to be valid.
    """
    fragments = {each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)}
    root = schema.get_root_type(operation.operation)
    estimate = _Estimate(schema, fragments, variables)
    return (estimate.of(operation.selection_set, root) if root else 0), not estimate.varies


class _Estimate:
    def __init__(
        self, schema: GraphQLSchema, fragments: dict[str, FragmentDefinitionNode], variables: VariableValues
    ) -> None:
        self._schema, self._fragments, self._variables = schema, fragments, variables
        self._measured: dict[tuple[str, str], int] = {}
        self.varies = False  # whether pages are of a size that a variable gives

    def of(self, selections: SelectionSetNode, kind: Any) -> int:
        total = 0
        for node in selections.selections:
            if isinstance(node, FieldNode):
                total += self._field(node, kind)
            elif isinstance(node, FragmentSpreadNode):
                total += self._spread(self._fragments[node.name.value], kind)
            else:
                condition = getattr(node, "type_condition", None)
                total += self.of(
                    node.selection_set,  # type: ignore[attr-defined]
                    self._schema.type_map[condition.name.value] if condition else kind,
                )
        return total

    def _spread(self, fragment: FragmentDefinitionNode, kind: Any) -> int:
        key = fragment.name.value, kind.name
        if key not in self._measured:
            self._measured[key] = self.of(
                fragment.selection_set, self._schema.type_map[fragment.type_condition.name.value]
            )
        return self._measured[key]

    def _field(self, node: FieldNode, kind: Any) -> int:
        if node.selection_set is None or not isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
            return 0
        field = kind.fields.get(node.name.value)
        if field is None:
            return 0  # introspection
        below = self.of(node.selection_set, get_named_type(field.type))
        declared, made = declaration(field), _made(field)
        if isinstance(declared, Link):
            return self._times(node, field, declared.typical) * (1 + below)
        if made is not None:
            return made.cost + self._times(node, field, made.typical) * (1 + below)
        return below

    def _times(self, node: FieldNode, field: GraphQLField, typical: int) -> int:
        shape = shape_of(field.type)
        if shape == "list":
            return typical
        if shape != "page":
            return 1
        self.varies = self.varies or varies(node)
        try:
            given = get_argument_values(field, node, self._variables)
        except GraphQLError:
            return 0  # It will be refused.
        asked = given.get("first") or given.get("last") or PAGE
        return min(max(asked, 0), MOST)


def _made(field: GraphQLField) -> Made | None:
    """What the field makes, where its resolver makes objects."""
    definition = field.extensions.get("strawberry-definition")
    found: Made | None = definition.metadata.get(MADE) if definition else None
    return found
