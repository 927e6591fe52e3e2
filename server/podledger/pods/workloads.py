"""Newest pod of a workload -> workload row.

A workload exists while a live pod carries its deployment id, so its row is derived from pods. Here is
what the pods themselves tell: the top owner's kind and name (ingest 5.6).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from podledger.pods.identity import uuid_or_none
from podledger_protos.podledger.ingest.v1.record_pb2 import PodRecord


@dataclass(frozen=True, slots=True)
class Env:
    """An environment variable. `value` is None when it is not kept; `source` is an enum number."""

    key: str
    value: str | None
    source: int


@dataclass(frozen=True, slots=True)
class Volume:
    """A volume of a container."""

    name: str
    source: str
    destination: str
    type: str
    read_only: bool


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret that a container mounts."""

    name: str
    path: str


@dataclass(frozen=True, slots=True)
class WorkloadContainer:
    """A container of the pod template, by its position. `type` is 0 for regular, 1 for init."""

    type: int | None = None
    image_full_name: str | None = None
    image_registry: str | None = None
    image_remote: str | None = None
    image_tag: str | None = None
    image_id: str | None = None
    """The digest of the image: label Image Sha."""
    image_id_v2: str | None = None
    """Label Image ID; None when empty (pod-service 3.7)."""
    privileged: bool | None = None
    read_only_root: bool | None = None
    add_capabilities: tuple[str, ...] | None = None
    drop_capabilities: tuple[str, ...] | None = None
    cpu_request: float | None = None
    cpu_limit: float | None = None
    memory_request: float | None = None
    memory_limit: float | None = None
    envs: tuple[Env, ...] = ()
    volumes: tuple[Volume, ...] = ()
    secrets: tuple[Secret, ...] = ()


@dataclass(frozen=True, slots=True)
class Exposure:
    """One way in which a port can be reached."""

    level: int
    service: str
    service_port: int
    node_port: int
    external_ips: tuple[str, ...] | None
    external_hostnames: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Port:
    """A port of the workload, by its position; `exposure` is the greatest one."""

    exposure: int
    infos: tuple[Exposure, ...] = ()


@dataclass(frozen=True, slots=True)
class Workload:
    """The row of a workload in its cluster, with its children.

    None means "not told", which is NULL in a query (pod-service 5.9). `namespace_id` is None while the
    namespace is not known. `created` is in microseconds since 1970.
    """

    deployment_id: bytes
    name: str
    type: str
    namespace: str
    namespace_id: bytes | None
    cluster_name: str
    labels: Mapping[str, str] | None = None
    pod_labels: Mapping[str, str] | None = None
    annotations: Mapping[str, str] | None = None
    created: int | None = None
    hash: int | None = None
    service_account: str | None = None
    service_account_permission_level: int | None = None
    image_pull_secrets: tuple[str, ...] | None = None
    risk_score: float | None = None
    orchestrator_component: bool | None = None
    platform_component: bool | None = None
    containers: tuple[WorkloadContainer, ...] = ()
    ports: tuple[Port, ...] = ()


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
