"""Reflection as a foreign client sees it: both versions, and descriptors named as upstream names them."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from podledger.rpc.doors.reflection import V1, V1ALPHA, handlers
from podledger.rpc.health import SERVICE as HEALTH
from podledger_protos.api.v1 import pod_service_pb2
from tests.fakes.doors import chain_of, dialled, listening

SERVICES = [pod_service_pb2.DESCRIPTOR.services_by_name["PodService"].full_name, HEALTH]
FILES = {
    "api/v1/pod_service.proto": "v1",
    "api/v1/search_service.proto": "v1",
    "api/v1/pagination.proto": "v1",
    "storage/deployment.proto": "storage",
    "storage/container_runtime.proto": "storage",
}


@pytest.fixture
async def channel():
    async with dialled(chain_of(), extra=handlers(SERVICES)) as channel:
        yield channel


async def asked(channel, service, **request):
    """One request, the answer as a message of v1alpha, whose bytes are the same."""
    call = channel.stream_stream(
        f"/{service}/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )()
    await call.write(reflection_pb2.ServerReflectionRequest(**request))
    answer = await call.read()
    await call.done_writing()
    return answer


def files_of(answer):
    return [FileDescriptorProto.FromString(data) for data in answer.file_descriptor_response.file_descriptor_proto]


@pytest.mark.parametrize("version", [V1, V1ALPHA])
async def test_both_versions_list_all_services(channel, version):
    """Ours, health, and both versions of reflection itself."""
    answer = await asked(channel, version, list_services="*")

    assert {service.name for service in answer.list_services_response.service} == {*SERVICES, V1, V1ALPHA}


@pytest.mark.parametrize("version", [V1, V1ALPHA])
async def test_descriptors_carry_the_names_of_the_contract(channel, version):
    """File names and packages are upstream's, whatever the Python packages are called."""
    files = files_of(await asked(channel, version, file_containing_symbol="v1.PodService"))
    found = {file.name: file.package for file in files}

    assert {name: found.get(name) for name in FILES} == FILES


async def test_the_annotations_come_along(channel):
    """The weak import of google.api.http resolves at the client."""
    files = files_of(await asked(channel, V1, file_containing_symbol="v1.PodService.GetPods"))
    pool = descriptor_pool.DescriptorPool()
    remaining = {file.name: file for file in files}

    def add(name):
        if file := remaining.pop(name, None):
            for dependency in file.dependency:
                add(dependency)
            pool.Add(file)

    for name in list(remaining):
        add(name)
    service = pool.FindServiceByName("v1.PodService")
    message_factory.GetMessageClassesForFiles(["google/api/annotations.proto"], pool)

    assert [method.name for method in service.methods] == ["GetPods", "ExportPods"]
    assert service.methods_by_name["ExportPods"].server_streaming


@pytest.mark.parametrize("symbol", [V1, V1ALPHA, HEALTH, "storage.Pod"])
async def test_every_listed_service_can_be_described(channel, symbol):
    """Tools that list methods ask for each service by name."""
    files = files_of(await asked(channel, V1, file_containing_symbol=symbol))

    assert any(
        symbol in {f"{file.package}.{named.name}" for named in [*file.service, *file.message_type]} for file in files
    )


async def test_a_method_is_found_by_its_full_name(channel):
    """Tools describe single methods; a method that does not exist is not found."""
    files = files_of(await asked(channel, V1, file_containing_symbol="v1.PodService.ExportPods"))
    missing = await asked(channel, V1, file_containing_symbol="v1.PodService.Nope")

    assert "api/v1/pod_service.proto" in {file.name for file in files}
    assert missing.HasField("error_response")


async def test_an_unknown_symbol_is_an_answer_not_a_failure(channel):
    """NOT_FOUND inside the stream."""
    answer = await asked(channel, V1, file_containing_symbol="v1.Nope")

    assert answer.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]


async def test_the_stock_client_reads_the_service():
    """The reflection client of grpcio, which is synchronous."""

    def read(address):
        with grpc.insecure_channel(address) as channel:
            database = ProtoReflectionDescriptorDatabase(channel)
            pool = descriptor_pool.DescriptorPool(database)
            return database.get_services(), pool.FindServiceByName("v1.PodService").file.name

    async with listening(chain_of(), extra=handlers(SERVICES)) as address:
        services, file = await asyncio.to_thread(read, address)

    assert "v1.PodService" in services
    assert file == "api/v1/pod_service.proto"


async def test_without_it_reflection_is_unimplemented():
    """`grpc.reflection = off` registers nothing."""
    async with dialled(chain_of()) as channel:
        call = channel.stream_stream(f"/{V1}/ServerReflectionInfo")()

        assert await call.code() == grpc.StatusCode.UNIMPLEMENTED
