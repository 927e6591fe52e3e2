"""Dates and times of day as people write them in a query (pod-service 4.4).

    date      = MM "/" DD "/" YYYY [ time ] [ SP zone ]
    time      = SP h ":" mm [ ":" ss [ "." 1*digit ] ] SP ( "AM" / "PM" )
    zone      = 3 capitals / 3*4 capitals "T" / "WITA" / "ChST" / "MeST" / "GMT" ( "+" / "-" ) hours

SP is a run of spaces. Everything else is no date, and that is not yet an error: it may be a number of days.
"""

from __future__ import annotations

import string
from datetime import date

_EPOCH = date(1970, 1, 1).toordinal()
_DAYS_IN_400_YEARS = 146_097
_DAY_SECONDS = 86_400


class _NoDateError(Exception):
    """The text is no date."""


def parse_date(text: str) -> int | None:
    """Seconds from 1970 UTC to the instant of a date text; None when the text is no date."""
    try:
        return _date(_Scanner(text))
    except _NoDateError:
        return None


def _date(scanner: _Scanner) -> int:
    seconds = _day(scanner) * _DAY_SECONDS
    more = scanner.spaces()
    if more and scanner.sees(string.digits):
        seconds += _time_of_day(scanner)
        more = scanner.spaces()
    if more:
        seconds -= _zone(scanner)
    scanner.end()
    return seconds


def _day(scanner: _Scanner) -> int:
    """Days since 1970. There is a year 0, which Python's calendar lacks: 400 years repeat themselves."""
    month = scanner.number(2)
    scanner.literal("/")
    day = scanner.number(2)
    scanner.literal("/")
    year = scanner.number(4)
    try:
        ordinal = date(year or 400, month, day).toordinal() - (0 if year else _DAYS_IN_400_YEARS)
    except ValueError:
        raise _NoDateError from None
    return ordinal - _EPOCH


def _time_of_day(scanner: _Scanner) -> int:
    """Seconds since midnight. Hour 0 is accepted and means 12."""
    hour = scanner.number(1, 2, most=12)
    scanner.literal(":")
    seconds = scanner.number(2, most=59) * 60
    if scanner.take(":"):
        seconds += scanner.number(2, most=59)
        if scanner.take("."):
            scanner.run(string.digits)
    if not scanner.spaces():
        raise _NoDateError
    return (hour % 12 + scanner.choice({"AM": 0, "PM": 12})) * 3600 + seconds


def _zone(scanner: _Scanner) -> int:
    """Seconds ahead of UTC. Only `GMT` with an hour says how many; every other name counts as UTC."""
    name = scanner.run(string.ascii_letters)
    if name == "GMT" and scanner.sees("+-"):
        sign = scanner.choice({"+": 1, "-": -1})
        hours = scanner.run(string.digits).lstrip("0").rjust(2, "0")
        if hours > "23" or len(hours) > 2:
            raise _NoDateError
        return sign * int(hours) * 3600
    if not _is_zone(name):
        raise _NoDateError
    return 0


def _is_zone(name: str) -> bool:
    if name in {"WITA", "ChST", "MeST"}:
        return True
    return name.isupper() and (len(name) == 3 or (len(name) in {4, 5} and name.endswith("T")))


class _Scanner:
    """A text read from left to right. What does not fit raises `_NoDateError`."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def sees(self, characters: str) -> bool:
        """Whether one of these characters comes next."""
        return self._at < len(self._text) and self._text[self._at] in characters

    def take(self, character: str) -> bool:
        """Read this character if it comes next."""
        seen = self.sees(character)
        self._at += seen
        return seen

    def spaces(self) -> bool:
        """Read a run of spaces; false when there is none."""
        return self.sees(" ") and bool(self.run(" "))

    def run(self, characters: str) -> str:
        """Read one or more of these characters."""
        start = self._at
        while self.sees(characters):
            self._at += 1
        if self._at == start:
            raise _NoDateError
        return self._text[start : self._at]

    def number(self, *lengths: int, most: int = 9999) -> int:
        """Read a run of digits of one of these lengths; the number is at most `most`."""
        digits = self.run(string.digits)
        if len(digits) not in lengths or int(digits) > most:
            raise _NoDateError
        return int(digits)

    def literal(self, wanted: str) -> None:
        """Read exactly this."""
        self.choice({wanted: 0})

    def choice(self, meanings: dict[str, int]) -> int:
        """Read one of these texts and give what it means."""
        for text, meaning in meanings.items():
            if self._text.startswith(text, self._at):
                self._at += len(text)
                return meaning
        raise _NoDateError

    def end(self) -> None:
        """Read the end of the text."""
        if self._at < len(self._text):
            raise _NoDateError
