"""Partial Kubernetes objects: what is read, what is ignored, what is malformed."""

from __future__ import annotations

import json

import pytest

from podledger.errors import BadInput
from podledger.pods.objects import (
    ContainerStatus,
    Head,
    LastState,
    Metadata,
    OwnerReference,
    PodAnnotations,
    State,
    Terminated,
    decode_head,
    decode_namespace,
    decode_owner,
    decode_pod,
    encode,
)
from tests.fakes.kubernetes_objects import pod_object
from tests.fakes.real_objects import REAL

SECRETS = ("env", "command", "args", "volumes", "volumeMounts", "managedFields", "message")


def as_bytes(value) -> bytes:
    return json.dumps(value).encode()


def with_state(state) -> bytes:
    return as_bytes(pod_object(status={"containerStatuses": [{"name": "web", "state": state}]}))


def test_kubernetes_spelling_is_read():
    """Acronyms are capitals at the end of a name."""
    status = {
        "podIP": "10.0.0.1",
        "podIPs": [{"ip": "10.0.0.1"}],
        "hostIP": "10.9.9.9",
        "containerStatuses": [
            {
                "name": "web",
                "imageID": "sha256:1",
                "containerID": "containerd://a",
                "restartCount": 3,
                "lastState": {"terminated": {"finishedAt": "x", "exitCode": 1, "signal": 9, "containerID": "b"}},
            }
        ],
    }
    read = decode_pod(as_bytes(pod_object(status=status))).status

    assert read is not None
    assert ("10.0.0.1", "10.9.9.9", "10.0.0.1") == (read.pod_ip, read.host_ip, (read.pod_ips or [])[0].ip)
    assert [
        ContainerStatus(
            name="web",
            image_id="sha256:1",
            container_id="containerd://a",
            restart_count=3,
            last_state=LastState(terminated=Terminated(finished_at="x", exit_code=1, signal=9, container_id="b")),
        )
    ] == read.container_statuses


def test_every_field_may_be_null():
    """Servers null what they like: `"creationTimestamp": null`, `"containers": null`."""
    real = json.loads((REAL / "odd/all-fields-1.36.json").read_bytes())

    def nulled(value, kept):
        if isinstance(value, dict):
            return {key: item if key in kept else None for key, item in value.items()}
        return value

    metadata = nulled(real["metadata"], {"uid", "name", "namespace"})
    spec, status = nulled(real["spec"], ()), nulled(real["status"], ())
    containers = [nulled(real["status"]["containerStatuses"][0], ())]

    assert decode_pod(as_bytes({"metadata": metadata, "spec": spec, "status": status})).spec is not None
    assert decode_pod(as_bytes({"metadata": metadata, "spec": None, "status": None})).spec is None
    assert (
        decode_pod(as_bytes({"metadata": metadata, "status": {"containerStatuses": containers}})).status
    ) is not None
    assert decode_pod(with_state({"running": None, "terminated": None, "waiting": None})).status is not None


def test_an_empty_state_differs_from_none():
    """`{"terminated": {}}` is a run that finished, though nothing more is told."""
    pod = decode_pod(with_state({"terminated": {}}))

    assert pod.status is not None
    assert State(terminated=Terminated()) == (pod.status.container_statuses or [])[0].state


def test_what_is_not_read_never_gets_in():
    """Environment, arguments, volumes, messages are gone from the compact form (ingest 2.3)."""
    data = (REAL / "odd/all-fields-1.36.json").read_bytes()
    compact = encode(decode_pod(data))

    assert [] == [word for word in SECRETS if f'"{word}"'.encode() in compact]
    assert [] != [word for word in SECRETS if f'"{word}"'.encode() in data]


def test_of_a_pods_annotations_two_are_kept():
    """Those of the rule for static pods (ingest 7.1)."""
    annotations = {
        "kubernetes.io/config.source": "file",
        "kubernetes.io/config.mirror": "abc",
        "kubectl.kubernetes.io/last-applied-configuration": "{}",
        "note": "secret",
    }
    pod = decode_pod(as_bytes(pod_object(annotations=annotations)))

    assert pod.metadata is not None
    assert PodAnnotations(config_source="file", config_mirror="abc") == pod.metadata.annotations
    assert b"secret" not in encode(pod)


def test_the_compact_form_reads_as_the_same_pod():
    """A stage may hold it in place of the original."""
    pod = decode_pod((REAL / "odd/all-fields-1.36.json").read_bytes())

    assert pod == decode_pod(encode(pod))


