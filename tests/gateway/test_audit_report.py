"""The audit as a reader gets it: text, JSON of a stable shape, one page that needs nothing else, and exit codes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.audit_report import LEVELS, PageLabels, as_html, as_json, as_text
from projections.audit.evidence import Options
from projections.audit.findings import Level
from projections.audit.questions import QUESTIONS, Audit, audit
from projections.worker import Worker
from tenants.book import Book, Request
from tenants.cases import import_cases
from tenants.city_keys import CityKeys
from tenants.database import SERVICE_ROLES, Database
from tenants.registry import Tenant, register

EXAMPLE = Path(__file__).parents[2] / "docs" / "worked-example"
MADE = datetime(2026, 11, 23, 1, 2, 3, tzinfo=UTC)
LANGUAGES = ("ja", "en")


@dataclass(frozen=True)
class Example:
    """The invented town of the documents, entered and projected, with its audit."""

    database: Database
    keys: CityKeys
    city: Tenant
    made: Audit

    def kyodo(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The command line on this database."""
        urls = {f"KYODO_{role.upper()}_DATABASE_URL": self.database.urls.of(role) for role in SERVICE_ROLES}
        env = os.environ | urls | {"KYODO_DATABASE_URL": self.database.urls.owner}
        env["KYODO_DATA_DIR"] = str(self.keys.folder.parent)
        code = "import gateway.cli.audit, gateway.cli; gateway.cli.main()"
        return subprocess.run(
            [sys.executable, "-c", code, *arguments], env=env, capture_output=True, text=True, check=False, timeout=120
        )


@pytest.fixture(scope="module")
def example(server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Example]:
    name = f"{server.prefix}_audit_report"
    server.execute("CREATE DATABASE {} TEMPLATE {} OWNER {}", name, server.template, server.owner)
    database = Database(server.urls(name))
    try:
        keys = CityKeys(tmp_path_factory.mktemp("data") / "keys")
        city, _ = register(database, keys, EXAMPLE)
        book = Book(database, keys, city.tenant_id)
        import_cases(book, city.slug, EXAMPLE / "cases.json")
        # A public text that would be markup if nobody escaped it.
        hostile = Request(
            command="retract-event",
            data={"target": 6, "reason": "<script>alert(1)</script>"},
            valid={"edtf": "2026-11-20"},
            actor="S/officer",
            recorded_by="S/officer",
            approved_by="Z/second",
        )
        book.execute(book.stream("partnership", "K6"), hostile)
        Worker(database, keys).catch_up()
        made = audit(database, keys, city.tenant_id, Options(), PageLabels())
        yield Example(database, keys, city, made)
    finally:
        database.close()
        server.execute("DROP DATABASE {} WITH (FORCE)", name)


@pytest.fixture(params=LANGUAGES)
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_the_json_keeps_its_shape(example: Example) -> None:
    report: dict[str, Any] = json.loads(json.dumps(as_json(example.made, example.city, MADE)))
    assert set(report) == {"format", "city", "made_at", "as_of", "late_days", "log", "checkpoint", "level", "answers"}
    assert report["format"] == 1
    assert report["city"]["slug"] == "kaku-cho"
    assert report["made_at"] == "2026-11-23T01:02:03+00:00"
    assert report["log"]["size"] == example.made.evidence.log.size
    assert re.fullmatch("[0-9a-f]{64}", report["log"]["root"])
    assert report["checkpoint"] is None
    assert report["level"] == "FINDING"
    assert [answer["id"] for answer in report["answers"]] == [question.id for question in QUESTIONS]
    for answer in report["answers"]:
        assert set(answer) == {"id", "question", "level", "sentence", "rows"}
        assert answer["level"] in {level.value for level in Level}
        for both in (answer["question"], answer["sentence"], *(row["what"] for row in answer["rows"])):
            assert set(both) == {"ja", "en"}
        for row in answer["rows"]:
            assert set(row) == {"level", "stream", "position", "what"}


def test_only_the_stated_time_of_making_differs_between_two_reports(example: Example) -> None:
    again = audit(example.database, example.keys, example.city.tenant_id, Options(), PageLabels())
    assert as_json(again, example.city, MADE) == as_json(example.made, example.city, MADE)
    assert as_html(again, example.city, MADE, "ja") == as_html(example.made, example.city, MADE, "ja")


def test_every_question_and_answer_stands_in_the_text(example: Example, language: Any) -> None:
    text = as_text(example.made, example.city, MADE, language)
    at = LANGUAGES.index(language)
    for question, findings in example.made.answers:
        assert f"{question.asked[at]}  [{LEVELS[findings.level][at]}]" in text
        assert findings.sentence[at] in text
        for row in findings.rows:
            assert row.what[at] in text
    assert example.made.evidence.log.root.hex() in text
    assert "2026-11-23 01:02:03 UTC" in text
    assert not re.search(r"[{}]|None", text), "a blank was left unfilled"


def test_the_english_report_has_no_japanese_of_its_own_and_the_japanese_one_no_english_sentences(
    example: Example,
) -> None:
    for question, findings in example.made.answers:
        assert not re.search("[ぁ-ん]", question.asked.en)
        assert not re.search("[ぁ-ん]", findings.sentence.en)
        assert not re.search("[a-z]{4,} [a-z]{3,}", findings.sentence.ja)


def test_the_page_needs_nothing_else_and_escapes_what_it_shows(example: Example, language: Any) -> None:
    page = as_html(example.made, example.city, MADE, language)
    assert f'<html lang="{language}">' in page
    assert not re.search(r"<script|<link|<img|<iframe|src=|url\(|@import", page)
    assert set(re.findall(r'href="([^"]*)"', page)) == {f"#{question.id}" for question in QUESTIONS}
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    for question in QUESTIONS:
        assert page.count(f'id="{question.id}"') == 1


def test_a_compiled_record_is_never_shown_as_the_citys_own(example: Example) -> None:
    assert "市が自ら作成した記録ではありません" in as_text(example.made, example.city, MADE, "ja")
    assert "It is not the city’s own record." in as_html(example.made, example.city, MADE, "en")


def test_the_command_ends_with_1_where_something_was_found_and_with_0_where_not(example: Example) -> None:
    whole = example.kyodo("audit", "kaku-cho", "--format", "json")
    assert whole.returncode == 1, whole.stderr
    report = json.loads(whole.stdout)
    assert report["answers"] == as_json(example.made, example.city, MADE)["answers"]
    earlier = example.kyodo("audit", "kaku-cho", "--as-of", "7", "--lang", "en")
    assert earlier.returncode == 0, earlier.stderr
    assert "Covers: the log up to no. 7" in earlier.stdout


def test_the_command_writes_a_file_and_refuses_what_is_beyond_the_log(example: Example, tmp_path: Path) -> None:
    file = tmp_path / "audit.html"
    written = example.kyodo("audit", "kaku-cho", "--format", "html", "--output", str(file), "--attachments", "docs")
    assert written.stdout == ""
    assert file.read_text(encoding="utf-8").startswith("<!doctype html>")
    nowhere = example.kyodo("audit", "kaku-cho", "--output", str(tmp_path / "none" / "audit.txt"))
    assert "cannot be written" in nowhere.stderr
    beyond = example.kyodo("audit", "kaku-cho", "--as-of", "999999")
    assert beyond.returncode == 1
    assert "ask as of" in beyond.stderr
    assert "Traceback" not in beyond.stderr
