import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from ....storage import deployment_pb2 as _deployment_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PodRecord(_message.Message):
    __slots__ = ("pod", "uid", "phase", "status_reason", "restart_count", "waiting_reason", "node", "host_ip", "pod_ips", "labels", "direct_owner", "tracked_owner_uid", "top_owner", "owner_resolved", "owner_guessed", "service_account", "start_time", "deletion_timestamp", "host_network", "containers")
    POD_FIELD_NUMBER: _ClassVar[int]
    UID_FIELD_NUMBER: _ClassVar[int]
    PHASE_FIELD_NUMBER: _ClassVar[int]
    STATUS_REASON_FIELD_NUMBER: _ClassVar[int]
    RESTART_COUNT_FIELD_NUMBER: _ClassVar[int]
    WAITING_REASON_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    HOST_IP_FIELD_NUMBER: _ClassVar[int]
    POD_IPS_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    DIRECT_OWNER_FIELD_NUMBER: _ClassVar[int]
    TRACKED_OWNER_UID_FIELD_NUMBER: _ClassVar[int]
    TOP_OWNER_FIELD_NUMBER: _ClassVar[int]
    OWNER_RESOLVED_FIELD_NUMBER: _ClassVar[int]
    OWNER_GUESSED_FIELD_NUMBER: _ClassVar[int]
    SERVICE_ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    DELETION_TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    HOST_NETWORK_FIELD_NUMBER: _ClassVar[int]
    CONTAINERS_FIELD_NUMBER: _ClassVar[int]
    pod: _deployment_pb2.Pod
    uid: str
    phase: str
    status_reason: str
    restart_count: int
    waiting_reason: str
    node: str
    host_ip: str
    pod_ips: _containers.RepeatedScalarFieldContainer[str]
    labels: _containers.RepeatedCompositeFieldContainer[Label]
    direct_owner: DirectOwner
    tracked_owner_uid: str
    top_owner: TopOwner
    owner_resolved: bool
    owner_guessed: bool
    service_account: str
    start_time: _timestamp_pb2.Timestamp
    deletion_timestamp: _timestamp_pb2.Timestamp
    host_network: bool
    containers: _containers.RepeatedCompositeFieldContainer[Container]
    def __init__(self, pod: _Optional[_Union[_deployment_pb2.Pod, _Mapping]] = ..., uid: _Optional[str] = ..., phase: _Optional[str] = ..., status_reason: _Optional[str] = ..., restart_count: _Optional[int] = ..., waiting_reason: _Optional[str] = ..., node: _Optional[str] = ..., host_ip: _Optional[str] = ..., pod_ips: _Optional[_Iterable[str]] = ..., labels: _Optional[_Iterable[_Union[Label, _Mapping]]] = ..., direct_owner: _Optional[_Union[DirectOwner, _Mapping]] = ..., tracked_owner_uid: _Optional[str] = ..., top_owner: _Optional[_Union[TopOwner, _Mapping]] = ..., owner_resolved: _Optional[bool] = ..., owner_guessed: _Optional[bool] = ..., service_account: _Optional[str] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., deletion_timestamp: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., host_network: _Optional[bool] = ..., containers: _Optional[_Iterable[_Union[Container, _Mapping]]] = ...) -> None: ...

class Label(_message.Message):
    __slots__ = ("key", "value")
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    key: str
    value: str
    def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...

class DirectOwner(_message.Message):
    __slots__ = ("api_version", "kind", "name", "uid")
    API_VERSION_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    UID_FIELD_NUMBER: _ClassVar[int]
    api_version: str
    kind: str
    name: str
    uid: str
    def __init__(self, api_version: _Optional[str] = ..., kind: _Optional[str] = ..., name: _Optional[str] = ..., uid: _Optional[str] = ...) -> None: ...

class TopOwner(_message.Message):
    __slots__ = ("kind", "name", "uid")
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    UID_FIELD_NUMBER: _ClassVar[int]
    kind: str
    name: str
    uid: str
    def __init__(self, kind: _Optional[str] = ..., name: _Optional[str] = ..., uid: _Optional[str] = ...) -> None: ...

class Container(_message.Message):
    __slots__ = ("name", "kind", "spec_image", "status_image", "image_id", "digest_kind", "runtime", "container_id", "ready", "restart_count", "state", "reason", "started", "finished", "exit_code", "signal", "last_terminated")
    NAME_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    SPEC_IMAGE_FIELD_NUMBER: _ClassVar[int]
    STATUS_IMAGE_FIELD_NUMBER: _ClassVar[int]
    IMAGE_ID_FIELD_NUMBER: _ClassVar[int]
    DIGEST_KIND_FIELD_NUMBER: _ClassVar[int]
    RUNTIME_FIELD_NUMBER: _ClassVar[int]
    CONTAINER_ID_FIELD_NUMBER: _ClassVar[int]
    READY_FIELD_NUMBER: _ClassVar[int]
    RESTART_COUNT_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    STARTED_FIELD_NUMBER: _ClassVar[int]
    FINISHED_FIELD_NUMBER: _ClassVar[int]
    EXIT_CODE_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_FIELD_NUMBER: _ClassVar[int]
    LAST_TERMINATED_FIELD_NUMBER: _ClassVar[int]
    name: str
    kind: str
    spec_image: str
    status_image: str
    image_id: str
    digest_kind: str
    runtime: str
    container_id: str
    ready: bool
    restart_count: int
    state: str
    reason: str
    started: _timestamp_pb2.Timestamp
    finished: _timestamp_pb2.Timestamp
    exit_code: int
    signal: int
    last_terminated: LastTerminated
    def __init__(self, name: _Optional[str] = ..., kind: _Optional[str] = ..., spec_image: _Optional[str] = ..., status_image: _Optional[str] = ..., image_id: _Optional[str] = ..., digest_kind: _Optional[str] = ..., runtime: _Optional[str] = ..., container_id: _Optional[str] = ..., ready: _Optional[bool] = ..., restart_count: _Optional[int] = ..., state: _Optional[str] = ..., reason: _Optional[str] = ..., started: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., finished: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., exit_code: _Optional[int] = ..., signal: _Optional[int] = ..., last_terminated: _Optional[_Union[LastTerminated, _Mapping]] = ...) -> None: ...

class LastTerminated(_message.Message):
    __slots__ = ("id", "started", "finished", "exit_code", "reason")
    ID_FIELD_NUMBER: _ClassVar[int]
    STARTED_FIELD_NUMBER: _ClassVar[int]
    FINISHED_FIELD_NUMBER: _ClassVar[int]
    EXIT_CODE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    id: str
    started: _timestamp_pb2.Timestamp
    finished: _timestamp_pb2.Timestamp
    exit_code: int
    reason: str
    def __init__(self, id: _Optional[str] = ..., started: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., finished: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., exit_code: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...
