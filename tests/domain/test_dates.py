"""Dates as they are written, the days they bound, what held on a day, durations, fiscal years and wording."""

import string
import subprocess
import sys
from contextlib import suppress
from datetime import date, timedelta

import edtf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from domain.dates import (
    Bounds,
    Edtf,
    Holding,
    InvalidDate,
    Language,
    Span,
    began_by,
    bounds,
    can_follow,
    check,
    display,
    era_label,
    fiscal_year,
    fiscal_year_days,
    fiscal_year_label,
    is_lasting,
    plus,
    span,
)

EDTF: TypeAdapter[str] = TypeAdapter(Edtf)

# fmt: off
# Every date in the published cases.
CASES = [
    "1997", "1999", "2000", "2001", "2002?", "2003", "2003?", "2003?/2005?", "2004", "2004?", "2005",
    "2005?", "2007-04", "2008?", "2010/2024", "2011", "2012", "2013-04", "2016-03", "2016-04/2017-03",
    "2017-10", "2018/2021", "2019-08", "2021-04", "2021-08", "2021-08-20?", "2021-09-10", "XXXX",
    "[..2018-03]", "[..2019-03]", "[..2021-09-10]", "[..2024]", "[2003..2005]", "[2003..2024]",
    "[2005..2024]", "[2011..2024]", "[2016-03..]", "[2016-04..2017-03]", "[2017-04..2018-03]",
    "[2017-10..]", "[2018-04..2019-03]", "[2018-04..2020-03]", "[2019-04..2020-03]", "[2019-08..]",
    "[2020-04..2021-03]", "[2021-04..2021-08]", "[2021-09-10..]",
]

OTHER_FORMS = [
    "198X", "19XX", "2003-XX", "2003-02-XX", "2003-XX-XX~", "198X-12", "2003-XX-15", "2003~", "2003-10%",
    "?2003-10", "2003-?10-12", "2003?-~10-12", "2003/..", "2003/", "../2003", "/2003-02",
    "2003-02-10/2003~", "XXXX/2003", "2004-06-XX/2004-07-03", "2003-?02/2004", "[2003,2005]",
    "[2003?,2005-02]", "[..2003,2005..2007,2010..]", "[1667,1668-12]", "{2003,2005}", "{2003..2005}",
    "{2003..}", "{..1984,1990}", "[XXXX,2003]", "0001", "9999-12-31", "2004-02-29",
]
# fmt: on

YEARS = st.integers(1, 9999).map("{:04}".format)
DAYS = st.dates(date(1990, 1, 1), date(2030, 12, 31))
PLAIN = st.one_of(YEARS, DAYS.map("{:%Y-%m}".format), DAYS.map(date.isoformat))


@st.composite
def accepted_dates(draw: st.DrawFn) -> str:
    """Dates of every shape that is kept."""
    first, second = sorted(draw(st.tuples(DAYS, DAYS)))
    shape = draw(st.sampled_from(["%Y", "%Y-%m", "%Y-%m-%d"]))
    start, end = first.strftime(shape), second.strftime(shape)
    mark, other = (draw(st.sampled_from(["", "?", "~", "%"])) for _ in range(2))
    made = [
        start + mark,
        f"[..{end}]",
        f"[{start}..]",
        f"[{start}..{end}]",
        f"[{end},{start}{mark}]",
        f"{{{start}{mark},{end}{other}}}",
        f"{start}{mark}/{end}{other}",
        f"../{end}{other}",
        f"{start}{mark}/..",
        f"{start}/",
    ]
    return draw(st.one_of(PLAIN, st.sampled_from(made), st.sampled_from(CASES + OTHER_FORMS)))


@pytest.mark.parametrize("text", CASES + OTHER_FORMS)
def test_date_is_kept_exactly_as_written(text: str) -> None:
    assert EDTF.validate_python(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "2003 ",
        "2003\n",
        "[2003, 2005]",
        "２００３",
        "平成15年",
        "2003-2",
        "2003-13",
        "2003-00",
        "2003-02-30",
        "2003-02-29",
        "2003-04?-31",
        "1900-02-29",
        "[2003-02-29,2004]",
        "2003-04-31/2004",
        "0000",
        "0XXX",
        "-0044",
        "12003",
        "Y170000002",
        "Y17E7",
        "1950S2",
        "2001-21",
        "2001-21/2003",
        "2001-33",
        "2003-02-28T10:00:00",
        "2003-02-28T10:00:00Z/2004",
        "2003-1X",
        "2003-02-2X",
        "XXXX-12",
        "XXXX?",
        "2004-XX/2005",
        "[198X,2003-XX]",
        "../2003-?05",
        "../..",
        "/",
        "..",
        "[..]",
        "[2003]",
        "[2003..2005-03]",
        "[2003,2004}",
        "2003/2004/2005",
        "unknown",
        "[" + ",".join(["2003"] * 50) + "]",
    ],
)
def test_what_is_no_kept_date_is_refused_in_silence(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InvalidDate, match=r"is not a date in EDTF .* or XXXX"):
        check(text)
    assert capsys.readouterr() == ("", "")


