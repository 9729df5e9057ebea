"""Rebuilding the read models, in events per second, from a log of eight cities.

- ours: `projections.rebuild.rebuild` in two processes, from the call to the swapped-in tables: starting the processes,
  reading and folding every event, opening the texts, COPY, indexes, row security.
- runner: the library's ProjectionRunner, which writes the same rows event by event (see runner.py). It is measured over
  the beginning of the log, for as many events as it manages in one slice, without its start-up.

In the end the rows of both are compared.
"""

from __future__ import annotations

import tempfile
import time
from contextlib import closing
from pathlib import Path

from projections.rebuild import rebuild
from tenants.city_keys import CityKeys
from tenants.database import Database, Urls
from tenants.registry import tenants
from tests.benchmarks import runner
from tests.benchmarks.histories import record
from tests.benchmarks.measure import Plan, Result, rounds, say, scratch_database

PROCESSES = 2


def measure(url: str, plan: Plan) -> list[Result]:
    """The row of the table that is about rebuilding."""
    with scratch_database(url) as owner_url, tempfile.TemporaryDirectory(prefix="kyodo-bench-keys-") as folder:
        keys_folder = Path(folder) / "keys"
        events = record(owner_url, keys_folder, plan.events)
        with closing(Database(Urls.derive(owner_url), pool_size=2)) as database:
            cities = [city.tenant_id for city in tenants(database)]
            say("copying them into the library's own table")
            runner.prepare(owner_url, database, CityKeys(keys_folder), cities)

        def ours() -> float:
            began = time.perf_counter()
            return rebuild(owner_url, keys_folder, processes=PROCESSES) / (time.perf_counter() - began)

        rates = rounds(plan.rounds, {"ours": ours, "runner": lambda: runner.events_per_second(owner_url, plan.seconds)})
        if found := runner.differences(owner_url):
            raise AssertionError(f"the two sides wrote different rows: {'; '.join(found)}")
    return [
        Result(
            "rebuild_vs_runner",
            f"rebuilding {events:,} events of {len(cities)} cities in {PROCESSES} processes, beside the library's"
            " ProjectionRunner writing the same rows",
            "events/s",
            20,
            rates["ours"],
            rates["runner"],
            f"the runner over the first {plan.seconds:g} s of the same log",
        )
    ]
