"""The caps on a query text (pod-service 3.1)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class QueryLimits:
    """What one query may cost. The error texts print the value in force."""

    max_bytes: int = 8192
    """UTF-8 bytes of the query text."""
    max_parts: int = 32
    """Parts after cutting, empty and dropped ones included."""
    max_values: int = 256
    """Values of all parts with a known label: two thousand OR-ed values outlast a call's time."""
    max_regexes: int = 8
    max_regex_bytes: int = 256
    """UTF-8 bytes of one regular expression, without `r/`."""
    max_regex_program: int = 400
    """Instructions of the compiled program. Everyday patterns stay below 210; nested repetitions reach
    thousands, and the time per row grows with them."""


DEFAULT_LIMITS = QueryLimits()
