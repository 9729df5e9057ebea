"""What every command of the line stands on: the application, errors that are explained, progress, an open service."""

from __future__ import annotations

import json
import logging
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, NoReturn

import typer
from eventsourcing.persistence import PersistenceError

from domain.errors import DomainError
from gateway.runtime import NotReady, Service, service
from gateway.settings import Settings
from tenants import registry
from tenants.archive.format import ArchiveError
from tenants.book import Book, HistoryBroken
from tenants.cases import BadCase
from tenants.city_keys import KeyUnusable
from tenants.custody_journal import JournalDamaged
from tenants.database import DatabaseUnavailable, TooMuchPrivilege
from tenants.disclosures import DisclosureAltered
from tenants.embedded_system import EmbeddedError
from tenants.key_files import KeyExposed
from tenants.ledger.keys import LogKeyMissing, SignedTreeUnreadable
from tenants.ledger.note import NoteWrong
from tenants.ledger.policy import PolicyWrong
from tenants.ledger.publish import HistoryChanged
from tenants.ledger.store import LogDamaged, NotInLog
from tenants.migrate import MigrationRefused
from tenants.programmes import InvalidFile
from tenants.recording import BadEntry

app = typer.Typer(
    name="kyodo",
    help="Kyōdō Ledger 協働台帳: the system of record for partnerships between citizens and their city governments.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
City = Annotated[str, typer.Argument(help="The city's slug, for instance yamato.")]

EXPLAINED = (
    ArchiveError,
    BadCase,
    BadEntry,
    DatabaseUnavailable,
    DisclosureAltered,
    DomainError,
    EmbeddedError,
    HistoryBroken,
    HistoryChanged,
    InvalidFile,
    JournalDamaged,
    KeyExposed,
    KeyUnusable,
    LogDamaged,
    LogKeyMissing,
    MigrationRefused,
    NotInLog,
    NoteWrong,
    NotReady,
    PersistenceError,
    PolicyWrong,
    SignedTreeUnreadable,
    TooMuchPrivilege,
)
"""Errors whose message says what is wrong, where, and how to mend it."""


def fail(message: str) -> NoReturn:
    sys.stderr.write(f"kyodo: {message}\n")
    sys.exit(1)


def say(message: str) -> None:
    """Progress, on standard error: standard output is for results."""
    sys.stderr.write(f"{message}\n")
    sys.stderr.flush()


@contextmanager
def opened_service(*, ready: bool = True) -> Iterator[Service]:
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


def book_of(opened: Service, city: str) -> Book:
    return Book(opened.database, opened.keys, registry.tenant(opened.database, city).tenant_id)


def as_json_text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)