def test_refusal_names_the_text_and_what_would_be_right() -> None:
    with pytest.raises(InvalidDate) as refused:
        check("2003-02-30")
    assert str(refused.value) == (
        "2003-02-30 is not a date in EDTF (ISO 8601-2); write 2003, 2003-02, 2003-02-28, 2003?, [2003..2005], "
        "[..2021-09-10], 2016-04/2017-03 or XXXX"
    )
    with pytest.raises(ValidationError, match="2003-02-30 is not a date in EDTF"):
        EDTF.validate_python("2003-02-30")
    with pytest.raises(InvalidDate, match="an empty text is not a date"):
        check("")


@pytest.mark.parametrize("text", ["2005/2003", "[2005..2003]", "{2001,2005..2003}", "2005-12/2005-01"])
def test_date_that_ends_before_it_begins_is_refused(text: str) -> None:
    with pytest.raises(InvalidDate, match="ends before it begins"):
        check(text)


@settings(max_examples=300)
@given(st.text("0123X-?~%/.,[]{}TSYE ", max_size=14))
def test_any_text_is_either_kept_as_written_or_refused(text: str) -> None:
    with suppress(InvalidDate):
        assert check(text) == text


@pytest.mark.parametrize(
    ("text", "earliest", "latest"),
    [
        ("2003", "2003-01-01", "2003-12-31"),
        ("2003-02", "2003-02-01", "2003-02-28"),
        ("2004-02", "2004-02-01", "2004-02-29"),
        ("9999-12", "9999-12-01", "9999-12-31"),
        ("2021-09-10", "2021-09-10", "2021-09-10"),
        ("2002?", "2002-01-01", "2002-12-31"),
        ("2002~", "2002-01-01", "2002-12-31"),
        ("2021-08-20?", "2021-08-20", "2021-08-20"),
        ("2003-?10", "2003-10-01", "2003-10-31"),
        ("198X", "1980-01-01", "1989-12-31"),
        ("19XX", "1900-01-01", "1999-12-31"),
        ("198X-12", "1980-12-01", "1989-12-31"),
        ("2003-XX", "2003-01-01", "2003-12-31"),
        ("2003-02-XX", "2003-02-01", "2003-02-28"),
        ("XXXX", None, None),
        ("[2003..2005]", "2003-01-01", "2005-12-31"),
        ("[2016-04..2017-03]", "2016-04-01", "2017-03-31"),
        ("[..2021-09-10]", None, "2021-09-10"),
        ("[2017-10..]", "2017-10-01", None),
        ("[2005,2003-02]", "2003-02-01", "2005-12-31"),
        ("[..2003,2005]", None, "2005-12-31"),
        ("[..2003,0001]", None, "2003-12-31"),
        ("[2003,2005..]", "2003-01-01", None),
        ("[..2003,2005..]", None, None),
        ("[XXXX,2003]", None, None),
        ("{2003,2005..}", "2003-01-01", None),
        ("2016-04/2017-03", "2016-04-01", "2017-03-31"),
        ("2003?/2005?", "2003-01-01", "2005-12-31"),
        ("2003/..", "2003-01-01", None),
        ("2003/", "2003-01-01", None),
        ("../2003", None, "2003-12-31"),
        ("/2003", None, "2003-12-31"),
        ("XXXX/2003", None, "2003-12-31"),
    ],
)
def test_bounds_are_strict_and_closed(text: str, earliest: str | None, latest: str | None) -> None:
    assert bounds(text) == Bounds(
        date.fromisoformat(earliest) if earliest else None, date.fromisoformat(latest) if latest else None
    )


@given(accepted_dates())
def test_bounds_never_end_before_they_begin(text: str) -> None:
    days = bounds(text)
    assert days.earliest is None or days.latest is None or days.earliest <= days.latest


@settings(max_examples=50)
@given(PLAIN)
def test_plain_dates_have_the_bounds_that_edtf_gives_them(text: str) -> None:
    parsed = edtf.parse_edtf(text)
    assert bounds(text) == Bounds(date(*parsed.lower_strict()[:3]), date(*parsed.upper_strict()[:3]))


