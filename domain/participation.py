"""A city's part in a partnership that another city records: confirmed in its own log, counted once overall."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from domain import errors
from domain.dates import Edtf
from domain.event import Context, Event, State
from domain.text import Text
from domain.values import Code, Slug

if TYPE_CHECKING:
    from collections.abc import Iterator


class Participation(State):
    """What this city confirmed about a partnership recorded by another one."""

    recording_city: str = ""
    number: str = ""
    title_ja: str | None = None
    title_en: str | None = None
    since: str | None = None
    ended: str | None = None


class ParticipationConfirmed(Event):
    """This city takes part in a joint partnership that another city records (共同事業への参加の確認)."""

    folds_into: ClassVar[type[State]] = Participation
    recording_city: Slug
    number: Code
    title_ja: Text
    title_en: Text | None = None
    period: Edtf | None = None
    part: Text | None = None

    def check(self, state: Participation, context: Context) -> None:
        if state.recording_city:
            raise errors.AlreadyExists(what="participation", name=f"{self.recording_city}/{self.number}")

    def evolve(self, state: Participation) -> Participation:
        return state.having(
            recording_city=self.recording_city,
            number=self.number,
            title_ja=self.title_ja,
            title_en=self.title_en,
            since=self.period or self.valid.edtf,
        )


class ParticipationEnded(Event):
    """This city takes no part any more (共同事業への参加の終了)."""

    folds_into: ClassVar[type[State]] = Participation
    reason: Text | None = None

    def check(self, state: Participation, context: Context) -> None:
        if not state.recording_city:
            raise errors.NotFound(what="participation", name="of this stream")

    def violations(self, state: Participation, context: Context) -> Iterator[errors.RuleViolated]:
        if state.ended is not None:
            yield errors.ParticipationOver(ended=state.ended)

    def evolve(self, state: Participation) -> Participation:
        return state.having(ended=self.valid.edtf)
