"""`podledger config show` and `podledger config docs`, and the options that give a command its settings."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from podledger.settings import Loaded, Settings, fields, load, variable

Command = Callable[..., None]


def settings_options(command: Command) -> Command:
    """Add `--config` and `--set` to a command; it gets `sources`, which `loaded` turns into settings."""

    @click.option("--config", type=click.Path(path_type=Path, dir_okay=False), help="Read settings from a TOML file.")
    @click.option(
        "--set", "flags", multiple=True, metavar="GROUP.FIELD=VALUE", help="Give one setting; repeat for more."
    )
    @functools.wraps(command)
    def with_sources(*arguments: Any, config: Path | None, flags: tuple[str, ...], **options: Any) -> None:
        def sources(*, more: Sequence[str] = (), **defaults: Any) -> Loaded:
            return load(config=config, flags=(*flags, *more), **defaults)

        command(*arguments, sources=sources, **options)

    return with_sources


Sources = Callable[..., Loaded]
"""What a command decorated with `settings_options` calls to get its settings; `more` are flags of its own as
`group.field=value`. Raises `BadInput`."""


@click.group("config")
def config() -> None:
    """Look at the settings."""


@config.command("show")
@settings_options
def show(sources: Sources) -> None:
    """Print every setting in force and where it came from. Secrets are masked."""
    loaded = sources()
    for path, value in values(loaded.settings).items():
        click.echo(f"{path} = {value}  # {loaded.origins.get(path, 'default')}")


@config.command("docs")
def docs() -> None:
    """Print docs/configuration.md, which is made from the settings themselves."""
    click.echo(document(), nl=False)


def values(settings: Settings) -> dict[str, str]:
    """Every setting by name, as TOML would write it."""
    return {f"{group}.{name}": _value(value) for group, model in settings for name, value in model}


def _value(value: object) -> str:
    if isinstance(value, SecretStr):
        return '"***"'
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    if isinstance(value, list | tuple | set | frozenset):
        return json.dumps([str(each) for each in value])
    return json.dumps("" if value is None else str(value))


# ------------------------------------------------------------------------------------------- document

_HEAD = """\
# Configuration

This page is made from the settings themselves: `make docs`.

A setting is named `group.field`.
Its value comes from the first of these that gives one: the flag `--set group.field=value`, the environment
variable, the TOML file of `--config` (a table per group), the default.
`podledger config show` prints what is in force and where it came from.
A wrong name or value ends the start with one line per problem.
"""


def document() -> str:
    """The text of docs/configuration.md."""
    return "\n".join([_HEAD, *_groups()])


def _groups() -> Iterator[str]:
    for group, info in Settings.model_fields.items():
        model = info.annotation
        assert isinstance(model, type)
        assert issubclass(model, BaseModel)
        yield f"## {group}\n\n{(model.__doc__ or '').strip()}\n"
        yield "| setting | default | meaning |\n|---|---|---|"
        for path, field in fields(model, f"{group}.").items():
            yield f"| `{path}`<br>`{variable(path)}` | {_default(field)} | {_cell(field.description or '')} |"
        yield ""


def _default(field: FieldInfo) -> str:
    extra = field.json_schema_extra
    if isinstance(extra, Mapping) and "shown" in extra:
        return str(extra["shown"])
    default = field.get_default(call_default_factory=True)
    return "none" if default is None else f"`{_value(default)}`"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
