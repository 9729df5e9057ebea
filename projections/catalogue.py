"""Every read model, and the schema that holds their tables."""

from __future__ import annotations

import hashlib

from projections.agreements import AGREEMENTS
from projections.anomalies import ANOMALIES
from projections.calls import CALLS
from projections.cities import CITIES, PROGRAMMES
from projections.evaluations import EVALUATIONS
from projections.facilities import FACILITIES, FEES
from projections.facts import COVERAGE, FACTS
from projections.money import MONEY
from projections.participations import PARTICIPATIONS
from projections.partnerships import PARTIES, PARTNERSHIPS
from projections.proposals import PROPOSALS
from projections.roles import ROLES
from projections.timeline import TIMELINE

READ_MODELS = (
    CITIES,
    PROGRAMMES,
    CALLS,
    PARTNERSHIPS,
    PARTIES,
    PROPOSALS,
    AGREEMENTS,
    ROLES,
    FACILITIES,
    FEES,
    MONEY,
    EVALUATIONS,
    PARTICIPATIONS,
    TIMELINE,
    FACTS,
    COVERAGE,
    ANOMALIES,
)

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
