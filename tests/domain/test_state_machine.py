"""Every command in every state, under programmes nobody thought of, and what has to hold of it all the same.

The data of a command is made from its event's model, so that a new event is driven from the day it stands in the
command table. Most of it fits the state at hand, some does not; the machines count what they gave.
"""

from __future__ import annotations

from time import monotonic
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, run_state_machine_as_test

from domain import errors
from domain.city import City
from domain.commands import BY_NAME, COMMANDS
from domain.event import Mode
from domain.lifecycle import Transition, transitions
from domain.participation import Participation
from domain.programme import Programme
from domain.rules import ModelYearRules, Rules, TrialRules
from domain.vocabulary import Status
from tests.domain.plausible import Luck
from tests.domain.story import DRIVEN, Story


class LateStory(Story):
    """What was tried and came to nothing, or rests, where other stories seldom get."""

    ways: ClassVar[tuple[tuple[str, ...], ...]] = (
        ("start-trial", "accept-proposal", "revoke-acceptance"),
        ("start-trial", "accept-proposal", "decline-acceptance"),
        ("start-trial", "accept-proposal", "start-needs-survey", "submit-proposal", "reject-proposal"),
        ("start-trial", "accept-proposal", "start-needs-survey", "submit-proposal", "withdraw-proposal"),
        ("start-trial", "submit-proposal", "reject-proposal", "request-reconsideration"),
        ("start-model-year", "submit-proposal", "reject-proposal", "request-reconsideration"),
        ("conclude-agreement", "suspend-partnership"),
    )

    @initialize(way=st.sampled_from(ways))
    def begin(self, way: tuple[str, ...]) -> None:
        """The way there, under a programme that has every step and requires none."""
        super().begin(rules=[Rules(trial=TrialRules(), model_years=ModelYearRules())], calls=(), seed=0)
        for name in way:
            data = self.filled(BY_NAME[name], Luck(0), sure=True)
            self.give(BY_NAME[name], data, self.today.isoformat(), Mode.LIVE, Luck(0), sure=True)


class PastStory(Story):
    """What was forgotten is entered later, at its place."""

    modes = (Mode.LIVE, Mode.RETROACTIVE)


class ImportedStory(Story):
    """Earlier records too, whatever they break."""

    modes = (Mode.LIVE, Mode.RETROACTIVE, Mode.IMPORT, Mode.IMPORT)


class ProgrammeStory(Story):
    """A programme's stream."""

    kind, firsts, modes = Programme, ("define-programme",), (Mode.LIVE, Mode.RETROACTIVE)


class CityStory(Story):
    """A city's own stream."""

    kind, firsts, modes = City, ("state-city-attribute",), (Mode.LIVE, Mode.RETROACTIVE)


class ParticipationStory(Story):
    """A city's part in what another one records."""

    kind, firsts, modes = Participation, ("confirm-participation",), (Mode.LIVE, Mode.RETROACTIVE)


STORIES = {
    Story: 46,
    LateStory: 4,
    PastStory: 30,
    ImportedStory: 10,
    ProgrammeStory: 4,
    CityStory: 3,
    ParticipationStory: 3,
}


def drive(examples: int, *, derandomize: bool) -> None:
    """Run every machine, each with its share of the examples in percent, for 50 steps an example."""
    for story, percent in STORIES.items():
        run_state_machine_as_test(
            story,
            settings=settings(
                max_examples=examples * percent // 100,
                stateful_step_count=50,
                derandomize=derandomize,
                database=None,
                deadline=None,
                phases=(Phase.generate, Phase.shrink),
                suppress_health_check=list(HealthCheck),
            ),
        )


def test_what_is_admitted_holds_when_it_is_judged_again() -> None:
    drive(430, derandomize=True)
    assert DRIVEN.steps >= 20_000
    assert {row.name for row in COMMANDS} == set(DRIVEN.given), "a command of the table is never given"


# Only an earlier record, whose proposals nobody wrote down, tells of an acceptance after a rejection.
ONLY_IMPORTED = {Transition("ProposalAccepted", Status.REJECTED, Status.ACCEPTED)}


@pytest.mark.soak
def test_half_a_million_steps_make_every_move() -> None:
    start, most = monotonic(), 500_000
    while DRIVEN.steps < most:
        drive(1_000, derandomize=False)
        made = {move for live, move in DRIVEN.moves if live or move in ONLY_IMPORTED}
        print(
            f"{DRIVEN.steps:,} steps, {sum(DRIVEN.admitted.values()):,} admitted, {monotonic() - start:.0f} s;"
            f" {len(made)} of {len(transitions())} moves made"
        )
    named = [
        name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, errors.DomainError)
    ]
    silent = [name for name in named if name not in DRIVEN.refusals]
    print(f"refusals never met: {', '.join(silent)}")
    assert set(DRIVEN.given) == set(DRIVEN.admitted), "a command is always refused"
    assert set(transitions()) - made == set()
    assert not {(True, move) for move in ONLY_IMPORTED} & set(DRIVEN.moves)
