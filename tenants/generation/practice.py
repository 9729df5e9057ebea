"""What every programme's partnerships do once they may begin: agree, work, report, review together, renew, end."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from domain.dates import fiscal_year_days
from tenants.generation import words
from tenants.generation.life import Term

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tenants.generation.life import Life
    from tenants.generation.town import Party

_DAY = timedelta(days=1)
_CLAUSES = {"PURPOSE": "{theme}に協力して取り組む", "ROLES": "役割は別表のとおりとする"}
_COSTS = ("NONE", "OWN", "SHARED", None)


def step_back(life: Life, department: Party) -> None:
    """Before anything is agreed the proposers step back, or the town takes its acceptance back."""
    life.later(10, 60)
    if life.happens(60):
        life.give("decline-acceptance", {"reason": "CAPACITY_LOST", "text": life.say(words.GROUNDS)}, "P/group")
    else:
        by = {"decided_by": department.party, "authority": "MAYOR"}
        life.give("revoke-acceptance", by | {"reason": "BUDGET_NOT_PASSED"}, "A/mayor")


def agree(life: Life, parties: list[Party], *, instrument: str, forms: list[str], length: str | None) -> Term | None:
    """They put it in writing; the term, None for an agreement that holds until further notice."""
    life.later(10, 60)
    named = [party.party for party in parties]
    data: dict[str, Any] = {
        "parties": named,
        "instrument": instrument,
        "forms": [{"codes": [code]} for code in forms],
        "clauses": [{"code": code, "text": life.say([text])} for code, text in _CLAUSES.items()],
    }
    if length:
        data["term"] = length
    if "COMMISSION" in forms and life.happens(50):
        data["selection_ground"] = "NEGOTIATED"
    signed: dict[str, Any] = {"document_ref": reference(life)}
    if life.happens(40):
        signed = {"signatories": tuple(named)}
    life.give("conclude-agreement", data, "A/mayor", exact=length is not None, **signed)
    return Term(life.edtf, length) if length else None


def begin(life: Life, group: Party, department: Party) -> None:
    """Who does what, and the beginning."""
    if life.happens(35):
        life.later(0, 20)
        roles = [
            {"party": group.party, "duties": _duties(life, words.DUTIES_OF_GROUP)},
            {"party": department.party, "duties": _duties(life, words.DUTIES_OF_CITY)},
        ]
        costs = life.chance.choice(_COSTS)
        life.give(
            "assign-roles", {"roles": [role | ({"costs": costs} if costs else {}) for role in roles]}, "D/section"
        )
    if life.happens(80):
        life.later(1, 40)
        life.give("start-activity", {"activity": life.say([life.theme.ja])}, "D/section")
        life.remember()


def _duties(life: Life, duties: tuple[str, ...]) -> list[str]:
    return [each.format(theme=life.theme.ja) for each in life.chance.sample(duties, life.chance.randint(1, 2))]


def work(life: Life, group: Party, department: Party, by: date) -> None:
    """A time of joint work, until that day at the latest."""
    if life.happens(22):
        life.later(10, 90, by=by)
        life.give("hold-meeting", {"attendees": [group.party, department.party], "summary": life.say(words.SUMMARIES)})
        life.remember()
    if life.happens(35):
        life.later(20, 120, by=by)
        life.give("confirm-activity", _confirmed(life, group))
    if life.happens(10):
        life.later(20, 90, by=by)
        life.give("report-interim", {"report_by": group.party, "text": life.say(words.OUTCOMES)}, "P/group")
    if life.happens(16):
        life.later(20, 120, by=by)
        outcome: dict[str, Any] = {"report_by": group.party, "text": life.say(words.OUTCOMES)}
        if life.happens(30):
            value = life.chance.randrange(10, 900)
            outcome["indicators"] = [{"code": "PEOPLE_TAKING_PART", "direction": "UP", "value": value}]
        life.give("report-outcome", outcome, "P/group")
    if life.happens(4):
        _rest(life, by)
    if life.happens(3):
        life.later(5, 40, by=by)
        life.give("file-party-statement", {"party": group.party, "text": life.say(words.STATEMENTS)}, "P/group")


def _confirmed(life: Life, group: Party) -> dict[str, Any]:
    return {
        "by": group.party,
        "activity": life.say(words.ACTIVITIES),
        "fiscal_year": life.year,
        "people": life.chance.randrange(8, 400),
        "times": life.chance.randrange(1, 30),
    }


def _rest(life: Life, by: date) -> None:
    """It rests for a while, until that day at the latest; only what is agreed can."""
    if not any(each.command == "conclude-agreement" for each in life.requests):
        return
    life.later(5, 30, by=by)
    life.give("suspend-partnership", {"cause": life.say(words.CAUSES)}, "A/mayor")
    life.later(40, 200, by=by)
    life.give("resume-partnership", {}, "A/mayor")


def review(life: Life, group: Party, department: Party, items: tuple[str, ...], *, shared: bool = False) -> None:
    """Both sides evaluate (振り返り); what they write stays closed until it is shared, which not all come to do."""
    life.evaluations += 1
    number = {"evaluation": life.evaluations}
    by = {"PARTNER": (group, "P/group"), "CITY": (department, "D/section")}
    for side, (party, actor) in by.items():
        life.later(2, 20)
        filed: dict[str, Any] = {
            **number,
            "side": side,
            "by": party.party,
            "lowest": 1,
            "highest": 5,
            "scores": [{"item": item, "score": str(_score(life, side))} for item in items],
            "result": life.say(words.RESULTS),
        }
        if life.happens(60):
            filed["method"] = life.say(words.METHODS)
        life.give("file-evaluation", filed, actor)
        if side == "PARTNER" and not shared and life.happens(8):
            return  # The town never filed its side.
    if not shared and life.happens(12):
        return
    life.later(1, 15)
    life.give("share-evaluations", number)
    if life.happens(35):
        life.later(3, 30)
        talked = {"attendees": [group.party, department.party], "summary": life.say(words.SUMMARIES)}
        life.give("hold-evaluation-dialogue", {**number, **talked, "next_actions": [life.say(words.NEXT_ACTIONS)]})


def _score(life: Life, side: str) -> int:
    # The partners judge a little more kindly than the town does.
    return min(5, life.chance.choice((2, 3, 3, 4, 4)) + (side == "PARTNER" and life.happens(40)))


def renew(life: Life, term: Term) -> None:
    """Another term of the same length."""
    term.renewals += 1
    renewal = {"no": term.renewals, "term": term.length}
    life.give("renew-agreement", renewal, "A/mayor", exact=True, document_ref=reference(life))


def reference(life: Life) -> str:
    """The number of a document (文書番号)."""
    return f"{life.year % 100}協推第{life.chance.randrange(1, 400)}号"


def end(life: Life, group: Party, department: Party, term: Term, weights: Mapping[str, int]) -> None:
    """One of the endings of an agreement, drawn by its weight."""
    match life.drawn(weights):
        case "terminated":
            life.later(20, 120, by=term.last_day)
            _terminate(life)
        case "completed":
            life.until(term.last_day - timedelta(days=20), term.last_day)
            complete(life)
        case "independent":
            life.until(term.last_day - timedelta(days=40), term.last_day)
            part(life, group)
        case "mainstreamed":
            adopt(life, group, department)
        case _:
            # It has lapsed on the day after its term ran out.
            life.day = max(life.day, term.last_day + _DAY)
            life.give("lapse-agreement", {}, "X/clock", exact=True)


def _terminate(life: Life) -> None:
    initiator = life.chance.choice(("CITY", "PARTY", "PARTY", "BOTH"))
    actor = "P/group" if initiator == "PARTY" else "A/mayor"
    life.give("terminate-agreement", {"initiator": initiator, "ground": life.say(words.GROUNDS)}, actor)


def complete(life: Life) -> None:
    """What was agreed has been done."""
    life.give("complete-partnership", {"result": life.say(words.OUTCOMES)}, "D/section")


def part(life: Life, group: Party) -> None:
    """The partners carry on without the town."""
    life.give("become-independent", {"successor": group.party}, "P/group")


def adopt(life: Life, group: Party, department: Party) -> None:
    """It becomes a regular service of the town from the next fiscal year on, with its money in some cases."""
    first, _ = fiscal_year_days(life.year + 1)
    life.day = max(life.day, first)
    basis = {"basis": "CORE_SERVICE", "fiscal_year": life.year, "provider": group.party, "funding": "ANNUAL"}
    life.give("mainstream-partnership", basis | {"decided_by": department.party}, "A/mayor")
    if life.happens(50):
        life.later(10, 60)
        decided = {"payee": group.party, "payer": department.party, "recurrence": "ANNUAL", "fiscal_year": life.year}
        life.give("decide-funding", decided | {"yen": life.chance.randrange(10, 200) * 10_000}, "D/section")


def report(life: Life, group: Party) -> None:
    """The final report of the partners."""
    life.later(5, 40)
    accounts = {"report_by": group.party, "text": life.say(words.OUTCOMES)}
    life.give("report-final", accounts, "P/group")
