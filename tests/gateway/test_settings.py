"""Settings: names, defaults, what is refused (gateway 8.7)."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from podledger_gateway.settings import GatewaySettings, StandaloneSettings


def test_the_defaults_are_those_of_the_specification():
    found = StandaloneSettings()
    expected = {
        "profile": "rhacs-4.5", "strict_query_params": False, "error_details": True, "indexed_messages": False,
        "enum_any_case": False, "path_decoding": "legacy", "form_post": True, "method_override": True,
        "auth_realm": "api", "stream_flush": "batched", "early_headers": False, "forward_headers": (),
        "default_timeout": None, "max_timeout": None, "http_trailers": False, "auto_map": False,
        "backend_ca": "", "tls_cert": "", "tls_key": "",
    }  # fmt: skip
    assert expected == {name: getattr(found, name) for name in expected}


def test_lists_may_be_one_text():
    assert GatewaySettings(forward_headers="Traceparent, x-request-id").forward_headers == (
        "traceparent",
        "x-request-id",
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("forward_headers", "host"),
        ("forward_headers", "grpc-timeout"),
        ("forward_headers", "x-bin"),
        ("cors_origins", "*"),
        ("cors_origins", "https://a/"),
        ("cors_origins", "ui.example.com"),
        ("profile", "v3"),
        ("max_timeout", 0),
        ("nothing", 1),
    ],
)
def test_what_cannot_be_is_refused(name, value):
    with pytest.raises(ValidationError):
        GatewaySettings(**{name: value})
