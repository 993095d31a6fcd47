"""A SymPy expression computed with tensors, by elementary operations of torch that can be recorded."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import sympy
import torch
import torch.nn.functional as F
from sympy import exp, log
from torch import Tensor
from torch.overrides import handle_torch_function

from apolar.explanation.functions import (
    absolute,
    between,
    ceil,
    floor,
    half_step,
    inside,
    larger,
    relu,
    sigmoid,
    sign,
    smaller,
    softplus,
    step,
    where,
)
from apolar.expression.functions import power


def _where(condition: Tensor, there: Any, elsewhere: Any) -> Tensor:
    """torch.where, which takes two Python numbers in the default dtype, in double precision."""
    a, b = (x if isinstance(x, Tensor) else torch.tensor(x, dtype=torch.float64) for x in (there, elsewhere))
    return torch.where(condition, a, b)


PIECES: dict[str, Callable[..., Tensor]] = {
    "step": lambda u: (u > 0).to(u.dtype),
    "half_step": lambda u: (torch.sign(u) + 1) / 2,
    "inside": lambda u, low, high: ((u >= low) & (u <= high)).to(u.dtype),
}
"""What is constant between its jumps, and has no word in torch."""

for _name, _piece in PIECES.items():
    _piece.__name__ = _name


def _recorded(name: str) -> Callable[..., Tensor]:
    """One of these as a single step."""
    return lambda *arguments: handle_torch_function(PIECES[name], arguments, *arguments)


ALIKE = (
    "sin", "cos", "tan", "asin", "acos", "atan", "atan2", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "erf", "erfc",
    "digamma",
)  # fmt: skip
"""What SymPy and torch call the same."""

WITH_TENSORS: dict[Any, Callable[..., Tensor]] = {
    step: _recorded("step"),
    half_step: _recorded("half_step"),
    inside: _recorded("inside"),
    sign: torch.sign,
    floor: torch.floor,
    ceil: torch.ceil,
    absolute: torch.abs,
    sigmoid: torch.sigmoid,
    softplus: F.softplus,
    relu: torch.relu,
    where: _where,
    larger: torch.maximum,
    smaller: torch.minimum,
    between: torch.clamp,
    exp: torch.exp,
    log: torch.log,
    sympy.loggamma: torch.lgamma,
    **{getattr(sympy, name): getattr(torch, name) for name in ALIKE},
}
"""What the functions in a derivative are called in torch."""


def compute(expression: sympy.Expr, values: dict[sympy.Symbol, Any]) -> Any:
    """An expression of tensors, by elementary operations of torch; a Python number where no tensor is inside.

    Raises:
        KeyError: a function that torch does not have.
    """
    if not expression.free_symbols:
        return float(expression)
    if expression.is_Symbol:
        return values[expression]
    if expression.is_Add:
        first, *rest = (compute(a, values) for a in expression.as_ordered_terms())
        return sum(rest, first)
    if expression.is_Mul:
        return _product(expression, values)
    if expression.is_Pow:
        return _power(*(compute(a, values) for a in expression.args))
    if expression.is_Piecewise:
        (there, condition), (elsewhere, _) = expression.args
        if condition != (condition.lhs > 0):
            raise KeyError(str(condition))
        return _where(compute(condition.lhs, values) > 0, compute(there, values), compute(elsewhere, values))
    if expression.func is sympy.polygamma:
        return torch.polygamma(int(expression.args[0]), compute(expression.args[1], values))
    return WITH_TENSORS[expression.func](*(compute(a, values) for a in expression.args))


def _product(expression: sympy.Mul, values: dict[sympy.Symbol, Any]) -> Any:
    above, below = sympy.fraction(expression, exact=True)  # exp(-x) is no fraction: exp(x) may be infinite
    if below != 1:
        return compute(above, values) / compute(below, values)
    if above.could_extract_minus_sign() and above.args[0] == -1:
        return -compute(-above, values)
    first, *rest = (compute(a, values) for a in above.as_ordered_factors())
    return math.prod(rest, start=first)


def _power(base: Any, exponent: Any) -> Any:
    if isinstance(exponent, float):
        return torch.sqrt(base) if exponent == 0.5 else power(base, exponent)
    return base**exponent
