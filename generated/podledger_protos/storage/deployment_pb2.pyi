import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from ..storage import container_runtime_pb2 as _container_runtime_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Pod(_message.Message):
    __slots__ = ("id", "name", "deployment_id", "namespace", "cluster_id", "live_instances", "terminated_instances", "started")
    class ContainerInstanceList(_message.Message):
        __slots__ = ("instances",)
        INSTANCES_FIELD_NUMBER: _ClassVar[int]
        instances: _containers.RepeatedCompositeFieldContainer[ContainerInstance]
        def __init__(self, instances: _Optional[_Iterable[_Union[ContainerInstance, _Mapping]]] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    DEPLOYMENT_ID_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    CLUSTER_ID_FIELD_NUMBER: _ClassVar[int]
    LIVE_INSTANCES_FIELD_NUMBER: _ClassVar[int]
    TERMINATED_INSTANCES_FIELD_NUMBER: _ClassVar[int]
    STARTED_FIELD_NUMBER: _ClassVar[int]
    id: str
    name: str
    deployment_id: str
    namespace: str
    cluster_id: str
    live_instances: _containers.RepeatedCompositeFieldContainer[ContainerInstance]
    terminated_instances: _containers.RepeatedCompositeFieldContainer[Pod.ContainerInstanceList]
    started: _timestamp_pb2.Timestamp
    def __init__(self, id: _Optional[str] = ..., name: _Optional[str] = ..., deployment_id: _Optional[str] = ..., namespace: _Optional[str] = ..., cluster_id: _Optional[str] = ..., live_instances: _Optional[_Iterable[_Union[ContainerInstance, _Mapping]]] = ..., terminated_instances: _Optional[_Iterable[_Union[Pod.ContainerInstanceList, _Mapping]]] = ..., started: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ContainerInstance(_message.Message):
    __slots__ = ("instance_id", "containing_pod_id", "container_name", "container_ips", "started", "image_digest", "finished", "exit_code", "termination_reason")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    CONTAINING_POD_ID_FIELD_NUMBER: _ClassVar[int]
    CONTAINER_NAME_FIELD_NUMBER: _ClassVar[int]
    CONTAINER_IPS_FIELD_NUMBER: _ClassVar[int]
    STARTED_FIELD_NUMBER: _ClassVar[int]
    IMAGE_DIGEST_FIELD_NUMBER: _ClassVar[int]
    FINISHED_FIELD_NUMBER: _ClassVar[int]
    EXIT_CODE_FIELD_NUMBER: _ClassVar[int]
    TERMINATION_REASON_FIELD_NUMBER: _ClassVar[int]
    instance_id: ContainerInstanceID
    containing_pod_id: str
    container_name: str
    container_ips: _containers.RepeatedScalarFieldContainer[str]
    started: _timestamp_pb2.Timestamp
    image_digest: str
    finished: _timestamp_pb2.Timestamp
    exit_code: int
    termination_reason: str
    def __init__(self, instance_id: _Optional[_Union[ContainerInstanceID, _Mapping]] = ..., containing_pod_id: _Optional[str] = ..., container_name: _Optional[str] = ..., container_ips: _Optional[_Iterable[str]] = ..., started: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., image_digest: _Optional[str] = ..., finished: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., exit_code: _Optional[int] = ..., termination_reason: _Optional[str] = ...) -> None: ...

class ContainerInstanceID(_message.Message):
    __slots__ = ("container_runtime", "id", "node")
    CONTAINER_RUNTIME_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    container_runtime: _container_runtime_pb2.ContainerRuntime
    id: str
    node: str
    def __init__(self, container_runtime: _Optional[_Union[_container_runtime_pb2.ContainerRuntime, str]] = ..., id: _Optional[str] = ..., node: _Optional[str] = ...) -> None: ...
