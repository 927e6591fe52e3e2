"""The in-process door: the promises of the gateway's `Backend`."""

from __future__ import annotations

import asyncio
import time

import pytest

from podledger.errors import InvalidRequest
from podledger.rpc.calls import Method
from podledger.rpc.doors.inprocess import InProcessBackend
from podledger.telemetry import Telemetry
from podledger_gateway.backend import BackendError
from tests.fakes.doors import chain_of, sample

ECHO, STREAM = "/test.Service/Echo", "/test.Service/Stream"
REQUEST_ID = ("x-request-id", "mine")


def backend(unary=None, streaming=None, telemetry=None):
    methods = [Method(ECHO, unary=unary)] if unary else []
    methods += [Method(STREAM, streaming=streaming, counted="x-sent")] if streaming else []
    return InProcessBackend(chain_of(*methods, telemetry=telemetry))


async def batches_of(stream):
    return [list(batch) async for batch in stream]


async def ended_badly(stream):
    """Messages that came, and the error that ended the stream."""
    got = []
    try:
        async for batch in stream:
            got += batch
    except BackendError as error:
        return got, error
    raise AssertionError("the stream ended well")


async def test_a_unary_call_gives_message_and_metadata():
    """Reply bytes, initial and trailing metadata; the peer is what the gateway says."""
    seen = []

    async def handler(call):
        seen.append((call.peer, call.door, call.deadline))
        call.initial.append(("x-first", "1"))
        call.trailing.append(("x-last", "2"))
        return call.request[::-1]

    reply = await backend(handler).unary(ECHO, b"abc", [REQUEST_ID, ("x-forwarded-for", "9.9.9.9, 10.0.0.1")], None)

    assert reply.message == b"cba"
    assert reply.initial == (REQUEST_ID, ("x-first", "1"))
    assert reply.trailing == (REQUEST_ID, ("x-last", "2"))
    assert seen == [("10.0.0.1", "inprocess", None)]


async def test_an_error_carries_everything():
    """Code, text, details and metadata; a server was reached."""

    async def handler(_):
        raise InvalidRequest("bad", field="query")

    with pytest.raises(BackendError) as caught:
        await backend(handler).unary(ECHO, b"", [REQUEST_ID], None)

    error = caught.value
    assert (error.code, error.message, error.reached) == (3, "bad", True)
    assert [detail.type_url for detail in error.details] == ["type.googleapis.com/google.rpc.BadRequest"]
    assert error.initial == error.trailing == (REQUEST_ID,)


async def test_an_unknown_method_is_refused():
    """UNIMPLEMENTED, unary and streaming."""
    door = backend()

    with pytest.raises(BackendError) as unary:
        await door.unary("/v1.X/Y", b"", [], None)
    with pytest.raises(BackendError) as streaming:
        await door.stream("/v1.X/Y", b"", [], None).initial()

    assert (unary.value.code, streaming.value.code) == (12, 12)


async def test_a_timeout_ends_a_unary_call():
    """DEADLINE_EXCEEDED, and the handler is cancelled."""
    telemetry, freed = Telemetry(), []

    async def handler(_):
        try:
            await asyncio.sleep(30)
        finally:
            freed.append(True)

    with pytest.raises(BackendError) as caught:
        await backend(handler, telemetry=telemetry).unary(ECHO, b"", [], 0.05)

    assert (caught.value.code, caught.value.message) == (4, "context deadline exceeded")
    assert freed == [True]
    labels = {"grpc_type": "unary", "grpc_service": "test.Service", "grpc_method": "Echo"}
    assert sample(telemetry, "grpc_server_handled_total", grpc_code="DeadlineExceeded", **labels) == 1


async def test_cancelling_the_task_cancels_the_handler():
    """The gateway cancels when its client leaves."""
    began, freed = asyncio.Event(), []

    async def handler(_):
        try:
            began.set()
            await asyncio.sleep(30)
        finally:
            freed.append(True)

    task = asyncio.create_task(backend(handler).unary(ECHO, b"", [], None))
    await began.wait()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert freed == [True]


async def test_batches_pass_as_they_are():
    """No splitting, no joining; metadata before, count after."""

    async def handler(call):
        call.initial.append(("x-first", "1"))
        yield [b"a", b"b"]
        yield [b"c"]

    stream = backend(streaming=handler).stream(STREAM, b"", [REQUEST_ID], None)
    before = stream.trailing
    initial = await stream.initial()
    batches = await batches_of(stream)

    assert before == ()
    assert initial == (REQUEST_ID, ("x-first", "1"))
    assert batches == [[b"a", b"b"], [b"c"]]
    assert stream.trailing == (REQUEST_ID, ("x-sent", "3"))


async def test_initial_metadata_need_not_be_asked_for():
    """Iterating alone works, and an empty stream ends well."""

    async def handler(_):
        return
        yield

    stream = backend(streaming=handler).stream(STREAM, b"", [REQUEST_ID], None)

    assert await batches_of(stream) == []
    assert await stream.initial() == (REQUEST_ID,)
    assert stream.trailing == (REQUEST_ID, ("x-sent", "0"))


async def test_an_error_before_the_first_batch_comes_from_initial_and_never_turns_into_a_clean_end():
    """Asking again gives the same error."""

    async def handler(_):
        raise InvalidRequest("bad", field="query")
        yield

    stream = backend(streaming=handler).stream(STREAM, b"", [], None)
    with pytest.raises(BackendError):
        await stream.initial()
    with pytest.raises(BackendError, match="bad"):
        await batches_of(stream)


async def test_an_error_after_batches_ends_the_iteration():
    """What came before was handed over and is counted."""

    async def handler(_):
        yield [b"a", b"b"]
        raise InvalidRequest("late", field="query")

    got, error = await ended_badly(backend(streaming=handler).stream(STREAM, b"", [], None))

    assert got == [b"a", b"b"]
    assert dict(error.trailing)["x-sent"] == "2"


async def test_closing_frees_the_handler():
    """At once, twice is harmless, and the export counts as left by its client."""
    telemetry, freed = Telemetry(), []

    async def handler(_):
        try:
            while True:
                yield [b"a"]
        finally:
            freed.append(True)

    stream = backend(streaming=handler, telemetry=telemetry).stream(STREAM, b"", [], None)
    await stream.initial()
    await stream.aclose()
    await stream.aclose()

    assert freed == [True]
    assert sample(telemetry, "podledger_exports_total", door="inprocess", end="client_gone") == 1


async def test_closing_an_unused_stream_runs_nothing():
    """A gateway may give up before it begins."""
    ran = []

    async def handler(_):
        ran.append(True)
        yield [b"a"]

    await backend(streaming=handler).stream(STREAM, b"", [], None).aclose()

    assert ran == []


async def test_a_timeout_ends_a_stream():
    """Between batches and inside the handler alike."""

    async def handler(_):
        yield [b"a"]
        await asyncio.sleep(30)

    begun = time.monotonic()
    got, error = await ended_badly(backend(streaming=handler).stream(STREAM, b"", [], 0.1))

    assert got == [b"a"]
    assert error.code == 4
    assert time.monotonic() - begun < 2
