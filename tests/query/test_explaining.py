"""Queries in plain words."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from podledger.errors import InvalidRequest
from podledger.query import parsing
from podledger.query.explaining import explain, words_of
from podledger.query.fields import field
from tests.fakes import strategies
from tests.fakes.strategies import NOW


def lines(text: str) -> list[str]:
    parts = parsing.read(text)
    return explain(parts, parsing.interpret(parts, now=NOW))


def test_a_query_is_explained_part_by_part():
    """In input order, then the joins, then what all of it finds."""
    text = "namespace:shop,-+ Nmespace:x++Pod Name:a+Image Tag:-+Environment Key:*,-+Pod Name:b"

    assert lines(text) == [
        'part "namespace:shop,-"',
        "  Namespace (pods.namespace, text) must satisfy one of",
        '    "shop": starts with "shop", letter case ignored',
        '    "-": is not set',
        'part "Nmespace:x+"',
        '  has no effect: unknown search field "Nmespace", did you mean "Namespace"?',
        'part "Pod Name:a"',
        '  has no effect: search field "Pod Name" is given more than once',
        'part "Image Tag:-"',
        "  Image Tag (deployments_containers.image_name_tag, text) must satisfy",
        '    "-": is not set',
        'part "Environment Key:*,-"',
        "  Environment Key (deployments_containers_envs.key, text) must satisfy one of",
        '    "*": is set',
        '    "-": is not set',
        'part "Pod Name:b"',
        "  Pod Name (pods.name, text) must satisfy",
        '    "b": starts with "b", letter case ignored',
        "the pod may have no row in deployments_containers, reached through pods",
        "the pod may have no row in deployments_containers_envs, reached through deployments_containers",
        "finds the pods that satisfy every part",
    ]


def test_a_query_without_effect_says_what_it_finds():
    assert lines("") == ["finds every pod: there is no condition"]
    assert lines("Policy:x") == [
        'part "Policy:x"',
        '  has no effect: search field "Policy" is not available for pods',
        "finds no pod: none of the labels is available for pods",
    ]


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ('Pod Name:"Web"', 'is exactly "Web"'),
        ("Pod Name:!web", 'is set and not: starts with "web", letter case ignored'),
        ("Pod Name:,", "is set"),
        (
            "Pod Name:w_b",
            'starts with "w_b" (% is any run, _ any character, \\ takes the next one literally), letter case ignored',
        ),
        ("Pod Name:r/^a", 'contains a match of the regular expression "^a", letter case ignored'),
        ("Cluster ID:C200000000004000800000000000000B", "is exactly c2000000-0000-4000-8000-00000000000b"),
        ("CVSS:>=7.5", "is at least 7.5"),
        ("CVSS:1-2", "is above 1 and below 2"),
        ("CVSS:nan", "nothing"),
        ("Port:<9000", "is below 9000"),
        ("Created:05/10/2024", "is at least 2024-05-10T00:00:00Z and below 2024-05-11T00:00:00Z"),
        ("Created:>10d", "is at most 2024-06-01T12:34:56Z"),
        ("Created:>2147483647d", "is at most -9223372036854 seconds from 1970"),
        ("Privileged:t", "is exactly true"),
        ("Privileged:0", "is exactly false"),
        ("Container Type:in", "is one of INIT"),
        ("Service Account Permission Level:>=elev", "is at least ELEVATED_IN_NAMESPACE"),
        ("Image Pull Secret:reg", 'some element starts with "reg", letter case ignored'),
        ("Pod Label:*", "anything, also where nothing is known"),
        ("Pod Label:app=", 'has exactly the key "app"'),
        ("Pod Label:!app=", 'lacks exactly the key "app"'),
        ("Pod Label:=", "has an entry"),
        (
            'Pod Label:app="web"',
            'has an entry: its key starts with "app", letter case ignored and its value is exactly "web"',
        ),
        ('Pod Label:="web"', 'has an entry: its value is exactly "web"'),
    ],
)
def test_a_value_is_put_into_words(part, words):
    (condition,) = parsing.parse(part, now=NOW).conditions

    assert words == words_of(condition.tests[0], condition.field)


def test_what_is_no_test_is_a_mistake_of_the_program():
    with pytest.raises(AssertionError):
        words_of("no test", field("Pod Name"))


@settings(max_examples=60, deadline=None)
@given(strategies.query_texts())
def test_every_accepted_query_is_explained(text):
    try:
        found = lines(text)
    except InvalidRequest:
        return

    assert found[-1].startswith("finds ")
    assert sum(line.startswith("part ") for line in found) == sum(bool(part.text) for part in parsing.read(text).parts)
