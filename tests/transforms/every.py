"""Every transform once, as a function of one tensor, with the same said in torch.func: for what happens around them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

import apolar as ap
from tests.oracles.scenarios import nested, pair, smooth, vector
from tests.oracles.torch_func import contracted, derivatives, diagonal

V = torch.tensor([0.4, -1.2, 0.7], dtype=torch.float64)


class Line(NamedTuple):
    """A transform of some function, and the reference; both map a tensor of three entries to a nest of tensors."""

    found: Callable[[Tensor], Any]
    expected: Callable[[Tensor], Any]


def entries(x: Tensor) -> Tensor:
    """Entry by entry."""
    return torch.sin(2 * x) * x


def flow(p: Tensor) -> Tensor:
    return torch.sin(p) * p.flip(-1) ** 2 + p.roll(1, -1)


def height(p: Tensor) -> Tensor:
    return torch.sin(p[..., :1]) * p[..., 1:2] ** 4 * torch.exp(p[..., 2:])


def entrywise(order: int) -> Callable[[Tensor], Tensor]:
    """The diagonal of all derivatives of ``entries``."""

    def derivative(x: Tensor) -> Tensor:
        if not order:
            return entries(x)
        return torch.stack([derivatives(lambda s: entries(s), order)(s) for s in x])

    return derivative


def gradient(F: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    return torch.func.jacrev(F)


def curl(x: Tensor) -> Tensor:
    L = gradient(flow)(x)
    return torch.stack([L[2, 1] - L[1, 2], L[0, 2] - L[2, 0], L[1, 0] - L[0, 1]])


def velocity(x: Tensor) -> ap.VelocityGradient:
    L = gradient(flow)(x)
    return ap.VelocityGradient(L, (L + L.mT) / 2, (L - L.mT) / 2)


def trace(f: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    return lambda x: diagonal(derivatives(f, 2)(x), (3,)).sum(-1)


EVERY: dict[str, Line] = {
    "derivative": Line(ap.derivative(entries, 3), entrywise(3)),
    "taylor": Line(ap.taylor(entries, 2), lambda x: [entrywise(k)(x) for k in range(3)]),
    "grad": Line(ap.grad(smooth), derivatives(smooth, 1)),
    "jacobian": Line(ap.jacobian(vector), derivatives(vector, 1)),
    "jacobian of a nest": Line(ap.jacobian(nested), derivatives(nested, 1)),
    "jvp": Line(lambda x: ap.jvp(pair, (x,), (V,)), lambda x: (pair(x), contracted_pair(x))),
    "vjp": Line(lambda x: ap.vjp(torch.sin, x)[1](V)[0], lambda x: torch.cos(x) * V),
    "hessian": Line(ap.hessian(vector), derivatives(vector, 2)),
    "hessian in chunks": Line(ap.hessian(smooth, chunk_size=2), derivatives(smooth, 2)),
    "hvp": Line(lambda x: ap.hvp(smooth, x, V), lambda x: contracted(derivatives(smooth, 2)(x), V)),
    "vhp": Line(lambda x: ap.vhp(smooth, x, V), lambda x: contracted(derivatives(smooth, 2)(x), V)),
    "hessian_diagonal": Line(ap.hessian_diagonal(vector), lambda x: diagonal(derivatives(vector, 2)(x), (3,))),
    "hessian_trace": Line(ap.hessian_trace(vector), trace(vector)),
    "derivative_tensor": Line(ap.derivative_tensor(smooth, 3), derivatives(smooth, 3)),
    "laplacian": Line(ap.laplacian(height), trace(height)),
    "bilaplacian": Line(ap.bilaplacian(height), trace(trace(height))),
    "divergence": Line(ap.divergence(flow), lambda x: gradient(flow)(x).diagonal().sum()),
    "curl": Line(ap.curl(flow), curl),
    "directional": Line(ap.directional(height, V, 2), lambda x: contracted(derivatives(height, 2)(x), V, 2)),
    "velocity_gradient": Line(ap.velocity_gradient(flow), velocity),
    "evaluate": Line(
        lambda x: ap.evaluate(height, x, 1, (c := ap.coordinates("x y z"))["x"] * c["y"]),
        lambda x: (height(x), derivatives(height, 2)(x)[:, 0, 1]),
    ),
}


def contracted_pair(x: Tensor) -> tuple[Tensor, ...]:
    return tuple(contracted(J, V) for J in derivatives(pair, 1)(x))
