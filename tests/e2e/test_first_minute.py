"""What a stranger does first: serve the demo fleet, then look at it with grpcurl and curl."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.fakes.program import run, serving, tool

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("home"), "--demo") as served:
        yield served


@pytest.fixture
def grpcurl(demo):
    program = tool("grpcurl")

    def call(*arguments: str, data: str | None = None) -> str:
        options = ["-plaintext", *(["-d", data] if data is not None else [])]
        done = subprocess.run(
            [program, *options, demo.grpc, *arguments], capture_output=True, text=True, timeout=30, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return call


@pytest.fixture
def curl(demo):
    program = tool("curl")

    def get(path: str, *options: str) -> tuple[int, bytes]:
        command = [program, "-sS", "-w", "\n%{http_code}", *options, f"http://{demo.http}{path}"]
        done = subprocess.run(command, capture_output=True, timeout=30, check=True)
        body, _, status = done.stdout.rpartition(b"\n")
        return int(status), body

    return get


def documents(text: str) -> list[dict]:
    """JSON documents one after the other, as grpcurl prints a stream."""
    decoder, found, position = json.JSONDecoder(), [], 0
    text = text.strip()
    while position < len(text):
        document, position = decoder.raw_decode(text, position)
        found.append(document)
        position += len(text[position:]) - len(text[position:].lstrip())
    return found


def test_grpcurl_lists_the_services(grpcurl):
    """Reflection names the contract's service, health and both reflection versions."""
    assert {"v1.PodService", "grpc.health.v1.Health"} <= set(grpcurl("list").split())


@pytest.mark.parametrize(
    ("symbol", "words"),
    [
        ("v1.PodService", 'get: "/v1/export/pods"'),
        ("v1.PodService.GetPods", "rpc GetPods ( .v1.RawQuery ) returns ( .v1.PodsResponse )"),
        ("storage.Pod", "repeated .storage.ContainerInstance live_instances = 6;"),
        ("storage.Pod.live_instances", "repeated .storage.ContainerInstance live_instances = 6;"),
    ],
)
def test_grpcurl_describes(grpcurl, symbol, words):
    """Services, methods, messages and fields are described, http rules included."""
    assert words in grpcurl("describe", symbol)


def test_grpcurl_gets_pods_by_query(grpcurl):
    """A query narrows the fleet."""
    every = json.loads(grpcurl("v1.PodService/GetPods"))["pods"]
    namespace = every[0]["namespace"]
    some = json.loads(grpcurl("v1.PodService/GetPods", data=json.dumps({"query": f'Namespace:"{namespace}"'})))["pods"]

    assert {pod["namespace"] for pod in some} == {namespace}
    assert 0 < len(some) < len(every)


def test_grpcurl_exports_what_it_gets(grpcurl):
    """The stream holds the pods of the page."""
    page = {pod["id"] for pod in json.loads(grpcurl("v1.PodService/GetPods"))["pods"]}
    stream = {document["pod"]["id"] for document in documents(grpcurl("v1.PodService/ExportPods"))}

    assert stream == page


def test_grpcurl_shows_the_details_of_an_error(demo):
    """A bad value names its field."""
    command = [tool("grpcurl"), "-plaintext", "-d", '{"query": "Pod ID:abc"}', demo.grpc, "v1.PodService/GetPods"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)

    assert done.returncode != 0
    assert "Code: InvalidArgument" in done.stderr
    assert '"field": "Pod ID"' in done.stderr


def test_curl_gets_both_paths(curl):
    """One page, and the whole fleet line by line."""
    status, page = curl("/v1/pods?pagination.limit=1000")
    export_status, export = curl("/v1/export/pods")
    pods = json.loads(page)["pods"]
    exported = [json.loads(line)["result"]["pod"] for line in export.splitlines()]

    assert (status, export_status) == (200, 200)
    assert sorted(pods, key=lambda pod: (pod["clusterId"], pod["id"])) == exported


def test_a_plus_in_a_url_is_a_space(curl):
    """The trap of the README: parts are joined with %2B in a URL."""
    _, page = curl("/v1/pods")
    first = json.loads(page)["pods"][0]
    query = f"Namespace:{first['namespace']}{{}}Pod%20Name:{first['name']}"
    _, right = curl("/v1/pods?query=" + query.format("%2B"))
    _, wrong = curl("/v1/pods?query=" + query.format("+"))

    assert first in json.loads(right)["pods"]
    assert json.loads(wrong)["pods"] == []


def test_health_and_index_answer(curl):
    """/healthz says serving; / names what there is."""
    assert curl("/healthz")[0] == 200
    assert b"/v1/export/pods" in curl("/")[1]


def test_the_command_line_lists_cluster_names(demo):
    """A table with names of clusters instead of ids."""
    table = run(demo.home, "pods", "list", "-o", "table", "--server", demo.grpc).stdout.decode()
    names = run(
        demo.home, "clusters", "list", "-o", "name", "--set", f"store.directory={demo.home}/.local/share/podledger/demo"
    )

    assert names.returncode == 0, names.stderr
    assert all(name in table for name in names.stdout.decode().split())


def test_the_command_line_exports_the_json_of_rest(demo, curl):
    """Lines of `pods export` are the pods of the REST stream."""
    done = run(demo.home, "pods", "export", "-o", "ndjson", "--server", demo.grpc)
    _, export = curl("/v1/export/pods")

    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        json.loads(line)["result"]["pod"] for line in export.splitlines()
    ]


def test_ignored_parts_are_said_and_refused_when_strict(demo):
    """A typo would match everything: the tool says so, and --strict refuses it."""
    ignored = run(demo.home, "pods", "list", "Nmespace:x", "--server", demo.grpc)
    refused = run(demo.home, "pods", "list", "Nmespace:x", "--strict", "--server", demo.grpc)

    assert "has no effect" in ignored.stderr.decode()
    assert refused.returncode == 64 + 3
    assert 'did you mean "Namespace"?' in refused.stderr.decode()


def test_no_server_is_one_sentence(tmp_path):
    """Nobody listens: exit status of UNAVAILABLE, no traceback."""
    done = run(tmp_path, "pods", "list", "--server", "127.0.0.1:1")

    assert done.returncode == 64 + 14
    assert "Traceback" not in done.stderr.decode()


def test_interrupt_ends_it_cleanly_and_the_second_start_is_instant(tmp_path):
    """Ctrl-C: exit status 0. The demo fleet is loaded once."""
    with serving(tmp_path, "--demo") as served:
        first = json.loads(run(tmp_path, "pods", "list", "-o", "json", "--server", served.grpc).stdout)
        assert served.stop() == 0
    with serving(tmp_path, "--demo") as served:
        second = json.loads(run(tmp_path, "pods", "list", "-o", "json", "--server", served.grpc).stdout)

        assert served.stop() == 0
    assert first == second
