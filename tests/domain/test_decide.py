"""Given a partnership's past, when a command is given, then its event is admitted or the rule that forbids it named."""

# ruff: noqa: E501  (the two tables hold one rule a line, to be read across)

from __future__ import annotations

import hashlib
import json
from base64 import urlsafe_b64encode
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import NAMESPACE_URL, uuid5

import pytest

from domain import errors
from domain.commands import BY_NAME, initial_state
from domain.decider import Context, Event, History, Meta, Mode, Recorded, advance, decide, fold
from domain.partnership.state import PartnershipEvent
from domain.programme import Programme
from domain.rules import Kind, ModelYearRules, ProposalRules, Rules, TermRules, TrialRules
from domain.text import Visibility
from domain.vocabulary import RejectionCode, Status, Step

STREAM = uuid5(NAMESPACE_URL, "stream")


class PlainDoor:
    """Digests without salt: enough for rules, which never look at a text."""

    def seal(self, name: str, value: str, visibility: Visibility, subject: str | None) -> str:
        return urlsafe_b64encode(hashlib.sha256(value.encode()).digest()).decode().rstrip("=")

    def party(self, name: str) -> str:
        return str(uuid5(NAMESPACE_URL, name))

    def person(self, name: str) -> str:
        return self.party(name)


DOOR = PlainDoor()
DOCUMENT = DOOR.seal("document_ref", "7協推第12号", Visibility.PUBLIC, None)
NPO, CITY, SCHOOL = map(DOOR.party, ("npo", "city", "school"))


class Fact(NamedTuple):
    """A command with its data and its date."""

    command: str
    data: dict[str, Any]
    valid: str


def fact(command: str, valid: str = "XXXX", **data: Any) -> Fact:
    return Fact(command, data, valid)


def draft(given: Fact) -> Event:
    data = given.data | {"valid": {"edtf": given.valid}}
    return BY_NAME[given.command].event.model_validate_json(json.dumps(data), context=DOOR)


def given(*facts: Fact) -> History:
    """What was recorded, whether or not a rule would admit it today."""
    history = History(initial_state(BY_NAME[facts[0].command].event_name) if facts else None)
    for fact_ in facts:
        history = recorded(history, fact_, draft(fact_))
    return history


def recorded(history: History, fact_: Fact, event: Event, mode: Mode = Mode.LIVE) -> History:
    version = history.version + 1
    new = Recorded(
        name=BY_NAME[fact_.command].event_name,
        event=event,
        meta=Meta(mode=mode, actor="S/test", recorded_by="S/test"),
        stream=STREAM,
        version=version,
        position=version,
        recorded_at=datetime(2026, 4, 1, tzinfo=UTC),
    )
    return advance(history, new)


def when(
    history: History,
    fact_: Fact,
    rules: Rules | None = None,
    *,
    mode: Mode = Mode.LIVE,
    actor: str | None = None,
    approved_by: str | None = "Z/second",
    window: bool = False,
    document_ref: str | None = DOCUMENT,
) -> Event:
    """The event that the command makes; raises what forbids it."""
    row = BY_NAME[fact_.command]
    if actor is None:
        actor = "S/officer" if set("PDCRA") & set(row.actors) or "S" in row.actors else f"{row.actors[0]}/officer"
    meta = Meta(
        mode=mode, actor=actor, recorded_by="S/officer", approved_by=approved_by, document_ref=document_ref
    )
    if history.state is None:
        history = History(initial_state(BY_NAME[fact_.command].event_name))
    context = Context(rules=rules or Rules(), import_window=window)
    return decide(history, context, BY_NAME[fact_.command], draft(fact_), meta)


def then(history: History, fact_: Fact, event: Event, mode: Mode = Mode.LIVE) -> History:
    """The past with the admitted event, folded both ways."""
    after = recorded(history, fact_, event, mode)
    assert after == fold(type(history.state)(), after.recorded)
    return after


def correction(history: History, target: int, **changes: Any) -> Fact:
    """A correction of some fields, with the whole corrected event, as the book makes it."""
    entry = next(e for e in (*history.entries, *history.recorded) if e.version == target)
    whole = entry.event.model_dump(mode="json", exclude_none=True) | changes
    whole = {name: value for name, value in whole.items() if value is not None}
    return fact("correct-event", target=target, event=entry.name, event_schema=1, data=whole, reason="entered wrongly")


def retraction(target: int) -> Fact:
    return fact("retract-event", target=target, reason="belongs elsewhere")


def placed(fact_: Fact, after: int) -> Fact:
    return fact_._replace(data=fact_.data | {"placed_after": after})


# fmt: off
REGISTERED = fact("register-partnership", number="Y1", programme="partnership", title_ja="保育支援", parties=[
    {"party": "npo", "kind": "NPO", "name_ja": "保育の会"}, {"party": "city", "kind": "MUNICIPALITY", "name_ja": "大和市"}])
