"""The crash drill: PostgreSQL and the worker killed at random moments while a city hall writes.

Real processes: a private PostgreSQL (or the database of KYODO_TEST_DATABASE_URL) and `kyodo worker`, which projects
and publishes every 0.3 s. The writers live in the test, and keep outside the database what was acknowledged to them.
DRILL_SEED takes the moments of an earlier run, whose seed it printed, as far as moments can be repeated.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from pydantic import SecretStr

from gateway.runtime import Service, service
from gateway.settings import Settings
from tests.drills.conftest import serving
from tests.drills.crashing import Auditor, CityHall, found_city
from tests.gateway.process.conftest import STOCK, Demo, Installation, installed

CITIES = ("kaku-cho", "naka-shi", "higashi-ku")
_SOAK_SECONDS = 1_500.0
"""When the drill ends at the latest, however many rounds it was to have."""


@dataclass
class Place:
    """An installation under attack: its folder, the test's own door to it, and the worker that runs now."""

    installation: Installation
    opened: Service
    worker: Demo

    def kill_worker(self) -> None:
        """End it by SIGKILL; another one begins."""
        self.worker.stop(signal.SIGKILL)
        self.worker = self.installation.start("worker")

    def kill_database(self) -> None:
        """End PostgreSQL by SIGKILL, and start it anew; of a stock server, end all connections: no more is ours."""
        self._crash_database()
        if self.opened.embedded is not None:
            self.opened.embedded.start()

    def kill_both(self) -> None:
        """As when the machine goes down: the new worker finds the database dead, and starts it."""
        self._crash_database()
        self.kill_worker()

    def _crash_database(self) -> None:
        if (pid := self.installation.postmaster) is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        elif STOCK is not None:
            with psycopg.connect(STOCK, autocommit=True) as admin:
                name = psycopg.conninfo.conninfo_to_dict(self.opened.owner_url)["dbname"]
                admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))


@pytest.fixture
def place() -> Iterator[Place]:
    """A migrated installation whose worker publishes three times a second."""
    with installed() as installation:
        installation.env["KYODO_CHECKPOINT_SECONDS"] = "0.3"
        settings = Settings(
            data_dir=installation.folder,
            database_url=SecretStr(given) if (given := installation.env.get("KYODO_DATABASE_URL")) else None,
        )
        with service(settings, lambda _: None) as opened:
            opened.bring_up(lambda _: None)
            found = Place(installation, opened, installation.start("worker"))
            try:
                yield found
            finally:
                found.worker.stop(signal.SIGTERM)


def until(true: Callable[[], bool], what: str, seconds: float = 90) -> None:
    """Wait for it, looking often; AssertionError when it does not come."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"{what} did not come within {seconds:.0f} s"
        time.sleep(0.05)


@pytest.mark.parametrize("rounds", [5, pytest.param(100, marks=pytest.mark.soak)])
def test_whatever_is_killed_nothing_acknowledged_is_lost_and_no_checkpoint_goes_back(
    place: Place, tmp_path: Path, rounds: int
) -> None:
    seed = int(os.environ.get("DRILL_SEED", random.SystemRandom().randrange(1 << 32)))
    print(f"\ncrash drill: {rounds} rounds, seed {seed}")
    dice, began = random.Random(seed), time.monotonic()
    database, keys = place.opened.database, place.opened.keys
    hall = CityHall({slug: found_city(database, keys, slug) for slug in CITIES})
    auditor = Auditor(hall, database, keys, place.opened.log_keys, tmp_path / "kept")
    place.kill_worker()  # The new one makes the new cities' signing keys.
    with serving(database, keys) as address, hall.open():
        done = 0
        while done < rounds and time.monotonic() - began < _SOAK_SECONDS:
            time.sleep(dice.uniform(0.05, 1.5))
            kill = (Place.kill_worker, Place.kill_database, Place.kill_both)[done % 3]
            promised = hall.total
            kill(place)
            until(lambda: hall.total > promised or bool(hall.failures), "an acknowledged event after the crash")  # noqa: B023
            with hall.at_rest():
                until(auditor.published, "a checkpoint that covers everything")
                auditor.look(address)
            done += 1
            print(
                f"  {time.monotonic() - began:5.0f} s  round {done}/{rounds}: {kill.__name__.replace('_', ' ')};"
                f" {hall.total} events acknowledged, {hall.retried} retries"
            )
    for slug in CITIES:
        assert place.installation("replay", slug, "--check").returncode == 0
    print(f"  {time.monotonic() - began:5.0f} s  {done} of {rounds} rounds")
