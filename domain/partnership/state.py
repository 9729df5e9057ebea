"""What a partnership is at some moment, and what every event of its stream has in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from domain import errors
from domain.event import Context, Event, State
from domain.partnership.parts import Agreement, Evaluation, Grant, Membership, Party, Submission
from domain.text import Disclosed, PartyId
from domain.values import Code
from domain.vocabulary import (
    KNOWN,
    CityRole,
    Origin,
    Status,
    Step,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Partnership(State):
    """A partnership folded from its events. Texts are digests; `status` None is a stream that was never registered."""

    number: str = ""
    programme: str = ""
    status: Status | None = None
    resumes: Status | None = None
    title_ja: str | None = None
    title_en: str | None = None
    title_translated: str | None = None
    kind: str | None = None
    origin: Origin | None = None
    city_role: CityRole | None = None
    lead_area: str | None = None
    field: str | None = None
    place: str | None = None
    objective: str | None = None
    joint: bool = False
    parties: tuple[Membership, ...] = ()
    consulted: bool = False
    meetings: int = 0
    submissions: tuple[Submission, ...] = ()
    accepted: bool = False
    conditions: int = 0
    fulfilled: tuple[int, ...] = ()
    resolutions: int = 0
    agreements: tuple[Agreement, ...] = ()
    trials: tuple[bool, ...] = ()
    surveys: tuple[bool, ...] = ()
    model_years: tuple[tuple[str, int, bool], ...] = ()
    forms: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    hosted: tuple[tuple[str, int | None], ...] = ()
    facilities: tuple[str, ...] = ()
    activities: int = 0
    grants: tuple[Grant, ...] = ()
    interim_reports: int = 0
    final_reports: int = 0
    evaluations: tuple[Evaluation, ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    ended: str | None = None

    def membership(self, party: str) -> Membership | None:
        """The party as it stands now."""
        return next((known for known in self.parties if known.party.party == party), None)

    def with_membership(self, changed: Membership) -> Partnership:
        """The state with one party replaced, or added when it is new."""
        if self.membership(changed.party.party) is None:
            return self.having(parties=(*self.parties, changed))
        same = changed.party.party
        return self.having(parties=tuple(changed if p.party.party == same else p for p in self.parties))

    @property
    def pending(self) -> Submission | None:
        """The submission that awaits a decision."""
        last = self.submissions[-1] if self.submissions else None
        return last if last is not None and last.outcome is None else None

    @property
    def agreement(self) -> Agreement | None:
        """The last agreement in force."""
        return next((known for known in reversed(self.agreements) if known.ended is None), None)

    @property
    def registered(self) -> bool:
        """Whether it is more than a consultation that somebody brought to the desk."""
        return bool(self.number)

    @property
    def last_accepted(self) -> Submission | None:
        """The submission that was accepted last."""
        return next((known for known in reversed(self.submissions) if known.outcome is Status.ACCEPTED), None)

    @property
    def at_hand(self) -> Submission | None:
        """The submission that awaits a decision, else the last one."""
        return self.submissions[-1] if self.submissions else None

    def with_submission(self, number: int, **changes: Any) -> Partnership:
        """The state with one submission changed."""
        return self.having(
            submissions=tuple(s.model_copy(update=changes) if s.number == number else s for s in self.submissions)
        )

    def with_evaluation(self, changed: Evaluation) -> Partnership:
        """The state with one evaluation replaced, or added when it is new."""
        others = tuple(known for known in self.evaluations if known.number != changed.number)
        return self.having(evaluations=(*others, changed))

    def evaluation(self, number: int) -> Evaluation | None:
        """The evaluation of that number."""
        return next((known for known in self.evaluations if known.number == number), None)

    def grant(self, name: str) -> Grant | None:
        """The grant of that name."""
        return next((known for known in self.grants if known.grant == name), None)

    def has_done(self, step: Step) -> bool:
        """Whether a step that a programme may require lies behind, for the submission or the term at hand."""
        review = self.at_hand.review if self.at_hand else None
        renewals = self.agreements[-1].renewals if self.agreements else 0
        evaluations = [known for known in self.evaluations if known.renewals == renewals]
        done: dict[Step, bool] = {
            Step.CONSULTATION: self.consulted,
            Step.DELIBERATION: self.meetings > 0,
            Step.NEEDS_SURVEY: True in self.surveys,
            Step.PROPOSAL: bool(self.submissions),
            Step.REVIEW: review is not None,
            Step.PRESENTATION: review is not None and review.presented,
            Step.RECOMMENDATION: review is not None and review.recommended is not None,
            Step.ACCEPTANCE: self.accepted,
            Step.REJECTION: any(known.outcome is Status.REJECTED for known in self.submissions),
            Step.TRIAL: True in self.trials,
            Step.MODEL_YEAR: any(done for _, _, done in self.model_years),
            Step.COUNCIL_RESOLUTION: self.resolutions > 0,
            Step.AGREEMENT: bool(self.agreements),
            Step.ACTIVITY: self.status is Status.ACTIVE or self.activities > 0,
            Step.INTERIM_REPORT: self.interim_reports > 0,
            Step.FINAL_REPORT: self.final_reports > 0,
            Step.EVALUATION: any(known.shared for known in evaluations),
            Step.EVALUATION_DIALOGUE: any(known.discussed for known in evaluations),
            Step.GRANT: bool(self.grants),
            Step.SETTLEMENT: all(grant.settled is not None for grant in self.grants),
            Step.RENEWAL: renewals > 0,
        }
        return done.get(step, False)

    @property
    def was_tried(self) -> bool:
        """Whether a trial, a model year or an agreement existed."""
        return bool(self.trials or self.model_years or self.agreements)


def roles_unknown(parties: Iterable[Party], context: Context) -> Iterator[errors.RuleViolated]:
    """The roles that the programme's vocabulary lacks."""
    allowed = context.rules.party_roles
    for role in sorted({role for party in parties for role in party.roles} - set(allowed)) if allowed else ():
        yield errors.RoleUnknown(role=role, allowed=", ".join(allowed))


