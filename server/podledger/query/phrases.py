"""Text tests: the meaning of a plain value, one in quotes, and one behind `r/` (pod-service 4.1)."""

from __future__ import annotations

from podledger.query.cutting import Modified, modified
from podledger.query.limits import QueryLimits
from podledger.query.patterns import BadPatternError, compile_regex
from podledger.query.syntax import CellTest, Equals, Like, Matches, Not
from podledger.query.texts import BadValueError


def read_modifiers(raw: str) -> Modified:
    """Take the modifiers off a raw value, and refuse the one that nobody supports (pod-service 3.6)."""
    asked = modified(raw)
    if "AtLeastOne" in asked.modifiers:
        raise BadValueError("unsupported query modifier: AtLeastOne")
    return asked


def text_test(asked: Modified, limits: QueryLimits) -> CellTest:
    """The test of one text. An empty value is the prefix of every text."""
    test = _text_test(asked, limits)
    return Not(test) if asked.negated else test


def _text_test(asked: Modified, limits: QueryLimits) -> CellTest:
    if "Regex" in asked.modifiers:
        return regex_test(asked.value, limits)
    return Equals(asked.value) if "Equality" in asked.modifiers else Like(asked.value)


def regex_test(pattern: str, limits: QueryLimits) -> Matches:
    """The test for a regular expression that RE2 takes and that is small enough."""
    try:
        compile_regex(pattern, limits)
    except BadPatternError as error:
        raise BadValueError(f"{regexp_prefix(pattern)}{error}") from error
    return Matches(pattern)


def regexp_prefix(pattern: str) -> str:
    """How every error about a regular expression begins, except on enum columns."""
    return f"invalid regexp {pattern}: "
