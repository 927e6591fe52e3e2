"""Messages → JSON: one encoder compiled per message type, after the table of gateway 3.1.

What comes in are the bytes of a message, what goes out is compact JSON with defaults and nulls. For
each type one Python function is generated, in the common case a single f-string over the fields in
declaration order; types refer to each other by name in one scope, so recursion needs no care. That
is about ten times faster than `json_format`, which cannot write the nulls at all.

`encoder` is the whole interface for one type. A gateway holds one `Encoders`, which also knows where
to look for the types inside `google.protobuf.Any`. A message that has no JSON form (a Timestamp out
of its range) raises `ValueError`; an `Any` that cannot be rendered keeps its bytes, in base64.
"""

from __future__ import annotations

import json
import keyword
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import count
from typing import Any, cast

from google.protobuf import descriptor_pool
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2

from podledger_gateway import jsonforms
from podledger_gateway.rules import entry_fields, is_map

Encode = Callable[[bytes], str]
"""Serialized message → JSON text. Raises `ValueError` when it has no JSON form."""

_EMPTY = "{}"
_ANY = AnyMessage.DESCRIPTOR.full_name
_VALUE_FORMS = frozenset((*jsonforms.SPECIAL, *jsonforms.WRAPPERS, _ANY))
"""Types that stand in an `Any` as the member `value`."""
_BUILT_IN_POOLS = (error_details_pb2.DESCRIPTOR.pool, descriptor_pool.Default())
"""Where generated modules live; importing the error details of google.rpc makes them known there."""


def encoder(kind: type[Message]) -> Callable[[bytes], bytes]:
    """The encoder of one message type: serialized message → JSON."""
    descriptor = cast("Descriptor", kind.DESCRIPTOR)
    encode = Encoders((descriptor.file.pool,)).message(descriptor)
    return lambda data: encode(data).encode()


