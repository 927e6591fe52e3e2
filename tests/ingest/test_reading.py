"""Paths in, records out: forms, folders, caps, and a clear sentence for everything that cannot be read."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podledger.errors import BadInput
from podledger.ingest.reading import Limits, Record, read

NO_LIMITS = Limits()
POD = {"kind": "Pod", "metadata": {"name": "a"}}


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


def test_utf_16_as_some_shells_write_it_is_read(tmp_path: Path) -> None:
    records = read_text(tmp_path, json.dumps({"items": [POD]}).encode("utf-16"))

    assert objects_of(records) == [POD]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("kind: Pod", "input, document 1"),
        ('{"kind":"Pod"}', "input"),
        ('{"items":[{},{}]}', "input, item 2"),
        ("a: 1\n---\n- 1\n- 2\n", "input, document 2, item 2"),
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
        ('{"a":1}{"b":2}', "/input is not valid JSON: trailing characters at line 1, column 9"),
        ('{"a":1}\n{"b":2}', "/input is not valid JSON: trailing characters at line 2, column 2"),
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


# ------------------------------------------------------------------------------------- paths and folders


def test_a_folder_gives_its_json_and_yaml_at_any_depth_in_order(tmp_path: Path) -> None:
    for name in ("b.json", "a/z.yaml", "a/b/c/d.YML", "ignored.txt", "a/.hidden.json"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"kind": name}))

    records = list(read([str(tmp_path)], stdin=io.BytesIO()))

    assert [{"kind": name} for name in ("a/.hidden.json", "a/b/c/d.YML", "a/z.yaml", "b.json")] == objects_of(records)


def test_links_and_devices_in_a_folder_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "pod.json").write_text(json.dumps(POD))
    (tmp_path / "link.json").symlink_to(tmp_path / "pod.json")
    (tmp_path / "loop").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe.json")

    records = list(read([str(tmp_path)], stdin=io.BytesIO()))

    assert objects_of(records) == [POD]


def test_a_named_file_is_read_whatever_its_name(tmp_path: Path) -> None:
    (tmp_path / "pods.txt").write_text(json.dumps(POD))
    (tmp_path / "link").symlink_to(tmp_path / "pods.txt")

    records = list(read([str(tmp_path / "link")], stdin=io.BytesIO()))

    assert objects_of(records) == [POD]


def test_a_dash_is_standard_input_and_paths_keep_their_order(tmp_path: Path) -> None:
    (tmp_path / "x").write_text('{"kind":"file"}')

    records = list(read([str(tmp_path / "x"), "-"], stdin=io.BytesIO(b'{"kind":"stdin"}')))

    assert objects_of(records) == [{"kind": "file"}, {"kind": "stdin"}]
    assert records[1].where == "standard input"


def test_a_missing_path_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=rf"^cannot read {tmp_path}/nowhere: No such file or directory$"):
        list(read([f"{tmp_path}/nowhere"], stdin=io.BytesIO()))


@pytest.mark.parametrize(
    ("name", "expected"), [("x.json", "x.json is larger than 1 MiB"), ("x", "x is larger than 1 MiB")]
)
def test_a_member_over_the_cap_is_refused(name: str, expected: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=expected):
        read_text(tmp_path, b" " * (1024 * 1024 + 1), name, Limits(member=1024 * 1024))


def test_a_member_at_the_cap_is_read(tmp_path: Path) -> None:
    assert read_text(tmp_path, b"[" + b" " * 98 + b"]", limits=Limits(member=100)) == []


def test_yaml_has_a_smaller_cap_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"input is YAML larger than 0 MiB; write it as JSON"):
        read_text(tmp_path, "a: 1\n" * 30, limits=Limits(yaml_member=100))


def test_the_input_as_a_whole_has_a_cap(tmp_path: Path) -> None:
    for name in ("a.json", "b.json", "c.json"):
        (tmp_path / name).write_bytes(b"[]" + b" " * 48)

    with pytest.raises(BadInput, match=rf"^{tmp_path}/c.json: the input is larger than 0 MiB"):
        list(read([str(tmp_path)], stdin=io.BytesIO(), limits=Limits(total=100)))
