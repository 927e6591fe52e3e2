"""The reads of the embedded engine: functions of a `Session`, each of them one short read.

An inner SELECT finds the keys of the pods, in order, on indexes alone; the outer one fetches the message
of each as it comes. SQLite runs the inner one as a co-routine, so its order is the order of the result,
and it ends with the last row that is wanted. A read of several statements holds a transaction around
them and sees one state of the database.
"""

# ruff: noqa: S608 - statements are put together here, from constants

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

from podledger.pods.identity import NO_CLUSTER, PodKey
from podledger.query.paging import Paging, SortKey
from podledger.query.scope import Scope
from podledger.query.syntax import Query
from podledger.store.contract import Chunk, Count, Page
from podledger.store.sql import FALSE, TRUE, Sql
from podledger.store.sqlite_connecting import Session
from podledger.store.sqlite_paths import (
    DIALECT,
    Path,
    compiler,
    find_lasting_path,
    find_path,
    is_about_places,
    place_condition,
)

SLICE_ROWS = 16384
"""Pods that one step of a filtered scan looks at, at most; some ten milliseconds."""
FETCHED_ON_LOOP = 256
SKIPPED_ON_LOOP = 8192
"""Limit and offset of a page that is read on the event loop; two milliseconds, when nothing is cached."""

_IN_KEY_ORDER = "ORDER BY p.cluster_id, p.id"


@contextmanager
def _snapshot(session: Session) -> Iterator[None]:
    """All statements within see one state of the database. After an error the session itself ends it."""
    session.connection.execute("BEGIN")
    yield
    session.connection.execute("COMMIT")


# ----------------------------------------------------------------------------------------------- pages


def page(session: Session, query: Query, scope: Scope, paging: Paging) -> Page:
    """One window of the ordered matches."""
    with _snapshot(session):
        path = find_path(session, query, scope)
        statement = _with_messages(page_statement(query, scope, paging, path))
        messages = [row[2] for row in session.connection.execute(statement.text, statement.args)]
    return Page(tuple(messages[: paging.limit]), more=len(messages) > paging.limit)


def _with_messages(keys: Sql) -> Sql:
    """The keys that a statement gives, in its order, with the messages of their pods."""
    text = f"SELECT k.cluster_id, k.id, m.blob FROM ({keys.text}) AS k CROSS JOIN pods AS m"
    return Sql(f"{text} ON m.cluster_id = k.cluster_id AND m.id = k.id", keys.args)


def page_statement(query: Query, scope: Scope, paging: Paging, path: Path | None) -> Sql:
    """The keys of a page, and one more to tell whether it is the last."""
    compile_ = compiler()
    where = compile_.where(query, scope, paging.order)
    order = compile_.order(query, paging.order)
    found = _candidates(path, walk=_index_in_order(paging.order), where=where)
    text = f"SELECT p.cluster_id, p.id {found.text} ORDER BY {order.text} LIMIT ? OFFSET ?"
    return Sql(text, (*found.args, *order.args, paging.limit + 1, paging.offset))


def _candidates(path: Path | None, *, walk: str, where: Sql) -> Sql:
    """FROM and WHERE: what a path leads to, or everything, met in the order of an index."""
    if path is None:
        return Sql(f"FROM pods AS p{DIALECT.by_index(walk)} WHERE {where.text}", where.args)
    keys = f"(p.cluster_id, p.id) IN ({path.keys.text})"
    text = f"FROM pods AS p{DIALECT.by_index('pods_by_key')} WHERE {keys} AND {where.text}"
    return Sql(text, path.keys.args + where.args)


def _index_in_order(order: Sequence[SortKey]) -> str:
    """The index that has the rows in this order, or at least what is filtered and sorted by."""
    first = order[0].field if order else None
    served = {"deploymentid": "pods_by_deployment", "name": "pods_by_name", "id": "pods_by_id"}
    if first is None:
        return "pods_by_id"
    return served.get(first.column, "pods_by_key") if first.table == "pods" else "pods_by_key"


def is_bounded(query: Query, scope: Scope, paging: Paging) -> bool:
    """Whether a page touches few rows whatever the table holds: nothing is tested, and an index has the order."""
    ordered = len(paging.order) <= 1 and not any(key.descending for key in paging.order)
    free = scope.everything and not query.conditions and _index_in_order(paging.order) != "pods_by_key"
    return free and ordered and paging.limit <= FETCHED_ON_LOOP and paging.offset <= SKIPPED_ON_LOOP


