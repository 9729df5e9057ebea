"""Given a past, when a command is given, then its event is admitted or refused: what the tests of the rules share."""

from __future__ import annotations

import hashlib
import json
from base64 import urlsafe_b64encode
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import NAMESPACE_URL, uuid5

import pytest

from domain import errors
from domain.commands import BY_EVENT, BY_NAME, initial_state
from domain.decider import decide
from domain.event import Call, Context, Event, Meta, Mode
from domain.history import History, Recorded, advance, fold
from domain.rules import Rules
from domain.text import Visibility
from domain.vocabulary import Status

STREAM = uuid5(NAMESPACE_URL, "stream")


class PlainDoor:
    """Digests without salt: enough for rules, which never look at a text."""

    def seal(self, name: str, value: str, visibility: Visibility, subject: str | None) -> str:
        return urlsafe_b64encode(hashlib.sha256(value.encode()).digest()).decode().rstrip("=")

    def party(self, name: str) -> str:
        return str(uuid5(NAMESPACE_URL, name))

    def person(self, name: str) -> str:
        return self.party(name)


DOOR = PlainDoor()
DOCUMENT = DOOR.seal("document_ref", "7協推第12号", Visibility.PUBLIC, None)
NPO, CITY, SCHOOL = map(DOOR.party, ("npo", "city", "school"))


class Fact(NamedTuple):
    """A command with its data, its date, and what is unusual about who gives it."""

    command: str
    data: dict[str, Any]
    valid: str
    meta: dict[str, Any]

    def on(self, valid: str) -> Fact:
        """The same on another date."""
        return self._replace(valid=valid)

    def by(self, **meta: Any) -> Fact:
        """The same, given by somebody else, signed or approved otherwise."""
        return self._replace(meta=self.meta | meta)

    def but(self, **data: Any) -> Fact:
        """The same with other data; None leaves a field out."""
        changed = {name: value for name, value in (self.data | data).items() if value is not None}
        return self._replace(data=changed)


class World(NamedTuple):
    """What a decision depends on beside its stream: the programme's rules and calls, and the other partnerships."""

    rules: Rules = Rules()
    calls: tuple[Call, ...] = ()
    others: frozenset[str] = frozenset()


NOTHING_STATED = World()


def fact(command: str, valid: str = "XXXX", **data: Any) -> Fact:
    return Fact(command, data, valid, {})


def draft(given: Fact) -> Event:
    data = given.data | {"valid": {"edtf": given.valid}}
    return BY_NAME[given.command].event.model_validate_json(json.dumps(data), context=DOOR)


def given(*facts: Fact) -> History:
    """What was recorded, whether or not a rule would admit it today."""
    history = History(initial_state(BY_NAME[facts[0].command].event_name) if facts else None)
    for fact_ in facts:
        history = recorded(history, fact_, draft(fact_))
    return history


def recorded(history: History, fact_: Fact, event: Event, mode: Mode = Mode.LIVE) -> History:
    version = history.version + 1
    new = Recorded(
        name=BY_NAME[fact_.command].event_name,
        event=event,
        meta=_meta(fact_, mode),
        stream=STREAM,
        version=version,
        position=version,
        recorded_at=datetime(2026, 4, 1, tzinfo=UTC),
    )
    return advance(history, new)


def _meta(fact_: Fact, mode: Mode) -> Meta:
    roles = BY_NAME[fact_.command].actors
    # The secretariat acts for everybody but the clock and the admin.
    actor = f"{roles[0]}/officer" if set(roles) <= set("XTZ") else "S/officer"
    usual: dict[str, Any] = {
        "actor": actor,
        "recorded_by": "S/officer",
        "approved_by": "Z/second",
        "document_ref": DOCUMENT,
    }
    return Meta(mode=mode, **usual | fact_.meta)


def when(
    history: History,
    fact_: Fact,
    world: World | Rules = NOTHING_STATED,
    *,
    mode: Mode = Mode.LIVE,
    window: bool | None = None,
) -> Event:
    """The event that the command makes; raises what forbids it. An import has its window unless `window` is False."""
    row = BY_NAME[fact_.command]
    if history.state is None:
        history = History(initial_state(row.event_name))
    rules, calls, others = World(world) if isinstance(world, Rules) else world
    context = Context(
        rules=rules,
        calls=calls,
        import_window=mode is Mode.IMPORT if window is None else window,
        exists=others.__contains__,
    )
    return decide(history, context, row, draft(fact_), _meta(fact_, mode))


def then(history: History, fact_: Fact, event: Event, mode: Mode = Mode.LIVE) -> History:
    """The past with the admitted event, folded both ways."""
    after = recorded(history, fact_, event, mode)
    assert after == fold(type(history.state)(), after.recorded), "going on equals folding afresh"
    return after


def told(*facts: Fact, world: World | Rules = NOTHING_STATED) -> History:
    """What was recorded, each command admitted under the rules."""
    history = History(None)
    for fact_ in facts:
        event = when(history, fact_, world)
        before = history if history.recorded else History(initial_state(BY_NAME[fact_.command].event_name))
        history = then(before, fact_, event)
    return history