def test_only_a_slash_means_lasting() -> None:
    assert [text for text in ("2016-04/2017-03", "2003/..", "[2016-04..2017-03]", "2003") if is_lasting(text)] == [
        "2016-04/2017-03",
        "2003/..",
    ]


@pytest.mark.parametrize(
    ("text", "day", "holding"),
    [
        ("2003", "2002-12-31", "NO"),
        ("2003", "2003-01-01", "POSSIBLE"),
        ("2003", "2003-12-30", "POSSIBLE"),
        ("2003", "2003-12-31", "CERTAIN"),
        ("2021-09-10", "2021-09-09", "NO"),
        ("2021-09-10", "2021-09-10", "CERTAIN"),
        ("[2016-04..2017-03]", "2016-05-01", "POSSIBLE"),
        ("[2016-04..2017-03]", "2017-03-31", "CERTAIN"),
        ("2016-04/2017-03", "2016-03-31", "NO"),
        ("2016-04/2017-03", "2016-04-29", "POSSIBLE"),
        ("2016-04/2017-03", "2016-04-30", "CERTAIN"),
        ("2003?/2005?", "2003-12-31", "CERTAIN"),
        ("2005/2005-03", "2005-03-30", "POSSIBLE"),
        ("2005/2005-03", "2005-03-31", "CERTAIN"),
        ("2003/..", "2003-12-31", "CERTAIN"),
        ("../2003", "1900-01-01", "POSSIBLE"),
        ("../2003", "2003-12-31", "CERTAIN"),
        ("XXXX/2003", "2003-12-30", "POSSIBLE"),
        ("XXXX/2003", "2003-12-31", "CERTAIN"),
        ("[..2021-09-10]", "1990-01-01", "POSSIBLE"),
        ("[..2021-09-10]", "2021-09-10", "CERTAIN"),
        ("[2017-10..]", "2017-09-30", "NO"),
        ("[2017-10..]", "2030-01-01", "POSSIBLE"),
        ("XXXX", "0001-01-01", "POSSIBLE"),
        ("XXXX", "9999-12-31", "POSSIBLE"),
    ],
)
def test_what_had_begun_by_a_day(text: str, day: str, holding: str) -> None:
    assert began_by(text, date.fromisoformat(day)) == Holding(holding)


@given(accepted_dates(), st.tuples(DAYS, DAYS))
def test_what_has_begun_stays_begun(text: str, days: tuple[date, date]) -> None:
    order = [Holding.NO, Holding.POSSIBLE, Holding.CERTAIN]
    before, after = (order.index(began_by(text, day)) for day in sorted(days))
    assert before <= after


@pytest.mark.parametrize(
    ("earlier", "later", "possible"),
    [
        ("2003", "2003", True),
        ("2003", "2002?", False),
        ("2003-10", "2003", True),
        ("2003-10-02", "2003-10-01", False),
        ("2003-10-02", "2003-10-02", True),
        ("2016-04/2017-03", "2016-05", True),
        ("2016-04/2017-03", "2016-03-31", False),
        ("[2017-10..]", "[..2017-09]", False),
        ("[..2017-10]", "1990", True),
        ("XXXX", "1900", True),
        ("2011", "XXXX", True),
        ("2011", "[2003..]", True),
    ],
)
def test_later_date_must_fit_after_the_earlier_one(earlier: str, later: str, *, possible: bool) -> None:
    assert can_follow(earlier, later) is possible


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        # Child-care advisers, proposed in 2003 and agreed in 2005.
        ("2003", "2005", Span(367, 1095, 731)),
        # Community cats: model start in FY2018, mainstreamed in FY2020; then from the survey in FY2017.
        ("[2018-04..2019-03]", "[2020-04..2021-03]", Span(367, 1095, 731)),
        ("[2017-04..2018-03]", "[2020-04..2021-03]", Span(732, 1460, 1096)),
        ("2003-10-01", "2003-10-01", Span(0, 0, 0)),
        ("2003-10-01", "2003-10-02", Span(1, 1, 1)),
        ("2003-10", "2003-10", Span(0, 30, 15)),
        ("2003", "2003", Span(0, 364, 182)),
        ("2003-10-01", "[2003-10-01..2003-10-02]", Span(0, 1, 0.5)),
        ("2005", "2003", None),
        ("2003", "XXXX", None),
        ("[..2003]", "2005", None),
        ("2003", "[2005..]", None),
        ("2003", "2005/..", None),
    ],
)
def test_duration_runs_from_the_shortest_to_the_longest_possible(start: str, end: str, expected: Span | None) -> None:
    assert span(start, end) == expected


