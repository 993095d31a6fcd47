"""The elementary functions of numbers, as SymPy knows them: one line each, from which every derivative follows.

A function of the table takes its tensors as symbols and its other arguments as numbers, in the order and with the
names that torch gives them. What SymPy has no short word for is a class here, with its derivative.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import sympy
import torch
import torch.nn.functional as F
from sympy import Rational, exp, log, sqrt
from torch import Tensor

from apolar.expression.functions import power


class Named(sympy.Function):
    """A function of one number with a name of its own."""

    nargs = (1,)
    sign: tuple[str, str]

    def _sympystr(self, printer: Any) -> str:
        return f"{self.sign[0]}({printer._print(self.args[0])})"

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        power = f"^{{{exp}}}" if exp else ""
        return rf"{self.sign[1]}{power}\left({printer._print(self.args[0])}\right)"


class step(sympy.Function):
    """1 above 0, and 0 elsewhere."""

    nargs = (1,)

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        return sympy.S.Zero

    def doit(self, **hints: Any) -> sympy.Expr:
        return sympy.Heaviside(self.args[0].doit(**hints), 0)

    def _sympystr(self, printer: Any) -> str:
        return f"[{printer._print(self.args[0])} > 0]"

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        return rf"\left[{printer._print(self.args[0])} > 0\right]" + (f"^{{{exp}}}" if exp else "")


class constant_piece(Named):
    """What is constant between its jumps."""

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        return sympy.S.Zero


class half_step(constant_piece):
    """1 above 0, 0 below, ½ at 0: how the larger of two equal numbers shares its derivative."""

    sign = ("H", "H")

    def doit(self, **hints: Any) -> sympy.Expr:
        return sympy.Heaviside(self.args[0].doit(**hints), Rational(1, 2))


class sign(constant_piece):
    """−1, 0 or 1."""

    sign = ("sign", r"\operatorname{sign}")

    def doit(self, **hints: Any) -> sympy.Expr:
        return sympy.sign(self.args[0].doit(**hints))


class floor(constant_piece):
    """The next whole number below."""

    sign = ("floor", r"\operatorname{floor}")

    def doit(self, **hints: Any) -> sympy.Expr:
        return sympy.floor(self.args[0].doit(**hints))


class ceil(constant_piece):
    """The next whole number above."""

    sign = ("ceil", r"\operatorname{ceil}")

    def doit(self, **hints: Any) -> sympy.Expr:
        return sympy.ceiling(self.args[0].doit(**hints))


class absolute(Named):
    """|x|, whose derivative at 0 is taken as 0."""

    sign = ("abs", r"\operatorname{abs}")

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        return sign(self.args[0])

    def doit(self, **hints: Any) -> sympy.Expr:
        return sympy.Abs(self.args[0].doit(**hints))

    def _sympystr(self, printer: Any) -> str:
        return f"|{printer._print(self.args[0])}|"

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        return rf"\left|{printer._print(self.args[0])}\right|" + (f"^{{{exp}}}" if exp else "")


class sigmoid(Named):
    """1/(1 + e⁻ˣ)."""

    sign = ("sigmoid", r"\sigma")

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        return self * (1 - self)

    def doit(self, **hints: Any) -> sympy.Expr:
        return 1 / (1 + exp(-self.args[0].doit(**hints)))


class softplus(Named):
    """log(1 + eˣ)."""

    sign = ("softplus", r"\operatorname{softplus}")

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        return sigmoid(self.args[0])

    def doit(self, **hints: Any) -> sympy.Expr:
        return log(1 + exp(self.args[0].doit(**hints)))


class relu(Named):
    """max(0, x)."""

    sign = ("relu", r"\operatorname{relu}")

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        return step(self.args[0])

    def doit(self, **hints: Any) -> sympy.Expr:
        return sympy.Max(0, self.args[0].doit(**hints))


class larger(sympy.Function):
    """The larger of two numbers."""

    nargs = (2,)

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        a, b = self.args
        return half_step(a - b if argindex == 1 else b - a)

    def doit(self, **hints: Any) -> sympy.Expr:
        return sympy.Max(*(a.doit(**hints) for a in self.args))

    def _sympystr(self, printer: Any) -> str:
        return f"max({', '.join(map(printer._print, self.args))})"

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        inside = rf"\max\left({', '.join(map(printer._print, self.args))}\right)"
        return f"{inside}^{{{exp}}}" if exp else inside


def smaller(a: Any, b: Any) -> sympy.Expr:
    """The smaller of two numbers."""
    return -larger(-a, -b)


def clamp(u: Any, min: Any = None, max: Any = None) -> sympy.Expr:
    """Between two numbers; torch gives the derivative 1 on both of them."""
    if any(isinstance(bound, sympy.Symbol) for bound in (min, max)):
        raise TypeError("bounds that are tensors have no formula here")
    return between(u, -sympy.oo if min is None else min, sympy.oo if max is None else max)


class between(sympy.Function):
    """x, kept between two numbers."""

    nargs = (3,)

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        return inside(*self.args)

    def doit(self, **hints: Any) -> sympy.Expr:
        u, low, high = (a.doit(**hints) for a in self.args)
        return sympy.Min(sympy.Max(u, low), high)

    def _sympystr(self, printer: Any) -> str:
        return f"clamp({', '.join(map(printer._print, self.args))})"

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        written = rf"\operatorname{{clamp}}\left({', '.join(map(printer._print, self.args))}\right)"
        return f"{written}^{{{exp}}}" if exp else written


class inside(between):
    """1 between two numbers and on them, 0 elsewhere."""

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        return sympy.S.Zero

    def doit(self, **hints: Any) -> sympy.Expr:
        u, low, high = (a.doit(**hints) for a in self.args)
        return sympy.Piecewise((1, (u >= low) & (u <= high)), (0, True))

    def _sympystr(self, printer: Any) -> str:
        u, low, high = map(printer._print, self.args)
        return f"[{low} ≤ {u} ≤ {high}]"

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        u, low, high = map(printer._print, self.args)
        return rf"\left[{low} \le {u} \le {high}\right]" + (f"^{{{exp}}}" if exp else "")


def _gelu(u: Any, approximate: str = "none") -> sympy.Expr:
    if approximate == "tanh":
        return u / 2 * (1 + sympy.tanh(sqrt(2 / sympy.pi) * (u + sympy.Float("0.044715") * u**3)))
    return u * (1 + sympy.erf(u / sqrt(2))) / 2


def _softplus(u: Any, beta: Any = 1, threshold: Any = 20) -> sympy.Expr:
    return softplus(beta * u) / beta


class where(sympy.Function):
    """One of two numbers, by a condition."""

    nargs = (3,)

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        return where(self.args[0], int(argindex == 2), int(argindex == 3)) if argindex > 1 else sympy.S.Zero


def _above(u: Any, there: Any, elsewhere: Any) -> sympy.Expr:
    return sympy.Piecewise((there, u > 0), (elsewhere, True))


def _leaky_relu(u: Any, negative_slope: Any = 0.01, inplace: bool = False) -> sympy.Expr:
    return _above(u, u, sympy.nsimplify(negative_slope) * u)


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
    **{f"arc{name[1:]}": name for name in ("asin", "acos", "atan", "asinh", "acosh", "atanh", "atan2")},
}

# ------------------------------------------------------------------------------------------------------- with tensors


def _inside(u: Tensor, low: Any, high: Any) -> Tensor:
    return ((u >= low) & (u <= high)).to(u.dtype)


def _where(condition: Tensor, there: Any, elsewhere: Any) -> Tensor:
    """torch.where, which takes two Python numbers in the default dtype, in double precision."""
    a, b = (x if isinstance(x, Tensor) else torch.tensor(x, dtype=torch.float64) for x in (there, elsewhere))
    return torch.where(condition, a, b)


def _half_step(u: Tensor) -> Tensor:
    return (torch.sign(u) + 1) / 2


def _step(u: Tensor) -> Tensor:
    return (u > 0).to(u.dtype)


ALIKE = (
    "sin", "cos", "tan", "asin", "acos", "atan", "atan2", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "erf", "erfc",
    "digamma",
)  # fmt: skip
"""What SymPy and torch call the same."""

WITH_TENSORS: dict[Any, Callable[..., Tensor]] = {
    step: _step,
    half_step: _half_step,
    inside: _inside,
    sign: torch.sign,
    floor: torch.floor,
    ceil: torch.ceil,
    absolute: torch.abs,
    sigmoid: torch.sigmoid,
    softplus: F.softplus,
    relu: torch.relu,
    where: _where,
    larger: torch.maximum,
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
    above, below = sympy.fraction(expression)
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
