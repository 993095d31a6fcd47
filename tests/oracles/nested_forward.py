"""Derivatives by nesting ``torch.func.jvp``: PyTorch's forward over forward mode, where PyTorch is right.

∂ˢᵏ f(x + s·v) at 0. PyTorch 2.13 is wrong here for the second derivatives of ``det``, ``slogdet``, ``solve`` and others.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from .lines import Direction, Function, Point, along, real


def derivative(f: Function, x: Point, v: Direction, order: int) -> Tensor:
    """∂ˢᵏ f(x + s·v) for k = ``order`` as one vector."""
    g = along(f, x, v)

    def raised(h: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
        return lambda s: torch.func.jvp(h, (s,), (torch.ones_like(s),))[1]

    h: Callable[[Tensor], Tensor] = lambda s: real(g(s))  # type: ignore[arg-type]  # noqa: E731
    for _ in range(order):
        h = raised(h)
    return h(torch.zeros((), dtype=torch.float64)).detach()
