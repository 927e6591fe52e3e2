"""`podledger call` against our server and a foreign one, which knows only the older reflection."""

from __future__ import annotations

import io
import json
import sys

import pytest

from podledger.cli import app
from tests.fakes.certificates import Authority
from tests.fakes.foreign import foreign_server
from tests.fakes.program import serving

NUMBERS = "other.v1.Numbers"


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("home"), "--demo") as served:
        yield served


@pytest.fixture(scope="module")
def foreign():
    with foreign_server() as address:
        yield address


@pytest.fixture
def call(monkeypatch, capsys):
    """The program in this process: status, standard output, standard error."""

    def called(server, *arguments, stdin=""):
        monkeypatch.setattr(sys, "argv", ["podledger", "call", "--server", server, *arguments])
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        with pytest.raises(SystemExit) as ended:
            app.main()
        return ended.value.code, *capsys.readouterr()

    return called


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


def test_services_and_methods_are_listed(demo, call):
    """Ours over `v1`, as names that can be pasted."""
    services, methods = call(demo.grpc, "list"), call(demo.grpc, "list", "v1.PodService")

    assert services[0] == 0
    assert services[1].splitlines() == [
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
        "podledger.ledger.v1.LedgerService",
        "v1.PodService",
    ]
    assert methods == (0, "v1.PodService/GetPods\nv1.PodService/ExportPods\n", "")


@pytest.mark.parametrize("symbol", ["v1.PodService.GetPods", "v1.PodService/GetPods"])
def test_a_method_is_described_with_its_annotation(demo, call, symbol):
    """In the form of a proto file."""
    status, text, _ = call(demo.grpc, "describe", symbol)

    assert status == 0
    assert text == (
        "rpc GetPods ( .v1.RawQuery ) returns ( .v1.PodsResponse ) {\n"
        '  option (google.api.http) = { get: "/v1/pods" };\n}\n'
    )


def test_a_unary_call_prints_its_answer(demo, call):
    """As the JSON of protobuf; metadata of the answer on request, on standard error."""
    status, out, err = call(
        demo.grpc, "v1.PodService/GetPods", "-v", "-d", '{"query":"Namespace:shop","pagination":{"limit":2}}'
    )

    assert status == 0
    assert [len(reply["pods"]) for reply in lines(out)] == [2]
    assert "header x-podledger-truncated: true" in err.splitlines()


def test_a_stream_is_a_line_per_message(demo, call):
    """The trailer proves that none is missing."""
    status, out, err = call(demo.grpc, "v1.PodService/ExportPods", "-v")

    assert status == 0
    assert f"trailer x-podledger-count: {len(lines(out))}" in err.splitlines()


def test_a_failed_call_ends_with_its_code_and_details(demo, call):
    """Exit status 64 + code; the details say what to mend."""
    status, out, err = call(
        demo.grpc, "v1.PodService/GetPods", "-H", "x-podledger-strict: true", "-d", '{"query": "Nope:x"}'
    )
    head, detail = err.splitlines()

    assert (status, out) == (64 + 3, "")
    assert head.startswith("Error: INVALID_ARGUMENT: unknown search field")
    assert json.loads(detail)["fieldViolations"][0]["field"] == "Nope"


def test_a_foreign_server_is_listed_by_the_older_reflection(foreign, call):
    """And described."""
    assert call(foreign, "list")[1].splitlines() == ["grpc.reflection.v1alpha.ServerReflection", NUMBERS]
    assert call(foreign, "describe", "other.v1.Number")[1] == (
        "message Number {\n  int64 value = 1;\n  string some_text = 2;\n}\n"
    )


@pytest.mark.parametrize(
    ("method", "data", "expected"),
    [
        ("Double", '{"value": 4}', [{"value": "8"}]),
        ("Double", "", [{}]),
        ("Count", '{"value": 3}', [{"value": "1"}, {"value": "2"}, {"value": "3"}]),
        ("Sum", '{"value": 1} {"value": 2}\n{"value": 3}', [{"value": "6"}]),
        ("Running", '{"value": 1}{"value": 2}', [{"value": "1"}, {"value": "3"}]),
    ],
)
def test_every_kind_of_method_is_called(foreign, call, method, data, expected):
    """A request stream is one JSON value after the other."""
    status, out, err = call(foreign, f"{NUMBERS}/{method}", "-d", data)

    assert (status, lines(out), err) == (0, expected, "")


def test_a_request_comes_from_a_file_or_standard_input(foreign, call, tmp_path):
    """`@FILE` and `-`."""
    path = tmp_path / "request.json"
    path.write_text('{"value": 21}')

    assert lines(call(foreign, f"{NUMBERS}/Double", "-d", f"@{path}")[1]) == [{"value": "42"}]
    assert lines(call(foreign, f"{NUMBERS}/Double", "-d", "-", stdin='{"value": 1}')[1]) == [{"value": "2"}]


def test_headers_reach_the_method(foreign, call):
    """Texts as they are, binary ones from base64."""
    out = call(foreign, f"{NUMBERS}/Double", "-H", "Key: a b", "-H", "key-bin: /w==", "--defaults")[1]

    assert lines(out) == [{"value": "0", "someText": "a bff"}]


def test_what_arrived_before_a_failure_is_printed(foreign, call):
    """And a terminal is safe from the server's words."""
    status, out, err = call(foreign, f"{NUMBERS}/Count", "-d", '{"value": 1, "someText": "!"}')

    assert (status, lines(out)) == (64 + 10, [{"value": "1"}])
    assert err == "Error: ABORTED: stopped by\\x1b[31m!\n"


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        (["v1.Nope/Get"], 1, "Error: the server has no v1.Nope/Get; `podledger call list` prints its services"),
        (["other.v1.Number"], 1, "Error: the server has no other.v1.Number"),
        ([f"{NUMBERS}/Double", "-d", '{"valu": 1}'], 2, 'has no field named "valu"'),
        ([f"{NUMBERS}/Double", "-d", '{"value": 1} {"value": 2}'], 2, "takes one message, not 2"),
        ([f"{NUMBERS}/Double", "-d", "{"], 2, "is not a other.v1.Number"),
        ([f"{NUMBERS}/Double", "-d", "@nowhere"], 1, "cannot be read"),
        ([f"{NUMBERS}/Double", "-H", "nothing"], 2, "must be KEY: VALUE"),
        ([f"{NUMBERS}/Double", "-H", "a-bin: ?"], 2, "must be base64"),
        (["describe"], 2, "describe needs the full name"),
    ],
)
def test_a_mistake_is_one_sentence(foreign, call, arguments, status, text):
    """Before anything is called."""
    done = call(foreign, *arguments)

    assert (done[0], done[1]) == (status, "")
    assert text in done[2]
    assert "Traceback" not in done[2]


def test_nobody_there_is_an_unavailable_call(call, tmp_path):
    """Exit status 64 + 14."""
    status, _, err = call(f"unix:{tmp_path}/nobody", "list")

    assert status == 64 + 14
    assert err.startswith("Error: UNAVAILABLE")


def test_a_server_with_a_certificate_is_called_with_its_authority(call, tmp_path):
    """`--ca`; another authority does not do."""
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    ours, other = Authority(tmp_path), Authority(theirs)
    with foreign_server(ours.issue()) as address:
        trusted = call(address, f"{NUMBERS}/Double", "--ca", str(ours.ca), "-d", '{"value": 1}')
        doubted = call(address, "list", "--ca", str(other.ca), "--deadline", "5")

    assert (trusted[0], lines(trusted[1])) == (0, [{"value": "2"}])
    assert doubted[0] == 64 + 14
