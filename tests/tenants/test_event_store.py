"""The recorder: the library's own test suites, and what the library does not ask for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
import rfc8785
from eventsourcing.persistence import ProgrammingError, StoredEvent
from eventsourcing.tests.persistence import ApplicationRecorderTestCase, NonInterleavingNotificationIDsBaseCase
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tenants.database import Database, Role
from tenants.event_store import (
    ClockBehind,
    EntryTooLarge,
    IdempotencyConflict,
    NewDisclosure,
    NewKey,
    RecordedEvent,
    StateRefused,
    SubjectKeyConflict,
    TenantRecorder,
    UnknownTenant,
    VersionConflict,
    VersionGap,
)
from tenants.ledger.merkle import tree_root

Register = Callable[..., UUID]


class _OurRecorder:
    @pytest.fixture(autouse=True)
    def _take(self, database: Database, tenant: Register) -> None:
        self._recorder = TenantRecorder(database, tenant())

    def create_recorder(self) -> TenantRecorder:
        return self._recorder


class TestLibrarySuite(_OurRecorder, ApplicationRecorderTestCase[TenantRecorder]):
    def test_insert_subscribe(self) -> None:
        self.optional_test_insert_subscribe()


class TestNonInterleaving(_OurRecorder, NonInterleavingNotificationIDsBaseCase):
    pass


def event(stream: UUID, version: int, **fields: object) -> RecordedEvent:
    state = rfc8785.dumps({"version": version})
    return RecordedEvent(stream, version, "SomethingHappened", state, **fields)  # type: ignore[arg-type]


@pytest.fixture
def recorder(database: Database, tenant: Register) -> TenantRecorder:
    return TenantRecorder(database, tenant())


def test_two_writers_on_one_version_conflict_and_the_second_writes_nothing(recorder: TenantRecorder) -> None:
    stream, other = uuid4(), uuid4()
    recorder.append([event(stream, 1)])
    with pytest.raises(VersionConflict) as refused:
        recorder.append([event(other, 1), event(stream, 1)])
    assert (refused.value.stream, refused.value.version) == (stream, 1)
    assert recorder.head().size == 1
    assert recorder.select_events(other) == []


def test_a_version_gap_is_refused(recorder: TenantRecorder) -> None:
    stream = uuid4()
    for first in (2, 3, -1):
        with pytest.raises(VersionGap) as refused:
            recorder.append([event(stream, first)])
        assert (refused.value.stream, refused.value.version) == (stream, first)
    recorder.append([event(stream, 1)])
    with pytest.raises(VersionGap):
        recorder.append([event(stream, 2), event(stream, 4)])
    assert recorder.head().size == 1


def test_a_stream_may_begin_at_0_and_streams_may_be_mixed_in_one_append(recorder: TenantRecorder) -> None:
    one, other = uuid4(), uuid4()
    recorder.append([event(one, 0), event(other, 1), event(one, 1), event(other, 2)])
    assert [e.originator_version for e in recorder.select_events(one)] == [0, 1]
    assert [e.position for e in recorder.select_events(other, desc=True)] == [4, 2]
    with pytest.raises(VersionConflict):
        recorder.append([event(other, 0)])


def test_an_envelope_comes_back_as_it_was_given(recorder: TenantRecorder) -> None:
    given = event(
        uuid4(),
        1,
        schema_version=4,
        mode="RETROACTIVE",
        actor="A/mayor",
        recorded_by="S/17",
        approved_by="Z/2",
        signatories=("市長", 'a "quoted", {braced} one'),
        document_ref="協第114号",
        programme="yamato-partnership",
        programme_version=3,
    )
    appended = recorder.append([given])
    (found,) = recorder.select_events(given.originator_id)
    root = recorder.head().root  # of a tree with one leaf, which is its root
    assert found == replace(given, position=1, recorded_at=appended.recorded_at, root=root, leaf=root)


def test_a_mode_that_does_not_exist_and_a_programme_without_version_are_refused(recorder: TenantRecorder) -> None:
    for wrong in (event(uuid4(), 1, mode="BACKDATED"), event(uuid4(), 1, programme="p")):
        with pytest.raises(ProgrammingError):
            recorder.append([wrong])
    assert recorder.head().size == 0


def test_time_never_runs_backwards_and_a_clock_far_behind_the_log_stops_it(
    database: Database, recorder: TenantRecorder
) -> None:
    first = recorder.append([event(uuid4(), 1)])

    def move_the_log_ahead(seconds: int) -> datetime:
        ahead = first.recorded_at + timedelta(seconds=seconds)
        with database.tenant(Role.OWNER, recorder.tenant_id) as owner:
            owner.execute("UPDATE tenant_head SET last_recorded_at = %s", [ahead])
        return ahead

    ahead = move_the_log_ahead(50)
    assert recorder.append([event(uuid4(), 1)]).recorded_at == ahead
    move_the_log_ahead(3600)
    with pytest.raises(ClockBehind):
        recorder.append([event(uuid4(), 1)])
    assert recorder.head().size == 2


def test_auditors_see_states_as_json_and_those_that_are_not_as_none(
    database: Database, recorder: TenantRecorder
) -> None:
    states = [b'{"yen":5}', b"state1", b'"\\ud800"', b"[" * 20_000]
    recorder.append([RecordedEvent(uuid4(), 1, "SomethingHappened", state) for state in states])
    with database.tenant(Role.AUDITOR, recorder.tenant_id) as auditor:
        rows = auditor.execute("SELECT state FROM audited_event ORDER BY position").fetchall()
    assert rows == [({"yen": 5},), (None,), (None,), (None,)]


def test_an_append_with_a_known_key_answers_as_before_and_records_nothing(recorder: TenantRecorder) -> None:
    stream = uuid4()
    first = recorder.append([event(stream, 1), event(stream, 2)], idempotency_key="k")
    again = recorder.append([event(uuid4(), 1)], idempotency_key="k")
    assert not first.replayed
    assert again.replayed
    assert (again.first_position, again.last_position, again.recorded_at) == (1, 2, first.recorded_at)
    assert recorder.head().size == 2


def test_a_key_of_another_request_is_told_apart_from_a_version_conflict(recorder: TenantRecorder) -> None:
    recorder.append([event(uuid4(), 1)], idempotency_key="k", request_digest=b"one")
    with pytest.raises(IdempotencyConflict):
        recorder.append([event(uuid4(), 1)], idempotency_key="k", request_digest=b"two")


def test_a_second_key_for_a_subject_is_refused_with_everything_beside_it(recorder: TenantRecorder) -> None:
    recorder.append([event(uuid4(), 1)], keys=[NewKey("someone", b"first")])
    with pytest.raises(SubjectKeyConflict):
        recorder.append([event(uuid4(), 1)], keys=[NewKey("someone", b"second")])
    assert recorder.head().size == 1


def test_an_unknown_tenant_is_refused(database: Database) -> None:
    with pytest.raises(UnknownTenant):
        TenantRecorder(database, uuid4()).append([event(uuid4(), 1)])


@pytest.mark.parametrize("state", [b"\xff", b'{"a":"\\u0000"}', b"\x00"])
def test_state_that_postgresql_cannot_hold_is_refused(recorder: TenantRecorder, state: bytes) -> None:
    with pytest.raises(StateRefused):
        recorder.append([RecordedEvent(uuid4(), 1, "SomethingHappened", state)])


def test_an_entry_beyond_65535_bytes_is_refused(recorder: TenantRecorder) -> None:
    with pytest.raises(EntryTooLarge):
        recorder.append([RecordedEvent(uuid4(), 1, "SomethingHappened", b'"' + b"a" * 65_535 + b'"')])
    assert recorder.head().size == 0


def entries(database: Database, tenant_id: UUID) -> list[tuple[bytes, bytes, bytes]]:
    """Entry, leaf and root of every event, as SQL has them."""
    with database.tenant(Role.APP, tenant_id) as connection:
        return connection.execute(
            "SELECT event_entry(e), leaf, root FROM event e WHERE tenant_id = %s ORDER BY position", (tenant_id,)
        ).fetchall()


texts = st.text(st.characters(exclude_characters="\x00", exclude_categories=("Cs",)), max_size=40)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.lists(st.dictionaries(texts, texts | st.integers(-(2**53) + 1, 2**53 - 1), max_size=4), min_size=1))
def test_entries_are_canonical_json_and_leaves_and_roots_are_those_of_rfc_6962(
    database: Database, tenant: Register, data: list[dict[str, object]]
) -> None:
    tenant_id = tenant()
    recorder = TenantRecorder(database, tenant_id)
    stream = uuid4()
    batch = [
        RecordedEvent(
            stream,
            version,
            "SomethingHappened",
            rfc8785.dumps(each),
            actor='A/"\\\x07\x1f\x7f😀\u2028é',
            recorded_by="S/x",
            signatories=("a", "b\n"),
            document_ref="第1号",
            programme="p",
            programme_version=version,
        )
        for version, each in enumerate(data, start=1)
    ]
    recorder.append(batch[:1])
    if batch[1:]:
        recorder.append(batch[1:])
    leaves = []
    for number, (entry, leaf, root) in enumerate(entries(database, tenant_id), start=1):
        parsed = json.loads(entry)
        assert rfc8785.dumps(parsed) == entry
        assert parsed["position"] == parsed["version"] == number
        assert parsed["tenant"] == str(tenant_id)
        assert parsed["data"] == data[number - 1]
        assert leaf == hashlib.sha256(b"\x00" + entry).digest()
        leaves.append(leaf)
        assert root == tree_root(leaves)
    assert recorder.head().root == root
    assert [e.state for e in recorder.read(0, 1000)] == [e.state for e in batch]


def test_disclosures_come_with_their_event_or_not_at_all(database: Database, recorder: TenantRecorder) -> None:
    stream = uuid4()
    sealed = NewDisclosure("d" * 43, 0, "someone", "PUBLIC", b"sealed")
    recorder.append([event(stream, 1)], disclosures=[sealed], keys=[NewKey("someone", b"key")])
    other = NewDisclosure("e" * 43, 0, "someone", "PUBLIC", b"sealed")
    with pytest.raises(VersionConflict):
        recorder.append([event(stream, 1)], disclosures=[other])
    with database.tenant(Role.APP, recorder.tenant_id) as connection:
        rows = connection.execute("SELECT digest, stream_id, position FROM disclosure").fetchall()
    assert rows == [("d" * 43, stream, 1)]


def test_plain_stored_events_of_the_library_are_recorded_with_neutral_envelopes(recorder: TenantRecorder) -> None:
    recorder.insert_events([StoredEvent(uuid4(), 1, "topic", b"{}")])
    (found,) = recorder.read(0, 10)
    assert (found.mode, found.actor, found.position) == ("LIVE", "system", 1)
