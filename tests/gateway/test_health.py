"""`/healthz`: the health of the backend over HTTP (gateway 6.5)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from grpc_health.v1 import health_pb2

from tests.fakes.gateway_backends import RealServer
from tests.fakes.gateways import BACKENDS, Gateway, listening

pytestmark = pytest.mark.parametrize("kind", BACKENDS)

STATUSES = health_pb2.HealthCheckResponse.ServingStatus


def reply(status: int) -> bytes:
    return health_pb2.HealthCheckResponse(status=status).SerializeToString()


def play(gateway: Gateway, **fields: Any) -> None:
    if isinstance(gateway.backend, RealServer):
        gateway.backend.streaming = lambda method: False
    gateway.play(**fields)


@pytest.mark.parametrize(
    ("status", "http", "code"),
    [("SERVING", 200, None), ("NOT_SERVING", 503, 14), ("UNKNOWN", 503, 14), ("SERVICE_UNKNOWN", 404, 5)],
)
async def test_each_status_has_its_answer(kind, status, http, code):
    async with listening(kind) as gateway:
        play(gateway, messages=[reply(STATUSES.Value(status))])
        answer = await gateway.get("/healthz")
    found = json.loads(answer.text)
    assert (http, "application/json") == (answer.status, answer.header("Content-Type"))
    assert ({"status": "SERVING"} == found) if code is None else (code == found["code"] and status in found["message"])


async def test_a_service_can_be_selected(kind):
    async with listening(kind) as gateway:
        play(gateway, messages=[reply(1)])
        await gateway.get("/healthz?service=v1.PodService", ("Authorization", "Bearer x"))
        (seen,) = gateway.backend.calls
    assert health_pb2.HealthCheckRequest(service="v1.PodService").SerializeToString() == seen.request
    assert seen.method == "/grpc.health.v1.Health/Check"
    assert seen.metadata["authorization"] == ["Bearer x"]


async def test_an_error_of_the_call_is_answered_by_the_table(kind):
    async with listening(kind) as gateway:
        play(gateway, status={"code": 12, "message": "no health"})
        answer = await gateway.get("/healthz")
    assert (501, 12) == (answer.status, json.loads(answer.text)["code"])


@pytest.mark.parametrize("target", ["/healthz?service=%zz", "/healthz?a;b", "/healthz?service=%ff"])
async def test_a_malformed_question_is_a_client_error(kind, target):
    async with listening(kind) as gateway:
        play(gateway, messages=[reply(1)])
        answer = await gateway.get(target)
    assert (400, 3) == (answer.status, json.loads(answer.text)["code"])


async def test_head_has_no_body_and_other_methods_are_wrong(kind):
    async with listening(kind) as gateway:
        play(gateway, messages=[reply(1)])
        assert (await gateway.get("/healthz", method="HEAD")).status == 200
        assert (await gateway.post("/healthz", "")).status == 405
