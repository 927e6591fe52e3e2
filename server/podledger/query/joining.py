"""Which tables a query joins, and how (pod-service 5.2).

A table is used when a condition or a sort key needs one of its columns. Joins are inner: without a row in
a used table a pod drops out. The raw value `-` makes a table nullable; a join is left when every used
table at it and behind it is nullable.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from podledger.query.fields import TABLES
from podledger.query.syntax import Condition


@dataclass(frozen=True, slots=True)
class Join:
    """A table in the tree of joins, from `pods` outwards."""

    table: str
    left: bool
    """Whether a row of the table before it stays when there is none here; then all cells are NULL."""
    conditions: tuple[Condition, ...]
    """What one row must satisfy, all of them together."""
    joins: tuple[Join, ...]
    """The tables reached through this one; their rows belong to its row."""


def join_tree(conditions: Sequence[Condition], also_joined: Collection[str] = ()) -> Join:
    """The joins of these conditions, and of the tables of sort keys."""
    used = {condition.field.table for condition in conditions} | set(also_joined) | {"pods"}
    return _join("pods", conditions, used, _with_parents(used))


def _with_parents(used: Collection[str]) -> list[str]:
    """The used tables and those that lie on the way to them, in the order of the catalogue."""
    wanted = set(used)
    for table in used:
        while parent := TABLES[table].parent:
            wanted.add(parent)
            table = parent  # noqa: PLW2901 - one step towards the pod
    return [table for table in TABLES if table in wanted]


def _join(table: str, conditions: Sequence[Condition], used: Collection[str], joined: Sequence[str]) -> Join:
    own = tuple(condition for condition in conditions if condition.field.table == table)
    behind = tuple(_join(name, conditions, used, joined) for name in joined if TABLES[name].parent == table)
    nullable = table not in used or any(condition.nullable for condition in own)
    return Join(table, nullable and all(join.left for join in behind), own, behind)
