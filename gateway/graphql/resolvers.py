"""The ordinary way to an answer: a resolver for each field, by the same declarations as the compiler.

Objects that were found together ask for what they link to together: one question for each link of each level.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any, cast

import orjson
import strawberry
from graphql import GraphQLError, GraphQLObjectType, GraphQLSchema, get_named_type

from gateway import reading
from gateway.graphql import words
from gateway.graphql.compiler import declared_fields, plain, shape_of, snake, table_of
from gateway.graphql.declared import Link, Scalar, Table
from gateway.graphql.times import Asked
from gateway.graphql.writer import Known, Selected, Writer

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from graphql import GraphQLField

    from tenants.database import Connection, Database

KEY = "@key"
"""Where the values of an object hold its key, by which its links are followed."""


class Found(dict[str, Any]):
    """An object's values by the names of their fields; those it was found with ask together for what they link to."""

    __slots__ = ("among", "kind", "place")

    def __init__(self, values: Mapping[str, Any], kind: GraphQLObjectType, among: Together, place: int) -> None:
        super().__init__(values)
        self.kind, self.among, self.place = kind, among, place


class Together:
    """Objects that were found together, with the times they were asked for."""

    def __init__(
        self, asking: Asking, kind: GraphQLObjectType, values: Sequence[Mapping[str, Any]], asked: Asked
    ) -> None:
        self.asking, self.asked = asking, asked
        self.objects = [Found(each, kind, self, place) for place, each in enumerate(values)]
        self._answers: dict[bytes, list[Any] | GraphQLError] = {}

    def linked(self, field: GraphQLField, selected: Selected, place: int) -> Any:
        """What the link of this selection gives for one of them; asked once for all."""
        key = orjson.dumps([selected.name, selected.arguments], default=str)
        if key not in self._answers:
            try:
                self._answers[key] = self._ask(field, selected)
            except GraphQLError as refused:
                self._answers[key] = refused
        answers = self._answers[key]
        if isinstance(answers, GraphQLError):
            raise answers
        return answers[place]

    def _ask(self, field: GraphQLField, selected: Selected) -> list[Any]:
        parent = self.objects[0].kind
        table = table_of(parent)
        writer = Writer()
        if table is None:
            rows = self.asking.ask(
                f"SELECT ({writer.expression(selected, 'root$', self.asked)})::text", writer, self.asked
            )
        else:
            expression = writer.expression(selected, "p$", self.asked)
            names = ", ".join(f"{name} {kind}" for name, kind in table.key.items())
            same = " AND ".join(f"p$.{name} = k$.{name}" for name in table.key)
            known = Known(self.asked, table.version.format(t="p$") if table.version else None)
            source = table.source.format(t="p$", known=known)
            condition = "true" if "{known" in table.source else f"{known}"
            writer.values["keys"] = orjson.dumps([{**each[KEY], "n$": each.place} for each in self.objects]).decode()
            rows = self.asking.ask(
                f"SELECT ({expression})::text FROM jsonb_to_recordset(%(keys)s::jsonb) AS k$ (n$ integer, {names})"
                f" JOIN {source} ON {same} WHERE {condition} ORDER BY k$.n$",
                writer,
                self.asked,
            )
        return self._objects(field, selected.shape, rows)

    def _objects(self, field: GraphQLField, shape: str, answers: list[Any]) -> list[Any]:
        """The answers with their objects made ready to ask on, all of them together."""
        kind: Any = get_named_type(field.type)
        flat: list[Mapping[str, Any]] = []
        for answer in answers:
            flat += list(_nodes(shape, answer))
        nodes = _node_kind(kind) if shape == "page" else kind
        objects = iter(Together(self.asking, nodes, flat, self.asked).objects)
        return [_with(shape, answer, objects) for answer in answers]


def _nodes(shape: str, answer: Any) -> Iterator[Mapping[str, Any]]:
    if shape == "page":
        yield from (edge["node"] for edge in answer["edges"])
    elif shape == "list":
        yield from answer
    elif answer is not None:
        yield answer


def _with(shape: str, answer: Any, objects: Iterator[Found]) -> Any:
    if shape == "page":
        edges = [{**edge, "node": next(objects)} for edge in answer["edges"]]
        return {**answer, "edges": edges, "nodes": [edge["node"] for edge in edges]}
    if shape == "list":
        return [next(objects) for _ in answer]
    return None if answer is None else next(objects)


def _node_kind(connection: GraphQLObjectType) -> GraphQLObjectType:
    edge: Any = get_named_type(connection.fields["edges"].type)
    node: GraphQLObjectType = cast("Any", get_named_type(edge.fields["node"].type))
    return node


