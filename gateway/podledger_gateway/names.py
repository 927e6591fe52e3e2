"""Fields by what clients call them: the proto name, else the JSON name, in exact case (gateway 1.3, 3.2)."""

from __future__ import annotations

from functools import lru_cache

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from podledger_gateway.gostyle import is_utf8


def field_named(message: Descriptor, name: str) -> FieldDescriptor | None:
    """The field of that name, or None."""
    if not is_utf8(name):
        return None  # protobuf would fail in a way of its own
    found = message.fields_by_name.get(name)
    return found if found is not None else _by_json_name(message).get(name)


@lru_cache(maxsize=1024)
def _by_json_name(message: Descriptor) -> dict[str, FieldDescriptor]:
    return {found.json_name: found for found in message.fields}