CONSULTED = fact("open-consultation", topic="child care")
MET = fact("hold-meeting", attendees=["npo"])
INVITED = fact("invite-party", party="npo")
AGREED = fact("conclude-agreement", parties=["npo", "city"])
TERMED = fact("conclude-agreement", "2020-04-01", parties=["npo", "city"], term="P3Y")
ACTIVE = fact("start-activity")
TRIED = fact("start-trial")
SUSPENDED = fact("suspend-partnership")
ESTABLISHED = fact("establish-facility", facility="hall")
MAINSTREAMED = fact("mainstream-partnership")
DECIDED = {"decided_by": "city", "authority": "MAYOR"}
ACCEPTED = fact("accept-proposal", **DECIDED)


def submitted(no: int, kind: str = "NEW", **data: Any) -> Fact:
    return fact("submit-proposal", submission=no, kind=kind, proposed_by="CITIZENS", **data)


def answering(no: int, rejected: int) -> Fact:
    return submitted(no, "RESUBMISSION", answers_rejection_of=rejected)


def rejected(no: int, *codes: str, **data: Any) -> Fact:
    explained = {"public_explanation": "the aims are not clear", "codes": codes or ["OBJECTIVES_UNCLEAR"]}
    return fact("reject-proposal", submission=no, **DECIDED | explained | data)


def accepted(no: int | None = None) -> Fact:
    return fact("accept-proposal", **DECIDED | ({"submission": no} if no else {}))


def reviewed(no: int) -> Fact:
    return fact("open-review", submission=no)


def model_year(n: int, programme: str = "model") -> Fact:
    return fact("start-model-year", programme=programme, n=n)


def renewed(no: int, **data: Any) -> Fact:
    return fact("renew-agreement", no=no, **data)


def lapsed(on: str = "2023-04-01") -> Fact:
    return fact("lapse-agreement", on)


def terminated() -> Fact:
    return fact("terminate-agreement", initiator="CITY")


NO_RULES = Rules()
NEEDS_REVIEW = Rules(requires={Step.ACCEPTANCE: (Step.REVIEW,), Step.REJECTION: (Step.REVIEW,)})
PROPOSALS_ONLY = Rules(proposal=ProposalRules(city_may_invite=False))
CAPPED = Rules(proposal=ProposalRules(max_yen=1_000_000))
LISTED_REASONS = Rules(proposal=ProposalRules(rejection_codes=(RejectionCode.CAPACITY,)))
WITH_TRIAL = Rules(trial=TrialRules(max_length="P1Y"))
TRIAL_AFTER_ACCEPTANCE = Rules(trial=TrialRules(), requires={Step.TRIAL: (Step.ACCEPTANCE,)})
TWO_MODEL_YEARS = Rules(model_years=ModelYearRules(maximum=2))
THREE_YEARS = Rules(term=TermRules(renewal_every="P3Y"))
AFTER_ACCEPTANCE = Rules(requires={Step.AGREEMENT: (Step.ACCEPTANCE,)})
WITH_MODEL = Rules(model_years=ModelYearRules())
KINDS = Rules(kinds=(Kind(code="FACILITY"),))