def test_whole_midpoints_are_integers() -> None:
    found = span("2003", "2005")
    assert found is not None
    assert isinstance(found.midpoint, int)


@given(accepted_dates(), accepted_dates())
def test_duration_is_known_exactly_if_all_bounds_are_and_the_order_is_possible(start: str, end: str) -> None:
    found = span(start, end)
    days = [bounds(start).earliest, bounds(start).latest, bounds(end).earliest, bounds(end).latest]
    assert (found is not None) == (None not in days and can_follow(start, end))
    if found:
        assert 0 <= found.shortest <= found.midpoint <= found.longest
        assert found.shortest + found.longest == 2 * found.midpoint


@given(DAYS, DAYS)
def test_duration_between_two_days_is_their_difference_in_one_direction_only(one: date, other: date) -> None:
    there, back = span(one.isoformat(), other.isoformat()), span(other.isoformat(), one.isoformat())
    distance = abs(other - one).days
    assert {found for found in (there, back) if found} == {Span(distance, distance, distance)}
    assert (there is None) == (other < one)
    assert (back is None) == (one < other)


@given(accepted_dates(), accepted_dates(), accepted_dates())
def test_legs_of_a_way_are_never_longer_than_its_least_way_round(first: str, second: str, third: str) -> None:
    legs, whole = (span(first, second), span(second, third)), span(first, third)
    if legs[0] and legs[1] and whole:
        assert legs[0].shortest + legs[1].shortest <= whole.longest
        assert whole.longest <= legs[0].longest + legs[1].longest


@pytest.mark.parametrize(
    ("day", "duration", "expected"),
    [
        ("2002-04-01", "P3Y", "2005-04-01"),
        ("2004-02-29", "P1Y", "2005-02-28"),
        ("2003-08-31", "P1Y6M", "2005-02-28"),
        ("2003-01-31", "P1M", "2003-02-28"),
        ("2003-12-15", "P1M", "2004-01-15"),
        ("2003-12-15", "P30D", "2004-01-14"),
        ("2003-12-15", "P1Y1M1D", "2005-01-16"),
        ("2003-12-15", "PT36H", "2003-12-15"),
        ("2003-12-15", "P9999Y", "9999-12-31"),
        ("9999-12-15", "P99D", "9999-12-31"),
    ],
)
def test_duration_leads_to_the_corresponding_day(day: str, duration: str, expected: str) -> None:
    assert plus(date.fromisoformat(day), duration) == date.fromisoformat(expected)


@pytest.mark.parametrize("duration", ["", "P", "PT", "3Y", "P3", "P3W", "-P3Y", "P3Y\n"])
def test_what_is_no_duration_is_refused(duration: str) -> None:
    with pytest.raises(InvalidDate, match="is not a duration in ISO 8601; write P3Y"):
        plus(date(2003, 1, 1), duration)


@given(DAYS)
def test_fiscal_year_holds_the_days_from_april_to_march(day: date) -> None:
    first, last = fiscal_year_days(fiscal_year(day))
    assert first <= day <= last
    assert (first.month, first.day, last.month, last.day) == (4, 1, 3, 31)
    assert fiscal_year(last + timedelta(days=1)) == fiscal_year(day) + 1


@pytest.mark.parametrize(
    ("year", "ja"),
    [
        (2020, "令和2年度"),
        (2019, "平成31年度(令和元年度)"),
        (2018, "平成30年度"),
        (1989, "平成元年度"),
        (1988, "昭和63年度"),
        (1926, "大正15年度(昭和元年度)"),
        (1912, "明治45年度(大正元年度)"),
        (1868, "1868年度"),
    ],
)
def test_fiscal_year_is_named_by_its_era(year: int, ja: str) -> None:
    assert fiscal_year_label(year, "ja") == ja
    assert fiscal_year_label(year, "en") == f"FY{year}"


@pytest.mark.parametrize(
    ("day", "label"),
    [
        (date(2019, 4, 30), "平成31年4月30日"),
        (date(2019, 5, 1), "令和元年5月1日"),
        (date(2020, 1, 1), "令和2年1月1日"),
        (date(1989, 1, 7), "昭和64年1月7日"),
        (date(1989, 1, 8), "平成元年1月8日"),
        (date(1873, 1, 1), "明治6年1月1日"),
        (date(1872, 12, 31), "1872年12月31日"),
        (date(9999, 12, 31), "令和7981年12月31日"),
    ],
)
def test_day_is_named_by_its_era(day: date, label: str) -> None:
    assert era_label(day) == label


