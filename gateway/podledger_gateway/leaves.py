"""The query parameters a method understands, as dotted paths, and the nearest one to a typed key.

The API description lists them, strict mode hints at them (gateway 1.9, 9.2). Fields that a path or
body binds, repeated messages, maps, and types inside themselves are left out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from podledger_gateway.rules import is_map
from podledger_gateway.values import has_scalar_form

_LONGEST_HINTED_KEY = 200
"""Longer keys are no typing mistakes, and comparing them is slow."""
_NEAR = 0.75
"""Similarity (difflib) from which a name is near enough to be what was meant."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """One parameter: the fields from the request message down to the one that is set."""

    fields: tuple[FieldDescriptor, ...]

    @property
    def field(self) -> FieldDescriptor:
        """The field that is set."""
        return self.fields[-1]

    @property
    def name(self) -> str:
        """The key as the API reference spells it: JSON names with dots."""
        return ".".join(field.json_name for field in self.fields)


def query_leaves(message: Descriptor, bound: Collection[tuple[str, ...]] = ()) -> list[Leaf]:
    """All parameters of a request message in declaration order."""
    return list(_walk(message, (), (message,), frozenset(bound)))


def _walk(
    message: Descriptor,
    above: tuple[FieldDescriptor, ...],
    types: tuple[Descriptor, ...],
    bound: frozenset[tuple[str, ...]],
) -> Iterator[Leaf]:
    for field in message.fields:
        path = (*above, field)
        if tuple(step.name for step in path) in bound or is_map(field):
            continue
        inner = field.message_type
        if inner is None or has_scalar_form(inner):
            yield Leaf(path)
        elif not field.is_repeated and inner not in types:
            yield from _walk(inner, path, (*types, inner), bound)


class Hints:
    """Finds the parameter that a mistyped key was probably meant to be."""

    def __init__(self, leaves: Collection[Leaf]) -> None:
        self._names: Mapping[str, str] = {_folded(leaf.name): leaf.name for leaf in leaves}
        self._last = {_folded(leaf.fields[-1].json_name): leaf.name for leaf in leaves}

    def nearest(self, key: str) -> str:
        """The nearest name, or empty text when none is near enough."""
        if len(key) > _LONGEST_HINTED_KEY:
            return ""
        folded = _folded(key)
        if near := get_close_matches(folded, self._names, n=1, cutoff=_NEAR):
            return self._names[near[0]]
        return self._last.get(folded, "")


def _folded(name: str) -> str:
    """Letter case and underscores are what differs between the spellings of one name."""
    return name.replace("_", "").lower()