REFUSED = [
    # sentence                                                    rules           past                                     command                                          refusal
    ("a rejection without a reason code",                         NO_RULES,       [REGISTERED, submitted(1)],              rejected(1, codes=[]),                           errors.ReasonRequired),
    ("a rejection without a public explanation",                  NO_RULES,       [REGISTERED, submitted(1)],              rejected(1, public_explanation=None),            errors.ReasonRequired),
    ("a rejection for a reason that the programme lacks",         LISTED_REASONS, [REGISTERED, submitted(1)],              rejected(1, "VETO"),                             errors.ReasonUnknown),
    ("a rejection of another submission than the pending one",    NO_RULES,       [REGISTERED, submitted(1)],              rejected(2),                                     errors.SubmissionNotPending),
    ("a rejection before the review that is required",            NEEDS_REVIEW,   [REGISTERED, submitted(1)],              rejected(1),                                     errors.StepRequired),
    ("a resubmission that names no rejection",                    NO_RULES,       [REGISTERED, submitted(1), rejected(1)], submitted(2, "RESUBMISSION"),                    errors.RejectionUnanswered),
    ("a resubmission that answers what was not rejected",         NO_RULES,       [REGISTERED, submitted(1), rejected(1)], answering(2, 2),                                 errors.RejectionUnanswered),
    ("a resubmission before anything was rejected",               NO_RULES,       [REGISTERED],                            answering(1, 1),                                 errors.RejectionUnanswered),
    ("a continuation that answers a rejection",                   NO_RULES,       [REGISTERED, submitted(1), rejected(1)], submitted(2, "CONTINUATION", answers_rejection_of=1), errors.RejectionUnanswered),
    ("a new proposal that answers a rejection",                   NO_RULES,       [REGISTERED, submitted(1), rejected(1)], submitted(2, answers_rejection_of=1),            errors.RejectionUnanswered),
    ("a second submission with the first one's number",           NO_RULES,       [REGISTERED, submitted(1), rejected(1)], answering(1, 1),                                 errors.SubmissionNumberWrong),
    ("a first submission with number 2",                          NO_RULES,       [REGISTERED],                            submitted(2),                                    errors.SubmissionNumberWrong),
    ("a second submission while one is pending",                  NO_RULES,       [REGISTERED, submitted(1)],              submitted(2),                                    errors.StatusForbids),
    ("a budget over the programme's maximum",                     CAPPED,         [REGISTERED],                            submitted(1, budget_yen=1_000_001),              errors.LimitExceeded),
    ("a withdrawal of a decided submission",                      NO_RULES,       [REGISTERED, submitted(1), rejected(1)], fact("withdraw-proposal", submission=1),         errors.StatusForbids),
    ("a withdrawal of another submission",                        NO_RULES,       [REGISTERED, submitted(1)],              fact("withdraw-proposal", submission=2),         errors.SubmissionNotPending),
    ("a review of nothing",                                       NO_RULES,       [REGISTERED],                            reviewed(1),                                     errors.StatusForbids),
    ("a review of another submission",                            NO_RULES,       [REGISTERED, submitted(1)],              reviewed(2),                                     errors.SubmissionNotPending),
    ("an acceptance before the review that is required",          NEEDS_REVIEW,   [REGISTERED, submitted(1)],              accepted(1),                                     errors.StepRequired),
    ("an acceptance of a submission never made",                  NO_RULES,       [REGISTERED],                            accepted(1),                                     errors.SubmissionNotPending),
    ("an acceptance without a submission where one is pending",   NO_RULES,       [REGISTERED, submitted(1)],              accepted(),                                      errors.SubmissionNotPending),
    ("an invitation by the city where only proposals count",      PROPOSALS_ONLY, [REGISTERED],                            accepted(),                                      errors.CityMayNotInvite),
    ("a trial where the programme has none",                      NO_RULES,       [REGISTERED],                            TRIED,                                           errors.StageNotPartOfProgramme),
    ("a trial longer than the programme allows",                  WITH_TRIAL,     [REGISTERED],                            fact("start-trial", length="P1Y1D"),             errors.LimitExceeded),
    ("a trial before the acceptance that must precede it",        TRIAL_AFTER_ACCEPTANCE, [REGISTERED],                    TRIED,                                           errors.StepRequired),
    ("the end of a trial that never began",                       WITH_TRIAL,     [REGISTERED],                            fact("complete-trial"),                          errors.NotStarted),
    ("the end of a trial that has ended",                         WITH_TRIAL,     [REGISTERED, TRIED, fact("complete-trial")], fact("complete-trial"),                      errors.NotStarted),
    ("the second model year first",                               WITH_MODEL,     [REGISTERED],                            model_year(2),                                   errors.NumberOutOfSequence),
    ("the first model year again",                                WITH_MODEL,     [REGISTERED, model_year(1)],             model_year(1),                                   errors.NumberOutOfSequence),
    ("a model year over the maximum",                             TWO_MODEL_YEARS, [REGISTERED, model_year(1), model_year(2)], model_year(3),                              errors.LimitExceeded),
    ("the end of a model year that never began",                  WITH_MODEL,     [REGISTERED, model_year(1)],             fact("complete-model-year", programme="model", n=2), errors.NotStarted),
    ("a report of a survey that never began",                     NO_RULES,       [REGISTERED],                            fact("report-needs-survey", findings=["few"]),   errors.NotStarted),
    ("an agreement before the acceptance that is required",       AFTER_ACCEPTANCE, [REGISTERED],                          AGREED,                                          errors.StepRequired),
    ("an agreement on a pending proposal",                        NO_RULES,       [REGISTERED, submitted(1)],              AGREED,                                          errors.StatusForbids),
    ("an agreement of another term than the programme's",         THREE_YEARS,    [REGISTERED],                            fact("conclude-agreement", parties=["npo", "city"], term="P2Y"), errors.TermMismatch),
    ("a second renewal first",                                    NO_RULES,       [REGISTERED, AGREED],                    renewed(2),                                      errors.NumberOutOfSequence),
    ("a renewal for another term than the programme's",           THREE_YEARS,    [REGISTERED, AGREED],                    renewed(1, term="P1Y"),                          errors.TermMismatch),
    ("a renewal where work goes on without an agreement",         NO_RULES,       [REGISTERED, ACTIVE],                    renewed(1),                                      errors.NothingAgreed),
    ("a renewal after the lapse",                                 NO_RULES,       [REGISTERED, TERMED, lapsed()],          fact("renew-agreement", "2023-05", no=1),        errors.StatusForbids),
    ("the lapse of an agreement without a term",                  NO_RULES,       [REGISTERED, AGREED],                    lapsed(),                                        errors.NotDue),
    ("the lapse of an agreement that renews itself",              NO_RULES,       [REGISTERED, fact("conclude-agreement", parties=["npo", "city"], term="P1Y", auto_renewal=True)], lapsed(), errors.NotDue),
    ("the lapse of an agreement that still runs",                 NO_RULES,       [REGISTERED, TERMED],                    lapsed("2023-03-31"),                            errors.NotDue),
    ("the lapse of an agreement that was renewed",                NO_RULES,       [REGISTERED, TERMED, fact("renew-agreement", "2023", no=1)], lapsed("2023-04-01"),        errors.NotDue),
    ("a lapse where nothing is agreed",                           NO_RULES,       [REGISTERED, ACTIVE],                    lapsed(),                                        errors.NothingAgreed),
    ("a termination where nothing is agreed",                     NO_RULES,       [REGISTERED, ACTIVE],                    terminated(),                                    errors.NothingAgreed),
    ("a termination of what has ended",                           NO_RULES,       [REGISTERED, AGREED, terminated()],      terminated(),                                    errors.StatusForbids),
    ("a suspension before anything is agreed",                    NO_RULES,       [REGISTERED],                            SUSPENDED,                                       errors.StatusForbids),
    ("a suspension of what is suspended",                         NO_RULES,       [REGISTERED, AGREED, SUSPENDED],         SUSPENDED,                                       errors.StatusForbids),
    ("a resumption of what goes on",                              NO_RULES,       [REGISTERED, AGREED],                    fact("resume-partnership"),                      errors.StatusForbids),
    ("mainstreaming without a trial, model year or agreement",    NO_RULES,       [REGISTERED, ACCEPTED],                  MAINSTREAMED,                                    errors.NothingTried),
    ("mainstreaming of what was only registered",                 NO_RULES,       [REGISTERED],                            MAINSTREAMED,                                    errors.StatusForbids),
    ("independence without anything tried",                       NO_RULES,       [REGISTERED, ACCEPTED],                  fact("become-independent"),                      errors.NothingTried),
    ("completion of what has ended",                              NO_RULES,       [REGISTERED, AGREED, MAINSTREAMED],      fact("complete-partnership"),                    errors.StatusForbids),
    ("a proposal after the end",                                  NO_RULES,       [REGISTERED, AGREED, MAINSTREAMED],      submitted(1),                                    errors.StatusForbids),
    ("an answer to an invitation that was not made",              NO_RULES,       [REGISTERED],                            fact("accept-invitation", party="npo"),          errors.NotInvited),
    ("a second answer to an invitation",                          NO_RULES,       [REGISTERED, INVITED, fact("decline-invitation", party="npo")], fact("accept-invitation", party="npo"), errors.NotInvited),
    ("the transfer of a facility not recorded before",            NO_RULES,       [REGISTERED],                            fact("transfer-facility", facility="hall", right="USE", from_party="city", to_party="npo"), errors.FacilityUnknown),
    ("the end of a consultation after a proposal",                NO_RULES,       [REGISTERED, submitted(1)],              fact("close-consultation", outcome="ADVICE"),    errors.StatusForbids),
    ("a kind that the programme does not know",                   KINDS,          [],                                      REGISTERED._replace(data=REGISTERED.data | {"kind": "FESTIVAL"}), errors.StageNotPartOfProgramme),
    ("an import window while one is open",                        NO_RULES,       [fact("open-import-window", reason="paper", scope="CASES")], fact("open-import-window", reason="paper", scope="CASES"), errors.ImportWindowAlreadyOpen),
    ("the end of an import window that is not open",              NO_RULES,       [fact("state-city-attribute", population=1)], fact("close-import-window", entered=0),     errors.ImportWindowNotOpen),
    ("a programme's version that leaves a gap",                   NO_RULES,       [fact("define-programme", programme="p", title_ja="制度", rules={})], fact("revise-programme", version=3, rules={}), errors.ProgrammeVersionWrong),
    ("a programme's version of before the last one",              NO_RULES,       [fact("define-programme", "2016-03", programme="p", title_ja="制度", rules={})], fact("revise-programme", "2015", version=2, rules={}), errors.OutOfOrder),
]

