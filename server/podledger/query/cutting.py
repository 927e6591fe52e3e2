"""The outer grammar: from a query text to keys and raw values (pod-service 3.2, 3.3, 3.6).

    query     = part *( "+" part )          ; a + separates only when a : follows later, and of several
                                            ; the last one before that :
    part      = key ":" value *( "," value )
    value     = [ "!!" / "!" ] ( "r/" pattern / DQUOTE exact DQUOTE / plain )

Double quotes hide `+`, `:` and `,`. There is no escape character, and an unbalanced quote swallows the
rest. Nothing here can fail: what is not of this form is dropped later, and said so.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from podledger.query.texts import trim

Modifier = Literal["AtLeastOne", "Negation", "Regex", "Equality"]


def cut(text: str) -> list[str]:
    """Cut a query text into parts, untrimmed. There is always one, and joined by `+` they are the text."""
    parts: list[str] = []
    start = plus = 0
    quoted = False
    for index, character in enumerate(text):
        if character == '"':
            quoted = not quoted
        elif quoted:
            continue
        elif character == "+":
            plus = index
        elif character == ":" and plus and plus >= start:  # so a + at index 0 never counts
            parts.append(text[start:plus])
            start = plus + 1
    parts.append(text[start:])
    return parts


class Pair(NamedTuple):
    """A part at its first colon: trimmed key and value text; `values` is empty when nothing follows."""

    key: str
    values: str


def pair(part: str) -> Pair | None:
    """Cut a part at its first colon; None when it has none."""
    key, colon, values = trim(part).partition(":")
    return Pair(trim(key), trim(values)) if colon else None


def split_values(text: str) -> tuple[str, ...]:
    """Cut a value text at every comma outside quotes. Elements are not trimmed and may be empty."""
    values: list[str] = []
    start = 0
    quoted = False
    for index, character in enumerate(text):
        if character == '"':
            quoted = not quoted
        elif character == "," and not quoted:
            values.append(text[start:index])
            start = index + 1
    return (*values, text[start:])


class Modified(NamedTuple):
    """A raw value without its modifiers, and these in the order read."""

    value: str
    modifiers: tuple[Modifier, ...]

    @property
    def negated(self) -> bool:
        """Whether the meaning is turned round."""
        return "Negation" in self.modifiers

    @property
    def listed(self) -> str:
        """The modifiers as error texts show them."""
        return f"[{' '.join(self.modifiers)}]"


def modified(raw: str) -> Modified:
    """Take the modifiers off a raw value. A modifier needs something behind it, else it is literal."""
    value, modifiers = _without_negation(raw)
    if value.startswith("r/") and len(value) > 2:
        return Modified(value[2:], (*modifiers, "Regex"))
    if len(value) >= 2 and value.startswith('"') and value.endswith('"'):
        return Modified(value[1:-1], (*modifiers, "Equality"))
    return Modified(value, modifiers)


def _without_negation(raw: str) -> Modified:
    if raw.startswith("!!") and len(raw) > 2:
        return Modified(raw[2:], ("AtLeastOne",))
    if raw.startswith("!") and len(raw) > 1:
        return Modified(raw[1:], ("Negation",))
    return Modified(raw, ())
