"""The service `gwtest.v1.TranscodeTest` of the shared vectors, compiled into a pool of its own."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import google.api
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message
from google.rpc import error_details_pb2  # noqa: F401 - details of vectors are of these types
from grpc_tools import protoc

from podledger_protos.api.v1 import pod_service_pb2

POD_POOL = pod_service_pb2.DESCRIPTOR.pool
VECTORS = Path(__file__).parents[1] / "data" / "gateway.json"


@cache
def vectors() -> dict[str, Any]:
    """The shared cases and what they say about themselves."""
    return json.loads(VECTORS.read_text())


def compile_protos(sources: dict[str, str]) -> descriptor_pb2.FileDescriptorSet:
    """A descriptor set of .proto texts by file name, with imports and source info."""
    well_known = Path(protoc.__file__).parent / "_proto"
    google_root = Path(next(iter(google.api.__path__))).parents[1]
    with tempfile.TemporaryDirectory() as folder:
        for name, text in sources.items():
            (Path(folder) / name).write_text(text)
        out = Path(folder) / "set.bin"
        includes = [f"-I{folder}", f"-I{google_root}", f"-I{well_known}"]
        flags = [f"--descriptor_set_out={out}", "--include_imports", "--include_source_info"]
        if protoc.main(["protoc", *includes, *flags, *sources]) != 0:
            raise RuntimeError("protoc failed")
        return descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes())


@cache
def gwtest_set() -> descriptor_pb2.FileDescriptorSet:
    return compile_protos({"gwtest.proto": vectors()["meta"]["gwtest_proto"]})


@cache
def gwtest_pool() -> descriptor_pool.DescriptorPool:
    pool = descriptor_pool.DescriptorPool()
    for file in gwtest_set().file:
        pool.Add(file)
    return pool


def descriptor(name: str) -> Descriptor:
    """A message type of gwtest, or of PodService."""
    if name.startswith("gwtest."):
        return gwtest_pool().FindMessageTypeByName(name)
    return POD_POOL.FindMessageTypeByName(name)


def create(name: str, value: Any = None) -> Message:
    """A message from its proto3 JSON value."""
    message = message_factory.GetMessageClass(descriptor(name))()
    if value is not None:
        json_format.ParseDict(value, message, descriptor_pool=_Pools((message.DESCRIPTOR.file.pool, POD_POOL)))
    return message


class _Pools:
    """Finds what is packed in an Any: types of the service, and the error details of google.rpc."""

    def __init__(self, pools: Sequence[descriptor_pool.DescriptorPool]) -> None:
        self._pools = pools

    def FindMessageTypeByName(self, name: str) -> Descriptor:  # noqa: N802 - the name of protobuf
        for pool in self._pools:
            with suppress(KeyError):
                return pool.FindMessageTypeByName(name)
        raise KeyError(name)


def everything(**fields: Any) -> Message:
    return message_factory.GetMessageClass(descriptor("gwtest.v1.Everything"))(**fields)
