"""Shell completion, asked for as the shells do."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tests.fakes.program import PROGRAM, environment, run


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_its_script(tmp_path, shell):
    """One that asks this program."""
    done = run(tmp_path, "completion", shell)

    assert done.returncode == 0
    assert f"_PODLEDGER_COMPLETE={shell}_complete" in done.stdout.decode()


def test_bash_completes_commands_and_options(tmp_path):
    """With the real shell."""
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash is not installed")
    script = (
        "source <(podledger completion bash); COMP_WORDS=(podledger pods li); COMP_CWORD=2; "
        '_podledger_completion podledger; echo "${COMPREPLY[@]}"; '
        'COMPREPLY=(); COMP_WORDS=(podledger call --dead); COMP_CWORD=2; _podledger_completion podledger; echo "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        [bash, "-c", script], capture_output=True, text=True, timeout=60, check=False,
        env=environment(tmp_path, PATH=f"{PROGRAM.parent}:/usr/bin:/bin"),
    )  # fmt: skip

    assert done.stdout.splitlines() == ["list", "--deadline"], done.stderr
