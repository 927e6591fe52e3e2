"""`podledger config`, `podledger version`, and how wrong usage ends."""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path

import pytest
from pydantic import SecretStr

from podledger.cli.configuring import _value
from podledger.settings import fields
from tests.fakes.program import PROGRAM, environment, run

ROOT = Path(__file__).resolve().parents[2]


def test_show_prints_every_setting_with_its_origin(tmp_path):
    """Flag, environment, file, default."""
    config = tmp_path / "podledger.toml"
    config.write_text('[log]\nlevel = "warning"\n')
    done = run(
        tmp_path, "config", "show", "--config", str(config), "--set", "query.strict=true",
        PODLEDGER_QUERY__MAX_TERMS="3",
    )  # fmt: skip
    lines = done.stdout.decode().splitlines()

    assert done.returncode == 0
    assert "query.strict = true  # flag --set" in lines
    assert "query.max_terms = 3  # environment" in lines
    assert f'log.level = "warning"  # file {config}' in lines
    assert 'grpc.listen = "127.0.0.1:50051"  # default' in lines
    assert f'store.url = "sqlite:///{tmp_path}/.local/share/podledger/podledger.db"  # default' in lines
    assert [line.split(" = ")[0] for line in lines] == list(fields())


def test_what_show_prints_can_be_read_back(tmp_path):
    """As TOML, comments included."""
    done = run(tmp_path, "config", "show")
    config = tmp_path / "again.toml"
    config.write_bytes(b"\n".join(line for line in done.stdout.splitlines() if b"_timeout" not in line))
    again = run(tmp_path, "config", "show", "--config", str(config))

    assert set(tomllib.loads(config.read_text())) == {path.split(".")[0] for path in fields()}
    assert again.returncode == 0


def test_secrets_are_masked():
    """Whatever they are."""
    assert _value(SecretStr("hunter2")) == '"***"'


def test_docs_prints_the_page(tmp_path):
    """The same text as the committed file."""
    assert run(tmp_path, "config", "docs").stdout.decode() == (ROOT / "docs" / "configuration.md").read_text()


def test_wrong_settings_are_named(tmp_path):
    """One line each, status 1."""
    done = run(tmp_path, "config", "show", PODLEDGER_QUERY__STRCT="1")

    assert done.returncode == 1
    assert done.stderr.decode() == (
        "Error: environment variable PODLEDGER_QUERY__STRCT: is not a setting; did you mean PODLEDGER_QUERY__STRICT?\n"
    )


def test_version_names_everything(tmp_path):
    """The program first."""
    done = run(tmp_path, "version")
    names = [line.rsplit(" ", 1)[0] for line in done.stdout.decode().splitlines()]

    assert done.returncode == 0
    assert {"podledger", "grpcio", "protobuf", "SQLite"} <= set(names)


@pytest.mark.parametrize("arguments", [["nope"], ["serve", "--nope"], ["config", "nope"]])
def test_wrong_usage_is_status_2(tmp_path, arguments):
    """With a pointer to the help."""
    done = run(tmp_path, *arguments)

    assert done.returncode == 2
    assert "--help" in done.stderr.decode()
    assert b"Traceback" not in done.stderr


def test_an_option_without_its_value_is_wrong_usage(tmp_path):
    """One sentence."""
    done = run(tmp_path, "config", "show", "--set")

    assert (done.returncode, done.stderr) == (2, b"Error: Option '--set' requires an argument.\n")


def test_help_says_what_it_is(tmp_path):
    """In one line, before the commands."""
    done = run(tmp_path, "--help")

    assert done.returncode == 0
    assert "Every pod of every Kubernetes cluster" in done.stdout.decode()


def test_a_reader_that_leaves_is_no_defect(tmp_path):
    """`podledger config docs | head -1` prints no complaint."""
    command = [str(PROGRAM), "config", "docs"]
    process = subprocess.Popen(command, env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    complaint = process.stderr.read()
    process.stderr.close()

    assert process.wait(timeout=30) == 1
    assert complaint == b""
