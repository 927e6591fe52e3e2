"""Floors of the libraries, and the limit of open files."""

from __future__ import annotations

import re
import resource
from pathlib import Path

import pytest

from podledger import floors
from podledger.errors import BadInput

ROOT = Path(__file__).resolve().parents[2]


def test_this_installation_stands():
    """Nothing is too old here."""
    floors.check()


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1.85.1", (1, 85, 1)), ("3.54.1.0", (3, 54, 1, 0)), ("7.36.0rc1", (7, 36, 0)), ("1.2.dev3", (1, 2))],
)
def test_versions_are_compared_as_numbers(text, expected):
    """Not as text."""
    assert floors.numbers(text) == expected


def test_every_problem_is_a_sentence_that_says_what_to_do(monkeypatch):
    """All at once."""
    monkeypatch.setattr(floors, "version", lambda name: "1.10.0" if name == "aiohttp" else "99.1.0")
    monkeypatch.setattr(floors, "_protobuf_implementation", lambda: "python")
    monkeypatch.setattr(floors, "_aiohttp_has_c_parser", lambda: False)
    monkeypatch.setattr(floors, "_sqlite", lambda: ("3.52.0", False))
    with pytest.raises(BadInput) as caught:
        floors.check()

    assert caught.value.message.splitlines() == [
        "aiohttp 1.10.0 is too old; install 3.14.1 or newer",
        "protobuf runs its python implementation; install a protobuf wheel with upb",
        "aiohttp runs its pure Python HTTP parser; install an aiohttp wheel and unset AIOHTTP_NO_EXTENSIONS",
        "apsw uses the SQLite of the system; install the apsw wheel, which carries its own",
        "SQLite 3.52.0 is not safe to use; install an apsw that carries 3.51.3 or newer, not 3.52.0",
    ]


def test_the_grpc_family_is_of_one_release(monkeypatch):
    """Same minor everywhere."""
    monkeypatch.setattr(floors, "version", lambda name: "2.0.0" if name == "grpcio" else "99.1.0")
    with pytest.raises(BadInput, match=r"grpcio and its satellites are of different releases \(2\.0, 99\.1\)"):
        floors.check()


def test_the_floors_are_those_of_the_package():
    """The installer and the start-up check agree."""
    text = (ROOT / "pyproject.toml").read_text()

    for name, floor in floors.FLOORS.items():
        declared = re.search(rf'"{name}>=([0-9.]+)', text)
        assert declared is not None, name
        assert floors.numbers(declared[1]) == floor


def test_versions_name_everything_that_matters():
    """What a report needs."""
    shown = floors.versions()

    assert {"podledger", "python", "grpcio", "protobuf", "protobuf implementation", "aiohttp", "apsw", "SQLite"} <= set(
        shown
    )
    assert all(shown.values())


def test_the_soft_limit_of_open_files_is_raised():
    """To the hard one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(512, hard), hard))

        assert floors.raise_descriptor_limit() == hard
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
