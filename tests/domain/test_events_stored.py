"""Events as they were once stored are read for ever: `stored/<event>.<schema>.json` holds each as the log kept it.

A file here is never changed. A new event, or a new schema version of one, brings a file of its own.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import rfc8785

from domain.commands import BY_EVENT, COMMANDS, parse
from domain.event import Meta
from domain.history import EventCorrected, Recorded, fold
from domain.partnership.agreement import AgreementConcluded
from domain.partnership.state import Partnership
from domain.vocabulary import FormCode, Status

STORED = {path.stem: path.read_bytes().strip() for path in sorted((Path(__file__).parent / "stored").glob("*.json"))}
EACH = pytest.mark.parametrize("stored", STORED)


def read(stored: str) -> Any:
    name, schema = stored.rsplit(".", 1)
    return parse(name, int(schema), STORED[stored])


def test_every_schema_version_of_every_event_is_kept() -> None:
    assert set(STORED) == {f"{row.event_name}.{n}" for row in COMMANDS for n in range(1, row.schema + 1)}


def keeps(shown: Any, kept: Any) -> bool:
    if isinstance(kept, dict):
        return isinstance(shown, dict) and all(keeps(shown.get(name), value) for name, value in kept.items())
    if isinstance(kept, list):
        same = isinstance(shown, list) and len(shown) == len(kept)
        return same and all(keeps(*pair) for pair in zip(shown, kept, strict=True))
    return bool(shown == kept)


@EACH
def test_a_stored_event_is_canonical_json(stored: str) -> None:
    assert rfc8785.dumps(json.loads(STORED[stored])) == STORED[stored]


@EACH
def test_a_stored_event_is_read_whole(stored: str) -> None:
    name, schema = stored.rsplit(".", 1)
    event = read(stored)
    assert type(event) is BY_EVENT[name].event
    if int(schema) == BY_EVENT[name].schema and name != "EventCorrected":
        kept = json.loads(STORED[stored])
        shown = event.model_dump(mode="json", exclude_none=True)
        assert keeps(shown, kept), "what was stored is all there; later releases may have added fields"


def test_an_agreement_of_the_first_schema_is_read_with_its_forms_as_codes() -> None:
    assert read("AgreementConcluded.1") == read("AgreementConcluded.2")
    event: AgreementConcluded = read("AgreementConcluded.1")
    assert [form.codes for form in event.forms] == [(FormCode.COMMISSION,), (FormCode.SUBSIDY,)]


def test_an_agreement_without_forms_needs_no_upcast() -> None:
    kept = json.loads(STORED["AgreementConcluded.1"])
    del kept["forms"]
    event = parse("AgreementConcluded", 1, rfc8785.dumps(kept))
    assert isinstance(event, AgreementConcluded)
    assert event.forms == ()


def test_a_correction_ages_like_the_event_that_it_corrects() -> None:
    event: EventCorrected = read("EventCorrected.1")
    assert (event.event, event.event_schema) == ("AgreementConcluded", 2)
    assert event.data["forms"] == [{"codes": ["COMMISSION"]}, {"codes": ["SUBSIDY"]}]


def test_an_old_correction_still_corrects() -> None:
    names = ("PartnershipRegistered.1", "AgreementConcluded.2", "EventCorrected.1")
    recorded = [
        Recorded(
            name=name.split(".")[0],
            event=read(name).model_copy(update={"placed_after": None, "breaks": ()}),
            meta=Meta(actor="S", recorded_by="S/test"),
            stream=UUID(int=0),
            version=version,
            position=version,
            recorded_at=datetime(2026, 4, 1, tzinfo=UTC),
        )
        for version, name in enumerate(names, start=1)
    ]
    history = fold(Partnership(), recorded)
    assert history.state.status is Status.AGREED
    assert history.state.forms == ("COMMISSION", "SUBSIDY")
    assert [entry.corrected_by for entry in history.entries] == [None, 3, None]
