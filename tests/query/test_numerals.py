"""Numbers: Go's grammar, signs, ranges, rounding, integer columns."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podledger.query.cutting import modified
from podledger.query.matching import test_holds as holds
from podledger.query.numerals import number_test, parse_float, parse_int, split_sign
from podledger.query.syntax import Between, Compare, Equals, IsNull, Never, NotNull
from podledger.query.texts import BadValueError
from tests.fakes.query_fixture import GROUPS
from tests.fakes.strategies import any_text

STRICTLY = "(first value must be strictly less than the second)"
RANGE = "range query was attempted, but it was invalid: invalid range"


def cases(group: str):
    return [pytest.param(case, id=case["id"]) for case in GROUPS[group]]


def meaning(raw: str, kind="numeric"):
    return number_test(modified(raw), kind)


@pytest.mark.parametrize("case", cases("numeric_prefix"))
def test_a_value_starts_with_this_sign(case):
    assert (case["expect"]["sign"], case["expect"]["rest"]) == split_sign(case["input"])


@pytest.mark.parametrize("case", cases("numeric"))
def test_a_value_is_this_condition(case):
    expected = case["expect"]
    test = meaning(case["input"])

    if "compare" in expected:
        operator, number = expected["compare"]
        assert test == (Equals(float(number)) if operator == "=" else Compare(operator, float(number)))
    else:
        low, high = expected["between"]
        assert Between(float(low), float(high)) == test


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("*", NotNull()),
        ("-", IsNull()),
        ("2", Equals(2.0)),
        ("=2", Equals(2.0)),
        ("== 2", Equals(2.0)),
        (">\u00a02", Compare(">", 2.0)),
        (">=-2", Compare(">=", -2.0)),
        ("<=.5", Compare("<=", 0.5)),
        ("<5.", Compare("<", 5.0)),
        ("-2", Equals(-2.0)),
        ("1-2", Between(1.0, 2.0)),
        ("-2-5", Between(-2.0, 5.0)),
        ("-5--2", Between(-5.0, -2.0)),
        ("-inf-inf", Between(-math.inf, math.inf)),
        ("5-nan", Compare(">", 5.0)),
        ("inf-nan", Compare(">", math.inf)),
        ("0.004-0.005", Between(0.0, 0.01)),
        ("0.001-0.002", Between(0.0, 0.0)),
        ("0.125", Equals(0.12)),
        ("0.375", Equals(0.38)),
        ("2.675", Equals(2.67)),
        ("-0.001", Equals(0.0)),
        ("1e308", Equals(1e308)),
        ("inf", Equals(math.inf)),
        (">-Infinity", Compare(">", -math.inf)),
        ("<nan", NotNull()),
        ("<=NaN", NotNull()),
        ("nan", Never()),
        ("=nan", Never()),
        ("==nan", Never()),
        (">nan", Never()),
        (">=nan", Never()),
    ],
)
def test_a_number_means_this(raw, expected):
    assert expected == meaning(raw)


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("!2", "modifiers not supported for numeric query: [Negation]"),
        ("r/2", "modifiers not supported for numeric query: [Regex]"),
        ('!"2"', "modifiers not supported for numeric query: [Negation Equality]"),
        ("!*", "modifiers not supported for numeric query: [Negation]"),
        ("", 'cannot parse "" as a number'),
        (" 5", 'cannot parse " 5" as a number'),
        ("=>2", 'cannot parse ">2" as a number'),
        (">", 'cannot parse "" as a number'),
        (">5-7", 'cannot parse "5-7" as a number'),
        ("2.5d", 'cannot parse "2.5d" as a number'),
        ("1e400", 'cannot parse "1e400" as a number'),
        ("-1e400", 'cannot parse "-1e400" as a number'),
        ("0x1", 'cannot parse "0x1" as a number'),
        ("\u0661", 'cannot parse "\u0661" as a number'),
        ('2.5"', 'cannot parse "2.5\\"" as a number'),
        ("9-4", f"{RANGE} 9-4 {STRICTLY}"),
        ("4-4", f"{RANGE} 4-4 {STRICTLY}"),
        ("nan-5", f"{RANGE} nan-5 {STRICTLY}"),
        ("nan-nan", f"{RANGE} nan-nan {STRICTLY}"),
        ("1e-3", f'{RANGE} 1e-3 (cannot parse "1e" as a number)'),
        ("1 - 3", f'{RANGE} 1 - 3 (cannot parse "1 " as a number)'),
        ("3-x", f'{RANGE} 3-x (cannot parse "x" as a number)'),
        ("x-y", f'{RANGE} x-y (cannot parse "x" as a number)'),
        ("3-", f'{RANGE} 3- (cannot parse "" as a number)'),
        ("--", f'{RANGE} -- (cannot parse "-" as a number)'),
    ],
)
def test_a_number_is_refused_with_this_text(raw, text):
    with pytest.raises(BadValueError) as refused:
        meaning(raw)

    assert text == str(refused.value)


@pytest.mark.parametrize(
    ("raw", "kind", "expected"),
    [
        ("8080", "biginteger", Equals(8080)),
        (">2.001", "integer", Compare(">", 2)),
        ("2147483647", "integer", Equals(2147483647)),
        ("-2147483648", "integer", Equals(-2147483648)),
        ("2147483648", "biginteger", Equals(2147483648)),
        ("-9223372036854775808", "biginteger", Equals(-9223372036854775808)),
        ("1-3", "integer", Between(1, 3)),
        ("-", "integer", IsNull()),
    ],
)
def test_integer_columns_take_whole_numbers(raw, kind, expected):
    test = meaning(raw, kind)

    assert expected == test
    assert not isinstance(getattr(test, "value", 0), float)


@pytest.mark.parametrize(
    ("raw", "kind", "text"),
    [
        ("2.5", "integer", "2.5"),
        (">2.5", "integer", "2.5"),
        ("inf", "integer", "inf"),
        ("nan", "biginteger", "nan"),
        ("<nan", "biginteger", "nan"),
        ("2147483648", "integer", "2147483648"),
        ("-2147483649", "integer", "-2147483649"),
        ("9223372036854775808", "biginteger", "9223372036854775808"),
        ("1.5-3", "integer", "1.5"),
        ("1-3.5", "integer", "3.5"),
        ("1-nan", "integer", "nan"),
    ],
)
def test_integer_columns_refuse_other_numbers(raw, kind, text):
    with pytest.raises(BadValueError) as refused:
        meaning(raw, kind)

    assert f'cannot parse "{text}" as an integer' == str(refused.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("7", 7.0),
        ("+2.5", 2.5),
        ("-2.5", -2.5),
        (".5", 0.5),
        ("5.", 5.0),
        ("1e3", 1000.0),
        ("1E+3", 1000.0),
        ("1e-400", 0.0),
        ("1_000.0_1e1_0", 1000.01e10),
        ("0x1p4", 16.0),
        ("-0X1.8P1", -3.0),
        ("0x_f_fp0", 255.0),
        ("0x.8p-1_0", 0.5**11),
        ("0x1p-99999", 0.0),
        ("inf", math.inf),
        ("+INFINITY", math.inf),
        ("-Inf", -math.inf),
        ("1" * 300, float("1" * 300)),
    ],
)
def test_a_text_is_this_number(text, expected):
    assert expected == parse_float(text)


def test_not_a_number_has_no_sign():
    assert math.isnan(parse_float("NaN") or 0)
    assert [parse_float("+nan"), parse_float("-nan")] == [None, None]


@pytest.mark.parametrize(
    "text",
    [
        "", " 1", "1 ", "+", "-", "+-1", "--1", ".", "e5", "1e", "1e+", "1.2.3", "1d", "1f", "0x", "0x1", "0xp1", "0x1p",
        "0x1pa", "0x1p99999", "0x0x1p1", "_1", "1_", "1__0", "1_.5", "1._5", "1e_5", "0x1_p1", "0x_p1", "0x1._8p1", "0x1p_1",
        "0x1p1_", "0x__1p1", "1" * 400, "infinit", "in", "\u0661", "1\u00a0", "0b1", "\uff11", "\u0130nf",
    ],
)  # fmt: skip
def test_a_text_is_no_number(text):
    assert parse_float(text) is None


@given(any_text)
def test_every_text_is_a_number_or_not(text):
    """Nothing else comes out, and what is a number is one for Python too, spaces apart."""
    number = parse_float(text)

    assert number is None or "0x" in text.lower() or float(text) == number or math.isnan(number)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_is_read_back(number):
    assert number == parse_float(repr(number))


@pytest.mark.parametrize(
    ("text", "bits", "expected"),
    [
        ("5", 32, 5),
        ("+5", 32, 5),
        ("-05", 32, -5),
        ("2147483647", 32, 2**31 - 1),
        ("-2147483648", 32, -(2**31)),
        ("0" * 5000, 64, 0),
    ],
)
def test_a_text_is_this_integer(text, bits, expected):
    assert expected == parse_int(text, bits)


@pytest.mark.parametrize(
    ("text", "bits", "reason"),
    [
        ("", 64, "invalid syntax"),
        ("+", 64, "invalid syntax"),
        ("1_0", 64, "invalid syntax"),
        (" 1", 64, "invalid syntax"),
        ("\u0661", 64, "invalid syntax"),
        ("2147483648", 32, "value out of range"),
        ("-2147483649", 32, "value out of range"),
        ("9223372036854775808", 64, "value out of range"),
        ("99999999999999999999x", 64, "value out of range"),
        ("9" * 5000, 64, "value out of range"),
    ],
)
def test_a_text_is_no_integer(text, bits, reason):
    with pytest.raises(ValueError, match=f"^{reason}$"):
        parse_int(text, bits)


@given(st.decimals(-1000, 1000, places=3), st.sampled_from(["", ">", ">=", "<", "<=", "=", "=="]))
def test_a_number_is_compared_after_rounding(number, sign):
    """The cell that equals the rounded number is in, except for the strict signs."""
    test = meaning(f"{sign}{number}")

    assert holds(test, round(float(number), 2)) is (sign not in {"<", ">"})
