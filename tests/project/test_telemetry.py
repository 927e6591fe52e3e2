"""The metrics: the documented list is the registry, and labels hold nothing that grows or identifies."""

from __future__ import annotations

import re
from pathlib import Path

from podledger.telemetry import Telemetry

ROOT = Path(__file__).resolve().parents[2]


def registered():
    """(name, type, labels, meaning) of every metric."""
    return [
        (
            f"{metric._name}_total" if metric._type == "counter" else metric._name,
            metric._type,
            ", ".join(f"`{label}`" for label in metric._labelnames),
            metric._documentation,
        )
        for metric in Telemetry().registry._collector_to_names
    ]


def test_the_documented_list_is_the_registry():
    """Name, type, labels and meaning, in the same order."""
    text = (ROOT / "docs" / "operations.md").read_text()
    rows = re.findall(r"^\| `((?:podledger|grpc)_\w+)` \| (\w+) \| (.*?) ?\| (.+) \|$", text, re.MULTILINE)

    assert [tuple(map(str.strip, row)) for row in rows] == registered()


def test_labels_never_hold_what_strangers_choose():
    """No pod, namespace, principal or query; a cluster only where it is meant."""
    labels = {label for _, _, text, _ in registered() for label in re.findall(r"\w+", text)}

    assert labels & {"pod", "namespace", "principal", "query", "peer", "user"} == set()
    assert {name for name, _, text, _ in registered() if "`cluster`" in text} == {
        "podledger_pods",
        "podledger_cluster_last_event_timestamp_seconds",
    }
