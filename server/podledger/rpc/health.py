"""Health: the states of the services, and grpc.health.v1 answered from them through every door.

`Check`, `List` and `Watch` are methods of the chain like any other, exempt from what may refuse a
call. The empty name stands for the whole server.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Sequence

from google.protobuf.message import DecodeError
from grpc_health.v1 import health_pb2
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from podledger.errors import InvalidRequest, NotFound
from podledger.rpc.calls import Call, Method

SERVICE = "grpc.health.v1.Health"


class Health:
    """NOT_SERVING until `serve()`; NOT_SERVING for good after `drain()`."""

    def __init__(self, services: Iterable[str]) -> None:
        self._states: dict[str, int] = dict.fromkeys(["", *services], HealthCheckResponse.NOT_SERVING)
        self._changed = asyncio.Event()
        self.draining = False

    def serve(self) -> None:
        """Every service can answer now."""
        if not self.draining:
            self._set(HealthCheckResponse.SERVING)

    def drain(self) -> None:
        """The server is going to stop; nothing sets it back."""
        self.draining = True
        self._set(HealthCheckResponse.NOT_SERVING)

    def _set(self, state: int) -> None:
        self._states = dict.fromkeys(self._states, state)
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def state(self, service: str) -> int | None:
        """The number of grpc.health.v1; None for a service that is not known."""
        return self._states.get(service)

    def methods(self) -> tuple[Method, ...]:
        """The methods for the chain."""
        return (
            Method(f"/{SERVICE}/Check", unary=self.check, exempt=True),
            Method(f"/{SERVICE}/List", unary=self.list, exempt=True),
            Method(f"/{SERVICE}/Watch", streaming=self.watch, exempt=True),
        )

    async def check(self, call: Call) -> bytes:
        """The state of one service; NOT_FOUND for a name that is not served."""
        state = self.state(_service(call))
        if state is None:
            raise NotFound("unknown service")
        return _status(state)

    async def list(self, _: Call) -> bytes:
        """The states of all services."""
        statuses = {name: HealthCheckResponse(status=state) for name, state in self._states.items()}
        reply: bytes = health_pb2.HealthListResponse(  # type: ignore[attr-defined]  # newer than the stubs
            statuses=statuses
        ).SerializeToString()
        return reply

    async def watch(self, call: Call) -> AsyncGenerator[Sequence[bytes], None]:
        """The state of one service now and after each change; an unknown one may come to be known."""
        service, told = _service(call), None
        while True:
            changed = self._changed
            state = self._states.get(service, HealthCheckResponse.SERVICE_UNKNOWN)
            if state != told:
                yield [_status(state)]
                told = state
            await changed.wait()


def _status(state: int) -> bytes:
    reply: bytes = HealthCheckResponse(status=state).SerializeToString()
    return reply


def _service(call: Call) -> str:
    try:
        service: str = HealthCheckRequest.FromString(call.request).service
    except DecodeError as error:
        raise InvalidRequest("the request is not a HealthCheckRequest") from error
    return service
