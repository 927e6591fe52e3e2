"""The clock that engines are given: microseconds since 1970 UTC."""

from __future__ import annotations

import time
from collections.abc import Callable

Clock = Callable[[], int]


def wall_clock() -> int:
    """The time of the system."""
    return time.time_ns() // 1000
