"""The fixture of the vector file in a store, told as another system tells it: pods, whole workloads, namespaces."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from google.protobuf.json_format import ParseDict

from podledger.pods.identity import NO_CLUSTER
from podledger.pods.workloads import Workload, WorkloadContainer
from podledger.store.contract import Batch, Cluster, NamespaceUpdate, Store, Upsert
from podledger_protos.podledger.ingest.v1.record_pb2 import PodRecord
from podledger_protos.storage.deployment_pb2 import Pod
from tests.fakes.query_fixture import VECTORS, instant, uid


async def put_vectors(store: Store) -> None:
    """Write the fixture."""
    fixture = VECTORS["fixture"]
    for entry in fixture["clusters"]:
        await store.put_cluster(Cluster(_id(entry["id"]), entry["name"]))
    told: Mapping[bytes, dict[str, list[Any]]] = defaultdict(lambda: defaultdict(list))
    for entry in fixture["pods"]:
        pod = ParseDict(entry, Pod())
        told[uid(pod.cluster_id) or NO_CLUSTER]["upserts"].append(Upsert(PodRecord(pod=pod), b"", tells_workload=False))
    containers = _containers(fixture["deployment_containers"])
    for entry in fixture["deployments"]:
        workload = _workload(entry, containers.get(_id(entry["id"]), []))
        told[_id(entry["cluster_id"])]["workloads"].append(workload)
    for entry in fixture["namespaces"]:
        update = NamespaceUpdate(entry["id"], entry["name"], entry["labels"])
        told[_id(entry["cluster_id"])]["namespaces"].append(update)
    for cluster, changes in told.items():
        fence = await store.take(cluster, b"epoch")
        await store.apply(Batch(cluster, fence, **{name: tuple(rows) for name, rows in changes.items()}))


def _id(text: str) -> bytes:
    found = uid(text)
    assert found is not None
    return found


def _workload(entry: Mapping[str, Any], containers: Iterable[WorkloadContainer]) -> Workload:
    secrets = entry["image_pull_secrets"]
    return Workload(
        deployment_id=_id(entry["id"]),
        name=entry["name"],
        type=entry["type"],
        namespace=entry["namespace"],
        namespace_id=uid(entry["namespace_id"]),
        cluster_name=entry["cluster_name"],
        labels=entry["labels"],
        pod_labels=entry["pod_labels"],
        annotations=entry["annotations"],
        created=instant(entry["created"]),
        risk_score=entry["risk_score"],
        service_account=entry["service_account"],
        service_account_permission_level=entry["service_account_permission_level"],
        orchestrator_component=entry["orchestrator_component"],
        platform_component=entry["platform_component"],
        image_pull_secrets=None if secrets is None else tuple(secrets),
        containers=tuple(containers),
    )


def _containers(entries: Iterable[Mapping[str, Any]]) -> Mapping[bytes, list[WorkloadContainer]]:
    found: dict[bytes, list[WorkloadContainer]] = defaultdict(list)
    for entry in sorted(entries, key=lambda entry: entry["idx"]):
        found[_id(entry["deployment_id"])].append(
            WorkloadContainer(
                image_full_name=entry["image_full_name"],
                image_registry=entry["image_registry"],
                image_remote=entry["image_remote"],
                image_tag=entry["image_tag"],
                image_id=entry["image_id"] or None,
                privileged=entry["privileged"],
                type=entry["type"],
                cpu_limit=entry["cpu_cores_limit"],
            )
        )
    return found
