"""The program under test as a process: started, killed, asked to stop, started again on the same store.

`wrapped` names wrappers of `tests.chaos.wrapping`: mutants, and `observed`, which tells its metrics.
"""

from __future__ import annotations

import asyncio
import json
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

import psutil

from tests.fakes.program import PROGRAM, ROOT, environment

READY_SECONDS = 60.0
_SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$")


class Program:
    """`podledger serve` over one SQLite file, on ports of its own each time."""

    def __init__(
        self, home: Path, store: Path, *, wrapped: Sequence[str] = (), settings: Mapping[str, object] | None = None
    ) -> None:
        self.grpc = self.http = ""
        self._home = home
        self._store = store
        self._wrapped = wrapped
        self._settings = {"log.level": "warning", "store.url": f"sqlite:///{store}", **(settings or {})}
        self._process: subprocess.Popen[bytes] | None = None
        self._ready = home / "ready.json"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process is not None:
            self.kill()
            await self.gone()

    async def start(self) -> None:
        """Start it, and wait until it serves."""
        self._ready.unlink(missing_ok=True)
        with (self._home / "serve.log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command(),
                env=environment(self._home),
                stdout=log,
                stderr=log,
                cwd=self._home if not self._wrapped else ROOT,
            )
        until = time.monotonic() + READY_SECONDS
        while not self._ready.exists():
            if self._process.poll() is not None or time.monotonic() > until:
                raise AssertionError(f"the server did not come up:\n{(self._home / 'serve.log').read_text()[-3000:]}")
            await asyncio.sleep(0.02)
        addresses = json.loads(self._ready.read_text())
        self.grpc, self.http = addresses["grpc"], addresses["http"]

    def _command(self) -> list[str]:
        given = {"grpc.listen": "127.0.0.1:0", "http.listen": "127.0.0.1:0", **self._settings}
        sets = [part for name, value in given.items() for part in ("--set", f"{name}={value}")]
        program = [str(PROGRAM)]
        if self._wrapped:
            program = [sys.executable, "-m", "tests.chaos.wrapping", ",".join(self._wrapped), str(self._home)]
        return [*program, "serve", "--ready-file", str(self._ready), *sets]

    # its end

    def kill(self) -> None:
        """SIGKILL."""
        self._running.kill()

    def terminate(self) -> None:
        """SIGTERM."""
        self._running.send_signal(signal.SIGTERM)

    async def gone(self) -> int:
        """Wait for its end; gives the exit status."""
        while (status := self._running.poll()) is None:
            await asyncio.sleep(0.01)
        return status

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._running.poll() is None

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process

    # what it costs

    @property
    def memory(self) -> float:
        """Resident memory in MiB."""
        return psutil.Process(self._running.pid).memory_info().rss / 2**20

    @property
    def cpu(self) -> float:
        """Processor seconds so far."""
        times = psutil.Process(self._running.pid).cpu_times()
        return times.user + times.system

    def log(self) -> str:
        """What it said."""
        return (self._home / "serve.log").read_text()

    async def metric(self, name: str, **labels: str) -> float:
        """The sum of the samples of a metric that have these labels. The program must be `observed`."""
        port = (self._home / "metrics.port").read_text()
        text = await asyncio.to_thread(_fetched, f"http://127.0.0.1:{port}/metrics")
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        matches = filter(None, map(_SAMPLE.match, text.splitlines()))
        return sum(
            float(value)
            for found, told, value in (match.groups(default="") for match in matches)
            if found == name and all(pair in told for pair in wanted)
        )


def _fetched(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()
