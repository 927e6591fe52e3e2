"""Path templates of `google.api.http`: the grammar, and matching of request paths (gateway 2.1-2.3).

    template  = "/" [ segment *( "/" segment ) ] [ ":" verb ]
    segment   = "*" / "**" / literal / variable
    variable  = "{" ident *( "." ident ) [ "=" segment *( "/" segment ) ] "}"

A template is parsed once, at start; a request path is split once and then compared with templates.
Text keeps bytes that are not UTF-8 as lone surrogates (see `gostyle`). Which of several matching
templates wins is the business of `routes`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NoReturn
from urllib.parse import unquote_to_bytes

from podledger_gateway.gostyle import quote, raw_bytes, text_of

Decoding = Literal["legacy", "all-except-reserved", "all-except-slash", "all"]
"""How `%XX` in a path is treated (gateway 2.3)."""

_IDENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LITERAL = re.compile(r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2})+")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_ESCAPED_SLASH = re.compile(r"%2[Ff]")
_RESERVED = "!#$&'()*+,/:;=?@[]"
"""The reserved characters of RFC 6570."""
_KEPT = {
    "all-except-reserved": re.compile("(%(?:" + "|".join(f"{ord(c):x}" for c in _RESERVED) + "))", re.IGNORECASE),
    "all-except-slash": re.compile(r"(%2[Ff])"),
    "all": re.compile(r"(?!)"),
}
"""Escapes that stay encoded in `**`."""


class InvalidTemplate(ValueError):
    """The text is not a path template; the message says what is missing and where."""


class BadPath(ValueError):
    """The path of a request does not start with a slash, or an escape in it is malformed."""


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable and the segments it covers, `template.segments[start:end]`."""

    path: tuple[str, ...]
    start: int
    end: int

    @property
    def name(self) -> str:
        """The dotted field path."""
        return ".".join(self.path)


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed template: its segments in order, wildcards as `*` and `**`, everything else literal."""

    segments: tuple[str, ...]
    variables: tuple[Variable, ...] = ()
    verb: str = ""
    deep: int = -1
    """Position of `**`, or -1."""
    literals: tuple[tuple[int, str], ...] = ()
    """Literal segments with their position, counted from the end where they follow `**`."""

    def __str__(self) -> str:
        parts = list(self.segments)
        for variable in reversed(self.variables):
            covered = "/".join(parts[variable.start : variable.end])
            parts[variable.start : variable.end] = [f"{{{variable.name}={covered}}}"]
        return "/" + "/".join(parts) + (f":{self.verb}" if self.verb else "")

    def match(self, segments: Sequence[str], decoding: Decoding = "legacy") -> tuple[str, ...] | None:
        """The values of the variables, or None. `segments` come from `split_path` in the same mode."""
        if self.verb:
            if not segments[-1].endswith(self._suffix) or segments[-1] == self._suffix:
                return None
            segments = [*segments[:-1], segments[-1][: -len(self._suffix)]]
        extra = len(segments) - len(self.segments)
        if extra != 0 if self.deep < 0 else extra < -1:
            return None
        for position, literal in self.literals:
            if segments[position] != literal:
                return None
        return tuple(self._value(variable, segments, extra, decoding) for variable in self.variables)

    def names_verb(self, segment: str) -> bool:
        """Whether a last segment is nothing but this template's verb: such a path matches nothing."""
        return bool(self.verb) and segment == self._suffix

    @property
    def _suffix(self) -> str:
        return f":{self.verb}"

    def _value(self, variable: Variable, segments: Sequence[str], extra: int, decoding: Decoding) -> str:
        """Text of a variable; `extra` is by how many segments `**` covers more than one."""
        parts = []
        for index in range(variable.start, variable.end):
            pattern = self.segments[index]
            if pattern == "**":
                covered = "/".join(segments[index : index + 1 + extra])
                parts.append(_decode_deep(covered, decoding))
            else:
                segment = segments[index + (extra if 0 <= self.deep < index else 0)]
                parts.append(_decode(segment) if pattern == "*" and decoding != "legacy" else segment)
        return "/".join(parts)