class Encoders:
    """Encoders of many types, which share the functions compiled for the types inside them."""

    def __init__(self, pools: Iterable[DescriptorPool] = ()) -> None:
        self._pools = list(dict.fromkeys((*pools, *_BUILT_IN_POOLS)))
        self._numbers = count()
        self._names: dict[Descriptor, str] = {}
        self._scope: dict[str, Any] = {**jsonforms.FUNCTIONS, "NULL": "null"}

    def message(self, descriptor: Descriptor) -> Encode:
        """The encoder of a message type."""
        parse = GetMessageClass(descriptor).FromString
        render = self._scope[self._name(descriptor)]
        return lambda data: render(parse(data))

    def field(self, field: FieldDescriptor) -> Encode:
        """The encoder of messages of which one field alone is shown, rendered as within its message."""
        assert field.containing_type is not None
        parse = GetMessageClass(field.containing_type).FromString
        render = self._define(self._fresh(), [f"return f'{self._value(field)}'"])
        return lambda data: render(parse(data))

    def any(self, packed: AnyMessage) -> str:
        """A packed message beside its type; its bytes when the type is unknown or does not fit them."""
        if not packed.type_url and not packed.value:
            return _EMPTY
        kind = jsonforms.text(packed.type_url)
        try:
            return f'{{"@type":{kind}{self._unpacked(packed)}}}'
        except (DecodeError, ValueError, KeyError, RecursionError):
            return f'{{"@type":{kind},"value":{jsonforms.base64(packed.value)}}}'

    def _unpacked(self, packed: AnyMessage) -> str:
        """Members after `@type`. Only the last segment of the type URL names the type (gateway 4.3)."""
        descriptor = self._find(packed.type_url.rpartition("/")[2])
        text = self.message(descriptor)(packed.value)
        if descriptor.full_name in _VALUE_FORMS:
            return f',"value":{text}'
        return "" if text == _EMPTY else f",{text[1:-1]}"

    def _find(self, name: str) -> Descriptor:
        for pool in self._pools:
            with suppress(KeyError):
                found: Descriptor = pool.FindMessageTypeByName(name)
                return found
        raise KeyError(name)

    def _name(self, descriptor: Descriptor) -> str:
        """Name in the scope of the function for a type, which is compiled when it is new."""
        if (name := self._names.get(descriptor)) is None:
            name = self._names[descriptor] = self._fresh()
            self._scope[name] = self._special(descriptor) or self._compile(name, descriptor)
        return name

    def _special(self, descriptor: Descriptor) -> Callable[[Any], str] | None:
        if descriptor.full_name == _ANY:
            return self.any
        if descriptor.full_name in jsonforms.WRAPPERS:
            return self._define(self._fresh(), [f"return f'{self._one(descriptor.fields_by_name['value'])}'"])
        return jsonforms.SPECIAL.get(descriptor.full_name)

    def _compile(self, name: str, descriptor: Descriptor) -> Callable[[Any], str]:
        """Generate the function of a type: fields that may be left out need a statement of their own."""
        runs = list(self._runs(descriptor))
        if len(runs) == 1 and not runs[0][0]:
            return self._define(name, [f"return f'{{{{{runs[0][1][1:]}}}}}'"])
        lines = ["t = ''"]
        for condition, members in runs:
            lines.append(f"{condition}t += f'{members}'")
        return self._define(name, [*lines, "return '{' + t[1:] + '}'"])

    def _runs(self, descriptor: Descriptor) -> Iterator[tuple[str, str]]:
        """Members in order as f-string text, joined as long as they are always there."""
        always = ""
        for field in descriptor.fields:
            key = _escaped(json.dumps(field.json_name))
            if not _is_omitted(field):
                always += f",{key}:{self._value(field)}"
                continue
            yield "", always
            always = ""
            yield f"if {self._present(field)}: ", f",{key}:{self._one(field)}"
        yield "", always

    def _define(self, name: str, lines: list[str]) -> Callable[[Any], str]:
        """Make a function of the message `m`.

        The source holds nothing from outside but identifiers, which protobuf has checked, and JSON
        names, which are escaped.
        """
        exec("\n    ".join([f"def {name}(m):", *lines]), self._scope)  # noqa: S102 - see above
        return self._scope[name]  # type: ignore[no-any-return] # the scope holds anything

    def _value(self, field: FieldDescriptor) -> str:
        """F-string text of a field that is always shown: null where a message is unset."""
        if is_map(field):
            key, value = map(self._function, entry_fields(field))
            return f"{{MAP({_access(field)},{key},{value})}}"
        if field.is_repeated:
            return f"{{LIST({_access(field)},{self._function(field)})}}"
        if not field.has_presence:
            return self._one(field)
        return f"{{{self._function(field)}({_access(field)}) if {self._present(field)} else NULL}}"

    def _one(self, field: FieldDescriptor) -> str:
        """F-string text of one value. Integers need no function."""
        if field.type in _SHORT_INTEGERS:
            return f"{{{_access(field)}}}"
        if field.type in _LONG_INTEGERS:
            return f'"{{{_access(field)}}}"'
        return f"{{{self._function(field)}({_access(field)})}}"

    def _function(self, field: FieldDescriptor) -> str:
        """Name of the function that renders one value of a field."""
        if field.message_type is not None:
            return self._name(field.message_type)
        if field.enum_type is not None:
            return self._constant(jsonforms.enum(field.enum_type))
        return _SCALARS[field.type]

    def _present(self, field: FieldDescriptor) -> str:
        return f"m.HasField({field.name!r})".replace("'", '"')

    def _constant(self, value: Any) -> str:
        name = self._fresh()
        self._scope[name] = value
        return name

    def _fresh(self) -> str:
        return f"v{next(self._numbers)}"


_SHORT_INTEGERS = frozenset(
    (
        FieldDescriptor.TYPE_INT32,
        FieldDescriptor.TYPE_SINT32,
        FieldDescriptor.TYPE_SFIXED32,
        FieldDescriptor.TYPE_UINT32,
        FieldDescriptor.TYPE_FIXED32,
    )
)
_LONG_INTEGERS = frozenset(
    (
        FieldDescriptor.TYPE_INT64,
        FieldDescriptor.TYPE_SINT64,
        FieldDescriptor.TYPE_SFIXED64,
        FieldDescriptor.TYPE_UINT64,
        FieldDescriptor.TYPE_FIXED64,
    )
)
_SCALARS = {
    **dict.fromkeys(_SHORT_INTEGERS, "SHORT"),
    **dict.fromkeys(_LONG_INTEGERS, "LONG"),
    FieldDescriptor.TYPE_BOOL: "BOOL",
    FieldDescriptor.TYPE_STRING: "TEXT",
    FieldDescriptor.TYPE_BYTES: "BASE64",
    FieldDescriptor.TYPE_FLOAT: "SINGLE",
    FieldDescriptor.TYPE_DOUBLE: "DOUBLE",
}


def _is_omitted(field: FieldDescriptor) -> bool:
    """Members of a oneof, also of the synthetic one of `optional`, are left out when they are unset."""
    return field.containing_oneof is not None


def _access(field: FieldDescriptor) -> str:
    return f'getattr(m,"{field.name}")' if keyword.iskeyword(field.name) else f"m.{field.name}"


def _escaped(text: str) -> str:
    """Text as it stands in an f-string between single quotes."""
    return text.replace("\\", "\\\\").replace("'", "\\'").replace("{", "{{").replace("}", "}}")
