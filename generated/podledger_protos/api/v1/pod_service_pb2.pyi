from ...api.v1 import search_service_pb2 as _search_service_pb2
from google.api import annotations_pb2 as _annotations_pb2
from ...storage import deployment_pb2 as _deployment_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PodsResponse(_message.Message):
    __slots__ = ("pods",)
    PODS_FIELD_NUMBER: _ClassVar[int]
    pods: _containers.RepeatedCompositeFieldContainer[_deployment_pb2.Pod]
    def __init__(self, pods: _Optional[_Iterable[_Union[_deployment_pb2.Pod, _Mapping]]] = ...) -> None: ...

class ExportPodRequest(_message.Message):
    __slots__ = ("timeout", "query")
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    QUERY_FIELD_NUMBER: _ClassVar[int]
    timeout: int
    query: str
    def __init__(self, timeout: _Optional[int] = ..., query: _Optional[str] = ...) -> None: ...

class ExportPodResponse(_message.Message):
    __slots__ = ("pod",)
    POD_FIELD_NUMBER: _ClassVar[int]
    pod: _deployment_pb2.Pod
    def __init__(self, pod: _Optional[_Union[_deployment_pb2.Pod, _Mapping]] = ...) -> None: ...
