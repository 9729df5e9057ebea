"""Given a partnership's past, when a command is given, then its event is admitted or the rule that forbids it named."""

# ruff: noqa: E501  (the tables hold one rule a line, to be read across)

from __future__ import annotations

import pytest

from domain import errors
from domain.commands import BY_NAME, initial_state
from domain.decider import decide
from domain.event import Call, Context, Meta, Mode
from domain.history import History
from domain.partnership.state import PartnershipEvent
from domain.programme import Programme
from domain.rules import AgreementRules, Form, Kind, ModelYearRules, ProposalRules, Rules, TermRules, TrialRules
from domain.vocabulary import FormCode, LeadArea, RejectionCode, Status, Step
from tests.domain.facts import (
    ACCEPTED,
    ACTIVE,
    AGREED,
    CITY,
    CONSULTED,
    DECIDED,
    ESTABLISHED,
    INVITED,
    MAINSTREAMED,
    MET,
    NPO,
    REGISTERED,
    SCHOOL,
    SUSPENDED,
    TERMED,
    TRIED,
    Fact,
    World,
    accepted,
    answering,
    asked_again,
    decided_again,
    each,
    fact,
    given,
    is_refused,
    lapsed,
    model_year,
    moves,
    rejected,
    renewed,
    reviewed,
    submitted,
    terminated,
    then,
    when,
)

# fmt: off
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
MAYOR_ONLY = Rules(proposal=ProposalRules(decided_by=("MAYOR",)))
CITY_PROPOSES = Rules(proposal=ProposalRules(citizens_may_propose=False))
OPERATORS = Rules(party_roles=("OPERATOR",))
COMMISSIONS = Rules(forms=(Form(codes=(FormCode.COMMISSION,)),), forms_open=False)
MONTH_OF_GRACE = Rules(term=TermRules(grace="P1M"))
RENEWED_ONCE = Rules(term=TermRules(max_renewals=1))
TIME_LIMITED = Rules(agreement=AgreementRules(term_required=True))
TWO_MONTHS = Rules(proposal=ProposalRules(reconsideration_within="P2M"))
NO_PRESENTATION = Rules(absent=(Step.PRESENTATION,))
OPEN_CALL = Rules(proposal=ProposalRules(call="OPEN_CALL"))
SPRING = Call(call="SPRING", opened="2026-04-01", closes="2026-05-31")
CALLED = World(OPEN_CALL, (SPRING, Call(call="OLD", opened="2026", cancelled=True)))

PROGRAMME = fact("define-programme", "2016", programme="p", title_ja="制度", rules={})
CALL = fact("open-call", "2026-04-01", call="SPRING", closes="2026-05-31")
CONDITIONAL = accepted(1, conditions=["insure", "train"])
AMENDED = fact("amend-agreement", changed=[{"code": "TERM"}])
ROTATION = fact("agree-rotation", hosts=["npo", "city"])
PARTICIPATION = fact("confirm-participation", recording_city="kodaira", number="K1", title_ja="祭り")
TOOK_PART = fact("end-participation", "2020")
MISSED = fact("miss-deadline", "2026-07-01", what="DECISION", number=1, due="2026-06-30")


def fulfilled(condition: int) -> Fact:
    return fact("fulfil-condition", condition=condition)


