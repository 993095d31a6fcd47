"""What the sub-commands share on their way out: tables, numbers and JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from apolar.text.output import plain, to_json

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


def show(*renderables: RenderableType, style: str | None = None) -> None:
    """Print with colours and in the width of a terminal; elsewhere as plain text of any width."""
    console = Console(highlight=False, markup=False)
    if console.is_terminal:
        console.print(*renderables, style=style, sep="\n")
    else:
        click.echo(plain(*renderables))


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
    """Print data as JSON."""
    click.echo(to_json(data))
