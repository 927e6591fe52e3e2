"""A query text to its meaning, with all checks in their order (pod-service 2, steps 3 to 6 and 8 to 9).

`read` cuts the text and says of every part what becomes of it; `interpret` checks the values against
their columns and gives the `Query`. Between the two a caller checks the window that it asks for. Both are
pure: an invalid query is refused the same way on an empty store.

The grammar itself cannot fail (`cutting`). Errors come from the caps, from strict mode, and from values
that their column type refuses.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from podledger.errors import InvalidRequest
from podledger.pods.quoting import quote
from podledger.query.cutting import cut, pair, split_values
from podledger.query.fields import Field, find
from podledger.query.hinting import hint
from podledger.query.limits import DEFAULT_LIMITS, QueryLimits
from podledger.query.patterns import BadPatternError, check_regex_text
from podledger.query.syntax import Condition, Query
from podledger.query.texts import BadValueError, trim
from podledger.query.values import Reading, value_patterns, value_test

__all__ = ["Part", "Parts", "QueryLimits", "Reason", "dropped_text", "interpret", "parse", "read"]

Reason = Literal["", "empty", "no colon", "no value", "unknown", "unreachable", "replaced"]
"""Why a part puts no condition on the result; "" for one that does."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a query text and what becomes of it."""

    text: str
    """As cut, trimmed."""
    key: str = ""
    """The label as typed, trimmed."""
    values: tuple[str, ...] = ()
    """Raw values, untrimmed."""
    field: Field | None = None
    """None when the label is unknown."""
    dropped: Reason = ""


@dataclass(frozen=True)
class Parts:
    """A query text, cut. `parts` are in input order, empty ones included."""

    text: str
    parts: tuple[Part, ...]

    @cached_property
    def conditions(self) -> tuple[Part, ...]:
        """The parts that put a condition on the result, in bytewise order of their spelling."""
        return tuple(sorted((part for part in self.parts if not part.dropped), key=lambda part: part.key))

    @cached_property
    def labelled(self) -> tuple[Part, ...]:
        """The conditions, and the parts of unreachable labels; of one spelling the last part only."""
        known = (part for part in self.parts if part.dropped in {"", "unreachable"})
        by_spelling = {part.key: part for part in known}
        return tuple(by_spelling[key] for key in sorted(by_spelling))

    @property
    def ignored(self) -> tuple[str, ...]:
        """The dropped parts in input order, as metadata reports them. Empty parts are not reported."""
        return tuple(part.text for part in self.parts if part.dropped not in {"", "empty"})

    @property
    def nothing(self) -> bool:
        """Whether labels are given and none of them is reachable: the result is empty (pod-service 5.1)."""
        return bool(self.labelled) and not self.conditions


def parse(text: str, *, limits: QueryLimits = DEFAULT_LIMITS, strict: bool = False, now: int) -> Query:
    """Read and interpret a query text in one go."""
    return interpret(read(text, limits=limits, strict=strict), limits=limits, now=now)


# ------------------------------------------------------------------------------------- text to parts


def read(text: str, *, limits: QueryLimits = DEFAULT_LIMITS, strict: bool = False) -> Parts:
    """Cut a query text and check its size; in strict mode refuse the first dropped part.

    Raises `InvalidRequest`.
    """
    _check_text(text, limits)
    cuts = cut(text)
    if len(cuts) > limits.max_parts:
        raise _too_many("query parts", len(cuts), limits.max_parts)
    parts = Parts(text, tuple(_without_replaced([_part(raw) for raw in cuts])))
    if strict:
        _refuse_dropped(parts)
    _check_values(parts, limits)
    return parts


def _check_text(text: str, limits: QueryLimits) -> None:
    size = len(text.encode())
    if size > limits.max_bytes:
        raise InvalidRequest(f"query text too long: {size} bytes, limit {limits.max_bytes}", field="query")
    if "\0" in text:
        raise InvalidRequest("query text contains a NUL character", field="query")


