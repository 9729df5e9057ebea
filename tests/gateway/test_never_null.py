"""What the schema promises stands in the tables: in every version of every row, so as of any moment and any positions.

A statement passes on what the database has, so that nobody else would notice: derived from the declarations alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    get_named_type,
)

from gateway.graphql import words
from gateway.graphql.compiler import declared_fields, shape_of, table_of
from gateway.graphql.declared import Link
from gateway.graphql.schema import SCHEMA
from gateway.graphql.times import Asked
from gateway.graphql.writer import Selected, Writer
from tenants.database import Database

_TYPES = SCHEMA._schema.type_map
KINDS = sorted(
    name
    for name, kind in _TYPES.items()
    if isinstance(kind, GraphQLObjectType) and (table := table_of(kind)) and "{p}" not in table.source
)
"""The types whose objects are rows of their own."""

_VALUES = {"Int": range(-(2**31), 2**31), "Boolean": (True, False)}


class AtAnyTime(Asked):
    """Every version of a row at once."""

    def condition(self, alias: str) -> str:
        return "true"

    def names(self, alias: str) -> str:
        return "true"


def values(kind: GraphQLObjectType) -> list[Selected]:
    """Every field of a type that is made of its row, and of what is written in the row for lack of one of its own."""
    found = []
    for name, field, declared in declared_fields(kind):
        below: Any = get_named_type(field.type)
        shape, table = shape_of(field.type), None
        if isinstance(declared, Link):
            table = declared.table or table_of(below)
            if shape == "page" or table is None or "{p}" not in table.source:
                continue
        inner = values(below) if isinstance(below, GraphQLObjectType) else []
        found.append(Selected(name, name, declared, below.name, table, shape, below=inner))
    return found


def rows(database: Database, kind: GraphQLObjectType) -> list[Any]:
    """All that may ever be answered of the objects of a type, whatever is asked for."""
    table: Any = table_of(kind)
    asked, writer = AtAnyTime(), Writer()
    source = table.source.format(t="t", known=_Any(asked.condition("")))
    statement = f"SELECT row_to_json(o$)::text FROM (SELECT {writer.row(values(kind), 't', asked)} FROM {source}) o$"
    with database.reader() as connection:
        found = connection.execute(statement, {**writer.values, **asked.values()}).fetchall()
    return [orjson.loads(words.spoken(row)) for (row,) in found]


class _Any(str):
    """Stands for `{known}` under any alias."""

    __slots__ = ()

    def __format__(self, _: str) -> str:
        return str(self)


def broken(kind: Any, found: Any, place: str) -> Iterator[str]:
    """Where a value is none of its type, and what it is."""
    if isinstance(kind, GraphQLNonNull) or found is None:
        if isinstance(kind, GraphQLNonNull):
            yield from broken(kind.of_type, found, place) if found is not None else [f"{place} is null"]
    elif isinstance(kind, GraphQLList):
        for each in found:
            yield from broken(kind.of_type, each, f"{place}[]")
    elif isinstance(kind, GraphQLObjectType):
        for name, each in found.items():
            yield from broken(kind.fields[name].type, each, f"{place}.{name}")
    elif found not in (kind.values if isinstance(kind, GraphQLEnumType) else _VALUES.get(kind.name, [found])):
        yield f"{place} is {found}"


@pytest.mark.parametrize("name", KINDS)
def test_what_the_schema_promises_is_in_every_version_of_every_row(five_cities, generated, name) -> None:
    kind: Any = _TYPES[name]
    found = [row for database in (five_cities, generated) for row in rows(database, kind)]
    assert found, f"no test database has any {name}"
    wrong = {each for row in found for each in broken(GraphQLNonNull(kind), row, name)}
    assert not wrong
