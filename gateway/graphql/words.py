"""Words that are made here of values in an answer that the database wrote: dates as people say them.

The statement marks such a value with a secret of this process, so that nothing that anybody recorded is taken for one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache, partial
from secrets import token_hex
from typing import Literal

from pydantic_core import to_json

from domain.dates import display


@lru_cache(maxsize=10_000)
def _date(language: Literal["ja", "en"], edtf: str) -> str:
    return display(edtf, language)


_MADE: dict[str, Callable[[str], str]] = {"date_ja": partial(_date, "ja"), "date_en": partial(_date, "en")}
_SECRET = token_hex(16)
_MARKED = re.compile(f'"{_SECRET}:([a-z_]+):([^"\\\\]*)"')


def mark(name: str) -> str:
    """What stands before a value of which these words are to be made."""
    return f"{_SECRET}:{name}:"


def spoken(json: str) -> str:
    """The JSON with words in the place of every marked value."""
    return _MARKED.sub(lambda found: to_json(_MADE[found[1]](found[2])).decode(), json)
