"""Plain values against a reference of ILIKE, and the gate for regular expressions."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from podledger.query.limits import QueryLimits
from podledger.query.patterns import BadPatternError, check_regex_text, compile_regex, fold, like, regex_search
from tests.fakes.strategies import LETTERS, LIVE

LIMITS = QueryLimits()
mixed = st.one_of(
    st.text(alphabet="ab%_\\", max_size=8), st.text(alphabet="aAsS\u017fiI\u0130kK\u212a%_\\\n", max_size=8)
)


def ilike(pattern: str, text: str) -> bool:
    """The definition, by trying everything: pattern is already complete, both are folded."""
    if not pattern:
        return not text
    head, rest = pattern[0], pattern[1:]
    if head == "%":
        return any(ilike(rest, text[at:]) for at in range(len(text) + 1))
    if head == "\\":
        head, rest = rest[0], rest[1:]
        return text[:1] == head and ilike(rest, text[1:])
    return bool(text) and (head in ("_", text[0])) and ilike(rest, text[1:])


@pytest.mark.parametrize(
    ("value", "text", "expected"),
    [
        ("", "", True),
        ("", "x", True),
        ("WEB", "web-1", True),
        ("web", "we", False),
        ("b", "web", False),
        ("c_rt-a", "cart-a1", True),
        ("_", "", False),
        ("_", "\U0001f600", True),
        ("__", "\U0001f600", False),
        ("%b", "aab", True),
        ("car%1", "cart-a1x", True),
        ("%a%b%c", "xxaxxbxxcxx", True),
        ("%a%b%c", "cba", False),
        ("%ab%ab", "ab", False),
        ("%aab", "aaab", True),
        ("%_a%_", "bab", True),
        ("%_a%_", "ba", False),
        ("100\\%", "100%-pod", True),
        ("100\\%", "1000", False),
        ("a\\_b", "a_b", True),
        ("a\\_b", "axb", False),
        ("a\\xb", "axb", True),
        ("a\\\\", "a\\b", True),
        ("a\\", "a%", True),
        ("a\\", "a%x", False),
        ("a\\", "ax", False),
        ("a%\\", "axx%", True),
        ("a%\\", "axx%x", False),
        ("a%\\", "a", False),
        ("aa%\\", "a%", False),
        ("a%a\\", "a%", False),
        ("a%a\\", "aa%", True),
        ("%ab_c", "abxxabyc", True),
        ("%ab_c", "abxxabyd", False),
        ("\\", "%", True),
        ("a%c", "a\n\nc", True),
        ("a_c", "a\nc", True),
        ("a*", "a*b", True),
        ("a*", "ab", False),
        ("\u0130stanbul", "istanbul", True),
        ("stra\u00dfe", "STRA\u1e9eE", True),
        ("strasse", "stra\u00dfe", False),
        ("\u212a", "kelvin", True),
        ("\u017f", "s", False),
        ("\u03a3\u03a3", "\u03c3\u03a3", True),
        ("\u03c2", "\u03a3", False),
        ("e\u0301", "\u00e9", False),
    ],
)
def test_a_plain_value_matches_a_text(value, text, expected):
    assert expected is like(value)(text)


@settings(max_examples=600)
@given(mixed, mixed)
@example("%a%\\", "aa%")
@example("_%_\\", "ab%")
def test_a_plain_value_is_the_ilike_pattern_with_one_more_percent(value, text):
    assert ilike(fold(value) + "%", fold(text)) is like(value)(text)


@given(st.text(alphabet=LETTERS + LIVE, max_size=12))
def test_a_value_with_escapes_matches_exactly_its_prefix(text):
    escaped = "".join("\\" + character if character in "%_\\" else character for character in text)

    assert like(escaped)(text + "x")
    assert like(escaped)(text)
    assert not like(escaped + "y")(text)


def test_many_wildcards_cost_nothing():
    assert not like("%a" * 4000 + "b")("a" * 4000)


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("^Led", "ledger", True),
        ("led", "a ledger", True),
        (r"\D", "1", False),
        (r"\D", "d", True),
        (r"\bb", "a b", True),
        (r"^\p{Greek}+$", "\u03c3\u03a3", True),
        ("(?P<n>a)b", "AB", True),
        ("a.c", "a\nc", False),
        ("(?s)a.c", "a\nc", True),
        ("^b", "a\nb", False),
        ("a$", "a\n", False),
        ("\u0130", "\u0130", True),
        ("k", "\u212a", True),
        ("s", "\u017f", True),
        ("^$", "", True),
    ],
)
def test_a_regular_expression_is_found_in_a_text(pattern, text, expected):
    assert expected is regex_search(compile_regex(pattern, LIMITS), text)


def test_a_large_class_counts_with_all_its_ranges():
    """Every letter of Unicode, in UTF-8 bytes: RE2 takes it, the cap does not."""
    assert regex_search(compile_regex(r"^\pL+$"), "\u00e9\u65e5")
    with pytest.raises(BadPatternError, match=r"^program too large: \d+ instructions, limit 400$"):
        compile_regex(r"^\pL+$", LIMITS)


@pytest.mark.parametrize("pattern", ["[", "(?=web)", "(?<!x)", r"(a)\1", "a{1001}", "a**", "(", "\\", "*", r"\8"])
def test_what_re2_does_not_take_is_refused(pattern):
    with pytest.raises(BadPatternError, match=r"^error parsing regexp: \S"):
        compile_regex(pattern, LIMITS)


def test_an_error_text_is_text_and_not_bytes():
    with pytest.raises(BadPatternError, match=r"^error parsing regexp: missing \]: \[$"):
        compile_regex("[")


def test_the_program_size_is_measured_as_it_will_run():
    """Folding makes it larger; the limit itself is accepted."""
    size = compile_regex("[a-k]{20}").programsize
    limits = replace(LIMITS, max_regex_program=size)

    assert compile_regex("[a-k]{20}", limits).programsize == size
    with pytest.raises(BadPatternError, match=f"^program too large: {size} instructions, limit {size - 1}$"):
        compile_regex("[a-k]{20}", replace(limits, max_regex_program=size - 1))


def test_the_default_limit_refuses_large_repetitions():
    with pytest.raises(BadPatternError, match=r"^program too large: 1004 instructions, limit 400$"):
        compile_regex("a{1000}", LIMITS)


def test_a_pattern_is_measured_in_bytes():
    check_regex_text("\u00e9" * 128, LIMITS)
    with pytest.raises(BadPatternError, match=r"^pattern too long: 258 bytes, limit 256$"):
        check_regex_text("\u00e9" * 129, LIMITS)
