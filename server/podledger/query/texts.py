"""What "white space" and "letter case" mean in the search language, whatever Python thinks of them.

Both follow the Unicode data, not the locale and not `str.strip` or `str.lower` (pod-service 3.3): a code
point is lower-cased to exactly one code point, and U+001C to U+001F are not white space.
"""

from __future__ import annotations

WHITE_SPACE = (
    "\t\n\v\f\r \u0085\u00a0\u1680"
    "\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
"""The Unicode property White_Space."""


class BadValueError(ValueError):
    """A value that its column type refuses. The text is the one for the caller, without its label."""


def trim(text: str) -> str:
    """Cut white space off both ends."""
    return text.strip(WHITE_SPACE)


def fold(text: str) -> str:
    """Lower-case by simple mapping, code point to code point.

    `str.lower` is the full mapping. It differs from the simple one in two letters: U+0130 becomes two
    code points, and a capital sigma depends on its neighbours.
    """
    if text.isascii():
        return text.lower()
    return text.replace("\u0130", "i").replace("\u03a3", "\u03c3").lower()
