"""An invented town whose record is complete, made of ordinary commands, so that rates may be formed of it.

Between FY2021 and FY2023 it decided 47 new proposals. The panel recommended 23 of them, 20 were accepted, all of these
among the 23. All were consulted on a month before and met twice. Each of the 20 has an agreement for a year, 100 to 138
days after its submission, a grant of 300,000 yen of which 240,000 was paid, and an evaluation by both sides, the
partner's one step of four above the town's. The first 12 were renewed once; of these, four were mainstreamed after two
years and eight completed. The other eight ended unrenewed.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid5

from tenants.book import Book, Plan, Request
from tenants.city_keys import CityKeys
from tenants.database import Database

SLUG = "invented-town"
PROGRAMME = "town-proposals"
DECIDED, RECOMMENDED, ACCEPTED, RENEWED, MAINSTREAMED = 47, 23, 20, 12, 4
YEARS = (2021, 2023)

_NAMESPACE = UUID("5a0c1f6e-9a34-4a3b-8f0e-1d2f3c4b5a69")
_DECISION = {"decided_by": "town", "authority": "MAYOR"}


def record_town(database: Database, keys: CityKeys, slug: str = SLUG) -> Book:
    """Register the town and record all it did; the worker has still to project it."""
    tenant = uuid5(_NAMESPACE, slug)
    with database.app() as connection:
        connection.execute(
            "SELECT register_tenant(%s, %s, NULL, '架空町', 'Invented Town', 'MUNICIPALITY')", (tenant, slug)
        )
    keys.create(tenant)
    book = Book(database, keys, tenant)
    plan = book.plan()
    programme = book.stream("programme", PROGRAMME)
    rules = {"evaluation": {"sides": ["PARTNER", "CITY"], "lowest": 1, "highest": 5}}
    give(plan, programme, "define-programme", "2020-04-01", programme=PROGRAMME, title_ja="提案制度", rules=rules)
    for of, shown in (("PROPOSALS", DECIDED), ("PARTNERSHIPS", ACCEPTED)):
        data = {"period": "2020-04/2026-03", "coverage": "COMPLETE", "of": of, "shown": shown}
        give(plan, programme, "declare-coverage", "2026-04-01", **data)
    for index in range(DECIDED):
        _proposal(plan, book, index)
    plan.commit()
    return book


def give(plan: Plan, stream: UUID, command: str, valid: str, /, **data: Any) -> None:
    """One command as the town's staff give it."""
    admin = command == "define-programme"
    plan.add(
        stream,
        Request(
            command=command,
            data=data,
            valid={"edtf": valid},
            actor="T/admin" if admin else "S/desk",
            recorded_by="S/desk",
            approved_by="Z/second",
            document_ref="架空町協第1号",
        ),
    )


def _proposal(plan: Plan, book: Book, index: int) -> None:
    """One partnership from its consultation to its end; every second one is recommended, all but three accepted."""
    stream = book.stream("partnership", f"T{index + 1}")
    submitted = date(YEARS[0] + index // 16, 5, 1) + timedelta(days=index)
    recommended = index % 2 == 0 and index // 2 < RECOMMENDED
    accepted = recommended and index // 2 < ACCEPTED

    def on(days: int, command: str, **data: Any) -> None:
        give(plan, stream, command, (submitted + timedelta(days=days)).isoformat(), **data)

    parties = [
        {"party": "npo", "kind": "NPO" if index % 3 else "CITIZEN_GROUP", "name_ja": "会"},
        {"party": "town", "kind": "MUNICIPALITY", "name_ja": "架空町"},
    ]
    on(-30, "register-partnership", number=f"T{index + 1}", programme=PROGRAMME, title_ja="事業", parties=parties)
    on(-30, "open-consultation", topic="相談")
    for day in (-20, -10):
        on(day, "hold-meeting", attendees=["npo", "town"])
    proposer = "CITY" if index % 5 == 0 else "CITIZENS"
    on(0, "submit-proposal", submission=1, kind="NEW", proposed_by=proposer)
    on(20, "open-review", submission=1, panel=5)
    on(30, "issue-recommendation", submission=1, result="RECOMMENDED" if recommended else "NOT_RECOMMENDED")
    if not accepted:
        codes = ["FUNDS_EXHAUSTED"] if recommended else ["OBJECTIVES_UNCLEAR", "CAPACITY"]
        on(60, "reject-proposal", submission=1, codes=codes, public_explanation="理由", **_DECISION)
        return
    on(60, "accept-proposal", submission=1, **_DECISION)
    forms = [{"codes": ["SUBSIDY"]}] if index % 4 else [{"codes": ["SUBSIDY", "CO_HOSTING"]}]
    on(100 + index, "conclude-agreement", parties=["npo", "town"], forms=forms, term="P1Y")
    year = (submitted + timedelta(days=100 + index)).year
    on(100 + index, "decide-grant", grant="G1", payee="npo", yen=300_000, fiscal_year=year)
    on(120 + index, "record-payment", payee="npo", grant="G1", yen=240_000, fiscal_year=year)
    for side, score in (("PARTNER", "4"), ("CITY", "3")):
        scores = [{"item": "EQUAL_FOOTING", "score": score}]
        scale = {"principle_set": "TOWN_5", "lowest": 1, "highest": 5}
        on(400 + index, "file-evaluation", evaluation=1, side=side, scores=scores, **scale)
    on(410 + index, "share-evaluations", evaluation=1)
    if index // 2 >= RENEWED:
        on(465 + index, "complete-partnership")
        return
    on(465 + index, "renew-agreement", no=1)
    on(830 + index, "mainstream-partnership" if index // 2 < MAINSTREAMED else "complete-partnership")
