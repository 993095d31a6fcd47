"""Points as they are typed: ``--at x=1,y=pi/2``."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Iterable, Mapping

import click

from apolar.errors import ExpressionError, SingularPoint
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


def refuse_without_value(name: str, value: float, slopes: Mapping[str, float], point: Mapping[str, float]) -> None:
    """What was shown stays there, but a command does not end well where a function has no value.

    Args:
        name: of the function.
        value: at the point.
        slopes: its first derivatives, by coordinate, where they are known.

    Raises:
        SingularPoint: the value is NaN or infinite, or only large because the point is rounded, as tan(pi/2).
    """
    at = ", ".join(f"{coordinate} = {x:.12g}" for coordinate, x in point.items())
    if not math.isfinite(value):
        raise SingularPoint(
            f"{name} has no finite value at {at}: it is {value} there, and so it has no derivative. Move the point to where "
            "the function is defined."
        )
    moved = sys.float_info.epsilon * sum(abs(point[coordinate] * slope) for coordinate, slope in slopes.items())
    if moved >= abs(value) >= 1:
        raise SingularPoint(
            f"{name} has a pole at {at}, or next to it: rounding the point changes {value:.3g} by {moved:.3g}, so that no "
            "digit is right. Move the point away from the pole."
        )
