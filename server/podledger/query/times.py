"""Values of time columns: dates, numbers of days, ranges of both (pod-service 4.4).

    value     = "*" / "-" / "tr/" milliseconds "-" milliseconds / sign ( date / days "-" days / days )
    days      = integer [ "d" ]

Dates are read by `dates`. Instants are integer microseconds since 1970 UTC; those that come from a query
are cut to whole seconds, and to 64 bits: no cell lies outside.
"""

from __future__ import annotations

from podledger.pods.quoting import quote
from podledger.query.cutting import Modified
from podledger.query.dates import parse_date
from podledger.query.numerals import Sign, parse_int, split_range, split_sign
from podledger.query.syntax import Between, Compare, Equals, IsNull, NotNull, Test
from podledger.query.texts import BadValueError

SECOND = 1_000_000
DAY = 86_400 * SECOND
_LAST = (2**63 - 1) // SECOND * SECOND


def time_test(asked: Modified, now: int) -> Test:
    """The meaning of one value of a datetime column at the moment `now`."""
    value = asked.value
    if asked.modifiers:
        raise BadValueError("modifiers not supported for time query")
    if value in {"*", "-"}:
        return NotNull() if value == "*" else IsNull()
    if value.startswith("tr/"):
        return _moments(value.removeprefix("tr/"))
    sign, rest = split_sign(value)
    second = parse_date(rest)
    if second is not None:
        return _by_date(value, sign, second * SECOND)
    return _by_age(value, sign, rest, now)


def _cut(instant: int) -> int:
    """To whole seconds, within 64 bits."""
    return max(-_LAST, min(_LAST, instant // SECOND * SECOND))


# ----------------------------------------------------------------------------------------- tr/from-to


def _moments(text: str) -> Test:
    low, _, high = text.partition("-")
    if not low or not high:
        raise BadValueError(f"parsing time range: malformed time range query string: {text}")
    return Between(_milliseconds(low), _milliseconds(high), closed_low=True)


def _milliseconds(text: str) -> int:
    try:
        return _cut(parse_int(text, 64) * 1000)
    except ValueError as error:
        reason = f"strconv.ParseInt: parsing {quote(text)}: {error}"
        raise BadValueError(f"parsing time range: {reason}") from None


# ---------------------------------------------------------------------------------------- dates, ages


def _by_date(value: str, sign: Sign, instant: int) -> Test:
    match sign:
        case "":
            return Between(instant, instant + DAY, closed_low=True)
        case ">" | ">=" | "<" | "<=":
            return Compare(sign, instant)
        case "=":
            return Equals(instant)
        case _:
            raise BadValueError(f'unsupported time query {quote(value)}: use "=" to compare with a date')


def _by_age(value: str, sign: Sign, rest: str, now: int) -> Test:
    ages = _ages(rest)
    if ages:
        return _age_range(value, rest, *ages, now=now)
    days = _days(rest)
    if days is None:
        format_ = "Must be of the format (01/02/2006 or 1d)"
        raise BadValueError(f"invalid time query (prefix: {sign}, value: {rest}). {format_}")
    instant = _cut(now - days * DAY)
    match sign:  # turned round, because the number is an age
        case ">":
            return Compare("<=", instant)
        case ">=":
            return Compare("<", instant)
        case "<":
            return Compare(">=", instant)
        case "<=":
            return Compare(">", instant)
        case "=":
            raise BadValueError(f'unsupported time query {quote(value)}: use "==" to compare with a number of days')
        case _:
            return Equals(instant)


def _age_range(value: str, rest: str, youngest: int, oldest: int, *, now: int) -> Test:
    if youngest >= oldest:
        reason = f"invalid range {rest} (first value must be strictly less than the second)"
        raise BadValueError(f"tried to parse {value} as a range, but it was not valid: {reason}")
    return Between(_cut(now - oldest * DAY), _cut(now - youngest * DAY))


def _ages(rest: str) -> tuple[int, int] | None:
    sides = split_range(rest)
    if sides is None:
        return None
    youngest, oldest = _days(sides[0]), _days(sides[1])
    return None if youngest is None or oldest is None else (youngest, oldest)


def _days(text: str) -> int | None:
    try:
        return parse_int(text.removesuffix("d"), 32)
    except ValueError:
        return None
