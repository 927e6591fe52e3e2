"""White space and letter case by the Unicode data."""

from __future__ import annotations

import sys
import unicodedata

import pytest
from hypothesis import given

from podledger.query.texts import WHITE_SPACE, fold, trim
from tests.fakes.strategies import any_text

CODE_POINTS = [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code <= 0xDFFF]


def test_every_code_point_is_lower_cased_to_one_code_point():
    """U+0130 is the only one whose full mapping has two; its simple mapping is `i`."""
    assert all(len(fold(character)) == 1 for character in CODE_POINTS)
    assert [each for each in CODE_POINTS if fold(each) != each.lower()] == ["\u0130"]
    assert fold("\u0130") == "i"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("WEB", "web"),
        ("\u0130I\u0131i", "ii\u0131i"),
        ("\u212a", "k"),
        ("\u017f", "\u017f"),
        ("Stra\u00dfe\u1e9e", "stra\u00dfe\u00df"),
        ("\u03a3\u03a3", "\u03c3\u03c3"),
        ("\u03c2", "\u03c2"),
        ("E\u0301", "e\u0301"),
        ("\U00010400", "\U00010428"),
    ],
)
def test_letter_case_is_dropped_by_simple_mapping(text, expected):
    assert expected == fold(text)


@given(any_text)
def test_folding_works_code_point_by_code_point(text):
    """No letter depends on its neighbours."""
    assert "".join(map(fold, text)) == fold(text)


def test_white_space_is_the_unicode_property():
    """What `str.isspace` has beyond it are the separators U+001C to U+001F."""
    separators = [each for each in CODE_POINTS if unicodedata.category(each) in {"Zs", "Zl", "Zp"}]
    controls = ["\t", "\n", "\v", "\f", "\r", "\x85"]

    assert sorted([*separators, *controls]) == sorted(WHITE_SPACE)


def test_trimming_takes_white_space_and_nothing_else():
    assert trim("\u00a0\u3000\u200b\ufeffa b\x1c\u2028 ") == "\u200b\ufeffa b\x1c"
