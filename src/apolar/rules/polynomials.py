"""Orthogonal polynomials of torch.special, by their recurrences; PyTorch itself differentiates none of them.

A line says p₁, and how pₖ₊₁ follows from p = pₖ and q = pₖ₋₁; p₀ is 1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from apolar.engine.jet import plain
from apolar.rules.products import beside
from apolar.rules.registry import composite


def orthogonal(name: str, first: Callable[[Any], Any], next: Callable[[int, Any, Any, Any], Any]) -> None:
    """pₙ(x) for whole numbers n, to which others are truncated; 0 for negative ones."""

    @composite(getattr(torch.special, name))
    def polynomial(x: Any, n: Any) -> Any:
        n = torch.as_tensor(plain(n)).detach().trunc()
        x = beside(x, n)
        p, q = first(x), 1.0
        result = torch.where(n == 1, p, (n == 0).to(x.dtype))
        for k in range(1, int(n.max()) if n.numel() else 0):
            p, q = next(k, x, p, q), p
            result = torch.where(n == k + 1, p, result)
        return result


def _chebyshev(k: int, x: Any, p: Any, q: Any) -> Any:
    return 2 * x * p - q


FIRST = {"t": lambda x: x, "u": lambda x: 2 * x, "v": lambda x: 2 * x - 1, "w": lambda x: 2 * x + 1}
"""T₁, U₁, V₁ and W₁."""

for letter, first in FIRST.items():
    orthogonal(f"chebyshev_polynomial_{letter}", first, _chebyshev)
    orthogonal(
        f"shifted_chebyshev_polynomial_{letter}",
        lambda x, first=first: first(2 * x - 1),  # type: ignore[misc]
        lambda k, x, p, q: _chebyshev(k, 2 * x - 1, p, q),
    )

orthogonal("hermite_polynomial_h", lambda x: 2 * x, lambda k, x, p, q: 2 * (x * p - k * q))
orthogonal("hermite_polynomial_he", lambda x: x, lambda k, x, p, q: x * p - k * q)
orthogonal("laguerre_polynomial_l", lambda x: 1 - x, lambda k, x, p, q: ((2 * k + 1 - x) * p - k * q) / (k + 1))
orthogonal("legendre_polynomial_p", lambda x: x, lambda k, x, p, q: ((2 * k + 1) * x * p - k * q) / (k + 1))
