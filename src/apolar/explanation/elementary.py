"""The elementary functions of numbers, as SymPy knows them: one line each, from which every derivative follows.

A function of the table takes its tensors as symbols and its other arguments as numbers, in the order and with the
names that torch gives them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sympy
import torch
from sympy import Rational, exp, log, sqrt

from apolar.explanation.functions import (
    COMPARISONS,
    absolute,
    ceil,
    clamp,
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


def _gelu(u: Any, approximate: str = "none") -> sympy.Expr:
    if approximate == "tanh":
        return u / 2 * (1 + sympy.tanh(sqrt(2 / sympy.pi) * (u + sympy.Float("0.044715") * u**3)))
    return u * (1 + sympy.erf(u / sqrt(2))) / 2


def _softplus(u: Any, beta: Any = 1, threshold: Any = 20) -> sympy.Expr:
    return softplus(beta * u) / beta


def _above(u: Any, there: Any, elsewhere: Any) -> sympy.Expr:
    return sympy.Piecewise((there, u > 0), (elsewhere, True))


def _leaky_relu(u: Any, negative_slope: Any = Rational("0.01"), inplace: bool = False) -> sympy.Expr:  # noqa: B008
    return _above(u, u, negative_slope * u)


def _elu(u: Any, alpha: Any = 1, inplace: bool = False) -> sympy.Expr:
    return _above(u, u, alpha * (exp(u) - 1))


def _division(a: Any, b: Any, rounding_mode: str | None = None) -> sympy.Expr:
    if rounding_mode is not None:
        raise TypeError("division with rounding has no formula here")
    return a / b


def _logit(u: Any, eps: Any = None) -> sympy.Expr:
    if eps is not None:
        raise TypeError("a clamped logit has no formula here")
    return log(u) - log(1 - u)


def _pair(function: Callable[[Any, Any], sympy.Expr]) -> Callable[[Any, Any], sympy.Expr]:
    """Of two tensors; torch.max and torch.min of one tensor and an axis are other functions."""

    def of_two_tensors(a: Any, b: Any) -> sympy.Expr:
        if not isinstance(b, sympy.Symbol):
            raise TypeError("this is a reduction")
        return function(a, b)

    return of_two_tensors


def _cast(u: Any, *others: Any, **options: Any) -> sympy.Expr:
    if any(isinstance(x, torch.dtype) and not x.is_floating_point for x in (*others, *options.values())):
        raise TypeError("whole numbers are not the same numbers")
    return u


def _polygamma(a: Any, b: Any) -> sympy.Expr:
    """torch.polygamma(n, x) and x.polygamma(n)."""
    return sympy.polygamma(a, b) if isinstance(b, sympy.Symbol) else sympy.polygamma(b, a)


ELEMENTARY: dict[str, Callable[..., sympy.Expr]] = {
    "add": lambda a, b, alpha=1: a + alpha * b,
    "sub": lambda a, b, alpha=1: a - alpha * b,
    "mul": lambda a, b: a * b,
    "div": _division,
    "pow": lambda a, b: a**b,
    "radd": lambda a, b: b + a,
    "rmul": lambda a, b: b * a,
    "rsub": lambda a, b, alpha=1: b - alpha * a,
    "rdiv": lambda a, b: b / a,
    "rpow": lambda a, b: b**a,
    "neg": lambda u: -u,
    "square": lambda u: u**2,
    "reciprocal": lambda u: 1 / u,
    "sqrt": sqrt,
    "rsqrt": lambda u: 1 / sqrt(u),
    "addcmul": lambda a, b, c, value=1: a + value * b * c,
    "addcdiv": lambda a, b, c, value=1: a + value * b / c,
    "lerp": lambda a, b, weight: a + weight * (b - a),
    "exp": exp,
    "exp2": lambda u: sympy.Integer(2) ** u,
    "expm1": lambda u: exp(u) - 1,
    "log": log,
    "log2": lambda u: log(u) / log(2),
    "log10": lambda u: log(u) / log(10),
    "log1p": lambda u: log(1 + u),
    "logaddexp": lambda a, b: a + softplus(b - a),
    "sin": sympy.sin,
    "cos": sympy.cos,
    "tan": sympy.tan,
    "asin": sympy.asin,
    "acos": sympy.acos,
    "atan": sympy.atan,
    "atan2": sympy.atan2,
    "sinh": sympy.sinh,
    "cosh": sympy.cosh,
    "tanh": sympy.tanh,
    "asinh": sympy.asinh,
    "acosh": sympy.acosh,
    "atanh": sympy.atanh,
    "hypot": lambda a, b: sqrt(a**2 + b**2),
    "deg2rad": lambda u: sympy.pi * u / 180,
    "rad2deg": lambda u: 180 * u / sympy.pi,
    "erf": sympy.erf,
    "erfc": sympy.erfc,
    "lgamma": sympy.loggamma,
    "digamma": sympy.digamma,
    "polygamma": _polygamma,
    "logit": _logit,
    "abs": absolute,
    "sign": sign,
    "floor": floor,
    "ceil": ceil,
    "maximum": larger,
    "minimum": smaller,
    "max": _pair(larger),
    "min": _pair(smaller),
    "clamp": clamp,
    "relu": lambda u, inplace=False: relu(u),
    "relu6": lambda u, inplace=False: 6 - relu(6 - relu(u)),
    "leaky_relu": _leaky_relu,
    "elu": _elu,
    "sigmoid": sigmoid,
    "logsigmoid": lambda u: -softplus(-u),
    "softplus": _softplus,
    "softsign": lambda u: u / (1 + absolute(u)),
    "tanhshrink": lambda u: u - sympy.tanh(u),
    "silu": lambda u, inplace=False: u * sigmoid(u),
    "mish": lambda u, inplace=False: u * sympy.tanh(softplus(u)),
    "gelu": _gelu,
    "where": where,
    "clone": lambda u, memory_format=None: u,
    **dict.fromkeys(("to", "double", "float"), _cast),
    "step": step,
    "half_step": half_step,
    "inside": inside,
    **COMPARISONS,
}
"""What is computed entry by entry: torch's name ↦ the expression in its operands."""

SPELLINGS = {
    "true_divide": "div",
    "divide": "div",
    "truediv": "div",
    "rtruediv": "rdiv",
    "multiply": "mul",
    "subtract": "sub",
    "negative": "neg",
    "absolute": "abs",
    "clip": "clamp",
    "special_expit": "sigmoid",
    "log_sigmoid": "logsigmoid",
    "sgn": "sign",
    "special_polygamma": "polygamma",
    "greater": "gt",
    "greater_equal": "ge",
    "less": "lt",
    "less_equal": "le",
    "not_equal": "ne",
    **{f"arc{name[1:]}": name for name in ("asin", "acos", "atan", "asinh", "acosh", "atanh", "atan2")},
}
