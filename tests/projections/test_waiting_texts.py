"""Texts that wait, are withdrawn or erased: in every version of every row at once, and in the log only digests."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from domain import errors
from projections.replay import check
from projections.worker import Worker
from tenants.book import Request
from tenants.cases import import_cases
from tenants.database import Role
from tenants.disclosures import digests
from tests.projections.conftest import Town

Ask = Callable[..., list[tuple[Any, ...]]]


def give(town: Town, command: str, *, actor: str = "S/officer", valid: str = "XXXX", **data: Any) -> None:
    request = Request(
        command=command,
        data=data,
        valid={"edtf": valid},
        actor=actor,
        recorded_by="S/officer",
        approved_by="Z/second",
        document_ref="7協推第12号",
    )
    town.book.execute(town.stream("P1"), request)


def told(ask: Ask, town: Town) -> str:
    """Every text of the city that the public can read in any version of any row."""
    rows = [
        *ask("SELECT clear FROM read_model.timeline WHERE tenant_id = %s", town.id),
        *ask(
            "SELECT title_ja, objective, search_text, bigrams FROM read_model.partnership WHERE tenant_id = %s", town.id
        ),
        *ask("SELECT name_ja FROM read_model.party WHERE tenant_id = %s", town.id),
    ]
    return json.dumps(rows, ensure_ascii=False)


def same_as_replayed(town: Town) -> bool:
    return not check(town.book.database, town.book.keys, town.id)


def test_a_proposal_is_closed_until_it_is_decided(town: Callable[[], Town], worker: Worker, ask: Ask) -> None:
    city = town()
    city.register("P1", title_ja="まだ秘密の事業", embargoed=True)
    give(city, "submit-proposal", submission=1, kind="NEW", proposed_by="CITIZENS", objective="まだ秘密の目的")
    worker.catch_up()
    assert "まだ秘密" not in told(ask, city)
    assert "保育の会" not in told(ask, city), "who proposes is closed too"
    give(city, "refine-objective", text="公開してよい目的")
    give(
        city,
        "reject-proposal",
        submission=1,
        codes=["CAPACITY"],
        public_explanation="体制が整わない",
        decided_by="city",
        authority="MAYOR",
    )
    worker.catch_up()
    shown = told(ask, city)
    for text in ("まだ秘密の事業", "まだ秘密の目的", "保育の会", "公開してよい目的", "体制が整わない"):
        assert text in shown
    assert same_as_replayed(city)
    before = ask(
        "SELECT count(*), count(title_ja) FROM read_model.partnership WHERE tenant_id = %s AND known_until < 5", city.id
    )
    assert before[0][0] == before[0][1] > 0, "earlier versions show it from now on, too"


def test_a_correction_of_an_undecided_proposal_waits_with_it(
    town: Callable[[], Town], worker: Worker, ask: Ask
) -> None:
    city = town()
    city.register("P1")
    give(city, "submit-proposal", submission=1, kind="NEW", proposed_by="CITIZENS", objective="はじめの秘密")
    give(city, "correct-event", target=2, data={"objective": "なおした秘密"}, reason="書き誤り")
    worker.catch_up()
    assert "秘密" not in told(ask, city)
    give(city, "accept-proposal", submission=1, decided_by="city", authority="MAYOR")
    worker.catch_up()
    assert "なおした秘密" in told(ask, city)
    assert same_as_replayed(city)


def test_what_is_imported_from_publications_waits_for_nothing(
    town: Callable[[], Town], worker: Worker, ask: Ask, tmp_path: Any
) -> None:
    registration = {
        "number": "P1",
        "programme": "partnership",
        "title_ja": "公表済みの事業",
        "parties": [{"party": "npo", "kind": "NPO", "name_ja": "保育の会"}],
        "embargoed": True,
    }
    proposal = {"submission": 1, "kind": "NEW", "proposed_by": "CITIZENS", "objective": "公表済みの目的"}
    facts = [
        {"command": "register-partnership", "valid": "XXXX", "data": registration},
        {"command": "submit-proposal", "valid": "2003", "data": proposal},
    ]
    for compiled in (True, False):
        city = town()
        file = {"format": 1, "city": "town", "compiled": compiled, "cases": [{"case": "P1", "facts": facts}]}
        path = tmp_path / f"{compiled}.json"
        path.write_text(json.dumps(file), encoding="utf-8")
        import_cases(city.book, "town", path)
        worker.catch_up()
        assert ("公表済みの目的" in told(ask, city)) is compiled
        assert same_as_replayed(city)


def test_evaluations_are_revealed_together(town: Callable[[], Town], worker: Worker, ask: Ask) -> None:
    city = town()
    city.register("P1")
    give(city, "conclude-agreement", parties=["npo", "city"])
    scores = [{"item": "GOAL_REACHED", "score": "4"}]
    give(city, "file-evaluation", evaluation=1, side="PARTNER", scores=scores, result="相手方の評価")
    with pytest.raises(errors.SidesMissing):
        give(city, "share-evaluations", evaluation=1)
    give(city, "file-evaluation", evaluation=1, side="CITY", scores=scores, result="行政の評価")
    worker.catch_up()
    assert "評価" not in told(ask, city)
    give(city, "share-evaluations", evaluation=1)
    worker.catch_up()
    assert "相手方の評価" in told(ask, city)
    assert "行政の評価" in told(ask, city)
    assert same_as_replayed(city)
    with pytest.raises(errors.EvaluationNotOpen):
        give(city, "file-evaluation", evaluation=1, side="CITY", result="あとから")


def test_a_withdrawn_text_is_gone_from_every_version_and_a_foreign_digest_is_refused(
    town: Callable[[], Town], worker: Worker, ask: Ask
) -> None:
    city = town()
    city.register("P1")
    give(city, "refine-objective", text="うっかり書いた電話番号")
    worker.catch_up()
    assert "電話番号" in told(ask, city)
    history = city.book.history(city.stream("P1"))
    assert history is not None
    digest = history.state.objective
    with pytest.raises(errors.NotFound):
        give(city, "withdraw-publication", disclosure="A" * 43, reason="PERSONAL_DATA")
    give(city, "withdraw-publication", disclosure=digest, reason="PERSONAL_DATA")
    worker.catch_up()
    assert "電話番号" not in told(ask, city)
    assert same_as_replayed(city)
    with city.book.database.tenant(Role.OWNER, city.id) as connection:
        kept = connection.execute("SELECT visibility FROM disclosure WHERE digest = %s", (digest,)).fetchone()
    assert kept == ("CITY",), "the city can still read it"


def test_an_erased_subject_is_gone_and_a_legal_hold_protects(
    town: Callable[[], Town], worker: Worker, ask: Ask
) -> None:
    city = town()
    city.register("P1")
    worker.catch_up()
    assert "保育の会" in told(ask, city)
    give(city, "set-legal-hold", hold=1, basis="LITIGATION")
    erase = Request(
        command="erase-subject",
        data={"subject": "npo", "legal_basis": "APPI_99", "decided_by": "city"},
        valid={"edtf": "2026-04-01"},
        actor="T/admin",
        recorded_by="T/admin",
        approved_by="Z/second",
    )
    own = city.book.stream("programme", "partnership")
    with pytest.raises(errors.HoldForbids):
        city.book.execute(own, erase)
    give(city, "release-legal-hold", hold=1)
    city.book.execute(own, erase)
    worker.catch_up()
    assert "保育の会" not in told(ask, city)
    assert "町" in told(ask, city), "the others stay"
    assert same_as_replayed(city)
    with pytest.raises(errors.NotFound):
        city.book.execute(own, erase)


def test_nothing_that_waits_stands_in_the_log(town: Callable[[], Town]) -> None:
    city = town()
    city.register("P1")
    give(city, "submit-proposal", submission=1, kind="NEW", proposed_by="CITIZENS", objective="まだ秘密の目的")
    history = city.book.history(city.stream("P1"))
    assert history is not None
    data = history.recorded[-1].event.model_dump(mode="json")
    assert "秘密" not in json.dumps(data, ensure_ascii=False)
    assert data["objective"] in set(digests(data))


def test_a_key_used_for_another_request_is_refused(town: Callable[[], Town]) -> None:
    city = town()
    city.register("P1")

    def refine(text: str) -> Request:
        return Request(
            command="refine-objective", data={"text": text}, valid={"edtf": "XXXX"}, actor="C", recorded_by="S/officer"
        )

    first = city.book.execute(city.stream("P1"), refine("目的"), key="k")
    again = city.book.execute(city.stream("P1"), refine("目的"), key="k")
    assert (again.first, again.repeated) == (first.first, True)
    with pytest.raises(Exception, match="another request"):
        city.book.execute(city.stream("P1"), refine("別の目的"), key="k")
