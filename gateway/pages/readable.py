"""Events in readable form: labelled lines for their fields, words for their codes, names for their parties."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from domain.commands import BY_EVENT
from domain.dates import display, fiscal_year_label
from domain.fields import Field, Kind, fields
from domain.rules import Form
from domain.vocabulary import FormCode, LeadArea, PartyKind, Step
from gateway.pages.codes import code_label
from gateway.pages.labels import field_label
from gateway.pages.words import counted, say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pydantic import BaseModel

    from domain.vocabulary import Labelled
    from gateway.pages.labels import Language
    from gateway.reading import Party

_JAPANESE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")
_DURATION = re.compile(r"P(?:(?P<Y>\d+)Y)?(?:(?P<M>\d+)M)?(?:(?P<D>\d+)D)?(?:T(?:(?P<H>\d+)H)?(?:(?P<m>\d+)M)?)?")
_UNITS = {"Y": ("年", "year"), "M": ("か月", "month"), "D": ("日", "day"), "H": ("時間", "hour"), "m": ("分", "minute")}

# What a page says elsewhere, or what only machines need.
_ELSEWHERE = {
    "PartnershipRegistered.number",
    "PartnershipRegistered.programme",
    "PartnershipRegistered.parties",
    "PartnershipRegistered.title_translated",
    "ProgrammeDefined.programme",
    "ProgrammeDefined.rules",
    "ProgrammeRevised.rules",
    "Rules.labels",
    "EventCorrected.event_schema",
    "PanelMember.name",
    "Form.codes",
    "Form.local",
    "FacilityEstablished.facility",
    "FacilityTransferred.facility",
}
# Codes that are numbers of the city's own: there is nothing to call them.
_NUMBERS = {"call", "grant"}
# The field of a part that names it; the others stand below it.
_HEADINGS = {
    "Assignment": "party",
    "ActivityRoles": "activity",
    "Kind": "code",
    "Principle": "local",
    "Party": "party",
    "Service": "code",
    "Reference": "name",
    "Advice": "text",
    "Unassigned": "duty",
    "TakenFrom": "name",
    "Audience": "who",
    "Criterion": "code",
    "LocalRejection": "local",
    "Deadline": "what",
    "Clause": "code",
    "Recusal": "reviewer",
    "PanelMember": "reviewer",
    "SealedScore": "item",
    "Average": "criterion",
}


@dataclass(frozen=True, slots=True)
class Words:
    """Something readable: its text, its language where it differs from the page's, and where it leads."""

    text: str
    language: str | None = None
    href: str | None = None
    withheld: bool = False
    unlabelled: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """A part of an event: what names it, and its lines."""

    heading: Words | None
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """A labelled line; several values make a list. `inferred` marks a rule that was derived and not stated."""

    name: str
    label: str
    values: tuple[Words | Group, ...]
    inferred: bool = False


@dataclass(frozen=True, slots=True)
class Said:
    """Data in clear, a text that is not public being None, and which of its fields were derived, by path."""

    data: Mapping[str, Any]
    inferred: frozenset[str] = frozenset()
    path: str = ""

    def below(self, field: str, data: Mapping[str, Any]) -> Said:
        """A part of it."""
        return Said(data, self.inferred, f"{self.path}{field}.")

    def is_inferred(self, field: str) -> bool:
        """Whether the field, or the part that it belongs to, was derived and not stated."""
        return f"{self.path}{field}" in self.inferred or self.path.rstrip(".") in self.inferred


