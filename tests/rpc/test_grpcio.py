"""The grpcio door: transport behaviour with tiny handlers."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import grpc
import pytest
from google.rpc import code_pb2
from google.rpc.error_details_pb2 import BadRequest
from grpc_status import rpc_status

from podledger.errors import BadInput, InvalidRequest
from podledger.rpc.calls import Method
from podledger.rpc.doors.grpcio import STATUS_CODES, GrpcDoor, GrpcOptions
from podledger.telemetry import Telemetry
from tests.fakes.doors import chain_of, dialled, listening, sample

ECHO, STREAM = "/test.Service/Echo", "/test.Service/Stream"
BIG = bytes(100_000)


def unary(handler):
    return chain_of(Method(ECHO, unary=handler))


def streaming(handler, telemetry=None):
    return chain_of(Method(STREAM, streaming=handler, counted="x-sent"), telemetry=telemetry)


async def status_of(call):
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return error
    raise AssertionError("the call succeeded")


async def drained(call):
    """Messages of a stream and the error that ended it, None for OK."""
    messages = []
    try:
        while (message := await call.read()) is not grpc.aio.EOF:
            messages.append(message)
    except grpc.aio.AioRpcError as error:
        return messages, error
    return messages, None


async def soon(condition, seconds=3.0):
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        await asyncio.sleep(0.01)
    return condition()


async def test_a_call_arrives_with_all_that_the_transport_knows():
    """Method, bytes, metadata, deadline and peer."""
    seen = []

    async def handler(call):
        seen.append(replace(call))
        return call.request[::-1]

    async with dialled(unary(handler)) as channel:
        begun = time.monotonic()
        reply = await channel.unary_unary(ECHO)(
            b"abc", timeout=20, metadata=(("x-key", "v"), ("x-raw-bin", b"\x00\xff"))
        )
    call = seen[0]

    assert reply == b"cba"
    assert (call.method, call.request, call.door) == (ECHO, b"abc", "grpcio")
    assert ("x-key", "v") in call.metadata
    assert ("x-raw-bin", b"\x00\xff") in call.metadata
    assert call.peer.startswith("ipv4:127.0.0.1:")
    assert 15 < call.deadline - begun <= 20.5


async def test_without_a_client_deadline_there_is_none():
    """No default deadline."""
    seen = []

    async def handler(call):
        seen.append(call.deadline)
        return b""

    async with dialled(unary(handler)) as channel:
        await channel.unary_unary(ECHO)(b"")

    assert seen == [None]


async def test_metadata_goes_out_before_and_after_the_reply():
    """Initial and trailing metadata; the caller's request id is in both."""

    async def handler(call):
        call.initial.append(("x-first", "1"))
        call.trailing.append(("x-last", "2"))
        return b"ok"

    async with dialled(unary(handler)) as channel:
        call = channel.unary_unary(ECHO)(b"", metadata=(("x-request-id", "mine"),))
        await call

        assert dict(await call.initial_metadata()) == {"x-first": "1", "x-request-id": "mine"}
        assert dict(await call.trailing_metadata()) == {"x-last": "2", "x-request-id": "mine"}


async def test_an_error_has_code_text_details_and_metadata():
    """Details travel as google.rpc.Status; initial metadata is sent on errors too."""

    async def handler(call):
        call.initial.append(("x-first", "1"))
        raise InvalidRequest("bad", field="Pod ID")

    async with dialled(unary(handler)) as channel:
        call = channel.unary_unary(ECHO)(b"", metadata=(("x-request-id", "mine"),))
        error = await status_of(call)
        details = BadRequest()
        rpc_status.from_call(SyncView(error)).details[0].Unpack(details)

        assert (error.code(), error.details()) == (grpc.StatusCode.INVALID_ARGUMENT, "bad")
        assert [(v.field, v.description) for v in details.field_violations] == [("Pod ID", "bad")]
        assert dict(error.initial_metadata()) == {"x-first": "1", "x-request-id": "mine"}
        assert dict(error.trailing_metadata())["x-request-id"] == "mine"


class SyncView:
    """An aio error as the synchronous helper of grpcio-status wants to see it."""

    def __init__(self, error):
        self.code = error.code
        self.details = error.details
        self.trailing_metadata = lambda: tuple(error.trailing_metadata())


