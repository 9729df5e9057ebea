"""Commands of custody: who reads closed texts, what is taken down, erased, and taken away again after a restore."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Annotated
from uuid import UUID

import typer

from domain.errors import NotFound
from gateway.cli.console import City, app, book_of, opened_service, say
from gateway.runtime import Service
from projections.clock import tokyo_today
from projections.erasure import restore as restore_custody
from projections.erasure import scrub
from projections.rebuild import rebuild
from projections.worker import Worker, caught_up
from tenants import registry
from tenants.book import Book
from tenants.city_keys import retire as retire_key
from tenants.city_keys import rewrap
from tenants.custody import Level, Reader
from tenants.custody import accesses as access_log
from tenants.custody import erase as erase_subject
from tenants.custody import told as texts_of
from tenants.custody import withdraw as withdraw_text
from tenants.custody_journal import NAME, Journal, Taken
from tenants.database import Role
from tenants.migrate import pending

key_app = typer.Typer(no_args_is_help=True, help="The keys with which a city's texts are sealed: list, rotate, retire.")
app.add_typer(key_app, name="city-key")

_SECONDS = 10
Who = Annotated[str, typer.Option("--by", help="Who records it: an opaque id of staff, for instance S/officer-12.")]


@app.command()
def texts(
    city: City,
    stream: Annotated[str, typer.Argument(help="A partnership's number, a programme's slug, `city`, or an id.")],
    *,
    level: Annotated[
        Level | None, typer.Option(help="Read closed texts up to this level; it is kept account of.")
    ] = None,
    who: Annotated[str, typer.Option(help="Who reads closed texts.")] = "",
    purpose: Annotated[str, typer.Option(help="What for.")] = "",
    party: Annotated[str | None, typer.Option(help="Whose part a reader of level PARTY takes: name or id.")] = None,
) -> None:
    """List the texts of a record: digest, position, field, who may read it, its condition, and what it says.

    Public texts are anyone's to read. Closed ones need --level, --who and --purpose, and each that is shown is entered
    in the city's access log.
    """
    with opened_service() as opened:
        book = book_of(opened, city)
        reader = None
        if level is not None:
            reader = Reader(level, who, purpose, _party(book, party) if party else None)
        elif who or purpose or party:
            raise typer.BadParameter(
                "name the level up to which closed texts are read: --level PARTY, CITY or PERSONAL"
            )
        for each in texts_of(book, _stream(book, stream), reader):
            text = "-" if each.text is None else _one_line(each.text)
            field = f"{each.event}.{each.field}"
            typer.echo(
                f"{each.digest}\t{each.position}\t{field}\t{each.visibility or '-'}\t{each.condition or '-'}\t{text}"
            )


@app.command()
def withdraw(
    city: City,
    digest: Annotated[str, typer.Argument(help="The digest of the text; `kyodo texts` lists them.")],
    *,
    reason: Annotated[str, typer.Option(help="A code, for instance PERSONAL_DATA.")],
    by: Who,
    note: Annotated[str | None, typer.Option(help="For the city's staff only.")] = None,
) -> None:
    """Take a text from publication at once (公開取下げ): from pages, API, feeds and downloads.

    The city keeps its wording, the log its digest, and others what they copied meanwhile. Safe to run again.
    """
    with opened_service() as opened:
        book = book_of(opened, city)
        receipt = withdraw_text(book, digest, reason=reason, by=by, on=tokyo_today(), note=note)
        _take_effect(opened, book, () if receipt is None else (receipt.first,))
        if receipt is None:
            say(f"{city}: this text was not public (any more), nothing recorded")
        else:
            say(f"{city}: withdrawn at position {receipt.first}")


@app.command()
def erase(
    city: City,
    subject: Annotated[
        str, typer.Argument(help="The person or party: its opaque id, or the city's own name of a party.")
    ],
    *,
    basis: Annotated[str, typer.Option(help="The legal basis, a code, for instance APPI_99.")],
    decided_by: Annotated[str, typer.Option(help="Who decided it: the party's name or id, for instance city.")],
    by: Who,
    approved_by: Annotated[str, typer.Option(help="The second person, who approves it: not the one of --by.")],
    note: Annotated[str | None, typer.Option(help="For the city's staff only.")] = None,
) -> None:
    """Destroy every text of a person or party with its key (消去), after a formal decision and with a second approver.

    Recorded in every record that held such a text, all at once; refused while one of them is under a legal hold. The
    digests stay in the log and every proof stays valid. Backups keep what they hold: see docs/custody.md. Safe to run
    again.
    """
    with opened_service() as opened:
        book = book_of(opened, city)
        erased = erase_subject(
            book,
            subject,
            basis=basis,
            decided_by=decided_by,
            by=by,
            approved_by=approved_by,
            on=tokyo_today(),
            note=note,
        )
        _take_effect(opened, book, erased.positions)
        listed = ", ".join(map(str, erased.positions))
        if erased.repeated:
            say(f"{city}: {subject} was erased before, at position {listed}; nothing recorded")
        else:
            say(f"{city}: {subject} is erased from {len(erased.streams)} records, at position {listed}")
        if erased.mentions:
            say("Other public texts say the same words. Read them, and take from publication what tells of the person:")
        for digest in erased.mentions:
            typer.echo(f"kyodo withdraw {city} {digest} --reason PERSONAL_DATA --by {by}")
        say("Backups, exports and copies made before still hold it; docs/custody.md says where and until when.")


@app.command()
def accesses(city: City) -> None:
    """List who was given which closed text of the city, when and what for, oldest first."""
    with opened_service() as opened:
        found = access_log(opened.database, registry.tenant(opened.database, city).tenant_id)
        for each in found:
            level = each.level if each.party is None else f"{each.level} {each.party}"
            who = (each.number, each.at.isoformat(), _one_line(each.reader), level, _one_line(each.purpose))
            what = (each.stream, each.position, each.digest, each.visibility, each.embargo or "-")
            typer.echo("\t".join(map(str, (*who, *what))))
        say(f"{city}: {len(found)} closed texts were read")


@app.command()
def restore() -> None:
    """After a restore from a backup: take away again what was withdrawn, erased or disposed of, before opening.

    Reads the custody journal in the data folder and the logs themselves, then builds the read models anew. Safe to
    interrupt and to run again.
    """
    with opened_service(ready=False) as opened:
        if pending(opened.owner_url):
            opened.bring_up(say)
        again = restore_custody(opened.database, opened.keys, _journal(opened), say)
        say(f"{again} texts had come back and are gone again" if again else "nothing had come back")


@key_app.command("list")
def key_list() -> None:
    """List the versions of each city's key, with the number of subjects whose keys each wraps."""
    with opened_service() as opened:
        for city in registry.tenants(opened.database):
            with opened.database.tenant(Role.APP, city.tenant_id) as connection:
                rows = connection.execute(
                    "SELECT key_version, count(*) FROM subject_key WHERE tenant_id = %s GROUP BY 1", (city.tenant_id,)
                ).fetchall()
            wraps = dict(rows)
            for version in sorted({*opened.keys.versions(city.tenant_id), *wraps}):
                path = opened.keys.path(city.tenant_id, version)
                typer.echo(f"{city.slug}\t{version}\t{wraps.get(version, 0)}\t{path if path.exists() else 'MISSING'}")


