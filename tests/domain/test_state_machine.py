"""Every command in every state, under programmes nobody thought of, and what has to hold of it all the same.

The data of a command is made from its event's model, so that a new event is driven from the day it stands in the
command table. Most of it fits the state at hand, some does not; the machines count what they gave.
"""

from __future__ import annotations

import json
import types
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from functools import cache
from random import Random
from re import fullmatch
from string import Formatter
from time import monotonic
from typing import Annotated, Any, ClassVar, Literal, Union, get_args, get_origin
from uuid import NAMESPACE_URL, UUID, uuid5

import pytest
from hypothesis import HealthCheck, Phase, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from pydantic import AfterValidator
from pydantic.fields import FieldInfo

from domain import codes, dates, errors
from domain.city import City
from domain.clock import due
from domain.commands import BY_EVENT, BY_NAME, COMMANDS
from domain.decider import (
    Call,
    Command,
    Context,
    Event,
    EventCorrected,
    EventRetracted,
    History,
    Meta,
    Mode,
    Recorded,
    State,
    advance,
    decide,
    evolve,
    fold,
)
from domain.lifecycle import Transition, transitions
from domain.participation import Participation
from domain.partnership.state import Partnership, PartnershipEvent, Review
from domain.programme import Programme, Version
from domain.rules import (
    AgreementRules,
    Criterion,
    Deadline,
    EvaluationRules,
    Form,
    FundingRules,
    LocalRejection,
    ModelYearRules,
    ProposalRules,
    ReviewRules,
    Rules,
    TermRules,
    TrialRules,
)
from domain.text import Disclosed, Visibility
from domain.values import Frozen
from domain.vocabulary import (
    ENDED,
    IN_FORCE,
    REFUSED,
    TRYING,
    UNDECIDED,
    DeadlineKind,
    FormCode,
    LeadArea,
    RejectionCode,
    Status,
    Step,
)

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
        "call": luck.one_of(("OPEN", None)),
        "budget_yen": luck.one_of((500, None)),
    }


def _rejection(name: str, state: Partnership, rules: Rules, luck: Luck) -> dict[str, Any]:
    local = luck.one_of((None, *rules.proposal.local_rejections))
    common = local.common if local else (*rules.proposal.rejection_codes, RejectionCode.VETO)[0]
    return {"codes": [common.value], "local_codes": [local.code] if local else [], "public_explanation": "text"}


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
    scored = [(score.reviewer, score.criterion) for score in review.scores] if review else []
    criterion = luck.one_of(rules.review.criteria) if rules.review.criteria else None
    fits = {"present": rules.review.quorum}
    if criterion:
        score = luck.one_of((criterion.highest, criterion.highest, criterion.lowest))
        fits |= {"score": score, "criterion": criterion.code}
    if name == "revise-score" and scored:
        fits |= dict(zip(("reviewer", "criterion"), luck.one_of(scored), strict=True))
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


def _unreviewed(state: Partnership) -> bool:
    return state.pending is not None and state.pending.review is None


def _invited(state: Partnership) -> bool:
    return any(known.invited == "INVITED" for known in state.parties)


def _tried_in_vain(state: Partnership) -> bool:
    return state.was_tried and state.status in REFUSED | TRYING | {Status.ACCEPTED, Status.SUSPENDED}


