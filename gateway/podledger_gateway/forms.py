"""How the elements of a stream are framed (gateway 5.1, 5.3). Pure text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from podledger_gateway.negotiation import JSON, StreamForm

_Frame = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Form:
    """The framing of one form; each function takes the JSON of an element without frame."""

    content_type: str
    result: _Frame
    """Frames the JSON of a message."""
    error: _Frame
    """Frames an error element, `{"error":…}`."""
    end: _Frame
    """Frames the proof of the end, `{"end":…}`."""
    heartbeat: str = ""
    """What may be written while nothing happens; empty where a form knows no comments."""
    opening: str = ""
    separator: str = ""
    """Stands before every element but the first."""
    closing: str = ""


def _line(element: str) -> str:
    return element + "\n"


def _wrapped_line(message: str) -> str:
    return f'{{"result":{message}}}\n'


def _event(name: str) -> _Frame:
    return lambda element: f"event: {name}\ndata: {element}\n\n"


FORMS: Mapping[StreamForm, Form] = {
    "lines": Form(JSON, _wrapped_line, _line, _line),
    "ndjson": Form("application/x-ndjson", _wrapped_line, _line, _line),
    "messages": Form("application/x-ndjson", _line, _line, _line),
    "sse": Form(
        "text/event-stream",
        lambda message: f'data: {{"result":{message}}}\n\n',
        _event("error"),
        _event("end"),
        heartbeat=":\n\n",
    ),
    "json-seq": Form(
        "application/json-seq",
        lambda message: f'\x1e{{"result":{message}}}\n',
        lambda element: f"\x1e{element}\n",
        lambda element: f"\x1e{element}\n",
    ),
    "array": Form(
        JSON,
        lambda message: f'{{"result":{message}}}',
        str,
        str,
        opening="[",
        separator=",",
        closing="]",
    ),
}


class Framer:
    """Frames the elements of one stream in order: the array form needs to know which one is the first."""

    def __init__(self, form: Form) -> None:
        self._form = form
        self._lead = form.opening

    def result(self, message: str) -> str:
        """One message."""
        return self._placed(self._form.result(message))

    def error(self, element: str) -> str:
        """The error that ends the stream after headers were sent."""
        return self._placed(self._form.error(element)) + self._form.closing

    def end(self, count: int) -> str:
        """The proof that the stream is whole (gateway 5.3)."""
        return self._placed(self._form.end(f'{{"end":{{"count":{count}}}}}'))

    def finish(self) -> str:
        """What ends a whole stream."""
        return (self._lead if self._lead == self._form.opening else "") + self._form.closing

    def _placed(self, element: str) -> str:
        lead, self._lead = self._lead, self._form.separator
        return lead + element
