"""協働モデル事業: brought to the desk, talked over, perhaps surveyed, proposed, tried for up to three years."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from domain.dates import fiscal_year_days
from tenants.generation import practice, words
from tenants.generation.town import call_of

if TYPE_CHECKING:
    from tenants.generation.life import Life
    from tenants.generation.town import Party

_PROGRAMME = "projects"
_ITEMS = ("RESULTS", "SYNERGY")
_MOST_SUBMISSIONS, _MOST_YEARS = 2, 3
_ENDINGS = {"mainstreamed": 32, "independent": 26, "completed": 21, "agreed": 21}


def tell(life: Life) -> None:
    """The whole story, as far as it goes."""
    group, department = life.town.group(life.chance), life.town.department(life.chance)
    _consult(life, group, department)
    life.meet((group, department, life.town.centre), 0, 2)
    if life.happens(25):
        _seek(life, group)
    if life.happens(22):
        _close(life)
        return
    if life.happens(25):
        life.later(10, 60)
        life.give("start-needs-survey", {"programme": _PROGRAMME, "fiscal_year": life.year}, "P/group")
        life.later(90, 200)
        found = {"programme": _PROGRAMME, "fiscal_year": life.year, "findings": [life.say(words.FINDINGS)]}
        life.give("report-needs-survey", found, "P/group")
    while not _accepted(life, group, department):
        if life.submissions == _MOST_SUBMISSIONS or not life.happens(40):
            return
    if life.happens(8):
        practice.step_back(life, department)
        return
    _model_years(life, group, department)
    _end(life, group, department)


def _consult(life: Life, group: Party, department: Party) -> None:
    """The desk hears of it; it may enter the register before or after."""
    roles = [group.listed("PROPOSER"), department.listed("CITY_PARTY"), life.town.centre.listed("CONVENER")]
    told = {"by": group.party, "at": life.town.centre.party, "topic": life.say(words.TOPICS)}
    registered: dict[str, Any] = {"origin": "CONSULTATION", "city_role": "PARTY"}
    if life.happens(50):
        life.register(_PROGRAMME, roles, **registered)
        life.later(0, 10)
        life.give("open-consultation", told, "P/group")
    else:
        life.give("open-consultation", told | {"programme": _PROGRAMME, "field": life.theme.field}, "P/group")
        life.later(0, 30)
        life.register(_PROGRAMME, roles, **registered)
    if life.happens(40):
        life.later(2, 20)
        life.give("route-consultation", {"to": department.party, "by": life.town.centre.party}, "C/coordinator")


def _seek(life: Life, group: Party) -> None:
    """A partner is sought, and somebody offers what is lacking."""
    life.later(5, 40)
    lacking = life.say(words.LACKING)
    life.give("seek-partner", {"by": life.town.centre.party, "lacking": [lacking]}, "C/coordinator")
    if life.happens(60):
        life.later(10, 60)
        offered: dict[str, Any] = {"party": group.party, "kind": "SPACE", "what": lacking}
        if life.happens(30):
            offered["place"] = f"{life.district.ja}{life.chance.randrange(1, 9)}丁目"
        life.give("offer-resource", offered, "P/group")


def _close(life: Life) -> None:
    """It ends at the desk."""
    life.later(10, 90)
    outcome = life.chance.choice(("ADVICE", "ADVICE", "PRIVATE_VENTURE", "NONE"))
    life.give("close-consultation", {"outcome": outcome, "text": life.say(words.ADVICE)}, "C/coordinator")


def _accepted(life: Life, group: Party, department: Party) -> bool:
    """A proposal in the autumn's call and what becomes of it."""
    call, first, last = call_of(_PROGRAMME, life.day + timedelta(days=5))
    life.until(first, last - timedelta(days=5))
    life.submissions += 1
    number = {"submission": life.submissions}
    proposal: dict[str, Any] = {
        **number,
        "kind": "NEW" if life.submissions == 1 else "RESUBMISSION",
        "proposed_by": "CITIZENS" if life.happens(75) else "CITY",
        "party": group.party,
        "objective": life.say(words.OBJECTIVES),
        "budget_yen": life.chance.randrange(30, 390) * 10_000,
        "call": call,
    }
    if life.submissions > 1:
        proposal["answers_rejection_of"] = life.submissions - 1
    life.give("submit-proposal", proposal, "P/group" if proposal["proposed_by"] == "CITIZENS" else "D/section")
    if life.happens(4):
        life.later(5, 30)
        life.give("withdraw-proposal", number, "P/group")
        life.submissions = _MOST_SUBMISSIONS
        return False
    good = life.happens(58)
    life.later(10, 40)
    life.give("open-review", number | {"panel": 5})
    life.later(5, 30)
    result = "RECOMMENDED" if good else "NOT_RECOMMENDED"
    total = life.chance.randint(5_000, 9_500) if good else life.chance.randint(2_000, 6_000)
    life.give("issue-recommendation", {**number, "result": result, "present": 5, "weighted_total": total}, "R/panel")
    life.later(10, 40)
    by = {**number, "decided_by": department.party, "authority": life.chance.choice(("MAYOR", "DELEGATED"))}
    if good != life.happens(6):
        life.give("accept-proposal", by, "A/mayor")
        return True
    code = life.chance.choice(("NO_SYNERGY", "ROLES_UNCLEAR", "INFEASIBLE", "CAPACITY", "FUNDS_EXHAUSTED"))
    life.give("reject-proposal", by | {"codes": [code], "public_explanation": words.EXPLANATIONS[code]}, "A/mayor")
    life.later(90, 150)
    return False


def _model_years(life: Life, group: Party, department: Party) -> None:
    """The years in which it is tried, each with a grant."""
    planned = life.chance.choice((1, 1, 1, 2, 2, _MOST_YEARS))
    for n in range(1, planned + 1):
        first, _ = fiscal_year_days(life.year + 1)
        life.until(first, first + timedelta(days=60))
        grant, yen = life.grant(group, department, 3_900_000)
        life.later(0, 20)
        year = {"programme": _PROGRAMME, "n": n, "fiscal_year": life.year}
        life.give("start-model-year", year | {"done_by": [group.party]}, "D/section")
        life.remember()
        _, last = fiscal_year_days(life.year)
        if life.happens(50):
            life.later(10, 60, by=last)
            life.pay(group, yen, grant)
        practice.work(life, group, department, last - timedelta(days=40))
        if life.happens(15):
            practice.review(life, group, department, _ITEMS)
        life.until(min(max(life.day, last - timedelta(days=20)), last), last)
        life.give("complete-model-year", year, "D/section")
        if life.happens(93):
            life.settle(grant, yen)


def _end(life: Life, group: Party, department: Party) -> None:
    """After the model years: a regular service, an agreement, on one's own, or done."""
    life.later(5, 30)
    match life.drawn(_ENDINGS):
        case "mainstreamed":
            practice.adopt(life, group, department)
        case "independent":
            practice.part(life, group)
        case "completed":
            practice.complete(life)
        case _:
            _agree(life, group, department)
    if life.happens(30):
        practice.report(life, group)


def _agree(life: Life, group: Party, department: Party) -> None:
    """What was tried is agreed for a year more."""
    forms = [life.chance.choice(("COMMISSION", "COST_SHARE"))]
    term = practice.agree(life, [group, department], instrument="AGREEMENT", forms=forms, length="P1Y")
    practice.begin(life, group, department)
    if term is not None:
        practice.work(life, group, department, term.last_day)
        practice.end(life, group, department, term, {"completed": 1})
