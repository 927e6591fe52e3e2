"""JSON bodies → messages (gateway 3.2)."""

from __future__ import annotations

import pytest
from google.protobuf import json_format

from podledger_gateway.body import BadJson, merge_body, parse_json
from tests.fakes.gateway_types import create

EVERYTHING = "gwtest.v1.Everything"


def read(body: bytes, field: str = "") -> dict:
    message = create(EVERYTHING)
    merge_body(body, message, field=field, pool=message.DESCRIPTOR.file.pool)
    return json_format.MessageToDict(message)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", {}),
        (b" \r\n\t", {}),
        (b'{"string_value":"a","int32Value":1}', {"stringValue": "a", "int32Value": 1}),
        (b'{"unknown":{"x":[1]},"nested":null}', {}),
        (b'{"enumValue":"ZED","repeatedEnum":[1,"Z"]}', {"enumValue": "Z", "repeatedEnum": ["Y", "Z"]}),
        (b'{"stringValue":"a"} trailing garbage', {"stringValue": "a"}),
        (
            b'{"bytesValue":"YQ","repeatedBytes":["_-8=","_-8","+/8="]}',
            {"bytesValue": "YQ==", "repeatedBytes": ["/+8=", "/+8=", "+/8="]},
        ),
        (
            b'{"mapMessage":{"a":{}},"children":[{}],"emptyValue":{}}',
            {"mapMessage": {"a": {}}, "children": [{}], "emptyValue": {}},
        ),
        (
            b'{"structValue":{"nested":3},"listValue":[1],"structValueValue":"x"}',
            {"structValue": {"nested": 3.0}, "listValue": [1.0], "structValueValue": "x"},
        ),
        ('{"stringValue":"\\ud83d\\ude00é"}'.encode(), {"stringValue": "😀é"}),
    ],
)
def test_a_body_is_read_like_the_reference_does(body, expected):
    assert expected == read(body)


@pytest.mark.parametrize(
    ("field", "body", "expected"),
    [
        ("enum_value", b'"Y"', {"enumValue": "Y"}),
        ("enum_value", b"1", {"enumValue": "Y"}),
        ("repeated_value", b'["a"]', {"repeatedValue": ["a"]}),
        ("map_value", b'{"a":"b"}', {"mapValue": {"a": "b"}}),
        ("nested", b'{"boolValue":true}', {"nested": {"boolValue": True}}),
        ("string_value", b'"x"', {"stringValue": "x"}),
    ],
)
def test_one_field_may_be_the_body(field, body, expected):
    assert expected == read(body, field)


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"nul",
        b"3",
        b"[]",
        b'"a"',
        b'{"nested":[]}',
        b'{"nested":"x"}',
        b'{"children":["x"]}',
        b'{"mapMessage":{"a":[]}}',
        b'{"emptyValue":1}',
        b'{"stringValue":"a","string_value":"b"}',
        b'{"bytesValue":"!"}',
        b'{"repeatedBytes":["YQ=!="]}',
        b"null",
        b"\xff",
        b'{"stringValue":"\xff"}',
        b'{"stringValue":"\\ud800"}',
        b'{"\\ud800":1}',
        b'{"int32Value":NaN}',
        b'{"doubleValue":1e999}',
        b'{"int32Value":2147483648}',
        b'{"stringValue":"a","stringValue":"b"}',
        b'{"anyValue":{"@type":"x/acme.Unknown"}}',
        b'{"timestampValue":"now"}',
        b"[" * 100_000,
        b'{"nested":' * 500 + b"{}" + b"}" * 500,
        b'{"int64Value":' + b"9" * 5000 + b"}",
    ],
    ids=lambda body: body[:40].decode("latin-1"),
)
def test_what_is_no_json_of_the_message_is_told(body):
    with pytest.raises(BadJson) as error:
        read(body)
    str(error.value).encode()


def test_a_parameter_is_one_json_value_and_nothing_else():
    assert parse_json(b' {"a":1} ') == {"a": 1}
    with pytest.raises(BadJson):
        parse_json(b"1 2")
