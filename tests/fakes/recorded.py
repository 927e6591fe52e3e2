"""Recorded exchanges with a real API server, from `tests/data/recorded`."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path
from typing import Any

RECORDED = Path(__file__).resolve().parents[1] / "data" / "recorded"


def body(name: str) -> bytes:
    """The body of an answer, the chunks of a stream joined."""
    packed = (RECORDED / name).read_bytes()
    response = json.loads(gzip.decompress(packed) if name.endswith(".gz") else packed)["response"]
    return b"".join(map(_part, response["chunks"] if "chunks" in response else [response["body"]]))


def _part(part: dict[str, Any]) -> bytes:
    return part["text"].encode() if "text" in part else base64.b64decode(part["base64"])
