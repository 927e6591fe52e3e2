"""The code table and the error shapes of the profiles (gateway 0.1, 4)."""

from __future__ import annotations

import json

import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.empty_pb2 import Empty
from google.rpc import error_details_pb2

from podledger_gateway.errors import PROFILES, ErrorBodies, field_violation, retry_after
from podledger_gateway.jsonenc import Encoders

HTTP = [200, None, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401]


def bodies(profile="rhacs-4.5") -> ErrorBodies:
    return ErrorBodies(PROFILES[profile], Encoders().any)


def packed(message) -> AnyMessage:
    found = AnyMessage()
    found.Pack(message)
    return found


@pytest.mark.parametrize("profile", PROFILES)
def test_every_code_has_its_status(profile):
    cancelled = 408 if profile in ("rhacs-4.5", "rhacs-union") else 499
    assert [status or cancelled for status in HTTP] == [bodies(profile).http_status(code) for code in range(17)]
    assert bodies(profile).http_status(17) == bodies(profile).http_status(99) == 500


@pytest.mark.parametrize(
    ("profile", "unary", "element"),
    [
        (
            "rhacs-4.5",
            '{"error":"m","code":1,"message":"m","details":[]}',
            '{"error":{"grpcCode":1,"httpCode":408,"message":"m","httpStatus":"Request Timeout","details":[]}}',
        ),
        (
            "rhacs-4.6",
            '{"code":1,"message":"m","details":[],"error":"m"}',
            '{"error":{"code":1,"message":"m","details":[]}}',
        ),
        (
            "grpc-gateway-v2",
            '{"code":1,"message":"m","details":[]}',
            '{"error":{"code":1,"message":"m","details":[]}}',
        ),
        (
            "rhacs-union",
            '{"error":"m","code":1,"message":"m","details":[]}',
            '{"error":{"code":1,"grpcCode":1,"httpCode":408,"message":"m","httpStatus":"Request Timeout","details":[]}}',
        ),
    ],
)  # fmt: skip
def test_members_stand_in_the_order_of_the_profile(profile, unary, element):
    assert unary == bodies(profile).unary(1, "m")
    assert element == bodies(profile).element(1, "m")


def test_a_message_of_any_bytes_is_still_json():
    assert json.loads(bodies().unary(3, 'a"\\\n\udcff'))["message"] == 'a"\\\n\ufffd'


@pytest.mark.parametrize(
    ("detail", "expected"),
    [
        (
            AnyMessage(type_url="x/google.rpc.RequestInfo", value=b"\n\x021\x31"),
            {"@type": "x/google.rpc.RequestInfo", "requestId": "11", "servingData": ""},
        ),
        (packed(Duration(seconds=1)), {"@type": "type.googleapis.com/google.protobuf.Duration", "value": "1s"}),
        (packed(Empty()), {"@type": "type.googleapis.com/google.protobuf.Empty"}),
        (AnyMessage(type_url="x/acme.Unknown", value=b"\x00"), {"@type": "x/acme.Unknown", "value": "AA=="}),
        (AnyMessage(type_url="x/google.rpc.RequestInfo", value=b"\xff"), {"@type": "x/google.rpc.RequestInfo", "value": "/w=="}),
        (AnyMessage(), {}),
    ],
)  # fmt: skip
def test_a_detail_never_spoils_the_error(detail, expected):
    for text in (
        bodies().unary(3, "m", [detail, packed(Empty())]),
        bodies().element(3, "m", [detail, packed(Empty())]),
    ):
        error = json.loads(text)
        found = error if "details" in error else error["error"]
        assert expected == found["details"][0]
        assert found["details"][1] == {"@type": "type.googleapis.com/google.protobuf.Empty"}


def test_a_retry_is_told_in_whole_seconds():
    info = packed(error_details_pb2.RetryInfo(retry_delay=Duration(seconds=1, nanos=1)))
    assert retry_after([packed(Empty()), info]) == "2"
    assert retry_after([packed(Empty())]) == ""
    assert retry_after([AnyMessage(type_url="x/google.rpc.RetryInfo", value=b"\xff")]) == ""


def test_a_population_error_names_its_field():
    detail = json.loads(bodies().unary(3, "m", [field_violation("m", "pagination.limit")]))["details"][0]
    violation = {"field": "pagination.limit", "description": "m", "reason": "", "localizedMessage": None}
    assert detail == {"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [violation]}
