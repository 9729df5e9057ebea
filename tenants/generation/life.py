"""One invented partnership: its day, its parties, its words, and what was recorded of it so far."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from domain.dates import bounds, fiscal_year, fiscal_year_days, fiscal_year_label, plus
from domain.event import Mode
from tenants.book import Request
from tenants.generation import words
from tenants.generation.town import BEGIN, DESK, END, chance_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tenants.generation.town import Party, Town

FEWEST, MOST = 5, 40
"""How many events a history has."""

_LATEST_START = date(2024, 12, 31)
_AFTERTHOUGHTS = 4
_PRECISIONS = {"day": 74, "month": 12, "year": 4, "fiscal year": 6, "inferred": 3, "not after": 1}


class Over(Exception):
    """What would come next lies behind the last day of which the histories tell, or would make the history too long."""


@dataclass(slots=True)
class Term:
    """An agreement's terms: when it was concluded (EDTF) and the length of each."""

    began: str
    length: str
    renewals: int = 0

    @property
    def last_day(self) -> date:
        """The latest day of its last term."""
        last = bounds(self.began).latest or END
        for _ in range(self.renewals + 1):
            last = plus(last, self.length)
        return last - timedelta(days=1)


def number_of(number: int) -> str:
    """The number under which a town's partnership of that place, from 1, is registered."""
    return f"G{number:05d}"


