"""RFC 3339 times."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podledger.pods.times import YEAR_ONE, Instant, parse_time


@pytest.mark.parametrize(
    ("text", "seconds", "nanos"),
    [
        ("1970-01-01T00:00:00Z", 0, 0),
        ("2024-03-01T01:00:00Z", 1_709_254_800, 0),
        ("2024-03-01t01:00:00z", 1_709_254_800, 0),
        ("2024-03-01T01:00:00+00:00", 1_709_254_800, 0),
        ("2024-03-01T03:30:00+02:30", 1_709_254_800, 0),
        ("2024-02-29T18:15:00-06:45", 1_709_254_800, 0),
        ("2024-03-01T01:00:00.5Z", 1_709_254_800, 500_000_000),
        ("2024-03-01T01:00:00.123456Z", 1_709_254_800, 123_456_000),
        ("2024-03-01T01:00:00.000000001+00:00", 1_709_254_800, 1),
        ("2024-03-01T01:00:00.1234567899Z", 1_709_254_800, 123_456_789),
        ("1969-12-31T23:59:59.25Z", -1, 250_000_000),
        ("0001-01-01T00:00:00Z", YEAR_ONE.seconds, 0),
        ("9999-12-31T23:59:59.999999999Z", 253_402_300_799, 999_999_999),
        ("2000-02-29T00:00:00Z", 951_782_400, 0),
    ],
)
def test_a_time_is_read_to_the_nanosecond_in_any_offset(text, seconds, nanos):
    """The fraction is optional and counts forward, also before 1970; digits beyond nine are cut."""
    assert Instant(seconds, nanos) == parse_time(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2024-03-01",
        "2024-03-01T01:00:00",
        "2024-03-01 01:00:00Z",
        "2024-03-01T01:00Z",
        "2024-03-01T01:00:00.Z",
        "2024-03-01T01:00:00,5Z",
        "2024-03-01T01:00:00.5",
        "2024-03-01T01:00:00Z ",
        " 2024-03-01T01:00:00Z",
        "2024-03-01T01:00:00ZZ",
        "2024-03-01T01:00:00+0200",
        "2024-03-01T01:00:00+02.00",
        "2024-03-01T01:00:00+24:00",
        "2024-03-01T01:00:00+02:60",
        "2024-03-01T01:00:00*02:00",
        "2024-03-01T01:00:00+-2:00",
        "2024-13-01T01:00:00Z",
        "2023-02-29T01:00:00Z",
        "2024-03-01T24:00:00Z",
        "2024-03-01T23:59:60Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "2024-03-01T01:00:0_Z",
        "+024-03-01T01:00:00Z",
        "２０２4-03-01T01:00:00Z",
        "2024-03-01T01:00:00.٣Z",
        "20240301T010000Z",
        "12024-03-01T01:00:00Z",
    ],
)
def test_anything_else_is_no_time(text):
    """What Python's own readers would let pass included: spaces, underscores, other scripts, leap seconds."""
    with pytest.raises(ValueError):
        parse_time(text)


@pytest.mark.property
@given(
    st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30)),  # noqa: DTZ001 - hypothesis wants naive ones
    st.integers(-1439, 1439),
)
def test_reading_is_the_inverse_of_writing(moment, minutes):
    """Any moment, written in any offset, is read as the same instant."""
    sign, shift = ("-" if minutes < 0 else "+"), abs(minutes)
    text = f"{moment.isoformat(timespec='microseconds')}{sign}{shift // 60:02d}:{shift % 60:02d}"
    elapsed = moment.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    expected = Instant(elapsed.days * 86_400 + elapsed.seconds - minutes * 60, elapsed.microseconds * 1000)

    assert expected == parse_time(text)
