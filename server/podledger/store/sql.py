"""Query tree and scope -> conditions, order and arguments of an SQL statement.

One compiler for all SQL engines; what they do not have in common is a `Dialect`. The meaning is that of
`query.matching`, and the joins are those of `query.joining`: a table that must have a matching row
becomes EXISTS, so a pod comes once however many rows match; a left join adds "or there is no row at
all", when NULL satisfies what is asked.

`TABLES` says where the tables and columns of the search model lie in our schema. A table that is not
there is empty, and a column that is not there is NULL, exactly as pod-service 5.9 has it; a label gains
data by an entry here. Statements name the pods `p`. Arguments stand as `?`, in the order of the text;
nothing that comes from outside is ever part of the text.
"""

# ruff: noqa: S608 - statements are put together here, from constants

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, Protocol

from podledger.pods.identity import NO_CLUSTER
from podledger.query.fields import Field
from podledger.query.joining import Join, join_tree
from podledger.query.matching import test_holds
from podledger.query.paging import SortKey
from podledger.query.scope import Scope
from podledger.query.syntax import (
    Always,
    Between,
    CellTest,
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
)
from podledger.store import columns


class Sql(NamedTuple):
    """A piece of a statement and its arguments."""

    text: str
    args: tuple[Any, ...] = ()


TRUE = Sql("TRUE")
FALSE = Sql("FALSE")


def all_of(parts: Iterable[Sql]) -> Sql:
    """AND. Of nothing it is true."""
    kept = [part for part in parts if part != TRUE]
    return FALSE if FALSE in kept else _joined(" AND ", kept) or TRUE


def any_of(parts: Iterable[Sql]) -> Sql:
    """OR. Of nothing it is false."""
    kept = [part for part in parts if part != FALSE]
    return TRUE if TRUE in kept else _joined(" OR ", kept) or FALSE


def _joined(word: str, parts: Sequence[Sql]) -> Sql | None:
    if len(parts) < 2:
        return parts[0] if parts else None
    return Sql(f"({word.join(part.text for part in parts)})", tuple(arg for part in parts for arg in part.args))


# --------------------------------------------------------------------------------------------- dialect


class Dialect(Protocol):
    """What SQL engines do differently."""

    no_cluster: str
    """Literal of the key that stands for "no cluster"."""

    def like(self, cell: str, pattern: str) -> Sql:
        """The text matches a plain value (pod-service 3.8)."""
        ...

    def regexp(self, cell: str, pattern: str) -> Sql:
        """RE2 finds the pattern in the text."""
        ...

    def uuid_text(self, cell: str) -> str:
        """The canonical text of a UUID."""
        ...

    def pairs(self, left: str, right: str, values: Sequence[tuple[bytes, str]]) -> Sql:
        """The two cells are one of these pairs."""
        ...

    def elements(self, cell: str, alias: str) -> str:
        """An array as a FROM item with the column `value`."""
        ...

    def entries(self, cell: str, alias: str) -> str:
        """A map as a FROM item with the columns `key` and `value`."""
        ...

    def array_order(self, cell: str) -> str:
        """An array as a value that orders element by element, bytewise."""
        ...

    def by_index(self, name: str) -> str:
        """Text behind a table that makes the engine use an index; empty where it decides by itself."""
        ...


# ---------------------------------------------------------------------------------------------- tables


@dataclass(frozen=True, slots=True)
class Source:
    """Where a table of the search model lies, and which of its rows belong to a row of the table before it."""

    table: str
    columns: Mapping[str, str]
    """Column of the model -> column of ours."""
    on: tuple[tuple[str, str], ...] = ()
    """Pairs of columns that are equal: ours, and the one of the table before."""
    clusters: Literal["same", "known", "any"] = "same"
    """`same`: both rows have one cluster. `known`: they do, as far as both have one at all; a row is never
    joined to one of another cluster. `any`: the columns of `on` tell everything."""
    unsigned: frozenset[str] = frozenset()
    """Columns of ours that hold unsigned numbers of 64 bits, less 2^63: integers of SQL have a sign."""


UNSIGNED_SHIFT = 2**63

CLUSTER_KEY = "cluster_id"
"""Cluster in the keys of all tables. As a searched cell it is NULL when there is none."""

_CONTAINER = (("workload_id", "workload_id"), ("container", "container"))
_PORT = (("workload_id", "workload_id"), ("port", "port"))


def _own(kept: columns.Columns) -> Mapping[str, str]:
    """Columns that have the names of the model."""
    return {column: column for column in kept}