class Asking:
    """The context of one request: one snapshot for all its questions, taken with the first."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.measured_for = 0.0  # seconds
        self._open = ExitStack()
        self._connection: Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.__exit__(kind, error, trace)

    def linked(self, source: Any, info: strawberry.Info[Asking, None], arguments: Mapping[str, Any]) -> Any:
        """What a linked field gives for an object, or for the root."""
        raw = info._raw_info  # noqa: SLF001 - the names of the schema, which the library's own info does not give
        given = plain(arguments)
        selected = selection(raw.schema, raw.parent_type.name, raw.field_name, given)
        field = raw.parent_type.fields[raw.field_name]
        if isinstance(source, Found):
            return source.among.linked(field, selected, source.place)
        return Together(self, raw.parent_type, [{}], Asked.of(given, 0)).linked(field, selected, 0)

    @property
    def connection(self) -> Connection:
        """The reader's connection that sees the snapshot."""
        if self._connection is None:
            self._connection = self._open.enter_context(reading.snapshot(self.database))
        return self._connection

    def ask(self, sql: str, writer: Writer, asked: Asked) -> list[Any]:
        """The only column of every row, JSON or NULL."""
        rows = self.connection.execute(sql, {**writer.values, **asked.values()}).fetchall()
        return [row and orjson.loads(words.spoken(row) if writer.wordy else row) for (row,) in rows]


def selection(schema: GraphQLSchema, kind: str, name: str, arguments: Mapping[str, Any]) -> Selected:
    """A link with everything below it that is no link itself."""
    return replace(_everything(schema, kind, name), arguments=arguments)


@cache
def _everything(schema: GraphQLSchema, kind: str, name: str) -> Selected:
    owner: Any = schema.type_map[kind]
    field: GraphQLField = owner.fields[name]
    declared = next(found for each, _, found in declared_fields(owner) if each == name)
    shape = shape_of(field.type)
    below: Any = get_named_type(field.type)
    if shape != "page":
        return Selected(name, name, declared, below.name, table_of(below), shape, {}, _values(schema, below))
    node = _node_kind(below)
    info = [Selected(snake(each), each) for each in ("hasNextPage", "hasPreviousPage", "startCursor", "endCursor")]
    page = [
        Selected(
            "edges",
            "edges",
            below=[Selected("cursor", "cursor"), Selected("node", "node", below=_values(schema, node))],
        ),
        Selected("page_info", "pageInfo", below=info),
        Selected("total_count", "totalCount"),
    ]
    return Selected(name, name, declared, below.name, table_of(node), shape, {}, page)


def _values(schema: GraphQLSchema, kind: GraphQLObjectType) -> list[Selected]:
    """Every field of a type that is no link, and the key by which its links are followed."""
    found = []
    for name, field, declared in declared_fields(kind):
        if isinstance(declared, Link):
            continue
        below: Any = get_named_type(field.type)
        inner = _values(schema, below) if isinstance(below, GraphQLObjectType) else []
        found.append(Selected(snake(name), name, declared, below.name, below=inner))
    table: Table | None = table_of(kind)
    if table is not None and len(found) < len(list(declared_fields(kind))):
        columns = ", ".join(f"'{name}', {{t}}.{name}" for name in table.key)
        found.append(Selected(KEY, KEY, Scalar(f"json_build_object({columns})")))
    return found


def named(info: strawberry.Info[Asking, None], kind: str, condition: str, ids: Sequence[object], asked: Asked) -> Any:
    """The object of a type that the condition, with `%(id0)s` and so on, finds; None where there is none."""
    schema = info._raw_info.schema  # noqa: SLF001 - as above
    return one(info.context, schema, kind, condition, ids=ids, asked=asked)


def one(
    asking: Asking, schema: GraphQLSchema, kind: str, condition: str, *, ids: Sequence[object], asked: Asked
) -> Found | None:
    """The same outside a resolver, and as of a time."""
    found = _those(asking, schema, kind, condition, shape="one", ids=ids, asked=asked)
    return found[0] if found else None


def several(
    asking: Asking, schema: GraphQLSchema, kind: str, condition: str, *, ids: Sequence[object], asked: Asked
) -> list[Found]:
    """All objects of a type that the condition finds, in no order."""
    return _those(asking, schema, kind, condition, shape="list", ids=ids, asked=asked)


def _those(
    asking: Asking,
    schema: GraphQLSchema,
    kind: str,
    condition: str,
    *,
    shape: str,
    ids: Sequence[object],
    asked: Asked,
) -> list[Found]:
    found: Any = schema.type_map[kind]
    writer = Writer()
    writer.values |= {f"id{at}": each for at, each in enumerate(ids)}
    link = Selected(kind, kind, Link(condition), kind, table_of(found), shape, {}, _values(schema, found))
    (row,) = asking.ask(f"SELECT ({writer.expression(link, 'root$', asked)})::text", writer, asked)
    return Together(asking, found, list(_nodes(shape, row)), asked).objects
