"""Closed texts: read by those who may, with a trace, and by nobody around it; withdrawn, erased and disposed of."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import errors as refusals

from domain import errors
from domain.event import Mode
from tenants.book import Book, Request
from tenants.city_keys import CityKeys
from tenants.custody import (
    EXPORT,
    Level,
    Reader,
    ReaderUnnamed,
    RecordIsNoSubject,
    TakesNoPart,
    accesses,
    erase,
    exported,
    read_closed,
    told,
    withdraw,
)
from tenants.database import SERVICE_ROLES, Database, Role
from tenants.disclosures import digest_of, public_disclosures, public_texts, seal, value_of
from tests.writing import writing

TODAY = date(2026, 11, 23)

# What each text of the record says, by how closed it is.
PUBLIC = {"保育支援", "保育の会", "協定第1号"}
PARTY = {"議事録"}
CITY = {"窓口の所見"}
PERSONAL = {"山田花子"}
UNDECIDED = {"審査中の目的", "7協推第12号"}
UNSHARED = {"評価の文", "4"}


@dataclass(frozen=True)
class Town:
    """A city with one partnership that holds a text of every kind."""

    book: Book

    def give(self, command: str, on: str = "P1", *, actor: str = "S/officer", **data: Any) -> None:
        reference = data.pop("document_ref", None)
        request = Request(
            command=command,
            data=data,
            valid={"edtf": "XXXX"},
            actor=actor,
            recorded_by="S/officer",
            approved_by="Z/second",
            document_ref=reference,
        )
        self.book.execute(self.book.stream("partnership", on), request)

    def register(self, number: str, **data: Any) -> None:
        parties = [
            {"party": "npo", "kind": "NPO", "name_ja": "保育の会"},
            {"party": "person", "kind": "INDIVIDUAL", "name_ja": "山田花子"},
        ]
        self.give(
            "register-partnership",
            number,
            **{"number": number, "programme": "partnership", "title_ja": "保育支援", "parties": parties, **data},
        )

    def party(self, name: str = "npo") -> UUID:
        return self.book.keys.opaque(self.book.tenant, f"party:{name}")

    @property
    def stream(self) -> UUID:
        return self.book.stream("partnership", "P1")

    def read(self, reader: Reader, *streams: UUID) -> set[str]:
        book = self.book
        return set(read_closed(book.database, book.keys, book.tenant, reader, streams or [self.stream]).values())

    def public(self) -> set[str]:
        with self.book.database.tenant(Role.APP, self.book.tenant) as connection:
            return set(public_texts(connection, self.book.keys, self.book.tenant).values())

    def rows(self, query: str, *values: Any, role: Role = Role.OWNER) -> list[tuple[Any, ...]]:
        with self.book.database.tenant(role, self.book.tenant) as connection:
            return connection.execute(query, values).fetchall()


@pytest.fixture
def town(database: Database, keys: CityKeys, tenant: Callable[..., UUID]) -> Callable[[], Town]:
    """Makes a city whose partnership P1 holds a text of every kind."""

    def make() -> Town:
        city = tenant()
        keys.create(city)
        book = Book(database, keys, city)
        define = {"programme": "partnership", "title_ja": "協働の制度", "rules": {}}
        request = Request(command="define-programme", data=define, valid={"edtf": "XXXX"}, actor="T", recorded_by="T/x")
        book.execute(book.stream("programme", "partnership"), request)
        made = Town(book)
        made.register("P1")
        made.give("hold-meeting", notes="議事録")
        made.give("request-correction", request=1, ground="窓口の所見")
        made.give("conclude-agreement", parties=["npo", "person"], document_ref="協定第1号")
        made.give(
            "file-evaluation", evaluation=1, side="CITY", result="評価の文", scores=[{"item": "GOAL", "score": "4"}]
        )
        made.register("P2", title_ja="別の事業", parties=[{"party": "other", "kind": "NPO", "name_ja": "別の会"}])
        made.give("hold-meeting", "P2", notes="別の議事録")
        return made

    return make


@pytest.fixture
def city(town: Callable[[], Town]) -> Town:
    return town()


def officer(level: Level, party: UUID | None = None, purpose: str = "審査") -> Reader:
    return Reader(level, "S/officer-12", purpose, party)


# --- Who may read what --------------------------------------------------------------------------------------


def test_a_reader_of_a_level_sees_that_level_and_those_below(city: Town) -> None:
    assert city.read(officer(Level.PARTY, city.party())) == PUBLIC | PARTY
    assert city.read(officer(Level.CITY)) == PUBLIC | PARTY | CITY
    assert city.read(officer(Level.PERSONAL)) == PUBLIC | PARTY | CITY | PERSONAL


def test_what_waits_for_a_decision_opens_to_the_city_and_an_evaluation_to_nobody(city: Town) -> None:
    city.register("P3", embargoed=True)
    submission: dict[str, Any] = {
        "submission": 1,
        "kind": "NEW",
        "proposed_by": "CITIZENS",
        "objective": "審査中の目的",
    }
    city.give("submit-proposal", "P3", document_ref="7協推第12号", **submission)
    stream = city.book.stream("partnership", "P3")
    assert city.read(officer(Level.PARTY, city.party()), stream) == set()
    assert city.read(officer(Level.CITY), stream) == UNDECIDED | {"保育支援", "保育の会"}
    assert city.read(officer(Level.PERSONAL), stream) == UNDECIDED | {"保育支援", "保育の会"} | PERSONAL
    for level in (Level.CITY, Level.PERSONAL):
        assert not city.read(officer(level)) & UNSHARED
    city.give("file-evaluation", evaluation=1, side="PARTNER", result="相手方の評価")
    assert not city.read(officer(Level.PERSONAL)) & {*UNSHARED, "相手方の評価"}
    city.give("share-evaluations", evaluation=1)
    assert {*UNSHARED, "相手方の評価"} < city.public()


def test_a_party_reads_in_the_records_of_which_it_is_part(city: Town) -> None:
    other = officer(Level.PARTY, city.party("other"))
    assert city.read(other, city.book.stream("partnership", "P2")) == {"別の事業", "別の会", "別の議事録"}
    for stream in (city.stream, city.book.stream("programme", "partnership"), uuid4()):
        with pytest.raises(TakesNoPart):
            city.read(other, stream)
    city.give("invite-party", party="other", kind="NPO", name_ja="別の会")
    with pytest.raises(TakesNoPart):
        city.read(other, city.stream)
    city.give("accept-invitation", party="other", actor="P/other")
    assert city.read(other, city.stream) > PARTY


def test_the_database_itself_keeps_a_party_to_the_records_that_name_it(city: Town) -> None:
    stranger = ("P/x", "審査", "PARTY", uuid4(), None, 0, 1000, False)
    entered = city.rows("SELECT * FROM enter_access(%s, %s, %s, %s, %s, %s, %s, %s, %s)", city.book.tenant, *stranger)
    assert entered == [(None, None)]


@pytest.mark.parametrize(("who", "purpose"), [("", "審査"), ("S/x", ""), (" ", "審査"), ("S/x", "　\t")])
def test_nobody_reads_without_a_name_and_a_purpose(who: str, purpose: str) -> None:
    with pytest.raises(ReaderUnnamed):
        Reader(Level.CITY, who, purpose)


def test_a_party_belongs_to_the_level_of_parties_only() -> None:
    with pytest.raises(ReaderUnnamed):
        Reader(Level.PARTY, "P/x", "審査")
    with pytest.raises(ReaderUnnamed):
        Reader(Level.CITY, "S/x", "審査", uuid4())


# --- The access log -----------------------------------------------------------------------------------------


def test_every_closed_text_that_is_read_leaves_an_entry_and_no_public_one_does(city: Town) -> None:
    book = city.book
    city.public()
    told(book, city.stream)
    assert accesses(book.database, book.tenant) == []
    reader = officer(Level.PERSONAL)
    texts = read_closed(book.database, book.keys, book.tenant, reader, [city.stream])
    found = accesses(book.database, book.tenant)
    assert {texts[each.digest] for each in found} == PARTY | CITY | PERSONAL
    assert [each.number for each in found] == [1, 2, 3]
    assert {(e.reader, e.level, e.purpose, e.stream) for e in found} == {
        ("S/officer-12", "PERSONAL", "審査", city.stream)
    }
    assert {e.login for e in found} == {psycopg.conninfo.conninfo_to_dict(book.database.urls.app)["user"]}
    told(book, city.stream, officer(Level.PARTY, city.party()))
    (last,) = accesses(book.database, book.tenant)[3:]
    assert (last.number, last.level, last.party, last.visibility) == (4, "PARTY", city.party(), "PARTY")


def test_entries_of_readers_at_once_are_numbered_without_gaps(city: Town) -> None:
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: city.read(officer(Level.PERSONAL)), range(12)))
    assert [each.number for each in accesses(city.book.database, city.book.tenant)] == list(range(1, 37))


def test_a_reader_who_takes_the_entry_back_gets_nothing(city: Town) -> None:
    """Neither in the transaction of the entries, nor in a savepoint of it, is any value handed over."""
    book = city.book
    enter = "SELECT first_number, last_number FROM enter_access(%s, 'S/x', 'x', 'PERSONAL', NULL, NULL, 0, 1000, false)"
    with book.database.app() as connection:
        for before in ("SELECT 1", "SAVEPOINT here"):
            with connection.transaction(force_rollback=True):
                connection.execute(f"SET LOCAL kyodo.tenant = '{book.tenant}'")
                connection.execute(before)
                numbers = connection.execute(enter, (book.tenant,)).fetchone()
                assert numbers is not None
                assert numbers[1] > 2
                assert connection.execute("SELECT * FROM disclose(%s, 1, 1000)", (book.tenant,)).fetchall() == []
    assert accesses(book.database, book.tenant) == []


def test_old_entries_do_not_open_anything_again(city: Town) -> None:
    city.read(officer(Level.PERSONAL))
    again = "SELECT count(*) FROM disclose(%s, 1, 1000)"
    assert city.rows(again, city.book.tenant, role=Role.APP) == [(3,)]
    with city.book.database.tenant(Role.OWNER, city.book.tenant) as connection:
        connection.execute("UPDATE access_log SET at = at - interval '6 minutes'")
    assert city.rows(again, city.book.tenant, role=Role.APP) == [(0,)]


@pytest.mark.parametrize("role", SERVICE_ROLES)
def test_no_login_sees_a_closed_value_or_changes_the_access_log(city: Town, role: Role) -> None:
    city.read(officer(Level.PERSONAL))
    if role is not Role.AUDITOR:
        found = city.rows("SELECT visibility, embargo, count(*) FROM disclosure GROUP BY 1, 2", role=role)
        assert [row[:2] for row in found] == [("PUBLIC", None)]
    forbidden = [
        "UPDATE access_log SET reader = 'nobody'",
        "DELETE FROM access_log",
        "TRUNCATE access_log",
        "INSERT INTO access_log SELECT * FROM access_log",
        "UPDATE disclosure SET visibility = 'PUBLIC'",
        "DELETE FROM disclosure",
        "DELETE FROM subject_key",
        "ALTER TABLE disclosure DISABLE ROW LEVEL SECURITY",
        "DROP POLICY published ON disclosure",
    ]
    if role is not Role.AUDITOR:
        forbidden.append("SELECT * FROM access_log")
    if role is not Role.APP:
        forbidden.append("SELECT * FROM disclose(current_tenant(), 1, 100)")
        forbidden.append("SELECT * FROM enter_access(current_tenant(), 'x', 'x', 'CITY', NULL, NULL, 0, 9, false)")
    if role not in (Role.APP, Role.AUDITOR):
        forbidden.append("SELECT * FROM disclosure_places(current_tenant())")
    for statement in forbidden:
        with pytest.raises(refusals.InsufficientPrivilege), writing(city.book.database, role, city.book.tenant) as own:
            own.execute(statement)


def test_a_session_of_one_city_reads_nothing_closed_of_another(town: Callable[[], Town]) -> None:
    one, other = town(), town()
    other.read(officer(Level.PERSONAL))
    asked = "SELECT * FROM enter_access(%s, 'S/x', 'x', 'CITY', NULL, NULL, 0, 1000, false)"
    with pytest.raises(psycopg.Error) as refused:
        one.rows(asked, other.book.tenant, role=Role.APP)
    assert refused.value.sqlstate == "KY008"
    for query in ("SELECT * FROM disclose(%s, 1, 1000)", "SELECT * FROM disclosure_places(%s)"):
        assert one.rows(query, other.book.tenant, role=Role.APP) == []
    assert one.rows("SELECT * FROM access_log", role=Role.AUDITOR) == []


@pytest.mark.parametrize(
    ("arguments", "state"),
    [
        (("", "x", "CITY", None, False), "KY010"),
        (("S/x", " ", "CITY", None, False), "KY010"),
        (("S/x", "x", "PUBLIC", None, False), "KY011"),
        (("S/x", "x", "EVERYTHING", None, False), "KY011"),
        (("S/x", "x", "PARTY", None, False), "KY011"),
        (("S/x", "x", "CITY", None, True), "KY011"),
    ],
)
def test_the_database_refuses_a_reader_without_name_purpose_or_level(
    city: Town, arguments: tuple[Any, ...], state: str
) -> None:
    who, purpose, level, party, leaving = arguments
    with pytest.raises(psycopg.Error) as refused:
        city.rows(
            "SELECT * FROM enter_access(%s, %s, %s, %s, %s, NULL, 0, 1000, %s)",
            *(city.book.tenant, who, purpose, level, party, leaving),
            role=Role.APP,
        )
    assert refused.value.sqlstate == state


# --- Disclosures for others ---------------------------------------------------------------------------------


def test_the_public_disclosures_of_a_position_are_given_to_anyone(city: Town) -> None:
    book = city.book
    with book.database.tenant(Role.READER, book.tenant) as connection:
        found = {n: public_disclosures(connection, book.keys, book.tenant, n) for n in range(1, 9)}
    assert [value_of(each.encode()) for each in found[1]] == ["協働の制度"]
    assert {value_of(each.encode()) for each in found[2]} == {"保育支援", "保育の会"}
    assert found[3] == found[4] == [], "notes and grounds are closed"
    (state,) = city.rows("SELECT convert_from(state, 'UTF8') FROM event WHERE position = 2")
    assert all(digest_of(each.encode()) in state[0] for each in found[2])


def test_an_export_holds_what_its_reader_may_have(city: Town) -> None:
    book = city.book

    def values(reader: Reader | None) -> dict[str, str]:
        rows = list(exported(book.database, book.keys, book.tenant, reader))
        assert [(row.position, row.digest) for row in rows] == sorted((row.position, row.digest) for row in rows)
        assert all(digest_of(row.disclosure.encode()) == row.digest for row in rows)
        return {value_of(row.disclosure.encode()): row.visibility for row in rows}

    public = values(None)
    assert set(public) == {*PUBLIC, "協働の制度", "別の事業", "別の会"}
    assert accesses(book.database, book.tenant) == []
    assert set(values(officer(Level.CITY))) == public.keys() | PARTY | CITY | {"別の議事録"}
    assert set(values(officer(Level.PARTY, city.party()))) == public.keys() | PARTY
    assert not set(values(officer(Level.PERSONAL))) & UNSHARED
    before = len(accesses(book.database, book.tenant))
    everything = values(officer(Level.PERSONAL, purpose=EXPORT))
    assert set(everything) == public.keys() | PARTY | CITY | PERSONAL | UNSHARED | {"別の議事録"}
    assert len(accesses(book.database, book.tenant)) - before == len(everything) - len(public)
    assert len(everything) == len(city.rows("SELECT FROM disclosure"))


def test_an_export_goes_window_by_window(city: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    book = city.book
    whole = list(exported(book.database, book.keys, book.tenant, officer(Level.CITY)))
    monkeypatch.setattr("tenants.custody._WINDOW", 2)
    assert list(exported(book.database, book.keys, book.tenant, officer(Level.CITY))) == whole


# --- What a record says -------------------------------------------------------------------------------------


def test_the_texts_of_a_record_are_listed_with_their_place_and_condition(city: Town) -> None:
    book = city.book
    by_field = {f"{each.event}.{each.field}": each for each in told(book, city.stream)}
    assert by_field["PartnershipRegistered.title_ja"].text == "保育支援"
    assert by_field["PartnershipRegistered.parties.1.name_ja"].visibility == "PERSONAL"
    assert by_field["PartnershipRegistered.parties.1.name_ja"].text is None
    assert by_field["EvaluationFiled.result"].condition == "waits for EVALUATION/1"
    withdraw(book, by_field["PartnershipRegistered.title_ja"].digest, reason="PERSONAL_DATA", by="S/x", on=TODAY)
    erase(book, "npo", basis="APPI_99", decided_by="city", by="T/a", approved_by="Z/b", on=TODAY)
    by_field = {f"{each.event}.{each.field}": each for each in told(book, city.stream, officer(Level.CITY))}
    title, name = by_field["PartnershipRegistered.title_ja"], by_field["PartnershipRegistered.parties.0.name_ja"]
    assert (title.condition, title.visibility, title.text) == ("withdrawn", "CITY", "保育支援")
    assert (name.condition, name.visibility, name.text) == ("erased", None, None)
    with pytest.raises(errors.NotFound):
        told(book, uuid4())


# --- Withdrawal, erasure, disposal --------------------------------------------------------------------------


def digest_in(city: Town, text: str) -> str:
    everything = officer(Level.PERSONAL, purpose=EXPORT)
    rows = exported(city.book.database, city.book.keys, city.book.tenant, everything)
    return next(row.digest for row in rows if value_of(row.disclosure.encode()) == text)


def test_a_withdrawal_names_the_record_that_holds_the_text_and_is_recorded_once(city: Town) -> None:
    digest = digest_in(city, "保育支援")
    receipt = withdraw(city.book, digest, reason="PERSONAL_DATA", by="S/officer", on=TODAY, note="電話番号")
    assert receipt is not None
    event = city.book.at(receipt.first)
    assert (event.name, event.stream, event.meta.recorded_by) == ("PublicationWithdrawn", city.stream, "S/officer")
    assert "保育支援" not in city.public()
    assert withdraw(city.book, digest, reason="PERSONAL_DATA", by="S/officer", on=TODAY) is None
    with pytest.raises(errors.NotFound):
        withdraw(city.book, "A" * 43, reason="PERSONAL_DATA", by="S/officer", on=TODAY)


def erased(city: Town, subject: str = "npo", approved_by: str = "Z/second") -> Any:
    return erase(
        city.book,
        subject,
        basis="APPI_99",
        decided_by="city",
        by="T/admin",
        approved_by=approved_by,
        on=TODAY,
        note="請求",
    )


def test_an_erasure_is_told_in_every_record_and_destroys_texts_and_key_at_once(city: Town) -> None:
    city.register("P3")
    subject = str(city.party())
    before = city.book.recorder.max_notification_id() or 0
    done = erased(city)
    assert set(done.streams) == {city.stream, city.book.stream("partnership", "P3")}
    assert done.positions == (before + 1, before + 2)
    assert {city.book.at(position).name for position in done.positions} == {"SubjectErased"}
    assert len({city.book.at(position).recorded_at for position in done.positions}) == 1, "one append"
    assert city.rows("SELECT FROM disclosure WHERE subject = %s", subject) == []
    assert city.rows("SELECT FROM subject_key WHERE subject = %s", subject) == []
    again = erased(city, subject)
    assert (again.repeated, again.positions, again.streams) == (True, done.positions, ())
    assert city.book.recorder.max_notification_id() == before + 2
    with pytest.raises(errors.NotFound):
        erased(city, "nobody-knows")


def test_an_erasure_names_the_texts_of_others_that_say_the_erased_name(city: Town) -> None:
    city.register("P3", title_ja="保育の会とともに")
    mention = digest_in(city, "保育の会とともに")
    done = erased(city)
    assert done.mentions == (mention,)
    assert "保育の会とともに" in city.public(), "what is said of them is for the city to judge"


def test_an_erasure_is_refused_under_a_hold_on_any_of_the_records_and_nothing_happens(city: Town) -> None:
    city.register("P3")
    city.give("set-legal-hold", "P3", actor="A/mayor", hold=1, basis="LITIGATION")
    before = city.book.recorder.max_notification_id()
    with pytest.raises(errors.HoldForbids):
        erased(city)
    assert city.book.recorder.max_notification_id() == before
    assert "保育の会" in city.public()
    city.give("release-legal-hold", "P3", actor="A/mayor", hold=1)
    assert not erased(city).repeated


def test_an_erasure_needs_a_second_person(city: Town) -> None:
    with pytest.raises(errors.ApprovalRequired):
        erased(city, approved_by="T/admin")


def test_a_record_is_not_erased_like_a_person(city: Town) -> None:
    with pytest.raises(RecordIsNoSubject):
        erased(city, str(city.stream))


def test_a_person_who_comes_back_after_an_erasure_gets_a_new_key(city: Town) -> None:
    erased(city)
    city.register("P3")
    assert "保育の会" in city.public()


def test_a_text_sealed_while_its_subject_is_erased_is_sealed_again(city: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between sealing and appending the subject's key may go: the text must not be lost with it."""
    sealing, interrupted = seal, list[bool]()

    def interrupt(*arguments: Any) -> Any:
        sealed = sealing(*arguments)
        if not interrupted:
            interrupted.append(True)
            erased(city)
        return sealed

    monkeypatch.setattr("tenants.plan.seal", interrupt)
    city.register("P3")
    assert interrupted
    assert "保育の会" in city.public()