TABLES: Mapping[str, Source] = {
    "pods": Source(
        "pods",
        {
            "id": "id",
            "name": "name",
            "namespace": "namespace",
            "deploymentid": "deploymentid",
            "clusterid": CLUSTER_KEY,
        },
    ),
    "pods_live_instances": Source("live_instances", {"imagedigest": "imagedigest"}, on=(("pod_id", "id"),)),
    "deployments": Source(
        "workloads",
        _own(columns.WORKLOAD),
        on=(("id", "deploymentid"),),
        clusters="known",
        unsigned=frozenset({"hash"}),
    ),
    "deployments_containers": Source(
        "workload_containers", _own(columns.CONTAINER), on=(("workload_id", "deploymentid"),), clusters="known"
    ),
    "deployments_containers_envs": Source("workload_container_envs", _own(columns.ENV), on=_CONTAINER),
    "deployments_containers_volumes": Source("workload_container_volumes", _own(columns.VOLUME), on=_CONTAINER),
    "deployments_containers_secrets": Source("workload_container_secrets", _own(columns.SECRET), on=_CONTAINER),
    "deployments_ports": Source(
        "workload_ports", _own(columns.PORT), on=(("workload_id", "deploymentid"),), clusters="known"
    ),
    "deployments_ports_exposure_infos": Source("workload_port_exposures", _own(columns.EXPOSURE), on=_PORT),
    "namespaces": Source("namespaces", _own(columns.NAMESPACE), on=(("id", "namespaceid"),), clusters="known"),
    "clusters": Source("clusters", _own(columns.CLUSTER), on=(("id", CLUSTER_KEY),), clusters="any"),
}


# -------------------------------------------------------------------------------------------- compiler


