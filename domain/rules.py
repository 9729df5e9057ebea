"""The rule set of a programme (制度), as data: what a city decides, reviews, limits and requires.

This is the format of `[versions.rules]` in `programmes/*.toml`; `kyodo docs` prints the descriptions below. What a city
does not state is left out and binds nobody.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from domain.text import Text
from domain.values import BasisPoints, Code, Count, Duration, Frozen, Ordinal, Slug, Yen
from domain.vocabulary import DeadlineKind, FormCode, LeadArea, RejectionCode, Step

Requires = dict[Step, tuple[Step, ...]]


class Form(Frozen):
    """A form of collaboration: its local label and the common codes behind it (共催・後援 is one form, two codes)."""

    local: Text | None = Field(default=None, description="The city's own name of the form.")
    codes: tuple[FormCode, ...] = Field(min_length=1, description="The common codes behind it, for comparisons.")
    suits: Text | None = Field(default=None, description="What kind of project it suits.")
    cost_borne_by: Text | None = Field(default=None, description="Who bears the cost.")


class Principle(Frozen):
    """A principle or viewpoint of the programme."""

    code: Code | None = Field(default=None, description="A common code, where there is one.")
    local: Text = Field(description="The city's wording.")


class Kind(Frozen):
    """A kind of project that the programme distinguishes; a registered partnership names one of them."""

    code: Code = Field(description="The code by which a partnership names its kind.")
    text: Text | None = Field(default=None, description="What it means.")


class Measure(Frozen):
    """A measure by which the programme promotes collaboration."""

    no: Ordinal = Field(description="Its number in the document.")
    code: Code = Field(description="The common code.")
    local: Text = Field(description="The city's wording.")


class AgreementRules(Frozen):
    """How collaboration is put in writing."""

    instrument: Code | None = Field(default=None, description="The kind of document, such as COLLABORATION_CONTRACT.")
    local: Text | None = Field(default=None, description="The city's name of it, such as 協働契約.")
    written: bool | None = Field(default=None, description="Whether it is put in writing.")
    states: tuple[Code, ...] = Field(default=(), description="What it has to state, such as ROLES.")
    partners_equal: bool | None = Field(default=None, description="Whether the partners are declared equal.")
    explicit: bool | None = Field(default=None, description="Whether what is agreed is made explicit.")
    text: Text | None = Field(default=None, description="What the city says about it.")
    term_required: bool = Field(default=False, description="Whether an agreement must have a term (時限性).")


class LocalRejection(Frozen):
    """A rejection reason of the city's own, mapped to a common one."""

    code: Code = Field(description="The city's code.")
    common: RejectionCode = Field(description="The common code that it stands for in comparisons.")
    local: Text = Field(description="The city's wording.")


class ProposalRules(Frozen):
    """Who may propose and how."""

    citizens_may_propose: bool | None = Field(default=None, description="false refuses proposals by citizens.")
    city_may_invite: bool = Field(default=True, description="Whether the city may accept a partner without a proposal.")
    call: Literal["OPEN_CALL"] | None = Field(default=None, description="OPEN_CALL takes proposals inside a call only.")
    proposers: tuple[Text, ...] = Field(default=(), description="Who may propose, in the city's words.")
    run_by: Text | None = Field(default=None, description="The department that runs it.")
    seeks: Text | None = Field(default=None, description="What kind of project is sought.")
    aim: Text | None = Field(default=None, description="What it should lead to.")
    max_yen: Yen | None = Field(default=None, description="The largest budget of a proposal, in yen.")
    rejection_codes: tuple[RejectionCode, ...] = Field(
        default=(), description="The only common reasons for a rejection; none listed allows all of them."
    )
    local_rejections: tuple[LocalRejection, ...] = Field(default=(), description="Reasons of the city's own.")
    decided_by: tuple[Code, ...] = Field(
        default=(), description="Who may decide, such as MAYOR or WARD_MAYOR; none listed binds nobody."
    )
    reconsideration_within: Duration | None = Field(
        default=None, description="How long after a decision reconsideration may be asked for, such as P2M."
    )


