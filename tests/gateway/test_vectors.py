"""The shared conformance vectors: recorded answers of the references, and what ours does about them.

Each case runs as the recording says. Where our rules differ on purpose, the case is named in
`DEVIATIONS` with the reason, and what ours does instead is asserted elsewhere in this room.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from google.protobuf import json_format

from podledger_gateway.errors import PROFILES, ErrorBodies
from podledger_gateway.query import PopulationError, Populator, is_bound, split_query
from podledger_gateway.settings import GatewaySettings
from podledger_gateway.template import BadPath, InvalidTemplate, parse_template, split_path
from tests.fakes.gateway_types import create, descriptor, vectors
from tests.fakes.gateways import BACKENDS, Gateway, listening, method_of, service
from tests.fakes.raw_http import Answer, connect, fetch, read_answer, request_bytes

REFERENCE = "gw2"
"""The recordings whose rules hold in every profile of ours (gateway 1)."""

CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "gw2": {"profile": "grpc-gateway-v2"},
    "rhacs45": {"profile": "rhacs-4.5"},
    "rhacs46": {"profile": "rhacs-4.6"},
    "gw2_no_form_fallback": {"profile": "grpc-gateway-v2", "form_post": False},
    "gw2_no_method_override": {"profile": "grpc-gateway-v2", "method_override": False},
    "gw2_unescape_except_reserved": {"profile": "grpc-gateway-v2", "path_decoding": "all-except-reserved"},
    "gw2_unescape_except_slash": {"profile": "grpc-gateway-v2", "path_decoding": "all-except-slash"},
    "gw2_unescape_all": {"profile": "grpc-gateway-v2", "path_decoding": "all"},
}
"""Recordings → settings. The recordings of plain v1 (`gw1`) are background: no profile of ours speaks it."""

LIKE_THE_REFERENCES = {"error_details": False, "stream_flush": "each", "http_trailers": True}
"""The settings that make ours comparable: no detail of its own, one chunk per message, real trailers."""

DECODING = {
    "legacy": "legacy",
    "reserved": "all-except-reserved",
    "slash": "all-except-slash",
    "all": "all",
    "all_except_reserved": "all-except-reserved",
    "all_except_slash": "all-except-slash",
    "all_characters": "all",
}

DEVIATIONS = {
    "http-route-method-unknown": "a method that the HTTP parser does not know gets the parser's 400 (gateway 2.4)",
    "http-md-reserved-grpc-trace-bin": "names starting with grpc- are dropped (gateway 6.1)",
}
"""Cases in which ours deliberately does something else than the reference, with the reason."""

V2_RULES_IN_45 = frozenset(vectors()["meta"]["rhacs45_deviations_when_v2_rules_are_used"]["ids"])
"""Ours keeps the v2 rules in the profile of 4.5 (gateway 0.2): there the recordings of 4.6 hold."""

IGNORED_HEADERS = frozenset(
    ("date", "server", "connection", "content-length", "transfer-encoding", "grpc-metadata-content-type")
)


def cases(kind: str) -> list[Any]:
    chosen = [case for case in vectors()["cases"] if case["kind"] == kind]
    return [pytest.param(case, id=case["id"]) for case in chosen if case["id"] not in DEVIATIONS]


def expectations(case: dict[str, Any]) -> list[dict[str, Any]]:
    expected = case["expect"][REFERENCE]
    return expected.get("any_of", [expected])


# ---------------------------------------------------------------------------------------------- modules


def populated(case: dict[str, Any]) -> dict[str, Any]:
    message = create(case["message_type"])
    bound = [tuple(path.split(".")) for path in case.get("path_bound_fields", ())]
    try:
        Populator(descriptor(case["message_type"]), bound).populate(message, split_query(case["query"]))
    except PopulationError as problem:
        return {"error": {"code": 3, "message": problem.message}}
    return {"wire": message.SerializeToString(deterministic=True)}


@pytest.mark.parametrize("case", cases("populate"))
def test_a_query_fills_the_message_like_the_reference(case: dict[str, Any]) -> None:
    found = populated(case)
    assert any(_is_population(case, expected, found) for expected in expectations(case)), found


def _is_population(case: dict[str, Any], expected: dict[str, Any], found: dict[str, Any]) -> bool:
    if "error" in expected:
        if "message_match" in expected or "message_match" in case or "error" not in found:
            return "error" in found
        return bool(found["error"] == expected["error"])
    if "wire_b64" in expected:
        wanted = create(case["message_type"])
        wanted.MergeFromString(base64.b64decode(expected["wire_b64"]))
    else:
        wanted = create(case["message_type"], expected["message"])
    return bool(found.get("wire") == wanted.SerializeToString(deterministic=True))


@pytest.mark.parametrize("case", cases("template_parse"))
def test_a_template_is_read_like_the_reference_does(case: dict[str, Any]) -> None:
    expected = case["expect"][REFERENCE]
    if expected["invalid"]:
        with pytest.raises(InvalidTemplate):
            parse_template(case["template"])
        return
    found = parse_template(case["template"])
    assert expected["verb"] == found.verb
    assert expected["variables"] == [variable.name for variable in found.variables]
    assert expected["canonical"] == str(found)


@pytest.mark.parametrize("case", cases("template_match"))
def test_a_path_is_matched_like_the_reference_does(case: dict[str, Any]) -> None:
    expected = case["expect"][REFERENCE]
    template, mode = parse_template(case["template"]), DECODING[case["unescape_mode"]]
    values, status = None, 404
    try:
        values = template.match(split_path(case["request_target"].partition("?")[0], mode), mode)
    except BadPath:
        status = 400
    assert expected["match"] == (values is not None)
    if values is None:
        assert expected["status"] == status
    else:
        assert expected["bindings"] == dict(
            zip((variable.name for variable in template.variables), values, strict=True)
        )


@pytest.mark.parametrize("case", cases("path_bound_filter"))
def test_a_bound_path_filters_like_the_reference_does(case: dict[str, Any]) -> None:
    expected = case["expect"][REFERENCE]["filtered"]
    assert expected == (bool(case["field_path"]) and is_bound(case["bound_paths"], case["field_path"]))


@pytest.mark.parametrize("case", cases("server_error_code"))
def test_the_code_of_an_error_class_has_an_http_status(case: dict[str, Any]) -> None:
    bodies = ErrorBodies(PROFILES["rhacs-4.6"], lambda _: "{}")
    assert bodies.http_status(case["expect"]["rhacs46"]["code"]) >= 400


# ------------------------------------------------------------------------------------------------- http


def exchanges() -> Iterator[Any]:
    for case in vectors()["cases"]:
        if case["kind"] != "http" or case["id"] in DEVIATIONS:
            continue
        for name in CONFIGURATIONS:
            for kind in BACKENDS:
                down = case["backend"].get("mode") == "down"
                if name in case["expect"] and not (down and kind == "in process"):
                    yield pytest.param(case, name, kind, id=f"{case['id']}-{name}-{kind.replace(' ', '-')}")


@pytest.mark.parametrize(("case", "name", "kind"), list(exchanges()))
async def test_an_exchange_is_like_the_recorded_one(case: dict[str, Any], name: str, kind: str) -> None:
    settings = GatewaySettings(**LIKE_THE_REFERENCES, **CONFIGURATIONS[name])
    address = "127.0.0.1:1" if case["backend"].get("mode") == "down" else ""
    async with listening(kind, service(case["service"]), settings=settings, address=address) as gateway:
        gateway.play(case["backend"])
        answer = await _exchange(gateway, case)
        await _settle(gateway)
        _compare(case, name, answer, gateway)


async def _exchange(gateway: Gateway, case: dict[str, Any]) -> Answer:
    request = case["request"]
    headers = [(key, value) for key, value in request["headers"]]
    body = request.get("body", "").encode()
    if "body_b64" in request:
        body = base64.b64decode(request["body_b64"])
    if "client_disconnect_after_ms" not in case:
        return await fetch(gateway.address, request["method"], request["target"], headers, body)
    reader, writer = await connect(gateway.address)
    writer.write(request_bytes(request["method"], request["target"], headers, body))
    reading = asyncio.create_task(read_answer(reader))
    await asyncio.sleep(case["client_disconnect_after_ms"] / 1000)
    writer.transport.abort()
    return await reading


async def _settle(gateway: Gateway) -> None:
    """The backend may learn of an end a little later than the client."""
    for seen in gateway.backend.calls:
        async with asyncio.timeout(1):
            await seen.ended.wait()


def _compare(case: dict[str, Any], name: str, answer: Answer, gateway: Gateway) -> None:
    recorded = case["expect"][name]
    like = "rhacs46" if name == "rhacs45" and case["id"] in V2_RULES_IN_45 else name
    expected = case["expect"].get(like, recorded)
    assert _status(expected, like) == answer.status
    _compare_headers(expected, answer, name)
    _compare_body(case, expected, answer, name)
    for key, value in expected.get("trailers", {}).items():
        assert value in [found for other, found in answer.trailers if other.lower() == key.lower()]
    _compare_call(expected["backend"], gateway)


def _status(expected: dict[str, Any], name: str) -> int:
    """A wrong method is 405 in every profile but that of plain v2 (gateway 2.4)."""
    wrong_method = expected["body"].get("json", {})
    is_routing = isinstance(wrong_method, dict) and wrong_method.get("message") == "Method Not Allowed"
    return 405 if is_routing and name == "rhacs46" else int(expected["status"])


def _compare_headers(expected: dict[str, Any], answer: Answer, name: str) -> None:
    for key, value in expected["headers"].items():
        lower = key.lower()
        if lower in IGNORED_HEADERS:
            continue
        if lower == "www-authenticate":  # a real challenge in every profile (gateway 4.2)
            assert answer.all(key) == ['Bearer realm="api"']
        elif lower == "cache-control" and name == "rhacs45":
            assert answer.all(key) == ["no-store"]
        elif lower == "content-type" and str(value).startswith("text/plain") and "text" in expected["body"]:
            assert answer.header(key) == "application/json"  # errors of ours are JSON (gateway 0.1)
        else:
            assert ([value] if isinstance(value, str) else value) == answer.all(key)
    for key in expected.get("absent_headers", ()):
        assert answer.all(key) == []


def _compare_body(case: dict[str, Any], expected: dict[str, Any], answer: Answer, name: str) -> None:
    body = expected["body"]
    loose = "message_match" in case
    if "json" in body:
        found = json.loads(answer.text)
        if expected["status"] >= 400:
            wanted = _unary(body["json"], name)
            assert _codes(wanted) == _codes(found) if loose else wanted == found
        else:
            assert body["json"] == found
    elif "json_sequence" in body:
        found_sequence = [json.loads(line) for line in answer.text.split("\n") if line]
        assert body["json_sequence"] == found_sequence
        assert answer.text.endswith("\n") or not found_sequence
        if "chunks" in body and answer.chunks:
            assert len(body["chunks"]) == len(answer.chunks)
    elif "text" in body and expected["status"] < 400:
        assert body["text"] == answer.text
    elif answer.body:
        assert json.loads(answer.text)["message"]


def _unary(error: dict[str, Any], name: str) -> dict[str, Any]:
    """The recorded error in the shape of the profile; they all carry the same values (gateway 0.1)."""
    shape = {key: error[key] for key in ("code", "message", "details")}
    return shape if name.startswith("gw2") else {**shape, "error": error["message"]}


def _codes(error: dict[str, Any]) -> tuple[Any, Any]:
    return error["code"], bool(error["message"])


def _compare_call(expected: dict[str, Any], gateway: Gateway) -> None:
    calls = gateway.backend.calls
    assert expected["called"] == bool(calls)
    if not calls or "method" not in expected:
        return
    (seen,) = calls
    assert seen.method.rpartition("/")[2] == expected["method"].rpartition("/")[2]
    method = method_of(gateway.services, seen.method)
    request = create(method.input_type.full_name)
    request.MergeFromString(seen.request)
    assert create(method.input_type.full_name, expected["request"]) == request, json_format.MessageToDict(request)
    ignored = {"user-agent", "content-type", "grpc-accept-encoding"}
    found = {key: values for key, values in seen.metadata.items() if key not in ignored}
    assert {key: _values(values) for key, values in expected["metadata"].items()} == found
    if "deadline_s_about" in expected:
        assert seen.seconds == pytest.approx(expected["deadline_s_about"], abs=2)
    if expected.get("cancelled"):
        assert seen.cancelled


def _values(values: list[str]) -> list[str | bytes]:
    return [base64.b64decode(value[4:]) if value.startswith("b64:") else value for value in values]


def test_every_kind_of_case_is_run() -> None:
    """Accept and health have no cases here; ours parses Accept properly, see test_negotiation and test_health."""
    run = {"populate", "template_parse", "template_match", "path_bound_filter", "server_error_code", "http"}
    assert run == {case["kind"] for case in vectors()["cases"]}
