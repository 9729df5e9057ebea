"""Programmes that nobody thought of: each rule mostly at its plain value, now and then at one that binds."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from domain.event import Call
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
from domain.vocabulary import DeadlineKind, FormCode, LeadArea, RejectionCode, Step
from tests.domain.plausible import DIGEST

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
