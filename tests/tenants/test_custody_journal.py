"""The custody journal: each event once, durable, shared, and never half a line."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tenants.custody_journal import Journal, JournalDamaged, JournalUnwritable, Taken


def taken(position: int = 1, **what: Any) -> Taken:
    at = datetime(2026, 4, 1, 9, tzinfo=UTC) + timedelta(microseconds=position)
    return Taken(UUID(int=1), position, at, UUID(int=2), **what)


def test_the_journal_holds_each_event_once_and_no_text(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "folder" / "custody.journal")
    assert journal.entries() == []
    first, second = taken(1, erases=("s",)), taken(2, withdraws=("d",), disposes=True)
    assert journal.note([first]) == 1
    assert journal.note([first, second]) == 1
    assert Journal(journal.path).entries() == [first, second]
    assert journal.path.stat().st_mode & 0o777 == 0o600
    assert {key for line in journal.path.read_text().splitlines() for key in json.loads(line)} == {
        *("tenant", "position", "recorded_at", "stream", "erases", "withdraws", "disposes")
    }


def test_another_event_at_the_same_position_is_another(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "custody.journal")
    one = taken(1, erases=("s",))
    other = Taken(one.tenant, 1, one.recorded_at + timedelta(days=1), one.stream, ("t",))
    assert (journal.note([one]), journal.note([other])) == (1, 1)
    assert len(journal.entries()) == 2


def test_a_line_that_was_not_finished_is_written_again(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "custody.journal")
    journal.note([taken(1, erases=("s",)), taken(2, erases=("t",))])
    whole = journal.path.read_bytes()
    for cut in (1, 20, len(whole.splitlines()[1])):
        journal.path.write_bytes(whole[:-cut])
        assert len(journal.entries()) == 1
        assert journal.note([taken(2, erases=("t",))]) == 1
        assert journal.path.read_bytes() == whole


def test_a_damaged_journal_is_refused_with_its_line(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "custody.journal")
    journal.note([taken(1, erases=("s",))])
    for damage in (b"{}\n", b"garbage\n", b"[1]\n"):
        journal.path.write_bytes(journal.path.read_bytes().splitlines(keepends=True)[0] + damage)
        with pytest.raises(JournalDamaged, match="line 2"):
            journal.entries()


def test_a_journal_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(JournalUnwritable, match=str(tmp_path)):
        Journal(tmp_path / "file" / "custody.journal").note([taken()])


def test_writers_at_once_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    events = [taken(n, erases=("s",)) for n in range(1, 41)]
    with ThreadPoolExecutor(4) as pool:
        written = list(pool.map(lambda each: Journal(tmp_path / "j").note([each, events[0]]), events))
    assert sum(written) == 40
    assert len(Journal(tmp_path / "j").path.read_text().splitlines()) == 40
