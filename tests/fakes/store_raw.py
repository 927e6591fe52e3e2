"""Rows put into a store as they stand, past `applying`: what no pod would tell of its workload."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from functools import partial
from typing import Any

from google.protobuf.json_format import ParseDict

from podledger.pods.identity import NO_CLUSTER
from podledger.pods.workloads import Workload
from podledger.store import sqlite_writing
from podledger.store.contract import Batch, Cluster, Store
from podledger.store.memory import MemoryStore
from podledger.store.rows import Changes, NamespaceRow, Newest, PodRow, WorkloadRow
from podledger.store.sqlite import SqliteStore
from podledger.store.sqlite_connecting import Session
from podledger_protos.storage.deployment_pb2 import Pod
from tests.fakes.query_fixture import VECTORS, uid


async def put_rows(store: Store, cluster: bytes, changes: Changes) -> None:
    """Write what a batch would have made."""
    if isinstance(store, MemoryStore):
        store._put(store._holding(cluster).after(changes, Batch(cluster, 0), now=0))
    elif isinstance(store, SqliteStore):
        await store._writer.write(partial(_write, cluster=cluster, changes=changes))
    else:
        raise TypeError(store)


def _write(session: Session, cluster: bytes, changes: Changes) -> None:
    sqlite_writing._write(session, cluster, changes, 0)
    sqlite_writing._write_status(session, Batch(cluster, 0), changes, 0)


async def put_vectors(store: Store) -> None:
    """The fixture of the vector file: pods, workloads and namespaces as it has them."""
    fixture = VECTORS["fixture"]
    made: dict[bytes, Changes] = defaultdict(lambda: Changes(1))
    for entry in fixture["pods"]:
        _add_pod(made[uid(entry["clusterId"]) or NO_CLUSTER], entry)
    for entry in fixture["deployments"]:
        made[_id(entry["cluster_id"])].workloads.append(_workload(entry))
    for entry in fixture["namespaces"]:
        row = NamespaceRow(_id(entry["id"]), entry["name"], entry["labels"], {})
        made[_id(entry["cluster_id"])].namespaces.append(row)
    for entry in fixture["clusters"]:
        await store.put_cluster(Cluster(_id(entry["id"]), entry["name"]))
    for cluster, changes in made.items():
        changes.counts = dict(Counter(row.namespace for row in changes.added))
        await put_rows(store, cluster, changes)


def _id(text: str) -> bytes:
    found = uid(text)
    assert found is not None
    return found


def _add_pod(changes: Changes, entry: Mapping[str, Any]) -> None:
    pod = ParseDict(entry, Pod())
    row = PodRow(
        id=_id(pod.id),
        name=pod.name,
        namespace=pod.namespace,
        deployment=uid(pod.deployment_id),
        created=None,
        uid="",
        owner_uid="",
        content_hash=b"",
        first_seen=0,
        last_seen=0,
        pod=pod.SerializeToString(deterministic=True),
        side=b"",
    )
    changes.added.append(row)
    changes.digests[row.id] = [live.image_digest for live in pod.live_instances]


def _workload(entry: Mapping[str, Any]) -> WorkloadRow:
    workload = Workload(
        deployment_id=_id(entry["id"]),
        name=entry["name"],
        type=entry["type"],
        namespace=entry["namespace"],
        namespace_id=uid(entry["namespace_id"]),
        cluster_name=entry["cluster_name"],
    )
    return WorkloadRow(workload, Newest(NO_CLUSTER, None, ""))
