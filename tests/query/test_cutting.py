"""The outer grammar: parts, keys, values, modifiers."""

from __future__ import annotations

import pytest
from hypothesis import example, given

from podledger.query.cutting import Modified, cut, modified, pair, split_values
from tests.fakes.query_fixture import GROUPS
from tests.fakes.strategies import any_text


def cases(group: str):
    return [pytest.param(case, id=case["id"]) for case in GROUPS[group]]


@pytest.mark.parametrize("case", cases("split"))
def test_a_text_is_cut_into_these_parts(case):
    assert case["expect"] == cut(case["input"])


@pytest.mark.parametrize("case", cases("values"))
def test_a_value_text_is_cut_into_these_values(case):
    assert tuple(case["expect"]) == split_values(case["input"])


@pytest.mark.parametrize("case", cases("pair"))
def test_a_part_is_a_key_and_a_value_text(case):
    found = pair(case["input"])
    expected = case["expect"]

    if expected["valid"]:
        assert (expected["field"], expected["values"]) == found
    else:
        assert not case["allow_empty"]
        assert found is None or not found.values


@pytest.mark.parametrize("case", cases("modifiers"))
def test_a_value_has_these_modifiers(case):
    assert (case["expect"]["value"], tuple(case["expect"]["modifiers"])) == modified(case["input"])


@pytest.mark.parametrize(
    ("raw", "modifiers", "value"),
    [
        ("ledger", "[]", "ledger"),
        ('"ledger"', "[Equality]", "ledger"),
        ('""', "[Equality]", ""),
        ('"', "[]", '"'),
        ("r/^Led", "[Regex]", "^Led"),
        ("r/", "[]", "r/"),
        ("R/x", "[]", "R/x"),
        ("c/x", "[]", "c/x"),
        ("g/x", "[]", "g/x"),
        ('"r/x"', "[Equality]", "r/x"),
        ('r/"x"', "[Regex]", '"x"'),
        ("!ledger", "[Negation]", "ledger"),
        ('!"ledger"', "[Negation Equality]", "ledger"),
        ("!r/^led", "[Negation Regex]", "^led"),
        ("!r/", "[Negation]", "r/"),
        ("!", "[]", "!"),
        ("!!", "[Negation]", "!"),
        ("!!ledger", "[AtLeastOne]", "ledger"),
        ("!!!ledger", "[AtLeastOne]", "!ledger"),
        ('!!"x"', "[AtLeastOne Equality]", "x"),
        ('!"', "[Negation]", '"'),
        ("", "[]", ""),
    ],
)
def test_modifiers_are_read_from_left_to_right(raw, modifiers, value):
    """The table of pod-service 3.6."""
    found = modified(raw)

    assert (value, modifiers) == (found.value, found.listed)
    assert ("Negation" in modifiers) is found.negated


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [""]),
        (":", [":"]),
        ("a+b", ["a+b"]),
        ("+a:b", ["+a:b"]),
        ("++a:b", ["+", "a:b"]),
        ("a:1+b:2+c:3", ["a:1", "b:2", "c:3"]),
        ("a:1+b:2:3+c", ["a:1", "b:2:3+c"]),
        ("a:1++b:2", ["a:1+", "b:2"]),
        ('a:"1+b:2"+c:3', ['a:"1+b:2"', "c:3"]),
        ('a:"1+b:2', ['a:"1+b:2']),
        ("a+:b+:c", ["a", ":b", ":c"]),
    ],
)
def test_a_plus_separates_only_before_a_colon(text, expected):
    assert expected == cut(text)


@given(any_text)
@example('a:"+b:c')
def test_parts_joined_by_plus_are_the_text(text):
    assert text == "+".join(cut(text))


@given(any_text)
def test_values_joined_by_comma_are_the_text(text):
    assert text == ",".join(split_values(text))


@given(any_text)
def test_modifiers_only_take_from_the_ends(raw):
    found = modified(raw)

    assert isinstance(found, Modified)
    assert found.value in raw
    assert (found.value == raw) is (not found.modifiers)


@given(any_text)
def test_a_pair_is_cut_at_the_first_colon(part):
    found = pair(part)

    assert (found is not None) is (":" in part)
    assert found is None or ":" not in found.key
