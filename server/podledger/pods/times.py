"""RFC 3339 times as Kubernetes writes them: text -> seconds and nanoseconds since 1970 UTC.

Any offset, an optional fraction; more than nine digits of it are cut. Year 1 is what Kubernetes means
by a time that is null, so it is a value of its own here.
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

_EPOCH_DAY = datetime(1970, 1, 1).toordinal()  # noqa: DTZ001 - a calendar day, not an instant
_LAST_SECONDS = 253_402_300_799
"""9999-12-31T23:59:59Z, where the time of a protobuf message ends."""


class Instant(NamedTuple):
    """A moment, laid out as a protobuf Timestamp."""

    seconds: int
    nanos: int


YEAR_ONE = Instant(-62_135_596_800, 0)
"""0001-01-01T00:00:00Z: a time that is set and not known."""


def microseconds(instant: Instant) -> int:
    """Microseconds since 1970 UTC, what is finer cut off."""
    return instant.seconds * 1_000_000 + instant.nanos // 1000


@lru_cache(maxsize=4096)
def parse_time(text: str) -> Instant:
    """Read `YYYY-MM-DDThh:mm:ss[.fraction](Z|±hh:mm)`. Raises `ValueError` for anything else.

    Cached: the containers of a pod, and the pods of a rollout, start in the same second.
    """
    moment, rest = _moment(text[:19]), text[19:]
    nanos, zone = _fraction(rest[1:]) if rest.startswith(".") else (0, rest)
    seconds = moment - _offset(zone)
    if not YEAR_ONE.seconds <= seconds <= _LAST_SECONDS:
        raise ValueError("outside the years 1 to 9999")
    return Instant(seconds, nanos)


def _moment(text: str) -> int:
    """Seconds of `YYYY-MM-DDThh:mm:ss`, taken as UTC."""
    if len(text) != 19 or text[4] + text[7] + text[10].upper() + text[13] + text[16] != "--T::":
        raise ValueError("not of the form YYYY-MM-DDThh:mm:ss")
    year, month, day = _number(text[:4]), _number(text[5:7]), _number(text[8:10])
    hour, minute, second = _number(text[11:13]), _number(text[14:16]), _number(text[17:])
    moment = datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - the offset is applied apart
    return (moment.toordinal() - _EPOCH_DAY) * 86_400 + hour * 3600 + minute * 60 + second


def _fraction(text: str) -> tuple[int, str]:
    """Nanoseconds of the digits at the beginning, and the text after them."""
    zone = text.lstrip("0123456789")
    digits = text[: len(text) - len(zone)]
    return _number(digits[:9]) * 10 ** (9 - len(digits[:9])), zone


def _offset(zone: str) -> int:
    """Seconds east of UTC."""
    if zone in ("Z", "z"):
        return 0
    if len(zone) != 6 or zone[0] not in "+-" or zone[3] != ":":
        raise ValueError("no offset")
    hours, minutes = _number(zone[1:3]), _number(zone[4:])
    if hours > 23 or minutes > 59:
        raise ValueError("offset of a day or more")
    return (hours * 3600 + minutes * 60) * (-1 if zone[0] == "-" else 1)


def _number(digits: str) -> int:
    """Decimal digits only: `int` alone would take signs, spaces, underscores and other scripts."""
    if not (digits.isascii() and digits.isdigit()):
        raise ValueError("not a decimal number")
    return int(digits)
