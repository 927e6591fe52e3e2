"""The dialect of SQLite, and ways to few candidates.

SQLite is told which index to use: its own guesses know nothing of the data. Usually a read walks an
index in the order it needs and tests what it meets. When some condition leaves few pods, `find_path`
gives a statement for their keys, and the read begins there. Whether they are few is counted, up to
`FEW`, so no guess is needed. Conditions on namespaces and workloads are evaluated once per namespace
and once per workload on the way, whatever their operator (performance 2.7).

A path yields at least the keys of all matching pods; the whole condition is tested on them all the same.
"""

# ruff: noqa: S608 - statements are put together here, from constants

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from podledger.query.matching import test_holds
from podledger.query.patterns import fold
from podledger.query.scope import Scope
from podledger.query.syntax import Condition, Equals, Like, Query
from podledger.store.sql import TRUE, Compiler, Sql, all_of, among, any_of
from podledger.store.sqlite_connecting import Session

FEW = 4096
"""Pods worth collecting and sorting instead of walking an order; some ten milliseconds."""

NO_CLUSTER_LITERAL = "x'00000000000000000000000000000000'"


class SqliteDialect:
    """SQLite's way to say what `sql` asks for."""

    no_cluster = NO_CLUSTER_LITERAL

    def like(self, cell: str, pattern: str) -> Sql:
        """SQLite's LIKE folds ASCII only and stops at NUL; for a text of ASCII without NUL it is exact."""
        own = f"octet_length({cell}) = length({cell})"
        text = f"(CASE WHEN {own} THEN {cell} LIKE ? ESCAPE '\\' ELSE ilike(?, {cell}) END)"
        return Sql(text, (fold(pattern) + "%", pattern))

    def regexp(self, cell: str, pattern: str) -> Sql:
        """Our function, which is RE2."""
        return Sql(f"regexp(?, {cell})", (pattern,))

    def uuid_text(self, cell: str) -> str:
        """Our function."""
        return f"uuid_text({cell})"

    def pairs(self, left: str, right: str, values: Sequence[tuple[bytes, str]]) -> Sql:
        """One argument, however many pairs there are: SQLite bounds the number of arguments."""
        listed = json.dumps([[cluster.hex(), name] for cluster, name in values])
        rows = "SELECT unhex(j.value ->> 0), j.value ->> 1 FROM json_each(?) AS j"
        return Sql(f"({left}, {right}) IN ({rows})", (listed,))

    def elements(self, cell: str, alias: str) -> str:
        """A JSON array."""
        return f"json_each({cell}) AS {alias}"

    def entries(self, cell: str, alias: str) -> str:
        """A JSON object."""
        return f"json_each({cell}) AS {alias}"

    def array_order(self, cell: str) -> str:
        """Our function."""
        return f"array_order({cell})"

    def by_index(self, name: str) -> str:
        """SQLite obeys."""
        return f" INDEXED BY {name}"


DIALECT = SqliteDialect()


def compiler() -> Compiler:
    """A compiler for one statement."""
    return Compiler(DIALECT)


# ----------------------------------------------------------------------------------------------- paths


@dataclass(frozen=True, slots=True)
class Path:
    """A way to the candidates."""

    index: str
    """The index it goes by, for explanations."""
    keys: Sql
    """SELECT of cluster and id."""


def find_path(session: Session, query: Query, scope: Scope) -> Path | None:
    """The first path that leads to few pods; None when none does."""
    return find_lasting_path(session, query, scope) or _by_workloads(session, query)


def find_lasting_path(session: Session, query: Query, scope: Scope) -> Path | None:
    """A path for all steps of a scan: each step evaluates it anew, and none holds what was true before.

    A pod may change its workload during a scan and match all the time, so ids of workloads must not be
    kept; and to find them in every step would cost more than the walk.
    """
    for path in _by_columns(query):
        if _count(session, path.keys) <= FEW:
            return path
    places = place_condition(query, scope)
    if places is not None and _pods_in(session, places) <= FEW:
        return _by_places(places)
    return None


