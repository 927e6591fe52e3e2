"""The comments of .proto files, by the full name of what they stand at.

Descriptors of a pool hold none; a FileDescriptorProto holds them when it was made with source info.
They are the texts of the API description.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from google.protobuf.descriptor_pb2 import DescriptorProto, EnumDescriptorProto, FileDescriptorProto

Comments = Mapping[str, str]
"""Full name → comment, for services, methods, messages, fields, enums and their values."""

_FILE = {"message_type": 4, "enum_type": 5, "service": 6}
_MESSAGE = {"field": 2, "nested_type": 3, "enum_type": 4}
_VALUE, _METHOD = 2, 2
"""Field numbers of descriptor.proto, of which the paths of source info are made."""


def comments(files: Iterable[FileDescriptorProto]) -> Comments:
    """All comments of these files."""
    found: dict[str, str] = {}
    for file in files:
        texts = {tuple(place.path): _text(place) for place in file.source_code_info.location}
        found.update((name, texts[path]) for path, name in _places(file) if texts.get(path))
    return found


def _text(place: Any) -> str:
    """The comment above a declaration, else the one behind it."""
    lines = (place.leading_comments or place.trailing_comments).strip().splitlines()
    return "\n".join(line.strip() for line in lines)


def _places(file: FileDescriptorProto) -> Iterator[tuple[tuple[int, ...], str]]:
    """Path in the source info and full name of every declaration."""
    for index, message in enumerate(file.message_type):
        yield from _message(message, (_FILE["message_type"], index), file.package)
    for index, enum in enumerate(file.enum_type):
        yield from _enum(enum, (_FILE["enum_type"], index), file.package)
    for index, service in enumerate(file.service):
        name = _joined(file.package, service.name)
        yield (_FILE["service"], index), name
        yield from _members(service.method, (_FILE["service"], index, _METHOD), name)


def _message(message: DescriptorProto, path: tuple[int, ...], scope: str) -> Iterator[tuple[tuple[int, ...], str]]:
    name = _joined(scope, message.name)
    yield path, name
    yield from _members(message.field, (*path, _MESSAGE["field"]), name)
    for index, inner in enumerate(message.nested_type):
        yield from _message(inner, (*path, _MESSAGE["nested_type"], index), name)
    for index, enum in enumerate(message.enum_type):
        yield from _enum(enum, (*path, _MESSAGE["enum_type"], index), name)


def _enum(enum: EnumDescriptorProto, path: tuple[int, ...], scope: str) -> Iterator[tuple[tuple[int, ...], str]]:
    name = _joined(scope, enum.name)
    yield path, name
    yield from _members(enum.value, (*path, _VALUE), name)


def _members(items: Sequence[Any], path: tuple[int, ...], scope: str) -> Iterator[tuple[tuple[int, ...], str]]:
    for index, item in enumerate(items):
        yield (*path, index), _joined(scope, item.name)


def _joined(scope: str, name: str) -> str:
    return f"{scope}.{name}" if scope else name
