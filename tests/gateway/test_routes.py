"""Which binding answers: last one wins, methods, form fallback, override, shadows (gateway 2.2, 2.4, 2.6)."""

from __future__ import annotations

import pytest

from podledger_gateway.routes import NotFound, Router, WrongMethod, shadowed
from podledger_gateway.rules import bindings
from tests.fakes.gateways import POD_SERVICE, TRANSCODE_TEST

ROUTER = Router(bindings([TRANSCODE_TEST]))


def test_the_binding_registered_last_wins():
    assert ROUTER.find("GET", "/v1/over/literal").values == ()
    assert ROUTER.find("GET", "/v1/things/1:archive").values == ("1",)
    assert ROUTER.find("GET", "/v1/items/1:archive").values == ("1:archive",)


def test_a_shadowed_binding_is_reported_once_for_each():
    sentences = shadowed(bindings([TRANSCODE_TEST]))
    assert [sentence.split(" of ")[0] for sentence in sentences] == [
        "GET /v1/items/{string_value=*}:archive",
        "GET /v1/items/{string_value=*}:a:b",
    ]
    assert "is never reached: GET /v1/items/{string_value=*} of" in sentences[0]
    assert shadowed(bindings([POD_SERVICE])) == []


@pytest.mark.parametrize("path", ["/nope", "/v1/things/:archive", "/v1/pods", "/v1/echo/a/b"])
def test_an_unknown_path_is_not_found(path):
    with pytest.raises(NotFound):
        ROUTER.find("GET", path)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/v1/echo", ["GET", "HEAD", "OPTIONS"]),
        ("GET", "/v1/del/x", ["DELETE", "OPTIONS"]),
        ("PATCH", "/v1/bodystr", ["PUT", "OPTIONS"]),
        ("POST", "/v1/headable", ["GET", "HEAD", "OPTIONS"]),
    ],
)
def test_a_wrong_method_tells_which_ones_are_right(method, path, allowed):
    with pytest.raises(WrongMethod) as error:
        ROUTER.find(method, path)
    assert allowed == error.value.allowed == ROUTER.allowed(path)


def test_head_falls_back_to_get():
    assert ROUTER.find("HEAD", "/v1/echo").binding.http_method == "GET"
    assert ROUTER.find("HEAD", "/v1/headable").binding.http_method == "HEAD"


def test_a_form_falls_back_to_get():
    assert ROUTER.find("POST", "/v1/echo", form=True).form
    assert ROUTER.find("POST", "/v1/echo", form=True, override="GET").form


def test_a_binding_to_post_without_a_body_takes_a_form_too():
    assert ROUTER.find("POST", "/v1/postnobody", form=True).form
    assert not ROUTER.find("POST", "/v1/postnobody").form
    assert not ROUTER.find("POST", "/v1/body", form=True).form


@pytest.mark.parametrize(("path", "override"), [("/v1/echo", "DELETE"), ("/v1/del/x", "DELETE"), ("/v1/echo", "PUT")])
def test_an_override_reaches_reads_only(path, override):
    with pytest.raises(WrongMethod):
        ROUTER.find("POST", path, form=True, override=override)