class Compiler:
    """Compiles one query. Aliases are counted, so every statement has its own compiler."""

    def __init__(self, dialect: Dialect, tables: Mapping[str, Source] = TABLES) -> None:
        self._dialect = dialect
        self._tables = tables
        self._aliases: Iterator[str] = (f"t{number}" for number in itertools.count(1))

    def where(self, query: Query, scope: Scope, order: Sequence[SortKey] = ()) -> Sql:
        """The condition on a pod `p`: query and scope. Sort keys join their tables too."""
        if query.nothing:
            return FALSE
        tree = join_tree(query.conditions, {key.field.table for key in order})
        return all_of([self.scope(scope), *self._row(tree, "p")])

    def scope(self, scope: Scope, alias: str = "p") -> Sql:
        """The condition that a row with cluster and namespace lies in the scope (pod-service 9.3)."""
        if scope.everything:
            return TRUE
        known = {cluster: names for cluster, names in scope.clusters.items() if cluster != NO_CLUSTER}
        whole = sorted(cluster for cluster, names in known.items() if names is None)
        places = sorted((cluster, name) for cluster, names in known.items() for name in names or ())
        cluster = f"{alias}.{CLUSTER_KEY}"
        return any_of(
            [
                among(cluster, whole),
                self._dialect.pairs(cluster, f"{alias}.namespace", places) if places else FALSE,
            ]
        )

    def order(self, query: Query, order: Sequence[SortKey]) -> Sql:
        """The list behind ORDER BY: a total order (pod-service 6.2)."""
        tree = join_tree(query.conditions, {key.field.table for key in order})
        keys = [self._sort_key(tree, key) for key in order]
        told = [key for key in keys if key is not None]
        tie = Sql(f"p.id, (p.{CLUSTER_KEY} = {self._dialect.no_cluster}), p.{CLUSTER_KEY}")
        parts = [*told, tie]
        return Sql(", ".join(part.text for part in parts), tuple(arg for part in parts for arg in part.args))

    def related_rows(self, query: Query, table: str, *, alias: str) -> Sql | None:
        """What some row of a table next to the pods satisfies for every matching pod; None when nothing must."""
        for join in join_tree(query.conditions).joins:
            if join.table == table and not (join.left and _null_holds(join)):
                return all_of(self._row(join, alias))
        return None

    # joins

    def _row(self, join: Join, alias: str) -> Iterator[Sql]:
        """What must hold for a row of a table: its conditions, and some row in every table behind it."""
        for condition in join.conditions:
            yield self.condition(condition, alias)
        for behind in join.joins:
            yield self._some_row(behind, alias)

    def _some_row(self, join: Join, parent: str) -> Sql:
        without = join.left and _null_holds(join)
        source = self._tables.get(join.table)
        if source is None:
            return TRUE if without else FALSE
        alias = next(self._aliases)
        related = self._related(source, alias, parent)
        found = all_of([related, *self._row(join, alias)])
        exists = FALSE if found == FALSE else _exists(source, alias, found)
        return any_of([exists, _negated(_exists(source, alias, related))]) if without else exists

    def _related(self, source: Source, alias: str, parent: str) -> Sql:
        """The rows of a table that belong to a row of the table before it."""
        none = self._dialect.no_cluster
        own, other = f"{alias}.{CLUSTER_KEY}", f"{parent}.{CLUSTER_KEY}"
        rules = {
            "same": [f"{own} = {other}"],
            "known": [f"({own} = {other} OR {other} = {none} OR {own} = {none})"],
            "any": [],
        }
        equal = [f"{alias}.{column} = {parent}.{before}" for column, before in source.on]
        return all_of(Sql(rule) for rule in equal + rules[source.clusters])

    # order

    def _sort_key(self, tree: Join, key: SortKey) -> Sql | None:
        """None for a cell that is NULL in every row, which orders nothing."""
        path = _path(tree, key.field.table)
        direction = "DESC" if key.descending else "ASC"
        cell = self._cell(key.field, "p") if len(path) == 1 else self._best(path, key)
        return None if cell is None else Sql(f"{cell.text} {direction} NULLS LAST", cell.args)

    def _best(self, path: Sequence[Join], key: SortKey) -> Sql | None:
        """The smallest or largest cell among the rows that take part in satisfying the query."""
        if any(join.table not in self._tables for join in path):
            return None
        tables, conditions, alias = [], [], "p"
        for place, join in enumerate(path[1:], start=1):
            source, parent, alias = self._tables[join.table], alias, next(self._aliases)
            aside = tuple(behind for behind in join.joins if behind not in path[place + 1 : place + 2])
            tables.append(f"{source.table} AS {alias}")
            conditions += [self._related(source, alias, parent), *self._row(replace(join, joins=aside), alias)]
        cell = self._cell(key.field, alias)
        if cell is None:
            return None
        where = all_of(conditions)
        best = f"{'max' if key.descending else 'min'}({cell.text})"
        return Sql(f"(SELECT {best} FROM {', '.join(tables)} WHERE {where.text})", cell.args + where.args)

    def _cell(self, field: Field, alias: str) -> Sql | None:
        """A column as it is ordered by."""
        column = self._column(field, alias)
        if column is None:
            return None
        return Sql(self._dialect.array_order(column) if field.kind == "stringarray" else column)

    # cells

    def _column(self, field: Field, alias: str) -> str | None:
        """A searched cell; None when it is NULL in every row."""
        source = self._tables.get(field.table)
        column = source.columns.get(field.column) if source else None
        if column is None:
            return None
        cell = f"{alias}.{column}"
        return f"nullif({cell}, {self._dialect.no_cluster})" if column == CLUSTER_KEY else cell

    def condition(self, condition: Condition, alias: str) -> Sql:
        """Some test holds for the cell of the condition's column."""
        cell = self._column(condition.field, alias)
        if cell is None:
            return TRUE if any(test_holds(test, None) for test in condition.tests) else FALSE
        source = self._tables[condition.field.table]
        is_unsigned = source.columns[condition.field.column] in source.unsigned
        tests = [shifted(test) for test in condition.tests] if is_unsigned else condition.tests
        exact = [test.value for test in tests if isinstance(test, Equals)]
        other = [test for test in tests if not isinstance(test, Equals)]
        return any_of(
            [self._equals(cell, exact, alias), *(self.test(test, cell, condition.field.kind) for test in other)]
        )

    def _equals(self, cell: str, values: Sequence[Any], alias: str) -> Sql:
        """Cell equals one of the values; a cluster by its key column, so that indexes serve it."""
        key = f"{alias}.{CLUSTER_KEY}"
        if key not in cell:
            return among(cell, values)
        return among(key, [value for value in values if value != NO_CLUSTER])

    def test(self, test: Test, cell: str, kind: str) -> Sql:
        """One test of a cell."""
        match test:
            case Always():
                return TRUE
            case Never():
                return FALSE
            case IsNull():
                return Sql(f"{cell} IS NULL")
            case NotNull():
                return Sql(f"{cell} IS NOT NULL")
            case Not(test=inner):
                return all_of([Sql(f"{cell} IS NOT NULL"), _negated(self.test(inner, cell, kind))])
            case SomeElement(test=inner):
                return self._some(
                    self._dialect.elements, cell, lambda alias: [self.test(inner, f"{alias}.value", "string")]
                )
            case KeyPresent(key=key, absent=absent):
                found = self._some(self._dialect.entries, cell, lambda alias: [Sql(f"{alias}.key = ?", (key,))])
                return all_of([Sql(f"{cell} IS NOT NULL"), _negated(found)]) if absent else found
            case SomeEntry(key=key_test, value=value_test):
                return self._some(self._dialect.entries, cell, lambda alias: self._sides(alias, key_test, value_test))
            case _:
                return self._scalar(test, cell, kind)

    def _some(self, rows: Callable[[str, str], str], cell: str, tests: Callable[[str], Sequence[Sql]]) -> Sql:
        alias = next(self._aliases)
        where = all_of(tests(alias))
        return Sql(f"EXISTS (SELECT 1 FROM {rows(cell, alias)} WHERE {where.text})", where.args)

    def _sides(self, alias: str, key: CellTest | None, value: CellTest | None) -> list[Sql]:
        sides = ((f"{alias}.key", key), (f"{alias}.value", value))
        return [self.test(test, cell, "string") for cell, test in sides if test is not None]

    def _scalar(self, test: Test, cell: str, kind: str) -> Sql:
        match test:
            case Equals(value=value):
                return among(cell, [value])
            case Like(pattern=pattern):
                return self._dialect.like(cell, pattern)
            case Matches(pattern=pattern):
                return self._dialect.regexp(self._dialect.uuid_text(cell) if kind == "uuid" else cell, pattern)
            case OneOf(numbers=numbers):
                return among(cell, sorted(numbers))
            case Compare(operator=operator, value=value):
                return Sql(f"{cell} {operator} ?", (value,))
            case Between(low=low, high=high, closed_low=closed_low):
                return Sql(f"({cell} {'>=' if closed_low else '>'} ? AND {cell} < ?)", (low, high))
        raise AssertionError(test)


