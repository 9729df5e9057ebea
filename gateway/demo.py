"""`kyodo demo`: five cities with their programmes and cases, and four that join one of them, by ordinary commands."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from gateway.runtime import Say, Service
from projections.worker import Worker
from tenants.book import Book
from tenants.cases import import_cases, import_key, load_cases
from tenants.registry import register

CITIES = ("yamato", "higashikurume", "yokohama", "okayama", "kawasaki")
"""The five systems."""

JOINED = ("kodaira", "nishitokyo", "higashimurayama", "kiyose")
"""Cities that only confirm their part in a joint partnership that one of the five records."""


def folder_of(city: str) -> Path:
    """The shipped files of a city."""
    return Path(str(files("tenants").joinpath(city)))


def enter_cities(service: Service, say: Say) -> int:
    """Register the cities and enter their cases; returns the number of events added."""
    added = 0
    for city in (*CITIES, *JOINED):
        tenant, registered = register(service.database, service.keys, folder_of(city))
        book = Book(service.database, service.keys, tenant.tenant_id)
        if holds_an_earlier_edition(book, folder_of(city) / "cases.json"):
            say(f"{tenant.name_ja} ({tenant.name_en}): an earlier edition was entered before, left as it is")
            continue
        imported = import_cases(book, city, folder_of(city) / "cases.json")
        new = sum(0 if r.repeated else r.last - r.first + 1 for r in (registered, imported.receipt))
        added += new
        entered = f"{new} events entered" if new else "entered before"
        say(f"{tenant.name_ja} ({tenant.name_en}): {imported.cases} cases, {imported.facts} facts, {entered}")
        for case, event, rule in imported.anomalies:
            say(f"  noted as an anomaly: {case}, {event}: {rule}")
    return added


def holds_an_earlier_edition(book: Book, path: Path) -> bool:
    """Whether cases of the file stand in the log although this edition of the file was never entered."""
    file, text = load_cases(path)
    if book.entered(import_key(text)) is not None:
        return False
    return any(book.history(book.stream("partnership", case.case)) is not None for case in file.cases)


def prepare(service: Service, say: Say) -> int:
    """Everything that `kyodo demo` does before it serves; safe to run again and to interrupt anywhere."""
    service.bring_up(say)
    service.require_ready()
    added = enter_cities(service, say)
    projected = Worker(service.database, service.keys).catch_up()
    say(f"{added} events added, {projected} projected into the read models")
    service.make_log_keys()
    say(f"{service.publisher().publish()} checkpoints signed")
    return added
