"""`podledger import` as it is typed: what comes out where, and how it ends."""

from __future__ import annotations

import gzip
import json
import os
import pty
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import apsw
import pytest

from tests.fakes.archiving import tar_of, zip_of
from tests.fakes.holdings import rows
from tests.fakes.program import PROGRAM, environment, run

DATA = Path(__file__).parents[1] / "data" / "real"
CLUSTER = "3f2c9a64-51d7-4d0e-9b7a-2c6f0e8d1b55"
NEW = ("--cluster-id", CLUSTER, "--register", "prod")


def pod(number: int, **more: Any) -> dict[str, Any]:
    return {"kind": "Pod", "metadata": {"name": f"web-{number}", "namespace": "shop", "uid": f"u{number}", **more}}


def clusters(home: Path) -> list[dict[str, Any]]:
    return json.loads(run(home, "clusters", "list", "-o", "json").stdout)


def begun(home: Path, *arguments: str, **streams: Any) -> subprocess.Popen:
    return subprocess.Popen(
        [str(PROGRAM), "import", *arguments],
        env=environment(home),
        cwd=home,
        **{"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams},
    )


def held(home: Path, table: str) -> int:
    """Rows of the store, beside the program; 0 while there is no store yet."""
    try:
        return rows(home / ".local" / "share" / "podledger" / "podledger.db", f"SELECT count(*) FROM {table}")[0][0]
    except apsw.Error:
        return 0


def wait_for(home: Path, table: str) -> None:
    until = time.monotonic() + 60
    while not held(home, table) and time.monotonic() < until:
        time.sleep(0.005)


def many(home: Path, count: int) -> Path:
    lines = (json.dumps({**pod(number), "spec": {"containers": [{"name": "c"}]}}) for number in range(count))
    (home / "many.ndjson").write_text("\n".join(lines))
    return home / "many.ndjson"


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
        ("[]", "Error: no pod, owner or namespace in {path}; --allow-empty accepts that\n"),
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

    run(tmp_path, "import", *NEW, "--set", "ingest.merge_mode=stackrox", "-", stdin=json.dumps(finished).encode())

    assert [(row["pods"], row["tombstones"]) for row in clusters(tmp_path)] == [(0, 1)]


def test_files_of_a_new_store_are_for_their_owner_only(tmp_path: Path) -> None:
    run(tmp_path, "import", *NEW, "-", stdin=json.dumps(pod(1)).encode())
    folder = tmp_path / ".local" / "share" / "podledger"

    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


def test_ctrl_c_ends_an_import_that_waits_for_input(tmp_path: Path) -> None:
    """The stage goes, and the message says how far it came."""
    process = begun(tmp_path, *NEW, str(DATA / "kubelet"), "-")
    wait_for(tmp_path, "staging")
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)

    assert process.returncode == 1
    assert out == b""
    assert err.decode() == "Interrupted after reading 24 pod records; nothing has been written\n"
    assert held(tmp_path, "staging") == 0
    assert clusters(tmp_path) == []


@pytest.mark.parametrize("form", ["tar", "tar.gz", "zip", "gzip"])
def test_every_form_comes_through_a_pipe(form: str, tmp_path: Path) -> None:
    source, archive = DATA / "must-gather", tmp_path / "input"
    if form == "gzip":
        archive.write_bytes(gzip.compress((DATA / "cluster-list" / "minikube-1.35.json").read_bytes()))
    elif form == "zip":
        zip_of(source, archive)
    else:
        tar_of(source, archive, mode="w" if form == "tar" else "w:gz")

    done = run(tmp_path, "import", *NEW, "--ignore-identity", "-", stdin=archive.read_bytes())

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["pods"] == (25 if form == "gzip" else 7)


def test_an_import_that_is_interrupted_says_how_far_it_is_and_can_be_repeated(tmp_path: Path) -> None:
    """What was written is whole batches, and stays."""
    count = 10_000
    path = many(tmp_path, count)
    process = begun(tmp_path, *NEW, str(path))
    wait_for(tmp_path, "pods")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    written = held(tmp_path, "pods")

    assert process.returncode == 1
    assert out == b""
    assert 0 < written < count
    assert written % 500 == 0
    assert held(tmp_path, "staging") == 0
    told = re.fullmatch(
        r"Interrupted after writing ([0-9,]+) pods of 10,000 records; the same command again completes the import\n",
        err.decode(),
    )
    assert told is not None
    assert int(told[1].replace(",", "")) in (written, written - 500)  # a batch may have been on its way

    again = run(tmp_path, "import", "--cluster", "prod", str(path))

    assert json.loads(again.stdout)["unchanged"] == written
    assert held(tmp_path, "pods") == count


def test_what_a_killed_import_leaves_does_not_disturb_the_next(tmp_path: Path) -> None:
    path = many(tmp_path, 3000)
    process = begun(tmp_path, *NEW, str(path), "-")
    wait_for(tmp_path, "staging")
    process.kill()
    process.communicate(timeout=30)

    assert held(tmp_path, "staging") > 0
    assert held(tmp_path, "pods") == 0

    done = run(tmp_path, "import", *NEW, str(path))

    assert json.loads(done.stdout)["upserted"] == held(tmp_path, "pods") == 3000


def test_progress_is_shown_on_a_terminal_and_cleared(tmp_path: Path) -> None:
    terminal, stderr = pty.openpty()
    process = begun(tmp_path, *NEW, str(DATA / "kubelet"), "-", stderr=stderr)
    os.close(stderr)
    shown = b""
    while b"24 pod records" not in shown:
        shown += os.read(terminal, 1000)
    assert process.stdin is not None
    process.stdin.write(b"[]")
    out, _ = process.communicate(timeout=30)
    shown += os.read(terminal, 1000)
    os.close(terminal)

    assert json.loads(out)["pods"] == 20
    assert re.match(rb"\r\x1b\[KRead [0-9.]+ (bytes|KiB), [0-9]+ pod records", shown)
    assert b"\r\x1b[KWarning: " in shown


def test_the_help_names_every_form() -> None:
    done = subprocess.run([str(PROGRAM), "import", "--help"], capture_output=True, text=True, check=True)

    for form in ("JSON", "YAML", "NDJSON", "watch", "gzip", "tar", "zip", "folders", "must-gather", "256 MiB"):
        assert form in done.stdout
