"""Functions given as formulas: evaluated by torch, differentiated by SymPy.

A formula is evaluated on plain tensors and on whatever else answers to torch's functions; its derivatives are formulas again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import sympy
import torch
from torch import Tensor


def square_root(x: Any) -> Any:
    """Of a tensor, or of a number such as π."""
    return torch.sqrt(x) if isinstance(x, Tensor) else x**0.5


FUNCTIONS = {
    "sin": torch.sin,
    "cos": torch.cos,
    "tanh": torch.tanh,
    "atan": torch.atan,
    "exp": torch.exp,
    "log": torch.log,
    "sqrt": square_root,
    "erf": torch.erf,
    "pi": torch.pi,
}


@dataclass(frozen=True)
class Formula:
    """One expression in named variables.

    >>> Formula("x**3*y", ("x", "y")).derivative("x", "y")
    Formula(expression='3*x**2', variables=('x', 'y'))
    """

    expression: str
    variables: tuple[str, ...]

    def __call__(self, *values: Tensor) -> Tensor:
        """The value, entry by entry, in the shape and dtype of the first variable."""
        result = evaluator(self)(*values)
        return result if isinstance(result, Tensor) else torch.full_like(values[0], float(result))

    def derivative(self, *by: str) -> Formula:
        """∂/∂a ∂/∂b …, one after another."""
        return Formula(str(sympy.diff(sympy.sympify(self.expression), *by)), self.variables)

    def __add__(self, other: Formula) -> Formula:
        return Formula(f"({self.expression}) + ({other.expression})", self.variables)

    def __sub__(self, other: Formula) -> Formula:
        return Formula(f"({self.expression}) - ({other.expression})", self.variables)


@cache
def evaluator(formula: Formula) -> Callable[..., Any]:
    return sympy.lambdify(formula.variables, sympy.sympify(formula.expression), modules=[FUNCTIONS])


def laplacian(f: Formula) -> Formula:
    """Σ ∂²f/∂xⱼ²."""
    first, *rest = (f.derivative(v, v) for v in f.variables)
    return sum(rest, first)


@dataclass(frozen=True)
class Field:
    """Formulas for the components of a field: points ``(..., d)`` to values ``(..., k)``."""

    formulas: tuple[Formula, ...]

    def __call__(self, points: Tensor) -> Tensor:
        return torch.stack([f(*points.unbind(-1)) for f in self.formulas], -1)

    def map(self, operator: Callable[[Formula], Formula]) -> Field:
        """An operator of every component."""
        return Field(tuple(map(operator, self.formulas)))


def field(variables: str, *expressions: str) -> Field:
    """A field with these components in these coordinates.

    >>> field("x y", "x*y", "y**2")(torch.tensor([2.0, 3.0]))
    tensor([6., 9.])
    """
    return Field(tuple(Formula(e, tuple(variables.split())) for e in expressions))


def jacobian(f: Field) -> Sequence[Field]:
    """∂fᵢ/∂xⱼ: for every component the field of its derivatives."""
    return [Field(tuple(g.derivative(v) for v in g.variables)) for g in f.formulas]