class Criterion(Frozen):
    """A criterion of the review with its scale. All numbers are points."""

    code: Code = Field(description="The code under which scores are recorded.")
    local: Text | None = Field(default=None, description="The city's wording, such as 公益性.")
    weight: Annotated[int, Field(ge=1, le=1_000)] = Field(default=1, description="Its weight in the total.")
    lowest: Annotated[int, Field(ge=0, le=1_000)] = Field(default=1, description="The lowest score.")
    highest: Annotated[int, Field(ge=1, le=1_000)] = Field(default=5, description="The highest score.")
    veto_at: Annotated[int, Field(ge=0, le=1_000)] | None = Field(
        default=None, description="A score at or below it is a vote against; see review.veto_by."
    )

    @model_validator(mode="after")
    def _has_a_scale(self) -> Self:
        if self.lowest >= self.highest:
            raise PydanticCustomError("no_scale", "lowest must be below highest")
        if self.veto_at is not None and not self.lowest <= self.veto_at < self.highest:
            raise PydanticCustomError("no_veto", "veto_at must lie within the scale, below highest")
        return self


class ReviewRules(Frozen):
    """Who reviews a proposal (審査), by which criteria, and what binds the decision."""

    body: Text | None = Field(default=None, description="The body that reviews.")
    members: Ordinal | None = Field(default=None, description="How many members it has.")
    quorum: Ordinal | None = Field(default=None, description="How many reviewers a recommendation needs at least.")
    criteria: tuple[Criterion, ...] = Field(default=(), description="The criteria; none listed takes any.")
    threshold: BasisPoints | None = Field(
        default=None,
        description="The least weighted total, in basis points of the greatest possible one (6000 = 60 %).",
    )
    threshold_binds: Literal["RECOMMENDATION", "DECISION"] = Field(
        default="RECOMMENDATION", description="Whether the threshold binds the panel only or the decision too."
    )
    veto_by: Literal["MAJORITY", "ANY"] = Field(
        default="MAJORITY", description="Whether a veto needs more than half of the reviewers, or any one of them."
    )

    @model_validator(mode="after")
    def _names_each_criterion_once(self) -> Self:
        if len({criterion.code for criterion in self.criteria}) != len(self.criteria):
            raise PydanticCustomError("doubled_criterion", "each criterion has a code of its own")
        if self.quorum is not None and self.members is not None and self.quorum > self.members:
            raise PydanticCustomError("quorum_beyond_members", "the quorum is larger than the body")
        return self


_RUNS_FROM = {
    DeadlineKind.DECISION: ("CALL_CLOSED", "SUBMITTED"),
    DeadlineKind.EVALUATION: ("EVALUATION_OPENED",),
    DeadlineKind.FINAL_REPORT: ("AGREEMENT_ENDED",),
    DeadlineKind.CORRECTION_DECISION: ("CORRECTION_REQUESTED",),
}


class Deadline(Frozen):
    """Something that has to be done in time; the clock flags it when it is not."""

    what: DeadlineKind = Field(description="What is due.")
    within: Duration = Field(description="How long it may take, such as P6M.")
    after: Literal["CALL_CLOSED", "SUBMITTED", "EVALUATION_OPENED", "AGREEMENT_ENDED", "CORRECTION_REQUESTED"] = Field(
        description="What the time runs from: a decision from CALL_CLOSED or SUBMITTED, an evaluation from"
        " EVALUATION_OPENED, a final report from AGREEMENT_ENDED, a correction from CORRECTION_REQUESTED."
    )

    @model_validator(mode="after")
    def _runs_from_something(self) -> Self:
        if self.after not in _RUNS_FROM[self.what]:
            starts = " or ".join(_RUNS_FROM[self.what])
            raise PydanticCustomError(
                "no_start", "{what} runs from {starts}", {"what": self.what.value, "starts": starts}
            )
        return self


class TrialRules(Frozen):
    """A trial run (試行). A programme without this table has no trials."""

    max_length: Duration | None = Field(default=None, description="Its greatest length, such as P1Y.")


class ModelYearRules(Frozen):
    """Model years (モデル事業). A programme without this table has none."""

    maximum: Ordinal | None = Field(default=None, description="How many; left out where the city does not state it.")
    years_seen: Ordinal | None = Field(default=None, description="How many were seen, where no maximum is stated.")


