"""JSON request bodies → messages (gateway 3.2).

`json_format` does the mapping: both spellings of names, enums by name or number, null for unset,
unknown members discarded. What it leaves open is decided here: only the first JSON value of a body
is read, an empty body is an empty message, JSON is strict (no NaN literals, no doubled members), and
so are the shapes of messages and bytes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from math import isinf
from typing import Any, cast

from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message

from podledger_gateway.gostyle import decode_base64
from podledger_gateway.names import field_named
from podledger_gateway.rules import entry_fields, is_map


class BadJson(ValueError):
    """The text is not JSON, or not JSON of the message."""


def parse_json(data: bytes) -> Any:
    """The JSON value of `data` and nothing else."""
    value, end = _first_value(data)
    if end:
        raise BadJson("unexpected data after the JSON value")
    return value


def merge_body(data: bytes, message: Message, *, field: str = "", pool: DescriptorPool) -> None:
    """Read the first JSON value of `data` into `message`, or into one field of it."""
    if not data.strip(_BLANK):
        return
    value, _ = _first_value(data)
    whole = {field: value} if field else value
    try:
        _check_message(whole, cast("Descriptor", message.DESCRIPTOR))
        json_format.ParseDict(whole, message, True, pool)
    except BadJson:
        raise
    except (json_format.ParseError, RecursionError, ValueError, TypeError, AttributeError) as problem:
        raise BadJson(str(problem)) from None


def _check_message(value: Any, message: Descriptor) -> None:
    """Refuse what `json_format` would take for something else: wrong shapes, doubled names, bad base64."""
    if message.full_name.startswith(_WELL_KNOWN) and message.full_name != _EMPTY:
        return
    if not isinstance(value, dict):
        raise BadJson(f"{message.full_name} is a JSON object")
    set_by: dict[str, str] = {}
    for name, member in value.items():
        field = field_named(message, name)
        if field is None or member is None:
            continue
        if (other := set_by.setdefault(field.name, name)) != name:
            raise BadJson(f"{name} and {other} are the same field")
        _check_field(member, field)


def _check_field(value: Any, field: FieldDescriptor) -> None:
    """Shapes of lists and maps are left to `json_format`, which does check them."""
    checked = entry_fields(field)[1] if is_map(field) else field
    members: Iterable[Any] = (value,)
    if is_map(field):
        members = value.values() if isinstance(value, dict) else ()
    elif field.is_repeated:
        members = value if isinstance(value, list) else ()
    for member in members:
        if checked.message_type is not None and member is not None:
            _check_message(member, checked.message_type)
        elif checked.type == FieldDescriptor.TYPE_BYTES and isinstance(member, str):
            _check_bytes(member, field.name)


def _check_bytes(text: str, name: str) -> None:
    """Base64 in either alphabet, padded or not."""
    try:
        decode_base64(text if text.endswith("=") else text + "=" * (-len(text) % 4))
    except ValueError as problem:
        raise BadJson(f"{name}: {problem}") from None


_WELL_KNOWN, _EMPTY = "google.protobuf.", "google.protobuf.Empty"
_BLANK = b" \t\r\n"
_HALF_PAIR = re.compile(r"\\u[dD][89a-fA-F]")
"""Escapes of UTF-16 surrogates; one without its other half is no text."""


def _first_value(data: bytes) -> tuple[Any, str]:
    """The first JSON value and what follows it, without blanks."""
    try:
        text = data.strip(_BLANK).decode()
        value, end = _DECODER.raw_decode(text)
        if _HALF_PAIR.search(text):
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeError:
        raise BadJson("invalid UTF-8 in JSON") from None
    except json.JSONDecodeError as problem:
        unfinished = problem.pos >= len(problem.doc) or problem.msg.startswith("Unterminated")
        raise BadJson("unexpected EOF" if unfinished else f"{problem.msg} at character {problem.pos}") from None
    except RecursionError:
        raise BadJson("JSON is nested too deeply") from None
    except ValueError as problem:
        raise BadJson(str(problem)) from None
    return value, text[end:].strip()


def _refuse_constant(name: str) -> Any:
    raise BadJson(f"invalid JSON number {name}")


def _number(text: str) -> float:
    number = float(text)
    if isinf(number):
        raise BadJson(f"JSON number {text} is out of range")
    return number


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise BadJson("a member occurs twice in a JSON object")
    return members


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_number, object_pairs_hook=_members)
