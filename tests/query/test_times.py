"""Time values: dates, ages, ranges, and what a sign does to them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podledger.query.cutting import modified
from podledger.query.matching import test_holds as holds
from podledger.query.syntax import Between, Compare, Equals, IsNull, NotNull
from podledger.query.texts import BadValueError
from podledger.query.times import time_test
from tests.fakes.query_fixture import GROUPS, instant

NOW = instant("2022-06-24T12:00:00.999999Z")
DATE = instant("2024-05-10T08:00:00Z")
FORMAT = "Must be of the format (01/02/2006 or 1d)"
DAY = 86_400_000_000
CASES = [pytest.param(case, id=case["id"]) for case in GROUPS["time"]]


def meaning(raw: str, now: int = NOW):
    return time_test(modified(raw), now)


def age(days: int) -> int:
    return instant("2022-06-24T12:00:00Z") - days * DAY


@pytest.mark.parametrize("case", CASES)
def test_a_value_is_this_condition(case):
    expected = case["expect"]
    if "error" in expected:
        with pytest.raises(BadValueError):
            meaning(case["input"])
        return

    test = meaning(case["input"])
    if "compare" in expected:
        operator, moment = expected["compare"]
        assert test == (Equals(instant(moment)) if operator == "=" else Compare(operator, instant(moment)))
    else:
        (form, (low, high)) = next(iter(expected.items()))
        assert Between(instant(low), instant(high), closed_low=form == "half_open") == test


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("*", NotNull()),
        ("-", IsNull()),
        ("05/10/2024 8:00 AM", Between(DATE, DATE + DAY, closed_low=True)),
        (">05/10/2024 8:00 AM", Compare(">", DATE)),
        (">= 05/10/2024 8:00 AM", Compare(">=", DATE)),
        ("<05/10/2024 8:00 AM", Compare("<", DATE)),
        ("<=05/10/2024 8:00 AM", Compare("<=", DATE)),
        ("=05/10/2024 8:00 AM", Equals(DATE)),
        ("5", Equals(age(5))),
        ("5d", Equals(age(5))),
        ("==5d", Equals(age(5))),
        (">5d", Compare("<=", age(5))),
        (">=5d", Compare("<", age(5))),
        ("<5d", Compare(">=", age(5))),
        ("<=5d", Compare(">", age(5))),
        ("-5", Equals(age(-5))),
        ("+5d", Equals(age(5))),
        ("1d-10d", Between(age(10), age(1))),
        (">1d-10d", Between(age(10), age(1))),
        ("=1-10d", Between(age(10), age(1))),
        ("-5--2", Between(age(-2), age(-5))),
        ("-3000d-1d", Between(age(1), age(-3000))),
        ("tr/1000-2000", Between(1_000_000, 2_000_000, closed_low=True)),
        ("tr/1999-2001", Between(1_000_000, 2_000_000, closed_low=True)),
        ("tr/2000--1", Between(2_000_000, -1_000_000, closed_low=True)),
        ("tr/+5-6", Between(0, 0, closed_low=True)),
    ],
)
def test_a_time_means_this(raw, expected):
    assert expected == meaning(raw)


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("!5d", "modifiers not supported for time query"),
        ('"05/10/2024"', "modifiers not supported for time query"),
        ("r/5", "modifiers not supported for time query"),
        ("", f"invalid time query (prefix: , value: ). {FORMAT}"),
        (" 5d", f"invalid time query (prefix: , value:  5d). {FORMAT}"),
        ("> x", f"invalid time query (prefix: >, value: x). {FORMAT}"),
        (">tr/1-2", f"invalid time query (prefix: >, value: tr/1-2). {FORMAT}"),
        ("=>5d", f"invalid time query (prefix: =, value: >5d). {FORMAT}"),
        ("1d-x", f"invalid time query (prefix: , value: 1d-x). {FORMAT}"),
        ("x-1d", f"invalid time query (prefix: , value: x-1d). {FORMAT}"),
        ("5dd", f"invalid time query (prefix: , value: 5dd). {FORMAT}"),
        ("d", f"invalid time query (prefix: , value: d). {FORMAT}"),
        ("2147483648", f"invalid time query (prefix: , value: 2147483648). {FORMAT}"),
        ("1_0", f"invalid time query (prefix: , value: 1_0). {FORMAT}"),
        ("==05/10/2024", 'unsupported time query "==05/10/2024": use "=" to compare with a date'),
        ("= 5d", 'unsupported time query "= 5d": use "==" to compare with a number of days'),
        (
            ">20d-3d",
            (
                "tried to parse >20d-3d as a range, but it was not valid:"
                " invalid range 20d-3d (first value must be strictly less than the second)"
            ),
        ),
        (
            "5d-5d",
            (
                "tried to parse 5d-5d as a range, but it was not valid:"
                " invalid range 5d-5d (first value must be strictly less than the second)"
            ),
        ),
        ("tr/", "parsing time range: malformed time range query string: "),
        ("tr/5", "parsing time range: malformed time range query string: 5"),
        ("tr/5-", "parsing time range: malformed time range query string: 5-"),
        ("tr/-5-6", "parsing time range: malformed time range query string: -5-6"),
        ('tr/"-6', 'parsing time range: strconv.ParseInt: parsing "\\"": invalid syntax'),
        ("tr/5-6-7", 'parsing time range: strconv.ParseInt: parsing "6-7": invalid syntax'),
        (
            "tr/5-9223372036854775808",
            'parsing time range: strconv.ParseInt: parsing "9223372036854775808": value out of range',
        ),
    ],
)
def test_a_time_is_refused_with_this_text(raw, text):
    with pytest.raises(BadValueError) as refused:
        meaning(raw)

    assert text == str(refused.value)


@pytest.mark.parametrize(
    "raw", ["2147483647d", "-2147483648d", "tr/0-9223372036854775807", "tr/0--9223372036854775808", "1-2147483647"]
)
def test_instants_fit_into_64_bits(raw):
    """No cell lies outside, so the nearest instant that fits means the same."""
    test = meaning(raw)
    told = [getattr(test, name) for name in ("value", "low", "high") if hasattr(test, name)]

    assert all(-(2**63) <= number < 2**63 and number % 1_000_000 == 0 for number in told)


@given(st.integers(-400, 400), st.integers(0, 2**52))
def test_a_sign_and_its_opposite_part_all_cells(days, cell):
    """`>` is the opposite of `<=`, and `>=` of `<`, for ages as for dates."""
    for sign, opposite in ((">", "<="), (">=", "<")):
        assert holds(meaning(f"{sign}{days}d"), cell) is not holds(meaning(f"{opposite}{days}d"), cell)
        assert holds(meaning(f"{sign}01/01/2024"), cell) is not holds(meaning(f"{opposite}01/01/2024"), cell)