ADMITTED = [
    # sentence                                                     rules          past                                                        command                                status after
    ("a consultation begins the story",                            NO_RULES,      [REGISTERED],                                               CONSULTED,                             Status.CONSULTING),
    ("a meeting is a deliberation",                                NO_RULES,      [REGISTERED, CONSULTED],                                    MET,                                   Status.DELIBERATING),
    ("a meeting of an agreed partnership moves nothing",           NO_RULES,      [REGISTERED, AGREED],                                       MET,                                   Status.AGREED),
    ("a consultation may end in advice",                           NO_RULES,      [REGISTERED, CONSULTED],                                    fact("close-consultation", outcome="ADVICE"), Status.CLOSED),
    ("a consultation may go on to a proposal",                     NO_RULES,      [REGISTERED, CONSULTED],                                    fact("close-consultation", outcome="PROPOSAL"), Status.CONSULTING),
    ("a rejection with reason and explanation",                    NO_RULES,      [REGISTERED, submitted(1)],                                 rejected(1),                           Status.REJECTED),
    ("a resubmission that names the rejection it answers",         NO_RULES,      [REGISTERED, submitted(1), rejected(1)],                    answering(2, 1),                       Status.PROPOSED),
    ("a resubmission may answer the rejection before the last",    NO_RULES,      [REGISTERED, submitted(1), rejected(1), answering(2, 1), rejected(2)], answering(3, 1),            Status.PROPOSED),
    ("a continuation is a proposal of its own",                    WITH_MODEL,    [REGISTERED, model_year(1)],                                submitted(1, "CONTINUATION"),          Status.MODEL_YEAR),
    ("a proposal may be withdrawn under review",                   NEEDS_REVIEW,  [REGISTERED, submitted(1), reviewed(1)],                    fact("withdraw-proposal", submission=1), Status.WITHDRAWN),
    ("an acceptance after the review",                             NEEDS_REVIEW,  [REGISTERED, submitted(1), reviewed(1)],                    accepted(1),                           Status.ACCEPTED),
    ("the city may invite without a proposal",                     NO_RULES,      [REGISTERED],                                               accepted(),                            Status.ACCEPTED),
    ("a trial before acceptance",                                  WITH_TRIAL,    [REGISTERED],                                               fact("start-trial", length="P12M"),    Status.TRIAL),
    ("a trial after acceptance",                                   TRIAL_AFTER_ACCEPTANCE, [REGISTERED, ACCEPTED],                            TRIED,                                 Status.TRIAL),
    ("the end of the second of two open trials",                   WITH_TRIAL,    [REGISTERED, TRIED, TRIED, fact("complete-trial")],         fact("complete-trial"),                Status.TRIAL),
    ("model years are counted by programme",                       TWO_MODEL_YEARS, [REGISTERED, model_year(1, "other")],                     model_year(1),                         Status.MODEL_YEAR),
    ("the last model year allowed",                                TWO_MODEL_YEARS, [REGISTERED, model_year(1)],                              model_year(2),                         Status.MODEL_YEAR),
    ("an agreement without a proposal",                            NO_RULES,      [REGISTERED],                                               AGREED,                                Status.AGREED),
    ("an agreement after acceptance",                              AFTER_ACCEPTANCE, [REGISTERED, ACCEPTED],                                  AGREED,                                Status.AGREED),
    ("another agreement of an active partnership moves nothing",   NO_RULES,      [REGISTERED, AGREED, ACTIVE],                               AGREED,                                Status.ACTIVE),
    ("a renewal",                                                  THREE_YEARS,   [REGISTERED, TERMED],                                       fact("renew-agreement", "2023", no=1, term="P3Y"), Status.AGREED),
    ("a lapse the day after the end",                              NO_RULES,      [REGISTERED, TERMED],                                       lapsed(),                              Status.LAPSED),
    ("a lapse after the renewed term",                             NO_RULES,      [REGISTERED, TERMED, fact("renew-agreement", "2023", no=1)], lapsed("2026-04-01"),                 Status.LAPSED),
    ("a termination",                                              NO_RULES,      [REGISTERED, AGREED, ACTIVE],                               terminated(),                          Status.TERMINATED),
    ("one of two agreements ends, the partnership does not",       NO_RULES,      [REGISTERED, AGREED, AGREED, ACTIVE],                       terminated(),                          Status.ACTIVE),
    ("the last of two agreements ends",                            NO_RULES,      [REGISTERED, AGREED, AGREED, ACTIVE, terminated()],         terminated(),                          Status.TERMINATED),
    ("a suspension",                                               NO_RULES,      [REGISTERED, AGREED],                                       SUSPENDED,                             Status.SUSPENDED),
    ("an agreed partnership resumes as agreed",                    NO_RULES,      [REGISTERED, AGREED, SUSPENDED],                            fact("resume-partnership"),            Status.AGREED),
    ("an active partnership resumes as active",                    NO_RULES,      [REGISTERED, AGREED, ACTIVE, SUSPENDED],                    fact("resume-partnership"),            Status.ACTIVE),
    ("a model project is mainstreamed",                            WITH_MODEL,    [REGISTERED, model_year(1)],                                MAINSTREAMED,                          Status.MAINSTREAMED),
    ("a trial is mainstreamed",                                    WITH_TRIAL,    [REGISTERED, TRIED],                                        MAINSTREAMED,                          Status.MAINSTREAMED),
    ("an agreed partnership becomes independent",                  NO_RULES,      [REGISTERED, AGREED],                                       fact("become-independent"),            Status.INDEPENDENT),
    ("funding is recorded after mainstreaming",                    NO_RULES,      [REGISTERED, AGREED, MAINSTREAMED],                         fact("decide-funding", payee="npo"),   Status.MAINSTREAMED),
    ("an invited party accepts",                                   NO_RULES,      [REGISTERED, INVITED],                                      fact("accept-invitation", party="npo"), Status.REGISTERED),
    ("a recorded facility passes on",                              NO_RULES,      [REGISTERED, ESTABLISHED],                                  fact("transfer-facility", facility="hall", right="USE", from_party="city", to_party="npo"), Status.REGISTERED),
]
# fmt: on


