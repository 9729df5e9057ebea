"""The schema file: the same as the code's, well formed by the rules of others, and without surprises for its readers.

`baseline.graphql` is the schema that readers were last promised. What breaks their queries has to be announced: with
its coordinate in backquotes, such as `City.slug`, under [Unreleased] in CHANGELOG.md. A release starts from a new
promise: `cp gateway/graphql/schema.graphql tests/foreign/graphql/baseline.graphql`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from gateway.graphql.sdl import FILE, sdl

BASELINE = Path(__file__).parent / "baseline.graphql"
CHANGELOG = Path(__file__).parents[3] / "CHANGELOG.md"
EXCUSED = {
    ("@graphql-eslint/no-typename-prefix", 'Field "source" starts with the name of the parent type "Source"'),
    ("@graphql-eslint/require-description", 'Description is required for directive "oneOf"'),
}
"""Found and left: the source's short name is as in the log's entries and the case files; the directive is GraphQL's."""

Run = Callable[..., CompletedProcess[str]]
Found = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def found(run: Run) -> Found:
    """Runs a script that has to end well, and reads what it found."""

    def running(script: str, *files: Path) -> list[dict[str, Any]]:
        done = run(script, *files)
        assert done.returncode == 0, done.stderr
        answer: list[dict[str, Any]] = json.loads(done.stdout)
        return answer

    return running


def breaking(changes: list[dict[str, Any]]) -> dict[str, str]:
    return {each["path"]: each["message"] for each in changes if each["level"] == "BREAKING"}


def unannounced(changes: list[dict[str, Any]], changelog: str) -> list[str]:
    news = changelog.partition("## [Unreleased]")[2].partition("\n## ")[0]
    return [message for path, message in breaking(changes).items() if f"`{path}`" not in news]


def test_the_schema_file_is_the_schema_of_the_code() -> None:
    assert FILE.read_text(encoding="utf-8") == sdl(), "write it anew with: python -m gateway.graphql.sdl"


def test_the_schema_keeps_the_rules_for_schemas_and_for_relay(found: Found) -> None:
    assert {(each["rule"], each["message"]) for each in found("lint.mjs", FILE)} == EXCUSED


def test_no_change_that_breaks_a_reader_s_query_is_unannounced(found: Found) -> None:
    assert unannounced(found("diff.mjs", BASELINE, FILE), CHANGELOG.read_text(encoding="utf-8")) == []


def test_a_missing_field_breaks_queries_until_it_is_announced(found: Found, tmp_path: Path) -> None:
    promised = tmp_path / "promised.graphql"
    promised.write_text(sdl() + "\nextend type Query { weather(day: String): String }\n", encoding="utf-8")
    changes = found("diff.mjs", promised, FILE)
    assert list(breaking(changes)) == ["Query.weather"]
    older = "\n## [0.1.0]\n\n- `Query.weather` is gone.\n"
    assert unannounced(changes, "## [Unreleased]\n" + older) == ["Field 'weather' was removed from object type 'Query'"]
    assert unannounced(changes, "## [Unreleased]\n\n- `Query.weather` is gone.\n" + older) == []
    assert not breaking(found("diff.mjs", FILE, promised))
