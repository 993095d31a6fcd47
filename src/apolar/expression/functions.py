"""The functions that may be typed, as one table; the formulas and the readers know no other."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor


class Library:
    """Functions of a library, which is imported when one of them is called: a text is read without it."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, function: str) -> Callable[..., Any]:
        if function.startswith("_"):
            raise AttributeError(function)
        return lambda *arguments: getattr(import_module(self._name), function)(*arguments)


torch, nn, sympy = Library("torch"), Library("torch.nn.functional"), Library("sympy")


@dataclass(frozen=True)
class Function:
    """A function that may be typed, as PyTorch and as SymPy know it."""

    torch: Callable[..., Any]
    sympy: Callable[..., Any]
    arguments: tuple[int, float] = (1, 1)


def power(base: Any, exponent: Any) -> Any:
    """x², not x²·⁰: an integer exponent is right for negative x too."""
    if isinstance(exponent, float) and exponent.is_integer():
        exponent = int(exponent)
    return base**exponent


def _cube_root(x: Tensor) -> Tensor:
    return torch.sign(x) * torch.abs(x) ** (1 / 3)


def _of_floating_point(function: Callable[..., Any]) -> Callable[..., Any]:
    """SymPy writes the gamma function of 10⁹ out as an integer with 8 billion digits; a decimal number it evaluates."""
    return lambda x: function(x.evalf() if x.is_number else x)


OPERATIONS = {
    "+": Function(operator.add, operator.add, (2, 2)),
    "-": Function(operator.sub, operator.sub, (2, 2)),
    "*": Function(operator.mul, operator.mul, (2, 2)),
    "/": Function(operator.truediv, operator.truediv, (2, 2)),
    "**": Function(power, operator.pow, (2, 2)),
    "negative": Function(operator.neg, operator.neg),
}

CONSTANTS = {
    "pi": Function(lambda: math.pi, lambda: sympy.acos(-1), (0, 0)),
    "e": Function(lambda: math.e, lambda: sympy.exp(1), (0, 0)),
}

FUNCTIONS = {
    "sin": Function(torch.sin, sympy.sin),
    "cos": Function(torch.cos, sympy.cos),
    "tan": Function(torch.tan, sympy.tan),
    "asin": Function(torch.asin, sympy.asin),
    "acos": Function(torch.acos, sympy.acos),
    "atan": Function(torch.atan, sympy.atan),
    "atan2": Function(torch.atan2, sympy.atan2, (2, 2)),
    "sinh": Function(torch.sinh, sympy.sinh),
    "cosh": Function(torch.cosh, sympy.cosh),
    "tanh": Function(torch.tanh, sympy.tanh),
    "asinh": Function(torch.asinh, sympy.asinh),
    "acosh": Function(torch.acosh, sympy.acosh),
    "atanh": Function(torch.atanh, sympy.atanh),
    "exp": Function(torch.exp, sympy.exp),
    "expm1": Function(torch.expm1, lambda x: sympy.exp(x) - 1),
    "log": Function(torch.log, sympy.log),
    "log2": Function(torch.log2, lambda x: sympy.log(x) / sympy.log(2)),
    "log10": Function(torch.log10, lambda x: sympy.log(x) / sympy.log(10)),
    "log1p": Function(torch.log1p, lambda x: sympy.log(1 + x)),
    "sqrt": Function(torch.sqrt, sympy.sqrt),
    "cbrt": Function(_cube_root, lambda x: sympy.sign(x) * sympy.cbrt(sympy.Abs(x))),
    "pow": Function(power, operator.pow, (2, 2)),
    "abs": Function(torch.abs, sympy.Abs),
    "sign": Function(torch.sign, sympy.sign),
    "min": Function(lambda *xs: reduce(torch.minimum, xs), sympy.Min, (2, math.inf)),
    "max": Function(lambda *xs: reduce(torch.maximum, xs), sympy.Max, (2, math.inf)),
    "erf": Function(torch.erf, sympy.erf),
    "erfc": Function(torch.erfc, sympy.erfc),
    "lgamma": Function(torch.lgamma, _of_floating_point(sympy.loggamma)),
    "digamma": Function(torch.digamma, _of_floating_point(sympy.digamma)),
    "sigmoid": Function(torch.sigmoid, lambda x: 1 / (1 + sympy.exp(-x))),
    "softplus": Function(nn.softplus, lambda x: sympy.log(1 + sympy.exp(x))),
    "relu": Function(torch.relu, lambda x: sympy.Max(0, x)),
    "gelu": Function(nn.gelu, lambda x: x * (1 + sympy.erf(x / sympy.sqrt(2))) / 2),
    "silu": Function(nn.silu, lambda x: x / (1 + sympy.exp(-x))),
}

SPELLINGS = {
    "ln": "log",
    **{f"arc{name[1:]}": name for name in FUNCTIONS if re.fullmatch("a(sin|cos|tan)(h|2)?", name)},
}

TABLE = OPERATIONS | CONSTANTS | FUNCTIONS


def apply(name: str, arguments: list[Any]) -> Any:
    """A function of the table applied to tensors and Python numbers; a number where all arguments are numbers."""
    function = TABLE[name].torch
    if name in FUNCTIONS and name != "pow":
        from torch import Tensor, float64, tensor, zeros

        tensors = [a for a in arguments if isinstance(a, Tensor)]
        like = tensors[0] if tensors else zeros((), dtype=float64)
        arguments = [a if isinstance(a, Tensor) else tensor(a, dtype=like.dtype, device=like.device) for a in arguments]
        result = function(*arguments)
        return result if tensors else result.item()
    return function(*arguments)