# How often a command is worth trying: what answers something that is open more often, what answers nothing not at all.
WORTH: dict[str, Callable[[Partnership], int]] = {
    "submit-proposal": lambda state: 3 * (state.pending is None),
    "open-review": lambda state: 4 * _unreviewed(state),
    "resume-partnership": lambda _: 3,
    "report-needs-survey": lambda state: 3 * (False in state.surveys),
    "complete-trial": lambda state: 3 * (False in state.trials),
    "complete-model-year": lambda state: 3 * any(not done for _, _, done in state.model_years),
    "accept-invitation": lambda state: 3 * _invited(state),
    "decline-invitation": lambda state: 3 * _invited(state),
    "record-score": lambda state: 8 * _reviewing(state),
    "revise-score": lambda state: 4 * _reviewing(state),
    "hold-presentation": lambda state: 4 * _reviewing(state),
    "issue-recommendation": lambda state: 8 * _reviewing(state),
    "request-reconsideration": lambda state: 4 * bool(state.at_hand and state.at_hand.outcome is Status.REJECTED),
    "resolve-reconsideration": lambda state: 6 * any(known.reconsidering for known in state.submissions),
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
    "lapse-agreement": lambda state: int(state.agreement is not None),
    "terminate-agreement": lambda state: int(state.agreement is not None),
    "complete-partnership": lambda state: 1 + 3 * _tried_in_vain(state),
    "become-independent": lambda state: 1 + 3 * _tried_in_vain(state),
    "mainstream-partnership": lambda state: 1 + 3 * _tried_in_vain(state),
}


def likelihood(name: str, state: Partnership) -> int:
    """How many times the command stands among the likely ones."""
    return WORTH[name](state) if name in WORTH else 1


# --- Programmes ---------------------------------------------------------------------------------------------

REQUIREMENTS = (
    *((Step.ACCEPTANCE, Step.REVIEW), (Step.REJECTION, Step.REVIEW), (Step.AGREEMENT, Step.ACCEPTANCE)),
    *((Step.TRIAL, Step.ACCEPTANCE), (Step.MODEL_YEAR, Step.NEEDS_SURVEY), (Step.PROPOSAL, Step.DELIBERATION)),
    *(
        (Step.RECOMMENDATION, Step.PRESENTATION),
        (Step.ACCEPTANCE, Step.RECOMMENDATION),
        (Step.RENEWAL, Step.EVALUATION),
    ),
    *((Step.COMPLETION, Step.FINAL_REPORT), (Step.COMPLETION, Step.SETTLEMENT), (Step.AGREEMENT, Step.TRIAL)),
    *((Step.ACTIVITY, Step.AGREEMENT), (Step.GRANT, Step.COUNCIL_RESOLUTION), (Step.DELIBERATION, Step.CONSULTATION)),
    *((Step.SETTLEMENT, Step.FINAL_REPORT), (Step.MAINSTREAMING, Step.MODEL_YEAR), (Step.EVALUATION, Step.ACTIVITY)),
)
CRITERIA = (
    Criterion(code="IMPACT", weight=2, veto_at=2),
    Criterion(code="B", lowest=0, highest=10, veto_at=0),
    Criterion(code="A"),
)
CALLS = (
    (),
    (Call(call="OPEN", opened="XXXX"),),
    (Call(call="OPEN", opened="2004-04", closes="2006-03"), Call(call="A", opened="2007", cancelled=True)),
    (Call(call="A", opened="2003", ended="2004-06"), Call(call="OPEN", opened="2005", closes="2030")),
)


def often(plain: Any, *others: Any) -> st.SearchStrategy[Any]:
    """A rule that most programmes leave at its plain value, since a programme that binds everything admits nothing."""
    return st.sampled_from([plain] * (2 + len(others)) + [*others])


def programme(pairs: list[tuple[Step, Step]], **rules: Any) -> Rules:
    """A programme that requires only steps that it has."""
    bare = Rules(**rules)
    pairs = [pair for pair in pairs if all(map(bare.has, pair))]
    requires = {step: tuple(needed for other, needed in pairs if other is step) for step, _ in pairs}
    return bare.model_copy(update={"requires": requires})


