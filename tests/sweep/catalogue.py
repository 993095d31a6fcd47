# One operator is one line, however long.
# fmt: off
# ruff: noqa: E501
"""The operators that random programs are made of: what each one says, and the shapes that it takes.

A template is Python source. ``{x}``, ``{y}``, ``{w}`` stand for real operands, ``{z}``, ``{u}`` for complex ones;
``{x:positive}`` is x squashed into a domain; ``{dim}`` is an axis of the first operand, ``{number}`` a number, ``{k}`` a length
up to that of its last axis, ``{n}`` that length. A template of several lines gives its result the name ``{r}``.

Shapes are written as in einops, one for each operand: a letter is an axis, the same letter the same length, a capital letter
at least 2, a digit exactly that; ``...`` are axes that broadcast between the operands, ``*`` axes that are equal in all of them.
"""

from __future__ import annotations

import string
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

REAL, COMPLEX = "xyw", "zu"


@dataclass(frozen=True)
class Operator:
    """A line of the catalogue."""

    template: str
    shapes: tuple[str, ...]

    @cached_property
    def operands(self) -> tuple[str, ...]:
        """The letters of its operands, in the order of their shapes."""
        used = {name for _, name, _, _ in string.Formatter().parse(self.template)}
        return tuple(letter for letter in REAL + COMPLEX if letter in used)

    def __str__(self) -> str:
        return self.template


def matrix(x: str, m: int, n: int) -> str:
    """0.3 tanh x + diag(2, 4, …): of full rank, its singular values apart."""
    k = max(m, n)
    part = "" if m == n else f"[:{m}, :{n}]"
    return f"(0.3 * {x}.tanh() + torch.arange(2, {2 * k + 2}, 2).diag(){part})"


def regular(x: str, m: int, n: int) -> str:
    """The same with its rows rolled: determinants of either sign, and an elimination that has to exchange rows."""
    return f"{matrix(x, m, n)}.roll(1, -2)"


def definite(x: str, m: int, n: int) -> str:
    """Symmetric and positive definite, its eigenvalues apart."""
    return matrix(f"({x} + {x}.mT)", m, n)


VECTORS: dict[str, str] = {
    "positive": "(F.softplus({x}) + 0.5)",
    "above": "(F.softplus({x}) + 1.2)",
    "interval": "(0.9 * torch.tanh({x}))",
    "unit": "(0.1 + 0.8 * torch.sigmoid({x}))",
    "small": "torch.tanh({x})",
    "probabilities": "torch.softmax({x}, -1)",
}
"""Domains of single entries: (0.5, ∞), (1.2, ∞), (−0.9, 0.9), (0.1, 0.9), (−1, 1); and entries that sum to 1."""

MATRICES: dict[str, Callable[[str, int, int], str]] = {"matrix": matrix, "regular": regular, "definite": definite}
"""Domains of matrices of m rows and n columns."""


def taking(shapes: str, *templates: str) -> tuple[Operator, ...]:
    """Operators on operands of these shapes."""
    return tuple(Operator(template, tuple(part.strip() for part in shapes.split(","))) for template in templates)


ELEMENTWISE = taking(
    "...",
    "torch.sin({x})", "torch.cos({x})", "{x}.tan()" if False else "{x:small}.tan()", "torch.tanh({x})", "{x}.sigmoid()", "torch.atan({x})", "{x:small}.exp()",
)
