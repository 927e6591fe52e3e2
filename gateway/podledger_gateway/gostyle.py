"""Values as Go's standard library reads and quotes them: the grammars and the exact error texts.

Clients of the grpc-gateway family see these texts in error bodies, so they are part of the wire
contract (gateway 1.5, 1.7). What comes in is text as it stood in a URL; what goes out is a Python
value, or a `ValueError` whose text is the CAUSE of the error message.

Text is `str` in which bytes that are not UTF-8 stand as lone surrogates (`surrogateescape`): so no
byte is lost before the type of the target field is known. Times and durations: `gotime`.
"""

from __future__ import annotations

import binascii
import re
import struct
import unicodedata
from decimal import Decimal
from math import inf, isinf, nextafter

_SHORT = {7: r"\a", 8: r"\b", 12: r"\f", 10: r"\n", 13: r"\r", 9: r"\t", 11: r"\v", 34: r"\"", 92: r"\\"}
_PRINTED = "LMNPS"
"""First letters of the Unicode categories that Go prints literally; the ASCII blank is added."""

_SURROGATE = re.compile("[\ud800-\udfff]")

_TRUE = frozenset(("1", "t", "T", "TRUE", "true", "True"))
_FALSE = frozenset(("0", "f", "F", "FALSE", "false", "False"))

_TIE_BELOW_OVERFLOW = float.fromhex("0x1.ffffffp127")
"""Half way between the greatest 32-bit value and the first that would overflow."""
_DIGITS = "0123456789"
_D = r"[0-9](?:_?[0-9])*"
_H = r"[0-9a-fA-F](?:_?[0-9a-fA-F])*"
_DECIMAL = re.compile(rf"[+-]?(?:{_D}(?:\.(?:{_D})?)?|\.{_D})(?:[eE][+-]?{_D})?")
_HEXADECIMAL = re.compile(rf"[+-]?0[xX](?:_?{_H}(?:\.(?:{_H})?)?|\.{_H})[pP][+-]?{_D}")
_SPECIAL = re.compile(r"[+-]?inf(?:inity)?|nan", re.IGNORECASE)


class _Alphabet:
    """One base64 alphabet: its bytes, well-formed text without newlines, leading whole quanta."""

    def __init__(self, last_two: bytes) -> None:
        symbol = b"[A-Za-z0-9" + re.escape(last_two) + b"]"
        self.symbols = frozenset(byte for byte in range(256) if re.match(symbol, bytes([byte])))
        self.padded = re.compile(b"(?:S{4})*(?:S{2}==|S{3}=)?".replace(b"S", symbol))
        self.quanta = re.compile(b"[\\r\\n]*(?:(?:S[\\r\\n]*){4})*".replace(b"S", symbol))
        self.to_standard = bytes.maketrans(last_two, b"+/")


_STANDARD = _Alphabet(b"+/")
_URL_SAFE = _Alphabet(b"-_")


def raw_bytes(text: str) -> bytes:
    """The bytes that `text` stands for."""
    return text.encode("utf-8", "surrogateescape")


def text_of(data: bytes) -> str:
    """The text that stands for `data`; `raw_bytes` gives it back unchanged."""
    return data.decode("utf-8", "surrogateescape")


def is_utf8(text: str) -> bool:
    """Whether the bytes behind `text` are valid UTF-8."""
    return text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text)


def printable(text: str) -> str:
    """The text with a replacement character for everything that UTF-8 cannot say."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def quote(text: str) -> str:
    """Q of gateway 1.7, Go's `strconv.Quote`."""
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    return '"' + "".join(map(_quoted, text)) + '"'


def _quoted(char: str) -> str:
    number = ord(char)
    if number in _SHORT:
        return _SHORT[number]
    if 0xDC80 <= number <= 0xDCFF:
        return f"\\x{number - 0xDC00:02x}"
    if number < 0x20 or number == 0x7F:
        return f"\\x{number:02x}"
    if char == " " or unicodedata.category(char)[0] in _PRINTED:
        return char
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def parse_bool(text: str) -> bool:
    """`strconv.ParseBool`: twelve spellings and no others."""
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise _syntax("ParseBool", text)


def parse_int(text: str, bits: int) -> int:
    """`strconv.ParseInt(text, 10, bits)`."""
    negative = text.startswith("-")
    magnitude = _magnitude("ParseInt", text, text[1:] if text[:1] in ("+", "-") else text, bits)
    limit = 1 << (bits - 1)
    if magnitude > limit or (magnitude == limit and not negative):
        raise _range("ParseInt", text)
    return -magnitude if negative else magnitude