@key_app.command("rotate")
def key_rotate(
    city: City,
    *,
    rewrap_only: Annotated[bool, typer.Option(help="Make no new version: go on where an earlier run ended.")] = False,
) -> None:
    """Make a new version of a city's key, and wrap the keys of all its subjects by it. Texts stay as they are.

    Version 1 stays, as it makes the opaque ids in the log. Back up the key folder first and afterwards.
    """
    with opened_service() as opened:
        tenant = registry.tenant(opened.database, city).tenant_id
        version = opened.keys.newest(tenant) if rewrap_only else opened.keys.rotate(tenant)
        say(f"{city}: version {version} is in {opened.keys.path(tenant, version)}; back it up now")
        done = 0
        for done, total in rewrap(opened.database, opened.keys, tenant):
            say(f"{city}: {done} of {total} keys wrapped anew")
        say(f"{city}: {done} keys wrapped anew, version {version} wraps all")


@key_app.command("retire")
def key_retire(
    city: City, version: Annotated[int, typer.Argument(help="The version; 1 and the newest cannot be retired.", min=1)]
) -> None:
    """Destroy an old version of a city's key that wraps nothing any more.

    Texts in backups whose keys it wrapped can never be opened again, once its copies in backups of the key folder are
    destroyed as well.
    """
    with opened_service() as opened:
        retire_key(opened.database, opened.keys, registry.tenant(opened.database, city).tenant_id, version)
        say(f"{city}: version {version} is destroyed here; destroy its copies in backups of the key folder too")


def _take_effect(opened: Service, book: Book, positions: Iterable[int]) -> None:
    """Bring what was recorded to the journal, the read models and the disk, whoever projects this city."""
    taken = (Taken.by(book.tenant, book.at(position)) for position in positions)
    _journal(opened).note(each for each in taken if each is not None)
    Worker(opened.database, opened.keys).catch_up()
    lag = caught_up(opened.database, book.tenant, seconds=_SECONDS)
    if lag.behind:
        # A city that is stopped, or waits for somebody, is not brought up by events; a rebuild shows what may be read.
        say("the read models are not up to date: building them anew")
        rebuild(opened.owner_url, opened.keys_folder, processes=2, say=say)
    say("clearing away what the database keeps of it on disk")
    scrub(opened.owner_url)


def _journal(opened: Service) -> Journal:
    return Journal(opened.settings.data_dir / NAME)


def _stream(book: Book, name: str) -> UUID:
    candidates = [book.stream(kind, name) for kind in ("partnership", "programme")]
    candidates += [book.stream("city")] if name == "city" else []
    with suppress(ValueError):
        candidates.append(UUID(name))
    for candidate in candidates:
        if book.history(candidate) is not None:
            return candidate
    raise NotFound(what="stream", name=f"{name!r} (a partnership's number, a programme's slug, city, or an id)")


def _party(book: Book, name: str) -> UUID:
    with suppress(ValueError):
        return UUID(name)
    return book.keys.opaque(book.tenant, f"party:{name}")


def _one_line(text: str) -> str:
    return " ".join(text.split())