def unsigned(given: Fact, *signatories: str) -> Fact:
    """Without the document that shows the signatures, and signed by these parties only."""
    return given.by(document_ref=None, signatories=signatories)


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
    ("an agreement of another term than the programme's",         THREE_YEARS,    [REGISTERED],                            AGREED.but(term="P2Y"), errors.TermMismatch),
    ("a second renewal first",                                    NO_RULES,       [REGISTERED, AGREED],                    renewed(2),                                      errors.NumberOutOfSequence),
    ("a renewal for another term than the programme's",           THREE_YEARS,    [REGISTERED, AGREED],                    renewed(1, term="P1Y"),                          errors.TermMismatch),
    ("a renewal where work goes on without an agreement",         NO_RULES,       [REGISTERED, ACTIVE],                    renewed(1),                                      errors.NothingAgreed),
    ("a renewal after the lapse",                                 NO_RULES,       [REGISTERED, TERMED, lapsed()],          renewed(1, "2023-05"),        errors.StatusForbids),
    ("the lapse of an agreement without a term",                  NO_RULES,       [REGISTERED, AGREED],                    lapsed(),                                        errors.NotDue),
    ("the lapse of an agreement that renews itself",              NO_RULES,       [REGISTERED, AGREED.but(term="P1Y", auto_renewal=True)], lapsed(), errors.NotDue),
    ("the lapse of an agreement that still runs",                 NO_RULES,       [REGISTERED, TERMED],                    lapsed("2023-03-31"),                            errors.NotDue),
    ("the lapse of an agreement that was renewed",                NO_RULES,       [REGISTERED, TERMED, renewed(1, "2023")], lapsed("2023-04-01"),        errors.NotDue),
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
    ("a registration under a programme for reference",            Rules(standing="REFERENCE"), [],                         REGISTERED,                                      errors.ReferenceOnly),
    ("a lead area that the programme does not know",              Rules(lead_areas=(LeadArea.JOINT,)), [],                 REGISTERED.but(lead_area="CITY_LEADS"),          errors.LeadAreaUnknown),
    ("a register of others where the city is always a party",     Rules(city_need_not_be_party=False), [],                 REGISTERED.but(city_role="REGISTRAR"),           errors.CityMustBeParty),
    ("a link to itself",                                          World(others=frozenset({"Y1"})),       [REGISTERED],                            fact("link-partnerships", link="SUCCESSOR", number="Y1"), errors.LinkedToItself),
    ("a kind that the programme does not know",                   KINDS,          [],                                      REGISTERED.but(kind="FESTIVAL"), errors.StageNotPartOfProgramme),
    ("an import window while one is open",                        NO_RULES,       [fact("open-import-window", reason="paper", scope="CASES")], fact("open-import-window", reason="paper", scope="CASES"), errors.ImportWindowAlreadyOpen),
    ("the end of an import window that is not open",              NO_RULES,       [fact("state-city-attribute", population=1)], fact("close-import-window", entered=0),     errors.ImportWindowNotOpen),
    ("a second proposal beside one to go on that is pending",     NO_RULES,       [REGISTERED, AGREED, submitted(1, "CONTINUATION")], submitted(2, "CONTINUATION"),         errors.SubmissionPending),
    ("a proposal of what is only a consultation",                 NO_RULES,       [CONSULTED],                             submitted(1),                                    errors.NotRegistered),
    ("a proposal by citizens where only the city proposes",       CITY_PROPOSES,  [REGISTERED],                            submitted(1),                                    errors.ProposerNotAdmitted),
    ("a proposal after the call",                                 CALLED,         [REGISTERED],                            submitted(1).on("2026-06-01"),                   errors.CallRequired),
    ("a proposal before the call",                                CALLED,         [REGISTERED],                            submitted(1).on("2026-03"),                      errors.CallRequired),
    ("a proposal in answer to a call that was cancelled",         CALLED,         [REGISTERED],                            submitted(1, call="OLD").on("2026-05"),          errors.CallUnknown),
    ("an acceptance by who does not decide",                      MAYOR_ONLY,     [REGISTERED, submitted(1)],              accepted(1, authority="WARD_MAYOR"),             errors.AuthorityUnknown),
    ("a rejection by who does not decide",                        MAYOR_ONLY,     [REGISTERED, submitted(1)],              rejected(1, authority="WARD_MAYOR"),             errors.AuthorityUnknown),
    ("a reconsideration by who does not decide",                  MAYOR_ONLY,     [REGISTERED, submitted(1), rejected(1), asked_again()], decided_again("ACCEPTED", authority="CHIEF"), errors.AuthorityUnknown),
    ("a revocation by who does not decide",                       MAYOR_ONLY,     [REGISTERED, ACCEPTED],                  fact("revoke-acceptance", reason="BUDGET_NOT_PASSED", decided_by="city", authority="CHIEF"), errors.AuthorityUnknown),
    ("a reason of the city's own that it does not have",          NO_RULES,       [REGISTERED, submitted(1)],              rejected(1, local_codes=["TOO_LOUD"]),           errors.ReasonUnknown),
    ("a reconsideration of what was not rejected",                NO_RULES,       [REGISTERED, AGREED, submitted(1, "CONTINUATION")], asked_again(),                        errors.NothingToReconsider),
    ("a reconsideration of another submission",                   NO_RULES,       [REGISTERED, submitted(1), rejected(1)], asked_again(2),                                  errors.NothingToReconsider),
    ("a second request for the same reconsideration",             NO_RULES,       [REGISTERED, submitted(1), rejected(1), asked_again()], asked_again(),                    errors.NothingToReconsider),
    ("a reconsideration that nobody asked for",                   NO_RULES,       [REGISTERED, submitted(1), rejected(1)], decided_again("UPHELD"),                         errors.NothingToReconsider),
    ("a request for reconsideration after its time",              TWO_MONTHS,     [REGISTERED, submitted(1), rejected(1).on("2026-01-10")], asked_again().on("2026-03-11"), errors.TooLate),
    ("a refusal of an acceptance that was not given",             NO_RULES,       [REGISTERED, submitted(1)],              fact("decline-acceptance"),                      errors.StatusForbids),
    ("a revocation after the agreement",                          NO_RULES,       [REGISTERED, ACCEPTED, AGREED],          fact("revoke-acceptance", reason="BUDGET_NOT_PASSED", **DECIDED), errors.StatusForbids),
    ("an agreement while a condition is open",                    NO_RULES,       [REGISTERED, submitted(1), CONDITIONAL, fulfilled(2)], AGREED,                            errors.ConditionsOpen),
    ("a condition that was not set",                              NO_RULES,       [REGISTERED, submitted(1), CONDITIONAL], fulfilled(3),                                    errors.ConditionUnknown),
    ("a condition that is fulfilled already",                     NO_RULES,       [REGISTERED, submitted(1), CONDITIONAL, fulfilled(2)], fulfilled(2),                      errors.ConditionUnknown),
    ("an agreement in a form that is not offered",                COMMISSIONS,    [REGISTERED],                            AGREED.but(forms=[{"codes": ["SUBSIDY"]}]),      errors.FormNotOffered),
    ("an amendment to a form that is not offered",                COMMISSIONS,    [REGISTERED, AGREED],                    AMENDED.but(forms=[{"codes": ["SUBSIDY"]}]),     errors.FormNotOffered),
    ("an amendment where work goes on without an agreement",      NO_RULES,       [REGISTERED, ACTIVE],                    AMENDED,                                         errors.NothingAgreed),
    ("a renewal after the grace",                                 MONTH_OF_GRACE, [REGISTERED, TERMED],                    renewed(1, "2023-05-02"),                        errors.TermOver),
    ("a renewal more than the programme allows",                  RENEWED_ONCE,   [REGISTERED, TERMED, renewed(1, "2023")], renewed(2, "2026"),                             errors.LimitExceeded),
    ("a renewal by the clock of what does not renew itself",      NO_RULES,       [REGISTERED, TERMED],                    renewed(1, "2023-04-01").by(actor="X/clock"),    errors.NotDue),
    ("a renewal by the clock of what has ended",                  NO_RULES,       [REGISTERED, TERMED.but(auto_renewal=True), MAINSTREAMED], renewed(1, "2023-04-01").by(actor="X/clock"), errors.StatusForbids),
    ("a registration with a role that the programme lacks",       OPERATORS,      [],                                      REGISTERED.but(parties=[{"party": "npo", "name_ja": "会", "roles": ["HOST"]}]), errors.RoleUnknown),
    ("an invitation to a role that the programme lacks",          OPERATORS,      [REGISTERED],                            fact("invite-party", party="school", name_ja="小学校", role="HOST"), errors.RoleUnknown),
    ("a resolution on a facility not recorded before",            NO_RULES,       [REGISTERED],                            fact("resolve-by-council", subject="FACILITY_MANAGER", facility="hall"), errors.FacilityUnknown),
    ("a presentation where the programme has none",               NO_PRESENTATION, [REGISTERED, submitted(1), reviewed()], fact("hold-presentation", submission=1),         errors.StageNotPartOfProgramme),
    ("a turn of a city that takes no turns",                      NO_RULES,       [REGISTERED],                            fact("rotate-host", host="city"),                errors.NotAJointHost),
    ("an interim report before anything is agreed",               NO_RULES,       [REGISTERED],                            fact("report-interim"),                          errors.StatusForbids),
    ("a deadline flagged on its last day",                        NO_RULES,       [REGISTERED],                            MISSED.on("2026-06-30"),                         errors.NotDue),
    ("a deadline flagged twice",                                  NO_RULES,       [REGISTERED, MISSED],                    MISSED,                                          errors.NotDue),
    ("the end of a participation that is over",                   NO_RULES,       [PARTICIPATION, TOOK_PART],              TOOK_PART.on("2021"),                            errors.ParticipationOver),
    ("an import window that nobody else approved",                NO_RULES,       [fact("state-city-attribute", population=1)], fact("open-import-window", reason="paper", scope="CASES").by(approved_by=None), errors.ApprovalRequired),
    ("the end of a call that was not opened",                     NO_RULES,       [PROGRAMME],                             fact("close-call", call="SPRING"),               errors.CallUnknown),
    ("the end of a call that has ended",                          NO_RULES,       [PROGRAMME, CALL, fact("close-call", call="SPRING")], fact("close-call", call="SPRING"),  errors.CallUnknown),
    ("the end of a call that was called off",                     NO_RULES,       [PROGRAMME, CALL, fact("cancel-call", call="SPRING")], fact("close-call", call="SPRING"), errors.CallUnknown),
    ("a call that closes before it opens",                        NO_RULES,       [PROGRAMME],                             CALL.on("2026-06"),                              errors.OutOfOrder),
    ("a programme's version that leaves a gap",                   NO_RULES,       [fact("define-programme", programme="p", title_ja="制度", rules={})], fact("revise-programme", version=3, rules={}), errors.ProgrammeVersionWrong),
    ("a programme's version of before the last one",              NO_RULES,       [fact("define-programme", "2016-03", programme="p", title_ja="制度", rules={})], fact("revise-programme", "2015", version=2, rules={}), errors.OutOfOrder),
]