PROGRAMMES = st.builds(
    programme,
    pairs=st.lists(st.sampled_from(REQUIREMENTS), max_size=3, unique=True),
    absent=often((), (Step.REVIEW,), (Step.CONSULTATION, Step.TRIAL), (Step.RECONSIDERATION,), (Step.COMPLETION,)),
    party_roles=often((), ("LEAD", "SUPPORT")),
    city_need_not_be_party=often(None, False),
    forms=often((), (Form(codes=(FormCode.SUBSIDY,)),)),
    forms_open=st.booleans(),
    lead_areas=often((), (LeadArea.JOINT,)),
    agreement=st.builds(AgreementRules, term_required=often(False, True), states=often((), ("A", "B"))),
    proposal=st.builds(
        ProposalRules,
        citizens_may_propose=often(None, False),
        city_may_invite=often(True, False),
        call=often(None, "OPEN_CALL"),
        max_yen=often(None, 1_000),
        decided_by=often((), ("MAYOR", "WARD_MAYOR")),
        rejection_codes=often((), (RejectionCode.CAPACITY, RejectionCode.VETO)),
        local_rejections=often((), (LocalRejection(code="A", common=RejectionCode.OTHER, local=DIGEST),)),
        reconsideration_within=often(None, "P2M"),
    ),
    review=st.builds(
        ReviewRules,
        quorum=often(None, 1, 2),
        criteria=st.sampled_from([(), CRITERIA[:1], CRITERIA, CRITERIA[1:]]),
        threshold=often(None, 5_000, 7_000),
        threshold_binds=st.sampled_from(["RECOMMENDATION", "DECISION"]),
        veto_by=st.sampled_from(["MAJORITY", "ANY"]),
    ),
    deadlines=often(
        (),
        (Deadline(what=DeadlineKind.DECISION, within="P1M", after="CALL_CLOSED"),),
        (
            Deadline(what=DeadlineKind.DECISION, within="P6M", after="SUBMITTED"),
            Deadline(what=DeadlineKind.EVALUATION, within="P3M", after="EVALUATION_OPENED"),
            Deadline(what=DeadlineKind.FINAL_REPORT, within="P60D", after="AGREEMENT_ENDED"),
        ),
    ),
    trial=st.sampled_from([TrialRules(), TrialRules(max_length="P1Y"), None]),
    model_years=st.sampled_from([ModelYearRules(), ModelYearRules(maximum=2), None]),
    term=st.builds(
        TermRules,
        renewal_every=often(None, "P3Y"),
        grace=often(None, "P6M"),
        max_renewals=often(None, 0, 2),
    ),
    funding=st.builds(FundingRules, max_yen=often(None, 1_000), max_rate=often(None, 5_000)),
    evaluation=st.none()
    | st.builds(
        EvaluationRules,
        due=st.sampled_from([None, "FISCAL_YEAR", "AGREEMENT_END"]),
        sides=often((), ("PARTNER", "CITY", "CITIZEN"), ("CITIZEN",)),
        criteria=often((), ("IMPACT",)),
    ),
)


# --- What was driven ----------------------------------------------------------------------------------------


@dataclass
class Driven:
    """What the machines gave and what became of it."""

    steps: int = 0
    given: Counter[str] = field(default_factory=Counter)
    admitted: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    moves: Counter[tuple[bool, Transition]] = field(default_factory=Counter)
    """Whether without any earlier record, and the move."""


DRIVEN = Driven()
CLOCK = "X/clock"
NOW = datetime(2026, 4, 1, tzinfo=UTC)


@cache
def _commands(kind: type[State]) -> list[Command]:
    """The commands of a kind of stream, but for those that speak of another event; the record's own come once."""
    own = [row for row in COMMANDS if row.event.folds_into is kind]
    return own * 3 + [row for row in COMMANDS if row.event.folds_into is State and row.name not in CHANGES]


CHANGES = {"correct-event", "retract-event"}
ENDINGS = {event for event, _, target in transitions() if target in ENDED}


# --- One stream ---------------------------------------------------------------------------------------------


