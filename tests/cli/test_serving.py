"""`podledger serve` as a process: how it begins, what it says, how it ends."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import time

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from podledger_protos.api.v1.pod_service_pb2_grpc import PodServiceStub
from podledger_protos.api.v1.search_service_pb2 import RawQuery
from tests.fakes.certificates import Authority
from tests.fakes.program import PROGRAM, environment, run, serving

FREE = ("--set", "grpc.listen=127.0.0.1:0", "--set", "http.listen=127.0.0.1:0")
NO_WAIT = {"PODLEDGER_DRAIN__PROPAGATION_SECONDS": "0"}


def log_of(home):
    return (home / "serve.log").read_text()


def pods_of(address):
    with grpc.insecure_channel(address) as channel:
        return PodServiceStub(channel).GetPods(RawQuery()).pods


def wait_until(condition, seconds=10.0):
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.02)
    assert condition()


def test_it_says_where_it_is_and_what_to_try(tmp_path):
    """Addresses, data, one query to paste; Ctrl-C ends it with status 0."""
    with serving(tmp_path, settings={"PODLEDGER_STORE__URL": "memory:"}) as served:
        assert pods_of(served.grpc) == []
        assert served.stop(signal.SIGINT) == 0
    text = log_of(tmp_path)

    assert f"gRPC  {served.grpc}" in text
    assert f"REST  http://{served.http}" in text
    assert f"Admin {served.admin}" in text
    assert "Data  memory:" in text
    assert f"podledger pods list 'Namespace:kube-system' --server {served.grpc}" in text
    assert "Traceback" not in text


def test_the_ready_file_is_whole_and_that_of_an_earlier_run_goes_first(tmp_path):
    """It names the ports that are really bound; a start that fails leaves none."""
    ready = tmp_path / "ready.json"
    ready.write_text("old")
    with serving(tmp_path, settings={"PODLEDGER_STORE__URL": "memory:"}) as served:
        addresses = json.loads(ready.read_text())
        failed = run(
            tmp_path,
            "serve",
            "--ready-file",
            str(ready),
            "--set",
            f"grpc.listen={served.grpc}",
            "--set",
            "store.url=memory:",
        )

        assert sorted(addresses) == ["admin", "grpc", "http"]
        assert not any(address.endswith(":0") for address in addresses.values())
        assert failed.returncode == 1
        assert not ready.exists()


def test_sigterm_is_noticed_before_calls_are_cut(tmp_path):
    """Health says NOT_SERVING while calls are still answered, so that balancers move away."""
    settings = {"PODLEDGER_DRAIN__PROPAGATION_SECONDS": "1.5", "PODLEDGER_STORE__URL": "memory:"}
    with serving(tmp_path, settings=settings) as served, grpc.insecure_channel(served.grpc) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        before = health.Check(health_pb2.HealthCheckRequest()).status
        served.process.send_signal(signal.SIGTERM)
        wait_until(
            lambda: health.Check(health_pb2.HealthCheckRequest()).status == health_pb2.HealthCheckResponse.NOT_SERVING
        )
        answered = PodServiceStub(channel).GetPods(RawQuery()).pods

        assert before == health_pb2.HealthCheckResponse.SERVING
        assert list(answered) == []
        assert served.process.wait(timeout=15) == 0


def test_streams_that_go_on_are_cut_after_the_grace(tmp_path):
    """As unavailable, never with OK: a client that was cut knows it."""
    settings = {"PODLEDGER_DRAIN__GRACE_SECONDS": "0.2", "PODLEDGER_STORE__URL": "memory:", **NO_WAIT}
    with serving(tmp_path, settings=settings) as served, grpc.insecure_channel(served.grpc) as channel:
        stream = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        states = [next(stream).status]
        served.process.send_signal(signal.SIGTERM)
        with pytest.raises(grpc.RpcError) as caught:
            states.extend(response.status for response in stream)

        assert states[0] == health_pb2.HealthCheckResponse.SERVING
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
        assert served.process.wait(timeout=15) == 0


def test_the_second_signal_ends_it_at_once(tmp_path):
    """Whatever is still waited for."""
    settings = {"PODLEDGER_DRAIN__PROPAGATION_SECONDS": "8", "PODLEDGER_STORE__URL": "memory:"}
    with serving(tmp_path, settings=settings) as served:
        served.process.send_signal(signal.SIGTERM)
        wait_until(lambda: "server stops" in log_of(tmp_path))
        begun = time.monotonic()

        assert served.stop(signal.SIGTERM) == 128 + signal.SIGTERM
        assert time.monotonic() - begun < 2


@pytest.mark.parametrize("name", ["grpc", "http", "admin"])
def test_a_port_in_use_is_one_sentence(tmp_path, name):
    """And status 1."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = run(tmp_path, "serve", *FREE, "--set", f"{name}.listen={address}", "--set", "store.url=memory:")

    label = {"grpc": "gRPC", "http": "HTTP", "admin": "probes"}[name]
    assert done.returncode == 1
    assert (
        f"Error: cannot listen on {address} for {label}: is another program using it?"
        in done.stderr.decode().splitlines()
    )
    assert b"Traceback" not in done.stderr


