"""Values of enum columns: cells hold numbers, queries give names (pod-service 4.6)."""

from __future__ import annotations

from collections.abc import Callable

from podledger.pods.quoting import quote
from podledger.query.cutting import Modified
from podledger.query.fields import ENUMS
from podledger.query.limits import QueryLimits
from podledger.query.numerals import Sign, split_sign
from podledger.query.patterns import BadPatternError, compile_regex, regex_search
from podledger.query.syntax import Compare, IsNull, Never, NotNull, OneOf, Test
from podledger.query.texts import BadValueError, fold

REGEX_PREFIX = "invalid regex: "
"""How errors about a regular expression begin here."""


def enum_test(asked: Modified, path: str, limits: QueryLimits) -> Test:
    """The meaning of one value of a column whose enum is `path`.

    `*` and `-` ask for NULL whatever the modifiers are.
    """
    if asked.value in {"*", "-"}:
        return NotNull() if asked.value == "*" else IsNull()
    if not asked.modifiers:
        sign, prefix = split_sign(asked.value)
        return _compared(sign, _numbers(path, _starts_with(prefix)))
    hit = _numbers(path, _name_test(asked, limits))
    numbers = frozenset(ENUMS[path].values()) - hit if asked.negated else hit
    if not numbers:
        raise BadValueError(
            f"could not find corresponding enum at field {quote(path)}"
            f" with value {quote(asked.value)} and modifiers {asked.listed}"
        )
    return OneOf(numbers)


def _numbers(path: str, wanted: Callable[[str], bool]) -> frozenset[int]:
    return frozenset(number for name, number in ENUMS[path].items() if wanted(fold(name)))


def _starts_with(prefix: str) -> Callable[[str], bool]:
    folded = fold(prefix)
    return lambda name: name.startswith(folded)


def _name_test(asked: Modified, limits: QueryLimits) -> Callable[[str], bool]:
    """A test of lower-case names."""
    if "Regex" in asked.modifiers:
        try:
            regex = compile_regex(asked.value, limits)
        except BadPatternError as error:
            raise BadValueError(f"{REGEX_PREFIX}{error}") from error
        return lambda name: regex_search(regex, name)
    if "Equality" in asked.modifiers:
        return lambda name: name == fold(asked.value)
    return _starts_with(asked.value)


def _compared(sign: Sign, numbers: frozenset[int]) -> Test:
    """The cell compares with any of the numbers, so the farthest of them decides."""
    if not numbers:
        return Never()
    match sign:
        case ">" | ">=":
            return Compare(sign, min(numbers))
        case "<" | "<=":
            return Compare(sign, max(numbers))
        case _:
            return OneOf(numbers)
