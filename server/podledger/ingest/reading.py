"""Texts of Kubernetes objects or upstream answers: paths in, one record per object out, each with its place.

    paths -> texts (`unpacking`) -> documents -> records

The form of a text is recognised by its content (ingest 7.1): `{` or `[` begins JSON, everything else is
YAML of one or more documents. JSON may be one document, or several with white space between them, which
one object per line (NDJSON) is. A document is a list of any kind, a bare array, an answer of an upstream
installation (ingest 7.4), or one object; an object may be an event of a watch, whose object is the record
then. JSON stays bytes: a list is cut into its items without decoding them. YAML is turned into JSON a
document at a time, so that there is one path from there on.

What the objects mean is decided in `spooling`. Whatever cannot be read raises `BadInput` with one
sentence that names the text and the place in it.
"""

from __future__ import annotations

import codecs
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any, Final

import yaml

from podledger.errors import BadInput
from podledger.ingest.unpacking import Limits, Meter, Text, size_text, texts
from podledger.pods import objects


@dataclass(frozen=True, slots=True)
class Record:
    """The JSON of one object, and what is told beside it."""

    text: str
    """Name of the text that holds it."""
    position: str
    """Document and item, for people; empty when the text holds nothing else."""
    implied_kind: str
    """The kind that its list gives it, or empty; what an upstream answer holds is one of `objects.ANSWERS`."""
    data: bytes
    event: str = ""
    """The type of the watch event that brought it (`ADDED`, …); empty for an object that lies there as it is."""

    @property
    def where(self) -> str:
        """The place of the object, for messages."""
        return f"{self.text}, {self.position}" if self.position else self.text


@dataclass(frozen=True, slots=True)
class _Document:
    """One JSON text of a text of any form."""

    text: str
    position: str
    data: bytes


_Form = Callable[[Text, Limits], Iterator[_Document]]
"""Reads the documents of a text."""


def read(paths: Sequence[str], *, stdin: IO[bytes], limits: Limits, meter: Meter) -> Iterator[Record]:
    """Read all paths in their order."""
    for text in map(_in_utf_8, texts(paths, stdin=stdin, limits=limits, meter=meter)):
        for document in _form(text)(text, limits):
            yield from _records(document)


# ----------------------------------------------------------------------------------------------- forms


def _in_utf_8(text: Text) -> Text:
    """The text without a byte order mark; some shells write UTF-16."""
    if not text.data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return Text(text.name, text.data.removeprefix(codecs.BOM_UTF8))
    try:
        return Text(text.name, text.data.decode("utf-16").encode())
    except UnicodeError as error:
        raise BadInput(f"{text.name} is not valid UTF-16: {error}") from error


def _form(text: Text) -> _Form:
    return _json_documents if text.data[:4096].lstrip()[:1] in (b"{", b"[") else _yaml_documents


def _json_documents(text: Text, _limits: Limits) -> Iterator[_Document]:
    try:
        for found in objects.split_texts(text.data):
            alone = len(found.data) == len(text.data)
            yield _Document(text.name, "" if alone else f"line {found.line}", found.data)
    except BadInput as error:
        raise BadInput(f"{text.name} is not valid JSON: {error}") from error


def _yaml_documents(text: Text, limits: Limits) -> Iterator[_Document]:
    if len(text.data) > limits.yaml_member:
        cap = size_text(limits.yaml_member)
        raise BadInput(f"{text.name} is YAML larger than {cap}; write it as JSON (`-o json`)")
    documents = _YamlDocuments(text)
    for number, document in enumerate(documents.read(), start=1):
        # Escapes for all but ASCII: libyaml lets characters through that UTF-8 cannot hold.
        yield _Document(text.name, f"document {number}", json.dumps(document).encode("ascii"))


# --------------------------------------------------------------------------------------------- records


def _records(document: _Document) -> Iterator[Record]:
    try:
        found = objects.split_items(document.data)
    except BadInput as error:
        raise BadInput(f"{document.text} is not valid JSON: {error}") from error
    if found.items is None:
        yield _record(document.text, document.position, "", document.data)
        return
    implied = found.kind.removesuffix("List")
    for number, item in enumerate(found.items, start=1):
        position = f"{document.position}, item {number}" if document.position else f"item {number}"
        yield _record(document.text, document.position if implied in _MESSAGES else position, implied, item)


