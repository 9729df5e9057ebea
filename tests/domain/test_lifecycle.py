"""The moves of the life-cycle follow from the command table, and what is drawn is exactly those moves."""

from __future__ import annotations

import re

import pytest

from domain.commands import BY_EVENT
from domain.lifecycle import Transition, diagram, transitions
from domain.partnership.state import PartnershipEvent
from domain.values import Language
from domain.vocabulary import ENDED, IN_FORCE, Status

LANGUAGES = pytest.mark.parametrize("language", ["ja", "en"])


def test_each_move_is_told_once_and_goes_somewhere() -> None:
    assert len(set(transitions())) == len(transitions())
    assert all(source is not target for _, source, target in transitions())


@pytest.mark.parametrize(
    "move",
    [
        ("PartnershipRegistered", None, Status.REGISTERED),
        ("ConsultationOpened", None, Status.CONSULTING),
        ("ConsultationOpened", Status.REGISTERED, Status.CONSULTING),
        ("ProposalSubmitted", Status.REJECTED, Status.PROPOSED),
        ("ProposalAccepted", Status.REGISTERED, Status.ACCEPTED),
        ("ReconsiderationResolved", Status.REJECTED, Status.ACCEPTED),
        ("AcceptanceRevoked", Status.ACCEPTED, Status.REVOKED),
        ("AgreementConcluded", Status.MODEL_YEAR, Status.AGREED),
        ("PartnershipSuspended", Status.ACTIVE, Status.SUSPENDED),
        ("PartnershipResumed", Status.SUSPENDED, Status.AGREED),
        ("AgreementLapsed", Status.ACTIVE, Status.LAPSED),
        ("PartnershipMainstreamed", Status.MODEL_YEAR, Status.MAINSTREAMED),
        ("ConsultationClosed", Status.CONSULTING, Status.CLOSED),
    ],
)
def test_the_life_cycle_has_its_moves(move: tuple[str, Status | None, Status]) -> None:
    assert Transition(*move) in transitions()


def test_nothing_leaves_an_ending_and_every_status_is_reached() -> None:
    assert {source for _, source, _ in transitions()} == {None} | (set(Status) - ENDED)
    assert {target for _, _, target in transitions()} == set(Status)


def test_what_is_under_way_is_no_longer_proposed_or_decided() -> None:
    later = {target for _, source, target in transitions() if source in IN_FORCE}
    assert later <= IN_FORCE | ENDED


def test_a_fact_that_moves_nothing_is_no_move() -> None:
    moving = {event for event, _, _ in transitions()}
    assert not {"PaymentRecorded", "AgreementRenewed", "RolesAssigned", "EventCorrected"} & moving
    for row in BY_EVENT.values():
        declared = issubclass(row.event, PartnershipEvent) and bool(row.event.leads or row.event.outcomes)
        assert declared == (row.event_name in moving)


@LANGUAGES
def test_the_diagram_shows_exactly_the_moves_with_their_labels(language: Language) -> None:
    lines = [line.strip() for line in diagram(language).splitlines()]
    assert lines[0] == "stateDiagram-v2"
    boxes = [box for line in lines if (box := re.fullmatch(r'state "(.+)" as (\w+)', line))]
    shown = {box[2]: box[1] for box in boxes}
    statuses = {status.label(language): status for status in Status}
    assert {name: label for name, label in shown.items() if name in set(Status)} == {
        status.value: status.label(language) for status in Status
    }
    drawn, ends = [], set()
    for line in lines[1:]:
        if arrow := re.fullmatch(r"(\S+) --> (\w+) : (.+)", line):
            sources = [None] if arrow[1] == "[*]" else [statuses[one] for one in re.split("・|, ", shown[arrow[1]])]
            drawn += [(label, source, Status(arrow[2])) for label in arrow[3].split(" / ") for source in sources]
        elif end := re.fullmatch(r"(\w+) --> \[\*\]", line):
            ends.add(Status(end[1]))
        else:
            assert line.startswith("state ")
    labels = {row.event_name: row.ja if language == "ja" else row.en for row in BY_EVENT.values()}
    assert sorted(drawn, key=str) == sorted(((labels[e], s, t) for e, s, t in transitions()), key=str)
    assert ends == ENDED


@LANGUAGES
def test_the_diagram_has_fewer_arrows_than_moves(language: Language) -> None:
    assert diagram(language).count("-->") < len(transitions()) / 2
