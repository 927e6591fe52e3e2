"""The meaning of a query: which pods satisfy it, and in which order they come.

A plain predicate over rows in memory, written to be seen right rather than to be fast. The memory engine
answers with it; the SQL engines are compared with it by random cases, and evaluate single tests with it.

A row is a mapping from column names to cells, with the tables and columns of `fields`; whoever has the
rows says which of them belong together (`Related`). A cell that a row does not have is NULL.

    pod matches       some choice of one row per joined table, each belonging to the one before it,
                      satisfies all conditions
    condition         some of its tests holds for the cell
    test              NULL satisfies `-` only, and `*` on a map
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from podledger.pods.identity import uuid_text
from podledger.query.joining import Join, join_tree
from podledger.query.paging import SortKey
from podledger.query.patterns import compile_regex, like, regex_search
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

Cell = Value | Sequence[str] | Mapping[str, str] | None
"""Arrays are sequences of text, maps are mappings from text to text; for the rest see `syntax.Value`."""

Row = Mapping[str, Any]
"""Column name -> `Cell`."""


class Related(Protocol):
    """The rows that belong to a row, by the relations of pod-service 5.2."""

    def rows(self, table: str, parent: Row) -> Sequence[Row]:
        """The rows of `table` that join a row of the table it is reached through (`fields.TABLES`)."""
        ...


Predicate = Callable[[Row, Related], bool]


# ----------------------------------------------------------------------------------------- predicate


def predicate(query: Query, order: Iterable[SortKey] = ()) -> Predicate:
    """A test for pods. Sort keys join their tables too, so a pod without such a row drops out."""
    joins = join_tree(query.conditions, {key.field.table for key in order})
    return lambda pod, related: not query.nothing and _satisfies(joins, pod, related)


def _satisfies(join: Join, row: Row | None, related: Related) -> bool:
    """Whether the row holds, and some row holds in every table behind it. None is the row of NULLs."""
    return all(_holds(condition, row) for condition in join.conditions) and all(
        any(_satisfies(behind, found, related) for found in _rows(behind, row, related)) for behind in join.joins
    )


def _rows(join: Join, row: Row | None, related: Related) -> Sequence[Row | None]:
    found = related.rows(join.table, row) if row is not None else ()
    return found or ((None,) if join.left else ())


def _holds(condition: Condition, row: Row | None) -> bool:
    cell = row.get(condition.field.column) if row is not None else None
    return any(test_holds(test, cell) for test in condition.tests)


# ---------------------------------------------------------------------------------------------- tests


def test_holds(test: Test, cell: Cell) -> bool:
    """Whether a cell satisfies one test. The cell has the type of the column the test was made for."""
    match test:
        case Always():
            return True
        case Never():
            return False
        case IsNull():
            return cell is None
        case NotNull():
            return cell is not None
        case _:
            return cell is not None and _value_holds(test, cell)


def _value_holds(test: Test, cell: Any) -> bool:
    match test:
        case Not(test=inner):
            return not test_holds(inner, cell)
        case SomeElement(test=inner):
            return any(test_holds(inner, element) for element in cell)
        case KeyPresent(key=key, absent=absent):
            return (key in cell) is not absent
        case SomeEntry(key=key_test, value=value_test):
            return any(_side_holds(key_test, key) and _side_holds(value_test, value) for key, value in cell.items())
        case Like(pattern=pattern):
            return like(pattern)(cell)
        case Matches(pattern=pattern):
            return regex_search(compile_regex(pattern), uuid_text(cell) if isinstance(cell, bytes) else cell)
        case _:
            return _scalar_holds(test, cell)


def _side_holds(test: Test | None, text: str) -> bool:
    return test is None or test_holds(test, text)


def _scalar_holds(test: Test, cell: Any) -> bool:
    match test:
        case Equals(value=value):
            return bool(cell == value)
        case OneOf(numbers=numbers):
            return cell in numbers
        case Between(low=low, high=high, closed_low=closed_low):
            return bool((low <= cell if closed_low else low < cell) and cell < high)
        case Compare(operator=operator, value=value):
            return _compares(operator, cell, value)
    raise AssertionError(test)


def _compares(operator: str, cell: Any, value: float) -> bool:
    match operator:
        case "<":
            return bool(cell < value)
        case "<=":
            return bool(cell <= value)
        case ">":
            return bool(cell > value)
        case _:
            return bool(cell >= value)


# ---------------------------------------------------------------------------------------------- order


def arrange(query: Query, pods: Iterable[Row], related: Related, *, order: Sequence[SortKey] = ()) -> list[Row]:
    """The pods that match, in the order of the sort keys (pod-service 6.2).

    NULLs come last in both directions. Pod id, then cluster id (NULL last), always end the order, ascending.
    """
    holds = predicate(query, order)
    matching = [(pod, sort_values(query, pod, related, order)) for pod in pods if holds(pod, related)]
    matching.sort(key=lambda found: (found[0]["id"], found[0]["clusterid"] is None, found[0]["clusterid"] or b""))
    for index, key in reversed(list(enumerate(order))):  # each sort is stable, so the first key goes last
        told = [found for found in matching if found[1][index] is not None]
        told.sort(key=lambda found: found[1][index], reverse=key.descending)
        matching = told + [found for found in matching if found[1][index] is None]
    return [pod for pod, _ in matching]


def sort_values(query: Query, pod: Row, related: Related, order: Sequence[SortKey]) -> tuple[Any, ...]:
    """The cell of each sort key for a pod that matches; comparing two of them gives their order.

    Where a table has several rows, ascending takes the smallest and descending the largest cell among the
    rows that take part in satisfying the query; NULL when all of these are NULL.
    """
    joins = join_tree(query.conditions, {key.field.table for key in order})
    return tuple(_sort_value(joins, pod, related, key) for key in order)


def _sort_value(joins: Join, pod: Row, related: Related, key: SortKey) -> Any:
    rows = _satisfying(joins, pod, related, table=key.field.table)
    cells = [cell for row in rows if row is not None and (cell := row.get(key.field.column)) is not None]
    return (max if key.descending else min)(cells, default=None)


def _satisfying(join: Join, row: Row | None, related: Related, *, table: str) -> Iterator[Row | None]:
    """The rows of a table in all choices that satisfy the joins, given a row of the joins' root that does."""
    if join.table == table:
        yield row
    for behind in join.joins:
        for found in _rows(behind, row, related):
            if _satisfies(behind, found, related):
                yield from _satisfying(behind, found, related, table=table)