class Story(RuleBasedStateMachine):
    """One stream under random rules; subclasses say of which kind, and in which modes its events come in."""

    kind: ClassVar[type[State]] = Partnership
    firsts: ClassVar[tuple[str, ...]] = ("register-partnership", "register-partnership", "open-consultation")
    modes: ClassVar[tuple[Mode, ...]] = (Mode.LIVE,)

    programme: Programme
    calls: tuple[Call, ...]
    history: History
    today: date
    begun: date = date.min
    sound: bool = False

    @initialize(
        rules=st.lists(PROGRAMMES, min_size=1, max_size=2),
        calls=st.sampled_from(CALLS),
        seed=st.integers(0, 2**32),
    )
    def begin(self, rules: list[Rules], calls: tuple[Call, ...], seed: int) -> None:
        """A programme of one version or two, and the first event of the stream."""
        versions = zip(rules, ("2000", "2006-04-01"), strict=False)
        self.programme = Programme(
            versions=tuple(
                Version(number=n, effective=since, rules=each) for n, (each, since) in enumerate(versions, 1)
            )
        )
        self.calls, self.today = calls, date(2003, 4, 1)
        self.history = History(self.kind())
        luck = Luck(seed)
        first = BY_NAME[luck.one_of(self.firsts)]
        self.give(first, self.filled(first, luck, sure=True), "XXXX", Mode.LIVE, luck, sure=True)

    @property
    def state(self) -> Any:
        """What the stream amounts to now."""
        return self.history.state

    # What is given

    @rule(
        what=st.sampled_from(("LEADING",) * 6 + ("LIKELY",) * 6 + ("ANY", "CORRECT", "CORRECT", "RETRACT", "CLOCK")),
        at=st.integers(0, 2**16),
        mode=st.integers(0, 2**8),
        seed=st.integers(0, 2**32),
    )
    def step(self, what: str, at: int, mode: int, seed: int) -> None:
        luck, entered = Luck(seed), self.modes[mode % len(self.modes)]
        self.today += timedelta(days=luck.one_of((0, 0, 1, 14, 40, 200)))
        if what == "CLOCK":
            self.strike(luck)
        elif what == "CORRECT":
            self.correct(at, entered, luck)
        elif what == "RETRACT":
            target = self.target(at, luck)
            version = target.version if luck.happens(97) else self.history.version + 1
            self.give(BY_NAME["retract-event"], {"target": version, "reason": "text"}, "XXXX", entered, luck)
        else:
            rows = self.choices(what)
            row = rows[at % len(rows)]
            data = self.filled(row, luck)
            valid = self.dated(row.name, luck)
            if luck.happens(1 if entered is Mode.LIVE else 60):
                place = luck.one_of(self.history.recorded)
                data["placed_after"] = place.version if luck.happens(97) else self.history.version + 1
                valid = luck.one_of(("XXXX", place.event.valid.edtf, valid))
            self.give(row, data, valid, entered, luck)

    def choices(self, what: str) -> list[Command]:
        """The commands that move the partnership on, or that its state makes likely, or all of this kind of stream."""
        rows = _commands(self.kind)
        if what == "ANY":
            return rows
        # Where the stewardship goes elsewhere the story is over.
        rows = [row for row in rows if row.name != "transfer-stewardship"]
        if self.kind is not Partnership:
            return rows
        if not self.state.registered:
            rows = [row for row in rows if getattr(row.event, "at_desk", True)]
        status = self.state.status
        rows = [row for row in rows if status in getattr(row.event, "needs", Status)]
        if what == "LEADING":
            # What moves it on while it is open, and what answers something; an ending is one choice among many.
            on = {} if status in IN_FORCE else {event for event, since, _ in transitions() if since is status} - ENDINGS
            rows = [row for row in rows if row.event_name in on or likelihood(row.name, self.state) > 1] or rows
        return [row for row in rows for _ in range(likelihood(row.name, self.state))]

    def filled(self, row: Command, luck: Luck, *, sure: bool = False) -> dict[str, Any]:
        """Data of a command, most of which fits."""
        data: dict[str, Any] = object_maker(row.event)(luck)
        version = self.programme.in_force(self.today.isoformat())
        fits = fitting(row.name, self.state, version.rules if version else Rules(), self.today, luck)
        required = {name for name, field_ in row.event.model_fields.items() if field_.is_required()}
        fits = {name: value for name, value in fits.items() if value is not None or name not in required}
        data |= {name: value for name, value in fits.items() if sure or not luck.happens(6)}
        return {name: value for name, value in data.items() if value is not None}

    def dated(self, name: str, luck: Luck) -> str:
        """When it happens: today, at some precision, and now and then at a wrong time."""
        agreement = self.state.agreement if self.kind is Partnership else None
        if name in {"lapse-agreement", "renew-agreement"} and agreement and agreement.last_days and luck.happens(80):
            due = agreement.last_days[1] + timedelta(days=name == "lapse-agreement")
            if self.today < due < self.today + timedelta(days=2_000):
                self.today = due
        if luck.happens(4):
            return str(luck.one_of(CHECKED[dates.check]))
        day = self.today.isoformat()
        return str(luck.one_of((day, day, day, day[:7], day[:4], "XXXX", f"{day[:4]}?", f"[..{day}]", f"{day}/..")))

    def strike(self, luck: Luck) -> None:
        """The clock strikes: what it finds due it may record, and then it is due no more."""
        now = self.programme.in_force(self.today.isoformat())
        found = due(self.history, now.rules, self.calls, self.today) if now else []
        if not found:
            return
        first = found[0]
        sure = Mode.IMPORT not in self.modes and self.programme.in_force(first.valid) is now
        self.give(BY_NAME[first.command], first.data, first.valid, Mode.LIVE, luck, sure=sure, clock=True)
        assert not sure or now is None or first not in due(self.history, now.rules, self.calls, self.today)

    def target(self, at: int, luck: Luck) -> Recorded:
        """Something that was recorded, mostly one of the last events that count."""
        changes = (EventRetracted,) if luck.happens(30) else (EventRetracted, EventCorrected)
        likely = [entry for entry in self.history.entries if not isinstance(entry.event, changes)]
        among = list(self.history.recorded) if luck.happens(5) else likely[-6:] if luck.happens(60) else likely
        return among[-1 - at % len(among)]

    def correct(self, at: int, mode: Mode, luck: Luck) -> None:
        """Some fields of an earlier event, its date or its place."""
        target = self.target(at, luck)
        row = BY_EVENT[target.name]
        whole = target.event.model_dump(mode="json", exclude_none=True)
        if row.event not in {EventCorrected, EventRetracted}:
            new = self.filled(row, luck)
            fields = [name for name in row.event.model_fields if name not in {"valid", "breaks", "placed_after"}]
            for name in [luck.one_of(fields) for _ in range(luck.one_of((0, 1, 2)))] if fields else []:
                whole = {key: value for key, value in whole.items() if key != name or name not in new}
                whole |= {name: new[name]} if name in new else {}
        if luck.happens(40):
            near = luck.one_of(self.history.recorded).event.valid.edtf
            whole["valid"] = {"edtf": luck.one_of(("XXXX", near, near, self.today.isoformat()))}
        if luck.happens(20):
            whole["placed_after"] = luck.one_of(
                (max(1, target.version - 1), 1, 2, luck.one_of(self.history.recorded).version)
            )
        corrected = row.event.model_validate_json(json.dumps(whole), context=BlindDoor())
        name = target.name if luck.happens(99) or not luck.happens(50) else "MeetingHeld"
        data = {"target": target.version, "event": name, "event_schema": row.schema, "reason": "text"}
        data["data"] = corrected.model_dump(mode="json", exclude_none=True)
        self.give(BY_NAME["correct-event"], data, "XXXX", mode, luck)

    def meta(self, row: Command, mode: Mode, number: int, luck: Luck, *, sure: bool, clock: bool) -> Meta:
        """Who enters it, mostly somebody who may, and what was signed and approved."""
        if clock:
            return Meta(actor=CLOCK, recorded_by=CLOCK, programme="partnership", programme_version=number)
        signed = luck.one_of(("PARTIES", "DOCUMENT", "DOCUMENT")) if sure or not luck.happens(4) else "NOBODY"
        parties = [known.party.party for known in getattr(self.state, "parties", ())]
        return Meta(
            mode=mode,
            actor=f"{luck.one_of(row.actors if sure or luck.happens(90) else 'SPDCRAXTZ')}/who",
            recorded_by="S/officer",
            approved_by="Z/second" if sure or not luck.happens(5) else luck.one_of((None, "S/officer")),
            signatories=tuple(parties) if signed == "PARTIES" else (),
            document_ref=DIGEST if signed == "DOCUMENT" else None,
            programme="partnership",
            programme_version=number,
        )

    # What becomes of it

    def give(
        self,
        row: Command,
        data: dict[str, Any],
        valid: str,
        mode: Mode,
        luck: Luck,
        *,
        sure: bool = False,
        clock: bool = False,
    ) -> None:
        """Decide and record; a refusal changes nothing and names its rule."""
        before, held = self.history, self.state.model_dump_json()
        draft = row.event.model_validate_json(json.dumps(data | {"valid": {"edtf": valid}}), context=BlindDoor())
        judged = draft
        if isinstance(draft, EventCorrected) and draft.event == before.recorded[draft.target - 1].name:
            judged = BY_EVENT[draft.event].event.model_validate_json(json.dumps(draft.data))
        version = self.programme.in_force(judged.valid.edtf)
        assert version is not None
        meta = self.meta(row, mode, version.number, luck, sure=sure, clock=clock)
        context = Context(
            rules=version.rules,
            calls=self.calls,
            import_window=True,
            rules_of=self.rules_of,
            exists={"A", "B"}.__contains__,
        )
        DRIVEN.steps += 1
        DRIVEN.given[row.name] += 1
        note(f"{row.name} {data} {valid} {meta}")
        self.sound = False
        try:
            event = decide(before, context, row, draft, meta)
        except errors.DomainError as refusal:
            note(f"  refused: {refusal}")
            named_in_full(refusal, expected=not sure)
            assert self.state.model_dump_json() == held, "a refusal changes nothing"
        else:
            DRIVEN.admitted[row.name] += 1
            version_ = before.version + 1
            new = Recorded(row.event_name, event, meta, UUID(int=0), version_, version_, NOW)
            self.history = advance(before, new)
            assert fold(self.kind(), self.history.recorded) == self.history
            if isinstance(event, EventCorrected | EventRetracted) or event.placed_after is not None:
                self.look_at_everything()
            else:
                self.look(new, before.state)
        self.sound = True

    def teardown(self) -> None:
        if self.sound:
            self.look_at_everything()

    def look_at_everything(self) -> None:
        """Every event that counts, in its order and from the empty state on."""
        self.begun, state = date.min, self.kind()
        for entry in self.history.entries:
            self.look(entry, state)
            state = evolve(state, entry)
        assert state == self.state

    def look(self, entry: Recorded, before: Any) -> None:
        """One event at its place: what it breaks there, and what it makes of the state."""
        after = evolve(before, entry)
        if isinstance(entry.event, PartnershipEvent):
            self.moved(entry, before, after)
        if Mode.IMPORT in self.modes:
            return
        assert entry.event.breaks == ()
        meta = entry.meta
        if entry.corrected_by is not None:
            meta = self.history.recorded[entry.corrected_by - 1].meta
        rules = self.rules_of(meta)
        there = Context(rules=rules, calls=self.calls, meta=meta, exists={"A", "B"}.__contains__)
        entry.event.check(before, there)
        broken = [violation.code for violation in entry.event.violations(before, there)]
        span = dates.bounds(entry.event.valid.edtf)
        if entry.event.in_order:
            if span.latest is not None and span.latest < self.begun:
                broken.append("OutOfOrder")
            self.begun = max(self.begun, span.earliest or date.min)
        assert not broken, f"{entry.name} ({entry.version}) breaks {broken} where it stands"
        assert not entry.event.second_person or meta.approved_by not in (None, meta.recorded_by)
        numbered(after)
        if isinstance(before, Partnership):
            in_force(entry.event, before, after, rules)

    def moved(self, entry: Recorded, before: Partnership, after: Partnership) -> None:
        """What an event moves is declared, unless an earlier record puts it where it could not be."""
        if before.status is after.status or after.status is None:
            assert before.status is after.status
        elif before.status is None or before.status in entry.event.needs:
            move = Transition(entry.name, before.status, after.status)
            assert move in transitions()
            DRIVEN.moves[Mode.IMPORT not in self.modes, move] += 1

    def rules_of(self, meta: Meta) -> Rules:
        """The rules by which it was judged."""
        return self.programme.versions[(meta.programme_version or 1) - 1].rules


