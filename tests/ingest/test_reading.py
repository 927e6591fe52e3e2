"""Texts in, records out: forms, watch events, and a clear sentence for everything that cannot be read."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podledger.errors import BadInput
from podledger.ingest.reading import Record
from podledger.ingest.reading import read as read_paths
from podledger.ingest.unpacking import Limits, Meter

NO_LIMITS = Limits()
POD = {"kind": "Pod", "metadata": {"name": "a"}}


def read(paths: Sequence[str], *, stdin: BinaryIO, limits: Limits = NO_LIMITS) -> Iterator[Record]:
    return read_paths(paths, stdin=stdin, limits=limits, meter=Meter())


def read_text(folder: Path, text: str | bytes, name: str = "input", limits: Limits = NO_LIMITS) -> list[Record]:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return list(read([str(path)], stdin=io.BytesIO(), limits=limits))


def objects_of(records: Sequence[Record]) -> list[object]:
    return [json.loads(record.data) for record in records]


def problem(folder: Path, text: str | bytes, name: str = "input") -> str:
    with pytest.raises(BadInput) as caught:
        read_text(folder, text, name)
    return caught.value.message.replace(str(folder), "")


# ----------------------------------------------------------------------------------------------- forms


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"kind":"Pod"}', [("", {"kind": "Pod"})]),
        ('{"kind":"List","items":[{"kind":"Pod"},{"kind":"Job"}]}', [("", {"kind": "Pod"}), ("", {"kind": "Job"})]),
        ('{"kind":"PodList","items":[{"a":1}]}', [("Pod", {"a": 1})]),
        ('{"kind":"ReplicaSetList","items":[{"a":1}]}', [("ReplicaSet", {"a": 1})]),
        ('{"items":[{"a":1}]}', [("", {"a": 1})]),
        ('[{"a":1},{"a":2}]', [("", {"a": 1}), ("", {"a": 2})]),
        (' \n\t[{"a":1}]\n', [("", {"a": 1})]),
        ('\ufeff{"kind":"Pod"}', [("", {"kind": "Pod"})]),
        ('{"kind":"PodList","items":null}', []),
        ('{"kind":"PodList"}', []),
        ('{"kind":"PodList","items":[null]}', [("Pod", None)]),
        ('{"kind":"Box","items":[{"a":1}]}', [("", {"kind": "Box", "items": [{"a": 1}]})]),
        ('{"kind":7,"items":{}}', [("", {"kind": 7, "items": {}})]),
        ('{"a":1}\n{"a":2}\n', [("", {"a": 1}), ("", {"a": 2})]),
        ('{"a":1}{"a":2}', [("", {"a": 1}), ("", {"a": 2})]),
        ('{\n "a": 1\n}\n{\n "a": 2\n}\n', [("", {"a": 1}), ("", {"a": 2})]),
        ('{"a":1}\r\n\r\nnull\n', [("", {"a": 1}), ("", None)]),
        ('{"kind":"PodList","items":[{"a":1}]}\n{"a":2}', [("Pod", {"a": 1}), ("", {"a": 2})]),
        ("", []),
        ("---\n", []),
        ("# nothing\n", []),
        ("kind: Pod\n", [("", {"kind": "Pod"})]),
        ("kind: Pod\n---\n---\nkind: Job\n", [("", {"kind": "Pod"}), ("", {"kind": "Job"})]),
        ("kind: PodList\nitems:\n- a: 1\n", [("Pod", {"a": 1})]),
        ("- a: 1\n- a: 2\n", [("", {"a": 1}), ("", {"a": 2})]),
    ],
)
def test_the_form_is_recognised_by_content(text: str, expected: list[tuple[str, object]], tmp_path: Path) -> None:
    records = read_text(tmp_path, text)

    assert expected == [(record.implied_kind, json.loads(record.data)) for record in records]


def test_a_json_item_is_the_bytes_of_the_input(tmp_path: Path) -> None:
    records = read_text(tmp_path, '[ {"b" : 1.50,  "a":"\\u00e4"} ]')

    assert [record.data for record in records] == [b'{"b" : 1.50,  "a":"\\u00e4"}']


@pytest.mark.parametrize(
    "text", [json.dumps({"items": [POD]}), f"{json.dumps(POD)}\r\n", "kind: Pod\nmetadata: {name: a}"]
)
def test_utf_16_as_some_shells_write_it_is_read(text: str, tmp_path: Path) -> None:
    records = read_text(tmp_path, text.encode("utf-16"))

    assert objects_of(records) == [POD]


def test_broken_utf_16_is_told(tmp_path: Path) -> None:
    assert problem(tmp_path, b"\xff\xfe\x00\xd8{").startswith("/input is not valid UTF-16: ")


def test_many_lines_are_read_as_they_are(tmp_path: Path) -> None:
    records = read_text(tmp_path, "".join(f'{{"a":{number}}}\n' for number in range(5000)))

    assert [{"a": number} for number in range(5000)] == objects_of(records)
    assert records[-1].position == "line 5000"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("kind: Pod", "input, document 1"),
        ('{"kind":"Pod"}', "input"),
        ('{"items":[{},{}]}', "input, item 2"),
        ("a: 1\n---\n- 1\n- 2\n", "input, document 2, item 2"),
        ('{\n"a":1}\n\n{"a":2}\n', "input, line 4"),
        ("[]\n[1,2]", "input, line 2, item 2"),
    ],
)
def test_a_record_tells_where_it_was_found(text: str, expected: str, tmp_path: Path) -> None:
    records = read_text(tmp_path, text)

    assert expected.replace("input", str(tmp_path / "input")) == records[-1].where


# ------------------------------------------------------------------------------------------------ YAML


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("true", True),
        ("False", False),
        ("yes", "yes"),
        ("on", "on"),
        ("12", 12),
        ("-7", -7),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("1e999", "1e999"),
        (".inf", ".inf"),
        ("12:30:45", "12:30:45"),
        ("1_000", "1_000"),
        ("0x1F", "0x1F"),
        ("9" * 30, "9" * 30),
        ("2018-08-24T16:48:43Z", "2018-08-24T16:48:43Z"),
        ("2018-08-24", "2018-08-24"),
        ("'12'", "12"),
        ('"true"', "true"),
        ("!!str 12", "12"),
        ("!!int 12", 12),
        ("=", "="),
        ("<<", "<<"),
        ("|\n  two\n  lines\n", "two\nlines\n"),
    ],
)
def test_yaml_scalars_mean_what_json_can_say(text: str, expected: object, tmp_path: Path) -> None:
    records = read_text(tmp_path, f"a: {text}")

    assert [{"a": expected}] == objects_of(records)


def test_yaml_keys_are_the_text_that_stands_there(tmp_path: Path) -> None:
    records = read_text(tmp_path, "1: a\ntrue: b\n'': c\n<<: d\n")

    assert objects_of(records) == [{"1": "a", "true": "b", "": "c", "<<": "d"}]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: &x 1\nb: *x\n", "/input is not usable YAML: aliases are not accepted at line 2, column 4"),
        (
            "a: !!python/object:os.system 1\n",
            "/input is not usable YAML: the tag tag:yaml.org,2002:python/object:os.system is not accepted at line 1, column 4",
        ),
        ("a: !secret 1\n", "/input is not usable YAML: the tag !secret is not accepted at line 1, column 4"),
        ("a: [1, 2\n", "/input is not usable YAML: did not find expected ',' or ']' at line 2, column 1"),
        ("a: b: c\n", "/input is not usable YAML: mapping values are not allowed in this context at line 1, column 5"),
        ("? [a]\n: 1\n", "/input is not usable YAML: a key that is no scalar at line 1, column 3"),
        ("a: \x00\n", "/input is not usable YAML: control characters are not allowed at position 4"),
        (b"a: \xff\n", "/input is not usable YAML: invalid leading UTF-8 octet at position 4"),
        ("x: " + "[" * 101, "/input is not usable YAML: nested deeper than 100 levels at line 1, column 104"),
    ],
)
def test_unusable_yaml_is_told_with_its_place(text: str | bytes, expected: str, tmp_path: Path) -> None:
    assert expected == problem(tmp_path, text)


def test_a_billion_laughs_are_refused_at_the_first(tmp_path: Path) -> None:
    bomb = "a: &a [1,1,1,1,1,1,1,1,1]\n" + "".join(
        f"{new}: &{new} [{','.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
    )

    assert "aliases are not accepted at line 2" in problem(tmp_path, bomb)


# ------------------------------------------------------------------------------------------------ JSON


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"kind":"Pod"', "/input is not valid JSON: Input data was truncated at line 1, column 14"),
        ('{"items":[\n {"a":1}\n {"b":2}]}', "/input is not valid JSON: expected ',' or ']' at line 3, column 2"),
        ('{"a":1}\n{"b":', "/input is not valid JSON: Input data was truncated at line 2, column 6"),
        ('{"a":1}\n\n{"b":nope}\n', "/input is not valid JSON: invalid character at line 3, column 7"),
        ('{"a":1},\n{"b":2}', "/input is not valid JSON: invalid character at line 1, column 8"),
        ('{"items":{"a":nope}}', "/input is not valid JSON: invalid character at line 1, column 16"),
        ("[" * 100_000, "/input is not valid JSON: nested too deeply"),
        ('{"kind":1,', "/input is not valid JSON: Input data was truncated at line 1, column 11"),
    ],
)
def test_broken_json_is_told_with_its_place(text: str, expected: str, tmp_path: Path) -> None:
    assert expected == problem(tmp_path, text)


@given(data=st.binary(max_size=200) | st.text(alphabet='{}[]":,-~&*!|> \nab1', max_size=60).map(str.encode))
def test_any_bytes_give_records_or_one_sentence(data: bytes) -> None:
    try:
        told = [record.where for record in read(["-"], stdin=io.BytesIO(data))]
    except BadInput as error:
        told = error.message.splitlines()

    assert all(line.startswith("standard input") for line in told)


def test_yaml_has_a_smaller_cap_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"input is YAML larger than 100 bytes; write it as JSON \(`-o json`\)$"):
        read_text(tmp_path, "a: 1\n" * 30, limits=Limits(yaml_member=100))


# -------------------------------------------------------------------------------------- watch events


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"type":"ADDED","object":{"kind":"Pod"}}', [("ADDED", {"kind": "Pod"})]),
        ('{"object":{"a":1}, "type":"DELETED"}\n', [("DELETED", {"a": 1})]),
        ('{"kind":"WatchEvent","apiVersion":"v1","type":"MODIFIED","object":{}}', [("MODIFIED", {})]),
        (
            '{"type":"BOOKMARK","object":{"kind":"Pod"}}\n{"type":"ERROR","object":{}}',
            [("BOOKMARK", {"kind": "Pod"}), ("ERROR", {})],
        ),
        ('[{"type":"ADDED","object":{"a":1}},{"a":2}]', [("ADDED", {"a": 1}), ("", {"a": 2})]),
        (
            "type: ADDED\nobject: {a: 1}\n---\ntype: DELETED\nobject: {a: 2}\n",
            [("ADDED", {"a": 1}), ("DELETED", {"a": 2})],
        ),
        ('{"type":"Opaque","kind":"Secret","object":{}}', [("", {"type": "Opaque", "kind": "Secret", "object": {}})]),
        ('{"type":"ADDED","object":null}', [("", {"type": "ADDED", "object": None})]),
        ('{"type":"ADDED","object":[1]}', [("", {"type": "ADDED", "object": [1]})]),
        ('{"type":7,"object":{}}', [("", {"type": 7, "object": {}})]),
        ('{"kind":"PodList","items":[{"type":"ADDED","object":{}}]}', [("", {"type": "ADDED", "object": {}})]),
    ],
)
def test_a_watch_event_is_the_record_of_its_object(
    text: str, expected: list[tuple[str, object]], tmp_path: Path
) -> None:
    records = read_text(tmp_path, text)

    assert expected == [(record.event, json.loads(record.data)) for record in records]
