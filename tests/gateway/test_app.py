"""Exchanges with a listening gateway over both backends: routing, calls, errors, headers (gateway 0-4, 6)."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from podledger_gateway.settings import GatewaySettings
from tests.fakes.gateway_types import create
from tests.fakes.gateways import BACKENDS, POD_SERVICE, TRANSCODE_TEST, listening
from tests.fakes.raw_http import Answer, fetch

pytestmark = pytest.mark.parametrize("kind", BACKENDS)

IGNORED = "X-Podledger-Ignored-Parameters"
UI = "https://ui.example.com"
MANY_PODS = [{"pods": [{"id": str(number)} for number in range(200)]}]


def settings(**values: Any) -> GatewaySettings:
    return GatewaySettings(**values)


def value(answer: Answer) -> Any:
    return json.loads(answer.text)


# --------------------------------------------------------------------------------------------- answers


async def test_an_answer_carries_the_headers_of_every_response(kind):
    async with listening(kind) as gateway:
        answer = await gateway.get("/v1/pods")
    assert (200, '{"pods":[]}') == (answer.status, answer.text)
    for name, expected in (
        ("Content-Type", "application/json"),
        ("Content-Length", "11"),
        ("Cache-Control", "no-store"),
        ("Vary", "Accept-Encoding"),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
        ("Server", "podledger_gateway"),
    ):
        assert [expected] == answer.all(name)
    assert answer.all("Access-Control-Allow-Origin") == answer.all(IGNORED) == []


@pytest.mark.parametrize("target", ["/v1/pods?pretty", "/v1/pods?pretty=false", "/v1/pods?query=a&pretty=1"])
async def test_pretty_is_an_indent_of_two(kind, target):
    async with listening(kind) as gateway:
        answer = await gateway.get(target)
        assert gateway.backend.calls[0].metadata["grpcgateway-accept"] == ["application/json+pretty"]
    assert ('{\n  "pods": []\n}', "application/json", []) == (
        answer.text,
        answer.header("Content-Type"),
        answer.all(IGNORED),
    )


async def test_errors_are_pretty_too(kind):
    async with listening(kind) as gateway:
        accept = ("Accept", "application/json+pretty")
        for target in ("/nope", "/v1/pods?pagination.limit=x"):
            assert (await gateway.get(target, accept)).text.startswith('{\n  "error": ')
        gateway.play(status={"code": 5, "message": "gone"})
        assert (await gateway.get("/v1/pods", accept)).text.startswith('{\n  "error": "gone"')


async def test_a_large_answer_is_compressed_when_the_client_likes_that(kind):
    async with listening(kind) as gateway:
        gateway.play(messages=MANY_PODS)
        packed = await gateway.get("/v1/pods", ("Accept-Encoding", "gzip"))
        plain = await gateway.get("/v1/pods")
        gateway.play(messages=[{}])
        small = await gateway.get("/v1/pods", ("Accept-Encoding", "gzip"))
    assert (["gzip"], [], []) == tuple(answer.all("Content-Encoding") for answer in (packed, plain, small))
    assert plain.body == gzip.decompress(packed.body)


# ------------------------------------------------------------------------------------------ population


async def test_unknown_parameters_are_listed(kind):
    target = "/v1/pods?pagination.limt=1&query=a&b%0d%0aX:=2&pagination.limt=3&pretty"
    async with listening(kind) as gateway:
        answer = await gateway.get(target)
        gateway.play(status={"code": 5, "message": "gone"})
        failed = await gateway.get(target)
        expired = await gateway.get(target, ("Grpc-Timeout", "1n"))
    for found, status in ((answer, 200), (failed, 404), (expired, 504)):
        assert (status, ["pagination.limt, b%0D%0AX%3A"]) == (found.status, found.all(IGNORED))


@pytest.mark.parametrize("target", ["/v1/pods", "/v1/export/pods"])
async def test_strictness_is_asked_for_by_the_client_or_set(kind, target):
    message = 'unknown query parameter "qery"; did you mean "query"?'
    violation = {"field": "qery", "description": message, "reason": "", "localizedMessage": None}
    details = [{"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [violation]}]
    expected = {"error": message, "code": 3, "message": message, "details": details}
    async with listening(kind) as gateway:
        assert (await gateway.get(f"{target}?qery=a")).status == 200
        answer = await gateway.get(f"{target}?qery=a", ("Prefer", "handling=strict"))
        assert (400, expected) == (answer.status, value(answer))
    async with listening(kind, settings=settings(strict_query_params=True, error_details=False)) as gateway:
        assert value(await gateway.get(f"{target}?qery=a")) == {**expected, "details": []}


async def test_a_malformed_query_concerns_no_field(kind):
    async with listening(kind) as gateway:
        error = value(await gateway.get("/v1/pods?query=%zz"))
        assert gateway.backend.calls == []
    assert error["message"] == 'invalid URL escape "%zz"'
    assert error["details"][0]["fieldViolations"][0]["field"] == ""


async def test_a_path_variable_that_does_not_fit_is_named(kind):
    async with listening(kind, TRANSCODE_TEST) as gateway:
        error = value(await gateway.get("/v1/p/nestedint/x"))
    cause = 'parsing field "int32_value": strconv.ParseInt: parsing "x": invalid syntax'
    assert error["message"] == f"type mismatch, parameter: nested.int32_value, error: {cause}"
    assert error["details"][0]["fieldViolations"][0]["field"] == "nested.int32_value"


async def test_ten_thousand_and_one_parameters_are_refused(kind):
    async with listening(kind) as gateway:
        assert (await gateway.post("/v1/pods", "&".join(["a=1"] * 10_000))).status == 200
        answer = await gateway.post("/v1/pods", "&".join(["a=1"] * 10_001))
    assert (400, "number of URL query parameters exceeded limit") == (answer.status, value(answer)["message"])


@pytest.mark.parametrize("target", ["/v1/pods?query=%ff", "/v1/pods?%ff=1", "/v1/pods?%ff%ff[%ff]=%ff"])
async def test_invalid_utf8_is_never_an_error_of_the_server(kind, target):
    async with listening(kind) as gateway:
        answer = await gateway.get(target)
        strict = await gateway.get(target, ("Prefer", "handling=strict"))
    assert (answer.status, strict.status) == ((400, 400) if "query=" in target else (200, 400))


# ------------------------------------------------------------------------------------- paths and methods


@pytest.mark.parametrize(
    ("target", "status", "code", "message"),
    [
        ("/nope", 404, 5, "Not Found"),
        ("/", 404, 5, "Not Found"),
        ("/v1/pods/", 404, 5, "Not Found"),
        ("/v1/%zz", 400, 3, "Bad Request"),
        ("/v1/pods%", 400, 3, "Bad Request"),
        ("*", 400, 3, "Bad Request"),
    ],
)
@pytest.mark.parametrize("profile", ["rhacs-4.5", "rhacs-4.6", "grpc-gateway-v2", "rhacs-union"])
async def test_routing_errors_are_json_in_the_shape_of_the_profile(kind, target, status, code, message, profile):
    members = {"code": code, "message": message, "details": []}
    expected = members if profile == "grpc-gateway-v2" else {**members, "error": message}
    async with listening(kind, settings=settings(profile=profile)) as gateway:
        answer = await gateway.get(target)
    assert (status, "application/json", expected) == (answer.status, answer.header("Content-Type"), value(answer))
    assert answer.all("Cache-Control") == ["no-store, no-cache" if profile == "rhacs-4.6" else "no-store"]


@pytest.mark.parametrize(
    ("profile", "status"), [("rhacs-4.5", 405), ("rhacs-4.6", 405), ("rhacs-union", 405), ("grpc-gateway-v2", 501)]
)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE"])
async def test_a_wrong_method_tells_the_right_ones(kind, profile, status, method):
    async with listening(kind, settings=settings(profile=profile)) as gateway:
        answer = await gateway.get("/v1/pods", method=method)
    assert (status, 12, "Method Not Allowed") == (answer.status, value(answer)["code"], value(answer)["message"])
    assert answer.all("Allow") == ["GET, HEAD, OPTIONS"]


async def test_head_is_get_without_a_body(kind):
    async with listening(kind) as gateway:
        answer = await gateway.get("/v1/pods?query=a", method="HEAD")
        assert [seen.request for seen in gateway.backend.calls] == [
            create("v1.RawQuery", {"query": "a"}).SerializeToString()
        ]
        stream = await gateway.get("/v1/export/pods", method="HEAD")
        assert len(gateway.backend.calls) == 1
    assert (200, "11", "application/json") == (
        answer.status,
        answer.header("Content-Length"),
        answer.header("Content-Type"),
    )
    assert (200, "application/json") == (stream.status, stream.header("Content-Type"))


async def test_options_tells_the_methods(kind):
    async with listening(kind) as gateway:
        answer = await gateway.get("/v1/pods", method="OPTIONS")
        assert (204, ["GET, HEAD, OPTIONS"], b"") == (answer.status, answer.all("Allow"), answer.body)
        assert (await gateway.get("/nope", method="OPTIONS")).status == 404
        assert (await gateway.get("/v1/%", method="OPTIONS")).status == 400
        assert (await gateway.get("*", method="OPTIONS")).status == 204


@pytest.mark.parametrize(
    "target", ["http://gateway.test/v1/pods?query=a", "http://x:1/v1/pods?query=a", "/v1/po%64s?query=a"]
)
async def test_other_spellings_of_a_target_are_the_same(kind, target):
    async with listening(kind) as gateway:
        assert (await gateway.get(target)).status == 200
        assert gateway.backend.calls[0].request == create("v1.RawQuery", {"query": "a"}).SerializeToString()


# ------------------------------------------------------------------------------------- forms and bodies


async def test_a_posted_form_is_a_query_and_comes_before_it(kind):
    async with listening(kind) as gateway:
        answer = await gateway.post("/v1/pods?pagination.limit=5", "query=Namespace%3Aa%2Bb+c")
        expected = create("v1.RawQuery", {"query": "Namespace:a+b c", "pagination": {"limit": 5}})
        assert (200, expected.SerializeToString()) == (answer.status, gateway.backend.calls[0].request)
        both = await gateway.post("/v1/pods?query=b", "query=a")
    assert value(both)["message"] == 'too many values for field "query": a, b'


async def test_a_form_may_have_a_charset_and_a_stream_takes_it_too(kind):
    async with listening(kind) as gateway:
        content_type = ("Content-Type", "Application/X-WWW-Form-Urlencoded; charset=utf-8")
        answer = await fetch(gateway.address, "POST", "/v1/export/pods", [content_type], b"query=a")
        assert (200, "/v1.PodService/ExportPods") == (answer.status, gateway.backend.calls[0].method)


async def test_form_and_override_can_be_switched_off(kind):
    override = ("X-HTTP-Method-Override", "delete")
    async with listening(kind) as gateway:
        assert (await gateway.post("/v1/pods", "", override)).status == 405
    async with listening(kind, settings=settings(method_override=False)) as gateway:
        assert (await gateway.post("/v1/pods", "", override)).status == 200
    async with listening(kind, settings=settings(form_post=False)) as gateway:
        assert (await gateway.post("/v1/pods", "")).status == 405


async def test_put_never_falls_back(kind):
    form = ("Content-Type", "application/x-www-form-urlencoded")
    async with listening(kind) as gateway:
        assert (await gateway.get("/v1/pods", form, method="PUT", body=b"query=a")).status == 405


async def test_a_body_on_get_is_ignored(kind):
    async with listening(kind) as gateway:
        answer = await gateway.get("/v1/pods", ("Content-Type", "application/json"), body=b'{"query":"x"}')
        assert (200, b"") == (answer.status, gateway.backend.calls[0].request)


@pytest.mark.parametrize(
    ("headers", "body", "status", "code"),
    [
        ([("Content-Encoding", "gzip")], b"x", 415, 3),
        ([], b"x" * 2001, 413, 8),
        ([("Content-Length", "99999999999")], b"", 413, 8),
    ],
)
async def test_a_body_has_limits(kind, headers, body, status, code):
    async with listening(kind, TRANSCODE_TEST, settings=settings(max_body_bytes=2000)) as gateway:
        answer = await fetch(gateway.address, "POST", "/v1/body", headers, body)
        assert gateway.backend.calls == []
    assert (status, code) == (answer.status, value(answer)["code"])


async def test_with_the_whole_message_as_body_the_query_is_not_read(kind):
    async with listening(kind, TRANSCODE_TEST) as gateway:
        gateway.play(mode="echo")
        answer = await fetch(
            gateway.address, "POST", "/v1/body/a?int32_value=x&%zz", [], b'{"stringValue":"b","boolValue":true}'
        )
    found = value(answer)
    assert (200, "a", True) == (answer.status, found["stringValue"], found["boolValue"])


async def test_with_a_field_as_body_the_rest_of_the_query_is_read(kind):
    async with listening(kind, TRANSCODE_TEST) as gateway:
        gateway.play(mode="echo")
        target = "/v1/bodynested/a?int32_value=5&nested.string_value=ignored"
        answer = await fetch(gateway.address, "POST", target, [], b'{"stringValue":"b"}')
        bad = await fetch(gateway.address, "POST", target, [], b"{")
    found = value(answer)
    assert ("a", 5, "b") == (found["stringValue"], found["int32Value"], found["nested"]["stringValue"])
    assert (400, 3, []) == (bad.status, value(bad)["code"], value(bad)["details"])


async def test_one_field_of_the_reply_may_be_the_body(kind):
    async with listening(kind, TRANSCODE_TEST) as gateway:
        gateway.play(messages=[{"int64Value": "5", "stringValue": "a"}])
        for name, expected in (
            ("nested", "null"),
            ("string", '"a"'),
            ("int64", '"5"'),
            ("enum", '"X"'),
            ("children", "[]"),
        ):
            assert expected == (await gateway.get(f"/v1/rb/{name}")).text


@pytest.mark.parametrize(
    ("content_type", "shown"), [("text/csv; charset=x", "text/csv; charset=x"), ("", "application/octet-stream")]
)
async def test_an_http_body_is_sent_as_it_is(kind, content_type, shown):
    async with listening(kind, TRANSCODE_TEST) as gateway:
        gateway.play(messages=[{"contentType": content_type, "data": "AP8="}])
        answer = await gateway.get("/v1/download")
    assert (200, shown, b"\x00\xff") == (answer.status, answer.header("Content-Type"), answer.body)


# ---------------------------------------------------------------------------------------------- errors


async def test_an_error_of_the_backend_keeps_its_code_details_and_metadata(kind):
    details = [
        {"type_url": "x/acme.Unknown", "value_b64": "AQ=="},
        {"json": {"@type": "x/google.rpc.RequestInfo", "requestId": "r"}},
    ]
    async with listening(kind) as gateway:
        gateway.play(
            status={"code": 9, "message": "not now", "details": details},
            header_md=[["a-b", "1"]],
            trailer_md=[["c", "2"]],
        )
        answer = await gateway.get("/v1/pods")
    assert (400, ["1"], []) == (answer.status, answer.all("Grpc-Metadata-A-B"), answer.all("Grpc-Trailer-C"))
    assert value(answer)["details"] == [
        {"@type": "x/acme.Unknown", "value": "AQ=="},
        {"@type": "x/google.rpc.RequestInfo", "requestId": "r", "servingData": ""},
    ]


async def test_unauthenticated_is_a_real_challenge(kind):
    async with listening(kind, settings=settings(auth_realm='pod"s')) as gateway:
        gateway.play(status={"code": 16, "message": "a\r\nb"})
        answer = await gateway.get("/v1/pods")
        stream = await gateway.get("/v1/export/pods")
    assert (401, ['Bearer realm="pod\\"s"']) == (answer.status, answer.all("WWW-Authenticate"))
    assert (401, []) == (stream.status, stream.all("WWW-Authenticate"))


async def test_a_retry_delay_becomes_a_header(kind):
    info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1.5s"}
    async with listening(kind) as gateway:
        gateway.play(status={"code": 8, "message": "busy", "details": [{"json": info}]})
        for target in ("/v1/pods", "/v1/export/pods"):
            answer = await gateway.get(target)
            assert (429, ["2"]) == (answer.status, answer.all("Retry-After"))


async def test_a_deadline_is_passed_on_and_enforced(kind):
    async with listening(kind, settings=settings(max_timeout=60)) as gateway:
        await gateway.get("/v1/pods", ("Grpc-Timeout", "1H"))
        assert gateway.backend.calls[0].seconds == pytest.approx(60, abs=1)
        gateway.play(wait_cancel=True)
        answer = await gateway.get("/v1/pods", ("Grpc-Timeout", "50m"))
    assert (504, 4, "context deadline exceeded") == (answer.status, value(answer)["code"], value(answer)["message"])


async def test_a_reply_that_is_no_message_is_an_internal_error(kind):
    async with listening(kind, TRANSCODE_TEST) as gateway:
        beyond_all_years = b"\xb2\x01\x08\x08" + b"\xff" * 6 + b"\x7f"  # timestamp_value
        for message in (b"\xff", beyond_all_years):
            gateway.play(messages=[message])
            answer = await gateway.get("/v1/echo?nothing=1")
            assert (500, 13, ["nothing"]) == (answer.status, value(answer)["code"], answer.all(IGNORED))


# ------------------------------------------------------------------------------------ trailers, origins


async def test_trailing_metadata_goes_to_clients_that_accept_trailers(kind):
    async with listening(kind) as gateway:
        gateway.play(trailer_md=[["foo", "1"]])
        plain = await gateway.get("/v1/pods")
        accepting = await gateway.get("/v1/pods", ("TE", "gzip, Trailers"))
        stream = await gateway.get("/v1/export/pods", ("TE", "trailers"))
    assert [[], ["1"], []] == [answer.all("Grpc-Trailer-Foo") for answer in (plain, accepting, stream)]


async def test_real_trailers_are_an_option(kind):
    async with listening(kind, settings=settings(http_trailers=True)) as gateway:
        gateway.play(trailer_md=[["foo", "1"], ["bar", "2"]])
        answer = await gateway.get("/v1/pods", ("TE", "trailers"))
        gateway.play(trailer_md=[["foo", "1"]], status={"code": 5, "message": "gone"})
        failed = await gateway.get("/v1/pods", ("TE", "trailers"))
    assert (["Grpc-Trailer-Foo", "Grpc-Trailer-Bar"], '{"pods":[]}') == (answer.all("Trailer"), answer.text)
    assert [("Grpc-Trailer-Foo", "1"), ("Grpc-Trailer-Bar", "2")] == answer.trailers
    assert (404, [("Grpc-Trailer-Foo", "1")]) == (failed.status, failed.trailers)


async def test_listed_origins_may_read_and_ask_before(kind):
    async with listening(kind, settings=settings(cors_origins=UI)) as gateway:
        gateway.play(header_md=[["a", "1"]])
        answer = await gateway.get("/v1/pods?nothing", ("Origin", UI))
        other = await gateway.get("/v1/pods", ("Origin", "https://evil"))
        ask = [("Origin", UI), ("Access-Control-Request-Method", "GET"), ("Access-Control-Request-Headers", "prefer")]
        preflight = await gateway.get("/v1/pods", *ask, method="OPTIONS")
    assert answer.all("Access-Control-Allow-Origin") == [UI]
    assert {"Grpc-Metadata-A", IGNORED} <= set(answer.header("Access-Control-Expose-Headers").split(", "))
    assert other.all("Access-Control-Allow-Origin") == []
    assert answer.all("Vary") == ["Accept-Encoding", "Origin"]
    assert (204, [UI], ["prefer"]) == (
        preflight.status,
        preflight.all("Access-Control-Allow-Origin"),
        preflight.all("Access-Control-Allow-Headers"),
    )


async def test_a_cross_site_post_is_refused(kind):
    async with listening(kind) as gateway:
        answer = await gateway.post("/v1/pods", "query=a", ("Sec-Fetch-Site", "cross-site"))
        assert gateway.backend.calls == []
    assert (403, 7) == (answer.status, value(answer)["code"])


async def test_local_mode_answers_to_local_names_only(kind):
    async with listening(kind, local_names=["localhost"]) as gateway:
        assert (await gateway.get("/v1/pods", ("Host", "localhost:80"))).status == 200
        assert (await gateway.get("/v1/pods")).status == 403
        assert (await gateway.get("/v1/pods", ("Host", "localhost"), ("X-Forwarded-For", "x"))).status == 403


# ---------------------------------------------------------------------------------- pages, health, names


async def test_the_index_is_what_the_program_says(kind):
    async with listening(kind, index={"name": "x"}, name="podledger") as gateway:
        answer = await gateway.get("/")
        wrong = await gateway.post("/", "")
    assert ({"name": "x"}, "podledger") == (value(answer), answer.header("Server"))
    assert (405, ["GET, HEAD, OPTIONS"]) == (wrong.status, wrong.all("Allow"))


async def test_two_services_are_served_side_by_side(kind):
    async with listening(kind, POD_SERVICE, TRANSCODE_TEST) as gateway:
        await gateway.get("/v1/pods")
        await gateway.get("/v1/echo")
        assert [seen.method for seen in gateway.backend.calls] == [
            "/v1.PodService/GetPods",
            "/gwtest.v1.TranscodeTest/Echo",
        ]


async def test_unannotated_methods_can_be_mapped(kind):
    async with listening(kind, TRANSCODE_TEST, settings=settings(auto_map=True)) as gateway:
        gateway.play(mode="echo")
        answer = await fetch(gateway.address, "POST", "/gwtest.v1.TranscodeTest/Unbound", [], b'{"stringValue":"a"}')
    assert (200, "a") == (answer.status, value(answer)["stringValue"])