def parse_uint(text: str, bits: int) -> int:
    """`strconv.ParseUint(text, 10, bits)`: no sign at all."""
    return _magnitude("ParseUint", text, text, bits)


def _magnitude(function: str, text: str, digits: str, bits: int) -> int:
    """Read digits as Go does: left to right, so an overflow before a bad character wins."""
    if not digits:
        raise _syntax(function, text)
    limit = (1 << bits) - 1
    number = 0
    for char in digits:
        if char not in _DIGITS:
            raise _syntax(function, text)
        number = number * 10 + ord(char) - 48
        if number > limit:
            raise _range(function, text)
    return number


def parse_float(text: str, bits: int) -> float:
    """`strconv.ParseFloat(text, bits)`; for 32 bits the result is a value that a float can hold."""
    if _SPECIAL.fullmatch(text):
        return float(text)
    plain = text.replace("_", "")
    try:
        if _DECIMAL.fullmatch(text):
            number = float(plain)
            return _in_range(number if bits == 64 else _single(number, Decimal(plain)), text)
        if _HEXADECIMAL.fullmatch(text):
            number = float.fromhex(plain)
            return _in_range(number if bits == 64 else _to_single(number), text)
    except OverflowError:
        raise _range("ParseFloat", text) from None
    raise _syntax("ParseFloat", text)


def _in_range(number: float, text: str) -> float:
    if isinf(number):
        raise _range("ParseFloat", text)
    return number


def _to_single(number: float) -> float:
    """The nearest 32-bit value; `OverflowError` when there is none."""
    return float(struct.unpack("<f", struct.pack("<f", number))[0])


def _single(number: float, exact: Decimal) -> float:
    """Round `exact` to 32 bits, given its nearest double: where that is a tie, the exact value decides."""
    there = Decimal(number)
    if exact == there:
        return _to_single(number)
    beside = _to_single(nextafter(number, inf if exact > there else -inf))
    if abs(number) == _TIE_BELOW_OVERFLOW and abs(exact) < abs(there):
        return beside
    nearest = _to_single(number)
    return beside if number == (nearest + beside) / 2 else nearest


def decode_base64(text: str) -> bytes:
    """The runtime's `Bytes`: the standard alphabet, else the URL-safe one; padding is needed in both."""
    data = raw_bytes(text)
    try:
        return _decode(data, _STANDARD, padded=True)
    except ValueError:
        return _decode(data, _URL_SAFE, padded=True)


def decode_binary_header(text: str) -> bytes:
    """A `-Bin` header: standard alphabet, padded or not (gateway 6.1)."""
    return _decode(raw_bytes(text), _STANDARD, padded=len(raw_bytes(text)) % 4 == 0)


def _decode(data: bytes, alphabet: _Alphabet, *, padded: bool) -> bytes:
    symbols = data.translate(None, b"\r\n")
    if not padded and len(symbols) % 4 != 1:
        symbols += b"=" * (-len(symbols) % 4)
        well_formed = b"=" not in data and alphabet.padded.fullmatch(symbols)
    else:
        well_formed = alphabet.padded.fullmatch(symbols)
    if not well_formed:
        raise ValueError(f"illegal base64 data at input byte {_bad_byte(data, alphabet, padded=padded)}")
    return binascii.a2b_base64(symbols.translate(alphabet.to_standard))


def _bad_byte(data: bytes, alphabet: _Alphabet, *, padded: bool) -> int:
    """Where Go's decoder gives up on `data`, which is known to be malformed."""
    start = alphabet.quanta.match(data)
    at = start.end() if start else 0
    seen = 0
    while at < len(data):
        byte = data[at]
        at += 1
        if byte in alphabet.symbols:
            seen += 1
        elif byte in b"\r\n":
            continue
        elif byte == 0x3D and padded and seen >= 2:
            return _bad_padding(data, at, seen)
        else:
            return at - 1
    return at - seen


def _bad_padding(data: bytes, at: int, seen: int) -> int:
    """The bad byte when a pad stands before `at`, where two or three symbols were expected before it."""
    at = _after_newlines(data, at)
    if seen == 2:
        if at == len(data):
            return at
        if data[at] != 0x3D:
            return at - 1
        at = _after_newlines(data, at + 1)
    return at


def _after_newlines(data: bytes, at: int) -> int:
    while at < len(data) and data[at] in b"\r\n":
        at += 1
    return at


def _syntax(function: str, text: str) -> ValueError:
    return ValueError(f"strconv.{function}: parsing {quote(text)}: invalid syntax")


def _range(function: str, text: str) -> ValueError:
    return ValueError(f"strconv.{function}: parsing {quote(text)}: value out of range")
