"""One stream driven by every command that it admits, and what has to hold of it after each step."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache
from string import Formatter
from typing import Any, ClassVar
from uuid import UUID

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from domain import dates, errors
from domain.clock import due
from domain.commands import BY_EVENT, BY_NAME, COMMANDS
from domain.decider import decide
from domain.event import Call, Command, Context, Event, Meta, Mode, State
from domain.history import EventCorrected, EventRetracted, History, Recorded, advance, evolve, fold
from domain.lifecycle import Transition, transitions
from domain.partnership.parts import Review
from domain.partnership.state import Partnership, PartnershipEvent
from domain.programme import Programme, Version
from domain.rules import ReviewRules, Rules
from domain.vocabulary import ENDED, IN_FORCE, TRYING, UNDECIDED, Status
from tests.domain.plausible import CHECKED, DIGEST, BlindDoor, Luck, fitting, likelihood, object_maker
from tests.domain.programmes import CALLS, PROGRAMMES

# --- What was driven ----------------------------------------------------------------------------------------


@dataclass
class Driven:
    """What the machines gave and what became of it."""

    steps: int = 0
    given: Counter[str] = field(default_factory=Counter)
    admitted: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    moves: Counter[tuple[bool, Transition]] = field(default_factory=Counter)
    """Whether without any earlier record, and the move."""


DRIVEN = Driven()
CLOCK = "X/clock"
NOW = datetime(2026, 4, 1, tzinfo=UTC)


@cache
def _commands(kind: type[State], *, over: bool) -> list[Command]:
    """The commands of a kind of stream, the record's own among them once; with `over`, also what closes the stream."""
    own = [row for row in COMMANDS if row.event.folds_into is kind]
    kept = [row for row in COMMANDS if row.event.folds_into is State and row.name not in CHANGES]
    return own * 3 + [row for row in kept if over or row.name != "transfer-stewardship"]


@cache
def _admitted_by(status: Status | None) -> tuple[list[Command], set[str]]:
    """The commands that a status admits, and the events that move it on from there without ending it."""
    rows = [row for row in _commands(Partnership, over=False) if status in getattr(row.event, "needs", Status)]
    on = set() if status in IN_FORCE else {event for event, since, _ in transitions() if since is status}
    return rows, on - ENDINGS


CHANGES = {"correct-event", "retract-event"}
ENDINGS = {event for event, _, target in transitions() if target in ENDED}


# --- One stream ---------------------------------------------------------------------------------------------


