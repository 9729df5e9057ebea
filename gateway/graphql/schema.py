"""The GraphQL schema: what may be asked."""

from base64 import urlsafe_b64decode
from binascii import Error as NotBase64
from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

import strawberry
from graphql import GraphQLError
from strawberry.schema.config import StrawberryConfig

from gateway.graphql.compiler import plain
from gateway.graphql.declared import Link, Table, equal, link
from gateway.graphql.filters import (
    PARTNERSHIP_FILTERS,
    FieldFilter,
    FiscalYearFilter,
    FormFilter,
    LeadAreaFilter,
    OriginFilter,
    PartyKindFilter,
    ProgrammeFilter,
    RejectedForFilter,
    StatusFilter,
    TextFilter,
)
from gateway.graphql.happened import TimelineEvent
from gateway.graphql.measures import MEASURE, METRICS, Measured, Metric
from gateway.graphql.pages import After, Before, Connection, First, Last
from gateway.graphql.records import BEGUN, City, Node, Partnership
from gateway.graphql.resolvers import Asking, named
from gateway.graphql.subscriptions import Subscription
from gateway.graphql.times import Asked, AsOfArgument, ValidOnArgument
from gateway.graphql.vocabulary import YEN, Yen
from projections.catalogue import SCHEMA as TABLES

_Slug = Annotated[str, strawberry.argument(description="The city's slug, for instance `yamato`.")]

_BY_CITY = "{t} JOIN (SELECT tenant_id, slug, coalesce(municipal_code, '') AS code FROM tenant) {t}n USING (tenant_id)"
_BY_CODE = ('{t}.code COLLATE "C"', '{t}.slug COLLATE "C"')
_PARTNERSHIPS = Table(f"{TABLES}.partnership {_BY_CITY}", on_day=BEGUN)
_EVENTS = Table(f"{TABLES}.timeline {_BY_CITY}", on_day="{held:.}")


def _cities(
    *,
    first: First = None,
    after: After = None,
    last: Last = None,
    before: Before = None,
    as_of: AsOfArgument = None,
    valid_on: ValidOnArgument = None,
) -> Any:
    """The arguments of the cities."""


def _city(slug: _Slug, as_of: AsOfArgument = None, valid_on: ValidOnArgument = None) -> Any:
    """The arguments that name a city."""


def _partnership(
    city: _Slug,
    number: Annotated[str, strawberry.argument(description="The city's number of it, for instance `Y3`.")],
    as_of: AsOfArgument = None,
    valid_on: ValidOnArgument = None,
) -> Any:
    """The arguments that name a partnership."""


def _event(
    city: _Slug,
    position: Annotated[int, strawberry.argument(description="Its position in the city's log, from 1.")],
    as_of: AsOfArgument = None,
    valid_on: ValidOnArgument = None,
) -> Any:
    """The arguments that name an event."""


def _partnerships(
    *,
    city: Annotated[str | None, strawberry.argument(description="Of the city of this slug only.")] = None,
    cities: Annotated[list[str] | None, strawberry.argument(description="Of the cities of these slugs only.")] = None,
    status: StatusFilter = None,
    form: FormFilter = None,
    text: TextFilter = None,
    lead_area: LeadAreaFilter = None,
    field: FieldFilter = None,
    origin: OriginFilter = None,
    programme: ProgrammeFilter = None,
    party_kind: PartyKindFilter = None,
    rejected_for: RejectedForFilter = None,
    fiscal_year: FiscalYearFilter = None,
    first: First = None,
    after: After = None,
    last: Last = None,
    before: Before = None,
    as_of: AsOfArgument = None,
    valid_on: ValidOnArgument = None,
) -> Any:
    """The arguments of the partnerships of all cities."""


@strawberry.type(description="What may be asked. Everything is public; as of now, unless `asOf` says otherwise.")
class Query:
    """The root."""

    cities: Connection[City] = link(Link(order=_BY_CODE), "Every city, by municipal code.", _cities)
    city: City | None = link(
        Link(where={"slug": equal("{t}.slug = {value}")}), "The city of that slug; null if there is none.", _city
    )
    partnerships: Connection[Partnership] = link(
        Link(
            table=_PARTNERSHIPS,
            order=('{t}n.code COLLATE "C"', '{t}n.slug COLLATE "C"', '{t}.number COLLATE "C"'),
            where={
                "city": equal("{t}n.slug = {value}"),
                "cities": equal("{t}n.slug = ANY ({value}::text[])"),
                **PARTNERSHIP_FILTERS,
            },
        ),
        "Partnerships of all cities, or of some, by municipal code and number.",
        _partnerships,
    )
    partnership: Partnership | None = link(
        Link(
            table=_PARTNERSHIPS,
            where={"city": equal("{t}n.slug = {value}"), "number": equal("{t}.number = {value}")},
        ),
        "One partnership; null if there is none.",
        _partnership,
    )
    event: TimelineEvent | None = link(
        Link(
            table=_EVENTS,
            where={"city": equal("{t}n.slug = {value}"), "position": equal("{t}.position = {value}")},
        ),
        "The event at a position of a city's log, as it now counts; null if there is none.",
        _event,
    )

    metrics: list[Metric] = METRICS
    measure: Connection[Measured] | None = MEASURE

    @strawberry.field(description="The object of that global id; null if there is none.")  # type: ignore[untyped-decorator]
    def node(
        self,
        info: strawberry.Info[Asking, None],
        id: Annotated[strawberry.ID, strawberry.argument(description="Global id.")],
        as_of: AsOfArgument = None,
        valid_on: ValidOnArgument = None,
    ) -> Node | None:
        """Relay's node."""
        kind, ids = _named_by(id)
        condition = _NODES.get(kind)
        if condition is None or len(ids) != condition.count("%"):
            return None
        asked = Asked.of(plain({"asOf": as_of, "validOn": valid_on}), 0)
        found: Node | None = named(info, kind, condition, ids, asked)
        return found


_NODES = {
    "City": "{t}.tenant_id = %(id0)s",
    "Partnership": "{t}.tenant_id = %(id0)s AND {t}.partnership_id = %(id1)s",
}


def _named_by(given: str) -> tuple[str, list[UUID]]:
    """The kind and the ids behind a global id; refuses what this service did not give out."""
    try:
        kind, _, ids = urlsafe_b64decode(given.encode("ascii") + b"=" * (-len(given) % 4)).decode().partition(":")
        return kind, [UUID(each) for each in ids.split("/")]
    except (NotBase64, ValueError):
        raise GraphQLError("The id is not one that this service gave out.") from None


def _value_of(found: Any, name: str) -> Any:
    """The value of what the database gave, or of an object of the product's own."""
    return found[name] if isinstance(found, dict) else getattr(found, name)


SCHEMA = strawberry.Schema(
    query=Query,
    subscription=Subscription,
    types=[City, Partnership],
    config=StrawberryConfig(
        default_resolver=_value_of,
        # The database writes all of them as they are to be answered.
        scalar_map={
            datetime: strawberry.scalar(
                name="DateTime",
                description="A moment with its offset: RFC 3339.",
                serialize=str,
                parse_value=datetime.fromisoformat,
            ),
            date: strawberry.scalar(
                name="Date", description="A day: RFC 3339, full-date.", serialize=str, parse_value=date.fromisoformat
            ),
            Yen: YEN,
        },
    ),
)
