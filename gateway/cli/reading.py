"""Commands that read the record back: replay, anomalies."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, date, datetime
from typing import Annotated

import typer

from gateway.cli.console import City, app, as_json_text, book_of, fail, opened_service, say
from gateway.replay import printed
from gateway.runtime import Service
from projections.replay import anomalous, check
from projections.worker import caught_up
from tenants import registry
from tenants.anomalies import anomalies as explained
from tenants.book import Book
from tenants.database import Role
from tenants.disclosures import public_texts


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
    with opened_service() as opened:
        found = registry.tenant(opened.database, city)
        if check_:
            _check(opened, found)
            return
        book = Book(opened.database, opened.keys, found.tenant_id)
        typer.echo(as_json_text(printed(book, stream, until=_until(at), day=_day(valid), possible=possible)))


def _check(opened: Service, city: registry.Tenant) -> None:
    lag = caught_up(opened.database, city.tenant_id, seconds=10)
    if lag.error:
        fail(f"{city.slug}: projection stopped at position {lag.position}: {lag.error}; mend it, then: kyodo rebuild")
    if lag.behind:
        fail(f"{city.slug}: the read models are {lag.behind} events behind the log; is `kyodo worker` running?")
    differences = check(opened.database, opened.keys, city.tenant_id)
    for difference in differences:
        typer.echo(str(difference))
    if differences:
        fail(f"{city.slug}: {len(differences)} differences between the read models and a replay of the log")
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


@app.command()
def anomalies(
    city: City,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print them as JSON.")] = False,
) -> None:
    """List what an earlier record tells although a rule forbids it, each with the rule and why it is broken."""
    with opened_service() as opened:
        book = book_of(opened, city)
        streams = anomalous(opened.database, book.tenant)
        with opened.database.tenant(Role.APP, book.tenant) as connection:
            texts = public_texts(connection, opened.keys, book.tenant, streams)
        found = list(explained(book, streams, texts))
        if as_json:
            typer.echo(as_json_text([asdict(each) | {"stream": streams[each.stream]} for each in found]))
            return
        for each in found:
            typer.echo(f"{streams[each.stream]}\t{each.label} {each.event}\t{each.valid}\t{each.rule}")
            for line in (each.why, each.why_ja, each.inferred_from):
                typer.echo(f"\t{line}" if line else "", nl=bool(line))
            typer.echo(f"\tposition {each.position} of the log, source {each.source or 'not named'}")
        counted = {0: "no anomalies", 1: "1 anomaly, accepted because it happened"}
        say(f"{city}: {counted.get(len(found), f'{len(found)} anomalies, accepted because they happened')}")
