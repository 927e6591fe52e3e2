"""`podledger import` as it is typed: what comes out where, and how it ends."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.program import PROGRAM, environment, run

DATA = Path(__file__).parents[1] / "data" / "real"
CLUSTER = "3f2c9a64-51d7-4d0e-9b7a-2c6f0e8d1b55"
NEW = ("--cluster-id", CLUSTER, "--register", "prod")


def pod(number: int, **more: Any) -> dict[str, Any]:
    return {"kind": "Pod", "metadata": {"name": f"web-{number}", "namespace": "shop", "uid": f"u{number}", **more}}


def clusters(home: Path) -> list[dict[str, Any]]:
    return json.loads(run(home, "clusters", "list", "-o", "json").stdout)


def test_an_import_prints_one_line_of_json(tmp_path: Path) -> None:
    done = run(tmp_path, "import", "--register", "mini", str(DATA / "cluster-list"))
    summary = json.loads(done.stdout)

    assert done.returncode == 0
    assert done.stdout.count(b"\n") == 1
    assert (summary["pods"], summary["records"], summary["cluster"]) == (25, 50, "mini")
    assert done.stderr.decode() == (
        "Warning: the workload of 13 pods is not known, because the input lacks their owners"
        " (kubectl get pods,rs,jobs,rc -A -o json)\n"
    )


def test_standard_input_is_a_dash(tmp_path: Path) -> None:
    done = run(tmp_path, "import", *NEW, "-", stdin=json.dumps([pod(1)]).encode())

    assert done.returncode == 0
    assert json.loads(done.stdout)["upserted"] == 1
    assert done.stderr == b""


def test_what_is_skipped_is_told_apart_from_the_summary(tmp_path: Path) -> None:
    records = [pod(1), *({"kind": "Pod", "metadata": {"name": f"x{number}"}} for number in range(12))]
    done = run(tmp_path, "import", *NEW, "-", stdin=json.dumps(records).encode())
    lines = done.stderr.decode().splitlines()

    assert done.returncode == 0
    assert lines[0] == "Warning: skipped standard input, item 2: pod without metadata.uid"
    assert lines[-1] == "Warning: skipped 2 more unusable objects"
    assert len(lines) == 11


def test_an_unknown_cluster_gets_the_command_that_names_it(tmp_path: Path) -> None:
    done = run(tmp_path, "import", str(DATA / "must-gather"))

    assert done.returncode == 1
    assert done.stdout == b""
    assert done.stderr.decode() == (
        "Error: cluster ed857a61-3a37-4aac-89b6-09fcf597394a is not registered; choose a name for it:"
        f" podledger import --register NAME {DATA}/must-gather\n"
    )


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), "Missing argument 'PATH... | -'"),
        (("--complete", "x"), "No such option"),
    ],
)
def test_wrong_usage_ends_with_status_2(arguments: tuple[str, ...], expected: str, tmp_path: Path) -> None:
    done = run(tmp_path, "import", *arguments)

    assert done.returncode == 2
    assert expected in done.stderr.decode()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"items": [', "Error: {path} is not valid JSON: Input data was truncated at line 1, column 12\n"),
        ("a: [", "Error: {path} is not usable YAML: did not find expected node content at line 2, column 1\n"),
        ("[]", "Error: the input holds no pod, owner or namespace; --allow-empty accepts that\n"),
    ],
)
def test_an_unusable_file_is_one_sentence(text: str, expected: str, tmp_path: Path) -> None:
    path = tmp_path / "input"
    path.write_text(text)

    done = run(tmp_path, "import", *NEW, str(path))

    assert done.returncode == 1
    assert done.stdout == b""
    assert done.stderr.decode() == expected.format(path=path)
    assert clusters(tmp_path) == []


def test_the_merge_mode_comes_from_the_settings(tmp_path: Path) -> None:
    finished = {**pod(1), "status": {"phase": "Succeeded"}}
    run(tmp_path, "import", *NEW, "-", stdin=json.dumps(pod(1)).encode())

    done = run(
        tmp_path, "import", *NEW, "--set", "ingest.merge_mode=stackrox", "-", stdin=json.dumps(finished).encode()
    )

    assert json.loads(done.stdout)["tombstoned"] == 1


def test_files_of_a_new_store_are_for_their_owner_only(tmp_path: Path) -> None:
    run(tmp_path, "import", *NEW, "-", stdin=json.dumps(pod(1)).encode())
    folder = tmp_path / ".local" / "share" / "podledger"

    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


def test_ctrl_c_ends_an_import_that_waits_for_input(tmp_path: Path) -> None:
    """The stage goes, and the message says how far it came."""
    command = [str(PROGRAM), "import", *NEW, str(DATA / "kubelet"), "-"]
    process = subprocess.Popen(
        command,
        env=environment(tmp_path),
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    database = tmp_path / ".local" / "share" / "podledger" / "podledger.db"
    until = time.monotonic() + 30
    while not database.exists() and time.monotonic() < until:
        time.sleep(0.02)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)

    assert process.returncode == 1
    assert out == b""
    assert err.decode() == "Interrupted after reading 24 pod records; nothing has been written\n"
    assert clusters(tmp_path) == []
