"""What a store holds, seen through its contract and, for SQLite, beside it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import apsw

from podledger.query.scope import UNRESTRICTED
from podledger.query.syntax import Query
from podledger.store.contract import Store
from podledger.store.opening import open_store
from podledger_protos.storage.deployment_pb2 import Pod


async def messages(store: Store) -> list[bytes]:
    """The served messages of all live pods, in the order of exports."""
    return [message async for chunk in store.reader(UNRESTRICTED).scan(Query()) for message in chunk.messages]


async def pods(store: Store) -> list[Pod]:
    """All live pods."""
    return [Pod.FromString(message) for message in await messages(store)]


def rows(database: Path, select: str) -> list[tuple[Any, ...]]:
    """Read the database beside the store."""
    with apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READONLY) as connection:
        return list(connection.execute(select))


def contents(database: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Everything that the input decides: no revisions, no instants of the store's clock."""
    columns = {
        "pods": "cluster_id, id, name, namespace, deploymentid, created, hash, uid, owner_uid, blob, side",
        "live_instances": "*",
        "finished_runs": "*",
        "tombstones": "cluster_id, id, reason, blob, side",
        "workloads": "*",
        "namespaces": "*",
        "pod_counts": "*",
        "clusters": "*",
        "staging": "*",
    }
    return {table: sorted(rows(database, f"SELECT {names} FROM {table}"), key=repr) for table, names in columns.items()}


@asynccontextmanager
async def opened(url: str, **options: Any) -> AsyncIterator[Store]:
    """An open store, closed in the end."""
    store = open_store(url, **{"merge_mode": "dedupe", **options})
    await store.open()
    try:
        yield store
    finally:
        await store.close()
