"""How the tables of operators are written.

A template is Python source. ``{x}``, ``{y}``, ``{w}`` stand for real operands, ``{z}``, ``{u}`` for complex ones;
``{x:positive}`` is x squashed into a domain; ``{dim}`` is an axis of the first operand, ``{k}`` a length up to that of its
last axis, ``{n}`` that length, ``{number}`` a number. A template of several lines gives its result the name ``{r}``.

Shapes are written as in einops, one for each operand: a letter is an axis, the same letter the same length, a capital one at
least 2, a digit exactly that; ``...`` are axes that broadcast between the operands, ``*`` axes that are equal in all of them.
"""

from __future__ import annotations

import string
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

REAL, COMPLEX = "xyw", "zu"


@dataclass(frozen=True)
class Operator:
    """A line of the catalogue: source, and the shapes of its operands."""

    template: str
    shapes: tuple[str, ...]

    @cached_property
    def operands(self) -> tuple[str, ...]:
        """Their letters, in the order of the shapes."""
        used = {name for _, name, _, _ in string.Formatter().parse(self.template)}
        return tuple(letter for letter in REAL + COMPLEX if letter in used)

    def __str__(self) -> str:
        return self.template


def taking(shapes: str, *templates: str) -> tuple[Operator, ...]:
    """Operators on operands of these shapes."""
    return tuple(Operator(template, tuple(part.strip() for part in shapes.split(","))) for template in templates)


def matrix(x: str, m: int, n: int) -> str:
    """0.3 tanh x + diag(2, 4, …): of full rank, its singular values apart."""
    part = "" if m == n else f"[:{m}, :{n}]"
    return f"(0.3 * {x}.tanh() + torch.arange(2, {2 * max(m, n) + 2}, 2).diag(){part})"


def regular(x: str, m: int, n: int) -> str:
    """The same, its rows rolled: determinants of either sign, and an elimination that has to exchange rows."""
    return f"{matrix(x, m, n)}.roll(1, -2)"


def definite(x: str, m: int, n: int) -> str:
    """Symmetric and positive definite, its eigenvalues apart."""
    return matrix(f"({x} + {x}.mT)", m, n)


DOMAINS: dict[str, str] = {
    "positive": "(F.softplus({x}) + 0.5)",
    "above": "(F.softplus({x}) + 1.2)",
    "interval": "(0.9 * torch.tanh({x}))",
    "unit": "(0.1 + 0.8 * torch.sigmoid({x}))",
    "small": "torch.tanh({x})",
    "probabilities": "torch.softmax({x}, -1)",
    "away": "({x} + 2)",
}
"""Of entries: beyond 0.5, beyond 1.2, (−0.9, 0.9), (0.1, 0.9), (−1, 1), with the sum 1, and hardly ever 0 all the time."""

MATRICES: dict[str, Callable[[str, int, int], str]] = {"matrix": matrix, "regular": regular, "definite": definite}
"""Of matrices with m rows and n columns."""
