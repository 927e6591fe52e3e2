"""How a chaos command goes: it convicts its mutants, judges the product, prints one line (operations 22).

A command is `python -m tests.chaos.NAME --seed S ...`. Its line is JSON: name, seed, figures, which promises
were missed, and for each mutant whether it was convicted. A mutant is the product with one collaborator
replaced by a broken one. A run that lets one of them go proves nothing, so it ends before it judges.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

PASSED, MISSED, LACKING, VOID, IDLE = range(5)
"""Exit statuses: all promises kept; one missed; the environment lacks something; a mutant went free, so the
run is void; too little happened to tell anything."""

Options = argparse.Namespace


class Lacking(Exception):
    """The environment lacks what the command needs; the text says what."""


@dataclass
class Findings:
    """What a run saw: figures for the line, names of missed promises, and why it was too idle, if it was."""

    figures: dict[str, Any] = field(default_factory=dict)
    missed: set[str] = field(default_factory=set)
    idle: str = ""

    def require(self, promise: str, kept: bool) -> None:
        """Note a promise that is not kept."""
        if not kept:
            self.missed.add(promise)

    def floor(self, what: str, done: float, least: float) -> None:
        """Note that less was done than proves anything."""
        if done < least:
            self.idle = f"{what}: {done:g}, and less than {least:g} proves nothing"


@dataclass(frozen=True)
class Mutant:
    """A broken product: how it is tried, with a small budget, and the promises of which it must miss one."""

    trial: Callable[[Options], Findings]
    crimes: frozenset[str]

    def convicted(self, findings: Findings) -> bool:
        """A mutant that fails in another way than its own shows nothing."""
        return bool(self.crimes & findings.missed)


def command(
    name: str,
    argv: Sequence[str] | None,
    *,
    describe: str,
    options: Callable[[argparse.ArgumentParser], None],
    mutants: Mapping[str, Mutant],
    judge: Callable[[Options], Findings],
) -> int:
    """Run a command; gives its exit status."""
    parser = argparse.ArgumentParser(prog=f"python -m tests.chaos.{name}", description=describe)
    parser.add_argument("--seed", type=int, default=None, help="of everything random; printed when it is drawn")
    options(parser)
    given = parser.parse_args(argv)
    given.seed = random.SystemRandom().randrange(2**32) if given.seed is None else given.seed
    begun = time.monotonic()
    line: dict[str, Any] = {"name": name, "seed": given.seed, "mutants": {}}
    try:
        status = _run(given, line, mutants, judge)
    except Lacking as lacking:
        line["lacking"], status = str(lacking), LACKING
    print(json.dumps({**line, "seconds": round(time.monotonic() - begun, 1), "exit": status}), flush=True)
    return status


def _run(
    given: Options, line: dict[str, Any], mutants: Mapping[str, Mutant], judge: Callable[[Options], Findings]
) -> int:
    for name, mutant in mutants.items():
        findings = mutant.trial(given)
        line["mutants"][name] = mutant.convicted(findings)
        if not line["mutants"][name]:
            line |= {"void": name, **findings.figures, "missed": sorted(findings.missed)}
            return VOID
    findings = judge(given)
    line |= {**findings.figures, "missed": sorted(findings.missed)}
    if findings.missed:
        return MISSED
    if findings.idle:
        line["idle"] = findings.idle
        return IDLE
    return PASSED


def leave(status: int) -> None:
    """End the process of a command."""
    sys.exit(status)
