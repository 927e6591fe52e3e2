"""Completion of a query text while it is typed (pod-service 16).

The grammar is that of `cutting`; what differs is that nothing is dropped for being unfinished: the part
that is being typed often has no value yet.
"""

from __future__ import annotations

from dataclasses import dataclass

from podledger.query.cutting import cut, pair, split_values


@dataclass(frozen=True, slots=True)
class Typed:
    """A part as far as it is typed. The label may be unknown; `*` stands for a value still to come."""

    key: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Completion:
    """The parts of an unfinished text, in input order; of one spelling all of them."""

    parts: tuple[Typed, ...]

    @property
    def completing(self) -> Typed:
        """The part that is being completed: the last one."""
        return self.parts[-1]


def completion(text: str) -> Completion | None:
    """What is being completed; None for a text without any part that has a colon."""
    pairs = (pair(part) for part in cut(text))
    parts = tuple(Typed(found.key, _values(found.values)) for found in pairs if found is not None)
    return Completion(parts) if parts else None


def _values(text: str) -> tuple[str, ...]:
    return split_values(f"{text}*" if not text or text.endswith(",") else text)
