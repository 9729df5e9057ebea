"""No name and no free text stands in a log, shown on everything that the five shipped cities enter."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import tenants as package
from domain.commands import BY_NAME
from domain.dates import InvalidDate, bounds
from domain.text import Visibility
from domain.vocabulary import PartyKind
from tenants.book import Book
from tenants.cases import import_cases, load_cases
from tenants.city_keys import CityKeys
from tenants.database import Database, Role
from tenants.disclosures import is_digest
from tenants.programmes import load_city, load_programmes
from tenants.registry import register

CITIES = Path(package.__file__).parent
SLUGS = ("yamato", "higashikurume", "yokohama", "okayama", "kawasaki")

# What may stand in clear: each a form of its own, none of which holds a sentence.
CLEAR = {
    "code": r"[A-Z][A-Z0-9_]{0,79}",
    "event, rule": r"[A-Z][a-z]+([A-Z][a-z]+)+",
    "slug": r"[a-z0-9][a-z0-9-]{0,79}",
    "rule of a programme": r"[a-z_]+(\.[a-z_]+)*",
    "digest": r"[A-Za-z0-9_-]{43}",
    "id": r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
    "who acts": r"[PDCSRAXTZ](/[a-z0-9-]+)?",
    "duration": r"P([0-9]+[YMD])*(T[0-9]+[HM])?",
    "recorded": r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z",
    "clock": r"[0-2][0-9]:[0-5][0-9]",
    "share": r"[0-9]{1,3}/[0-9]{1,3}",
}


class Listener:
    """A door that remembers what came through it, and as what."""

    def __init__(self) -> None:
        self.texts: set[str] = set()
        self.parties: set[str] = set()

    def seal(self, name: str, value: str, visibility: Visibility, subject: str | None) -> str:
        self.texts.add(value)
        return "A" * 43

    def party(self, name: str) -> str:
        self.parties.add(name)
        return "00000000-0000-0000-0000-000000000000"

    def hear(self, command: str, data: dict[str, Any], valid: dict[str, Any]) -> None:
        BY_NAME[command].event.model_validate_json(json.dumps(data | {"valid": valid}), context=self)


def is_date(leaf: str) -> bool:
    try:
        bounds(leaf)
    except InvalidDate:
        return False
    return True


def leaves(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, member in value.items():
            yield name
            yield from leaves(member)
    elif isinstance(value, list):
        for member in value:
            yield from leaves(member)
    elif isinstance(value, str):
        yield value


@pytest.fixture
def entries(database: Database, keys: CityKeys) -> list[bytes]:
    """Every entry of the five logs, as it is hashed and published."""
    found: list[bytes] = []
    for slug in SLUGS:
        city, _ = register(database, keys, CITIES / slug)
        import_cases(Book(database, keys, city.tenant_id), slug, CITIES / slug / "cases.json")
        with database.tenant(Role.AUDITOR, city.tenant_id) as connection:
            log = [entry for (entry,) in connection.execute("SELECT event_entry(e) FROM event e").fetchall()]
        with database.tenant(Role.APP, city.tenant_id) as connection:
            beside = {
                digest
                for (digest,) in connection.execute(
                    "SELECT digest FROM disclosure_places(%s)", (city.tenant_id,)
                ).fetchall()
            }
        assert beside == {leaf for entry in log for leaf in leaves(json.loads(entry)) if is_digest(leaf)}
        found += log
    return found


def heard() -> Listener:
    """What the files of the five cities say through the door."""
    listener = Listener()
    for slug in SLUGS:
        city = load_city(CITIES / slug)
        listener.hear("state-city-attribute", city.model_dump(include={"name_ja", "name_en"}), {"edtf": "XXXX"})
        for source in city.sources:
            listener.hear("register-source", source.data(), source.valid_time())
        for programme in load_programmes(CITIES / slug):
            for command, version, data in programme.commands():
                listener.hear(command, data, version.valid_time())
        cases, _ = load_cases(CITIES / slug / "cases.json")
        for fact in [fact for group in (*cases.programmes, *cases.cases) for fact in group.facts]:
            said = fact.model_dump(include={"certainty", "label", "source", "inferred_from"}, exclude_none=True)
            listener.hear(fact.command, fact.data, {"edtf": fact.valid} | said)
    return listener


def test_no_text_and_no_party_of_the_files_stands_in_an_entry(entries: list[bytes]) -> None:
    listener = heard()
    assert len(listener.texts) > 500
    assert "yamato/child-care-npo" in listener.parties
    log = b"\n".join(entries).decode()
    found = {leaf for entry in entries for leaf in leaves(json.loads(entry))}
    # A label such as 2011 is also a date, and a label NPO a kind of party; what is short may occur by chance.
    texts = {text for text in listener.texts if not is_date(text)} - set(PartyKind)
    assert not texts & found
    assert not [text for text in texts if len(text) >= 5 and text in log]
    for party in listener.parties:
        assert party not in log


def test_an_entry_is_ascii_and_every_string_in_it_has_a_form_of_its_own(entries: list[bytes]) -> None:
    clear = re.compile("|".join(f"({pattern})" for pattern in CLEAR.values()))
    assert len(entries) == 207
    for entry in entries:
        assert entry.isascii()
        for leaf in leaves(json.loads(entry)):
            assert clear.fullmatch(leaf) or is_date(leaf), leaf


def test_every_japanese_text_of_the_files_passes_the_door() -> None:
    """No text of the files is let by: all of it was heard, or stands in a note that is not entered."""
    heard_texts, notes = heard().texts, set()
    for slug in SLUGS:
        said = set(leaves(json.loads((CITIES / slug / "cases.json").read_text(encoding="utf-8"))))
        notes |= {json.loads((CITIES / slug / "cases.json").read_text(encoding="utf-8")).get("note", "")}
        for path in (CITIES / slug).rglob("*.toml"):
            said |= set(leaves(tomllib.loads(path.read_text(encoding="utf-8"))))
        assert {text for text in said if not text.isascii()} - notes <= heard_texts
