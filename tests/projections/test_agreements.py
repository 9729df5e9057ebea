"""Agreements as readers ask for them: between whom, in which form, until when, renewed how often, ended how."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from projections.replay import check
from projections.worker import Worker
from tenants.book import Request
from tests.projections.conftest import Town

MakeTown = Callable[[], Town]
Rows = Callable[..., list[dict[str, Any]]]


def sign(town: Town, command: str, *, valid: str = "XXXX", **data: Any) -> None:
    request = Request(
        command=command,
        data=data,
        valid={"edtf": valid},
        actor="S/officer",
        recorded_by="S/officer",
        document_ref="7協推第12号",
    )
    town.book.execute(town.stream("P1"), request)


def agreed(town: MakeTown, **data: Any) -> Town:
    here = town()
    here.register("P1")
    concluded = {
        "parties": ["npo", "city"],
        "instrument": "AGREEMENT",
        "forms": [{"codes": ["CO_HOSTING", "ENDORSEMENT"], "local": "共催・後援"}],
        "clauses": [{"code": "COSTS", "text": "費用は市"}, {"code": "SECRECY", "text": "秘密を守る"}],
        "basis_of": ["事業計画", "予算"],
        "term": "P3Y",
    }
    sign(here, "conclude-agreement", valid="2016-04-01", **concluded | data)
    return here


def test_an_agreement_is_told_with_its_forms_its_clauses_and_its_last_day(
    town: MakeTown, worker: Worker, rows: Rows
) -> None:
    here = agreed(town, document_sha256="0" * 64, selection_ground="SOLE_SOURCE")
    worker.catch_up()
    (shown,) = rows(here, "agreement")
    assert (shown["number"], shown["instrument"], shown["forms"]) == (1, "AGREEMENT", ["CO_HOSTING", "ENDORSEMENT"])
    assert shown["clear_forms"] == [{"codes": ["CO_HOSTING", "ENDORSEMENT"], "local": "共催・後援"}]
    assert [clause["text"] for clause in shown["clear_clauses"]] == ["費用は市", "秘密を守る"]
    assert (shown["basis"], shown["document_ref"]) == (["事業計画", "予算"], "7協推第12号")
    assert (shown["document_sha256"], shown["selection_ground"]) == ("0" * 64, "SOLE_SOURCE")
    assert (shown["began_latest"], shown["terms"], shown["auto_renewal"]) == (date(2016, 4, 1), ["P3Y"], None)
    assert shown["last_day_earliest"] == shown["last_day_latest"] == date(2019, 3, 31)
    assert (shown["ended"], shown["renewals"], shown["amendments"], shown["concluded_position"]) == (None, 0, 0, 3)


def test_a_renewal_moves_the_last_day_and_an_amendment_replaces_its_clause(
    town: MakeTown, worker: Worker, rows: Rows
) -> None:
    here = agreed(town)
    sign(here, "renew-agreement", valid="2019-04-01", no=1)
    sign(here, "amend-agreement", changed=[{"code": "COSTS", "text": "費用は折半"}], forms=[{"codes": ["SUBSIDY"]}])
    worker.catch_up()
    (shown,) = rows(here, "agreement")
    assert (shown["renewals"], shown["terms"], shown["last_day_latest"]) == (1, ["P3Y", "P3Y"], date(2022, 3, 31))
    assert {clause["code"]: clause["text"] for clause in shown["clear_clauses"]} == {
        "SECRECY": "秘密を守る",
        "COSTS": "費用は折半",
    }
    assert (shown["amendments"], shown["forms"]) == (1, ["CO_HOSTING", "ENDORSEMENT", "SUBSIDY"])
    (before,) = rows(here, "agreement", at=3)
    assert (before["renewals"], before["last_day_latest"]) == (0, date(2019, 3, 31))


def test_a_terminated_agreement_says_by_whom_and_why(town: MakeTown, worker: Worker, rows: Rows) -> None:
    here = agreed(town)
    sign(here, "terminate-agreement", valid="2017-01", initiator="BOTH", ground="目的を達した", effective="2017-03-31")
    worker.catch_up()
    (shown,) = rows(here, "agreement")
    assert (shown["ended"], shown["ended_on"], shown["ended_by"]) == ("TERMINATED", "2017-03-31", "BOTH")
    assert shown["ground"] == "目的を達した"


def test_with_its_partnership_an_agreement_ends_too(town: MakeTown, worker: Worker, rows: Rows) -> None:
    here = agreed(town)
    sign(here, "mainstream-partnership", valid="2018")
    worker.catch_up()
    (shown,) = rows(here, "agreement")
    assert (shown["ended"], shown["ended_on"], shown["ended_by"]) == ("MAINSTREAMED", "2018", None)
    assert rows(here, "agreement", at=3)[0]["ended"] is None


def test_what_happens_besides_does_not_version_it(town: MakeTown, worker: Worker, rows: Rows) -> None:
    here = agreed(town)
    for _ in range(3):
        here.give("P1", "hold-meeting", attendees=["npo"])
    worker.catch_up()
    assert [row["known_from"] for at in range(3, 7) for row in rows(here, "agreement", at=at)] == [3] * 4
    assert check(here.book.database, worker.keys, here.id) == []
