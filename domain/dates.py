"""When something happened: EDTF dates (ISO 8601-2), the days they bound, fiscal years, and their wording.

A date is kept exactly as it was written and never made more precise than its source: `2003` stays a year, and
what is computed from it is a closed interval of days. Bounds are strict: `?`, `~` and `%` qualify a date and
widen nothing.
"""

import re
from calendar import month_name, monthrange
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from functools import lru_cache
from threading import Lock
from typing import Annotated, Any, Literal

import edtf
from japanera import ERA_DATA_GENERAL
from pydantic import AfterValidator
from pyparsing import ParseBaseException

Language = Literal["ja", "en"]


class InvalidDate(ValueError):
    """The text is not a date that can be kept; the message names it and says what would be right."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """A closed interval of days; None is no bound on that side."""

    earliest: date | None
    latest: date | None


class Holding(StrEnum):
    """Whether a fact held on a day, as far as its date tells."""

    CERTAIN = "CERTAIN"
    POSSIBLE = "POSSIBLE"
    NO = "NO"


@dataclass(frozen=True, slots=True)
class Span:
    """A duration in days, later minus earlier day (初日不算入): the shortest, the longest and their mean."""

    shortest: int
    longest: int
    midpoint: float


# --- The days that a date bounds ----------------------------------------------------------------------------


def check(text: str) -> str:
    """The text itself, exactly as written, if it is an EDTF date with bounds; InvalidDate otherwise."""
    bounds(text)
    return text


Edtf = Annotated[str, AfterValidator(check)]


@lru_cache(maxsize=65_536)
def bounds(text: str) -> Bounds:
    """The days between which `text` lies, both included; InvalidDate unless it is EDTF of years 1 to 9999.

    2002? is 2002-01-01 to 2002-12-31. An open or unknown end, and XXXX, have no bound.
    """
    if _PLAIN.fullmatch(text):
        return _calendar_bounds(text)
    parsed = _read(text)
    if is_lasting(text):
        start, _, end = text.partition("/")
        return _range_bounds(text, start, end)
    if _is_set(text):
        members = [_member_bounds(text, member) for member in text[1:-1].split(",")]
        return Bounds(
            min((each.earliest for each in members), key=lambda day: (day is not None, day or date.min)),
            max((each.latest for each in members), key=lambda day: (day is None, day or date.max)),
        )
    if text == _UNKNOWN:
        return _NO_BOUNDS
    try:
        # edtf reads 2003-04?-31 and bounds 0XXX by the year 0; date() refuses what is no day.
        return Bounds(date(*parsed.lower_strict()[:3]), date(*parsed.upper_strict()[:3]))
    except ValueError:
        raise _not_edtf(text) from None


def _calendar_bounds(text: str) -> Bounds:
    """What edtf says of a plain year, month or day, as nearly all dates are, in a hundredth of its time."""
    try:
        match [int(part) for part in text.split("-")]:
            case [year]:
                return Bounds(date(year, 1, 1), date(year, 12, 31))
            case [year, month]:
                first = date(year, month, 1)
                return Bounds(first, first.replace(day=monthrange(year, month)[1]))
            case parts:
                day = date(*parts)
                return Bounds(day, day)
    except ValueError:
        raise _not_edtf(text) from None


def _member_bounds(text: str, member: str) -> Bounds:
    start, between, end = member.partition("..")
    return _range_bounds(text, start, end) if between else bounds(member)


def _range_bounds(text: str, start: str, end: str) -> Bounds:
    earliest, latest = _end_bounds(start).earliest, _end_bounds(end).latest
    if earliest and latest and earliest > latest:
        raise InvalidDate(f"{text} ends before it begins; write the earlier date first")
    return Bounds(earliest, latest)


def _end_bounds(end: str) -> Bounds:
    return _NO_BOUNDS if end in _OPEN else bounds(end)


def is_lasting(text: str) -> bool:
    """Whether it lasted throughout an interval (a slash), rather than happening some time within one."""
    return "/" in text


def began_by(text: str, day: date) -> Holding:
    """Whether what is dated `text` had happened, or for something lasting had begun, by the end of `day`.

    XXXX is possible on every day. InvalidDate if `text` is no date.
    """
    beginning = _beginning(text)
    if beginning.latest and beginning.latest <= day:
        return Holding.CERTAIN
    if beginning.earliest and beginning.earliest > day:
        return Holding.NO
    return Holding.POSSIBLE


@lru_cache(maxsize=65_536)
def _beginning(text: str) -> Bounds:
    whole = bounds(text)
    if not is_lasting(text):
        return whole
    start = _end_bounds(text.partition("/")[0])
    # What is over by a day has begun by then, also when its start is open or less precise than its end.
    return Bounds(start.earliest, min((day for day in (start.latest, whole.latest) if day), default=None))


def can_follow(earlier: str, later: str) -> bool:
    """Whether `later` may lie at or after `earlier`; a missing bound never forbids it."""
    first, last = bounds(earlier).earliest, bounds(later).latest
    return not (first and last and last < first)


def span(start: str, end: str) -> Span | None:
    """How long it took from `start` to `end`, in days; an interval or set counts with all its days.

    None when one of the four bounds is missing or `end` surely lies before `start`, to count as left out.
    Overlapping dates may have taken 0 days.
    """
    first, second = bounds(start), bounds(end)
    if not (first.earliest and first.latest and second.earliest and second.latest):
        return None
    longest = (second.latest - first.earliest).days
    if longest < 0:
        return None
    shortest = max(0, (second.earliest - first.latest).days)
    whole, half = divmod(shortest + longest, 2)
    return Span(shortest, longest, whole + 0.5 if half else whole)


_DURATION = re.compile(r"P(?=[0-9T])(?:([0-9]{1,9})Y)?(?:([0-9]{1,9})M)?(?:([0-9]{1,9})D)?(?:T[0-9HMS]+)?")


def plus(day: date, duration: str) -> date:
    """The day that lies `duration` (ISO 8601, such as P3Y) after `day`; hours do not count.

    A day that its month lacks becomes that month's last (民法143条); nothing passes 9999-12-31.
    InvalidDate if `duration` is none.
    """
    parts = _DURATION.fullmatch(duration)
    if not parts:
        raise InvalidDate(f"{duration} is not a duration in ISO 8601; write P3Y, P1Y6M or P30D")
    years, months, days = (int(part or 0) for part in parts.groups())
    more_years, month = divmod(day.month - 1 + months, 12)
    year = day.year + years + more_years
    if year > date.max.year:
        return date.max
    moved = date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
    return moved + timedelta(days=min(days, (date.max - moved).days))


# --- What may be written ------------------------------------------------------------------------------------

_UNKNOWN = "XXXX"
_NO_BOUNDS = Bounds(None, None)
_OPEN = {"", ".."}
_LONGEST = 200  # The grammar takes about 10 ms for each member of a set; a length bounds its work.
_PLAIN = re.compile(r"[0-9]{4}(?:-[0-9]{2}(?:-[0-9]{2})?)?")

# The shapes that go to edtf. Times of day, seasons, long and negative years and significant digits stay out: they
# are finer than days, too vague, or wrongly bounded by edtf. So do blanks, which its grammar skips, and what makes
# it print a line and fail with errors not its own: half-unspecified months and days (2003-1X), and an open start
# before an end that is not plain.
_Q = r"[?~%]"
_MM = r"(?:0[1-9]|1[0-2])"
_DD = r"(?:0[1-9]|[12][0-9]|3[01])"
_QUALIFIED = rf"{_Q}?[0-9]{{4}}{_Q}?(?:-{_Q}?{_MM}{_Q}?(?:-{_Q}?{_DD}{_Q}?)?)?"
_UNSPECIFIED = rf"[0-9X]{{4}}(?:-(?:{_MM}|XX)(?:-(?:{_DD}|XX))?)?{_Q}?"
_SINGLE = rf"(?:{_QUALIFIED}|{_UNSPECIFIED})"
# Inside intervals and sets edtf fails in the same way on a year with an unspecified month alone (2003-XX).
_PART = rf"(?![0-9]{{4}}-XX(?!-)){_SINGLE}"
_MEMBERS = rf"(?:\.\.)?{_PART}(?:(?:,|\.\.){_PART})*(?:\.\.)?"

# Each shape with the edtf parsers for it, likeliest first. The parser for any EDTF tries every alternative on
# every text, which takes two to fifteen times as long.
_READERS: list[tuple[re.Pattern[str], list[Any]]] = [
    (
        re.compile(_SINGLE),
        [
            edtf.UncertainOrApproximate,
            edtf.Unspecified,
            edtf.PartialUncertainOrApproximate,
            edtf.PartialUnspecified,
        ],
    ),
    (
        re.compile(rf"{_PART}/(?:{_PART}|\.\.)?|(?:\.\.)?/[0-9]{{4}}(?:-{_MM}(?:-{_DD})?)?{_Q}?"),
        [edtf.Interval, edtf.Level1Interval, edtf.Level2Interval],
    ),
    (re.compile(rf"\[{_MEMBERS}\]"), [edtf.OneOfASet]),
    (re.compile(rf"\{{{_MEMBERS}\}}"), [edtf.MultipleDates]),
]


# The grammar learns at its first use how its actions are called, and refuses good dates to threads that come meanwhile.
_READING = Lock()


def _read(text: str) -> Any:
    """What edtf makes of the text; InvalidDate if it cannot read it or its shape is not kept here."""
    if len(text) <= _LONGEST:
        for shape, readers in _READERS:
            if shape.fullmatch(text):
                for reader in readers:
                    with _READING, suppress(ParseBaseException):
                        return reader.parser.parse_string(text, parse_all=True)[0]
    raise _not_edtf(text)


def _not_edtf(text: str) -> InvalidDate:
    named = (text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…") or "an empty text"
    return InvalidDate(
        f"{named} is not a date in EDTF (ISO 8601-2); write 2003, 2003-02, 2003-02-28, 2003?, [2003..2005], "
        "[..2021-09-10], 2016-04/2017-03 or XXXX"
    )


def _is_set(text: str) -> bool:
    return text.startswith(("[", "{"))


# --- Fiscal years and eras ----------------------------------------------------------------------------------

_APRIL = 4
_GREGORIAN_SINCE = date(1873, 1, 1)  # Before, months and days were those of the lunisolar calendar.


def fiscal_year(day: date) -> int:
    """The Japanese fiscal year (April to March) of a day, named by the calendar year in which it begins."""
    return day.year if day.month >= _APRIL else day.year - 1


def fiscal_year_days(year: int) -> tuple[date, date]:
    """The first and the last day of a fiscal year from 1 to 9998."""
    return date(year, 4, 1), date(year + 1, 3, 31)


def fiscal_year_label(year: int, language: Language) -> str:
    """令和2年度 / FY2020; an era that began between April and December follows: 平成31年度(令和元年度)."""
    if language == "en":
        return f"FY{year}"
    first, _ = fiscal_year_days(year)
    label, later = (f"{_era_year(day)}度" for day in (first, date(year, 12, 31)))
    return label if later == label else f"{label}({later})"


def era_label(day: date) -> str:
    """平成31年4月30日; the first year is 元年, and days before the Gregorian calendar, the Western."""
    return f"{_era_year(day)}{day.month}月{day.day}日"


def _era_year(day: date) -> str:
    if day < _GREGORIAN_SINCE:
        return f"{day.year}年"
    era = next(era for era in reversed(ERA_DATA_GENERAL) if era.since <= day)
    year = day.year - era.since.year + 1
    return f"{era.kanji}{'元' if year == 1 else year}年"


# --- A reader's wording -------------------------------------------------------------------------------------

_WORDINGS = {  # Japanese, English
    "unknown": ("時期不明", "date unknown"),
    "during fiscal year": ("{}年度中", "during FY{}"),
    "throughout fiscal year": ("{}年度を通じて", "throughout FY{}"),
    "throughout": ("{}から{}まで", "from {} to {}"),
    "from": ("{}から", "from {} onwards"),
    "from, end unknown": ("{}から(終わりは不明)", "from {}, end unknown"),
    "until": ("{}まで", "until {}"),
    "until, start unknown": ("{}まで(始まりは不明)", "until {}, start unknown"),
    "between": ("{}から{}までのいずれか", "sometime between {} and {}"),
    "range": ("{}から{}まで", "{} to {}"),
    "by": ("{}以前", "by {}"),
    "in or after": ("{}以後", "in or after {}"),
    "on or after": ("{}以後", "on or after {}"),
    "one of": ("{}のいずれか", "one of {}"),
    "all of": ("{}のすべて", "all of {}"),
    "comma": ("、", ", "),
    "?": ("{}(推定)", "{} (uncertain)"),
    "~": ("{}(およそ)", "{} (approximate)"),
    "%": ("{}(推定・およそ)", "{} (uncertain and approximate)"),
    "decade": ("{}年代", "the {}s"),
    "year": ("{year}年", "{year}"),
    "month unknown": ("{year}年(月不明)", "{year} (month unknown)"),
    "month and day unknown": ("{year}年(月日不明)", "{year} (month and day unknown)"),
    "month": ("{year}年{month}月", "{month_name} {year}"),
    "day unknown": ("{year}年{month}月(日不明)", "{month_name} {year} (day unknown)"),
    "day": ("{year}年{month}月{day}日", "{day} {month_name} {year}"),
}
_WORDS: dict[Language, dict[str, str]] = {
    "ja": {key: ja for key, (ja, _) in _WORDINGS.items()},
    "en": {key: en for key, (_, en) in _WORDINGS.items()},
}


def display(text: str, language: Language) -> str:
    """A reader's wording, 2016年度中 / during FY2016; what has no common wording stays as it was written."""
    words = _WORDS[language]
    if is_lasting(text):
        start, _, end = text.partition("/")
        return _display_interval(start, end, words)
    if not _is_set(text):
        return _display_single(text, words)
    members = text[1:-1].split(",")
    if text.startswith("[") and len(members) == 1:
        start, _, end = members[0].partition("..")
        year = _whole_fiscal_year(start, end)
        if year is None:
            return _display_member(members[0], words["between"], words)
        return words["during fiscal year"].format(year)
    listed = words["comma"].join(_display_member(member, words["range"], words) for member in members)
    return words["one of" if text.startswith("[") else "all of"].format(listed)


