"""What the fields of an event are, by the types that its class declares: texts, parties, dates, codes, parts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel

from domain.dates import Edtf
from domain.history import EventCorrected
from domain.text import Disclosed, PartyId
from domain.values import Code, Duration
from domain.vocabulary import Labelled


class Kind(StrEnum):
    """What a value is, and so how it is shown."""

    TEXT = "TEXT"
    PARTY = "PARTY"
    DATE = "DATE"
    DURATION = "DURATION"
    CODE = "CODE"
    PART = "PART"
    EVENT = "EVENT"
    PLAIN = "PLAIN"


@dataclass(frozen=True, slots=True)
class Field:
    """A field of an event or of a part of one. `vocabulary`: the enum of a code; `part`: the class of a nested part."""

    name: str
    kind: Kind
    default: Any = None
    vocabulary: type[Labelled] | None = None
    part: type[BaseModel] | None = None


_KINDS = {
    get_args(PartyId)[1]: Kind.PARTY,
    get_args(Edtf)[1]: Kind.DATE,
    get_args(Duration)[1]: Kind.DURATION,
    get_args(Code)[1]: Kind.CODE,
}
_NOT_DATA = {"valid", "breaks", "placed_after"}


@cache
def fields(model: type[BaseModel]) -> tuple[Field, ...]:
    """The fields of an event class, or of a part of one, in the order of their declaration."""
    hints = get_type_hints(model, include_extras=True)
    found = []
    for name, declared in model.model_fields.items():
        if name in _NOT_DATA:
            continue
        kind, detail = _kind(hints[name])
        if model is EventCorrected and name == "data":
            kind = Kind.EVENT
        found.append(
            Field(
                name,
                kind,
                default=declared.get_default(call_default_factory=False) if not declared.is_required() else None,
                vocabulary=detail if kind is Kind.CODE else None,
                part=detail if kind is Kind.PART else None,
            )
        )
    return tuple(found)


def _kind(annotation: Any) -> tuple[Kind, Any]:
    """The kind of a type, and the class that says more about it."""
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *metadata = get_args(annotation)
        if any(isinstance(each, Disclosed) for each in metadata):
            return Kind.TEXT, None
        marked = [_KINDS[each] for each in metadata if each in _KINDS]
        return (marked[0], None) if marked else _kind(inner)
    if origin in (Union, UnionType, tuple):
        return _kind(next(each for each in get_args(annotation) if each not in (type(None), Ellipsis)))
    if origin is Literal:
        return Kind.CODE, None
    for base, kind in ((Labelled, Kind.CODE), (BaseModel, Kind.PART)):
        if isinstance(annotation, type) and issubclass(annotation, base):
            return kind, annotation
    return Kind.PLAIN, None
