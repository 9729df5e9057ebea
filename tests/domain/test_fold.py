"""Histories nobody thought of: what is admitted folds, and folding it all equals going on from the last step."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from domain import errors
from domain.commands import BY_EVENT, BY_NAME, parse
from domain.decider import decide
from domain.event import Context, Event, Meta, Mode
from domain.history import EventRetracted, History, Recorded, advance, fold
from domain.partnership.state import Partnership, PartnershipEvent
from domain.rules import ModelYearRules, ProposalRules, Rules, TermRules, TrialRules
from domain.text import Visibility
from domain.vocabulary import ENDED, Status, Step

DIGEST = "A" * 43


class BlindDoor:
    """One digest for every text; no rule looks at texts."""

    def seal(self, name: str, value: str, visibility: Visibility, subject: str | None) -> str:
        return DIGEST

    def party(self, name: str) -> str:
        return str(uuid5(NAMESPACE_URL, name))

    def person(self, name: str) -> str:
        return self.party(name)


PARTIES = ["npo", "city", "school"]
REGISTRATION: dict[str, Any] = {
    "number": "Y1",
    "programme": "partnership",
    "title_ja": "保育支援",
    "parties": [{"party": party, "name_ja": party} for party in PARTIES],
}
RULES = st.builds(
    Rules,
    requires=st.sampled_from([{}, {Step.AGREEMENT: (Step.ACCEPTANCE,), Step.ACCEPTANCE: (Step.REVIEW,)}]),
    proposal=st.builds(ProposalRules, city_may_invite=st.booleans()),
    trial=st.none() | st.builds(TrialRules, max_length=st.sampled_from([None, "P1Y"])),
    model_years=st.none() | st.builds(ModelYearRules, maximum=st.none() | st.integers(1, 2)),
    term=st.builds(TermRules, renewal_every=st.sampled_from([None, "P3Y"])),
)
DATES = st.sampled_from(["XXXX"] * 8 + ["2003", "2003?", "2004-05", "2005-06-30", "[2003..2006]", "2003/2007", "2009"])

party = st.sampled_from([*PARTIES] * 4 + ["stranger"])
number = st.sampled_from([0, 0, 0, 0, 1, 2])  # 0 stands for the one that the state expects
text = st.just("text")


def command(name: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    return st.tuples(st.just(name), st.fixed_dictionaries({}, optional=fields))


def needing(name: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    return st.tuples(st.just(name), st.fixed_dictionaries(fields))


COMMANDS = st.one_of(
    needing("open-consultation", topic=text),
    needing("close-consultation", outcome=st.sampled_from(["PROPOSAL", "PROPOSAL", "ADVICE"])),
    command("hold-meeting", attendees=st.lists(party, max_size=2)),
    needing("invite-party", party=party),
    needing("accept-invitation", party=party),
    needing("decline-invitation", party=party),
    needing("change-party-status", party=party, from_kind=st.just("CITIZEN_GROUP"), to_kind=st.just("NPO")),
    needing("change-party-membership", party=party, members=st.lists(party, max_size=2)),
    needing("refine-objective", text=text),
    command("start-needs-survey"),
    needing("report-needs-survey", findings=st.just(["few"])),
    needing(
        "submit-proposal",
        submission=number,
        kind=st.sampled_from(["NEW", "NEW", "CONTINUATION"]),
        proposed_by=st.just("CITIZENS"),
    ),
    needing(
        "submit-proposal",
        submission=number,
        kind=st.just("RESUBMISSION"),
        proposed_by=st.just("CITY"),
        answers_rejection_of=number,
    ),
    needing("withdraw-proposal", submission=number),
    needing("open-review", submission=number),
    command("accept-proposal", submission=number),
    needing("reject-proposal", submission=number, codes=st.just(["VETO"]), public_explanation=text),
    needing("reject-proposal", submission=number),
    command("start-trial", length=st.sampled_from(["P6M", "P2Y"])),
    command("complete-trial"),
    needing("start-model-year", programme=st.sampled_from(["model", "other"]), n=number),
    needing("complete-model-year", programme=st.sampled_from(["model", "other"]), n=number),
    needing("conclude-agreement", parties=st.lists(party, min_size=2, max_size=2)),
    needing(
        "conclude-agreement",
        parties=st.just(["npo", "city"]),
        term=st.sampled_from(["P1Y", "P3Y"]),
        auto_renewal=st.booleans(),
    ),
    command("renew-agreement", term=st.sampled_from(["P1Y", "P3Y"])).flatmap(
        lambda made: number.map(lambda no: (made[0], made[1] | {"no": no}))
    ),
    command("lapse-agreement"),
    needing("terminate-agreement", initiator=st.just("BOTH")),
    command("suspend-partnership"),
    command("resume-partnership"),
    command("start-activity"),
    needing("confirm-activity", activity=text, forms=st.just([{"codes": ["SUBSIDY"]}])),
    needing("decide-funding", payee=party),
    needing("establish-facility", facility=st.just("hall")),
    needing("file-party-statement", party=party, text=text),
    command("complete-partnership"),
    command("become-independent"),
    command("mainstream-partnership"),
)


def expected(name: str, data: dict[str, Any], state: Partnership) -> dict[str, Any]:
    """The data with the numbers filled in that were left to the state."""
    rejections = [known.number for known in state.submissions if known.outcome is Status.REJECTED]
    years = [n for programme, n, _ in state.model_years if programme == data.get("programme")]
    numbers = {
        "submission": len(state.submissions) + (name == "submit-proposal"),
        "answers_rejection_of": max(rejections, default=1),
        "n": max(years, default=0) + (name == "start-model-year"),
        "no": (state.agreement.renewals if state.agreement else 0) + 1,
    }
    return data | {field: max(n, 1) for field, n in numbers.items() if data.get(field) == 0}


class Story(RuleBasedStateMachine):
    """One partnership under random rules; subclasses say which commands are given."""

    history: History
    rules: Rules

    @initialize(rules=RULES)
    def register(self, rules: Rules) -> None:
        self.rules = rules
        self.history = History(Partnership())
        assert self.give("register-partnership", REGISTRATION, "XXXX") is not None

    def give(self, name: str, data: dict[str, Any], valid: str, mode: Mode = Mode.LIVE) -> Event | None:
        """Decide and record; None when it was refused, and then nothing has changed."""
        given = BY_NAME[name]
        meta = Meta(mode=mode, actor="S/test", recorded_by="S/test", approved_by="Z/test")
        before = self.history
        data = expected(name, data, before.state) | {"valid": {"edtf": valid}}
        draft = given.event.model_validate_json(json.dumps(data), context=BlindDoor())
        state = before.state.model_copy(deep=True)
        try:
            event = decide(before, Context(rules=self.rules, import_window=True), given, draft, meta)
        except errors.DomainError:
            assert before.state == state
            return None
        version = before.version + 1
        moment = datetime(2026, 4, 1, tzinfo=UTC)
        new = Recorded(given.event_name, event, meta, UUID(int=0), version, version, moment)
        self.history = advance(before, new)
        return event

    @invariant()
    def folding_everything_equals_going_on_from_the_last_step(self) -> None:
        assert fold(Partnership(), self.history.recorded) == self.history

    @invariant()
    def the_status_is_one_of_the_vocabulary(self) -> None:
        assert isinstance(self.history.state.status, Status)


class LiveStory(Story):
    """Only what happens now: every rule holds at every step."""

    @rule(given=COMMANDS, valid=DATES)
    def step(self, given: tuple[str, dict[str, Any]], valid: str) -> None:
        before = self.history.state
        event = self.give(*given, valid)
        if event is not None:
            assert event.breaks == ()
            if before.status in ENDED:
                assert self.history.state.status is before.status, "an ended partnership has no new life-cycle"

    @invariant()
    def at_most_one_submission_is_pending(self) -> None:
        state = self.history.state
        undecided = [known for known in state.submissions if known.outcome is None]
        assert undecided == ([state.pending] if state.pending else [])

    @invariant()
    def numbers_are_contiguous(self) -> None:
        state = self.history.state
        assert [known.number for known in state.submissions] == list(range(1, len(state.submissions) + 1))
        assert [known.number for known in state.agreements] == list(range(1, len(state.agreements) + 1))
        for programme, years in Counter(programme for programme, _, _ in state.model_years).items():
            assert [n for name, n, _ in state.model_years if name == programme] == list(range(1, years + 1))

    @invariant()
    def nothing_is_an_anomaly(self) -> None:
        assert self.history.state.anomalies == ()


class AnyStory(Story):
    """All modes, corrections and retractions: nothing that is admitted ever fails to fold."""

    @rule(
        given=COMMANDS,
        valid=DATES,
        mode=st.sampled_from([Mode.LIVE, Mode.RETROACTIVE, Mode.IMPORT, Mode.IMPORT]),
        after=st.none() | st.integers(1, 12),
    )
    def step(self, given: tuple[str, dict[str, Any]], valid: str, mode: Mode, after: int | None) -> None:
        name, data = given
        if mode is not Mode.LIVE and after is not None:
            data |= {"placed_after": after}
        self.give(name, data, valid, mode)

    @rule(back=st.integers(-1, 12))
    def retract(self, back: int) -> None:
        version = max(1, self.history.version - back)
        if self.give("retract-event", {"target": version, "reason": "text"}, "XXXX") is not None:
            assert version not in {entry.version for entry in self.history.entries}

    @rule(back=st.integers(0, 12), valid=DATES, mode=st.sampled_from(Mode), place=st.none() | st.integers(1, 12))
    def correct(self, back: int, valid: str, mode: Mode, place: int | None) -> None:
        version = max(1, self.history.version - back)
        entry = next((entry for entry in self.history.entries if entry.version == version), None)
        if entry is None:
            return
        whole = entry.event.model_dump(mode="json", exclude_none=True) | {"valid": {"edtf": valid}}
        if place is not None:
            whole |= {"placed_after": place}
        schema = BY_EVENT[entry.name].schema
        data = {"target": version, "event": entry.name, "event_schema": schema, "data": whole, "reason": "text"}
        if self.give("correct-event", data, "XXXX", mode) is not None:
            now = next(entry for entry in self.history.entries if entry.version == version)
            assert now.event.valid.edtf == valid
            assert now.corrected_by == self.history.version

    @invariant()
    def every_event_counts_once_unless_it_was_retracted(self) -> None:
        gone = {entry.event.target for entry in self.history.recorded if isinstance(entry.event, EventRetracted)}
        counted = sorted(entry.version for entry in self.history.entries)
        assert counted == [version for version in range(1, self.history.version + 1) if version not in gone]

    @invariant()
    def the_registration_comes_first(self) -> None:
        assert self.history.entries[0].version == 1


@pytest.mark.parametrize("story", [LiveStory, AnyStory])
def test_stories(story: type[Story]) -> None:
    run_state_machine_as_test(
        story,
        settings=settings(
            max_examples=40,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
        ),
    )


# --- Any order ----------------------------------------------------------------------------------------------

FILES = sorted((Path(__file__).parent / "stored").glob("*.json"))
STORED = [
    (name, parse(name, int(schema), path.read_bytes())) for path in FILES for name, schema in [path.stem.split(".")]
]
EVENTS = [
    (name, event.model_copy(update={"placed_after": None}))
    for name, event in STORED
    if isinstance(event, PartnershipEvent)
]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(EVENTS), st.none() | st.integers(1, 30)), max_size=30))
def test_events_fold_in_any_order(events: list[tuple[tuple[str, Event], int | None]]) -> None:
    history = History(Partnership())
    for version, ((name, event), after) in enumerate(events, start=1):
        new = Recorded(
            name=name,
            event=event.model_copy(update={"placed_after": after if after and after < version else None}),
            meta=Meta(mode=Mode.IMPORT, actor="S", recorded_by="S/test"),
            stream=UUID(int=0),
            version=version,
            position=version,
            recorded_at=datetime(2026, 4, 1, tzinfo=UTC),
        )
        history = advance(history, new)
    assert history == fold(Partnership(), history.recorded)
    assert len(history.state.anomalies) == len(events)