# --- What always holds --------------------------------------------------------------------------------------


def named_in_full(refusal: errors.DomainError, *, expected: bool) -> None:
    """A refusal is one of the catalogue, and both of its messages have all their details."""
    assert expected, refusal
    known = getattr(errors, refusal.code)
    assert known is type(refusal)
    for language, template in (("ja", known.ja), ("en", known.__doc__)):
        blanks = {name for _, name, _, _ in Formatter().parse(template) if name is not None}
        assert blanks <= refusal.details.keys(), f"{refusal.code}: {blanks - refusal.details.keys()} is missing"
        assert refusal.message(language)
    DRIVEN.refusals[refusal.code] += 1


def numbered(state: Any) -> None:
    """Whatever is numbered is numbered from 1 without a gap."""
    assert all(1 <= hold <= state.holds_set for hold in state.holds)
    assert state.anomalies == ()
    if isinstance(state, Programme):
        assert [version.number for version in state.versions] == list(range(1, len(state.versions) + 1))
        assert len({call.call for call in state.calls}) == len(state.calls)
    if not isinstance(state, Partnership):
        return
    assert [known.number for known in state.submissions] == list(range(1, len(state.submissions) + 1))
    assert [known.number for known in state.agreements] == list(range(1, len(state.agreements) + 1))
    assert sorted(known.number for known in state.evaluations) == list(range(1, len(state.evaluations) + 1))
    assert len({known.grant for known in state.grants}) == len(state.grants)
    for programme, years in Counter(programme for programme, _, _ in state.model_years).items():
        assert [n for name, n, _ in state.model_years if name == programme] == list(range(1, years + 1))
    undecided = [known for known in state.submissions if known.outcome is None]
    assert undecided == ([state.pending] if state.pending else []), "at most one submission is pending"
    assert (state.pending is not None) >= (state.status in UNDECIDED)
    assert state.pending is None or state.status in UNDECIDED | TRYING | IN_FORCE | ENDED, "it can still be decided"
    assert state.accepted or state.conditions == 0, "conditions are those of an acceptance that stands"
    assert all(known.yen is None or known.paid <= known.yen for known in state.grants)