# What the source of an earlier record leaves out is unknown, not wrong.
UNKNOWN_WHEN_IMPORTED = [
    # sentence                                                    rules           past                                     command                                          refusal
    ("an agreement without the clauses that it has to state",     Rules(agreement=AgreementRules(states=("ROLES",))), [REGISTERED], AGREED,                                errors.ClausesMissing),
    ("an acceptance that names nobody who decided",               NO_RULES,       [REGISTERED, submitted(1)],              accepted(1).but(decided_by=None),                errors.DeciderUnnamed),
    ("an acceptance on nobody's authority",                       NO_RULES,       [REGISTERED, submitted(1)],              accepted(1).but(authority=None),                 errors.DeciderUnnamed),
    ("a rejection that names nobody who decided",                 NO_RULES,       [REGISTERED, submitted(1)],              rejected(1).but(decided_by=None),                errors.DeciderUnnamed),
    ("a reconsideration that names nobody who decided",           NO_RULES,       [REGISTERED, submitted(1), rejected(1), asked_again()], decided_again("UPHELD").but(authority=None), errors.DeciderUnnamed),
    ("a revocation that names nobody who decided",                NO_RULES,       [REGISTERED, ACCEPTED],                  fact("revoke-acceptance", reason="BUDGET_NOT_PASSED"), errors.DeciderUnnamed),
    ("an agreement that nobody signed",                           NO_RULES,       [REGISTERED],                            unsigned(AGREED),                                errors.SignatureMissing),
    ("an agreement that one party did not sign",                  NO_RULES,       [REGISTERED],                            unsigned(AGREED, NPO),                           errors.SignatureMissing),
    ("an amendment that one party did not sign",                  NO_RULES,       [REGISTERED, AGREED],                    unsigned(AMENDED, NPO),                          errors.SignatureMissing),
    ("a renewal that one party did not sign",                     NO_RULES,       [REGISTERED, AGREED],                    unsigned(renewed(1), NPO),                       errors.SignatureMissing),
    ("an agreement without the term that it must have",           TIME_LIMITED,   [REGISTERED],                            AGREED,                                          errors.TermRequired),
    ("a proposal without a call",                                 OPEN_CALL,      [REGISTERED],                            submitted(1),                                    errors.CallRequired),
    ("a proposal that names a call nobody wrote down",            NO_RULES,       [REGISTERED],                            submitted(1, call="SPRING"),                     errors.CallUnknown),
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
    ("a renewal",                                                  THREE_YEARS,   [REGISTERED, TERMED],                                       renewed(1, "2023", term="P3Y"), Status.AGREED),
    ("a lapse the day after the end",                              NO_RULES,      [REGISTERED, TERMED],                                       lapsed(),                              Status.LAPSED),
    ("a lapse after the renewed term",                             NO_RULES,      [REGISTERED, TERMED, renewed(1, "2023")], lapsed("2026-04-01"),                 Status.LAPSED),
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
    ("a matter may be brought to the desk before any partnership", NO_RULES,     [],                                                         CONSULTED,                             Status.CONSULTING),
    ("what was a consultation is registered",                      NO_RULES,      [CONSULTED],                                                REGISTERED,                            Status.CONSULTING),
    ("the desk passes a matter on",                                NO_RULES,      [CONSULTED],                                                fact("route-consultation", to="city"), Status.CONSULTING),
    ("the desk looks for a partner",                               NO_RULES,      [CONSULTED],                                                fact("seek-partner", lacking=["a room"]), Status.CONSULTING),
    ("a meeting is planned",                                       NO_RULES,      [REGISTERED],                                               fact("plan-meeting", date="2026-05"),  Status.REGISTERED),
    ("a resource is offered",                                      NO_RULES,      [REGISTERED],                                               fact("offer-resource", party="npo", kind="SPACE", what="a room"), Status.REGISTERED),
    ("an objective is refined",                                    NO_RULES,      [REGISTERED],                                               fact("refine-objective", text="child care"), Status.REGISTERED),
    ("an invited party declines",                                  NO_RULES,      [REGISTERED, INVITED],                                      fact("decline-invitation", party="npo"), Status.REGISTERED),
    ("a party is invited by name",                                 OPERATORS,     [REGISTERED],                                               fact("invite-party", party="school", name_ja="小学校", role="OPERATOR"), Status.REGISTERED),
    ("a party becomes an NPO corporation",                         NO_RULES,      [REGISTERED],                                               fact("change-party-status", party="npo", from_kind="CITIZEN_GROUP", to_kind="NPO"), Status.REGISTERED),
    ("a federation changes its members",                           NO_RULES,      [REGISTERED],                                               fact("change-party-membership", party="npo", members_count=3), Status.REGISTERED),
    ("a group starts something of its own",                        NO_RULES,      [REGISTERED],                                               fact("launch-activity", party="npo"),  Status.REGISTERED),
    ("a survey of needs begins",                                   NO_RULES,      [REGISTERED, MET],                                          fact("start-needs-survey"),            Status.SURVEYING),
    ("a survey of needs is reported",                              NO_RULES,      [REGISTERED, fact("start-needs-survey")],                   fact("report-needs-survey", findings=["few"]), Status.SURVEYING),
    ("a proposal while the call is open",                          CALLED,        [REGISTERED],                                               submitted(1, call="SPRING").on("2026-05-31"), Status.PROPOSED),
    ("a proposal of a year in which a call was open",              CALLED,        [REGISTERED],                                               submitted(1).on("2026"),               Status.PROPOSED),
    ("what is refused may be proposed anew after a declined acceptance", NO_RULES, [REGISTERED, ACCEPTED, fact("decline-acceptance")],        submitted(1),                          Status.PROPOSED),
    ("a proposal to go on leaves what is active active",           NO_RULES,      [REGISTERED, AGREED, ACTIVE],                               submitted(1, "CONTINUATION"),          Status.ACTIVE),
    ("its acceptance too",                                         NO_RULES,      [REGISTERED, AGREED, ACTIVE, submitted(1, "CONTINUATION")], accepted(1),                           Status.ACTIVE),
    ("its rejection too",                                          NO_RULES,      [REGISTERED, AGREED, ACTIVE, submitted(1, "CONTINUATION")], rejected(1),                           Status.ACTIVE),
    ("its withdrawal too",                                         NO_RULES,      [REGISTERED, AGREED, ACTIVE, submitted(1, "CONTINUATION")], fact("withdraw-proposal", submission=1), Status.ACTIVE),
    ("an acceptance by who decides",                               MAYOR_ONLY,    [REGISTERED, submitted(1)],                                 accepted(1),                           Status.ACCEPTED),
    ("a condition is met",                                         NO_RULES,      [REGISTERED, submitted(1), CONDITIONAL],                    fulfilled(2),                          Status.ACCEPTED),
    ("an agreement once every condition is met",                   NO_RULES,      [REGISTERED, submitted(1), CONDITIONAL, fulfilled(2), fulfilled(1)], AGREED,                     Status.AGREED),
    ("the accepted party steps back",                              NO_RULES,      [REGISTERED, ACCEPTED],                                     fact("decline-acceptance"),            Status.DECLINED),
    ("the authority takes its acceptance back",                    NO_RULES,      [REGISTERED, ACCEPTED],                                     fact("revoke-acceptance", reason="BUDGET_NOT_PASSED", **DECIDED), Status.REVOKED),
    ("a reconsideration is asked for on the last day",             TWO_MONTHS,    [REGISTERED, submitted(1), rejected(1).on("2026-01-10")],   asked_again().on("2026-03-10"),        Status.REJECTED),
    ("a reconsideration upholds the rejection",                    NO_RULES,      [REGISTERED, submitted(1), rejected(1), asked_again()],     decided_again("UPHELD"),               Status.REJECTED),
    ("a reconsideration accepts after all",                        NO_RULES,      [REGISTERED, submitted(1), rejected(1), asked_again()],     decided_again("ACCEPTED"),             Status.ACCEPTED),
    ("a reconsideration may be asked for again once it is decided", NO_RULES,     [REGISTERED, submitted(1), rejected(1), asked_again(), decided_again("UPHELD")], asked_again(),     Status.REJECTED),
    ("the end of a trial",                                         WITH_TRIAL,    [REGISTERED, TRIED],                                        fact("complete-trial", length="P1Y"),  Status.TRIAL),
    ("the end of a model year",                                    WITH_MODEL,    [REGISTERED, model_year(1)],                                fact("complete-model-year", programme="model", n=1), Status.MODEL_YEAR),
    ("the council resolves",                                       NO_RULES,      [REGISTERED, ESTABLISHED],                                  fact("resolve-by-council", subject="FACILITY_MANAGER", facility="hall"), Status.REGISTERED),
    ("an agreement that every party signed",                       NO_RULES,      [REGISTERED],                                               unsigned(AGREED, NPO, CITY),           Status.AGREED),
    ("an agreement in a form that is offered",                     COMMISSIONS,   [REGISTERED],                                               AGREED.but(forms=[{"codes": ["COMMISSION"]}]), Status.AGREED),
    ("an amendment that every party signed",                       NO_RULES,      [REGISTERED, AGREED],                                       unsigned(AMENDED, NPO, CITY),          Status.AGREED),
    ("a renewal on the last day of grace",                         MONTH_OF_GRACE, [REGISTERED, TERMED],                                      renewed(1, "2023-04-30"),              Status.AGREED),
    ("the clock renews what renews itself",                        NO_RULES,      [REGISTERED, TERMED.but(auto_renewal=True)],                renewed(1, "2023-04-01").by(actor="X/clock", document_ref=None), Status.AGREED),
    ("the agreed work begins",                                     NO_RULES,      [REGISTERED, AGREED],                                       ACTIVE,                                Status.ACTIVE),
    ("work is confirmed",                                          NO_RULES,      [REGISTERED, AGREED, ACTIVE],                               fact("confirm-activity", activity="祭り"), Status.ACTIVE),
    ("roles are assigned",                                         NO_RULES,      [REGISTERED],                                               fact("assign-roles", roles=[{"party": "npo"}]), Status.REGISTERED),
    ("a facility is recorded",                                     NO_RULES,      [REGISTERED],                                               ESTABLISHED,                           Status.REGISTERED),
    ("the hosts take turns",                                       NO_RULES,      [REGISTERED],                                               ROTATION,                              Status.REGISTERED),
    ("one of them has its turn",                                   NO_RULES,      [REGISTERED, ROTATION],                                     fact("rotate-host", host="city", fiscal_year=2016), Status.REGISTERED),
    ("an outcome after the end",                                   NO_RULES,      [REGISTERED, AGREED, MAINSTREAMED],                         fact("report-outcome", text="fewer"),  Status.MAINSTREAMED),
    ("an interim report",                                          NO_RULES,      [REGISTERED, AGREED],                                       fact("report-interim", spent_yen=5),   Status.AGREED),
    ("a final report after the end",                               NO_RULES,      [REGISTERED, AGREED, MAINSTREAMED],                         fact("report-final", spent_yen=5),     Status.MAINSTREAMED),
    ("a deadline is flagged the day after",                        NO_RULES,      [REGISTERED],                                               MISSED,                                Status.REGISTERED),
    ("a party's own words",                                        NO_RULES,      [REGISTERED],                                               fact("file-party-statement", party="npo", text="no"), Status.REGISTERED),
    ("completion",                                                 NO_RULES,      [REGISTERED, AGREED],                                       fact("complete-partnership"),          Status.COMPLETED),
    ("two partnerships are linked",                                World(others=frozenset({"Y2"})), [REGISTERED],                             fact("link-partnerships", link="SUCCESSOR", number="Y2"), Status.REGISTERED),
    ("a partnership of another city is linked",                    NO_RULES,      [REGISTERED],                                               fact("link-partnerships", link="MERGED", number="K2", city="kodaira"), Status.REGISTERED),
    ("a discrepancy is noted",                                     NO_RULES,      [REGISTERED],                                               fact("note-source-discrepancy", about="DATE"), Status.REGISTERED),
    ("a recorded facility passes on",                              NO_RULES,      [REGISTERED, ESTABLISHED],                                  fact("transfer-facility", facility="hall", right="USE", from_party="city", to_party="npo"), Status.REGISTERED),
]
# fmt: on


