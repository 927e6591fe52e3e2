"""Headers ↔ metadata: what passes, what is dropped, deadlines (gateway 6)."""

from __future__ import annotations

import pytest

from podledger_gateway.metadata import BadHeader, parse_timeout, request_metadata, response_headers, trailer_headers


def test_listed_headers_get_a_prefix_and_all_others_are_dropped():
    headers = [("Accept", "a"), ("X-Request-Id", "1"), ("Traceparent", "2"), ("Cookie", "c"), ("Forwarded", "for=x")]
    assert request_metadata(headers) == [("grpcgateway-accept", "a"), ("grpcgateway-cookie", "c")]


def test_authorization_passes_plain_as_well():
    expected = [("authorization", "Bearer x"), ("grpcgateway-authorization", "Bearer x")]
    assert expected == request_metadata([("Authorization", "Bearer x")])


def test_a_real_authorization_wins_over_a_claimed_one():
    claimed = ("Grpc-Metadata-Authorization", "Bearer forged")
    assert request_metadata([claimed]) == [("authorization", "Bearer forged")]
    assert request_metadata([claimed, ("Authorization", "Bearer x")])[0] == ("authorization", "Bearer x")
    assert ("authorization", "Bearer forged") not in request_metadata([claimed, ("Authorization", "Bearer x")])


def test_the_prefix_names_metadata_and_commas_do_not_split():
    headers = [("Grpc-Metadata-Foo", "a, b"), ("grpc-metadata-FOO", "c")]
    assert request_metadata(headers) == [("foo", "a, b"), ("foo", "c")]


@pytest.mark.parametrize(
    "name",
    ["", "Connection", "X-Forwarded-For", "X-Forwarded-Host", "Grpc-Timeout", "grpc-trace-bin", ":authority", "TE",
     "Content-Type", "Content-Length", "User-Agent", "Host", "Keep-Alive", "Proxy-Authorization", "Transfer-Encoding",
     "Upgrade", "a b", "å", "a/b"],
)  # fmt: skip
def test_reserved_and_illegal_names_are_dropped(name):
    assert request_metadata([(f"Grpc-Metadata-{name}", "AAAA")]) == []


@pytest.mark.parametrize("value", ["Gjøvik", "a\x01", "a\x7f", "a\tb", "\udcff"])
def test_a_value_outside_of_printable_ascii_drops_the_header(value):
    assert request_metadata([("Grpc-Metadata-K", value), ("Accept", value), ("X-Forwarded-For", value)]) == []


def test_a_binary_header_is_decoded():
    assert request_metadata([("Grpc-Metadata-A-Bin", "AAE="), ("Grpc-Metadata-B-Bin", "AAE")]) == [
        ("a-bin", b"\x00\x01"),
        ("b-bin", b"\x00\x01"),
    ]


def test_a_bad_binary_header_is_an_error():
    with pytest.raises(BadHeader) as error:
        request_metadata([("grpc-metadata-test-BIN", "AA!A")])
    assert str(error.value) == "invalid binary header Grpc-Metadata-Test-Bin: illegal base64 data at input byte 2"


def test_the_peer_is_the_last_of_the_chain():
    headers = [("X-Forwarded-For", "1.1.1.1, 2.2.2.2"), ("X-Forwarded-For", "3.3.3.3"), ("Host", "a:80")]
    expected = [("x-forwarded-host", "a:80"), ("x-forwarded-for", "1.1.1.1, 2.2.2.2, 3.3.3.3, 9.9.9.9")]
    assert expected == request_metadata(headers, peer="9.9.9.9")


def test_a_forwarded_host_wins():
    assert request_metadata([("Host", "a"), ("X-Forwarded-Host", "b")]) == [("x-forwarded-host", "b")]


def test_further_headers_are_forwarded_under_their_own_names():
    assert request_metadata([("Traceparent", "00")], forward=["traceparent"]) == [("traceparent", "00")]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", None),
        ("0S", None),
        ("1H", 3600),
        ("2M", 120),
        ("+5S", 5),
        ("50m", 0.05),
        ("7u", 7e-6),
        ("100000000000n", 100),
        ("9223372036854775807H", 1e9),
    ],
)
def test_a_timeout_is_digits_and_a_unit(value, expected):
    assert parse_timeout(value) == pytest.approx(expected)


@pytest.mark.parametrize(
    "value", ["5", "S", "INVALID", "1 S", "-1S", "1.5S", "1s", "9223372036854775808S", "1é", "\udcff"]
)
def test_a_malformed_timeout_is_an_error(value):
    with pytest.raises(BadHeader) as error:
        parse_timeout(value)
    assert str(error.value) == f"invalid grpc-timeout: {value}"


def test_a_timeout_has_a_default_and_a_maximum():
    assert parse_timeout("", default=3) == 3
    assert parse_timeout("1H", default=3, maximum=60) == 60
    assert parse_timeout("", maximum=60) == 60
    assert parse_timeout("0S", maximum=60) == 60


def test_response_metadata_becomes_headers():
    initial = [("foo-bar", "1"), ("foo-bar", "2"), ("x-bin", b"\x00\xff"), ("set-cookie", "a=b"), ("content-type", "c")]
    assert response_headers(initial) == [
        ("Grpc-Metadata-Foo-Bar", "1"),
        ("Grpc-Metadata-Foo-Bar", "2"),
        ("Grpc-Metadata-X-Bin", "AP8="),
        ("Set-Cookie", "a=b"),
    ]
    assert trailer_headers([("foo", "1"), ("set-cookie", "a=b")]) == [
        ("Grpc-Trailer-Foo", "1"),
        ("Grpc-Trailer-Set-Cookie", "a=b"),
    ]


@pytest.mark.parametrize("value", ["a\r\nSet-Cookie: b", "\x00", "é"])
def test_response_metadata_cannot_forge_headers(value):
    assert response_headers([("k", value), ("k: x\r\n", "v")]) == []