@dataclass(frozen=True)
class Reader:
    """Puts data into a reader's language, with the names of a partnership's parties and a city's programmes.

    `labels`: what the city itself calls its codes.
    """

    language: Language
    city: str = ""
    parties: Mapping[str, Party] = field(default_factory=dict)
    programmes: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)

    def event(self, name: str, data: dict[str, Any]) -> tuple[Line, ...]:
        """The lines of an event of that type."""
        return tuple(self._lines(BY_EVENT[name].event, Said(data)))

    def part(self, model: type[BaseModel], said: Said) -> tuple[Line, ...]:
        """The lines of a part, such as a programme's rules."""
        return tuple(self._lines(model, said))

    def text(self, text: str | None) -> Words:
        """A text in its own language, or that it is not public."""
        if text is None:
            return Words(say("not_public", self.language), withheld=True)
        language = "ja" if _JAPANESE.search(text) else "en"
        # A number or a code is no language's own.
        spoken = language if language == "ja" or re.search(r"[A-Za-z]{3}", text) else self.language
        return Words(text, None if spoken == self.language else spoken)

    def code(self, name: str, code: str, vocabulary: type[Labelled] | None = None) -> Words:
        """A code in words; one without a label stands as it is, and is marked."""
        if vocabulary is not None:
            return Words(vocabulary(code).label(self.language))
        label = self.labels.get(code)
        if label is not None:
            return self.text(label)
        label = code_label(name, code, self.language)
        return Words(code, unlabelled=name not in _NUMBERS) if label is None else Words(label)

    def party(self, party_id: str | None) -> Words:
        """A party's name; of one whose name is not public, what it is."""
        known = self.parties.get(party_id or "")
        if known is None:
            return Words(say("not_public", self.language), withheld=True)
        names = (known.name_ja, known.name_en) if self.language == "ja" else (known.name_en, known.name_ja)
        name = names[0] or names[1]
        if name is not None:
            return self.text(name)
        alike = [
            each.party_id
            for each in sorted(self.parties.values(), key=lambda each: each.place)
            if each.kind == known.kind and not each.name_ja and not each.name_en
        ]
        # Several of a kind are numbered, so that a reader can follow each through the timeline.
        n = str(alike.index(known.party_id) + 1) if len(alike) > 1 else ""
        kind = PartyKind(known.kind).label(self.language) if known.kind else say("party", self.language)
        return Words(say("name_not_public", self.language, kind=kind, n=n).replace("  ", " "), withheld=True)

    def date(self, edtf: str) -> Words:
        """A date in words."""
        return Words(display(edtf, self.language))

    def programme(self, slug: str) -> Words:
        """A programme's title, leading to its page."""
        title = self.programmes.get(slug)
        href = f"/cities/{quote(self.city)}/programmes/{quote(slug)}" if title else None
        words = self.text(title or slug)
        return Words(words.text, words.language, href)

    def _lines(self, model: type[BaseModel], said: Said) -> Iterator[Line]:
        heading = _HEADINGS.get(model.__name__)
        for each in fields(model):
            if each.name not in said.data:
                continue
            value = said.data[each.name]
            derived = said.is_inferred(each.name)
            if each.name == heading or f"{model.__name__}.{each.name}" in _ELSEWHERE:
                continue
            # A text that is None is there, but not public.
            if value in ([], {}) or (value == each.default and each.kind is not Kind.TEXT and not derived):
                continue
            ones = value if isinstance(value, list) else [value]
            values = (self._value(each, one, said) for one in ones)
            shown = tuple(one for one in values if not isinstance(one, Group) or one.heading or one.lines)
            if each.name == "requires":
                shown = tuple(self._required(value))
            if shown:
                yield Line(each.name, field_label(model.__name__, each.name, self.language), shown, derived)

    def _value(self, declared: Field, value: Any, said: Said) -> Words | Group:
        if declared.kind is Kind.PART and declared.part is not None:
            return self._group(declared.part, said.below(declared.name, value))
        if declared.kind is Kind.EVENT:
            return Group(None, self.event(said.data["event"], value))
        if declared.kind is Kind.CODE and isinstance(value, str):
            return self._code(declared, value)
        said_as = {
            Kind.TEXT: lambda: self.text(value),
            Kind.PARTY: lambda: self.party(value),
            Kind.DATE: lambda: self.date(value),
            Kind.DURATION: lambda: Words(duration(value, self.language)),
        }.get(declared.kind)
        return said_as() if said_as else self._plain(declared.name, value)

    def _code(self, declared: Field, value: str) -> Words:
        if declared.name in {"cases", "number"}:
            return Words(value, href=f"/cities/{quote(self.city)}/partnerships/{quote(value)}")
        if declared.name == "lead_area" and value in set(LeadArea):
            return self.code("lead_area", value, LeadArea)
        return self.code(declared.name, value, declared.vocabulary)

    def _group(self, part: type[BaseModel], said: Said) -> Words | Group:
        in_a_line = {
            "FeeLine": self._fee,
            "Indicator": self._indicator,
            "Measure": self._measure,
            "Sector": self._sector,
        }.get(part.__name__)
        if in_a_line is not None:
            return in_a_line(said)
        lines = tuple(self._lines(part, said))
        if part is Form:
            named = self._form(said)
            return Group(named, lines) if lines else named
        heading = _HEADINGS.get(part.__name__)
        if heading is None or heading not in said.data:
            return Group(None, lines)
        declared = next(each for each in fields(part) if each.name == heading)
        found = self._value(declared, said.data[heading], said)
        named = found if isinstance(found, Words) else Words("")
        return Group(named, lines) if lines else named

    def _required(self, requires: Mapping[str, list[str]]) -> Iterator[Words]:
        for step, needed in requires.items():
            names = say("comma", self.language).join(Step(each).label(self.language) for each in needed)
            yield Words(say("needs_first", self.language, step=Step(step).label(self.language), needed=names))

    def _form(self, said: Said) -> Words:
        common = say("comma", self.language).join(FormCode(code).label(self.language) for code in said.data["codes"])
        local = self.text(said.data["local"]) if "local" in said.data else None
        if local is None or local.text == common:
            return Words(common)
        return Words(say("form_as", self.language, local=local.text, common=common), local.language)

    def _fee(self, said: Said) -> Words:
        when = self.text(said.data["when"]) if "when" in said.data else None
        condition = f" ({when.text})" if when else ""
        return Words(f"{duration(said.data['unit'], self.language)} {self._yen(said.data['yen'])}{condition}")

    def _indicator(self, said: Said) -> Words:
        label = self.code("code", said.data["code"])
        amounts = [self.code("direction", said.data["direction"]).text] if said.data.get("direction") else []
        amounts += [f"{said.data['value']:,}"] if said.data.get("value") is not None else []
        return Words(f"{label.text}: {' '.join(amounts)}", unlabelled=label.unlabelled)

    def _measure(self, said: Said) -> Words:
        local, label = self.text(said.data["local"]), self.code("code", said.data["code"])
        numbered = f"{said.data['no']}. {local.text}"
        text = say("form_as", self.language, local=numbered, common=label.text)
        return Words(text, local.language, unlabelled=label.unlabelled)

    def _sector(self, said: Said) -> Words:
        label = self.code("sector", said.data["sector"])
        people = say("people", self.language, n=said.data["people"])
        bodies = said.data.get("bodies")
        counted_bodies = say("bodies", self.language, n=bodies) if bodies is not None else ""
        return Words(f"{label.text}: {counted_bodies}{people}", unlabelled=label.unlabelled)

    def _plain(self, name: str, value: Any) -> Words:
        """A value that is neither a text nor a code, by the name of its field."""
        if isinstance(value, bool):
            return Words(say("yes" if value else "no", self.language))
        named: dict[str, Callable[[Any], Words]] = {
            "programme": self.programme,
            "grants": self.programme,
            "fiscal_year": lambda year: Words(fiscal_year_label(year, self.language)),
            "yen": lambda yen: Words(self._yen(yen)),
            "grant_yen": lambda yen: Words(self._yen(yen)),
            "budget_yen": lambda yen: Words(self._yen(yen)),
            "max_yen": lambda yen: Words(self._yen(yen)),
            "spent_yen": lambda yen: Words(self._yen(yen)),
            "income_yen": lambda yen: Words(self._yen(yen)),
            "reviewer": lambda _: Words(say("not_public", self.language), withheld=True),
            "hundredths": lambda points: Words(f"{points / 100:g}"),
            "weighted_total": lambda points: Words(f"{points / 100:g} %"),
            "threshold": lambda points: Words(f"{points / 100:g} %"),
            "max_rate": lambda points: Words(f"{points / 100:g} %"),
            "rate": lambda points: Words(f"{points / 100:g} %"),
            "basis_points": lambda points: Words(f"{points / 100:g} %"),
            "event": lambda name: Words(BY_EVENT[name].ja if self.language == "ja" else BY_EVENT[name].en),
        }
        if name in named:
            return named[name](value)
        return Words(counted(name, value, self.language) if isinstance(value, int) else str(value))

    def _yen(self, yen: int) -> str:
        return f"{yen:,}円" if self.language == "ja" else f"¥{yen:,}"


def duration(text: str, language: Language) -> str:
    """A length of time in words: 3年 / 3 years for P3Y; what is no duration stays as it is."""
    parts = _DURATION.fullmatch(text)
    if parts is None:
        return text
    found = [(int(number), _UNITS[unit]) for unit, number in parts.groupdict().items() if number]
    if language == "ja":
        return "".join(f"{number}{ja}" for number, (ja, _) in found)
    return " ".join(f"{number} {en}{'' if number == 1 else 's'}" for number, (_, en) in found)
