"""A query that is pinned to positions: every root field is asked as of as many entries of each log as are named.

It is an ordinary document again, with the positions among its variables, which any client can send at any time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from graphql import (
    ArgumentNode,
    DocumentNode,
    FieldNode,
    GraphQLError,
    GraphQLSchema,
    NameNode,
    OperationDefinitionNode,
    TypeInfo,
    TypeInfoVisitor,
    VariableDefinitionNode,
    VariableNode,
    Visitor,
    parse,
    parse_type,
    print_ast,
    separate_operations,
    visit,
)

from gateway.graphql.limits import TOKENS
from gateway.graphql.texts import PINNED
from gateway.graphql.times import MOST_CITIES

if TYPE_CHECKING:
    from gateway.graphql.asked import Asked


class NotCitable(Exception):
    """The answer cannot be asked for again as it was; the message says why and what can be done."""


@dataclass(frozen=True)
class Pinned:
    """A document of one operation, its name, and its variables."""

    document: str
    name: str | None
    variables: dict[str, Any]


def pinned(schema: GraphQLSchema, asked: Asked, provenance: Sequence[Mapping[str, Any]]) -> Pinned:
    """The operation that was asked for, pinned to the positions of its provenance; raises NotCitable."""
    if (found := len({log["city"] for log in provenance})) > MOST_CITIES:
        raise NotCitable(f"The answer rests on {found:,} cities; name at most {MOST_CITIES:,} of them.")
    operations = separate_operations(parse(asked.query))
    document = operations[asked.operation] if asked.operation else next(iter(operations.values()))
    pins = _Pins(schema, {each.name.value for each in _definitions(document)}, provenance)
    document = visit(document, TypeInfoVisitor(pins.info, pins))
    used = _Used()
    visit(document, used)
    operation = _operation(document)
    wanted = [each for each in operation.variable_definitions or () if each.variable.name.value in used.names]
    new = [_definition(each) for each in pins.variables]
    completed = replace(operation, variable_definitions=(*wanted, *new))
    text = print_ast(
        replace(document, definitions=tuple(completed if each is operation else each for each in document.definitions))
    )
    try:
        parse(text, max_tokens=TOKENS)
    except GraphQLError:
        raise NotCitable("The document is so long that it has no room for positions; ask for less at a time.") from None
    kept = {each.variable.name.value for each in wanted}
    given = {key: value for key, value in (asked.variables or {}).items() if key in kept}
    return Pinned(text, operation.name.value if operation.name else None, given | pins.variables)


class _Pins(Visitor):
    """Gives every root field its positions; `variables` are those it made for them."""

    def __init__(self, schema: GraphQLSchema, taken: set[str], provenance: Sequence[Mapping[str, Any]]) -> None:
        super().__init__()
        self.info = TypeInfo(schema)
        self.variables: dict[str, Any] = {}
        self._schema, self._taken, self._provenance = schema, taken, provenance

    def enter_field(self, node: FieldNode, *_: object) -> FieldNode | None:
        if self.info.get_parent_type() is not self._schema.query_type or node.name.value == "__typename":
            return None
        field = self.info.get_field_def()
        if node.name.value.startswith("__"):
            raise NotCitable("What the schema holds is no part of the record; leave introspection out of the document.")
        if field is None or PINNED not in field.args:
            return None  # It tells of this release, at whatever time.
        key = node.alias.value if node.alias else node.name.value
        pin = ArgumentNode(
            name=NameNode(value=PINNED), value=VariableNode(name=NameNode(value=self._variable(self._vector(key))))
        )
        others = [each for each in node.arguments or () if each.name.value != PINNED]
        return replace(node, arguments=(*others, pin))

    def _vector(self, key: str) -> dict[str, Any]:
        return {
            "positions": [
                {"city": each["city"], "position": each["logSize"]}
                for each in self._provenance
                if key in each.get("fields", (key,))
            ]
        }

    def _variable(self, vector: dict[str, Any]) -> str:
        """The name of the variable that holds this vector, one for all fields that share it."""
        for name, known in self.variables.items():
            if known == vector:
                return name
        number, name = 1, PINNED
        while name in self._taken:
            number += 1
            name = f"{PINNED}{number}"
        self._taken.add(name)
        self.variables[name] = vector
        return name


class _Used(Visitor):
    """The names of the variables that a document uses, not those that it only defines."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def enter_variable(self, node: VariableNode, _key: object, parent: object, *_: object) -> None:
        if not isinstance(parent, VariableDefinitionNode):
            self.names.add(node.name.value)


def _operation(document: DocumentNode) -> OperationDefinitionNode:
    return next(each for each in document.definitions if isinstance(each, OperationDefinitionNode))


def _definitions(document: DocumentNode) -> Sequence[VariableNode]:
    return [each.variable for each in _operation(document).variable_definitions or ()]


def _definition(name: str) -> VariableDefinitionNode:
    return VariableDefinitionNode(variable=VariableNode(name=NameNode(value=name)), type=parse_type("AsOf!"))
