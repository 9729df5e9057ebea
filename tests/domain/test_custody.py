"""Custody: what happens to a record itself, on any stream of a city."""

# ruff: noqa: E501  (the tables hold one rule a line, to be read across)

from __future__ import annotations

import pytest

from domain import errors
from domain.commands import BY_NAME
from domain.custody import CustodyEvent
from domain.event import Mode
from domain.rules import Rules
from domain.vocabulary import Status
from tests.domain.facts import (
    DOCUMENT,
    MET,
    NPO,
    REGISTERED,
    Fact,
    World,
    draft,
    each,
    fact,
    given,
    is_refused,
    moves,
    told,
    when,
)

# fmt: off
NO_RULES = Rules()
REQUESTED = fact("request-correction", request=1, target=1, asked_by="保育の会", ground="the year is wrong")
GRANTED = fact("decide-correction", request=1, granted=True)
HELD = fact("set-legal-hold", hold=1, basis="LITIGATION")
RELEASED = fact("release-legal-hold", hold=1)
RETAINED = fact("set-retention", retention_class="FIVE_YEARS", term="P5Y")
DISPOSED = fact("decide-disposal", outcome="DISPOSAL", basis="TERM_OVER")
ERASED = fact("erase-subject", subject="npo", legal_basis="APPI_98")
ATTACHED = fact("register-attachment", sha256="a" * 64, size=10, media_type="application/pdf", document_class="MINUTES")
TRANSFERRED = fact("transfer-stewardship", from_city="yamato", to_city="ayase")
PUBLISHED = fact("withdraw-publication", disclosure=DOCUMENT, reason="PERSONAL_DATA")
DISCLOSED = fact("decide-disclosure", number=1, what="minutes", scope="FULL")

REFUSED = [
    # sentence                                                    rules           past                                     command                                          refusal
    ("the second request for correction first",                   NO_RULES,       [REGISTERED],                            REQUESTED.but(request=2),                        errors.NumberOutOfSequence),
    ("a decision on a request that nobody made",                  NO_RULES,       [REGISTERED],                            GRANTED,                                         errors.RequestUnknown),
    ("a second decision on a request",                            NO_RULES,       [REGISTERED, REQUESTED, GRANTED],        GRANTED,                                         errors.RequestUnknown),
    ("a refusal of a correction without a reason",                NO_RULES,       [REGISTERED, REQUESTED],                 GRANTED.but(granted=False),                      errors.RefusalUnexplained),
    ("a refusal of disclosure without a reason",                  NO_RULES,       [REGISTERED],                            DISCLOSED.but(scope="REFUSED"),                  errors.RefusalUnexplained),
    ("a part of a disclosure without a reason",                   NO_RULES,       [REGISTERED],                            DISCLOSED.but(scope="PARTIAL"),                  errors.RefusalUnexplained),
    ("the second legal hold first",                               NO_RULES,       [REGISTERED],                            HELD.but(hold=2),                                errors.NumberOutOfSequence),
    ("the number of a hold that was released",                    NO_RULES,       [REGISTERED, HELD, RELEASED],            HELD,                                            errors.NumberOutOfSequence),
    ("the end of a hold that is not set",                         NO_RULES,       [REGISTERED],                            RELEASED,                                        errors.HoldUnknown),
    ("the end of a hold that is over",                            NO_RULES,       [REGISTERED, HELD, RELEASED],            RELEASED,                                        errors.HoldUnknown),
    ("a disposal of what has no retention class",                 NO_RULES,       [REGISTERED],                            DISPOSED,                                        errors.RetentionUnknown),
    ("a disposal under a legal hold",                             NO_RULES,       [REGISTERED, RETAINED, HELD],            DISPOSED,                                        errors.HoldForbids),
    ("an erasure under a legal hold",                             NO_RULES,       [REGISTERED, HELD],                      ERASED,                                          errors.HoldForbids),
    ("an erasure under the second of two holds",                  NO_RULES,       [REGISTERED, HELD, HELD.but(hold=2), RELEASED], ERASED,                                   errors.HoldForbids),
    ("a transfer to the city itself",                             NO_RULES,       [REGISTERED],                            TRANSFERRED.but(to_city="yamato"),               errors.StewardshipElsewhere),
    *((f"{wanted.command} without a second person",               NO_RULES,       past,                                    wanted.by(approved_by=None),                     errors.ApprovalRequired)
      for wanted, past in ((HELD, [REGISTERED]), (RELEASED, [REGISTERED, HELD]), (DISPOSED, [REGISTERED, RETAINED]), (ERASED, [REGISTERED]), (TRANSFERRED, [REGISTERED]))),
    ("an erasure approved by who recorded it",                    NO_RULES,       [REGISTERED],                            ERASED.by(recorded_by="Z/second"),               errors.ApprovalRequired),
]

