from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from typing import ClassVar as _ClassVar

DESCRIPTOR: _descriptor.FileDescriptor

class ContainerRuntime(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    UNKNOWN_CONTAINER_RUNTIME: _ClassVar[ContainerRuntime]
    DOCKER_CONTAINER_RUNTIME: _ClassVar[ContainerRuntime]
    CRIO_CONTAINER_RUNTIME: _ClassVar[ContainerRuntime]
UNKNOWN_CONTAINER_RUNTIME: ContainerRuntime
DOCKER_CONTAINER_RUNTIME: ContainerRuntime
CRIO_CONTAINER_RUNTIME: ContainerRuntime
