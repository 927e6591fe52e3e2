"""One raw value to the test of a cell, by the type of its column (pod-service 4).

Numbers and times have modules of their own (`numerals`, `times`), enums and maps too (`enums`, `maps`).
A value that its column refuses raises `BadValueError`.
"""

from __future__ import annotations

from dataclasses import dataclass

from podledger.pods.identity import parse_uuid
from podledger.pods.quoting import quote
from podledger.query.cutting import Modified, modified
from podledger.query.enums import REGEX_PREFIX, enum_test
from podledger.query.fields import Field
from podledger.query.limits import QueryLimits
from podledger.query.maps import map_patterns, map_test
from podledger.query.numerals import number_test
from podledger.query.phrases import read_modifiers, regex_test, regexp_prefix, text_test
from podledger.query.syntax import Equals, IsNull, Not, NotNull, SomeElement, Test
from podledger.query.texts import BadValueError, fold
from podledger.query.times import time_test

_DERIVATIONS = {
    "CustomFieldType": "CustomFieldType",
    "MaxReverseSort": "MaxReverseSortDerivationType",
    "SimpleReverseSort": "SimpleReverseSortDerivationType",
}


@dataclass(frozen=True, slots=True)
class Reading:
    """What the meaning of a value depends on beside its column."""

    limits: QueryLimits
    now: int
    """Microseconds since 1970 UTC, taken once per request."""


def value_test(field: Field, raw: str, reading: Reading) -> Test:
    """The meaning of one raw value on a reachable field."""
    if field.derived:
        raise BadValueError(_derivation_text(field))
    if field.kind == "map":
        return map_test(raw, reading.limits)
    asked = read_modifiers(raw)
    match field.kind:
        case "uuid":
            return _uuid_test(asked, reading.limits)
        case "numeric" | "integer" | "biginteger":
            return number_test(asked, field.kind)
        case "datetime":
            return time_test(asked, reading.now)
        case "bool":
            return _bool_test(asked)
        case "enum":
            return enum_test(asked, field.enum, reading.limits)
        case "stringarray":
            return _null_test(raw) or SomeElement(text_test(asked, reading.limits))
        case _:
            return _null_test(raw) or text_test(asked, reading.limits)


def value_patterns(field: Field, raw: str) -> list[tuple[str, str]]:
    """The regular expressions in a raw value, each with how errors about it begin."""
    if field.kind == "map":
        return map_patterns(raw)
    asked = modified(raw)
    prefix = REGEX_PREFIX if field.kind == "enum" else regexp_prefix(asked.value)
    return [(asked.value, prefix)] if "Regex" in asked.modifiers else []


def _derivation_text(field: Field) -> str:
    if field.derived in _DERIVATIONS:
        return f"unsupported derivation type {_DERIVATIONS[field.derived]}"
    return f"derived search field {quote(field.label)} cannot be used in a query"


def _null_test(text: str) -> IsNull | NotNull | None:
    """The meaning of the values that ask for NULL and for its absence."""
    return NotNull() if text == "*" else IsNull() if text == "-" else None


def _uuid_test(asked: Modified, limits: QueryLimits) -> Test:
    """`*` and `-` ask for NULL whatever the modifiers are; there is no prefix search."""
    if not asked.value:
        raise BadValueError("value in search query cannot be empty")
    test = _null_test(asked.value)
    if test is not None:
        return test
    same = regex_test(asked.value, limits) if "Regex" in asked.modifiers else _same_uuid(asked.value)
    return Not(same) if asked.negated else same


def _same_uuid(text: str) -> Equals:
    try:
        return Equals(parse_uuid(text))
    except ValueError as error:
        raise BadValueError(f"value {quote(text)} in search query must be valid UUID: {error}") from None


def _bool_test(asked: Modified) -> Test:
    if asked.modifiers:
        raise BadValueError(f"modifiers for bool query not allowed: {asked.listed}")
    test = _null_test(asked.value)
    if test is not None:
        return test
    if not asked.value:
        raise BadValueError("empty value is neither true nor false")
    folded = fold(asked.value)
    if folded == "1" or "true".startswith(folded):
        return Equals(True)
    if folded == "0" or "false".startswith(folded):
        return Equals(False)
    raise BadValueError(f"strconv.ParseBool: parsing {quote(asked.value)}: invalid syntax")
