"""Import of a city's cases: the shipped ones tell their stories, a broken file is named by case and line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tenants as package
from domain.dates import span
from domain.errors import NotFound
from domain.history import History
from domain.vocabulary import Origin, Status
from tenants.book import Book, Request
from tenants.cases import BadCase, Imported, import_cases, line_of
from tenants.city_keys import CityKeys
from tenants.database import Database
from tenants.programmes import InvalidFile
from tenants.registry import register, tenant, tenants

CITIES = Path(package.__file__).parent
SLUGS = ("yamato", "higashikurume", "yokohama", "okayama", "kawasaki")


def enter(database: Database, keys: CityKeys, slug: str) -> tuple[Book, Imported]:
    city, _ = register(database, keys, CITIES / slug)
    book = Book(database, keys, city.tenant_id)
    return book, import_cases(book, slug, CITIES / slug / "cases.json")


def case(book: Book, number: str) -> History:
    history = book.history(book.stream("partnership", number))
    assert history is not None
    return history


def names(history: History) -> list[str]:
    return [entry.name for entry in history.entries]


def dates(history: History, name: str) -> list[tuple[str, str]]:
    return [(e.event.valid.edtf, e.event.valid.certainty.value) for e in history.entries if e.name == name]


# --- The shipped cities -------------------------------------------------------------------------------------


def test_the_five_cities_are_imported_with_one_anomaly(database: Database, keys: CityKeys) -> None:
    imported = {slug: enter(database, keys, slug)[1] for slug in SLUGS}
    assert sum(each.cases for each in imported.values()) == 21
    assert sum(each.facts for each in imported.values()) == 177
    anomalies = [(slug, *anomaly) for slug, each in imported.items() for anomaly in each.anomalies]
    assert anomalies == [("yamato", "case Y3", "ProposalAccepted", "SubmissionNotPending")]
    assert [city.slug for city in tenants(database)] == ["higashikurume", "yokohama", "kawasaki", "yamato", "okayama"]


@pytest.fixture
def yamato(database: Database, keys: CityKeys) -> Book:
    return enter(database, keys, "yamato")[0]


def test_child_care_advisers_were_rejected_twice_and_agreed_in_2005(yamato: Book) -> None:
    history = case(yamato, "Y3")
    state = history.state
    assert [(known.number, known.kind, known.outcome, known.codes) for known in state.submissions] == [
        (1, "NEW", Status.REJECTED, ("OBJECTIVES_UNCLEAR",)),
        (2, "RESUBMISSION", Status.REJECTED, ("OBJECTIVES_UNCLEAR",)),
    ]
    assert dates(history, "ProposalRejected") == [("2003?", "INFERRED"), ("2004?", "INFERRED")]
    assert dates(history, "AgreementConcluded") == [("2005", "STATED")]
    assert state.status is Status.AGREED
    assert [anomaly.rule for anomaly in state.anomalies] == ["SubmissionNotPending"]
    assert state.anomalies[0].event == "ProposalAccepted"
    took = span("2003", "2005")
    assert took is not None
    assert (took.shortest, took.longest, took.midpoint) == (367, 1095, 731)


def test_child_care_support_was_invited_renewed_twice_and_mainstreamed(yamato: Book) -> None:
    history = case(yamato, "Y1")
    state = history.state
    assert state.status is Status.MAINSTREAMED
    assert state.origin is Origin.CITY_INVITED
    assert state.submissions == ()
    assert [known.renewals for known in state.agreements] == [2]
    assert dates(history, "AgreementRenewed") == [("2005?", "INFERRED"), ("2008?", "INFERRED")]
    assert dates(history, "PartnershipMainstreamed") == [("2011", "STATED")]
    assert names(history)[-1] == "FundingDecided"
    assert state.anomalies == ()


def test_community_cats_went_from_a_survey_over_two_model_years_into_the_mainstream(
    database: Database, keys: CityKeys
) -> None:
    history = case(enter(database, keys, "okayama")[0], "O5")
    state = history.state
    assert state.status is Status.MAINSTREAMED
    assert state.surveys == (True,)
    assert state.model_years == (("model-project", 1, True), ("model-project", 2, True))
    assert dates(history, "ModelYearStarted")[0][0] == "[2018-04..2019-03]"
    assert dates(history, "PartnershipMainstreamed")[0][0] == "[2020-04..2021-03]"


def test_the_same_file_again_adds_nothing(database: Database, keys: CityKeys) -> None:
    book, first = enter(database, keys, "yamato")
    size = book.recorder.max_notification_id()
    again, second = enter(database, keys, "yamato")
    assert again.tenant == book.tenant
    assert second.receipt.repeated
    assert (second.receipt.first, second.receipt.last) == (first.receipt.first, first.receipt.last)
    assert (second.cases, second.facts) == (first.cases, first.facts)
    assert book.recorder.max_notification_id() == size == first.receipt.last


def test_the_window_is_open_during_the_import_only(yamato: Book) -> None:
    city = yamato.history(yamato.stream("city"))
    assert city is not None
    assert (city.state.window, city.state.windows, city.state.compiled) == (None, 1, True)
    assert names(city)[-2:] == ["ImportWindowOpened", "ImportWindowClosed"]


# --- Broken files -------------------------------------------------------------------------------------------


def facts(number: str, *more: dict[str, Any]) -> dict[str, Any]:
    parties = [{"party": "town/npo", "name_ja": "保育の会"}, {"party": "town/city", "name_ja": "町"}]
    data = {"number": number, "programme": "partnership", "title_ja": "保育支援", "parties": parties}
    return {"case": number, "facts": [{"command": "register-partnership", "valid": "XXXX", "data": data}, *more]}


def fact(command: str = "open-consultation", valid: str = "2004", **fields: Any) -> dict[str, Any]:
    return {"command": command, "valid": valid, "data": {"topic": "保育"}} | fields


def file(*cases: dict[str, Any], **top: Any) -> dict[str, Any]:
    return {"format": 1, "city": "town", "cases": list(cases)} | top


@pytest.fixture
def town(database: Database, keys: CityKeys, tmp_path: Path) -> Book:
    """A registered city with one programme."""
    folder = tmp_path / "town"
    (folder / "programmes").mkdir(parents=True)
    (folder / "city.toml").write_text('slug = "town"\nmunicipal_code = "142131"\nname_ja = "町"\nname_en = "Town"\n')
    (folder / "programmes" / "p.toml").write_text(
        'programme = "partnership"\ntitle_ja = "制度"\n[[versions]]\nversion = 1\nvalid = "2000"\n'
    )
    city, _ = register(database, keys, folder)
    return Book(database, keys, city.tenant_id)


def written(tmp_path: Path, content: dict[str, Any], indent: int | str = 1) -> tuple[Path, list[str]]:
    path = tmp_path / "cases.json"
    text = json.dumps(content, ensure_ascii=False, indent=indent)
    path.write_text(text, encoding="utf-8")
    return path, text.split("\n")


BROKEN = [
    # what is wrong, the fact of case B that is, what stands on its line (else the fact's first), what the message says
    ("an unknown field", fact(data={"topic": "保育", "colour": "RED"}), '"colour": "RED"', "colour: Extra inputs"),
    ("an unknown field of a fact", fact(colour="RED"), '"colour": "RED"', "colour: Extra inputs"),
    ("a field that is missing", fact(data={}), '"data": {}', "topic: Field required"),
    ("an unknown command", fact("fly"), None, "'fly'"),
    ("a date that is none", fact(valid="2004-13"), '"valid": "2004-13"', "2004-13 is not a date"),
    ("a certainty that is none", fact(certainty="SURE"), '"valid": "2004"', "certainty"),
    ("an actor that is none", fact(actor="mayor"), '"actor": "mayor"', "actor"),
    ("a role that may not", fact("suspend-partnership", actor="P/npo", data={}), None, "PARTY may not"),
    ("an unknown party", fact("hold-meeting", data={"attendees": ["town/stranger"]}), None, "party"),
    ("an unknown programme", fact("start-model-year", data={"programme": "ghost", "n": 1}), None, "ghost"),
    ("a second registration", facts("B")["facts"][0], None, "already exists"),
    ("a place that is not there", fact(placed_after=9), None, "event 9"),
]  # fmt: skip


@pytest.mark.parametrize(("wrong", "line", "says"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN])
@pytest.mark.parametrize("indent", [1, "\t"], ids=["blanks", "tabs"])
def test_a_broken_fact_is_named_by_case_and_line_and_nothing_is_entered(
    town: Book, tmp_path: Path, *, wrong: dict[str, Any], line: str | None, says: str, indent: int | str
) -> None:
    before = town.recorder.max_notification_id()
    path, lines = written(tmp_path, file(facts("A"), facts("B", wrong), facts("C")), indent)
    with pytest.raises((BadCase, InvalidFile)) as refused:
        import_cases(town, "town", path)
    # Without a place of its own, the fact is named: it begins on the line before its command.
    sought = line or f'"command": "{wrong["command"]}"'
    end = next(n for n, text in enumerate(lines) if '"case": "C"' in text)
    expected = max(n for n, text in enumerate(lines[:end], start=1) if sought in text) - (line is None)
    message = str(refused.value)
    assert f"{path}, line {expected}, case B" in message
    assert says in message
    assert town.recorder.max_notification_id() == before


def test_a_fact_about_an_unknown_programme_is_refused(town: Book, tmp_path: Path) -> None:
    coverage = {
        "command": "declare-coverage",
        "valid": "XXXX",
        "data": {"coverage": "UNKNOWN", "of": "CASES", "shown": 0},
    }
    path, _ = written(tmp_path, file(programmes=[{"programme": "ghost", "facts": [coverage]}]))
    with pytest.raises(BadCase, match="programme ghost"):
        import_cases(town, "town", path)


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ('{\n "format": 1,\n "city": "town",\n "cases": [,]\n}', 4, "Expecting value"),
        ('{\n "format": 2,\n "city": "town"\n}', 2, "format"),
        ('{\n "format": 1\n}', 1, "city"),
        ('{\n "format": 1,\n "city": "town",\n "colour": "RED"\n}', 4, "colour"),
        ('{\n "format": 1,\n "city": "town",\n "cases": [\n  "A"\n ]\n}', 5, "cases.0"),
        ('{\n "format": 1,\n "city": "town",\n "cases": [\n  {"case": "A",\n   "facts": []}\n ]\n}', 6, "case A"),
        ("[]", 1, "object"),
        ("", 1, "Expecting value"),
    ],
)
def test_a_file_that_is_no_case_file_is_named_by_line(
    town: Book, tmp_path: Path, text: str, line: int, says: str
) -> None:
    path = tmp_path / "cases.json"
    path.write_text(text)
    with pytest.raises(InvalidFile) as refused:
        import_cases(town, "town", path)
    assert f"{path}, line {line}" in str(refused.value)
    assert says in str(refused.value)


def test_a_file_that_cannot_be_read_is_named(town: Book, tmp_path: Path) -> None:
    with pytest.raises(InvalidFile, match="does not exist"):
        import_cases(town, "town", tmp_path / "nothing.json")
    (tmp_path / "sjis.json").write_bytes("保育".encode("cp932"))
    with pytest.raises(InvalidFile, match=r"sjis\.json"):
        import_cases(town, "town", tmp_path / "sjis.json")


def test_a_file_of_another_city_is_refused(town: Book, tmp_path: Path) -> None:
    path, _ = written(tmp_path, file(city="village"))
    with pytest.raises(InvalidFile, match="village"):
        import_cases(town, "town", path)


def test_an_unknown_city_is_not_found_and_the_known_ones_are_listed(database: Database, town: Book) -> None:
    assert town.tenant == tenant(database, "town").tenant_id
    with pytest.raises(NotFound, match="known: town"):
        tenant(database, "village")


def test_a_changed_file_is_refused_at_the_first_case_that_was_entered_before(town: Book, tmp_path: Path) -> None:
    path, _ = written(tmp_path, file(facts("A")))
    import_cases(town, "town", path)
    changed, _ = written(tmp_path, file(facts("B"), facts("A", fact())))
    with pytest.raises(BadCase, match=r"case A, register-partnership .* already exists"):
        import_cases(town, "town", changed)


def test_an_import_while_a_window_is_open_is_refused(town: Book, tmp_path: Path) -> None:
    opened = Request(
        command="open-import-window",
        data={"reason": "紙の台帳", "scope": "CASES"},
        valid={"edtf": "2026"},
        actor="T",
        recorded_by="T/admin",
        approved_by="Z/second",
    )
    town.execute(town.stream("city"), opened)
    path, _ = written(tmp_path, file(facts("A")))
    with pytest.raises(BadCase, match="open already"):
        import_cases(town, "town", path)


PROGRAMME = 'programme = "p"\ntitle_ja = "制度"\n'
VERSION = f'{PROGRAMME}[[versions]]\nversion = 1\nvalid = "2000"\n'


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("city.toml", "slug = ", "city.toml"),
        ("city.toml", 'slug = "town"\nmunicipal_code = "142132"\nname_ja = "町"\nname_en = "Town"', "142131"),
        ("programmes/p.toml", PROGRAMME, "versions"),
        (
            "programmes/p.toml",
            f'{PROGRAMME}[[versions]]\nversion = 1\nvalid = "20"',
            "p.toml, line 5, versions.0..valid",
        ),
        ("programmes/p.toml", f"{VERSION}[versions.rules]\ncolour = 'RED'", "p.toml, line 7, versions.0..rules.colour"),
    ],
)
def test_a_broken_city_folder_is_named_and_can_be_mended(
    database: Database, keys: CityKeys, tmp_path: Path, *, name: str, text: str, says: str
) -> None:
    folder = tmp_path / "yamato"
    shutil.copytree(CITIES / "yamato", folder)
    (folder / name).write_text(text)
    with pytest.raises(InvalidFile, match=says):
        register(database, keys, folder)
    shutil.copytree(CITIES / "yamato", folder, dirs_exist_ok=True)
    (folder / "programmes" / "p.toml").unlink(missing_ok=True)
    _, receipt = register(database, keys, folder)
    assert (receipt.first, receipt.repeated) == (1, False)


# --- Lines --------------------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)


@given(JSON, st.sampled_from([None, 0, 1, "\t"]), st.booleans())
def test_every_value_of_a_json_text_is_found_on_its_line(data: Any, indent: int | str | None, ascii_only: bool) -> None:
    text = json.dumps(data, indent=indent, ensure_ascii=ascii_only)
    lines = text.split("\n")

    def look(value: Any, place: tuple[str | int, ...]) -> None:
        line = lines[line_of(text, place) - 1]
        if not isinstance(value, dict | list):
            assert json.dumps(value, ensure_ascii=ascii_only) in line
        for step, member in (
            value.items() if isinstance(value, dict) else enumerate(value if isinstance(value, list) else [])
        ):
            look(member, (*place, step))

    look(data, ())
    assert line_of(text, ("nowhere at all", 7)) == 1
