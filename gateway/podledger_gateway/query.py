"""Query strings and forms → fields of a request message (gateway 1).

The steps are those of the specification: split and decode, drop what a path or body binds, resolve
each key against the descriptor, assign. The first failure ends the work with a `PopulationError`
that carries the exact message and the key as the client typed it. Parameters that no field has are
returned, in strict mode refused. Nothing here knows HTTP.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import unquote_to_bytes

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from podledger_gateway.gostyle import printable, quote, raw_bytes, text_of
from podledger_gateway.leaves import Hints, query_leaves
from podledger_gateway.names import field_named
from podledger_gateway.rules import entry_fields, is_map
from podledger_gateway.values import query_parser

MAX_PARAMETERS = 10_000
"""Pieces of a query string or form; the reference's limit."""
_LONGEST_REMEMBERED_KEY = 256
MAX_DEPTH = 90
"""Message levels a key may descend; protobuf itself stops at 100."""

Pairs = Sequence[tuple[str, str]]

_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_INDEXED = re.compile(r"(.+)\[([0-9]{1,9})\]")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~[]")


class PopulationError(Exception):
    """The request message cannot be filled. `field` is the path as typed, empty if none is concerned."""

    def __init__(self, message: str, field: str = "") -> None:
        self.message = printable(message)
        self.field = printable(field)
        super().__init__(self.message)


def split_query(text: str) -> Pairs:
    """Decoded keys and values of a raw query string or form, in order (gateway 1.2)."""
    if text.count("&") >= MAX_PARAMETERS:
        raise PopulationError("number of URL query parameters exceeded limit")
    if ";" in text:
        raise PopulationError("invalid semicolon separator in query")
    pieces = (piece.partition("=") for piece in text.split("&") if piece)
    return [(_decoded(key), _decoded(value)) for key, _, value in pieces]


def _decoded(text: str) -> str:
    plain = text.replace("+", " ")
    if "%" not in plain:
        return plain
    if bad := _BAD_ESCAPE.search(text):
        escape = raw_bytes(text[bad.start() :])[:3]
        raise PopulationError(f"invalid URL escape {quote(text_of(escape))}")
    return text_of(unquote_to_bytes(raw_bytes(plain)))


def is_bound(bound: Iterable[Sequence[str]], path: Sequence[str]) -> bool:
    """Whether a bound path equals `path` or is a segment-wise prefix of it (gateway 1.6)."""
    return any(tuple(path[: len(prefix)]) == tuple(prefix) for prefix in bound)


def ignored_header(keys: Iterable[str], *, limit: int = 4096) -> str:
    """The value of X-Podledger-Ignored-Parameters: each key once, unable to split or forge a header."""
    items: list[str] = []
    length = 0
    for key in dict.fromkeys(key for key in keys if key):
        item = "".join(chr(byte) if chr(byte) in _UNRESERVED else f"%{byte:02X}" for byte in raw_bytes(key))
        length += len(item) + 2
        if length - 2 > limit:
            return _cut(items, limit)
        items.append(item)
    return ", ".join(items)


def _cut(items: list[str], limit: int) -> str:
    """As many items as fit before the mark that the list was cut."""
    while len(", ".join([*items, "..."])) > limit:
        items = items[:-1]
    return ", ".join([*items, "..."])


@dataclass(frozen=True, slots=True)
class _Step:
    """One field on the way to a leaf, with what the walk has to know about it."""

    field: FieldDescriptor
    typed: str
    name: str
    oneof: str
    """Name of the oneof it is a member of; the synthetic ones of `optional` do not count."""
    descends: bool
    """Whether it is a singular message, so that a further segment may follow."""
    index: int = -1
    """Element of a repeated message, -1 where none was given."""


@dataclass(frozen=True, slots=True)
class _Path:
    """A resolved key: its known fields, and whether a segment after them is unknown."""

    steps: tuple[_Step, ...]
    complete: bool
    names: tuple[str, ...]
    """What the path-bound filter compares: proto names, or the segments as typed (gateway 1.6)."""


@dataclass(slots=True)
class _Progress:
    """What one population has set so far: texts by leaf, elements by list."""

    texts: dict[tuple[str, ...], list[str]] = field(default_factory=dict)
    elements: dict[tuple[object, ...], list[int]] = field(default_factory=dict)


