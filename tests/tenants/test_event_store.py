"""The recorder: the library's own test suites, and what the library does not ask for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import pytest
import rfc8785
from eventsourcing.persistence import StoredEvent
from eventsourcing.tests.persistence import ApplicationRecorderTestCase, NonInterleavingNotificationIDsBaseCase
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tenants.database import Database, Role
from tenants.event_store import (
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
    pass


class TestLibrarySubscriptions(_OurRecorder, ApplicationRecorderTestCase[TenantRecorder]):
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
    with pytest.raises(VersionGap):
        recorder.append([event(uuid4(), 3)])
    assert recorder.head().size == 0


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


def test_followers_of_many_cities_miss_double_and_reorder_nothing(database: Database, tenant: Register) -> None:
    cities = [tenant() for _ in range(6)]
    appends, writers = 25, 3

    def write(city: UUID) -> None:
        recorder = TenantRecorder(database, city)
        for _ in range(appends):
            stream = uuid4()
            recorder.append([event(stream, 1), event(stream, 2)])

    def follow(city: UUID) -> list[tuple[int, UUID, int]]:
        recorder, seen = TenantRecorder(database, city, reads_as=Role.PROJECTOR), []
        while len(seen) < appends * writers * 2:
            after = seen[-1][0] if seen else 0
            seen += [(e.position, e.originator_id, e.originator_version) for e in recorder.read(after, 7)]
        return seen  # type: ignore[return-value]

    with ThreadPoolExecutor(len(cities) * (writers + 1)) as pool:
        followers = [pool.submit(follow, city) for city in cities]
        for done in [pool.submit(write, city) for city in cities for _ in range(writers)]:
            done.result(timeout=120)
        for city, follower in zip(cities, followers, strict=True):
            seen = follower.result(timeout=120)
            assert [position for position, _, _ in seen] == list(range(1, appends * writers * 2 + 1))
            assert len({(stream, version) for _, stream, version in seen}) == len(seen)
            recorder = TenantRecorder(database, city)
            assert [(e.position, e.originator_id, e.originator_version) for e in recorder.read(0, 10_000)] == seen
