"""Replies made from stored messages, without parsing one (performance 2.1).

`PodsResponse.pods` and `ExportPodResponse.pod` are both field 1, so a pod inside either message is the
same bytes: tag, length, stored message.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import overload

_TAG = b"\x0a"
"""Field 1, length-delimited."""


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


_PREFIXES = tuple(_TAG + _varint(size) for size in range(16384))
"""Tag and length of every size that fits two bytes of length; a usual pod has 1 to 3 KB."""


def _prefix(size: int) -> bytes:
    return _PREFIXES[size] if size < len(_PREFIXES) else _TAG + _varint(size)


def framed(message: bytes) -> bytes:
    """A message whose field 1 is `message`."""
    return _prefix(len(message)) + message


class Framed(Sequence[bytes]):
    """Stored messages, each framed when it is asked for, so that a stalled stream holds no second copy of them."""

    __slots__ = ("_messages",)

    def __init__(self, messages: Sequence[bytes]) -> None:
        self._messages = messages

    def __len__(self) -> int:
        return len(self._messages)

    @overload
    def __getitem__(self, place: int) -> bytes: ...
    @overload
    def __getitem__(self, place: slice) -> Framed: ...
    def __getitem__(self, place: int | slice) -> bytes | Framed:
        if isinstance(place, slice):
            return Framed(self._messages[place])
        return framed(self._messages[place])

    def __iter__(self) -> Iterator[bytes]:
        return map(framed, self._messages)


def joined(messages: Iterable[bytes]) -> bytes:
    """A message whose repeated field 1 is `messages`, in order."""
    return b"".join(part for message in messages for part in (_prefix(len(message)), message))
