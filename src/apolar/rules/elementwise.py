"""Functions of one tensor, entry by entry: how their derivatives go on.

``derivative`` says φ′ in terms of y = φ(x) and x; ``formula`` says φ itself in terms of others. Every order follows.
Piecewise functions are differentiated piece by piece; at a kink the piece is the one that torch takes for φ′.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from apolar.engine import series
from apolar.engine.series import Series, where
from apolar.rules.registry import composite, constant, elementwise

exp: Any = torch.exp
log: Any = torch.log
sin: Any = torch.sin
cos: Any = torch.cos
special: Any = torch.special

# Arithmetic of series where a tensor stands on the left.
series.FUNCTIONS.update(
    {
        torch.where: where,
        Tensor.add: lambda a, b: b + a,
        Tensor.sub: lambda a, b: -b + a,
        Tensor.mul: lambda a, b: b * a,
        Tensor.div: lambda a, b: b**-1 * a,
    }
)

# --------------------------------------------------------------------------------------------- powers and exponentials

elementwise("exp", derivative=lambda y, x: y)
elementwise("exp2", derivative=lambda y, x: y * math.log(2))
elementwise("expm1", derivative=lambda y, x: y + 1)
elementwise("log", derivative=lambda y, x: x**-1)
elementwise("log2", derivative=lambda y, x: x**-1 * (1 / math.log(2)))
elementwise("log10", derivative=lambda y, x: x**-1 * (1 / math.log(10)))
elementwise("log1p", derivative=lambda y, x: (1 + x) ** -1)
elementwise("sqrt", derivative=lambda y, x: y**-1 * 0.5)
elementwise("rsqrt", derivative=lambda y, x: y * x**-1 * -0.5)
elementwise("reciprocal", derivative=lambda y, x: -(y * y))
elementwise("square", formula=lambda x: x * x)


def number_power(x: Any, p: Any) -> Any:
    """xᵖ where p is a number or a tensor of numbers."""
    return series.FUNCTIONS[number_power](x, p) if isinstance(x, Series) else torch.pow(x, p)


def _power_slope(y: Any, x: Any, p: Any) -> Any:
    """p xᵖ⁻¹, which ends at the natural numbers: 0·x⁰ is the derivative of x⁰. Below 0, p y/x: powers would go on."""
    if isinstance(p, Tensor):
        return number_power(x, torch.where(p == 0, p, p - 1)) * p
    if p in (0, 1):
        return p
    if not isinstance(p, complex) and p < 0:
        return y * (y if p == -1 else x**-1) * p
    return (x if p == 2 else number_power(x, p - 1)) * p


elementwise(number_power, derivative=_power_slope)
series.FUNCTIONS[torch.pow] = series.FUNCTIONS[number_power]

# ------------------------------------------------------------------------------------- trigonometric and hyperbolic

elementwise("sin", derivative=lambda y, x: cos(x))
elementwise("cos", derivative=lambda y, x: -sin(x))
elementwise("tan", derivative=lambda y, x: 1 + y * y)
elementwise("asin", "arcsin", derivative=lambda y, x: (1 - x * x) ** -0.5)
elementwise("acos", "arccos", derivative=lambda y, x: -((1 - x * x) ** -0.5))
elementwise("atan", "arctan", derivative=lambda y, x: (1 + x * x) ** -1)
elementwise("sinh", derivative=lambda y, x: torch.cosh(x))
elementwise("cosh", derivative=lambda y, x: torch.sinh(x))
elementwise("tanh", derivative=lambda y, x: 1 - y * y)
elementwise("asinh", "arcsinh", derivative=lambda y, x: (1 + x * x) ** -0.5)
elementwise("acosh", "arccosh", derivative=lambda y, x: (x - 1) ** -0.5 * (x + 1) ** -0.5)
elementwise("atanh", "arctanh", derivative=lambda y, x: (1 - x * x) ** -1)
elementwise("deg2rad", derivative=lambda y, x: math.pi / 180)
elementwise("rad2deg", derivative=lambda y, x: 180 / math.pi)


# ------------------------------------------------------------------------------------------- where torch's formula ends


def even_series(x: Any, coefficients: list[float]) -> Any:
    """Σ cₖ x²ᵏ by Horner's rule."""
    total: Any = coefficients[-1]
    for c in reversed(coefficients[:-1]):
        total = total * (x * x) + c
    return total