@pytest.mark.parametrize(
    ("pod", "told"),
    [
        ({}, "pod without metadata.uid"),
        ({"metadata": None}, "pod without metadata.uid"),
        (pod_object(uid=None), "pod without metadata.uid"),
        (pod_object(uid=""), "pod without metadata.uid"),
        (pod_object(name=""), "pod without metadata.name"),
        (pod_object(namespace=None), "pod without metadata.namespace"),
        (pod_object(uid=7), "$.metadata.uid"),
        (pod_object(labels=["a"]), "$.metadata.labels"),
        (pod_object(labels={"a": 1}), "$.metadata.labels"),
        (pod_object(ownerReferences={}), "$.metadata.ownerReferences"),
        (pod_object(spec={"hostNetwork": "yes"}), "$.spec.hostNetwork"),
        (pod_object(status={"podIPs": ["10.0.0.1"]}), "$.status.podIPs[0]"),
        (pod_object(status={"containerStatuses": [None]}), "$.status.containerStatuses[0]"),
        (pod_object(status={"containerStatuses": [{"restartCount": 2**31}]}), "restartCount"),
        (pod_object(status="Failure"), "$.status"),
        ([], "Expected `object`"),
        ("text", "Expected `object`"),
    ],
)
def test_a_malformed_pod_says_what_is_wrong(pod, told):
    """The field is named, no value is shown."""
    with pytest.raises(BadInput) as caught:
        decode_pod(as_bytes(pod))

    assert told in str(caught.value)


@pytest.mark.parametrize("code", [2**31, -(2**31) - 1, 10**30, 1.5, "1", True])
def test_an_exit_code_outside_int32_is_malformed(code):
    """So is one that is no whole number (ingest 2.3)."""
    with pytest.raises(BadInput, match=r"terminated\.exitCode"):
        decode_pod(with_state({"terminated": {"exitCode": code}}))


@pytest.mark.parametrize("code", [2**31 - 1, -(2**31), 0])
def test_an_exit_code_may_be_any_int32(code):
    """Windows containers use the whole range."""
    assert decode_pod(with_state({"terminated": {"exitCode": code}}))


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"{} x", b'{"metadata": {"uid": "\xff"}}', b'{"metadata": {"uid": "\\ud800"}}', b'{"a": \x00}',
     b'{"x": ' + b"[" * 200_000 + b"]" * 200_000 + b"}"],
)  # fmt: skip
def test_bytes_that_are_no_json_text_are_malformed(data):
    """Broken syntax, broken UTF-8, half a surrogate pair, nesting beyond reason."""
    for decode in (decode_pod, decode_owner, decode_namespace, decode_head):
        with pytest.raises(BadInput, match="not a usable"):
            decode(data)


def test_an_owner_is_read_by_metadata_only():
    """Kind, name, uid and its own owners; kinds that items of typed lists lack stay unset."""
    references = [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "d", "controller": True}]
    replica_set = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"uid": "r", "name": "web-1", "ownerReferences": references},
        "spec": {"replicas": "not looked at"},
    }
    owner = decode_owner(as_bytes(replica_set))

    assert ("ReplicaSet", "apps/v1") == (owner.kind, owner.api_version)
    assert owner.metadata is not None
    assert [OwnerReference("apps/v1", "Deployment", "web", "d", True)] == owner.metadata.owner_references
    assert decode_owner(as_bytes({"metadata": {"uid": "r", "name": "web-1"}})).kind is None


@pytest.mark.parametrize(
    ("decode", "told"),
    [(decode_owner, "owner without metadata.name"), (decode_namespace, "namespace without metadata.name")],
)
def test_owners_and_namespaces_need_a_name(decode, told):
    """As pods do, save that they may be without a namespace."""
    with pytest.raises(BadInput, match=told):
        decode(as_bytes({"metadata": {"uid": "u"}}))


def test_a_namespace_is_read_by_metadata_only():
    """Labels and annotations for its row."""
    namespace = decode_namespace(as_bytes({"metadata": {"uid": "n", "name": "shop", "labels": {"a": None}}, "spec": 1}))

    assert Metadata(uid="n", name="shop", labels={"a": None}) == namespace.metadata


@pytest.mark.parametrize(
    ("value", "head"),
    [
        (pod_object(spec={"hostNetwork": 3}, labels=[1], resourceVersion="7"), ("", "web-1", "shop", "7")),
        ({"kind": "Pod", "metadata": {"uid": "u", "name": 3}, "status": 5}, ("Pod", "", "", "")),
        ({"kind": 3, "metadata": {"uid": None}}, ("", "", "", "")),
        ({"metadata": None}, ("", "", "", "")),
        ({}, ("", "", "", "")),
    ],
)
def test_a_malformed_object_still_tells_who_it_is(value, head):
    """So that it counts as seen; what cannot be read is empty (ingest 2.3)."""
    kind, name, namespace, version = head
    metadata = value.get("metadata") or {}

    assert Head(kind, metadata.get("uid") or "", name, namespace, version) == decode_head(as_bytes(value))


def test_metadata_that_is_no_object_tells_nothing():
    """Then not even the uid can be read."""
    with pytest.raises(BadInput, match=r"\$\.metadata"):
        decode_head(b'{"metadata": []}')
