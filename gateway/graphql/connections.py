"""Cities and partnerships, and the Relay connections that lead through them by keyset.

What the partnerships of one page need is fetched once for all of them, and so is what the cities of one answer need.
"""

from collections.abc import Callable, Sequence
from typing import Annotated
from uuid import UUID

import strawberry
from graphql import GraphQLError

from domain.vocabulary import CityRole, FormCode, Origin, Status
from gateway import reading
from gateway.events import in_clear
from gateway.graphql.loaders import FETCHED_AT_MOST, Asking, Together
from gateway.graphql.nodes import (
    Anomaly,
    Info,
    Node,
    Party,
    Programme,
    Source,
    TimelineEvent,
    about,
    answers,
    global_id,
)
from gateway.reading import Place, Stream, Wanted, cursor_of
from projections.cities import CITIES
from projections.partnerships import PARTNERSHIPS

MOST = 100
PAGE = 20

_CITY, _PARTNERSHIP = about(CITIES), about(PARTNERSHIPS)

StatusFilter = Annotated[list[Status] | None, strawberry.argument(description="In one of these statuses.")]
FormFilter = Annotated[list[FormCode] | None, strawberry.argument(description="With one of these forms.")]
TextFilter = Annotated[
    str | None,
    strawberry.argument(description="With every word of this text in a title, aim, place, number or name of a party."),
]
First = Annotated[int | None, strawberry.argument(description=f"How many at most: 1 to {MOST}.")]
After = Annotated[
    str | None, strawberry.argument(description="From behind this cursor: the `endCursor` of the page before.")
]


def wanted(city: str | None, status: list[Status] | None, form: list[FormCode] | None, text: str | None) -> Wanted:
    """What the arguments of a connection ask for."""
    return Wanted(
        city=city,
        statuses=tuple(each.value for each in status or ()),
        forms=tuple(each.value for each in form or ()),
        text=text,
    )


def bounds(first: int | None, after: str | None) -> tuple[int, Place | None]:
    """How many and from where; refuses other numbers than 1 to 100 and broken cursors."""
    first = PAGE if first is None else first
    if not 1 <= first <= MOST:
        raise GraphQLError(f"`first` is a number from 1 to {MOST}, not {first}.")
    try:
        return first, None if after is None else reading.place_of(after)
    except reading.BrokenCursor as broken:
        raise GraphQLError(f"`after`: {broken}") from None


def timelines(asking: Asking, streams: Sequence[Stream]) -> Together[Stream, list[reading.Entry]]:
    """The timelines of several partnerships or programmes."""
    return Together(
        streams, lambda keys: asking.bounded(reading.timelines(asking.connection, keys, most=FETCHED_AT_MOST))
    )


class Cities:
    """Cities that were found together, and everything that is asked of them together."""

    def __init__(self, asking: Asking, rows: Sequence[reading.City]) -> None:
        self.asking, self.rows = asking, rows
        self.tenants = [row.tenant for row in rows]
        self.programmes = Together(self.tenants, self._programmes)
        self._pages: dict[tuple[Wanted, int, Place | None], Together[UUID, list[Partnership]]] = {}
        self._totals: dict[Wanted, Together[UUID, int]] = {}

    def nodes(self) -> "list[City]":
        """The cities in their order."""
        return [City.of(row, self) for row in self.rows]

    def page(self, which: Wanted, limit: int, after: Place | None) -> "Together[UUID, list[Partnership]]":
        """The same page of each city's partnerships."""

        def fetch(tenants: Sequence[UUID]) -> dict[UUID, list[Partnership]]:
            found = self.asking.bounded(
                reading.partnerships_of_each(self.asking.connection, tenants, which, limit, after, most=FETCHED_AT_MOST)
            )
            nodes = iter(partnerships(self.asking, [row for tenant in tenants for row in found[tenant]]))
            return {tenant: [next(nodes) for _ in found[tenant]] for tenant in tenants}

        return self._pages.setdefault((which, limit, after), Together(self.tenants, fetch))

    def total(self, which: Wanted) -> Together[UUID, int]:
        """How many partnerships of each city are wanted."""

        def fetch(tenants: Sequence[UUID]) -> dict[UUID, int]:
            return reading.count_of_each(self.asking.connection, tenants, which)

        return self._totals.setdefault(which, Together(self.tenants, fetch))

    def _programmes(self, tenants: Sequence[UUID]) -> dict[UUID, list[Programme]]:
        rows = reading.programmes(self.asking.connection, tenants)
        together = timelines(self.asking, [row.stream for row in rows])
        found: dict[UUID, list[Programme]] = {tenant: [] for tenant in tenants}
        for row in rows:
            found[row.tenant].append(Programme.of(row, together))
        return found