ADMITTED = [
    # sentence                                                    rules           past                                     command                                          status after
    ("a request for correction",                                  NO_RULES,       [REGISTERED],                            REQUESTED,                                       Status.REGISTERED),
    ("a request that is granted",                                 NO_RULES,       [REGISTERED, REQUESTED],                 GRANTED,                                         Status.REGISTERED),
    ("a request that is refused with a reason",                   NO_RULES,       [REGISTERED, REQUESTED],                 GRANTED.but(granted=False, reason="as stated"),  Status.REGISTERED),
    ("a disclosure",                                              NO_RULES,       [REGISTERED],                            DISCLOSED,                                       Status.REGISTERED),
    ("a part of a disclosure on its basis",                       NO_RULES,       [REGISTERED],                            DISCLOSED.but(scope="PARTIAL", basis="ART_7"),   Status.REGISTERED),
    ("a text is taken down",                                      NO_RULES,       [REGISTERED],                            PUBLISHED,                                       Status.REGISTERED),
    ("an attachment",                                             NO_RULES,       [REGISTERED],                            ATTACHED,                                        Status.REGISTERED),
    ("a retention class",                                         NO_RULES,       [REGISTERED],                            RETAINED,                                        Status.REGISTERED),
    ("a legal hold",                                              NO_RULES,       [REGISTERED],                            HELD,                                            Status.REGISTERED),
    ("its release",                                               NO_RULES,       [REGISTERED, HELD],                      RELEASED,                                        Status.REGISTERED),
    ("a second hold after the first",                             NO_RULES,       [REGISTERED, HELD, RELEASED],            HELD.but(hold=2),                                Status.REGISTERED),
    ("a disposal once the hold is over",                          NO_RULES,       [REGISTERED, RETAINED, HELD, RELEASED],  DISPOSED,                                        Status.REGISTERED),
    ("an erasure",                                                NO_RULES,       [REGISTERED],                            ERASED,                                          Status.REGISTERED),
    ("a transfer to another city",                                NO_RULES,       [REGISTERED],                            TRANSFERRED,                                     Status.REGISTERED),
    ("a hold on a city's own stream",                             NO_RULES,       [fact("state-city-attribute", population=1)], HELD,                                       None),
    ("a retention class of a programme",                          NO_RULES,       [fact("define-programme", programme="p", title_ja="制度", rules={})], RETAINED,           None),
]
# fmt: on


@each(REFUSED, "refusal")
def test_what_breaks_a_rule_of_custody_is_refused(
    world: World | Rules, past: list[Fact], command: Fact, refusal: type[errors.RuleViolated]
) -> None:
    is_refused(past, command, refusal, world, imported="ANOMALY")


@each(ADMITTED, "status")
def test_what_the_rules_of_custody_allow(
    world: World | Rules, past: list[Fact], command: Fact, status: Status | None
) -> None:
    moves(past, command, status, world)


def test_nothing_is_added_to_a_record_that_goes_on_elsewhere() -> None:
    for command in (MET, HELD, PUBLISHED):
        is_refused([REGISTERED, TRANSFERRED], command, errors.StewardshipElsewhere, NO_RULES, imported="REFUSED")


@pytest.mark.parametrize("mode", list(Mode))
def test_an_attachment_is_registered_once_in_every_mode(mode: Mode) -> None:
    with pytest.raises(errors.AlreadyExists):
        when(given(REGISTERED, ATTACHED), ATTACHED, mode=mode)


@pytest.mark.parametrize("mode", list(Mode))
def test_a_stream_that_holds_nothing_has_no_custody(mode: Mode) -> None:
    for command in (REQUESTED, HELD, ATTACHED):
        with pytest.raises(errors.NotFound):
            when(given(), command, mode=mode)


def test_the_course_of_a_record_shows_in_its_state() -> None:
    state = told(REGISTERED, ATTACHED, REQUESTED, GRANTED, DISCLOSED, RETAINED, HELD, RELEASED, DISPOSED).state
    assert [request.granted for request in state.correction_requests] == [True]
    assert (state.retention, state.holds, state.holds_set, state.disposed) == ("FIVE_YEARS", (), 1, True)
    assert (state.disclosure_decisions, len(state.attachments)) == (1, 1)


def test_what_a_withdrawal_and_an_erasure_take_effect_on_is_named() -> None:
    assert tuple(draft(PUBLISHED).withdraws()) == (DOCUMENT,)
    assert tuple(draft(ERASED).erases()) == (NPO,)


def test_the_date_of_a_custody_event_says_nothing_about_the_story() -> None:
    assert all(not row.event.in_order for row in BY_NAME.values() if issubclass(row.event, CustodyEvent))
    assert when(given(REGISTERED, MET.on("2026")), HELD.on("2003"))