def get(session: Session, scope: Scope, key: PodKey) -> bytes | None:
    """The message of one pod."""
    found = session.connection.execute("SELECT namespace, blob FROM pods WHERE cluster_id = ? AND id = ?", key).get
    if found is None:
        return None
    namespace, blob = found
    cluster = key.cluster if key.cluster != NO_CLUSTER else None
    return bytes(blob) if scope.covers(cluster, namespace) else None


# -------------------------------------------------------------------------------------------- counting


def count(session: Session, query: Query, scope: Scope, at_most: int | None) -> Count:
    """How many pods match."""
    if is_about_places(query):
        return Count(_count_in_places(session, query, scope), exact=True)
    with _snapshot(session):
        statement = count_statement(query, scope, at_most, find_path(session, query, scope))
        counted = int(session.connection.execute(statement.text, statement.args).get)
    if at_most is not None and counted > at_most:
        return Count(at_most, exact=False)
    return Count(counted, exact=True)


def count_statement(query: Query, scope: Scope, at_most: int | None, path: Path | None) -> Sql:
    """The number of matches, counted one beyond `at_most`."""
    found = _candidates(path, walk="pods_by_key", where=compiler().where(query, scope))
    if at_most is None:
        return Sql(f"SELECT count(*) {found.text}", found.args)
    return Sql(f"SELECT count(*) FROM (SELECT 1 {found.text} LIMIT ?)", (*found.args, at_most + 1))


def _count_in_places(session: Session, query: Query, scope: Scope) -> int:
    places = place_condition(query, scope)
    if places is None:
        return int(session.connection.execute("SELECT coalesce(sum(pods), 0) FROM writers").get)
    counted = f"SELECT coalesce(sum(c.pods), 0) FROM pod_counts AS c WHERE {places.text}"
    return int(session.connection.execute(counted, places.args).get)


# ------------------------------------------------------------------------------------------------ scans


@dataclass(frozen=True, slots=True)
class Walk:
    """How a scan goes on; made once, at its beginning."""

    where: Sql
    path: Path | None
    clusters: tuple[bytes, ...] | None
    """The clusters to walk, in order; None for one walk over all."""

    @property
    def filtered(self) -> bool:
        """Whether pods must be tested one by one."""
        return self.where != TRUE


class Position(NamedTuple):
    """Where a scan stands: the number of the cluster in `Walk.clusters`, and the last key looked at."""

    cluster: int
    after: PodKey


BEGINNING = PodKey(b"", b"")
"""Before every key."""


def unfiltered_walk(scope: Scope) -> Walk | None:
    """The walk of a scan without conditions; None when the scope makes it test pods one by one."""
    if scope.everything:
        return Walk(TRUE, None, None)
    if any(names is not None for names in scope.clusters.values()):
        return None
    return Walk(TRUE, None, tuple(sorted(set(scope.clusters) - {NO_CLUSTER})))


def filtered_walk(session: Session, query: Query, scope: Scope) -> Walk:
    """The walk of a scan with conditions."""
    where = compiler().where(query, scope)
    if where == FALSE:
        return Walk(where, None, ())
    with _snapshot(session):
        path = find_lasting_path(session, query, scope)
        places = place_condition(query, scope) if path is None else None
        return Walk(where, path, None if places is None else _clusters(session, places))


def _clusters(session: Session, places: Sql) -> tuple[bytes, ...]:
    text = f"SELECT DISTINCT c.cluster_id FROM pod_counts AS c WHERE {places.text} ORDER BY c.cluster_id"
    return tuple(cluster for (cluster,) in session.connection.execute(text, places.args))


def start(walk: Walk, after: PodKey | None) -> Position | None:
    """Where a scan begins; None when there is nothing to walk."""
    if walk.clusters is None:
        return Position(0, after or BEGINNING)
    number = bisect_left(walk.clusters, after.cluster) if after else 0
    return _at(walk, number, after)


