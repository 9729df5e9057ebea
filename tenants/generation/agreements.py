"""協働協定: the town invites, tries for a year, agrees for three, renews; umbrellas, facilities, mere registration."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from domain.dates import plus
from tenants.generation import practice, words
from tenants.generation.life import number_of
from tenants.generation.town import BEGIN, DESK

if TYPE_CHECKING:
    from tenants.generation.life import Life, Term
    from tenants.generation.town import Party

_ITEMS = ("GOAL_REACHED", "MUTUAL_UNDERSTANDING")
_MOST_RENEWALS = 5
_ENDINGS = {"mainstreamed": 25, "completed": 25, "lapsed": 23, "independent": 15, "terminated": 12}


def tell(life: Life) -> None:
    """The whole story, as far as it goes."""
    if life.happens(18):
        _registered_only(life)
    else:
        _invited(life)


def umbrella(life: Life) -> None:
    """An agreement with a company that holds until further notice, and donates a share of what is spent."""
    life.day = BEGIN + timedelta(days=life.chance.randrange(700))
    company, department = life.town.group(life.chance, "COMPANY"), life.town.department(life.chance)
    fund = life.town.fund
    parties = [company.listed("DONOR"), department.listed("CITY_PARTY"), fund.listed("BENEFICIARY")]
    life.register("agreements", parties, origin="CITY_PROPOSED", city_role="PARTY", kind="NEW_CO_DESIGNED_PROJECT")
    life.meet((company, department), 1, 3)
    _decided_on(life, department)
    practice.agree(life, [company, department], instrument="UMBRELLA", forms=["COOPERATION"], length=None)
    practice.begin(life, company, department)
    life.later(10, 90)
    share = {"basis_points": 10, "base": "カードの利用額", "donor": company.party, "fund": fund.party}
    life.give("set-donation-terms", share, "D/section")
    while len(life.requests) < life.chance.randint(12, 24):
        life.later(250, 400)
        given = {"donor": company.party, "fund": fund.party, "fiscal_year": life.year}
        life.give("receive-donation", given | {"yen": life.chance.randrange(50_000, 900_000)}, "D/section")
        practice.work(life, company, department, plus(life.day, "P9M"))


def _registered_only(life: Life) -> None:
    """Two parties without the town, which keeps the register."""
    first, second = life.town.group(life.chance), life.town.group(life.chance, "COMPANY", "UNIVERSITY", "SCHOOL")
    while second.party == first.party:
        second = life.town.group(life.chance)
    parties = [first.listed("INITIATOR"), second.listed("PARTNER")]
    life.register("agreements", parties, origin="CONSULTATION", city_role="REGISTRAR")
    life.meet((first, second), 1, 3)
    term = practice.agree(life, [first, second], instrument="AGREEMENT", forms=["COOPERATION"], length="P3Y")
    practice.begin(life, first, second)
    if term is not None:
        practice.work(life, first, second, term.last_day)
        practice.work(life, first, second, term.last_day)
        practice.end(life, first, second, term, _ENDINGS | {"mainstreamed": 0})


def _invited(life: Life) -> None:
    """The town asks a group to take part."""
    group, department = life.town.group(life.chance), life.town.department(life.chance)
    is_facility = life.happens(15)
    kind = "FACILITY_RUN_BY_CITIZENS" if is_facility else life.chance.choice(_KINDS)
    parties = [department.listed("INVITER"), life.town.itself.listed("CITY_PARTY")]
    life.register("agreements", parties, origin="CITY_INVITED", city_role="PARTY", kind=kind)
    if not _joined(life, group, department):
        life.later(10, 60)
        life.give("close-consultation", {"outcome": "NONE"}, "C/coordinator")
        return
    life.meet((group, department), 0, 2)
    _decided_on(life, department)
    if life.happens(35):
        _try(life, group, department)
    if is_facility:
        _take_over(life, group)
    form = (
        "FACILITY_MANAGEMENT" if is_facility else life.chance.choice(("COMMISSION", "COST_SHARE", "PERSONNEL", "VENUE"))
    )
    term = practice.agree(life, [group, department], instrument="AGREEMENT", forms=[form], length="P3Y")
    practice.begin(life, group, department)
    if life.number[-1] in "37" and life.happens(60):
        _under_umbrella(life)
    if term is not None:
        _go_on(life, group, department, term)


_KINDS = ("SCALED_UP_COMMUNITY_PROJECT", "NEW_CO_DESIGNED_PROJECT")


def _joined(life: Life, group: Party, department: Party) -> bool:
    """One or two are asked; whether one comes."""
    for number, asked in enumerate((group, life.town.group(life.chance))):
        if number and asked.party == group.party:
            return False
        life.later(5, 30)
        invited = {"party": asked.party, "kind": asked.kind, "name_ja": asked.name_ja, "by": department.party}
        life.give("invite-party", invited | {"role": "INVITEE", "motive": life.say(words.OBJECTIVES)}, "D/section")
        life.later(5, 40)
        if number == 0 and not life.happens(12):
            life.give("accept-invitation", {"party": asked.party}, "P/group")
            return True
        life.give("decline-invitation", {"party": asked.party, "motive": life.say(words.GROUNDS)}, "P/group")
    return False


def _decided_on(life: Life, department: Party) -> None:
    life.later(10, 60)
    authority = life.chance.choice(("MAYOR", "MAYOR", "DEPUTY_MAYOR", "DELEGATED"))
    decided = {"origin": "CITY_INVITED", "decided_by": department.party, "authority": authority}
    life.give("accept-proposal", decided, "A/mayor")


def _try(life: Life, group: Party, department: Party) -> None:
    """A trial of up to a year."""
    life.later(10, 60)
    length = life.chance.choice(("P6M", "P1Y", "P1Y"))
    life.give("start-trial", {"length": length}, "D/section")
    over = plus(life.day, length)
    practice.work(life, group, department, over)
    life.until(over, over + timedelta(days=20))
    life.give("complete-trial", {"length": length, "result": "GOAL_REACHED"}, "D/section")


def _take_over(life: Life, group: Party) -> None:
    """A facility passes into the group's care: the council resolves, the management is transferred, fees are set."""
    facility, town = f"hall-{life.number.lower()}", life.town.itself
    life.later(5, 30)
    named = {"facility": facility, "name": f"{life.district.ja}ふれあい会館"}
    life.give("establish-facility", named | {"managed_by": town.party, "owner": town.party})
    life.later(10, 60)
    life.give("resolve-by-council", {"subject": "MANAGER_DESIGNATED", "facility": facility})
    life.later(10, 60)
    passed = {"facility": facility, "right": "MANAGEMENT", "from_party": town.party, "to_party": group.party}
    life.give("transfer-facility", passed | {"owner_after": town.party}, "A/mayor")
    if life.happens(60):
        life.later(5, 30)
        line = {"unit": "PT1H", "yen": life.chance.randrange(1, 20) * 100}
        life.give("set-fee-schedule", {"payer": "SERVICE_USER", "set_by": group.party, "lines": [line]}, "P/group")


def _under_umbrella(life: Life) -> None:
    """It belongs under the town's first umbrella agreement."""
    life.later(0, 30)
    life.give("link-partnerships", {"link": "UNDER_UMBRELLA", "number": number_of(1)}, DESK)


def _go_on(life: Life, group: Party, department: Party, term: Term) -> None:
    """Term after term, until it ends or the day has come that nobody looks beyond."""
    while True:
        if life.happens(35):
            life.later(10, 60, by=term.last_day)
            life.pay(group, life.chance.randrange(5, 300) * 10_000)
        practice.work(life, group, department, term.last_day - timedelta(days=100))
        if life.happens(6):
            life.later(5, 60, by=term.last_day)
            changed = [{"code": "ROLES", "text": life.say(words.REFINED)}]
            life.give("amend-agreement", {"changed": changed}, "A/mayor", document_ref=practice.reference(life))
        if life.happens(22):
            practice.review(life, group, department, _ITEMS)
        if term.renewals == _MOST_RENEWALS or not life.happens(45):
            break
        life.until(term.last_day - timedelta(days=60), term.last_day)
        practice.renew(life, term)
    practice.end(life, group, department, term, _ENDINGS)
    if life.happens(25):
        practice.report(life, group)
