"""Date texts."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podledger.query.dates import parse_date
from tests.fakes.query_fixture import instant
from tests.fakes.strategies import any_text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("01/15/2024", "2024-01-15T00:00:00Z"),
        ("02/29/2024", "2024-02-29T00:00:00Z"),
        ("01/15/2024 UTC", "2024-01-15T00:00:00Z"),
        ("01/15/2024   CEST", "2024-01-15T00:00:00Z"),
        ("01/15/2024 GMT+1", "2024-01-14T23:00:00Z"),
        ("01/15/2024 9:30 PM", "2024-01-15T21:30:00Z"),
        ("01/15/2024 09:30 AM", "2024-01-15T09:30:00Z"),
        ("01/15/2024  9:30   AM   CET", "2024-01-15T09:30:00Z"),
        ("01/15/2024 12:00 AM", "2024-01-15T00:00:00Z"),
        ("01/15/2024 12:00 PM", "2024-01-15T12:00:00Z"),
        ("01/15/2024 0:30 AM", "2024-01-15T00:30:00Z"),
        ("01/15/2024 0:30 PM", "2024-01-15T12:30:00Z"),
        ("01/15/2024 1:02:03 PM", "2024-01-15T13:02:03Z"),
        ("01/15/2024 1:02:03.999999999999 PM", "2024-01-15T13:02:03Z"),
        ("01/15/2024 1:02:03 PM GMT-8", "2024-01-15T21:02:03Z"),
        ("01/15/2024 1:02:03 PM GMT+0023", "2024-01-14T14:02:03Z"),
        ("01/15/2024 1:02 PM GMT", "2024-01-15T13:02:00Z"),
        ("01/15/2024 1:02 PM GMT+0", "2024-01-15T13:02:00Z"),
        ("01/15/2024 1:02 PM WITA", "2024-01-15T13:02:00Z"),
        ("01/15/2024 1:02 PM ChST", "2024-01-15T13:02:00Z"),
        ("01/15/2024 1:02 PM MeST", "2024-01-15T13:02:00Z"),
        ("01/15/2024 1:02 PM AKST", "2024-01-15T13:02:00Z"),
        ("01/15/2024 1:02 PM ACWST", "2024-01-15T13:02:00Z"),
        ("12/31/9999", "9999-12-31T00:00:00Z"),
        ("01/01/0001", "0001-01-01T00:00:00Z"),
    ],
)
def test_a_text_is_this_instant(text, expected):
    assert instant(expected) == (parse_date(text) or 0) * 1_000_000


def test_there_is_a_leap_year_zero():
    """One day before the first day of year 1 is the last of year 0."""
    first = parse_date("01/01/0001")
    assert first is not None

    assert first - 86_400 == parse_date("12/31/0000")
    assert first - 366 * 86_400 == parse_date("01/01/0000")
    assert parse_date("02/29/0000") is not None


@pytest.mark.parametrize(
    "text",
    [
        "", "1/15/2024", "01/5/2024", "01/15/24", "01/15/20245", "2024-01-15", "13/01/2024", "00/01/2024", "02/30/2024", "02/29/2023",
        "01/15/2024 ", " 01/15/2024", "01/15/2024x", "01/15/2024 9", "01/15/2024 9:30", "01/15/2024 9:30PM", "01/15/2024 9:30 pm",
        "01/15/2024 13:30 PM", "01/15/2024 009:30 PM", "01/15/2024 9:60 PM", "01/15/2024 9:3 PM", "01/15/2024 9:30:60 PM",
        "01/15/2024 9::30 PM", "01/15/2024 9:30::10 PM", "01/15/2024 9:30:5 PM", "01/15/2024 9:30:05. PM", "01/15/2024 9:30:05..1 PM",
        "01/15/2024 9:30.5 PM", "01/15/2024 9:30 PM ", "01/15/2024 9:30 PM x", "01/15/2024 9:30 PM CETx", "01/15/2024 PM",
        "01/15/2024 UT", "01/15/2024 utc", "01/15/2024 ABCD", "01/15/2024 ABCDE", "01/15/2024 ABCDET", "01/15/2024 CHST x",
        "01/15/2024 GMT-", "01/15/2024 GMT-24", "01/15/2024 GMT-100", "01/15/2024 GMT-8x", "01/15/2024 GMT 8", "01/15/2024 CET-8",
        "01/15/2024 +03", "01/15/2024\t9:30 PM", "01/15/2024 GMT-" + "9" * 5000, "\u0660\u0661/15/2024", "01/15/\u0662\u0660\u0662\u0664",
    ],
)  # fmt: skip
def test_a_text_is_no_date(text):
    assert parse_date(text) is None


@given(any_text)
def test_every_text_is_a_date_or_not(text):
    assert parse_date(text) is None


@given(st.datetimes(datetime(1000, 1, 1), datetime(9999, 12, 31)), st.integers(-23, 23))  # noqa: DTZ001 - the zone is in the text
def test_every_instant_is_read_back(moment, hours):
    text = moment.strftime("%m/%d/%Y %I:%M:%S %p") + f" GMT{hours:+d}"
    seconds = (moment.replace(tzinfo=UTC, microsecond=0) - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()

    assert int(seconds) - hours * 3600 == parse_date(text)