def near_zero(x: Any, radius: float, inner: Any, outer: Any) -> Any:
    """inner(x) where |x| < radius, outer(x) elsewhere; neither sees the points of the other."""
    at = x.value if isinstance(x, Series) else x
    inside = at.abs() < radius
    return where(inside, inner(where(inside, x, 0.5 * radius)), outer(where(inside, 2 * radius, x)))


def _sin_ratio(x: Any) -> Any:
    """sin(x)/x, by its Taylor series near 0."""
    taylor = [(-1) ** k / math.factorial(2 * k + 1) for k in range(16)]
    return near_zero(x, 1.0, lambda x: even_series(x, taylor), lambda x: sin(x) * x**-1)


def bessel_taylor(order: int, sign: int) -> list[float]:
    """The coefficients of x²ᵏ⁺ⁿ in Jₙ (sign −1) or Iₙ (sign +1)."""
    return [sign**k / (math.factorial(k) * math.factorial(k + order) * 2.0 ** (2 * k + order)) for k in range(24)]


def _bessel_ratio(function: Any, sign: int) -> Any:
    """J₁(x)/x or I₁(x)/x, by the Taylor series near 0."""
    return lambda x: near_zero(x, 2.0, lambda x: even_series(x, bessel_taylor(1, sign)), lambda x: function(x) * x**-1)


_j1_ratio = _bessel_ratio(special.bessel_j1, -1)
_i1_ratio = _bessel_ratio(special.i1, 1)


def _scaled(function: Any) -> Any:
    """e⁻ˡˣˡ φ(x), as a formula."""
    return lambda x: exp(-torch.abs(x)) * function(x)


elementwise("sinc", formula=lambda x: _sin_ratio(math.pi * x))
elementwise(special.spherical_bessel_j0, formula=_sin_ratio)
elementwise(special.bessel_j0, derivative=lambda y, x: -special.bessel_j1(x))
elementwise(special.bessel_j1, derivative=lambda y, x: special.bessel_j0(x) - _j1_ratio(x))
elementwise(special.bessel_y0, derivative=lambda y, x: -special.bessel_y1(x))
elementwise(special.bessel_y1, derivative=lambda y, x: special.bessel_y0(x) - y * x**-1)
elementwise("i0", special.modified_bessel_i0, derivative=lambda y, x: special.i1(x))
elementwise("i1", special.modified_bessel_i1, derivative=lambda y, x: special.i0(x) - _i1_ratio(x))
elementwise(special.modified_bessel_k0, derivative=lambda y, x: -special.modified_bessel_k1(x))
elementwise(special.modified_bessel_k1, derivative=lambda y, x: -special.modified_bessel_k0(x) - y * x**-1)
elementwise(special.scaled_modified_bessel_k0, derivative=lambda y, x: y - special.scaled_modified_bessel_k1(x))
elementwise(
    special.scaled_modified_bessel_k1,
    derivative=lambda y, x: y - special.scaled_modified_bessel_k0(x) - y * x**-1,
)
elementwise("i0e", derivative=lambda y, x: special.i1e(x) - torch.sign(x) * y)
elementwise(
    "i1e",
    derivative=lambda y, x: special.i0e(x) - torch.sign(x) * y - near_zero(
        x, 2.0, lambda x: exp(-torch.abs(x)) * even_series(x, bessel_taylor(1, 1)), lambda x: special.i1e(x) * x**-1
    ),
)  # fmt: skip

# ------------------------------------------------------------------------------------ error functions, gamma and others

elementwise("erf", derivative=lambda y, x: exp(-(x * x)) * (2 / math.sqrt(math.pi)))
elementwise("erfc", derivative=lambda y, x: exp(-(x * x)) * (-2 / math.sqrt(math.pi)))
elementwise("erfinv", derivative=lambda y, x: exp(y * y) * (math.sqrt(math.pi) / 2))
elementwise("ndtr", derivative=lambda y, x: exp(x * x * -0.5) * (1 / math.sqrt(2 * math.pi)))


