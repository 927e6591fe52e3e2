"""How commands print rows: `-o table|json|ndjson|name`.

Rows go to stdout and nothing else does. The default is a table on a terminal, for people, and one JSON
object per line everywhere else, so that a pipe gets what `jq` and a stream reader want. A table is
drawn by rich where it is installed (extra `tables`) and by plain padding otherwise; colour is used
only on a terminal and without NO_COLOR. Names come from clusters that may be hostile: control
characters are shown as escapes, so that they cannot drive the terminal.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, cast

import click

FORMS: Final = ("table", "json", "ndjson", "name")

Row = Mapping[str, object]

_COLUMN_GAP = "  "

output_option: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
    "-o", "--output", "form", type=click.Choice(FORMS), help="Default: table on a terminal, ndjson otherwise."
)
"""The one option of every command that prints rows; it gives the parameter `form`."""


def choose(form: str | None) -> str:
    """The form asked for, else the default of where stdout leads."""
    return form or ("table" if sys.stdout.isatty() else "ndjson")


def write(rows: Iterable[Row], columns: Sequence[str], form: str) -> None:
    """Print rows in one form.

    `table` shows `columns`, `name` the first of them; `json` (one array) and `ndjson` print rows whole.
    Only the table waits for the last row, because it needs the widths.
    """
    if form == "table":
        _write_table([[_cell(row.get(column)) for column in columns] for row in rows], columns)
    elif form == "name":
        for row in rows:
            click.echo(_cell(row.get(columns[0])))
    elif form == "json":
        _write_array(rows)
    else:
        for row in rows:
            click.echo(_json(row))


def _json(row: Row) -> str:
    return json.dumps(row, ensure_ascii=False, separators=(",", ":"))


def _write_array(rows: Iterable[Row]) -> None:
    """One row per line, so that a long array can be read with the eye and cut with `head`."""
    separator = "["
    for row in rows:
        click.echo(separator + "\n  " + _json(row), nl=False)
        separator = ","
    click.echo("[]" if separator == "[" else "\n]")


def _cell(value: object) -> str:
    """The text of a value in a table: nothing for None, maps as k=v, control characters escaped."""
    if value is None:
        return ""
    if isinstance(value, Mapping):
        items = cast("Mapping[str, object]", value).items()
        value = ",".join(f"{key}={item}" for key, item in items)
    return escaped(str(value))


def escaped(text: str) -> str:
    """A text of strangers on one line of a terminal: what cannot be printed is shown as an escape."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )


def _write_table(cells: Sequence[Sequence[str]], columns: Sequence[str]) -> None:
    headings = [column.upper() for column in columns]
    if sys.stdout.isatty() and "NO_COLOR" not in os.environ and _write_rich(cells, headings):
        return
    _write_plain([headings, *cells])


def _write_plain(lines: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        click.echo(_COLUMN_GAP.join(padded).rstrip())


def _write_rich(cells: Sequence[Sequence[str]], headings: Sequence[str]) -> bool:
    """Draw with rich; False when it is not installed."""
    try:
        from rich.console import Console  # noqa: PLC0415 - an extra: the plain table stands in for it
        from rich.table import Table  # noqa: PLC0415 - as above
        from rich.text import Text  # noqa: PLC0415 - as above
    except ModuleNotFoundError:
        return False
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for line in cells:
        # `Text` keeps square brackets in names from being read as markup.
        table.add_row(*map(Text, line))
    Console().print(table)
    return True
