"""Events in readable form: labelled lines for their fields, words for their codes, names for their parties."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from domain.commands import BY_EVENT
from domain.dates import display, fiscal_year_label
from domain.vocabulary import FormCode, LeadArea, PartyKind
from gateway.events import Field, Kind, fields
from gateway.pages.codes import code_label
from gateway.pages.labels import field_label
from gateway.pages.words import counted, say

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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
    "EventCorrected.event_schema",
    "FacilityEstablished.facility",
    "FacilityTransferred.facility",
}
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


@dataclass(frozen=True)
class Reader:
    """Puts data into a reader's language, with the names of a partnership's parties and a city's programmes."""

    language: Language
    city: str = ""
    parties: Mapping[str, Party] = field(default_factory=dict)
    programmes: Mapping[str, str] = field(default_factory=dict)

    def event(self, name: str, data: dict[str, Any], texts: Mapping[str, str]) -> tuple[Line, ...]:
        """The lines of an event of that type."""
        return tuple(self._lines(BY_EVENT[name].event, data, texts))

    def part(
        self,
        model: type[BaseModel],
        data: dict[str, Any],
        texts: Mapping[str, str],
        inferred: frozenset[str] = frozenset(),
    ) -> tuple[Line, ...]:
        """The lines of a part, such as a programme's rules; `inferred` names the fields that were derived, by path."""
        return tuple(self._lines(model, data, texts, inferred))

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
        label = code_label(name, code, self.language)
        return Words(code, unlabelled=True) if label is None else Words(label)

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

    def _lines(
        self,
        model: type[BaseModel],
        data: dict[str, Any],
        texts: Mapping[str, str],
        inferred: frozenset[str] = frozenset(),
        path: str = "",
    ) -> Iterator[Line]:
        heading = _HEADINGS.get(model.__name__)
        for each in fields(model):
            value = data.get(each.name)
            place = f"{path}{each.name}"
            derived = place in inferred or path.rstrip(".") in inferred
            if each.name == heading or f"{model.__name__}.{each.name}" in _ELSEWHERE:
                continue
            if value in (None, [], {}) or (value == each.default and not derived):
                continue
            values = tuple(
                self._value(model, each, one, data, texts, inferred, f"{place}.")
                for one in (value if isinstance(value, list) else [value])
            )
            shown = tuple(one for one in values if not isinstance(one, Group) or one.heading or one.lines)
            if shown:
                yield Line(each.name, field_label(model.__name__, each.name, self.language), shown, derived)

    def _value(
        self,
        model: type[BaseModel],
        declared: Field,
        value: Any,
        data: dict[str, Any],
        texts: Mapping[str, str],
        inferred: frozenset[str],
        path: str,
    ) -> Words | Group:
        match declared.kind:
            case Kind.TEXT:
                return self.text(texts.get(value))
            case Kind.PARTY:
                return self.party(value)
            case Kind.DATE:
                return self.date(value)
            case Kind.DURATION:
                return Words(duration(value, self.language))
            case Kind.PART if declared.part is not None:
                return self._group(declared.part, value, texts, inferred, path)
            case Kind.EVENT:
                return Group(None, tuple(self.event(data["event"], value, texts)))
            case Kind.CODE if isinstance(value, str):
                return self._code(declared, value)
        return self._plain(declared.name, value)

    def _code(self, declared: Field, value: str) -> Words:
        if declared.name in {"cases", "number"}:
            return Words(value, href=f"/cities/{quote(self.city)}/partnerships/{quote(value)}")
        if declared.name == "lead_area" and value in set(LeadArea):
            return self.code("lead_area", value, LeadArea)
        return self.code(declared.name, value, declared.vocabulary)

    def _group(
        self,
        part: type[BaseModel],
        data: dict[str, Any],
        texts: Mapping[str, str],
        inferred: frozenset[str],
        path: str,
    ) -> Words | Group:
        match part.__name__:
            case "Form":
                return self._form(part, data, texts)
            case "FeeLine":
                when = f" ({self.text(texts.get(data['when'])).text})" if data.get("when") else ""
                return Words(f"{duration(data['unit'], self.language)} {self._yen(data['yen'])}{when}")
            case "Indicator":
                amount = data.get("value")
                said = [self.code("direction", data["direction"]).text] if data.get("direction") else []
                said += [f"{amount:,}"] if amount is not None else []
                label = self.code("code", data["code"])
                return Words(f"{label.text}: {' '.join(said)}", unlabelled=label.unlabelled)
            case "Sector":
                return self._sector(data)
            case "Measure":
                local = self.text(texts.get(data["local"]))
                label = self.code("code", data["code"])
                said = say("form_as", self.language, local=f"{data['no']}. {local.text}", common=label.text)
                return Words(said, local.language, unlabelled=label.unlabelled)
        heading = _HEADINGS.get(part.__name__)
        lines = tuple(self._lines(part, data, texts, inferred, path))
        if heading is None or data.get(heading) is None:
            return Group(None, lines)
        declared = next(each for each in fields(part) if each.name == heading)
        named = self._value(part, declared, data[heading], data, texts, inferred, path)
        if not lines and isinstance(named, Words):
            return named
        return Group(named if isinstance(named, Words) else None, lines)

    def _form(self, part: type[BaseModel], data: dict[str, Any], texts: Mapping[str, str]) -> Words | Group:
        common = say("comma", self.language).join(FormCode(code).label(self.language) for code in data["codes"])
        local = self.text(texts.get(data["local"])) if data.get("local") else None
        if local is None or local.text == common:
            named = Words(common)
        else:
            named = Words(say("form_as", self.language, local=local.text, common=common), local.language)
        rest = {name: value for name, value in data.items() if name not in {"codes", "local"}}
        lines = tuple(self._lines(part, rest, texts))
        return Group(named, lines) if lines else named

    def _sector(self, data: dict[str, Any]) -> Words:
        label = self.code("sector", data["sector"])
        people = say("people", self.language, n=data["people"])
        bodies = say("bodies", self.language, n=data["bodies"]) if data.get("bodies") is not None else ""
        return Words(f"{label.text}: {bodies}{people}", unlabelled=label.unlabelled)

    def _plain(self, name: str, value: Any) -> Words:
        if isinstance(value, bool):
            return Words(say("yes" if value else "no", self.language))
        if name in {"programme", "grants"}:
            return self.programme(str(value))
        if name == "fiscal_year":
            return Words(fiscal_year_label(value, self.language))
        if name in {"yen", "grant_yen", "budget_yen", "max_yen"}:
            return Words(self._yen(value))
        if name == "basis_points":
            return Words(f"{value / 100:g} %")
        if name == "source":
            return Words(str(value), href=f"/cities/{quote(self.city)}#source-{quote(str(value))}")
        if name == "event":
            return Words(BY_EVENT[value].ja if self.language == "ja" else BY_EVENT[value].en)
        if isinstance(value, int):
            return Words(counted(name, value, self.language))
        return Words(str(value))

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
