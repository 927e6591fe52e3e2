"""The committed package podledger_protos is what the pinned compiler makes of protos/."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from podledger_protos.api.v1 import pod_service_pb2
from podledger_protos.storage import deployment_pb2

ROOT = Path(__file__).resolve().parents[2]
COMMITTED = ROOT / "generated" / "podledger_protos"


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.fixture(scope="module")
def fresh(tmp_path_factory) -> Path:
    """A second run of the generator into an empty folder."""
    try:
        metadata.version("grpcio-tools")
    except metadata.PackageNotFoundError:
        pytest.skip("grpcio-tools is not installed: make dev")
    target = tmp_path_factory.mktemp("protos") / "podledger_protos"
    code = f"import generate, pathlib; generate.generate(pathlib.Path({str(target)!r}))"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT / "protos", check=True, capture_output=True)
    return target


def test_the_committed_package_is_fresh(fresh):
    """Nothing was edited by hand, and no .proto changed without `make protos`."""
    assert contents(COMMITTED) == contents(fresh)


def test_the_compiler_is_the_release_of_the_runtime_floor():
    """Generated code refuses an older runtime, so the floor of grpcio is the pinned compiler's release."""
    text = (ROOT / "pyproject.toml").read_text()

    assert '"grpcio-tools==1.85.1"' in text
    assert '"grpcio>=1.85.1,<2"' in text


def test_class_modules_tell_the_truth():
    """A message class can be found again by its module name, so pickle and repr work."""
    assert pod_service_pb2.PodsResponse.__module__ == "podledger_protos.api.v1.pod_service_pb2"


def test_descriptor_names_are_those_of_the_wire_contract():
    """File names and packages in descriptors do not show where the Python files lie."""
    assert pod_service_pb2.DESCRIPTOR.name == "api/v1/pod_service.proto"
    assert pod_service_pb2.DESCRIPTOR.package == "v1"
    assert deployment_pb2.Pod.DESCRIPTOR.full_name == "storage.Pod"
