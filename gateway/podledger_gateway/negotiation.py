"""What a client asks for in Accept, Accept-Encoding, TE and Prefer (gateway 3.3, 5.3, 6.4).

Lists, quality values and wildcards are understood, and nothing ever fails: a request that asks for
something unknown gets the default form.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

StreamForm = Literal["lines", "ndjson", "messages", "sse", "json-seq", "array"]
"""How the elements of a stream are framed; `messages` are lines without the `result` member."""

JSON = "application/json"
PRETTY = "application/json+pretty"


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a header that is a list: its value, parameters and quality."""

    value: str
    parameters: Mapping[str, str]
    quality: float


def items(header: str) -> Iterator[Item]:
    """Items of a list header in order; names in lower case, quotation marks taken off."""
    for part in header.split(","):
        value, *parameters = (piece.strip() for piece in part.split(";"))
        pairs = dict(_parameter(piece) for piece in parameters if piece)
        if value:
            yield Item(value.lower(), pairs, _quality(pairs.pop("q", "1")))


def _parameter(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name.strip().lower(), value.strip().strip('"')


def _quality(text: str) -> float:
    try:
        return min(max(float(text), 0.0), 1.0)
    except ValueError:
        return 0.0


def stream_form(accept: str) -> StreamForm:
    """The form that is asked for by name with the highest quality, else the default."""
    ranked = [(item.quality, form) for item in items(accept) if (form := _form(item))]
    best = max(ranked, key=lambda pair: pair[0], default=(0.0, None))
    wildcard = max((item.quality for item in items(accept) if item.value in ("*/*", "application/*")), default=0.0)
    return "lines" if best[1] is None or best[0] == 0 or best[0] < wildcard else best[1]


def _form(item: Item) -> StreamForm | None:
    match item.value:
        case "text/event-stream":
            return "sse"
        case "application/json-seq":
            return "json-seq"
        case "application/x-ndjson":
            return "messages" if item.parameters.get("wrapped", "").lower() == "false" else "ndjson"
        case "application/json":
            return "array" if item.parameters.get("stream", "").lower() == "array" else "lines"
        case "application/json+pretty":
            return "lines"
    return None


def wants_pretty(accept: str) -> bool:
    """Whether the pretty form of JSON is asked for, before the compact one."""
    qualities = {item.value: item.quality for item in reversed(list(items(accept)))}
    return qualities.get(PRETTY, 0.0) > 0 and qualities.get(PRETTY, 0.0) >= qualities.get(JSON, 0.0)


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether a gzip body may be sent."""
    qualities = {item.value: item.quality for item in items(accept_encoding)}
    return qualities.get("gzip", qualities.get("x-gzip", qualities.get("*", 0.0))) > 0


def accepts_trailers(te: Iterable[str]) -> bool:
    """Whether the client understands HTTP trailers."""
    return any(item.value == "trailers" for header in te for item in items(header))


def prefers_strict(prefer: Iterable[str]) -> bool:
    """Whether unknown parameters shall be errors: `Prefer: handling=strict` (RFC 7240)."""
    return any(_parameter(item.value) == ("handling", "strict") for header in prefer for item in items(header))


def asks_for_proof(header: str | None) -> bool:
    """Whether the end of a stream shall be marked (`X-Export-Complete`)."""
    return header is not None and header.strip().lower() not in ("0", "false")


def is_form(content_type: str) -> bool:
    """Whether a request body is a form; parameters and letter case do not matter (gateway 2.6)."""
    return content_type.partition(";")[0].strip().lower() == "application/x-www-form-urlencoded"
