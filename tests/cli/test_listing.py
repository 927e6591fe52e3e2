"""`podledger pods list --explain`: what a query means, without a server."""

from __future__ import annotations

import pytest
from click.testing import CliRunner, Result

from podledger.cli.listing import pods


def explained(*arguments: str) -> Result:
    """The server named here does not exist."""
    return CliRunner().invoke(pods, ["list", "--server", "127.0.0.1:1", "--explain", *arguments])


def test_each_part_is_told_with_its_meaning() -> None:
    told = explained('Namespace:shop+Image Tag:"v2",-+Nmespace:x')

    assert told.exit_code == 0
    assert told.stdout.splitlines() == [
        'part "Namespace:shop"',
        "  Namespace (pods.namespace, text) must satisfy",
        '    "shop": starts with "shop", letter case ignored',
        'part "Image Tag:\\"v2\\",-"',
        "  Image Tag (deployments_containers.image_name_tag, text) must satisfy one of",
        '    "\\"v2\\"": is exactly "v2"',
        '    "-": is not set',
        'part "Nmespace:x"',
        '  has no effect: unknown search field "Nmespace", did you mean "Namespace"?',
        "the pod may have no row in deployments_containers, reached through pods",
        "finds the pods that satisfy every part",
    ]


def test_an_empty_query_finds_every_pod() -> None:
    assert "finds every pod: there is no condition\n" == explained().stdout


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["Privileged:yes"], 'Error: INVALID_ARGUMENT: strconv.ParseBool: parsing "yes": invalid syntax\n'),
        (["--strict", "foo"], 'Error: INVALID_ARGUMENT: query part "foo" is not of the form field:value\n'),
    ],
)
def test_a_query_that_is_refused_ends_like_the_call(arguments: list[str], expected: str) -> None:
    told = explained(*arguments)

    assert (64 + 3, expected) == (told.exit_code, told.stderr)
