"""Partial Kubernetes objects: JSON bytes of one object -> the fields that are read, and nothing else.

The structs hold the fields of ingest 2.3. What they do not name is never decoded, so environment
values, arguments, volumes and messages cannot reach a log, a queue or a disk. Every field is optional
and accepts null, because servers leave out and null what they like; times stay text until mapping.
What remains wrong makes the object malformed: `BadInput`, with a text that names the field.

The text of a file may hold several JSON texts, a text may be a list, and an object may be one event of
a watch: `split_texts`, `split_items` and `decode_frame` take them apart without decoding what is inside.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, NamedTuple, TypeVar

import msgspec

from podledger.errors import BadInput

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
"""Repeats the whole object, secrets included; never kept (ingest 5.6)."""

_TRAILING = "trailing characters"
"""What the decoder calls a text behind the first one."""

_ACRONYMS = {"id": "ID", "ip": "IP", "ips": "IPs"}

Int32 = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]


def _spelled(name: str) -> str:
    """The Kubernetes spelling of a field: `image_id` is `imageID`, `start_time` is `startTime`."""
    first, *rest = name.split("_")
    return first + "".join(_ACRONYMS.get(word, word.capitalize()) for word in rest)


class _Partial(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, rename=_spelled):
    """gc off: the structs are trees without cycles, and a fleet holds millions of them."""


# ---------------------------------------------------------------------------------------------- status


class Running(_Partial, frozen=True):
    """The state of a container that runs."""

    started_at: str | None = None


class Waiting(_Partial, frozen=True):
    """The state of a container that does not run yet, or not again."""

    reason: str | None = None


class Terminated(_Partial, frozen=True):
    """The state of a container that has finished."""

    started_at: str | None = None
    finished_at: str | None = None
    exit_code: Int32 | None = None
    reason: str | None = None
    signal: Int32 | None = None
    container_id: str | None = None


class State(_Partial, frozen=True):
    """At most one is expected to be set."""

    running: Running | None = None
    terminated: Terminated | None = None
    waiting: Waiting | None = None


class LastState(_Partial, frozen=True):
    """What a container did before its current state."""

    terminated: Terminated | None = None


class ContainerStatus(_Partial, frozen=True):
    """One container as the kubelet reports it."""

    name: str | None = None
    image: str | None = None
    image_id: str | None = None
    container_id: str | None = None
    ready: bool | None = None
    restart_count: Int32 | None = None
    state: State | None = None
    last_state: LastState | None = None


class PodAddress(_Partial, frozen=True):
    """One address of a pod."""

    ip: str | None = None


class Status(_Partial, frozen=True):
    """What a pod does."""

    phase: str | None = None
    reason: str | None = None
    pod_ip: str | None = None
    pod_ips: list[PodAddress] | None = None
    host_ip: str | None = None
    start_time: str | None = None
    container_statuses: list[ContainerStatus] | None = None
    init_container_statuses: list[ContainerStatus] | None = None
    ephemeral_container_statuses: list[ContainerStatus] | None = None


# ------------------------------------------------------------------------------------ spec and metadata


class ContainerSpec(_Partial, frozen=True):
    """One container as it was asked for. `restart_policy` is set on init containers only."""

    name: str | None = None
    image: str | None = None
    restart_policy: str | None = None


class Spec(_Partial, frozen=True):
    """What a pod was asked to be."""

    node_name: str | None = None
    service_account_name: str | None = None
    host_network: bool | None = None
    containers: list[ContainerSpec] | None = None
    init_containers: list[ContainerSpec] | None = None
    ephemeral_containers: list[ContainerSpec] | None = None


class OwnerReference(_Partial, frozen=True):
    """An owner as the owned object names it."""

    api_version: str | None = None
    kind: str | None = None
    name: str | None = None
    uid: str | None = None
    controller: bool | None = None


class PodAnnotations(_Partial, frozen=True):
    """The two annotations that tell a kubelet's own static pod from its mirror (ingest 7.1)."""

    config_source: str | None = msgspec.field(default=None, name="kubernetes.io/config.source")
    config_mirror: str | None = msgspec.field(default=None, name="kubernetes.io/config.mirror")


class _Identified(_Partial, frozen=True):
    name: str | None = None
    namespace: str | None = None
    uid: str | None = None
    resource_version: str | None = None
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    labels: dict[str, str | None] | None = None
    owner_references: list[OwnerReference] | None = None


class PodMetadata(_Identified, frozen=True):
    """Metadata of a pod."""

    annotations: PodAnnotations | None = None


class Metadata(_Identified, frozen=True):
    """Metadata of an owner, a workload or a namespace."""

    annotations: dict[str, str | None] | None = None


# --------------------------------------------------------------------------------------------- objects


class Pod(_Partial, frozen=True):
    """A pod. From `decode_pod` it has a uid, a name and a namespace."""

    metadata: PodMetadata | None = None
    spec: Spec | None = None
    status: Status | None = None


