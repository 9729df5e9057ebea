"""The fields of events and rules in words: their types, what they default to, and what of them stands in a log."""

from __future__ import annotations

import json
from enum import Enum
from inspect import isclass
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import AfterValidator
from pydantic.fields import FieldInfo

from domain import values
from domain.codes import CorporateNumber, MunicipalCode
from domain.dates import Edtf
from domain.rules import Rules
from domain.text import Disclosed, PartyId, PersonId
from domain.values import Frozen
from domain.vocabulary import Labelled, PartyKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

# Kinds of values by what they must look like, so that a field shows the name of its kind and not its pattern.
_KINDS: tuple[tuple[Any, str], ...] = (
    (Edtf, "date (EDTF)"),
    (PartyId, "party"),
    (PersonId, "person"),
    (MunicipalCode, "municipal code, 6 digits"),
    (CorporateNumber, "corporate number (法人番号), 13 digits"),
    (values.Code, "code (`CAPITALS`)"),
    (values.Slug, "name (`small-letters`)"),
    (values.Duration, "duration (`P1Y6M`)"),
    (values.Count, "number"),
    (values.Ordinal, "number from 1"),
    (values.Yen, "yen"),
    (values.FiscalYear, "fiscal year (April–March)"),
    (values.BasisPoints, "basis points (1 = 0.01 %)"),
    (values.Sha256, "SHA-256, hexadecimal"),
    (values.Digest, "digest of a text"),
    (values.Clock, "time of day (`09:30`)"),
)


class Types:
    """Names the types of fields, and remembers the parts and vocabularies that a page has to explain."""

    def __init__(self) -> None:
        self._parts: dict[str, type[Frozen]] = {}
        self._vocabularies: dict[str, type[Enum]] = {}

    def name(self, annotation: Any, metadata: Sequence[Any] = ()) -> str:
        """The type in words, linked to where it is explained."""
        bare, bound = unwrapped(annotation, metadata)
        if get_origin(bare) is tuple:
            return f"list of {self.name(get_args(bare)[0])}"
        if isclass(bare) and issubclass(bare, Frozen | Enum):
            return self._linked(bare)
        return _plain(bare, bound)

    def _linked(self, known: type[Frozen | Enum]) -> str:
        if issubclass(known, Rules):
            return "[rules](programme-format.md)"
        if issubclass(known, Enum):
            self._vocabularies[known.__name__] = known
        else:
            self._parts[known.__name__] = known
        return f"[{known.__name__}](#{known.__name__.lower()})"

    def parts(self) -> Iterator[str]:
        """A section for each part; describing one may bring in others."""
        done: set[str] = set()
        while rest := [part for name, part in self._parts.items() if name not in done]:
            for part in rest:
                done.add(part.__name__)
                yield f"## {part.__name__}\n\n{flat(part.__doc__)}\n\n{fields(part, self)}"

    def vocabularies(self) -> Iterator[str]:
        """A section for each vocabulary."""
        for name, known in self._vocabularies.items():
            if issubclass(known, Labelled):
                codes = table(("code", "日本語", "English"), ((f"`{code}`", code.ja, code.en) for code in known))
            else:
                codes = ", ".join(f"`{code.value}`" for code in known) + "\n"
            yield f"## {name}\n\n{flat(known.__doc__)}\n\n{codes}"


def _plain(bare: Any, bound: Sequence[Any]) -> str:
    if (named := _NAMED.get(_key(bound))) is not None:
        return named
    if any(isinstance(each, Disclosed) for each in bound):
        return "text"
    if get_origin(bare) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(bare))
    words = {bool: "true, false", int: "number", str: "string"}
    return _limits(bound) or words.get(bare, "table")


def unwrapped(annotation: Any, metadata: Sequence[Any]) -> tuple[Any, tuple[Any, ...]]:
    """The bare type and all that binds it, without Optional and Annotated."""
    bound = tuple(metadata)
    while True:
        if get_origin(annotation) is Annotated:
            annotation, *more = get_args(annotation)
            bound += tuple(part for each in more for part in (each.metadata if isinstance(each, FieldInfo) else [each]))
        elif get_origin(annotation) in (Union, UnionType):
            annotation = next(part for part in get_args(annotation) if part is not NoneType)
        else:
            return annotation, bound


def _key(bound: Sequence[Any]) -> frozenset[tuple[str, Any]]:
    """What a value must look like, comparable however it was declared."""
    found: set[tuple[str, Any]] = set()
    for each in bound:
        if isinstance(each, AfterValidator):
            found.add(("checked", each.func))
        for name in ("pattern", "ge", "le", "to"):
            if not isinstance(each, Disclosed) and (value := getattr(each, name, None)) is not None:
                found.add((name, value))
    return frozenset(found)


_NAMED: dict[frozenset[tuple[str, Any]], str] = {_key(unwrapped(kind, ())[1]): words for kind, words in _KINDS}


def _limits(bound: Sequence[Any]) -> str:
    """What a number or a string without a name of its own is bound by."""
    limits = dict(_key(bound))
    if "pattern" in limits:
        return f"`{limits['pattern']}`".replace("|", r"\|")
    return f"number {limits['ge']}–{limits['le']}" if "ge" in limits else ""


def _in_the_log(annotation: Any, metadata: Sequence[Any]) -> str:
    bare, bound = unwrapped(annotation, metadata)
    if get_origin(bare) is tuple:
        return _in_the_log(get_args(bare)[0], ())
    if isclass(bare) and issubclass(bare, Frozen):
        return "as there"
    disclosed = next((each for each in bound if isinstance(each, Disclosed)), None)
    if disclosed is None:
        return "an opaque id" if dict(_key(bound)).get("to") else "itself"
    visible = disclosed.visibility
    if not callable(visible):
        return f"digest, `{visible}`"
    by_kind = {kind: visible({"kind": kind}) for kind in PartyKind}
    usual = visible({})
    closed = ", ".join(f"`{kind}`" for kind, found in by_kind.items() if found is not usual)
    return f"digest, `{usual}`; `PERSONAL` of {closed}"


def fields(model: type[Frozen], types: Types, leave_out: Iterable[str] = ()) -> str:
    """The table of a model's fields."""
    left_out = frozenset(leave_out)
    rows = [
        (
            f"`{name}`",
            types.name(field.annotation, field.metadata),
            default(field),
            _in_the_log(field.annotation, field.metadata),
        )
        for name, field in model.model_fields.items()
        if name not in left_out
    ]
    return table(("field", "type", "default", "in the log"), rows) if rows else "It has no fields of its own.\n"


def default(field: FieldInfo) -> str:
    """What a field is when it is left out; a dash for nothing."""
    if field.is_required():
        return "required"
    given = field.get_default(call_default_factory=True, validated_data={})
    if given is None or isinstance(given, Frozen) or given in ((), {}):
        return "–"
    return f"`{json.dumps(given)}`"


def table(head: Sequence[str], rows: Iterable[Sequence[str | None]]) -> str:
    """A Markdown table."""
    lines = [" | ".join(head), " | ".join("---" for _ in head), *(" | ".join(map(str, row)) for row in rows)]
    return "\n".join(f"| {line} |" for line in lines) + "\n"


def flat(text: str | None) -> str:
    """A docstring's text without its indentation; a blank line stays a paragraph."""
    paragraphs = (text or "").strip().split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
