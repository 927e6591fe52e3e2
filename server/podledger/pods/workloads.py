"""Newest pod of a workload -> workload row.

A workload exists while a live pod carries its deployment id, so its row is derived from pods. Here is
what the pods themselves tell: the top owner's kind and name (ingest 5.6).
"""

from __future__ import annotations

from dataclasses import dataclass

from podledger.pods.identity import uuid_or_none
from podledger_protos.podledger.ingest.v1.record_pb2 import PodRecord


@dataclass(frozen=True, slots=True)
class Workload:
    """The row of a workload in its cluster. `namespace_id` is None while the namespace is not known."""

    deployment_id: bytes
    name: str
    type: str
    namespace: str
    namespace_id: bytes | None
    cluster_name: str


def derive(newest: PodRecord, *, cluster_name: str, namespace_id: bytes | None) -> Workload | None:
    """Derive the row from the newest live pod: latest creation time, of equal ones the greater uid.

    None when the deployment id is no UUID: such a pod belongs to no workload that could be searched.
    """
    deployment_id = uuid_or_none(newest.pod.deployment_id)
    if deployment_id is None:
        return None
    owner = newest.top_owner
    return Workload(
        deployment_id=deployment_id,
        name=owner.name if owner.kind else newest.pod.name,
        type=owner.kind or "Pod",
        namespace=newest.pod.namespace,
        namespace_id=namespace_id,
        cluster_name=cluster_name,
    )
