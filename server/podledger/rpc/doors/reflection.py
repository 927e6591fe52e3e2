"""Server reflection, `v1` beside `v1alpha` (operations 4.3).

grpcio ships only `v1alpha`. Its servicer serves `v1` as well, since the messages are equal; the
descriptor that `v1` needs to be listed and described is derived from the older one at start.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import grpc
from google.protobuf import descriptor_pool
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha._async import ReflectionServicer

METHOD = "ServerReflectionInfo"
V1 = "grpc.reflection.v1.ServerReflection"
V1ALPHA = "grpc.reflection.v1alpha.ServerReflection"
_V1_FILE = "grpc/reflection/v1/reflection.proto"


def handlers(services: Iterable[str]) -> list[Any]:
    """Handlers of both versions; each lists `services` and both reflection services."""
    _describe_v1()
    servicer = _Servicer([*services, V1, V1ALPHA])
    method = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    return [grpc.method_handlers_generic_handler(name, {METHOD: method}) for name in (V1, V1ALPHA)]


class _Servicer(ReflectionServicer):
    """The stock servicer, and methods found by their full names, which the pool does not do."""

    def _file_containing_symbol(self, request: Any, fully_qualified_name: str) -> Any:
        service, _, method = fully_qualified_name.rpartition(".")
        symbol = service if _has_method(service, method) else fully_qualified_name
        return super()._file_containing_symbol(request, symbol)  # type: ignore[misc]  # unknown to the stubs


def _has_method(service: str, method: str) -> bool:
    pool: Any = descriptor_pool.Default()
    try:
        return method in pool.FindServiceByName(service).methods_by_name
    except KeyError:
        return False


def _describe_v1() -> None:
    """Add the v1 file to the pool of descriptors: list-methods fails without it, although calls work."""
    pool: Any = descriptor_pool.Default()
    try:
        pool.FindFileByName(_V1_FILE)
    except KeyError:
        pool.AddSerializedFile(_v1_file().SerializeToString())


def _v1_file() -> FileDescriptorProto:
    file = FileDescriptorProto()
    reflection_pb2.DESCRIPTOR.CopyToProto(file)
    old, new = file.package, "grpc.reflection.v1"
    file.name, file.package = _V1_FILE, new
    file.options.ClearField("deprecated")
    for message in file.message_type:
        for field in message.field:
            if field.type_name:
                field.type_name = field.type_name.replace(f".{old}.", f".{new}.")
    for service in file.service:
        service.options.ClearField("deprecated")
        for method in service.method:
            method.input_type = method.input_type.replace(f".{old}.", f".{new}.")
            method.output_type = method.output_type.replace(f".{old}.", f".{new}.")
    return file
