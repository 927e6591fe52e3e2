"""Objects of real clusters from `tests/data/real`, read as simply as can be.

A folder is read file by file in order of the paths. Of several records with one uid the higher decimal
resource version counts, else the later one; null items and objects without uid are left out (ingest 7.1).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

REAL = Path(__file__).resolve().parents[1] / "data" / "real"
COUNTS: dict[str, dict[str, Any]] = json.loads((REAL / "counts.json").read_text())


class _Loader(yaml.CSafeLoader):
    """Times stay text, as in JSON."""


_LOADER_RULES = {
    first: [(tag, pattern) for tag, pattern in rules if tag != "tag:yaml.org,2002:timestamp"]
    for first, rules in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}
_Loader.yaml_implicit_resolvers = _LOADER_RULES


def documents(path: Path) -> list[Any]:
    """The documents of a file, or of all files of a folder."""
    if path.is_dir():
        return [each for file in sorted(path.rglob("*")) if file.is_file() for each in documents(file)]
    if path.suffix == ".ndjson":
        return [json.loads(line)["object"] for line in path.read_text().splitlines()]
    if path.suffix == ".json":
        return [json.loads(path.read_bytes())]
    return list(yaml.load_all(path.read_bytes(), Loader=_Loader))


def objects(name: str) -> Iterator[dict[str, Any]]:
    """All objects of an input, lists taken apart; the kind of an item that says none is that of its list."""
    for document in documents(REAL / name):
        listed = document if isinstance(document, list) else document.get("items", [document])
        implied = "" if isinstance(document, list) else str(document.get("kind") or "").removesuffix("List")
        for item in listed or []:
            if item is not None:
                yield {"kind": implied, **item}


def pods(name: str) -> list[dict[str, Any]]:
    """The distinct pods of an input, kubelet static pods left out."""
    newest: dict[str, dict[str, Any]] = {}
    for item in objects(name):
        uid = item.get("metadata", {}).get("uid")
        if uid and _is_pod(item) and not _is_static(item) and _version(item) >= _version(newest.get(uid, item)):
            newest[uid] = item
    return list(newest.values())


def versions(name: str) -> list[dict[str, Any]]:
    """All records of the pods of an input, the oldest resource version first."""
    kept = {item["metadata"]["uid"] for item in pods(name)}
    return sorted((item for item in objects(name) if item.get("metadata", {}).get("uid") in kept), key=_version)


def _is_pod(item: dict[str, Any]) -> bool:
    return item["kind"] == "Pod" or "containers" in item.get("spec", {})


def _is_static(item: dict[str, Any]) -> bool:
    annotations = item["metadata"].get("annotations") or {}
    source = annotations.get("kubernetes.io/config.source", "api")
    return source != "api" and "kubernetes.io/config.mirror" not in annotations


def _version(item: dict[str, Any]) -> int:
    version = str(item["metadata"].get("resourceVersion") or "")
    return int(version) if version.isdecimal() else 0
