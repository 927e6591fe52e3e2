"""The `Backend`: how the gateway reaches a service, and the values that pass.

Two implementations exist: `channel` over a gRPC channel, and the one an embedding program hands in
to call its handlers in process. Both obey the same promises:

- cancelling the awaiting task, or `Stream.aclose()`, cancels the call within a second;
- an iteration that ends without an exception means that the status was OK;
- after `BackendError` nothing is held.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from google.protobuf.any_pb2 import Any as AnyMessage

Metadata = Sequence[tuple[str, str | bytes]]
"""Pairs in order; keys are lower case, values are bytes for keys ending in `-bin`, text otherwise."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer of a unary call: the serialized message and both kinds of metadata."""

    message: bytes
    initial: Metadata = ()
    trailing: Metadata = ()


class Stream(Protocol):
    """A running server-streaming call. Iterating gives non-empty batches of serialized messages."""

    async def initial(self) -> Metadata:
        """Initial metadata; waits until the server has sent it. Raises `BackendError`."""
        ...

    def __aiter__(self) -> AsyncIterator[Sequence[bytes]]:
        """Batches of messages in order. Raises `BackendError` when the status is not OK."""
        ...

    @property
    def trailing(self) -> Metadata:
        """Trailing metadata; empty before the end."""
        ...

    async def aclose(self) -> None:
        """End the call. Calling it twice, or after the end, does nothing."""
        ...


class Backend(Protocol):
    """Calls methods by full name (`/v1.PodService/GetPods`) with serialized requests."""

    async def unary(self, method: str, request: bytes, metadata: Metadata, timeout: float | None) -> Reply:  # noqa: ASYNC109 - it travels with the call
        """Call and wait. `timeout` is in seconds, None for no limit. Raises `BackendError`."""
        ...

    def stream(self, method: str, request: bytes, metadata: Metadata, timeout: float | None) -> Stream:
        """Start a server-streaming call; errors come from using the stream."""
        ...


class BackendError(Exception):
    """A call ended with a status other than OK.

    `code` is the gRPC number, `details` the entries of google.rpc.Status. `reached` is False when no
    server answered at all; in process that never happens.
    """

    def __init__(
        self,
        code: int,
        message: str,
        details: Sequence[AnyMessage] = (),
        *,
        initial: Metadata = (),
        trailing: Metadata = (),
        reached: bool = True,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.details = details
        self.initial = initial
        self.trailing = trailing
        self.reached = reached
