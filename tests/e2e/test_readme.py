"""Every command of the README is run, and prints what the README shows."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.fakes.program import PROGRAM, ROOT, environment, serving, tool

pytestmark = pytest.mark.e2e

README = (ROOT / "README.md").read_text()


def examples() -> list[tuple[str, str]]:
    """(command, output) of all console blocks."""
    blocks = re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    return [
        (command, output)
        for block in blocks
        for command, output in re.findall(r"^\$ (.*?)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)
    ]


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("home"), "--demo") as served:
        yield served


@pytest.mark.parametrize(("command", "output"), examples(), ids=lambda text: text[:50])
def test_a_command_prints_what_the_readme_shows(demo, command, output):
    """The demo fleet is seeded and its times are fixed, so the output is too."""
    for name in ("grpcurl", "curl"):
        if command.startswith(name):
            command = command.replace(name, tool(name), 1)
    command = command.replace("127.0.0.1:50051", demo.grpc).replace("127.0.0.1:8080", demo.http)
    path = f"{PROGRAM.parent}:/usr/bin:/bin"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=environment(demo.home, PATH=path, PODLEDGER_SERVER=demo.grpc),
    )

    shown = done.stdout if done.stdout.endswith("\n") or not done.stdout else done.stdout + "\n"
    assert (output, "") == (shown, done.stderr)


def test_importing_as_the_readme_says(tmp_path):
    """`kubectl get … -o json | podledger import - --register NAME`, with a recorded answer of kubectl."""
    listing = Path(ROOT / "tests/data/real/cluster-list/minikube-1.35.json").read_bytes()
    done = subprocess.run(
        [PROGRAM, "import", "-", "--register", "prod-eu", "--cluster-id", "0a8fd47f-e5f0-4721-ade3-351967e740f2"],
        input=listing, capture_output=True, env=environment(tmp_path), timeout=60, check=False, cwd=tmp_path,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert b'"pods":25' in done.stdout.replace(b" ", b"")
