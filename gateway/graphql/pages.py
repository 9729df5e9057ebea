"""Relay connections: edges, pages, and the arguments that turn them. https://relay.dev/graphql/connections.htm"""

from typing import Annotated, Any, Generic, TypeVar

import strawberry

from gateway.graphql.cursors import MOST, PAGE

First = Annotated[int | None, strawberry.argument(description=f"The first of them: 1 to {MOST}; {PAGE} unless given.")]
Last = Annotated[int | None, strawberry.argument(description=f"The last of them: 1 to {MOST}.")]
After = Annotated[str | None, strawberry.argument(description="From behind this cursor, an `endCursor`.")]
Before = Annotated[str | None, strawberry.argument(description="From before this cursor, a `startCursor`.")]

_NodeType = TypeVar("_NodeType")


@strawberry.type(description="Where a page of a connection stands.")
class PageInfo:
    """Relay's PageInfo."""

    has_next_page: bool = strawberry.field(description="Whether more follow.")
    has_previous_page: bool = strawberry.field(description="Whether others come before.")
    start_cursor: str | None = strawberry.field(description="The first edge's cursor: `before` for the page before.")
    end_cursor: str | None = strawberry.field(description="The last edge's cursor: `after` for the next page.")


@strawberry.type(description="An object in a connection.")
class Edge(Generic[_NodeType]):
    """Relay's edge."""

    cursor: str = strawberry.field(description="Leads behind or before this object; stays valid when others come in.")
    node: _NodeType = strawberry.field(description="The object.")


@strawberry.type(description="A list to be read page by page.")
class Connection(Generic[_NodeType]):
    """Relay's connection."""

    edges: list[Edge[_NodeType]] = strawberry.field(description="This page.")
    page_info: PageInfo = strawberry.field(description="Where this page stands.")
    total_count: int = strawberry.field(description="How many there are on all pages.")


def a_page(*, first: First = None, after: After = None, last: Last = None, before: Before = None) -> Any:
    """The arguments of a connection that nothing narrows."""
