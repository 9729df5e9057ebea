"""Made-up cities with plausible partnerships, entered by the product's ordinary commands; seeded, so repeatable."""

from __future__ import annotations

import random
import shutil
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from datetime import date, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tenants
from domain.codes import municipal_check_digit
from tenants.book import Book, Request
from tenants.city_keys import CityKeys
from tenants.database import Database, Urls
from tenants.registry import register
from tests.benchmarks.measure import say

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from uuid import UUID

CITIES = 8
_AT_ONCE = 25  # partnerships whose lives overlap, entered in one append
_EVENTS_EACH = 22  # about, on average
_PROGRAMMES = Path(tenants.__file__).parent / "okayama" / "programmes"
_WORDS = (
    "子育て",
    "高齢者",
    "見守り",
    "防災",
    "公園",
    "里山",
    "清掃",
    "多文化",
    "交流",
    "学習",
    "居場所",
    "商店街",
    "花壇",
)
_KINDS = ("NPO", "CITIZEN_GROUP", "NEIGHBOURHOOD_ASSOCIATION", "COMPANY", "UNIVERSITY", "VOLUNTEERS")
_FIELDS = ("WELFARE", "CHILDREN", "ENVIRONMENT", "CULTURE", "DISASTER", "EDUCATION")
_FORMS = ("COMMISSION", "SUBSIDY", "CO_HOSTING", "COOPERATION", "VENUE")
_REASONS = ("OBJECTIVES_UNCLEAR", "ROLES_UNCLEAR", "BUDGET_UNSOUND", "CAPACITY", "INFEASIBLE")


