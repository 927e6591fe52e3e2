"""`podledger demo load` and `podledger demo remove`."""

from __future__ import annotations

import asyncio

import click

from podledger.cli.configuring import Sources, settings_options
from podledger.cli.storing import opened
from podledger.ingest.demo import load_demo, remove_demo
from podledger.settings import Settings, data_directory


@click.group()
def demo() -> None:
    """Load or remove the demo fleet, which is what `serve --demo` serves."""


@demo.command("load")
@click.option("--pods", type=click.IntRange(1), help="Make a synthetic fleet of this many pods instead of the story.")
@click.option("--seed", type=int, default=1, show_default=True, help="Another seed gives other ids.")
@settings_options
def load(sources: Sources, *, pods: int | None, seed: int) -> None:
    """Load the demo clusters; a store that has them already stays as it is.

    Demo data and real data never mix: without a store of your own it goes into the data directory of
    `serve --demo`, and a store with real clusters is refused.
    """
    click.echo(asyncio.run(_load(_settings(sources), pods, seed)), err=True)


@demo.command("remove")
@settings_options
def remove(sources: Sources) -> None:
    """Remove the demo clusters with all their pods; real clusters stay."""
    click.echo(asyncio.run(_remove(_settings(sources))), err=True)


def _settings(sources: Sources) -> Settings:
    return sources(defaults={"store.directory": str(data_directory() / "demo")}).settings


async def _load(settings: Settings, pods: int | None, seed: int) -> str:
    async with opened(settings) as store:
        await load_demo(store, pods=pods, seed=seed, merge_mode=settings.ingest.merge_mode)
        statuses = await store.clusters()
    return f"{sum(status.pods for status in statuses):,} pods in {len(statuses)} demo clusters: {settings.store.url}"


async def _remove(settings: Settings) -> str:
    async with opened(settings) as store:
        before = len(await store.clusters())
        await remove_demo(store)
        removed = before - len(await store.clusters())
    return f"{removed} demo clusters removed: {settings.store.url}"
