"""A city's book: commands decided, recorded all or nothing, and answered the same when they come again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
import pytest

from domain import errors
from domain.event import Meta, Mode
from domain.history import Recorded
from tenants.book import Book, HistoryBroken, InvalidCommand, Plan, Receipt, Request, at_position, history_of
from tenants.city_keys import CityKeys, KeyMissing
from tenants.database import Connection, Database, DatabaseUnavailable, Role, connect
from tenants.disclosures import public_texts
from tenants.event_store import EntryTooLarge, IdempotencyConflict, VersionConflict

Register = Callable[..., UUID]


def request(command: str, *, valid: str = "XXXX", mode: Mode = Mode.LIVE, **data: Any) -> Request:
    return Request(
        command=command, data=data, valid={"edtf": valid}, mode=mode, actor="S/officer", recorded_by="S/officer"
    )


def approved(command: str, **data: Any) -> Request:
    return request(command, **data).model_copy(update={"approved_by": "Z/second"})


def accepted(valid: str) -> Request:
    return request("accept-proposal", valid=valid, submission=1, decided_by="town/city", authority="MAYOR")


def registration(number: str = "P1", **data: Any) -> Request:
    parties = [
        {"party": "town/npo", "kind": "NPO", "name_ja": "保育の会"},
        {"party": "town/city", "kind": "MUNICIPALITY", "name_ja": "町"},
    ]
    given = {"number": number, "programme": "partnership", "title_ja": "保育支援", "parties": parties}
    return request("register-partnership", **given | data)


@pytest.fixture
def book(database: Database, keys: CityKeys, tenant: Register) -> Book:
    """A city with one programme, which takes effect in 2016 and again, with a review, in 2020."""
    city = tenant()
    keys.create(city)
    book = Book(database, keys, city)
    plan = book.plan()
    programme = book.stream("programme", "partnership")
    define = request("define-programme", valid="2016", programme="partnership", title_ja="協働の制度", rules={})
    plan.add(programme, define.model_copy(update={"actor": "T"}))
    rules = {"requires": {"ACCEPTANCE": ["REVIEW"]}}
    revise = request("revise-programme", valid="2020", version=2, rules=rules)
    plan.add(programme, revise.model_copy(update={"actor": "T"}))
    plan.commit()
    return book


@pytest.fixture
def stream(book: Book) -> UUID:
    """A registered partnership."""
    stream = book.stream("partnership", "P1")
    book.execute(stream, registration())
    return stream


def size(book: Book) -> int:
    return book.recorder.max_notification_id() or 0


def texts(book: Book) -> dict[str, str]:
    with book.database.tenant(Role.APP, book.tenant) as connection:
        return public_texts(connection, book.keys, book.tenant)


def stored(book: Book) -> tuple[int, int, int, int]:
    """The numbers of events, disclosures, subject keys and idempotency keys of the city."""
    with book.database.tenant(Role.APP, book.tenant) as connection:
        counts = connection.execute(
            "SELECT (SELECT count(*) FROM event), (SELECT count(*) FROM disclosure),"
            " (SELECT count(*) FROM subject_key), (SELECT count(*) FROM idempotency)"
        ).fetchone()
    assert counts is not None
    return tuple(counts)  # type: ignore[return-value]


@contextmanager
def appends_held_up(book: Book) -> Iterator[Connection]:
    """While this lasts, every append of the city waits for the lock on its head."""
    with closing(connect(book.database.urls.owner)) as holder, holder.transaction(force_rollback=True):
        holder.execute(f"SET LOCAL kyodo.tenant = '{book.tenant}'")
        holder.execute("SELECT FROM tenant_head WHERE tenant_id = %s FOR UPDATE", (book.tenant,))
        yield holder


def wait_for_waiting(holder: Connection, count: int) -> list[int]:
    """The backends that wait for a lock, once there are so many."""
    deadline = time.monotonic() + 20
    while True:
        rows = holder.execute(
            "SELECT pid FROM pg_locks WHERE NOT granted AND pid <> pg_backend_pid()"
            " AND pid IN (SELECT pid FROM pg_stat_activity WHERE datname = current_database())"
        ).fetchall()
        pids = sorted({pid for (pid,) in rows})
        if len(pids) >= count:
            return pids
        assert time.monotonic() < deadline, f"only {len(pids)} appends came"
        time.sleep(0.01)


# --- One writer ---------------------------------------------------------------------------------------------


def test_a_command_is_recorded_and_read_back(book: Book, stream: UUID) -> None:
    receipt = book.execute(stream, request("open-consultation", topic="保育"))
    assert receipt == Receipt(first=4, last=4, repeated=False)
    history = book.history(stream)
    assert history is not None
    assert history.state.status == "CONSULTING"
    assert [(entry.version, entry.position) for entry in history.entries] == [(1, 3), (2, 4)]
    assert (history.entries[1].meta.programme, history.entries[1].meta.programme_version) == ("partnership", 2)


def test_an_event_is_judged_by_the_programme_version_of_its_date(book: Book, stream: UUID) -> None:
    def submit(number: int) -> Request:
        return request("submit-proposal", valid="2018", submission=number, kind="NEW", proposed_by="CITIZENS")

    plan = book.plan()
    assert plan.add(stream, submit(1)).meta.programme_version == 1
    plan.add(stream, accepted("2019"))
    other = book.stream("partnership", "P2")
    plan.add(other, registration("P2"))
    plan.add(other, submit(1))
    with pytest.raises(errors.StepRequired):
        plan.add(other, accepted("2021"))


def test_a_refusal_leaves_plan_and_log_as_they_were(book: Book, stream: UUID) -> None:
    before, plan = stored(book), book.plan()
    plan.add(stream, request("open-consultation", topic="保育"))
    history = plan.history(stream)
    with pytest.raises(errors.StatusForbids):
        plan.add(stream, request("suspend-partnership", cause="雨"))
    assert (len(plan), plan.history(stream)) == (1, history)
    assert stored(book) == before
    plan.commit()
    assert stored(book)[:2] == (before[0] + 1, before[1] + 1)


def test_an_empty_plan_records_nothing(book: Book) -> None:
    assert book.plan().commit().repeated


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (registration(kind="festival"), "kind"),
        (registration(colour="RED"), "colour"),
        (registration(title_ja=" "), "title_ja"),
        (registration(title_ja="a\0b"), "title_ja"),
        (registration(breaks=["StatusForbids"]), "breaks"),
        (request("open-consultation", valid="2003-13", topic="t"), "valid.edtf"),
        (registration().model_copy(update={"actor": "大和市長"}), "actor"),
        (registration().model_copy(update={"recorded_by": "山田"}), "recorded_by"),
        (registration().model_copy(update={"approved_by": "山田"}), "approved_by"),
        (registration(number="\ud800"), "UTF-8"),
        (registration(joint=10**30), "64-bit"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(book: Book, given: Request, says: str) -> None:
    with pytest.raises(InvalidCommand) as refused:
        book.execute(book.stream("partnership", "P1"), given)
    assert says in str(refused.value)


def test_an_unknown_command_programme_or_stream_is_not_found(book: Book) -> None:
    nowhere = book.stream("partnership", "P9")
    for given in (request("fly"), registration(programme="ghost"), request("hold-meeting")):
        with pytest.raises(errors.NotFound):
            book.execute(nowhere, given)
    assert book.history(nowhere) is None


def test_an_entry_too_large_for_the_log_is_refused_and_nothing_recorded(book: Book, stream: UUID) -> None:
    before = stored(book)
    with pytest.raises(EntryTooLarge):
        book.execute(stream, request("confirm-activity", activity="祭り", attendees=["住民"] * 1_500))
    assert stored(book) == before


def test_a_document_reference_stands_in_the_log_as_a_digest(book: Book) -> None:
    stream = book.stream("partnership", "P1")
    book.execute(stream, registration().model_copy(update={"document_ref": "大和市民第123号"}))
    history = book.history(stream)
    assert history is not None
    reference = history.recorded[0].meta.document_ref
    assert reference is not None
    assert texts(book)[reference] == "大和市民第123号"


def test_a_signatory_is_named_by_an_opaque_id(book: Book) -> None:
    stream = book.stream("partnership", "P1")
    book.execute(stream, registration().model_copy(update={"signatories": ("town/npo",)}))
    history = book.history(stream)
    assert history is not None
    assert history.recorded[0].meta.signatories == (str(book.keys.opaque(book.tenant, "party:town/npo")),)


def test_a_stream_can_be_read_as_it_stood(book: Book, stream: UUID) -> None:
    book.execute(stream, request("open-consultation", topic="保育"))
    history = book.history(stream)
    assert history is not None
    earlier = at_position(history, 3)
    assert earlier is not None
    assert earlier.state.status == "REGISTERED"
    assert at_position(history, 2) is None


@pytest.mark.parametrize("versions", [(2,), (1, 3), (1, 1)])
def test_a_stream_with_missing_or_doubled_versions_is_not_folded(book: Book, stream: UUID, versions: list[int]) -> None:
    history = book.history(stream)
    assert history is not None
    (entry,) = history.recorded
    broken = [
        Recorded(entry.name, entry.event, Meta(actor="S", recorded_by="S"), stream, n, n, datetime.now(UTC))
        for n in versions
    ]
    with pytest.raises(HistoryBroken):
        history_of(broken)


# --- Corrections --------------------------------------------------------------------------------------------


def test_a_correction_names_only_what_changes_and_keeps_the_other_texts(book: Book, stream: UUID) -> None:
    given = {"topic": "保育", "occupation": "母親"}
    book.execute(stream, request("open-consultation", **given))
    history = book.history(stream)
    assert history is not None
    before = history.entries[1].event
    for changes, shown in (
        ({"topic": "保育と教育"}, {"topic": "保育と教育", "occupation": "母親"}),
        ({"occupation": "父親"}, {"topic": "保育と教育", "occupation": "父親"}),
        ({"occupation": None}, {"topic": "保育と教育", "occupation": None}),
    ):
        book.execute(stream, approved("correct-event", target=2, data=changes, reason="誤記"))
        history = book.history(stream)
        assert history is not None
        event, opened = history.entries[1].event, texts(book)
        assert {"topic": opened[event.topic], "occupation": opened.get(event.occupation)} == shown  # type: ignore[attr-defined]
    assert history.recorded[1].event == before


def test_a_corrected_text_may_equal_a_code_of_the_event(book: Book, stream: UUID) -> None:
    book.execute(stream, approved("correct-event", target=1, data={"title_ja": "NPO"}, reason="誤記"))
    history = book.history(stream)
    assert history is not None
    assert texts(book)[history.state.title_ja] == "NPO"


def test_a_correction_is_judged_by_the_programme_version_of_its_target(book: Book, stream: UUID) -> None:
    book.execute(stream, request("submit-proposal", valid="2018", submission=1, kind="NEW", proposed_by="CITIZENS"))
    book.execute(stream, accepted("2019"))
    receipt = book.execute(
        stream, approved("correct-event", valid="2026", target=3, data={"note": "可"}, reason="追記")
    )
    assert not receipt.repeated
    change = {"valid": {"edtf": "2021"}}
    with pytest.raises(errors.StepRequired):
        book.execute(stream, approved("correct-event", valid="2026", target=3, data=change, reason="誤記"))


@pytest.mark.parametrize(
    ("data", "refusal"),
    [
        ({"target": 9}, errors.NotFound),
        ({}, errors.NotFound),
        ({"target": 1, "event": "MeetingHeld"}, errors.SubjectsDiffer),
        ({"target": 1, "data": {"breaks": []}}, InvalidCommand),
        ({"target": 1, "data": "title"}, InvalidCommand),
        ({"target": 1, "data": {"colour": "RED"}}, InvalidCommand),
        ({"target": 1, "data": {"placed_after": 7}}, errors.NotFound),
    ],
)
def test_a_correction_of_something_else_is_refused(
    book: Book, stream: UUID, data: dict[str, Any], refusal: type[errors.DomainError]
) -> None:
    with pytest.raises(refusal):
        book.execute(stream, approved("correct-event", reason="誤記", **data))


# --- Coming again -------------------------------------------------------------------------------------------


def test_a_command_that_comes_again_with_its_key_is_answered_the_same(book: Book) -> None:
    stream = book.stream("partnership", "P1")
    first = book.execute(stream, registration(), key="k-1")
    counts = stored(book)
    assert book.entered("k-1") == Receipt(first=first.first, last=first.last, repeated=True)
    assert book.execute(stream, registration(), key="k-1") == Receipt(first=first.first, last=first.last, repeated=True)
    assert stored(book) == counts
    assert book.entered("k-2") is None


def test_the_key_of_another_request_is_refused(book: Book) -> None:
    book.execute(book.stream("partnership", "P1"), registration(), key="k-1")
    counts, plan = stored(book), Plan(book)
    plan.add(book.stream("partnership", "P2"), registration("P2"))
    with pytest.raises(IdempotencyConflict, match="k-1"):
        plan.commit("k-1")
    assert stored(book) == counts


def test_of_two_requests_with_one_key_at_once_one_is_recorded(book: Book) -> None:
    plans = [book.plan(), book.plan()]
    for plan in plans:
        plan.add(book.stream("partnership", "P1"), registration())
    with ThreadPoolExecutor(2) as pool:
        with appends_held_up(book) as holder:
            running = [pool.submit(plan.commit, "k-1") for plan in plans]
            wait_for_waiting(holder, 2)
        receipts = [each.result() for each in running]
    assert sorted(receipt.repeated for receipt in receipts) == [False, True]
    assert {(receipt.first, receipt.last) for receipt in receipts} == {(3, 3)}
    assert size(book) == 3


# --- Several writers ----------------------------------------------------------------------------------------


def test_of_two_writers_the_second_conflicts_and_leaves_nothing_behind(book: Book, stream: UUID) -> None:
    late = book.plan()
    late.add(book.stream("partnership", "P2"), registration("P2"))
    late.add(stream, request("open-consultation", topic="緑"))
    book.execute(stream, request("open-consultation", topic="保育"))
    before = stored(book)
    with pytest.raises(VersionConflict) as refused:
        late.commit("k-1")
    assert refused.value.stream == stream
    assert stored(book) == before
    assert book.entered("k-1") is None
    again = book.plan()
    again.add(stream, request("open-consultation", topic="緑"))
    assert not again.commit("k-1").repeated


def test_many_writers_on_one_stream_lose_nothing(book: Book, stream: UUID) -> None:
    def write(topic: str) -> None:
        while True:
            try:
                book.execute(stream, request("open-consultation", topic=topic), key=topic)
            except VersionConflict:
                continue
            return

    topics = {f"相談{n}" for n in range(16)}
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, topics))
    history = book.history(stream)
    assert history is not None
    opened = texts(book)
    assert {opened[entry.event.topic] for entry in history.entries[1:]} == topics  # type: ignore[attr-defined]
    assert history.version == 17


def test_writers_who_make_a_key_for_the_same_subject_at_once_share_the_first_ones(book: Book) -> None:
    plans = [book.plan(), book.plan()]
    for number, plan in enumerate(plans):
        plan.add(book.stream("partnership", f"P{number}"), registration(f"P{number}"))
    with ThreadPoolExecutor(2) as pool:
        with appends_held_up(book) as holder:
            running = [pool.submit(plan.commit) for plan in plans]
            wait_for_waiting(holder, 2)
        assert [each.result().repeated for each in running] == [False, False]
    names = [text for text in texts(book).values() if text == "保育の会"]
    assert len(names) == 2, "both open with the one key that stands"


# --- The database goes away ---------------------------------------------------------------------------------


def test_an_append_that_loses_the_database_says_so_and_can_be_tried_again(book: Book, server: Any) -> None:
    before, plan = stored(book), book.plan()
    plan.add(book.stream("partnership", "P1"), registration())
    with ThreadPoolExecutor(1) as pool, appends_held_up(book) as holder:
        running = pool.submit(plan.commit, "k-1")
        (pid,) = wait_for_waiting(holder, 1)
        terminate(server.superuser, [pid])
        with pytest.raises(DatabaseUnavailable, match="terminating connection"):
            running.result()
    assert stored(book) == before
    assert not plan.commit("k-1").repeated
    assert plan.commit("k-1").repeated
    assert stored(book)[0] == before[0] + 1


def test_connections_that_ended_between_two_commands_are_not_noticed(book: Book, stream: UUID, server: Any) -> None:
    with book.database.owner() as connection:
        name = connection.info.dbname
    with closing(psycopg.connect(server.superuser, autocommit=True)) as superuser:
        superuser.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", (name,))
    assert book.execute(stream, request("open-consultation", topic="保育")).first == 4


def terminate(superuser_url: str, pids: list[int]) -> None:
    with closing(psycopg.connect(superuser_url, autocommit=True)) as superuser:
        superuser.execute("SELECT pg_terminate_backend(pid, 5000) FROM unnest(%s::int[]) pid", (pids,))


def test_two_cities_give_the_same_name_different_ids(book: Book, tenant: Register) -> None:
    other = tenant()
    book.keys.create(other)
    assert book.stream("partnership", "P1") != Book(book.database, book.keys, other).stream("partnership", "P1")
    assert book.keys.opaque(book.tenant, "party:a") != book.keys.opaque(other, "party:a")
    assert book.keys.opaque(other, "party:a").version == 8


def test_a_city_without_its_key_takes_no_command(book: Book, stream: UUID, tmp_path: Any) -> None:
    keyless = Book(book.database, CityKeys(tmp_path / "elsewhere"), book.tenant)
    with pytest.raises(KeyMissing, match=str(tmp_path)):
        keyless.execute(stream, request("open-consultation", topic="保育"))