@pytest.mark.parametrize(
    ("rules", "past", "command", "refusal"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_what_breaks_a_rule_is_refused_live_and_kept_as_an_anomaly_when_imported(
    rules: Rules, past: list[Fact], command: Fact, refusal: type[errors.RuleViolated]
) -> None:
    history = given(*past)
    with pytest.raises(refusal) as refused:
        when(history, command, rules)
    assert refused.value.message("en") != refused.value.message("ja")
    assert "?" not in refused.value.message("en") + refused.value.message("ja"), "a detail is missing"
    with pytest.raises(refusal):
        when(history, command, rules, mode=Mode.RETROACTIVE)
    imported = when(history, command, rules, mode=Mode.IMPORT, window=True)
    assert refusal.__name__ in imported.breaks
    if history.state is not None:
        assert {a.rule for a in then(history, command, imported).state.anomalies} >= {refusal.__name__}


@pytest.mark.parametrize(
    ("rules", "past", "command", "status"), [row[1:] for row in ADMITTED], ids=[row[0] for row in ADMITTED]
)
def test_what_the_rules_allow_moves_the_partnership(
    rules: Rules, past: list[Fact], command: Fact, status: Status
) -> None:
    history = given(*past)
    event = when(history, command, rules)
    assert event.breaks == ()
    assert then(history, command, event).state.status is status


# --- What no mode admits ------------------------------------------------------------------------------------

MODES = pytest.mark.parametrize("mode", list(Mode))


@MODES
@pytest.mark.parametrize(
    "command",
    [
        fact("hold-meeting", attendees=["school"]),
        fact("invite-party", party="school"),
        fact("conclude-agreement", parties=["npo", "school"]),
        fact("assign-roles", roles=[{"party": "school"}]),
        fact("change-party-membership", party="npo", members=["school"]),
        fact("file-party-statement", party="school", text="we disagree"),
    ],
    ids=lambda command: command.command,
)
def test_an_unknown_party_is_refused_in_every_mode(mode: Mode, command: Fact) -> None:
    with pytest.raises(errors.NotFound, match=SCHOOL):
        when(given(REGISTERED), command, mode=mode, window=True)


@MODES
def test_nothing_happens_to_a_partnership_before_its_registration(mode: Mode) -> None:
    for name, command in BY_NAME.items():
        first = {"register-partnership", "open-consultation"}
        if issubclass(command.event, PartnershipEvent) and name not in first:
            with pytest.raises(errors.NotFound):
                decide(
                    History(initial_state(command.event_name)),
                    Context(rules=Rules(), import_window=True),
                    command,
                    command.event.model_construct(valid=None),
                    Meta(mode=mode, actor="S", recorded_by="S/officer"),
                )


@MODES
def test_nothing_happens_to_a_programme_before_its_definition(mode: Mode) -> None:
    empty = History(Programme())
    for command in (
        fact("declare-coverage", coverage="UNKNOWN", of="PARTNERSHIPS", shown=0),
        fact("revise-programme", version=2, rules={}),
    ):
        with pytest.raises(errors.NotFound):
            when(empty, command, mode=mode, window=True)


@MODES
@pytest.mark.parametrize(
    "command",
    [
        fact("define-programme", programme="p", title_ja="制度", rules={}),
        fact("declare-coverage", coverage="UNKNOWN", of="PARTNERSHIPS", shown=0),
        fact("open-import-window", reason="paper", scope="CASES"),
    ],
    ids=lambda command: command.command,
)
def test_an_event_of_another_kind_of_stream_is_refused_in_every_mode(mode: Mode, command: Fact) -> None:
    with pytest.raises(errors.NotFound):
        when(given(REGISTERED), command, mode=mode, window=True)


@MODES
def test_a_registration_is_made_once(mode: Mode) -> None:
    with pytest.raises(errors.AlreadyExists):
        when(given(REGISTERED), REGISTERED, mode=mode, window=True)


@MODES
def test_a_registration_names_each_party_once(mode: Mode) -> None:
    twice = REGISTERED.data["parties"][:1] * 2
    with pytest.raises(errors.AlreadyExists):
        when(given(), fact("register-partnership", **REGISTERED.data | {"parties": twice}), mode=mode, window=True)


@MODES
def test_a_role_that_may_not_give_the_command_is_refused(mode: Mode) -> None:
    history = given(REGISTERED, submitted(1))
    with pytest.raises(errors.Forbidden, match="AUTHORITY"):
        when(history, rejected(1), mode=mode, actor="P/npo", window=True)
    assert when(history, rejected(1), mode=mode, actor="A/mayor", window=True)
    assert when(history, rejected(1), mode=mode, actor="S/for-the-mayor", window=True)


def test_an_import_outside_a_window_is_refused() -> None:
    with pytest.raises(errors.ImportWindowNotOpen):
        when(given(REGISTERED), CONSULTED, mode=Mode.IMPORT, window=False)


def test_an_import_keeps_every_rule_it_breaks() -> None:
    event = when(given(REGISTERED), rejected(3, codes=[]), NEEDS_REVIEW, mode=Mode.IMPORT, window=True)
    assert set(event.breaks) == {"StatusForbids", "ReasonRequired", "SubmissionNotPending", "StepRequired"}


def test_a_decided_submission_keeps_its_outcome_whatever_is_imported_after_it() -> None:
    state = given(REGISTERED, submitted(1), rejected(1, "VETO"), accepted(1)).state
    assert [(known.outcome, known.codes) for known in state.submissions] == [(Status.REJECTED, ("VETO",))]


def test_the_state_knows_where_its_anomalies_are() -> None:
    history = given(REGISTERED)
    event = when(history, renewed(1), mode=Mode.IMPORT, window=True)
    anomalies = then(history, renewed(1), event).state.anomalies
    assert [(a.version, a.event, a.rule) for a in anomalies] == [
        (2, "AgreementRenewed", "StatusForbids"),
        (2, "AgreementRenewed", "NothingAgreed"),
    ]


# --- Order and place ----------------------------------------------------------------------------------------


def dated(*years: str) -> History:
    return given(REGISTERED, *(MET._replace(valid=year) for year in years))


@pytest.mark.parametrize(
    ("years", "year"),
    [(["2003"], "2002"), (["2003", "XXXX"], "2002"), (["2003-05-01"], "2003-04"), (["2003", "[..2004]"], "2002-12-31")],
)
def test_a_live_event_dated_before_an_earlier_one_is_refused(years: list[str], year: str) -> None:
    with pytest.raises(errors.OutOfOrder):
        when(dated(*years), MET._replace(valid=year))


@pytest.mark.parametrize(
    ("years", "year"),
    [(["2003"], "2003"), (["2003-05-01"], "2003"), (["2003?"], "XXXX"), (["[2003..2005]"], "2004"), (["XXXX"], "1900")],
)
def test_a_live_event_that_may_have_happened_later_is_admitted(years: list[str], year: str) -> None:
    assert when(dated(*years), MET._replace(valid=year))


def test_a_statement_needs_no_order() -> None:
    assert when(dated("2003"), fact("file-party-statement", "2001", party="npo", text="we disagree"))


@pytest.mark.parametrize(
    ("year", "after", "fits"),
    [
        ("2004", 2, True),
        ("2004", 1, False),
        ("2006", 2, False),
        ("2004", 3, False),
        ("2002", 1, True),
        ("XXXX", 2, True),
        ("[2004..2007]", 2, True),
    ],
)
def test_a_retroactive_event_fits_between_its_neighbours_or_is_refused(year: str, after: int, *, fits: bool) -> None:
    history, forgotten = dated("2003", "2005"), placed(MET._replace(valid=year), after)
    if not fits:
        with pytest.raises((errors.DoesNotFit, errors.OutOfOrder)):
            when(history, forgotten, mode=Mode.RETROACTIVE)
        return
    event = when(history, forgotten, mode=Mode.RETROACTIVE)
    assert [e.version for e in then(history, forgotten, event).entries].index(4) == after


def test_retroactive_events_at_one_place_keep_the_order_of_entry() -> None:
    history = dated("2003", "2005")
    for year, after in (("2003-02", 2), ("2003-03", 4), ("2004", 2)):
        forgotten = placed(MET._replace(valid=year), after)
        history = then(history, forgotten, when(history, forgotten, mode=Mode.RETROACTIVE))
    assert [entry.version for entry in history.entries] == [1, 2, 4, 5, 6, 3]


def test_a_retroactive_event_is_judged_by_the_state_at_its_place() -> None:
    history = given(REGISTERED, submitted(1), rejected(1))
    forgotten = placed(reviewed(1), 2)
    with pytest.raises(errors.StatusForbids):
        when(history, reviewed(1), mode=Mode.RETROACTIVE)
    after = then(history, forgotten, when(history, forgotten, mode=Mode.RETROACTIVE))
    assert after.state.status is Status.REJECTED
    assert after.state.submissions[0].review is not None


@pytest.mark.parametrize("after", [3, 99])
def test_a_place_that_does_not_exist_is_refused(after: int) -> None:
    for command in (MET, fact("file-party-statement", party="npo", text="we disagree")):
        with pytest.raises(errors.NotFound):
            when(given(REGISTERED, MET), placed(command, after), mode=Mode.RETROACTIVE)
    with pytest.raises(errors.NotFound):
        when(given(), placed(REGISTERED, after), mode=Mode.RETROACTIVE)


def test_a_live_event_names_no_place() -> None:
    with pytest.raises(errors.LiveComesLast):
        when(given(REGISTERED, MET), placed(MET, 1))


def test_what_was_placed_behind_a_retracted_event_stays_there() -> None:
    history = dated("2003", "2005")
    for command in (placed(MET._replace(valid="2004"), 2), placed(MET._replace(valid="2004"), 4), retraction(4)):
        history = then(history, command, when(history, command, mode=Mode.RETROACTIVE))
    assert [entry.version for entry in history.entries] == [1, 2, 5, 3, 6]


# --- Corrections and retractions ----------------------------------------------------------------------------


@pytest.mark.parametrize("approved_by", [None, "S/officer"])
def test_a_correction_needs_a_second_person(approved_by: str | None) -> None:
    history = given(REGISTERED, submitted(1))
    for command in (correction(history, 2, budget_yen=5), retraction(2)):
        with pytest.raises(errors.ApprovalRequired):
            when(history, command, approved_by=approved_by)


def test_a_correction_replaces_fields_and_the_original_stays() -> None:
    history = given(REGISTERED, submitted(1, budget_yen=500), rejected(1))
    command = correction(history, 3, codes=["CAPACITY"])
    after = then(history, command, when(history, command))
    assert after.state.submissions[0].codes == ("CAPACITY",)
    assert after.recorded[2].event.codes == ("OBJECTIVES_UNCLEAR",)
    assert after.entries[2].corrected_by == 4


def test_an_event_can_be_corrected_twice_and_the_second_correction_taken_back() -> None:
    history = given(REGISTERED, submitted(1), rejected(1))
    for command, code in (
        (correction(history, 3, codes=["CAPACITY"]), "CAPACITY"),
        (correction(history, 3, codes=["VETO"]), "VETO"),
        (retraction(5), "CAPACITY"),
        (retraction(4), "OBJECTIVES_UNCLEAR"),
    ):
        history = then(history, command, when(history, command))
        assert history.state.submissions[0].codes == (code,)


def test_a_retracted_event_no_longer_counts() -> None:
    history = given(REGISTERED, submitted(1), rejected(1))
    after = then(history, retraction(3), when(history, retraction(3)))
    assert after.state.status is Status.PROPOSED
    assert after.state.pending is not None


def test_a_correction_keeps_the_kind_of_event() -> None:
    history = given(REGISTERED, submitted(1))
    command = correction(history, 2)
    with pytest.raises(errors.SubjectsDiffer):
        when(history, command._replace(data=command.data | {"event": "ProposalRejected"}))


@pytest.mark.parametrize(
    ("target", "refusal"),
    [(9, errors.NotFound), (3, errors.AlreadyRevoked), (4, errors.AlreadyRevoked), (5, errors.AlreadyRevoked)],
    ids=["nothing there", "retracted", "a retraction", "a correction"],
)
def test_what_cannot_be_corrected(target: int, refusal: type[errors.DomainError]) -> None:
    history = given(REGISTERED, submitted(1), MET, retraction(3))
    history = then(history, correction(history, 2), when(history, correction(history, 2)))
    command = fact("correct-event", target=target, event="MeetingHeld", event_schema=1, data={}, reason="why")
    with pytest.raises(refusal):
        when(history, command)


def test_the_registration_is_not_retracted() -> None:
    with pytest.raises(errors.AlreadyRevoked):
        when(given(REGISTERED), retraction(1))


def test_an_event_is_retracted_once() -> None:
    history = given(REGISTERED, MET, retraction(2))
    with pytest.raises(errors.AlreadyRevoked):
        when(history, retraction(2))


def test_a_correction_does_not_get_around_a_rule() -> None:
    history = given(REGISTERED, submitted(1), rejected(1), AGREED._replace(valid="2005"))
    with pytest.raises(errors.ReasonRequired):
        when(history, correction(history, 3, codes=[]))
    with pytest.raises(errors.NotFound):
        when(history, correction(history, 4, parties=[NPO, SCHOOL]))
    with pytest.raises(errors.SubmissionNumberWrong):
        when(history, correction(history, 2, submission=7))
    with pytest.raises(errors.DoesNotFit):
        when(history, correction(history, 3, valid={"edtf": "2006"}))
    with pytest.raises(errors.NotFound):
        when(history, correction(history, 3, placed_after=4))


def test_a_correction_tolerates_what_its_imported_target_broke_and_finds_what_no_longer_breaks() -> None:
    history = given(REGISTERED)
    event = when(history, rejected(1), mode=Mode.IMPORT, window=True)
    history = recorded(history, rejected(1), event, Mode.IMPORT)
    assert {a.rule for a in history.state.anomalies} == {"StatusForbids", "SubmissionNotPending"}
    command = correction(history, 2, codes=["VETO"])
    assert when(history, command).model_dump()["data"]["breaks"] == ["StatusForbids", "SubmissionNotPending"]
    forgotten = placed(submitted(1), 1)
    history = then(history, forgotten, when(history, forgotten, mode=Mode.RETROACTIVE))
    after = then(history, command, when(history, command))
    assert after.state.anomalies == ()


def test_a_discrepancy_may_be_noted_on_any_stream_that_exists() -> None:
    command = fact("note-source-discrepancy", about="DATE")
    assert when(given(REGISTERED), command)
    with pytest.raises(errors.NotFound):
        when(given(), command)
