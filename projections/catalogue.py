"""Every read model, and the schema that holds their tables."""

from __future__ import annotations

import hashlib

from projections.anomalies import ANOMALIES
from projections.cities import CITIES, PROGRAMMES
from projections.participations import PARTICIPATIONS
from projections.partnerships import PARTIES, PARTNERSHIPS
from projections.timeline import TIMELINE

READ_MODELS = (CITIES, PROGRAMMES, PARTNERSHIPS, PARTIES, PARTICIPATIONS, TIMELINE, ANOMALIES)

TRACKING = (
    "tenant_id uuid PRIMARY KEY, position bigint NOT NULL, updated_at timestamptz NOT NULL DEFAULT now(),"
    " error text, clock_day date"
)
"""Up to which position each city is projected, what stopped it, and on which day the clock last struck for it."""

SCHEMA = "read_model"
"""The schema that readers see; a rebuild fills another one beside it, which then takes this name."""


def fingerprint() -> str:
    """Changes with every declaration: tables of another fingerprint have to be rebuilt."""
    parts = [TRACKING] + [part for model in READ_MODELS for part in (model.ddl(SCHEMA), *model.index_ddl(SCHEMA))]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
