"""The gateway as its own program: what it serves, and what ends its start (gateway 8.7)."""

from __future__ import annotations

import asyncio
import json
import logging
import shutil
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import grpc
import pytest

from podledger_gateway.__main__ import main
from tests.fakes.gateway_backends import RealServer, Script
from tests.fakes.gateway_types import compile_protos, create, gwtest_set
from tests.fakes.gateways import TRANSCODE_TEST, commanded, method_of
from tests.fakes.raw_http import fetch, read_answer, request_bytes

UNANNOTATED = (
    'syntax = "proto3"; package plain; message Nothing {} service Plain { rpc Do(Nothing) returns (Nothing); }'
)
BROKEN = """
syntax = "proto3"; package broken; import "google/api/annotations.proto";
message Thing { string name = 1; map<string, string> labels = 2; }
service Things {
  rpc A(Thing) returns (Thing) { option (google.api.http) = { get: "v1/{name}" }; }
  rpc B(Thing) returns (Thing) { option (google.api.http) = { get: "/v1/{nome}" }; }
  rpc C(Thing) returns (Thing) { option (google.api.http) = { get: "/v1/{labels}" }; }
  rpc D(Thing) returns (Thing) { option (google.api.http) = { post: "/v1" body: "thing" }; }
}
"""


@pytest.fixture
async def backend() -> AsyncIterator[RealServer]:
    server = RealServer()
    server.streaming = lambda method: bool(method_of([TRANSCODE_TEST], method).server_streaming)
    server.script = Script(lambda method, message: b"", mode="echo")
    await server.start([TRANSCODE_TEST])
    yield server
    await server.server.stop(0)


@pytest.fixture
def described(tmp_path: Path) -> Path:
    path = tmp_path / "gwtest.bin"
    path.write_bytes(gwtest_set().SerializeToString())
    return path


@pytest.mark.parametrize("reflected", [True, False], ids=["by reflection", "by a descriptor set"])
async def test_a_foreign_service_is_served(
    backend: RealServer, described: Path, tmp_path: Path, reflected: bool
) -> None:
    source = ["--reflect"] if reflected else ["--descriptor-set", str(described)]
    listen = ["--listen", "127.0.0.1:0", "--backend", backend.address]
    options = ["--profile", "rhacs-4.6", "--set", "strict_query_params=on", "--set", "forward_headers=traceparent"]
    async with commanded(tmp_path, *listen, *source, *options) as address:
        answer = await fetch(address, "GET", "/v1/things/a?int32_value=3", [("Traceparent", "00-1")])
        strict = await fetch(address, "GET", "/v1/echo?nothing=3")
    (seen,) = backend.calls
    assert create("gwtest.v1.Everything", {"stringValue": "a", "int32Value": 3}).SerializeToString() == seen.request
    assert (200, "a", ["00-1"]) == (answer.status, json.loads(answer.text)["stringValue"], seen.metadata["traceparent"])
    assert (400, ["code", "message", "details", "error"]) == (strict.status, list(json.loads(strict.text)))


async def test_both_sides_can_be_encrypted(described: Path, tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    server = RealServer()
    server.script = Script(lambda method, message: b"", mode="echo")
    credentials = grpc.ssl_server_credentials([(key.read_bytes(), certificate.read_bytes())])
    await server.start(credentials=credentials)
    words = ["--listen", "127.0.0.1:0", "--backend", server.address, "--descriptor-set", str(described)]
    for name, path in (("backend_ca", certificate), ("tls_cert", certificate), ("tls_key", key)):
        words += ["--set", f"{name}={path}"]
    async with commanded(tmp_path, *words) as address:
        trusting = ssl.create_default_context(cafile=str(certificate))
        port = int(address.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting)
        writer.write(request_bytes("GET", "/v1/things/a"))
        answer = await read_answer(reader)
        writer.close()
    await server.server.stop(0)
    assert (200, ["max-age=31536000"]) == (answer.status, answer.all("Strict-Transport-Security"))


def self_signed(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    certificate, key = folder / "cert.pem", folder / "key.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
    ]
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*command, *names, "-out", certificate, "-keyout", key], check=True, capture_output=True)
    return certificate, key


