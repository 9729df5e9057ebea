"""Every read model, and the schema that holds their tables."""

from __future__ import annotations

import hashlib

from projections.cities import CITIES, PROGRAMMES
from projections.partnerships import PARTIES, PARTNERSHIPS
from projections.timeline import TIMELINE

READ_MODELS = (CITIES, PROGRAMMES, PARTNERSHIPS, PARTIES, TIMELINE)

SCHEMA = "read_model"
"""The schema that readers see; a rebuild fills another one beside it, which then takes this name."""


def fingerprint() -> str:
    """Changes with every declaration: tables of another fingerprint have to be rebuilt."""
    parts = [part for model in READ_MODELS for part in (model.ddl(SCHEMA), *model.index_ddl(SCHEMA))]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
