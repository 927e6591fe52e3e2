"""`podledger pods list` and `podledger pods export`: ask any server of v1.PodService.

The server may be ours or the incumbent: names of clusters come from our additive service, and where
that is missing the ids stand in. Pods go to stdout; what a person should know goes to stderr: parts of
the query that had no effect, a page that is not the end, an export that was cut.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import click
import grpc

from podledger.cli import output
from podledger.cli.dialling import EXIT_CALL_FAILED, Target, channel_to, failures, target_options
from podledger.errors import InvalidRequest
from podledger.query import explaining, parsing
from podledger_gateway.jsonenc import encoder
from podledger_protos.api.v1.pagination_pb2 import Pagination, SortOption
from podledger_protos.api.v1.pod_service_pb2 import ExportPodRequest, ExportPodResponse, PodsResponse
from podledger_protos.api.v1.search_service_pb2 import RawQuery
from podledger_protos.podledger.ledger.v1.ledger_service_pb2 import ListClustersRequest, ListClustersResponse
from podledger_protos.storage.deployment_pb2 import Pod

COLUMNS = ("cluster", "namespace", "name", "node", "running", "finished", "last end", "started")

Metadata = tuple[tuple[str, str | bytes], ...]


@click.group()
def pods() -> None:
    """List and export the pods of a running server."""


def _call_options(command: Callable[..., None]) -> Callable[..., None]:
    """Options of both commands."""
    for option in (
        target_options,
        click.option("--strict", is_flag=True, help="Refuse a query with parts that have no effect."),
        click.argument("query", default=""),
    ):
        command = option(command)
    return command


@pods.command("list")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="Pods per page.")
@click.option("--offset", type=click.IntRange(0), default=0, help="Matching pods to skip.")
@click.option("--sort", "sort", multiple=True, metavar="LABEL[:desc]", help="Sort key; repeat for more.")
@click.option("--explain", is_flag=True, help="Say in words what QUERY means; asks no server.")
@output.output_option
@_call_options
def list_pods(
    query: str,
    target: Target,
    form: str | None,
    *,
    strict: bool,
    limit: int,
    offset: int,
    sort: tuple[str, ...],
    explain: bool,
) -> None:
    """Print one page of the pods that match QUERY.

    QUERY is in the search language, for example 'Namespace:payments+Pod Name:cart'. Without it every
    pod matches.
    """
    if explain:
        _explain(query, strict=strict)
        return
    request = RawQuery(
        query=query,
        pagination=Pagination(limit=limit, offset=offset, sort_options=[_sort_option(key) for key in sort]),
    )
    with channel_to(target) as channel:
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/v1.PodService/GetPods")
        with failures():
            reply, details = call.with_call(request.SerializeToString(), metadata=_metadata(strict=strict))
        initial = _texts(details.initial_metadata())
        _tell_ignored(initial)
        page = PodsResponse.FromString(reply)
        chosen = output.choose(form)
        if chosen == "json":
            click.echo(encoder(PodsResponse)(reply))
        else:
            _print(page.pods, chosen, channel)
    if initial.get("x-podledger-truncated") == "true":
        shown = offset + len(page.pods)
        click.echo(f"{shown} of {initial.get('x-total-count', 'more')} pods; the next page: --offset {shown}", err=True)


def _explain(text: str, *, strict: bool) -> None:
    """How the text is cut and what its parts mean. A query that a server refuses ends like the call would."""
    try:
        parts = parsing.read(text, strict=strict)
        lines = explaining.explain(parts, parsing.interpret(parts, now=time.time_ns() // 1000))
    except InvalidRequest as error:
        click.echo(f"Error: INVALID_ARGUMENT: {error.message}", err=True)
        sys.exit(EXIT_CALL_FAILED + grpc.StatusCode.INVALID_ARGUMENT.value[0])
    for line in lines:
        click.echo(line)


@pods.command("export")
@click.option("--timeout", type=click.IntRange(0), default=0, metavar="SECONDS", help="0, the default, means no limit.")
@click.option("--after", default="", metavar="CLUSTER/POD", help="Resume after this pod (cluster id / pod id).")
@click.option(
    "-o",
    "--output",
    "form",
    type=click.Choice(output.FORMS),
    default="ndjson",
    show_default=True,
    help="A table waits for the end.",
)
@_call_options
def export_pods(query: str, target: Target, form: str, *, strict: bool, timeout: int, after: str) -> None:
    """Print every pod that matches QUERY, as a stream ordered by cluster id and pod id.

    Exit status 0 means that the export is complete. A cut export names the pod to resume after.
    """
    request = ExportPodRequest(query=query, timeout=timeout)
    metadata = _metadata(strict=strict, after=after)
    with channel_to(target) as channel:
        export: grpc.UnaryStreamMultiCallable[bytes, bytes] = channel.unary_stream("/v1.PodService/ExportPods")
        stream = export(request.SerializeToString(), metadata=metadata)
        last = after
        try:
            with failures(lambda _: _resume_hint(last)):
                _tell_ignored(_texts(stream.initial_metadata()))

                def received() -> Iterator[Pod]:
                    nonlocal last
                    for message in stream:
                        pod = ExportPodResponse.FromString(message).pod
                        last = f"{pod.cluster_id}/{pod.id}"
                        yield pod

                _print(received(), form, channel)
        finally:
            stream.cancel()


def _sort_option(key: str) -> SortOption:
    label, colon, direction = key.rpartition(":")
    if colon and direction in ("asc", "desc"):
        return SortOption(field=label, reversed=direction == "desc")
    return SortOption(field=key)


def _metadata(*, strict: bool, after: str = "") -> Metadata:
    pairs = (("x-podledger-strict", "true" if strict else ""), ("x-podledger-after", after))
    return tuple((key, value) for key, value in pairs if value)


def _resume_hint(last: str) -> str:
    return f"\nThe export is not complete. Resume it with --after {last}" if last else ""


def _texts(metadata: Metadata | None) -> Mapping[str, str]:
    return {key: value for key, value in metadata or () if isinstance(value, str)}


def _tell_ignored(initial: Mapping[str, str]) -> None:
    for part in json.loads(initial.get("x-podledger-ignored-query-parts", "[]")):
        click.echo(f"Warning: the query part {part!r} has no effect (--strict refuses it)", err=True)


def _print(found: Iterable[Pod], form: str, channel: grpc.Channel) -> None:
    if form == "table":
        names = _cluster_names(channel)
        output.write((_row(pod, names) for pod in found), COLUMNS, form)
    elif form == "name":
        for pod in found:
            click.echo(f"{pod.namespace}/{pod.name}")
    else:
        _print_json(found, form)


def _print_json(found: Iterable[Pod], form: str) -> None:
    """The JSON of the REST API, a pod at a time: lines, or one array."""
    encode = encoder(Pod)
    separator, opening, closing = (b"\n", b"", b"\n") if form == "ndjson" else (b",\n", b"[", b"]\n")
    out = sys.stdout.buffer
    written = False
    out.write(opening)
    for pod in found:
        out.write((separator if written else b"") + encode(pod.SerializeToString()))
        written = True
    out.write(closing if written or form == "json" else b"")
    out.flush()


def _cluster_names(channel: grpc.Channel) -> Mapping[str, str]:
    """Cluster id -> name; empty where the server does not offer our additive service."""
    call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(
        "/podledger.ledger.v1.LedgerService/ListClusters"
    )
    try:
        reply = call(ListClustersRequest().SerializeToString())
    except grpc.RpcError:
        return {}
    return {cluster.id: cluster.name for cluster in ListClustersResponse.FromString(reply).clusters}


def _row(pod: Pod, names: Mapping[str, str]) -> dict[str, Any]:
    finished = [instance for bucket in pod.terminated_instances for instance in bucket.instances]
    latest = max(finished, key=lambda run: run.finished.ToNanoseconds(), default=None)
    nodes = {instance.instance_id.node for instance in (*pod.live_instances, *finished)} - {""}
    return {
        "cluster": names.get(pod.cluster_id, pod.cluster_id),
        "namespace": pod.namespace,
        "name": pod.name,
        "node": ",".join(sorted(nodes)),
        "running": sum(instance.HasField("started") for instance in pod.live_instances),
        "finished": len(finished),
        "last end": "" if latest is None else f"{latest.termination_reason or 'exit'} ({latest.exit_code})",
        "started": pod.started.ToJsonString() if pod.HasField("started") else "",
    }