@each(REFUSED, "refusal")
def test_what_breaks_a_rule_is_refused_live_and_kept_as_an_anomaly_when_imported(
    world: World | Rules, past: list[Fact], command: Fact, refusal: type[errors.RuleViolated]
) -> None:
    is_refused(past, command, refusal, world, imported="ANOMALY")


@each(UNKNOWN_WHEN_IMPORTED, "refusal")
def test_what_is_left_out_is_refused_live_and_unknown_when_imported(
    world: World | Rules, past: list[Fact], command: Fact, refusal: type[errors.RuleViolated]
) -> None:
    is_refused(past, command, refusal, world, imported="UNKNOWN")


@each(ADMITTED, "status")
def test_what_the_rules_allow_moves_the_partnership(
    world: World | Rules, past: list[Fact], command: Fact, status: Status
) -> None:
    moves(past, command, status, world)


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
        when(given(REGISTERED), command, mode=mode)


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
                    Meta(mode=mode, actor=command.actors[0], recorded_by="S/officer"),
                )


@MODES
def test_nothing_happens_to_a_programme_before_its_definition(mode: Mode) -> None:
    empty = History(Programme())
    for command in (
        fact("declare-coverage", coverage="UNKNOWN", of="PARTNERSHIPS", shown=0),
        fact("revise-programme", version=2, rules={}),
    ):
        with pytest.raises(errors.NotFound):
            when(empty, command, mode=mode)


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
        when(given(REGISTERED), command, mode=mode)


