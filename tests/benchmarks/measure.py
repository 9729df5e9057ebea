"""What the benchmarks share: a scratch database, rounds whose sides alternate, results and their table."""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from psycopg import sql
from psycopg.conninfo import make_conninfo

from tenants.database import SERVICE_ROLES, connect
from tenants.embedded import OWNER, EmbeddedPostgres
from tenants.migrate import migrate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

Rates = dict[str, list[float]]
"""Side → its rate in each round."""

_BEGAN = time.monotonic()


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured: rounds, seconds of each slice, and events in the log that is rebuilt."""

    rounds: int
    seconds: float
    events: int


@dataclass(frozen=True, slots=True)
class Result:
    """One row of the table: our rate and another's per round; `note` says what bounds or qualifies it."""

    key: str
    what: str
    unit: str
    aim: float
    ours: Sequence[float]
    other: Sequence[float]
    note: str = ""

    @property
    def ratio(self) -> float:
        """Median by median."""
        return statistics.median(self.ours) / statistics.median(self.other)

    def as_json(self) -> dict[str, float | int | str]:
        """The value in bench.json."""
        return {
            "ratio": float(f"{self.ratio:.4g}"),
            "ours": round(statistics.median(self.ours), 1),
            "other": round(statistics.median(self.other), 1),
            "unit": self.unit,
            "rounds": len(self.ours),
        }


def table(results: Sequence[Result]) -> str:
    """The results for people; `spread` is the least and the greatest ratio of a single round."""
    width = max(len(each.key) for each in results)
    head = f"{'key':<{width}} {'ratio':>6} {'aim':>5} {'spread':>13} {'ours':>9} {'other':>9}  unit"
    lines = [head, "-" * len(head)]
    for each in results:
        ratios = [ours / other for ours, other in zip(each.ours, each.other, strict=True)]
        spread = f"{min(ratios):.2f}–{max(ratios):.2f}"
        ours, other = statistics.median(each.ours), statistics.median(each.other)
        rates = f"{ours:>9,.0f} {other:>9,.0f}  {each.unit}"
        lines.append(f"{each.key:<{width}} {each.ratio:>6.2f} {each.aim:>5g} {spread:>13} {rates}")
    lines += [f"{each.key}: {each.what}{'; ' if each.note else ''}{each.note}" for each in results]
    return "\n".join(lines)


def rounds(count: int, sides: Mapping[str, Callable[[], float]]) -> Rates:
    """Each side once in every round, the order turned round from one to the next; what drifts meets all alike."""
    rates: Rates = {name: [] for name in sides}
    for number in range(count):
        order = list(sides) if number % 2 == 0 else list(sides)[::-1]
        for name in order:
            rates[name].append(sides[name]())
        say(f"round {number + 1}/{count}: " + ", ".join(f"{name} {rates[name][-1]:,.0f}/s" for name in sides))
    return rates


def say(text: str) -> None:
    """Progress, with the seconds since the start."""
    print(f"{time.monotonic() - _BEGAN:6.1f} s  {text}", file=sys.stderr, flush=True)


@contextmanager
def server(url: str | None) -> Iterator[tuple[str, Path | None]]:
    """The URL of a login that may create databases and logins, and where the server's data lie if that is known.

    Without a URL a private server is made under /tmp (root's own temporary folder may be closed to its user), with
    the same settings as the product's, and removed at the end.
    """
    if url is not None:
        yield url, None
        return
    with tempfile.TemporaryDirectory(prefix="kyodo-bench-", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o711)
        with EmbeddedPostgres(folder / "data", say) as embedded:
            with closing(connect(embedded.url("postgres"))) as superuser:
                superuser.execute(f"ALTER ROLE {OWNER} CREATEDB")
            yield embedded.owner_url, folder / "data"


@contextmanager
def scratch_database(url: str) -> Iterator[str]:
    """The owner's URL of a new database with the product's schema; it and its logins are dropped at the end."""
    name = f"kyodo_bench_{uuid4().hex[:12]}"
    with closing(connect(url)) as admin:
        admin.execute(f"CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0")
        try:
            owner_url = make_conninfo(url, dbname=name)
            migrate(owner_url, lambda _: None)
            yield owner_url
        finally:
            # Without FORCE, which needs the right to end sessions: those of a pool just closed are given 5 s to go.
            admin.execute(f"DROP DATABASE {name}")
            for role in SERVICE_ROLES:
                admin.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(f"{name}_{role}")))


def conditions(url: str, data: Path | None) -> str:
    """The server's version and its settings of durability, the cores, and what an fdatasync costs there."""
    names = ("server_version", "fsync", "synchronous_commit", "full_page_writes", "shared_buffers")
    with closing(connect(url)) as connection:
        values = [str((connection.execute(f"SHOW {name}").fetchone() or ("?",))[0]) for name in names]
    shown = ", ".join(f"{name} {value}" for name, value in zip(names[1:], values[1:], strict=True))
    synced = f"fdatasync {_fdatasync(data) * 1e6:,.0f} µs" if data else "fdatasync unknown (not our server)"
    return f"PostgreSQL {values[0]} ({shown}), {synced}, {os.cpu_count()} cores"


def _fdatasync(folder: Path, times: int = 200) -> float:
    """Seconds that one 8 KiB write with its fdatasync takes at the median, over a file of known size as WAL has it."""
    page = os.urandom(8192)
    with tempfile.TemporaryFile(dir=folder) as file:
        os.posix_fallocate(file.fileno(), 0, times * len(page))
        os.fsync(file.fileno())
        taken = []
        for number in range(times):
            began = time.perf_counter()
            os.pwrite(file.fileno(), page, number * len(page))
            os.fdatasync(file.fileno())
            taken.append(time.perf_counter() - began)
    return statistics.median(taken)
