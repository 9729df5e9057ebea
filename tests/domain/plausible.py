"""Data of commands, made from the models of their events, most of which fits the state at hand."""

from __future__ import annotations

import types
from collections.abc import Callable
from datetime import date
from enum import Enum
from functools import cache
from random import Random
from re import fullmatch
from typing import Annotated, Any, Literal, Union, get_args, get_origin
from uuid import NAMESPACE_URL, uuid5

from pydantic import AfterValidator
from pydantic.fields import FieldInfo

from domain import codes, dates
from domain.commands import BY_NAME, COMMANDS
from domain.history import EventCorrected
from domain.partnership.state import Partnership
from domain.programme import Programme
from domain.rules import Rules
from domain.text import Disclosed, Visibility
from domain.values import Frozen
from domain.vocabulary import REFUSED, TRYING, RejectionCode, Status

DIGEST = "A" * 43


class BlindDoor:
    """One digest for every text; no rule looks at texts."""

    def seal(self, name: str, value: str, visibility: Visibility, subject: str | None) -> str:
        return DIGEST

    def party(self, name: str) -> str:
        return str(uuid5(NAMESPACE_URL, name))

    def person(self, name: str) -> str:
        return self.party(name)


# --- Data out of the models ---------------------------------------------------------------------------------


class Luck:
    """Choices that follow from one number; 0 takes what comes first and leaves out the rest."""

    def __init__(self, number: int) -> None:
        self._random = Random(number) if number else None

    def one_of(self, options: Any) -> Any:
        return self._random.choice(options) if self._random else options[0]

    def happens(self, percent: int) -> bool:
        return self._random is not None and self._random.randrange(100) < percent


Make = Callable[[Luck], Any]

PARTIES = ("npo", "city", "school", "stranger")
REVIEWERS = ("first", "second", "third")
DATES = (
    "2005-06-30",
    "2004-05",
    "2003",
    "2003?",
    "[2003..2006]",
    "2003/2007",
    "..",
    "XXXX",
    "0001-01-01",
    "9999-12-31",
)
CHECKED: dict[Any, tuple[str, ...]] = {
    dates.check: tuple(text for text in DATES if text != ".."),
    codes.check_municipal_code: ("142131", "131008"),
    codes.check_corporate_number: ("5835678256246",),
}
# What a bound string may be is found among these by its pattern.
SAMPLES = (
    *(
        "A",
        "B",
        "LEAD",
        "MAYOR",
        "IMPACT",
        "one",
        "two",
        "P1Y",
        "P3Y",
        "P6M",
        "P0D",
        "PT2H",
        "P999Y",
        "1/2",
        "ja",
        "en",
    ),
    *("text/plain", "09:30", DIGEST, "0" * 64, "1" * 64, "MeetingHeld"),
)


def _flat(metadata: Any) -> list[Any]:
    return [each for item in metadata for each in (_flat(item.metadata) if isinstance(item, FieldInfo) else [item])]


