"""What an import counts, while it runs (`Tally`) and in the end (`Summary`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from podledger.ingest.migrating import Written
from podledger.ingest.sinking import Sunk
from podledger.ingest.unpacking import Meter

_MAX_PROBLEMS: Final = 10
"""Skipped objects that are told one by one; the rest is a number."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What an import did. Pods are counted once each, however often they were in the input."""

    cluster_id: str
    cluster: str
    """Id and name when it was one cluster, else empty."""
    clusters: Mapping[str, str]
    """Id -> name of all clusters."""
    pods: int
    upserted: int
    unchanged: int
    tombstoned: int
    records: int
    """Pod records of the input, skipped ones included."""
    workloads: int
    """Workloads that upstream answers told."""
    skipped: Mapping[str, int]
    """By reason: `null`, `no_uid`, `malformed`, `static`, `several_owners`, `other_cluster`."""
    owners: Mapping[str, int]
    """Pods with a tracked owner: `resolved` to their workload, or `unresolved`."""
    guessed: int
    """Pods whose workload name follows from naming conventions only."""
    ignored: Mapping[str, int]
    """Objects of other kinds, by kind; "" is no kind at all. Watch events without an object, by type."""
    clashes: int
    """Records that name a pod otherwise than an earlier one with the same uid."""
    unannotated: int
    """Objects that were too large to keep their annotations."""


@dataclass(slots=True)
class Tally:
    """Counts of an import while it runs; whoever gave it in can say how far it came."""

    input: Meter = field(default_factory=Meter)
    records: int = 0
    companions: int = 0
    """Owners, workloads and namespaces, and all but pods of upstream answers."""
    pods: int = 0
    resolved: int = 0
    unresolved: int = 0
    guessed: int = 0
    clashes: int = 0
    unannotated: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    ignored: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    """The first objects that were skipped as unusable, in sentences."""
    sunk: Sunk | None = None
    """What has been written; None while the input is read, when nothing is."""
    written: Written = field(default_factory=Written)
    """What has been written of upstream answers."""

    def skip(self, reason: str, problem: str = "") -> None:
        """Count an object that is not taken."""
        self.skipped[reason] += 1
        if problem and len(self.problems) < _MAX_PROBLEMS:
            self.problems.append(problem)

    def summary(self, clusters: Mapping[str, str]) -> Summary:
        """What was done in all, in these clusters (id -> name)."""
        sunk = self.sunk or Sunk()
        identity, name = next(iter(clusters.items())) if len(clusters) == 1 else ("", "")
        return Summary(
            cluster_id=identity,
            cluster=name,
            clusters=clusters,
            pods=self.pods,
            upserted=sunk.upserted,
            unchanged=sunk.unchanged,
            tombstoned=sunk.removed,
            records=self.records,
            workloads=self.written.rows["deployment"],
            skipped=dict(sorted(self.skipped.items())),
            owners={"resolved": self.resolved, "unresolved": self.unresolved},
            guessed=self.guessed,
            ignored=dict(sorted(self.ignored.items())),
            clashes=self.clashes,
            unannotated=self.unannotated,
        )
