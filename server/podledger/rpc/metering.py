"""The outermost stage: counts every call, its messages and its end, and logs one line per call.

Streams are counted per batch, never per message (performance 3).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence

import structlog
from google.rpc import code_pb2

from podledger.errors import InvalidRequest
from podledger.rpc.calls import Call, Method, Streaming, Unary, running
from podledger.rpc.draining import Drain
from podledger.rpc.status import CallFailed, Stalled
from podledger.telemetry import Telemetry

log = structlog.get_logger("podledger.rpc")

CODE_NAMES = {
    number: "Canceled" if name == "CANCELLED" else "OK" if name == "OK" else name.title().replace("_", "")
    for name, number in code_pb2.Code.items()
}
"""Codes spelled as Go servers label them, `InvalidArgument`."""


class Metered:
    """The stage."""

    def __init__(self, telemetry: Telemetry, drain: Drain) -> None:
        self._telemetry = telemetry
        self._drain = drain

    def unary(self, method: Method, handler: Unary) -> Unary:
        """Around a unary handler."""
        count = _Counters(self._telemetry, method, "unary")

        async def run(call: Call) -> bytes:
            begun = count.begin()
            code = code_pb2.OK
            try:
                reply = await handler(call)
                count.sent.inc()
            except BaseException as error:
                code = self._code(call, error)
                count.failed(error)
                raise
            else:
                return reply
            finally:
                count.end(call, code, begun)

        return run

    def streaming(self, method: Method, handler: Streaming) -> Streaming:
        """Around a streaming handler. Exports, the streams that prove their length, are counted as such too."""
        count = _Counters(self._telemetry, method, "server_stream")
        export = _Exports(self._telemetry) if method.counted else None

        async def run(call: Call) -> AsyncGenerator[Sequence[bytes], None]:
            begun = count.begin()
            code, end = code_pb2.OK, "complete"
            if export:
                export.begin(call)
            try:
                async with running(handler, call) as batches:
                    async for batch in batches:
                        count.sent.inc(len(batch))
                        handed = time.monotonic()
                        yield batch
                        if export:
                            export.took(len(batch), time.monotonic() - handed)
            except BaseException as error:
                code = self._code(call, error)
                end = _end(code, error, drained=self._drain.over)
                count.failed(error)
                raise
            finally:
                if export:
                    export.end(call, end)
                count.end(call, code, begun)

        return run

    def _code(self, call: Call, error: BaseException) -> int:
        """The code that the client sees, or would see if it were still there."""
        code = _code(call, error)
        return code_pb2.UNAVAILABLE if self._drain.over and code == code_pb2.CANCELLED else code


class _Counters:
    """The metrics of one method, looked up once."""

    def __init__(self, telemetry: Telemetry, method: Method, kind: str) -> None:
        service, _, name = method.name.removeprefix("/").rpartition("/")
        labels = (kind, service or method.name, name)
        self._method = method
        self._started = telemetry.started.labels(*labels)
        self._received = telemetry.received.labels(*labels)
        self.sent = telemetry.sent.labels(*labels)
        self._seconds = telemetry.handling_seconds.labels(*labels)
        self._handled = {code: telemetry.handled.labels(*labels, name) for code, name in CODE_NAMES.items()}
        self._rejected = telemetry.query_rejected

    def begin(self) -> float:
        self._started.inc()
        self._received.inc()
        return time.monotonic()

    def failed(self, error: BaseException) -> None:
        if isinstance(error.__cause__, InvalidRequest):
            self._rejected.labels(_reason(error.__cause__.field)).inc()

    def end(self, call: Call, code: int, begun: float) -> None:
        seconds = time.monotonic() - begun
        self._handled[code].inc()
        self._seconds.observe(seconds)
        write = log.debug if self._method.exempt else log.info
        write(
            "call finished",
            method=self._method.name,
            code=CODE_NAMES[code],
            seconds=round(seconds, 6),
            peer=call.peer,
            door=call.door,
            request_id=call.request_id,
        )


class _Exports:
    """The metrics of exports."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry

    def begin(self, call: Call) -> None:
        self._telemetry.exports_in_flight.labels(call.door).inc()
        if call.header("x-podledger-after"):
            self._telemetry.export_resumes.inc()

    def took(self, pods: int, seconds: float) -> None:
        self._telemetry.export_pods.inc(pods)
        self._telemetry.export_write_wait_seconds.observe(seconds)

    def end(self, call: Call, end: str) -> None:
        self._telemetry.exports_in_flight.labels(call.door).dec()
        self._telemetry.exports.labels(call.door, end).inc()


def _code(call: Call, error: BaseException) -> int:
    if isinstance(error, CallFailed):
        return error.code
    if isinstance(error, asyncio.CancelledError | GeneratorExit):
        expired = call.deadline is not None and time.monotonic() >= call.deadline
        return int(code_pb2.DEADLINE_EXCEEDED if expired else code_pb2.CANCELLED)
    return int(code_pb2.INTERNAL)


def _reason(field: str) -> str:
    """What was wrong with an invalid request, from the field at fault (pod-service 8.2)."""
    if field.startswith("pagination."):
        return "paging"
    return {"query": "query", "x-podledger-after": "resume", "": "message"}.get(field, "condition")


def _end(code: int, error: BaseException, *, drained: bool) -> str:
    if isinstance(error, Stalled):
        return "stalled"
    return "drain" if drained and code == code_pb2.UNAVAILABLE else _ENDS.get(code, "error")


_ENDS = {
    code_pb2.CANCELLED: "client_gone",
    code_pb2.DEADLINE_EXCEEDED: "deadline",
    code_pb2.RESOURCE_EXHAUSTED: "refused",
    code_pb2.INVALID_ARGUMENT: "refused",
}
