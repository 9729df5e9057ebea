"""As of any earlier position, the read models show what a fresh fold up to it gives."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, Phase, event, given, note, settings
from hypothesis import strategies as st
from pydantic_core import from_json

from domain.commands import BY_NAME
from domain.errors import DomainError
from domain.event import Mode
from domain.history import History
from projections.catalogue import READ_MODELS, SCHEMA
from projections.read_model import OPEN_POSITION, ReadModel
from projections.replay import check, recorded
from projections.worker import Worker, lags
from tenants.book import Book, Plan, Request, history_of
from tenants.city_keys import CityKeys
from tenants.database import Database, Role

NUMBERS = ["P1", "P2"]
PARTIES = ["npo", "city", "person"]
DATES = st.sampled_from(["XXXX"] * 6 + ["2003", "2004-05", "2005?", "[2003..2006]"])

party = st.sampled_from(PARTIES)
text = st.sampled_from(["保育", "緑", "まちづくり"])
DECIDED = {"decided_by": st.just("city"), "authority": st.just("MAYOR")}


def command(name: str, /, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    return st.tuples(st.just(name), st.fixed_dictionaries(fields))


COMMANDS = st.one_of(
    command("open-consultation", topic=text),
    command("hold-meeting", attendees=st.lists(party, max_size=2, unique=True), notes=text),
    command("invite-party", party=party),
    command("accept-invitation", party=party),
    command("change-party-status", party=party, from_kind=st.just("CITIZEN_GROUP"), to_kind=st.just("NPO")),
    command("change-party-membership", party=party, members=st.lists(party, max_size=2, unique=True)),
    command("refine-objective", text=text),
    command("submit-proposal", submission=st.integers(1, 2), kind=st.just("NEW"), proposed_by=st.just("CITIZENS")),
    command(
        "reject-proposal", submission=st.integers(1, 2), codes=st.just(["VETO"]), public_explanation=text, **DECIDED
    ),
    command("accept-proposal", submission=st.integers(1, 2), **DECIDED),
    command(
        "conclude-agreement", parties=st.just(["npo", "city"]), forms=st.just([{"codes": ["SUBSIDY"], "local": "補助"}])
    ),
    command("renew-agreement", no=st.integers(1, 2)),
    command("confirm-activity", activity=text, forms=st.just([{"codes": ["CO_HOSTING", "ENDORSEMENT"]}])),
    command("file-party-statement", party=party, text=text),
    command("note-source-discrepancy", about=st.just("DATE"), values=st.lists(text, max_size=2)),
    command("mainstream-partnership"),
)

GRANT = st.sampled_from(["G1", "G2"])
NUMBER = st.integers(1, 2)
FACILITY = st.just("hall")
LATER = st.one_of(
    command(
        "submit-proposal",
        submission=NUMBER,
        kind=st.sampled_from(["NEW", "CONTINUATION"]),
        proposed_by=st.just("CITY"),
        party=party,
        objective=text,
    ),
    command("open-review", submission=NUMBER, panel=st.none() | st.integers(3, 5)),
    command("hold-presentation", submission=NUMBER),
    command(
        "record-score",
        submission=NUMBER,
        reviewer=st.sampled_from(["one", "two"]),
        criterion=st.just("BENEFIT"),
        score=st.integers(1, 5),
    ),
    command("issue-recommendation", submission=NUMBER, result=st.just("RECOMMENDED"), comment=text),
    command("withdraw-proposal", submission=NUMBER),
    command("accept-proposal", submission=NUMBER, conditions=st.lists(text, max_size=2), note=text, **DECIDED),
    command("fulfil-condition", condition=NUMBER),
    command("decline-acceptance"),
    command("request-reconsideration", submission=NUMBER),
    command(
        "resolve-reconsideration",
        submission=NUMBER,
        outcome=st.sampled_from(["UPHELD", "ACCEPTED"]),
        reason=text,
        **DECIDED,
    ),
    command("amend-agreement", changed=st.just([{"code": "COSTS", "text": "費用は折半"}])),
    command("lapse-agreement"),
    command("terminate-agreement", initiator=st.just("CITY"), ground=text),
    command("complete-partnership"),
    command(
        "file-evaluation",
        evaluation=NUMBER,
        side=st.sampled_from(["PARTNER", "CITY"]),
        scores=st.just([{"item": "GOAL_REACHED", "score": "4"}]),
        next_actions=st.lists(text, max_size=2),
    ),
    command("share-evaluations", evaluation=NUMBER),
    command("assign-roles", roles=st.lists(st.fixed_dictionaries({"party": party, "duties": st.just(["受付"])}))),
    command("set-fee-schedule", payer=st.just("USERS"), lines=st.just([{"unit": "PT1H", "yen": 700, "when": "平日"}])),
    command("establish-facility", facility=FACILITY, name=text),
    command(
        "transfer-facility",
        facility=FACILITY,
        right=st.sampled_from(["OWNERSHIP", "MANAGEMENT"]),
        from_party=party,
        to_party=party,
    ),
    command("decide-funding", payee=party, yen=st.none() | st.just(500)),
    command("decide-grant", grant=GRANT, payee=party, yen=st.just(900), fiscal_year=st.just(2004)),
    command("record-payment", payee=party, grant=GRANT, yen=st.just(300), fiscal_year=st.just(2004)),
    command("settle-grant", grant=GRANT, yen=st.just(800)),
    command("order-refund", grant=GRANT, yen=st.just(100), reason=text),
    command("open-call", call=st.just("FY2004"), theme=text, closes=st.none() | st.just("2004-06-30")),
    command("close-call", call=st.just("FY2004")),
    command("cancel-call", call=st.just("FY2004"), reason=text),
)


@dataclass(frozen=True)
class Step:
    """One command on one partnership; `back` counts from its last event to what is corrected or retracted."""

    number: str
    name: str
    data: dict[str, Any]
    valid: str
    mode: Mode
    back: int
    after: int | None


def steps(commands: st.SearchStrategy[tuple[str, dict[str, Any]]], *modes: Mode) -> st.SearchStrategy[Step]:
    return st.builds(
        lambda named, **rest: Step(name=named[0], data=named[1], **rest),
        commands,
        number=st.sampled_from(NUMBERS),
        valid=DATES,
        mode=st.sampled_from([*modes, Mode.LIVE, Mode.LIVE, Mode.RETROACTIVE, Mode.IMPORT]),
        back=st.integers(0, 5),
        after=st.none() | st.integers(1, 6),
    )


CHANGES = st.one_of(
    command("retract-event", reason=text),
    command("correct-event", reason=text, data=st.just({"valid": {"edtf": "2004", "label": "平成16年"}})),
    command("correct-event", reason=text, data=st.fixed_dictionaries({}, optional={"text": text, "topic": text})),
    command("correct-event", reason=text, data=st.just({"placed_after": 1})),
)
# An earlier record tells of anything at any time, so that most of it is entered.
EARLIER, LATER_ON = steps(COMMANDS), steps(LATER, *[Mode.IMPORT] * 6)
# A batch is one unit of work; between batches the worker may run, with a batch size of its own.
STORIES = st.lists(
    st.tuples(
        st.lists(st.one_of(EARLIER, LATER_ON, LATER_ON, steps(CHANGES)), min_size=1, max_size=8),
        st.sampled_from([None, 1, 3, 1000]),
    ),
    min_size=2,
    max_size=5,
)


def request(
    name: str, data: dict[str, Any], *, valid: str = "XXXX", mode: Mode = Mode.LIVE, after: int | None = None
) -> Request:
    return Request(
        command=name,
        data=data,
        valid={"edtf": valid},
        mode=mode,
        actor="T/admin" if set(BY_NAME[name].actors) <= {"T", "Z"} else "S/officer",
        recorded_by="S/officer",
        approved_by="Z/second",
        document_ref="7協推第12号",
        placed_after=after,
    )


def begin(book: Book) -> None:
    """Programme, open import window and two partnerships."""
    plan = book.plan()
    rules = {"note": "ひな形"}
    plan.add(
        book.stream("programme", "partnership"),
        request("define-programme", {"programme": "partnership", "title_ja": "制度", "rules": rules}),
    )
    plan.add(book.stream("city"), request("open-import-window", {"reason": "移行", "scope": "CASES"}))
    for number in NUMBERS:
        parties = [
            {"party": party, "name_ja": party, "kind": "INDIVIDUAL" if party == "person" else None} for party in PARTIES
        ]
        registration = {"number": number, "programme": "partnership", "title_ja": "保育支援", "parties": parties}
        plan.add(book.stream("partnership", number), request("register-partnership", registration))
    plan.commit()


def enter(plan: Plan, book: Book, step: Step) -> None:
    """Give the command; a refusal leaves the plan as it was."""
    of_programme = step.name.endswith("-call")
    stream = book.stream("programme", "partnership") if of_programme else book.stream("partnership", step.number)
    past = plan.history(stream)
    assert past is not None
    data = dict(step.data)
    if step.name in {"retract-event", "correct-event"}:
        data["target"] = max(1, past.version - step.back)
    after = step.after if step.mode is not Mode.LIVE else None
    try:
        entered = plan.add(stream, request(step.name, data, valid=step.valid, mode=step.mode, after=after))
    except DomainError as refused:
        event(f"refused: {refused.code}")
    else:
        event(f"entered: {entered.name}{' in its place' if after else ''}")


def shown(database: Database, city: Any, model: ReadModel) -> list[dict[str, Any]]:
    names = model.table_columns
    with database.tenant(Role.READER, city) as connection:
        rows = connection.execute(
            f"SELECT {', '.join(names)} FROM {SCHEMA}.{model.name} WHERE tenant_id = %s",
            (city,),  # type: ignore[arg-type]
        ).fetchall()
    return [dict(zip(names, row, strict=True)) for row in rows]


def structure(model: ReadModel, row: dict[str, Any]) -> tuple[Any, ...]:
    """Key and columns, texts as their digests only."""
    names = [column.name for column in model.key] + [column.names[0] for column in model.columns]
    return tuple(comparable(row[name]) for name in names)


def comparable(value: Any) -> Any:
    return json.dumps(value, sort_keys=True) if isinstance(value, dict) else value


def fresh(model: ReadModel, history: History) -> Iterator[tuple[Any, ...]]:
    """The model's rows computed from one folded stream."""
    if isinstance(history.state, model.state):
        for key, part in model.parts(history).items():
            values = zip(model.columns, model.row(key, part, history), strict=True)
            yield (*key, *(comparable(from_json(v)) if column.is_json and v else v for column, v in values))


