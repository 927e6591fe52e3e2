"""The compiled encoders against json_format, over random messages of all field types (gateway 3.1)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.protobuf import descriptor_pool, json_format, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from podledger_gateway.jsonenc import Encoders, encoder
from podledger_gateway.rules import entry_fields, is_map
from tests.fakes.gateway_types import compile_protos, create, descriptor, gwtest_pool

EVERYTHING = "gwtest.v1.Everything"
ENCODERS = Encoders([gwtest_pool()])
ENCODE = ENCODERS.message(descriptor(EVERYTHING))


def shown(message: Message) -> Any:
    return json.loads(ENCODERS.message(message.DESCRIPTOR)(message.SerializeToString()))


def everything(value: dict[str, Any]) -> Any:
    return shown(create(EVERYTHING, value))


# ------------------------------------------------------------------------------------------- reference


def reference(message: Message) -> Any:
    """What json_format says, with the nulls that it cannot write."""
    value = json_format.MessageToDict(
        message, always_print_fields_with_no_presence=True, descriptor_pool=message.DESCRIPTOR.file.pool
    )
    return _with_nulls(value, message)


def _with_nulls(value: Any, message: Message) -> Any:
    if message.DESCRIPTOR.full_name.startswith("google.protobuf.") or not isinstance(value, dict):
        return value
    for field in message.DESCRIPTOR.fields:
        inner = field.message_type
        if inner is None:
            continue
        name, held = field.json_name, getattr(message, field.name)
        if is_map(field):
            if entry_fields(field)[1].message_type is not None:
                value[name] = {str(key): _with_nulls(value[name][str(key)], held[key]) for key in held}
        elif field.is_repeated:
            value[name] = [_with_nulls(*pair) for pair in zip(value[name], held, strict=True)]
        elif message.HasField(field.name):
            value[name] = _with_nulls(value[name], held)
        elif field.containing_oneof is None:
            value[name] = None
    return value


INTEGERS = {
    FieldDescriptor.CPPTYPE_INT32: st.integers(-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: st.integers(-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: st.integers(0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: st.integers(0, 2**64 - 1),
    FieldDescriptor.CPPTYPE_FLOAT: st.floats(width=32),
    FieldDescriptor.CPPTYPE_DOUBLE: st.floats(),
    FieldDescriptor.CPPTYPE_BOOL: st.booleans(),
    FieldDescriptor.CPPTYPE_ENUM: st.sampled_from([0, 1, 2, -1, 77]),
}
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
SPECIAL = {
    "google.protobuf.Timestamp": st.builds(
        lambda seconds, nanos: {"seconds": seconds, "nanos": nanos},
        st.integers(-62_135_596_800, 253_402_300_799),
        st.sampled_from([0, 1, 1_000, 120_000_000, 999_999_999]),
    ),
    "google.protobuf.Duration": st.builds(
        lambda sign, seconds, nanos: {"seconds": sign * seconds, "nanos": sign * nanos},
        st.sampled_from([1, -1]),
        st.integers(0, 315_576_000_000 - 1),
        st.sampled_from([0, 1, 1_000, 500_000_000]),
    ),
    "google.protobuf.FieldMask": st.just({"paths": ["a", "b_c.d_e"]}),
    "google.protobuf.Any": st.just({}),
    "google.protobuf.Empty": st.just({}),
}


@st.composite
def filled(draw: st.DrawFn, kind: Descriptor, depth: int = 0) -> Message:
    message = message_factory.GetMessageClass(kind)()
    if kind.full_name in SPECIAL:
        for name, value in draw(SPECIAL[kind.full_name]).items():
            if isinstance(value, list):
                getattr(message, name).extend(value)
            else:
                setattr(message, name, value)
        return message
    if kind.full_name in ("google.protobuf.Value", "google.protobuf.Struct", "google.protobuf.ListValue"):
        value = draw(st.sampled_from([{"a": [1, None, "x"]}, {"b": {"c": True}}, {}]))
        json_format.ParseDict([value] if kind.name == "ListValue" else value, message)
        return message
    fields = [field for field in kind.fields if depth < 2 or field.message_type is None or is_map(field)]
    for field in draw(st.lists(st.sampled_from(fields), max_size=8)) if len(fields) > 1 else fields:
        draw(setting(message, field, depth))
    return message


@st.composite
def setting(draw: st.DrawFn, message: Message, field: FieldDescriptor, depth: int) -> None:
    target = getattr(message, field.name)
    if is_map(field):
        key, value = entry_fields(field)
        for _ in range(draw(st.integers(0, 3))):
            drawn = draw(one(key, depth))
            if value.message_type is None:
                target[drawn] = draw(one(value, depth))
            else:
                target[drawn].CopyFrom(draw(filled(value.message_type, depth + 1)))
    elif field.is_repeated:
        for _ in range(draw(st.integers(0, 3))):
            target.append(draw(one(field, depth)))
    elif field.message_type is not None:
        target.CopyFrom(draw(filled(field.message_type, depth + 1)))
        target.SetInParent()
    else:
        setattr(message, field.name, draw(one(field, depth)))


def one(field: FieldDescriptor, depth: int) -> st.SearchStrategy[Any]:
    if field.message_type is not None:
        return filled(field.message_type, depth + 1)
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return st.binary(max_size=8) if field.type == FieldDescriptor.TYPE_BYTES else TEXT
    return INTEGERS[field.cpp_type]


def strict(text: str) -> Any:
    def refuse(constant: str) -> Any:
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(text, parse_constant=refuse)


@pytest.mark.property
@given(filled(descriptor(EVERYTHING)))
def test_a_message_is_what_json_format_says_and_nulls(message):
    assert reference(message) == strict(ENCODE(message.SerializeToString()))


@pytest.mark.property
@given(filled(descriptor("v1.PodsResponse")))
def test_pods_are_what_json_format_says_and_nulls(message):
    assert reference(message) == shown(message)


# ------------------------------------------------------------------------------------------ by example


def test_a_pod_with_nothing_set():
    assert encoder(type(create("storage.Pod")))(b"") == (
        b'{"id":"","name":"","deploymentId":"","namespace":"","clusterId":"","liveInstances":[],'
        b'"terminatedInstances":[],"started":null}'
    )


def test_members_stand_in_declaration_order():
    names = list(json.loads(ENCODE(b"")))
    fields = [field.json_name for field in descriptor(EVERYTHING).fields if field.containing_oneof is None]
    assert fields == names


def test_members_of_a_oneof_and_optional_fields_appear_only_when_set():
    assert "optionalInt32" not in everything({})
    found = everything({"optionalInt32": 0, "oneofBoolValue": False})
    assert (0, False) == (found["optionalInt32"], found["oneofBoolValue"])


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("int64Value", 2**53 + 1, "9007199254740993"),
        ("enumValue", 2, "Z"),
        ("enumValue", 77, 77),
        ("floatValue", 0.1, 0.1),
        ("floatValue", 16777216, 16777216),
        ("doubleValue", "NaN", "NaN"),
        ("doubleValue", "-Infinity", "-Infinity"),
        ("doubleValue", 1e300, 1e300),
        ("bytesValue", "+/8=", "+/8="),
        ("timestampValue", "2024-01-02T03:04:05.12Z", "2024-01-02T03:04:05.120Z"),
        ("timestampValue", "2024-01-02T03:04:05.1203Z", "2024-01-02T03:04:05.120300Z"),
        ("durationValue", "-1.5s", "-1.500s"),
        ("durationValue", "0s", "0s"),
        ("fieldmaskValue", "a.b,cD", "a.b,cD"),
        ("wrapperInt64Value", "5", "5"),
        ("wrapperStringValue", "", ""),
        ("structValueValue", None, None),
        ("listValue", [1, [None]], [1, [None]]),
        ("mapValue3", {"10": "a", "9": "b"}, {"9": "b", "10": "a"}),
        ("mapValue15", {"true": "a"}, {"true": "a"}),
    ],
)
def test_a_value_has_its_one_form(field, value, expected):
    assert expected == everything({field: value})[field]


def test_map_keys_are_sorted_by_their_own_order():
    message = create(EVERYTHING, {"mapValue3": {"10": "a", "9": "b"}, "mapValue": {"b": "1", "a": "2"}})
    text = ENCODE(message.SerializeToString())
    assert '"mapValue":{"a":"2","b":"1"},' in text
    assert '"mapValue3":{"9":"b","10":"a"},' in text


def test_only_what_json_requires_is_escaped():
    message = create(EVERYTHING, {"stringValue": '<a href="x">&\u2028é\x00\\'})
    assert '"stringValue":"<a href=\\"x\\">&\u2028é\\u0000\\\\",' in ENCODE(message.SerializeToString())


def test_an_any_of_an_unknown_type_keeps_its_bytes():
    message = create(EVERYTHING)
    message.any_value.type_url, message.any_value.value = "x.com/acme.Unknown", b"\x01"
    assert shown(message)["anyValue"] == {"@type": "x.com/acme.Unknown", "value": "AQ=="}


def test_an_any_that_does_not_end_keeps_its_bytes():
    message = create(EVERYTHING)
    for _ in range(50):
        outer = create(EVERYTHING)
        outer.any_value.type_url, outer.any_value.value = f"x/{EVERYTHING}", message.SerializeToString()
        message = outer
    assert shown(message)["anyValue"]["@type"] == f"x/{EVERYTHING}"


def test_a_time_out_of_range_has_no_json_form():
    message = create(EVERYTHING)
    message.timestamp_value.seconds = 10**15
    with pytest.raises(ValueError, match="Timestamp out of range"):
        ENCODE(message.SerializeToString())


def test_names_that_mean_something_to_python_are_only_names():
    source = 'syntax = "proto3"; package odd; message Odd { string class = 1; int32 None = 2 [json_name = "a\\"{x}\'\\\\"]; }'
    pool = descriptor_pool.DescriptorPool()
    for file in compile_protos({"odd.proto": source}).file:
        pool.Add(file)
    kind = pool.FindMessageTypeByName("odd.Odd")
    message = message_factory.GetMessageClass(kind)(**{"class": "c", "None": 3})
    assert json.loads(Encoders([pool]).message(kind)(message.SerializeToString())) == {"class": "c", "a\"{x}'\\": 3}


def test_a_field_alone_is_rendered_as_within_its_message():
    kind = descriptor(EVERYTHING)
    for name, expected in (("int64_value", '"5"'), ("nested", "null"), ("repeated_value", "[]"), ("enum_value", '"X"')):
        data = create(EVERYTHING, {"int64Value": 5}).SerializeToString()
        assert expected == ENCODERS.field(kind.fields_by_name[name])(data)
