"""Both evaluations of a partnership: closed until they are revealed together, with scores, scale and words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from projections.replay import check
from projections.worker import Worker
from tenants.book import Request
from tests.projections.conftest import Town

Rows = Callable[..., list[dict[str, Any]]]
SCALE = {"principle_set": "SEVEN_VIEWPOINTS", "lowest": 1, "highest": 5}


@pytest.fixture
def here(town: Callable[[], Town], worker: Worker) -> Town:
    """A partnership with an agreement, which both sides evaluated."""
    made = town()
    made.register("P1")
    agreement = Request(
        command="conclude-agreement",
        data={"parties": ["npo", "city"]},
        valid={"edtf": "2016"},
        actor="S/officer",
        recorded_by="S/officer",
        document_ref="7協推第12号",
    )
    made.book.execute(made.stream("P1"), agreement)
    made.give("P1", "open-evaluation", evaluation=1, period="2016-04/2017-03")
    scores = [{"item": "GOAL_REACHED", "score": "4"}, {"item": "EQUAL_PARTNERS", "score": "3"}]
    told = {"result": "よくできた", "method": "話し合えた", "next_actions": ["広報", "人を増やす"]}
    made.give("P1", "file-evaluation", valid="2017-04", evaluation=1, side="PARTNER", scores=scores, **SCALE, **told)
    made.give("P1", "file-evaluation", valid="2017-05", evaluation=1, side="CITY", by="city", scores=scores, **SCALE)
    worker.catch_up()
    return made


def test_until_both_are_revealed_only_that_they_were_filed_is_told(here: Town, rows: Rows) -> None:
    city, partner = rows(here, "evaluation")
    assert (city["evaluation"], city["side"], partner["side"]) == (1, "CITY", "PARTNER")
    assert (partner["period"], partner["filed"], partner["filed_position"]) == ("2016-04/2017-03", "2017-04", 5)
    assert (partner["principle_set"], partner["lowest"], partner["highest"]) == ("SEVEN_VIEWPOINTS", 1, 5)
    assert partner["revealed"] is False
    assert partner["clear_scores"] == [
        {"item": "GOAL_REACHED", "score": None},
        {"item": "EQUAL_PARTNERS", "score": None},
    ]
    assert (partner["result"], partner["method"], partner["next_actions"]) == (None, None, [None, None])


def test_once_revealed_every_version_shows_both(here: Town, worker: Worker, rows: Rows) -> None:
    here.give("P1", "share-evaluations", valid="2017-06-01", evaluation=1)
    here.give("P1", "hold-evaluation-dialogue", evaluation=1, attendees=["npo", "city"])
    worker.catch_up()
    city, partner = rows(here, "evaluation")
    assert (partner["revealed"], partner["revealed_on"], partner["discussed"]) == (True, "2017-06-01", True)
    assert city["clear_scores"] == [{"item": "GOAL_REACHED", "score": 4}, {"item": "EQUAL_PARTNERS", "score": 3}]
    assert (partner["result"], partner["next_actions"]) == ("よくできた", ["広報", "人を増やす"])
    assert (city["result"], city["next_actions"]) == (None, [])
    before = rows(here, "evaluation", at=5)
    assert [(each["side"], each["revealed"], each["result"]) for each in before] == [("PARTNER", False, "よくできた")]
    assert check(here.book.database, worker.keys, here.id) == []
