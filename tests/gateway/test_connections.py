"""Every connection of read models, walked page by page in both directions: nothing is left out or comes twice."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from graphql import GraphQLObjectType

from gateway.graphql.compiler import declaration, shape_of
from gateway.graphql.engine import Engine
from gateway.graphql.schema import SCHEMA

_SCHEMA = SCHEMA._schema
_PAGE = "totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor } edges { cursor node { __typename } }"


def _paged(kind: Any) -> list[str]:
    return [name for name, field in kind.fields.items() if declaration(field) and shape_of(field.type) == "page"]


CONNECTIONS = [f"{{ page: {name}(%s) {{ {_PAGE} }} }}" for name in _paged(_SCHEMA.query_type)] + [
    f'{{ city(slug: "yamato") {{ page: {name}(%s) {{ {_PAGE} }} }} }}' for name in _paged(_SCHEMA.type_map["City"])
]


@pytest.fixture(scope="module")
def engine(five_cities) -> Engine:
    """What answers from the five cities."""
    return Engine(_SCHEMA, five_cities)


def page(engine: Engine, query: str, which: str) -> Any:
    """One page of the connection."""
    answer = engine.answer(query % which, None, None)
    assert not answer.errors, answer.errors
    found = orjson.loads(answer.data)
    return found["page"] if "page" in found else found["city"]["page"]


def cursors(found: Any) -> list[str]:
    """The cursors of a page, which says of itself what its ends are."""
    here = [edge["cursor"] for edge in found["edges"]]
    assert (found["pageInfo"]["startCursor"], found["pageInfo"]["endCursor"]) == (here[0], here[-1]) if here else True
    return here


@pytest.mark.parametrize("query", CONNECTIONS)
@pytest.mark.parametrize("size", [2, 7])
def test_a_connection_walked_either_way_gives_everything_once_in_one_order(engine, query, size) -> None:
    whole = cursors(page(engine, query, "first: 100"))
    assert len(set(whole)) == len(whole) > 0
    for name, cursor, way, end, more in (
        ("first", "after", 1, "endCursor", "hasNextPage"),
        ("last", "before", -1, "startCursor", "hasPreviousPage"),
    ):
        found: list[str] = []
        behind, goes_on = "", True
        while goes_on:
            here = page(engine, query, f"{name}: {size} {behind}")
            assert here["totalCount"] == len(whole)
            found += cursors(here)[::way]
            assert len(found) <= len(whole)
            behind, goes_on = f'{cursor}: "{here["pageInfo"][end]}"', here["pageInfo"][more]
        assert found == whole[::way]


@pytest.mark.parametrize("query", CONNECTIONS)
def test_a_page_between_two_cursors_lies_between_them(engine, query) -> None:
    whole = cursors(page(engine, query, "first: 100"))
    for begin in range(min(len(whole), 3)):
        for end in range(begin, min(len(whole), 6)):
            bounds = f'after: "{whole[begin]}" before: "{whole[end]}"'
            between = page(engine, query, f"first: 100 {bounds}")
            assert cursors(between) == whole[begin + 1 : end]
            assert cursors(page(engine, query, f"last: 1 {bounds}")) == whole[begin + 1 : end][-1:]


def test_every_connection_is_walked() -> None:
    kinds = {kind.name for kind in _SCHEMA.type_map.values() if isinstance(kind, GraphQLObjectType) and _paged(kind)}
    assert kinds == {"Query", "City"}
