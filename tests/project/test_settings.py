"""Settings: sources and their order, problems in plain words, and the page that documents them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from podledger.cli.configuring import document
from podledger.errors import BadInput
from podledger.query.limits import QueryLimits
from podledger.rpc.doors.grpcio import GrpcOptions
from podledger.rpc.exporting import ExportLimits
from podledger.settings import Settings, fields, load, variable

ROOT = Path(__file__).resolve().parents[2]
PLAINTEXT = (
    "can be reached from other machines and would serve plaintext; "
    "set tls.cert and tls.key, or allow it with --allow-plaintext"
)
ANONYMOUS = (
    "can be reached from other machines, and this release has no authentication; "
    "listen on 127.0.0.1, [::1] or unix:PATH, or let everyone read every pod with --allow-anonymous"
)


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_DATA_HOME", *map(variable, fields())):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def file(tmp_path):
    def write(text):
        path = tmp_path / "podledger.toml"
        path.write_text(text)
        return path

    return write


def problems(**sources):
    with pytest.raises(BadInput) as caught:
        load(**sources)
    return caught.value.message.splitlines()


def test_defaults_need_nothing(tmp_path):
    """The store lies in the user's data folder."""
    loaded = load()

    assert loaded.origins == {}
    assert loaded.settings.grpc.listen == "127.0.0.1:50051"
    assert loaded.settings.store.url == f"sqlite:///{tmp_path}/.local/share/podledger/podledger.db"


def test_the_data_folder_follows_xdg(monkeypatch):
    """A relative value is not valid there, and ignored."""
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert load().settings.store.directory == Path("/data/podledger")

    monkeypatch.setenv("XDG_DATA_HOME", "data")
    assert load().settings.store.directory != Path("data/podledger")


def test_a_url_wins_over_the_directory():
    """The directory only says where the default file lies."""
    settings = load(flags=["store.url=memory:", "store.directory=/data"]).settings

    assert settings.store.url == "memory:"


def test_flags_win_over_environment_over_file_over_defaults(monkeypatch, file):
    """And each value tells where it came from."""
    config = file('[query]\nmax_values = 1\nmax_bytes = 1\nmax_terms = 1\n[http]\ncors_origins = ["https://a.b"]\n')
    monkeypatch.setenv("PODLEDGER_QUERY__MAX_BYTES", "2")
    monkeypatch.setenv("PODLEDGER_QUERY__MAX_TERMS", "2")
    loaded = load(
        config=config, flags=["query.max_terms=3"], defaults={"query.max_values": "9", "query.count_cap": "9"}
    )
    query = loaded.settings.query

    assert (query.max_values, query.max_bytes, query.max_terms, query.count_cap) == (1, 2, 3, 9)
    assert loaded.settings.http.cors_origins == ("https://a.b",)
    assert loaded.origins == {
        "query.max_values": f"file {config}",
        "query.max_bytes": "environment",
        "query.max_terms": "flag --set",
        "http.cors_origins": f"file {config}",
    }


@pytest.mark.parametrize(("text", "value"), [("true", True), ("1", True), ("false", False), ("no", False)])
def test_texts_become_booleans(text, value):
    """As people write them."""
    assert load(flags=[f"query.strict={text}"]).settings.query.strict is value


def test_texts_become_lists():
    """With commas."""
    settings = load(flags=["http.allowed_hosts=a.example, b.example"]).settings

    assert settings.http.allowed_hosts == ("a.example", "b.example")


def test_everything_wrong_is_reported_at_once(monkeypatch, file):
    """One plain line each, with the place it came from."""
    monkeypatch.setenv("PODLEDGER_QUERY__MAX_BITES", "2")
    monkeypatch.setenv("PODLEDGER_QUERY__MAX_BYTES", "many")
    config = file('[grpc]\nreflction = "open"\nmax_streams = 0\n[log]\nlevel = "loud"\n[query]\nstrict = "perhaps"\n')
    found = problems(
        config=config,
        flags=["query.max_terms", "qery.strict=true", "export.stall_seconds=soon", "export.page_rows=501"],
    )

    assert sorted(found) == sorted(
        [
            f"--config {config}: grpc.reflction is not a setting; did you mean grpc.reflection?",
            "environment variable PODLEDGER_QUERY__MAX_BITES: is not a setting; did you mean PODLEDGER_QUERY__MAX_BYTES?",
            "--set query.max_terms: must be group.field=value",
            "--set qery.strict: is not a setting; did you mean query.strict?",
            f"grpc.max_streams: must be at least 1 (file {config})",
            "query.max_bytes: must be a whole number (PODLEDGER_QUERY__MAX_BYTES)",
            f"query.strict: must be true or false (file {config})",
            "export.page_rows: must be at most 500 (flag --set)",
            "export.stall_seconds: must be a number (flag --set)",
            f"log.level: must be debug, info, warning or error (file {config})",
        ]
    )


@pytest.mark.parametrize(
    ("line", "expectation"),
    [
        ("grpc.listen = 5", "must be a text"),
        ("store.directory = 5", "must be a text"),
        ("query.strict = 5", "must be true or false"),
        ("query.max_bytes = 1.5", "must be a whole number"),
        ("export.stall_seconds = 0", "must be more than 0"),
        ("drain.grace_seconds = 11", "must be at most 10"),
        ('http.cors_origins = ["*"]', "must be exact origins such as https://ui.example.com, not *"),
        ("http.cors_origins = 5", "must be a list of texts"),
    ],
)
def test_problems_are_said_in_plain_words(file, line, expectation):
    """Without the words of the library."""
    config = file(line)

    assert problems(config=config) == [f"{line.split(' = ')[0]}: {expectation} (file {config})"]


