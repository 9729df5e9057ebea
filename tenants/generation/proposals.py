"""市民提案型協働事業: proposals in the town's open call, a panel, a decision; then agreements from year to year."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from domain.dates import plus
from tenants.generation import practice, words
from tenants.generation.town import call_of

if TYPE_CHECKING:
    from tenants.generation.life import Life
    from tenants.generation.town import Party

_CRITERIA = ("PUBLIC_BENEFIT", "FEASIBILITY", "NEED_FOR_PARTNERSHIP")
_ITEMS = ("GOAL_REACHED", "MUTUAL_UNDERSTANDING", "WORTH_ITS_COST")
_BINDING = date(2015, 4, 1)
"""From then on the panel's threshold binds the decision too, and more may be paid."""

_MOST_SUBMISSIONS, _MOST_RENEWALS = 3, 3
_ENDINGS = {"completed": 42, "lapsed": 22, "independent": 16, "mainstreamed": 12, "terminated": 8}


def tell(life: Life) -> None:
    """The whole story, as far as it goes."""
    group, department = life.town.group(life.chance), life.town.department(life.chance)
    by_citizens = life.happens(85)
    consulted = life.happens(25)
    if not consulted:
        _to_the_call(life)
    life.register(
        "proposals",
        [group.listed("PROPOSER"), department.listed("CITY_PARTY")],
        closed=not consulted and life.happens(70),
        origin="CITIZEN_PROPOSED" if by_citizens else "CITY_PROPOSED",
        city_role="PARTY",
        lead_area=life.chance.choice(("CITIZENS_LEAD", "JOINT", "CITY_LEADS")),
    )
    if consulted:
        life.later(5, 60)
        life.give("open-consultation", {"by": group.party, "topic": life.say(words.TOPICS)}, "P/group")
        life.meet((group, department), 0, 1)
        if life.happens(30):
            life.later(5, 30)
            life.give("refine-objective", {"text": life.say(words.REFINED), "said_by": group.party}, "P/group")
        _to_the_call(life)
    if _accepted(life, group, department, by_citizens=by_citizens):
        _practise(life, group, department)


def _to_the_call(life: Life) -> None:
    _, first, last = call_of("proposals", life.day + timedelta(days=10))
    life.until(first, last - timedelta(days=5))


def _accepted(life: Life, group: Party, department: Party, *, by_citizens: bool) -> bool:
    """Submissions until one is accepted, or the proposers give up."""
    while life.submissions < _MOST_SUBMISSIONS:
        _submit(life, group, by_citizens=by_citizens)
        if life.happens(5):
            life.later(5, 40)
            withdrawn = {"submission": life.submissions, "reason": life.say(words.GROUNDS)}
            life.give("withdraw-proposal", withdrawn, "P/group")
            return False
        good = life.happens(48)
        recommended = _reviewed(life, good=good)
        if _accepts(life, recommended=recommended):
            return _taken_up(life, department)
        _reject(life, department, recommended=recommended)
        if life.happens(6) and _reconsidered(life, department, good=good):
            return True
        if not life.happens(45):
            return False
        life.later(150, 200)
        _to_the_call(life)
    return False


