"""Stored events of every kind, in any order: all of them fold, and folding everything equals going on step by step."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.commands import parse
from domain.event import Event, Meta, Mode
from domain.history import History, Recorded, advance, fold
from domain.partnership.state import Partnership, PartnershipEvent

FILES = sorted((Path(__file__).parent / "stored").glob("*.json"))
STORED = [
    (name, parse(name, int(schema), path.read_bytes())) for path in FILES for name, schema in [path.stem.split(".")]
]
EVENTS = [
    (name, event.model_copy(update={"placed_after": None}))
    for name, event in STORED
    if isinstance(event, PartnershipEvent)
]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(EVENTS), st.none() | st.integers(1, 30)), max_size=30))
def test_events_fold_in_any_order(events: list[tuple[tuple[str, Event], int | None]]) -> None:
    history = History(Partnership())
    for version, ((name, event), after) in enumerate(events, start=1):
        new = Recorded(
            name=name,
            event=event.model_copy(update={"placed_after": after if after and after < version else None}),
            meta=Meta(mode=Mode.IMPORT, actor="S", recorded_by="S/test"),
            stream=UUID(int=0),
            version=version,
            position=version,
            recorded_at=datetime(2026, 4, 1, tzinfo=UTC),
        )
        history = advance(history, new)
    assert history == fold(Partnership(), history.recorded)
    assert len(history.state.anomalies) == len(events)
