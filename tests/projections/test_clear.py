"""Data in clear: public texts in their place, null where one cannot be read, everything else as it was recorded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from domain.city import SourceRegistered
from domain.commands import BY_EVENT, COMMANDS
from projections.clear import event_in_clear, part_in_clear
from tenants.disclosures import digests

STORED = Path(__file__).parents[1] / "domain" / "stored"
PUBLIC, CLOSED = "a" * 43, "b" * 43


def stored(name: str) -> dict[str, Any]:
    """An event of that name as a log kept it, without what is told apart from its data."""
    data = json.loads((STORED / f"{name}.{BY_EVENT[name].schema}.json").read_bytes())
    return {key: value for key, value in data.items() if key not in {"valid", "breaks", "placed_after"}}


def in_clear(name: str, data: dict[str, Any], texts: dict[str, str]) -> Any:
    return json.loads(event_in_clear(name, json.dumps(data), texts))


@pytest.mark.parametrize("name", [row.event_name for row in COMMANDS if row.event_name != "EventCorrected"])
def test_every_text_of_every_event_is_put_in_its_place_or_is_null(name: str) -> None:
    data = stored(name)
    found = [each for each in digests(data) if data.get("disclosure") != each]

    def told(value: Any, texts: dict[str, str]) -> Any:
        if isinstance(value, dict):
            return {key: told(each, texts) for key, each in value.items()}
        if isinstance(value, list):
            return [told(each, texts) for each in value]
        return texts.get(value) if isinstance(value, str) and value in found else value

    for many in range(len(found) + 1):
        texts = {digest: f'said "{digest[:4]}"\n改行' for digest in found[:many]}
        assert in_clear(name, data, texts) == told(data, texts)


def test_a_digest_that_an_event_names_as_such_stays() -> None:
    data = {"disclosure": PUBLIC, "reason": "PERSONAL_DATA", "note": CLOSED}
    assert in_clear("PublicationWithdrawn", data, {PUBLIC: "text", CLOSED: "note"}) == data | {"note": "note"}


def test_a_code_as_long_as_a_digest_stays() -> None:
    data = {"about": "A" * 43, "values": [CLOSED]}
    assert in_clear("SourceDiscrepancyNoted", data, {}) == {"about": "A" * 43, "values": [None]}


def test_a_correction_shows_the_corrected_event_s_texts_in_their_place() -> None:
    data = {
        "target": 2,
        "event": "ProposalRejected",
        "event_schema": 1,
        "data": {"submission": 1, "codes": ["OTHER"], "public_explanation": PUBLIC, "breaks": []},
        "reason": CLOSED,
    }
    clear = in_clear("EventCorrected", data, {PUBLIC: "the sum was not stated"})
    assert clear["data"] == {"submission": 1, "codes": ["OTHER"], "public_explanation": "the sum was not stated"}
    assert clear["reason"] is None


def test_sources_are_told_one_by_one_in_their_order() -> None:
    sources = [{"source": "report", "date": "2020", "publisher": PUBLIC, "language": "ja", "about": CLOSED}] * 2
    clear = json.loads(part_in_clear(SourceRegistered, json.dumps(sources), {PUBLIC: "市"}))
    assert clear == [{"source": "report", "date": "2020", "publisher": "市", "language": "ja", "about": None}] * 2


def test_what_cannot_be_read_changes_nothing_else_of_what_is_written() -> None:
    row = BY_EVENT["ProposalRejected"]
    event = row.event.model_validate_json((STORED / f"ProposalRejected.{row.schema}.json").read_bytes())
    data = event.model_dump_json(exclude={"valid", "breaks", "placed_after"}, exclude_none=True)
    first, *others = digests(json.loads(data))
    texts = {digest: digest for digest in others}
    assert event_in_clear("ProposalRejected", data, texts | {first: first}) == data
    assert event_in_clear("ProposalRejected", data, texts) == data.replace(f'"{first}"', "null")
