"""Streams over both backends: forms, failures, the proof of the end, disconnects (gateway 5)."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
import zlib
from typing import Any

import pytest

from podledger_gateway.settings import GatewaySettings
from tests.fakes.gateways import BACKENDS, TRANSCODE_TEST, Gateway, listening
from tests.fakes.raw_http import Answer, connect, read_answer, read_chunk, read_headers, request_bytes

pytestmark = pytest.mark.parametrize("kind", BACKENDS)

EXPORT = "/v1/export/pods"
POD = {
    "id": "",
    "name": "",
    "deploymentId": "",
    "namespace": "",
    "clusterId": "",
    "liveInstances": [],
    "terminatedInstances": [],
    "started": None,
}
GONE = {"code": 5, "message": "gone"}
ERROR = {"error": {"grpcCode": 5, "httpCode": 404, "message": "gone", "httpStatus": "Not Found", "details": []}}
FORMS = {
    "lines": "application/json",
    "ndjson": "application/x-ndjson",
    "messages": "application/x-ndjson;wrapped=false",
    "sse": "text/event-stream",
    "json-seq": "application/json-seq",
    "array": "application/json;stream=array",
}
PROOF = ("X-Export-Complete", "1")


def pods(*names: str) -> list[dict[str, Any]]:
    return [{"pod": {"id": name}} for name in names]


def result(name: str) -> dict[str, Any]:
    return {"result": {"pod": {**POD, "id": name}}}


def elements(text: str, form: str = "lines") -> list[Any]:
    """The JSON values of a body, whatever frames them."""
    if form == "array":
        return json.loads(text)
    if form == "sse":
        events = [event for event in text.split("\n\n") if event and not event.startswith(":")]
        return [json.loads(event.split("data: ", 1)[1]) for event in events]
    return [json.loads(line.lstrip("\x1e")) for line in text.split("\n") if line]


# ----------------------------------------------------------------------------------------------- forms


@pytest.mark.parametrize("form", FORMS)
async def test_a_whole_stream_in_each_form(kind, form):
    async with listening(kind) as gateway:
        gateway.play(messages=pods("1", "2"), header_md=[["a", "1"]])
        answer = await gateway.get(EXPORT, ("Accept", FORMS[form]))
    expected = [result("1"), result("2")]
    if form == "messages":
        expected = [element["result"] for element in expected]
    assert (200, expected) == (answer.status, elements(answer.text, form))
    media_type = FORMS[form].partition(";")[0]
    assert [media_type, "1", "no", "no-store"] == [
        answer.header(name) for name in ("Content-Type", "Grpc-Metadata-A", "X-Accel-Buffering", "Cache-Control")
    ]
    assert answer.whole


@pytest.mark.parametrize("form", FORMS)
async def test_a_stream_that_fails_ends_with_an_error_element(kind, form):
    async with listening(kind) as gateway:
        gateway.play(messages=pods("1"), status=GONE)
        answer = await gateway.get(EXPORT, ("Accept", FORMS[form]), PROOF)
    assert (200, ERROR) == (answer.status, elements(answer.text, form)[-1])
    assert len(elements(answer.text, form)) == 2
    assert answer.trailers == []


@pytest.mark.parametrize("form", FORMS)
async def test_an_error_before_any_message_keeps_its_status(kind, form):
    async with listening(kind) as gateway:
        gateway.play(status=GONE, header_md=[["a", "1"]])
        answer = await gateway.get(f"{EXPORT}?nothing", ("Accept", FORMS[form]))
    found = elements(answer.text, "lines" if form == "array" else form)
    assert (404, [ERROR], "1", "nothing") == (
        answer.status,
        found,
        answer.header("Grpc-Metadata-A"),
        answer.header("X-Podledger-Ignored-Parameters"),
    )
    assert answer.text.endswith("\n")


@pytest.mark.parametrize("form", FORMS)
async def test_an_empty_stream_has_a_content_type(kind, form):
    async with listening(kind) as gateway:
        answer = await gateway.get(EXPORT, ("Accept", FORMS[form]))
    assert (200, "[]" if form == "array" else "") == (answer.status, answer.text)
    assert answer.header("Content-Type") == FORMS[form].partition(";")[0]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("names", [(), ("1", "2")])
async def test_the_end_is_proved_on_request(kind, form, names):
    async with listening(kind) as gateway:
        gateway.play(messages=pods(*names))
        answer = await gateway.get(EXPORT, ("Accept", FORMS[form]), PROOF)
        without = await gateway.get(EXPORT, ("Accept", FORMS[form]), ("X-Export-Complete", "false"))
    assert elements(answer.text, form)[-1] == {"end": {"count": len(names)}}
    assert len(elements(answer.text, form)) == len(names) + 1
    assert len(elements(without.text, form) if without.text else []) == len(names)


@pytest.mark.parametrize(
    ("profile", "error"),
    [
        ("rhacs-4.6", {"code": 5, "message": "gone", "details": []}),
        ("grpc-gateway-v2", {"code": 5, "message": "gone", "details": []}),
        ("rhacs-union", {"code": 5, "grpcCode": 5, "httpCode": 404, "message": "gone", "httpStatus": "Not Found", "details": []}),
    ],
)  # fmt: skip
async def test_an_error_element_has_the_shape_of_the_profile(kind, profile, error):
    async with listening(kind, settings=GatewaySettings(profile=profile)) as gateway:
        gateway.play(messages=pods("1"), status=GONE)
        assert elements((await gateway.get(EXPORT)).text)[-1] == {"error": error}


async def test_a_stream_is_never_pretty(kind):
    async with listening(kind) as gateway:
        gateway.play(messages=pods("1"))
        answer = await gateway.get(f"{EXPORT}?pretty", ("Accept", "application/json+pretty"))
    assert answer.text.count("\n") == 1


async def test_an_unknown_detail_does_not_end_a_stream_as_complete(kind):
    async with listening(kind) as gateway:
        gateway.play(
            messages=pods("1"), status={**GONE, "details": [{"type_url": "x/acme.Unknown", "value_b64": "AQ=="}]}
        )
        answer = await gateway.get(EXPORT)
    assert elements(answer.text)[-1]["error"]["details"] == [{"@type": "x/acme.Unknown", "value": "AQ=="}]


async def test_a_message_without_json_form_ends_a_stream_as_failed(kind):
    async with listening(kind) as gateway:
        gateway.play(messages=[*pods("1"), b"\xff", *pods("2")])
        answer = await gateway.get(EXPORT, PROOF)
        gateway.play(messages=[b"\xff"])
        first = await gateway.get(EXPORT)
    found = elements(answer.text)
    assert (result("1"), 13, 2) == (found[0], found[-1]["error"]["grpcCode"], len(found))
    assert elements(first.text)[-1]["error"]["grpcCode"] == 13


async def test_raw_data_of_a_stream_is_sent_as_it_is(kind):
    async with listening(kind, TRANSCODE_TEST) as gateway:
        gateway.play(messages=[{"contentType": "text/x", "data": "QQ=="}, {"data": "Qg=="}], status=GONE)
        answer = await gateway.get("/v1/streamdownload")
    assert ("text/x", ["A", "B"]) == (answer.header("Content-Type"), answer.text.split("\n")[:2])
    assert elements(answer.text.split("\n", 2)[2]) == [ERROR]


# --------------------------------------------------------------------------------- plain or wrapped errors


@pytest.mark.parametrize(
    ("target", "header", "code"),
    [
        (f"{EXPORT}?timeout=x", ("A", "b"), 3),
        (EXPORT, ("Grpc-Timeout", "x"), 3),
        (EXPORT, ("Grpc-Metadata-A-Bin", "!"), 3),
        (EXPORT, ("Grpc-Timeout", "1n"), 4),
    ],
)
async def test_what_fails_before_the_call_is_a_plain_error(kind, target, header, code):
    async with listening(kind) as gateway:
        answer = await gateway.get(target, header)
        assert gateway.backend.calls == []
    assert list(json.loads(answer.text)) == ["error", "code", "message", "details"]
    assert json.loads(answer.text)["code"] == code


@pytest.mark.parametrize(("messages", "status"), [((), 504), (("1",), 200)])
async def test_a_deadline_that_expires_in_the_stream_is_wrapped(kind, messages, status):
    async with listening(kind) as gateway:
        gateway.play(messages=pods(*messages), wait_cancel=True)
        answer = await gateway.get(EXPORT, ("Grpc-Timeout", "150m"))
    error = elements(answer.text)[-1]["error"]
    assert (status, 4, "context deadline exceeded") == (answer.status, error["grpcCode"], error["message"])


# ------------------------------------------------------------------------------------------ flush, pace


async def _begin(gateway: Gateway, *headers: tuple[str, str]):
    reader, writer = await connect(gateway.address)
    writer.write(request_bytes("GET", EXPORT, headers))
    assert b"200" in await reader.readline()
    return reader, writer, await read_headers(reader)


async def test_messages_are_delivered_as_they_come(kind):
    async with listening(kind) as gateway:
        gateway.play(messages=pods("1"), wait_cancel=True)
        reader, writer, _ = await _begin(gateway)
        async with asyncio.timeout(2):
            assert elements((await read_chunk(reader)).decode()) == [result("1")]
        writer.close()


async def test_messages_are_delivered_as_they_come_with_gzip_too(kind):
    async with listening(kind) as gateway:
        gateway.play(messages=pods("1"), wait_cancel=True)
        reader, writer, headers = await _begin(gateway, ("Accept-Encoding", "gzip"))
        assert ("Content-Encoding", "gzip") in headers
        async with asyncio.timeout(2):
            text = zlib.decompressobj(31).decompress(await read_chunk(reader)).decode()
        assert elements(text) == [result("1")]
        writer.close()


async def test_a_compressed_stream_is_the_same_to_its_last_byte(kind):
    async with listening(kind) as gateway:
        for status in ({}, GONE):
            gateway.play(messages=pods(*map(str, range(50))), status=status)
            plain, packed = await gateway.get(EXPORT), await gateway.get(EXPORT, ("Accept-Encoding", "gzip"))
            assert plain.body == gzip.decompress(packed.body)


async def test_flush_each_is_one_chunk_per_message_of_the_same_bytes(kind):
    async with listening(kind, settings=GatewaySettings(stream_flush="each")) as gateway:
        gateway.play(messages=pods("1", "2", "3"))
        each = await gateway.get(EXPORT)
    async with listening(kind) as gateway:
        gateway.play(messages=pods("1", "2", "3"))
        batched = await gateway.get(EXPORT)
    assert (3, each.body) == (len(each.chunks), batched.body)
    assert len(batched.chunks) <= 3


async def test_an_event_stream_shows_that_it_lives(kind):
    async with listening(kind, settings=GatewaySettings(heartbeat_seconds=0.05)) as gateway:
        gateway.play(messages=pods("1"), wait_cancel=True)
        reader, writer, _ = await _begin(gateway, ("Accept", "text/event-stream"))
        async with asyncio.timeout(2):
            assert (await read_chunk(reader)).startswith(b"data: ")
            assert await read_chunk(reader) == b":\n\n"
            assert await read_chunk(reader) == b":\n\n"
        writer.close()


async def test_headers_may_come_before_the_first_message(kind):
    async with listening(kind, settings=GatewaySettings(early_headers=True)) as gateway:
        gateway.play(wait_cancel=True, header_md=[["a", "1"]])
        async with asyncio.timeout(2):
            _, writer, headers = await _begin(gateway)
        assert ("Grpc-Metadata-A", "1") in headers
        writer.close()
        gateway.play(status=GONE)
        late = await gateway.get(EXPORT)
        assert elements(late.text) == [ERROR]


async def test_a_real_trailer_proves_the_end_where_trailers_are_on(kind):
    async with listening(kind, settings=GatewaySettings(http_trailers=True)) as gateway:
        gateway.play(messages=pods("1"), trailer_md=[["foo", "1"]])
        answer = await gateway.get(EXPORT, PROOF, ("TE", "trailers"))
        failing = {"messages": pods("1"), "status": GONE}
        gateway.play(failing)
        failed = await gateway.get(EXPORT, PROOF, ("TE", "trailers"))
    assert [("X-Export-Complete", "1")] == answer.trailers
    assert ([], ERROR) == (failed.trailers, elements(failed.text)[-1])


# ------------------------------------------------------------------------------------------- disconnect


@pytest.mark.parametrize("messages", [(), ("1",)])
async def test_a_client_that_goes_away_cancels_the_stream(kind, messages):
    async with listening(kind) as gateway:
        gateway.play(messages=pods(*messages), wait_cancel=True)
        tasks = len(asyncio.all_tasks())
        await _leave(gateway, EXPORT)
        await _assert_nothing_left(tasks)


async def test_a_client_that_goes_away_cancels_a_unary_call(kind):
    async with listening(kind) as gateway:
        gateway.play(wait_cancel=True)
        tasks = len(asyncio.all_tasks())
        await _leave(gateway, "/v1/pods")
        await _assert_nothing_left(tasks)


async def _leave(gateway: Gateway, target: str) -> None:
    _, writer = await connect(gateway.address)
    writer.write(request_bytes("GET", target))
    async with asyncio.timeout(2):
        while not gateway.backend.calls:
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    left = time.monotonic()
    writer.transport.abort()
    (seen,) = gateway.backend.calls
    async with asyncio.timeout(1):
        await seen.ended.wait()
    assert seen.cancelled
    assert seen.cancelled_at - left < 1


async def _assert_nothing_left(tasks: int) -> None:
    async with asyncio.timeout(1):
        while len(asyncio.all_tasks()) > tasks:
            await asyncio.sleep(0.01)


async def test_a_client_that_reads_nothing_is_cut_and_the_backend_freed(kind):
    settings = GatewaySettings(stall_seconds=0.3)
    async with listening(kind, settings=settings) as gateway:
        gateway.play(messages=[{"pod": {"id": "x" * 500_000}}] * 40)
        reader, writer = await connect(gateway.address)
        writer.transport.pause_reading()
        writer.write(request_bytes("GET", EXPORT))
        await asyncio.sleep(0.5)
        async with asyncio.timeout(3):
            while not (gateway.backend.calls and gateway.backend.calls[0].ended.is_set()):
                await asyncio.sleep(0.02)
        writer.transport.resume_reading()
        answer = await read_answer(reader)
        writer.close()
        assert not answer.whole


async def test_a_gateway_that_stops_ends_streams_as_unavailable(kind):
    settings = GatewaySettings(shutdown_seconds=0.1)
    reading: asyncio.Task[Answer]
    async with listening(kind, settings=settings) as gateway:
        gateway.play(messages=pods("1"), wait_cancel=True)
        reading = asyncio.create_task(gateway.get(EXPORT, PROOF))
        await asyncio.sleep(0.2)
    answer = await reading
    assert (200, 14) == (answer.status, elements(answer.text)[-1]["error"]["grpcCode"])
