"""Go's quoting, numbers and base64, with its texts (gateway 1.5, 1.7)."""

from __future__ import annotations

from math import inf, isnan

import pytest

from podledger_gateway import gostyle


def cause(read, *arguments) -> str:
    with pytest.raises(ValueError) as error:
        read(*arguments)
    return str(error.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a b", '"a b"'),
        ('"\\', r'"\"\\"'),
        ("\a\b\f\n\r\t\v", r'"\a\b\f\n\r\t\v"'),
        ("\x00\x1b\x7f", r'"\x00\x1b\x7f"'),
        ("é😀", '"é😀"'),
        ("\xa0\u200b\u2028\ufeff", r'"\u00a0\u200b\u2028\ufeff"'),
        ("\U000e0001", r'"\U000e0001"'),
        ("\udcff\udc80", r'"\xff\x80"'),
    ],
)
def test_text_is_quoted_as_go_does(text, expected):
    assert expected == gostyle.quote(text)


def test_bytes_come_back_as_they_were():
    data = bytes(range(256)) + "é".encode()
    assert data == gostyle.raw_bytes(gostyle.text_of(data))
    assert not gostyle.is_utf8(gostyle.text_of(data))
    assert gostyle.printable("a\udcff") == "a\ufffd"


def test_a_bool_has_twelve_spellings():
    assert all(gostyle.parse_bool(text) for text in ("1", "t", "T", "TRUE", "true", "True"))
    assert not any(gostyle.parse_bool(text) for text in ("0", "f", "F", "FALSE", "false", "False"))
    for text in ("", "yes", "on", "tRUE", " true"):
        assert cause(gostyle.parse_bool, text) == f"strconv.ParseBool: parsing {gostyle.quote(text)}: invalid syntax"


@pytest.mark.parametrize(
    ("text", "bits", "expected"),
    [("-2147483648", 32, -(2**31)), ("+5", 32, 5), ("007", 32, 7), ("9223372036854775807", 64, 2**63 - 1)],
)
def test_a_signed_integer_is_decimal(text, bits, expected):
    assert expected == gostyle.parse_int(text, bits)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "invalid syntax"),
        (" 5", "invalid syntax"),
        ("0x10", "invalid syntax"),
        ("1_000", "invalid syntax"),
        ("1e3", "invalid syntax"),
        ("5.", "invalid syntax"),
        ("٣", "invalid syntax"),
        ("--1", "invalid syntax"),
        ("2147483648", "value out of range"),
        ("-2147483649", "value out of range"),
        ("99999999999999999999999x", "value out of range"),
    ],
)
def test_what_is_no_32_bit_integer_says_why(text, reason):
    assert cause(gostyle.parse_int, text, 32) == f"strconv.ParseInt: parsing {gostyle.quote(text)}: {reason}"


@pytest.mark.parametrize(("text", "reason"), [("-1", "invalid syntax"), ("+1", "invalid syntax"), ("4294967296", "value out of range")])  # fmt: skip
def test_an_unsigned_integer_has_no_sign(text, reason):
    assert cause(gostyle.parse_uint, text, 32) == f'strconv.ParseUint: parsing "{text}": {reason}'
    assert gostyle.parse_uint("4294967295", 32) == 2**32 - 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (".5", 0.5),
        ("5.", 5.0),
        ("1e3", 1000.0),
        ("1_0.5", 10.5),
        ("0x1p-2", 0.25),
        ("0X_1P2", 4.0),
        ("-InFinity", -inf),
        ("+inf", inf),
        ("1e-400", 0.0),
        ("-0", -0.0),
    ],
)
def test_a_double_in_the_grammar_of_go(text, expected):
    assert expected == gostyle.parse_float(text, 64)


def test_nan_has_no_sign():
    assert isnan(gostyle.parse_float("NaN", 64))
    assert cause(gostyle.parse_float, "-nan", 64) == 'strconv.ParseFloat: parsing "-nan": invalid syntax'


@pytest.mark.parametrize("text", ["", ".", "0x1", "1__0", "_1", "1_", "1e", "1f", " 1", "infin", "0x.p1"])
def test_what_is_no_float_is_a_syntax_error(text):
    assert cause(gostyle.parse_float, text, 64) == f'strconv.ParseFloat: parsing "{text}": invalid syntax'


@pytest.mark.parametrize(("text", "bits"), [("1e39", 32), ("-3.5e38", 32), ("1e309", 64), ("0x1p1024", 64)])
def test_an_overflow_depends_on_the_width(text, bits):
    assert cause(gostyle.parse_float, text, bits) == f'strconv.ParseFloat: parsing "{text}": value out of range'


def test_a_32_bit_float_is_rounded_once():
    assert gostyle.parse_float("1.000000059604644775390625000000001", 32) == 1.0000001192092896
    assert gostyle.parse_float("0.1", 32) == 0.10000000149011612


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", b""), ("YQ==", b"a"), ("YW\nJj\r\n", b"abc"), ("-_8=", b"\xfb\xff"), ("+/8=", b"\xfb\xff")],
)
def test_bytes_are_padded_base64_in_either_alphabet(text, expected):
    assert expected == gostyle.decode_base64(text)


@pytest.mark.parametrize(("text", "at"), [("YQ", 0), ("YWJjZA", 4), ("Y!==", 1), ("YQ=", 3), ("+-8=", 0), ("YQ==x", 4)])
def test_bad_base64_names_the_byte(text, at):
    assert cause(gostyle.decode_base64, text) == f"illegal base64 data at input byte {at}"


def test_a_binary_header_may_lack_its_padding():
    assert gostyle.decode_binary_header("YQ") == gostyle.decode_binary_header("YQ==") == b"a"
    assert cause(gostyle.decode_binary_header, "-_-_") == "illegal base64 data at input byte 0"
