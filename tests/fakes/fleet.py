"""A small fleet written straight into a store: pods with known ids in two clusters, and one in none."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

from podledger.pods.identity import NO_CLUSTER, parse_uuid
from podledger.store.contract import Batch, Cluster, Store, Upsert
from podledger_protos.podledger.ingest.v1.record_pb2 import Label, PodRecord, TopOwner
from podledger_protos.storage.deployment_pb2 import Pod

NORTH, SOUTH = "aaaaaaaa-0000-4000-8000-000000000001", "bbbbbbbb-0000-4000-8000-000000000002"
NAMES = {NORTH: "north", SOUTH: "south"}


def pod_id(number: int) -> str:
    return f"cccccccc-0000-4000-8000-{number:012d}"


def deployment_id(number: int) -> str:
    return f"dddddddd-0000-4000-8000-{number:012d}"


def record(
    number: int, *, cluster: str = NORTH, namespace: str = "shop", deployment: int = 1, padding: int = 0
) -> PodRecord:
    """A pod as ingest maps it."""
    pod = Pod(
        id=pod_id(number),
        name=f"pod-{number}" + "x" * padding,
        namespace=namespace,
        cluster_id=cluster,
        deployment_id=deployment_id(deployment),
    )
    pod.started.seconds = 1_700_000_000 + number
    return PodRecord(
        pod=pod,
        uid=f"uid-{number}",
        phase="Running",
        owner_resolved=True,
        labels=[Label(key="app", value=f"app-{deployment}")],
        top_owner=TopOwner(kind="Deployment", name=f"app-{deployment}", uid=deployment_id(deployment)),
    )


async def fill(store: Store, records: Sequence[PodRecord]) -> None:
    """Register the clusters of the records and write them."""
    for cluster in sorted({each.pod.cluster_id for each in records}):
        identity = parse_uuid(cluster) if cluster else NO_CLUSTER
        if cluster:
            await store.put_cluster(Cluster(identity, NAMES[cluster]))
        fence = await store.take(identity, b"epoch")
        upserts = tuple(
            Upsert(each, blake2b(each.SerializeToString(deterministic=True), digest_size=8).digest())
            for each in records
            if each.pod.cluster_id == cluster
        )
        await store.apply(Batch(cluster=identity, fence=fence, upserts=upserts))


def small_fleet() -> list[PodRecord]:
    """Seven pods: four in north (two namespaces), three in south; pods 1, 5 and 7 belong to deployment 2."""
    return [
        record(1, deployment=2),
        record(2),
        record(3),
        record(4, namespace="bank"),
        record(5, cluster=SOUTH, deployment=2),
        record(6, cluster=SOUTH, namespace="bank"),
        record(7, cluster=SOUTH, deployment=2),
    ]
