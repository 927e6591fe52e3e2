"""The built wheel installs into an empty environment and serves without the clone."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    target = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(target), str(ROOT)],
        check=True,
        capture_output=True,
    )
    return next(target.glob("*.whl"))


def test_the_wheel_holds_three_packages_and_nothing_else(wheel):
    """No test, no folder of the clone; data files and type markers included."""
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names if ".dist-info" not in name}

    assert tops == {"podledger", "podledger_gateway", "podledger_protos"}
    assert "podledger/query/search_fields.json" in names
    assert any(name.endswith(".sql") for name in names)
    assert {f"{top}/py.typed" for top in tops} <= set(names)


@pytest.mark.timeout(300)
def test_the_installed_wheel_serves_the_demo_fleet(wheel, tmp_path):
    """A fresh environment, the wheel, its dependencies from the registry: the REST API answers."""
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run(
        [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", wheel], check=True, cwd=tmp_path
    )
    ready = tmp_path / "ready.json"
    command = [
        python.with_name("podledger"), "serve", "--demo", "--ready-file", ready,
        "--set", "grpc.listen=127.0.0.1:0", "--set", "http.listen=127.0.0.1:0",
        "--set", "admin.listen=127.0.0.1:0",
        "--set", f"store.directory={tmp_path / 'data'}",
    ]  # fmt: skip
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            address = _wait_for(ready, process)
            with urllib.request.urlopen(f"http://{address}/v1/pods", timeout=10) as answer:
                pods = json.load(answer)["pods"]
        finally:
            process.terminate()
            process.wait(timeout=30)

    assert len(pods) > 10


def _wait_for(ready: Path, process: subprocess.Popen) -> str:
    for _ in range(600):
        if ready.exists():
            return json.loads(ready.read_text())["http"]
        try:
            process.wait(timeout=0.1)
        except subprocess.TimeoutExpired:
            continue
        raise AssertionError("the server ended before it was ready")
    raise AssertionError("the server did not come up")
