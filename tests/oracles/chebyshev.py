"""Derivatives from samples at Chebyshev nodes: for every function that is smooth near the point.

With nodes xⱼ = cos(π(j + ½)/n), the interpolating polynomial is p(s) = Σₘ cₘ Tₘ(s/r),
cₘ = (2 − δₘ₀)/n · Σⱼ g(r xⱼ) Tₘ(xⱼ), and g⁽ᵏ⁾(0) ≈ p⁽ᵏ⁾(0) = r⁻ᵏ Σₘ cₘ Tₘ⁽ᵏ⁾(0): geometric convergence in n for
analytic g, rounding noise of about ε (n/r)ᵏ, since the point lies in the middle of the interval.

Source: Trefethen, Approximation Theory and Approximation Practice, chapters 3 and 21.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache

import numpy as np
import torch
from numpy.polynomial import chebyshev
from torch import Tensor

from . import ladder
from .lines import INDICES, Direction, Estimate, Function, Index, Point, real

RUNGS = ((1.2, 36), (0.8, 30), (0.4, 24), (0.2, 20), (0.1, 16), (0.05, 12), (0.02, 10))
"""Radius and number of nodes."""

NOISE = 20
"""Coefficients below so many units in the last place of the largest are rounding errors."""


@cache
def tables(nodes: int, order: int) -> tuple[Tensor, Tensor, Tensor]:
    """The nodes on [−1, 1]; the matrix from samples to coefficients; Tₘ⁽ᵏ⁾(0), a row for each k ≤ order."""
    x = np.cos(np.pi * (np.arange(nodes) + 0.5) / nodes)
    coefficients = 2.0 / nodes * chebyshev.chebvander(x, nodes - 1).T
    coefficients[0] /= 2
    basis = np.eye(nodes)
    at_zero = [chebyshev.chebval(0.0, chebyshev.chebder(basis, k) if k else basis) for k in range(order + 1)]
    return torch.from_numpy(x), torch.from_numpy(coefficients), torch.from_numpy(np.stack(at_zero))


def sample(g: Callable[[float], Tensor], rung: tuple[float, int], order: int) -> list[Estimate]:
    """The derivatives of g at 0 of orders 0 to ``order`` from one set of nodes.

    Coefficients after the last one above the rounding noise are dropped: they would only add noise times mᵏ. Where the last
    ones are above it, the series goes on, and their size tells what is missing.
    """
    radius, nodes = rung
    x, to_coefficients, at_zero = tables(nodes, order)
    values = real(torch.stack([g(radius * float(node)) for node in x]))
    precision = torch.finfo(values.dtype).eps
    values = values.double()
    coefficients = to_coefficients @ values
    size = torch.nan_to_num(coefficients.abs(), nan=0.0, posinf=0.0)
    above = size > NOISE * precision * size.amax() if size.numel() else size > 0
    rows = above.any(1).nonzero()
    kept = int(rows[-1]) + 1 if len(rows) else 1
    powers = radius ** -torch.arange(order + 1, dtype=torch.float64)
    at_zero = powers[:, None] * at_zero
    found = at_zero[:, :kept] @ coefficients[:kept]
    rounding = ladder.rounding(values, precision) * (at_zero[:, :kept] @ to_coefficients[:kept]).norm(dim=1)
    missing = 0.05 * (size * above)[-3:].amax(0) * at_zero.abs().amax(1, keepdim=True)  # the next ones are smaller
    if kept < nodes:
        dropped = slice(kept, max(kept, order) + 2)
        missing = missing + (at_zero[:, dropped, None].abs() * size[dropped]).amax(1)
    return [Estimate(d, r + m) for d, r, m in zip(found, rounding, missing)]


def derivatives(
    f: Function, x: Point, v: Direction, w: Direction, indices: Iterable[Index] = INDICES
) -> dict[Index, Estimate]:
    """∂ˢⁱ∂ᵗʲ of f(x + s·v + t·w) at 0, for real functions of real tensors."""
    with torch.no_grad():
        return ladder.derivatives(sample, RUNGS, f, x, v, w, indices)  # type: ignore[arg-type]
