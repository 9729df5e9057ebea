"""A transaction that would write, for tests of who may: a login that is read-only by itself proves nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from tenants.database import Connection, Database, Role, set_tenant


@contextmanager
def writing(database: Database, role: Role, city: UUID) -> Iterator[Connection]:
    """Sees one city; rolled back at the end."""
    with database.connection(role) as connection:
        connection.execute(f"BEGIN READ WRITE; {set_tenant(city)}")
        try:
            yield connection
        finally:
            connection.rollback()
