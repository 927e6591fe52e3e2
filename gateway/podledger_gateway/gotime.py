"""Timestamps and durations as Go parses them, and as proto3 JSON spells them.

Two grammars each: query parameters follow Go (`time.Parse` of RFC 3339 with nanoseconds,
`time.ParseDuration`), path variables follow proto3 JSON (gateway 1.5, 2.5). Results are
(seconds, nanoseconds) as the well-known types hold them. Errors are `ValueError` with the exact
CAUSE. `datetime` is of no use here: it differs from Go in both directions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import NoReturn

from podledger_gateway.gostyle import quote, raw_bytes

MIN_SECONDS = -62_135_596_800
"""0001-01-01T00:00:00Z, the first second of a Timestamp."""
MAX_SECONDS = 253_402_300_799
"""9999-12-31T23:59:59Z, the last one."""
MAX_DURATION_SECONDS = 315_576_000_000
"""Ten thousand years, the widest Duration."""

_EPOCH = date(1970, 1, 1).toordinal()
_LAYOUT = "2006-01-02T15:04:05.999999999Z07:00"
_UNITS: Mapping[str, int] = {
    "ns": 1,
    "us": 1_000,
    "\u00b5s": 1_000,
    "\u03bcs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_LONGEST = 1 << 63
"""Nanoseconds that no Go duration reaches (as a negative one it just does)."""
_PAIR = re.compile(r"([0-9]*)(?:\.([0-9]*))?([^0-9.]*)")
"""A number and its unit; the unit is everything up to the next digit or dot."""
_JSON_DURATION = re.compile(r"([+-]?)(?=[0-9.])(0|[1-9][0-9]*)?(?:\.([0-9]{0,9}))?s")


def quote_bytes(text: str) -> str:
    """Qt of gateway 1.7, the quoting of Go's package time: every byte from 0x80 on is escaped."""
    return '"' + "".join(map(_quoted, raw_bytes(text))) + '"'


def _quoted(byte: int) -> str:
    if byte < 0x20 or byte >= 0x80:
        return f"\\x{byte:02x}"
    return f"\\{byte:c}" if byte in b'"\\' else chr(byte)


def parse_timestamp(text: str) -> tuple[int, int]:
    """`time.Parse(time.RFC3339Nano, text)`, then the range check of a Timestamp."""
    seconds, nanos = _Reader(text).read()
    if not MIN_SECONDS <= seconds <= MAX_SECONDS:
        raise ValueError(f"{text} before 0001-01-01")
    return seconds, nanos


class _Reader:
    """Reads one time from left to right, byte by byte; `rest` is what is left."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.rest = raw_bytes(text)

    def read(self) -> tuple[int, int]:
        year = self.year()
        self.literal("-")
        month = self.number("01", name="month", low=1, high=12)
        self.literal("-")
        day = self.number("02")
        self.literal("T")
        hour = self.number("15", name="hour", high=23, digits=1)
        self.literal(":")
        minute = self.number("04", name="minute", high=59)
        self.literal(":")
        second = self.number("05", name="second", high=59)
        nanos = self.fraction()
        offset = self.zone()
        if self.rest:
            self.fail(f"extra text: {_quote_rest(self.rest)}")
        if not 1 <= day <= _days_in(year, month):
            self.fail("day out of range")
        return _days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - offset, nanos

    def year(self) -> int:
        if not self.rest[:4].isdigit() or len(self.rest) < 4:
            self.cannot_parse("2006")
        return int(self.take(4))

    def literal(self, char: str) -> None:
        if not self.rest.startswith(char.encode()):
            self.cannot_parse(char)
        self.take(1)

    def number(self, element: str, *, name: str = "", low: int = 0, high: int = 99, digits: int = 2) -> int:
        """Two digits, or from `digits` on; the range is checked at once when it has a name."""
        length = 2 if self.rest[:2].isdigit() and len(self.rest) >= 2 else 1
        if length < digits or not self.rest[:1].isdigit():
            self.cannot_parse(element)
        value = int(self.take(length))
        if not low <= value <= high:
            self.fail(f"{name} out of range")
        return value

    def fraction(self) -> int:
        """Any number of digits after a dot or comma, kept to nine; without a digit there is no fraction."""
        length = 1
        while self.rest[:1] in (b".", b",") and self.rest[length : length + 1].isdigit():
            length += 1
        if length == 1:
            return 0
        return int(self.take(length)[1:10].ljust(9, b"0"))

    def zone(self) -> int:
        """`Z` or a signed offset in seconds. Go checks the ranges before the digits and the sign."""
        if self.rest.startswith(b"Z"):
            self.take(1)
            return 0
        hold = self.rest
        if len(hold) < 6 or hold[3] != 0x3A:
            self.cannot_parse("Z07:00")
        self.take(6)
        hours, minutes = (int(part) if part.isdigit() else -1 for part in (hold[1:3], hold[4:6]))
        if hours >= 0 and minutes > 60:
            self.fail("time zone offset minute out of range")
        if hours > 24:
            self.fail("time zone offset hour out of range")
        if hours < 0 or minutes < 0 or hold[:1] not in (b"+", b"-"):
            self.rest = hold
            self.cannot_parse("Z07:00")
        offset = hours * 3_600 + minutes * 60
        return -offset if hold[:1] == b"-" else offset

    def take(self, length: int) -> bytes:
        taken, self.rest = self.rest[:length], self.rest[length:]
        return taken

    def cannot_parse(self, element: str) -> NoReturn:
        whole, rest = quote_bytes(self.text), _quote_rest(self.rest)
        raise ValueError(f'parsing time {whole} as "{_LAYOUT}": cannot parse {rest} as "{element}"')

    def fail(self, problem: str) -> NoReturn:
        raise ValueError(f"parsing time {quote_bytes(self.text)}: {problem}")


def _quote_rest(rest: bytes) -> str:
    return '"' + "".join(map(_quoted, rest)) + '"'


def _days_in(year: int, month: int) -> int:
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month in (4, 6, 9, 11) else 31


def _days(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01 in the proleptic Gregorian calendar, for year 0 too."""
    shifted = year - (month <= 2)
    era, of_era = divmod(shifted, 400)
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468