_MESSAGES: Final = objects.ANSWERS - {"namespace", "cluster"}
"""Answers that come as one message per document."""


def _record(text: str, position: str, implied_kind: str, data: bytes) -> Record:
    frame = None if implied_kind else objects.decode_frame(data)
    if frame is None:
        return Record(text, position, implied_kind, data)
    return Record(text, position, "", frame.object, frame.type)


# ------------------------------------------------------------------------------------------------ YAML

_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml where PyYAML has it: ten times faster, the same events."""
_YAML_TAG: Final = "tag:yaml.org,2002:"
_YAML_TAGS: Final = frozenset(_YAML_TAG + name for name in ("null", "bool", "int", "float", "str", "seq", "map"))
_YAML_WORDS: Final = dict.fromkeys(("", "~", "null", "Null", "NULL")) | {
    word: value for value in (True, False) for word in (str(value), str(value).lower(), str(value).upper())
}
_YAML_DEPTH: Final = 100
"""A pod nests about ten levels deep."""
_YAML_DIGITS: Final = 18
"""Longer numbers than fit 64 bits are text to us: nothing that is read has them."""


class _YamlDocuments:
    """Builds plain values from YAML events.

    Only what JSON knows comes out: the core schema of YAML 1.2, so that `on`, `12:30` and dates stay
    text, as Kubernetes means them. No object is ever constructed. Aliases are refused, because a few
    lines of them expand to gigabytes, and so are tags beyond the core schema.
    """

    def __init__(self, text: Text) -> None:
        self._name = text.name
        self._events: Iterator[Any] = yaml.parse(text.data, Loader=_LOADER)

    def read(self) -> Iterator[Any]:
        """The values of the documents, empty documents left out."""
        try:
            for event in self._events:
                if isinstance(event, yaml.DocumentStartEvent):
                    value = self._value(next(self._events), 0)
                    if value is not None:
                        yield value
        except yaml.MarkedYAMLError as error:
            raise self._broken(error.problem or "unreadable", error.problem_mark) from error
        except yaml.reader.ReaderError as error:
            raise self._broken(f"{error.reason} at position {error.position + 1}", None) from error

    def _value(self, event: Any, depth: int) -> Any:
        self._check(event, depth)
        if isinstance(event, yaml.ScalarEvent):
            return _scalar(event)
        if isinstance(event, yaml.SequenceStartEvent):
            return [self._value(item, depth + 1) for item in self._until(yaml.SequenceEndEvent)]
        return {self._key(key): self._value(next(self._events), depth + 1) for key in self._until(yaml.MappingEndEvent)}

    def _until(self, end: type[Any]) -> Iterator[Any]:
        while not isinstance(event := next(self._events), end):
            yield event

    def _key(self, event: Any) -> str:
        """JSON has only text as key; a number or a word is taken as it stands."""
        if not isinstance(event, yaml.ScalarEvent):
            raise self._broken("a key that is no scalar", event.start_mark)
        return str(event.value)

    def _check(self, event: Any, depth: int) -> None:
        if isinstance(event, yaml.AliasEvent):
            raise self._broken("aliases are not accepted", event.start_mark)
        if event.tag not in (None, "!") and event.tag not in _YAML_TAGS:
            raise self._broken(f"the tag {event.tag} is not accepted", event.start_mark)
        if depth > _YAML_DEPTH:
            raise self._broken(f"nested deeper than {_YAML_DEPTH} levels", event.start_mark)

    def _broken(self, problem: str, mark: Any) -> BadInput:
        place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        return BadInput(f"{self._name} is not usable YAML: {problem}{place}")


def _scalar(event: Any) -> Any:
    """The value of a scalar: quoted text is text, plain text may be a word or a number."""
    text: str = event.value
    if event.style or event.tag in ("!", _YAML_TAG + "str"):
        return text
    if text in _YAML_WORDS:
        return _YAML_WORDS[text]
    return _number(text) if text[0] in "-+.0123456789" else text


def _number(text: str) -> Any:
    if len(text) > _YAML_DIGITS or not set(text) <= set("0123456789+-.eE"):
        return text
    for kind in (int, float):
        try:
            value = kind(text)
        except ValueError:
            continue
        return value if math.isfinite(value) else text
    return text