def _too_many(what: str, number: int, limit: int) -> InvalidRequest:
    return InvalidRequest(f"too many {what}: {number}, limit {limit}", field="query")


def _part(raw: str) -> Part:
    """One part by itself (pod-service 3.3)."""
    text = trim(raw)
    found = pair(text)
    if found is None:
        return Part(text, dropped="no colon" if text else "empty")
    field = find(found.key)
    if not found.values:
        return Part(text, found.key, field=field, dropped="no value")
    dropped: Reason = "unknown" if field is None else "" if field.reachable else "unreachable"
    return Part(text, found.key, split_values(found.values), field, dropped)


def _without_replaced(parts: list[Part]) -> Iterator[Part]:
    """Of several conditions in one spelling the last one holds (pod-service 3.4)."""
    last = {part.key: part for part in parts if not part.dropped}
    for part in parts:
        replaced = not part.dropped and last[part.key] is not part
        yield replace(part, dropped="replaced") if replaced else part


# --------------------------------------------------------------------------------- strict mode, caps


def _refuse_dropped(parts: Parts) -> None:
    for part in parts.parts:
        if part.dropped not in {"", "empty"}:
            raise InvalidRequest(dropped_text(part), field=_label(part))


def _label(part: Part) -> str:
    """What the error about a part is about: the label, the key as typed, or the query as a whole."""
    return part.field.label if part.field else part.key or "query"


def dropped_text(part: Part) -> str:
    """Why a part has no effect, as strict mode says it (pod-service 3.5)."""
    label = quote(part.field.label) if part.field else ""
    match part.dropped:
        case "unknown":
            near = hint(part.key)
            return f"unknown search field {quote(part.key)}" + (f", did you mean {quote(near)}?" if near else "")
        case "unreachable":
            return f"search field {label} is not available for pods"
        case "no colon":
            return f"query part {quote(part.text)} is not of the form field:value"
        case "no value":
            return f"query part {quote(part.text)} has no value"
        case _:
            return f"search field {label} is given more than once"


def _check_values(parts: Parts, limits: QueryLimits) -> None:
    """Number of values, number of regular expressions, their size (pod-service 3.1)."""
    values = sum(len(part.values) for part in parts.labelled)
    if values > limits.max_values:
        raise _too_many("query values", values, limits.max_values)
    patterns = list(_patterns(parts))
    if len(patterns) > limits.max_regexes:
        raise _too_many("regular expressions", len(patterns), limits.max_regexes)
    for field, pattern, prefix in patterns:
        try:
            check_regex_text(pattern, limits)
        except BadPatternError as error:
            raise InvalidRequest(f"{prefix}{error}", field=field.label) from error


def _patterns(parts: Parts) -> Iterator[tuple[Field, str, str]]:
    for field, values in _asked(parts):
        for raw in values:
            for pattern, prefix in value_patterns(field, raw):
                yield field, pattern, prefix


def _asked(parts: Parts) -> Iterator[tuple[Field, tuple[str, ...]]]:
    """Field and values of every condition."""
    for part in parts.conditions:
        assert part.field is not None
        yield part.field, part.values


# ------------------------------------------------------------------------------------ parts to query


def interpret(parts: Parts, *, limits: QueryLimits = DEFAULT_LIMITS, now: int) -> Query:
    """Check the values against their columns and give the meaning. `now` is in microseconds since 1970 UTC.

    Fields in bytewise order of their spelling, values of a field in input order; the first bad value is
    the error. Raises `InvalidRequest`.
    """
    if parts.nothing:
        return Query(ignored=parts.ignored, nothing=True)
    reading = Reading(limits, now)
    conditions = tuple(_condition(part, reading) for part in parts.conditions)
    return Query(conditions, parts.ignored)


def _condition(part: Part, reading: Reading) -> Condition:
    assert part.field is not None
    try:
        tests = tuple(value_test(part.field, raw, reading) for raw in part.values)
    except BadValueError as error:
        raise InvalidRequest(str(error), field=part.field.label) from error
    return Condition(part.field, part.key, tests, part.values)
