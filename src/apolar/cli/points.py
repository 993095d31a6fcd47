"""Points as they are typed: ``--at x=1,y=pi/2``."""

from __future__ import annotations

import re
from collections.abc import Iterable

import click

from apolar.errors import ExpressionError
from apolar.expression import parse_number

at_option = click.option(
    "--at",
    "assignments",
    multiple=True,
    required=True,
    metavar="x=…",
    help="The point, such as x=2,y=pi/3. Repeatable.",
)


def parse_point(assignments: Iterable[str]) -> dict[str, float]:
    """The coordinates of a point by name, in the order in which they were typed.

    Raises:
        ExpressionError: not an assignment, or a coordinate that is given twice.

    >>> parse_point(["x=1,y=max(1, 2)", "z=-0.5"])
    {'x': 1.0, 'y': 2.0, 'z': -0.5}
    """
    point: dict[str, float] = {}
    for assignment in assignments:
        for part in re.split(r",(?=[^,=]*=)", assignment):
            name, equals, value = (piece.strip() for piece in part.partition("="))
            if not equals or not name.isidentifier():
                raise ExpressionError(f"--at takes a name and a value, such as x=2,y=pi/3, got {part.strip()!r}")
            if name in point:
                raise ExpressionError(f"--at gives {name} twice")
            point[name] = parse_number(value)
    return point
