"""Derivatives from Cauchy's formula: for analytic functions that PyTorch evaluates on complex tensors.

g⁽ᵏ⁾(0) = k!/(2πi) ∮ g(z) z⁻ᵏ⁻¹ dz ≈ k!/(n rᵏ) Σⱼ g(r e^{iθⱼ}) e^{−ikθⱼ}, θⱼ = 2πj/n: the trapezoid rule converges like
(r/R)ⁿ, R the distance to the nearest singularity, and nothing cancels.

Source: Lyness & Moler, Numerical differentiation of analytic functions, SIAM J. Numer. Anal. 4 (1967).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import factorial

import torch
from torch import Tensor

from . import ladder
from .lines import INDICES, Direction, Estimate, Function, Index, Point

RUNGS = ((1.0, 48), (0.5, 40), (0.25, 32), (0.12, 28), (0.06, 24), (0.03, 20), (0.015, 16))
"""Radius and number of points on the circle."""


def sample(g: Callable[[complex], Tensor], rung: tuple[float, int], order: int) -> list[Estimate]:
    """The derivatives of g at 0 of orders 0 to ``order`` from one circle."""
    radius, points = rung
    angles = 2 * torch.pi / points * torch.arange(points, dtype=torch.float64)
    circle = torch.polar(torch.ones_like(angles), angles)
    values = torch.stack([g(radius * complex(z)) for z in circle]).to(torch.complex128)
    factors = [factorial(k) / radius**k for k in range(order + 1)]
    return [
        Estimate(d, torch.full_like(d, factor * ladder.rounding(values) / points**0.5))
        for k, factor in enumerate(factors)
        for d in [(factor / points * (circle.conj() ** k @ values)).real]
    ]


def derivatives(
    f: Function, x: Point, v: Direction, w: Direction, indices: Iterable[Index] = INDICES
) -> dict[Index, Estimate]:
    """∂ˢⁱ∂ᵗʲ of f(x + s·v + t·w) at 0, for analytic f."""
    with torch.no_grad():
        return ladder.derivatives(sample, RUNGS, f, [p.to(torch.complex128) for p in x], v, w, indices)  # type: ignore[arg-type]
