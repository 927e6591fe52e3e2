"""Which servers are called in plaintext, and which over TLS."""

from __future__ import annotations

from pathlib import Path

import pytest

from podledger.cli.dialling import Target
from podledger.errors import BadInput
from tests.fakes.program import run


@pytest.mark.parametrize(
    ("server", "ca", "plaintext", "encrypted"),
    [
        ("127.0.0.1:1", None, False, False),
        ("[::1]:1", None, False, False),
        ("localhost:1", None, False, False),
        ("unix:/run/podledger", None, False, False),
        ("127.0.0.1:1", Path("ca.pem"), False, True),
        ("ledger.example:1", None, False, True),
        ("dns:///ledger.example", None, False, True),
        ("10.0.0.1:1", None, True, False),
    ],
)
def test_only_this_machine_is_called_in_plaintext(server, ca, plaintext, encrypted):
    """Unless it is asked for."""
    assert Target(server, ca, plaintext).encrypted is encrypted


def test_a_file_of_authorities_that_is_not_there_is_named():
    """With the reason."""
    with pytest.raises(BadInput, match=r"^--ca nowhere.pem: cannot be read: No such file"):
        Target("127.0.0.1:1", Path("nowhere.pem"), plaintext=False).credentials()


def test_plaintext_with_an_authority_is_wrong_usage(tmp_path):
    """One of them is a mistake."""
    done = run(tmp_path, "pods", "list", "--ca", "x", "--plaintext")

    assert done.returncode == 2
    assert b"exclude each other" in done.stderr