@MODES
def test_a_registration_is_made_once(mode: Mode) -> None:
    with pytest.raises(errors.AlreadyExists):
        when(given(REGISTERED), REGISTERED, mode=mode)


@MODES
def test_a_registration_names_each_party_once(mode: Mode) -> None:
    twice = REGISTERED.data["parties"][:1] * 2
    with pytest.raises(errors.AlreadyExists):
        when(given(), fact("register-partnership", **REGISTERED.data | {"parties": twice}), mode=mode)


@MODES
def test_a_role_that_may_not_give_the_command_is_refused(mode: Mode) -> None:
    history = given(REGISTERED, submitted(1))
    with pytest.raises(errors.Forbidden, match="AUTHORITY"):
        when(history, rejected(1).by(actor="P/npo"), mode=mode)
    assert when(history, rejected(1).by(actor="A/mayor"), mode=mode)
    assert when(history, rejected(1).by(actor="S/for-the-mayor"), mode=mode)


def test_an_import_outside_a_window_is_refused() -> None:
    with pytest.raises(errors.ImportWindowNotOpen):
        when(given(REGISTERED), CONSULTED, mode=Mode.IMPORT, window=False)


def test_an_import_keeps_every_rule_it_breaks() -> None:
    event = when(given(REGISTERED), rejected(3, codes=[]), NEEDS_REVIEW, mode=Mode.IMPORT)
    assert set(event.breaks) == {"StatusForbids", "ReasonRequired", "SubmissionNotPending", "StepRequired"}


def test_a_decided_submission_keeps_its_outcome_whatever_is_imported_after_it() -> None:
    state = given(REGISTERED, submitted(1), rejected(1, "VETO"), accepted(1)).state
    assert [(known.outcome, known.codes) for known in state.submissions] == [(Status.REJECTED, ("VETO",))]


def test_the_state_knows_where_its_anomalies_are() -> None:
    history = given(REGISTERED)
    event = when(history, renewed(1), mode=Mode.IMPORT)
    anomalies = then(history, renewed(1), event).state.anomalies
    assert [(a.version, a.event, a.rule) for a in anomalies] == [
        (2, "AgreementRenewed", "StatusForbids"),
        (2, "AgreementRenewed", "NothingAgreed"),
    ]
