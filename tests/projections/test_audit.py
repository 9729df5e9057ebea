"""Each of the auditors' questions, asked of a record in which there is something to find and of one in which not."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from domain.event import Mode
from gateway.audit_report import PageLabels
from projections.audit import intact
from projections.audit.evidence import BeyondTheLog, Options
from projections.audit.findings import Findings, Level
from projections.audit.questions import QUESTIONS, Audit, audit
from projections.clock import tokyo_today
from projections.worker import Worker
from tenants.book import Book, Request
from tenants.city_keys import CityKeys
from tenants.custody import Level as Reach
from tenants.custody import Reader, read_closed
from tenants.database import Database
from tenants.event_store import RecordedEvent, TenantRecorder
from tenants.ledger.keys import LogKeys
from tenants.ledger.merkle import Frontier, leaf_hash
from tenants.ledger.publish import Publisher
from tenants.ledger.store import ROOT_LOG

RULES = {
    "review": {"quorum": 2, "criteria": [{"code": "BENEFIT", "local": "公益性"}]},
    "funding": {"max_yen": 500_000},
}
PARTIES = [
    {"party": "npo", "kind": "NPO", "name_ja": "保育の会"},
    {"party": "person", "kind": "INDIVIDUAL", "name_ja": "山田花子"},
    {"party": "city", "kind": "MUNICIPALITY", "name_ja": "町"},
]
DECIDED = {"decided_by": "city", "authority": "MAYOR"}


@dataclass(frozen=True)
class Town:
    """A city with one programme and the partnership P1, and short ways to record and to ask."""

    book: Book
    superuser: str

    def record(self, command: str, valid: str = "2026-04-01", *, at: str = "P1", **given: Any) -> int:
        """One command on P1, on the city itself (`at` "") or a programme; returns its position."""
        meta = {name: given.pop(name) for name in tuple(given) if name in Request.model_fields and name != "data"}
        usual = {"actor": "S/officer", "recorded_by": "S/officer", "document_ref": "7協推第12号"}
        request = Request(command=command, data=given, valid={"edtf": valid}, **(usual | meta))
        stream = self.book.stream("partnership", at) if at else self.book.stream("city")
        return self.book.execute(stream, request).last

    def bring_in(self, *story: tuple[str, dict[str, Any]], compiled: bool) -> None:
        """Earlier facts, through an import window."""
        admin: dict[str, Any] = {"at": "", "actor": "T/admin", "recorded_by": "T/admin", "approved_by": "Z/second"}
        self.record("open-import-window", reason="台帳の移行", scope="CASES", compiled=compiled, **admin)
        for command, data in story:
            self.record(command, mode=Mode.IMPORT, document_ref=None, **data)
        self.record("close-import-window", entered=len(story), **admin)

    def proposal(self, *, reviewers: int = 2, **presentation: Any) -> None:
        """A first proposal, reviewed by so many of three, and presented."""
        self.record("submit-proposal", submission=1, kind="NEW", proposed_by="CITIZENS", party="npo")
        members = [{"reviewer": f"r{n}"} for n in (1, 2, 3)]
        self.record("open-review", submission=1, members=members)
        for n in range(1, reviewers + 1):
            score = 1 if n == 3 else 5
            self.record(
                "record-score", actor=f"R/r{n}", submission=1, reviewer=f"r{n}", criterion="BENEFIT", score=score
            )
        self.record("hold-presentation", submission=1, **presentation)

    def agreed(self, valid: str = "2020-04-01") -> None:
        """An agreement for a year."""
        self.record("conclude-agreement", valid, parties=["npo", "city"], term="P1Y")

    def audited(self, **options: Any) -> Audit:
        """Every answer, of read models that are up to date."""
        Worker(self.book.database, self.book.keys).catch_up()
        return audit(self.book.database, self.book.keys, self.book.tenant, Options(**options), PageLabels())

    def ask(self, question: str, **options: Any) -> Findings:
        """The answer to one question."""
        return next(found for asked, found in self.audited(**options).answers if asked.id == question)

    def tamper(self, *statements: str) -> None:
        """Change the database as its superuser, whom no rule of it binds."""
        with psycopg.connect(self.superuser) as connection:
            for statement in statements:
                connection.execute(statement.encode(), {"city": self.book.tenant})


@pytest.fixture
def town(server, database: Database, keys: CityKeys, tenant: Callable[..., UUID]) -> Town:
    city = tenant()
    keys.create(city)
    book = Book(database, keys, city)
    name = conninfo_to_dict(database.urls.owner)["dbname"]
    made = Town(book, make_conninfo(**{**conninfo_to_dict(server.superuser), "dbname": name}))
    define = Request(
        command="define-programme",
        data={"programme": "grants", "title_ja": "協働の制度", "rules": RULES},
        valid={"edtf": "2016"},
        actor="T/admin",
        recorded_by="T/admin",
    )
    book.execute(book.stream("programme", "grants"), define)
    made.record("register-partnership", "2016", number="P1", programme="grants", title_ja="保育支援", parties=PARTIES)
    return made


def said(findings: Findings) -> str:
    return "\n".join(row.what.en for row in findings.rows)


# --- The log and the read models ----------------------------------------------------------------------------


@pytest.fixture
def publisher(town: Town, tmp_path: Path) -> Publisher:
    folder = LogKeys(tmp_path / "logs")
    folder.create(town.book.tenant, "localhost/log/town")
    folder.create(ROOT_LOG, "localhost/log/root")
    return Publisher(town.book.database, folder)


def test_an_untouched_log_is_intact_and_says_what_no_signature_covers(town: Town, publisher: Publisher) -> None:
    unsigned = town.ask("log")
    assert unsigned.level is Level.NOTE
    assert "No signed checkpoint" in unsigned.sentence.en
    publisher.publish()
    assert town.ask("log").level is Level.OK
    town.record("open-consultation", topic="保育")
    signed = town.ask("log")
    assert signed.level is Level.OK
    assert "not signed yet: 1" in signed.sentence.en


@pytest.mark.parametrize(
    ("statement", "position"),
    [
        ("UPDATE event SET recorded_by = 'S/other' WHERE tenant_id = %(city)s AND position = 2", 2),
        (r"UPDATE event SET state = '\x7b7d' WHERE tenant_id = %(city)s AND position = 3", 3),
        (r"UPDATE event SET state = '\xff' WHERE tenant_id = %(city)s AND position = 3", 3),
        ("UPDATE event SET recorded_at = '1999-01-01' WHERE tenant_id = %(city)s AND position = 4", 4),
        ("UPDATE event SET root = sha256('') WHERE tenant_id = %(city)s AND position = 2", 2),
        ("UPDATE event SET leaf = sha256('') WHERE tenant_id = %(city)s AND position = 1", 1),
        ("DELETE FROM event WHERE tenant_id = %(city)s AND position = 3", 3),
        ("DELETE FROM event WHERE tenant_id = %(city)s AND position = 4", 4),
        ("UPDATE tenant_head SET root = sha256('') WHERE tenant_id = %(city)s", 4),
        ("UPDATE checkpoint SET note = replace(note, 'localhost', 'elsewhere') WHERE tenant_id = %(city)s", 4),
        ("UPDATE checkpoint SET root = sha256('') WHERE tenant_id = %(city)s", 1),
    ],
)
def test_what_a_superuser_changes_is_named_by_its_position(
    town: Town, publisher: Publisher, statement: str, position: int
) -> None:
    town.record("open-consultation", topic="保育")
    town.record("refine-objective", text="目的")
    publisher.publish()
    town.audited()
    town.tamper(statement)
    found = town.ask("log")
    assert found.level is Level.FINDING
    assert f"The first position that differs is no. {position}." in found.sentence.en
    assert found.rows[0].position == position


def test_a_history_rewritten_with_all_its_hashes_differs_from_what_was_published(
    town: Town, publisher: Publisher
) -> None:
    publisher.publish()
    town.record("open-consultation", topic="保育")
    publisher.publish()
    forged = "UPDATE event SET recorded_by = 'S/other' WHERE tenant_id = %(city)s AND position = 3"
    town.tamper(forged)
    with psycopg.connect(town.superuser) as connection:
        frontier = Frontier()
        for position, entry in connection.execute(
            "SELECT position, event_entry(e) FROM event e WHERE tenant_id = %s ORDER BY position", (town.book.tenant,)
        ).fetchall():
            frontier = frontier.append(leaf_hash(entry))
            connection.execute(
                "UPDATE event SET leaf = %s, root = %s WHERE tenant_id = %s AND position = %s",
                (leaf_hash(entry), frontier.root(), town.book.tenant, position),
            )
        connection.execute(
            "UPDATE tenant_head SET root = %s, frontier = %s WHERE tenant_id = %s",
            (frontier.root(), list(frontier.hashes), town.book.tenant),
        )
    found = town.ask("log")
    assert found.level is Level.FINDING
    assert "between no. 3 and no. 3 it differs from the published checkpoint" in said(found)


def test_read_models_that_differ_or_are_behind_are_told_apart(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    assert town.ask("read-models").level is Level.OK
    town.record("open-consultation", topic="保育")
    monkeypatch.setattr(intact, "_PATIENCE", 0.0)
    options = Options()
    behind = audit(town.book.database, town.book.keys, town.book.tenant, options, PageLabels()).answers[1][1]
    assert behind.level is Level.NOTE
    town.tamper("UPDATE read_model.partnership SET status = 'REJECTED'")
    altered = town.ask("read-models")
    assert altered.level is Level.FINDING
    assert "status is 'REJECTED'" in said(altered)


def test_an_entry_that_nobody_can_read_leaves_the_log_checked_and_says_what_is_not(town: Town) -> None:
    stream = town.book.stream("partnership", "poison")
    TenantRecorder(town.book.database, town.book.tenant).append([RecordedEvent(stream, 1, "SomethingNewer", b"{}")])
    answers = {asked.id: found for asked, found in town.audited().answers}
    assert answers["log"].level is Level.NOTE
    assert {found.level for asked, found in answers.items() if asked != "log"} == {Level.NOT_CHECKED}
    assert "no. 3" in answers["decisions"].sentence.en


def test_an_entry_that_is_not_canonical_json_is_found(town: Town) -> None:
    stream = town.book.stream("partnership", "raw")
    TenantRecorder(town.book.database, town.book.tenant).append([RecordedEvent(stream, 1, "Raw", b'{"b": 1, "a": 2}')])
    found = town.ask("log")
    assert found.level is Level.FINDING
    assert "not canonical JSON" in said(found)


# --- Decisions ----------------------------------------------------------------------------------------------


def test_a_decision_is_shown_with_who_decided_the_programme_and_the_review_before_it(town: Town) -> None:
    town.proposal()
    town.record("issue-recommendation", actor="R/panel", submission=1, result="RECOMMENDED", present=2)
    town.record("accept-proposal", actor="A/mayor", submission=1, **DECIDED)
    found = town.ask("decisions")
    assert found.level is Level.OK
    assert said(found) == (
        "Accepted (submission 1): decided by 町, on the authority of: Mayor; under grants, version 1;"
        " review: quorum 2, present 2, recused 0, recommended"
    )


def test_a_decision_without_quorum_is_found(town: Town) -> None:
    town.proposal(reviewers=1)
    town.record("accept-proposal", actor="A/mayor", submission=1, **DECIDED)
    found = town.ask("decisions")
    assert found.level is Level.FINDING
    assert "without quorum" in said(found)


@pytest.mark.parametrize(("compiled", "level"), [(False, Level.FINDING), (True, Level.NOTE)])
def test_an_unnamed_decider_is_a_finding_unless_a_publication_is_silent_about_it(
    town: Town, *, compiled: bool, level: Level
) -> None:
    town.bring_in(("accept-proposal", {"decided_by": "city"}), compiled=compiled)
    found = town.ask("decisions")
    assert found.level is level
    assert "on whose authority is not stated" in said(found)


@pytest.mark.parametrize(("total", "level"), [(7333, Level.FINDING), (10_000, Level.NOTE)])
def test_a_recused_reviewers_score_in_the_total_is_found(town: Town, total: int, level: Level) -> None:
    town.proposal(reviewers=3, recused=[{"reviewer": "r3"}])
    issued = {"submission": 1, "result": "RECOMMENDED", "present": 2, "weighted_total": total}
    town.record("issue-recommendation", actor="R/panel", **issued)
    town.record("accept-proposal", actor="A/mayor", submission=1, **DECIDED)
    found = town.ask("decisions")
    assert found.level is level
    assert "recused 1" in said(found)


def test_an_agreement_that_nobody_signed_is_found_in_the_citys_own_earlier_record(town: Town) -> None:
    town.agreed()
    assert town.ask("decisions").level is Level.OK
    town.bring_in(("conclude-agreement", {"parties": ["npo", "city"]}), compiled=False)
    assert "neither signatures nor a document" in said(town.ask("decisions"))


def test_a_score_changed_after_the_presentation_is_noted_and_after_the_decision_found(town: Town) -> None:
    town.proposal()
    assert town.ask("scores").level is Level.OK
    revised = {"submission": 1, "reviewer": "r1", "criterion": "BENEFIT", "score": 4, "reason": "質疑"}
    town.record("revise-score", actor="R/r1", **revised)
    noted = town.ask("scores")
    assert noted.level is Level.NOTE
    assert "reviewer 1, 公益性 5 → 4" in said(noted)
    town.record("accept-proposal", actor="A/mayor", submission=1, **DECIDED)
    correction = {"target": 4, "event": "ScoreRecorded", "data": {"score": 3}, "reason": "転記の誤り"}
    town.record("correct-event", approved_by="Z/second", **correction)
    found = town.ask("scores")
    assert found.level is Level.FINDING
    assert "after the recommendation or decision" in said(found)


def test_a_rejection_without_reasons_is_found(town: Town) -> None:
    story = ("submit-proposal", {"submission": 1, "kind": "NEW", "proposed_by": "CITIZENS"})
    town.bring_in(story, ("reject-proposal", {"submission": 1, **DECIDED}), compiled=False)
    found = town.ask("reasons")
    assert found.level is Level.FINDING
    assert "no reason code, no public explanation" in said(found)


def test_a_rejection_with_reasons_is_none_until_they_are_taken_from_the_public(town: Town) -> None:
    town.record("submit-proposal", submission=1, kind="NEW", proposed_by="CITIZENS")
    why = {"codes": ["CAPACITY"], "public_explanation": "担い手が足りない"}
    town.record("reject-proposal", actor="A/mayor", submission=1, **why, **DECIDED)
    assert town.ask("reasons").level is Level.OK
    history = town.book.history(town.book.stream("partnership", "P1"))
    assert history is not None
    digest = history.entries[-1].event.model_dump()["public_explanation"]
    town.record("withdraw-publication", disclosure=digest, reason="PERSONAL_INFORMATION")
    assert "no longer public" in said(town.ask("reasons"))
    assert town.ask("withdrawals").level is Level.NOTE
    assert "Rejected" in said(town.ask("withdrawals"))
    town.tamper("UPDATE disclosure SET visibility = 'PUBLIC'")
    assert "still public" in said(town.ask("withdrawals"))
    assert town.ask("withdrawals").level is Level.FINDING


# --- How it was entered -------------------------------------------------------------------------------------


def test_late_entries_are_counted_in_days_and_only_beyond_the_given_number(town: Town) -> None:
    today = tokyo_today()
    town.record("open-consultation", today.isoformat(), topic="保育")
    (row,) = town.ask("late").rows
    assert row.position == 2, "P1 was registered as if it had just happened"
    town.record("refine-objective", "2026-04-30", text="目的", mode=Mode.RETROACTIVE, placed_after=1)
    late = (today - date(2026, 4, 30)).days
    assert f"(30 April 2026): {late} days later, entered retroactively, recorded by S/officer" in said(town.ask("late"))
    assert town.ask("late", late_days=10_000).level is Level.OK


def test_a_correction_is_shown_with_what_changed_and_why_and_needs_an_approver(town: Town) -> None:
    assert town.ask("corrections").level is Level.OK
    position = town.record("open-consultation", topic="保育")
    correction = {"target": 2, "event": "ConsultationOpened", "data": {"topic": "子育て"}, "reason": "受付票と違う"}
    town.record("correct-event", approved_by="Z/second", **correction)
    found = town.ask("corrections")
    assert found.level is Level.NOTE
    assert f"no. {position}, Consultation opened; Topic 保育 → 子育て" in said(found)
    assert "approved by Z/second; reason: “受付票と違う”" in said(found)
    assert town.ask("self-approvals").level is Level.OK
    town.bring_in(("retract-event", {"target": 2, "reason": "別の件"}), compiled=False)
    assert town.ask("corrections").level is Level.FINDING
    assert "nobody approved it" in said(town.ask("self-approvals"))


@pytest.mark.parametrize("approver", ["A/mayor", "Z/officer"])
def test_who_approves_an_entry_of_their_own_is_found_in_another_role_too(town: Town, approver: str) -> None:
    hold = {"actor": "A/mayor", "hold": 1, "basis": "AUDIT_REQUEST"}
    town.record("set-legal-hold", approved_by=approver, **hold)
    found = town.ask("self-approvals")
    assert found.level is Level.FINDING
    assert "approved by the same person" in said(found)


def test_an_import_window_is_shown_with_its_anomalies_and_a_wrong_count_is_found(town: Town) -> None:
    assert town.ask("imports").level is Level.OK
    town.bring_in(("lapse-agreement", {}), compiled=True)
    right = town.ask("imports")
    assert right.level is Level.NOTE
    assert "entries stated 1, counted 1" in said(right)
    assert "Agreement lapsed" in said(right)
    admin: dict[str, Any] = {"at": "", "actor": "T/admin", "approved_by": "Z/second"}
    town.record("open-import-window", reason="続き", scope="CASES", **admin)
    assert "not closed yet" in said(town.ask("imports"))
    town.record("close-import-window", entered=12, **admin)
    assert "the two differ" in said(town.ask("imports"))
    assert town.ask("imports").level is Level.FINDING


# --- Money --------------------------------------------------------------------------------------------------


def test_a_payment_after_the_term_is_found_and_one_within_the_closing_period_is_not(town: Town) -> None:
    town.agreed()
    paid = {"actor": "D/section", "payee": "npo", "yen": 100_000}
    town.record("record-payment", "2021-05-31", fiscal_year=2020, **paid)
    assert town.ask("payments").level is Level.OK
    town.record("record-payment", "2021-06-01", fiscal_year=2021, **paid)
    town.record("record-payment", "2020-03-31", fiscal_year=2019, **paid)
    found = town.ask("payments")
    assert found.level is Level.FINDING
    assert "after the agreement ended on 31 March 2021" in said(found)
    assert "before the agreement began on 1 April 2020" in said(found)


def test_payments_above_what_was_decided_are_found(town: Town) -> None:
    town.agreed()
    town.record("decide-funding", "2020-04-01", actor="A/mayor", payee="npo", yen=150_000, fiscal_year=2020)
    for month in ("05", "06"):
        paid = {"actor": "D/section", "payee": "npo", "yen": 100_000, "fiscal_year": 2020}
        town.record("record-payment", f"2020-{month}-01", **paid)
    found = town.ask("payments")
    assert [row.level for row in found.rows] == [Level.FINDING]
    assert "FY2020 comes to 200,000 yen, above the 150,000 yen decided" in said(found)


def test_a_grant_above_the_programmes_cap_is_found(town: Town) -> None:
    grant = {"grant": "G1", "payee": "npo", "yen": 600_000, "fiscal_year": 2020}
    town.bring_in(("start-model-year", {"programme": "grants", "n": 1}), ("decide-grant", grant), compiled=False)
    assert "600,000 yen is above the programme’s cap, 500,000 yen" in said(town.ask("payments"))


def test_a_grant_is_open_until_it_is_settled_and_refunded(town: Town) -> None:
    town.agreed()
    money = {"actor": "D/section", "grant": "G1"}
    town.record("decide-grant", "2020-04-01", payee="npo", yen=300_000, fiscal_year=2020, **money)
    assert town.ask("grants").level is Level.OK
    town.record("record-payment", "2020-05-01", payee="npo", yen=300_000, fiscal_year=2020, **money)
    unsettled = town.ask("grants")
    assert unsettled.level is Level.FINDING
    assert "not settled although 31 May 2021 is over" in said(unsettled)
    town.record("settle-grant", "2021-04-20", yen=250_000, **money)
    assert "no refund was ordered" in said(town.ask("grants"))
    town.record("order-refund", "2021-04-20", yen=50_000, **money)
    assert town.ask("grants").level is Level.OK


# --- Beside the log -----------------------------------------------------------------------------------------


def test_attachments_are_compared_with_the_files_of_a_folder(town: Town, tmp_path: Path) -> None:
    assert town.ask("attachments").level is Level.OK
    content = b"%PDF-1.7"
    sha = hashlib.sha256(content).hexdigest()
    about = {"size": len(content), "media_type": "application/pdf", "document_class": "AGREEMENT"}
    town.record("register-attachment", sha256=sha, **about)
    assert town.ask("attachments").level is Level.NOT_CHECKED
    folder = tmp_path / "files"
    folder.mkdir()
    assert "is missing" in said(town.ask("attachments", attachments=folder))
    file = folder / f"{sha}.pdf"
    file.write_bytes(content)
    assert town.ask("attachments", attachments=folder).level is Level.OK
    file.write_bytes(content + b" ")
    changed = town.ask("attachments", attachments=folder)
    assert changed.level is Level.FINDING
    assert "its content differs" in said(changed)


def test_an_erasure_is_shown_and_found_where_texts_are_still_there(town: Town) -> None:
    town.tamper("CREATE TABLE kept_texts AS TABLE disclosure", "CREATE TABLE kept_keys AS TABLE subject_key")
    erase = {"actor": "T/admin", "recorded_by": "T/admin", "approved_by": "Z/second"}
    town.record("erase-subject", subject="person", legal_basis="APPI_ARTICLE_99", **erase)
    town.record("set-legal-hold", actor="A/mayor", approved_by="Z/second", hold=1, basis="AUDIT_REQUEST")
    found = town.ask("erasures")
    assert found.level is Level.NOTE
    assert "standing: P1" in found.sentence.en
    assert "recorded by T/admin, approved by Z/second" in said(found)
    restored = "INSERT INTO {0} SELECT * FROM kept_{1} ON CONFLICT DO NOTHING"
    town.tamper(restored.format("disclosure", "texts"), restored.format("subject_key", "keys"))
    assert "1 of its texts are still there" in said(town.ask("erasures"))
    assert town.ask("erasures").level is Level.FINDING


def test_reading_closed_values_is_summed_up_by_reader_and_purpose(town: Town) -> None:
    assert town.ask("accesses").level is Level.OK
    streams = [town.book.stream("partnership", "P1")]
    reader = Reader(Reach.PERSONAL, "S/officer", "窓口の確認")
    read_closed(town.book.database, town.book.keys, town.book.tenant, reader, streams)
    found = town.ask("accesses")
    assert found.level is Level.NOTE
    assert "S/officer (level PERSONAL), purpose “窓口の確認”, PERSONAL: 1 ×" in said(found)


def test_a_missed_deadline_is_found_and_a_retracted_one_noted(town: Town) -> None:
    missed = {"actor": "X/clock", "recorded_by": "X/clock", "document_ref": None}
    town.record("miss-deadline", "2026-05-01", what="DECISION", number=1, due="2026-04-30", **missed)
    assert "due 30 April 2026: still open" in said(town.ask("deadlines"))
    assert town.ask("deadlines").level is Level.FINDING
    town.record("retract-event", approved_by="Z/second", target=2, reason="受付日の誤り")
    found = town.ask("deadlines")
    assert found.level is Level.NOTE
    assert "retracted at no. 4, reason: “受付日の誤り”" in said(found)


def test_a_request_for_correction_that_nobody_answered_is_found(town: Town) -> None:
    town.record("request-correction", tokyo_today().isoformat(), actor="P/npo", request=1)
    assert town.ask("deadlines").level is Level.OK
    town.record("request-correction", "2026-01-10", actor="P/npo", request=2)
    assert "no. 2, due 9 February 2026: undecided" in said(town.ask("deadlines"))


# --- The audit as a whole -----------------------------------------------------------------------------------


def test_the_same_position_gives_the_same_answers_whatever_follows(town: Town) -> None:
    town.proposal()
    town.record("accept-proposal", actor="A/mayor", submission=1, **DECIDED)
    position = town.audited().evidence.log.size
    before = town.audited(as_of=position).answers
    town.agreed("2026-05-01")
    town.record("miss-deadline", "2026-05-01", actor="X/clock", what="DECISION", number=1, due="2026-04-30")
    assert town.audited(as_of=position).answers == before
    assert town.audited().answers != before


def test_a_position_beyond_the_log_is_refused(town: Town) -> None:
    with pytest.raises(BeyondTheLog, match="2 entries, not 3"):
        town.audited(as_of=3)


def test_the_shipped_cities_have_nothing_but_notes(five_cities: dict[str, Book]) -> None:
    for book in five_cities.values():
        Worker(book.database, book.keys).catch_up()
        made = audit(book.database, book.keys, book.tenant, Options(), PageLabels())
        assert len(made.answers) == len(QUESTIONS) == 16
        assert made.level is Level.NOTE
