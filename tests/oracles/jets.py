"""The one place where the tests of the rules call apolar: a function of tensors through jets."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from .lines import INDICES, Direction, Function, Index, Point, flat, leaves, real


def jet_derivatives(
    f: Function, x: Point, v: Direction, w: Direction, indices: Iterable[Index] = INDICES
) -> dict[Index, Tensor]:
    """∂ˢⁱ∂ᵗʲ of f(x + s·v + t·w) at 0 for each multi-index in one pass; without direction, a plain tensor."""
    from apolar.algebras.algebra import algebra
    from apolar.algebras.operators import coordinates
    from apolar.engine.context import begin
    from apolar.evaluation.evaluate import read
    from apolar.evaluation.seeds import lift

    ds, dt = coordinates("s t")
    operators = {(i, j): ds**i * dt**j for i, j in indices}
    carried = algebra(*operators.values())
    context = begin()
    inputs = [p if a is None and b is None else lift(carried, p, (a, b), context) for p, a, b in zip(x, v, w)]
    outputs = leaves(f(*inputs))
    columns = zip(*[read(carried, output, list(operators.values()), context) for output in outputs], strict=True)
    return {index: real(flat(column)) for index, column in zip(operators, columns, strict=True)}


def jet_gradient(f: Function, x: Point, v: Direction, w: Direction, index: Index, c: Tensor) -> Tensor:
    """⟨∇ₓ⟨c, ∂ˢⁱ∂ᵗʲ f⟩, w⟩ by reverse mode through the jets: the derivative with one order more in t, weighted by c."""
    moving = [p.detach().clone().requires_grad_(d is not None) for p, d in zip(x, w)]
    value = c @ jet_derivatives(f, moving, v, [None] * len(moving), [index])[index].to(c.dtype)
    wanted = [p for p in moving if p.requires_grad]
    if not value.requires_grad:
        return torch.zeros((), dtype=torch.float64)
    gradients = torch.autograd.grad(value, wanted, materialize_grads=True)
    return sum((g * d.conj()).real.sum() for g, d in zip(gradients, (d for d in w if d is not None)))  # type: ignore[return-value]