def correction(history: History, target: int, **changes: Any) -> Fact:
    """A correction of some fields, with the whole corrected event, as the book makes it."""
    entry = next(e for e in (*history.entries, *history.recorded) if e.version == target)
    whole = entry.event.model_dump(mode="json", exclude_none=True) | changes
    whole = {name: value for name, value in whole.items() if value is not None}
    schema = BY_EVENT[entry.name].schema
    return fact(
        "correct-event", target=target, event=entry.name, event_schema=schema, data=whole, reason="entered wrongly"
    )


def retraction(target: int) -> Fact:
    return fact("retract-event", target=target, reason="belongs elsewhere")


def placed(fact_: Fact, after: int) -> Fact:
    return fact_.but(placed_after=after)


# --- What a refusal is --------------------------------------------------------------------------------------


def each(table: list[tuple[Any, ...]], outcome: str) -> pytest.MarkDecorator:
    """One test for each row of a table: a sentence, the world, the past, the command, and what comes of it."""
    names = ("world", "past", "command", outcome)
    return pytest.mark.parametrize(names, [row[1:] for row in table], ids=[row[0] for row in table])


def is_refused(
    past: list[Fact], command: Fact, refusal: type[errors.DomainError], world: World | Rules, *, imported: str
) -> None:
    """Refused live and retroactively. Imported it is an ANOMALY, or UNKNOWN and not wrong, or REFUSED as well."""
    history = given(*past)
    with pytest.raises(refusal) as refused:
        when(history, command, world)
    assert refused.value.message("en") != refused.value.message("ja")
    assert "?" not in refused.value.message("en") + refused.value.message("ja"), "a detail is missing"
    with pytest.raises(refusal):
        when(history, command, world, mode=Mode.RETROACTIVE)
    if imported == "REFUSED":
        with pytest.raises(refusal):
            when(history, command, world, mode=Mode.IMPORT)
        return
    event = when(history, command, world, mode=Mode.IMPORT)
    assert (refusal.__name__ in event.breaks) is (imported == "ANOMALY")
    if history.state is not None:
        anomalies = {a.rule for a in then(history, command, event, Mode.IMPORT).state.anomalies}
        assert (refusal.__name__ in anomalies) is (imported == "ANOMALY")


def moves(past: list[Fact], command: Fact, status: Status | None, world: World | Rules) -> History:
    """Admitted without breaking a rule; the partnership, if it is one, has that status after it."""
    history = given(*past)
    event = when(history, command, world)
    assert event.breaks == ()
    if history.state is None:
        history = History(initial_state(BY_NAME[command.command].event_name))
    after = then(history, command, event)
    assert getattr(after.state, "status", None) is status
    return after


# --- Facts that many stories share --------------------------------------------------------------------------

REGISTERED = fact(
    "register-partnership",
    number="Y1",
    programme="partnership",
    title_ja="保育支援",
    parties=[
        {"party": "npo", "kind": "NPO", "name_ja": "保育の会"},
        {"party": "city", "kind": "MUNICIPALITY", "name_ja": "大和市"},
    ],
)
CONSULTED = fact("open-consultation", topic="child care")
MET = fact("hold-meeting", attendees=["npo"])
INVITED = fact("invite-party", party="npo")
AGREED = fact("conclude-agreement", parties=["npo", "city"])
TERMED = AGREED.but(term="P3Y").on("2020-04-01")
ACTIVE = fact("start-activity")
TRIED = fact("start-trial")
SUSPENDED = fact("suspend-partnership")
ESTABLISHED = fact("establish-facility", facility="hall")
MAINSTREAMED = fact("mainstream-partnership")
DECIDED = {"decided_by": "city", "authority": "MAYOR"}
ACCEPTED = fact("accept-proposal", **DECIDED)


def submitted(no: int, kind: str = "NEW", **data: Any) -> Fact:
    return fact("submit-proposal", submission=no, kind=kind, proposed_by="CITIZENS", **data)


def answering(no: int, rejected: int) -> Fact:
    return submitted(no, "RESUBMISSION", answers_rejection_of=rejected)


def rejected(no: int, *codes: str, **data: Any) -> Fact:
    explained = {"public_explanation": "the aims are not clear", "codes": codes or ["OBJECTIVES_UNCLEAR"]}
    return fact("reject-proposal", submission=no, **DECIDED | explained | data)


def accepted(no: int | None = None, **data: Any) -> Fact:
    return fact("accept-proposal", **DECIDED | ({"submission": no} if no else {}) | data)


def reviewed(no: int = 1, **data: Any) -> Fact:
    return fact("open-review", submission=no, **data)


def asked_again(no: int = 1, **data: Any) -> Fact:
    return fact("request-reconsideration", submission=no, **data)


def decided_again(outcome: str, no: int = 1, **data: Any) -> Fact:
    return fact("resolve-reconsideration", submission=no, outcome=outcome, reason="new facts", **DECIDED | data)


def model_year(n: int, programme: str = "model") -> Fact:
    return fact("start-model-year", programme=programme, n=n)


def renewed(no: int, valid: str = "XXXX", **data: Any) -> Fact:
    return fact("renew-agreement", valid, no=no, **data)


def lapsed(on: str = "2023-04-01") -> Fact:
    return fact("lapse-agreement", on)


def terminated() -> Fact:
    return fact("terminate-agreement", initiator="CITY")
