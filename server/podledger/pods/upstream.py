"""Answers of a StackRox / RHACS installation -> pods, workloads, namespaces and clusters (ingest 7.4).

In goes the JSON of one record, as `objects.split_items` cuts it out of an answer. Members are proto3 JSON:
lower camel or proto names, null for absent, enums by name or number, whole numbers as text or number,
unknown members ignored.

A scalar that is absent is the zero value of its type, because that is how proto3 tells a zero. A list that
is absent is None, and so is `[]`: these servers print it for absent lists too. `Keep` changes that, and
whether values of environment variables are taken; without it they are never read.

What cannot be read makes the record malformed: `BadInput`, which names the member.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_UP, Context, Decimal
from typing import Any, Final, NoReturn, TypeVar

from google.protobuf import json_format

from podledger.errors import BadInput
from podledger.pods.identity import NO_CLUSTER, parse_containing_pod_id, parse_uuid, uuid_or_none
from podledger.pods.objects import LAST_APPLIED, decode_value
from podledger.pods.quoting import quote
from podledger.pods.times import microseconds, parse_time
from podledger.pods.workloads import Env, Exposure, Port, Secret, Volume, Workload, WorkloadContainer
from podledger_protos.podledger.ingest.v1.record_pb2 import PodRecord
from podledger_protos.storage.deployment_pb2 import ContainerInstance
from podledger_protos.storage.deployment_pb2 import Pod as PodMessage

Value = TypeVar("Value")

INT32: Final = range(-(2**31), 2**31)
UINT64: Final = range(2**64)
_LARGEST_HELD: Final = 2**63
_MAX_QUOTED: Final = 1000
"""Characters of an error record that are repeated."""


def _numbered(*names: str) -> Mapping[str, int]:
    return {name: number for number, name in enumerate(names)}


ENUMS: Final[Mapping[str, Mapping[str, int]]] = {
    "permission level": _numbered(
        "UNSET", "NONE", "DEFAULT", "ELEVATED_IN_NAMESPACE", "ELEVATED_CLUSTER_WIDE", "CLUSTER_ADMIN"
    ),
    "container type": _numbered("REGULAR", "INIT"),
    "variable source": _numbered("UNSET", "RAW", "SECRET_KEY", "CONFIG_MAP_KEY", "FIELD", "RESOURCE_FIELD", "UNKNOWN"),
    "exposure level": _numbered("UNSET", "EXTERNAL", "NODE", "INTERNAL", "HOST", "ROUTE"),
    "provider type": _numbered("UNSPECIFIED", "AKS", "ARO", "EKS", "GKE", "OCP", "OSD", "ROSA"),
    "platform type": {
        "GENERIC_CLUSTER": 0,
        "KUBERNETES_CLUSTER": 1,
        "OPENSHIFT_CLUSTER": 2,
        "OPENSHIFT4_CLUSTER": 5,
    },
}
"""Names and numbers of the enums that are read (pod-service 5.7)."""


@dataclass(frozen=True, slots=True)
class Keep:
    """What is kept beyond the rule."""

    empty_lists: bool = False
    """`[]` is a list without elements, not an absent one."""
    env_values: bool = False
    """Values of environment variables, which may hold credentials."""


@dataclass(frozen=True, slots=True)
class UpstreamPod:
    """A pod, every field as sent. Clusters are `NO_CLUSTER` here and below where the record names none."""

    cluster: bytes
    id: bytes
    record: PodRecord


@dataclass(frozen=True, slots=True)
class UpstreamWorkload:
    """A deployment with all that hangs on it."""

    cluster: bytes
    workload: Workload


@dataclass(frozen=True, slots=True)
class UpstreamNamespace:
    """A namespace."""

    cluster: bytes
    cluster_name: str
    id: bytes
    name: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class UpstreamCluster:
    """A cluster. Its platform is the kind of cluster, its provider the service that runs it."""

    id: bytes
    name: str
    labels: Mapping[str, str]
    platform_type: int | None
    provider_type: int | None
    kubernetes_version: str


# ------------------------------------------------------------------------------------------------- pods


def decode_pod(data: bytes) -> UpstreamPod:
    """Read a pod. Raises `BadInput`."""
    record = _record("pod", data)
    pod = PodMessage()
    try:
        json_format.ParseDict(record.members, pod, ignore_unknown_fields=True)
    except json_format.ParseError as error:
        raise BadInput(f"pod: {str(error).rstrip('.')}") from error
    return UpstreamPod(
        cluster=record.cluster("clusterId"),
        id=record.identity("id"),
        record=PodRecord(pod=pod, uid=next(_uids(pod), "")),
    )


def _uids(pod: PodMessage) -> Iterator[str]:
    """The Kubernetes uids that the instances of a pod tell."""
    for instance in _instances(pod):
        try:
            yield parse_containing_pod_id(instance.containing_pod_id).uid
        except BadInput:
            continue


def _instances(pod: PodMessage) -> Iterator[ContainerInstance]:
    yield from pod.live_instances
    for bucket in pod.terminated_instances:
        yield from bucket.instances


# -------------------------------------------------------------------------------------------- workloads


def decode_workload(data: bytes, *, keep: Keep) -> UpstreamWorkload:
    """Read a deployment. Raises `BadInput`."""
    record = _record("deployment", data)
    workload = Workload(
        deployment_id=record.identity("id"),
        name=record.text("name"),
        type=record.text("type"),
        namespace=record.text("namespace"),
        namespace_id=uuid_or_none(record.text("namespaceId")),
        cluster_name=record.text("clusterName"),
        labels=record.texts_by_name("labels"),
        pod_labels=record.texts_by_name("podLabels"),
        annotations=record.annotations("annotations"),
        created=record.instant("created"),
        hash=_held(record.whole("hash", UINT64)),
        service_account=record.text("serviceAccount"),
        service_account_permission_level=record.enum("serviceAccountPermissionLevel", "permission level"),
        image_pull_secrets=record.texts("imagePullSecrets", keep),
        risk_score=record.real("riskScore"),
        orchestrator_component=record.flag("orchestratorComponent"),
        platform_component=record.flag("platformComponent"),
        containers=tuple(_container(each, keep) for each in record.messages("containers")),
        ports=tuple(_port(each, keep) for each in record.messages("ports")),
    )
    return UpstreamWorkload(record.cluster("clusterId"), workload)


def _held(number: int) -> float:
    return number if number < _LARGEST_HELD else float(number)


def _container(record: _Record, keep: Keep) -> WorkloadContainer:
    image, context, resources = record.message("image"), record.message("securityContext"), record.message("resources")
    name = image.message("name")
    return WorkloadContainer(
        type=record.enum("type", "container type"),
        image_full_name=name.text("fullName"),
        image_registry=name.text("registry"),
        image_remote=name.text("remote"),
        image_tag=name.text("tag"),
        image_id=image.text("id"),
        image_id_v2=image.text("idV2") or None,
        privileged=context.flag("privileged"),
        read_only_root=context.flag("readOnlyRootFilesystem"),
        add_capabilities=context.texts("addCapabilities", keep),
        drop_capabilities=context.texts("dropCapabilities", keep),
        cpu_request=resources.real("cpuCoresRequest"),
        cpu_limit=resources.real("cpuCoresLimit"),
        memory_request=resources.real("memoryMbRequest"),
        memory_limit=resources.real("memoryMbLimit"),
        envs=tuple(_env(each, keep) for each in record.message("config").messages("env")),
        volumes=tuple(map(_volume, record.messages("volumes"))),
        secrets=tuple(Secret(each.text("name"), each.text("path")) for each in record.messages("secrets")),
    )


def _env(record: _Record, keep: Keep) -> Env:
    value = record.text("value") if keep.env_values else None
    return Env(record.text("key"), value, record.enum("envVarSource", "variable source"))


def _volume(record: _Record) -> Volume:
    return Volume(
        name=record.text("name"),
        source=record.text("source"),
        destination=record.text("destination"),
        type=record.text("type"),
        read_only=record.flag("readOnly"),
    )


def _port(record: _Record, keep: Keep) -> Port:
    exposures = tuple(_exposure(each, keep) for each in record.messages("exposureInfos"))
    return Port(record.enum("exposure", "exposure level"), exposures)


def _exposure(record: _Record, keep: Keep) -> Exposure:
    return Exposure(
        level=record.enum("level", "exposure level"),
        service=record.text("serviceName"),
        service_port=record.whole("servicePort", INT32),
        node_port=record.whole("nodePort", INT32),
        external_ips=record.texts("externalIps", keep),
        external_hostnames=record.texts("externalHostnames", keep),
    )


# ------------------------------------------------------------------------------- namespaces and clusters


def decode_namespace(data: bytes) -> UpstreamNamespace:
    """Read a namespace. Raises `BadInput`."""
    metadata = _record("namespace", data).message("metadata")
    return UpstreamNamespace(
        cluster=metadata.cluster("clusterId"),
        cluster_name=metadata.text("clusterName"),
        id=metadata.identity("id"),
        name=metadata.text("name"),
        labels=metadata.texts_by_name("labels"),
        annotations=metadata.annotations("annotations"),
    )


def decode_cluster(data: bytes) -> UpstreamCluster:
    """Read a cluster. Raises `BadInput`."""
    record = _record("cluster", data)
    status = record.message("status")
    identity = record.cluster("id")
    if identity == NO_CLUSTER:
        record.refuse("id", "is empty")
    return UpstreamCluster(
        id=identity,
        name=record.text("name"),
        labels=record.texts_by_name("labels"),
        platform_type=record.enum("type", "platform type"),
        provider_type=status.message("providerMetadata").message("cluster").enum("type", "provider type"),
        kubernetes_version=status.message("orchestratorMetadata").text("version"),
    )


# --------------------------------------------------------------------------------------- ends of streams


def decode_end(data: bytes) -> int:
    """The number of messages that a stream says it sent. Raises `BadInput`."""
    return _record("end", data).whole("count", range(2**63))


def error_text(data: bytes) -> str:
    """What the record of a cut export says, in one line."""
    try:
        told = decode_value(data)
    except BadInput:
        told = data.decode("utf-8", "replace")
    if isinstance(told, dict) and isinstance(told.get("message"), str):
        told = told["message"]
    return quote((told if isinstance(told, str) else json.dumps(told))[:_MAX_QUOTED])


# --------------------------------------------------------------------------------------------- proto3 JSON


def _record(what: str, data: bytes) -> _Record:
    return _Record(what, _object(what, decode_value(data)))


def _object(path: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadInput(f"{path} is not an object")
    return value


@dataclass(frozen=True, slots=True)
class _Record:
    """A message as JSON, read member by member. `path` names it in errors."""

    path: str
    members: dict[str, Any]

    def refuse(self, name: str, problem: str) -> NoReturn:
        """Raise `BadInput` about a member."""
        raise BadInput(f"{self.path}.{name} {problem}")

    def _told(self, name: str) -> Any:
        """The value of a member by its JSON name or its proto name; None when it is absent."""
        value = self.members.get(name)
        return self.members.get(_PROTO_NAMES[name]) if value is None else value

    def text(self, name: str) -> str:
        value = self._told(name)
        return "" if value is None else self._text(name, value)

    def _text(self, name: str, value: Any) -> str:
        if not isinstance(value, str):
            self.refuse(name, "is not a text")
        return value

    def flag(self, name: str) -> bool:
        value = self._told(name)
        if not isinstance(value, bool | None):
            self.refuse(name, "is neither true nor false")
        return bool(value)

    def whole(self, name: str, allowed: range) -> int:
        """An integer, as a number or as a text; a number may be written with a fraction of zero."""
        value = self._told(name)
        number = self._number(name, value)
        if not float(number).is_integer() or int(number) not in allowed:
            self.refuse(name, f"is not a whole number that fits: {_shown(value)}")
        return int(number)

    def real(self, name: str) -> float:
        """A 32-bit number, as the 64-bit number of its shortest decimal text: 0.1 stays 0.1 (pod-service 4.3)."""
        value = self._told(name)
        try:
            return shortest(float(self._number(name, value)))
        except OverflowError:
            self.refuse(name, f"is not a number that fits: {_shown(value)}")

    def _number(self, name: str, value: Any) -> int | float:
        if isinstance(value, str):
            value = _parsed(value)
        if value is None:
            return 0
        if isinstance(value, bool) or not isinstance(value, int | float) or not _is_finite(value):
            self.refuse(name, f"is not a number: {_shown(self._told(name))}")
        return value

    def enum(self, name: str, of: str) -> int | None:
        """A number of the enum. A name that is not known tells nothing: a newer installation may have more."""
        value = self._told(name)
        if isinstance(value, str):
            return ENUMS[of].get(value)
        return self.whole(name, INT32)

    def identity(self, name: str) -> bytes:
        """A UUID."""
        text = self.text(name)
        try:
            return parse_uuid(text)
        except ValueError as error:
            self.refuse(name, f"{quote(text)} is no UUID: {error}")

    def cluster(self, name: str) -> bytes:
        """The id of a cluster; `NO_CLUSTER` when it is empty."""
        if not self.text(name):
            return NO_CLUSTER
        identity = self.identity(name)
        if identity == NO_CLUSTER:
            self.refuse(name, "is the nil UUID, which names no cluster")
        return identity

    def instant(self, name: str) -> int | None:
        """A time in microseconds since 1970 UTC; None when it is absent."""
        text = self.text(name)
        try:
            return microseconds(parse_time(text)) if text else None
        except ValueError:
            self.refuse(name, f"is not an RFC 3339 time: {quote(text)}")

    def message(self, name: str) -> _Record:
        """A message; an absent one has no members."""
        value = self._told(name)
        return _Record(f"{self.path}.{name}", {} if value is None else _object(f"{self.path}.{name}", value))

    def messages(self, name: str) -> Iterator[_Record]:
        """The messages of a list."""
        for number, value in enumerate(self._list(name) or ()):
            path = f"{self.path}.{name}[{number}]"
            yield _Record(path, _object(path, value))

    def texts(self, name: str, keep: Keep) -> tuple[str, ...] | None:
        """A list of texts; None when it is absent, and where `[]` says no more than that."""
        found = self._list(name)
        if found is None or not (found or keep.empty_lists):
            return None
        return tuple(self._text(f"{name}[{number}]", value) for number, value in enumerate(found))

    def _list(self, name: str) -> Sequence[Any] | None:
        value = self._told(name)
        if not isinstance(value, list | None):
            self.refuse(name, "is not a list")
        return value

    def texts_by_name(self, name: str) -> Mapping[str, str]:
        """A map from text to text; an absent one is empty."""
        value = self._told(name)
        if value is None:
            return {}
        entries = _object(f"{self.path}.{name}", value)
        return {
            self._text(f"{name} key", key): "" if text is None else self._text(f"{name}[{quote(key)}]", text)
            for key, text in entries.items()
        }

    def annotations(self, name: str) -> Mapping[str, str]:
        """Annotations without the one that repeats the object (ingest 5.6)."""
        return {key: text for key, text in self.texts_by_name(name).items() if key != LAST_APPLIED}


class _ProtoNames(dict[str, str]):
    """JSON name of a member -> its proto name: `idV2` is `id_v2`."""

    def __missing__(self, name: str) -> str:
        spelled = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
        return self.setdefault(name, spelled)


_PROTO_NAMES = _ProtoNames()


def _parsed(text: str) -> int | float | str:
    """A number written as a text; the text itself when it is none."""
    if not set(text) <= set("0123456789+-.eE"):
        return text
    readings: tuple[Callable[[str], int | float], ...] = (int, float)
    for read in readings:
        try:
            return read(text)
        except ValueError:
            continue
    return text


def _is_finite(number: float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:  # an integer beyond what a float holds
        return False


def _shown(value: Any) -> str:
    return quote(value) if isinstance(value, str) else json.dumps(value)[:_MAX_QUOTED]


def shortest(number: float) -> float:
    """The 64-bit number of the shortest decimal text that means the same 32-bit number as this one.

    Raises `OverflowError` when the number is beyond 32 bits.
    """
    wanted = struct.pack("<f", number)
    exact = Decimal(struct.unpack("<f", wanted)[0])
    for digits in range(1, 9):
        for rounding in (None, ROUND_DOWN, ROUND_UP):
            rounded = float(Context(prec=digits, rounding=rounding).plus(exact))
            if _fits(rounded) and struct.pack("<f", rounded) == wanted:
                return rounded
    return float(Context(prec=9).plus(exact))


def _fits(number: float) -> bool:
    return abs(number) < 3.4028235677973366e38  # from there on it rounds to infinity
