"""Kinds of values that stand in clear in the log: codes, counts, yen, durations."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Code = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]{0,79}$")]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,79}$")]
# Who recorded or approved: an opaque id such as S/import, in ASCII because it stands in clear in the log.
Agent = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,100}$")]
Count = Annotated[int, Field(ge=0, le=1_000_000_000)]
Ordinal = Annotated[int, Field(ge=1, le=10_000)]
Duration = Annotated[
    str,
    StringConstraints(pattern=r"^P([0-9]{1,3}Y)?([0-9]{1,3}M)?([0-9]{1,4}D)?(T[0-9]{1,3}[HM])?$", min_length=3),
]
Yen = Annotated[int, Field(ge=0, le=10**15)]
FiscalYear = Annotated[int, Field(ge=1868, le=2200)]
BasisPoints = Annotated[int, Field(ge=0, le=10_000)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Digest = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{43}$")]
Clock = Annotated[str, StringConstraints(pattern=r"^[0-2][0-9]:[0-5][0-9]$")]
Language = Literal["ja", "en"]


class Frozen(BaseModel):
    """A value: immutable, strict, without unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)
