"""Folders that a run works in. They lie on a real disk or in memory, wherever the system puts what is temporary."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def folder() -> Iterator[Path]:
    """A folder of its own, gone with all it holds at the end."""
    with tempfile.TemporaryDirectory(prefix="podledger-chaos-") as path:
        yield Path(path)