def _count(session: Session, keys: Sql) -> int:
    counted = f"SELECT count(*) FROM (SELECT 1 FROM ({keys.text}) LIMIT {FEW + 1})"
    return int(session.connection.execute(counted, keys.args).get)


def _by_columns(query: Query) -> Iterator[Path]:
    """Conditions that an index answers by itself, the most telling ones first."""
    served = {
        ("pods", "id"): _by_id,
        ("pods", "name"): _by_name,
        ("pods", "deploymentid"): _by_deployment,
        ("pods_live_instances", "imagedigest"): _by_digest,
    }
    for column, make in served.items():
        for condition in query.conditions:
            if (condition.field.table, condition.field.column) == column:
                path = make(condition)
                if path is not None:
                    yield path


def _by_id(condition: Condition) -> Path | None:
    return _by_equality(
        condition, "pods_by_id", "SELECT q.cluster_id, q.id FROM pods AS q{index} WHERE {found}", "q.id"
    )


def _by_deployment(condition: Condition) -> Path | None:
    select = "SELECT q.cluster_id, q.id FROM pods AS q{index} WHERE {found}"
    return _by_equality(condition, "pods_by_deployment", select, "q.deploymentid")


def _by_digest(condition: Condition) -> Path | None:
    select = "SELECT q.cluster_id, q.pod_id FROM live_instances AS q{index} WHERE {found}"
    return _by_equality(condition, "live_instances_by_digest", select, "q.imagedigest")


def _by_equality(condition: Condition, index: str, select: str, cell: str) -> Path | None:
    values = [test.value for test in condition.tests if isinstance(test, Equals)]
    if len(values) != len(condition.tests):
        return None
    found = among(cell, values)
    return Path(index, Sql(select.format(index=DIALECT.by_index(index), found=found.text), found.args))


def _by_name(condition: Condition) -> Path | None:
    """Ranges of names; of a name that is not in lower case, also of what it is in lower case."""
    ranges = [_range(test) for test in condition.tests]
    told = [bounds for bounds in ranges if bounds is not None]
    if len(told) != len(ranges):
        return None
    rows = ", ".join("(?, ?)" for _ in told)
    args = tuple(bound for bounds in told for bound in bounds)
    halves = [
        f"SELECT q.cluster_id, q.id FROM (VALUES {rows}) AS r CROSS JOIN pods AS q INDEXED BY {index}"
        f" WHERE {column} IS NOT NULL AND {column} >= r.column1 AND {column} < r.column2"
        for index, column in (("pods_by_name", "q.name"), ("pods_by_folded_name", "q.folded"))
    ]
    # Around it, because keys out of a bare UNION are not looked up: every pod would be tried against them.
    keys = f"SELECT n.cluster_id, n.id FROM ({' UNION ALL '.join(halves)}) AS n"
    return Path("pods_by_name", Sql(keys, args + args))


def _range(test: Any) -> tuple[str, str] | None:
    """First text, and the one behind the last, between which all names lie that satisfy the test."""
    match test:
        case Equals(value=str(value)):
            return value, value + "\0"
        case Like(pattern=pattern):
            prefix = literal_prefix(fold(pattern))
            behind = _behind(prefix)
            return (prefix, behind) if behind else None
    return None


def literal_prefix(pattern: str) -> str:
    """The characters with which every match of a plain value begins."""
    prefix = []
    characters = iter(pattern)
    for character in characters:
        if character in {"%", "_"}:
            break
        prefix.append(next(characters, "%") if character == "\\" else character)  # % is the appended one
    return "".join(prefix)


def _behind(prefix: str) -> str:
    """The first text, bytewise, that does not begin with the prefix any more; empty when there is none."""
    while prefix:
        code = ord(prefix[-1]) + 1
        if code <= 0x10FFFF:
            return prefix[:-1] + chr(0xE000 if 0xD800 <= code < 0xE000 else code)
        prefix = prefix[:-1]
    return ""


# ---------------------------------------------------------------------------------------------- places


def is_about_places(query: Query) -> bool:
    """Whether all conditions are on cluster and namespace, which the counters answer alone."""
    return all(condition.field.table == "pods" for condition in query.conditions) and len(
        _place_conditions(query)
    ) == len(query.conditions)


