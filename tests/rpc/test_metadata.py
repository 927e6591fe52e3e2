"""Metadata keys of PodService: what a request may say and an answer tells."""

from __future__ import annotations

import json

import pytest

from podledger.errors import InvalidRequest
from podledger.pods.identity import NO_CLUSTER, PodKey
from podledger.rpc.calls import Call
from podledger.rpc.metadata import exact_count, ignored_parts, resume_key, strict, totals
from podledger.store.contract import Count

CLUSTER, POD = "aaaaaaaa-0000-4000-8000-000000000001", "cccccccc-0000-4000-8000-000000000002"
KEY = PodKey(bytes.fromhex(CLUSTER.replace("-", "")), bytes.fromhex(POD.replace("-", "")))


def call(key="", value=""):
    return Call("/v1.PodService/GetPods", b"", metadata=[(key, value)])


@pytest.mark.parametrize(
    ("value", "expected"),
    [("true", True), ("TRUE", True), ("1", True), ("", False), ("yes", False), ("false", False), ("0", False)],
)
def test_strict_is_switched_on_by_true_or_1(value, expected):
    """Anything else is the server's default."""
    assert strict(call("x-podledger-strict", value), default=False) is expected
    assert strict(call("x-podledger-strict", value), default=True) is True


def test_exact_count_is_asked_for_by_one_word():
    """Other values are ignored."""
    assert exact_count(call("x-podledger-count", "exact"))
    assert not exact_count(call("x-podledger-count", "yes"))
    assert not exact_count(call())


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", None),
        (f"{CLUSTER}/{POD}", KEY),
        (f"/{POD}", PodKey(NO_CLUSTER, KEY.pod)),
        (f"{CLUSTER.upper()}/{POD.replace('-', '')}", KEY),
        (f"{{{CLUSTER}}}/urn:uuid:{POD}", KEY),
    ],
)
def test_a_resume_key_is_a_pair_of_ids(value, expected):
    """In every form of a UUID; the cluster may be empty; an empty value counts as absent."""
    assert resume_key(call("x-podledger-after", value)) == expected


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (CLUSTER, "invalid UUID length: 0"),
        (f"{CLUSTER}/", "invalid UUID length: 0"),
        ("/", "invalid UUID length: 0"),
        (f"abc/{POD}", "invalid UUID length: 3"),
        (f"{CLUSTER}/{POD}/x", "invalid UUID format"),  # 38 bytes are taken for a UUID in braces
        (f"{CLUSTER}/{'x' * 36}", "invalid UUID format"),
        (f"{CLUSTER}/{'y' * 9}{POD}", 'invalid urn prefix: "yyyyyyyyy"'),
    ],
)
def test_a_bad_resume_key_is_explained(value, reason):
    """The text and the field of pod-service 7.4."""
    with pytest.raises(InvalidRequest) as caught:
        resume_key(call("x-podledger-after", value))

    assert caught.value.message == f'x-podledger-after: value "{value}" must be <cluster id>/<pod id>: {reason}'
    assert caught.value.field == "x-podledger-after"


def test_a_bad_resume_key_is_quoted():
    """As Go's %q does."""
    with pytest.raises(InvalidRequest, match=r'value "a\\"b" must'):
        resume_key(call("x-podledger-after", 'a"b'))


def header(parts):
    pairs = dict(ignored_parts(parts))
    return pairs["x-podledger-ignored-query-parts"]


def test_no_ignored_parts_no_header():
    """Absent when there are none."""
    assert ignored_parts([]) == []


def test_ignored_parts_are_a_json_array():
    """In order."""
    assert header(["Nmespace:x", "nocolon"]) == '["Nmespace:x","nocolon"]'


@pytest.mark.parametrize("part", ["é", "日本", "😀", 'a"b\\c', "a\x00\x1f\x7fb", "\u2028"])
def test_ignored_parts_are_printable_ascii(part):
    """So that they can be metadata; reading the JSON gives the part back."""
    text = header([part])

    assert text.isascii()
    assert text.isprintable()
    assert json.loads(text) == [part]


@pytest.mark.parametrize("length", [127, 128, 129, 5000])
def test_each_part_is_cut_to_128_characters(length):
    """Characters, before escaping."""
    assert json.loads(header(["é" * length])) == ["é" * min(length, 128)]


@pytest.mark.parametrize("part", ["x" * 128, "é" * 128, "😀" * 100, "y" * 119])
def test_the_array_stays_within_4096_bytes(part):
    """What does not fit is replaced by one last element."""
    parts = [part] * 32
    shown = json.loads(header(parts))

    assert len(header(parts)) <= 4096
    assert shown[:-1] == [part[:128]] * (len(shown) - 1)
    assert (shown[-1] == "...") is (len(json.dumps(parts, separators=(",", ":"))) > 4096)
    longer = json.dumps([*shown[:-1], part[:128], "..."], separators=(",", ":"))
    assert shown[-1] != "..." or len(longer) > 4096


def test_exactly_4096_bytes_fit():
    """The last byte is used."""
    parts = ["x" * 125] * 32  # 32 * 128 - 1 + 2 = 4097
    parts[0] = "x" * 124

    assert len(header(parts)) == 4096
    assert json.loads(header(parts)) == parts


@pytest.mark.parametrize(
    ("total", "truncated", "expected"),
    [
        (Count(7, exact=True), False, [("x-total-count", "7")]),
        (Count(7, exact=True), True, [("x-total-count", "7"), ("x-podledger-truncated", "true")]),
        (Count(10000, exact=False), True, [("x-total-count", "10000+"), ("x-podledger-truncated", "true")]),
    ],
)
def test_totals_are_told(total, truncated, expected):
    """An inexact total has a plus."""
    assert totals(total, truncated=truncated) == expected
