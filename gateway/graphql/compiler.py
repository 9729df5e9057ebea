"""One request, one statement: a document becomes SQL whose JSON PostgreSQL builds, passed through untouched.

What the declarations do not cover (introspection, `node`, fields that are computed here) raises NotCompiled, and the
resolvers answer the whole document instead. So they do where an argument has to be refused: they say where it stands.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLIncludeDirective,
    GraphQLObjectType,
    GraphQLSkipDirective,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    VariableNode,
    get_argument_values,
    get_directive_values,
    get_named_type,
    is_list_type,
    is_non_null_type,
)
from strawberry import UNSET

from gateway.graphql.declared import DECLARED, Declaration, Link, Table
from gateway.graphql.provenance import Provenance, Root
from gateway.graphql.times import Asked, AsRecorded
from gateway.graphql.writer import Selected, Writer, parameters

if TYPE_CHECKING:
    from graphql import DocumentNode, GraphQLField, GraphQLOutputType, GraphQLSchema, SelectionSetNode
    from graphql.execution.values import VariableValues

LONGEST_NAME = 63
"""Characters that PostgreSQL keeps of a name."""


class NotCompiled(Exception):
    """The resolvers have to answer this document; the message says why."""


@dataclass(frozen=True)
class Plan:
    """A statement that gives one row: the `data` of the answer as JSON text, and what its provenance reads.

    It serves whenever the document's variables have the same `form`. Where `wordy`, words are still to be made in it.
    """

    sql: str
    wordy: bool
    constant: Mapping[str, Any]
    roots: Sequence[Selected]
    links: Sequence[tuple[int, Selected]]
    elsewhere: frozenset[str] = frozenset()

    def values(self, variables: VariableValues) -> dict[str, Any]:
        """The statement's parameters for these variables; raises GraphQLError where one has to be refused."""
        return self.bound(variables)[0]

    def bound(self, variables: VariableValues, *, every_city: bool = False) -> tuple[dict[str, Any], Provenance]:
        """The same with the provenance that the answer will have; `every_city` as it takes `every`."""
        values = dict(self.constant)
        given = {id(each): _arguments(each, variables) for each in self.roots}
        asked = [Asked.of(given[id(root)], number) for number, root in enumerate(self.roots)]
        for each in asked:
            values |= each.values()
        for number, link in self.links:
            values |= parameters(link, number, given.get(id(link)) or _arguments(link, variables))
        provenance = Provenance(
            [
                Root.of(root.key, time, given[id(root)], elsewhere=root.key in self.elsewhere)
                for root, time in zip(self.roots, asked, strict=True)
                if root.declared is not None
            ],
            every=every_city,
        )
        return values | provenance.values, provenance


def _arguments(selected: Selected, variables: VariableValues) -> Mapping[str, Any]:
    return selected.read_again(variables) if selected.read_again else selected.arguments


def form(value: Any) -> Any:
    """What of a variable's value decides the shape of the statement: booleans, words to choose from, what is null."""
    if isinstance(value, dict):
        return tuple((name, form(each)) for name, each in value.items())
    return value if value is None or isinstance(value, bool | Enum) else ...


@dataclass(frozen=True)
class Compiler:
    """Compiles the documents of one schema, which have to be valid."""

    schema: GraphQLSchema

    def compile(self, document: DocumentNode, operation: OperationDefinitionNode, variables: VariableValues) -> Plan:
        """The plan for a query and for variables of this form; raises NotCompiled, or GraphQLError as `values`.

        The plan for a subscription gives a row with `data` for each object that its only field leads to.
        """
        if operation.operation is OperationType.MUTATION:
            raise NotCompiled("mutations are not compiled")
        fragments = {each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)}
        reading = _Reading(self.schema, fragments, variables)
        writer = Writer()
        kind = cast("GraphQLObjectType", self.schema.get_root_type(operation.operation))
        roots = reading.selected(kind, [operation.selection_set])
        time = Asked.of
        if operation.operation is OperationType.SUBSCRIPTION:
            roots = [replace(root, shape="list") for root in roots]
            time = AsRecorded.of
        columns = [
            f'{writer.expression(root, "root$", time(root.arguments, number))} AS "{root.key}"'
            for number, root in enumerate(roots)
        ]
        own = {name for number, link in writer.links for name in parameters(link, number, link.arguments)}
        elsewhere = frozenset(
            key for key, nodes in reading.collected(kind, operation).items() if reading.leads_elsewhere(kind, nodes)
        )
        logs = Provenance(
            [
                Root.of(root.key, Asked.of(root.arguments, 0), root.arguments, elsewhere=root.key in elsewhere)
                for root in roots
                if root.declared is not None
            ]
        ).sql
        answer = f"SELECT row_to_json(o$)::text, {logs}::text FROM (SELECT {', '.join(columns)}) o$"
        if operation.operation is OperationType.SUBSCRIPTION:
            key = roots[0].key
            answer = (
                f"SELECT json_build_object('{key}', e$.value)::text"
                f' FROM (SELECT {columns[0]}) o$, json_array_elements(o$."{key}") AS e$'
            )
        return Plan(
            answer,
            writer.wordy,
            {name: value for name, value in writer.values.items() if name not in own},
            roots,
            writer.links,
            elsewhere,
        )


