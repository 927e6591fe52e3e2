"""Metrics and the one log line per call."""

from __future__ import annotations

import asyncio

import pytest
import structlog

from podledger.errors import DeadlineExceeded, InvalidRequest
from podledger.rpc.calls import Call, Method
from podledger.rpc.metering import CODE_NAMES
from podledger.rpc.status import CallFailed, Stalled
from podledger.telemetry import Telemetry
from tests.fakes.doors import chain_of, sample

ECHO, STREAM = "/test.Service/Echo", "/test.Service/Stream"
UNARY = {"grpc_type": "unary", "grpc_service": "test.Service", "grpc_method": "Echo"}
SERVER_STREAM = {"grpc_type": "server_stream", "grpc_service": "test.Service", "grpc_method": "Stream"}


@pytest.fixture
def telemetry():
    return Telemetry()


def call(method, **more):
    return Call(method, b"", door="grpcio", peer="ipv4:1.2.3.4:5", **more)


async def ok(_):
    return b"reply"


async def bad(_):
    raise InvalidRequest("bad", field="query")


async def test_a_call_is_counted_from_begin_to_end(telemetry):
    """The names and labels that dashboards know."""
    await chain_of(Method(ECHO, unary=ok), telemetry=telemetry).unary(call(ECHO))

    assert sample(telemetry, "grpc_server_started_total", **UNARY) == 1
    assert sample(telemetry, "grpc_server_handled_total", grpc_code="OK", **UNARY) == 1
    assert sample(telemetry, "grpc_server_msg_received_total", **UNARY) == 1
    assert sample(telemetry, "grpc_server_msg_sent_total", **UNARY) == 1
    assert sample(telemetry, "grpc_server_handling_seconds_count", **UNARY) == 1


async def test_a_failed_call_is_counted_by_its_code(telemetry):
    """With the spelling of Go servers; nothing was sent."""
    with pytest.raises(CallFailed):
        await chain_of(Method(ECHO, unary=bad), telemetry=telemetry).unary(call(ECHO))

    assert sample(telemetry, "grpc_server_handled_total", grpc_code="InvalidArgument", **UNARY) == 1
    assert sample(telemetry, "grpc_server_msg_sent_total", **UNARY) == 0
    assert sample(telemetry, "podledger_query_rejected_total", reason="query") == 1


def test_codes_are_spelled_as_go_spells_them():
    """`Canceled` with one l is the odd one."""
    assert CODE_NAMES[0] == "OK"
    assert CODE_NAMES[1] == "Canceled"
    assert CODE_NAMES[4] == "DeadlineExceeded"
    assert len(CODE_NAMES) == 17


async def test_a_stream_is_counted_per_batch(telemetry):
    """Messages, exports, pods and the time a batch took."""
    running = []

    async def handler(_):
        yield [b"a", b"b"]
        running.append(sample(telemetry, "podledger_exports_in_flight", door="grpcio"))
        yield [b"c"]

    chain = chain_of(Method(STREAM, streaming=handler, counted="x-count"), telemetry=telemetry)
    batches = [batch async for batch in chain.stream(call(STREAM))]

    assert batches == [[b"a", b"b"], [b"c"]]
    assert running == [1]
    assert sample(telemetry, "grpc_server_msg_sent_total", **SERVER_STREAM) == 3
    assert sample(telemetry, "podledger_export_pods_total") == 3
    assert sample(telemetry, "podledger_export_write_wait_seconds_count") == 2
    assert sample(telemetry, "podledger_exports_total", door="grpcio", end="complete") == 1
    assert sample(telemetry, "podledger_exports_in_flight", door="grpcio") == 0


async def test_a_stream_that_proves_nothing_is_no_export(telemetry):
    """Health watches are streams too."""

    async def handler(_):
        yield [b"a"]

    chain = chain_of(Method(STREAM, streaming=handler), telemetry=telemetry)
    assert [batch async for batch in chain.stream(call(STREAM))] == [[b"a"]]

    assert sample(telemetry, "podledger_exports_total", door="grpcio", end="complete") == 0
    assert sample(telemetry, "grpc_server_handled_total", grpc_code="OK", **SERVER_STREAM) == 1


@pytest.mark.parametrize(
    ("error", "end", "code"),
    [
        (DeadlineExceeded(), "deadline", "DeadlineExceeded"),
        (InvalidRequest("bad", field="query"), "refused", "InvalidArgument"),
        (RuntimeError("bug"), "error", "Internal"),
    ],
)
async def test_exports_are_counted_by_how_they_end(telemetry, error, end, code):
    """What the handler raised."""

    async def handler(_):
        yield [b"a"]
        raise error

    chain = chain_of(Method(STREAM, streaming=handler, counted="x-count"), telemetry=telemetry)
    with pytest.raises(CallFailed):
        [batch async for batch in chain.stream(call(STREAM))]

    assert sample(telemetry, "podledger_exports_total", door="grpcio", end=end) == 1
    assert sample(telemetry, "grpc_server_handled_total", grpc_code=code, **SERVER_STREAM) == 1


async def test_a_stall_thrown_in_by_a_door_is_seen_by_every_stage(telemetry):
    """The handler is closed, the end is counted, the reason comes back."""
    freed = []

    async def handler(_):
        try:
            yield [b"a"]
        finally:
            freed.append(True)

    stream = chain_of(Method(STREAM, streaming=handler, counted="x-count"), telemetry=telemetry).stream(call(STREAM))
    await anext(stream)
    with pytest.raises(Stalled):
        await stream.athrow(Stalled(30))

    assert freed == [True]
    assert sample(telemetry, "podledger_exports_total", door="grpcio", end="stalled") == 1


async def test_a_cancelled_call_is_counted_as_such(telemetry):
    """The client went away."""
    began = asyncio.Event()

    async def handler(_):
        began.set()
        await asyncio.sleep(30)

    task = asyncio.create_task(chain_of(Method(ECHO, unary=handler), telemetry=telemetry).unary(call(ECHO)))
    await began.wait()
    task.cancel()
    await asyncio.wait([task])

    assert sample(telemetry, "grpc_server_handled_total", grpc_code="Canceled", **UNARY) == 1


async def test_one_line_per_call():
    """Method, code, duration, peer, door and id; never the request."""
    with structlog.testing.capture_logs() as lines:
        await chain_of(Method(ECHO, unary=ok)).unary(call(ECHO, metadata=[("x-request-id", "mine")]))

    line = lines[0]
    assert len(lines) == 1
    assert line.pop("seconds") >= 0
    assert line == {
        "event": "call finished",
        "log_level": "info",
        "method": ECHO,
        "code": "OK",
        "peer": "ipv4:1.2.3.4:5",
        "door": "grpcio",
        "request_id": "mine",
    }


async def test_health_calls_do_not_fill_the_log():
    """They come every few seconds for ever."""
    with structlog.testing.capture_logs() as lines:
        await chain_of(Method(ECHO, unary=ok, exempt=True)).unary(call(ECHO))

    assert [line["log_level"] for line in lines] == ["debug"]


async def test_unknown_methods_share_one_label(telemetry):
    """Callers cannot grow the metrics."""
    chain = chain_of(telemetry=telemetry)
    for name in ("/a.B/C", "/d.E/F", "nonsense"):
        with pytest.raises(CallFailed):
            await chain.unary(call(name))

    labels = {"grpc_type": "unary", "grpc_service": "unknown", "grpc_method": "unknown", "grpc_code": "Unimplemented"}
    assert sample(telemetry, "grpc_server_handled_total", **labels) == 3
