"""Texts of files cut into objects, and what kind an object is (`pods.objects`)."""

from __future__ import annotations

import json

import pytest

from podledger.errors import BadInput
from podledger.pods.objects import (
    Frame,
    Text,
    decode_frame,
    decode_namespace,
    decode_owner,
    decode_pod,
    encode,
    kept_annotations,
    kind_of,
    split_items,
    split_texts,
)

_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


@pytest.mark.parametrize(
    ("text", "kind", "items"),
    [
        ("[]", "", []),
        ("[1, {}]", "", [b"1", b"{}"]),
        ('{"items": [{"a": 1}, null]}', "", [b'{"a": 1}', b"null"]),
        ('{"items": [], "kind": "List"}', "List", []),
        ('{"kind": "PodList", "items": null}', "PodList", []),
        ('{"kind": "PodList"}', "PodList", []),
        ('{"kind": "Pod", "items": [1]}', "Pod", None),
        ('{"items": {}}', "", None),
        ('{"kind": 1}', "", None),
        ('"text"', "", None),
        ("{}", "", None),
    ],
)
def test_lists_are_cut_and_everything_else_is_one_object(text: str, kind: str, items: list[bytes] | None) -> None:
    found = split_items(text.encode())

    assert found.kind == kind
    assert (None if found.items is None else list(found.items)) == items


@pytest.mark.parametrize("text", ["", "{", '{"kind": 1, ', '{"items": {} ', "[1", "{]", '{"a": 1} x'])
def test_a_text_that_is_no_json_is_refused_as_a_whole(text: str) -> None:
    with pytest.raises(BadInput, match=r" at line 1, column \d+$"):
        split_items(text.encode())


@pytest.mark.parametrize(
    ("value", "implied", "expected"),
    [
        ({"kind": "Job"}, "", "Job"),
        ({"kind": "Job"}, "Pod", "Job"),
        ({}, "Pod", "Pod"),
        ({"kind": ""}, "Pod", "Pod"),
        ({"kind": None}, "Pod", "Pod"),
        ({"spec": {"containers": []}}, "", "Pod"),
        ({"spec": {"containers": None}}, "", ""),
        ({"spec": {"template": {"spec": {"containers": []}}}}, "", ""),
        ({"spec": "text"}, "", ""),
        ({"spec": None}, "", ""),
        ({}, "", ""),
    ],
)
def test_the_kind_is_told_or_implied_or_seen(value: object, implied: str, expected: str) -> None:
    assert kind_of(json.dumps(value).encode(), implied=implied) == expected


@pytest.mark.parametrize("text", ["null", "7", "[]", '{"kind": 7}'])
def test_what_is_no_object_has_no_kind(text: str) -> None:
    with pytest.raises(BadInput, match=r"^not a usable object: "):
        kind_of(text.encode())


def test_an_encoded_object_decodes_to_the_same_value() -> None:
    data = json.dumps({"metadata": {"name": "a", "namespace": "b", "uid": "c", "labels": {"x": None}}}).encode()

    for decode in (decode_pod, decode_owner, decode_namespace):
        assert decode(encode(decode(data))) == decode(data)


def test_the_annotation_that_repeats_the_object_is_not_encoded() -> None:
    annotations = {_APPLIED: "secret", "note": "kept"}
    data = json.dumps({"metadata": {"name": "a", "uid": "c", "annotations": annotations}}).encode()

    encoded = encode(decode_owner(data))
    metadata = decode_owner(encoded).metadata

    assert b"secret" not in encoded
    assert metadata is not None
    assert kept_annotations(metadata) == metadata.annotations == {"note": "kept"}


# ------------------------------------------------------------------------------ several texts, frames

DEEP = b"[" * 200_000 + b"]" * 200_000


@pytest.mark.parametrize(
    ("data", "texts"),
    [
        (b"", []),
        (b"{}", [Text(1, b"{}")]),
        (b'{"a": 1}\n{"b": 2}\n', [Text(1, b'{"a": 1}\n'), Text(2, b'{"b": 2}\n')]),
        (b'{\n}\n\n[1]{} "x"', [Text(1, b"{\n}\n\n"), Text(4, b"[1]"), Text(4, b"{} "), Text(4, b'"x"')]),
    ],
)
def test_texts_that_follow_each_other_are_cut_apart(data: bytes, texts: list[Text]) -> None:
    assert texts == list(split_texts(data))


@pytest.mark.parametrize(
    ("data", "before", "told"),
    [
        (b'{"a": 1}\n{"b" 2}', 1, " at line 2, column 6"),
        (b'{"a": 1}\n{"b": ', 1, " at line 2, column 7"),
        (b"{}\n\n ]", 1, " at line 3, column 2"),
        pytest.param(b"[" * 200_000, 0, "nested too deeply", id="deep and cut"),
        pytest.param(DEEP, 0, "nested too deeply", id="deep"),
    ],
)
def test_the_texts_before_a_broken_one_are_read(data: bytes, before: int, told: str) -> None:
    texts = split_texts(data)
    for _ in range(before):
        next(texts)

    with pytest.raises(BadInput, match=f"{told}$"):
        next(texts)


def test_a_list_that_is_nested_beyond_reason_is_refused() -> None:
    with pytest.raises(BadInput, match=r"^nested too deeply$"):
        split_items(DEEP)


@pytest.mark.parametrize(
    ("data", "frame"),
    [
        (b'{"type": "ADDED", "object": {"a": 1}}', Frame("ADDED", b'{"a": 1}')),
        (b'{"kind": "WatchEvent", "type": "X", "object": {}}', Frame("X", b"{}")),
        (b'{"kind": "", "type": "X", "object": {}}', Frame("X", b"{}")),
        (b'{"kind": "Secret", "type": "Opaque", "object": {}}', None),
        (b'{"type": "", "object": {}}', None),
        (b'{"object": {}}', None),
        (b'{"type": "ADDED"}', None),
        (b'{"type": "ADDED", "object": null}', None),
        (b'{"type": "ADDED", "object": []}', None),
        (b'{"type": 7, "object": {}}', None),
        (b"[]", None),
        (b"{", None),
        pytest.param(DEEP, None, id="deep"),
    ],
)
def test_an_event_of_a_watch_is_told_from_everything_else(data: bytes, frame: Frame | None) -> None:
    assert frame == decode_frame(data)
