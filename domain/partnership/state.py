"""What a partnership is at some moment, and what every event of its stream has in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from domain import errors
from domain.decider import Context, Event, State
from domain.text import Disclosed, PartyId, Visibility
from domain.values import Code, Count, Frozen
from domain.vocabulary import KNOWN, CityRole, Origin, PartyKind, RejectionCode, Status, SubmissionKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_CLOSED_KINDS = frozenset({PartyKind.INDIVIDUAL, PartyKind.SOLE_PROPRIETOR})


def name_visibility(party: dict[str, Any]) -> Visibility:
    """Names of individuals and sole proprietors are closed by default (domain.md §3.6)."""
    return Visibility.PERSONAL if party.get("kind") in _CLOSED_KINDS else Visibility.PUBLIC


PartyName = Annotated[str, Disclosed(name_visibility, subject="party")]


class Party(Frozen):
    """A party: opaque id, kind, roles in this partnership. `count` None: how many stand behind it is not stated."""

    party: PartyId
    kind: PartyKind | None = None
    roles: tuple[Code, ...] = ()
    city_role: CityRole | None = None
    count: Count | None = None
    name_ja: PartyName
    name_en: PartyName | None = None


class Membership(Frozen):
    """A party as it stands now."""

    party: Party
    kind: PartyKind | None = None
    invited: str | None = None
    members: tuple[str, ...] = ()


class Submission(Frozen):
    """A numbered proposal and what became of it (ACCEPTED, REJECTED, WITHDRAWN or None while undecided)."""

    number: int
    kind: SubmissionKind
    outcome: Status | None = None
    codes: tuple[RejectionCode, ...] = ()


class Agreement(Frozen):
    """An agreement and its terms; `ended` is how it ended, None while in force."""

    number: int
    instrument: str | None = None
    forms: tuple[str, ...] = ()
    began: str
    term: str | None = None
    auto_renewal: bool | None = None
    renewals: int = 0
    ended: Status | None = None


class Partnership(State):
    """A partnership folded from its events. Texts are digests; `status` None is a stream that was never registered."""

    number: str = ""
    programme: str = ""
    status: Status | None = None
    resumes: Status | None = None
    title_ja: str | None = None
    title_en: str | None = None
    title_translated: str | None = None
    kind: str | None = None
    origin: Origin | None = None
    city_role: CityRole | None = None
    lead_area: str | None = None
    field: str | None = None
    place: str | None = None
    objective: str | None = None
    joint: bool = False
    parties: tuple[Membership, ...] = ()
    submissions: tuple[Submission, ...] = ()
    reviewed: tuple[int, ...] = ()
    agreements: tuple[Agreement, ...] = ()
    trials: tuple[bool, ...] = ()
    surveys: tuple[bool, ...] = ()
    model_years: tuple[tuple[str, int, bool], ...] = ()
    forms: tuple[str, ...] = ()
    facilities: int = 0
    activities: int = 0
    ended: str | None = None

    def membership(self, party: str) -> Membership | None:
        """The party as it stands now."""
        return next((known for known in self.parties if known.party.party == party), None)

    def with_membership(self, changed: Membership) -> Partnership:
        """The state with one party replaced, or added when it is new."""
        if self.membership(changed.party.party) is None:
            return self.having(parties=(*self.parties, changed))
        same = changed.party.party
        return self.having(parties=tuple(changed if p.party.party == same else p for p in self.parties))

    @property
    def pending(self) -> Submission | None:
        """The submission that awaits a decision."""
        last = self.submissions[-1] if self.submissions else None
        return last if last is not None and last.outcome is None else None

    @property
    def agreement(self) -> Agreement | None:
        """The last agreement in force."""
        return next((known for known in reversed(self.agreements) if known.ended is None), None)

    @property
    def was_tried(self) -> bool:
        """Whether a trial, a model year or an agreement existed."""
        return bool(self.trials or self.model_years or self.agreements)


def finished(runs: tuple[bool, ...]) -> tuple[bool, ...]:
    """The runs (surveys, trials) with the last unfinished one finished; an end that nothing began counts as a run."""
    at = max((at for at, done in enumerate(runs) if not done), default=len(runs))
    return (*runs[:at], True, *runs[at + 1 :])


class PartnershipEvent(Event):
    """An event of a partnership's stream.

    `needs`: the statuses that admit it. `leads`: the status to which it moves the partnership, if it does; `leads_from`
    narrows the move to some statuses: elsewhere the event is a fact that leaves the status as it is.
    """

    folds_into: ClassVar[type[State]] = Partnership
    needs: ClassVar[frozenset[Status]] = KNOWN
    leads: ClassVar[Status | None] = None
    leads_from: ClassVar[frozenset[Status] | None] = None

    def named_parties(self) -> Iterable[str]:
        """The parties that this event speaks of; all of them must belong to the partnership."""
        return ()

    def check(self, state: Partnership, context: Context) -> None:
        if state.status is None:
            raise errors.NotFound(what="partnership", name="of this stream")
        for party in self.named_parties():
            if state.membership(party) is None:
                raise errors.NotFound(what="party", name=party)

    def violations(self, state: Partnership, context: Context) -> Iterator[errors.RuleViolated]:
        if state.status not in self.needs:
            yield errors.StatusForbids(
                event=type(self).__name__, status=state.status, needs=", ".join(sorted(self.needs))
            )
        yield from self.breaks_rules(state, context)

    def breaks_rules(self, state: Partnership, context: Context) -> Iterator[errors.RuleViolated]:
        """The rules beyond the status that this event breaks."""
        yield from ()

    def evolve(self, state: Partnership) -> Partnership:
        state = self.apply(state)
        moves = self.leads is not None and (self.leads_from is None or state.status in self.leads_from)
        return state.having(status=self.leads) if moves else state

    def apply(self, state: Partnership) -> Partnership:
        """What changes beside the status."""
        return state


class PartnershipRegistered(PartnershipEvent):
    """A partnership enters the register with title, kind and parties; undated where no source tells of it."""

    leads = Status.REGISTERED
    number: Code
    programme: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,79}$")
    title_ja: Annotated[str, Disclosed()]
    title_en: Annotated[str, Disclosed()] | None = None
    title_translated: str | None = Field(default=None, pattern=r"^(ja|en)$")
    kind: Code | None = None
    parties: tuple[Party, ...] = Field(min_length=1)
    origin: Origin | None = None
    city_role: CityRole | None = None
    lead_area: Code | None = None
    field: Code | None = None
    place: Annotated[str, Disclosed()] | None = None
    objective: Annotated[str, Disclosed()] | None = None
    joint: bool = False
    recording_city: str | None = Field(default=None, pattern=r"^[a-z0-9-]{1,80}$")
    secretariat: PartyId | None = None

    def check(self, state: Partnership, context: Context) -> None:
        if state.status is not None:
            raise errors.AlreadyExists(what="partnership", name=self.number)
        named = [party.party for party in self.parties]
        if len(set(named)) != len(named):
            raise errors.AlreadyExists(what="party", name=max(named, key=named.count))

    def violations(self, state: Partnership, context: Context) -> Iterator[errors.RuleViolated]:
        if context.rules.kinds and self.kind is not None and self.kind not in {k.code for k in context.rules.kinds}:
            yield errors.StageNotPartOfProgramme(programme=self.programme, stage=self.kind)

    def apply(self, state: Partnership) -> Partnership:
        return state.having(
            number=self.number,
            programme=self.programme,
            title_ja=self.title_ja,
            title_en=self.title_en,
            title_translated=self.title_translated,
            kind=self.kind,
            origin=self.origin,
            city_role=self.city_role,
            lead_area=self.lead_area,
            field=self.field,
            place=self.place,
            objective=self.objective,
            joint=self.joint,
            parties=tuple(Membership(party=party, kind=party.kind) for party in self.parties),
        )
