"""Derivatives of special functions as integrals of what has one sign, so that no digits are lost, whatever the order.

Each function φ here comes with its derivatives, (x, n) ↦ φ⁽ⁿ⁾(x); that of order n goes on as that of order n + 1.
Recurrences lose n!/xⁿ of their digits near 0, or xⁿ far out where φ⁽ⁿ⁾ is as small as x⁻ⁿ; these integrals are used there.
All are summed by rules that converge exponentially: Gauss and Legendre's, and the trapezoidal rule for what is periodic or
vanishes at both ends.
Source: Trefethen and Weideman, The exponentially convergent trapezoidal rule, 2014; DLMF 7.7, 10.9, 10.32.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from apolar.engine import series
from apolar.engine.series import Series
from apolar.rules.registry import elementwise

Family = Callable[[Any, int], Any]
"""(x, n) ↦ φ⁽ⁿ⁾(x)."""


def every_order(function: Callable[[Tensor, int], Tensor]) -> Family:
    """The rule of a function with its derivatives."""

    @functools.wraps(function)
    def at(x: Any, n: int) -> Any:
        return series.FUNCTIONS[at](x, n) if isinstance(x, Series) else function(x, n)

    elementwise(at, derivative=lambda y, x, n: at(x, n + 1))
    return at


def _wave(x: Tensor, n: int) -> Tensor:
    """cos(x + nπ/2), the n-th derivative of cos."""
    y = torch.sin(x) if n % 2 else torch.cos(x)
    return y if n % 4 in (0, 3) else -y


_UNIT = [
    ((t + 1) / 2, w / 2) for t, w in zip(*map(np.ndarray.tolist, np.polynomial.legendre.leggauss(32)), strict=True)
]
"""Nodes and weights on [0, 1]."""

_QUARTER = [math.cos((j + 0.5) * math.pi / 32) for j in range(16)]
"""cos θ at 16 angles in the middle of equal parts of a quarter turn."""

_HALF = [2 * math.sin((j + 0.5) * math.pi / 96) ** 2 for j in range(48)]
"""1 − cos θ at 48 angles of a half turn."""

_GAUSS = [((0.25 * j + 0.125) ** 2, 0.5 * math.exp(-((0.25 * j + 0.125) ** 2))) for j in range(36)]
"""w² and the weights for ∫ f(w²) exp(−w²) dw over all numbers."""

_RAY = [(math.exp(s - math.exp(-s)), 7.4 / 96 * (1 + math.exp(-s))) for s in (-3.2 + 7.4 / 96 * j for j in range(97))]
"""t and dt/t with t = exp(s − e⁻ˢ), for what vanishes at both ends of (0, ∞)."""


@every_order
def sin_ratio(x: Tensor, n: int) -> Tensor:
    """sin(x)/x = ∫₀¹ cos(xt) dt, for |x| < 8."""
    return sum((_wave(x * t, n) * (w * t**n) for t, w in _UNIT), torch.zeros_like(x))


@every_order
def bessel_j0(x: Tensor, n: int) -> Tensor:
    """J₀(x) = 2/π ∫ cos(x cos θ) dθ over a quarter turn, for |x| < 15."""
    return sum((_wave(x * c, n) * (c**n / len(_QUARTER)) for c in _QUARTER), torch.zeros_like(x))


@every_order
def bessel_i0(x: Tensor, n: int) -> Tensor:
    """I₀(x) = 2/π ∫ cosh(x cos θ) dθ over a quarter turn, for |x| < 15."""
    power = torch.sinh if n % 2 else torch.cosh
    return sum((power(x * c) * (c**n / len(_QUARTER)) for c in _QUARTER), torch.zeros_like(x))


@every_order
def scaled_i0(x: Tensor, n: int) -> Tensor:
    """e⁻ˣ I₀(x) = 1/π ∫ exp(−x (1 − cos θ)) dθ over a half turn, for x > 0; beyond 45, with u = 1 − cos θ."""
    far = x > 45
    at = torch.where(far, 45.0, x)
    near = sum((torch.exp(at * -u) * ((-u) ** n / len(_HALF)) for u in _HALF), torch.zeros_like(x))
    return torch.where(far, _laplace(torch.where(far, x, 45.0), n, -1) * (math.sqrt(0.5) / math.pi), near)


@every_order
def scaled_k0(x: Tensor, n: int) -> Tensor:
    """eˣ K₀(x) = ∫ exp(−x (cosh t − 1)) dt from 0, for x > 1, with u = cosh t − 1."""
    return _laplace(x, n, 1) * math.sqrt(0.5)


def _laplace(x: Tensor, n: int, sign: int) -> Tensor:
    """∫ (−u)ⁿ e⁻ˣᵘ (1 ± u/2)⁻¹ᐟ² u⁻¹ᐟ² du from 0, with u = w²/x; for the sign −, terms with u > 2 are below rounding."""
    total = torch.zeros_like(x)
    for square, weight in _GAUSS:
        root = 1 + sign * square / (2 * x)
        total = total + torch.where(root > 0, root.abs(), math.inf) ** -0.5 * (weight * (-square) ** n)
    return total * x ** -(n + 0.5)


@every_order
def erfcx(x: Tensor, n: int) -> Tensor:
    """exp(x²) erfc(x) = 2/√π ∫ exp(−t² − 2xt) dt from 0, for x > 0."""
    scale = 1 / (1 + x)
    total = torch.zeros_like(x)
    for t, weight in _RAY:
        at = scale * t
        total = total + torch.exp(-(at + 2 * x) * at) * at ** (n + 1) * weight
    return total * ((-2) ** n * 2 / math.sqrt(math.pi))
