"""Publishing, in events per second, beside the appends of the same run: whether signing keeps up with recording.

- append: the writers of the append benchmark, 4 processes × 4 over 64 cities, for one slice.
- ours: one `Publisher.publish()` of what they just appended: every entry read and hashed, every closed tile stored,
  a signed checkpoint for each city and one for the root log, each durable. The writers rest meanwhile.

A slice is shorter than the interval of checkpoints by default (10 s), so that fewer events share the cost of one.
"""

from __future__ import annotations

import tempfile
import time
from contextlib import closing
from pathlib import Path

from tenants.database import Database, Urls
from tenants.ledger.keys import LogKeys
from tenants.ledger.publish import Publisher, make_missing_keys
from tests.benchmarks.append import CITIES, registered_cities, slice_of, writing_processes
from tests.benchmarks.measure import Plan, Result, say, scratch_database


def measure(url: str, plan: Plan) -> list[Result]:
    """The row of the table that is about publishing."""
    appended: list[float] = []
    published: list[float] = []
    sizes: list[int] = []
    with scratch_database(url) as owner_url, tempfile.TemporaryDirectory(prefix="kyodo-bench-keys-") as folder:
        cities = registered_cities(owner_url)
        with (
            closing(Database(Urls.derive(owner_url), pool_size=2)) as database,
            writing_processes(owner_url, cities) as processes,
        ):
            keys = LogKeys(Path(folder))
            names = {city: f"bench-{number}" for number, city in enumerate(cities)}
            make_missing_keys(database, keys, "localhost/log", names)
            publisher, append = Publisher(database, keys), slice_of(processes, "ours", plan.seconds)
            say("publish: warming up")
            append()
            publisher.publish()
            for number in range(plan.rounds):
                signed = _size(database)
                appended.append(append())
                sizes.append(_size(database) - signed)
                began = time.perf_counter()
                checkpoints = publisher.publish()
                published.append(sizes[-1] / (time.perf_counter() - began))
                if not 1 < checkpoints <= CITIES + 1 or publisher.publish():
                    raise AssertionError(f"{checkpoints} checkpoints were made of {CITIES} cities that were written to")
                say(
                    f"round {number + 1}/{plan.rounds}: append {appended[-1]:,.0f}/s, publish {published[-1]:,.0f}/s,"
                    f" {checkpoints} checkpoints"
                )
    return [
        Result(
            "publish_vs_append",
            f"signing and publishing what {plan.seconds:g} s of appends to {CITIES} cities leave, beside these appends",
            "events/s",
            1,
            published,
            appended,
            f"{sum(sizes):,} events in {len(sizes)} rounds",
        )
    ]


def _size(database: Database) -> int:
    """Events in all logs."""
    with database.projector() as connection:
        row = connection.execute("SELECT coalesce(sum(size), 0)::bigint FROM tenant_head").fetchone()
    return row[0] if row else 0
