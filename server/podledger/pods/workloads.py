"""Newest pod of a workload -> workload row.

A workload exists while a live pod carries its deployment id, so its row is derived from pods: the kind
and name of the top owner, and what the newest pod shows of the pod template. The object of the top owner,
where it is known, adds its labels, annotations and creation time. What Kubernetes does not tell of a
workload stays untold (ingest 5.6).

The same row may be told as a whole by another system (`upstream`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from podledger.pods.identity import uuid_or_none
from podledger.pods.images import image_digest, split_name
from podledger.pods.times import YEAR_ONE
from podledger_protos.podledger.ingest.v1.record_pb2 import Container, Label, PodRecord
from podledger_protos.storage.deployment_pb2 import Pod

REGULAR: Final = 0
INIT: Final = 1
"""Types of a container of a workload (pod-service 5.7). A native sidecar is an init container."""

_TYPES: Final = {"regular": REGULAR, "init": INIT, "sidecar": INIT}
"""Kind of a container of a pod -> its type. Ephemeral containers are no part of a pod template."""

_ADDED_LABELS: Final = frozenset(
    {
        "pod-template-hash",
        "pod-template-generation",
        "controller-revision-hash",
        "controller-uid",
        "job-name",
        "batch.kubernetes.io/controller-uid",
        "batch.kubernetes.io/job-name",
        "batch.kubernetes.io/job-completion-index",
        "statefulset.kubernetes.io/pod-name",
        "apps.kubernetes.io/pod-index",
    }
)
"""Labels that controllers put on pods; the template does not have them."""

_OWN_OBJECT: Final = frozenset({"Pod", "StaticPods"})
"""Types of the workloads that no object but a pod stands for."""


@dataclass(frozen=True, slots=True)
class Env:
    """An environment variable. `value` is None when it is not kept; `source` is an enum number."""

    key: str
    value: str | None
    source: int | None


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
    image_full_name: str = ""
    """Every source tells the name of an image, and a text is never NULL (pod-service 3.7)."""
    image_registry: str = ""
    image_remote: str = ""
    image_tag: str = ""
    image_id: str = ""
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

    level: int | None
    service: str
    service_port: int
    node_port: int
    external_ips: tuple[str, ...] | None
    external_hostnames: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Port:
    """A port of the workload, by its position; `exposure` is the greatest one."""

    exposure: int | None
    infos: tuple[Exposure, ...] = ()


@dataclass(frozen=True, slots=True)
class Workload:
    """The row of a workload in its cluster, with its children.

    None means "not told", which is NULL in a query (pod-service 5.9). `namespace_id` is None while the
    namespace is not known. `created` is in microseconds since 1970. `hash` is an integer below 2^63; above,
    the nearest 64-bit float, because no store holds larger integers.
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
    hash: float | None = None
    service_account: str | None = None
    service_account_permission_level: int | None = None
    image_pull_secrets: tuple[str, ...] | None = None
    risk_score: float | None = None
    orchestrator_component: bool | None = None
    platform_component: bool | None = None
    containers: tuple[WorkloadContainer, ...] = ()
    ports: tuple[Port, ...] = ()


class OwnerTold(Protocol):
    """What the object of a top owner tells of its workload."""

    @property
    def labels(self) -> Mapping[str, str]:
        """Its labels, not those of the pod template."""
        ...

    @property
    def annotations(self) -> Mapping[str, str] | None:
        """Its annotations; None when they are not kept."""
        ...

    @property
    def created(self) -> int | None:
        """When it was created, in microseconds since 1970."""
        ...


def derive(
    newest: PodRecord, *, cluster_name: str, namespace_id: bytes | None, metadata: OwnerTold | None = None
) -> Workload | None:
    """Derive the row from the newest live pod: latest creation time, of equal ones the greater uid.

    `metadata` is that of the top owner's object, None while it is not known. The result is None when the
    deployment id is no UUID: such a pod belongs to no workload that could be searched.
    """
    deployment_id = uuid_or_none(newest.pod.deployment_id)
    if deployment_id is None:
        return None
    owner = newest.top_owner
    kind = owner.kind or "Pod"
    labels = _labels(newest.labels)
    told = _PodTold(labels, _created(newest.pod)) if kind in _OWN_OBJECT else metadata
    return Workload(
        deployment_id=deployment_id,
        name=owner.name if owner.kind else newest.pod.name,
        type=kind,
        namespace=newest.pod.namespace,
        namespace_id=namespace_id,
        cluster_name=cluster_name,
        labels=None if told is None else told.labels,
        pod_labels={key: value for key, value in labels.items() if key not in _ADDED_LABELS},
        annotations=None if told is None else told.annotations,
        created=None if told is None else told.created,
        service_account=newest.service_account,
        containers=tuple(_containers(newest.containers)),
    )


@dataclass(frozen=True, slots=True)
class _PodTold:
    """What a bare or static pod tells, which stands for its workload itself."""

    labels: Mapping[str, str]
    created: int | None
    annotations: None = None
    """Those of pods are not kept (ingest 4.5)."""


def _labels(labels: Iterable[Label]) -> dict[str, str]:
    return {label.key: label.value for label in labels}


def _created(pod: Pod) -> int | None:
    """Microseconds since 1970; None when it is absent, or set and not known."""
    time = pod.started
    known = pod.HasField("started") and time.seconds != YEAR_ONE.seconds
    return time.seconds * 1_000_000 + time.nanos // 1000 if known else None


def _containers(containers: Iterable[Container]) -> Iterator[WorkloadContainer]:
    """Those of the pod's spec, which all have an image; regular ones first, as upstream numbers them."""
    asked = [container for container in containers if container.kind in _TYPES and container.spec_image]
    for container in sorted(asked, key=lambda each: _TYPES[each.kind]):
        image = split_name(container.spec_image)
        yield WorkloadContainer(
            type=_TYPES[container.kind],
            image_full_name=image.full_name,
            image_registry=image.registry,
            image_remote=image.remote,
            image_tag=image.tag,
            image_id=image.digest or _pulled(container),
        )


def _pulled(container: Container) -> str:
    """The digest of the manifest that runs. A config id could not be compared with one (ingest 4.3)."""
    return "" if container.digest_kind == "config" else image_digest(container.image_id)