def in_force(event: Event, before: Partnership, after: Partnership, rules: Rules) -> None:
    """What no admitted event does, said a second time and in other words than the rules'."""
    if before.status in ENDED:
        assert after.status is before.status, "an ended partnership has no new life-cycle"
    if isinstance(event, PartnershipEvent):
        assert before.status is None or before.status in event.needs
        assert len(after.submissions) - len(before.submissions) in (0, 1)
        renewals = [sum(known.renewals for known in state.agreements) for state in (before, after)]
        assert renewals[1] - renewals[0] == (type(event).__name__ == "AgreementRenewed")
        for known, earlier in zip(after.submissions, before.submissions, strict=False):
            lost = len(earlier.review.scores) if earlier.review else 0
            assert known.review is None or len(known.review.scores) >= lost, "no score is lost"
    match type(event).__name__:
        case "PaymentRecorded" if grant := after.grant(getattr(event, "grant", None) or ""):
            assert grant.limit is None or grant.paid <= grant.limit
        case "AgreementConcluded":
            assert set(range(1, before.conditions + 1)) <= set(before.fulfilled), "no condition is open"
        case "ProposalAccepted" if before.pending and before.pending.review:
            assert not vetoed(before.pending.review, rules.review)
        case "EvaluationsShared":
            shared = next(known for known in before.evaluations if known.number == getattr(event, "evaluation", 0))
            sides = (rules.evaluation.sides if rules.evaluation else ()) or ("PARTNER", "CITY")
            assert set(sides) <= set(shared.sides), "evaluations are revealed together"
        case "DisposalDecided" | "SubjectErased":
            assert not before.holds