def _display_interval(start: str, end: str, words: dict[str, str]) -> str:
    if start in _OPEN:
        return words["until" if start else "until, start unknown"].format(_display_single(end, words))
    if end in _OPEN:
        return words["from" if end else "from, end unknown"].format(_display_single(start, words))
    year = _whole_fiscal_year(start, end)
    if year is None:
        return words["throughout"].format(_display_single(start, words), _display_single(end, words))
    return words["throughout fiscal year"].format(year)


def _display_member(member: str, between: str, words: dict[str, str]) -> str:
    start, dots, end = member.partition("..")
    if not dots:
        return _display_single(member, words)
    if not start:
        return words["by"].format(_display_single(end, words))
    if not end:
        to_the_day = len(start) == len("2003-02-28")
        return words["on or after" if to_the_day else "in or after"].format(_display_single(start, words))
    return between.format(_display_single(start, words), _display_single(end, words))


def _whole_fiscal_year(start: str, end: str) -> int | None:
    """The fiscal year that two plain dates span from its first to its last day; None for anything else."""
    if not (_PLAIN.fullmatch(start) and _PLAIN.fullmatch(end)):
        return None
    first, last = bounds(start).earliest, bounds(end).latest
    if first is None or first.year == date.max.year or (first, last) != fiscal_year_days(first.year):
        return None
    return first.year


