"""Unfinished texts (pod-service 16)."""

from __future__ import annotations

import pytest
from hypothesis import given

from podledger.query.completing import Typed, completion
from podledger.query.cutting import cut
from tests.fakes.strategies import any_text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Namespace:", [("Namespace", ["*"])]),
        ("Namespace: ", [("Namespace", ["*"])]),
        ("Namespace:shop", [("Namespace", ["shop"])]),
        ("Namespace:shop,", [("Namespace", ["shop", "*"])]),
        ("Namespace:,", [("Namespace", ["", "*"])]),
        ("Namespace:*", [("Namespace", ["*"])]),
        ("Foo:+Namespace:shop+Pod Name:", [("Foo", ["*"]), ("Namespace", ["shop"]), ("Pod Name", ["*"])]),
        ("b:1+a:2+b:3", [("b", ["1"]), ("a", ["2"]), ("b", ["3"])]),
        ("++a:b", [("a", ["b"])]),
        ("a:b+c", [("a", ["b+c"])]),
        ('a:"x,', [("a", ['"x,*'])]),
        (":", [("", ["*"])]),
    ],
)
def test_an_unfinished_text_has_these_parts(text, expected):
    found = completion(text)
    assert found is not None

    assert expected == [(part.key, list(part.values)) for part in found.parts]
    assert Typed(expected[-1][0], tuple(expected[-1][1])) == found.completing


@pytest.mark.parametrize("text", ["", "  ", "+", "Names", "a+b"])
def test_a_text_without_colon_cannot_be_completed(text):
    assert completion(text) is None


@given(any_text)
def test_the_part_being_completed_is_the_last_one_of_the_text(text):
    found = completion(text)

    assert (found is not None) is (":" in text)
    assert found is None or found.completing.key in cut(text)[-1]