def resolved_provenance(
    schema: GraphQLSchema,
    document: DocumentNode,
    operation: OperationDefinitionNode,
    variables: VariableValues,
    *,
    every_city: bool,
) -> Provenance:
    """The provenance of an answer that the resolvers give, without the fields whose arguments they refuse."""
    fragments = {each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)}
    reading = _Reading(schema, fragments, variables)
    kind = cast("GraphQLObjectType", schema.get_root_type(operation.operation))
    roots = []
    for key, nodes in reading.collected(kind, operation).items():
        field = kind.fields.get(nodes[0].name.value)
        if field is None or "asOf" not in field.args:
            continue  # introspection, and what this release says of itself
        try:
            arguments = plain(get_argument_values(field, nodes[0], variables))
            asked = Asked.of(arguments, 0)
        except GraphQLError:
            continue
        # What a resolver makes its answer of is not declared: it may be anything.
        elsewhere = declaration(field) is None or reading.leads_elsewhere(kind, nodes)
        roots.append(Root.of(key, asked, arguments, elsewhere=elsewhere))
    return Provenance(roots, every=every_city)


@dataclass(frozen=True)
class _Reading:
    """Reads the selections of one operation: fragments spread, directives obeyed, fields of the same key merged."""

    schema: GraphQLSchema
    fragments: Mapping[str, FragmentDefinitionNode]
    variables: VariableValues

    def selected(self, kind: GraphQLObjectType, sets: Sequence[SelectionSetNode]) -> list[Selected]:
        """What is selected of an object, in the order in which the answer has it."""
        found: dict[str, list[FieldNode]] = {}
        for each in sets:
            self._collect(kind, each, found)
        return [self._field(kind, key, nodes) for key, nodes in found.items()]

    def collected(self, kind: GraphQLObjectType, operation: OperationDefinitionNode) -> dict[str, list[FieldNode]]:
        """The root fields of an operation by their keys in the answer."""
        found: dict[str, list[FieldNode]] = {}
        self._collect(kind, operation.selection_set, found)
        return found

    def leads_elsewhere(self, kind: GraphQLObjectType, nodes: Sequence[FieldNode]) -> bool:
        """Whether anything below these fields of a type leads to rows of other cities than the one they stand in."""
        fields = [(kind.fields.get(node.name.value), node) for node in nodes]
        waiting: list[tuple[Any, Any]] = [
            (get_named_type(field.type), node.selection_set) for field, node in fields if field and node.selection_set
        ]
        spread: set[str] = set()
        while waiting:
            owner, among = waiting.pop()
            for node in among.selections:
                if isinstance(node, FieldNode):
                    field = owner.fields.get(node.name.value)
                    declared = declaration(field) if field else None
                    if isinstance(declared, Link) and not declared.within_city:
                        return True
                    if field and node.selection_set:
                        waiting.append((get_named_type(field.type), node.selection_set))
                    continue
                inner = self.fragments[node.name.value] if isinstance(node, FragmentSpreadNode) else node
                below = self.schema.type_map[inner.type_condition.name.value] if inner.type_condition else owner
                # However often a fragment is spread, it is looked through once: its type condition says of which type.
                if inner is not node and node.name.value in spread:
                    continue
                if inner is not node:
                    spread.add(node.name.value)
                waiting.append((below, inner.selection_set))
        return False

    def _collect(self, kind: GraphQLObjectType, among: SelectionSetNode, found: dict[str, list[FieldNode]]) -> None:
        for node in among.selections:
            if not self._wanted(node):
                continue
            if isinstance(node, FieldNode):
                key = node.alias.value if node.alias else node.name.value
                found.setdefault(key, []).append(node)
                continue
            fragment = self.fragments[node.name.value] if isinstance(node, FragmentSpreadNode) else node
            condition = cast("InlineFragmentNode", fragment).type_condition
            if condition is None or self._is(kind, condition.name.value):
                self._collect(kind, cast("InlineFragmentNode", fragment).selection_set, found)

    def _wanted(self, node: Any) -> bool:
        if not node.directives:
            return True
        skip = get_directive_values(GraphQLSkipDirective, node, self.variables)
        include = get_directive_values(GraphQLIncludeDirective, node, self.variables)
        return not (skip and skip["if"]) and not (include and not include["if"])

    def _is(self, kind: GraphQLObjectType, name: str) -> bool:
        return kind.name == name or any(each.name == name for each in kind.interfaces)

    def _field(self, kind: GraphQLObjectType, key: str, nodes: list[FieldNode]) -> Selected:
        if len(key) > LONGEST_NAME:
            raise NotCompiled(f"{key} is longer than a name in the database")
        name = nodes[0].name.value
        if name == "__typename":
            return Selected(key, name, kind=kind.name)
        field = kind.fields.get(name)
        if field is None:
            raise NotCompiled(f"{name} is introspection")
        below = get_named_type(field.type)
        sets = [node.selection_set for node in nodes if node.selection_set]
        inner = self.selected(below, sets) if isinstance(below, GraphQLObjectType) else []
        if kind.name.endswith(("Connection", "Edge")) or kind.name == "PageInfo":
            return Selected(key, name, kind=below.name, below=inner)
        declared = declaration(field)
        if declared is None or (sets and not isinstance(below, GraphQLObjectType)):
            raise NotCompiled(f"{kind.name}.{name} is answered by its resolver")
        made = self._made(key, name, declared, below, field)
        if not isinstance(declared, Link):
            return replace(made, below=inner)

        def read(variables: VariableValues) -> Mapping[str, Any]:
            return plain(get_argument_values(field, nodes[0], variables))

        return replace(made, arguments=read(self.variables), below=inner, read_again=read if varies(nodes[0]) else None)

    @staticmethod
    def _made(key: str, name: str, declared: Declaration, below: Any, field: GraphQLField) -> Selected:
        shape = shape_of(field.type)
        kind = below
        if shape == "page":
            edges = get_named_type(below.fields["edges"].type)
            table = table_of(get_named_type(edges.fields["node"].type))
        else:
            table = table_of(kind) if isinstance(kind, GraphQLObjectType) else None
        return Selected(key, name, declared, below.name, table, shape)