class Story(RuleBasedStateMachine):
    """One stream under random rules; subclasses say of which kind, and in which modes its events come in."""

    kind: ClassVar[type[State]] = Partnership
    firsts: ClassVar[tuple[str, ...]] = ("register-partnership", "register-partnership", "open-consultation")
    modes: ClassVar[tuple[Mode, ...]] = (Mode.LIVE,)

    programme: Programme
    calls: tuple[Call, ...]
    history: History
    today: date
    begun: date = date.min
    sound: bool = False

    @initialize(
        rules=st.lists(PROGRAMMES, min_size=1, max_size=2),
        calls=st.sampled_from(CALLS),
        seed=st.integers(0, 2**32),
    )
    def begin(self, rules: list[Rules], calls: tuple[Call, ...], seed: int) -> None:
        """A programme of one version or two, and the first event of the stream."""
        versions = zip(rules, ("2000", "2006-04-01"), strict=False)
        self.programme = Programme(
            versions=tuple(
                Version(number=n, effective=since, rules=each) for n, (each, since) in enumerate(versions, 1)
            )
        )
        self.calls, self.today = calls, date(2003, 4, 1)
        self.history = History(self.kind())
        luck = Luck(seed)
        first = BY_NAME[luck.one_of(self.firsts)]
        self.give(first, self.filled(first, luck, sure=True), "XXXX", Mode.LIVE, luck, sure=True)

    @property
    def state(self) -> Any:
        """What the stream amounts to now."""
        return self.history.state

    # What is given

    @rule(
        what=st.sampled_from(("LEADING",) * 9 + ("LIKELY",) * 5 + ("ANY", "CORRECT", "CORRECT", "RETRACT", "CLOCK")),
        seed=st.integers(0, 2**32),
    )
    def step(self, what: str, seed: int) -> None:
        luck = Luck(seed)
        entered = luck.one_of(self.modes)
        self.today += timedelta(days=luck.one_of((0, 0, 1, 14, 40, 200)))
        if what == "CLOCK":
            self.strike(luck)
        elif what == "CORRECT":
            self.correct(entered, luck)
        elif what == "RETRACT":
            target = self.target(luck)
            version = target.version if luck.happens(97) else self.history.version + 1
            self.give(BY_NAME["retract-event"], {"target": version, "reason": "text"}, "XXXX", entered, luck)
        else:
            row = luck.one_of(self.choices(what))
            data = self.filled(row, luck)
            valid = self.dated(row.name, luck)
            if luck.happens(1 if entered is Mode.LIVE else 60):
                place = luck.one_of(self.history.recorded)
                data["placed_after"] = place.version if luck.happens(97) else self.history.version + 1
                valid = luck.one_of(("XXXX", place.event.valid.edtf, valid))
            self.give(row, data, valid, entered, luck)

    def choices(self, what: str) -> list[Command]:
        """The commands that move the partnership on, or that its state makes likely, or all of this kind of stream."""
        if what == "ANY" or self.kind is not Partnership:
            return _commands(self.kind, over=what == "ANY")
        rows, moving = _admitted_by(self.state.status)
        if not self.state.registered:
            rows = [row for row in rows if getattr(row.event, "at_desk", True)]
        worth = [(row, likelihood(row.name, self.state)) for row in rows]
        if what == "LEADING":
            # What moves it on while it is open, and what answers something; an ending is one choice among many.
            worth = [(row, times) for row, times in worth if times > 1 or (times and row.event_name in moving)] or worth
        return [row for row, times in worth for _ in range(times)]

    def filled(self, row: Command, luck: Luck, *, sure: bool = False) -> dict[str, Any]:
        """Data of a command, most of which fits."""
        data: dict[str, Any] = object_maker(row.event)(luck)
        version = self.programme.in_force(self.today.isoformat())
        fits = fitting(row.name, self.state, version.rules if version else Rules(), self.today, luck)
        required = {name for name, field_ in row.event.model_fields.items() if field_.is_required()}
        fits = {name: value for name, value in fits.items() if value is not None or name not in required}
        data |= {name: value for name, value in fits.items() if sure or not luck.happens(6)}
        return {name: value for name, value in data.items() if value is not None}

    def dated(self, name: str, luck: Luck) -> str:
        """When it happens: today, at some precision, and now and then at a wrong time."""
        agreement = self.state.agreement if self.kind is Partnership else None
        if name in {"lapse-agreement", "renew-agreement"} and agreement and agreement.last_days and luck.happens(80):
            due = agreement.last_days[1] + timedelta(days=name == "lapse-agreement")
            if self.today < due < self.today + timedelta(days=2_000):
                self.today = due
        if luck.happens(4):
            return str(luck.one_of(CHECKED[dates.check]))
        day = self.today.isoformat()
        return str(luck.one_of((day, day, day, day[:7], day[:4], "XXXX", f"{day[:4]}?", f"[..{day[:7]}]", f"{day}/..")))

    def strike(self, luck: Luck) -> None:
        """The clock strikes: what it finds due it may record, and then it is due no more."""
        now = self.programme.in_force(self.today.isoformat())
        found = due(self.history, now.rules, self.calls, self.today) if now else []
        if not found:
            return
        first = found[0]
        sure = Mode.IMPORT not in self.modes and self.programme.in_force(first.valid) is now
        self.give(BY_NAME[first.command], first.data, first.valid, Mode.LIVE, luck, sure=sure, clock=True)
        assert not sure or now is None or first not in due(self.history, now.rules, self.calls, self.today)

    def target(self, luck: Luck) -> Recorded:
        """Something that was recorded, mostly one of the last events that count."""
        changes = (EventRetracted,) if luck.happens(30) else (EventRetracted, EventCorrected)
        likely = [entry for entry in self.history.entries if not isinstance(entry.event, changes)]
        among = list(self.history.recorded) if luck.happens(5) else likely[-6:] if luck.happens(60) else likely
        return among[-1] if luck.happens(20) else luck.one_of(among)

    def correct(self, mode: Mode, luck: Luck) -> None:
        """Some fields of an earlier event, its date or its place."""
        target = self.target(luck)
        row = BY_EVENT[target.name]
        whole = target.event.model_dump(mode="json", exclude_none=True)
        if row.event not in {EventCorrected, EventRetracted}:
            new = self.filled(row, luck)
            fields = [name for name in row.event.model_fields if name not in {"valid", "breaks", "placed_after"}]
            for name in [luck.one_of(fields) for _ in range(luck.one_of((0, 1, 2)))] if fields else []:
                whole = {key: value for key, value in whole.items() if key != name or name not in new}
                whole |= {name: new[name]} if name in new else {}
        if luck.happens(40):
            near = luck.one_of(self.history.recorded).event.valid.edtf
            whole["valid"] = {"edtf": luck.one_of(("XXXX", near, near, self.today.isoformat()))}
        if luck.happens(20):
            whole["placed_after"] = luck.one_of(
                (max(1, target.version - 1), 1, 2, luck.one_of(self.history.recorded).version)
            )
        corrected = row.event.model_validate_json(json.dumps(whole), context=BlindDoor())
        name = target.name if luck.happens(99) or not luck.happens(50) else "MeetingHeld"
        data = {"target": target.version, "event": name, "event_schema": row.schema, "reason": "text"}
        data["data"] = corrected.model_dump(mode="json", exclude_none=True)
        self.give(BY_NAME["correct-event"], data, "XXXX", mode, luck)

    def meta(self, row: Command, mode: Mode, number: int, luck: Luck, *, sure: bool, clock: bool) -> Meta:
        """Who enters it, mostly somebody who may, and what was signed and approved."""
        if clock:
            return Meta(actor=CLOCK, recorded_by=CLOCK, programme="partnership", programme_version=number)
        signed = luck.one_of(("PARTIES", "DOCUMENT", "DOCUMENT")) if sure or not luck.happens(4) else "NOBODY"
        parties = [known.party.party for known in getattr(self.state, "parties", ())]
        return Meta(
            mode=mode,
            actor=f"{luck.one_of(row.actors if sure or luck.happens(90) else 'SPDCRAXTZ')}/who",
            recorded_by="S/officer",
            approved_by="Z/second" if sure or not luck.happens(5) else luck.one_of((None, "S/officer")),
            signatories=tuple(parties) if signed == "PARTIES" else (),
            document_ref=DIGEST if signed == "DOCUMENT" else None,
            programme="partnership",
            programme_version=number,
        )

    # What becomes of it

    def give(
        self,
        row: Command,
        data: dict[str, Any],
        valid: str,
        mode: Mode,
        luck: Luck,
        *,
        sure: bool = False,
        clock: bool = False,
    ) -> None:
        """Decide and record; a refusal changes nothing and names its rule."""
        before, held = self.history, self.state.model_dump_json()
        draft = row.event.model_validate_json(json.dumps(data | {"valid": {"edtf": valid}}), context=BlindDoor())
        judged = draft
        if isinstance(draft, EventCorrected) and draft.event == before.recorded[draft.target - 1].name:
            judged = BY_EVENT[draft.event].event.model_validate_json(json.dumps(draft.data))
        version = self.programme.in_force(judged.valid.edtf)
        assert version is not None
        meta = self.meta(row, mode, version.number, luck, sure=sure, clock=clock)
        context = Context(
            rules=version.rules,
            calls=self.calls,
            import_window=True,
            rules_of=self.rules_of,
            exists={"A", "B"}.__contains__,
        )
        DRIVEN.steps += 1
        DRIVEN.given[row.name] += 1
        note(f"{row.name} {data} {valid} {meta}")
        self.sound = False
        try:
            event = decide(before, context, row, draft, meta)
        except errors.DomainError as refusal:
            note(f"  refused: {refusal}")
            named_in_full(refusal, expected=not sure)
            assert self.state.model_dump_json() == held, "a refusal changes nothing"
        else:
            DRIVEN.admitted[row.name] += 1
            version_ = before.version + 1
            new = Recorded(row.event_name, event, meta, UUID(int=0), version_, version_, NOW)
            self.history = advance(before, new)
            assert fold(self.kind(), self.history.recorded) == self.history
            if isinstance(event, EventCorrected):
                now = next(entry for entry in self.history.entries if entry.version == event.target)
                assert (now.corrected_by, now.event.valid) == (new.position, judged.valid)
            if isinstance(event, EventCorrected | EventRetracted) or event.placed_after is not None:
                self.look_at_everything()
            else:
                self.look(new, before.state)
        self.sound = True

    def teardown(self) -> None:
        if self.sound:
            self.look_at_everything()

    def look_at_everything(self) -> None:
        """Every event that counts, in its order and from the empty state on; it counts once unless it was retracted."""
        recorded, entries = self.history.recorded, self.history.entries
        gone = {entry.event.target for entry in recorded if isinstance(entry.event, EventRetracted)}
        assert sorted(entry.version for entry in entries) == [e.version for e in recorded if e.version not in gone]
        assert entries[0].version == 1, "the registration comes first"
        self.begun, state = date.min, self.kind()
        for entry in self.history.entries:
            self.look(entry, state)
            state = evolve(state, entry)
        assert state == self.state

    def look(self, entry: Recorded, before: Any) -> None:
        """One event at its place: what it breaks there, and what it makes of the state."""
        after = evolve(before, entry)
        if isinstance(entry.event, PartnershipEvent):
            self.moved(entry.event, before, after)
        if Mode.IMPORT in self.modes:
            return
        assert entry.event.breaks == ()
        meta = entry.meta
        if entry.corrected_by is not None:
            meta = self.history.recorded[entry.corrected_by - 1].meta
        rules = self.rules_of(meta)
        there = Context(rules=rules, calls=self.calls, meta=meta, exists={"A", "B"}.__contains__)
        entry.event.check(before, there)
        broken = [violation.code for violation in entry.event.violations(before, there)]
        span = dates.bounds(entry.event.valid.edtf)
        if entry.event.in_order:
            if span.latest is not None and span.latest < self.begun:
                broken.append("OutOfOrder")
            self.begun = max(self.begun, span.earliest or date.min)
        assert not broken, f"{entry.name} ({entry.version}) breaks {broken} where it stands"
        assert not entry.event.second_person or meta.approved_by not in (None, meta.recorded_by)
        numbered(after)
        if isinstance(before, Partnership):
            in_force(entry.event, before, after, rules)

    def moved(self, event: PartnershipEvent, before: Partnership, after: Partnership) -> None:
        """What an event moves is declared, unless an earlier record puts it where it could not be."""
        if before.status is after.status or after.status is None:
            assert before.status is after.status
        elif before.status is None or before.status in event.needs:
            move = Transition(type(event).__name__, before.status, after.status)
            assert move in transitions()
            DRIVEN.moves[Mode.IMPORT not in self.modes, move] += 1

    def rules_of(self, meta: Meta) -> Rules:
        """The rules by which it was judged."""
        return self.programme.versions[(meta.programme_version or 1) - 1].rules


