"""Custody on the command line: closed texts read with a trace, taken down, erased, and gone again after a restore."""

from __future__ import annotations

import httpx
import pytest

from tests.gateway.process.conftest import Installation

WHO = ("--who", "S/officer-12", "--purpose", "審査")


def rows(printed: str) -> list[list[str]]:
    return [line.split("\t") for line in printed.splitlines()]


def page(kyodo: Installation, path: str) -> str:
    """What a reader sees, in Japanese."""
    return httpx.get(f"{kyodo.address}{path}", headers={"accept": "text/html"}, params={"lang": "ja"}).text


@pytest.fixture(scope="module")
def taken(kyodo: Installation) -> Installation:
    """The demo of this file alone: its tests take things away, each something else."""
    return kyodo


def test_texts_are_listed_closed_ones_with_a_trace(taken: Installation) -> None:
    listed = rows(taken("texts", "yamato", "Y3").stdout)
    assert ["PUBLIC", "-", "子育てアドバイザー"] in [row[3:] for row in listed]
    assert "0 closed texts were read" in taken("accesses", "yamato").stderr
    refused = taken("texts", "yamato", "Y3", "--level", "CITY", check=False)
    assert (refused.returncode, "name both" in refused.stderr) == (1, True)
    assert taken("texts", "yamato", "Y3", "--who", "S/x", check=False).returncode == 2
    stranger = taken("texts", "yamato", "Y3", "--level", "PARTY", *WHO, "--party", "nobody", check=False)
    assert (stranger.returncode, "takes no part" in stranger.stderr) == (1, True)


def test_a_withdrawn_text_is_gone_from_the_pages_and_the_city_keeps_it(taken: Installation) -> None:
    digest, *_ = next(row for row in rows(taken("texts", "yamato", "Y1").stdout) if "title_ja" in row[2])
    title = next(row[5] for row in rows(taken("texts", "yamato", "Y1").stdout) if row[0] == digest)
    assert title in page(taken, "/cities/yamato")
    done = taken("withdraw", "yamato", digest, "--reason", "PERSONAL_DATA", "--by", "S/officer")
    assert "withdrawn at position" in done.stderr
    assert title not in page(taken, "/cities/yamato")
    assert "nothing recorded" in taken("withdraw", "yamato", digest, "--reason", "PERSONAL_DATA", "--by", "S/x").stderr
    (line,) = (row for row in rows(taken("texts", "yamato", "Y1", "--level", "CITY", *WHO).stdout) if row[0] == digest)
    assert line[3:] == ["CITY", "withdrawn", title]
    (entry,) = rows(taken("accesses", "yamato").stdout)
    assert (entry[0], entry[2], entry[3], entry[4], entry[7]) == ("1", "S/officer-12", "CITY", "審査", digest)
    assert taken("replay", "yamato", "--check").returncode == 0


def test_an_erasure_needs_a_second_person_and_is_said_once(taken: Installation) -> None:
    erase = ("erase", "yamato", "yamato/child-care-npo", "--basis", "APPI_99", "--decided-by", "yamato/city")
    erase += ("--by", "T/admin")
    alone = taken(*erase, "--approved-by", "T/admin", check=False)
    assert (alone.returncode, "second person" in alone.stderr) == (1, True)
    done = taken(*erase, "--approved-by", "Z/second").stderr
    assert "is erased from" in done
    assert "docs/custody.md" in done
    assert "was erased before" in taken(*erase, "--approved-by", "Z/second").stderr
    assert "erased" in {row[4] for stream in ("Y1", "Y3") for row in rows(taken("texts", "yamato", stream).stdout)}
    assert taken("replay", "yamato", "--check").returncode == 0


def test_a_key_is_rotated_while_the_service_runs(taken: Installation) -> None:
    assert "version 2 wraps all" in taken("city-key", "rotate", "okayama").stderr
    listed = rows(taken("city-key", "list").stdout)
    assert next(row[1:3] for row in listed if row[0] == "okayama") == ["1", "0"]
    refused = taken("city-key", "retire", "okayama", "1", check=False)
    assert (refused.returncode, "ids" in refused.stderr) == (1, True)
    assert taken("replay", "okayama", "--check").returncode == 0


def test_a_restore_can_be_run_at_any_time(taken: Installation) -> None:
    done = taken("restore").stderr
    assert "nothing had come back" in done
    assert (taken.folder / "custody.journal").exists()
    assert taken("replay", "yamato", "--check").returncode == 0