def vetoed(review: Review, rules: ReviewRules) -> bool:
    """Whether too many of the scores are votes against, but for those of who stands back."""
    scores = [score for score in review.scores if score.reviewer not in review.recused]
    for criterion in rules.criteria:
        given = [score.score for score in scores if score.criterion == criterion.code]
        against = [score for score in given if criterion.veto_at is not None and score <= criterion.veto_at]
        if against and (rules.veto_by == "ANY" or len(against) > len(given) / 2):
            return True
    return False


class PastStory(Story):
    """What was forgotten is entered later, at its place."""

    modes = (Mode.LIVE, Mode.RETROACTIVE)


class ImportedStory(Story):
    """Earlier records too, whatever they break."""

    modes = (Mode.LIVE, Mode.RETROACTIVE, Mode.IMPORT, Mode.IMPORT)


class ProgrammeStory(Story):
    """A programme's stream."""

    kind, firsts, modes = Programme, ("define-programme",), (Mode.LIVE, Mode.RETROACTIVE)


class CityStory(Story):
    """A city's own stream."""

    kind, firsts, modes = City, ("state-city-attribute",), (Mode.LIVE, Mode.RETROACTIVE)


class ParticipationStory(Story):
    """A city's part in what another one records."""

    kind, firsts, modes = Participation, ("confirm-participation",), (Mode.LIVE, Mode.RETROACTIVE)