def finished(runs: tuple[bool, ...]) -> tuple[bool, ...]:
    """The runs (surveys, trials) with the last unfinished one finished; an end that nothing began counts as a run."""
    at = max((at for at, done in enumerate(runs) if not done), default=len(runs))
    return (*runs[:at], True, *runs[at + 1 :])


class PartnershipEvent(Event):
    """An event of a partnership's stream.

    `needs`: the statuses that admit it. `leads`: the status to which it moves the partnership, if it does; `outcomes`:
    the statuses to which its data may move it instead. `leads_from` narrows either move to some statuses: elsewhere the
    event is a fact that leaves the status as it is. `step`: the step of the programme that it is, with whatever the
    programme requires before it. `at_desk`: whether a consultation that is no registered partnership yet admits it.
    `signed`: whether the parties sign it.
    """

    folds_into: ClassVar[type[State]] = Partnership
    needs: ClassVar[frozenset[Status]] = KNOWN
    leads: ClassVar[Status | None] = None
    leads_from: ClassVar[frozenset[Status | None] | None] = None
    outcomes: ClassVar[frozenset[Status]] = frozenset()
    step: ClassVar[Step | None] = None
    at_desk: ClassVar[bool] = False
    signed: ClassVar[bool] = False

    def named_parties(self) -> Iterable[str]:
        """The parties that this event speaks of; all of them must belong to the partnership."""
        return ()

    def signers(self, state: Partnership) -> Iterable[str]:
        """The parties that sign this event, if it is one that is signed."""
        return self.named_parties()

    def check(self, state: Partnership, context: Context) -> None:
        if state.status is None:
            raise errors.NotFound(what="partnership", name="of this stream")
        # At the desk the parties are not listed yet.
        for party in self.named_parties() if state.registered else ():
            if state.membership(party) is None:
                raise errors.NotFound(what="party", name=f"{party} (list it with register-partnership or invite-party)")

    def violations(self, state: Partnership, context: Context) -> Iterator[errors.RuleViolated]:
        if state.status not in self.needs:
            yield errors.StatusForbids(
                event=type(self).__name__, status=state.status, needs=", ".join(sorted(self.needs))
            )
        if not state.registered and not self.at_desk:
            yield errors.NotRegistered(event=type(self).__name__)
        if self.step is not None:
            yield from self.out_of_step(self.step, state, context)
        if self.signed:
            yield from self._unsigned(state, context)
        yield from self.breaks_rules(state, context)

    @staticmethod
    def out_of_step(step: Step, state: Partnership, context: Context) -> Iterator[errors.RuleViolated]:
        """That the programme lacks the step, or requires others before it that were not done."""
        if not context.rules.has(step):
            yield errors.StageNotPartOfProgramme(programme=state.programme, stage=step.value)
        # Where the city only keeps the register, the parties owe it no procedure.
        missing = [] if state.city_role is CityRole.REGISTRAR else context.rules.requires.get(step, ())
        missing = [needed for needed in missing if not state.has_done(needed)]
        if missing:
            yield errors.StepRequired(step=step.value, needs=", ".join(missing))

    def _unsigned(self, state: Partnership, context: Context) -> Iterator[errors.RuleViolated]:
        # What an earlier record does not say about signatures is unknown; the clock renews what renews itself.
        meta = context.meta
        if meta is None or context.is_import or meta.role.value == "X" or meta.document_ref is not None:
            return
        if not meta.signatories or not set(self.signers(state)).issubset(meta.signatories):
            yield errors.SignatureMissing(event=type(self).__name__)

    def breaks_rules(self, state: Partnership, context: Context) -> Iterator[errors.RuleViolated]:
        """The rules beyond the status that this event breaks."""
        yield from ()

    def evolve(self, state: Partnership) -> Partnership:
        state = self.apply(state)
        moves = self.leads is not None and (self.leads_from is None or state.status in self.leads_from)
        return state.having(status=self.leads) if moves else state

    def apply(self, state: Partnership) -> Partnership:
        """What changes beside the status."""
        return state