def test_a_database_has_one_server(tmp_path):
    """The second one says what to do."""
    with serving(tmp_path):
        done = run(tmp_path, "serve", *FREE)

    assert done.returncode == 1
    assert "is in use by another podledger server" in done.stderr.decode()
    assert b"Traceback" not in done.stderr


def test_demo_data_has_a_directory_of_its_own(tmp_path):
    """Real data and made-up pods never mix; nobody else may read either."""
    with serving(tmp_path, "--demo") as served:
        assert len(pods_of(served.grpc)) > 10
        served.stop()
    home = tmp_path / ".local" / "share" / "podledger"

    assert [path.name for path in home.iterdir()] == ["demo"]
    assert home.joinpath("demo").stat().st_mode & 0o077 == 0
    assert all(path.stat().st_mode & 0o077 == 0 for path in home.joinpath("demo").iterdir())


def test_unix_sockets_serve_both_listeners(tmp_path):
    """For one machine, with the rights of files."""
    paths = {name: tmp_path / f"{name}.sock" for name in ("grpc", "http")}
    command = [str(PROGRAM), "serve", "--ready-file", "ready.json", "--set", "store.url=memory:"]
    for name, path in paths.items():
        command += ["--set", f"{name}.listen=unix:{path}"]
    process = subprocess.Popen(
        command, env=environment(tmp_path), cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_until((tmp_path / "ready.json").exists, 30)
        addresses = json.loads((tmp_path / "ready.json").read_text())
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(paths["http"]))
            connection.sendall(b"GET /v1/pods HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            status = connection.recv(100).split(b"\r\n")[0]

        assert addresses == {name: f"unix:{path}" for name, path in paths.items()} | {"admin": addresses["admin"]}
        assert list(pods_of(addresses["grpc"])) == []
        assert status == b"HTTP/1.1 200 OK"
        assert all(path.stat().st_mode & 0o077 == 0 for path in paths.values())
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=15) == 0
    finally:
        process.kill()
        process.wait()


def test_a_fleet_size_without_a_demo_is_wrong_usage(tmp_path):
    """Status 2."""
    done = run(tmp_path, "serve", "--pods", "5")

    assert done.returncode == 2
    assert "--pods needs --demo" in done.stderr.decode()


def test_wrong_settings_end_the_start_with_a_line_each(tmp_path):
    """All of them, and no data directory is made."""
    done = run(tmp_path, "serve", "--set", "grpc.listen=0.0.0.0:1", "--set", "query.strct=1")
    lines = done.stderr.decode().splitlines()

    assert done.returncode == 1
    assert len(lines) == 3
    assert all(line.startswith("Error: ") for line in lines)
    assert not (tmp_path / ".local").exists()


def test_other_machines_are_served_only_when_it_is_said(tmp_path):
    """Plaintext and anonymous callers each by their flag."""
    public = ("--set", "grpc.listen=0.0.0.0:0", "--set", "http.listen=127.0.0.1:0", "--set", "store.url=memory:")
    flags = ("--allow-plaintext", "--allow-anonymous")
    for given in ((), flags[:1], flags[1:]):
        done = run(tmp_path, "serve", *public, *given)
        missing = [flag for flag in flags if flag not in given]

        assert done.returncode == 1
        assert [flag for flag in flags if flag in done.stderr.decode()] == missing
    with serving(
        tmp_path, *flags, "--set", "grpc.listen=0.0.0.0:0", settings={"PODLEDGER_STORE__URL": "memory:"}
    ) as served:
        port = served.grpc.rpartition(":")[2]

        assert list(pods_of(f"127.0.0.1:{port}")) == []


def test_commands_reach_a_server_with_tls_by_its_authority(tmp_path):
    """`pods list`, `pods export` and `call`; the greeting says how."""
    authority = Authority(tmp_path)
    with serving(tmp_path, "--demo", *authority.issue().flags) as served:
        target = ("--server", served.grpc, "--ca", str(authority.ca))
        listed = run(tmp_path, "pods", "list", *target, "-o", "name", "--limit", "3")
        exported = run(tmp_path, "pods", "export", *target, "-o", "name")
        called = run(tmp_path, "call", *target, "list", "v1.PodService")
        refused = run(tmp_path, "pods", "list", "--server", served.grpc)

    assert [done.returncode for done in (listed, exported, called)] == [0, 0, 0]
    assert (len(listed.stdout.splitlines()), len(exported.stdout.splitlines())) == (3, 60)
    assert refused.returncode == 64 + 14
    assert f"REST  https://{served.http}" in log_of(tmp_path)
    assert f"--server {served.grpc} --ca CA.pem" in log_of(tmp_path)