def split_path(path: str, decoding: Decoding = "legacy") -> list[str]:
    """Segments of the raw path of a request.

    In the default mode the whole path is decoded first, so an encoded slash splits; in the others
    segments stay encoded until a wildcard takes them.
    """
    if not path.startswith("/") or _BAD_ESCAPE.search(path):
        raise BadPath("Bad Request")
    if decoding == "legacy":
        path = _decode(path)
    elif decoding == "all":
        path = _ESCAPED_SLASH.sub("/", path)
    return path[1:].split("/")


def _decode(text: str) -> str:
    return text_of(unquote_to_bytes(raw_bytes(text))) if "%" in text else text


def _decode_deep(text: str, decoding: Decoding) -> str:
    if decoding == "legacy" or "%" not in text:
        return text
    kept = _KEPT[decoding]
    pieces = kept.split(text)
    return "".join(pieces[i] if i % 2 else _decode(pieces[i]) for i in range(len(pieces)))


def parse_template(text: str) -> Template:
    """Parse a template, or raise `InvalidTemplate`."""
    return _Parser(text).parse()


class _Parser:
    """One pass from left to right over a template."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.segments: list[str] = []
        self.variables: list[Variable] = []
        self.verb = ""

    def parse(self) -> Template:
        if not self.text.startswith("/"):
            self.fail("a template starts with a slash")
        self.at = 1
        if self.text == "/" or (self.text.rpartition(":")[0] == "/" and "/" not in self.text[1:]):
            self.segments.append("")
            self.verb, self.at = self.text[2:], len(self.text)
        else:
            self.segment()
        while self.at < len(self.text):
            self.at += 1
            self.segment()
        return self.template()

    def template(self) -> Template:
        if "{" in self.verb:
            self.fail("a verb holds no variable")
        if self.segments.count("**") > 1:
            self.fail("a template has at most one **")
        deep = self.segments.index("**") if "**" in self.segments else -1
        literals = tuple(
            (index - len(self.segments) if 0 <= deep < index else index, segment)
            for index, segment in enumerate(self.segments)
            if segment not in ("*", "**")
        )
        return Template(tuple(self.segments), tuple(self.variables), self.verb, deep, literals)

    def segment(self) -> None:
        """A variable, or text up to the next slash; leaves `at` on that slash or at the end."""
        if self.text.startswith("{", self.at):
            self.variable()
            end = self.text.find("/", self.at)
            if self.text.startswith(":", self.at) and end < 0:
                self.verb, self.at = self.text[self.at + 1 :], len(self.text)
            elif self.at < len(self.text) and end != self.at:
                self.fail("after a variable comes a slash or a verb")
            return
        end = self.text.find("/", self.at)
        plain = self.text[self.at : end if end >= 0 else len(self.text)]
        if end < 0 and ":" in plain:
            plain, _, self.verb = plain.rpartition(":")
        self.plain(plain)
        self.at = end if end >= 0 else len(self.text)

    def plain(self, text: str) -> None:
        if not _LITERAL.fullmatch(text):
            self.fail("a segment is *, **, a variable, or characters that a URL path allows")
        self.segments.append(text)

    def variable(self) -> None:
        end = self.text.find("}", self.at)
        if end < 0:
            self.fail("a variable ends with a closing brace")
        name, equals, pattern = self.text[self.at + 1 : end].partition("=")
        path = tuple(name.split("."))
        if not all(map(_IDENT.fullmatch, path)):
            self.fail("a variable is named by identifiers with dots between them")
        start = len(self.segments)
        for segment in pattern.split("/") if equals else ("*",):
            self.plain(segment)
        self.variables.append(Variable(path, start, len(self.segments)))
        self.at = end + 1

    def fail(self, problem: str) -> NoReturn:
        raise InvalidTemplate(f"{problem}: {quote(self.text)} at character {self.at + 1}")
