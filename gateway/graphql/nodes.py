"""The GraphQL types that stand for one row of the read models each."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Callable
from datetime import date, datetime
from typing import TypeVar
from uuid import UUID

import strawberry
from graphql import GraphQLError
from strawberry.scalars import JSON

from domain.commands import BY_EVENT
from domain.dates import display
from domain.event import Certainty, Mode
from domain.rules import Rules
from domain.vocabulary import CityRole, FormCode, Labelled, Origin, PartyKind, Status
from gateway import reading
from gateway.events import in_clear, part_in_clear
from gateway.graphql.loaders import Asking, Together
from gateway.reading import Stream
from gateway.refusals import explained
from projections.cities import PROGRAMMES
from projections.partnerships import PARTIES
from projections.read_model import ReadModel
from projections.timeline import TIMELINE

Info = strawberry.Info[Asking, None]


def _enum(vocabulary: type[Labelled], name: str) -> None:
    described = strawberry.enum(vocabulary, name=name, description=(vocabulary.__doc__ or "").strip())
    for value in described.__strawberry_definition__.values:  # type: ignore[attr-defined]
        member = vocabulary(value.value)
        value.description = f"{member.ja} / {member.en}"


_enum(Status, "PartnershipStatus")
_enum(FormCode, "FormCode")
_enum(Origin, "Origin")
_enum(CityRole, "CityRole")
_enum(PartyKind, "PartyKind")
strawberry.enum(Mode, name="EntryMode", description=Mode.__doc__)
strawberry.enum(Certainty, name="Certainty", description=Certainty.__doc__)


_Answer = TypeVar("_Answer")


def answers(description: str) -> Callable[[_Answer], _Answer]:
    """A field that is answered when asked for; the type checker sees the method as it is written."""

    def field(resolver: _Answer) -> _Answer:
        resolved: _Answer = strawberry.field(resolver=resolver, description=description)  # type: ignore[call-overload]
        return resolved

    return field


def about(model: ReadModel) -> dict[str, str]:
    """The descriptions of a read model's columns, by name."""
    columns = (*model.key, *model.columns)
    return {column.name: column.description for column in columns}


_PROGRAMME, _PARTY, _TIMELINE = about(PROGRAMMES), about(PARTIES), about(TIMELINE)


def global_id(kind: str, *parts: object) -> strawberry.ID:
    """An opaque id that names one object of this service, for ever."""
    return strawberry.ID(urlsafe_b64encode(f"{kind}:{'/'.join(map(str, parts))}".encode()).decode().rstrip("="))


def named_by(given: str) -> tuple[str, list[UUID]]:
    """The kind and the ids behind a global id; refuses what this service did not give out."""
    try:
        kind, _, ids = urlsafe_b64decode(given.encode("ascii") + b"=" * (-len(given) % 4)).decode().partition(":")
        return kind, [UUID(each) for each in ids.split("/")]
    except (NotBase64, ValueError):
        raise GraphQLError("The id is not one that this service gave out.") from None


@strawberry.interface(description="An object with a global id.")
class Node:
    """Relay's Node."""

    id: strawberry.ID = strawberry.field(description="Global id: opaque and permanent.")


@strawberry.type(description="A rule that an imported event breaks: it was accepted because it happened.")
class Anomaly:
    """A broken rule, explained."""

    rule: str = strawberry.field(description="The rule's stable name.")
    message_ja: str = strawberry.field(description="What it says, in Japanese.")
    message_en: str = strawberry.field(description="What it says, in English.")

    @classmethod
    def of(cls, rule: str) -> "Anomaly":
        """The rule of that name."""
        return cls(rule=rule, message_ja=explained(rule, "ja"), message_en=explained(rule, "en"))


@strawberry.type(description="When something happened, never more precise than its source.")
class ValidTime:
    """Valid time."""

    edtf: str = strawberry.field(description=_TIMELINE["valid"])
    earliest: date | None = strawberry.field(description=_TIMELINE["earliest"])
    latest: date | None = strawberry.field(description=_TIMELINE["latest"])
    certainty: Certainty = strawberry.field(description=_TIMELINE["certainty"])
    label: str | None = strawberry.field(description=_TIMELINE["label"])
    inferred_from: str | None = strawberry.field(description=_TIMELINE["inferred_from"])

    @answers("The date in Japanese words.")
    def display_ja(self) -> str:
        """2016年度中."""
        return display(self.edtf, "ja")

    @answers("The date in English words.")
    def display_en(self) -> str:
        """During FY2016."""
        return display(self.edtf, "en")


