"""An invented town: its names, which say that it is invented, its calls for proposals and its parties."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from domain.codes import municipal_check_digit
from domain.dates import fiscal_year
from domain.event import Mode
from tenants.book import Request
from tenants.generation import words

if TYPE_CHECKING:
    from collections.abc import Iterator

BEGIN, END = date(2005, 4, 1), date(2026, 3, 31)
"""The first and the last day of which the histories tell."""

MOST_TOWNS = 9_999
DESK = "S/desk"
CALLS = {"proposals": ((4, 10), (5, 31)), "projects": ((10, 1), (11, 30))}
"""For each programme with calls, month and day from which to which each fiscal year's call is open."""

_GROUPS = 150
_CANCELLED = ("proposals", 2020)
_PROGRAMMES = Path(__file__).parent / "programmes"


def chance_of(*what: object) -> Random:
    """The choices that belong to something, the same each time that it is asked for."""
    return Random("/".join(map(str, what)))  # noqa: S311 (nobody is to be surprised by what was drawn)


def call_of(programme: str, day: date) -> tuple[str, date, date]:
    """Code, first and last day of the first call of the programme that ends after the day and was not cancelled."""
    opens, closes = CALLS[programme]
    year = fiscal_year(day)
    while (programme, year) == _CANCELLED or day >= date(year, *closes):
        year += 1
    return f"FY{year}", date(year, *opens), date(year, *closes)


@dataclass(frozen=True, slots=True)
class Party:
    """A party of the town: what the town calls it, its kind and its names."""

    party: str
    kind: str
    name_ja: str
    name_en: str | None = None

    def listed(self, *roles: str) -> dict[str, Any]:
        """The party as a registration lists it."""
        known = {"party": self.party, "kind": self.kind, "name_ja": self.name_ja, "name_en": self.name_en}
        return {name: value for name, value in known.items() if value} | {"roles": list(roles)}


@dataclass(frozen=True, slots=True)
class Town:
    """The town of that number, from 1, as the seed invents it."""

    seed: int
    number: int

    @property
    def slug(self) -> str:
        """Its name in addresses; the same with every seed."""
        return f"generated-{self.number:04d}"

    @property
    def source(self) -> str:
        """The source under which the town says from which seed it was made."""
        return f"generator-seed-{self.seed}"

    def write(self, folder: Path) -> None:
        """Write the town's folder as `register` reads it: city.toml and programmes/*.toml."""
        # No prefecture has the numbers 90 to 99, so that no real city has such a code.
        first_five = f"{90_000 + self.number}"
        city = {
            "slug": self.slug,
            "municipal_code": first_five + str(municipal_check_digit(first_five)),
            "name_ja": f"生成町{self.number:04d}(架空)",
            "name_en": f"Generated town {self.number:04d} (invented)",
        }
        source = {
            "source": self.source,
            "valid": f"{END.year}",
            "date": f"{END.year}",
            "publisher": "kyodo generate",
            "language": "ja",
            "about": f"乱数の種{self.seed}から作られた架空の記録。町も団体も人も実在しない。",
        }
        text = "".join([*_lines(city), "\n[[sources]]\n", *_lines(source)])
        (folder / "city.toml").write_text(text, encoding="utf-8")
        shutil.copytree(_PROGRAMMES, folder / "programmes")

    def calls(self) -> Iterator[tuple[str, Request]]:
        """The calls of each fiscal year: the programme and what is recorded of it."""
        for programme, (opens, closes) in CALLS.items():
            for year in range(BEGIN.year, END.year):
                call = f"FY{year}"
                opened = {"call": call, "fiscal_year": year, "closes": date(year, *closes).isoformat()}
                yield programme, _given("open-call", opened, date(year, *opens))
                if (programme, year) == _CANCELLED:
                    yield programme, _given("cancel-call", {"call": call, "reason": "感染症の拡大"}, date(year, 4, 20))
                else:
                    yield programme, _given("close-call", {"call": call}, date(year, *closes))

    def group(self, chance: Random, *kinds: str) -> Party:
        """One of the town's groups, of one of the kinds where any is named."""
        while True:
            number = chance.randrange(_GROUPS)
            own = chance_of(self.seed, self.slug, "group", number)
            kind = own.choice(words.KINDS)
            if kinds and kind not in kinds:
                continue
            parts = {
                "place": own.choice(words.DISTRICTS).ja,
                "word": own.choice(words.GROUP_WORDS),
                "family": own.choice(words.FAMILY_NAMES),
                "given": own.choice(words.GIVEN_NAMES),
                "n": own.randrange(1, 8),
            }
            return Party(f"group-{number:03d}", kind, own.choice(words.GROUPS[kind]).format(**parts))

    @staticmethod
    def department(chance: Random) -> Party:
        """One of the town's sections."""
        number = chance.randrange(len(words.DEPARTMENTS))
        name = words.DEPARTMENTS[number]
        return Party(f"department-{number}", "DEPARTMENT", name.ja, name.en)

    @property
    def itself(self) -> Party:
        """The town as a party."""
        return Party("town", "MUNICIPALITY", f"生成町{self.number:04d}", f"Generated town {self.number:04d}")

    @property
    def centre(self) -> Party:
        """The desk that anyone may consult."""
        return Party("centre", "INTERMEDIARY", "町の協働推進センター", "Partnership centre of the town")

    @property
    def fund(self) -> Party:
        """The fund that takes donations."""
        return Party("fund", "FUND", "生成町地域づくり基金", "Community fund of the town")


def _given(command: str, data: dict[str, Any], day: date) -> Request:
    valid = {"edtf": day.isoformat()}
    return Request(command=command, data=data, valid=valid, mode=Mode.IMPORT, actor=DESK, recorded_by=DESK)


def _lines(table: dict[str, str]) -> Iterator[str]:
    # A JSON string of such names is a TOML string too.
    return (f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in table.items())
