"""Signals: the first asks for the end and sets the last limit, the second is the end (operations 18)."""

from __future__ import annotations

import asyncio
import os
import signal
import threading

import structlog

log = structlog.get_logger("podledger.stopping")

HARD_EXIT_SECONDS = 19.0
"""After a signal the process is gone by then, whatever hangs: orchestrators kill after 20 to 30 s."""


class Signals:
    """SIGINT and SIGTERM of this process, from now on."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self._received: asyncio.Future[signal.Signals] = loop.create_future()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._receive, number)

    def _receive(self, number: signal.Signals) -> None:
        if self._received.done():
            os._exit(128 + number)
        self._received.set_result(number)
        # A thread: the loop may be what hangs.
        timer = threading.Timer(HARD_EXIT_SECONDS, _exit_hard)
        timer.daemon = True
        timer.start()

    async def first(self) -> signal.Signals:
        """Wait for it."""
        return await self._received


def _exit_hard() -> None:
    log.error("server did not stop in time and exits", seconds=HARD_EXIT_SECONDS)
    os._exit(1)
