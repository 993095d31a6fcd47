"""Functions of one tensor, entry by entry: how their derivatives go on.

``derivative`` says φ′ in terms of y = φ(x) and x; ``formula`` says φ itself in terms of others. Every order follows.
Piecewise functions are differentiated piece by piece; at a kink the piece is the one that torch takes for φ′.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from apolar.engine import series
from apolar.engine.series import Series, starting, where
from apolar.rules import integrals
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
elementwise("expm1", derivative=lambda y, x: exp(x))
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


def near_zero(x: Any, radius: float, inner: Any, outer: Any) -> Any:
    """inner(x) where |x| < radius, outer(x) elsewhere; neither sees the points of the other."""
    at = x.value if isinstance(x, Series) else x
    inside = at.abs() < radius
    return where(inside, inner(where(inside, x, 0.5 * radius)), outer(where(inside, 2 * radius, x)))


def _sech_squared(x: Any) -> Any:
    """cosh⁻² x = 4 σ(2x) σ(−2x), of which 1 − tanh² x has no digit left far out."""
    double = x * 2
    return torch.sigmoid(double) * torch.sigmoid(-double) * 4


def _asinh_slope(y: Any, x: Any) -> Any:
    """(1 + x²)⁻¹ᐟ²; where x² might overflow, x⁻¹ (1 + x⁻²)⁻¹ᐟ²."""
    if isinstance(x.value, Tensor) and x.value.is_complex():
        return (1 + x * x) ** -0.5
    return near_zero(x, 1e9, lambda x: (1 + x * x) ** -0.5, lambda x: torch.abs(x) ** -1 * (1 + x**-2) ** -0.5)


elementwise("sin", derivative=lambda y, x: cos(x))
elementwise("cos", derivative=lambda y, x: -sin(x))
elementwise("tan", derivative=lambda y, x: 1 + y * y)
elementwise("asin", "arcsin", derivative=lambda y, x: (1 - x * x) ** -0.5)
elementwise("acos", "arccos", derivative=lambda y, x: -((1 - x * x) ** -0.5))
elementwise("atan", "arctan", derivative=lambda y, x: (1 + x * x) ** -1)
elementwise("sinh", derivative=lambda y, x: torch.cosh(x))
elementwise("cosh", derivative=lambda y, x: torch.sinh(x))
elementwise("tanh", derivative=lambda y, x: starting(_sech_squared(x.value), 1 - y * y))
elementwise("asinh", "arcsinh", derivative=_asinh_slope)
elementwise("acosh", "arccosh", derivative=lambda y, x: (x - 1) ** -0.5 * (x + 1) ** -0.5)
elementwise("atanh", "arctanh", derivative=lambda y, x: (1 - x * x) ** -1)
elementwise("deg2rad", derivative=lambda y, x: math.pi / 180)
elementwise("rad2deg", derivative=lambda y, x: 180 / math.pi)


# ------------------------------------------------------------------------------------------------- sin x/x and Bessel's


def _sin_ratio_slope(x: Any) -> Any:
    """(cos x − sin(x)/x)/x."""
    ratio = lambda x: (cos(x) - sin(x) * x**-1) * x**-1  # noqa: E731
    return near_zero(x, 8.0, lambda x: integrals.sin_ratio(x, 1), ratio)


def _j1_slope(y: Any, x: Any) -> Any:
    """J₁′ = −J₀″ = J₀ − J₁/x."""
    far = lambda x: special.bessel_j0(x) - special.bessel_j1(x) * x**-1  # noqa: E731
    return near_zero(x, 15.0, lambda x: -integrals.bessel_j0(x, 2), far)


def _i1_slope(y: Any, x: Any) -> Any:
    """I₁′ = I₀″ = I₀ − I₁/x."""
    far = lambda x: special.i0(x) - special.i1(x) * x**-1  # noqa: E731
    return near_zero(x, 15.0, lambda x: integrals.bessel_i0(x, 2), far)


def _scaled_k0_slope(y: Any, x: Any) -> Any:
    """(eˣK₀)′ = eˣK₀ − eˣK₁, of which nothing is left far out."""
    return near_zero(x, 1.0, lambda x: y - special.scaled_modified_bessel_k1(x), lambda x: integrals.scaled_k0(x, 1))


def _scaled_k1_slope(y: Any, x: Any) -> Any:
    """With eˣK₁ = g − g′ for g = eˣK₀."""
    near = lambda x: y - special.scaled_modified_bessel_k0(x) - y * x**-1  # noqa: E731
    return near_zero(x, 1.0, near, lambda x: integrals.scaled_k0(x, 1) - integrals.scaled_k0(x, 2))


elementwise("sinc", derivative=lambda y, x: _sin_ratio_slope(math.pi * x) * math.pi)
elementwise(special.spherical_bessel_j0, derivative=lambda y, x: _sin_ratio_slope(x))
elementwise(special.bessel_j0, derivative=lambda y, x: -special.bessel_j1(x))
elementwise(special.bessel_j1, derivative=_j1_slope)
elementwise(special.bessel_y0, derivative=lambda y, x: -special.bessel_y1(x))
elementwise(special.bessel_y1, derivative=lambda y, x: special.bessel_y0(x) - y * x**-1)
elementwise("i0", special.modified_bessel_i0, derivative=lambda y, x: special.i1(x))
elementwise("i1", special.modified_bessel_i1, derivative=_i1_slope)
elementwise(special.modified_bessel_k0, derivative=lambda y, x: -special.modified_bessel_k1(x))
elementwise(special.modified_bessel_k1, derivative=lambda y, x: -special.modified_bessel_k0(x) - y * x**-1)
elementwise(special.scaled_modified_bessel_k0, derivative=_scaled_k0_slope)
elementwise(special.scaled_modified_bessel_k1, derivative=_scaled_k1_slope)
# With g(x) = e⁻ˣI₀(x) for x > 0: e⁻ˡˣˡI₀ = g(|x|), e⁻ˡˣˡI₁ = ±(g + g′)(|x|).
elementwise("i0e", derivative=lambda y, x: torch.sign(x) * integrals.scaled_i0(torch.abs(x), 1))
elementwise("i1e", derivative=lambda y, x: integrals.scaled_i0(torch.abs(x), 1) + integrals.scaled_i0(torch.abs(x), 2))

# ------------------------------------------------------------------------------------ error functions, gamma and others

elementwise("erf", derivative=lambda y, x: exp(-(x * x)) * (2 / math.sqrt(math.pi)))
elementwise("erfc", derivative=lambda y, x: exp(-(x * x)) * (-2 / math.sqrt(math.pi)))
elementwise("erfinv", derivative=lambda y, x: exp(y * y) * (math.sqrt(math.pi) / 2))
elementwise("ndtr", derivative=lambda y, x: exp(x * x * -0.5) * (1 / math.sqrt(2 * math.pi)))


def _erfcx_slope(y: Any, x: Any) -> Any:
    """2xφ − 2/√π, which is a small difference but for x near 0 or below."""
    far = x > 0.4
    near = 2 * (x * y) - 2 / math.sqrt(math.pi)
    return where(far, integrals.erfcx(where(far, x, 1.0), 1), near)


def _hazard(y: Any, x: Any) -> Any:
    """The normal density over the normal distribution; below −0.6, with r = erfcx(−x/√2), r′/(√2 r) − x."""
    below = x < -0.6
    z, rest = where(below, x * -math.sqrt(0.5), 1.0), where(below, 0.0, x)
    r = special.erfcx(z)
    tail = _erfcx_slope(r, z) * r**-1 * -math.sqrt(0.5) - x
    return where(below, tail, exp(rest * rest * -0.5 - where(below, 0.0, y)) * (1 / math.sqrt(2 * math.pi)))


elementwise("erfcx", derivative=_erfcx_slope)
elementwise("log_ndtr", derivative=_hazard)
elementwise("ndtri", derivative=lambda y, x: exp(y * y * 0.5) * math.sqrt(2 * math.pi))
elementwise("lgamma", "gammaln", derivative=lambda y, x: torch.digamma(x))
elementwise("digamma", "psi", derivative=lambda y, x: trigamma(x))


def trigamma(x: Any) -> Any:
    """ψ′(x) = ζ(2, x), which has all digits where torch.polygamma(1, x) has ten."""
    return series.FUNCTIONS[trigamma](x) if isinstance(x, Series) else _polygamma(x, 1)


def polygamma_at(x: Any, n: int) -> Any:
    """ψ⁽ⁿ⁾(x), with the argument first."""
    if isinstance(x, Series):
        return series.FUNCTIONS[polygamma_at](x, n)
    return _polygamma(x, n) if n else torch.digamma(x)


def _polygamma(x: Tensor, n: int) -> Tensor:
    """−n! (−1)ⁿ ζ(n + 1, x), and below 0 by reflection: (−1)ⁿ ψ⁽ⁿ⁾(1 − x) − π (cot πx)⁽ⁿ⁾."""
    below = x < 0
    right = special.zeta(n + 1.0, torch.where(below, 1 - x, x)) * (-((-1) ** n) * math.factorial(n))
    cot = 1 / torch.tan(math.pi * torch.where(below, x - torch.round(x), 0.5))
    polynomial = np.polynomial.Polynomial([0, 1])
    for _ in range(n):
        polynomial = -polynomial.deriv() * np.polynomial.Polynomial([1, 0, 1])
    turned = torch.zeros_like(x)
    for c in polynomial.coef[::-1]:
        turned = turned * cot + float(c)
    return torch.where(below, (-1) ** n * right - math.pi ** (n + 1) * turned, right)


elementwise(trigamma, derivative=lambda y, x: polygamma_at(x, 2))
elementwise(polygamma_at, derivative=lambda y, x, n: trigamma(x) if n == 0 else polygamma_at(x, n + 1))


def torch_polygamma(x: Any, n: int) -> Any:
    """torch.polygamma(n, x), whose values have ten digits, with the argument first."""
    return series.FUNCTIONS[torch_polygamma](x, n) if isinstance(x, Series) else torch.polygamma(n, x)


elementwise(torch_polygamma, derivative=lambda y, x, n: polygamma_at(x, n + 1))


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

elementwise("sigmoid", special.expit, derivative=lambda y, x: y * starting(torch.sigmoid(-x.value), 1 - y))
elementwise("logsigmoid", derivative=lambda y, x: torch.sigmoid(-x))
elementwise("silu", formula=lambda x: x * torch.sigmoid(x))
elementwise(F.softsign, derivative=lambda y, x: (1 + torch.abs(x)) ** -2)
elementwise(F.tanhshrink, derivative=lambda y, x: torch.square(torch.tanh(x)))
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
        return torch.erfc(x * -math.sqrt(0.5)) * 0.5 + x * exp(x * x * -0.5) * (1 / math.sqrt(2 * math.pi))
    s: Any = torch.sigmoid((x + 0.044715 * (x * x * x)) * math.sqrt(8 / math.pi))
    return s + x * s.slope * ((1 + 3 * 0.044715 * (x * x)) * math.sqrt(8 / math.pi))


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