@strawberry.type(description="A city with its own log. Where `compiled` is true, this is not the city's own record.")
class City(Node):
    """A city."""

    row: strawberry.Private[reading.City]
    among: strawberry.Private[Cities]
    slug: str = strawberry.field(description=_CITY["slug"])
    municipal_code: str | None = strawberry.field(description=_CITY["municipal_code"])
    name_ja: str = strawberry.field(description=_CITY["name_ja"])
    name_en: str = strawberry.field(description=_CITY["name_en"])
    population: int | None = strawberry.field(description=_CITY["population"])
    compiled: bool = strawberry.field(description=_CITY["compiled"])

    @answers("The publications that its record was taken from.")
    def sources(self) -> list[Source]:
        """Its sources."""
        clear = [in_clear("SourceRegistered", source, self.row.texts) for source in self.row.sources]
        return [
            Source(
                source=source["source"],
                dated=source["date"],
                publisher=source.get("publisher"),
                language=source["language"],
                about=source.get("about"),
            )
            for source in clear
        ]

    @answers("Its programmes (制度).")
    def programmes(self, info: Info) -> list[Programme]:
        """Its programmes."""
        return info.context.spend(self.among.programmes.of(self.row.tenant))

    @answers("Its partnerships, by number.")
    def partnerships(
        self,
        info: Info,
        *,
        status: StatusFilter = None,
        form: FormFilter = None,
        text: TextFilter = None,
        first: First = PAGE,
        after: After = None,
    ) -> "PartnershipConnection":
        """One page of its partnerships."""
        which = wanted(None, status, form, text)
        count, place = bounds(first, after)
        found = self.among.page(which, count + 1, place).of(self.row.tenant)
        totals = self.among.total(which)
        return PartnershipConnection.of(info.context, found, count, after, lambda: totals.of(self.row.tenant))

    @classmethod
    def of(cls, row: reading.City, among: Cities) -> "City":
        """From its row."""
        return cls(
            row=row,
            among=among,
            id=global_id("City", row.tenant),
            slug=row.slug,
            municipal_code=row.municipal_code,
            name_ja=row.name_ja,
            name_en=row.name_en,
            population=row.population,
            compiled=row.compiled,
        )


@strawberry.type(description="A partnership (協働) as it stands now.")
class Partnership(Node):
    """A partnership."""

    row: strawberry.Private[reading.Partnership]
    among: strawberry.Private["Partnerships"]
    number: str = strawberry.field(description=_PARTNERSHIP["number"])
    status: Status = strawberry.field(description=_PARTNERSHIP["status"])
    title_ja: str | None = strawberry.field(description=_PARTNERSHIP["title_ja"])
    title_en: str | None = strawberry.field(description=_PARTNERSHIP["title_en"])
    title_translated: str | None = strawberry.field(description=_PARTNERSHIP["title_translated"])
    kind: str | None = strawberry.field(description=_PARTNERSHIP["kind"])
    origin: Origin | None = strawberry.field(description=_PARTNERSHIP["origin"])
    city_role: CityRole | None = strawberry.field(description=_PARTNERSHIP["city_role"])
    lead_area: str | None = strawberry.field(description=_PARTNERSHIP["lead_area"])
    field: str | None = strawberry.field(description=_PARTNERSHIP["field"])
    place: str | None = strawberry.field(description=_PARTNERSHIP["place"])
    objective: str | None = strawberry.field(description=_PARTNERSHIP["objective"])
    joint: bool = strawberry.field(description=_PARTNERSHIP["joint"])
    forms: list[FormCode] = strawberry.field(description=_PARTNERSHIP["forms"])
    submissions: int = strawberry.field(description=_PARTNERSHIP["submissions"])
    rejections: int = strawberry.field(description=_PARTNERSHIP["rejections"])
    renewals: int = strawberry.field(description=_PARTNERSHIP["renewals"])
    agreed: str | None = strawberry.field(description=_PARTNERSHIP["agreed"])
    ended: str | None = strawberry.field(description=_PARTNERSHIP["ended"])
    version: int = strawberry.field(description=_PARTNERSHIP["version"])

    @answers(_PARTNERSHIP["anomalies"])
    def anomalies(self) -> list[Anomaly]:
        """Broken rules."""
        return [Anomaly.of(rule) for rule in self.row.anomalies]

    @answers("The city that records it.")
    def city(self) -> City:
        """Its city."""
        return self.among.cities.of(self.row.tenant)

    @answers(_PARTNERSHIP["programme"])
    def programme(self) -> Programme | None:
        """Its programme."""
        programmes = self.among.cities.of(self.row.tenant).among.programmes.of(self.row.tenant)
        return next((each for each in programmes if each.slug == self.row.programme), None)

    @answers("Who takes part.")
    def parties(self, info: Info) -> list[Party]:
        """Its parties in their order."""
        return [Party.of(row) for row in info.context.spend(self.among.parties.of(self.row.stream))]

    @answers("What happened, in its place.")
    def timeline(self, info: Info) -> list[TimelineEvent]:
        """Its events in order."""
        return [TimelineEvent.of(row) for row in info.context.spend(self.among.timelines.of(self.row.stream))]

    @classmethod
    def of(cls, row: reading.Partnership, among: "Partnerships") -> "Partnership":
        """From its row."""
        return cls(
            row=row,
            among=among,
            id=global_id("Partnership", row.tenant, row.partnership_id),
            number=row.number,
            status=Status(row.status),
            title_ja=row.title_ja,
            title_en=row.title_en,
            title_translated=row.title_translated,
            kind=row.kind,
            origin=Origin(row.origin) if row.origin else None,
            city_role=CityRole(row.city_role) if row.city_role else None,
            lead_area=row.lead_area,
            field=row.field,
            place=row.place,
            objective=row.objective,
            joint=row.joint,
            forms=[FormCode(form) for form in row.forms],
            submissions=row.submissions,
            rejections=row.rejections,
            renewals=row.renewals,
            agreed=row.agreed,
            ended=row.ended,
            version=row.version,
        )


