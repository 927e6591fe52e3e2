"""`podledger completion`: what a shell needs to complete commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

PROGRAM = "podledger"
VARIABLE = "_PODLEDGER_COMPLETE"
"""The variable by which a shell asks the program for completions; the library derives it from the name."""


@click.command("completion")
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion script of a SHELL: bash, zsh or fish.

    For bash: `podledger completion bash > ~/.local/share/bash-completion/completions/podledger`. For zsh:
    `podledger completion zsh > "${fpath[1]}/_podledger"`. For fish: `podledger completion fish >
    ~/.config/fish/completions/podledger.fish`.
    """
    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(context.find_root().command, {}, PROGRAM, VARIABLE).source())
