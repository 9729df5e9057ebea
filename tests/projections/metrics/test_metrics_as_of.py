"""As of an earlier position, every metric is what it was when the read models ended there."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from projections.as_of import NOW, AsOf, UnclearAsOf
from projections.metrics import METRICS, Dimension, Measured, measure
from projections.replay import recorded
from projections.worker import Worker
from tenants.city_keys import CityKeys
from tenants.database import Database
from tests.projections.metrics.town import give, record_town

GROUPS: tuple[tuple[Dimension, ...], ...] = ((), (Dimension.CITY, Dimension.FISCAL_YEAR))


def everything(database: Database, as_of: AsOf) -> dict[tuple[Any, ...], list[Measured]]:
    with database.reader() as connection:
        return {(m.key, by): measure(connection, m, by=by, as_of=as_of) for m in METRICS for by in GROUPS}


def test_a_metric_as_of_a_position_or_moment_is_what_a_replay_up_to_it_gives(
    database: Database, keys: CityKeys
) -> None:
    book = record_town(database, keys)
    plan = book.plan()
    for number, target, data in (("T1", 7, {"result": "NOT_RECOMMENDED"}), ("T3", 5, {"kind": "CONTINUATION"})):
        give(
            plan,
            book.stream("partnership", number),
            "correct-event",
            "2026-05-01",
            target=target,
            reason="誤記",
            data=data,
        )
    plan.commit()
    size = book.recorder.max_notification_id() or 0
    worker = Worker(database, keys, batch=size - 200)
    then: dict[int, dict[tuple[Any, ...], list[Measured]]] = {}
    position = 0
    while applied := worker.project(book.tenant):
        position += applied
        then[position] = everything(database, NOW)
    assert len(then) == 2
    assert len({str(found) for found in then.values()}) == len(then)
    for position, found in then.items():
        assert everything(database, AsOf(positions={book.tenant: position})) == found
    moments = {entry.position: entry.recorded_at for entry in recorded(database, book.tenant)}
    assert everything(database, AsOf(moment=moments[size])) == then[size]
    before_the_correction = everything(database, AsOf(positions={book.tenant: size - 2}))
    assert everything(database, AsOf(moment=moments[size - 2])) == before_the_correction != then[size]


def test_a_city_that_the_positions_do_not_name_is_no_part_of_the_answer(database: Database, keys: CityKeys) -> None:
    book = record_town(database, keys)
    Worker(database, keys).catch_up()
    with database.reader() as connection:
        accepted = measure(connection, METRICS[0], tenants=[book.tenant], as_of=AsOf(positions={}))[0]
    assert (accepted.units, accepted.excluded) == (0, 0)


def test_an_unclear_as_of_is_refused() -> None:
    with pytest.raises(UnclearAsOf, match="not both"):
        AsOf(moment=datetime(2026, 1, 1, tzinfo=UTC), positions={})
    with pytest.raises(UnclearAsOf, match="time zone"):
        AsOf(moment=datetime(2026, 1, 1))