class OwnerObject(_Partial, frozen=True):
    """An owner or workload, metadata only. Items of a typed list carry no kind."""

    api_version: str | None = None
    kind: str | None = None
    metadata: Metadata | None = None


class NamespaceObject(_Partial, frozen=True):
    """A namespace, metadata only."""

    metadata: Metadata | None = None


class Head(_Partial, frozen=True):
    """What can still be read of an object whose other fields are malformed. Unreadable is empty."""

    kind: str = ""
    uid: str = ""
    name: str = ""
    namespace: str = ""
    resource_version: str = ""


class _LooseMetadata(_Partial, frozen=True):
    uid: Any = None
    name: Any = None
    namespace: Any = None
    resource_version: Any = None


class _LooseObject(_Partial, frozen=True):
    kind: Any = None
    metadata: _LooseMetadata | None = None


_Object = TypeVar("_Object", Pod, OwnerObject, NamespaceObject, _LooseObject, "_Kinded")


def decode_pod(data: bytes) -> Pod:
    """Read a pod. Raises `BadInput` when it is malformed; times are looked at by the mapping only."""
    pod = _decode(data, Pod, "pod")
    check_identity("pod", pod.metadata, "uid", "name", "namespace")
    return pod


def decode_owner(data: bytes) -> OwnerObject:
    """Read kind and metadata of an owner or workload. Raises `BadInput` when it is malformed."""
    owner = _decode(data, OwnerObject, "owner")
    check_identity("owner", owner.metadata, "uid", "name")
    return owner


def decode_namespace(data: bytes) -> NamespaceObject:
    """Read the metadata of a namespace. Raises `BadInput` when it is malformed."""
    namespace = _decode(data, NamespaceObject, "namespace")
    check_identity("namespace", namespace.metadata, "uid", "name")
    return namespace


def decode_head(data: bytes) -> Head:
    """Read what identifies an object, whatever else is wrong with it.

    Raises `BadInput` when the bytes are no JSON object, or its metadata is none.
    """
    loose = _decode(data, _LooseObject, "object")
    metadata = loose.metadata or _LooseMetadata()
    told = (loose.kind, metadata.uid, metadata.name, metadata.namespace, metadata.resource_version)
    return Head(*(value if isinstance(value, str) else "" for value in told))


def decode_value(data: bytes) -> Any:
    """Read any JSON as plain values. Raises `BadInput`, also for half a character and for what is not finite."""
    try:
        return msgspec.json.decode(data)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"not usable JSON: {error}") from error


def encode(found: Pod | OwnerObject | NamespaceObject) -> bytes:
    """Compact JSON of the read fields only: what may be put aside before it is mapped.

    It decodes to the same value, without the annotation that repeats the object.
    """
    metadata = found.metadata
    if isinstance(metadata, Metadata) and LAST_APPLIED in (metadata.annotations or ()):
        metadata = msgspec.structs.replace(metadata, annotations=kept_annotations(metadata))
        found = msgspec.structs.replace(found, metadata=metadata)
    return msgspec.json.encode(found)


def kept_annotations(metadata: Metadata) -> dict[str, str]:
    """Annotations without the one that repeats the object (ingest 5.6)."""
    annotations = metadata.annotations or {}
    return {key: value or "" for key, value in annotations.items() if key != LAST_APPLIED}


def check_identity(what: str, metadata: PodMetadata | Metadata | None, *fields: str) -> None:
    """Raise `BadInput` when one of these metadata fields is missing or empty: nothing is derived then."""
    for field in fields:
        if not getattr(metadata, field, None):
            raise BadInput(f"{what} without metadata.{field}")


def _decode(data: bytes, form: type[_Object], what: str) -> _Object:
    try:
        return msgspec.json.decode(data, type=form)
    except (ValueError, RecursionError) as error:  # JSON, UTF-8, types, or nesting beyond the stack
        raise BadInput(f"not a usable {what}: {error}") from error


# -------------------------------------------------------------------------------------------- listings


ANSWERS = frozenset({"pod", "deployment", "namespace", "cluster", "error", "end"})
"""Kinds of the records in answers of an upstream installation (`upstream`); no kind of Kubernetes is in lower case."""


class Listing(NamedTuple):
    """A JSON text of a file: a list with its kind, or (`items` is None) one object of any kind.

    What upstream answers is a list too: its kind is one of `ANSWERS` and `List`.
    """

    kind: str
    items: Iterator[bytes] | None


class Text(NamedTuple):
    """One of the JSON texts of a file, and the line on which it begins."""

    line: int
    data: bytes


class Frame(NamedTuple):
    """One event of a watch: its type as sent, and its object, undecoded."""

    type: str
    object: bytes


