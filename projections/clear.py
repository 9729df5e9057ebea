"""What was recorded, in clear: each public text in the place of its digest, null for one that cannot be read now."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json, to_json

from domain.commands import BY_EVENT
from domain.custody import PublicationWithdrawn
from domain.fields import Field, Kind, fields
from domain.history import EventCorrected

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel

# A digest as a whole JSON string; there is nothing else to escape, so that the JSON need not be parsed to find it.
_DIGEST = re.compile(r'"([A-Za-z0-9_-]{43})"')

# The one tells another event's data, of which not everything is shown; the other names a digest as such.
_NEVER_REPLACED_BLINDLY = (EventCorrected, PublicationWithdrawn)


def event_in_clear(event: str, data: str, texts: Mapping[str, str]) -> str:
    """An event's data in clear, from JSON to JSON; `event` is its stored name."""
    return part_in_clear(BY_EVENT[event].event, data, texts)


def part_in_clear(part: type[BaseModel], data: str, texts: Mapping[str, str]) -> str:
    """The same for a part of an event, such as a programme's rules, or for a list of such parts."""
    digests = _DIGEST.findall(data)
    if part not in _NEVER_REPLACED_BLINDLY and all(digest in texts for digest in digests):
        # Whatever is the digest of a public text is that text, and nothing else looks like a digest here.
        return _DIGEST.sub(lambda found: to_json(texts[found[1]]).decode(), data) if digests else data
    return to_json(_clear(part, from_json(data), texts)).decode()


def _clear(model: type[BaseModel], data: Any, texts: Mapping[str, str]) -> Any:
    if isinstance(data, list):
        return [_clear(model, each, texts) for each in data]
    return {field.name: _value(field, data, data[field.name], texts) for field in fields(model) if field.name in data}


def _value(field: Field, data: dict[str, Any], value: Any, texts: Mapping[str, str]) -> Any:
    if isinstance(value, list):
        return [_value(field, data, each, texts) for each in value]
    if field.kind is Kind.TEXT:
        return texts.get(value)
    if field.kind is Kind.PART and field.part is not None:
        return _clear(field.part, value, texts)
    if field.kind is Kind.EVENT:
        return _clear(BY_EVENT[data["event"]].event, value, texts)
    return value