@pytest.mark.parametrize(
    ("text", "ja", "en"),
    [
        ("1997", "1997年", "1997"),
        ("2003-10", "2003年10月", "October 2003"),
        ("2021-09-10", "2021年9月10日", "10 September 2021"),
        ("2002?", "2002年(推定)", "2002 (uncertain)"),
        ("2021-08-20?", "2021年8月20日(推定)", "20 August 2021 (uncertain)"),
        ("2003-10~", "2003年10月(およそ)", "October 2003 (approximate)"),
        ("2003%", "2003年(推定・およそ)", "2003 (uncertain and approximate)"),
        ("2003?-~10-12", "2003年10月12日(推定・およそ)", "12 October 2003 (uncertain and approximate)"),
        ("198X", "1980年代", "the 1980s"),
        ("2003-XX", "2003年(月不明)", "2003 (month unknown)"),
        ("2003-XX-XX", "2003年(月日不明)", "2003 (month and day unknown)"),
        ("2003-02-XX?", "2003年2月(日不明)(推定)", "February 2003 (day unknown) (uncertain)"),
        ("XXXX", "時期不明", "date unknown"),
        ("[2016-04..2017-03]", "2016年度中", "during FY2016"),
        ("[2016-04-01..2017-03-31]", "2016年度中", "during FY2016"),
        (
            "[2016-04..2018-03]",
            "2016年4月から2018年3月までのいずれか",
            "sometime between April 2016 and March 2018",
        ),
        ("[2003..2024]", "2003年から2024年までのいずれか", "sometime between 2003 and 2024"),
        ("[..2021-09-10]", "2021年9月10日以前", "by 10 September 2021"),
        ("[..2024]", "2024年以前", "by 2024"),
        ("[2017-10..]", "2017年10月以後", "in or after October 2017"),
        ("[2021-09-10..]", "2021年9月10日以後", "on or after 10 September 2021"),
        ("[2003,2005]", "2003年、2005年のいずれか", "one of 2003, 2005"),
        ("[..2003,2005..2007]", "2003年以前、2005年から2007年までのいずれか", "one of by 2003, 2005 to 2007"),
        ("{2003,2005}", "2003年、2005年のすべて", "all of 2003, 2005"),
        ("{2003..2005}", "2003年から2005年までのすべて", "all of 2003 to 2005"),
        ("2016-04/2017-03", "2016年度を通じて", "throughout FY2016"),
        ("2003?/2005?", "2003年(推定)から2005年(推定)まで", "from 2003 (uncertain) to 2005 (uncertain)"),
        ("2016-04?/2017-03", "2016年4月(推定)から2017年3月まで", "from April 2016 (uncertain) to March 2017"),
        ("2003/..", "2003年から", "from 2003 onwards"),
        ("2003/", "2003年から(終わりは不明)", "from 2003, end unknown"),
        ("../2003", "2003年まで", "until 2003"),
        ("/2003", "2003年まで(始まりは不明)", "until 2003, start unknown"),
        ("9999-12/9999-12", "9999年12月から9999年12月まで", "from December 9999 to December 9999"),
        ("19XX", "19XX", "19XX"),
        ("2003-XX-15", "2003-XX-15", "2003-XX-15"),
    ],
)
def test_date_reads_naturally_in_both_languages(text: str, ja: str, en: str) -> None:
    assert check(text) == text
    assert (display(text, "ja"), display(text, "en")) == (ja, en)


@given(accepted_dates(), st.sampled_from(["ja", "en"]))
def test_every_accepted_date_has_a_wording(text: str, language: Language) -> None:
    wording = display(text, language)
    assert wording
    assert "{" not in wording or "{" in text
    assert language == "ja" or set(wording) <= set(string.printable)


_MANY_AT_ONCE = """
import sys, threading
from domain.dates import InvalidDate, bounds

sys.setswitchinterval(1e-6)
texts = ["[2011..2024]", "2016-04/2017-03", "2003?", "2003-XX", "[..2021-09-10]", "2004-06~", "../2005", "2003?/2004"]
start = threading.Barrier(len(texts))

def read(turn):
    start.wait()
    for text in texts[turn:] + texts[:turn]:
        try:
            bounds(text)
        except InvalidDate as refused:
            print(refused)

threads = [threading.Thread(target=read, args=(turn,)) for turn in range(len(texts))]
for each in threads:
    each.start()
for each in threads:
    each.join()
"""


def test_threads_that_read_their_first_dates_at_once_all_read_them() -> None:
    done = subprocess.run([sys.executable, "-c", _MANY_AT_ONCE], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == ""
