"""Commands of the ledger: verify, and the keys that sign the logs."""

from __future__ import annotations

import sys
from typing import Annotated
from uuid import UUID

import typer

from gateway.cli.console import app, fail, opened_service, say
from gateway.runtime import Service
from tenants import registry
from tenants.ledger import verify as verifier
from tenants.ledger.store import ROOT_LOG, ROOT_NAME, PublishedLog

keys_app = typer.Typer(no_args_is_help=True, help="The keys that sign the logs (署名鍵): make, rotate, retire, list.")
app.add_typer(keys_app, name="keys")

LogName = Annotated[str, typer.Argument(help="A city's slug, or root.")]


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
    help="Check a log, an archive or a proof; needs no database. Run `kyodo verify --help` for its options.",
)
def verify(context: typer.Context) -> None:
    """Hand everything to the verifier, which also runs alone as one file."""
    sys.exit(verifier.main(context.args))


@app.command()
def publish() -> None:
    """Sign what is new in every log now, without waiting for the worker's next round."""
    with opened_service() as opened:
        opened.make_log_keys()
        made = opened.publisher().publish()
        say(f"{made} checkpoints signed" if made else "nothing new to sign")


@keys_app.command("create")
def keys_create() -> None:
    """Make a key for every log that has none; never replaces one."""
    with opened_service() as opened:
        made = opened.make_log_keys()
        for origin in made:
            say(f"{origin}: key made")
        say(f"{len(made)} keys made in {opened.log_keys.folder}; keep a copy where nobody else can read it")


@keys_app.command("list")
def keys_list() -> None:
    """Print each log's verifier keys, the one that signs now last; `here` where this machine can sign with it."""
    with opened_service() as opened:
        for name, log in _logs(opened).items():
            here = {each.verifier.vkey for each in opened.log_keys.signers(log)} if opened.log_keys.has(log) else set()
            used = PublishedLog(opened.database, log).keys()
            for vkey in [*used, *sorted(here - set(used))]:
                state = "here" if vkey in here else "not here"
                typer.echo(f"{name}\t{vkey}\t{state}\t{'signs' if vkey in used else 'not used yet'}")


@keys_app.command("rotate")
def keys_rotate(log: LogName) -> None:
    """Make a new key for a log. Old and new one sign together from the next checkpoint on, until the old is retired."""
    with opened_service() as opened:
        signer = opened.log_keys.rotate(_log(opened, log))
        say(f"{log}: from the next checkpoint on it is signed by this key too; make it known, then: kyodo keys retire")
        typer.echo(signer.verifier.vkey)


@keys_app.command("retire")
def keys_retire(log: LogName) -> None:
    """Destroy a log's former keys. Whoever knows only these can no longer verify checkpoints from then on."""
    with opened_service() as opened:
        signed_log = _log(opened, log)
        newest = opened.log_keys.signers(signed_log)[-1].verifier.vkey
        used = PublishedLog(opened.database, signed_log).keys()
        if newest not in used:
            fail(f"{log}: nothing is signed by the new key yet; wait for the next checkpoint")
        retired = opened.log_keys.retire(signed_log)
        for each in retired:
            say(f"{log}: {each.verifier.vkey} destroyed")
        if not retired:
            say(f"{log}: has one key only, nothing to retire")


def _logs(opened: Service) -> dict[str, UUID]:
    return {ROOT_NAME: ROOT_LOG, **{city.slug: city.tenant_id for city in registry.tenants(opened.database)}}


def _log(opened: Service, name: str) -> UUID:
    return ROOT_LOG if name == ROOT_NAME else registry.tenant(opened.database, name).tenant_id