STORIES = {Story: 50, PastStory: 30, ImportedStory: 10, ProgrammeStory: 4, CityStory: 3, ParticipationStory: 3}


def drive(examples: int, *, derandomize: bool) -> None:
    """Run every machine, each with its share of the examples in percent, for 50 steps an example."""
    for story, percent in STORIES.items():
        run_state_machine_as_test(
            story,
            settings=settings(
                max_examples=examples * percent // 100,
                stateful_step_count=50,
                derandomize=derandomize,
                database=None,
                deadline=None,
                phases=(Phase.generate, Phase.shrink),
                suppress_health_check=list(HealthCheck),
            ),
        )


def test_what_is_admitted_holds_when_it_is_judged_again() -> None:
    drive(420, derandomize=True)
    assert DRIVEN.steps >= 20_000
    assert {row.name for row in COMMANDS} == set(DRIVEN.given), "a command of the table is never given"
    assert set(DRIVEN.given) == set(DRIVEN.admitted), "a command is always refused"


# Only an earlier record, whose proposals nobody wrote down, tells of an acceptance after a rejection.
ONLY_IMPORTED = {Transition("ProposalAccepted", Status.REJECTED, Status.ACCEPTED)}


@pytest.mark.soak
def test_half_a_million_steps_make_every_move() -> None:
    start, most = monotonic(), 500_000
    while DRIVEN.steps < most:
        drive(1_000, derandomize=False)
        made = {move for live, move in DRIVEN.moves if live or move in ONLY_IMPORTED}
        print(
            f"{DRIVEN.steps:,} steps, {sum(DRIVEN.admitted.values()):,} admitted, {monotonic() - start:.0f} s;"
            f" {len(made)} of {len(transitions())} moves made"
        )
    silent = [name for name, kind in vars(errors).items() if isinstance(kind, type) and name not in DRIVEN.refusals]
    print(f"refusals never met: {', '.join(silent)}")
    assert set(transitions()) - made == set()
    assert not {(True, move) for move in ONLY_IMPORTED} & set(DRIVEN.moves)
