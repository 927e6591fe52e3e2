"""Rows in every form."""

from __future__ import annotations

import json

import pytest

from podledger.cli import output

ROWS = [{"name": "a", "pods": 3, "labels": {"x": "1"}}, {"name": "söme", "pods": None, "extra": True}]


def test_a_table_pads_its_columns(capsys: pytest.CaptureFixture[str]) -> None:
    output.write(ROWS, ("name", "pods", "labels"), "table")

    assert capsys.readouterr().out == "NAME  PODS  LABELS\na     3     x=1\nsöme\n"


def test_an_empty_table_has_its_headings(capsys: pytest.CaptureFixture[str]) -> None:
    output.write([], ("name", "pods"), "table")

    assert capsys.readouterr().out == "NAME  PODS\n"


@pytest.mark.parametrize("rows", [[], ROWS[:1], ROWS])
def test_json_is_an_array_of_whole_rows(rows: list[dict[str, object]], capsys: pytest.CaptureFixture[str]) -> None:
    output.write(rows, ("name",), "json")

    assert json.loads(capsys.readouterr().out) == rows


def test_ndjson_is_a_row_per_line(capsys: pytest.CaptureFixture[str]) -> None:
    output.write(iter(ROWS), ("name",), "ndjson")

    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == ROWS


def test_name_is_the_first_column(capsys: pytest.CaptureFixture[str]) -> None:
    output.write(ROWS, ("name", "pods"), "name")

    assert capsys.readouterr().out == "a\nsöme\n"


@pytest.mark.parametrize("form", ["table", "name"])
def test_control_characters_cannot_reach_a_terminal(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    output.write([{"name": "a\x1b[2Jb\nc\u202ed"}], ("name",), form)

    assert "a\\x1b[2Jb\\nc\\u202ed" in capsys.readouterr().out


@pytest.mark.parametrize(("asked", "expected"), [(None, "ndjson"), ("table", "table"), ("name", "name")])
def test_off_a_terminal_the_default_is_ndjson(
    asked: str | None, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert output.choose(asked) == expected


def test_a_rich_table_shows_brackets_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    """Names are no markup."""
    pytest.importorskip("rich", reason="the extra `tables` is not installed")

    assert output._write_rich([["[red]x", "1"]], ["NAME", "PODS"])
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [["NAME", "PODS"], ["[red]x", "1"]]