@strawberry.type(description="An event of a timeline, as it now counts.")
class TimelineEvent:
    """An event."""

    row: strawberry.Private[reading.Entry]
    version: int = strawberry.field(description=_TIMELINE["version"])
    place: int = strawberry.field(description=_TIMELINE["place"])
    type: str = strawberry.field(description=_TIMELINE["type"])
    label_ja: str = strawberry.field(description="What happened, in Japanese.")
    label_en: str = strawberry.field(description="What happened, in English.")
    position: int = strawberry.field(description=_TIMELINE["position"])
    leaf_hash: str = strawberry.field(description=_TIMELINE["leaf_hash"])
    recorded_at: datetime = strawberry.field(description=_TIMELINE["recorded_at"])
    mode: Mode = strawberry.field(description=_TIMELINE["mode"])
    source: str | None = strawberry.field(description=_TIMELINE["source"])
    corrected_by: int | None = strawberry.field(description=_TIMELINE["corrected_by"])
    programme: str | None = strawberry.field(description=_TIMELINE["programme"])
    programme_version: int | None = strawberry.field(description=_TIMELINE["programme_version"])

    @answers("Where this service proves that its entry stands in the city's log: a C2SP tlog-proof, entry included.")
    def proof(self) -> str:
        """The path of the proof."""
        return f"/log/{self.row.city}/proof/{self.row.position}"

    @answers("When it happened.")
    def valid(self) -> ValidTime:
        """Valid time."""
        return ValidTime(
            edtf=self.row.valid,
            earliest=self.row.earliest,
            latest=self.row.latest,
            certainty=Certainty(self.row.certainty),
            label=self.row.label,
            inferred_from=self.row.inferred_from,
        )

    @answers(_TIMELINE["breaks"])
    def breaks(self) -> list[Anomaly]:
        """Broken rules."""
        return [Anomaly.of(rule) for rule in self.row.breaks]

    @answers("Its fields, texts in their place; a text that is not public, or was withdrawn, is null.")
    def data(self) -> JSON:
        """The data in clear."""
        return JSON(in_clear(self.row.type, self.row.data, self.row.texts))

    @classmethod
    def of(cls, row: reading.Entry) -> "TimelineEvent":
        """From its row."""
        known = BY_EVENT[row.type]
        return cls(
            row=row,
            version=row.version,
            place=row.place,
            type=row.type,
            label_ja=known.ja,
            label_en=known.en,
            position=row.position,
            leaf_hash=row.leaf_hash,
            recorded_at=row.recorded_at,
            mode=Mode(row.mode),
            source=row.source,
            corrected_by=row.corrected_by,
            programme=row.programme,
            programme_version=row.programme_version,
        )


@strawberry.type(description="A party of a partnership.")
class Party:
    """A party."""

    id: strawberry.ID = strawberry.field(description=f"{_PARTY['party_id']} The same that events name in `data`.")
    kind: PartyKind | None = strawberry.field(description=_PARTY["kind"])
    roles: list[str] = strawberry.field(description=_PARTY["roles"])
    city_role: CityRole | None = strawberry.field(description=_PARTY["city_role"])
    count: int | None = strawberry.field(description=_PARTY["count"])
    invited: str | None = strawberry.field(description=_PARTY["invited"])
    members: list[strawberry.ID] = strawberry.field(description=_PARTY["members"])
    name_ja: str | None = strawberry.field(description=_PARTY["name_ja"])
    name_en: str | None = strawberry.field(description=_PARTY["name_en"])

    @classmethod
    def of(cls, row: reading.Party) -> "Party":
        """From its row."""
        return cls(
            id=strawberry.ID(row.party_id),
            kind=PartyKind(row.kind) if row.kind else None,
            roles=row.roles,
            city_role=CityRole(row.city_role) if row.city_role else None,
            count=row.count,
            invited=row.invited,
            members=[strawberry.ID(member) for member in row.members],
            name_ja=row.name_ja,
            name_en=row.name_en,
        )


@strawberry.type(description="A publication that facts were taken from.")
class Source:
    """A source."""

    source: str = strawberry.field(description="Its name within the city, as events give it.")
    dated: str = strawberry.field(name="date", description="Its date or the bounds of it (EDTF).")
    publisher: str | None = strawberry.field(description="Its publisher; null where none is named.")
    language: str = strawberry.field(description="The language it is written in.")
    about: str | None = strawberry.field(description="What it is.")


@strawberry.type(description="A programme (制度): the rules under which partnerships are made.")
class Programme:
    """A programme."""

    row: strawberry.Private[reading.Programme]
    slug: str = strawberry.field(description=_PROGRAMME["slug"])
    version: int = strawberry.field(description=_PROGRAMME["version"])
    effective: str | None = strawberry.field(description=_PROGRAMME["effective"])
    standing: str | None = strawberry.field(description=_PROGRAMME["standing"])
    title_ja: str | None = strawberry.field(description=_PROGRAMME["title_ja"])
    title_en: str | None = strawberry.field(description=_PROGRAMME["title_en"])
    timelines: strawberry.Private[Together[Stream, list[reading.Entry]]]

    @answers("The rule set of the latest version; what the source does not state is left out.")
    def rules(self) -> JSON:
        """The rules in clear."""
        return JSON(part_in_clear(Rules, self.row.rules, self.row.texts))

    @answers("Its own events: versions, instruments, measures, statements, coverage.")
    def timeline(self, info: Info) -> list[TimelineEvent]:
        """Its events in order."""
        return [TimelineEvent.of(entry) for entry in info.context.spend(self.timelines.of(self.row.stream))]

    @classmethod
    def of(cls, row: reading.Programme, timelines: Together[Stream, list[reading.Entry]]) -> "Programme":
        """From its row."""
        return cls(
            row=row,
            slug=row.slug,
            version=row.version,
            effective=row.effective,
            standing=row.standing,
            title_ja=row.title_ja,
            title_en=row.title_en,
            timelines=timelines,
        )
