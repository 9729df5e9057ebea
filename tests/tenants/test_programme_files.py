"""Programme files are checked by line, and two versions of a programme are compared."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

import tenants
from domain.rules import Rules, requires_in_one_place
from tenants.book import Book
from tenants.city_keys import CityKeys
from tenants.database import Database, Role
from tenants.disclosures import public_texts
from tenants.programmes import InvalidFile, changes, check_programme, load_programme
from tenants.registry import register
from tenants.toml_lines import line_of

CITIES = Path(tenants.__file__).parent
HEAD = 'programme = "p"\ntitle_ja = "制度"\n\n[[versions]]\nversion = 1\nvalid = "2000"\n\n[versions.rules]\n'


def checked(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "p.toml"
    path.write_text(text, encoding="utf-8")
    return [str(problem) for problem in check_programme(path)]


@pytest.mark.parametrize(
    "path", sorted(CITIES.glob("*/programmes/*.toml")), ids=lambda path: f"{path.parts[-3]}-{path.stem}"
)
def test_every_shipped_programme_could_be_entered_as_it_stands(path: Path) -> None:
    assert check_programme(path) == []


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        ("colour = 'red'", "line 9, versions[0].rules.colour: there is no key 'colour' here"),
        ("[versions.rules.review]\nqourum = 3", "line 10, versions[0].rules.review.qourum: .*did you mean 'quorum'"),
        ("kinds = [\n  { code = 'OK' },\n  { code = 'not ok' },\n]", "line 11, versions[0].rules.kinds[1].code"),
        ("[versions.rules.requires]\nTRIAL = ['ACCEPTANCE']", "line 8, versions[0].rules: requires names TRIAL"),
        ("[versions.rules.requires]\nPARTY = ['ACCEPTANCE']", "line 10, .*PARTY"),
        (
            "[[versions.rules.review.criteria]]\ncode = 'A'\nlowest = 5\nhighest = 3",
            "line 9, .*criteria[0]: lowest must be",
        ),
        ("[[versions.rules.review.criteria]]\ncode = 'A'\nveto_at = 9", "veto_at must lie within the scale"),
        (
            "deadlines = [{ what = 'DECISION', within = 'P6M', after = 'AGREEMENT_ENDED' }]",
            "DECISION runs from CALL_CLOSED or SUBMITTED",
        ),
        ("deadlines = [{ what = 'DECISION', within = 'half a year', after = 'SUBMITTED' }]", "line 9, .*within"),
        (
            "[versions.rules.trial]\nmax_length = 'P1Y'\n\n[[versions]]\nversion = 3\nvalid = '2001'",
            "line 13, versions[1].version: versions are numbered in order; this is version 2",
        ),
        ("[[versions]]\nversion = 2\nvalid = 'last year'", "line 11, versions[1].valid: .*EDTF"),
        ("term = { grace = 'P3M' ", "line 9: this is not TOML"),
    ],
)
def test_what_is_wrong_is_explained_by_line(tmp_path: Path, rules: str, says: str) -> None:
    parts = says.split(".*")
    found = checked(tmp_path, HEAD + rules)
    assert any(all(part in problem for part in parts) for problem in found), found


def test_every_problem_is_told_at_once_in_the_order_of_the_lines(tmp_path: Path) -> None:
    found = checked(
        tmp_path, HEAD.replace('"p"', '"Not a slug"') + "purpose = ''\ncolour = 1\n[versions.rules.term]\ngrace = 3"
    )
    assert [int(problem.split(",")[0].removeprefix("line ")) for problem in found] == sorted([1, 9, 10, 12])


def test_a_bad_programme_stops_a_registration_with_file_and_line(
    tmp_path: Path, database: Database, keys: CityKeys
) -> None:
    (tmp_path / "city.toml").write_text(
        'slug = "town"\nmunicipal_code = "990019"\nname_ja = "町"\nname_en = "Town"\n', encoding="utf-8"
    )
    (tmp_path / "programmes").mkdir()
    (tmp_path / "programmes" / "p.toml").write_text(HEAD + "colour = 1", encoding="utf-8")
    with pytest.raises(InvalidFile, match=r"p\.toml, line 9, versions\[0\]\.rules\.colour"):
        register(database, keys, tmp_path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidFile, match=r"nothing\.toml does not exist"):
        check_programme(tmp_path / "nothing.toml")


@pytest.mark.parametrize(
    "path", sorted(CITIES.glob("*/programmes/*.toml")), ids=lambda path: f"{path.parts[-3]}-{path.stem}"
)
def test_the_line_of_every_value_is_found(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()

    def walk(data: Any, place: tuple[str | int, ...]) -> None:
        if isinstance(data, dict):
            for key, value in data.items():
                walk(value, (*place, key))
                at = lines[line_of(text, (*place, key)) - 1]
                assert key in at or isinstance(value, dict), (place, key, at)
        elif isinstance(data, list):
            for index, value in enumerate(data):
                walk(value, (*place, index))

    walk(tomllib.loads(text), ())


def test_versions_are_compared_in_clear(database: Database, keys: CityKeys) -> None:
    city, _ = register(database, keys, CITIES / "higashikurume")
    book = Book(database, keys, city.tenant_id)
    stream = book.stream("programme", "guideline")
    history = book.history(stream)
    assert history is not None
    first, second = history.state.versions
    with database.tenant(Role.APP, city.tenant_id) as connection:
        texts = public_texts(connection, keys, city.tenant_id, [stream])
    told = list(changes(first.rules, second.rules, texts))
    assert '- purpose = "市民と行政が力を合わせるまちづくりの推進"' in told
    assert '+ principles[6].local = "時限性"' in told
    assert '+ forms[2].codes = ["CO_HOSTING", "ENDORSEMENT"]' in told
    assert list(changes(second.rules, second.rules, texts)) == []


def test_rules_of_the_first_schema_read_as_requirements() -> None:
    old = {
        "proposal": {"review_required": True, "city_may_invite": False},
        "agreement": {"acceptance_required": True},
        "trial": {"before_acceptance": False, "max_length": "P1Y"},
    }
    rules = Rules.model_validate(requires_in_one_place(old), strict=False)
    assert {step.value: [each.value for each in needed] for step, needed in rules.requires.items()} == {
        "ACCEPTANCE": ["REVIEW"],
        "REJECTION": ["REVIEW"],
        "AGREEMENT": ["ACCEPTANCE"],
        "TRIAL": ["ACCEPTANCE"],
    }
    assert rules.proposal.city_may_invite is False
    assert requires_in_one_place({"purpose": None}) == {"purpose": None}


def test_a_sixth_city_needs_files_only(tmp_path: Path, database: Database, keys: CityKeys) -> None:
    example = Path(tenants.__file__).parents[1] / "docs" / "worked-example"
    city, receipt = register(database, keys, example)
    assert city.slug == "kaku-cho"
    assert receipt.last > 0
    assert load_programme(next(iter(sorted((example / "programmes").glob("*.toml"))))).versions
