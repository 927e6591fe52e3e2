"""Text patterns: plain values as ILIKE, and regular expressions by RE2 (pod-service 3.8, 3.9).

Every store gets its answers from here, or only where its own operator provably gives the same one.
The standard library's `re` never sees a text from outside: its running time has no bound.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import Protocol

import re2

from podledger.query.limits import QueryLimits
from podledger.query.texts import fold

__all__ = ["BadPatternError", "Regex", "check_regex_text", "compile_regex", "fold", "like", "regex_search"]

# -------------------------------------------------------------------------------- regular expressions


class BadPatternError(ValueError):
    """A regular expression that is not accepted; the text says why, without the pattern."""


class Regex(Protocol):
    """A compiled regular expression."""

    @property
    def programsize(self) -> int:
        """Instructions of the program."""
        ...

    def search(self, text: str) -> object:
        """The first match; None when there is none."""
        ...


def _options() -> re2.Options:
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    options.max_mem = 8 * 1024 * 1024
    return options


_OPTIONS = _options()


@lru_cache(maxsize=128)
def _compiled(pattern: str) -> Regex:
    try:
        regex: Regex = re2.compile(pattern, options=_OPTIONS)
    except re2.error as error:
        raise BadPatternError(f"error parsing regexp: {_reason(error)}") from error
    return regex


def _reason(error: Exception) -> str:
    """RE2 hands its text over as bytes."""
    (reason,) = error.args
    return reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)


def check_regex_text(pattern: str, limits: QueryLimits) -> None:
    """Refuse a pattern that is too long to be compiled. Raises `BadPatternError`."""
    size = len(pattern.encode())
    if size > limits.max_regex_bytes:
        raise BadPatternError(f"pattern too long: {size} bytes, limit {limits.max_regex_bytes}")


def compile_regex(pattern: str, limits: QueryLimits | None = None) -> Regex:
    """Compile a pattern as it will run. Raises `BadPatternError`.

    With `limits` the program size is checked too: that RE2 accepts a pattern bounds its cost per row by
    nothing that a caller would wait for. Patterns of a `Query` have passed and need no limits again.
    """
    regex = _compiled(pattern)
    if limits is not None and regex.programsize > limits.max_regex_program:
        # Refused programs have megabytes each; two caches would keep hundreds of them alive.
        _compiled.cache_clear()
        re2.purge()
        raise BadPatternError(f"program too large: {regex.programsize} instructions, limit {limits.max_regex_program}")
    return regex


def regex_search(regex: Regex, text: str) -> bool:
    """Whether the regular expression is found anywhere in the text."""
    return regex.search(text) is not None


# ------------------------------------------------------------------------------------- plain values


@dataclass(frozen=True, slots=True)
class _Piece:
    """A run of a pattern without `%`: `length` characters, of which some are told."""

    length: int
    told: tuple[tuple[int, str], ...]
    """Offset and text of what is told; the characters in between are any (`_`)."""

    def fits(self, text: str, place: int) -> bool:
        """Whether the piece stands in the text at this place."""
        if place + self.length > len(text):
            return False
        return all(text.startswith(wanted, place + offset) for offset, wanted in self.told)

    def find(self, text: str, start: int) -> int:
        """The first place from `start` on where the piece fits; -1 when there is none."""
        if not self.told:
            return start if start + self.length <= len(text) else -1
        offset, wanted = self.told[0]
        found = text.find(wanted, start + offset)
        while found >= 0 and not self.fits(text, found - offset):
            found = text.find(wanted, found + 1)
        return found - offset if found >= 0 else -1


@lru_cache(maxsize=512)
def like(pattern: str) -> Callable[[str], bool]:
    r"""A predicate for the ILIKE pattern that a plain value stands for: `pattern` and one more `%`.

    The appended `%` is part of the pattern: behind an odd number of backslashes it is a literal `%`,
    and then nothing may follow it.
    """
    folded = fold(pattern)
    if not any(special in folded for special in "%_\\"):
        return lambda text: fold(text).startswith(folded)
    pieces = _pieces(folded + "%")
    return lambda text: _match(pieces, fold(text))


def _pieces(pattern: str) -> tuple[_Piece, ...]:
    """Cut at every live `%`."""
    pieces: list[list[str | None]] = [[]]
    characters = iter(pattern)
    for character in characters:
        if character == "%":
            pieces.append([])
        elif character == "_":
            pieces[-1].append(None)
        elif character == "\\":
            pieces[-1].append(next(characters))  # the appended % follows at the latest
        else:
            pieces[-1].append(character)
    return tuple(map(_piece, pieces))


def _piece(characters: Sequence[str | None]) -> _Piece:
    told: list[tuple[int, str]] = []
    for any_, run in groupby(enumerate(characters), key=lambda place: place[1] is None):
        if not any_:
            places = list(run)
            told.append((places[0][0], "".join(str(character) for _, character in places)))
    return _Piece(len(characters), tuple(told))


def _match(pieces: Sequence[_Piece], text: str) -> bool:
    """The first piece begins the text, the last one ends it, the others follow each other in between.

    Taking the first place where a piece fits never spoils a match, so nothing is tried twice.
    """
    first, *middle = pieces
    if not middle:
        return first.length == len(text) and first.fits(text, 0)
    *middle, last = middle
    if not first.fits(text, 0):
        return False
    position = first.length
    for piece in middle:
        found = piece.find(text, position)
        if found < 0:
            return False
        position = found + piece.length
    end = len(text) - last.length
    return end >= position and last.fits(text, end)