def _display_single(text: str, words: dict[str, str]) -> str:
    if text == _UNKNOWN:
        return words["unknown"]
    wording = _display_unqualified(re.sub(_Q, "", text), words)
    if wording is None:
        return text
    marks = set(re.findall(_Q, text))
    if not marks:
        return wording
    return words[marks.pop() if len(marks) == 1 else "%"].format(wording)


def _display_unqualified(text: str, words: dict[str, str]) -> str | None:
    """The wording of a year, month or day without qualifiers; None if its unspecified digits have none."""
    if re.fullmatch(r"[1-9][0-9]{2}X", text):
        return words["decade"].format(f"{text[:3]}0")
    for key, shape in _SHAPES_IN_WORDS.items():
        parts = shape.fullmatch(text)
        if parts:
            numbers = {name: int(part) for name, part in parts.groupdict().items()}
            return words[key].format(**numbers, month_name=month_name[numbers.get("month", 0)])
    return None


_SHAPES_IN_WORDS = {
    "day": re.compile(r"(?P<year>[0-9]{4})-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})"),
    "month": re.compile(r"(?P<year>[0-9]{4})-(?P<month>[0-9]{2})"),
    "year": re.compile(r"(?P<year>[0-9]{4})"),
    "day unknown": re.compile(r"(?P<year>[0-9]{4})-(?P<month>[0-9]{2})-XX"),
    "month and day unknown": re.compile(r"(?P<year>[0-9]{4})-XX-XX"),
    "month unknown": re.compile(r"(?P<year>[0-9]{4})-XX"),
}
