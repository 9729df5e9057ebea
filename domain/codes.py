"""Public identifiers with check digits: a mistyped code is refused where it enters."""

import re
from typing import Annotated

from pydantic import AfterValidator
from stdnum.exceptions import InvalidChecksum, ValidationError
from stdnum.jp import cn


class InvalidCode(ValueError):
    """The text is not such a code; the message names it and says what would be right."""


def municipal_check_digit(first_five: str) -> int:
    """The sixth digit of a 全国地方公共団体コード, modulus 11 with weights 6-5-4-3-2 (総務省).

    Remainders 0 and 10 share the digit 1: a mistyped digit that leads from one to the other is not seen.
    InvalidCode unless there are five digits.
    """
    if not re.fullmatch(r"[0-9]{5}", first_five):
        raise InvalidCode(f"{first_five!r} is not the first five digits of a municipal code, such as 14213")
    total = sum(weight * int(digit) for weight, digit in zip((6, 5, 4, 3, 2), first_five, strict=True))
    return (11 - total % 11) % 10


def check_municipal_code(text: str) -> str:
    """The text itself if it is a six-digit municipal code with its check digit; InvalidCode otherwise."""
    if not re.fullmatch(r"[0-9]{6}", text):
        raise InvalidCode(
            f"{text!r} is not a municipal code (全国地方公共団体コード): write six digits, such as 142131"
        )
    expected = municipal_check_digit(text[:5])
    if int(text[5]) != expected:
        raise InvalidCode(
            f"{text} is not a municipal code (全国地方公共団体コード): "
            f"after {text[:5]} the check digit would be {expected}, so {text[:5]}{expected}"
        )
    return text


def check_corporate_number(text: str) -> str:
    """The 13 digits of a 法人番号 without hyphens and blanks; InvalidCode if one is missing or wrong."""
    try:
        return str(cn.validate(text))
    except InvalidChecksum:
        digits = cn.compact(text)
        expected = cn.calc_check_digit(digits[1:])
        raise InvalidCode(
            f"{text} is not a corporate number (法人番号): "
            f"before {digits[1:]} the check digit would be {expected}, so {expected}{digits[1:]}"
        ) from None
    except ValidationError:
        raise InvalidCode(f"{text!r} is not a corporate number (法人番号): write 13 digits") from None


MunicipalCode = Annotated[str, AfterValidator(check_municipal_code)]
CorporateNumber = Annotated[str, AfterValidator(check_corporate_number)]
