"""`store.url` -> engine. An engine is imported when it is asked for, and opened by whoever owns it."""

from __future__ import annotations

from podledger.errors import BadInput
from podledger.pods.merging import MergeMode
from podledger.store.clocks import Clock, wall_clock
from podledger.store.contract import Store

_SQLITE = "sqlite:///"


def open_store(
    url: str, *, merge_mode: MergeMode = "dedupe", clock: Clock = wall_clock, exclusive: bool = False
) -> Store:
    """Make the engine of a URL; `Store.open` is still to come.

    `sqlite:///FILE` (relative to the current folder; four slashes for an absolute path) and `memory:`.
    `exclusive` claims a file for a server. Raises `BadInput` for any other URL.
    """
    if url == "memory:":
        from podledger.store.memory import MemoryStore  # noqa: PLC0415 - only the engine in use

        return MemoryStore(merge_mode=merge_mode, clock=clock)
    if url.startswith(_SQLITE) and len(url) > len(_SQLITE):
        from podledger.store.sqlite import SqliteStore  # noqa: PLC0415 - only the engine in use

        return SqliteStore(url.removeprefix(_SQLITE), merge_mode=merge_mode, clock=clock, exclusive=exclusive)
    raise BadInput(f"store.url {url!r} names no store: write sqlite:///FILE, or memory: for one that is not kept")