class _List(_Partial, frozen=True):
    kind: str | None = None
    items: list[msgspec.Raw] | None = None
    result: msgspec.Raw = msgspec.Raw(b"null")
    pod: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    deployment: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    error: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    end: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    namespaces: list[msgspec.Raw] | msgspec.UnsetType | None = msgspec.UNSET
    clusters: list[msgspec.Raw] | msgspec.UnsetType | None = msgspec.UNSET


class _Kinded(_Partial, frozen=True):
    kind: str | None = None
    spec: msgspec.Raw = msgspec.Raw(b"null")


class _Containers(_Partial, frozen=True):
    containers: list[msgspec.Raw] | None = None


class _Event(_Partial, frozen=True):
    kind: str | None = None
    type: str | None = None
    object: msgspec.Raw = msgspec.Raw(b"null")


def split_texts(data: bytes) -> Iterator[Text]:
    """Cut JSON texts that follow each other: one per line (NDJSON), or with any white space between them.

    Raises `BadInput` that tells line and column where the data is no JSON; the texts before it have come then.
    """
    start, line = 0, 1
    while start < len(data):
        end = _end_of_text(data, start)
        yield Text(line, data[start:end])
        line += data.count(b"\n", start, end)
        start = end


def _end_of_text(data: bytes, start: int) -> int:
    try:
        msgspec.json.decode(memoryview(data)[start:], type=msgspec.Raw)
    except RecursionError as error:
        raise BadInput("nested too deeply") from error
    except ValueError as error:
        problem, offset = _problem(str(error))
        end = len(data) if offset is None else start + offset
        if problem == _TRAILING:
            return end
        raise BadInput(_with_place(problem, data, end)) from error
    return len(data)


def split_items(data: bytes) -> Listing:
    """Cut a list or a bare array into its items, which stay undecoded. The kind of a list ends in `List`.

    The whole text is checked. Raises `BadInput` that tells line and column where it is no JSON.
    """
    try:
        return _listing(data)
    except RecursionError as error:
        raise BadInput("nested too deeply") from error
    except ValueError as error:
        problem, offset = _problem(str(error))
        raise BadInput(_with_place(problem, data, len(data) if offset is None else offset)) from error


def _listing(data: bytes) -> Listing:
    try:
        found = msgspec.json.decode(data, type=_List | list[msgspec.Raw])
    except msgspec.ValidationError:  # sound so far, and of another shape
        msgspec.json.decode(data, type=msgspec.Raw)
        return Listing("", None)
    if isinstance(found, list):
        return Listing("", map(bytes, found))
    kind = found.kind or ""
    if kind.endswith("List") or (not kind and found.items is not None):
        return Listing(kind, map(bytes, found.items or ()))
    return (_answer(found) if not kind else None) or Listing(kind, None)


def _answer(found: _List) -> Listing | None:
    """What an upstream installation answers (ingest 7.4): a list, or one message of a stream."""
    for kind, items in (("namespace", found.namespaces), ("cluster", found.clusters)):
        if items is not msgspec.UNSET:
            return Listing(f"{kind}List", map(bytes, items or ()))
    for kind in ("pod", "deployment", "error", "end"):
        message = getattr(found, kind)
        if message is not msgspec.UNSET:
            return Listing(f"{kind}List", iter([bytes(message)]))
    if bytes(found.result).startswith(b"{"):
        return _answer(msgspec.json.decode(found.result, type=_List))
    return None


def _problem(message: str) -> tuple[str, int | None]:
    """What the decoder says is wrong, and at which byte; None at the end."""
    text, _, place = message.removeprefix("JSON is malformed: ").rpartition(" (byte ")
    if not text or not place[:-1].isdecimal():
        return message, None
    return text, int(place[:-1]) - (text == _TRAILING)  # told when it has been read already


def _with_place(problem: str, data: bytes, offset: int) -> str:
    """The decoder counts bytes from the beginning, editors count lines and columns."""
    line = data.count(b"\n", 0, offset) + 1
    column = offset - data.rfind(b"\n", 0, offset)
    return f"{problem} at line {line}, column {column}"


def decode_frame(data: bytes) -> Frame | None:
    """Read an event of a watch (`{"type": …, "object": {…}}`); None for whatever is none."""
    try:
        found = msgspec.json.decode(data, type=_Event)
    except (ValueError, RecursionError):
        return None
    inner = bytes(found.object)
    if found.kind in (None, "", "WatchEvent") and found.type and inner.startswith(b"{"):
        return Frame(found.type, inner)
    return None


def kind_of(data: bytes, *, implied: str = "") -> str:
    """Kind of an object: its own one, else the one its list implies, else `Pod` if it has spec.containers.

    Empty when nothing tells. Raises `BadInput` when the bytes are no JSON object.
    """
    found = _decode(data, _Kinded, "object")
    if kind := found.kind or implied:
        return kind
    try:
        spec = msgspec.json.decode(found.spec, type=_Containers | None)
    except msgspec.ValidationError:
        return ""
    return "Pod" if spec and spec.containers is not None else ""
