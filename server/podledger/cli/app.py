"""The command line: the group of all commands, and how an error ends (style: one sentence, then what to do).

Exit status: 0 well, 1 failed, 2 wrong usage, 64 + gRPC code for a failed call.
"""

from __future__ import annotations

import os
import sys
import traceback

import click

from podledger import floors
from podledger.cli import calling, clusters, completing, configuring, demo, importing, listing, serving
from podledger.errors import DomainError


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def cli() -> None:
    """Every pod of every Kubernetes cluster, served as StackRox v1.PodService."""


@cli.command("version")
def version() -> None:
    """Print the version of the program and of everything it stands on."""
    for name, number in floors.versions().items():
        click.echo(f"{name} {number}")


for command in (
    serving.serve,
    demo.demo,
    listing.pods,
    calling.call,
    clusters.clusters,
    importing.import_command,
    configuring.config,
    completing.completion,
):
    cli.add_command(command)


def main() -> None:
    """Entry point of the program."""
    sys.exit(_run())


def _run() -> int:
    try:
        return int(cli.main(standalone_mode=False) or 0)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        return 1
    except DomainError as error:
        for line in error.message.splitlines():
            click.echo(f"Error: {line}", err=True)
        return 1
    except BrokenPipeError:
        # The reader of a pipe has left. Nothing more can be printed, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:  # noqa: BLE001 - the last border: no traceback reaches a user unasked
        if os.environ.get("PODLEDGER_LOG__LEVEL") == "debug":
            traceback.print_exc()
        click.echo(f"Error: {type(error).__name__}: {error}", err=True)
        click.echo("This is a defect of podledger; PODLEDGER_LOG__LEVEL=debug shows where.", err=True)
        return 1
