"""A gRPC server that is not ours: every kind of method, only the stock reflection, plaintext or TLS."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager

import grpc
from google.protobuf import descriptor_pool
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha import reflection

from tests.fakes.certificates import Pair

SERVICE = "other.v1.Numbers"
KINDS = {"Double": (False, False), "Count": (False, True), "Sum": (True, False), "Running": (True, True)}


def _file() -> FileDescriptorProto:
    file = FileDescriptorProto(name="other/v1/numbers.proto", package="other.v1", syntax="proto3")
    message = file.message_type.add(name="Number")
    message.field.add(
        name="value", number=1, type=FieldDescriptorProto.TYPE_INT64, label=FieldDescriptorProto.LABEL_OPTIONAL
    )
    message.field.add(
        name="some_text", number=2, type=FieldDescriptorProto.TYPE_STRING, label=FieldDescriptorProto.LABEL_OPTIONAL
    )
    service = file.service.add(name="Numbers")
    for name, (taken, given) in KINDS.items():
        service.method.add(
            name=name, input_type=".other.v1.Number", output_type=".other.v1.Number",
            client_streaming=taken, server_streaming=given,
        )  # fmt: skip
    return file


POOL = descriptor_pool.DescriptorPool()
POOL.Add(_file())
Number = GetMessageClass(POOL.FindMessageTypeByName("other.v1.Number"))


def _count(number, context):
    for value in range(number.value):
        yield Number(value=value + 1)
    if number.some_text:
        context.set_trailing_metadata((("told-bin", b"\xff"),))
        context.abort(grpc.StatusCode.ABORTED, f"stopped by\x1b[31m{number.some_text}")


def _double(number, context):
    sent = dict(context.invocation_metadata())
    return Number(value=2 * number.value, some_text=f"{sent.get('key', '')}{sent.get('key-bin', b'').hex()}")


def _running(numbers, _):
    total = 0
    for number in numbers:
        total += number.value
        yield Number(value=total)


def _sum(numbers, _):
    return Number(value=sum(number.value for number in numbers))


@contextmanager
def foreign_server(pair: Pair | None = None) -> Iterator[str]:
    """Its address."""
    codec = {"request_deserializer": Number.FromString, "response_serializer": Number.SerializeToString}
    handlers = {
        "Double": grpc.unary_unary_rpc_method_handler(_double, **codec),
        "Count": grpc.unary_stream_rpc_method_handler(_count, **codec),
        "Sum": grpc.stream_unary_rpc_method_handler(_sum, **codec),
        "Running": grpc.stream_stream_rpc_method_handler(_running, **codec),
    }
    server = grpc.server(futures.ThreadPoolExecutor(4), options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    reflection.enable_server_reflection((SERVICE, reflection.SERVICE_NAME), server, POOL)
    if pair:
        credentials = grpc.ssl_server_credentials([(pair.key.read_bytes(), pair.certificate.read_bytes())])
        port = server.add_secure_port("127.0.0.1:0", credentials)
    else:
        port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(0).wait()
