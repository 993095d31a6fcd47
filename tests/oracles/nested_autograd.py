"""Partial derivatives of a function of points by nested ``torch.autograd.grad``, each prefix once.

PyTorch 2.13 is wrong here for the third derivative of ``layer_norm``, and has no second one of fused attention: networks
under test have a layer norm written out by hand, and attention is computed by its formula.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

Monomial = tuple[int, ...]


class Derivatives:
    """∂ᵅf at the points, with the graph that leads to the parameters of f.

    Args:
        f: maps points ``(..., d)`` to values ``(..., k)``, row by row.
        points: ``(..., d)``.
    """

    def __init__(self, f: Callable[[Tensor], Tensor], points: Tensor) -> None:
        self.columns = [column.clone().requires_grad_() for column in points.unbind(-1)]
        with sdpa_kernel(SDPBackend.MATH):
            values = f(torch.stack(self.columns, -1))
        self.known: dict[tuple[int, Monomial], Tensor] = {
            (k, (0,) * len(self.columns)): value for k, value in enumerate(values.unbind(-1))
        }
        self.outputs = values.shape[-1]

    def of(self, k: int, monomial: Monomial) -> Tensor:
        """∂ᵅ of output k: one more derivative in the first coordinate that has one."""
        if (k, monomial) not in self.known:
            j = next(j for j, power in enumerate(monomial) if power)
            lower = self.of(k, tuple(power - (i == j) for i, power in enumerate(monomial)))
            x = self.columns[j]
            (self.known[k, monomial],) = torch.autograd.grad(
                lower, x, torch.ones_like(lower), create_graph=True, materialize_grads=True
            )
        return self.known[k, monomial]

    def operator(self, terms: Mapping[Monomial, Fraction]) -> Tensor:
        """Σ c ∂ᵅf, of the shape of f."""
        parts = [sum(float(c) * self.of(k, m) for m, c in terms.items()) for k in range(self.outputs)]
        return torch.stack(parts, -1)
