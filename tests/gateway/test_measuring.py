"""Measuring for the public: its time, its turns, and what is remembered."""

from __future__ import annotations

from typing import Any

from gateway.graphql import measuring
from gateway.graphql.measuring import Memory, Question, measured
from gateway.graphql.resolvers import Asking
from projections.as_of import NOW
from projections.metrics import BY_KEY, measure
from projections.worker import Worker
from tenants.city_keys import CityKeys
from tenants.database import Database
from tests.projections.metrics.town import DECIDED, PROGRAMME, give, record_town


def test_a_statement_of_a_measure_may_take_longer_than_others_and_only_that_one(five_cities: Database) -> None:
    with Asking(five_cities) as asked:
        before = asked.connection.execute("SHOW statement_timeout").fetchone()
        measured(asked, Question(BY_KEY["acceptance_rate"], (), NOW, (1990, 1991), ()))
        assert asked.connection.execute("SHOW statement_timeout").fetchone() == before == ("5s",)
        assert 0 < asked.measured_for < 5


def test_the_same_question_in_the_same_state_is_measured_once(database: Database, keys: CityKeys, monkeypatch) -> None:
    book = record_town(database, keys)
    Worker(database, keys).catch_up()
    times: list[str] = []

    def counting(*given: Any, **more: Any) -> Any:
        times.append(given[1].key)
        return measure(*given, **more)

    monkeypatch.setattr(measuring, "measure", counting)
    question = Question(BY_KEY["acceptance_rate"], (book.tenant,), NOW, None, ())

    def again() -> float:
        with Asking(database) as asked:
            return measured(asked, question)[0].denominator

    assert [again(), again()] == [DECIDED, DECIDED]
    assert len(times) == 1
    plan = book.plan()
    coverage = {"period": "2026-04/2027-03", "coverage": "UNKNOWN", "of": "PROPOSALS", "shown": 0}
    give(plan, book.stream("programme", PROGRAMME), "declare-coverage", "2026-05-01", **coverage)
    plan.commit()
    Worker(database, keys).catch_up()
    assert again() == DECIDED
    assert len(times) == 2


def test_memory_keeps_the_latest_used_up_to_its_size(five_cities: Database) -> None:
    with five_cities.reader() as connection:
        found = measure(connection, BY_KEY["acceptance_rate"])
    memory = Memory(most=2 * (1 + len(found)))
    memory.keep("first", found)
    memory.keep("second", found)
    assert memory.recall("first") is found
    memory.keep("third", found)
    assert memory.recall("second") is None
    assert memory.recall("first") is memory.recall("third") is found
    memory.keep("too large", found * 3)
    assert memory.recall("too large") is None
