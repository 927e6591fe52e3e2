"""JSON request bodies → messages (gateway 3.2).

`json_format` does the mapping: both spellings of names, enums by name or number, null for unset,
unknown members discarded. What it leaves open is decided here: only the first JSON value of a body
is read, an empty body is an empty message, and JSON is strict (no NaN literals, no doubled members).
"""

from __future__ import annotations

import json
import re
from math import isinf
from typing import Any

from google.protobuf import json_format
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message


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
    try:
        json_format.ParseDict({field: value} if field else value, message, True, pool)
    except (json_format.ParseError, RecursionError, ValueError, TypeError, AttributeError) as problem:
        raise BadJson(str(problem)) from None


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