def record(owner_url: str, keys_folder: Path, events: int) -> int:
    """Enter about `events` events into eight new cities, two at a time; returns how many there are now."""
    say(f"rebuild: entering about {events} events of {CITIES} cities by commands")
    entered = 0
    work = [(owner_url, keys_folder, number, events // CITIES) for number in range(CITIES)]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        for done in pool.map(_city, work):
            entered += done
            say(f"{entered} events")
    return entered


def _city(work: tuple[str, Path, int, int]) -> int:
    owner_url, keys_folder, number, wanted = work
    with closing(Database(Urls.derive(owner_url), pool_size=2)) as database:
        keys = CityKeys(keys_folder)
        city, _ = register(database, keys, _folder(keys_folder.parent, number))
        book = Book(database, keys, city.tenant_id)
        chance = random.Random(number)
        entered, first = 0, 1
        at_once = max(1, min(_AT_ONCE, wanted // _EVENTS_EACH))
        while entered < wanted:
            plan = book.plan()
            lives = [_Life(chance, book.stream("partnership", f"P{first + at}"), first + at) for at in range(at_once)]
            steps = ((day, life.stream, request) for life in lives for day, request in life.steps())
            for _, stream, request in sorted(steps, key=lambda step: step[0]):
                plan.add(stream, request)
            entered += len(plan)
            first += at_once
            plan.commit()
        return book.recorder.max_notification_id() or 0


def _folder(parent: Path, number: int) -> Path:
    """A city's folder as `register` reads it: names of its own, the programmes of an existing city."""
    folder = parent / f"bench-{number}"
    shutil.copytree(_PROGRAMMES, folder / "programmes")
    first_five = f"1490{number}"
    (folder / "city.toml").write_text(
        f'slug = "bench-{number}"\nmunicipal_code = "{first_five}{municipal_check_digit(first_five)}"\n'
        f'name_ja = "第{number}市"\nname_en = "City {number}"\n',
        encoding="utf-8",
    )
    return folder


class _Life:
    """One partnership from registration to wherever chance takes it: about 25 events over some years."""

    def __init__(self, chance: random.Random, stream: UUID, number: int) -> None:
        self._chance, self.stream, self._number = chance, stream, number
        self._day = date(2014, 4, 1) + timedelta(days=chance.randrange(700))
        self._count = 0
        self._term_ends = self._day
        self._parties = [f"group-{chance.randrange(300)}", f"department-{chance.randrange(40)}", f"desk-{number}"]

    def steps(self) -> list[tuple[date, Request]]:
        """Days and requests in the order of entry."""
        return [(self._day, request) for request in self._story()]

    def _story(self) -> Iterator[Request]:
        yield from self._beginning()
        accepted = True
        if self._chance.random() < 0.8:  # The others are invited by the city.
            for submission in (1, 2):
                accepted = yield from self._proposal(submission)
                if accepted:
                    break
        else:
            yield self._give("accept-proposal", {"origin": "CITY_INVITED", **self._decided()}, "A/mayor")
        if accepted:
            yield from self._practice()

    def _beginning(self) -> Iterator[Request]:
        group, department, desk = self._parties
        parties = [
            {"party": group, "kind": self._chance.choice(_KINDS), "roles": ["PROPOSER"], "name_ja": self._text(2)},
            {"party": department, "kind": "DEPARTMENT", "roles": ["CITY_PARTY"], "name_ja": self._text(1)},
            {"party": desk, "kind": "INTERMEDIARY", "roles": ["CONVENER"], "name_ja": self._text(2)},
        ]
        registered = {
            "number": f"P{self._number}", "programme": "ordinance", "origin": "CONSULTATION", "city_role": "PARTY",
            "title_ja": self._text(3), "title_en": f"Project {self._number}", "field": self._chance.choice(_FIELDS),
            "place": self._text(1), "objective": self._text(6), "parties": parties,
        }  # fmt: skip
        yield self._give("register-partnership", registered)
        yield self._give("open-consultation", {"by": group, "at": desk, "topic": self._text(4)}, "P/1")
        for _ in range(self._chance.randint(1, 3)):
            yield self._meeting()
        yield self._give("refine-objective", {"text": self._text(8), "said_by": group}, "P/1")

    def _proposal(self, submission: int) -> Generator[Request, None, bool]:
        proposal = {
            "submission": submission, "kind": "NEW", "proposed_by": "CITIZENS", "party": self._parties[0],
            "objective": self._text(10), "budget_yen": self._chance.randrange(50, 3000) * 1000,
        }  # fmt: skip
        if submission > 1:
            proposal |= {"kind": "RESUBMISSION", "answers_rejection_of": submission - 1}
        yield self._give("submit-proposal", proposal, "P/1")
        yield self._give("open-review", {"submission": submission, "panel": 5})
        if accepted := self._chance.random() < 0.7:
            yield self._give("accept-proposal", {"submission": submission, **self._decided()}, "A/mayor")
        else:
            reasons = {"codes": [self._chance.choice(_REASONS)], "public_explanation": self._text(8)}
            yield self._give("reject-proposal", {"submission": submission, **reasons, **self._decided()}, "A/mayor")
        return accepted

    def _practice(self) -> Iterator[Request]:
        group, department, _ = self._parties
        form = self._chance.choice(_FORMS)
        concluded = {"parties": [group, department], "instrument": "WRITTEN_AGREEMENT", "forms": [{"codes": [form]}]}
        yield self._give(
            "conclude-agreement", concluded | {"term": "P3Y", "about": self._text(3)}, "A/mayor", document_ref="1"
        )
        self._term_ends = self._day.replace(year=self._day.year + 3, day=min(self._day.day, 28))
        roles = [{"party": party, "duties": [self._text(3), self._text(3)]} for party in (group, department)]
        yield self._give("assign-roles", {"roles": roles}, "D/1")
        yield self._give("start-activity", {"activity": self._text(3)}, "D/1")
        confirmed = 0
        for year in range(self._chance.randint(1, 4)):
            paid = {"payee": group, "payer": department, "yen": self._chance.randrange(50, 900) * 1000, "stage": "PAID"}
            yield self._give("decide-funding", paid | {"fiscal_year": self._day.year}, "D/1")
            yield self._meeting()
            yield self._give("confirm-activity", {"by": group, "activity": self._text(4), "people": 10 + year})
            confirmed = self._count
            yield self._give("report-outcome", {"report_by": group, "text": self._text(12)}, "P/1")
        if self._chance.random() < 0.1:  # One in ten is found to hold a mistake.
            mistake = {"target": confirmed, "data": {"people": 99}, "reason": self._text(4)}
            yield self._give("correct-event", mistake, approved_by="Z/2")
        yield from self._ending()

    def _ending(self) -> Iterator[Request]:
        match self._chance.randrange(5):
            case 0:
                yield self._give("complete-partnership", {"result": self._text(4)}, "D/1")
            case 1:
                basis = {"funding": "ANNUAL", "basis_text": self._text(3)}
                yield self._give("mainstream-partnership", basis, "A/mayor")
            case 2:
                yield self._give("become-independent", {}, "P/1")
            case 3:
                self._day = min(self._day, self._term_ends - timedelta(days=70))
                yield self._give("renew-agreement", {"no": 1, "term": "P3Y"}, "A/mayor", document_ref="2")
            case _:
                pass  # Still going on.

    def _decided(self) -> dict[str, str]:
        return {"decided_by": self._parties[1], "authority": "MAYOR"}

    def _meeting(self) -> Request:
        return self._give("hold-meeting", {"attendees": self._parties[:2], "summary": self._text(10)}, "C/1")

    def _give(self, command: str, data: dict[str, Any], actor: str = "S/desk", **more: Any) -> Request:
        self._day += timedelta(days=self._chance.randrange(1, 60))
        self._count += 1
        valid = {"edtf": self._day.isoformat()}
        return Request(command=command, data=data, valid=valid, actor=actor, recorded_by="S/desk", **more)

    def _text(self, words: int) -> str:
        return "の".join(self._chance.choices(_WORDS, k=words))
