"""The nearest label to a mistyped one."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podledger.query.fields import FIELDS
from podledger.query.hinting import edit_distance, hint

short = st.text(alphabet="ab c", max_size=4)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("Nmespace", "Namespace"),
        ("nAMSEPACE", "Namespace"),
        ("Pod Nmae", "Pod Name"),
        ("pod", ""),
        ("Imag", "Image"),
        ("Polic", ""),
        ("xyz", ""),
        ("", ""),
        ("x" * 8000, ""),
        ("Deployment Cout", "Deployment Hash"),
        ("C\u0131uster", "Cluster"),
    ],
)
def test_the_nearest_label_is_hinted(key, expected):
    assert expected == hint(key)


def test_a_hint_always_carries_a_condition():
    """Derived, unreachable and test-only labels are no help."""
    hints = [hint(field.label + "x") for field in list(FIELDS.values())[::7]]

    assert all(FIELDS[label.lower()].condition for label in hints if label)
    assert sum(map(bool, hints)) > 30


def test_of_equally_near_labels_the_bytewise_smaller_one_is_given():
    near = sorted(
        field.label for field in FIELDS.values() if field.condition and edit_distance("cvs", field.label.lower()) == 1
    )

    assert near == ["CVE", "CVSS"]
    assert hint("CVS") == "CVE"


def test_near_is_at_most_a_third_of_the_key_rounded_up():
    """Six letters allow two steps, and four letters two as well."""
    assert hint("Prtx") == "Port"
    assert [edit_distance(key, "secret") for key in ("sexrxt", "xexrxt")] == [2, 3]
    assert [hint(key) for key in ("sexrxt", "xexrxt")] == ["Secret", ""]


@pytest.mark.parametrize(
    ("one", "other", "distance"),
    [
        ("", "", 0),
        ("", "abc", 3),
        ("abc", "", 3),
        ("abc", "abc", 0),
        ("abc", "acb", 1),
        ("abc", "adc", 1),
        ("ca", "abc", 2),
    ],
)
def test_the_distance_counts_steps(one, other, distance):
    assert distance == edit_distance(one, other)


def neighbours(text: str, letters: str) -> set[str]:
    """All texts one step away."""
    places = range(len(text) + 1)
    inserted = {text[:at] + letter + text[at:] for at in places for letter in letters}
    deleted = {text[:at] + text[at + 1 :] for at in range(len(text))}
    replaced = {text[:at] + letter + text[at + 1 :] for at in range(len(text)) for letter in letters}
    swapped = {text[:a] + text[b] + text[a] + text[b + 1 :] for a, b in pairwise(range(len(text)))}
    return inserted | deleted | replaced | swapped


@given(short, short)
def test_the_distance_is_the_least_number_of_steps(one, other):
    """Breadth first over all texts in reach; it may grow by one letter on the way."""
    reached, distance = {one}, 0
    while other not in reached:
        reached |= {text for seen in reached for text in neighbours(seen, "ab c") if len(text) <= 5}
        distance += 1

    assert distance == edit_distance(one, other)
