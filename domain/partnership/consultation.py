"""相談・協議: the desk, invitations, resources, meetings, surveys — everything before a proposal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field, StringConstraints

from domain import errors
from domain.dates import Edtf
from domain.event import Context
from domain.partnership.parts import Membership, Party, name_visibility
from domain.partnership.state import Partnership, PartnershipEvent, finished, roles_unknown
from domain.text import Disclosed, Note, PartyId, Text, Visibility
from domain.values import Code, Count, Duration, FiscalYear, Frozen, Ordinal, Slug, Yen
from domain.vocabulary import EARLY, OPEN, REFUSED, ConsultationOutcome, PartyKind, Status, Step

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def given(*parties: str | None) -> tuple[str, ...]:
    """The parties that are named at all."""
    return tuple(party for party in parties if party is not None)


class ConsultationOpened(PartnershipEvent):
    """Somebody brings a matter to the desk; a partnership need not exist yet. `by` None: it is not stated who."""

    needs = OPEN
    leads = Status.CONSULTING
    leads_from = frozenset({None, Status.REGISTERED})
    step = Step.CONSULTATION
    at_desk = True
    by: PartyId | None = None
    at: PartyId | None = None
    topic: Text
    field: Code | None = None
    occupation: Text | None = None
    place: Text | None = None
    programme: Slug | None = None

    def named_parties(self) -> Iterable[str]:
        return given(self.by, self.at)

    def check(self, state: Partnership, context: Context) -> None:
        if state.status is not None:
            super().check(state, context)

    def violations(self, state: Partnership, context: Context) -> Iterator[errors.RuleViolated]:
        if state.status is not None:
            yield from super().violations(state, context)

    def apply(self, state: Partnership) -> Partnership:
        return state.having(consulted=True, programme=state.programme or self.programme or "")


class ConsultationRouted(PartnershipEvent):
    """The desk passes the matter on, to a department or to another body (担当課紹介)."""

    needs = OPEN
    at_desk = True
    to: PartyId | None = None
    department: Text | None = None
    by: PartyId | None = None
    reason: Text | None = None

    def named_parties(self) -> Iterable[str]:
        return given(self.to, self.by)

    def check(self, state: Partnership, context: Context) -> None:
        super().check(state, context)
        if self.to is None and self.department is None:
            raise errors.NotFound(what="field", name="to or department, one of which says where the matter goes")


class PartnerSought(PartnershipEvent):
    """A partner is looked for: what is lacking, and who is asked (相手先募集)."""

    needs = OPEN
    at_desk = True
    by: PartyId | None = None
    lacking: tuple[Text, ...] = Field(min_length=1)
    sought: PartyKind | None = None
    asked: tuple[PartyId, ...] = ()

    def named_parties(self) -> Iterable[str]:
        return given(self.by, *self.asked)


class ConsultationClosed(PartnershipEvent):
    """The consultation is over: on to a proposal, or ended as a private venture, with advice, or with nothing."""

    at_desk = True
    needs = EARLY
    outcomes = frozenset({Status.CLOSED})
    outcome: ConsultationOutcome
    text: Text | None = None
    venture_by: PartyId | None = None

    def named_parties(self) -> Iterable[str]:
        return given(self.venture_by)

    def apply(self, state: Partnership) -> Partnership:
        if self.outcome is ConsultationOutcome.PROPOSAL:
            return state
        return state.having(status=Status.CLOSED, ended=self.valid.edtf)


class ResourceOffered(PartnershipEvent):
    """A party offers a resource: space, people, knowledge."""

    at_desk = True
    party: PartyId
    kind: Code
    what: Text
    share: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,3}/[0-9]{1,3}$")] | None = None
    place: Annotated[str, Disclosed(Visibility.PERSONAL, subject="party")] | None = None

    def named_parties(self) -> Iterable[str]:
        return (self.party,)


class PartyInvited(PartnershipEvent):
    """The city, a coordinator or a party asks a party to take part; a party not listed yet comes with its name."""

    needs = OPEN
    party: PartyId
    kind: PartyKind | None = None
    name_ja: Annotated[str, Disclosed(name_visibility, subject="party")] | None = None
    name_en: Annotated[str, Disclosed(name_visibility, subject="party")] | None = None
    by: PartyId | None = None
    role: Code | None = None
    invited_as: Code | None = None
    how: Code | None = None
    motive: Text | None = None
    people: Count | None = None

    def named_parties(self) -> Iterable[str]:
        return given(None if self.name_ja else self.party, self.by)

    def breaks_rules(self, state: Partnership, context: Context) -> Iterator[errors.RuleViolated]:
        if self.name_ja is not None:
            yield from roles_unknown([self._listed(self.name_ja)], context)

    def apply(self, state: Partnership) -> Partnership:
        if state.membership(self.party) is None and self.name_ja is not None:
            state = state.with_membership(Membership(party=self._listed(self.name_ja), kind=self.kind))
        return _mark(state, self.party, "INVITED")

    def _listed(self, name: str) -> Party:
        roles = (self.role,) if self.role else ()
        return Party(party=self.party, kind=self.kind, roles=roles, name_ja=name, name_en=self.name_en)


class InvitationAccepted(PartnershipEvent):
    """The invited party takes part."""

    party: PartyId
    motive: Text | None = None

    def named_parties(self) -> Iterable[str]:
        return (self.party,)

    def breaks_rules(self, state: Partnership, context: Context) -> Iterator[errors.RuleViolated]:
        known = state.membership(self.party)
        if known is None or known.invited != "INVITED":
            yield errors.NotInvited(party=self.party)

    def apply(self, state: Partnership) -> Partnership:
        return _mark(state, self.party, "ACCEPTED")


class InvitationDeclined(InvitationAccepted):
    """The invited party does not take part."""

    def apply(self, state: Partnership) -> Partnership:
        return _mark(state, self.party, "DECLINED")


def _mark(state: Partnership, party: str, invited: str) -> Partnership:
    known = state.membership(party)
    return state if known is None else state.with_membership(known.model_copy(update={"invited": invited}))


class PartyStatusChanged(PartnershipEvent):
    """A party changed its legal form, or a reorganised department passed its part on to a successor."""

    party: PartyId
    from_kind: PartyKind
    to_kind: PartyKind
    how: Code | None = None
    successor: PartyId | None = None

    def named_parties(self) -> Iterable[str]:
        return given(self.party, self.successor)

    def apply(self, state: Partnership) -> Partnership:
        known = state.membership(self.party)
        return state if known is None else state.with_membership(known.model_copy(update={"kind": self.to_kind}))


class PartyMembershipChanged(PartnershipEvent):
    """Who belongs to a federation, joint venture or committee, as parties where known and in words where not."""

    party: PartyId
    members: tuple[PartyId, ...] = ()
    members_text: tuple[Text, ...] = ()
    members_count: Count | None = None

    def named_parties(self) -> Iterable[str]:
        return (self.party, *self.members)

    def apply(self, state: Partnership) -> Partnership:
        known = state.membership(self.party)
        return state if known is None else state.with_membership(known.model_copy(update={"members": self.members}))


class MeetingPlanned(PartnershipEvent):
    """A meeting is going to take place."""

    at_desk = True
    needs = OPEN
    attendees: tuple[PartyId, ...] = ()
    convened_by: PartyId | None = None
    date: Edtf | None = None
    recurring: bool | None = None

    def named_parties(self) -> Iterable[str]:
        return given(*self.attendees, self.convened_by)


class MeetingHeld(PartnershipEvent):
    """A meeting, or a series over `length`, took place. `meetings` None: their number is not stated, which is not 0."""

    leads = Status.DELIBERATING
    leads_from = EARLY
    step = Step.DELIBERATION
    at_desk = True
    no: Ordinal | None = None
    kind: Code | None = None
    attendees: tuple[PartyId, ...] = ()
    others: Text | None = None
    convened_by: PartyId | None = None
    meetings: Count | None = None
    recurring: bool | None = None
    status: Code | None = None
    length: Duration | None = None
    length_certainty: Code | None = None
    summary: Text | None = None
    notes: Note | None = None

    def named_parties(self) -> Iterable[str]:
        return given(*self.attendees, self.convened_by)

    def apply(self, state: Partnership) -> Partnership:
        return state.having(meetings=state.meetings + 1)


class ObjectiveRefined(PartnershipEvent):
    """The shared objective is put more clearly."""

    at_desk = True
    needs = OPEN
    no: Ordinal | None = None
    text: Text
    said_by: PartyId | None = None

    def named_parties(self) -> Iterable[str]:
        return given(self.said_by)

    def apply(self, state: Partnership) -> Partnership:
        return state.having(objective=self.text)


class NeedsSurveyStarted(PartnershipEvent):
    """A survey of needs begins, possibly on a grant. Unknown yen is unknown, not 0."""

    needs = EARLY | REFUSED | frozenset({Status.ACCEPTED})
    leads = Status.SURVEYING
    step = Step.NEEDS_SURVEY
    programme: Slug | None = None
    fiscal_year: FiscalYear | None = None
    grant_yen: Yen | None = None

    def apply(self, state: Partnership) -> Partnership:
        return state.having(surveys=(*state.surveys, False))


class NeedsSurveyReported(PartnershipEvent):
    """The survey was carried out, and what it found where that is told."""

    programme: Slug | None = None
    fiscal_year: FiscalYear | None = None
    findings: tuple[Text, ...] = ()

    def breaks_rules(self, state: Partnership, context: Context) -> Iterator[errors.RuleViolated]:
        if False not in state.surveys:
            yield errors.NotStarted(what="survey")

    def apply(self, state: Partnership) -> Partnership:
        return state.having(surveys=finished(state.surveys))


class Service(Frozen):
    """A service by code, with the source's term and how it was read."""

    code: Code
    source_term: Text | None = None
    reading: Text | None = None


class ActivityLaunched(PartnershipEvent):
    """A group starts something of its own, before or beside the city."""

    party: PartyId
    by: Text | None = None
    people: Count | None = None
    means: Code | None = None
    services: tuple[Service, ...] = ()
    office: Code | None = None
    office_address: Annotated[str, Disclosed(Visibility.PERSONAL, subject="party")] | None = None
    contact: Text | None = None

    def named_parties(self) -> Iterable[str]:
        return (self.party,)