class Life:
    """A partnership as it is told: a record that was kept elsewhere, and is taken over."""

    def __init__(self, town: Town, number: int) -> None:
        self.town, self.number = town, number_of(number)
        self.chance = chance_of(town.seed, town.slug, "partnership", number)
        self.day = BEGIN + timedelta(days=self.chance.randrange((_LATEST_START - BEGIN).days))
        self.theme, self.district = self.chance.choice(words.THEMES), self.chance.choice(words.DISTRICTS)
        self.requests: list[Request] = []
        self.submissions = self.evaluations = self.grants = 0
        self.remembered: list[int] = []
        """The versions of events that are exactly dated and happened while the partnership was under way."""

    # --- Chance and time ----------------------------------------------------------------------------------------

    def happens(self, percent: int) -> bool:
        """Whether something happens that does so in that many of a hundred cases."""
        return self.chance.randrange(100) < percent

    def drawn(self, weights: Mapping[str, int]) -> str:
        """One of the keys, as often as its weight says."""
        (key,) = self.chance.choices(list(weights), list(weights.values()))
        return key

    def later(self, fewest: int, most: int, *, by: date | None = None) -> None:
        """Some days pass, between the two; no more than until `by`."""
        passed = self.day + timedelta(days=self.chance.randint(fewest, most))
        self.day = passed if by is None else max(self.day, min(passed, by))

    def until(self, first: date, last: date) -> None:
        """It is some day from the first to the last, never earlier than now."""
        drawn = first + timedelta(days=self.chance.randint(0, (last - first).days))
        self.day = max(self.day, drawn)

    @property
    def year(self) -> int:
        """The fiscal year of the day."""
        return fiscal_year(self.day)

    # --- Words --------------------------------------------------------------------------------------------------

    def say(self, sentences: Sequence[str]) -> str:
        """One of the sentences, about this partnership."""
        return self.chance.choice(sentences).format(theme=self.theme.ja, place=self.district.ja)

    def titles(self) -> dict[str, str]:
        """Its title, in English too in some cases, and its objective."""
        texts = {
            "title_ja": f"{self.district.ja}{self.theme.ja}{self.chance.choice(words.SUFFIXES)}",
            "field": self.theme.field,
            "place": self.district.ja,
        }
        if self.happens(35):
            texts |= {"title_en": f"{self.theme.en} in {self.district.en}"}
        if self.happens(60):
            texts |= {"objective": self.say(words.OBJECTIVES)}
        return texts

    # --- What is recorded ---------------------------------------------------------------------------------------

    def give(
        self, command: str, data: dict[str, Any] | None = None, actor: str = DESK, *, exact: bool = False, **more: Any
    ) -> None:
        """Record one event on this day; Over when the story ends before it."""
        if self.day > END or len(self.requests) >= MOST - _AFTERTHOUGHTS:
            raise Over
        self._record(command, data or {}, actor, valid=self._exactly() if exact else self._dated(), **more)

    def _record(self, command: str, data: dict[str, Any], actor: str, *, mode: Mode = Mode.IMPORT, **more: Any) -> None:
        given = Request(command=command, data=data, actor=actor, recorded_by=DESK, mode=mode, **more)
        self.requests.append(given)

    def _exactly(self) -> dict[str, Any]:
        return {"edtf": self.day.isoformat()}

    def _dated(self) -> dict[str, Any]:
        """The day as precisely as an old record tells it: a day, a month, a year, a fiscal year, or about when."""
        first, last = fiscal_year_days(self.year)
        match self.drawn(_PRECISIONS):
            case "month":
                return {"edtf": f"{self.day:%Y-%m}"}
            case "year":
                return {"edtf": f"{self.day:%Y}"}
            case "fiscal year":
                label = fiscal_year_label(self.year, "ja")
                return {"edtf": f"[{first:%Y-%m}..{last:%Y-%m}]", "label": label}
            case "inferred":
                return {"edtf": f"{self.day:%Y}?", "certainty": "INFERRED", "inferred_from": "前後の書類の日付から"}
            case "not after":
                return {"edtf": f"[..{last}]", "certainty": "NOT_STATED"}
            case _:
                return self._exactly()

    @property
    def edtf(self) -> str:
        """The date of the last event as it was recorded."""
        return str(self.requests[-1].valid["edtf"])

    def remember(self) -> None:
        """Keep the last event in mind, so that something forgotten can be entered behind it later."""
        if self.edtf == self.day.isoformat():
            self.remembered.append(len(self.requests))

    # --- What any of them may have ------------------------------------------------------------------------------

    def register(self, programme: str, parties: Sequence[dict[str, Any]], *, closed: bool = False, **more: Any) -> None:
        """It enters the register; `closed` until the decision on its proposal."""
        data = {"number": self.number, "programme": programme, "parties": list(parties), **self.titles(), **more}
        if closed:
            data["embargoed"] = True
        self.give("register-partnership", data, self.chance.choice((DESK, "C/coordinator")))

    def meet(self, attendees: Sequence[Party], fewest: int = 0, most: int = 2) -> None:
        """Some meetings, of which a few were planned first."""
        named = [party.party for party in attendees]
        for _ in range(self.chance.randint(fewest, most)):
            self.later(7, 45)
            if self.happens(12):
                coming = plus(self.day, "P14D").isoformat()
                self.give("plan-meeting", {"attendees": named, "date": coming}, "C/coordinator")
                self.later(14, 14)
            held: dict[str, Any] = {"attendees": named, "kind": "DELIBERATION", "summary": self.say(words.SUMMARIES)}
            if self.happens(20):
                held["notes"] = self.say(words.NOTES)
            self.give("hold-meeting", held, self.chance.choice(("C/coordinator", "P/group")))

    def pay(self, payee: Party, yen: int, grant: str | None = None) -> None:
        """The town pays."""
        data = {"payee": payee.party, "yen": yen, "fiscal_year": self.year}
        self.give("record-payment", data | ({"grant": grant} if grant else {}), "D/section")

    def grant(self, payee: Party, payer: Party, most: int) -> tuple[str, int]:
        """A grant is decided; its number and yen."""
        self.grants += 1
        number, yen = f"G{self.grants}", self.chance.randrange(5, most // 20_000) * 20_000
        data: dict[str, Any] = {"grant": number, "payee": payee.party, "yen": yen, "fiscal_year": self.year}
        data["decided_by"] = payer.party
        if self.happens(40):
            data["rate"] = self.chance.choice((5_000, 6_000, 7_500, 8_000))
        self.give("decide-grant", data, "D/section")
        return number, yen

    def settle(self, grant: str, yen: int) -> None:
        """What the grant finally is; what was paid beyond it goes back."""
        payments = (each.data for each in self.requests if each.command == "record-payment")
        paid = sum(payment["yen"] for payment in payments if payment.get("grant") == grant)
        final = yen if self.happens(65) else yen * self.chance.randint(80, 99) // 100
        self.later(20, 60)
        self.give("settle-grant", {"grant": grant, "yen": final}, "D/section")
        if paid > final:
            self.later(10, 30)
            self.give("order-refund", {"grant": grant, "yen": paid - final}, "D/section")

    # --- The whole ----------------------------------------------------------------------------------------------

    def told(self, story: Callable[[Life], None]) -> list[Request]:
        """What is recorded of it when that story is told."""
        with suppress(Over):
            story(self)
        self.day = min(self.day, END)
        for afterthought in (self._correct, self._enter_late, self._argue, self._keep):
            afterthought()
        return self.requests

    def _correct(self) -> None:
        """A number was entered wrongly, or something twice."""
        counted = [n for n, each in enumerate(self.requests, start=1) if "people" in each.data]
        if not counted or not self.happens(12):
            return
        target = self.chance.choice(counted)
        reason = {"target": target, "reason": self.say(words.MISTAKES)}
        after: dict[str, Any] = {"valid": self._exactly(), "approved_by": "Z/second"}
        if self.happens(80):
            people = self.requests[target - 1].data["people"] + self.chance.randint(1, 30)
            self._record("correct-event", reason | {"data": {"people": people}}, DESK, **after)
        else:
            self._record("retract-event", reason, DESK, **after)

    def _enter_late(self) -> None:
        """A meeting that nobody had written down is entered behind what was done on the same day."""
        if not self.remembered or not self.happens(6):
            return
        behind = self.chance.choice(self.remembered)
        day, found = self.requests[behind - 1].valid["edtf"], {"summary": words.MEETING_FOUND}
        valid, late = {"edtf": day}, Mode.RETROACTIVE
        self._record("hold-meeting", found, "C/coordinator", valid=valid, mode=late, placed_after=behind)

    def _argue(self) -> None:
        if not self.happens(3) or len(self.requests) < FEWEST:
            return
        asked = {"request": 1, "asked_by": "見本 花子", "ground": "参加した団体の名前が違う"}
        self._record("request-correction", asked, "P/group", valid=self._exactly())
        refused = {"request": 1, "granted": False, "reason": "団体の届出のとおりである"}
        self._record("decide-correction", refused, "A/mayor", valid=self._exactly())

    def _keep(self) -> None:
        """How long the record is kept; with a document or two, where little else was recorded."""
        today = self._exactly()
        if len(self.requests) < MOST and self.happens(8):
            self._record("set-retention", {"retention_class": "TEN_YEARS", "term": "P10Y"}, DESK, valid=today)
        while len(self.requests) < FEWEST:
            document = {
                "sha256": f"{self.chance.getrandbits(256):064x}",
                "size": self.chance.randrange(20_000, 900_000),
                "media_type": "application/pdf",
                "document_class": self.chance.choice(("APPLICATION", "REPORT")),
            }
            self._record("register-attachment", document, DESK, valid=today)