def shifted(test: Test) -> Test:
    """The test of an unsigned number as one of the number less 2^63, for which a float is too coarse."""
    match test:
        case Equals(value=int() | float() as value):
            whole = math.isfinite(value) and value == math.floor(value)
            return Equals(_less_half(math.floor(value))) if whole else Never()
        case Compare(operator="<" | ">=" as operator, value=value):
            return Compare(operator, _less_half(_ceil(value)))
        case Compare(operator=operator, value=value):
            return Compare(operator, _less_half(_floor(value)))
        case Between(low=low, high=high, closed_low=closed_low):
            first = _ceil(low) if closed_low else _floor(low) + 1
            return Between(_less_half(first), _less_half(_ceil(high)), closed_low=True)
    return test


def _floor(value: float) -> float:
    return math.floor(value) if math.isfinite(value) else value


def _ceil(value: float) -> float:
    return math.ceil(value) if math.isfinite(value) else value


def _less_half(value: float) -> float:
    """Where an integer of 64 bits cannot be so large, a float says the same."""
    less = value - UNSIGNED_SHIFT
    return less if -UNSIGNED_SHIFT <= less < UNSIGNED_SHIFT else float(less)


def among(cell: str, values: Sequence[Any]) -> Sql:
    """The cell is one of the values."""
    if not values:
        return FALSE
    if len(values) == 1:
        return Sql(f"{cell} = ?", tuple(values))
    return Sql(f"{cell} IN ({', '.join('?' * len(values))})", tuple(values))


def _exists(source: Source, alias: str, where: Sql) -> Sql:
    return Sql(f"EXISTS (SELECT 1 FROM {source.table} AS {alias} WHERE {where.text})", where.args)


def _negated(part: Sql) -> Sql:
    if part in {TRUE, FALSE}:
        return FALSE if part == TRUE else TRUE
    return Sql(f"NOT ({part.text})", part.args)


def _null_holds(join: Join) -> bool:
    """Whether a row of NULLs satisfies what is asked of a left-joined table and those behind it."""
    own = all(any(test_holds(test, None) for test in condition.tests) for condition in join.conditions)
    return own and all(_null_holds(behind) for behind in join.joins)


def _path(tree: Join, table: str) -> list[Join]:
    """The joins from the pod to a table."""
    if tree.table == table:
        return [tree]
    for behind in tree.joins:
        if path := _path(behind, table):
            return [tree, *path]
    return []
