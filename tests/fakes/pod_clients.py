"""v1.PodService through each door, as one client: what differs between the doors must not show."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from google.rpc.status_pb2 import Status

from podledger.query.parsing import QueryLimits
from podledger.query.scope import UNRESTRICTED, Scope
from podledger.rpc.chain import Chain
from podledger.rpc.doors.grpcio import GrpcOptions
from podledger.rpc.doors.inprocess import InProcessBackend
from podledger.rpc.exporting import ExportLimits
from podledger.rpc.pods import PodMethods
from podledger.store.contract import Store
from podledger.telemetry import Telemetry
from podledger_gateway.backend import BackendError
from podledger_protos.api.v1.pagination_pb2 import Pagination
from podledger_protos.api.v1.pod_service_pb2 import ExportPodRequest, ExportPodResponse, PodsResponse
from podledger_protos.api.v1.pod_service_pb2_grpc import PodServiceStub
from podledger_protos.api.v1.search_service_pb2 import RawQuery
from podledger_protos.storage.deployment_pb2 import Pod
from tests.fakes.doors import STREAMING, chain_of, listening

NOW = 1_700_000_000_000_000
_INVISIBLE = {"x-request-id", "grpc-status-details-bin"}


@dataclass(frozen=True)
class Answer:
    """What a caller sees. `code` 0 is OK."""

    pods: list[Pod]
    initial: dict[str, str]
    trailing: dict[str, str]
    code: int = 0
    message: str = ""
    details: tuple[Any, ...] = ()

    @property
    def names(self) -> list[str]:
        return [pod.name for pod in self.pods]

    @property
    def violations(self) -> list[tuple[str, str]]:
        """(field, description) of the BadRequest detail."""
        found = []
        for detail in self.details:
            request = BadRequest()
            if detail.Unpack(request):
                found += [(each.field, each.description) for each in request.field_violations]
        return found

    @property
    def retry(self) -> bool:
        return any(detail.Is(RetryInfo.DESCRIPTOR) for detail in self.details)


def pod_chain(store: Store, *, scope: Scope = UNRESTRICTED, telemetry: Telemetry | None = None, **settings) -> Chain:
    """PodService over a store, with settings of its own."""
    telemetry = telemetry or Telemetry()
    given = {
        "limits": QueryLimits(), "export_limits": ExportLimits(), "strict": False, "max_offset": 0, "count_cap": 10_000, **settings,
    }  # fmt: skip
    methods = PodMethods(store, telemetry, now=lambda: NOW, **given).methods()
    return chain_of(*methods, telemetry=telemetry, scope=scope)


class GrpcClient:
    """The generated stubs over a channel."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.channel = channel
        self._stub = PodServiceStub(channel)

    async def get(
        self,
        query: str = "",
        pagination: Pagination | None = None,
        *,
        metadata: Sequence = (),
        timeout: float | None = None,
    ) -> Answer:
        call = self._stub.GetPods(RawQuery(query=query, pagination=pagination), metadata=metadata, timeout=timeout)
        try:
            reply = await call
        except grpc.aio.AioRpcError as error:
            return _failed([], error)
        return Answer(
            list(reply.pods), _visible(await call.initial_metadata()), _visible(await call.trailing_metadata())
        )

    async def export(
        self, query: str = "", *, seconds: int = 0, metadata: Sequence = (), timeout: float | None = None
    ) -> Answer:
        call = self._stub.ExportPods(ExportPodRequest(query=query, timeout=seconds), metadata=metadata, timeout=timeout)
        pods = []
        try:
            async for response in call:
                pods.append(response.pod)  # noqa: PERF401 - what came before an error counts
        except grpc.aio.AioRpcError as error:
            return _failed(pods, error)
        return Answer(pods, _visible(await call.initial_metadata()), _visible(await call.trailing_metadata()))

    async def raw(self, method: str, request: bytes) -> Answer:
        kind = self.channel.unary_stream if method.endswith("ExportPods") else self.channel.unary_unary
        call = kind(method)(request)
        try:
            await (call.read() if method.endswith("ExportPods") else call)
        except grpc.aio.AioRpcError as error:
            return _failed([], error)
        raise AssertionError("the call succeeded")


def _failed(pods: list[Pod], error: grpc.aio.AioRpcError) -> Answer:
    trailing = dict(error.trailing_metadata())
    status = Status.FromString(trailing.get("grpc-status-details-bin", b""))
    if status.details:
        assert (status.code, status.message) == (error.code().value[0], error.details())
    return Answer(
        pods,
        _visible(error.initial_metadata()),
        _visible(trailing.items()),
        error.code().value[0],
        error.details(),
        tuple(status.details),
    )


class InProcessClient:
    """The gateway's backend."""

    def __init__(self, backend: InProcessBackend) -> None:
        self._backend = backend

    async def get(
        self,
        query: str = "",
        pagination: Pagination | None = None,
        *,
        metadata: Sequence = (),
        timeout: float | None = None,
    ) -> Answer:
        request = RawQuery(query=query, pagination=pagination).SerializeToString()
        try:
            reply = await self._backend.unary("/v1.PodService/GetPods", request, metadata, timeout)
        except BackendError as error:
            return _refused([], error)
        return Answer(
            list(PodsResponse.FromString(reply.message).pods), _visible(reply.initial), _visible(reply.trailing)
        )

    async def export(
        self, query: str = "", *, seconds: int = 0, metadata: Sequence = (), timeout: float | None = None
    ) -> Answer:
        request = ExportPodRequest(query=query, timeout=seconds).SerializeToString()
        stream = self._backend.stream("/v1.PodService/ExportPods", request, metadata, timeout)
        pods = []
        try:
            initial = await stream.initial()
            async for batch in stream:
                pods += [ExportPodResponse.FromString(message).pod for message in batch]
        except BackendError as error:
            return _refused(pods, error)
        finally:
            await stream.aclose()
        return Answer(pods, _visible(initial), _visible(stream.trailing))

    async def raw(self, method: str, request: bytes) -> Answer:
        try:
            if method.endswith("ExportPods"):
                await self._backend.stream(method, request, [], None).initial()
            else:
                await self._backend.unary(method, request, [], None)
        except BackendError as error:
            return _refused([], error)
        raise AssertionError("the call succeeded")


def _refused(pods: list[Pod], error: BackendError) -> Answer:
    assert error.reached
    return Answer(
        pods, _visible(error.initial), _visible(error.trailing), error.code, error.message, tuple(error.details)
    )


def _visible(metadata) -> dict[str, str]:
    """Metadata without what differs from call to call. The request id must be there, unless the client itself
    ended the call and saw nothing of the server.
    """
    pairs = dict(metadata)
    assert not pairs or "x-request-id" in pairs
    return {key: value for key, value in pairs.items() if key not in _INVISIBLE}


@asynccontextmanager
async def client_of(
    chain: Chain, door: str, *, options: GrpcOptions | None = None
) -> AsyncIterator[GrpcClient | InProcessClient]:
    """A client that calls the chain through one door."""
    if door == "inprocess":
        yield InProcessClient(InProcessBackend(chain))
        return
    unlimited = [STREAMING, ("grpc.max_receive_message_length", -1)]
    async with (
        listening(chain, options=options) as address,
        grpc.aio.insecure_channel(address, options=unlimited) as channel,
    ):
        yield GrpcClient(channel)
