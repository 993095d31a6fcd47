"""What the sub-commands share on their way out: tables, numbers and JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from io import StringIO
from typing import Any

import click
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


def show(*renderables: RenderableType, style: str | None = None) -> None:
    """Print with colours and in the width of a terminal; elsewhere as plain text of any width."""
    console = Console(highlight=False, markup=False)
    if console.is_terminal:
        console.print(*renderables, style=style, sep="\n")
        return
    plain = Console(highlight=False, markup=False, no_color=True, width=1000, file=StringIO())
    plain.print(*renderables, sep="\n")
    assert isinstance(plain.file, StringIO)
    click.echo("\n".join(line.rstrip() for line in plain.file.getvalue().splitlines()))


def rows(cells: Iterable[tuple[str, ...]], headers: tuple[str, ...] = (), numbers: tuple[int, ...] = ()) -> Table:
    """A table without lines; the columns in ``numbers`` are aligned to the right."""
    content = list(cells)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=bool(headers), header_style="dim")
    for i in range(len(content[0]) if content else len(headers)):
        table.add_column(headers[i] if headers else "", justify="right" if i in numbers else "left")
    for row in content:
        table.add_row(*(Text(cell) for cell in row))
    return table


def number(value: float, digits: int = 12) -> str:
    """A number as it is read: 16, 0.968912421711, 1e-09.

    >>> number(16.0), number(-0.0)
    ('16', '0')
    """
    return format(value + 0.0, f".{digits}g")


def print_json(data: Any) -> None:
    """Print data as JSON; what is not finite becomes a string, because JSON has no word for it."""
    click.echo(json.dumps(_finite(data), ensure_ascii=False, indent=2))


def _finite(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _finite(value) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [_finite(value) for value in data]
    return str(data) if isinstance(data, float) and not math.isfinite(data) else data
