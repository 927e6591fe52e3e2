"""What a server offers, learnt from itself by gRPC reflection: `v1`, and `v1alpha` where that is missing.

Both versions have the same messages, so those of `v1alpha` serve for both. Descriptors go into a pool of
their own and never mix with those that this program was built with.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import grpc
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import (
    Descriptor,
    EnumDescriptor,
    FieldDescriptor,
    MethodDescriptor,
    ServiceDescriptor,
)
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.message import DecodeError
from grpc_reflection.v1alpha import reflection_pb2

from podledger.errors import BadInput

VERSIONS = ("grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection")

Symbol = ServiceDescriptor | MethodDescriptor | Descriptor | EnumDescriptor | FieldDescriptor


class Reflection:
    """Asks one server. Every method raises `grpc.RpcError` when a call fails."""

    def __init__(
        self, channel: grpc.Channel, *, metadata: Sequence[tuple[str, str | bytes]] = (), timeout: float | None = None
    ) -> None:
        self._channel = channel
        self._metadata = tuple(metadata)
        self._timeout = timeout
        self._versions = list(VERSIONS)
        self._files: set[str] = set()
        self.pool: Any = descriptor_pool.DescriptorPool()

    def services(self) -> list[str]:
        """Full names, in order."""
        answer = self._ask(reflection_pb2.ServerReflectionRequest(list_services="*"))
        return sorted(service.name for service in answer.list_services_response.service)

    def find(self, symbol: str) -> Symbol:
        """What a full name stands for: a service, method, message, enum or extension.

        A method may be written `package.Service/Method`. Raises `BadInput` when the server has none of it.
        """
        name = symbol.strip("./").replace("/", ".")
        self._learn(reflection_pb2.ServerReflectionRequest(file_containing_symbol=name), of=symbol)
        return self._lookup(name, symbol)

    def method(self, path: str) -> MethodDescriptor:
        """A method by `package.Service/Method`. Raises `BadInput` when the server has none."""
        service = path.strip("/").replace("/", ".").rpartition(".")[0]
        # By its service: not every server finds methods by name.
        self._learn(reflection_pb2.ServerReflectionRequest(file_containing_symbol=service), of=path)
        found = self._lookup(path.strip("/").replace("/", "."), path)
        if not isinstance(found, MethodDescriptor):
            raise BadInput(f"{path} is not a method; methods are written package.Service/Method")
        return found

    def _lookup(self, name: str, asked: str) -> Symbol:
        for find in (
            self.pool.FindServiceByName,
            self.pool.FindMethodByName,
            self.pool.FindMessageTypeByName,
            self.pool.FindEnumTypeByName,
            self.pool.FindExtensionByName,
        ):
            with suppress(KeyError):
                found: Symbol = find(name)
                return found
        raise BadInput(f"the server has no {asked}; `podledger call list` prints its services")

    def _learn(self, request: Any, *, of: str) -> None:
        """Take the files of an answer, and those that they import, into the pool."""
        found = {file.name: file for file in self._ask_files(request, of)}
        for name in list(found):
            self._add(name, found)

    def _add(self, name: str, found: dict[str, FileDescriptorProto]) -> None:
        """Add a file after its imports; what the answer lacks is asked for by name."""
        if name in self._files:
            return
        self._files.add(name)
        if name not in found:
            request = reflection_pb2.ServerReflectionRequest(file_by_filename=name)
            found |= {file.name: file for file in self._ask_files(request, name)}
        for imported in found[name].dependency:
            self._add(imported, found)
        try:
            self.pool.Add(found[name])
        except TypeError as error:
            raise BadInput(f"the server's description of {name} is not usable: {error}") from error

    def _ask_files(self, request: Any, of: str) -> list[FileDescriptorProto]:
        answer = self._ask(request)
        if answer.HasField("error_response"):
            raise BadInput(f"the server has no {of}; `podledger call list` prints its services")
        try:
            return [
                FileDescriptorProto.FromString(data) for data in answer.file_descriptor_response.file_descriptor_proto
            ]
        except DecodeError as error:
            raise BadInput(f"the server's description of {of} is not usable") from error

    def _ask(self, request: Any) -> Any:
        """One question by the newest version that the server knows."""
        while True:
            try:
                return next(self._answers(request))
            except StopIteration:
                raise BadInput("the server ended reflection without an answer") from None
            except grpc.RpcError as error:
                if error.code() != grpc.StatusCode.UNIMPLEMENTED or len(self._versions) == 1:
                    raise
                del self._versions[0]

    def _answers(self, request: Any) -> Iterator[Any]:
        call: Any = self._channel.stream_stream(
            f"/{self._versions[0]}/ServerReflectionInfo",
            request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
            response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
        )(iter([request]), metadata=self._metadata, timeout=self._timeout)
        try:
            yield from call
        finally:
            call.cancel()
