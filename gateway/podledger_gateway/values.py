"""Text from a URL → the value of a field, by the type of the field (gateway 1.5, 2.5).

Two grammars: `query_parser` for query parameters and nested path variables, `path_parser` for
top-level path variables, which read times in their JSON form. A parser takes text (see `gostyle` for
its bytes) and gives what can be assigned: a scalar, or a message of the right class. It raises
`ValueError` whose text is the CAUSE of the error message.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Any

from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message_factory import GetMessageClass

from podledger_gateway import gostyle, gotime
from podledger_gateway.body import parse_json
from podledger_gateway.jsonforms import WRAPPERS

Parser = Callable[[str], Any]

_SIGNED = {
    FieldDescriptor.TYPE_INT32: 32,
    FieldDescriptor.TYPE_SINT32: 32,
    FieldDescriptor.TYPE_SFIXED32: 32,
    FieldDescriptor.TYPE_INT64: 64,
    FieldDescriptor.TYPE_SINT64: 64,
    FieldDescriptor.TYPE_SFIXED64: 64,
}
_UNSIGNED = {
    FieldDescriptor.TYPE_UINT32: 32,
    FieldDescriptor.TYPE_FIXED32: 32,
    FieldDescriptor.TYPE_UINT64: 64,
    FieldDescriptor.TYPE_FIXED64: 64,
}


@lru_cache(maxsize=4096)
def query_parser(field: FieldDescriptor, *, enum_any_case: bool = False) -> Parser:
    """The parser of one value of `field`, whether that is singular, repeated, or part of a map."""
    if field.message_type is not None:
        return _message_parser(field.message_type)
    if field.enum_type is not None:
        return _query_enum(field.enum_type, any_case=enum_any_case)
    return _scalar_parser(field)


@lru_cache(maxsize=4096)
def path_parser(field: FieldDescriptor) -> Parser:
    """The parser of one value of `field` when it is bound to a path variable."""
    if field.enum_type is not None:
        return _path_enum(field.enum_type)
    if field.message_type is None:
        return _scalar_parser(field)
    if (read := _JSON_TIMES.get(field.message_type.full_name)) is not None:
        return _time_parser(field.message_type, lambda text: read(text.strip('"')))
    return _message_parser(field.message_type)


def _scalar_parser(field: FieldDescriptor) -> Parser:
    if field.type in _SIGNED:
        return partial(gostyle.parse_int, bits=_SIGNED[field.type])
    if field.type in _UNSIGNED:
        return partial(gostyle.parse_uint, bits=_UNSIGNED[field.type])
    return _PLAIN[field.type]


def _text(text: str) -> str:
    if not gostyle.is_utf8(text):
        raise ValueError("string field contains invalid UTF-8")
    return text


_PLAIN: Mapping[int, Parser] = {
    FieldDescriptor.TYPE_BOOL: gostyle.parse_bool,
    FieldDescriptor.TYPE_FLOAT: lambda text: gostyle.parse_float(text, 32),
    FieldDescriptor.TYPE_DOUBLE: lambda text: gostyle.parse_float(text, 64),
    FieldDescriptor.TYPE_STRING: _text,
    FieldDescriptor.TYPE_BYTES: gostyle.decode_base64,
}


def _query_enum(enum: EnumDescriptor, *, any_case: bool) -> Parser:
    """An exact name, else a base-10 number that is declared: closed even for open enums."""
    names = {name.lower() if any_case else name: value.number for name, value in enum.values_by_name.items()}

    def parse(text: str) -> int:
        number = names.get(text.lower() if any_case else text)
        return _declared(enum, text, f"{gostyle.quote(text)} is not a valid value") if number is None else number

    return parse


def _path_enum(enum: EnumDescriptor) -> Parser:
    names = {name: value.number for name, value in enum.values_by_name.items()}

    def parse(text: str) -> int:
        number = names.get(text)
        return _declared(enum, text, f"{text} is not valid") if number is None else number

    return parse


def _declared(enum: EnumDescriptor, text: str, problem: str) -> int:
    try:
        number = gostyle.parse_int(text, 32)
    except ValueError:
        raise ValueError(problem) from None
    if number not in enum.values_by_number:
        raise ValueError(problem)
    return number


def _message_parser(message: Descriptor) -> Parser:
    """Messages that have a scalar form; all others are refused when a value comes."""
    name = message.full_name
    if name in _QUERY_TIMES:
        return _time_parser(message, _QUERY_TIMES[name])
    if name in WRAPPERS:
        return _wrapper_parser(message)
    if name == "google.protobuf.FieldMask":
        return _mask_parser(message)
    if name in ("google.protobuf.Value", "google.protobuf.Struct"):
        return _json_parser(message)
    return _refuser(name)


_QUERY_TIMES = {
    "google.protobuf.Timestamp": gotime.parse_timestamp,
    "google.protobuf.Duration": gotime.parse_duration,
}
_JSON_TIMES = {
    "google.protobuf.Timestamp": gotime.parse_json_timestamp,
    "google.protobuf.Duration": gotime.parse_json_duration,
}


def has_scalar_form(message: Descriptor) -> bool:
    """Whether a parameter can set a field of this message type by a single value."""
    name = message.full_name
    return name in _QUERY_TIMES or name in WRAPPERS or name in _OTHER_FORMS


_OTHER_FORMS = frozenset(("google.protobuf.FieldMask", "google.protobuf.Value", "google.protobuf.Struct"))


def _time_parser(message: Descriptor, read: Callable[[str], tuple[int, int]]) -> Parser:
    create: Any = GetMessageClass(message)

    def parse(text: str) -> Any:
        seconds, nanos = read(text)
        return create(seconds=seconds, nanos=nanos)

    return parse


def _wrapper_parser(message: Descriptor) -> Parser:
    create: Any = GetMessageClass(message)
    read = _scalar_parser(message.fields_by_name["value"])
    return lambda text: create(value=read(text))


def _mask_parser(message: Descriptor) -> Parser:
    create: Any = GetMessageClass(message)
    return lambda text: create(paths=[path for path in _text(text).split(",") if path])


def _json_parser(message: Descriptor) -> Parser:
    create: Any = GetMessageClass(message)

    def parse(text: str) -> Any:
        try:
            return json_format.ParseDict(parse_json(gostyle.raw_bytes(text)), create())
        except (json_format.ParseError, ValueError, RecursionError) as problem:
            raise ValueError(f"proto: {problem}") from None

    return parse


def _refuser(name: str) -> Parser:
    def refuse(_text: str) -> Any:
        raise ValueError(f'unsupported message type: "{name}"')

    return refuse
