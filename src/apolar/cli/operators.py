"""``apolar operators``: which torch functions have a rule."""

from __future__ import annotations

import dataclasses

import click

import apolar as ap
from apolar.cli.output import json_option, print_json, rows, show
from apolar.errors import UnsupportedOperator


@click.command(short_help="List the torch functions that have a rule.")
@click.argument("containing", default="")
@json_option
def operators(containing: str, as_json: bool) -> None:
    """List the torch functions that can be differentiated, or those whose name or rule contains CONTAINING.

    Verified are those that the test suite compares with an independent reference, up to the order that is given. The last
    column says from which order PyTorch's own nested forward or reverse mode was found wrong, and where.

    \b
    apolar operators
    apolar operators norm
    """
    found = [operator for operator in ap.supported_operators() if containing in f"{operator.name} {operator.rule}"]
    if not found:
        raise UnsupportedOperator(
            f"no function with a rule has {containing!r} in its name; apolar operators lists them all"
        )
    if as_json:
        print_json([dataclasses.asdict(operator) for operator in found])
        return
    cells = [(o.name, o.rule, _verified(o.verified_order), _pytorch(o)) for o in found]
    show(rows(cells, headers=("function", "rule", "verified", "PyTorch")))
    show("", f"{len(found)} functions, {sum(operator.verified_order > 0 for operator in found)} of them verified")


def _verified(order: int) -> str:
    return f"to order {order}" if order else "—"


def _pytorch(operator: ap.SupportedOperator) -> str:
    return "; ".join(map(str, operator.facts)) or "—"
