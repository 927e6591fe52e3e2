"""A call as every door presents it, and the two kinds of handler that answer one.

A door fills a `Call` from its transport and gives it to `chain.Chain`. The handler reads `request`,
sets `initial` metadata before its first result, and gives bytes (unary) or batches of serialized
messages (stream). Nobody here knows which transport carries the call.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Protocol, cast

from podledger.query.scope import Scope

Pair = tuple[str, str | bytes]
"""Metadata entry: lower-case key; bytes for keys ending in `-bin`, text otherwise."""


@dataclass(slots=True)
class Call:
    """One call on its way through the chain. Stages fill what later stages need."""

    method: str
    """Full name, `/v1.PodService/GetPods`."""
    request: bytes
    metadata: Sequence[Pair] = ()
    deadline: float | None = None
    """On the monotonic clock (`time.monotonic()`), None for no limit."""
    peer: str = ""
    door: str = ""
    """Name of the door for metrics: `grpcio` or `inprocess`."""
    request_id: str = ""
    """Set by the identify-request stage."""
    scope: Scope = field(default_factory=Scope)
    """What the caller may see; empty until the authenticate stage has set it."""
    initial: list[Pair] = field(default_factory=list)
    """Initial response metadata; complete before the first result."""
    trailing: list[Pair] = field(default_factory=list)

    def header(self, key: str) -> str:
        """The first text value of a request metadata key, or the empty text."""
        return next((value for name, value in self.metadata if name == key and isinstance(value, str)), "")


Unary = Callable[[Call], Awaitable[bytes]]
"""Gives the serialized reply."""

Streaming = Callable[[Call], AsyncIterator[Sequence[bytes]]]
"""Gives non-empty batches of serialized messages, in order. A batch is asked for only when the door
has handed over the one before; closing the iterator frees everything the handler holds."""


def running(handler: Streaming, call: Call) -> aclosing[AsyncGenerator[Sequence[bytes], None]]:
    """Run a streaming handler (an async generator function) inside `async with`, so that leaving the
    block closes its iterator at once and not when it is collected.
    """
    return aclosing(cast("AsyncGenerator[Sequence[bytes], None]", handler(call)))


@dataclass(frozen=True, slots=True)
class Method:
    """A method as the chain knows it: exactly one of `unary` and `streaming` is set."""

    name: str
    unary: Unary | None = None
    streaming: Streaming | None = None
    counted: str = ""
    """Trailing metadata key in which the door tells how many messages it wrote; empty for none."""
    exempt: bool = False
    """True for health: not authenticated, not admitted, not audited."""


class Dispatch(Protocol):
    """What a door needs of the chain. Both raise `rpc.status.CallFailed` and nothing else, apart from
    `asyncio.CancelledError` when the door itself is cancelled.
    """

    async def unary(self, call: Call) -> bytes:
        """Run a unary method."""
        ...

    def stream(self, call: Call) -> AsyncIterator[Sequence[bytes]]:
        """Run a streaming method."""
        ...