class TermRules(Frozen):
    """How long an agreement runs and what follows."""

    renewal_every: Duration | None = Field(default=None, description="The length of each term, such as P3Y.")
    grace: Duration | None = Field(default=None, description="How long after its end an agreement may be renewed.")
    max_renewals: Count | None = Field(default=None, description="How often it may be renewed.")
    ends_as: Code | None = Field(default=None, description="What follows the last renewal, such as CORE_SERVICE.")
    then_funded: Code | None = Field(default=None, description="How it is funded then, such as ANNUAL.")


class FundingRules(Frozen):
    """What the city pays. All amounts in yen."""

    max_yen: Yen | None = Field(default=None, description="The most that one grant may be.")
    max_rate: BasisPoints | None = Field(default=None, description="The largest share of the cost, in basis points.")


class EvaluationRules(Frozen):
    """Who reviews what afterwards (振り返り)."""

    sides: tuple[Code, ...] = Field(
        default=(), description="Who files: PARTNER, CITY, CITIZEN; the first two where nothing is listed."
    )
    reviews: tuple[Code, ...] = Field(default=(), description="What is reviewed, such as RESULT and METHOD.")
    criteria: tuple[Code, ...] = Field(default=(), description="The items; none listed takes any.")
    lowest: Annotated[int, Field(ge=0, le=100)] = Field(default=1, description="The lowest score.")
    highest: Annotated[int, Field(ge=1, le=100)] = Field(default=5, description="The highest score.")
    dialogue: bool | None = Field(default=None, description="Whether both sides talk it over.")
    citizen_side: Text | None = Field(default=None, description="How citizens at large take part.")
    due: Literal["FISCAL_YEAR", "AGREEMENT_END"] | None = Field(
        default=None, description="When the clock opens one: after each fiscal year, or after an agreement's end."
    )


class ConsultationRules(Frozen):
    """The desk, and the deliberation that it convenes."""

    text: Text | None = Field(default=None, description="What may be brought to it.")
    who_may_consult: tuple[Text, ...] = Field(default=(), description="Who may come.")
    deliberation_convened_by: Text | None = Field(default=None, description="Who convenes deliberations.")
    deliberation_invites: Text | None = Field(default=None, description="Whom the convener recruits.")
    centre: Text | None = Field(default=None, description="The centre.")
    centre_basis: Code | None = Field(default=None, description="What the centre rests on, such as ORDINANCE.")
    centre_works_with: Text | None = Field(default=None, description="The department beside it.")
    centre_tasks: tuple[Text, ...] = Field(default=(), description="What it does.")


class LocalLabel(Frozen):
    """What a code of the city's own is called on its pages: a role, a field, an instrument, an authority."""

    code: Code = Field(description="The code, as events and rules use it.")
    ja: Text = Field(description="Its Japanese name.")
    en: Text | None = Field(default=None, description="Its English name.")


class Inferred(Frozen):
    """Which of the rules are derived rather than stated, and from what."""

    rules: tuple[Annotated[str, StringConstraints(pattern=r"^[A-Za-z_.]{1,80}$")], ...] = Field(
        default=(), description="Paths of the rules; none listed means all of them."
    )
    inferred_from: Text = Field(description="What was inferred, and from what.")