def test_a_disposal_destroys_the_record_and_a_transfer_leaves_it(city: Town) -> None:
    city.give("set-retention", retention_class="FIVE_YEARS", term="P5Y")
    city.give("decide-disposal", actor="A/mayor", outcome="TRANSFER", basis="TERM_OVER", to="公文書館")
    assert {"保育支援", "公文書館"} < city.public()
    city.give("decide-disposal", actor="A/mayor", outcome="DISPOSAL", basis="TERM_OVER")
    assert city.public() == {"協働の制度", "別の事業", "別の会"}
    assert city.rows("SELECT FROM disclosure WHERE stream_id = %s", city.stream) == []
    left = {subject for (subject,) in city.rows("SELECT subject FROM subject_key")}
    assert not left & {str(city.stream), str(city.party()), str(city.party("person"))}
    assert {each.condition for each in told(city.book, city.stream)} == {"disposed of"}


def test_a_disposal_leaves_the_texts_that_a_party_has_elsewhere(city: Town) -> None:
    city.register("P3", title_ja="続きの事業")
    city.give("set-retention", retention_class="FIVE_YEARS", term="P5Y")
    city.give("decide-disposal", actor="A/mayor", outcome="DISPOSAL", basis="TERM_OVER")
    assert city.public() == {"協働の制度", "別の事業", "別の会", "続きの事業", "保育の会"}


def test_a_disposal_is_refused_under_a_hold_in_an_import_too(city: Town) -> None:
    city.give("set-retention", retention_class="FIVE_YEARS", term="P5Y")
    city.give("set-legal-hold", actor="A/mayor", hold=1, basis="LITIGATION")
    window = Request(
        command="open-import-window",
        data={"reason": "移行", "scope": "OLD_REGISTER"},
        valid={"edtf": "XXXX"},
        actor="T/a",
        recorded_by="T/a",
        approved_by="Z/b",
    )
    city.book.execute(city.book.stream("city"), window)
    dispose = Request(
        command="decide-disposal",
        data={"outcome": "DISPOSAL", "basis": "TERM_OVER"},
        valid={"edtf": "XXXX"},
        mode=Mode.IMPORT,
        actor="A",
        recorded_by="S/x",
        approved_by="Z/b",
    )
    with pytest.raises(errors.HoldForbids):
        city.book.execute(city.stream, dispose)
    assert "保育支援" in city.public()
