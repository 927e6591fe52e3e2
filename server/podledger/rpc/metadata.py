"""The metadata keys of PodService (pod-service 1.6): what a request may carry, what an answer tells."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from podledger.errors import InvalidRequest
from podledger.pods.identity import NO_CLUSTER, PodKey, parse_uuid
from podledger.pods.quoting import quote
from podledger.rpc.calls import Call, Pair
from podledger.store.contract import Count

STRICT = "x-podledger-strict"
COUNT = "x-podledger-count"
AFTER = "x-podledger-after"
IGNORED = "x-podledger-ignored-query-parts"
TOTAL = "x-total-count"
TRUNCATED = "x-podledger-truncated"

_PART_CHARACTERS = 128
_IGNORED_BYTES = 4096
_MORE = '"..."'


def strict(call: Call, *, default: bool) -> bool:
    """Whether query parts without effect are errors. The caller can switch it on, never off."""
    return default or call.header(STRICT).lower() in {"true", "1"}


def exact_count(call: Call) -> bool:
    """Whether the total must be exact, whatever it costs."""
    return call.header(COUNT) == "exact"


def resume_key(call: Call) -> PodKey | None:
    """The pod after which an export goes on; None when it begins at the front."""
    value = call.header(AFTER)
    if not value:
        return None
    cluster, _, pod = value.partition("/")
    try:
        return PodKey(parse_uuid(cluster) if cluster else NO_CLUSTER, parse_uuid(pod))
    except ValueError as error:
        message = f"{AFTER}: value {quote(value)} must be <cluster id>/<pod id>: {error}"
        raise InvalidRequest(message, field=AFTER) from error


def ignored_parts(parts: Sequence[str]) -> list[Pair]:
    """The dropped query parts as a JSON array in ASCII, cut to what fits a header (pod-service 3.5)."""
    if not parts:
        return []
    texts = [_ascii(part[:_PART_CHARACTERS]) for part in parts]
    if _size(texts) > _IGNORED_BYTES:
        while _size([*texts, _MORE]) > _IGNORED_BYTES:
            texts.pop()
        texts.append(_MORE)
    return [(IGNORED, "[" + ",".join(texts) + "]")]


def _ascii(text: str) -> str:
    # DEL is the one ASCII character that json leaves as it is and metadata may not hold.
    return json.dumps(text).replace("\x7f", "\\u007f")


def _size(texts: Iterable[str]) -> int:
    return 1 + sum(len(text) + 1 for text in texts)


def totals(total: Count, *, truncated: bool) -> list[Pair]:
    """How many pods match, and whether the page leaves some of them out."""
    pairs: list[Pair] = [(TOTAL, str(total.value) if total.exact else f"{total.value}+")]
    return [*pairs, (TRUNCATED, "true")] if truncated else pairs
