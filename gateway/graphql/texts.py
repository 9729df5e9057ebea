"""Which values of an answer are texts: what they say is as of now in every answer, all else is as of then.

A text is what a read model declares as one or derives from one, and whatever words this release puts beside a code or a
date. It follows from the declarations alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLSchema,
    OperationDefinitionNode,
    VariableNode,
    get_named_type,
)

from gateway.graphql.compiler import declaration, snake
from gateway.graphql.declared import Inline, Link, Scalar

PINNED = "asOf"
"""The argument of all root fields that tell of the record."""

_WORDS = ("Ja", "En")
_COLUMN = re.compile(r"\.(\w+)")

WHOLE, PARTLY, ABSENT = "+", "~", "-"
"""A text that can be read, one of which some parts cannot, and one that cannot or that there is not."""


@dataclass(frozen=True)
class Masked:
    """An answer with null for every text; in its order, where each stands (RFC 6901) and what there is of it."""

    structure: Any
    places: list[str]
    texts: str


def masked(schema: GraphQLSchema, document: DocumentNode, data: Any) -> Masked:
    """The answer to the only operation of a valid document, with its texts masked."""
    mask = _Mask(schema, document)
    structure = mask.operation(data)
    return Masked(structure, mask.places, "".join(mask.texts))


def selects_by_text(schema: GraphQLSchema, document: DocumentNode, variables: Mapping[str, Any]) -> bool:
    """Whether it may depend on what texts say which objects the answer holds."""
    return any(_searches(each, variables) for each in _Mask(schema, document).everything())


def _searches(selected: _Selected, variables: Mapping[str, Any]) -> bool:
    owner, node, field = selected
    declared = declaration(field)
    if declared is None:
        # What a resolver makes its answer of is not declared: texts may be among it.
        return bool(owner.name == "Query" and PINNED in field.args)
    if not isinstance(declared, Link):
        return False
    texts = _texts_of(_rows(get_named_type(field.type)))
    given = {
        snake(each.name.value)
        for each in node.arguments or ()
        if not isinstance(each.value, VariableNode) or variables.get(each.value.name.value) is not None
    }
    return any(texts & _columns(where.sql) for name, where in declared.where.items() if name in given)


_Selected = tuple[Any, FieldNode, GraphQLField]
"""A field as it is selected, behind the type that has it."""


@dataclass(frozen=True)
class _Scope:
    """What is selected of an object; of one made of its parent's row, the texts of that and its names too."""

    kind: Any
    sets: list[Any]
    texts: frozenset[str] = frozenset()
    names: Mapping[str, str] | None = None


class _Mask:
    def __init__(self, schema: GraphQLSchema, document: DocumentNode) -> None:
        self._schema = schema
        self._fragments = {
            each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)
        }
        self.root = next(each for each in document.definitions if isinstance(each, OperationDefinitionNode))
        self.places: list[str] = []
        self.texts: list[str] = []

    def operation(self, data: Any) -> Any:
        return self._value(data, _Scope(self._schema.query_type, [self.root.selection_set]), "")

    def everything(self) -> Iterator[_Selected]:
        """Every field that is selected anywhere, those of a fragment once."""
        waiting: list[tuple[Any, Any]] = [(self._schema.query_type, self.root.selection_set)]
        spread: set[str] = set()
        while waiting:
            owner, among = waiting.pop()
            for each in self.fields(owner, [among], spread):
                yield each
                if each[1].selection_set:
                    waiting.append((get_named_type(each[2].type), each[1].selection_set))

    def fields(self, owner: Any, sets: Iterable[Any], spread: set[str] | None = None) -> Iterator[_Selected]:
        """The fields selected of an object, whatever its type turns out to be, with the types that have them."""
        waiting = [(owner, among) for among in reversed(list(sets))]
        spread = set() if spread is None else spread
        while waiting:
            kind, among = waiting.pop()
            for node in among.selections:
                if isinstance(node, FieldNode):
                    field = getattr(kind, "fields", {}).get(node.name.value)
                    if field is not None:
                        yield kind, node, field
                    continue
                inner: Any = node
                if isinstance(node, FragmentSpreadNode):
                    if node.name.value in spread:
                        continue
                    spread.add(node.name.value)
                    inner = self._fragments[node.name.value]
                below = self._schema.type_map[inner.type_condition.name.value] if inner.type_condition else kind
                waiting.append((below, inner.selection_set))

    def _value(self, value: Any, scope: _Scope, place: str) -> Any:
        if isinstance(value, list):
            return [self._value(each, scope, f"{place}/{at}") for at, each in enumerate(value)]
        if not isinstance(value, dict):
            return value
        found: dict[str, list[_Selected]] = {}
        for each in self.fields(scope.kind, scope.sets):
            found.setdefault(each[1].alias.value if each[1].alias else each[1].name.value, []).append(each)
        made: dict[str, Any] = {}
        for key, inner in value.items():
            at = f"{place}/{key}"
            selected = found.get(key, [])
            if any(_is_text(owner, node.name.value, field, scope) for owner, node, field in selected):
                self.places.append(at)
                self.texts.append(_state(inner))
                made[key] = None
                continue
            below = [node.selection_set for _, node, _ in selected if node.selection_set]
            if not below:
                made[key] = inner
                continue
            made[key] = self._value(inner, _below(selected[0], below, scope), at)
        return made


def _state(value: Any) -> str:
    if value is None:
        return ABSENT
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if each is None:
            return PARTLY
        if isinstance(each, dict | list):
            waiting += each.values() if isinstance(each, dict) else each
    return WHOLE


def _is_text(owner: Any, name: str, field: GraphQLField, scope: _Scope) -> bool:
    """Whether a field says something that is as of now."""
    declared = declaration(field)
    own = _texts_of(owner) or scope.texts
    if declared is None:
        # What nothing was recorded of are this release's own words.
        return name.endswith(_WORDS) or (owner.name == "Query" and PINNED not in field.args)
    if isinstance(declared, Scalar):
        spelled = declared.sql
        for column, sql in (scope.names or {}).items():
            spelled = spelled.replace(f"{{{column}}}", sql)
        return declared.labels is not None or declared.words is not None or bool(own & _columns(spelled))
    if isinstance(declared, Link) and declared.table is not None and declared.table.version is None:
        return bool(own & _columns(declared.table.source))
    return False


def _below(selected: _Selected, sets: list[Any], scope: _Scope) -> _Scope:
    owner, _, field = selected
    declared = declaration(field)
    kind = get_named_type(field.type)
    if isinstance(declared, Inline):
        return _Scope(kind, sets, _texts_of(owner) or scope.texts, declared.columns)
    return _Scope(kind, sets)


def _texts_of(kind: Any) -> frozenset[str]:
    made = getattr(kind, "extensions", {}).get("strawberry-definition")
    found: frozenset[str] = getattr(made.origin, "TEXTS", frozenset()) if made else frozenset()
    return found


def _rows(kind: Any) -> Any:
    """The type of the objects on the pages of a connection; any other type itself."""
    if not kind.name.endswith("Connection"):
        return kind
    edge: Any = get_named_type(kind.fields["edges"].type)
    return get_named_type(edge.fields["node"].type)


def _columns(sql: str) -> set[str]:
    return set(_COLUMN.findall(sql))
