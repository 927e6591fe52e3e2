"""Whatever is sent: no 500 of ours, no error that is not JSON, no failed stream that looks whole (gateway 10)."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from google.protobuf.descriptor import ServiceDescriptor
from hypothesis import given, settings
from hypothesis import strategies as st

from podledger_gateway.settings import GatewaySettings
from tests.fakes.gateways import POD_SERVICE, TRANSCODE_TEST, Gateway, listening
from tests.fakes.raw_http import Answer, fetch

pytestmark = pytest.mark.property

METHODS = ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE"]
PATHS = ["/v1/pods", "/v1/export/pods", "/v1/echo/", "/v1/p/int32/", "/v1/p/ts/", "/v1/files/", "/v1/body", "/v1/bodyrep",
         "/v1/things/", "/v1/p/repenum/", "/healthz", "/v1/stream", "/", ""]  # fmt: skip
PIECES = ["query=", "pagination.limit=", "timestamp_value=", "duration_value=", "map_value[", "]=", "nested.", "int32_value=",
          "struct_value=", "bytes_value=", "double_value=", "children[0].", "string_value=", "seconds=", "nanos=", "&", "%ff", "%00", "%0d%0a", "%", "+", ";",
          "1", "-", "{}", "[", "T00:00:00Z", ":archive", "/", "//", ".."]  # fmt: skip
HEADERS = ["Accept", "Content-Type", "Grpc-Timeout", "Grpc-Metadata-A", "Grpc-Metadata-A-Bin", "Prefer", "TE", "Accept-Encoding",
           "X-HTTP-Method-Override", "X-Export-Complete", "X-Forwarded-For", "Origin", "Authorization", "Cookie"]  # fmt: skip
VALUES = ["text/event-stream", "application/json;stream=array", "application/x-www-form-urlencoded", "handling=strict", "trailers",
          "gzip", "1S", "5m", "AAA", "é", "a,b;q=0.5", "=", "get", ""]  # fmt: skip
TARGET = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(PATHS),
    st.lists(st.sampled_from(PIECES), max_size=2).map("".join),
    st.sampled_from(["?", ""]),
    st.lists(st.sampled_from(PIECES) | st.text(st.characters(codec="ascii", min_codepoint=33, max_codepoint=126), max_size=4), max_size=8).map("".join),
)  # fmt: skip
REQUEST = st.fixed_dictionaries(
    {
        "method": st.sampled_from(METHODS),
        "target": TARGET.map(lambda text: text.replace("#", "") or "/"),
        "headers": st.lists(st.tuples(st.sampled_from(HEADERS), st.sampled_from(VALUES)), max_size=3),
        "body": st.sampled_from(
            [b"", b"{}", b"[1]", b'{"stringValue":"\\ud800"}', b"query=%ff", b"query=a&&;", b"\xff", b"null"]
        ),
    }
)


def is_error(element: Any) -> bool:
    return isinstance(element, dict) and "error" in element


async def ask(gateway: Gateway, request: dict[str, Any]) -> Answer:
    return await fetch(gateway.address, request["method"], request["target"], request["headers"], request["body"])


def elements(answer: Answer) -> list[Any]:
    text = answer.text
    if text.startswith("["):
        return json.loads(text)
    if "event-stream" in (answer.header("Content-Type") or ""):
        return [json.loads(event.rpartition("data: ")[2]) for event in text.split("\n\n") if event]
    return [json.loads(line) for line in text.splitlines() if line]


def check(answer: Answer, request: dict[str, Any]) -> None:
    assert answer.whole
    assert answer.status != 500, answer.text
    if answer.status >= 400 and request["method"] != "HEAD":
        assert answer.header("Content-Type") in ("application/json", "text/event-stream")
        assert elements(answer)


async def test_no_request_is_an_error_of_the_server():
    await over_many(GatewaySettings(indexed_messages=True, http_trailers=True), check, TRANSCODE_TEST, mode="echo")


async def test_no_failed_stream_looks_whole():
    def failed(answer: Answer, request: dict[str, Any]) -> None:
        check(answer, request)
        is_stream = answer.status == 200 and b"result" in answer.body and answer.header("Transfer-Encoding")
        if is_stream and answer.header("Content-Encoding") is None:
            assert is_error(elements(answer)[-1])

    script = {"messages": [b"", b""], "status": {"code": 14, "message": "gone"}}
    await over_many(GatewaySettings(), failed, POD_SERVICE, TRANSCODE_TEST, **script)


async def over_many(options: GatewaySettings, judge: Any, *services: ServiceDescriptor, **script: Any) -> None:
    """Many requests to one gateway; hypothesis itself is not asynchronous and works beside the loop."""
    async with listening("in process", *services, settings=options) as gateway:
        gateway.play(**script)
        loop = asyncio.get_running_loop()

        @settings(max_examples=300, deadline=None)
        @given(REQUEST)
        def each(request: dict[str, Any]) -> None:
            judge(asyncio.run_coroutine_threadsafe(ask(gateway, request), loop).result(10), request)

        await asyncio.to_thread(each)
