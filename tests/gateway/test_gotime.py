"""Times and durations in Go's grammar and texts, and in that of proto3 JSON (gateway 1.5, 2.5)."""

from __future__ import annotations

import pytest

from podledger_gateway import gotime

LAYOUT = "2006-01-02T15:04:05.999999999Z07:00"


def cause(read, text) -> str:
    with pytest.raises(ValueError) as error:
        read(text)
    return str(error.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T00:00:00Z", (0, 0)),
        ("1970-01-01T1:00:00Z", (3600, 0)),
        ("1970-01-01T00:00:00.5Z", (0, 500_000_000)),
        ("1970-01-01T00:00:00,25Z", (0, 250_000_000)),
        ("1970-01-01T00:00:00.1234567899Z", (0, 123_456_789)),
        ("1970-01-01T02:00:00+02:00", (0, 0)),
        ("1970-01-01T00:00:00-24:60", (90_000, 0)),
        ("2000-02-29T00:00:00Z", (951_782_400, 0)),
        ("0001-01-01T00:00:00Z", (gotime.MIN_SECONDS, 0)),
        ("9999-12-31T23:59:59Z", (gotime.MAX_SECONDS, 0)),
    ],
)
def test_a_timestamp_is_read(text, expected):
    assert expected == gotime.parse_timestamp(text)


@pytest.mark.parametrize(
    ("text", "rest", "element"),
    [
        ("", "", "2006"),
        ("now", "now", "2006"),
        ("2020/01", "/01", "-"),
        ("2020-1-01", "1-01", "01"),
        ("2020-01-1T", "1T", "02"),
        ("2020-01-01t00", "t00", "T"),
        ("2020-01-01T", "", "15"),
        ("2020-01-01T00", "", ":"),
        ("2020-01-01T00:0", "0", "04"),
        ("2020-01-01T00:00:0Z", "0Z", "05"),
        ("2020-01-01T00:00:00", "", "Z07:00"),
        ("2020-01-01T00:00:00z", "z", "Z07:00"),
        ("2020-01-01T00:00:00+0200", "+0200", "Z07:00"),
    ],
)
def test_a_timestamp_fails_at_the_first_element(text, rest, element):
    expected = f'parsing time "{text}" as "{LAYOUT}": cannot parse "{rest}" as "{element}"'
    assert expected == cause(gotime.parse_timestamp, text)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("2020-13-01T00:00:00Z", "month out of range"),
        ("2020-00-01T00:00:00Z", "month out of range"),
        ("2020-01-01T24:00:00Z", "hour out of range"),
        ("2020-01-01T00:60:00Z", "minute out of range"),
        ("2020-01-01T00:00:60Z", "second out of range"),
        ("2021-02-29T00:00:00Z", "day out of range"),
        ("2021-01-00T00:00:00Z", "day out of range"),
        ("2021-02-30T25:00:00Z", "hour out of range"),
        ("2020-01-01T00:00:00Zx", 'extra text: "x"'),
        ("2021-02-30T00:00:00Zé", 'extra text: "\\xc3\\xa9"'),
    ],
)
def test_a_range_is_told_in_the_order_of_go(text, problem):
    quoted = text.replace("é", "\\xc3\\xa9")
    assert cause(gotime.parse_timestamp, text) == f'parsing time "{quoted}": {problem}'


@pytest.mark.parametrize("text", ["0000-12-31T23:59:59Z", "9999-12-31T23:59:59-00:01", "0001-01-01T00:00:00+01:00"])
def test_years_outside_of_four_digits_are_refused(text):
    assert cause(gotime.parse_timestamp, text) == f"{text} before 0001-01-01"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", (0, 0)),
        ("-0", (0, 0)),
        ("1h2m3.5s", (3723, 500_000_000)),
        ("-1.5s", (-1, -500_000_000)),
        ("+1ms", (0, 1_000_000)),
        ("1us1µs1μs", (0, 3000)),
        (".5s", (0, 500_000_000)),
        ("1.s", (1, 0)),
        ("2562047h47m16.854775807s", (9_223_372_036, 854_775_807)),
        ("-2562047h47m16.854775808s", (-9_223_372_036, -854_775_808)),
    ],
)
def test_a_duration_is_pairs_of_number_and_unit(text, expected):
    assert expected == gotime.parse_duration(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", 'time: invalid duration ""'),
        ("-", 'time: invalid duration "-"'),
        (".s", 'time: invalid duration ".s"'),
        ("s", 'time: invalid duration "s"'),
        ("1", 'time: missing unit in duration "1"'),
        ("1s2", 'time: missing unit in duration "1s2"'),
        ("1d", 'time: unknown unit "d" in duration "1d"'),
        ("1 s", 'time: unknown unit " s" in duration "1 s"'),
        ("1sé", 'time: unknown unit "s\\xc3\\xa9" in duration "1s\\xc3\\xa9"'),
        ("9223372036854775808ns", 'time: invalid duration "9223372036854775808ns"'),
        ("2562048h", 'time: invalid duration "2562048h"'),
    ],
)
def test_what_is_no_duration_says_why(text, message):
    assert message == cause(gotime.parse_duration, text)


def test_the_json_form_of_a_duration_is_seconds():
    assert gotime.parse_json_duration("123.456s") == (123, 456_000_000)
    assert gotime.parse_json_duration("-0.5s") == (0, -500_000_000)
    for text in ("1h", "1", "1.0000000001s", "315576000001s"):
        assert (
            cause(gotime.parse_json_duration, text)
            == f'proto: (line 1:1): invalid google.protobuf.Duration value "{text}"'
        )


def test_the_json_form_of_a_timestamp_has_at_most_nine_digits():
    assert gotime.parse_json_timestamp("1970-01-01T00:00:01.000000001Z") == (1, 1)
    assert "Timestamp value" in cause(gotime.parse_json_timestamp, "1970-01-01T00:00:01.0000000001Z")
