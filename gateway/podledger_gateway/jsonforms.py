"""The JSON form of single values and of the well-known types (gateway 3.1).

Everything is text. `FUNCTIONS` are the names that generated encoders use, `SPECIAL` the message types
whose JSON is not an object of their fields.
"""

from __future__ import annotations

import struct
from binascii import b2a_base64
from collections.abc import Callable, Iterable, Mapping
from json.encoder import encode_basestring
from math import isfinite, isnan
from typing import Any

from google.protobuf.descriptor import EnumDescriptor

from podledger_gateway import gotime

Render = Callable[[Any], str]
"""Value → JSON text."""

text: Render = encode_basestring
"""A string; only quotation marks, backslashes and control characters are escaped."""

_MINUTES = tuple(f"T{minute // 60:02}:{minute % 60:02}:" for minute in range(1440))
_SECONDS = tuple(f"{second:02}" for second in range(60))
_DAYS: dict[int, str] = {}
"""Dates by day number: timestamps of one inventory share a few."""
_MOST_DAYS = 4096


def base64(data: bytes) -> str:
    """Bytes in the standard alphabet with padding."""
    return f'"{b2a_base64(data, newline=False).decode()}"'


def long_integer(number: int) -> str:
    """64-bit integers are strings, since JavaScript would round them."""
    return f'"{number}"'


def double(number: float) -> str:
    """The shortest form; infinities and NaN as strings."""
    return _plain(repr(number)) if isfinite(number) else _not_finite(number)


def single(number: float) -> str:
    """The shortest form that is read back as the same 32-bit value."""
    if not isfinite(number):
        return _not_finite(number)
    for digits in range(1, 9):
        shorter = f"{number:.{digits}g}"
        if struct.unpack("<f", struct.pack("<f", float(shorter)))[0] == number:
            return shorter
    return f"{number:.9g}"


def _plain(shortest: str) -> str:
    return shortest.removesuffix(".0")


def _not_finite(number: float) -> str:
    if isnan(number):
        return '"NaN"'
    return '"Infinity"' if number > 0 else '"-Infinity"'


class _EnumNames(dict[int, str]):
    """Names by number; a number without a name stands for itself."""

    def __missing__(self, number: int) -> str:
        return str(number)


def enum(descriptor: EnumDescriptor) -> Callable[[int], str]:
    """The renderer of an enum's values: of aliases the first name counts."""
    if descriptor.full_name == "google.protobuf.NullValue":
        return lambda _: "null"
    names = _EnumNames((value.number, f'"{value.name}"') for value in reversed(descriptor.values))
    return names.__getitem__


def join_list(items: Iterable[Any], render: Render) -> str:
    """A repeated field."""
    return f"[{','.join(map(render, items))}]"


def join_map(entries: Mapping[Any, Any], render_key: Render, render_value: Render) -> str:
    """A map: keys are strings in JSON, sorted by their own order."""
    members = (f"{_key(render_key(key))}:{render_value(entries[key])}" for key in sorted(entries))
    return f"{{{','.join(members)}}}"


def _key(rendered: str) -> str:
    return rendered if rendered.startswith('"') else f'"{rendered}"'


def timestamp(message: Any) -> str:
    """RFC 3339 in UTC with 0, 3, 6 or 9 fraction digits."""
    seconds, nanos = message.seconds, message.nanos
    if not (gotime.MIN_SECONDS <= seconds <= gotime.MAX_SECONDS and 0 <= nanos < 1_000_000_000):
        raise ValueError(f"google.protobuf.Timestamp out of range: {seconds} s, {nanos} ns")
    day, rest = divmod(seconds, 86_400)
    date = _DAYS.get(day) or _date(day)
    return f'"{date}{_MINUTES[rest // 60]}{_SECONDS[rest % 60]}{_fraction(nanos) if nanos else ""}Z"'


def _date(day: int) -> str:
    if len(_DAYS) >= _MOST_DAYS:
        _DAYS.clear()
    return _DAYS.setdefault(day, gotime.date_text(day))


def _fraction(nanos: int) -> str:
    digits = f".{nanos:09}"
    if nanos % 1_000_000 == 0:
        return digits[:4]
    return digits[:7] if nanos % 1_000 == 0 else digits


def duration(message: Any) -> str:
    """Seconds with 0, 3, 6 or 9 fraction digits and `s`."""
    seconds, nanos = message.seconds, message.nanos
    far = abs(seconds) > gotime.MAX_DURATION_SECONDS or abs(nanos) >= 1_000_000_000
    if far or (seconds < 0 < nanos) or (nanos < 0 < seconds):
        raise ValueError(f"google.protobuf.Duration out of range: {seconds} s, {nanos} ns")
    sign = "-" if seconds < 0 or nanos < 0 else ""
    return f'"{sign}{abs(seconds)}{_fraction(abs(nanos)) if nanos else ""}s"'


def field_mask(message: Any) -> str:
    """Paths in lower camel case, joined by commas."""
    return text(",".join(map(_camel, message.paths)))


def _camel(path: str) -> str:
    first, *others = path.split("_")
    return first + "".join(word[:1].upper() + word[1:] for word in others)


def struct_(message: Any) -> str:
    """google.protobuf.Struct: a plain object."""
    return join_map(message.fields, text, value)


def list_value(message: Any) -> str:
    """google.protobuf.ListValue: a plain array."""
    return join_list(message.values, value)


def value(message: Any) -> str:
    """google.protobuf.Value: any JSON; null too when nothing is chosen."""
    kind = message.WhichOneof("kind")
    return _KINDS[kind](getattr(message, kind)) if kind else "null"


_KINDS: Mapping[str, Render] = {
    "null_value": lambda _: "null",
    "number_value": double,
    "string_value": text,
    "bool_value": ("false", "true").__getitem__,
    "struct_value": struct_,
    "list_value": list_value,
}

SPECIAL: Mapping[str, Render] = {
    "google.protobuf.Timestamp": timestamp,
    "google.protobuf.Duration": duration,
    "google.protobuf.FieldMask": field_mask,
    "google.protobuf.Struct": struct_,
    "google.protobuf.ListValue": list_value,
    "google.protobuf.Value": value,
}
"""Message types with a JSON form of their own; wrappers and Any are compiled, see `jsonenc`."""

WRAPPERS = frozenset(
    f"google.protobuf.{name}Value"
    for name in ("Double", "Float", "Int64", "UInt64", "Int32", "UInt32", "Bool", "String", "Bytes")
)
"""Message types that are shown as the one value they hold."""

FUNCTIONS: Mapping[str, Any] = {
    "TEXT": text,
    "BASE64": base64,
    "BOOL": ("false", "true").__getitem__,
    "SHORT": str,
    "LONG": long_integer,
    "SINGLE": single,
    "DOUBLE": double,
    "LIST": join_list,
    "MAP": join_map,
}
