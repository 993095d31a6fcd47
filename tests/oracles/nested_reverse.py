"""Derivatives by differentiating reverse mode again and again: PyTorch's own way, where PyTorch is right.

⟨c, ∂ˢⁱ∂ᵗʲ f(x + s·v + t·w)⟩ for fixed output weights c: i + j nested calls of ``torch.autograd.grad`` with respect to
the scalars s and t. PyTorch 2.13 is wrong here for the third derivative of ``layer_norm``.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .lines import Direction, Function, Index, Point, flat, real


def derivative(f: Function, x: Point, v: Direction, w: Direction, index: Index, c: Tensor) -> Tensor:
    """⟨c, ∂ˢⁱ∂ᵗʲ f⟩ as a scalar."""
    s, t = (torch.zeros((), dtype=torch.float64, requires_grad=True) for _ in range(2))

    def moved(p: Tensor, a: Tensor | None, b: Tensor | None) -> Tensor:
        p = p if a is None else p + s * a
        return p if b is None else p + t * b

    g = c @ real(flat(f(*map(moved, x, v, w))))
    for symbol, order in zip((s, t), index):
        for _ in range(order):
            if not g.requires_grad:
                return torch.zeros((), dtype=torch.float64)
            (g,) = torch.autograd.grad(g, symbol, create_graph=True, materialize_grads=True)
    return g.detach()
