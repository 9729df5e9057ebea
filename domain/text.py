"""Names and free text never stand in a log: a text enters as a digest, and the text itself is a disclosure beside it.

A field of type `Text` holds the SD-JWT digest (RFC 9901 §4.2.3) of its text: 43 characters of base64url SHA-256. While
a command is read, a `Door` stands in the validation context and turns each text into its digest, so that the domain
decides, evolves and folds without ever seeing a name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol

from pydantic import ValidationInfo
from pydantic_core import PydanticCustomError, core_schema

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue

MAX_TEXT = 10_000
_DIGEST = re.compile(r"[A-Za-z0-9_-]{43}")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class Visibility(StrEnum):
    """Who may read a disclosed value: everybody, the parties, the city's staff, or named officers only."""

    PUBLIC = "PUBLIC"
    PARTY = "PARTY"
    CITY = "CITY"
    PERSONAL = "PERSONAL"


class Door(Protocol):
    """Where a command's texts and local party names turn into digests and opaque ids."""

    def seal(self, name: str, value: str, visibility: Visibility, subject: str | None) -> str:
        """The digest that stands in the log for `value`; `subject` is a party id, or None for the stream itself."""

    def party(self, name: str) -> str:
        """The opaque id of the party that the caller names so."""

    def person(self, name: str) -> str:
        """The opaque id, within one stream only, of the person that the caller names so."""


@dataclass(frozen=True)
class Disclosed:
    """Declares a text field: its visibility, the sibling field that names its subject, and what it must look like."""

    visibility: Visibility | Callable[[dict[str, Any]], Visibility] = Visibility.PUBLIC
    subject: str | None = None
    pattern: re.Pattern[str] | None = None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.with_info_after_validator_function(
            self._through_the_door,
            core_schema.str_schema(strict=True, min_length=1, max_length=MAX_TEXT),
            field_name=None,
        )

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        visible = self.visibility if isinstance(self.visibility, Visibility) else Visibility.PUBLIC
        return handler(schema) | {"x-visibility": visible.value}

    def _through_the_door(self, value: str, info: ValidationInfo) -> str:
        door: Door | None = info.context
        if door is None:
            if not _DIGEST.fullmatch(value):
                raise PydanticCustomError("not_a_digest", "a stored text must be a SHA-256 digest in base64url")
            return value
        if not value.strip() or "\x00" in value:
            raise PydanticCustomError("blank_text", "a text must not be blank or hold NUL; leave it out instead")
        if self.pattern is not None and not (self.pattern.fullmatch(value) or _DIGEST.fullmatch(value)):
            raise PydanticCustomError("pattern", "must match {pattern}", {"pattern": self.pattern.pattern})
        visible = self.visibility if isinstance(self.visibility, Visibility) else self.visibility(info.data)
        subject = info.data.get(self.subject) if self.subject else None
        return door.seal(info.field_name or "text", value, visible, subject)


Text = Annotated[str, Disclosed()]
"""A public text."""

Note = Annotated[str, Disclosed(Visibility.PARTY)]
"""Meeting notes and contacts: for the parties and the city."""

SealedNumber = Annotated[str, Disclosed(pattern=re.compile(r"[0-9]{1,4}"))]
"""A number that is closed at first: given as decimal digits, sealed like a text."""

StaffText = Annotated[str, Disclosed(Visibility.CITY)]
"""For the city's staff only: why something was withdrawn, held or asked for."""

PersonalText = Annotated[str, Disclosed(Visibility.PERSONAL)]
"""An address or a name of an individual."""


@dataclass(frozen=True)
class _Reference:
    to: Literal["party", "person"]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.with_info_after_validator_function(
            self._opaque, core_schema.str_schema(strict=True, min_length=1, max_length=200), field_name=None
        )

    def _opaque(self, value: str, info: ValidationInfo) -> str:
        door: Door | None = info.context
        if _UUID.fullmatch(value):
            return value
        if door is None:
            raise PydanticCustomError("not_opaque", f"a stored {self.to} must be an opaque id (UUID)")
        return door.party(value) if self.to == "party" else door.person(value)


PartyId = Annotated[str, _Reference("party")]
"""An opaque party id (UUID); while a command is read, a caller's own name of the party is resolved to it."""

PersonId = Annotated[str, _Reference("person")]
"""An opaque id of an individual (UUID) that holds within one stream only, so that nobody is followed across files."""
