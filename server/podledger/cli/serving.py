"""`podledger serve`: the server, until Ctrl-C or SIGTERM."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import click

from podledger import floors, logs
from podledger.cli.configuring import Sources, settings_options
from podledger.settings import data_directory


@click.command("serve")
@settings_options
@click.option(
    "--ready-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the bound addresses here once everything serves.",
)
@click.option("--demo", is_flag=True, help="Load the demo fleet first, into a data directory of its own.")
@click.option("--pods", type=click.IntRange(1), help="With --demo: make a fleet of this many pods.")
@click.option("--seed", type=int, default=1, show_default=True, help="With --demo: the seed of the fleet.")
@click.option("--allow-plaintext", is_flag=True, help="Serve other machines without TLS.")
@click.option("--allow-anonymous", is_flag=True, help="Serve other machines without authentication.")
def serve(
    sources: Sources,
    *,
    ready_file: Path | None,
    demo: bool,
    pods: int | None,
    seed: int,
    allow_plaintext: bool,
    allow_anonymous: bool,
) -> None:
    """Serve the stored pods over gRPC and REST until Ctrl-C."""
    from podledger import wiring  # noqa: PLC0415 - it loads both servers, which other commands do not need

    if pods is not None and not demo:
        raise click.UsageError("--pods needs --demo")
    # Demo data and real data never mix: without a store of your own the demo has a directory of its own.
    defaults = {"store.directory": str(data_directory() / "demo")} if demo else {}
    allowed = {"tls.allow_plaintext": allow_plaintext, "auth.allow_anonymous": allow_anonymous}
    loaded = sources(defaults=defaults, more=[f"{name}=true" for name, given in allowed.items() if given])
    logs.configure(loaded.settings.log.level, loaded.settings.log.format)
    floors.check()
    os.umask(0o077)
    if ready_file:
        ready_file.unlink(missing_ok=True)
    fleet = wiring.Demo(pods=pods, seed=seed) if demo else None
    asyncio.run(wiring.serve(loaded.settings, ready_file=ready_file, demo=fleet, announce=click.echo))
