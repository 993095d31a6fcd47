"""One lifted pass: seed the coordinates, run the function, read the operators out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

import apolar.rules  # noqa: F401
from apolar.algebra import Algebra, algebra
from apolar.jet import Jet, new_level
from apolar.operators import Operator


def lift(over: Algebra, value: Tensor, directions: Sequence[Tensor | None], level: int | None = None) -> Jet:
    """The jet of a point that moves along ``directions``, one for each symbol; None where it does not move."""
    components = [value] + [torch.zeros_like(value) for _ in over.basis[1:]]
    for symbol, direction in enumerate(directions):
        if direction is not None:
            for i, c in over.seed(symbol):
                components[i] = components[i] + c * direction
    return Jet(torch.stack(components), over, new_level() if level is None else level)


def read(over: Algebra, output: Tensor, operator: Operator, level: int) -> Tensor:
    """P(∂) of an output of the lifted function."""
    if not (isinstance(output, Jet) and output.level == level):
        coefficient = dict(over.read(operator)).get(0)
        return torch.zeros_like(output) if coefficient is None else output * coefficient
    terms = [(output.components[i], c) for i, c in over.read(operator)]
    total = sum((c * x if c != 1 else x for x, c in terms[1:]), terms[0][0] if terms[0][1]==1 else terms[0][0]*terms[0][1])
    return total
