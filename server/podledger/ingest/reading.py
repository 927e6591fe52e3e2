"""Files of Kubernetes objects: paths in, one record per object out, each with where it was found.

    paths -> members (a file, a file of a folder, standard input) -> documents -> records

The form of a member is recognised by its content (ingest 7.1): `{` or `[` begins JSON, everything else
is YAML of one or more documents. A document is a list of any kind, a bare array, or one object. JSON
stays bytes: a list is cut into its items without decoding them. YAML is turned into JSON a document at
a time, so that there is one path from there on.

A folder gives all its `.json`, `.yaml` and `.yml` files at any depth, in bytewise order of their paths;
links and devices in it are left alone. The folders of must-gather, support bundles and other dumps need
no more than that, because every object names itself.

What the objects mean is decided in `importing`. Whatever cannot be read raises `BadInput` with one
sentence that names the member and the place in it.
"""

from __future__ import annotations

import codecs
import io
import json
import math
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import yaml

from podledger.errors import BadInput
from podledger.pods import objects

STDIN: Final = "-"
"""The path that stands for standard input."""

_ENDINGS: Final = (".json", ".yaml", ".yml")
_MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Caps of an input, in bytes (ingest 7.1)."""

    member: int = 256 * _MIB
    yaml_member: int = 64 * _MIB
    """A YAML document takes ten times its size in memory; JSON (`-o json`) has no such price."""
    total: int = 8 * 1024 * _MIB


@dataclass(frozen=True, slots=True)
class Record:
    """The JSON of one object. `implied_kind` is the kind that its list gives it, or empty."""

    member: str
    position: str
    """Document and item, for people; empty when the member holds nothing else."""
    implied_kind: str
    data: bytes

    @property
    def where(self) -> str:
        """The place of the object, for messages."""
        return f"{self.member}, {self.position}" if self.position else self.member


@dataclass(frozen=True, slots=True)
class _Member:
    """One text of the input."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class _Document:
    """One JSON text of a member."""

    member: str
    position: str
    data: bytes


_Form = Callable[[_Member, Limits], Iterator[_Document]]
"""Reads the documents of a member."""


def read(paths: Sequence[str], *, stdin: IO[bytes], limits: Limits = Limits()) -> Iterator[Record]:
    """Read all paths in their order."""
    total = 0
    for member in _members(paths, stdin, limits):
        total += len(member.data)
        if total > limits.total:
            raise BadInput(f"{member.name}: the input is larger than {_size(limits.total)}; import it in parts")
        for document in _form(member)(member, limits):
            yield from _records(document)


# --------------------------------------------------------------------------------------------- members


def _members(paths: Sequence[str], stdin: IO[bytes], limits: Limits) -> Iterator[_Member]:
    for path in paths:
        if path == STDIN:
            yield _Member("standard input", _capped(stdin, "standard input", limits))
        elif Path(path).is_dir():
            for file in _files(Path(path)):
                yield _file(file, limits)
        else:
            yield _file(Path(path), limits)


def _files(folder: Path) -> list[Path]:
    """The files of a folder that are tried. Sorted, so that "the later one wins" is the same everywhere."""
    found = []
    with _readable(folder):
        for parent, _, names in os.walk(folder, onerror=_raise):
            paths = (Path(parent, name) for name in names if name.lower().endswith(_ENDINGS))
            found += [path for path in paths if stat.S_ISREG(path.lstat().st_mode)]
    return sorted(found, key=os.fsencode)


def _raise(error: OSError) -> None:
    """A folder that cannot be read is an error: its pods would be missing in silence."""
    raise error


def _file(path: Path, limits: Limits) -> _Member:
    with _readable(path), path.open("rb") as file:
        return _Member(str(path), _capped(file, str(path), limits))


def _capped(file: IO[bytes], name: str, limits: Limits) -> bytes:
    """Read in pieces: a pipe may be named, and its size is not known before."""
    whole = io.BytesIO()
    while piece := file.read(_MIB):
        if whole.tell() + len(piece) > limits.member:
            raise BadInput(
                f"{name} is larger than {_size(limits.member)}; import it in parts, for example by namespace"
            )
        whole.write(piece)
    return whole.getvalue()


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BadInput(f"cannot read {error.filename or path}: {error.strerror}") from error


def _size(count: int) -> str:
    return f"{count // _MIB} MiB"


# ----------------------------------------------------------------------------------------------- forms


def _form(member: _Member) -> _Form:
    start = member.data[:4096].removeprefix(codecs.BOM_UTF8).lstrip()
    return _json_documents if start[:1] in (b"{", b"[") else _yaml_documents


def _json_documents(member: _Member, _limits: Limits) -> Iterator[_Document]:
    yield _Document(member.name, "", member.data.removeprefix(codecs.BOM_UTF8))


def _yaml_documents(member: _Member, limits: Limits) -> Iterator[_Document]:
    if len(member.data) > limits.yaml_member:
        raise BadInput(f"{member.name} is YAML larger than {_size(limits.yaml_member)}; write it as JSON (`-o json`)")
    documents = _YamlDocuments(member)
    for number, document in enumerate(documents.read(), start=1):
        # Escapes for all but ASCII: libyaml lets characters through that UTF-8 cannot hold.
        yield _Document(member.name, f"document {number}", json.dumps(document).encode("ascii"))


# --------------------------------------------------------------------------------------------- records


def _records(document: _Document) -> Iterator[Record]:
    try:
        found = objects.split_items(document.data)
    except BadInput as error:
        raise BadInput(f"{document.member} is not valid JSON: {error}") from error
    if found.items is None:
        yield Record(document.member, document.position, "", document.data)
        return
    implied = found.kind.removesuffix("List")
    for number, item in enumerate(found.items, start=1):
        position = f"{document.position}, item {number}" if document.position else f"item {number}"
        yield Record(document.member, position, implied, item)


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

    def __init__(self, member: _Member) -> None:
        self._name = member.name
        self._events: Iterator[Any] = yaml.parse(member.data, Loader=_LOADER)

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