@pytest.mark.parametrize("size", [5000, 9000, 60_000])
async def test_a_long_error_text_still_reaches_the_client(size):
    """Peers refuse big metadata: details go first, then the end of the text."""

    async def handler(_):
        raise InvalidRequest("é" + "x" * size, field="query")

    async with dialled(unary(handler)) as channel:
        error = await status_of(channel.unary_unary(ECHO)(b""))

    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert error.details().startswith("éxxx")
    assert len(error.details()) >= min(size + 1, 2000)


@pytest.mark.parametrize("kind", ["unary_unary", "unary_stream", "stream_unary", "stream_stream"])
async def test_an_unknown_method_is_refused_at_once(kind):
    """Any kind of caller, also one that has not sent anything, gets UNIMPLEMENTED."""
    telemetry = Telemetry()
    async with dialled(chain_of(telemetry=telemetry)) as channel:
        method = getattr(channel, kind)("/v1.PodService/Nope")
        call = method(b"") if kind.startswith("unary") else method()
        code = await asyncio.wait_for(call.code(), 5)

        assert code == grpc.StatusCode.UNIMPLEMENTED
        assert await call.details() == "unknown method /v1.PodService/Nope"
        assert (
            sample(
                telemetry,
                "grpc_server_handled_total",
                grpc_type="unary",
                grpc_service="unknown",
                grpc_method="unknown",
                grpc_code="Unimplemented",
            )
            == 1
        )


async def test_a_stream_tells_how_many_messages_were_written():
    """Trailer, metadata before the first message, order kept across batches."""

    async def handler(call):
        call.initial.append(("x-first", "1"))
        yield [b"a", b"b"]
        yield [b"c"]

    async with dialled(streaming(handler)) as channel:
        call = channel.unary_stream(STREAM)(b"")
        initial = dict(await call.initial_metadata())
        messages, error = await drained(call)

        assert (messages, error) == ([b"a", b"b", b"c"], None)
        assert initial["x-first"] == "1"
        assert dict(await call.trailing_metadata())["x-sent"] == "3"


async def test_an_empty_stream_is_ok():
    """Status OK, metadata, count 0."""

    async def handler(call):
        call.initial.append(("x-first", "1"))
        return
        yield

    async with dialled(streaming(handler)) as channel:
        call = channel.unary_stream(STREAM)(b"")

        assert await drained(call) == ([], None)
        assert dict(await call.initial_metadata())["x-first"] == "1"
        assert dict(await call.trailing_metadata())["x-sent"] == "0"


async def test_a_failing_stream_keeps_what_was_sent_and_counts_it():
    """The error comes after the messages; the count is there with every status."""

    async def handler(_):
        yield [b"a", b"b"]
        raise InvalidRequest("late", field="query")

    async with dialled(streaming(handler)) as channel:
        messages, error = await drained(channel.unary_stream(STREAM)(b""))

    assert messages == [b"a", b"b"]
    assert (error.code(), error.details()) == (grpc.StatusCode.INVALID_ARGUMENT, "late")
    assert dict(error.trailing_metadata())["x-sent"] == "2"


async def test_cancelling_mid_stream_closes_the_handler():
    """What the handler holds is freed at once when the client leaves."""
    freed = asyncio.Event()
    telemetry = Telemetry()

    async def handler(_):
        try:
            while True:
                yield [BIG]
        finally:
            freed.set()

    async with dialled(streaming(handler, telemetry)) as channel:
        call = channel.unary_stream(STREAM)(b"")
        await call.read()
        call.cancel()
        await asyncio.wait_for(freed.wait(), 5)

    assert sample(telemetry, "podledger_exports_total", door="grpcio", end="client_gone") == 1
    assert sample(telemetry, "podledger_exports_in_flight", door="grpcio") == 0


async def test_cancelling_while_the_handler_waits_reaches_it():
    """Cancellation interrupts an await inside the handler."""
    began, freed = asyncio.Event(), asyncio.Event()

    async def handler(_):
        try:
            began.set()
            await asyncio.sleep(60)
            yield [b""]
        finally:
            freed.set()

    async with dialled(streaming(handler)) as channel:
        call = channel.unary_stream(STREAM)(b"")
        await asyncio.wait_for(began.wait(), 5)
        call.cancel()
        await asyncio.wait_for(freed.wait(), 5)


