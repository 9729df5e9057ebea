"""The table of events that the domain asks for, written out: who may give each, and where it leads.

`who`: the roles of the table. `more`: roles that this product lets give it too. A second person approves what is marked
so; what the authority and the parties conclude together is signed.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pytest

from domain.commands import BY_EVENT, COMMANDS
from domain.event import Event
from domain.lifecycle import transitions
from domain.partnership.state import PartnershipEvent
from domain.vocabulary import Status

EVENTS = (Path(__file__).parents[2] / "docs" / "events.md").read_text(encoding="utf-8")
STORED = Path(__file__).parent / "stored"


class Asked(NamedTuple):
    """A row of the table."""

    event: str
    who: str
    leads: Status | None = None
    second: bool = False
    signed: bool = False
    more: str = ""


TABLE = (
    Asked("ProgrammeDefined", "T"),
    Asked("ProgrammeRevised", "T"),
    Asked("InstrumentAdopted", "T"),
    Asked("ProgrammeMeasureReported", "SC"),
    Asked("CityAttributeStated", "T"),
    Asked("AggregateStated", "S"),
    Asked("CoverageDeclared", "S"),
    Asked("SourceRegistered", "S"),
    Asked("SourceDiscrepancyNoted", "S"),
    Asked("ImportWindowOpened", "TZ", second=True),
    Asked("ImportWindowClosed", "TZ", second=True),
    Asked("CallOpened", "S"),
    Asked("CallClosed", "S"),
    Asked("CallCancelled", "S"),
    Asked("ConsultationOpened", "PCD", Status.CONSULTING),
    Asked("ConsultationRouted", "CS"),
    Asked("PartnerSought", "CS"),
    Asked("ResourceOffered", "PD"),
    Asked("ConsultationClosed", "CS", Status.CLOSED),
    Asked("ActivityLaunched", "P"),
    Asked("ActivityConfirmed", "S"),
    Asked("PartnershipRegistered", "SC", Status.REGISTERED),
    Asked("PartyInvited", "CDP"),
    Asked("InvitationAccepted", "P"),
    Asked("InvitationDeclined", "P"),
    Asked("PartyMembershipChanged", "S"),
    Asked("PartyStatusChanged", "S"),
    Asked("MeetingPlanned", "CP"),
    Asked("MeetingHeld", "CP", Status.DELIBERATING),
    Asked("ObjectiveRefined", "PC"),
    Asked("NeedsSurveyStarted", "P", Status.SURVEYING),
    Asked("NeedsSurveyReported", "P"),
    Asked("ProposalSubmitted", "PD", Status.PROPOSED),
    Asked("ProposalWithdrawn", "P", Status.WITHDRAWN),
    Asked("ReviewOpened", "S", Status.UNDER_REVIEW),
    Asked("PresentationHeld", "S"),
    Asked("ScoreRecorded", "R"),
    Asked("ScoreRevised", "R"),
    Asked("RecommendationIssued", "R"),
    Asked("ProposalAccepted", "A", Status.ACCEPTED),
    Asked("ConditionFulfilled", "S"),
    Asked("AcceptanceDeclined", "P", Status.DECLINED),
    Asked("AcceptanceRevoked", "A", Status.REVOKED),
    Asked("ProposalRejected", "A", Status.REJECTED),
    Asked("ReconsiderationRequested", "P"),
    Asked("ReconsiderationResolved", "A", Status.ACCEPTED),
    Asked("TrialStarted", "D", Status.TRIAL),
    Asked("TrialCompleted", "D"),
    Asked("ModelYearStarted", "D", Status.MODEL_YEAR),
    Asked("ModelYearCompleted", "D"),
    Asked("CouncilResolved", "S"),
    Asked("AgreementConcluded", "AP", Status.AGREED, signed=True),
    Asked("AgreementAmended", "AP", signed=True),
    Asked("ActivityStarted", "DP", Status.ACTIVE),
    Asked("RolesAssigned", "DP"),
    Asked("FeeScheduleSet", "PD"),
    Asked("FundingDecided", "DA"),
    Asked("GrantDecided", "DA"),
    Asked("GrantSettled", "DA"),
    Asked("RefundOrdered", "DA"),
    Asked("PaymentRecorded", "DA"),
    Asked("DonationTermsSet", "D"),
    Asked("DonationReceived", "D"),
    Asked("FacilityEstablished", "S"),
    Asked("FacilityTransferred", "A"),
    Asked("RotationAgreed", "S"),
    Asked("HostRotated", "S"),
    Asked("InterimReported", "PD"),
    Asked("FinalReported", "PD"),
    Asked("OutcomeReported", "PD"),
    Asked("EvaluationFiled", "PD"),
    Asked("EvaluationsShared", "S"),
    Asked("EvaluationDialogueHeld", "S"),
    Asked("PartnershipSuspended", "A", Status.SUSPENDED),
    Asked("PartnershipResumed", "A", Status.ACTIVE),
    Asked("AgreementRenewed", "AP", signed=True, more="X"),
    Asked("AgreementLapsed", "X", Status.LAPSED),
    Asked("AgreementTerminated", "AP", Status.TERMINATED),
    Asked("PartnershipCompleted", "DP", Status.COMPLETED),
    Asked("PartnershipBecameIndependent", "DP", Status.INDEPENDENT),
    Asked("PartnershipMainstreamed", "A", Status.MAINSTREAMED),
    Asked("PartnershipsLinked", "S"),
    Asked("EventCorrected", "S", second=True),
    Asked("EventRetracted", "S", second=True),
    Asked("CorrectionRequested", "P"),
    Asked("CorrectionDecided", "A"),
    Asked("PartyStatementFiled", "PD"),
    Asked("DisclosureDecided", "A"),
    Asked("PublicationWithdrawn", "S"),
    Asked("AttachmentRegistered", "SP"),
    Asked("RetentionSet", "S"),
    Asked("LegalHoldSet", "A", second=True),
    Asked("LegalHoldReleased", "A", second=True),
    Asked("DisposalDecided", "A", second=True),
    Asked("SubjectErased", "T", second=True),
    Asked("StewardshipTransferred", "T", second=True),
)

OURS = (
    Asked("EvaluationOpened", "XS"),  # an evaluation is due: the clock or the secretariat opens it
    Asked("DeadlineMissed", "X"),  # what was not done in time, on the day after
    Asked("ParticipationConfirmed", "SD"),  # a city's part in another city's joint partnership, in its own log
    Asked("ParticipationEnded", "SD"),
)

EACH = pytest.mark.parametrize("asked", [*TABLE, *OURS], ids=lambda asked: asked.event)


def section(asked: Asked) -> str:
    """What docs/events.md says of the event."""
    anchor = f'<a id="{BY_EVENT[asked.event].name}"></a>'
    assert EVENTS.count(anchor) == 1
    return re.split(r'<a id="|^# ', EVENTS.split(anchor)[1], maxsplit=1, flags=re.MULTILINE)[0]


def test_the_commands_make_the_events_of_the_table_and_four_more() -> None:
    names = [asked.event for asked in (*TABLE, *OURS)]
    assert len(names) == len(set(names))
    assert set(names) == {row.event_name for row in COMMANDS}


@EACH
def test_an_event_is_given_by_the_roles_of_the_table(asked: Asked) -> None:
    assert set(BY_EVENT[asked.event].actors) == set(asked.who) | set(asked.more)


@EACH
def test_what_needs_two_has_a_second_person_or_signatures(asked: Asked) -> None:
    event: type[Event] = BY_EVENT[asked.event].event
    assert event.second_person is asked.second
    assert (issubclass(event, PartnershipEvent) and event.signed) is asked.signed


@EACH
def test_an_event_leads_to_the_status_of_the_table(asked: Asked) -> None:
    targets = {target for event, _, target in transitions() if event == asked.event}
    assert asked.leads in targets if asked.leads is not None else not targets


@EACH
def test_an_event_is_labelled_described_and_shown_in_the_reference(asked: Asked) -> None:
    row = BY_EVENT[asked.event]
    told = section(asked)
    assert row.ja
    assert row.en
    assert f"## {row.ja} {row.en}\n" in told
    assert f"`{row.name}` makes `{row.event_name}`" in told
    assert " ".join(row.description.splitlines()[0].split()) in told
    assert f'"command": "{row.name}"' in told, "an example"


@EACH
def test_the_first_schema_of_an_event_is_kept(asked: Asked) -> None:
    assert (STORED / f"{asked.event}.1.json").exists()
