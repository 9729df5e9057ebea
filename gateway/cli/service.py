"""Commands that run and maintain the service: demo, serve, worker, migrate, rebuild, doctor."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
import uvicorn

from gateway.cli.console import app, fail, opened_service, say
from gateway.demo import prepare
from gateway.doctor import examine
from gateway.runtime import Service
from gateway.settings import Settings
from projections.rebuild import rebuild as rebuild_read_models
from projections.worker import Worker


@app.command()
def demo() -> None:
    """Enter five cities and their 21 partnerships, and serve portal and GraphQL. Safe to run again."""
    settings = Settings()
    with _listening(settings) as listener, opened_service(ready=False) as opened:
        prepare(opened, say)
        _serve(opened, listener, with_worker=True)


@app.command()
def serve(
    *,
    worker: Annotated[
        bool | None,
        typer.Option(help="Project in this process too. Default: only with the private PostgreSQL."),
    ] = None,
) -> None:
    """Serve pages and GraphQL."""
    settings = Settings()
    with _listening(settings) as listener, opened_service() as opened:
        _serve(opened, listener, with_worker=opened.embedded is not None if worker is None else worker)


@contextmanager
def _listening(settings: Settings) -> Iterator[socket.socket]:
    """The listening socket, taken before any work is done, so that a port in use is known at once."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Accepted connections inherit it; without it, head and body of an answer may wait for each other for 40 ms.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            listener.bind((settings.host, settings.port))
        except OSError as taken:
            place = f"{settings.host}:{settings.port}"
            fail(f"{place} cannot be used ({taken.strerror}); choose another with KYODO_HOST and KYODO_PORT")
        yield listener


class _Server(uvicorn.Server):
    """A server that says where it is once it answers."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if sockets and not self.should_exit:
            host, port = sockets[0].getsockname()[:2]
            shown = f"[{host}]" if ":" in host else host
            say(f"Kyōdō Ledger is at http://{shown}:{port}")


def _serve(opened: Service, listener: socket.socket, *, with_worker: bool) -> None:
    # Pages and GraphQL take a second to load, which the other commands need not wait for.
    from gateway.app import create_app, settle  # noqa: PLC0415
    from gateway.graphql.asked import LONGEST_BODY  # noqa: PLC0415
    from gateway.log import Promise  # noqa: PLC0415

    stop = threading.Event()
    if not with_worker:
        say("nothing is projected or signed in this process; `kyodo worker` does it, or `kyodo serve --worker`")
    working = _working(opened, stop) if with_worker else []
    try:
        application = create_app(
            opened.database,
            pending_migrations=opened.pending,
            keys=opened.keys,
            promise=Promise(opened.settings.checkpoint_seconds, opened.policy()),
        )
        config = uvicorn.Config(
            application,
            log_level=opened.settings.log_level.lower() if opened.settings.log_level != "INFO" else "warning",
            access_log=opened.settings.log_level == "DEBUG",
            ws_max_size=LONGEST_BODY,
            forwarded_allow_ips=opened.settings.trusted_proxies,
        )
        settle()
        _Server(config).run(sockets=[listener])
    finally:
        stop.set()
        for each in working:
            each.join()


def _working(opened: Service, stop: threading.Event) -> list[threading.Thread]:
    """The projecting and the publishing thread, started."""
    threads = [
        threading.Thread(target=Worker(opened.database, opened.keys).run, args=(stop,), name="worker"),
        threading.Thread(
            target=opened.publisher().run, args=(stop, opened.settings.checkpoint_seconds), name="publisher"
        ),
    ]
    for each in threads:
        each.start()
    return threads


@app.command()
def worker() -> None:
    """Project what is recorded, and sign and publish the logs, until stopped; several workers share the work."""
    with opened_service() as opened:
        opened.make_log_keys()
        say("projecting and publishing; stop with Ctrl-C")
        stop = threading.Event()
        working = _working(opened, stop)
        try:
            for each in working:
                each.join()
        finally:
            stop.set()
            for each in working:
                each.join()


@app.command()
def migrate() -> None:
    """Bring the database to the state that this release needs; safe to run again."""
    with opened_service(ready=False) as opened:
        applied = opened.bring_up(say)
        say(f"{len(applied)} migrations applied" if applied else "nothing to apply")


@app.command()
def rebuild(
    processes: Annotated[int, typer.Option(min=1, max=64, help="Cities are folded in this many processes.")] = 2,
) -> None:
    """Build every read model anew from the logs beside the old ones, then swap; readers notice nothing."""
    with opened_service(ready=False) as opened:
        events = rebuild_read_models(opened.owner_url, opened.keys_folder, processes=processes, say=say)
        say(f"{events} events, read models rebuilt")


@app.command()
def doctor() -> None:
    """Examine the installation; exit code 1 when something needs mending."""
    with opened_service(ready=False) as opened:
        healthy = True
        for finding in examine(opened):
            healthy = healthy and finding.good
            typer.echo(f"{'ok  ' if finding.good else 'MEND'}  {finding.text}")
    if not healthy:
        sys.exit(1)
