"""Descriptors as the text of a proto file, for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from google.api import annotations_pb2
from google.protobuf import text_format
from google.protobuf.descriptor import (
    Descriptor,
    EnumDescriptor,
    FieldDescriptor,
    MethodDescriptor,
    ServiceDescriptor,
)

_KNOWN_OPTIONS = (annotations_pb2.http,)
"""Options of methods that are printed; importing their module makes them known."""
_KINDS = {
    getattr(FieldDescriptor, name): name.removeprefix("TYPE_").lower()
    for name in dir(FieldDescriptor)
    if name.startswith("TYPE_")
}


def described(symbol: object) -> str:
    """A service, method, message, enum or extension."""
    match symbol:
        case ServiceDescriptor():
            return "\n".join([f"service {symbol.name} {{", *map(_indented, map(_method, symbol.methods)), "}"])
        case MethodDescriptor():
            return _method(symbol)
        case Descriptor():
            return "\n".join(_message(symbol))
        case EnumDescriptor():
            return "\n".join(_enum(symbol))
        case FieldDescriptor():
            return f"extend {_extended(symbol)} {{\n  {_field(symbol)}\n}}"
    raise TypeError(type(symbol))


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())


def _method(method: MethodDescriptor) -> str:
    taken, given = (
        f"{'stream ' if streaming else ''}.{kind.full_name}"
        for streaming, kind in (
            (method.client_streaming, method.input_type),
            (method.server_streaming, method.output_type),
        )
    )
    head = f"rpc {method.name} ( {taken} ) returns ( {given} )"
    options = list(_options(method.GetOptions()))
    return "\n".join([f"{head} {{", *map(_indented, options), "}"]) if options else f"{head};"


def _options(options: Any) -> Iterator[str]:
    if options.deprecated:
        yield "option deprecated = true;"
    for extension in _KNOWN_OPTIONS:
        if options.HasExtension(extension):
            text = text_format.MessageToString(options.Extensions[extension], as_one_line=True)
            yield f"option ({extension.full_name}) = {{ {text} }};"


def _message(message: Descriptor) -> Iterator[str]:
    yield f"message {message.name} {{"
    told = set()
    for field in message.fields:
        group = field.containing_oneof
        if group is None or len(group.fields) == 1:
            yield f"  {_field(field)}"
        elif group.name not in told:
            told.add(group.name)
            yield f"  oneof {group.name} {{"
            yield from (f"    {_field(member)}" for member in group.fields)
            yield "  }"
    for enum in message.enum_types:
        yield from map(_indented, _enum(enum))
    for nested in message.nested_types:
        if not nested.GetOptions().map_entry:
            yield from map(_indented, _message(nested))
    yield "}"


def _enum(enum: EnumDescriptor) -> Iterator[str]:
    yield f"enum {enum.name} {{"
    yield from (f"  {value.name} = {value.number};" for value in enum.values)
    yield "}"


def _field(field: FieldDescriptor) -> str:
    return f"{_kind(field)} {field.name} = {field.number};"


def _extended(extension: FieldDescriptor) -> str:
    assert extension.containing_type is not None
    return extension.containing_type.full_name


def _kind(field: FieldDescriptor) -> str:
    entry = field.message_type
    if entry is not None and entry.GetOptions().map_entry:
        key, value = entry.fields
        return f"map<{_base(key)}, {_base(value)}>"
    return f"repeated {_base(field)}" if field.is_repeated else _base(field)


def _base(field: FieldDescriptor) -> str:
    kind = field.message_type or field.enum_type
    return f".{kind.full_name}" if kind is not None else _KINDS[field.type]
