"""Writes of workloads, with the rows below them, to the embedded engine.

A row that changes is written anew with all its children; that is rare beside changes of pods.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from podledger.pods.workloads import Workload
from podledger.store import columns, sql
from podledger.store.rows import Changes, WorkloadRow
from podledger.store.sqlite_connecting import Session
from podledger.store.sqlite_statements import as_json, drop, each, insert

_WORKLOADS = sql.TABLES["deployments"]

_INSERT_WORKLOAD = insert(
    _WORKLOADS.table,
    ["cluster_id", "id", "namespace", "newest_pod", "newest_created", "newest_uid", "digest", *columns.WORKLOAD],
)


class _ChildTable(NamedTuple):
    """A table of rows below workloads."""

    name: str
    insert: str


def _child_tables(children: Sequence[columns.Child], key: tuple[str, ...]) -> Iterator[_ChildTable]:
    """With their statements."""
    for child in children:
        table = sql.TABLES[child.table].table
        place = (*key, child.position)
        yield _ChildTable(table, insert(table, [*place, *child.columns]))
        yield from _child_tables(child.below, place)


_CHILDREN = tuple(_child_tables(columns.CHILDREN, ("cluster_id", "workload_id")))

TABLES = (_WORKLOADS.table, *(child.name for child in _CHILDREN))
"""All tables of workloads."""


def write(session: Session, cluster: bytes, changes: Changes) -> None:
    """Changed rows are written anew with all their children."""
    replaced = [row.workload.deployment_id for row in changes.workloads]
    drop(session, "workloads", "id", cluster, changes.lost_workloads + replaced)
    for table in _CHILDREN:
        drop(session, table.name, "workload_id", cluster, changes.lost_workloads + replaced)
    each(session, _INSERT_WORKLOAD, [(cluster, *_cells(row)) for row in changes.workloads])
    _write_children(session, cluster, [row.workload for row in changes.workloads])
    each(
        session,
        "UPDATE workloads SET namespaceid = ? WHERE cluster_id = ? AND id = ?",
        [(namespace, cluster, id_) for id_, namespace in changes.placed],
    )


def _cells(row: WorkloadRow) -> Iterator[Any]:
    """As `_INSERT_WORKLOAD` names them."""
    head = row.head
    newest = (head.newest.pod, head.newest.created, head.newest.uid) if head.newest is not None else (None,) * 3
    yield from (head.id, head.namespace, *newest, head.digest)
    for column, cell in columns.cells(columns.WORKLOAD, row.workload).items():
        yield _cell(cell) if column not in _WORKLOADS.unsigned or cell is None else cell - sql.UNSIGNED_SHIFT


def _write_children(session: Session, cluster: bytes, workloads: Sequence[Workload]) -> None:
    rows: dict[str, list[Sequence[Any]]] = {table.name: [] for table in _CHILDREN}
    for workload in workloads:
        for child, place, value in columns.child_rows(workload):
            found = map(_cell, columns.cells(child.columns, value).values())
            rows[sql.TABLES[child.table].table].append((cluster, workload.deployment_id, *place, *found))
    for table in _CHILDREN:
        each(session, table.insert, rows[table.name])


def _cell(value: Any) -> Any:
    """A cell as SQLite holds it."""
    match value:
        case tuple():
            return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        case Mapping():
            return as_json(value)
    return value