class Populator:
    """Fills the request message of one binding from query parameters."""

    def __init__(
        self,
        request: Descriptor,
        bound: Collection[tuple[str, ...]] = (),
        *,
        allowed: Collection[str] = (),
        indexed_messages: bool = False,
        enum_any_case: bool = False,
    ) -> None:
        self._request = request
        self._bound = bound
        self._allowed = frozenset(allowed)
        self._indexed = indexed_messages
        self._any_case = enum_any_case
        self._hints: Hints | None = None
        self._remembered = lru_cache(maxsize=512)(self._resolve)

    def populate(self, message: Message, pairs: Pairs, *, strict: bool = False) -> list[str]:
        """Set every parameter in `message`; the keys that no field has are returned as typed.

        Raises `PopulationError`; the message is then half filled and of no use.
        """
        grouped: dict[str, list[str]] = {}
        for key, value in pairs:
            grouped.setdefault(key, []).append(value)
        progress = _Progress(elements=self._elements(grouped) if self._indexed else {})
        unknown = []
        for key, values in grouped.items():
            try:
                known = self._set(message, key, values, progress)
            except ValueError as problem:
                raise PopulationError(str(problem), key) from None
            if not known and key not in self._allowed:
                unknown.append(key)
                if strict:
                    raise PopulationError(self._unknown(key), key)
        return unknown

    def _unknown(self, key: str) -> str:
        self._hints = self._hints or Hints(query_leaves(self._request, self._bound))
        near = self._hints.nearest(key)
        return f"unknown query parameter {quote(key)}" + (f"; did you mean {quote(near)}?" if near else "")

    def _set(self, message: Message, key: str, values: list[str], progress: _Progress) -> bool:
        """Set one parameter. False when the key is unknown; parents already walked are then present."""
        name, inner = _brackets(key)
        path = self._resolved(name)
        if is_bound(self._bound, path.names):
            return True
        parent, target = _walk(message, path, progress.elements)
        if target is None:
            return False
        if inner is not None and (inner or not target.field.is_repeated or is_map(target.field)):
            values = [inner, *values]
        if is_map(target.field):
            self._set_entry(parent, path, values, progress)
        elif target.field.is_repeated:
            self._extend(parent, target, values)
        else:
            self._assign(parent, path, values, progress)
        return True

    def _assign(self, parent: Message, path: _Path, values: list[str], progress: _Progress) -> None:
        target = path.steps[-1]
        texts = progress.texts.setdefault(_identity(path), [])
        texts.extend(values)
        if len(texts) > 1:
            raise ValueError(f'too many values for field "{target.name}": {", ".join(texts)}')
        value = self._parse(target.field, texts[0], f'parsing field "{target.name}"')
        set_field(parent, target.field, value)

    def _extend(self, parent: Message, target: _Step, values: list[str]) -> None:
        items = getattr(parent, target.name)
        for text in values:
            items.append(self._parse(target.field, text, f'parsing list "{target.name}"'))

    def _set_entry(self, parent: Message, path: _Path, values: list[str], progress: _Progress) -> None:
        target = path.steps[-1]
        key_field, value_field = entry_fields(target.field)
        full_name = target.field.full_name
        texts = progress.texts.setdefault((*_identity(path), values[0]), [])
        texts.extend(values)
        if len(texts) != 2:
            raise ValueError(f'more than one value provided for key {quote(values[0])} in map "{full_name}"')
        key = self._parse(key_field, texts[0], f'parsing map key "{target.name}"')
        value = self._parse(value_field, texts[1], f'parsing map value "{target.name}"')
        entries = getattr(parent, target.name)
        if value_field.message_type is not None:
            entries[key].CopyFrom(value)
        else:
            entries[key] = value

    def _parse(self, target: FieldDescriptor, text: str, where: str) -> Any:
        try:
            return query_parser(target, enum_any_case=self._any_case)(text)
        except ValueError as cause:
            raise ValueError(f"{where}: {cause}") from None

    def _resolved(self, name: str) -> _Path:
        """The same keys come again and again; very long ones are not worth the memory."""
        return self._remembered(name) if len(name) <= _LONGEST_REMEMBERED_KEY else self._resolve(name)

    def _resolve(self, name: str) -> _Path:
        """Look every segment up as proto name, else as JSON name (gateway 1.3)."""
        typed = name.split(".")
        steps: list[_Step] = []
        message: Descriptor | None = self._request
        for segment in typed:
            step = self._step(message, segment) if message is not None else None
            if step is None:
                break
            steps.append(step)
            message = step.field.message_type if step.descends or step.index >= 0 else None
        complete = len(steps) == len(typed)
        plain = complete and all(step.descends for step in steps[:-1])
        return _Path(tuple(steps), complete, tuple(step.name for step in steps) if plain else tuple(typed))

    def _step(self, message: Descriptor, segment: str) -> _Step | None:
        index = -1
        found = field_named(message, segment)
        if found is None and self._indexed and (match := _INDEXED.fullmatch(segment)):
            found, index = field_named(message, match[1]), int(match[2])
            if found is None or not found.is_repeated or found.message_type is None or is_map(found):
                return None
        if found is None:
            return None
        descends = found.message_type is not None and not found.is_repeated
        return _Step(found, segment, found.name, real_oneof(found), descends, index)

    def _elements(self, keys: Iterable[str]) -> dict[tuple[object, ...], list[int]]:
        """The indices that occur in each indexed list, sorted: their rank is the place of the element."""
        found: dict[tuple[object, ...], set[int]] = {}
        for key in keys:
            walked: tuple[object, ...] = ()
            for step in self._resolved(_brackets(key)[0]).steps:
                if step.index >= 0:
                    found.setdefault((*walked, step.name), set()).add(step.index)
                walked = (*walked, step.name, step.index)
        return {path: sorted(indices) for path, indices in found.items()}


