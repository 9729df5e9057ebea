"""Commands by which a city leaves with its history, and comes in with it."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from gateway.cli.console import City, app, fail, opened_service, say
from gateway.runtime import Service
from projections.worker import Worker
from tenants import registry
from tenants.archive.export import Closed
from tenants.archive.export import export as write_archive
from tenants.archive.format import Product
from tenants.archive.importing import Imported, import_archive
from tenants.archive.transfer import TransferKey
from tenants.custody import EXPORT, Level, Reader
from tenants.ledger.note import NoteWrong, Verifier
from tenants.ledger.store import PublishedLog

PRODUCT = "kyodo-ledger"

KeyFile = Annotated[
    Path | None,
    typer.Option("--transfer-key", help="The file of the key under which closed texts travel; `export` makes it."),
]


@app.command()
def export(
    city: City,
    file: Annotated[Path | None, typer.Argument(help="Default: CITY-SIZE.tar.gz in this folder.")] = None,
    *,
    level: Annotated[
        Level | None, typer.Option(help="Take closed texts along too, sealed, up to this level. Default: public only.")
    ] = None,
    who: Annotated[str, typer.Option(help="Who takes them, for the access log.")] = "",
    purpose: Annotated[
        str, typer.Option(help=f"What for, for the access log. PERSONAL for {EXPORT!r} is everything: the city leaves.")
    ] = "",
    party: Annotated[UUID | None, typer.Option(help="Whose part a reader of level PARTY takes.")] = None,
    transfer_key: KeyFile = None,
) -> None:
    """Write a city's archive: its signed log, its programmes, its texts. Interrupted, run it again: it goes on."""
    if level is None and (who or purpose or party or transfer_key):
        raise typer.BadParameter("--who, --purpose, --party and --transfer-key go with --level")
    if level is not None and transfer_key is None:
        raise typer.BadParameter("--level needs --transfer-key: closed texts leave sealed")
    with opened_service() as opened:
        found = registry.tenant(opened.database, city)
        opened.make_log_keys()
        signers = opened.log_keys.signers(found.tenant_id)
        opened.publisher().publish_city(found.tenant_id)
        closed = None
        if level is not None and transfer_key is not None:
            # Whoever reads is named before a key is made for it.
            reader = Reader(level, who, purpose, party)
            key, made = TransferKey.made(transfer_key)
            closed = Closed(reader, key)
            if made:
                say(f"{transfer_key}: transfer key made; hand it to the receiver on another way than the archive")
        path = file or Path(f"{city}-{_published_size(opened, found.tenant_id)}.tar.gz")
        done = write_archive(
            opened.database, opened.keys, signers, found.tenant_id, path, product=_product(), closed=closed
        )
        if done.kept:
            say(f"{done.kept} members of an interrupted export kept")
        say(
            f"{path}: {done.size} events, {done.public} public texts, {done.closed} closed ones; root {done.root.hex()}"
        )
        typer.echo(path)


def _published_size(opened: Service, tenant: UUID) -> int:
    published = PublishedLog(opened.database, tenant).checkpoint()
    return published.size if published else 0


def _product() -> Product:
    return Product(name=PRODUCT, version=version(PRODUCT))


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="An archive that `kyodo export` wrote.")],
    *,
    key: Annotated[
        str | None, typer.Option(help="The log's verifier key (vkey) or a file that holds it, known from elsewhere.")
    ] = None,
    transfer_key: KeyFile = None,
    complete: Annotated[
        bool, typer.Option("--complete", help="Add what is missing to a city that is here with an older state.")
    ] = False,
    restart: Annotated[
        bool, typer.Option("--restart", help="Discard what an unfinished import of another history left.")
    ] = False,
) -> None:
    """Bring a city in from its archive, verified first: whole or not at all. Interrupted, run it again: it goes on."""
    verifier = _verifier(key) if key else None
    sealed_with = TransferKey.read(transfer_key) if transfer_key else None
    with opened_service() as opened:
        say("verifying the archive")
        done = import_archive(
            opened.database,
            opened.keys,
            opened.log_keys,
            file,
            key=verifier,
            transfer_key=sealed_with,
            complete=complete,
            restart=restart,
        )
        Worker(opened.database, opened.keys).catch_up()
        _tell(done, trusted=verifier is not None)


def _verifier(key: str) -> Verifier:
    path = Path(key)
    try:
        return Verifier.of(path.read_text(encoding="utf-8") if path.is_file() else key)
    except (NoteWrong, OSError, UnicodeDecodeError) as wrong:
        fail(f"--key {key}: neither a verifier key nor a file that holds one: {wrong}")


def _tell(done: Imported, *, trusted: bool) -> None:
    archive = done.archive
    slug, size = archive.city.slug, archive.log.size
    if not trusted:
        say(f"sealed with {done.signed_by}, which the archive itself brought: compare it with a copy that you trust")
    if done.new_key is not None:
        say(f"{archive.log.origin} is signed here from its next checkpoint on; make its new key known: {done.new_key}")
    if done.first is None:
        more = f", and {done.ahead} events more" if done.ahead else ""
        say(f"{slug}: the archive's {size} events are here already{more}; nothing was added")
        return
    say(f"{slug}: {size - done.first + 1} events added up to position {size}, {done.texts} texts; the root is the same")
    closed = archive.disclosures.closed
    if closed and not done.opened:
        say(f"{closed} closed texts did not come in: they are sealed, and no --transfer-key was given")
    if not done.same_ids:
        say(
            "the secret of the city's opaque ids did not come along: a party that is named again by the city's own"
            " short name gets a new id, and cannot be joined to the one it had"
        )
