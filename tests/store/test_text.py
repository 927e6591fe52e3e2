"""Texts: letter case, wildcards, Unicode, the empty text and NULL mean the same on every engine (pod-service 3.8, 3.9).

Each case runs over pod names, which an index may serve, over namespaces, which are searched once per
namespace, over workload names and over digests.
"""

from __future__ import annotations

import pytest

from podledger.store.contract import Store
from tests.fakes.store_pods import fill, found, record

LABELS = ["Pod Name", "Namespace", "Deployment", "Container Image Digest"]

NAMES = [
    "web",
    "WEB-1",
    "we_b",
    "100%",
    "100",
    "a\\b",
    "",
    " web",
    "\u0130stanbul",  # capital I with dot
    "istanbul",
    "ISTANBUL",
    "\u0131stanbul",  # small i without dot
    "i\u0307stanbul",  # i and a combining dot
    "stra\u00dfe",
    "STRASSE",
    "STRA\u1e9eE",
    "\u212aelvin",  # Kelvin sign
    "kelvin",
    "KELVIN",
    "\u017fea",  # long s
    "sea",
    "caf\u00e9",
    "cafe\u0301",
    "CAF\u00c9",
    "\u03a3\u0399\u03a3",
    "\u03c3\u03b9\u03c2",
    "\u65e5\u672c",
    "\U0001f600!",
    "two\nlines",
    "*",
    "-",
    "nul\0nul",
    "NUL\0x",
]


@pytest.fixture
async def named(store: Store) -> Store:
    """One pod for each name; the name is its namespace, its workload and its digest too."""
    pods = [
        record(n, name=name, namespace=name, deployment=n + 1, owner=("Deployment", name), digests=[name])
        for n, name in enumerate(NAMES)
    ]
    await fill(store, pods)
    return store


async def names(store: Store, label: str, value: str) -> set[str]:
    return {NAMES[number] for number in await found(store, f"{label}:{value}")}


BULS = {name for name in NAMES if name.lower().endswith("bul")}

PLAIN = {
    "web": {"web", "WEB-1"},
    "WEB": {"web", "WEB-1"},
    "web-": {"WEB-1"},
    "we_": {"web", "WEB-1", "we_b"},
    "we\\_": {"we_b"},
    "we\\b": {"web", "WEB-1"},
    "%b": {"web", "WEB-1", "we_b", "a\\b", " web"} | BULS,
    "100": {"100%", "100"},
    "100\\%": {"100%"},
    "100\\": {"100%"},
    "a\\\\": {"a\\b"},
    "a_b": {"a\\b"},
    "istan": {"istanbul", "ISTANBUL", "\u0130stanbul"},
    "\u0130STAN": {"istanbul", "ISTANBUL", "\u0130stanbul"},
    "\u0131": {"\u0131stanbul"},
    "i\u0307": {"i\u0307stanbul"},
    "stras": {"STRASSE"},
    "stra\u00df": {"stra\u00dfe", "STRA\u1e9eE"},
    "STRA\u1e9e": {"stra\u00dfe", "STRA\u1e9eE"},
    "kelvin": {"\u212aelvin", "kelvin", "KELVIN"},
    "\u212aE": {"\u212aelvin", "kelvin", "KELVIN"},
    "sea": {"sea"},
    "\u017fea": {"\u017fea"},
    "caf\u00e9": {"caf\u00e9", "CAF\u00c9"},
    "cafe": {"cafe\u0301"},
    "caf_": {"caf\u00e9", "CAF\u00c9", "cafe\u0301"},
    "\u03c3\u03b9\u03c3": {"\u03a3\u0399\u03a3"},
    "\u03c3\u03b9\u03c2": {"\u03c3\u03b9\u03c2"},
    "\u65e5_": {"\u65e5\u672c"},
    "_!": {"\U0001f600!"},
    "two%L": {"two\nlines"},
    "two_l": {"two\nlines"},
    "nul": {"nul\0nul", "NUL\0x"},
    "nul_N": {"nul\0nul"},
    "zzz": set(),
}


@pytest.mark.parametrize("label", LABELS)
async def test_a_plain_value_is_a_prefix_without_letter_case(named: Store, label: str) -> None:
    """By simple lower-casing, code point to code point; `%`, `_` and backslash are live."""
    assert PLAIN == {value: await names(named, label, value) for value in PLAIN}


EXACT = {
    "web": {"web"},
    "WEB": set(),
    "web%": set(),
    "we_b": {"we_b"},
    "a\\b": {"a\\b"},
    "100%": {"100%"},
    " web": {" web"},
    "caf\u00e9": {"caf\u00e9"},
    "kelvin": {"kelvin"},
    "\u212aelvin": {"\u212aelvin"},
    "NUL": set(),
    "nul": set(),
    "*": {"*"},
    "-": {"-"},
}


@pytest.mark.parametrize("label", LABELS)
async def test_a_quoted_value_is_compared_bytewise(named: Store, label: str) -> None:
    """Nothing in it is live, and no normal form is made."""
    assert EXACT == {value: await names(named, label, f'"{value}"') for value in EXACT}


