"""The query tree: what `parsing` makes of a text, and what `matching` and `store.sql` read.

A `Query` is an AND of `Condition`s; a condition is an OR of `Test`s on the cells of one column. Tests
are already checked against the column type, so a reader of the tree cannot fail on user input.

The joins are not part of the tree: they follow from the tables of the conditions and sort keys
(`fields.TABLES`, rule of pod-service 5.2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from podledger.query.fields import Field

Value = str | bytes | int | float | bool
"""A value of a cell or of a query: text; uuid as 16 bytes; integer; number; bool; enum as its number;
an instant as integer microseconds since 1970 UTC."""


@dataclass(frozen=True, slots=True)
class IsNull:
    """The cell is NULL (raw value `-`)."""


@dataclass(frozen=True, slots=True)
class NotNull:
    """The cell is not NULL (raw value `*`)."""


@dataclass(frozen=True, slots=True)
class Like:
    """The text matches `pattern` + `%` by the ILIKE rules of pod-service 3.8.

    `pattern` is the plain value as given; `%`, `_` and backslash in it are live.
    """

    pattern: str


@dataclass(frozen=True, slots=True)
class Equals:
    """The cell equals `value`, bytewise for text."""

    value: Value


@dataclass(frozen=True, slots=True)
class Matches:
    """RE2 finds `pattern` in the text, letter case ignored (a uuid as its canonical text)."""

    pattern: str


@dataclass(frozen=True, slots=True)
class Compare:
    """`cell <operator> value`, by number or by instant."""

    operator: Literal["<", "<=", ">", ">="]
    value: int | float


@dataclass(frozen=True, slots=True)
class Between:
    """`low < cell < high`; the lower end is included when `closed_low`."""

    low: int | float
    high: int | float
    closed_low: bool = False


@dataclass(frozen=True, slots=True)
class OneOf:
    """The cell is one of these numbers (enum columns). An empty set matches nothing."""

    numbers: frozenset[int]


@dataclass(frozen=True, slots=True)
class Always:
    """Every row, also one whose cell is NULL (`*` on a map)."""


@dataclass(frozen=True, slots=True)
class Never:
    """No row."""


@dataclass(frozen=True, slots=True)
class Not:
    """The cell is not NULL and `test` does not hold for it."""

    test: CellTest


@dataclass(frozen=True, slots=True)
class SomeElement:
    """Some element of the array satisfies `test`."""

    test: CellTest


@dataclass(frozen=True, slots=True)
class KeyPresent:
    """The map has exactly this key; with `absent`, it has not (and is not NULL)."""

    key: str
    absent: bool = False


@dataclass(frozen=True, slots=True)
class SomeEntry:
    """Some entry of the map whose key and value satisfy the tests; None tests nothing."""

    key: CellTest | None
    value: CellTest | None


CellTest = IsNull | NotNull | Like | Equals | Matches | Compare | Between | OneOf | Always | Never | Not
Test = CellTest | SomeElement | KeyPresent | SomeEntry


@dataclass(frozen=True, slots=True)
class Condition:
    """One field of the query: some of `tests` holds for the row's cell in `field.column`."""

    field: Field
    spelling: str
    """The label as typed; two spellings of one label are two conditions."""
    tests: tuple[Test, ...]
    values: tuple[str, ...]
    """The raw values that the tests were made from, in order; for explanations."""

    @property
    def nullable(self) -> bool:
        """Whether the raw value `-` was given, which asks for a left join (pod-service 5.2)."""
        return "-" in self.values


@dataclass(frozen=True, slots=True)
class Query:
    """The meaning of a query text."""

    conditions: tuple[Condition, ...] = ()
    ignored: tuple[str, ...] = ()
    """Non-empty parts that put no condition on the result, trimmed, in input order."""
    nothing: bool = False
    """True when only unreachable labels were asked for: the result is empty (pod-service 5.1)."""


EVERYTHING = Query()
"""The empty query: every pod."""
