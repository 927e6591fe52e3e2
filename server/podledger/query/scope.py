"""Which pods a caller may see (pod-service 9.3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Scope:
    """Whole clusters, and namespaces of other clusters.

    `clusters` maps the 16 bytes of a cluster id to the names of its visible namespaces, or to None
    for the whole cluster. `everything` lifts every limit; only then are pods without a cluster seen.
    """

    everything: bool = False
    clusters: Mapping[bytes, frozenset[str] | None] = field(default_factory=dict)

    def covers(self, cluster: bytes | None, namespace: str) -> bool:
        """Whether a pod of this cluster (None: of no cluster) and namespace is visible."""
        if self.everything:
            return True
        if cluster is None or cluster not in self.clusters:
            return False
        names = self.clusters[cluster]
        return names is None or namespace in names


UNRESTRICTED = Scope(everything=True)
