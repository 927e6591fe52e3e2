"""Values of number columns, and the grammar of the numbers in them (pod-service 4.3).

    value     = "*" / "-" / sign number / number "-" number
    sign      = [ ">=" / "<=" / "==" / "<" / ">" / "=" ]

Numbers are those of Go's `strconv`: what its ParseFloat and ParseInt take and refuse decides, not what
Python's `float` and `int` would.
"""

from __future__ import annotations

import math
import string
from typing import Literal

from podledger.pods.quoting import quote
from podledger.query.cutting import Modified
from podledger.query.fields import Kind
from podledger.query.syntax import Between, Compare, Equals, IsNull, Never, NotNull, Test
from podledger.query.texts import BadValueError, trim

Sign = Literal["", ">=", "<=", "==", "<", ">", "="]
_SIGNS: tuple[Sign, ...] = (">=", "<=", "==", "<", ">", "=")  # the longer ones first

_BITS = {"integer": 32, "biginteger": 64}
_DECIMAL = frozenset("0123456789+-._eE")
_HEXADECIMAL = frozenset("0123456789abcdef+-.px")
_MAX_UINT64 = 2**64 - 1


def number_test(asked: Modified, kind: Kind) -> Test:
    """The meaning of one value of a numeric, integer or biginteger column."""
    if asked.modifiers:
        raise BadValueError(f"modifiers not supported for numeric query: {asked.listed}")
    if asked.value in {"*", "-"}:
        return NotNull() if asked.value == "*" else IsNull()
    sign, rest = split_sign(asked.value)
    sides = split_range(rest) if not sign else None
    if sides:
        return _range(rest, *sides, kind=kind)
    return _comparison(sign, _cell_number(_number(rest), text=rest, kind=kind))


def split_sign(value: str) -> tuple[Sign, str]:
    """The sign that a value starts with, and the rest behind it, trimmed. Without a sign nothing is trimmed."""
    for sign in _SIGNS:
        if value.startswith(sign):
            return sign, trim(value.removeprefix(sign))
    return "", value


def split_range(value: str) -> tuple[str, str] | None:
    """Both sides of the first `-` that is no sign in front; None when there is none."""
    dash = value.find("-", 1)
    return (value[:dash], value[dash + 1 :]) if dash > 0 else None


def _range(value: str, low_text: str, high_text: str, *, kind: Kind) -> Test:
    try:
        low, high = _ordered(low_text, high_text)
    except BadValueError as error:
        text = f"range query was attempted, but it was invalid: invalid range {value} ({error})"
        raise BadValueError(text) from None
    low, high = _cell_number(low, text=low_text, kind=kind), _cell_number(high, text=high_text, kind=kind)
    return Compare(">", low) if math.isnan(high) else Between(low, high)


def _ordered(low_text: str, high_text: str) -> tuple[float, float]:
    """Both numbers, the second above the first; not-a-number is above everything."""
    low, high = _number(low_text), _number(high_text)
    if not (low < high or (math.isnan(high) and not math.isnan(low))):
        raise BadValueError("first value must be strictly less than the second")
    return low, high


def _comparison(sign: Sign, number: float) -> Test:
    if math.isnan(number):  # equals nothing, above everything
        return NotNull() if sign in {"<", "<="} else Never()
    match sign:
        case "<" | "<=" | ">" | ">=":
            return Compare(sign, number)
        case _:
            return Equals(number)


def _number(text: str) -> float:
    number = parse_float(text)
    if number is None:
        raise BadValueError(f"cannot parse {quote(text)} as a number")
    return number


def _cell_number(number: float, *, text: str, kind: Kind) -> float:
    """The number as it meets a cell: two decimals, and a whole one that fits on integer columns."""
    rounded = round(number, 2)  # by the exact value of the float, ties to even
    bits = _BITS.get(kind)
    if bits is None:
        return rounded
    if not rounded.is_integer() or not -(2 ** (bits - 1)) <= rounded < 2 ** (bits - 1):
        raise BadValueError(f"cannot parse {quote(text)} as an integer")
    return int(rounded)


# ----------------------------------------------------------------------------------- Go's number texts


def parse_float(text: str) -> float | None:
    """Read a 64-bit float; None when the text is none, or beyond the largest one."""
    sign, digits = ("", text) if text[:1] not in {"+", "-"} else (text[0], text[1:])
    word = digits.lower()
    if word in {"inf", "infinity"}:
        return float(text)
    if word == "nan":
        return None if sign else math.nan
    number = _hexadecimal(word) if word.startswith("0x") else _decimal(digits)
    if number is None or math.isinf(number):
        return None
    return -number if sign == "-" else number


def _decimal(digits: str) -> float | None:
    if digits[:1] in {"+", "-"} or not _DECIMAL.issuperset(digits):  # `float` takes more: spaces, other digits
        return None
    try:
        return float(digits)
    except ValueError:
        return None


def _hexadecimal(digits: str) -> float | None:
    joined = _without_underscores(digits)
    if joined is None or "p" not in joined or not _HEXADECIMAL.issuperset(joined):
        return None
    try:
        return float.fromhex(joined)
    except (ValueError, OverflowError):
        return None


def _without_underscores(digits: str) -> str | None:
    """Drop the `_` of a hexadecimal number; each stands between two digits, or behind `0x`."""
    for index, character in enumerate(digits):
        around = digits[index - 1], digits[index + 1 : index + 2] or "."
        if character == "_" and not (around[1] in string.hexdigits and (around[0] in string.hexdigits or index == 2)):
            return None
    return digits.replace("_", "")


def parse_int(text: str, bits: int) -> int:
    """Read a decimal integer of so many bits. Raises `ValueError` with Go's reason.

    Go finds the overflow of 64 bits while it walks over the digits, before it sees what follows them.
    """
    negative = text.startswith("-")
    digits = text[1:] if text[:1] in {"+", "-"} else text
    number = 0
    for digit in digits or " ":
        if digit not in string.digits:
            raise ValueError("invalid syntax")
        number = number * 10 + int(digit)
        if number > _MAX_UINT64:
            raise ValueError("value out of range")
    number = -number if negative else number
    if not -(2 ** (bits - 1)) <= number < 2 ** (bits - 1):
        raise ValueError("value out of range")
    return number