class Rules(Frozen):
    """One version of a programme's rule set."""

    standing: Literal["IN_FORCE", "REFERENCE"] = Field(
        default="IN_FORCE", description="REFERENCE: another body's programme, for comparison only."
    )
    level: Literal["CITY", "WARD", "PREFECTURE"] = Field(default="CITY", description="Whose programme it is.")
    owner: Text | None = Field(default=None, description="The body that owns a reference programme.")
    ward: Text | None = Field(default=None, description="The ward, at level WARD.")
    instrument: Code | None = Field(default=None, description="What carries it, such as ORDINANCE or GRANT.")
    purpose: Text | None = Field(default=None, description="What it is for.")
    definition: Text | None = Field(default=None, description="What the city calls collaboration.")
    idea: Text | None = Field(default=None, description="The idea behind it.")
    parties: tuple[Text, ...] = Field(default=(), description="Who may be a party, in the city's words.")
    party_roles: tuple[Code, ...] = Field(default=(), description="The only roles of parties; none listed takes any.")
    open_to: Code | None = Field(default=None, description="Whom it is open to, such as EVERY_CITIZEN.")
    city_need_not_be_party: bool | None = Field(default=None, description="false: the city is a party to each.")
    principles: tuple[Principle, ...] = Field(default=(), description="Its principles or viewpoints.")
    principles_count: Count | None = Field(default=None, description="How many, where they are not listed.")
    principles_of: Text | None = Field(default=None, description="The document that states them.")
    kinds: tuple[Kind, ...] = Field(default=(), description="The kinds of project; none listed takes any.")
    stages: tuple[Code, ...] = Field(default=(), description="The stages as the city counts them, for display.")
    steps: tuple[Code, ...] = Field(default=(), description="How a project is thought through, for display.")
    requires: Requires = Field(default={}, description="Step → the steps that must come before it.")
    absent: tuple[Step, ...] = Field(default=(), description="Steps that the programme does not have.")
    lacking_examples: tuple[Text, ...] = Field(default=(), description="Examples of what parties lack.")
    forms: tuple[Form, ...] = Field(default=(), description="Its forms of collaboration.")
    forms_open: bool = Field(default=True, description="Whether other forms are possible too.")
    form_chosen_by: Text | None = Field(default=None, description="How the form is chosen.")
    lead_areas: tuple[LeadArea, ...] = Field(default=(), description="The areas of who leads (領域).")
    lead_areas_note: Text | None = Field(default=None, description="What the city adds to them.")
    agreement: AgreementRules = Field(default=AgreementRules(), description="The agreement.")
    proposal: ProposalRules = Field(default=ProposalRules(), description="The proposal and its decision.")
    review: ReviewRules = Field(default=ReviewRules(), description="The review.")
    deadlines: tuple[Deadline, ...] = Field(default=(), description="What has to be done in time.")
    trial: TrialRules | None = Field(default=None, description="The trial.")
    model_years: ModelYearRules | None = Field(default=None, description="The model years.")
    term: TermRules = Field(default=TermRules(), description="Term, grace and renewal.")
    funding: FundingRules = Field(default=FundingRules(), description="What the city pays.")
    evaluation: EvaluationRules | None = Field(default=None, description="The mutual evaluation.")
    consultation: ConsultationRules | None = Field(default=None, description="The desk.")
    measures: tuple[Measure, ...] = Field(default=(), description="Measures of promotion.")
    grants: tuple[Slug, ...] = Field(default=(), description="Programmes of the city whose grants are used inside it.")
    labels: tuple[LocalLabel, ...] = Field(default=(), description="What codes of the city's own are called.")
    note: Text | None = Field(default=None, description="What else a reader should know.")
    inferred: tuple[Inferred, ...] = Field(default=(), description="What is derived rather than stated.")

    @model_validator(mode="after")
    def _requires_what_it_has(self) -> Self:
        for step, needed in self.requires.items():
            for each in (step, *needed):
                if not self.has(each):
                    raise PydanticCustomError(
                        "absent_step", "requires names {step}, which this programme does not have", {"step": each.value}
                    )
        return self

    def has(self, step: Step) -> bool:
        """Whether the programme has this step at all."""
        if step in self.absent or (step is Step.TRIAL and self.trial is None):
            return False
        return not (step is Step.MODEL_YEAR and self.model_years is None)

    def deadline(self, what: DeadlineKind) -> Deadline | None:
        """The deadline for that, if the programme has one."""
        return next((deadline for deadline in self.deadlines if deadline.what is what), None)


def requires_in_one_place(rules: dict[str, object]) -> dict[str, object]:
    """Rules as their first schema held them, three of them as flags at different places, as they read today."""
    rules = dict(rules)
    requires: dict[str, list[str]] = {}

    def flag(table: str, name: str, *, default: bool) -> bool:
        found = rules.get(table)
        if not isinstance(found, dict):
            return default
        rules[table] = {key: value for key, value in found.items() if key != name}
        return bool(found.get(name, default))

    if flag("proposal", "review_required", default=False):
        requires |= {"ACCEPTANCE": ["REVIEW"], "REJECTION": ["REVIEW"]}
    if flag("agreement", "acceptance_required", default=False):
        requires["AGREEMENT"] = ["ACCEPTANCE"]
    if not flag("trial", "before_acceptance", default=True):
        requires["TRIAL"] = ["ACCEPTANCE"]
    return rules | ({"requires": requires} if requires else {})
