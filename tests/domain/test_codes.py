"""Municipal codes and corporate numbers: their check digits, and what the check digits cannot see."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from domain.codes import (
    CorporateNumber,
    InvalidCode,
    MunicipalCode,
    check_corporate_number,
    check_municipal_code,
    municipal_check_digit,
)

MUNICIPAL: TypeAdapter[str] = TypeAdapter(MunicipalCode)
CORPORATE: TypeAdapter[str] = TypeAdapter(CorporateNumber)

FIRST_FIVE = st.text("0123456789", min_size=5, max_size=5)


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("142131", "大和市"),
        ("132225", "東久留米市"),
        ("141003", "横浜市"),
        ("331007", "岡山市"),
        ("141305", "川崎市"),
        ("132110", "小平市: remainder 1, so the digit is 0"),
        ("132292", "西東京市"),
        ("132136", "東村山市"),
        ("132217", "清瀬市"),
        ("100005", "群馬県"),
    ],
)
def test_codes_of_real_municipalities_are_accepted(code: str, name: str) -> None:
    assert MUNICIPAL.validate_python(code) == code, name


def test_check_digit_follows_the_published_rule_step_by_step() -> None:
    total = 6 * 1 + 5 * 4 + 4 * 2 + 3 * 1 + 2 * 3
    assert total == 43
    assert 11 - total % 11 == municipal_check_digit("14213") == 1


@pytest.mark.parametrize("code", ["", "14213", "1421310", "14213A", "１４２１３１", " 142131", "142131\n"])
def test_municipal_code_that_is_not_six_digits_is_refused(code: str) -> None:
    with pytest.raises(InvalidCode, match="six digits, such as 142131"):
        check_municipal_code(code)


def test_refusal_names_the_code_and_the_digit_expected() -> None:
    with pytest.raises(InvalidCode, match=r"142130 is not .* after 14213 the check digit would be 1, so 142131"):
        check_municipal_code("142130")
    with pytest.raises(ValidationError, match=r"142130 is not a municipal code"):
        MUNICIPAL.validate_python("142130")


@pytest.mark.parametrize("digits", ["", "1421", "142131", "1421X"])
def test_check_digit_of_anything_but_five_digits_is_refused(digits: str) -> None:
    with pytest.raises(InvalidCode, match="first five digits"):
        municipal_check_digit(digits)


@given(FIRST_FIVE)
def test_exactly_one_check_digit_fits(first_five: str) -> None:
    accepted = [digit for digit in "0123456789" if _is_accepted(check_municipal_code, first_five + digit)]
    assert accepted == [str(municipal_check_digit(first_five))]


@given(FIRST_FIVE, st.integers(0, 5), st.sampled_from("0123456789"))
def test_single_wrong_digit_is_seen_unless_the_remainders_are_0_and_10(first_five: str, place: int, digit: str) -> None:
    right = f"{first_five}{municipal_check_digit(first_five)}"
    wrong = right[:place] + digit + right[place + 1 :]
    shares_a_digit = {_remainder(right), _remainder(wrong)} == {0, 10}
    assert _is_accepted(check_municipal_code, wrong) == (wrong == right or shares_a_digit)


@pytest.mark.parametrize(
    ("code", "unseen"),
    [
        # The remainder of 142131 is 10; each of these has 0.
        ("142131", ["342131", "122131", "145131", "142531", "142191"]),
        ("132225", []),
        ("331007", []),
    ],
)
def test_wrong_digits_that_stay_unseen_are_known(code: str, unseen: list[str]) -> None:
    wrong = [code[:place] + digit + code[place + 1 :] for place in range(6) for digit in "0123456789"]
    assert [each for each in wrong if each != code and _is_accepted(check_municipal_code, each)] == unseen


@pytest.mark.parametrize("number", ["5835678256246", "7000012050002"])
def test_corporate_number_with_its_check_digit_is_accepted(number: str) -> None:
    assert CORPORATE.validate_python(number) == number


def test_corporate_number_is_kept_without_hyphens() -> None:
    assert CORPORATE.validate_python("5-8356-7825-6246") == "5835678256246"


def test_corporate_number_with_a_wrong_check_digit_is_refused_with_the_right_one() -> None:
    with pytest.raises(InvalidCode, match=r"2835678256246 is not .* would be 5, so 5835678256246"):
        check_corporate_number("2835678256246")


@pytest.mark.parametrize("number", ["", "583567825624", "58356782562460", "583567825624X"])
def test_corporate_number_that_is_not_13_digits_is_refused(number: str) -> None:
    with pytest.raises(InvalidCode, match="write 13 digits"):
        check_corporate_number(number)


@given(st.text("0123456789", min_size=12, max_size=12))
def test_exactly_one_first_digit_fits_a_corporate_number(rest: str) -> None:
    assert sum(_is_accepted(check_corporate_number, digit + rest) for digit in "0123456789") == 1


def _is_accepted(check: Callable[[str], str], text: str) -> bool:
    try:
        check(text)
    except InvalidCode:
        return False
    return True


def _remainder(code: str) -> int:
    return sum(weight * int(digit) for weight, digit in zip((6, 5, 4, 3, 2), code[:5], strict=True)) % 11
