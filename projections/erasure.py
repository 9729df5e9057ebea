"""What is left to do where texts were taken away: dead rows, the planner's samples, a database from a backup."""

from __future__ import annotations

from typing import TYPE_CHECKING

from projections.catalogue import READ_MODELS, SCHEMA
from projections.rebuild import rebuild
from tenants.custody_journal import reapply
from tenants.database import connect

if TYPE_CHECKING:
    from collections.abc import Callable

    from tenants.city_keys import CityKeys
    from tenants.custody_journal import Journal
    from tenants.database import Database

_TABLES = ("disclosure", "subject_key", *(f"{SCHEMA}.{model.name}" for model in READ_MODELS))


def scrub(owner_url: str) -> None:
    """Clear away what PostgreSQL keeps of texts that are gone: dead rows, and samples of values for its planner.

    Best effort: rows that an open transaction may still see stay, and freed space is overwritten only when it is used
    again. `rebuild` writes every table and index of the read models anew.
    """
    with connect(owner_url) as connection:
        for table in _TABLES:
            connection.execute(f"VACUUM (ANALYZE) {table}")
        # The samples lie in rows of their own, whose earlier versions are dead now. Only who owns the database may.
        connection.execute("VACUUM pg_catalog.pg_statistic")


def restore(database: Database, keys: CityKeys, journal: Journal, say: Callable[[str], None]) -> int:
    """Make a database that came out of a backup fit to be opened; the number of texts that had to go again.

    Nothing counts as ready before the end (`is_current` is false from the start), so that it can be interrupted at any
    point and run again. Raises JournalDamaged and JournalUnwritable.
    """
    owner_url = database.urls.owner
    with connect(owner_url) as connection:
        found = connection.execute("SELECT to_regclass(%s) IS NOT NULL", (f"{SCHEMA}.built",)).fetchone()
        if found == (True,):
            connection.execute(f"DELETE FROM {SCHEMA}.built")
    again = reapply(database, journal, say)
    say("building the read models anew")
    rebuild(owner_url, keys.folder, say=say)
    scrub(owner_url)
    return again
