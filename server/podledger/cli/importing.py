"""`podledger import`: pods from files."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import threading
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, Final, NoReturn

import click

from podledger.cli.configuring import Sources, settings_options
from podledger.cli.storing import opened
from podledger.ingest.addressing import Address
from podledger.ingest.importing import Options, import_files
from podledger.ingest.tallying import Summary, Tally
from podledger.ingest.unpacking import size_text
from podledger.pods.upstream import Keep
from podledger.settings import Settings

_PROGRESS_SECONDS: Final = 0.5
_LINE_START: Final = "\r\x1b[K"
"""Goes back to the beginning of the line and clears it."""


@click.command("import")
@click.argument("paths", nargs=-1, required=True, metavar="PATH... | -")
@click.option("--cluster-id", default="", metavar="UUID", help="The cluster, by id.")
@click.option("--cluster", default="", metavar="NAME", help="The cluster, by the name it is registered under.")
@click.option("--register", default="", metavar="NAME", help="Register the cluster under this name.")
@click.option("--ignore-identity", is_flag=True, help="Accept input that tells another cluster than the options.")
@click.option("--include-static", is_flag=True, help="Keep static pods of a kubelet's /pods (their mirrors differ).")
@click.option("--allow-empty", is_flag=True, help="Accept input without any pod, owner or namespace.")
@click.option("--keep-empty-lists", is_flag=True, help="Upstream answers: [] is an empty list, not an absent one.")
@click.option("--keep-env-values", is_flag=True, help="Upstream answers: keep environment values (may be secrets).")
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
    keep_empty_lists: bool,
    keep_env_values: bool,
) -> None:
    """Read pods from files, folders, archives or standard input (-) into the store.

    What a file is shows in its content, not in its name:

    \b
      lists, bare arrays and single objects, as JSON or YAML: what
        kubectl get pods -A -o json (or yaml) prints, a kubelet's /pods
      one object per line (NDJSON), or objects one after another
      events of a watch: kubectl get pods -A -w --output-watch-events -o json
      gzip of any of these; tar, tar.gz and zip archives; folders

    In folders and archives the files .json, .yaml, .yml and .ndjson are read at any depth, also with .gz
    behind: must-gather, support bundles, insights archives and other dumps work as they are. Nothing is
    unpacked to disk; links and devices are left alone.

    Add owners, workloads and namespaces to know every pod's workload, with its labels, and cluster:

    \b
      kubectl get pods,rs,jobs,rc,deploy,sts,ds,cronjobs,namespaces -A -o json | podledger import --register prod -

    Also accepts the answers of a StackRox / RHACS installation: /v1/export/pods, /v1/export/deployments,
    /v1/namespaces and /v1/clusters, in any order, of all clusters at once, not mixed with Kubernetes objects.
    Clusters are registered under the names they tell; --cluster-id or --cluster picks one of them.

    One import of Kubernetes objects is for one cluster: that of --cluster-id or --cluster, else the one
    whose kube-system namespace is in the input. A cluster that is not registered yet needs a name:
    --register.

    Pods are added and updated. Of one pod the record with the higher resource version stays. The
    versions that a watch told are merged in their order, so that every finished run is kept, and a pod
    it saw deleted leaves a tombstone. Nothing else is ever removed.

    A text may have 256 MiB (YAML 64 MiB), the input 8 GiB and 2 million pods, and what is compressed
    may grow 200 times. A mistake in the input changes nothing. An import that is interrupted while it
    writes can be repeated. A server may run on the same store meanwhile. Prints one line of JSON that
    sums up; what was skipped and why goes to standard error, and progress where that is a terminal.
    """  # noqa: D301 - the backslash is click's mark for lines that are not wrapped
    settings = sources().settings
    options = Options(
        address=Address(cluster_id=cluster_id, cluster=cluster, register=register, ignore_identity=ignore_identity),
        include_static=include_static,
        allow_empty=allow_empty,
        keep=Keep(empty_lists=keep_empty_lists, env_values=keep_env_values),
        merge_mode=settings.ingest.merge_mode,
    )
    tally = Tally()
    try:
        with _progress(tally):
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


@contextmanager
def _progress(tally: Tally) -> Iterator[None]:
    """Show on a terminal how far the import is. A thread does it, because reading blocks the loop."""
    if not sys.stderr.isatty():
        yield
        return
    over = threading.Event()
    thread = threading.Thread(target=_show, args=(tally, over), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _show(tally: Tally, over: threading.Event) -> None:
    shown = False
    while not over.wait(_PROGRESS_SECONDS):
        click.echo(f"{_LINE_START}{_how_far(tally)}", nl=False, err=True)
        shown = True
    if shown:
        click.echo(_LINE_START, nl=False, err=True)


def _how_far(tally: Tally) -> str:
    if tally.sunk is not None:
        return f"Written {tally.sunk.written:,} pods"
    return f"Read {size_text(tally.input.read)}, {tally.records:,} pod records"


def _interrupted(tally: Tally) -> str:
    if tally.sunk is not None:
        return (
            f"Interrupted after writing {tally.sunk.written:,} pods of {tally.records:,} records;"
            " the same command again completes the import"
        )
    return f"Interrupted after reading {tally.records:,} pod records; nothing has been written"


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
