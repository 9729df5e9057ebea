"""The GraphQL schema: what may be asked."""

from collections.abc import Iterator
from typing import Annotated

import strawberry
from graphql import GraphQLError, OperationDefinitionNode
from strawberry.extensions import AddValidationRules, MaxTokensLimiter, SchemaExtension
from strawberry.types import ExecutionContext

from gateway import reading
from gateway.graphql.connections import (
    PAGE,
    After,
    Cities,
    City,
    First,
    FormFilter,
    Partnership,
    PartnershipConnection,
    StatusFilter,
    TextFilter,
    bounds,
    partnerships,
    wanted,
)
from gateway.graphql.limits import TOKENS, Limits
from gateway.graphql.nodes import Info, Node, answers, named_by

_Slug = Annotated[str, strawberry.argument(description="The city's slug, for instance `yamato`.")]


@strawberry.type(description="What may be asked. Everything is public, and as of now.")
class Query:
    """The root."""

    @answers("Every city, by municipal code.")
    def cities(self, info: Info) -> list[City]:
        """All cities."""
        rows = reading.cities(info.context.connection)
        return Cities(info.context, info.context.spend(rows)).nodes()

    @answers("The city of that slug; null if there is none.")
    def city(self, info: Info, slug: _Slug) -> City | None:
        """One city."""
        row = reading.city(info.context.connection, slug)
        return None if row is None else Cities(info.context, [row]).nodes()[0]

    @answers("Partnerships of all cities, or of one, by municipal code and number.")
    def partnerships(
        self,
        info: Info,
        *,
        city: Annotated[str | None, strawberry.argument(description="Of the city of this slug only.")] = None,
        status: StatusFilter = None,
        form: FormFilter = None,
        text: TextFilter = None,
        first: First = PAGE,
        after: After = None,
    ) -> PartnershipConnection:
        """One page of partnerships."""
        which = wanted(city, status, form, text)
        count, place = bounds(first, after)
        asking = info.context
        found = partnerships(asking, reading.partnerships(asking.connection, which, count + 1, place))
        return PartnershipConnection.of(asking, found, count, after, lambda: reading.count(asking.connection, which))

    @answers("One partnership; null if there is none.")
    def partnership(
        self,
        info: Info,
        city: _Slug,
        number: Annotated[str, strawberry.argument(description="The city's number of it, for instance `Y3`.")],
    ) -> Partnership | None:
        """One partnership."""
        row = reading.partnership(info.context.connection, city, number)
        return None if row is None else partnerships(info.context, [row])[0]

    @answers("The object of that global id; null if there is none.")
    def node(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="Global id.")],
    ) -> Node | None:
        """Relay's node."""
        match named_by(id):
            case "City", [tenant]:
                found = reading.cities(info.context.connection, [tenant])
                return Cities(info.context, found).nodes()[0] if found else None
            case "Partnership", [tenant, stream]:
                row = reading.partnership_by_stream(info.context.connection, (tenant, stream))
                return None if row is None else partnerships(info.context, [row])[0]
        return None


class _OperationNamed(SchemaExtension):
    """A document with several operations is run only when the request names one of them (specification §6.1)."""

    def on_execute(self) -> Iterator[None]:
        document, asking = self.execution_context.graphql_document, self.execution_context.context
        operations = (
            [each for each in document.definitions if isinstance(each, OperationDefinitionNode)] if document else []
        )
        if len(operations) > 1 and asking.operation is None:
            raise GraphQLError("The document holds several operations: say which with `operationName`.")
        yield


class _Schema(strawberry.Schema):
    """Errors are told and logged where the answer is made."""

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """Log nothing here: most are the reader's own mistakes."""


SCHEMA = _Schema(
    query=Query,
    types=[City, Partnership],
    extensions=[
        lambda: MaxTokensLimiter(max_token_count=TOKENS),
        lambda: AddValidationRules([Limits]),
        _OperationNamed,
    ],
)