async def test_a_client_deadline_ends_a_stream():
    """DEADLINE_EXCEEDED at the client; the handler is closed."""
    freed = asyncio.Event()
    telemetry = Telemetry()

    async def handler(_):
        try:
            while True:
                yield [b"x"]
                await asyncio.sleep(0.01)
        finally:
            freed.set()

    async with dialled(streaming(handler, telemetry)) as channel:
        _, error = await drained(channel.unary_stream(STREAM)(b"", timeout=0.3))
        await asyncio.wait_for(freed.wait(), 5)

    assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert sample(telemetry, "podledger_exports_total", door="grpcio", end="deadline") == 1


async def test_a_client_that_does_not_read_is_cut_and_frees_the_handler_first():
    """Nothing accepted within the limit: the iterator is closed before the client is told."""
    freed = asyncio.Event()
    telemetry = Telemetry()

    async def handler(_):
        try:
            while True:
                yield [BIG] * 3
        finally:
            freed.set()

    async with dialled(streaming(handler, telemetry), options=GrpcOptions(stall_seconds=0.3)) as channel:
        call = channel.unary_stream(STREAM)(b"")
        await call.read()
        begun = time.monotonic()
        await asyncio.wait_for(freed.wait(), 5)
        waited = time.monotonic() - begun
        messages, error = await drained(call)  # reading again, the client gets the rest and the reason

    assert 0.25 < waited < 2
    assert (error.code(), error.details()) == (
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "no message was read for 0.3 seconds",
    )
    assert sample(telemetry, "podledger_exports_total", door="grpcio", end="stalled") == 1
    assert int(dict(error.trailing_metadata())["x-sent"]) <= len(messages) + 1


async def test_a_slow_client_is_not_a_stalled_one():
    """One message per while, each within the limit: the stream goes on to its end."""

    async def handler(_):
        yield [BIG] * 30

    async with dialled(streaming(handler), options=GrpcOptions(stall_seconds=0.5)) as channel:
        call = channel.unary_stream(STREAM)(b"")
        count = 0
        while await call.read() is not grpc.aio.EOF:
            count += 1
            await asyncio.sleep(0.05)

    assert count == 30


async def test_the_deadline_runs_while_the_client_does_not_read():
    """A handler that shortens the deadline of its call is cut then, long before the stall limit."""
    freed = asyncio.Event()

    async def handler(call):
        call.deadline = time.monotonic() + 0.3
        try:
            while True:
                yield [BIG]
        finally:
            freed.set()

    async with dialled(streaming(handler)) as channel:
        call = channel.unary_stream(STREAM)(b"")
        await call.read()
        await asyncio.wait_for(freed.wait(), 5)
        _, error = await drained(call)

    assert (error.code(), error.details()) == (grpc.StatusCode.DEADLINE_EXCEEDED, "context deadline exceeded")


async def test_a_stray_cancellation_becomes_a_status():
    """Without a status the client would wait for ever (operations 4.2)."""

    async def handler(_):
        raise asyncio.CancelledError

    async with dialled(unary(handler)) as channel:
        error = await status_of(channel.unary_unary(ECHO)(b"", timeout=5))

    assert (error.code(), error.details()) == (grpc.StatusCode.INTERNAL, "internal error")


async def test_a_stray_cancellation_in_a_stream_becomes_a_status():
    """Never OK, never silence."""

    async def handler(_):
        yield [b"a"]
        raise asyncio.CancelledError

    async with dialled(streaming(handler)) as channel:
        messages, error = await drained(channel.unary_stream(STREAM)(b"", timeout=5))

    assert messages == [b"a"]
    assert error.code() == grpc.StatusCode.INTERNAL


async def test_an_answer_for_a_client_that_left_is_quiet():
    """A reply or a batch that comes too late is dropped without a complaint in the log."""
    done = []

    async def late(_):
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            done.append("unary")
            return b"late"

    async def late_batch(_):
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            yield [b"late"]
        finally:
            done.append("stream")

    chain = chain_of(Method(ECHO, unary=late), Method(STREAM, streaming=late_batch))
    async with dialled(chain) as channel:
        unary_error = await status_of(channel.unary_unary(ECHO)(b"", timeout=0.2))
        _, stream_error = await drained(channel.unary_stream(STREAM)(b"", timeout=0.2))

        assert await soon(lambda: done == ["unary", "stream"])
    assert {unary_error.code(), stream_error.code()} == {grpc.StatusCode.DEADLINE_EXCEEDED}