class Partnerships:
    """What the partnerships of one page, or of the pages of several cities, fetch together."""

    def __init__(self, asking: Asking, rows: Sequence[reading.Partnership]) -> None:
        streams: list[Stream] = [row.stream for row in rows]
        tenants = list(dict.fromkeys(row.tenant for row in rows))
        self.parties = Together(
            streams, lambda keys: asking.bounded(reading.parties(asking.connection, keys, most=FETCHED_AT_MOST))
        )
        self.timelines = timelines(asking, streams)
        self.cities = Together(
            tenants,
            lambda keys: {
                node.row.tenant: node for node in Cities(asking, reading.cities(asking.connection, keys)).nodes()
            },
        )


def partnerships(asking: Asking, rows: Sequence[reading.Partnership]) -> list[Partnership]:
    """The nodes of rows that were found together."""
    among = Partnerships(asking, rows)
    return [Partnership.of(row, among) for row in rows]


@strawberry.type(description="Where a page of a connection stands.")
class PageInfo:
    """Relay's PageInfo, forwards."""

    has_next_page: bool = strawberry.field(description="Whether more follow.")
    has_previous_page: bool = strawberry.field(description="Whether the page began behind a cursor.")
    start_cursor: str | None = strawberry.field(description="The cursor of the first edge.")
    end_cursor: str | None = strawberry.field(description="The cursor of the last edge: the next page's `after`.")


@strawberry.type(description="A partnership in a connection.")
class PartnershipEdge:
    """Relay's edge."""

    cursor: str = strawberry.field(description="Leads behind this partnership; stays valid when others come in.")
    node: Partnership = strawberry.field(description="The partnership.")


@strawberry.type(description="Partnerships by municipal code and number.")
class PartnershipConnection:
    """Relay's connection."""

    edges: list[PartnershipEdge] = strawberry.field(description="This page.")
    page_info: PageInfo = strawberry.field(description="Where this page stands.")
    total: strawberry.Private[Callable[[], int]]

    @answers("How many there are on all pages.")
    def total_count(self) -> int:
        """Counted when asked for."""
        return self.total()

    @classmethod
    def of(
        cls, asking: Asking, found: Sequence[Partnership], first: int, after: str | None, total: Callable[[], int]
    ) -> "PartnershipConnection":
        """A page of `first` from one more that was found; `total` counts when called."""
        edges = [PartnershipEdge(cursor=cursor_of(node.row), node=node) for node in asking.spend(found[:first])]
        info = PageInfo(
            has_next_page=len(found) > first,
            has_previous_page=after is not None,
            start_cursor=edges[0].cursor if edges else None,
            end_cursor=edges[-1].cursor if edges else None,
        )
        return cls(edges=edges, page_info=info, total=total)