# --- What always holds --------------------------------------------------------------------------------------


def named_in_full(refusal: errors.DomainError, *, expected: bool) -> None:
    """A refusal is one of the catalogue, and both of its messages have all their details."""
    assert expected, refusal
    known = getattr(errors, refusal.code)
    assert known is type(refusal)
    for language, template in (("ja", known.ja), ("en", known.__doc__ or "")):
        blanks = {name for _, name, _, _ in Formatter().parse(template) if name is not None}
        assert blanks <= refusal.details.keys(), f"{refusal.code}: {blanks - refusal.details.keys()} is missing"
        assert refusal.message(language)
    DRIVEN.refusals[refusal.code] += 1


def numbered(state: Any) -> None:
    """Whatever is numbered is numbered from 1 without a gap."""
    assert all(1 <= hold <= state.holds_set for hold in state.holds)
    assert state.anomalies == ()
    if isinstance(state, Programme):
        assert [version.number for version in state.versions] == list(range(1, len(state.versions) + 1))
        assert len({call.call for call in state.calls}) == len(state.calls)
    if not isinstance(state, Partnership):
        return
    assert [known.number for known in state.submissions] == list(range(1, len(state.submissions) + 1))
    assert [known.number for known in state.agreements] == list(range(1, len(state.agreements) + 1))
    assert sorted(known.number for known in state.evaluations) == list(range(1, len(state.evaluations) + 1))
    assert len({known.grant for known in state.grants}) == len(state.grants)
    for programme, years in Counter(programme for programme, _, _ in state.model_years).items():
        assert [n for name, n, _ in state.model_years if name == programme] == list(range(1, years + 1))
    undecided = [known for known in state.submissions if known.outcome is None]
    assert undecided == ([state.pending] if state.pending else []), "at most one submission is pending"
    assert (state.pending is not None) >= (state.status in UNDECIDED)
    assert state.pending is None or state.status in UNDECIDED | TRYING | IN_FORCE | ENDED, "it can still be decided"
    assert state.accepted or state.conditions == 0, "conditions are those of an acceptance that stands"
    assert all(known.yen is None or known.paid <= known.yen for known in state.grants)


