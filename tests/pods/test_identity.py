"""Ids of pods, clusters and runs; the text form of containing_pod_id."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podledger.errors import BadInput
from podledger.pods.identity import (
    ContainingPod,
    RunKey,
    containing_pod_id,
    parse_containing_pod_id,
    parse_uuid,
    pod_id,
    run_key,
    static_deployment_id,
    uuid_or_none,
    uuid_text,
)
from podledger_protos.storage.deployment_pb2 import ContainerInstance, ContainerInstanceID
from tests.fakes.query_fixture import GROUPS

TEXT = "c1000000-0000-4000-8000-00000000000a"
DATA = bytes.fromhex("c1000000000040008000" + "00000000000a")


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        TEXT.upper(),
        TEXT.replace("-", ""),
        "{" + TEXT + "}",
        "x" + TEXT + "\x00",
        f"urn:uuid:{TEXT}",
        f"URN:Uuid:{TEXT}",
    ],
)
def test_a_uuid_has_four_forms(text):
    """With dashes, without, with one byte around it, as a URN; hex digits in any letter case."""
    assert DATA == parse_uuid(text)
    assert DATA == uuid_or_none(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "invalid UUID length: 0"),
        ("abc", "invalid UUID length: 3"),
        (TEXT + "0", "invalid UUID length: 37"),
        ("ü" * 17, "invalid UUID length: 34"),
        (f"urx:uuid:{TEXT}", 'invalid urn prefix: "urx:uuid:"'),
        (f'"\n\\:uuid:{TEXT}', 'invalid urn prefix: "\\"\\n\\\\:uuid:"'),
        (f"12345678é{TEXT[1:]}", 'invalid urn prefix: "12345678\\xc3"'),
        (TEXT.replace("-", "_"), "invalid UUID format"),
        ("g" + TEXT[1:], "invalid UUID format"),
        (" " + TEXT[1:], "invalid UUID format"),
        ("g" * 32, "invalid UUID format"),
        (TEXT[:-2] + "é", "invalid UUID format"),
        ("{" + TEXT[:-1] + "-" + "}", "invalid UUID format"),
        (f"urn:uuid:{TEXT[:8]}0{TEXT[9:]}", "invalid UUID format"),
    ],
)
def test_what_is_no_uuid_says_why(text, reason):
    """Lengths are bytes. The reason is printed in the search error (pod-service 4.2)."""
    with pytest.raises(ValueError) as caught:
        parse_uuid(text)

    assert reason == str(caught.value)
    assert uuid_or_none(text) is None


@pytest.mark.property
@given(st.uuids())
def test_the_canonical_text_is_read_back(value):
    """36 characters in lower case."""
    assert str(value) == uuid_text(value.bytes)
    assert value.bytes == parse_uuid(uuid_text(value.bytes))


@pytest.mark.parametrize("case", GROUPS["pod_uid"], ids=lambda case: case["id"])
def test_pod_ids_follow_the_vectors(case):
    """UUID version 5 of the uid text."""
    assert case["expect"] == pod_id(case["input"])


@pytest.mark.parametrize(
    ("uid", "expected"),
    [
        ("00000000-0000-0000-0000-000000000001", "9860ac5e-add2-5986-a8a1-47b5cdda142e"),
        ("ebf487f0-a7c3-11e8-8600-42010a8a0066", "6b48d2b3-f83a-5447-9e6c-e5fbbb5a0ae1"),
        ("3f2c9a64-51d7-4d0e-9b7a-2c6f0e8d1b55", "79cb0ea8-f71e-5cc4-a47d-c46d65f46edb"),
        ("9a1de0a2c3b44f5d8e6f7a8b9c0d1e2f", "48bbdd24-c289-5529-87c7-02419a1358f2"),
    ],
)
def test_pod_ids_are_those_of_the_specification(uid, expected):
    """The uid is taken as text, exactly as given (pod-service 10, ingest 4.1)."""
    assert expected == pod_id(uid)


def test_a_uid_in_another_spelling_is_another_pod():
    """Nothing is normalised before hashing."""
    assert pod_id("AB") != pod_id("ab")
    assert pod_id("9a1de0a2-c3b4-4f5d-8e6f-7a8b9c0d1e2f") != pod_id("9a1de0a2c3b44f5d8e6f7a8b9c0d1e2f")


@pytest.mark.parametrize(
    ("cluster", "value", "expected"),
    [
        ("aaaaaaaa-bbbb-4011-0000-111111111111", "kube-apiserver", "1c39562a-c472-5dc5-b6ae-661fbcfc4ea2"),
        ("prod-1", "kube-apiserver", "e4777cb3-b302-54b7-8823-22eff554d1ce"),
    ],
)
def test_static_pods_share_an_id_by_cluster_and_component(cluster, value, expected):
    """A cluster id that is no UUID is hashed (ingest 5.3)."""
    assert expected == static_deployment_id(cluster, value)


def test_an_empty_component_is_a_component():
    """The label may be there without a value."""
    assert str(uuid.uuid5(uuid.UUID(TEXT), "")) == static_deployment_id(TEXT, "")


@pytest.mark.parametrize("case", GROUPS["containing_pod_id"], ids=lambda case: case["id"])
def test_containing_pod_ids_follow_the_vectors(case):
    """Format, or parse, or parse with an error."""
    if "format" in case:
        assert case["expect"] == containing_pod_id(*case["format"])
    elif "error" in case["expect"]:
        with pytest.raises(BadInput):
            parse_containing_pod_id(case["parse"])
    else:
        assert case["expect"] == parse_containing_pod_id(case["parse"])._asdict()


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a.b@0", ("a", "b", "0")),
        ("etcd-master-0.example.com.kube-system@AbC-1", ("etcd-master-0.example.com", "kube-system", "AbC-1")),
        ("0a..9.n-s@-", ("0a..9", "n-s", "-")),
    ],
)
def test_a_name_may_contain_dots(text, parts):
    """The namespace begins after the last dot."""
    assert ContainingPod(*parts) == parse_containing_pod_id(text)
    assert text == containing_pod_id(*parts)


@pytest.mark.parametrize(
    "text",
    ["", "a", "a.b", "a.b@", "@0", ".b@0", "a.@0", "a@0", "a.b@g", "a.b@0@0", "A.b@0", "a.B@0", "a.b-@0", "a-.b@0",
     "a.b.@0", "a..b@0 ", "é.b@0", "a.b@٣"],
)  # fmt: skip
def test_what_is_no_containing_pod_id_says_so(text):
    """None of the parts may be empty; each has its own characters."""
    with pytest.raises(BadInput) as caught:
        parse_containing_pod_id(text)

    assert f'string "{text}" is not a valid Pod ID' == str(caught.value)


def test_the_refused_text_is_quoted():
    """As everywhere in error texts (pod-service 8.1)."""
    with pytest.raises(BadInput, match=r'^string "a\\"\\n" is not a valid Pod ID$'):
        parse_containing_pod_id('a"\n')


def instance(**fields):
    return ContainerInstance(container_name="web", **fields)


def test_a_run_with_an_id_is_known_by_it():
    """Times, node and runtime do not matter then."""
    first = instance(instance_id=ContainerInstanceID(id="a1", node="n1"), exit_code=1)
    second = instance(instance_id=ContainerInstanceID(id="a1", container_runtime=2))

    assert RunKey("web", "id:a1") == run_key(first) == run_key(second)


def test_two_containers_may_have_runs_of_one_id():
    """The container's name is part of the key."""
    other = ContainerInstance(container_name="side", instance_id=ContainerInstanceID(id="a1"))

    assert run_key(instance(instance_id=ContainerInstanceID(id="a1"))) != run_key(other)


@pytest.mark.parametrize(
    "change",
    [
        {"started": {"seconds": 2}},
        {"started": {"seconds": 1, "nanos": 1}},
        {"started": None},
        {"finished": {"seconds": 9, "nanos": 5}},
        {"finished": None},
        {"exit_code": 138},
        {"termination_reason": "Error"},
    ],
)
def test_a_run_without_id_is_known_by_what_else_is_told(change):
    """Started, finished, exit code, reason; a time that is not set is another value than any that is."""
    told = {"started": {"seconds": 1}, "finished": {"seconds": 9}, "exit_code": 137, "termination_reason": "OOMKilled"}

    assert run_key(instance(**told)) == run_key(instance(**told, image_digest="sha256:1"))
    assert run_key(instance(**told)) != run_key(instance(**(told | change)))


def test_asking_for_a_key_changes_nothing():
    """An instance without instance_id stays without."""
    bare = instance()
    run_key(bare)

    assert not bare.HasField("instance_id")
    assert not bare.HasField("started")