def _brackets(key: str) -> tuple[str, str | None]:
    """`prefix[inner]` → prefix and inner; the prefix is as long as can be (gateway 1.3)."""
    start = key.rfind("[")
    if start < 0 or not key.endswith("]"):
        return key, None
    return key[:start], key[start + 1 : -1]


def _identity(path: _Path) -> tuple[str, ...]:
    return tuple(f"{step.name}[{step.index}]" if step.index >= 0 else step.name for step in path.steps)


def _walk(message: Message, path: _Path, elements: dict[tuple[object, ...], list[int]]) -> tuple[Message, _Step | None]:
    """Descend to the message that holds the leaf, making parents present on the way."""
    if len(path.steps) > MAX_DEPTH:
        raise ValueError(f"invalid path: {quote(path.steps[MAX_DEPTH].typed)} is nested too deeply")
    walked: tuple[object, ...] = ()
    for position, step in enumerate(path.steps):
        if step.oneof:
            check_oneof(message, step.field, step.oneof)
        if path.complete and position == len(path.steps) - 1:
            return message, step
        if step.index >= 0:
            message = _element(message, step, elements[*walked, step.name])
        elif step.descends:
            message = getattr(message, step.name)
            message.SetInParent()
        else:
            raise ValueError(f"invalid path: {quote(step.typed)} is not a message")
        walked = (*walked, step.name, step.index)
    return message, None


def real_oneof(target: FieldDescriptor) -> str:
    """Name of the oneof of a field; a one-member oneof with a leading underscore is just `optional`."""
    oneof = target.containing_oneof
    if oneof is None or (len(oneof.fields) == 1 and oneof.name.startswith("_")):
        return ""
    return oneof.name


def check_oneof(message: Message, target: FieldDescriptor, oneof: str) -> None:
    """Refuse a second member of a oneof; descending into the same message member again is allowed."""
    chosen = message.WhichOneof(oneof)
    if chosen is not None and (target.message_type is None or chosen != target.name):
        raise ValueError(f'field already set for oneof "{oneof}"')


def _element(message: Message, step: _Step, indices: Sequence[int]) -> Message:
    items = getattr(message, step.name)
    while len(items) < len(indices):
        items.add()
    return items[indices.index(step.index)]  # type: ignore[no-any-return] # an element of a repeated message


def set_field(message: Message, target: FieldDescriptor, value: Any) -> None:
    """Set a singular field; a message is present afterwards even when it is empty."""
    if target.message_type is None:
        setattr(message, target.name, value)
    else:
        inner = getattr(message, target.name)
        inner.CopyFrom(value)
        inner.SetInParent()
