"""Documents of every shape that the schema admits, with values that stand in the database they are asked of.

Everything is derived from the schema, so that a new field or argument is asked for from the day it is declared. Within
a document one response key always stands for one field with one set of arguments, so that whatever meets under it can
be merged: fields are selected again, with other fields below them, on purpose.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from graphql import (
    FieldNode,
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    get_named_type,
    get_nullable_type,
    is_composite_type,
    is_required_argument,
    parse,
    print_ast,
    visit,
)
from hypothesis import strategies as st
from hypothesis_graphql import nodes, queries

from gateway.graphql.compiler import declaration
from gateway.graphql.limits import ALIASES, DEPTH
from tests.gateway.standing import Standing

SIZE = 60
"""Fields that a document selects before it ends with what it has begun."""

WIDE = 52
"""Fields of a wide object: with their values they are more than a function has arguments in PostgreSQL."""

SPARE = 10
"""Aliases that are left for other purposes beside a wide object."""

MOST = 400
"""Objects that a document may ask for, so that the slower executor keeps up."""

_OF_PAGES = {"first", "after", "last", "before"}
_NAMES = ["key", "o", "select", "edges", "node", "nodes", "totalCount", "titleJa", "slug", "Data", "a" * 63, "_"]
_TOO_LONG = "a" * 64
_TEXTS = ["", " ", "%", "_", "\\", '"', "'", "a\nb", "\0", "子育て", "協働", "\U0001f38f", "%(x)s", "{t}", "; --", "ｱ"]


_ANY: Mapping[str, Sequence[Any]] = {
    "Int": [0, 1, 2, 3, 10, 2015, -1, 2**31 - 1, -(2**31)],
    "Float": [0, 0.5, -1.5, 1e300],
    "String": _TEXTS,
    "ID": [*_TEXTS, 5],
    "Boolean": [True, False],
    "Date": ["2015-04-01", "2004-12-31", "0001-01-01", "9999-12-31"],
    "DateTime": ["2015-04-01T00:00:00+09:00", "2015-04-01T00:00:00", "0001-01-01T00:00:00+14:00"],
    "Yen": [0, 1_000_000, 2**53],
    "JSON": [None, {}, [1], "x"],
}
"""Values of each scalar as an argument."""


@dataclass(frozen=True)
class Asked:
    """A document, the operation of it that is asked for, and several sets of values for its variables."""

    query: str
    operation: str | None
    variables: Sequence[Mapping[str, Any]]


@st.composite
def documents(draw: st.DrawFn, schema: GraphQLSchema, standing: Standing) -> Asked:
    """Documents of the schema over what stands in a database."""
    return _Writing(draw, schema, standing).document()


@st.composite
def plain_documents(draw: st.DrawFn, schema: GraphQLSchema, standing: Standing) -> Asked:
    """The documents of hypothesis-graphql: most arguments are ours; it gives all of them, with invented values."""
    ours = {each: st.sampled_from(_ANY[each]).map(nodes.String) for each in ("Date", "DateTime")}
    document = draw(queries(schema, fields=declared_roots(schema), custom_scalars=ours, print_ast=lambda made: made))
    types = TypeInfo(schema)
    arguments = _Arguments(types, _Writing(draw, schema, standing, plain=True))
    return Asked(print_ast(visit(document, TypeInfoVisitor(types, arguments))), None, [{}])


def declared_roots(schema: GraphQLSchema) -> list[str]:
    """The root fields that the compiler can answer."""
    root: Any = schema.query_type
    return [name for name, field in root.fields.items() if declaration(field)]


class _Arguments(Visitor):
    """Gives fields other arguments."""

    def __init__(self, types: TypeInfo, writing: _Writing) -> None:
        super().__init__()
        self._types, self._writing = types, writing

    def enter_field(self, node: FieldNode, *_: Any) -> FieldNode | None:
        if not node.arguments:
            return None
        if self._writing.chance(8):
            return replace(node, arguments=tuple(each for each in node.arguments if each.name.value not in _OF_PAGES))
        given = self._writing.arguments(self._types.get_parent_type(), node.name.value, 5)
        found: Any = parse(f"{{ field{given} }}").definitions[0]
        return replace(node, arguments=found.selection_set.selections[0].arguments)


@dataclass
class _Variable:
    """A variable: its definition, and one value for each set; None at a place where it is left out."""

    definition: str
    values: list[tuple[Any] | None]


@dataclass
class _Writing:
    """One document while it is written: a `plain` one has no variables, the `others` may hold what is not compiled."""

    draw: st.DrawFn
    schema: GraphQLSchema
    standing: Standing
    plain: bool = False
    others: bool = False
    left: int = SIZE
    aliases: int = 0
    keys: dict[str, str] = field(default_factory=dict)
    fragments: dict[str, tuple[str, str]] = field(default_factory=dict)
    variables: dict[str, _Variable] = field(default_factory=dict)

    def document(self) -> Asked:
        """The document, whose other operations are there only to be passed over."""
        self.left = self.one_of([5, 15, 30, SIZE])
        self.others = self.chance(50)
        selected = self.selection(self.schema.query_type, DEPTH, MOST)
        defined = ", ".join(each.definition for each in self.variables.values())
        name = self.one_of([None, None, "Asked"])
        parts = [f"query {name or ''}{f'({defined})' if defined else ''} {selected}"]
        if name is None and not defined and self.chance(3):
            parts = [selected]
        parts += [f"fragment {name} on {kind} {body}" for name, (kind, body) in self.fragments.items()]
        if name and self.chance(4):
            parts.append("query Other { __typename }")
        if self.chance(3):
            parts.reverse()
        sets = [
            {name: each.values[at][0] for name, each in self.variables.items() if each.values[at] is not None}  # type: ignore[index]
            for at in range(2)
        ]
        return Asked("\n".join(parts), name, sets)

    # --- chance --------------------------------------------------------------------------------------------------

    def chance(self, one_in: int) -> bool:
        # Both ends come more often than the others.
        return self.draw(st.integers(0, one_in - 1)) == one_in // 2

    def one_of(self, among: Sequence[Any]) -> Any:
        return among[self.draw(st.integers(0, len(among) - 1))]

    # --- selections ----------------------------------------------------------------------------------------------

    def selection(self, kind: Any, depth: int, most: int) -> str:
        """A selection of an object of that kind, at most so many levels deep and leading to so many objects."""
        parts: list[str] = []
        leaves = [name for name, each in kind.fields.items() if not is_composite_type(get_named_type(each.type))]
        links = [name for name in kind.fields if name not in leaves]
        if kind is self.schema.query_type and not self.others:
            links = declared_roots(self.schema)
        if leaves and self.aliases + WIDE - len(leaves) + SPARE <= ALIASES and self.chance(15):
            parts += [self.leaf(kind, name) for name in leaves]
            parts += [f"w{at}: {self.one_of(leaves)}" for at in range(len(leaves), WIDE)]
            self.aliases += WIDE - len(leaves)
        for _ in range(self.one_of([1, 2, 2, 3, 4, 6])):
            if self.left <= 0:
                break
            self.left -= 1
            if links and depth > 2 and most > 0 and not (leaves and self.chance(2)):
                parts.append(self.linked(kind, self.one_of(links), depth, most))
            else:
                parts.append(self.leaf(kind, self.one_of([*leaves, "__typename"])))
            if self.chance(4):
                parts[-1] = self.wrapped(kind, parts[-1])
            if self.fragments and self.chance(6):
                parts += [f"...{name}" for name, (on, _) in self.fragments.items() if on == kind.name][:1]
        return f"{{ {' '.join(parts) or '__typename'} }}"

    def wrapped(self, kind: Any, selected: str) -> str:
        """What was selected of an object, in a fragment on it, on its interface, or on a kind that it is not."""
        form = self.draw(st.integers(0, 4))
        if form == 0:
            return f"... {self.directives()}{{ {selected} }}"
        if form == 1:
            return f"... on {kind.name} {self.directives()}{{ {selected} }}"
        if form == 2 and isinstance(kind, GraphQLObjectType) and kind.interfaces:
            common: Any = self.one_of(kind.interfaces)
            other: Any = self.one_of(self.schema.get_possible_types(common))
            inside = f"... on {kind.name} {{ {selected} }} ... on {other.name} {self.selection(other, 1, 0)}"
            return f"... on {common.name} {self.directives()}{{ id {inside} }}"
        if form == 3 and isinstance(kind, GraphQLInterfaceType):
            others = self.schema.get_possible_types(kind)
            return f"{selected} " + " ".join(
                f"... on {each.name} {self.directives()}{self.selection(each, 3, 1)}" for each in others
            )
        name = f"F{len(self.fragments)}"
        self.fragments[name] = (kind.name, f"{{ {selected} }}")
        return f"...{name} {self.directives()}"

    def leaf(self, kind: Any, name: str) -> str:
        """A field that is a value."""
        arguments = self.arguments(kind, name, 1) if name in kind.fields else ""
        return f"{self.key(name, arguments)}{name}{arguments} {self.directives()}"

    def linked(self, kind: Any, name: str, depth: int, most: int) -> str:
        """A field that is an object or several, perhaps selected twice with different fields below."""
        found = kind.fields[name]
        below: Any = get_named_type(found.type)
        paged = "first" in found.args
        many = paged or isinstance(getattr(found.type, "of_type", found.type), GraphQLList)
        limit = max(1, min(most // 4, 40)) if paged else 1
        arguments = self.arguments(kind, name, limit)
        head = f"{self.key(name, arguments)}{name}{arguments}"
        times = limit if paged else 4 if many else 1
        levels = depth - 1
        text = f"{head} {self.directives()}{self.selection(below, levels, most // times)}"
        if self.chance(5):
            text += f" {head} {self.directives()}{self.selection(below, levels, most // times)}"
        return text

    def key(self, name: str, arguments: str) -> str:
        """`alias: ` before a field, or nothing; no key stands for two things in a document."""
        stands = f"{name}{arguments}"
        wanted = [self.one_of(_NAMES), name] if self.aliases < SPARE and self.chance(4) else [name]
        if self.others and self.chance(20):
            wanted.insert(0, _TOO_LONG)
        for each in (*wanted, *(f"{name}{number}" for number in range(100))):
            if self.keys.setdefault(each, stands) == stands:
                if each == name:
                    return ""
                self.aliases += 1
                return f"{each}: "
        raise AssertionError(f"{name} has a hundred sets of arguments")

    def directives(self) -> str:
        """Mostly none, and mostly those that leave the field in."""
        return self.directive("skip", [False, False, True]) + self.directive("include", [True, True, False])

    def directive(self, name: str, conditions: Sequence[bool]) -> str:
        """Mostly none, or one with a condition or a variable in its place."""
        if not self.chance(12):
            return ""
        if self.plain or self.chance(2):
            return f"@{name}(if: {json.dumps(self.one_of(conditions))}) "
        return f"@{name}(if: {self.variable('Boolean!', lambda: self.one_of(conditions))}) "

    # --- arguments -----------------------------------------------------------------------------------------------

    def arguments(self, kind: Any, own: str, limit: int) -> str:
        """Arguments of a field, a page at most so long; mostly those that name one thing that there is."""
        found = kind.fields[own]
        given: list[str] = []
        together = next((each for each in self.standing.together if set(each) <= set(found.args)), None)
        drawn = self.one_of(self.standing.together[together]) if together and not self.chance(8) else {}
        for name, each in found.args.items():
            if name in drawn:
                given.append(f"{name}: {self.written(each.type, name, lambda at=drawn[name]: at)}")
            elif name in {"first", "last"}:
                given += self.length(name, each.type, limit, given)
            elif name in {"after", "before"}:
                if self.chance(6):
                    given.append(f"{name}: {self.written(each.type, name, lambda: self.cursor(kind, own))}")
            elif is_required_argument(each) or self.chance(
                3 if name in {"asOf", "validOn"} or len(found.args) < 5 else 15
            ):
                given.append(f"{name}: {self.written(each.type, name, lambda a=name, k=each.type: self.value(k, a))}")
        return f"({', '.join(given)})" if given else ""

    def length(self, name: str, kind: Any, limit: int, given: Sequence[str]) -> list[str]:
        """How long a page is to be; rarely more or less than it may be, or from both ends."""
        there = any(each.startswith("first:") for each in given)
        wanted = self.chance(60) if there else name == "last" or not self.chance(3)
        if not wanted:
            return []
        wrong = self.chance(60)
        return [
            f"{name}: {self.written(kind, name, lambda: self.one_of([0, -1, 101] if wrong else range(1, limit + 1)))}"
        ]

    def cursor(self, kind: Any, own: str) -> str:
        """Mostly a cursor of this very connection."""
        every = [each for each in self.standing.cursors.values() if each]
        known = self.standing.cursors.get(f"{kind.name}.{own}")
        return self.one_of(self.one_of(every) if self.chance(40) or not known else known)

    def written(self, kind: Any, name: str, value: Callable[[], Any]) -> str:
        """A value in the document, or a variable in its place."""
        if not self.plain and self.chance(3):
            return self.variable(str(kind), value, kind)
        return self.literal(kind, name, value(), plain=self.plain)

    def variable(self, kind: str, value: Callable[[], Any], of: Any = None) -> str:
        """A new variable with a value for each set, or left out where it has a default or may be null."""
        name = f"v{len(self.variables)}"
        default = ""
        self.variables[name] = _Variable("", [])
        if of is not None and self.chance(3) and (given := value()) is not None:
            default = f" = {self.literal(of, name, given, plain=True)}"
        optional = bool(default) or not kind.endswith("!")
        first, second = value(), None if not kind.endswith("!") and self.chance(4) else value()
        out = optional and self.chance(6)
        self.variables[name] = _Variable(f"${name}: {kind}{default}", [None if out else (first,), (second,)])
        return f"${name}"

    def literal(self, kind: Any, name: str, given: Any, *, plain: bool = False) -> str:
        """The value as a document has it; unless `plain`, variables may stand for parts of it."""
        if isinstance(kind, GraphQLNonNull):
            return self.literal(kind.of_type, name, given, plain=plain)
        if given is None:
            return "null"
        if isinstance(kind, GraphQLList):
            if not isinstance(given, list):
                return self.literal(kind.of_type, name, given, plain=plain)
            return f"[{', '.join(self.part(kind.of_type, name, each, plain=plain) for each in given)}]"
        if isinstance(kind, GraphQLInputObjectType):
            parts = (
                f"{inner}: {self.part(kind.fields[inner].type, inner, each, plain=plain, sure=_one_of(kind))}"
                for inner, each in given.items()
            )
            return f"{{{', '.join(parts)}}}"
        return str(given) if isinstance(kind, GraphQLEnumType) else json.dumps(given, ensure_ascii=self.chance(2))

    def part(self, kind: Any, name: str, given: Any, *, plain: bool, sure: bool = False) -> str:
        """A part of a value; where just one of several is given, its variable has to be `sure` not to be null."""
        if plain or given is None or not self.chance(3):
            return self.literal(kind, name, given, plain=plain)
        found = self.variable(f"{kind}!" if sure and not isinstance(kind, GraphQLNonNull) else str(kind), lambda: given)
        # The other set of values has another one, so that it shows where this one was kept.
        self.variables[found[1:]].values[1] = (self.value(GraphQLNonNull(get_nullable_type(kind)), name),)
        return found

    def value(self, kind: Any, name: str) -> Any:
        """A value of an argument or field of that name, mostly one that stands in the database."""
        if isinstance(kind, GraphQLNonNull):
            return self.sure(kind.of_type, name)
        return None if self.chance(12) else self.sure(kind, name)

    def sure(self, kind: Any, name: str) -> Any:
        """The same, never null."""
        if isinstance(kind, GraphQLList):
            if self.chance(8):
                return self.value(GraphQLNonNull(get_named_type(kind)), name)
            return [self.value(kind.of_type, name) for _ in range(self.one_of([0, 1, 1, 2, 3]))]
        if isinstance(kind, GraphQLInputObjectType):
            return self.fields(kind)
        known = list(kind.values) if isinstance(kind, GraphQLEnumType) else self.standing.values.get(name, ())
        if known and (isinstance(kind, GraphQLEnumType) or not self.chance(8)):
            return self.one_of(known)
        return self.one_of(_ANY[kind.name])

    def fields(self, kind: GraphQLInputObjectType) -> dict[str, Any]:
        """The fields of an input object: exactly one, or those that are needed and some others."""
        if _one_of(kind):
            only = self.one_of(list(kind.fields))
            return {only: self.sure(kind.fields[only].type, only)}
        return {
            each: self.value(found.type, each)
            for each, found in kind.fields.items()
            if isinstance(found.type, GraphQLNonNull) or self.chance(2)
        }


def _one_of(kind: GraphQLInputObjectType) -> bool:
    """Whether exactly one of its fields is to be given."""
    return bool(kind.extensions["strawberry-definition"].is_one_of)
