"""What an audit says: findings with their rows, each in Japanese and English, none of it a judgement of people."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple


class Words(NamedTuple):
    """The same in Japanese and in English."""

    ja: str
    en: str


class Level(StrEnum):
    """What a question came to; a report is as grave as its gravest answer."""

    OK = "OK"
    NOTE = "NOTE"
    FINDING = "FINDING"
    NOT_CHECKED = "NOT_CHECKED"


_GRAVITY = (Level.NOT_CHECKED, Level.OK, Level.NOTE, Level.FINDING)


@dataclass(frozen=True, slots=True)
class Row:
    """One thing found: where in the record, and what. `stream` is a number or slug, "" for the whole log."""

    level: Level
    stream: str
    position: int | None
    what: Words


@dataclass(frozen=True, slots=True)
class Findings:
    """The answer to one question: a sentence, and what it rests on."""

    level: Level
    sentence: Words
    rows: tuple[Row, ...] = ()


def say(ja: str, en: str, **values: Any) -> Words:
    """Both wordings with their blanks filled; a blank that is Words itself is filled in each language."""
    in_ja = {name: value.ja if isinstance(value, Words) else value for name, value in values.items()}
    in_en = {name: value.en if isinstance(value, Words) else value for name, value in values.items()}
    return Words(ja.format(**in_ja), en.format(**in_en))


def listed(parts: Iterable[Words], ja: str = "。", en: str = "; ") -> Words:
    """The parts one after the other, with a separator between them."""
    parts = tuple(parts)
    return Words(ja.join(part.ja for part in parts), en.join(part.en for part in parts))


def gravest(levels: Iterable[Level]) -> Level:
    """The gravest of the levels; OK where there is none."""
    return max(levels, key=_GRAVITY.index, default=Level.OK)


def from_rows(sentence: Words, rows: Iterable[Row]) -> Findings:
    """Findings as grave as the gravest of their rows."""
    rows = tuple(rows)
    return Findings(gravest(row.level for row in rows), sentence, rows)


def flagged(rows: Iterable[Row]) -> int:
    """How many of the rows are findings."""
    return sum(row.level is Level.FINDING for row in rows)
