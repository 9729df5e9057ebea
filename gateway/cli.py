"""The command line `kyodo`."""

from __future__ import annotations

import json
import logging
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
import uvicorn
from eventsourcing.persistence import PersistenceError
from pydantic import ValidationError

from domain.commands import COMMANDS
from domain.errors import DomainError, NotFound
from gateway.demo import folder_of, prepare
from gateway.docs import write as write_docs
from gateway.doctor import examine
from gateway.replay import printed
from gateway.runtime import NotReady, Service, service
from gateway.settings import Settings
from projections.rebuild import rebuild as rebuild_read_models
from projections.replay import anomalous, check
from projections.worker import Worker, caught_up
from tenants import registry
from tenants.anomalies import anomalies as explained
from tenants.book import Book, HistoryBroken, problems
from tenants.cases import BadCase
from tenants.cases import import_cases as enter_cases
from tenants.database import DatabaseUnavailable, Role, TooMuchPrivilege
from tenants.disclosures import DisclosureAltered, KeyMissing, public_texts
from tenants.embedded_system import EmbeddedError
from tenants.migrate import MigrationRefused
from tenants.programmes import InvalidFile, changes, check_programme
from tenants.recording import BadEntry, read_entries
from tenants.recording import record as give

app = typer.Typer(
    name="kyodo",
    help="Kyōdō Ledger 協働台帳: the system of record for partnerships between citizens and their city governments.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
programme_app = typer.Typer(no_args_is_help=True, help="Programmes (制度): check a file, compare versions.")
app.add_typer(programme_app, name="programme")
tenant_app = typer.Typer(no_args_is_help=True, help="The cities of this installation.")
app.add_typer(tenant_app, name="tenant")

City = Annotated[str, typer.Argument(help="The city's slug, for instance yamato.")]

EXPLAINED = (
    BadCase,
    BadEntry,
    DatabaseUnavailable,
    DisclosureAltered,
    DomainError,
    EmbeddedError,
    HistoryBroken,
    InvalidFile,
    KeyMissing,
    MigrationRefused,
    NotReady,
    PersistenceError,
    TooMuchPrivilege,
)
"""Errors whose message says what is wrong, where, and how to mend it."""


def main() -> None:
    """Run a command. Exit code 0 done, 1 refused or failed with a message, 2 wrong usage, 130 interrupted."""
    try:
        app()
    except EXPLAINED as explained:
        _fail(str(explained))
    except ValidationError as invalid:
        _fail(f"a setting is wrong: {problems(invalid)}")
    except KeyboardInterrupt:
        sys.exit(130)


def _fail(message: str) -> None:
    sys.stderr.write(f"kyodo: {message}\n")
    sys.exit(1)


def say(message: str) -> None:
    """Progress, on standard error: standard output is for results."""
    sys.stderr.write(f"{message}\n")
    sys.stderr.flush()


@contextmanager
def _open(*, ready: bool = True) -> Iterator[Service]:
    settings = Settings()
    logging.basicConfig(level=settings.log_level, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    # The pool reports each attempt to reconnect; the worker and the pages say once what they wait for.
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
    logging.getLogger("yoyo").setLevel(max(logging.WARNING, logging.getLogger().level))
    # What a process manager sends is an orderly end, as Ctrl-C is.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with service(settings, say) as opened:
        if ready:
            opened.require_ready()
        yield opened


@app.command()
def demo() -> None:
    """Enter five cities and their 21 partnerships, and serve portal and GraphQL. Safe to run again."""
    settings = Settings()
    with _listening(settings) as listener, _open(ready=False) as opened:
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
    with _listening(settings) as listener, _open() as opened:
        _serve(opened, listener, with_worker=opened.embedded is not None if worker is None else worker)


@contextmanager
def _listening(settings: Settings) -> Iterator[socket.socket]:
    """The listening socket, taken before any work is done, so that a port in use is known at once."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((settings.host, settings.port))
        except OSError as taken:
            place = f"{settings.host}:{settings.port}"
            _fail(f"{place} cannot be used ({taken.strerror}); choose another with KYODO_HOST and KYODO_PORT")
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
    from gateway.app import create_app  # noqa: PLC0415

    stop = threading.Event()
    worker = threading.Thread(target=Worker(opened.database, opened.keys).run, args=(stop,), name="worker")
    if with_worker:
        worker.start()
    try:
        config = uvicorn.Config(
            create_app(opened.database, pending_migrations=opened.pending),
            log_level=opened.settings.log_level.lower() if opened.settings.log_level != "INFO" else "warning",
        )
        _Server(config).run(sockets=[listener])
    finally:
        stop.set()
        if with_worker:
            worker.join()


@app.command()
def worker() -> None:
    """Project recorded events into the read models until stopped; several workers share the work."""
    with _open() as opened:
        say("projecting; stop with Ctrl-C")
        Worker(opened.database, opened.keys).run(threading.Event())


@app.command()
def migrate() -> None:
    """Bring the database to the state that this release needs; safe to run again."""
    with _open(ready=False) as opened:
        applied = opened.bring_up(say)
        say(f"{len(applied)} migrations applied" if applied else "nothing to apply")


@tenant_app.command("list")
def tenant_list() -> None:
    """List the registered cities."""
    with _open() as opened:
        for city in registry.tenants(opened.database):
            typer.echo(f"{city.slug}\t{city.municipal_code}\t{city.name_ja}\t{city.name_en}\t{city.tenant_id}")


@tenant_app.command("add")
def tenant_add(
    folder: Annotated[Path, typer.Argument(help="A folder with city.toml and programmes/*.toml.")],
) -> None:
    """Register a city with its sources and programmes; a city that is registered already stays as it is."""
    with _open() as opened:
        city, receipt = registry.register(opened.database, opened.keys, folder)
        Worker(opened.database, opened.keys).catch_up()
        count = 0 if receipt.repeated else receipt.last - receipt.first + 1
        say(f"{city.slug}: {count} events entered" if count else f"{city.slug}: was registered before, nothing entered")


@programme_app.command("check")
def programme_check(
    files: Annotated[list[Path], typer.Argument(help="Programme files; docs/programme-format.md tells the format.")],
) -> None:
    """Explain by line what is wrong in programme files; exit code 1 when something is. Needs no database."""
    wrong = 0
    for file in files:
        found = check_programme(file)
        for problem in found:
            typer.echo(f"{file}, {problem}")
        wrong += len(found)
        if not found:
            say(f"{file}: could be entered as it stands")
    if wrong:
        _fail(f"{wrong} problems")


@programme_app.command("diff")
def programme_diff(
    city: City,
    programme: Annotated[str, typer.Argument(help="The programme's slug, for instance guideline.")],
    old: Annotated[int, typer.Argument(help="A version.", min=1)],
    new: Annotated[int, typer.Argument(help="Another version.", min=1)],
) -> None:
    """Show what changed between two versions of a programme: `-` was so, `+` is so."""
    with _open() as opened:
        book = _book(opened, city)
        stream = book.stream("programme", programme)
        history = book.history(stream)
        if history is None:
            raise NotFound(what="programme", name=f"{programme!r} of {city}")
        known = {version.number: version for version in history.state.versions}
        for number in (old, new):
            if number not in known:
                listed = ", ".join(map(str, known))
                raise NotFound(what="version", name=f"{number} of {programme} (there are: {listed})")
        with opened.database.tenant(Role.APP, book.tenant) as connection:
            texts = public_texts(connection, opened.keys, book.tenant, [stream])
        typer.echo(f"version {old}, effective {known[old].effective} → version {new}, effective {known[new].effective}")
        for line in changes(known[old].rules, known[new].rules, texts):
            typer.echo(line)


@app.command()
def anomalies(
    city: City,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print them as JSON.")] = False,
) -> None:
    """List what an earlier record tells although a rule forbids it, each with the rule and why it is broken."""
    with _open() as opened:
        book = _book(opened, city)
        streams = anomalous(opened.database, book.tenant)
        with opened.database.tenant(Role.APP, book.tenant) as connection:
            texts = public_texts(connection, opened.keys, book.tenant, streams)
        found = list(explained(book, streams, texts))
        if as_json:
            typer.echo(_json([asdict(each) | {"stream": streams[each.stream]} for each in found]))
            return
        for each in found:
            typer.echo(f"{streams[each.stream]}\t{each.label} {each.event}\t{each.valid}\t{each.rule}")
            for line in (each.why, each.why_ja, each.inferred_from):
                typer.echo(f"\t{line}" if line else "", nl=bool(line))
            typer.echo(f"\tposition {each.position} of the log, source {each.source or 'not named'}")
        counted = {0: "no anomalies", 1: "1 anomaly, accepted because it happened"}
        say(f"{city}: {counted.get(len(found), f'{len(found)} anomalies, accepted because they happened')}")


@app.command()
def docs(
    folder: Annotated[Path, typer.Argument(help="Where the pages are written.")] = Path("docs"),
    *,
    example: Annotated[Path | None, typer.Option(help="The folder of the worked example.")] = None,
) -> None:
    """Write the reference of events, programme format, refusals and life-cycle from the code. Needs no database."""
    write_docs(folder, example or folder / "worked-example")
    say(f"{folder}: written")


@app.command("import-cases")
def import_cases(
    city: City,
    file: Annotated[Path | None, typer.Argument(help="The city's case file; default: the shipped one.")] = None,
) -> None:
    """Enter a city's case file: whole or not at all; the same file again adds nothing."""
    with _open() as opened:
        book = _book(opened, city)
        imported = enter_cases(book, city, file or folder_of(city) / "cases.json", say)
        # A worker that runs elsewhere would do this in a moment; where none runs, the city is shown all the same.
        Worker(opened.database, opened.keys).catch_up()
        receipt = imported.receipt
        for case, event, rule in imported.anomalies:
            say(f"noted as an anomaly: {case}, {event}: {rule}")
        if receipt.repeated:
            say(f"{city}: this file was entered before, nothing added")
        else:
            say(f"{city}: {imported.cases} cases, {imported.facts} facts at positions {receipt.first}-{receipt.last}")


@app.command()
def record(
    city: City,
    file: Annotated[typer.FileText, typer.Argument(help="JSON: one command or a list; - reads standard input.")],
) -> None:
    """Record commands as they happen (LIVE) or late (RETROACTIVE), under the city's rules: the whole file or none."""
    entries = read_entries(file.read())
    with _open() as opened:
        receipt = give(_book(opened, city), entries)
        Worker(opened.database, opened.keys).catch_up()
        if receipt.repeated:
            say(f"{city}: recorded before at positions {receipt.first}-{receipt.last}, nothing added")
        else:
            say(f"{city}: {len(entries)} recorded at positions {receipt.first}-{receipt.last}")


def _book(opened: Service, city: str) -> Book:
    return Book(opened.database, opened.keys, registry.tenant(opened.database, city).tenant_id)


@app.command()
def replay(
    city: City,
    stream: Annotated[
        str | None, typer.Argument(help="A partnership's number, a programme's slug, `city`, or a stream's id.")
    ] = None,
    *,
    at: Annotated[
        str | None, typer.Option(help="As known at a position of the log, or at a moment with offset (ISO 8601).")
    ] = None,
    valid: Annotated[str | None, typer.Option(help="What had certainly happened by this day (YYYY-MM-DD).")] = None,
    possible: Annotated[bool, typer.Option(help="With --valid: what may have happened by then, too.")] = False,
    check_: Annotated[
        bool, typer.Option("--check", help="Compare every read model of the city with a fresh replay.")
    ] = False,
) -> None:
    """Print the state folded afresh from the log, or check the read models against it."""
    with _open() as opened:
        found = registry.tenant(opened.database, city)
        if check_:
            _check(opened, found)
            return
        book = Book(opened.database, opened.keys, found.tenant_id)
        typer.echo(_json(printed(book, stream, until=_until(at), day=_day(valid), possible=possible)))


def _check(opened: Service, city: registry.Tenant) -> None:
    lag = caught_up(opened.database, city.tenant_id, seconds=10)
    if lag.error:
        _fail(f"{city.slug}: projection stopped at position {lag.position}: {lag.error}; mend it, then: kyodo rebuild")
    if lag.behind:
        _fail(f"{city.slug}: the read models are {lag.behind} events behind the log; is `kyodo worker` running?")
    differences = check(opened.database, opened.keys, city.tenant_id)
    for difference in differences:
        typer.echo(str(difference))
    if differences:
        _fail(f"{city.slug}: {len(differences)} differences between the read models and a replay of the log")
    say(f"{city.slug}: the read models equal a fresh replay of the log")


def _until(at: str | None) -> int | datetime | None:
    if at is None or at.isdigit():
        return int(at) if at else None
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        example = "2026-04-01T09:00:00+09:00"
        raise typer.BadParameter(f"{at!r} is neither a position nor a moment such as {example}") from None
    if moment.tzinfo is None:
        raise typer.BadParameter(f"{at!r} needs its offset from UTC, for instance {at}+09:00")
    return moment.astimezone(UTC)


def _day(valid: str | None) -> date | None:
    try:
        return date.fromisoformat(valid) if valid else None
    except ValueError:
        raise typer.BadParameter(f"{valid!r} is not a day such as 2005-03-31") from None


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)


@app.command()
def rebuild(
    processes: Annotated[int, typer.Option(min=1, max=64, help="Cities are folded in this many processes.")] = 2,
) -> None:
    """Build every read model anew from the logs beside the old ones, then swap; readers notice nothing."""
    with _open(ready=False) as opened:
        events = rebuild_read_models(opened.owner_url, opened.keys_folder, processes=processes, say=say)
        say(f"{events} events, read models rebuilt")


@app.command()
def doctor() -> None:
    """Examine the installation; exit code 1 when something needs mending."""
    with _open(ready=False) as opened:
        healthy = True
        for finding in examine(opened):
            healthy = healthy and finding.good
            typer.echo(f"{'ok  ' if finding.good else 'MEND'}  {finding.text}")
    if not healthy:
        sys.exit(1)


@app.command()
def commands() -> None:
    """List every command of the domain: name, who may give it, labels, and what it records."""
    for each in COMMANDS:
        typer.echo(f"{each.name}\t{each.actors}\t{each.ja}\t{each.en}\t{each.event_name}")


if __name__ == "__main__":
    main()
