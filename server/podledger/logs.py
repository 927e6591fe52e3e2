"""Logging: structlog over the standard library, one line per event on standard error (operations 20).

JSON when standard error is not a terminal, `key=value` text when it is. Lines of libraries take the same
form. Names that hold secrets are masked, and every value is cut and escaped: data of strangers (pod names,
headers) must neither break a line nor reach a terminal as control characters.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any, Literal, TextIO
from urllib.parse import urlsplit

import structlog

LONGEST_VALUE = 1024
SECRET_KEYS = frozenset({"authorization", "cookie", "set-cookie", "password", "token", "secret", "dsn", "kubeconfig"})
MASK = "***"

Event = MutableMapping[str, Any]


def configure(
    level: str = "info", form: Literal["auto", "json", "text"] = "auto", *, stream: TextIO | None = None
) -> None:
    """Set logging up for the process. Calling it again replaces what was set up before."""
    stream = stream or sys.stderr
    as_text = form == "text" or (form == "auto" and stream.isatty())
    render = _text if as_text else _json
    number = logging.getLevelNamesMapping()[level.upper()]
    processors: Sequence[Any] = (
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        structlog.processors.format_exc_info,
        redact,
        render,
    )
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=logging.getLogger,  # not structlog's own factory: it looks for the caller of every line
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_Lines(render))
    logging.basicConfig(level=number, handlers=[handler], force=True)


class _Lines(logging.Formatter):
    """Our own records are rendered already; those of libraries are rendered here, in the same form."""

    def __init__(self, render: Any) -> None:
        super().__init__()
        self._render = render

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        if record.name.startswith("podledger"):
            return record.getMessage()
        event: Event = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            "logger": record.name,
        }
        if record.exc_info:
            event["exception"] = self.formatException(record.exc_info)
        return str(self._render(None, "", redact(None, "", event)))


def redact(_: Any, __: str, event: Event) -> Event:
    """Mask secrets, and cut every value."""
    for key, value in event.items():
        event[key] = (
            MASK if key.lower() in SECRET_KEYS else _bounded(value, LONGEST_VALUE * (8 if key == "exception" else 1))
        )
    return event


def _bounded(value: Any, length: int) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    text = _without_credentials(value if isinstance(value, str) else str(value))
    return text if len(text) <= length else text[:length] + "…"


def _without_credentials(text: str) -> str:
    """`scheme://user:password@host` loses user and password."""
    if "://" not in text or "@" not in text:
        return text
    return " ".join(_bare(word) for word in text.split(" "))


def _bare(word: str) -> str:
    try:
        parts = urlsplit(word)
    except ValueError:
        return word
    return word.replace(parts.netloc, f"{MASK}@{parts.netloc.rpartition('@')[2]}") if "@" in parts.netloc else word


def _json(_: Any, __: str, event: Event) -> str:
    return json.dumps(_ordered(event))


def _text(_: Any, __: str, event: Event) -> str:
    ordered = dict(_ordered(event))
    head = f"{ordered.pop('time')} {ordered.pop('level'):<7} {_plain(ordered.pop('event'))}"
    trace = ordered.pop("exception", None)
    line = " ".join([head, *(f"{key}={_plain(value)}" for key, value in ordered.items())])
    # A traceback is for eyes: lines stay lines, everything else is escaped.
    return "\n".join([line, *(json.dumps(each)[1:-1] for each in trace.splitlines())]) if trace else line


def _ordered(event: Event) -> Mapping[str, Any]:
    """Time, level and event first."""
    first = {key: event[key] for key in ("time", "level", "event") if key in event}
    return {**first, **{key: value for key, value in event.items() if key not in first}}


def _plain(value: Any) -> str:
    """A value as it is when it is printable, escaped otherwise."""
    text = str(value)
    return text if text.isprintable() else json.dumps(text)
