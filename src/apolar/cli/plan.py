"""``apolar plan``: what one pass carries for some differential operators."""

from __future__ import annotations

from math import comb

import click

import apolar as ap
from apolar.cli.output import json_option, print_json, rows, show
from apolar.expression import parse_operators


@click.command(short_help="Show what one pass carries.")
@click.argument("operators", nargs=-1, required=True)
@click.option("--coordinates", metavar="NAMES", help='The coordinates in their order, such as "x y t".')
@json_option
def plan(operators: tuple[str, ...], coordinates: str | None, as_json: bool) -> None:
    """Show what one pass carries for the OPERATORS, and what is saved.

    \b
    apolar plan "(dx^2 + dy^2)^2"
    apolar plan dt dx "dx^3"
    apolar plan laplacian --coordinates "x y z"
    """
    parsed = parse_operators(operators, coordinates)
    algebra = ap.algebra(*parsed)
    names = parsed[0].coordinates.names
    used = [name for i, name in enumerate(names) if any(m[i] for p in parsed for m in p.terms)]
    full = comb(len(used) + algebra.order, algebra.order)
    if as_json:
        print_json(
            {
                "operators": [repr(operator) for operator in parsed],
                "coordinates": names,
                "order": algebra.order,
                "components": algebra.size,
                "full_jet": full,
                "basis": [repr(element) for element in algebra.basis],
            }
        )
        return
    saved = f", {full - algebra.size} fewer than all derivatives up to order {algebra.order} ({full})"
    show(
        rows(
            [
                *(("operator" if not i else "", repr(operator)) for i, operator in enumerate(parsed)),
                ("coordinates", ", ".join(names)),
                ("order", str(algebra.order)),
                (
                    "components",
                    f"{algebra.size}{saved if full > algebra.size else ', all derivatives: nothing to save'}",
                ),
                *(("carried" if not i else "", repr(element)) for i, element in enumerate(algebra.basis)),
            ]
        )
    )
