"""What an import tells a store beside pods: objects of workloads, namespaces, and workloads told as a whole."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from podledger.ingest.addressing import Address
from podledger.ingest.importing import Options, Summary, import_files
from podledger.pods.identity import parse_uuid
from podledger.pods.upstream import Keep
from podledger.pods.workloads import Workload
from podledger.store.contract import NamespaceUpdate, OwnerMetadata, Upsert
from tests.fakes.recording_store import RecordingStore
from tests.fakes.upstream_answers import listing, stream

CLUSTER = "c1000000-0000-4000-8000-00000000000a"
UID = "d1000000-0000-4000-8000-000000000000"
OTHER = "d2000000-0000-4000-8000-000000000000"
POD = "e1000000-0000-4000-8000-000000000000"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


@pytest.fixture
async def store() -> AsyncIterator[RecordingStore]:
    made = RecordingStore()
    await made.open()
    yield made
    await made.close()


async def load(store: RecordingStore, *documents: Any, keep: Keep | None = None) -> Summary:
    """Import documents; Kubernetes objects go to one cluster."""
    text = b"\n".join(each if isinstance(each, bytes) else json.dumps(each).encode() for each in documents)
    answers = all(isinstance(each, bytes) for each in documents)
    address = Address() if answers else Address(cluster_id=CLUSTER, register="north")
    options = Options(address=address, keep=keep or Keep())
    return await import_files(store, ["-"], options, stdin=io.BytesIO(text))


def owner(kind: str, uid: str = UID, parent: str = "", **metadata: Any) -> dict[str, Any]:
    references = [{"apiVersion": "apps/v1", "kind": parent, "name": "top", "uid": OTHER}] if parent else []
    named = {"name": "web", "namespace": "shop", "uid": uid, "ownerReferences": references, **metadata}
    return {"kind": kind, "metadata": named}


def frame(event: str, told: dict[str, Any]) -> dict[str, Any]:
    return {"type": event, "object": told}


def metadata(store: RecordingStore) -> list[OwnerMetadata]:
    return [each for batch in store.batches for each in batch.metadata]


# ------------------------------------------------------------------------------------- Kubernetes objects


@pytest.mark.parametrize(
    "kind", ["Deployment", "StatefulSet", "DaemonSet", "CronJob", "ReplicaSet", "Job", "ReplicationController"]
)
async def test_an_object_that_may_be_a_workload_is_told(store: RecordingStore, kind: str) -> None:
    """Its labels, annotations and creation; never the annotation that repeats the object (ingest 5.6)."""
    told = owner(
        kind,
        labels={"app": "web", "null": None},
        annotations={"note": "x", LAST_APPLIED: "s3cr3t"},
        creationTimestamp="1970-01-01T00:00:01Z",
    )
    await load(store, told)

    assert [OwnerMetadata(UID, {"app": "web", "null": ""}, {"note": "x"}, 1_000_000)] == metadata(store)


@pytest.mark.parametrize(("kind", "parent"), [("ReplicaSet", "Deployment"), ("Job", "CronJob")])
async def test_an_object_between_a_pod_and_its_workload_is_none_itself(
    store: RecordingStore, kind: str, parent: str
) -> None:
    await load(store, owner(kind, parent=parent))

    assert [] == metadata(store)


async def test_an_unreadable_time_of_creation_is_not_told(store: RecordingStore) -> None:
    await load(store, owner("Deployment", creationTimestamp="yesterday"))

    assert [OwnerMetadata(UID)] == metadata(store)


@pytest.mark.parametrize("kind", ["Deployment", "ReplicaSet"])
async def test_a_workload_that_a_watch_saw_deleted_is_gone(store: RecordingStore, kind: str) -> None:
    """It takes with it what it told."""
    await load(store, frame("ADDED", owner(kind)), frame("DELETED", owner(kind, resourceVersion="2")))

    assert [OwnerMetadata(UID, gone=True)] == metadata(store)


async def test_an_object_that_is_too_large_loses_its_annotations(store: RecordingStore) -> None:
    """Up to 256 KiB with its labels (ingest 9.1); what was left out is counted."""
    room = 256 * 1024 - len("appweb") - len("note")
    labels = {"app": "web"}
    summary = await load(
        store,
        owner("Deployment", labels=labels, annotations={"note": "x" * room}),
        owner("Deployment", OTHER, labels=labels, annotations={"note": "x" * (room + 1)}),
    )

    assert [{"note": "x" * room}, {}] == [each.annotations for each in metadata(store)]
    assert 1 == summary.unannotated


async def test_a_namespace_is_told_with_labels_and_annotations(store: RecordingStore) -> None:
    named = {"name": "shop", "uid": UID, "labels": {"team": "a"}, "annotations": {"note": "x", LAST_APPLIED: "s3cr3t"}}
    await load(store, {"kind": "Namespace", "metadata": named})

    assert [NamespaceUpdate(UID, "shop", {"team": "a"}, {"note": "x"})] == [
        each for batch in store.batches for each in batch.namespaces
    ]


# --------------------------------------------------------------------------------------- upstream answers


def workloads(store: RecordingStore) -> list[Workload]:
    return [each for batch in store.batches for each in batch.workloads]


def upserts(store: RecordingStore) -> list[Upsert]:
    return [each for batch in store.batches for each in batch.upserts]


async def test_a_deployment_is_told_as_a_whole_after_the_pods(store: RecordingStore) -> None:
    """Pods of this source derive no workload (ingest 7.4)."""
    told = {"id": UID, "name": "web", "clusterId": CLUSTER, "clusterName": "north", "riskScore": 0.1, "hash": "7"}
    summary = await load(
        store, stream("deployment", [told]), stream("pod", [{"id": POD, "clusterId": CLUSTER, "deploymentId": UID}])
    )

    assert [(parse_uuid(UID), "web", 0.1, 7)] == [
        (each.deployment_id, each.name, each.risk_score, each.hash) for each in workloads(store)
    ]
    assert [(UID, False)] == [(each.record.pod.deployment_id, each.tells_workload) for each in upserts(store)]
    assert (1, 1) == (summary.pods, summary.workloads)


async def test_each_cluster_is_written_by_itself(store: RecordingStore) -> None:
    """Also that of records that belong to none."""
    other = "c2000000-0000-4000-8000-00000000000b"
    records = [{"id": POD, "clusterId": cluster} for cluster in (other, "", CLUSTER)]
    await load(store, stream("pod", records), stream("deployment", [{"id": UID, "clusterId": other}]))

    assert {("", 1, 0), (CLUSTER, 1, 0), (other, 1, 1)} == {
        (batch.upserts[0].record.pod.cluster_id, len(batch.upserts), len(batch.workloads)) for batch in store.batches
    }


@pytest.mark.parametrize(("keep", "expected"), [(Keep(), (None, None)), (Keep(True, True), ((), "s3cr3t"))])
async def test_empty_lists_and_environment_values_are_kept_on_demand_only(
    store: RecordingStore, keep: Keep, expected: tuple[Any, Any]
) -> None:
    told = {"id": UID, "imagePullSecrets": [], "containers": [{"config": {"env": [{"key": "K", "value": "s3cr3t"}]}}]}
    await load(store, stream("deployment", [told]), keep=keep)
    (found,) = workloads(store)

    assert expected == (found.image_pull_secrets, found.containers[0].envs[0].value)


async def test_a_cluster_is_registered_with_what_is_told_of_it(store: RecordingStore) -> None:
    """A registered one keeps its name."""
    told = {"id": CLUSTER, "name": "north", "labels": {"region": "eu"}, "type": "OPENSHIFT4_CLUSTER"}
    status = {"providerMetadata": {"cluster": {"type": 4}}, "orchestratorMetadata": {"version": "v1.30"}}
    await load(store, listing("clusters", [{**told, "name": "first"}]))
    await load(store, listing("clusters", [{**told, "status": status}]))
    (found,) = [each.cluster for each in await store.clusters()]

    assert ("first", {"region": "eu"}, 5, 4, "v1.30") == (
        found.name, found.labels, found.type, found.provider_type, found.kubernetes_version
    )  # fmt: skip
