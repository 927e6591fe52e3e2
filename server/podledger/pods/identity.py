"""Ids: of pods, clusters and container runs, and the text form of containing_pod_id.

The Kubernetes uid of a pod never stands for the pod itself: a pod without owner has its own uid as
deployment id, and the two must differ (pod-service 10).
"""

from __future__ import annotations

import binascii
import hashlib
import uuid
from typing import NamedTuple

from google.protobuf.timestamp_pb2 import Timestamp

from podledger.errors import BadInput
from podledger.pods.quoting import quote
from podledger_protos.storage.deployment_pb2 import ContainerInstance

NO_CLUSTER = bytes(16)
"""The nil UUID: stands in keys for the cluster of a pod that belongs to none."""

_PODS = uuid.UUID("32581326-b68f-49f5-a8a2-83853cac8813")
"""Namespace of pod ids (pod-service 10)."""
_URN = b"urn:uuid:"

_LETTERS_AND_DIGITS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")
_NAMESPACE = _LETTERS_AND_DIGITS | {"-"}
_NAME = _NAMESPACE | {"."}
_UID = frozenset("0123456789abcdefABCDEF-")


class PodKey(NamedTuple):
    """Identity of a pod row: 16 bytes each. Ordered bytewise, which is the order of exports."""

    cluster: bytes
    pod: bytes


class RunKey(NamedTuple):
    """Identity of one run of a container within its pod (pod-service 11.2 rule 2).

    `key` is `id:<instance id>`, or `t:<started>/<finished>/<exit code>/<reason>` of a run without id.
    """

    container: str
    key: str


class ContainingPod(NamedTuple):
    """The parts of a containing_pod_id."""

    name: str
    namespace: str
    uid: str


# ---------------------------------------------------------------------------------------------- UUIDs


def parse_uuid(text: str) -> bytes:
    """Read a UUID in any of the four accepted forms (pod-service 4.2).

    Raises `ValueError`; its text is the reason that the search error prints.
    """
    data = text.encode("utf-8", "surrogatepass")
    if len(data) == 32:
        return _unhex(data)
    if len(data) == 45:
        if data[:9].lower() != _URN:
            raise ValueError(f"invalid urn prefix: {quote(data[:9])}")
        data = data[9:]
    elif len(data) == 38:  # meant for braces; the two bytes are never looked at
        data = data[1:37]
    elif len(data) != 36:
        raise ValueError(f"invalid UUID length: {len(data)}")
    if data[8:24:5] != b"----":
        raise ValueError("invalid UUID format")
    return _unhex(data[:8] + data[9:13] + data[14:18] + data[19:23] + data[24:])


def _unhex(digits: bytes) -> bytes:
    try:
        return binascii.unhexlify(digits)
    except binascii.Error:
        raise ValueError("invalid UUID format") from None


def uuid_or_none(text: str) -> bytes | None:
    """Read a UUID; None for the empty text and for a text that is none."""
    try:
        return parse_uuid(text)
    except ValueError:
        return None


def uuid_text(data: bytes) -> str:
    """The canonical lower-case form of 36 characters."""
    digits = data.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def pod_id(uid: str) -> str:
    """`storage.Pod.id` of a Kubernetes uid, taken exactly as given (pod-service 10)."""
    return str(uuid.uuid5(_PODS, uid))


def static_deployment_id(cluster_id: str, value: str) -> str:
    """Deployment id that the static pods of one component share in a cluster (ingest 5.3)."""
    namespace = uuid_or_none(cluster_id) or hashlib.sha256(cluster_id.encode()).digest()[:16]
    return str(uuid.uuid5(uuid.UUID(bytes=namespace), value))


# --------------------------------------------------------------------------------- containing_pod_id


def containing_pod_id(name: str, namespace: str, uid: str) -> str:
    """The text form `<name>.<namespace>@<uid>`; empty when all three are."""
    return f"{name}.{namespace}@{uid}" if name or namespace or uid else ""


def parse_containing_pod_id(text: str) -> ContainingPod:
    """Take a containing_pod_id apart. Raises `BadInput` when it is none (pod-service 10).

    The uid begins after the first `@`, the namespace after the last `.` before it: a name may contain dots.
    """
    pod, at, uid = text.partition("@")
    name, dot, namespace = pod.rpartition(".")
    if not (at and dot and _is_dns(name, _NAME) and _is_dns(namespace, _NAMESPACE) and uid and _UID.issuperset(uid)):
        raise BadInput(f"string {quote(text)} is not a valid Pod ID")
    return ContainingPod(name, namespace, uid)


def _is_dns(text: str, allowed: frozenset[str]) -> bool:
    if not text or text[0] not in _LETTERS_AND_DIGITS or text[-1] not in _LETTERS_AND_DIGITS:
        return False
    return allowed.issuperset(text)


# ------------------------------------------------------------------------------------------------ runs


def run_key(instance: ContainerInstance) -> RunKey:
    """Key of a container run: by its id, else by what else tells runs apart (pod-service 11.2 rule 2)."""
    if run := instance.instance_id.id:
        return RunKey(instance.container_name, f"id:{run}")
    started = _moment(instance.started) if instance.HasField("started") else ""
    finished = _moment(instance.finished) if instance.HasField("finished") else ""
    told = f"{started}/{finished}/{instance.exit_code}/{instance.termination_reason}"
    return RunKey(instance.container_name, f"t:{told}")


def _moment(time: Timestamp) -> str:
    return f"{time.seconds}.{time.nanos:09d}"
