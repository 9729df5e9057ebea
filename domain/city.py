"""A city's own stream: its dated attributes, its sources and its import windows."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from domain import errors
from domain.codes import MunicipalCode
from domain.dates import Edtf
from domain.event import Context, Event, State
from domain.text import Text
from domain.values import Code, Count, Frozen, Slug

if TYPE_CHECKING:
    from collections.abc import Iterator


class Source(Frozen):
    """A publication that facts were taken from."""

    source: str
    date: str
    publisher: str | None = None
    language: str
    about: str | None = None


class City(State):
    """What the city's own stream amounts to. `compiled`: the record was imported, it is not the city's own."""

    municipal_code: str | None = None
    slug: str | None = None
    name_ja: str | None = None
    name_en: str | None = None
    population: int | None = None
    sources: tuple[Source, ...] = ()
    window: int | None = None
    windows: int = 0
    window_compiled: bool = False
    compiled: bool = False


class CityEvent(Event):
    """An event of the city's own stream."""

    folds_into: ClassVar[type[State]] = City
    in_order: ClassVar[bool] = False

    def evolve(self, state: City) -> City:
        return state


class CityAttributeStated(CityEvent):
    """The city's code, names or population on a date; a merger or renaming is a new statement, nothing is rewritten."""

    slug: Slug | None = None
    municipal_code: MunicipalCode | None = None
    name_ja: Text | None = None
    name_en: Text | None = None
    population: Count | None = None

    def evolve(self, state: City) -> City:
        stated = self.model_dump(exclude_none=True, exclude={"valid", "breaks", "placed_after"})
        return state.having(**stated)


class TakenFrom(Frozen):
    """An earlier publication that a source repeats."""

    name: Text
    date: Edtf
    amended: bool | None = None


class SourceRegistered(CityEvent):
    """A publication from which facts are taken: publisher, language, and its date or the bounds of it."""

    source: Slug
    date: Edtf
    publisher: Text | None = None
    language: Literal["ja", "en"]
    about: Text | None = None
    copyright: Text | None = None
    contact: Text | None = None
    takes_from: TakenFrom | None = None

    def check(self, state: City, context: Context) -> None:
        if any(known.source == self.source for known in state.sources):
            raise errors.AlreadyExists(what="source", name=self.source)

    def evolve(self, state: City) -> City:
        source = Source(
            source=self.source,
            date=self.date,
            publisher=self.publisher,
            language=self.language,
            about=self.about,
        )
        return state.having(sources=(*state.sources, source))


class ImportWindowOpened(CityEvent):
    """Earlier records may be entered from now on in mode IMPORT; what breaks a rule is kept as an anomaly.

    `compiled`: they come out of publications, so that nothing of them waits under an embargo.
    """

    second_person: ClassVar[bool] = True
    reason: Text
    scope: Code
    compiled: bool = True

    def violations(self, state: City, context: Context) -> Iterator[errors.RuleViolated]:
        if state.window is not None:
            yield errors.ImportWindowAlreadyOpen()

    def evolve(self, state: City) -> City:
        number = state.windows + 1
        compiled = state.compiled or self.compiled
        return state.having(window=number, windows=number, window_compiled=self.compiled, compiled=compiled)


class ImportWindowClosed(CityEvent):
    """The import is over; `entered` counts the events that came in."""

    second_person: ClassVar[bool] = True
    entered: Count

    def violations(self, state: City, context: Context) -> Iterator[errors.RuleViolated]:
        if state.window is None:
            yield errors.ImportWindowNotOpen()

    def evolve(self, state: City) -> City:
        return state.having(window=None)