def date_text(day: int) -> str:
    """Day number since 1970-01-01 → `YYYY-MM-DD`, for the years that a Timestamp can have."""
    return date.fromordinal(day + _EPOCH).isoformat()


def parse_duration(text: str) -> tuple[int, int]:
    """`time.ParseDuration`: optional sign, then `0` or pairs of number and unit."""
    negative = text.startswith("-")
    rest = text[1:] if text[:1] in ("+", "-") else text
    if rest == "0":
        return 0, 0
    if not rest:
        raise _invalid(text)
    total = 0
    at = len(text) - len(rest)
    while at < len(text):
        pair = _PAIR.match(text, at)
        assert pair is not None
        total += _nanoseconds(pair[1], pair[2] or "", pair[3], text)
        at = pair.end()
        if total > _LONGEST:
            raise _invalid(text)
    if total == _LONGEST and not negative:
        raise _invalid(text)
    seconds, nanos = divmod(total, 1_000_000_000)
    return (-seconds, -nanos) if negative else (seconds, nanos)


def _nanoseconds(whole: str, fraction: str, unit_text: str, text: str) -> int:
    """Nanoseconds of one number and its unit."""
    number = int(whole[-20:] or "0")
    if not (whole or fraction) or len(whole.lstrip("0")) > 19 or number > _LONGEST:
        raise _invalid(text)
    if not unit_text:
        raise ValueError(f"time: missing unit in duration {quote_bytes(text)}")
    if (unit := _UNITS.get(unit_text)) is None:
        raise ValueError(f"time: unknown unit {quote_bytes(unit_text)} in duration {quote_bytes(text)}")
    if number > _LONGEST // unit:
        raise _invalid(text)
    nanos = number * unit + _fraction_nanos(fraction, unit)
    if nanos > _LONGEST:
        raise _invalid(text)
    return nanos


def _fraction_nanos(digits: str, unit: int) -> int:
    """Go's arithmetic in floats, so that the last nanosecond agrees; digits beyond int64 are dropped."""
    value, scale = 0, 1.0
    for char in digits:
        if value > (_LONGEST - 1) // 10 or (longer := value * 10 + int(char)) > _LONGEST:
            break
        value, scale = longer, scale * 10
    return int(float(value) * (float(unit) / scale))


def _invalid(text: str) -> ValueError:
    return ValueError(f"time: invalid duration {quote_bytes(text)}")


def parse_json_timestamp(text: str) -> tuple[int, int]:
    """The JSON form of a Timestamp, as a path variable carries it: Go's grammar, at most nine digits."""
    try:
        seconds, nanos = parse_timestamp(text)
    except ValueError:
        raise _not_json("Timestamp", text) from None
    fraction = re.search(r"\.([0-9]*)", text)
    if fraction and len(fraction[1]) > 9:
        raise _not_json("Timestamp", text)
    return seconds, nanos


def parse_json_duration(text: str) -> tuple[int, int]:
    """The JSON form of a Duration: seconds with at most nine digits, then `s`."""
    match = _JSON_DURATION.fullmatch(text)
    if match is None:
        raise _not_json("Duration", text)
    sign, whole, fraction = match.groups()
    seconds, nanos = int((whole or "0")[:20]), int((fraction or "").ljust(9, "0"))
    if seconds > MAX_DURATION_SECONDS:
        raise _not_json("Duration", text)
    return (-seconds, -nanos) if sign == "-" else (seconds, nanos)


def _not_json(kind: str, text: str) -> ValueError:
    return ValueError(f"proto: (line 1:1): invalid google.protobuf.{kind} value {quote(text)}")
