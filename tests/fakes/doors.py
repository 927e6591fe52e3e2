"""Doors in front of a chain of given methods: a gRPC server on a free port, and the in-process backend."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import grpc

from podledger.query.scope import UNRESTRICTED, Scope
from podledger.rpc.calls import Method
from podledger.rpc.chain import Chain, stages
from podledger.rpc.doors.grpcio import GrpcDoor, GrpcOptions
from podledger.telemetry import Telemetry

STREAMING = ("grpc.experimental.single_threaded_unary_stream", 1)
"""The option with which the synchronous Python client reads streams ten times faster."""


def chain_of(*methods: Method, telemetry: Telemetry | None = None, scope: Scope = UNRESTRICTED) -> Chain:
    """The methods behind all stages."""
    return Chain(methods, stages(telemetry or Telemetry(), scope=scope))


@asynccontextmanager
async def listening(chain: Chain, *, options: GrpcOptions | None = None, extra: Iterable = ()) -> AsyncIterator[str]:
    """A gRPC listener; gives its address."""
    door = GrpcDoor(chain, "127.0.0.1:0", options=options or GrpcOptions(), extra=extra)
    address = await door.start()
    try:
        yield address
    finally:
        await door.stop(0)


@asynccontextmanager
async def dialled(chain: Chain, *, options: GrpcOptions | None = None, **more) -> AsyncIterator[grpc.aio.Channel]:
    """A channel to such a listener."""
    async with listening(chain, options=options, **more) as address, grpc.aio.insecure_channel(address) as channel:
        yield channel


def sample(telemetry: Telemetry, name: str, **labels: str) -> float:
    """The value of one metric, 0 when it was never touched."""
    return telemetry.registry.get_sample_value(name, labels) or 0.0