def _submit(life: Life, group: Party, *, by_citizens: bool) -> None:
    life.submissions += 1
    most = 4_800_000 if life.day >= plus(_BINDING, "P1Y") else 2_900_000
    call, first, last = call_of("proposals", life.day)
    life.day = min(max(life.day, first), last)
    proposal: dict[str, Any] = {
        "submission": life.submissions,
        "kind": "NEW" if life.submissions == 1 else "RESUBMISSION",
        "proposed_by": "CITIZENS" if by_citizens else "CITY",
        "party": group.party,
        "objective": life.say(words.OBJECTIVES),
        "budget_yen": life.chance.randrange(15, most // 10_000) * 10_000,
        "call": call,
    }
    if life.submissions > 1:
        proposal["answers_rejection_of"] = life.submissions - 1
    life.give("submit-proposal", proposal, "P/group" if by_citizens else "D/section")


def _reviewed(life: Life, *, good: bool) -> bool:
    """The panel's work; whether it recommends the proposal."""
    number = {"submission": life.submissions}
    life.later(10, 40)
    members = [f"reviewer-{at}" for at in life.chance.sample(range(1, 13), 5)]
    panel: dict[str, Any] = {**number, "panel": 5}
    scored = life.happens(9)
    if scored:
        names = [f"{life.say(words.FAMILY_NAMES)} {life.say(words.GIVEN_NAMES)}" for _ in members]
        panel["members"] = [{"reviewer": who, "name": name} for who, name in zip(members, names, strict=True)]
        if life.happens(25):
            panel["recused"] = [{"reviewer": members[4], "reason": "RELATIVE_OF_APPLICANT"}]
    life.give("open-review", panel)
    if life.happens(35):
        life.later(7, 30)
        life.give("hold-presentation", {**number, "public": True, "people": life.chance.randrange(5, 80)})
    recommended = good
    issued: dict[str, Any] = {**number, "result": "RECOMMENDED" if recommended else "NOT_RECOMMENDED", "present": 5}
    if scored:
        issued["present"] = 4
        _score(life, members[:3], good=good)
    else:
        issued["weighted_total"] = life.chance.randint(6_100, 9_400) if good else life.chance.randint(2_500, 5_900)
    if life.happens(40):
        issued["comment"] = life.say(words.ADVICE)
    life.later(1, 20)
    life.give("issue-recommendation", issued, "R/panel")
    return recommended


def _score(life: Life, reviewers: list[str], *, good: bool) -> None:
    """Each reviewer's points for each criterion: 3 of 5 are the threshold."""
    revised = life.happens(20)
    for who in reviewers:
        for criterion in _CRITERIA:
            points = life.chance.choice((3, 4, 4, 5) if good else (1, 2, 2, 3))
            given = {"submission": life.submissions, "reviewer": who, "criterion": criterion, "score": points}
            life.give("record-score", given, "R/panel")
    if revised:
        again = {"submission": life.submissions, "reviewer": reviewers[0], "criterion": _CRITERIA[0]}
        changed = {"score": 4 if good else 2, "reason": life.say(words.MISTAKES)}
        life.give("revise-score", again | changed, "R/panel")


def _accepts(life: Life, *, recommended: bool) -> bool:
    """What the town decides, which now and then is something else than the panel advises."""
    life.later(10, 45)
    differs = life.happens(7) and (recommended or life.day < _BINDING - timedelta(days=366))
    return recommended != differs


def _taken_up(life: Life, department: Party) -> bool:
    """The acceptance, with conditions or without; whether it lasts."""
    conditions = [life.say(words.CONDITIONS)] if life.happens(14) else []
    accepted = _decision(life, department) | ({"conditions": conditions} if conditions else {})
    life.give("accept-proposal", accepted, "A/mayor")
    if life.happens(10):
        practice.step_back(life, department)
        return False
    if conditions:
        life.later(10, 40)
        life.give("fulfil-condition", {"condition": 1, "evidence": conditions[0]})
    return True


def _reject(life: Life, department: Party, *, recommended: bool) -> None:
    life.give("reject-proposal", _decision(life, department) | _reasons(life, recommended=recommended), "A/mayor")


def _decision(life: Life, department: Party) -> dict[str, Any]:
    """What every decision on the submission at hand says."""
    return {"submission": life.submissions, "decided_by": department.party, "authority": "MAYOR"}


def _reasons(life: Life, *, recommended: bool) -> dict[str, Any]:
    if life.happens(4):
        common = {"codes": ["EXCLUDED_PURPOSE"], "local_codes": ["OUT_OF_AREA"]}
        return common | {"public_explanation": "主に町の外で行われる計画だった"}
    code = "FUNDS_EXHAUSTED" if recommended else life.chance.choice(_USUAL)
    codes = dict.fromkeys([code, *(life.chance.choices(_USUAL, k=1) if life.happens(25) else [])])
    reasons = {"codes": list(codes), "public_explanation": "。".join(words.EXPLANATIONS[each] for each in codes)}
    return reasons | ({"advice": life.say(words.ADVICE)} if life.happens(50) else {})


_USUAL = [
    *("OBJECTIVES_UNCLEAR", "ROLES_UNCLEAR", "BELOW_THRESHOLD") * 3,
    *("NO_PUBLIC_BENEFIT", "NO_SYNERGY", "INFEASIBLE", "BUDGET_UNSOUND", "CAPACITY") * 2,
    *("OTHER_SUBSIDY", "NO_DEPARTMENT_CONSENT"),
]


def _reconsidered(life: Life, department: Party, *, good: bool) -> bool:
    """The proposers ask to decide again; whether the proposal is accepted after all."""
    life.later(5, 45)
    life.give(
        "request-reconsideration", {"submission": life.submissions, "ground": life.say(words.OUTCOMES)}, "P/group"
    )
    life.later(10, 40)
    turned = good and life.happens(60)
    resolved = {"outcome": "ACCEPTED" if turned else "UPHELD", "reason": life.say(words.ADVICE)}
    life.give("resolve-reconsideration", _decision(life, department) | resolved, "A/mayor")
    return turned


def _practise(life: Life, group: Party, department: Party) -> None:
    """Agreements for a year each, a grant for most years, and one of the endings."""
    granted = None
    if life.happens(45):
        life.later(5, 30)
        granted = life.grant(group, department, 2_900_000)
    form = life.chance.choice(("SUBSIDY", "SUBSIDY", "COMMISSION", "CO_HOSTING", "COOPERATION"))
    term = practice.agree(life, [group, department], instrument="AGREEMENT", forms=[form], length="P1Y")
    if term is None:
        return
    practice.begin(life, group, department)
    if granted and life.happens(75):
        life.later(5, 60, by=term.last_day)
        life.pay(group, granted[1], granted[0])
    while True:
        practice.work(life, group, department, term.last_day - timedelta(days=90))
        if term.renewals == _MOST_RENEWALS or not life.happens(28):
            break
        life.until(term.last_day - timedelta(days=85), term.last_day - timedelta(days=80))
        practice.review(life, group, department, _ITEMS, shared=True)
        life.later(0, 10, by=term.last_day)
        practice.renew(life, term)
    practice.end(life, group, department, term, _ENDINGS)
    if life.happens(25):
        practice.report(life, group)
    if granted and life.happens(93):
        life.settle(*granted)
    if life.happens(20):
        practice.review(life, group, department, _ITEMS)
