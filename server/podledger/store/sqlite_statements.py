"""What the writes of the embedded engine have in common."""

# ruff: noqa: S608 - statements are put together here, from constants

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from podledger.store.sqlite_connecting import Session


def each(session: Session, sql: str, rows: Iterable[Sequence[Any]]) -> None:
    """Run a statement once per row."""
    session.connection.executemany(sql, rows)


def drop(session: Session, table: str, column: str, cluster: bytes, ids: Iterable[bytes]) -> None:
    """Delete the rows with these ids from a table of a cluster."""
    each(session, f"DELETE FROM {table} WHERE cluster_id = ? AND {column} = ?", [(cluster, id_) for id_ in ids])


def insert(table: str, names: Sequence[str]) -> str:
    """An INSERT with these columns."""
    return f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"


def as_json(value: Mapping[str, str]) -> str:
    """A map, the same text for equal ones."""
    return json.dumps(dict(value), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