def place_condition(query: Query, scope: Scope) -> Sql | None:
    """What the row `c` of `pod_counts` satisfies for every matching pod; None when nothing is asked."""
    compile_ = compiler()
    asked = [compile_.condition(condition, "c") for condition in _place_conditions(query)]
    named = [_named(compile_, condition) for condition in query.conditions if _names_cluster(condition)]
    if scope.everything and not asked and not named:
        return None
    return all_of([compile_.scope(scope, "c"), *asked, *named])


def _place_conditions(query: Query) -> list[Condition]:
    columns = {"namespace", "clusterid"}
    return [c for c in query.conditions if c.field.table == "pods" and c.field.column in columns]


def _names_cluster(condition: Condition) -> bool:
    field = condition.field
    return (field.table, field.column) == ("deployments", "clustername") and not _null_holds(condition)


def _named(compile_: Compiler, condition: Condition) -> Sql:
    """Some workload row that may join the pods of the place has the name.

    It is a row of the same cluster; pods without a cluster join the rows of all, and a row without one
    joins all pods.
    """
    tests = any_of(compile_.test(test, "n.clustername", "string") for test in condition.tests)
    names = distinct("workloads", "workloads_by_cluster_name", ("cluster_id", "clustername"))
    found = f"SELECT n.cluster_id FROM ({names}) AS n WHERE {tests.text}"
    none = NO_CLUSTER_LITERAL
    text = f"(c.cluster_id = {none} OR c.cluster_id IN ({found}) OR {none} IN ({found}))"
    return Sql(text, tests.args + tests.args)


def distinct(table: str, index: str, columns: Sequence[str]) -> str:
    """The distinct values of columns that begin an index, found by leaping from each to the next."""
    listed, leap = ", ".join(columns), ", ".join(f"d.{column}" for column in columns)
    rows = f"{table} AS x{DIALECT.by_index(index)}"
    first = f"SELECT {listed} FROM (SELECT {listed} FROM {rows} ORDER BY {listed} LIMIT 1)"
    following = ", ".join(
        f"(SELECT x.{column} FROM {rows} WHERE ({listed}) > ({leap}) ORDER BY {listed} LIMIT 1)" for column in columns
    )
    further = f"SELECT {following} FROM d WHERE d.{columns[0]} IS NOT NULL"
    return (
        f"WITH RECURSIVE d ({listed}) AS ({first} UNION ALL {further}) SELECT * FROM d WHERE {columns[0]} IS NOT NULL"
    )


def _null_holds(condition: Condition) -> bool:
    return any(test_holds(test, None) for test in condition.tests)


def _pods_in(session: Session, places: Sql) -> int:
    counted = f"SELECT coalesce(sum(c.pods), 0) FROM pod_counts AS c WHERE {places.text}"
    return int(session.connection.execute(counted, places.args).get)


def _by_places(places: Sql) -> Path:
    index = "pods_by_namespace"
    where = (
        f"(q.cluster_id, q.namespace) IN (SELECT c.cluster_id, c.namespace FROM pod_counts AS c WHERE {places.text})"
    )
    select = f"SELECT q.cluster_id, q.id FROM pods AS q{DIALECT.by_index(index)} WHERE {where}"
    return Path(index, Sql(select, places.args))


# ------------------------------------------------------------------------------------------- workloads


def _by_workloads(session: Session, query: Query) -> Path | None:
    """By the ids of the workloads that satisfy what is asked of them."""
    asked = compiler().related_rows(query, "deployments", alias="w")
    if asked is None or asked == TRUE:
        return None
    select = f"SELECT DISTINCT w.id FROM workloads AS w WHERE {asked.text} LIMIT {FEW + 1}"
    ids = [id_ for (id_,) in session.connection.execute(select, asked.args)]
    if len(ids) > FEW:
        return None
    index = "pods_by_deployment"
    found = among("q.deploymentid", ids)
    keys = Sql(f"SELECT q.cluster_id, q.id FROM pods AS q{DIALECT.by_index(index)} WHERE {found.text}", found.args)
    return Path(index, keys) if _count(session, keys) <= FEW else None
