"""The chain: a table of methods, each with the stages around its handler in their one order.

Every door hands its calls to the same chain, so there is one error path, one set of metrics and one
place for each check, whatever transport a call came by. A stage is a pair of plain functions that take
a handler and give one: `unary`, and `streaming`, which sees each batch and the end of the stream.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from typing import Protocol, cast

from podledger.errors import NotImplementedYet
from podledger.query.scope import Scope
from podledger.rpc.calls import Call, Method, Streaming, Unary
from podledger.rpc.draining import Drain
from podledger.rpc.identifying import Identified, Principal
from podledger.rpc.metering import Metered
from podledger.rpc.status import ErrorTable
from podledger.telemetry import Telemetry


class Stage(Protocol):
    """What stands around a handler. Called once per method, when the chain is built."""

    def unary(self, method: Method, handler: Unary) -> Unary:
        """Wrap a unary handler."""
        ...

    def streaming(self, method: Method, handler: Streaming) -> Streaming:
        """Wrap a streaming handler."""
        ...


def stages(telemetry: Telemetry, *, scope: Scope, drain: Drain | None = None) -> tuple[Stage, ...]:
    """All stages, outermost first (operations 9). `scope` is what the local principal may see."""
    drain = drain or Drain()
    return (
        Metered(telemetry, drain),
        ErrorTable(),
        Identified(),
        Principal(scope),  # place of the authenticate stage: until tokens exist, every caller is local
        # place of the admit stage: classes, slots and queues
        # place of the audit stage: a record per call
        drain,
    )


UNKNOWN = "unknown"
"""Stands for every method that does not exist, so that metrics do not grow with what callers invent."""


async def _unknown(call: Call) -> bytes:
    raise NotImplementedYet(f"unknown method {call.method}")


class Chain:
    """Implements `calls.Dispatch`. `methods` is the table as the doors need it: names, kinds, trailers."""

    def __init__(self, methods: Iterable[Method], stages: Sequence[Stage]) -> None:
        self.methods: Mapping[str, Method] = {method.name: method for method in methods}
        self._unary = {
            name: _wrapped(method, method.unary, stages) for name, method in self.methods.items() if method.unary
        }
        self._streaming = {
            name: _wrapped_stream(method, method.streaming, stages)
            for name, method in self.methods.items()
            if method.streaming
        }
        self._unknown = _wrapped(Method(UNKNOWN, unary=_unknown), _unknown, stages)

    async def unary(self, call: Call) -> bytes:
        """Run a unary method. Raises `CallFailed`; UNIMPLEMENTED when there is none of this name."""
        return await self._unary.get(call.method, self._unknown)(call)

    def stream(self, call: Call) -> AsyncGenerator[Sequence[bytes], None]:
        """Run a streaming method; like `unary`. The door closes the iterator, whatever happens."""
        handler = self._streaming.get(call.method)
        if handler is None:
            return self._unknown_stream(call)
        return cast("AsyncGenerator[Sequence[bytes], None]", handler(call))

    async def _unknown_stream(self, call: Call) -> AsyncGenerator[Sequence[bytes], None]:
        yield [await self._unknown(call)]


def _wrapped(method: Method, handler: Unary, stages: Sequence[Stage]) -> Unary:
    for stage in reversed(stages):
        handler = stage.unary(method, handler)
    return handler


def _wrapped_stream(method: Method, handler: Streaming, stages: Sequence[Stage]) -> Streaming:
    for stage in reversed(stages):
        handler = stage.streaming(method, handler)
    return handler
