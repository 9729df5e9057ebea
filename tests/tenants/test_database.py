"""The connections that the service hands out."""

from __future__ import annotations

import pytest

from tenants.database import Database, Role


@pytest.mark.parametrize("role", Role)
def test_no_connection_compiles_its_statements_and_all_keep_universal_time(database: Database, role: Role) -> None:
    """A server that compiles by default took four seconds for a metric that is computed in 0.1."""
    with database.connection(role) as connection:
        assert connection.execute("SELECT current_setting('jit'), current_setting('timezone')").fetchone() == (
            "off",
            "UTC",
        )
