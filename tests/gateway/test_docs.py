"""The committed pages are what the code says today; what they show as examples stands in the worked example."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from domain.commands import COMMANDS
from domain.rules import Rules
from domain.vocabulary import Status
from gateway.docs import examples, pages, write

DOCS = Path(__file__).parents[2] / "docs"
EXAMPLE = DOCS / "worked-example"
PAGES = pages(EXAMPLE)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_what_the_code_says(name: str) -> None:
    committed = (DOCS / name).read_text(encoding="utf-8")
    assert committed == PAGES[name], f"docs/{name} is older than the code: run `kyodo docs`"


def test_the_pages_are_written_into_a_folder_that_need_not_exist(tmp_path: Path) -> None:
    write(tmp_path / "new" / "docs", EXAMPLE)
    assert {path.name for path in (tmp_path / "new" / "docs").iterdir()} == set(PAGES)


def test_every_command_has_an_example() -> None:
    assert set(examples(EXAMPLE)) == {row.name for row in COMMANDS}


def test_every_link_within_the_pages_leads_somewhere() -> None:
    for page in [*DOCS.glob("*.md"), *EXAMPLE.glob("*.md")]:
        text = page.read_text(encoding="utf-8")
        for target in re.findall(r"\]\(([^)#\s]*)(?:#[^)]*)?\)", text):
            elsewhere = target.startswith("https://")
            assert not target or elsewhere or (page.parent / target).exists(), f"{page.name} links to {target}"
        for target, anchor in re.findall(r"\]\(([^)#\s]*)#([^)]*)\)", text):
            linked = (page.parent / target).read_text(encoding="utf-8") if target else text
            headings = {heading.lower().strip() for heading in re.findall(r"^#+ (.*)$", linked, re.MULTILINE)}
            assert anchor in headings or f'<a id="{anchor}"></a>' in linked, f"{page.name} links to {target}#{anchor}"


def test_every_key_of_the_rules_is_described() -> None:
    described = re.findall(r"^\| `(\w+)` \|.*\| ([^|]+) \|$", PAGES["programme-format.md"], re.MULTILINE)
    keys = dict(described)
    assert set(Rules.model_fields) <= set(keys)
    assert all(text.strip() not in {"", "None", "–"} for _, text in described)


def test_every_status_stands_in_the_life_cycle() -> None:
    for status in Status:
        assert f"| `{status}` | {status.ja} | {status.en} |" in PAGES["life-cycle.md"]


def test_texts_are_shown_with_who_may_read_them() -> None:
    events = PAGES["events.md"]
    assert "| `public_explanation` | text | – | digest, `PUBLIC` |" in events
    assert "| `asked_by` | text | – | digest, `CITY` |" in events
    assert "`PERSONAL` of `SOLE_PROPRIETOR`, `INDIVIDUAL`" in events