def _tail(z: Any, step: float) -> Any:
    """Laplace's continued fraction a/(z + 2a/(z + 3a/(z + …))), for z ≥ 3."""
    fraction = z
    for k in range(24, 1, -1):
        fraction = z + step * k * fraction**-1
    return step * fraction**-1


def _hazard(y: Any, x: Any) -> Any:
    """The normal density over the normal distribution; by its fraction where h′ = h² + x h would lose all digits."""
    far = x < -5
    z, near = where(far, -x, 5.0), where(far, -5.0, x)
    ratio = exp(near * near * -0.5 - where(far, 0.0, y)) * (1 / math.sqrt(2 * math.pi))
    return where(far, z + _tail(z, 1.0), ratio)


def _erfcx_slope(y: Any, x: Any) -> Any:
    """2xφ − 2/√π; far out, where that is a small difference, −2/√π · r/(x + r) with φ = 1/(√π (x + r))."""
    far = x > 3
    z = where(far, x, 5.0)
    tail = _tail(z, 0.5)
    return where(far, -tail * (z + tail) ** -1, x * y * math.sqrt(math.pi) - 1) * (2 / math.sqrt(math.pi))


elementwise("log_ndtr", derivative=_hazard)
elementwise("erfcx", derivative=_erfcx_slope)
elementwise("ndtri", derivative=lambda y, x: exp(y * y * 0.5) * math.sqrt(2 * math.pi))
elementwise("lgamma", "gammaln", derivative=lambda y, x: torch.digamma(x))
elementwise("digamma", "psi", derivative=lambda y, x: trigamma(x))


def trigamma(x: Any) -> Any:
    """ψ′(x) = ζ(2, x), which has all digits where torch.polygamma(1, x) has ten."""
    if isinstance(x, Series):
        return series.FUNCTIONS[trigamma](x)
    return torch.where(x > 0, special.zeta(2.0, x), torch.polygamma(1, x))


def polygamma_at(x: Any, n: int) -> Any:
    """ψ⁽ⁿ⁾(x), with the argument first."""
    return series.FUNCTIONS[polygamma_at](x, n) if isinstance(x, Series) else torch.polygamma(n, x)


elementwise(trigamma, derivative=lambda y, x: polygamma_at(x, 2))
elementwise(polygamma_at, derivative=lambda y, x, n: trigamma(x) if n == 0 else polygamma_at(x, n + 1))


# -------------------------------------------------------------------------------------------------------- piecewise

elementwise("abs", "absolute", derivative=lambda y, x: torch.sign(x))
elementwise("frac", derivative=lambda y, x: 1)
elementwise("relu6", derivative=lambda y, x: _between(x, 0, 6))
elementwise("relu", derivative=lambda y, x: (x > 0).to(x.value.dtype))
elementwise("nan_to_num", derivative=lambda y, x, *limits, **named: torch.isfinite(x.value).to(x.value.dtype))
series.FUNCTIONS[torch.sign] = lambda x: series.constant(torch.sign(x.value))

constant(
    "argmax", "argmin", "argsort", "argwhere", "nonzero", "count_nonzero", "bucketize", "searchsorted", "histc",
    "floor", "ceil", "round", "trunc", "fix", "sign", "signbit", "floor_divide", "__floordiv__",
    "__rfloordiv__", "eq", "ne", "lt", "le", "gt", "ge", "less", "less_equal", "greater", "greater_equal", "not_equal",
    "equal", "allclose", "isclose", "isnan", "isinf", "isfinite", "isposinf", "isneginf", "isreal", "isin", "all", "any",
    "__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "logical_not", "logical_and", "logical_or",
    "logical_xor", "__bool__", "__int__", "__index__",
    "__contains__", "__repr__", "bool", "int", "long", "short", "char", "byte",
    "multinomial", "bernoulli", "is_nonzero", "matrix_rank",
)  # fmt: skip
constant(torch.linalg.matrix_rank)


