"""A query in plain words: how its text was cut, what each part means, which parts were dropped and why.

For people who wonder why a query finds what it finds. The words are no contract; the meaning is that of
`matching`.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from podledger.pods.identity import uuid_text
from podledger.pods.quoting import quote
from podledger.query.fields import ENUMS, Field
from podledger.query.joining import Join, join_tree
from podledger.query.parsing import Part, Parts, dropped_text
from podledger.query.syntax import (
    Always,
    Between,
    Compare,
    Condition,
    Equals,
    IsNull,
    KeyPresent,
    Like,
    Matches,
    Never,
    Not,
    NotNull,
    OneOf,
    Query,
    SomeElement,
    SomeEntry,
    Test,
    Value,
)

_KINDS = {
    "string": "text",
    "uuid": "a UUID",
    "numeric": "a number",
    "integer": "a whole number",
    "biginteger": "a whole number",
    "datetime": "a time",
    "bool": "true or false",
    "enum": "a name",
    "stringarray": "a list of texts",
    "map": "keys with values",
}
_OPERATORS = {"<": "below", "<=": "at most", ">": "above", ">=": "at least"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def explain(parts: Parts, query: Query) -> list[str]:
    """Lines for a query text that was read and interpreted."""
    conditions = {condition.spelling: condition for condition in query.conditions}
    lines = [line for part in parts.parts if part.text for line in _part(part, conditions)]
    return [*lines, *_joins(join_tree(query.conditions)), _verdict(query)]


def _part(part: Part, conditions: dict[str, Condition]) -> Iterator[str]:
    yield f"part {quote(part.text)}"
    if part.dropped:
        yield f"  has no effect: {dropped_text(part)}"
        return
    condition = conditions[part.key]
    field = condition.field
    yield f"  {field.label} ({field.table}.{field.column}, {_KINDS[field.kind]}) {_some_of(condition)}"
    for raw, test in zip(condition.values, condition.tests, strict=True):
        yield f"    {quote(raw)}: {words_of(test, field)}"


def _some_of(condition: Condition) -> str:
    return "must satisfy" if len(condition.tests) == 1 else "must satisfy one of"


def _joins(join: Join) -> Iterator[str]:
    for behind in join.joins:
        needed = "may have no row" if behind.left else "must have a row"
        yield f"the pod {needed} in {behind.table}, reached through {join.table}"
        yield from _joins(behind)


def _verdict(query: Query) -> str:
    if query.nothing:
        return "finds no pod: none of the labels is available for pods"
    return "finds the pods that satisfy every part" if query.conditions else "finds every pod: there is no condition"


# ------------------------------------------------------------------------------------------- one test


def words_of(test: Test, field: Field) -> str:
    """One test of a cell in words."""
    match test:
        case Always():
            return "anything, also where nothing is known"
        case Never():
            return "nothing"
        case IsNull():
            return "is not set"
        case NotNull():
            return "is set"
        case Not(test=inner):
            return f"is set and not: {words_of(inner, field)}"
        case SomeElement(test=inner):
            return f"some element {words_of(inner, field)}"
        case KeyPresent(key=key, absent=absent):
            return f"{'lacks' if absent else 'has'} exactly the key {quote(key)}"
        case SomeEntry():
            return _entry_words(test, field)
        case _:
            return _value_words(test, field)


def _entry_words(test: SomeEntry, field: Field) -> str:
    sides = [
        f"its {side} {words_of(asked, field)}"
        for side, asked in (("key", test.key), ("value", test.value))
        if asked is not None
    ]
    return f"has an entry: {' and '.join(sides)}" if sides else "has an entry"


def _value_words(test: Test, field: Field) -> str:
    match test:
        case Like(pattern=pattern):
            return _like_words(pattern)
        case Matches(pattern=pattern):
            return f"contains a match of the regular expression {quote(pattern)}, letter case ignored"
        case Equals(value=value):
            return f"is exactly {_shown(value, field)}"
        case OneOf(numbers=numbers):
            names = [name for name, number in ENUMS[field.enum].items() if number in numbers]
            return f"is one of {', '.join(names)}" if names else "is none of the names"
        case Compare(operator=operator, value=value):
            return f"is {_OPERATORS[operator]} {_shown(value, field)}"
        case Between(low=low, high=high, closed_low=closed_low):
            return f"is {'at least' if closed_low else 'above'} {_shown(low, field)} and below {_shown(high, field)}"
    raise AssertionError(test)


def _like_words(pattern: str) -> str:
    if not pattern:
        return "is set"
    live = any(special in pattern for special in "%_\\")
    note = " (% is any run, _ any character, \\ takes the next one literally)" if live else ""
    return f"starts with {quote(pattern)}{note}, letter case ignored"


def _shown(value: Value, field: Field) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case bytes():
            return uuid_text(value)
        case str():
            return quote(value)
        case int() if field.kind == "enum":
            return next((name for name, number in ENUMS[field.enum].items() if number == value), str(value))
        case int() if field.kind == "datetime":
            return _moment(value)
        case _:
            return f"{value:g}" if isinstance(value, float) else str(value)


def _moment(instant: int) -> str:
    """An instant in ISO form; a query can ask for years that the calendar of Python does not have."""
    try:
        return (_EPOCH + timedelta(microseconds=instant)).isoformat().replace("+00:00", "Z")
    except OverflowError:
        return f"{instant // 1_000_000} seconds from 1970"
