"""The command that fills an installation with invented towns, for demonstrations and load tests."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from gateway.cli.console import app, fail, opened_service, say
from gateway.runtime import Service
from projections.rebuild import rebuild
from projections.worker import Worker, lags
from tenants.generation.entering import OtherSeed, enter
from tenants.generation.town import MOST_TOWNS

_WORTH_A_REBUILD = 5_000  # events; a rebuild folds several times faster than the worker, but all that there is


@app.command()
def generate(
    *,
    cities: Annotated[int, typer.Option(min=1, max=MOST_TOWNS, help="How many towns.")] = 5,
    partnerships: Annotated[
        int,
        typer.Option(min=0, help="How many partnerships in all, shared evenly among the towns; about 12 events each."),
    ] = 100,
    seed: Annotated[int, typer.Option(min=0, help="The same seed invents the same histories.")] = 1,
    processes: Annotated[int, typer.Option(min=1, max=64, help="Towns are entered by this many processes.")] = 2,
) -> None:
    """Enter invented towns, generated-0001 and so on, with plausible partnerships of 2005 to 2026.

    Nothing in them is real, and their names say so. They come in by the ordinary commands, under the rules of their
    programmes. The same call again adds nothing, and an interrupted one goes on; more partnerships are added to those
    that are there.
    """
    with opened_service() as opened:
        began = time.monotonic()
        try:
            added = enter(
                opened.urls,
                opened.keys_folder,
                cities=cities,
                partnerships=partnerships,
                seed=seed,
                processes=processes,
                say=say,
            )
        except OtherSeed as other:
            fail(str(other))
        entered = time.monotonic() - began
        _project(opened, processes)
        opened.make_log_keys()
        whole = time.monotonic() - began
        if added.events:
            say(
                f"{added.cities} cities, {added.partnerships} partnerships, {added.events} events entered"
                f" in {entered:.1f} s, shown after {whole:.1f} s"
            )
        else:
            say(f"{cities} cities with {partnerships} partnerships were entered before, nothing added")


def _project(opened: Service, processes: int) -> None:
    """Bring the read models up to date, in whichever way is faster."""
    known = lags(opened.database)
    behind = sum(lag.behind for lag in known)
    if behind >= _WORTH_A_REBUILD and behind > sum(lag.position for lag in known):
        say(f"building the read models of {behind} new events")
        rebuild(opened.owner_url, opened.keys_folder, processes=processes, say=say)
    Worker(opened.database, opened.keys).catch_up()
