"""実施: roles, facilities, rotation, and what was carried out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from domain import errors
from domain.event import Context
from domain.partnership.consultation import given
from domain.partnership.state import Partnership, PartnershipEvent
from domain.rules import Form
from domain.text import PartyId, Text
from domain.values import Code, Count, FiscalYear, Frozen, Slug
from domain.vocabulary import EARLY, OPEN, CityRole, Status, Step

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class ActivityStarted(PartnershipEvent):
    """The agreed work begins (開始)."""

    needs = EARLY | frozenset({Status.ACCEPTED, Status.MODEL_YEAR, Status.TRIAL, Status.AGREED, Status.ACTIVE})
    leads = Status.ACTIVE
    step = Step.ACTIVITY
    activity: Text | None = None


class Audience(Frozen):
    """Whom an activity is for; minors appear as counts only."""

    who: Text
    people: Count | None = None


class ActivityConfirmed(PartnershipEvent):
    """That the activity was carried out in a period."""

    by: PartyId | None = None
    activity: Text
    aim: Text | None = None
    slogan: Text | None = None
    result: Text | None = None
    fiscal_year: FiscalYear | None = None
    city_role: CityRole | None = None
    forms: tuple[Form, ...] = ()
    attendees: tuple[Text, ...] = ()
    audience: Audience | None = None
    abilities: tuple[Text, ...] = ()
    programmes: tuple[Text, ...] = ()
    open_to: Code | None = None
    meetings: Count | None = None
    lectures: Count | None = None
    people: Count | None = None
    times: Count | None = None

    def named_parties(self) -> Iterable[str]:
        return given(self.by)

    def apply(self, state: Partnership) -> Partnership:
        codes = (code.value for form in self.forms for code in form.codes)
        forms = (*state.forms, *(code for code in codes if code not in state.forms))
        return state.having(activities=state.activities + 1, forms=forms)


class Assignment(Frozen):
    """What one party does, brings, pays and gains. Left out: the source does not say."""

    party: PartyId
    duties: tuple[Text, ...] = ()
    resources: tuple[Text, ...] = ()
    costs: Literal["NONE", "OWN", "SHARED"] | None = None
    benefit: Text | None = None


class ActivityRoles(Frozen):
    """The roles in one activity, where they differ from one to the next."""

    activity: Text
    city_role: CityRole | None = None
    forms: tuple[Form, ...] = ()
    roles: tuple[Assignment, ...] = ()


class Unassigned(Frozen):
    """A duty whose bearer the source does not settle."""

    duty: Text
    why: Text | None = None


class RolesAssigned(PartnershipEvent):
    """Who does what (役割分担): per party its duties, resources and costs, for the whole or per activity."""

    needs = OPEN
    roles: tuple[Assignment, ...] = ()
    activities: tuple[ActivityRoles, ...] = ()
    unassigned: tuple[Unassigned, ...] = ()
    as_expected_by: PartyId | None = None
    benefit: Text | None = None
    users_benefit: Text | None = None
    shared_aim: Text | None = None

    def named_parties(self) -> Iterable[str]:
        everywhere = (*self.roles, *(role for activity in self.activities for role in activity.roles))
        return given(*(role.party for role in everywhere), self.as_expected_by)

    def apply(self, state: Partnership) -> Partnership:
        codes = (c.value for activity in self.activities for form in activity.forms for c in form.codes)
        return state.having(forms=(*state.forms, *(code for code in codes if code not in state.forms)))


class FacilityEstablished(PartnershipEvent):
    """A facility exists, with who manages and who owns it (施設)."""

    facility: Slug
    description: Text | None = None
    name: Text | None = None
    managed_by: PartyId | None = None
    owner: PartyId | None = None
    beside: Text | None = None

    def named_parties(self) -> Iterable[str]:
        return given(self.managed_by, self.owner)

    def apply(self, state: Partnership) -> Partnership:
        return state.having(facilities=(*state.facilities, self.facility))


class FacilityTransferred(PartnershipEvent):
    """Ownership, management or use of a facility passes from one party to another."""

    needs = OPEN
    facility: Slug
    right: Literal["OWNERSHIP", "MANAGEMENT", "USE"]
    from_party: PartyId
    to_party: PartyId
    owner_after: PartyId | None = None

    def named_parties(self) -> Iterable[str]:
        return given(self.from_party, self.to_party, self.owner_after)

    def breaks_rules(self, state: Partnership, context: Context) -> Iterator[errors.RuleViolated]:
        if self.facility not in state.facilities:
            yield errors.FacilityUnknown()


class RotationAgreed(PartnershipEvent):
    """Several cities take turns as host (持ち回り); rotation is not ownership. `order` only where it is known."""

    hosts: tuple[PartyId, ...] = Field(min_length=2)
    order: tuple[PartyId, ...] = ()
    first_host: PartyId | None = None

    def named_parties(self) -> Iterable[str]:
        return given(*self.hosts, *self.order, self.first_host)

    def apply(self, state: Partnership) -> Partnership:
        return state.having(hosts=self.hosts)


class HostRotated(PartnershipEvent):
    """One of the cities is host, for a fiscal year where known (持ち回り開催); it does not own the record."""

    needs = OPEN
    host: PartyId
    fiscal_year: FiscalYear | None = None
    place: Text | None = None

    def named_parties(self) -> Iterable[str]:
        return (self.host,)

    def breaks_rules(self, state: Partnership, context: Context) -> Iterator[errors.RuleViolated]:
        if self.host not in state.hosts:
            yield errors.NotAJointHost(party=self.host)

    def apply(self, state: Partnership) -> Partnership:
        return state.having(hosted=(*state.hosted, (self.host, self.fiscal_year)))
