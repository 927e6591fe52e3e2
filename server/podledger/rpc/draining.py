"""Stage: streams end before a server does, between two batches, with a status that says why.

A stream that cannot be reached there, behind a client that does not read, is cut by its door a moment
later. Either way its client sees UNAVAILABLE and can go on elsewhere; nobody takes the end for the whole.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

from podledger.rpc.calls import Call, Method, Streaming, Unary, running
from podledger.rpc.status import Stopping


class Drain:
    """The stage, and the word that ends streams. Unary calls are short and finish."""

    def __init__(self) -> None:
        self.over = False
        """Whether streams must end now."""

    def end_streams(self) -> None:
        """Each at its next batch."""
        self.over = True

    def unary(self, method: Method, handler: Unary) -> Unary:  # noqa: ARG002 - the signature of a stage
        """Nothing to do."""
        return handler

    def streaming(self, method: Method, handler: Streaming) -> Streaming:  # noqa: ARG002 - the signature of a stage
        """Around a streaming handler."""

        async def run(call: Call) -> AsyncGenerator[Sequence[bytes], None]:
            async with running(handler, call) as batches:
                async for batch in batches:
                    if self.over:
                        raise Stopping
                    yield batch

        return run