def problems(caplog: pytest.LogCaptureFixture, tmp_path: Path, protos: str = "", *arguments: str) -> Sequence[str]:
    """The sentences with which a start ends."""
    source: list[str] = []
    if protos:
        path = tmp_path / "set.bin"
        path.write_bytes(compile_protos({"test.proto": protos}).SerializeToString())
        source = ["--descriptor-set", str(path)]
    options = dict(zip(arguments[::2], arguments[1::2], strict=True))
    address = [word for name in ("--listen", "--backend") if name not in options for word in (name, "127.0.0.1:0")]
    caplog.set_level(logging.INFO)
    assert main([*address, *source, *arguments]) == 2
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]


def test_a_service_without_annotations_is_not_served(caplog, tmp_path) -> None:
    assert problems(caplog, tmp_path, UNANNOTATED) == ["No method has a google.api.http annotation."]


def test_every_broken_annotation_is_named(caplog, tmp_path) -> None:
    found = problems(caplog, tmp_path, BROKEN)
    assert found == [
        'broken.Things.A: a template starts with a slash: "v1/{name}" at character 1.',
        "broken.Things.B: path variable nome names no field of broken.Thing.",
        "broken.Things.C: path variable labels is a map.",
        "broken.Things.D: body field thing does not exist.",
    ]


@pytest.mark.parametrize(
    ("option", "value", "sentence"),
    [
        ("--set", "nothing=1", "There is no setting nothing."),
        ("--set", "nothing", "--set takes name=value, not nothing."),
        ("--set", "profile=v3", "Setting profile: Input should be 'rhacs-4.5', 'rhacs-4.6', 'grpc-gateway-v2' or 'rhacs-union'."),
        ("--set", "tls_cert=/no/such/file", "Cannot use tls_cert and tls_key: [Errno 2] No such file or directory."),
        ("--set", "backend_ca=/no/such/file", "Cannot read /no/such/file: No such file or directory."),
        ("--listen", "nowhere", "--listen takes host:port, not nowhere."),
        ("--backend", "nowhere", "--backend takes host:port, not nowhere."),
        ("--listen", "127.0.0.1:70000", "--listen takes host:port, not 127.0.0.1:70000."),
    ],
)  # fmt: skip
def test_a_wrong_option_is_one_sentence(caplog, tmp_path, option: str, value: str, sentence: str) -> None:
    assert problems(
        caplog, tmp_path, BROKEN.replace("v1/{name}", "/v1/{name}").split("rpc B")[0] + "}", option, value
    ) == [sentence]


def test_a_taken_port_is_one_sentence(caplog, tmp_path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        proto = BROKEN.replace("v1/{name}", "/v1/{name}").split("rpc B")[0] + "}"
        assert problems(caplog, tmp_path, proto, "--listen", address) == [
            f"Cannot listen on {address}: Address already in use."
        ]


def test_a_file_that_is_no_descriptor_set_is_one_sentence(caplog, tmp_path) -> None:
    path = tmp_path / "no.bin"
    path.write_bytes(b"no descriptor set")
    (sentence,) = problems(caplog, tmp_path, "", "--descriptor-set", str(path))
    assert sentence.startswith(f"{path} is no FileDescriptorSet with all its imports: ")


def test_a_descriptor_set_without_its_imports_is_one_sentence(caplog, tmp_path) -> None:
    files = compile_protos({"test.proto": BROKEN})
    path = tmp_path / "alone.bin"
    del files.file[:-1]
    path.write_bytes(files.SerializeToString())
    (sentence,) = problems(caplog, tmp_path, "", "--descriptor-set", str(path))
    assert "google/api/annotations.proto" in sentence