@settings(
    max_examples=60,
    phases=[Phase.reuse, Phase.generate, Phase.shrink],
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(STORIES)
def test_as_of_any_position_equals_a_fresh_fold_up_to_it(
    database: Database, keys: CityKeys, tenant: Callable[..., Any], story: list[tuple[list[Step], int | None]]
) -> None:
    city = tenant()
    keys.create(city)
    book = Book(database, keys, city)
    begin(book)
    for batch, size in story:
        plan = book.plan()
        for step in batch:
            enter(plan, book, step)
        plan.commit()
        if size is not None:
            Worker(database, keys, batch=size).catch_up()
    Worker(database, keys).catch_up()
    assert not [lag for lag in lags(database) if lag.error or lag.behind]

    events = list(recorded(database, city))
    times = {entry.position: entry.recorded_at for entry in events}
    versions = {model.name: shown(database, city, model) for model in READ_MODELS}
    for position in range(1, len(events) + 1):
        streams = {entry.stream for entry in events[:position]}
        histories = [history_of(e for e in events[:position] if e.stream == stream) for stream in streams]
        for model in READ_MODELS:
            as_of = [row for row in versions[model.name] if row["known_from"] <= position < row["known_until"]]
            expected = {repr(row) for history in histories if history for row in fresh(model, history)}
            note(f"{model.name} as of {position}")
            assert {repr(structure(model, row)) for row in as_of} == expected
            assert len(as_of) == len(expected)
    for model in READ_MODELS:
        for row in versions[model.name]:
            assert row["recorded_from"] == times[row["known_from"]]
            if row["known_until"] != OPEN_POSITION:
                assert row["recorded_until"] == times[row["known_until"]]
    assert check(database, keys, city) == []
