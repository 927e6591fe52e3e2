"""Partial pod + owner map -> `PodRecord`: the wire pod, its side data, and the hash of both.

The mapping of ingest 4, the same for every source of pods. It never fills terminated_instances, which
the merge builds, and never looks at a clock or at what is stored. A pod whose uid, name, namespace or
times cannot be used is malformed: `BadInput`, and nothing is derived from it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from google.protobuf.timestamp_pb2 import Timestamp

from podledger.errors import BadInput
from podledger.pods.identity import containing_pod_id, pod_id
from podledger.pods.images import digest_kind, image_digest, runtime_and_id
from podledger.pods.merging import MergeMode
from podledger.pods.objects import (
    ContainerSpec,
    ContainerStatus,
    OwnerReference,
    Pod,
    PodMetadata,
    Running,
    Spec,
    State,
    Status,
    Terminated,
    Waiting,
    check_identity,
)
from podledger.pods.owners import Owners, Resolution
from podledger.pods.quoting import quote
from podledger.pods.times import YEAR_ONE, parse_time
from podledger_protos.podledger.ingest.v1.record_pb2 import (
    Container,
    DirectOwner,
    Label,
    LastTerminated,
    PodRecord,
    TopOwner,
)
from podledger_protos.storage import deployment_pb2 as wire

Kind = Literal["regular", "init", "sidecar", "ephemeral"]
Fate = Literal["upsert", "drop", "finish"]

_LARGEST_COUNT: Final = 2**31 - 1
_ENDED_PHASES: Final = frozenset({"Succeeded", "Failed"})


@dataclass(frozen=True, slots=True)
class Mapped:
    """A pod as mapped, and what is to be done with it.

    `fate` is `upsert`, save in `stackrox` mode, which copies upstream: `drop` a pod with several top
    owners (its deletion is applied all the same), `finish` a bare pod that has succeeded or failed: it
    leaves with the reason `finished` (ingest 4.3, 5.2).
    """

    record: PodRecord
    content_hash: bytes
    source_version: str
    resolution: Resolution
    fate: Fate


def map_pod(pod: Pod, *, cluster_id: str, owners: Owners, mode: MergeMode) -> Mapped:
    """Map a pod of the cluster `cluster_id`. Raises `BadInput` when it is malformed."""
    metadata = pod.metadata or PodMetadata()
    check_identity("pod", metadata, "uid", "name", "namespace")
    resolution = owners.resolve(pod, cluster_id=cluster_id)
    try:
        record = _record(pod, metadata, resolution, cluster_id)
    except ValueError as error:
        raise BadInput(f"pod {metadata.namespace}/{metadata.name}: {error}") from error
    return Mapped(
        record=record,
        content_hash=content_hash(record),
        source_version=metadata.resource_version or "",
        resolution=resolution,
        fate=_fate(record, resolution, mode),
    )


def content_hash(record: PodRecord) -> bytes:
    """8 bytes that change when the record does, within one version of the serializer (ingest 4.5)."""
    return hashlib.blake2b(record.SerializeToString(deterministic=True), digest_size=8).digest()


def _fate(record: PodRecord, resolution: Resolution, mode: MergeMode) -> Fate:
    if mode == "dedupe":
        return "upsert"
    if resolution.ambiguous:
        return "drop"
    return "finish" if record.phase in _ENDED_PHASES and not resolution.tracked_owner_uid else "upsert"


# ---------------------------------------------------------------------------------------------- record


def _record(pod: Pod, metadata: PodMetadata, resolution: Resolution, cluster_id: str) -> PodRecord:
    spec, status = pod.spec or Spec(), pod.status or Status()
    entries = _entries(spec, status)
    return PodRecord(
        pod=_wire_pod(metadata, spec, status, deployment_id=resolution.deployment_id, cluster_id=cluster_id),
        uid=metadata.uid,
        phase=status.phase,
        status_reason=status.reason,
        restart_count=_restart_count(entries),
        waiting_reason=next(_waiting_reasons(entries), ""),
        node=spec.node_name,
        host_ip=status.host_ip,
        pod_ips=_pod_ips(status),
        labels=[Label(key=key, value=value or "") for key, value in sorted((metadata.labels or {}).items())],
        direct_owner=_direct_owner(metadata.owner_references or ()),
        tracked_owner_uid=resolution.tracked_owner_uid,
        top_owner=TopOwner(kind=resolution.top_kind, name=resolution.top_name, uid=resolution.top_uid),
        owner_resolved=resolution.resolved,
        owner_guessed=resolution.guessed,
        service_account=spec.service_account_name,
        start_time=_time(status.start_time, "status.startTime"),
        deletion_timestamp=_time(metadata.deletion_timestamp, "metadata.deletionTimestamp"),
        host_network=spec.host_network,
        containers=map(_container, entries),
    )


def _pod_ips(status: Status) -> list[str]:
    """All addresses; before Kubernetes 1.16 there was only the one."""
    addresses = [address.ip for address in status.pod_ips or () if address.ip]
    return addresses or ([status.pod_ip] if status.pod_ip else [])


def _direct_owner(references: Sequence[OwnerReference]) -> DirectOwner | None:
    """The controlling owner, else the first one, tracked or not."""
    if not references:
        return None
    owner = next((reference for reference in references if reference.controller), references[0])
    return DirectOwner(api_version=owner.api_version, kind=owner.kind, name=owner.name, uid=owner.uid)


def _restart_count(entries: Sequence[_Entry]) -> int:
    """Restarts of regular containers and native sidecars, within what the field holds."""
    counted = (entry.status for entry in entries if entry.kind in ("regular", "sidecar"))
    return min(sum(status.restart_count or 0 for status in counted if status is not None), _LARGEST_COUNT)


def _waiting_reasons(entries: Sequence[_Entry]) -> Iterator[str]:
    """Reasons of waiting containers: init containers in spec order, then regular ones by status order."""
    for entry in entries:
        if entry.kind != "ephemeral" and entry.status is not None:
            state = _state(entry.status)
            if isinstance(state, Waiting) and state.reason:
                yield state.reason


# -------------------------------------------------------------------------------------------- wire pod


def _wire_pod(metadata: PodMetadata, spec: Spec, status: Status, *, deployment_id: str, cluster_id: str) -> wire.Pod:
    uid, name, namespace = metadata.uid or "", metadata.name or "", metadata.namespace or ""
    containing = containing_pod_id(name, namespace, uid)
    live = [_instance(container, spec, status, containing) for container in status.container_statuses or ()]
    live.sort(key=lambda instance: instance.instance_id.id)
    return wire.Pod(
        id=pod_id(uid),
        name=name,
        deployment_id=deployment_id,
        namespace=namespace,
        cluster_id=cluster_id,
        live_instances=live,
        started=_set_time(metadata.creation_timestamp, "metadata.creationTimestamp"),
    )


def _instance(container: ContainerStatus, spec: Spec, status: Status, containing: str) -> wire.ContainerInstance:
    """A regular container as the wire shows it (ingest 4.2)."""
    runtime, run, _ = runtime_and_id(container.container_id or "")
    instance = wire.ContainerInstance(
        instance_id=wire.ContainerInstanceID(container_runtime=runtime, id=run, node=spec.node_name),
        containing_pod_id=containing,
        container_name=container.name,
        container_ips=[status.pod_ip] if status.pod_ip else [],
        image_digest=image_digest(container.image_id or ""),
    )
    state = _state(container)
    if not isinstance(state, Waiting):
        instance.started.CopyFrom(_set_time(state.started_at, "startedAt"))
    if isinstance(state, Terminated):
        instance.finished.CopyFrom(_set_time(state.finished_at, "finishedAt"))
        instance.exit_code = state.exit_code or 0
        instance.termination_reason = state.reason or ""
    return instance


def _state(container: ContainerStatus) -> Running | Terminated | Waiting:
    """The one state of a container: of several, terminated wins over running over waiting (ingest 4.2)."""
    state = container.state or State()
    return state.terminated or state.running or state.waiting or Waiting()


# ------------------------------------------------------------------------------------------ containers


@dataclass(frozen=True, slots=True)
class _Entry:
    """A container of the spec with its status, where each exists."""

    kind: Kind
    spec: ContainerSpec
    status: ContainerStatus | None


def _entries(spec: Spec, status: Status) -> list[_Entry]:
    """All containers: init ones in spec order, then regular and ephemeral ones in status order."""
    init = _paired(spec.init_containers or (), status.init_container_statuses or ())
    order = {container.name: place for place, container in reversed([*enumerate(spec.init_containers or ())])}
    init.sort(key=lambda pair: order.get(pair[0].name, len(order)))
    regular = _paired(spec.containers or (), status.container_statuses or ())
    ephemeral = _paired(spec.ephemeral_containers or (), status.ephemeral_container_statuses or ())
    return [
        *(_Entry("sidecar" if asked.restart_policy == "Always" else "init", asked, told) for asked, told in init),
        *(_Entry("regular", asked, told) for asked, told in regular),
        *(_Entry("ephemeral", asked, told) for asked, told in ephemeral),
    ]


def _paired(
    specs: Sequence[ContainerSpec], statuses: Sequence[ContainerStatus]
) -> list[tuple[ContainerSpec, ContainerStatus | None]]:
    """Every status with the container of its name, taken as they are; then the containers without a status."""
    by_name = {container.name: container for container in reversed(specs)}
    told = {status.name for status in statuses}
    return [
        *((by_name.get(status.name) or ContainerSpec(name=status.name), status) for status in statuses),
        *((container, None) for container in specs if container.name not in told),
    ]


def _container(entry: _Entry) -> Container:
    """Side data of a container (ingest 4.5)."""
    container = Container(name=entry.spec.name, kind=entry.kind, spec_image=entry.spec.image)
    if entry.status is not None:
        _tell_status(container, entry.status)
        _tell_state(container, _state(entry.status))
    return container


def _tell_status(container: Container, status: ContainerStatus) -> None:
    _, run, runtime = runtime_and_id(status.container_id or "")
    container.status_image = status.image or ""
    container.image_id = status.image_id or ""
    container.digest_kind = digest_kind(container.image_id)
    container.container_id = run
    container.ready = bool(status.ready)
    container.restart_count = status.restart_count or 0
    last = status.last_state.terminated if status.last_state is not None else None
    if last is not None:
        container.last_terminated.CopyFrom(_last_terminated(last))
        # A container that waits for its next start has no id, and so no runtime, of its own.
        runtime = runtime or runtime_and_id(last.container_id or "")[2]
    container.runtime = runtime


def _tell_state(container: Container, state: Running | Terminated | Waiting) -> None:
    container.state = type(state).__name__.lower()
    if not isinstance(state, Running):
        container.reason = state.reason or ""
    if not isinstance(state, Waiting):
        container.started.CopyFrom(_set_time(state.started_at, "startedAt"))
    if isinstance(state, Terminated):
        container.finished.CopyFrom(_set_time(state.finished_at, "finishedAt"))
        container.exit_code = state.exit_code or 0
        container.signal = state.signal or 0


def _last_terminated(last: Terminated) -> LastTerminated:
    return LastTerminated(
        id=runtime_and_id(last.container_id or "")[1],
        started=_set_time(last.started_at, "startedAt"),
        finished=_set_time(last.finished_at, "finishedAt"),
        exit_code=last.exit_code,
        reason=last.reason,
    )


# ---------------------------------------------------------------------------------------------- times


def _time(text: str | None, field: str) -> Timestamp | None:
    """A time, unset when it is missing. Raises `ValueError` when it cannot be read."""
    if text is None:
        return None
    try:
        seconds, nanos = parse_time(text)
    except ValueError:
        raise ValueError(f"{field} is not an RFC 3339 time: {quote(text)}") from None
    return Timestamp(seconds=seconds, nanos=nanos)


def _set_time(text: str | None, field: str) -> Timestamp:
    """A time that counts as set in any case: year 1 when it is missing (ingest 4.1, 4.3)."""
    return _time(text, field) or Timestamp(seconds=YEAR_ONE.seconds)
