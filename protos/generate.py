"""Compile the .proto files beside this script into the package `podledger_protos`.

Run by `make protos`. protoc writes into a temporary folder with this folder as the only include root
of ours, so descriptor names stay exactly those of the wire contract; then imports between our own
files become relative and class-module names tell the truth; then the result replaces the old package.
A second run gives the same bytes.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from pathlib import Path

import google.api
from grpc_tools import protoc

PROTOS = Path(__file__).resolve().parent
PACKAGE = PROTOS.parent / "generated" / "podledger_protos"
INIT = '"""Messages and stubs generated from protos/ by protos/generate.py. Never edited."""\n'


def generate(target: Path) -> None:
    """Write the package for all .proto files into `target`, which must not exist yet."""
    files = sorted(PROTOS.rglob("*.proto"))
    roots = "|".join(sorted({path.relative_to(PROTOS).parts[0] for path in files}))
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        _compile(files, out)
        for path in sorted([*out.rglob("*.py"), *out.rglob("*.pyi")]):
            _rewrite(path, depth=len(path.relative_to(out).parts), roots=roots)
        for directory in {path.parent for path in out.rglob("*.py")} | {out}:
            for package in (directory, *directory.parents):
                if package.is_relative_to(out):
                    (package / "__init__.py").write_text(INIT)
        (out / "py.typed").write_text("")
        shutil.copytree(out, target)


def _compile(files: list[Path], out: Path) -> None:
    """Run protoc: messages and type stubs for every file, gRPC stubs where a service is declared.

    Generated modules hold no comments; `descriptors.bin` does, for the API description (gateway 9.2).
    """
    google_root = Path(next(iter(google.api.__path__))).parents[1]
    well_known = Path(protoc.__file__).parent / "_proto"
    include = [f"-I{PROTOS}", f"-I{google_root}", f"-I{well_known}"]
    services = [path for path in files if re.search(r"^service ", path.read_text(), re.MULTILINE)]
    for arguments in (
        [f"--python_out={out}", f"--pyi_out={out}", *map(str, files)],
        [f"--grpc_python_out={out}", *map(str, services)],
        [f"--descriptor_set_out={out}/descriptors.bin", "--include_source_info", *map(str, files)],
    ):
        if status := protoc.main(["protoc", *include, *arguments]):
            sys.exit(status)


def _rewrite(path: Path, *, depth: int, roots: str) -> None:
    """Make imports of our own roots relative and put the real module name into the builder call."""
    text = path.read_text()
    text = re.sub(rf"^from ((?:{roots})[.\w]*) import", rf"from {'.' * depth}\1 import", text, flags=re.MULTILINE)
    text = re.sub(rf"(DESCRIPTOR, ')((?:{roots})\.)", r"\1podledger_protos.\2", text)
    path.write_text(text)


if __name__ == "__main__":
    fresh = PACKAGE.with_name("podledger_protos.new")
    shutil.rmtree(fresh, ignore_errors=True)
    generate(fresh)
    shutil.rmtree(PACKAGE, ignore_errors=True)
    fresh.rename(PACKAGE)
