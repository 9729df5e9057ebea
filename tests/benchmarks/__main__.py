"""`python -m tests.benchmarks`: the measures of the README on this machine, as a table and in bench.json.

Ratios count, because both sides of each are measured in turn on one server in one run; rates depend on the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from importlib import import_module
from pathlib import Path

from tests.benchmarks.measure import Plan, conditions, say, server, table
from tests.node import NotInstalled

_BENCHMARKS = ("append", "publish", "rebuild", "graphql", "verify")
"""The modules, imported when it is their turn: processes that one of them starts import this module too."""


def main() -> None:
    """Measure, print, write bench.json into the working directory."""
    # Who ends us early ends the private server too: as an exception, a signal passes through every clean-up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    options = _options()
    plan = Plan(options.rounds, options.seconds, options.events)
    if options.quick:
        plan = Plan(rounds=1, seconds=0.3, events=400)
    results = []
    with server(options.database_url or None) as (url, data):
        where = conditions(url, data)
        say(where)
        for name in _BENCHMARKS:
            if options.only in (None, name):
                try:
                    results += import_module(f"tests.benchmarks.{name}").measure(url, plan)
                except NotInstalled as missing:
                    say(f"{name} is left out: {missing}")
    print(f"{where}\n\n{table(results)}")
    Path("bench.json").write_text(json.dumps({each.key: each.as_json() for each in results}, indent=2) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="rounds in which the sides take turns (default 5)")
    parser.add_argument("--seconds", type=float, default=3.0, help="length of each measured slice (default 3)")
    parser.add_argument(
        "--events",
        type=int,
        default=100_000,
        help="events of the log that is rebuilt, half of the one that is verified (100000)",
    )
    parser.add_argument("--only", choices=sorted(_BENCHMARKS), help="one benchmark instead of all")
    parser.add_argument("--quick", action="store_true", help="one short round, to see that everything runs")
    parser.add_argument(
        "--database-url",
        default=os.environ.get("KYODO_DATABASE_URL"),
        help="a login that may create databases and logins on a scratch server; default KYODO_DATABASE_URL, and"
        " without it a private server in a temporary folder",
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