def _at(walk: Walk, number: int, after: PodKey | None) -> Position | None:
    assert walk.clusters is not None
    if number >= len(walk.clusters):
        return None
    cluster = walk.clusters[number]
    begun = after is not None and after.cluster == cluster
    return Position(number, after if begun and after else PodKey(cluster, b""))


def _next(walk: Walk, position: Position) -> Position | None:
    """The next cluster; None at the end."""
    return None if walk.clusters is None else _at(walk, position.cluster + 1, None)


def _behind(walk: Walk, position: Position) -> Sql:
    """The pods that are still to come in this walk, or in this cluster of it."""
    if walk.clusters is None:
        return Sql("(p.cluster_id, p.id) > (?, ?)", tuple(position.after))
    return Sql("p.cluster_id = ? AND p.id > ?", tuple(position.after))


def chunk(
    session: Session, walk: Walk, position: Position, rows: int, size: int
) -> tuple[Chunk | None, Position | None]:
    """The next run of matches, and where to go on; None at the end. A step may come without matches."""
    if not walk.filtered:
        return _unfiltered(session, walk, position, rows, size)
    return _filtered(session, walk, position, rows, size)


def _unfiltered(
    session: Session, walk: Walk, position: Position, rows: int, size: int
) -> tuple[Chunk | None, Position | None]:
    behind = _behind(walk, position)
    text = f"SELECT p.cluster_id, p.id, p.blob FROM pods AS p WHERE {behind.text} {_IN_KEY_ORDER} LIMIT ?"
    found, full = _read(session, Sql(text, (*behind.args, rows)), rows, size)
    return found, Position(position.cluster, found.last) if found and full else _next(walk, position)


def _filtered(
    session: Session, walk: Walk, position: Position, rows: int, size: int
) -> tuple[Chunk | None, Position | None]:
    with _snapshot(session):
        found, full = _read(session, _with_messages(scan_statement(walk, position, rows)), rows, size)
        if found and full:
            return found, Position(position.cluster, found.last)
        return found, _end_of_slice(session, walk, position) or _next(walk, position)


def _read(session: Session, statement: Sql, rows: int, size: int) -> tuple[Chunk | None, bool]:
    """A chunk of keys and messages, and whether a bound ended it."""
    messages: list[bytes] = []
    row: tuple[Any, ...] = ()
    cursor = session.connection.execute(statement.text, statement.args)
    try:
        for row in cursor:
            messages.append(row[2])
            size -= len(row[2])
            if size <= 0:
                break
    finally:
        cursor.close(force=True)  # rows may be left
    full = size <= 0 or len(messages) == rows
    return (Chunk(tuple(messages), PodKey(row[0], row[1])) if messages else None), full


def scan_statement(walk: Walk, position: Position, rows: int) -> Sql:
    """The keys of the next matches: all of a path, or those among the next pods in the order of keys."""
    behind = _behind(walk, position)
    if walk.path is not None:
        found = _candidates(walk.path, walk="", where=Sql(f"{behind.text} AND {walk.where.text}"))
        args = (*walk.path.keys.args, *behind.args, *walk.where.args, rows)
        return Sql(f"SELECT p.cluster_id, p.id {found.text} {_IN_KEY_ORDER} LIMIT ?", args)
    columns = "p.cluster_id, p.id, p.namespace, p.name, p.deploymentid"
    pods = f"FROM pods AS p{DIALECT.by_index('pods_by_key')}"
    inner = f"SELECT {columns} {pods} WHERE {behind.text} {_IN_KEY_ORDER} LIMIT {SLICE_ROWS}"
    text = f"SELECT p.cluster_id, p.id FROM ({inner}) AS p WHERE {walk.where.text} LIMIT ?"
    return Sql(text, (*behind.args, *walk.where.args, rows))


def _end_of_slice(session: Session, walk: Walk, position: Position) -> Position | None:
    """The last pod that a slice looked at; None when it came to the end."""
    if walk.path is not None:
        return None
    behind = _behind(walk, position)
    pods = f"FROM pods AS p{DIALECT.by_index('pods_by_key')}"
    text = f"SELECT p.cluster_id, p.id {pods} WHERE {behind.text} {_IN_KEY_ORDER} LIMIT 1 OFFSET {SLICE_ROWS - 1}"
    last = session.connection.execute(text, behind.args).get
    return None if last is None else Position(position.cluster, PodKey(*last))
