"""`podledger clusters list` and `podledger demo`: what they print in every form."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.fakes.program import run

DEMO = ("--set", "store.directory=.local/share/podledger/demo")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    done = run(folder, "demo", "load")
    assert done.returncode == 0, done.stderr
    return folder


def test_loading_the_demo_says_where_it_is(home: Path) -> None:
    done = run(home, "demo", "load")

    assert done.stdout == b""
    assert done.stderr.decode() == (
        f"60 pods in 3 demo clusters: sqlite:///{home}/.local/share/podledger/demo/podledger.db\n"
    )


def test_names_come_one_per_line(home: Path) -> None:
    assert run(home, "clusters", "list", "-o", "name", *DEMO).stdout.decode() == "prod-eu\nprod-us\nstaging\n"


def test_lines_of_json_are_the_default_of_a_pipe(home: Path) -> None:
    plain, asked = (run(home, "clusters", "list", *form, *DEMO).stdout for form in ((), ("-o", "ndjson")))
    rows = [json.loads(line) for line in plain.splitlines()]

    assert plain == asked
    assert [(row["name"], row["pods"], row["demo"]) for row in rows] == [
        ("prod-eu", 23, True),
        ("prod-us", 24, True),
        ("staging", 13, True),
    ]
    assert rows[0]["labels"] == {"environment": "production"}
    assert rows[0]["last_seen"].endswith("Z")


def test_json_is_one_array(home: Path) -> None:
    rows = json.loads(run(home, "clusters", "list", "-o", "json", *DEMO).stdout)

    assert [row["name"] for row in rows] == ["prod-eu", "prod-us", "staging"]


def test_a_table_has_headings_and_no_colour_off_the_terminal(home: Path) -> None:
    table = run(home, "clusters", "list", "-o", "table", *DEMO).stdout.decode()
    lines = table.splitlines()

    assert lines[0].split() == ["NAME", "ID", "PODS", "TOMBSTONES", "LAST_SEEN", "DEMO", "LABELS"]
    assert [line.split()[0] for line in lines[1:]] == ["prod-eu", "prod-us", "staging"]
    assert "\x1b" not in table


def test_a_real_cluster_keeps_the_demo_out(tmp_path: Path) -> None:
    pod = {"kind": "Pod", "metadata": {"name": "a", "namespace": "b", "uid": "c"}}
    run(
        tmp_path, "import", "--cluster-id", "3f2c9a64-51d7-4d0e-9b7a-2c6f0e8d1b55", "--register", "prod", "-",
        stdin=json.dumps(pod).encode(),
    )  # fmt: skip

    done = run(tmp_path, "demo", "load", "--set", "store.directory=.local/share/podledger")

    assert done.returncode == 1
    assert done.stderr.decode().startswith('Error: the store holds real clusters ("prod"); load the demo into')


def test_the_demo_is_removed_as_a_whole(tmp_path: Path) -> None:
    run(tmp_path, "demo", "load", "--pods", "50", "--seed", "9")

    done = run(tmp_path, "demo", "remove")

    assert done.stderr.decode().startswith("3 demo clusters removed: sqlite:///")
    assert json.loads(run(tmp_path, "clusters", "list", "-o", "json", *DEMO).stdout) == []
