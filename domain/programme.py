"""Programmes (制度): their rules as data, and the events of a programme's stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from domain import errors
from domain.dates import Edtf, can_follow
from domain.decider import Code, Context, Count, Duration, Event, Frozen, Ordinal, Slug, State
from domain.text import Text
from domain.vocabulary import CoverageKind, FormCode, LeadArea, RejectionCode

if TYPE_CHECKING:
    from collections.abc import Iterator

Yen = Annotated[int, Field(ge=0, le=10**15)]
FiscalYear = Annotated[int, Field(ge=1868, le=2200)]
Clock = Annotated[str, StringConstraints(pattern=r"^[0-2][0-9]:[0-5][0-9]$")]
Language = Literal["ja", "en"]


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


class Version(Frozen):
    """One version of the rules and the day from which it holds."""

    number: int
    effective: str
    rules: Rules


class Programme(State):
    """A programme: its versions in order and what was reported about it."""

    programme: str = ""
    title_ja: str | None = None
    title_en: str | None = None
    versions: tuple[Version, ...] = ()

    def in_force(self, on: str) -> Version | None:
        """The latest version that may have held on the date (EDTF); the first one where the date is older than all."""
        for version in reversed(self.versions):
            if can_follow(version.effective, on):
                return version
        return self.versions[0] if self.versions else None


class ProgrammeEvent(Event):
    """An event of a programme's stream; only its definition needs no programme before it."""

    folds_into: ClassVar[type[State]] = Programme
    in_order: ClassVar[bool] = False

    def check(self, state: Programme, context: Context) -> None:
        if not state.versions:
            raise errors.NotFound(what="programme", name="of this stream")

    def evolve(self, state: Programme) -> Programme:
        return state


class ProgrammeDefined(ProgrammeEvent):
    """A programme comes into being with its whole rule set, effective on the event's date."""

    programme: Slug
    title_ja: Text
    title_en: Text | None = None
    version: Literal[1] = 1
    rules: Rules

    def check(self, state: Programme, context: Context) -> None:
        if state.versions:
            raise errors.AlreadyExists(what="programme", name=self.programme)

    def evolve(self, state: Programme) -> Programme:
        first = Version(number=1, effective=self.valid.edtf, rules=self.rules)
        return state.having(programme=self.programme, title_ja=self.title_ja, title_en=self.title_en, versions=(first,))


class ProgrammeRevised(ProgrammeEvent):
    """The whole rule set is replaced from the event's date on; earlier decisions keep their version."""

    version: Ordinal
    reason_codes: tuple[Code, ...] = ()
    reason: Text | None = None
    rules: Rules

    def violations(self, state: Programme, context: Context) -> Iterator[errors.RuleViolated]:
        latest = state.versions[-1]
        if self.version != latest.number + 1:
            yield errors.ProgrammeVersionWrong(expected=latest.number + 1, given=self.version)
        if not can_follow(latest.effective, self.valid.edtf):
            yield errors.OutOfOrder(
                event="ProgrammeRevised",
                valid=self.valid.edtf,
                previous=f"version {latest.number}",
                previous_valid=latest.effective,
            )

    def evolve(self, state: Programme) -> Programme:
        revised = Version(number=self.version, effective=self.valid.edtf, rules=self.rules)
        return state.having(versions=(*state.versions, revised))


class InstrumentAdopted(ProgrammeEvent):
    """An ordinance, plan, staff standard or template that carries the programme was adopted or revised."""

    kind: Code
    name: Text
    text: Text | None = None
    principles_count: Count | None = None
    in_force: Edtf | None = None
    change: Code | None = None
    period: Edtf | None = None
    stance: Text | None = None
    policy_no: Count | None = None
    policy: Text | None = None
    provides_for: Text | None = None


class Reference(Frozen):
    """Something outside the record, by name."""

    name: Text
    run_by: Text | None = None


class Advice(Frozen):
    """A piece of advice that the city gives partners."""

    code: Code
    text: Text


class Sector(Frozen):
    """Attendance of one sector: bodies and people."""

    sector: Code
    bodies: Count | None = None
    people: Count


class Attendance(Frozen):
    """Who came, as stated in sum and by sector; the two may differ."""

    stated_total: Count | None = None
    by_sector: tuple[Sector, ...] = ()


class ProgrammeMeasureReported(ProgrammeEvent):
    """A measure of promotion (training, seminars, templates, support, published cases): announced, planned or done."""

    measure: Code
    status: Literal["ANNOUNCED", "PLANNED", "DONE"]
    no: Ordinal | None = None
    count: Count | None = None
    text: Text | None = None
    name: Text | None = None
    made_of: tuple[Code, ...] = ()
    cases: tuple[Code, ...] = ()
    medium: Code | None = None
    centre: Text | None = None
    desk: Text | None = None
    place: Text | None = None
    basis: Code | None = None
    profile: Text | None = None
    practice: tuple[Text, ...] = ()
    recruiting: Text | None = None
    desk_hours: Text | None = None
    asked: tuple[Text, ...] = ()
    routes: Text | None = None
    external_refs: tuple[Reference, ...] = ()
    advice: tuple[Advice, ...] = ()
    series: Text | None = None
    session: Ordinal | None = None
    topic: Text | None = None
    organiser: Text | None = None
    starts: Clock | None = None
    channel: Text | None = None
    attendance: Attendance | None = None
    speakers: tuple[Text, ...] = ()
    discussion_groups_of: tuple[Count, ...] = ()


class AggregateStated(ProgrammeEvent):
    """What a source says in sum; never derived from the partnerships recorded here."""

    about: Code
    statement: Text | None = None
    said_by: Text | None = None
    reason_code: RejectionCode | None = None
    proposals: Count | None = None
    rejected: Count | None = None
    value: Count | None = None
    approximate: bool | None = None
    trend: Code | None = None


class CoverageDeclared(ProgrammeEvent):
    """How much of a period the record covers: no rate is computed where it is not COMPLETE."""

    period: Edtf | None = None
    coverage: CoverageKind
    of: Code
    shown: Count
    total: Count | None = None
    basis: Text | None = None
