"""`podledger import`: pods from files."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Coroutine, Sequence
from dataclasses import asdict
from typing import Any, NoReturn

import click

from podledger.cli.configuring import Sources, settings_options
from podledger.cli.storing import opened
from podledger.ingest.addressing import Address
from podledger.ingest.importing import Options, Summary, Tally, import_files
from podledger.settings import Settings


@click.command("import")
@click.argument("paths", nargs=-1, required=True, metavar="PATH... | -")
@click.option("--cluster-id", default="", metavar="UUID", help="The cluster, by id.")
@click.option("--cluster", default="", metavar="NAME", help="The cluster, by the name it is registered under.")
@click.option("--register", default="", metavar="NAME", help="Register the cluster under this name.")
@click.option("--ignore-identity", is_flag=True, help="Accept input that tells another cluster than the options.")
@click.option("--include-static", is_flag=True, help="Keep static pods of a kubelet's /pods (their mirrors differ).")
@click.option("--allow-empty", is_flag=True, help="Accept input without any pod, owner or namespace.")
@settings_options
def import_command(
    sources: Sources,
    *,
    paths: tuple[str, ...],
    cluster_id: str,
    cluster: str,
    register: str,
    ignore_identity: bool,
    include_static: bool,
    allow_empty: bool,
) -> None:
    r"""Read pods from files, folders or standard input (-) into the store.

    Accepts what `kubectl get pods -A -o json` (or yaml) prints, lists of any kind, bare arrays, single
    objects, the answer of a kubelet's /pods, and folders of such files: must-gather, support bundles
    and other dumps. Forms are recognised by content. Add owners and namespaces to know every pod's
    workload and cluster:

    \b
      kubectl get pods,rs,jobs,rc,namespaces -A -o json | podledger import --register prod -

    One import is for one cluster: that of --cluster-id or --cluster, else the one whose kube-system
    namespace is in the input. A cluster that is not registered yet needs a name: --register.

    Pods are added and updated, never removed. Of one pod the record with the higher resource version
    stays. A server may run on the same store meanwhile. Prints one line of JSON that sums up; what was
    skipped and why goes to standard error.
    """
    settings = sources().settings
    options = Options(
        address=Address(cluster_id=cluster_id, cluster=cluster, register=register, ignore_identity=ignore_identity),
        include_static=include_static,
        allow_empty=allow_empty,
        merge_mode=settings.ingest.merge_mode,
    )
    tally = Tally()
    try:
        summary = _run(_import(settings, paths, options, tally))
    except KeyboardInterrupt:
        click.echo(_interrupted(tally), err=True)
        sys.exit(1)
    finally:
        _tell_skipped(tally)
    _tell_unresolved(summary)
    click.echo(json.dumps(asdict(summary), ensure_ascii=False))


async def _import(settings: Settings, paths: Sequence[str], options: Options, tally: Tally) -> Summary:
    async with opened(settings) as store:
        return await import_files(store, paths, options, stdin=sys.stdin.buffer, tally=tally)


def _run(work: Coroutine[Any, Any, Summary]) -> Summary:
    """Run it so that Ctrl-C is felt at once: asyncio would wait for the next await, and input may block."""
    before = signal.signal(signal.SIGINT, _interrupt)
    try:
        return asyncio.run(work)
    finally:
        signal.signal(signal.SIGINT, before)


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def _interrupted(tally: Tally) -> str:
    written = tally.sunk.upserted + tally.sunk.unchanged + tally.sunk.removed
    if not written:
        return f"Interrupted after reading {tally.records:,} pod records; nothing has been written"
    return f"Interrupted after writing {written:,} pods; the same command again completes the import"


def _tell_skipped(tally: Tally) -> None:
    for problem in tally.problems:
        click.echo(f"Warning: skipped {problem}", err=True)
    more = tally.skipped["malformed"] + tally.skipped["no_uid"] - len(tally.problems)
    if more > 0:
        click.echo(f"Warning: skipped {more:,} more unusable objects", err=True)


def _tell_unresolved(summary: Summary) -> None:
    if unresolved := summary.owners["unresolved"]:
        click.echo(
            f"Warning: the workload of {unresolved:,} pods is not known, because the input lacks their owners"
            " (kubectl get pods,rs,jobs,rc -A -o json)",
            err=True,
        )