class PartnershipRegistered(PartnershipEvent):
    """A partnership enters the register with title, kind and parties; undated where no source tells of it.

    `embargoed`: it is registered for a proposal, so that title, objective and names stay closed until the decision.
    """

    leads = Status.REGISTERED
    leads_from = frozenset({None})
    at_desk = True
    number: Code
    programme: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,79}$")
    title_ja: Annotated[str, Disclosed()]
    title_en: Annotated[str, Disclosed()] | None = None
    title_translated: str | None = Field(default=None, pattern=r"^(ja|en)$")
    kind: Code | None = None
    parties: tuple[Party, ...] = Field(min_length=1)
    origin: Origin | None = None
    city_role: CityRole | None = None
    lead_area: Code | None = None
    field: Code | None = None
    place: Annotated[str, Disclosed()] | None = None
    objective: Annotated[str, Disclosed()] | None = None
    joint: bool = False
    recording_city: str | None = Field(default=None, pattern=r"^[a-z0-9-]{1,80}$")
    secretariat: PartyId | None = None
    embargoed: bool | None = None

    def check(self, state: Partnership, context: Context) -> None:
        if state.registered:
            raise errors.AlreadyExists(what="partnership", name=self.number)
        named = [party.party for party in self.parties]
        if len(set(named)) != len(named):
            raise errors.AlreadyExists(what="party", name=max(named, key=named.count))

    def embargo(self) -> str | None:
        return "DECISION/1" if self.embargoed else None

    def violations(self, state: Partnership, context: Context) -> Iterator[errors.RuleViolated]:
        yield from roles_unknown(self.parties, context)
        rules = context.rules
        if rules.standing == "REFERENCE":
            yield errors.ReferenceOnly(programme=self.programme)
        if rules.lead_areas and self.lead_area is not None and self.lead_area not in rules.lead_areas:
            yield errors.LeadAreaUnknown(given=self.lead_area, allowed=", ".join(rules.lead_areas))
        if rules.city_need_not_be_party is False and self.city_role is CityRole.REGISTRAR:
            yield errors.CityMustBeParty()
        if context.rules.kinds and self.kind is not None and self.kind not in {k.code for k in context.rules.kinds}:
            yield errors.StageNotPartOfProgramme(programme=self.programme, stage=self.kind)

    def apply(self, state: Partnership) -> Partnership:
        return state.having(
            number=self.number,
            programme=self.programme,
            title_ja=self.title_ja,
            title_en=self.title_en,
            title_translated=self.title_translated,
            kind=self.kind,
            origin=self.origin,
            city_role=self.city_role,
            lead_area=self.lead_area,
            field=self.field,
            place=self.place,
            objective=self.objective,
            joint=self.joint,
            parties=tuple(Membership(party=party, kind=party.kind) for party in self.parties),
        )