@pytest.mark.parametrize("name", ["PODLEDGER_TEST_DSN", "PODLEDGER_SERVER", "PODLEDGERS", "PODLEDGE_X"])
def test_foreign_variables_are_left_alone(monkeypatch, name):
    """Those of tests and of client commands, and everything without our prefix."""
    monkeypatch.setenv(name, "x")

    assert load().origins == {}


def test_a_variable_of_a_whole_group_is_unknown(monkeypatch):
    """Settings are given one by one."""
    monkeypatch.setenv("PODLEDGER_STORE", "{}")

    assert problems()[0].startswith("environment variable PODLEDGER_STORE: is not a setting")


def test_an_unreadable_file_is_one_sentence(tmp_path, file):
    """Missing, or not TOML."""
    missing = problems(config=tmp_path / "none.toml")
    broken = problems(config=file("[grpc\n"))

    assert missing == [f"--config {tmp_path}/none.toml: cannot be read: No such file or directory"]
    assert broken[0].startswith(f"--config {tmp_path}/podledger.toml: is not TOML: ")


def test_values_are_never_repeated_in_errors():
    """They may be secrets."""
    assert not any("hunter2" in line for line in problems(flags=["query.max_bytes=hunter2"]))


@pytest.mark.parametrize("name", ["grpc.listen", "http.listen"])
@pytest.mark.parametrize("address", ["127.0.0.1:0", "127.9.9.9:80", "[::1]:80", "localhost:80", "unix:/run/x"])
def test_loopback_and_unix_sockets_are_served(name, address):
    """Nobody else can reach them."""
    assert load(flags=[f"{name}={address}"]).origins == {name: "flag --set"}


@pytest.mark.parametrize("name", ["grpc.listen", "http.listen"])
@pytest.mark.parametrize("address", ["0.0.0.0:80", "[::]:80", "10.0.0.1:80", "example.com:80"])
def test_any_other_listener_is_refused_with_the_way_out(name, address):
    """Both problems at once."""
    found = problems(flags=[f"{name}={address}"])

    assert found == [f"{name}: {address} {PLAINTEXT}", f"{name}: {address} {ANONYMOUS}"]


def test_a_public_listener_needs_encryption_and_a_word_about_callers():
    """A certificate or the word that plaintext is meant; callers are anonymous only on request."""
    public, anonymous = "grpc.listen=0.0.0.0:80", "auth.allow_anonymous=true"
    tls = ["tls.cert=c.pem", "tls.key=k.pem"]

    assert problems(flags=[public, *tls]) == [f"grpc.listen: 0.0.0.0:80 {ANONYMOUS}"]
    assert problems(flags=[public, anonymous]) == [f"grpc.listen: 0.0.0.0:80 {PLAINTEXT}"]
    assert load(flags=[public, anonymous, *tls]).settings.tls.cert == Path("c.pem")
    assert load(flags=[public, anonymous, "tls.allow_plaintext=true"]).settings.tls.cert is None


@pytest.mark.parametrize("name", ["tls.cert", "tls.key"])
def test_a_certificate_and_its_key_come_together(name):
    """One alone is a mistake."""
    assert problems(flags=[f"{name}=x.pem"]) == ["tls.cert, tls.key: give both or none"]


@pytest.mark.parametrize(
    "address", ["", "localhost", ":80", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:x", "unix:", "127.0.0.1:-1"]
)
def test_an_address_has_a_form(address):
    """Host and port, or a path."""
    assert problems(flags=[f"grpc.listen={address}"]) == [
        f'grpc.listen: must be host:port or unix:PATH, not "{address}"'
    ]


def test_authenticated_reflection_waits_for_authentication():
    """Refused rather than open."""
    assert problems(flags=["grpc.reflection=authenticated"]) == [
        "grpc.reflection: `authenticated` needs authentication, which this release does not have; use open or off"
    ]


def test_defaults_are_those_of_the_parts():
    """A limit has one default, wherever it is read."""
    settings, options = load().settings, GrpcOptions()

    assert settings.query.max_terms == QueryLimits().max_parts
    for name in ("max_bytes", "max_values", "max_regexes", "max_regex_bytes", "max_regex_program"):
        assert getattr(settings.query, name) == getattr(QueryLimits(), name)
    for name in set(type(settings.grpc).model_fields) - {"listen", "reflection"}:
        assert getattr(settings.grpc, name) == getattr(options, name)
    assert (settings.export.page_rows, settings.export.page_bytes) == (
        ExportLimits().page_rows,
        ExportLimits().page_bytes,
    )
    assert settings.export.stall_seconds == options.stall_seconds == settings.http.stall_seconds


def test_every_setting_is_documented():
    """A sentence per field and per group."""
    assert [
        path for path, field in fields().items() if not re.search(r"[.!]`?$", (field.description or "").strip())
    ] == []
    assert all((info.annotation.__doc__ or "").strip() for info in Settings.model_fields.values())


def test_the_page_is_fresh():
    """docs/configuration.md is what the settings say: make docs."""
    assert (ROOT / "docs" / "configuration.md").read_text("utf-8") == document()
