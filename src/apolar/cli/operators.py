"""``apolar operators``: which torch functions have a rule."""

from __future__ import annotations

import click

import apolar as ap
from apolar.cli.output import json_option, print_json, rows, show


@click.command(short_help="List the torch functions that have a rule.")
@click.argument("containing", required=False)
@json_option
def operators(containing: str | None, as_json: bool) -> None:
    """List the torch functions that can be differentiated, or those whose name contains CONTAINING.

    \b
    apolar operators
    apolar operators norm
    """
    raise NotImplementedError(ap, show, print_json, rows)
