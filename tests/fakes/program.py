"""The installed program as a user runs it: a subprocess with an empty home and ports of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(sys.executable).with_name("podledger")
READY_SECONDS = 60


@dataclass(frozen=True)
class Served:
    """A running server: its process and the addresses it really bound."""

    process: subprocess.Popen
    grpc: str
    http: str
    home: Path
    admin: str = ""

    def stop(self, number: int = signal.SIGINT) -> int:
        """End the server and give its exit status."""
        self.process.send_signal(number)
        return self.process.wait(timeout=30)


def environment(home: Path, **more: str) -> dict[str, str]:
    """A clean environment: nothing of the developer's settings reaches the program."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PODLEDGER_", "XDG_", "COV_"))}
    return {**kept, "HOME": str(home), "NO_COLOR": "1", "PODLEDGER_ADMIN__LISTEN": "127.0.0.1:0", **more}


def run(
    home: Path, *arguments: str, stdin: bytes = b"", timeout: float = 100, **more: str
) -> subprocess.CompletedProcess:
    """Run the program to its end."""
    return subprocess.run(
        [str(PROGRAM), *arguments],
        input=stdin,
        capture_output=True,
        env=environment(home, **more),
        timeout=timeout,
        check=False,
        cwd=home,
    )


@contextmanager
def serving(
    home: Path, *arguments: str, settings: Mapping[str, str] | None = None, ready_seconds: float = READY_SECONDS
) -> Iterator[Served]:
    """Serve on free ports until the block ends."""
    ready = home / "ready.json"
    ready.unlink(missing_ok=True)
    command = [
        str(PROGRAM), "serve", "--ready-file", str(ready),
        "--set", "grpc.listen=127.0.0.1:0", "--set", "http.listen=127.0.0.1:0", *arguments,
    ]  # fmt: skip
    with (home / "serve.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment(home, **(settings or {})), stdout=log, stderr=log, cwd=home)
        try:
            addresses = _wait(process, ready, home, ready_seconds)
            yield Served(process, addresses["grpc"], addresses["http"], home, addresses.get("admin", ""))
        finally:
            if process.poll() is None:
                process.kill()
            process.wait(timeout=10)


def _wait(process: subprocess.Popen, ready: Path, home: Path, seconds: float) -> dict[str, str]:
    until = time.monotonic() + seconds
    while time.monotonic() < until and process.poll() is None:
        if ready.exists():
            return json.loads(ready.read_text())
        time.sleep(0.02)
    raise AssertionError(f"the server did not come up:\n{(home / 'serve.log').read_text()}")


def tool(name: str) -> str:
    """Path of a real tool; without it the test is skipped, in CI it fails."""
    local = ROOT / ".tools" / name
    found = str(local) if local.exists() else shutil.which(name)
    if found is None:
        if os.environ.get("PODLEDGER_TEST_REQUIRE_TOOLS"):
            pytest.fail(f"{name} is missing, and this run requires it: make tools")
        pytest.skip(f"{name} is not installed: make tools")
    return found