@pytest.mark.parametrize("label", LABELS)
async def test_a_negated_value_finds_all_others(named: Store, label: str) -> None:
    """Prefix, exact and regular expression; the empty text too."""
    assert set(NAMES) - {"web", "WEB-1"} == await names(named, label, "!web")
    assert set(NAMES) - {"web"} == await names(named, label, '!"web"')
    assert set(NAMES) - {"web", "WEB-1", " web"} == await names(named, label, "!r/web")


REGEX = {
    "^web$": {"web"},
    "web": {"web", "WEB-1", " web"},
    r"\bweb": {"web", "WEB-1", " web"},
    r"web\b": {"web", "WEB-1", " web"},
    r"\bb": {"a\\b"},
    r"\Bb": {"web", "WEB-1", "we_b", " web"} | BULS,
    "^kelvin$": {"\u212aelvin", "kelvin", "KELVIN"},
    "^sea$": {"\u017fea", "sea"},
    "^istan": {"istanbul", "ISTANBUL"},
    "^stra\u00dfe$": {"stra\u00dfe", "STRA\u1e9eE"},
    "^caf.$": {"caf\u00e9", "CAF\u00c9"},
    "^\u03c3\u03b9\u03c3$": {"\u03a3\u0399\u03a3", "\u03c3\u03b9\u03c2"},
    "^..$": {"\u65e5\u672c", "\U0001f600!"},
    "two.lines": set(),
    "two\\slines": {"two\nlines"},
    "^lines": set(),
    r"\x00n": {"nul\0nul"},
    r"^\W$": {"*", "-"},
    "^$": {""},
    r"[0-9]{3}%": {"100%"},
}


@pytest.mark.parametrize("label", LABELS)
async def test_a_regular_expression_is_re2_anywhere_without_letter_case(named: Store, label: str) -> None:
    """Its folding is wider than that of plain values: long s is an s, final sigma a sigma."""
    assert REGEX == {pattern: await names(named, label, f"r/{pattern}") for pattern in REGEX}


async def test_the_empty_text_is_a_text(store: Store) -> None:
    """It is not NULL, so `*` finds it and `-` does not (pod-service 3.7)."""
    await fill(store, [record(1, name="", namespace="", digests=[""]), record(2)])

    for label in ("Pod Name", "Namespace"):
        assert [1, 2] == await found(store, f"{label}:*")
        assert [] == await found(store, f"{label}:-")
        assert [1] == await found(store, f"{label}:r/^$")
        assert [1, 2] == await found(store, f"{label}:%")
    assert [1] == await found(store, "Container Image Digest:*")
    assert [2] == await found(store, "Container Image Digest:-")


async def test_null_satisfies_nothing_but_a_dash(store: Store) -> None:
    """Negation does not match it either (pod-service 3.7)."""
    await fill(store, [record(1, deployment=1), record(2), record(3, deployment="no uuid")])

    assert [2, 3] == await found(store, "Deployment ID:-")
    assert [1] == await found(store, "Deployment ID:*")
    assert [] == await found(store, "Deployment ID:!d0000000-0000-0000-0000-000000000001")
    assert [2, 3] == await found(store, "Deployment ID:-,!d0000000-0000-0000-0000-000000000001")
    assert [1] == await found(store, "Deployment ID:r/01$")
    assert [] == await found(store, "Deployment ID:!r/01$")


async def test_a_uuid_is_searched_by_its_canonical_text(store: Store) -> None:
    """In any letter case, as a whole or by a regular expression."""
    await fill(store, [record(n) for n in (1, 0xAB)])

    assert [0xAB] == await found(store, "Pod ID:E0000000-0000-0000-0000-0000000000AB")
    assert [0xAB] == await found(store, "Pod ID:r/00AB$")
    assert [1, 0xAB] == await found(store, "Pod ID:r/^e0000000-")
    assert [1] == await found(store, "Pod ID:!e0000000-0000-0000-0000-0000000000ab")


async def test_values_are_ored_and_fields_are_anded(named: Store) -> None:
    """Of one field, of two, and of one field in two spellings (pod-service 3.4)."""
    assert {"web", "WEB-1", "100", "100%"} == await names(named, "Pod Name", "web,100")
    assert {"100"} == await names(named, "Pod Name", '100+Namespace:"100"')
    assert {"WEB-1"} == await names(named, "Pod Name", "web+pod name:%1")
    assert set() == await names(named, "Pod Name", "web+Namespace:100")


async def test_long_lists_and_long_texts_are_searched_like_short_ones(store: Store) -> None:
    """A list of 256 values; a name of 10,000 letters."""
    await fill(store, [record(n) for n in range(300)] + [record(999, name="x" * 10_000 + "y")])

    values = ",".join(f'"pod-{n:05}"' for n in range(256))
    assert [*range(256)] == await found(store, f"Pod Name:{values}")
    assert [999] == await found(store, "Pod Name:xxx%y")
    assert [999] == await found(store, "Pod Name:r/x{90}y$")