def in_force(event: Event, before: Partnership, after: Partnership, rules: Rules) -> None:
    """What no admitted event does, said a second time and in other words than the rules'."""
    if before.status in ENDED:
        assert after.status is before.status, "an ended partnership has no new life-cycle"
    if isinstance(event, PartnershipEvent):
        assert before.status is None or before.status in event.needs
        assert len(after.submissions) - len(before.submissions) in (0, 1)
        renewals = [sum(known.renewals for known in state.agreements) for state in (before, after)]
        assert renewals[1] - renewals[0] == (type(event).__name__ == "AgreementRenewed")
        for known, earlier in zip(after.submissions, before.submissions, strict=False):
            lost = len(earlier.review.scores) if earlier.review else 0
            assert known.review is None or len(known.review.scores) >= lost, "no score is lost"
    match type(event).__name__:
        case "PaymentRecorded" if grant := after.grant(getattr(event, "grant", None) or ""):
            assert grant.limit is None or grant.paid <= grant.limit
        case "AgreementConcluded":
            assert set(range(1, before.conditions + 1)) <= set(before.fulfilled), "no condition is open"
        case "ProposalAccepted" if before.pending and before.pending.review:
            assert not vetoed(before.pending.review, rules.review)
        case "EvaluationsShared":
            shared = next(known for known in before.evaluations if known.number == getattr(event, "evaluation", 0))
            sides = (rules.evaluation.sides if rules.evaluation else ()) or ("PARTNER", "CITY")
            assert set(sides) <= set(shared.sides), "evaluations are revealed together"
        case "DisposalDecided" | "SubjectErased":
            assert not before.holds


def vetoed(review: Review, rules: ReviewRules) -> bool:
    """Whether too many of the scores are votes against, but for those of who stands back."""
    scores = [score for score in review.scores if score.reviewer not in review.recused]
    for criterion in rules.criteria:
        given = [score.score for score in scores if score.criterion == criterion.code]
        against = [score for score in given if criterion.veto_at is not None and score <= criterion.veto_at]
        if against and (rules.veto_by == "ANY" or len(against) > len(given) / 2):
            return True
    return False
