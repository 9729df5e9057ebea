"""The registry of cities: for each an opaque permanent id, slug, municipal code and names; and how a city comes in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from psycopg.errors import UniqueViolation

from domain.errors import DomainError, NotFound
from domain.event import Mode
from tenants.book import Book, Request
from tenants.programmes import InvalidFile, load_city, load_programmes

if TYPE_CHECKING:
    from pathlib import Path

    from tenants.book import Plan, Receipt
    from tenants.city_keys import CityKeys
    from tenants.database import Database
    from tenants.programmes import CityFile, Dated, ProgrammeFile

ADMIN = "T/registry"


@dataclass(frozen=True, slots=True)
class Tenant:
    """A registered city."""

    tenant_id: UUID
    slug: str
    municipal_code: str
    name_ja: str
    name_en: str


def tenants(database: Database) -> list[Tenant]:
    """Every registered city, by municipal code."""
    with database.app() as connection:
        rows = connection.execute(
            "SELECT tenant_id, slug, municipal_code, name_ja, name_en FROM tenant ORDER BY municipal_code, slug"
        ).fetchall()
    return [Tenant(*row) for row in rows]


def tenant(database: Database, slug: str) -> Tenant:
    """The city of that slug; NotFound lists the slugs that exist."""
    known = tenants(database)
    for candidate in known:
        if candidate.slug == slug:
            return candidate
    listed = ", ".join(city.slug for city in known) or "none is registered yet"
    raise NotFound(what="city", name=f"{slug!r} (known: {listed})")


def register(database: Database, keys: CityKeys, folder: Path) -> tuple[Tenant, Receipt]:
    """Register the city of `folder` with its sources and programmes; safe to run again, nothing is entered twice.

    Raises InvalidFile when one of the files is wrong; nothing is entered then.
    """
    city = load_city(folder)
    programmes = load_programmes(folder)
    registered = _row(database, city)
    book = Book(database, keys, registered.tenant_id)
    if book.recorder.max_notification_id() is None:
        keys.create(registered.tenant_id)
    plan = book.plan()
    stream = book.stream("city")
    if book.history(stream) is None:
        named = city.model_dump(include={"slug", "municipal_code", "name_ja", "name_en"})
        plan.add(stream, _request("state-city-attribute", named, {"edtf": "XXXX", "certainty": "NOT_STATED"}))
        for source in city.sources:
            plan.add(stream, _dated("register-source", source.data(), source))
        for programme in programmes:
            _define(plan, book.stream("programme", programme.programme), programme, folder)
    return registered, plan.commit(key="register-city")


def _row(database: Database, city: CityFile) -> Tenant:
    try:
        return tenant(database, city.slug)
    except NotFound:
        pass
    try:
        with database.app() as connection:
            connection.execute(
                "SELECT register_tenant(%s, %s, %s, %s, %s, 'MUNICIPALITY')",
                (uuid4(), city.slug, city.municipal_code, city.name_ja, city.name_en),
            )
    except UniqueViolation:
        pass  # Another process registered it in between; its row is the one that counts.
    return tenant(database, city.slug)


def _define(plan: Plan, stream: UUID, programme: ProgrammeFile, folder: Path) -> None:
    for command, version, data in programme.commands():
        try:
            plan.add(stream, _dated(command, data, version))
        except DomainError as refused:
            place = f"programme {programme.programme}, version {version.version}"
            raise InvalidFile(f"{folder / 'programmes'}, {place}: {refused}") from refused


def _dated(command: str, data: dict[str, Any], dated: Dated) -> Request:
    return _request(command, data, dated.valid_time())


def _request(command: str, data: dict[str, Any], valid: dict[str, Any]) -> Request:
    role = "S" if command == "register-source" else "T"
    return Request(
        command=command, data=data, valid=valid, mode=Mode.RETROACTIVE, actor=f"{role}/registry", recorded_by=ADMIN
    )
