"""Values of map columns, the labels and annotations (pod-service 4.8).

    value     = "*" / [ "!" ] key [ "=" value ]

Modifiers are read from each side, not from the whole: `app=!cart` asks for an entry `app` with another
value. A key with nothing behind `=` is exact, and only such a key can be negated.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from podledger.query.cutting import modified
from podledger.query.limits import QueryLimits
from podledger.query.phrases import read_modifiers, regexp_prefix, text_test
from podledger.query.syntax import Always, CellTest, KeyPresent, SomeEntry, Test
from podledger.query.texts import BadValueError

Side = Literal["key", "value"]


class _Entry(NamedTuple):
    """What an entry is asked for. `value` is None without a `=`."""

    negated: bool
    key: str
    value: str | None

    @property
    def exact_key(self) -> bool:
        return self.key != "" and self.value == ""


def map_test(raw: str, limits: QueryLimits) -> Test:
    """The meaning of one raw value of a map column."""
    if raw == "*":
        return Always()
    entry = _entry(raw)
    if entry.exact_key:
        return KeyPresent(entry.key, absent=entry.negated)
    if entry.negated:
        raise BadValueError(f"unsupported map query {raw}: cannot negate key and specify non-empty value")
    return SomeEntry(
        _side_test("key", entry.key, raw=raw, limits=limits),
        _side_test("value", entry.value or "", raw=raw, limits=limits),
    )


def map_patterns(raw: str) -> list[tuple[str, str]]:
    """The regular expressions of both sides, each with how errors about it begin."""
    entry = _entry(raw)
    if entry.exact_key:
        return []
    sides: tuple[tuple[Side, str], ...] = (("key", entry.key), ("value", entry.value or ""))
    asked = ((side, modified(text)) for side, text in sides)
    return [
        (found.value, _side_prefix(side, raw) + regexp_prefix(found.value))
        for side, found in asked
        if "Regex" in found.modifiers
    ]


def _entry(raw: str) -> _Entry:
    key, equals, value = raw.partition("=")
    return _Entry(key.startswith("!"), key.removeprefix("!"), value if equals else None)


def _side_test(side: Side, text: str, *, raw: str, limits: QueryLimits) -> CellTest | None:
    if not text:
        return None
    try:
        return text_test(read_modifiers(text), limits)
    except BadValueError as error:
        raise BadValueError(f"{_side_prefix(side, raw)}{error}") from error


def _side_prefix(side: Side, raw: str) -> str:
    return f"couldn't generate query for {side} from {raw}: "
