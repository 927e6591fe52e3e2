"""Ids: of pods, clusters and container runs, and the text form of containing_pod_id."""

from __future__ import annotations

from typing import NamedTuple

NO_CLUSTER = bytes(16)
"""The nil UUID: stands in keys for the cluster of a pod that belongs to none."""


class PodKey(NamedTuple):
    """Identity of a pod row: 16 bytes each. Ordered bytewise, which is the order of exports."""

    cluster: bytes
    pod: bytes
