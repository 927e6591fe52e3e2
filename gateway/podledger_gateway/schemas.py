"""Message types → schemas of an API description, and the names that the family gives them (gateway 9.1).

One `Schemas` for each dialect: Swagger 2.0 as the generators of the family write it, and OpenAPI 3.1,
whose JSON Schema can also say null. Both describe the JSON of `jsonenc`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Literal

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor, FileDescriptor

from podledger_gateway.comments import Comments
from podledger_gateway.rules import entry_fields, is_map

Schema = dict[str, Any]
Dialect = Literal["2.0", "3.1"]

_INT32: Mapping[str, str] = {"type": "integer", "format": "int32"}
_INT64: Mapping[str, str] = {"type": "string", "format": "int64"}
_UINT32: Mapping[str, str] = {"type": "integer", "format": "int64"}
_UINT64: Mapping[str, str] = {"type": "string", "format": "uint64"}
_FLOAT: Mapping[str, str] = {"type": "number", "format": "float"}
_DOUBLE: Mapping[str, str] = {"type": "number", "format": "double"}
_STRING: Mapping[str, str] = {"type": "string"}
_BYTES: Mapping[str, str] = {"type": "string", "format": "byte"}
_BOOLEAN: Mapping[str, str] = {"type": "boolean"}

_SCALARS: Mapping[int, Mapping[str, str]] = {
    FieldDescriptor.TYPE_INT32: _INT32,
    FieldDescriptor.TYPE_SINT32: _INT32,
    FieldDescriptor.TYPE_SFIXED32: _INT32,
    FieldDescriptor.TYPE_INT64: _INT64,
    FieldDescriptor.TYPE_SINT64: _INT64,
    FieldDescriptor.TYPE_SFIXED64: _INT64,
    FieldDescriptor.TYPE_UINT32: _UINT32,
    FieldDescriptor.TYPE_FIXED32: _UINT32,
    FieldDescriptor.TYPE_UINT64: _UINT64,
    FieldDescriptor.TYPE_FIXED64: _UINT64,
    FieldDescriptor.TYPE_FLOAT: _FLOAT,
    FieldDescriptor.TYPE_DOUBLE: _DOUBLE,
    FieldDescriptor.TYPE_BOOL: _BOOLEAN,
    FieldDescriptor.TYPE_STRING: _STRING,
    FieldDescriptor.TYPE_BYTES: _BYTES,
}

_INLINE: Mapping[str, Mapping[str, Any]] = {
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    "google.protobuf.Duration": _STRING,
    "google.protobuf.FieldMask": _STRING,
    "google.protobuf.StringValue": _STRING,
    "google.protobuf.BytesValue": _BYTES,
    "google.protobuf.Int32Value": _INT32,
    "google.protobuf.UInt32Value": _UINT32,
    "google.protobuf.Int64Value": _INT64,
    "google.protobuf.UInt64Value": _UINT64,
    "google.protobuf.FloatValue": _FLOAT,
    "google.protobuf.DoubleValue": _DOUBLE,
    "google.protobuf.BoolValue": _BOOLEAN,
    "google.protobuf.Empty": {"type": "object"},
    "google.protobuf.Struct": {"type": "object"},
    "google.protobuf.Value": {"type": "object"},
    "google.protobuf.ListValue": {"type": "array", "items": {"type": "object"}},
    "google.api.HttpBody": {"type": "string", "format": "binary"},
}
"""Types that have no definition of their own."""

ANY = "google.protobuf.Any"
_NULL = "google.protobuf.NullValue"
_ANY_TEXT = (
    "A message of any type. On the wire its fields stand beside the member @type, or its JSON form in the member "
    "value; typeUrl is never sent."
)
_REFERENCES: Mapping[Dialect, str] = {"2.0": "#/definitions/", "3.1": "#/components/schemas/"}


def names(files: Iterable[FileDescriptor], further: Collection[str] = ()) -> dict[str, str]:
    """Full name → the family's name, for all types of these files and what they import.

    It is the shortest dotted suffix that no other type has, and one more component, joined.
    """
    split = {name: ("", *name.split(".")) for name in (*_all_types(files), *further)}
    suffixes = Counter(parts[-depth:] for parts in split.values() for depth in range(1, len(parts)))
    return {name: _short(parts, suffixes) for name, parts in split.items()}


def _short(parts: tuple[str, ...], suffixes: Mapping[tuple[str, ...], int]) -> str:
    for depth in range(1, len(parts)):
        if suffixes[parts[-depth:]] == 1:
            return "".join(parts[-depth - 1 :])
    return "".join(parts)


def _all_types(files: Iterable[FileDescriptor]) -> dict[str, None]:
    """Messages and enums, nested ones too."""
    found: dict[str, None] = {}
    seen: set[str] = set()
    waiting = list(files)
    while waiting:
        file = waiting.pop()
        if file.name in seen:
            continue
        seen.add(file.name)
        waiting.extend(file.dependencies)
        found.update(dict.fromkeys(enum.full_name for enum in file.enum_types_by_name.values()))
        for message in file.message_types_by_name.values():
            _add(message, found)
    return found


def _add(message: Descriptor, found: dict[str, None]) -> None:
    found[message.full_name] = None
    found.update(dict.fromkeys(enum.full_name for enum in message.enum_types))
    for inner in message.nested_types:
        _add(inner, found)


class Schemas:
    """Schemas in one dialect. What is referred to, and what that refers to, gets a definition."""

    def __init__(self, dialect: Dialect, naming: Mapping[str, str], texts: Comments) -> None:
        self._dialect = dialect
        self._naming = naming
        self._texts = texts
        self._definitions: dict[str, Schema] = {}

    @property
    def definitions(self) -> dict[str, Schema]:
        """All definitions so far, by name."""
        return dict(sorted(self._definitions.items()))

    def define(self, name: str, schema: Schema) -> Schema:
        """Add a definition that no message has; gives the reference to it."""
        self._definitions[name] = schema
        return self._reference(name)

    def message(self, message: Descriptor) -> Schema:
        """A message type as such."""
        if message.full_name in _INLINE:
            return self._inline(message.full_name)
        name = self._naming[message.full_name]
        if name not in self._definitions:
            self._definitions[name] = {}
            self._definitions[name].update(self._any() if message.full_name == ANY else self._object(message))
        return self._reference(name)

    def any_message(self) -> Schema:
        """The reference to the definition of Any, also when no pool at hand has it."""
        return self.define(self._naming[ANY], self._any())

    def field(self, field: FieldDescriptor) -> Schema:
        """A field: one value, a list or a map."""
        if is_map(field):
            return {"type": "object", "additionalProperties": self.one(entry_fields(field)[1])}
        return {"type": "array", "items": self.one(field)} if field.is_repeated else self.one(field)

    def one(self, field: FieldDescriptor) -> Schema:
        """One value of a field."""
        if field.message_type is not None:
            return self.message(field.message_type)
        if field.enum_type is not None:
            return self._enum(field.enum_type)
        return dict(_SCALARS[field.type])

    def parameter(self, field: FieldDescriptor) -> Schema:
        """One value of a parameter: everything stands in its place, nothing is referred to."""
        if field.enum_type is not None:
            return enum_schema(field.enum_type)
        if field.message_type is None:
            return dict(_SCALARS[field.type])
        inline = dict(_INLINE.get(field.message_type.full_name, _STRING))
        return inline if inline["type"] not in ("object", "array") else dict(_STRING)

    def nested(self, message: Descriptor) -> None:
        """Define what the fields of a message refer to."""
        for field in message.fields:
            self.field(field)

    def described(self, schema: Schema, full_name: str) -> Schema:
        """A schema with the comment of what has that name. Swagger 2.0 allows none beside a reference."""
        text = self._texts.get(full_name)
        if not text or ("$ref" in schema and self._dialect == "2.0"):
            return schema
        return {**schema, "description": text}

    def _object(self, message: Descriptor) -> Schema:
        members = {field.json_name: self.described(self._member(field), field.full_name) for field in message.fields}
        schema: Schema = {"type": "object"}
        if members:
            schema["properties"] = members
        return self.described(schema, message.full_name)

    def _member(self, field: FieldDescriptor) -> Schema:
        """A member of an object; singular messages are null when they are unset."""
        schema = self.field(field)
        unset_is_null = field.message_type is not None and not field.is_repeated and field.containing_oneof is None
        return nullable(schema) if unset_is_null and self._dialect == "3.1" else schema

    def _enum(self, enum: EnumDescriptor) -> Schema:
        if enum.full_name == _NULL:
            return {"type": "null"} if self._dialect == "3.1" else dict(_STRING)
        name = self._naming[enum.full_name]
        if name not in self._definitions:
            self._definitions[name] = self.described(enum_schema(enum), enum.full_name)
        return self._reference(name)

    def _inline(self, full_name: str) -> Schema:
        if self._dialect == "3.1" and full_name == "google.protobuf.Value":
            return {}
        if self._dialect == "3.1" and full_name == "google.protobuf.ListValue":
            return {"type": "array", "items": {}}
        return dict(_INLINE[full_name])

    def _any(self) -> Schema:
        if self._dialect == "3.1":
            properties: Schema = {"@type": {"type": "string", "description": "The URL of the message type."}}
            return {"type": "object", "properties": properties, "additionalProperties": True}
        members = {"typeUrl": dict(_STRING), "value": dict(_BYTES)}
        return {"type": "object", "properties": members, "description": _ANY_TEXT}

    def _reference(self, name: str) -> Schema:
        return {"$ref": _REFERENCES[self._dialect] + name}


def enum_schema(enum: EnumDescriptor) -> Schema:
    """An enum by its names; of aliases the first one is shown."""
    shown = {value.number: value.name for value in reversed(enum.values)}
    listed = [value.name for value in enum.values if shown[value.number] == value.name]
    return {"type": "string", "enum": listed, "default": shown.get(0, listed[0])}


def nullable(schema: Schema) -> Schema:
    """The same or null, in JSON Schema."""
    if "$ref" in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    return {**schema, "type": [schema["type"], "null"]} if "type" in schema else schema