def maker(annotation: Any, metadata: list[Any], path: str) -> Make:  # noqa: PLR0911 (one line a kind of annotation)
    """Makes values, as JSON, that an annotation admits."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return maker(inner[0], [*metadata, *_flat(annotation.__metadata__)], path)
    if origin in (Union, types.UnionType):
        some = maker(next(each for each in inner if each is not type(None)), metadata, path)
        return lambda luck: some(luck) if luck.happens(35) else None
    if origin is tuple:
        each = maker(inner[0], [], path)
        least = max((getattr(item, "min_length", None) or 0 for item in metadata), default=0)
        return lambda luck: [each(luck) for _ in range(least + luck.one_of((0, 0, 1, 2)))]
    if origin is Literal:
        return lambda luck: luck.one_of(inner)
    if annotation is bool:
        return lambda luck: luck.happens(50)
    if annotation is int:
        return _integers(metadata)
    if annotation is str:
        return _strings(metadata, path)
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        values = [member.value for member in annotation]
        return lambda luck: luck.one_of(values)
    assert issubclass(annotation, Frozen), f"no values are known for {path}: {annotation}"
    return object_maker(annotation)


def _integers(metadata: list[Any]) -> Make:
    low = max((each.ge for each in metadata if getattr(each, "ge", None) is not None), default=0)
    high = min((each.le for each in metadata if getattr(each, "le", None) is not None), default=10**6)
    options = sorted({min(low + more, high) for more in (0, 1, 2, 3, 100, 1_000)})
    return lambda luck: luck.one_of(options)


def _strings(metadata: list[Any], path: str) -> Make:
    options: tuple[str, ...] = ()
    for each in metadata:
        pattern = getattr(each, "pattern", None)
        if isinstance(each, Disclosed):
            options = ("4", "44") if each.pattern else ("text",)
        elif getattr(each, "to", None) in ("party", "person"):
            options = PARTIES[:3] * 5 + PARTIES if each.to == "party" else REVIEWERS
        elif isinstance(each, AfterValidator):
            options = CHECKED[each.func]
        elif pattern is not None:
            options = tuple(sample for sample in SAMPLES if fullmatch(pattern, sample))
    assert options, f"no sample fits {path}; add one to SAMPLES"
    return lambda luck: luck.one_of(options)


@cache
def object_maker(model: type[Frozen]) -> Make:
    """Makes objects of a model as JSON; optional fields come and go."""
    if model is Rules:
        return lambda luck: {"standing": luck.one_of(("IN_FORCE", "REFERENCE"))}
    makers = {
        name: maker(field_.annotation, _flat(field_.metadata), f"{model.__name__}.{name}")
        for name, field_ in model.model_fields.items()
        if name not in {"valid", "breaks", "placed_after"}
    }

    def make(luck: Luck) -> dict[str, Any]:
        made = {name: each(luck) for name, each in makers.items()}
        return {name: value for name, value in made.items() if value is not None}

    return make


for _row in COMMANDS:
    if _row.event is not EventCorrected:
        object_maker(_row.event)  # A field of a new kind stops the tests here, and its message says what to do.


# --- Data that fits the state -------------------------------------------------------------------------------


def fitting(name: str, state: Any, rules: Rules, on: date, luck: Luck) -> dict[str, Any]:
    """What the state at hand expects in the fields of a command; None leaves a field out."""
    fits: dict[str, Any] = {
        "request": len(state.correction_requests) + (name == "request-correction"),
        "hold": state.holds_set + 1 if name == "set-legal-hold" else (state.holds or (1,))[0],
        "due": f"{on.year - 1}",
        "fiscal_year": dates.fiscal_year(on),
        "from_city": "one",
        "to_city": "two",
    }
    if isinstance(state, Programme):
        taking = [call.call for call in state.calls if not call.ended and not call.cancelled]
        fits |= {"closes": f"{on.year + 1}", "version": len(state.versions) + 1 if name == "revise-programme" else 1}
        fits |= {} if name == "open-call" else {"call": luck.one_of(taking or ["A"])}
    if isinstance(state, Partnership):
        fits |= _of_partnership(name, state, rules, luck)
    ordinal = {"submission", "request", "n"}  # What counts from 1 is 1 where there is nothing yet.
    fits |= {key: value or 1 for key, value in fits.items() if key in ordinal and value is not None}
    return {key: value for key, value in fits.items() if key in BY_NAME[name].event.model_fields}


def _of_partnership(name: str, state: Partnership, rules: Rules, luck: Luck) -> dict[str, Any]:
    unmet = [n for n in range(1, state.conditions + 1) if n not in state.fulfilled]
    fits: dict[str, Any] = {
        "submission": state.at_hand.number if state.at_hand else None,
        "term": rules.term.renewal_every or luck.one_of(("P1Y", "P3Y", None)),
        "length": rules.trial.max_length if rules.trial else None,
        "condition": unmet[0] if unmet else 1,
        "decided_by": "city",
        "authority": (*rules.proposal.decided_by, "MAYOR")[0],
        "role": (*rules.party_roles, None)[0],
    }
    return fits | (FITS[name](name, state, rules, luck) if name in FITS else {})


def _registration(name: str, state: Partnership, rules: Rules, luck: Luck) -> dict[str, Any]:
    parties = luck.one_of((PARTIES[:3], PARTIES[:3], PARTIES[:2]))
    roles = luck.one_of(([], rules.party_roles[:1]))
    fits = {"kind": None, "city_role": luck.one_of((None, "PARTY")), "lead_area": (*rules.lead_areas, None)[0]}
    return fits | {"parties": [{"party": party, "name_ja": party, "roles": roles} for party in parties]}


def _submission(name: str, state: Partnership, rules: Rules, luck: Luck) -> dict[str, Any]:
    rejected = [known.number for known in state.submissions if known.outcome is Status.REJECTED]
    answering = bool(rejected) and luck.happens(70)
    return {
        "submission": len(state.submissions) + 1,
        "kind": "RESUBMISSION" if answering else luck.one_of(("NEW", "CONTINUATION")),
        "answers_rejection_of": rejected[-1] if answering else None,
        "call": luck.one_of((None, None, "OPEN")),
        "budget_yen": luck.one_of((500, None)),
    }


def _rejection(name: str, state: Partnership, rules: Rules, luck: Luck) -> dict[str, Any]:
    local = luck.one_of((None, *rules.proposal.local_rejections))
    common = local.common if local else (*rules.proposal.rejection_codes, RejectionCode.VETO)[0]
    return {"codes": [common.value], "local_codes": [local.code] if local else [], "public_explanation": "text"}


def _reconsideration(name: str, state: Partnership, rules: Rules, luck: Luck) -> dict[str, Any]:
    open_ = [known.number for known in state.submissions if known.reconsidering]
    return {"submission": luck.one_of(open_)} if open_ and name == "resolve-reconsideration" else {}


def _model_year(name: str, state: Partnership, rules: Rules, luck: Luck) -> dict[str, Any]:
    undone = [(known, n) for known, n, done in state.model_years if not done]
    if undone and name == "complete-model-year":
        return dict(zip(("programme", "n"), undone[0], strict=True))
    programme = luck.one_of(("one", "one", "two"))
    return {
        "programme": programme,
        "n": 1 + max((n for known, n, _ in state.model_years if known == programme), default=0),
    }


def _review(name: str, state: Partnership, rules: Rules, luck: Luck) -> dict[str, Any]:
    review = state.pending.review if state.pending else None
    criteria = {criterion.code: criterion for criterion in rules.review.criteria}
    fits: dict[str, Any] = {"present": rules.review.quorum}
    if name == "revise-score" and review and review.scores:
        scored = luck.one_of(review.scores)
        fits |= {"reviewer": scored.reviewer, "criterion": scored.criterion}
    elif criteria:
        fits |= {"criterion": luck.one_of(list(criteria))}
    if scale := criteria.get(fits.get("criterion", "")):
        fits |= {"score": luck.one_of((scale.highest, scale.highest, scale.lowest))}
    return fits


def _evaluation(name: str, state: Partnership, rules: Rules, luck: Luck) -> dict[str, Any]:
    known = [each for each in state.evaluations if each.shared == (name == "hold-evaluation-dialogue")]
    sides = (rules.evaluation.sides if rules.evaluation else ()) or ("PARTNER", "CITY")
    items = rules.evaluation.criteria if rules.evaluation else ()
    return {
        "evaluation": known[-1].number if known and name != "open-evaluation" else len(state.evaluations) + 1,
        "side": luck.one_of([side for side in sides if not known or side not in known[-1].sides] or sides),
        "scores": [{"item": item, "score": "4"} for item in items],
    }


def _grant(name: str, state: Partnership, rules: Rules, luck: Luck) -> dict[str, Any]:
    if name == "decide-grant":
        yen = luck.one_of((900, 900, None))
        return {"grant": f"G{len(state.grants) + 1}", "yen": yen, "rate": rules.funding.max_rate}
    if not state.grants or (name == "record-payment" and luck.happens(20)):
        return {"grant": None if name == "record-payment" else "G1", "yen": 300}
    grant = luck.one_of(state.grants)
    most = 900 if grant.yen is None else grant.yen
    options = {"order-refund": (grant.paid, 1), "settle-grant": (most, most // 2)}
    return {"grant": grant.grant, "yen": luck.one_of(options.get(name, (most // 3, most)))}


def _of_parties(name: str, state: Partnership, rules: Rules, luck: Luck) -> dict[str, Any]:
    invited = [known.party.party for known in state.parties if known.invited == "INVITED"]
    return {
        "parties": ["npo", "city"],
        "clauses": [{"code": code} for code in rules.agreement.states],
        "forms": [{"codes": [code.value for code in form.codes]} for form in rules.forms],
        "party": luck.one_of(invited or ("npo",)),
        "host": luck.one_of(state.hosts or ("city",)),
        "facility": luck.one_of(
            state.facilities or ("one",) if name == "transfer-facility" else (*state.facilities, None)
        ),
        "no": (state.agreement.renewals if state.agreement else 0) + 1,
        "number": luck.one_of(("A", "B")),
        "members": [{"reviewer": each} for each in REVIEWERS],
        "recused": [],
    }


FITS: dict[str, Callable[[str, Partnership, Rules, Luck], dict[str, Any]]] = {
    "register-partnership": _registration,
    "submit-proposal": _submission,
    "reject-proposal": _rejection,
    "resolve-reconsideration": _reconsideration,
} | {
    name: fits
    for fits, names in (
        (_model_year, ("start-model-year", "complete-model-year")),
        (_review, ("record-score", "revise-score", "issue-recommendation", "hold-presentation")),
        (_evaluation, ("open-evaluation", "file-evaluation", "share-evaluations", "hold-evaluation-dialogue")),
        (_grant, ("decide-grant", "record-payment", "settle-grant", "order-refund")),
        (
            _of_parties,
            ("conclude-agreement", "amend-agreement", "accept-invitation", "decline-invitation", "rotate-host"),
        ),
        (
            _of_parties,
            ("renew-agreement", "transfer-facility", "resolve-by-council", "link-partnerships", "open-review"),
        ),
    )
    for name in names
}


def _reviewing(state: Partnership) -> bool:
    return state.pending is not None and state.pending.review is not None and state.pending.review.recommended is None


def _scored(state: Partnership) -> bool:
    return _reviewing(state) and any(known.review.scores for known in state.submissions[-1:] if known.review)


def _unreviewed(state: Partnership) -> bool:
    return state.pending is not None and state.pending.review is None


def _invited(state: Partnership) -> bool:
    return any(known.invited == "INVITED" for known in state.parties)


def _tried_in_vain(state: Partnership) -> bool:
    return state.was_tried and state.status in REFUSED | TRYING | {Status.ACCEPTED, Status.SUSPENDED}


# How often a command is worth trying: what answers something that is open more often, what answers nothing not at all.
WORTH: dict[str, Callable[[Partnership], int]] = {
    "submit-proposal": lambda state: 6 * (state.pending is None),
    "open-review": lambda state: 8 * _unreviewed(state),
    "conclude-agreement": lambda _: 3,
    "start-activity": lambda _: 2,
    "suspend-partnership": lambda _: 3,
    "resume-partnership": lambda _: 6,
    "report-needs-survey": lambda state: 3 * (False in state.surveys),
    "complete-trial": lambda state: 3 * (False in state.trials),
    "complete-model-year": lambda state: 3 * any(not done for _, _, done in state.model_years),
    "accept-invitation": lambda state: 3 * _invited(state),
    "decline-invitation": lambda state: 3 * _invited(state),
    "record-score": lambda state: 8 * _reviewing(state),
    "revise-score": lambda state: 8 * _scored(state),
    "hold-presentation": lambda state: 4 * _reviewing(state),
    "issue-recommendation": lambda state: 8 * _reviewing(state),
    "accept-proposal": lambda state: 1 + 2 * (state.pending is not None),
    "reject-proposal": lambda state: 4 * (state.pending is not None),
    "request-reconsideration": lambda state: 8 * bool(state.at_hand and state.at_hand.outcome is Status.REJECTED),
    "resolve-reconsideration": lambda state: 12 * any(known.reconsidering for known in state.submissions),
    "fulfil-condition": lambda state: 4 * (len(state.fulfilled) < state.conditions),
    "file-evaluation": lambda state: 3 * any(not known.shared for known in state.evaluations),
    "share-evaluations": lambda state: 3 * any(known.sides and not known.shared for known in state.evaluations),
    "hold-evaluation-dialogue": lambda state: 2 * any(known.shared for known in state.evaluations),
    "record-payment": lambda state: 2 * bool(state.grants),
    "settle-grant": lambda state: 2 * any(known.settled is None for known in state.grants),
    "order-refund": lambda state: 2 * any(known.paid for known in state.grants),
    "rotate-host": lambda state: 2 * bool(state.hosts),
    "transfer-facility": lambda state: 2 * bool(state.facilities),
    "renew-agreement": lambda state: 3 * (state.agreement is not None),
    "amend-agreement": lambda state: int(state.agreement is not None),
    "lapse-agreement": lambda state: 3 * (state.agreement is not None and not state.agreement.auto_renewal),
    "terminate-agreement": lambda state: int(state.agreement is not None),
    "complete-partnership": lambda state: 1 + 9 * _tried_in_vain(state),
    "become-independent": lambda state: 1 + 9 * _tried_in_vain(state),
    "mainstream-partnership": lambda state: 1 + 9 * _tried_in_vain(state),
}


def likelihood(name: str, state: Partnership) -> int:
    """How many times the command stands among the likely ones."""
    return WORTH[name](state) if name in WORTH else 1