def varies(node: FieldNode) -> bool:
    """Whether a variable stands among the arguments of the field."""
    waiting: list[Any] = [each.value for each in node.arguments or ()]
    while waiting:
        given = waiting.pop()
        if isinstance(given, VariableNode):
            return True
        waiting += getattr(given, "values", None) or ()
        waiting += [each.value for each in getattr(given, "fields", None) or ()]
    return False


def plain(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments by their Python names, input objects as dictionaries, enum members as their values.

    Raises GraphQLError for a text that no database can be asked for.
    """
    return {snake(name): _plain(name, value) for name, value in arguments.items()}


def _plain(name: str, value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(name, each) for each in value]
    if isinstance(value, dict):
        return plain(value)
    if is_dataclass(value):  # The resolvers get input objects as such.
        given = {each.name: getattr(value, each.name) for each in fields(value)}
        return plain({each: found for each, found in given.items() if found is not UNSET})
    if isinstance(value, str) and "\x00" in value:
        raise GraphQLError(f"`{name}` holds the character U+0000, which no text here does; leave it out.")
    return getattr(value, "value", value)


@cache
def snake(name: str) -> str:
    return "".join(f"_{each.lower()}" if each.isupper() else each for each in name)


def declaration(field: GraphQLField) -> Declaration | None:
    """What the field stands for, if it is declared."""
    made = field.extensions.get("strawberry-definition")
    found: Declaration | None = made.metadata.get(DECLARED) if made else None
    return found


def table_of(kind: GraphQLObjectType) -> Table | None:
    """Where the objects of the type come from."""
    made = kind.extensions.get("strawberry-definition")
    return getattr(made.origin, "TABLE", None) if made else None


def shape_of(kind: GraphQLOutputType) -> str:
    """Whether a field of this type is a value, one object, a list or a connection."""
    kind = kind.of_type if is_non_null_type(kind) else kind
    if is_list_type(kind):
        return "list"
    if not isinstance(kind, GraphQLObjectType):
        return "value"
    return "page" if kind.name.endswith("Connection") else "one"


def declared_fields(kind: GraphQLObjectType) -> Iterator[tuple[str, GraphQLField, Declaration]]:
    """The declared fields of a type."""
    for name, field in kind.fields.items():
        found = declaration(field)
        if found is not None:
            yield name, field, found
