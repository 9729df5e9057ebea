"""The state that every public answer is computed from, in a few bytes: equal states give equal answers."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from projections.catalogue import SCHEMA
from projections.clock import tokyo_today

if TYPE_CHECKING:
    from tenants.database import Connection

_VERSION = version("kyodo-ledger")

# The registry is no read model, and rebuilt tables may answer otherwise at the same positions.
_STATE = f"""
    SELECT concat((SELECT concat(fingerprint, ' ', built_at) FROM {SCHEMA}.built), ' ',
                  md5(string_agg(concat(t, ' ', k.position), E'\\n' ORDER BY t.tenant_id)))
      FROM tenant t LEFT JOIN {SCHEMA}.tracking k USING (tenant_id)
"""


def state(connection: Connection) -> str:
    """Changes when a city is registered or projected further, with a rebuild, a release, or the day in Japan.

    What a text says counts too: it changes by an event, or by a rebuild after a restored backup.
    """
    row = connection.execute(_STATE).fetchone()
    return f"{_VERSION} {tokyo_today()} {row[0] if row else ''}"