# ------------------------------------------------------------------------------------------------------ activations

elementwise("sigmoid", special.expit, derivative=lambda y, x: y * (1 - y))
elementwise("logsigmoid", derivative=lambda y, x: torch.sigmoid(-x))
elementwise("silu", formula=lambda x: x * torch.sigmoid(x))
elementwise("mish", formula=lambda x: x * torch.tanh(F.softplus(x)))


@composite("sgn")
def sgn(x: Any) -> Any:
    """z/|z| of complex numbers, and 0 where z is 0; the sign of real ones."""
    if not x.is_complex():
        return torch.sign(x)
    r = torch.abs(x)
    return x / (r + (r == 0))


@composite("heaviside")
def heaviside(x: Any, values: Any) -> Any:
    return torch.where(x == 0, values, torch.where(x > 0, torch.ones_like(values), torch.zeros_like(values)))


@composite("logit")
def logit(x: Any, eps: float | None = None) -> Any:
    """log(x / (1 − x)), with x kept within [eps, 1 − eps]."""
    x = x if eps is None else torch.clamp(x, eps, 1 - eps)
    return log(x) - torch.log1p(-x)


def _softplus(x: Any, beta: float = 1.0, threshold: float = 20.0) -> Any:
    """log(1 + exp(βx))/β, and x where βx is above the threshold: φ′ = σ(βx)."""
    return where(beta * x > threshold, 1.0 + 0 * x.value, torch.sigmoid(beta * x))


elementwise("softplus", derivative=lambda y, x, *parameters, **named: _softplus(x, *parameters, **named))


def _gelu_slope(y: Any, x: Any, approximate: str = "none") -> Any:
    """φ = x Φ(x), or with Φ by tanh."""
    if approximate == "none":
        return special.ndtr(x) + x * exp(x * x * -0.5) * (1 / math.sqrt(2 * math.pi))
    t = torch.tanh((x + 0.044715 * (x * x * x)) * math.sqrt(2 / math.pi))
    return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * ((1 + 3 * 0.044715 * (x * x)) * math.sqrt(2 / math.pi))


elementwise("gelu", derivative=_gelu_slope)


def _elu_slope(y: Any, x: Any, alpha: float = 1.0, scale: float = 1.0, input_scale: float = 1.0) -> Any:
    """φ = s x for x > 0, s α (exp(βx) − 1) elsewhere."""
    negative = exp(where(x > 0, 0.0 * x.value, input_scale * x)) * (alpha * scale * input_scale)
    return where(x > 0, scale + 0 * x.value, negative)


elementwise("elu", derivative=_elu_slope)
elementwise("celu", derivative=lambda y, x, alpha=1.0: _elu_slope(y, x, alpha, 1.0, 1 / alpha))
elementwise("selu", derivative=lambda y, x: _elu_slope(y, x, 1.6732632423543772848, 1.0507009873554804934))


def _between(x: Series, low: Any, high: Any) -> Tensor:
    return ((x.value > low) & (x.value < high)).to(x.value.dtype)


elementwise("leaky_relu", derivative=lambda y, x, negative_slope=0.01: where(x > 0, 1 + 0 * x.value, negative_slope))
elementwise("hardtanh", derivative=lambda y, x, min_val=-1.0, max_val=1.0: _between(x, min_val, max_val))
elementwise("hardsigmoid", derivative=lambda y, x: _between(x, -3, 3) / 6)
elementwise(
    "hardswish",
    derivative=lambda y, x: where(_between(x, -3, 3) > 0, (2 * x + 3) * (1 / 6), (x.value >= 3) * (1 + 0 * x.value)),
)
elementwise("hardshrink", derivative=lambda y, x, lambd=0.5: (x.value.abs() > lambd).to(x.value.dtype))
elementwise("softshrink", derivative=lambda y, x, lambd=0.5: (x.value.abs() > lambd).to(x.value.dtype))
elementwise("threshold", derivative=lambda y, x, threshold, value: (x.value > threshold).to(x.value.dtype))
