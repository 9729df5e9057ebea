"""Commands that enter something: cities, programmes, case files, single commands; and what can be entered."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from domain.commands import COMMANDS
from domain.errors import NotFound
from gateway.cli.console import City, app, book_of, fail, opened_service, say
from gateway.demo import folder_of
from gateway.docs import write as write_docs
from projections.worker import Worker
from tenants import registry
from tenants.cases import import_cases as enter_cases
from tenants.database import Role
from tenants.disclosures import public_texts
from tenants.programmes import changes, check_programme
from tenants.recording import read_entries
from tenants.recording import record as give

programme_app = typer.Typer(no_args_is_help=True, help="Programmes (制度): check a file, compare versions.")
app.add_typer(programme_app, name="programme")
tenant_app = typer.Typer(no_args_is_help=True, help="The cities of this installation.")
app.add_typer(tenant_app, name="tenant")


@tenant_app.command("list")
def tenant_list() -> None:
    """List the registered cities."""
    with opened_service() as opened:
        for city in registry.tenants(opened.database):
            typer.echo(f"{city.slug}\t{city.municipal_code}\t{city.name_ja}\t{city.name_en}\t{city.tenant_id}")


@tenant_app.command("add")
def tenant_add(
    folder: Annotated[Path, typer.Argument(help="A folder with city.toml and programmes/*.toml.")],
) -> None:
    """Register a city with its sources and programmes; a city that is registered already stays as it is."""
    with opened_service() as opened:
        city, receipt = registry.register(opened.database, opened.keys, folder)
        Worker(opened.database, opened.keys).catch_up()
        opened.make_log_keys()
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
        fail(f"{wrong} problems")


@programme_app.command("diff")
def programme_diff(
    city: City,
    programme: Annotated[str, typer.Argument(help="The programme's slug, for instance guideline.")],
    old: Annotated[int, typer.Argument(help="A version.", min=1)],
    new: Annotated[int, typer.Argument(help="Another version.", min=1)],
) -> None:
    """Show what changed between two versions of a programme: `-` was so, `+` is so."""
    with opened_service() as opened:
        book = book_of(opened, city)
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


@app.command("import-cases")
def import_cases(
    city: City,
    file: Annotated[Path | None, typer.Argument(help="The city's case file; default: the shipped one.")] = None,
) -> None:
    """Enter a city's case file: whole or not at all; the same file again adds nothing."""
    with opened_service() as opened:
        book = book_of(opened, city)
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
    with opened_service() as opened:
        receipt = give(book_of(opened, city), entries)
        Worker(opened.database, opened.keys).catch_up()
        if receipt.repeated:
            say(f"{city}: recorded before at positions {receipt.first}-{receipt.last}, nothing added")
        else:
            say(f"{city}: {len(entries)} recorded at positions {receipt.first}-{receipt.last}")


@app.command()
def commands() -> None:
    """List every command of the domain: name, who may give it, labels, and what it records."""
    for each in COMMANDS:
        typer.echo(f"{each.name}\t{each.actors}\t{each.ja}\t{each.en}\t{each.event_name}")


@app.command()
def docs(
    folder: Annotated[Path, typer.Argument(help="Where the pages are written.")] = Path("docs"),
    *,
    example: Annotated[Path | None, typer.Option(help="The folder of the worked example.")] = None,
) -> None:
    """Write the reference of events, programme format, refusals and life-cycle from the code. Needs no database."""
    write_docs(folder, example or folder / "worked-example")
    say(f"{folder}: written")
