"""The rule set of a programme (制度), as data: what a city decides, reviews, limits and requires."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from domain.text import Text
from domain.values import Code, Count, Duration, Frozen, Ordinal, Slug, Yen
from domain.vocabulary import FormCode, LeadArea, RejectionCode


class Form(Frozen):
    """A form of collaboration: its local label and the common codes behind it (共催・後援 is one form, two codes)."""

    local: Text | None = None
    codes: tuple[FormCode, ...] = Field(min_length=1)
    suits: Text | None = None
    cost_borne_by: Text | None = None


class Principle(Frozen):
    """A principle or viewpoint of the programme."""

    code: Code | None = None
    local: Text


class Kind(Frozen):
    """A kind of project that the programme distinguishes."""

    code: Code
    text: Text | None = None


class Measure(Frozen):
    """A measure by which the programme promotes collaboration."""

    no: Ordinal
    code: Code
    local: Text


class AgreementRules(Frozen):
    """How collaboration is put in writing. `required_stages`: what must come before an agreement."""

    instrument: Code | None = None
    local: Text | None = None
    written: bool | None = None
    states: tuple[Code, ...] = ()
    partners_equal: bool | None = None
    explicit: bool | None = None
    text: Text | None = None
    acceptance_required: bool = False


class ProposalRules(Frozen):
    """Who may propose and how: `call` binds proposals to a call, `city_may_invite` allows acceptance without one."""

    citizens_may_propose: bool | None = None
    city_may_invite: bool = True
    call: Literal["OPEN_CALL"] | None = None
    proposers: tuple[Text, ...] = ()
    run_by: Text | None = None
    seeks: Text | None = None
    aim: Text | None = None
    max_yen: Yen | None = None
    review_required: bool = False
    rejection_codes: tuple[RejectionCode, ...] = ()


class TrialRules(Frozen):
    """A trial run and its greatest length; `before_acceptance` allows it to come first."""

    max_length: Duration | None = None
    before_acceptance: bool = True


class ModelYearRules(Frozen):
    """Model years; `maximum` None is a maximum that the source does not state."""

    maximum: Ordinal | None = None
    years_seen: Ordinal | None = None


class TermRules(Frozen):
    """How long an agreement runs and what follows its last renewal."""

    renewal_every: Duration | None = None
    grace: Duration | None = None
    ends_as: Code | None = None
    then_funded: Code | None = None


class EvaluationRules(Frozen):
    """Who reviews what afterwards (振り返り)."""

    sides: tuple[Code, ...] = ()
    reviews: tuple[Code, ...] = ()
    criteria: tuple[Code, ...] = ()
    dialogue: bool | None = None
    citizen_side: Text | None = None


class ConsultationRules(Frozen):
    """The desk, and the deliberation that it convenes."""

    text: Text | None = None
    who_may_consult: tuple[Text, ...] = ()
    deliberation_convened_by: Text | None = None
    deliberation_invites: Text | None = None
    centre: Text | None = None
    centre_basis: Code | None = None
    centre_works_with: Text | None = None
    centre_tasks: tuple[Text, ...] = ()


class Inferred(Frozen):
    """Which of the rules are derived rather than stated, and from what."""

    rules: tuple[Annotated[str, StringConstraints(pattern=r"^[a-z_.]{1,80}$")], ...] = ()
    inferred_from: Text


class Rules(Frozen):
    """One version of a programme's rule set. What the source does not state is left out and binds nobody."""

    standing: Literal["IN_FORCE", "REFERENCE"] = "IN_FORCE"
    level: Literal["CITY", "WARD", "PREFECTURE"] = "CITY"
    owner: Text | None = None
    ward: Text | None = None
    instrument: Code | None = None
    purpose: Text | None = None
    definition: Text | None = None
    idea: Text | None = None
    parties: tuple[Text, ...] = ()
    open_to: Code | None = None
    city_need_not_be_party: bool | None = None
    principles: tuple[Principle, ...] = ()
    principles_count: Count | None = None
    principles_of: Text | None = None
    kinds: tuple[Kind, ...] = ()
    stages: tuple[Code, ...] = ()
    steps: tuple[Code, ...] = ()
    lacking_examples: tuple[Text, ...] = ()
    forms: tuple[Form, ...] = ()
    forms_open: bool = True
    form_chosen_by: Text | None = None
    lead_areas: tuple[LeadArea, ...] = ()
    lead_areas_note: Text | None = None
    agreement: AgreementRules = AgreementRules()
    proposal: ProposalRules = ProposalRules()
    trial: TrialRules | None = None
    model_years: ModelYearRules | None = None
    term: TermRules = TermRules()
    evaluation: EvaluationRules | None = None
    consultation: ConsultationRules | None = None
    measures: tuple[Measure, ...] = ()
    grants: tuple[Slug, ...] = ()
    note: Text | None = None
    inferred: tuple[Inferred, ...] = ()