async def test_clients_that_leave_at_any_moment_are_quiet_and_free_everything():
    """Deadlines that meet a write, a stall or a status: never a complaint, never a handler left over."""
    live, telemetry = set(), Telemetry()

    async def handler(call):
        live.add(id(call))
        try:
            while True:
                yield [bytes(50_000)] * 3
        finally:
            live.discard(id(call))

    async def visit(channel, number):
        call = channel.unary_stream(STREAM)(b"", timeout=number / 500)
        if number % 2:
            await call.read()
        await asyncio.sleep(number / 400)
        call.cancel()

    options = GrpcOptions(stall_seconds=0.1, max_streams=200)
    async with dialled(streaming(handler, telemetry), options=options) as channel:
        for _ in range(3):
            await asyncio.gather(*(visit(channel, number) for number in range(1, 100)), return_exceptions=True)

        assert await soon(lambda: not live)
    assert sample(telemetry, "podledger_exports_in_flight", door="grpcio") == 0


async def test_an_unexpected_exception_tells_nothing():
    """INTERNAL `internal error`, whatever the exception said."""

    async def handler(_):
        raise RuntimeError("secret")

    async with dialled(unary(handler)) as channel:
        error = await status_of(channel.unary_unary(ECHO)(b""))

    assert (error.code(), error.details()) == (grpc.StatusCode.INTERNAL, "internal error")


async def test_a_big_reply_passes():
    """The server sets no limit to what it sends."""

    async def handler(_):
        return bytes(20_000_000)

    async with (
        listening(unary(handler)) as address,
        grpc.aio.insecure_channel(address, options=[("grpc.max_receive_message_length", -1)]) as channel,
    ):
        assert len(await channel.unary_unary(ECHO)(b"")) == 20_000_000


async def test_a_big_request_is_refused():
    """Requests of PodService are small."""

    async def handler(_):
        return b""

    async with dialled(unary(handler), options=GrpcOptions(max_receive_bytes=1000)) as channel:
        error = await status_of(channel.unary_unary(ECHO)(bytes(2000)))

    assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_compressed_requests_are_accepted():
    """A client may send gzip."""

    async def handler(call):
        return call.request

    async with dialled(unary(handler)) as channel:
        reply = await channel.unary_unary(ECHO)(b"a" * 5000, compression=grpc.Compression.Gzip)

    assert reply == b"a" * 5000


async def test_stopping_ends_streams_with_a_status_that_can_be_retried():
    """UNAVAILABLE or CANCELLED after the grace, never OK."""

    async def handler(_):
        while True:
            yield [b"x"]
            await asyncio.sleep(0.01)

    door = GrpcDoor(streaming(handler), "127.0.0.1:0", options=GrpcOptions())
    address = await door.start()
    async with grpc.aio.insecure_channel(address) as channel:
        call = channel.unary_stream(STREAM)(b"")
        await call.read()
        await door.stop(0.1)
        _, error = await drained(call)

    assert error.code() == grpc.StatusCode.UNAVAILABLE


async def test_a_port_in_use_is_one_sentence():
    """Not a second server that takes half of the clients."""
    async with listening(chain_of()) as address:
        with pytest.raises(BadInput, match=f"cannot listen on {address} for gRPC"):
            await GrpcDoor(chain_of(), address, options=GrpcOptions()).start()


async def test_a_unix_socket_serves(tmp_path):
    """The address of a socket is given back as it was."""

    async def handler(call):
        return call.peer.encode()

    door = GrpcDoor(unary(handler), f"unix:{tmp_path}/s", options=GrpcOptions())
    address = await door.start()
    async with grpc.aio.insecure_channel(address) as channel:
        peer = await channel.unary_unary(ECHO)(b"")
    await door.stop(0)

    assert address == f"unix:{tmp_path}/s"
    assert peer.startswith(b"unix:")


def test_every_code_has_a_grpc_name():
    """The numbers of google.rpc.Code are those of grpcio."""
    assert set(STATUS_CODES) == set(code_pb2.Code.values())


def test_the_options_of_the_specification_are_set():
    """Names and numbers of operations 4.1."""
    arguments = dict(GrpcOptions().arguments())

    assert arguments["grpc.http2.ping_timeout_ms"] == 10_000
    assert arguments["grpc.max_allowed_incoming_connections"] == 10_000
    assert arguments["grpc.max_receive_message_length"] == 1_048_576
    assert arguments["grpc.http2.min_ping_interval_without_data_ms"] == 5000
    assert arguments["grpc.so_reuseport"] == 0
