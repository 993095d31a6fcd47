"""A function through apolar and by nested autograd: the same operators of it, and the gradients through them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

import apolar as ap
from tests.oracles.nested_autograd import Derivatives

C = ap.coordinates("x y")
dx, dy = C
OPERATORS = (C.one, dx, C.laplacian, dx**2 * dy)
X = torch.randn(5, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
Function = Callable[..., Any]


def network(seed: int = 0, last: int = 2) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(2, 5), nn.Tanh(), nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, last)).double()


def squares(results: Sequence[Tensor]) -> Tensor:
    """One number that all results take part in."""
    return sum((((k + 1) * y) ** 2).sum() for k, y in enumerate(results))  # type: ignore[return-value]


def with_gradients(results: Sequence[Tensor], parameters: Sequence[Tensor]) -> list[Tensor]:
    gradients = torch.autograd.grad(squares(results), parameters, materialize_grads=True) if parameters else ()
    return [*(y.detach() for y in results), *gradients]


def lifted(f: Function, parameters: Sequence[Tensor] = ()) -> list[Tensor]:
    return with_gradients(ap.evaluate(f, X, *OPERATORS), parameters)


def nested(f: Function, parameters: Sequence[Tensor] = ()) -> list[Tensor]:
    derivatives = Derivatives(f, X)
    return with_gradients([derivatives.operator(p.terms) for p in OPERATORS], parameters)


def close(found: Sequence[Tensor], expected: Sequence[Tensor]) -> bool:
    return len(found) == len(expected) and all(
        torch.allclose(a, b, rtol=1e-9, atol=1e-10) for a, b in zip(found, expected, strict=True)
    )
