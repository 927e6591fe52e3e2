"""`/healthz`: the health of the backend over HTTP, from grpc.health.v1.Health/Check (gateway 6.5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from google.protobuf.message import DecodeError
from grpc_health.v1 import health_pb2

from podledger_gateway.backend import Backend
from podledger_gateway.errors import INTERNAL, NOT_FOUND, UNAVAILABLE, Refusal
from podledger_gateway.jsonenc import Encoders

_METHOD = "/grpc.health.v1.Health/Check"
_SECONDS = 5.0
"""Limit of a check: who asks would rather hear that nothing answers."""


class Health:
    """Asks the backend whether it serves."""

    def __init__(self, backend: Backend, encoders: Encoders) -> None:
        self._backend = backend
        descriptor: Any = health_pb2.HealthCheckResponse.DESCRIPTOR
        self._encode = encoders.message(descriptor)

    async def check(self, service: str, metadata: Sequence[tuple[str, str | bytes]]) -> str:
        """The health response as JSON when the service serves. Raises `Refusal` and `BackendError`."""
        request = health_pb2.HealthCheckRequest(service=service).SerializeToString()
        reply = await self._backend.unary(_METHOD, request, metadata, _SECONDS)
        try:
            status = health_pb2.HealthCheckResponse.FromString(reply.message).status
        except DecodeError:
            raise Refusal(INTERNAL, "the health response cannot be read") from None
        if status == health_pb2.HealthCheckResponse.SERVING:
            return self._encode(reply.message)
        unknown = status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
        names = health_pb2.HealthCheckResponse.ServingStatus
        name = names.Name(status) if status in names.values() else str(status)
        raise Refusal(NOT_FOUND if unknown else UNAVAILABLE, f"status:{name}")
