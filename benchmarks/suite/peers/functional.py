"""``torch.func``: ``vmap(hessian)`` and its higher tensors, and ``jvp ∘ grad``: gradients in reverse mode, pushed forward."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.func import jacrev, jvp, vmap

from ..cases import Derivative
from ..problem import Problem, Step
from . import pointwise
from .peer import Peer

Function = Callable[[Tensor], Any]
Wanted = tuple[Derivative, ...]


def prepared(derivatives: Callable[[Function, Tensor, Wanted], dict]) -> Callable[[Problem], Step]:
    """``derivatives(f, x, wanted)`` are those of a function of one point."""

    def prepare(problem: Problem) -> Step:
        case, net, X = problem.case, problem.net, problem.X

        def at(x: Tensor) -> tuple:
            return case.run(derivatives(net, x, case.derivatives).__getitem__)

        return problem.step(lambda: vmap(at)(X))

    return prepare


def by_tower(f: Function, x: Tensor, wanted: Wanted) -> dict:
    return pointwise.from_tower(f, x, wanted, torch.func)


def by_pushed_gradients(f: Function, x: Tensor, wanted: Wanted) -> dict:
    basis = torch.eye(x.shape[-1], dtype=x.dtype, device=x.device)

    def laplacian(g: Function) -> Function:
        gradient = jacrev(g)
        return lambda x: vmap(lambda e: (jvp(gradient, (x,), (e,))[1] * e).sum(-1))(basis).sum(0)

    def pushed(axes: tuple[int, ...]) -> Function:
        """x ↦ (f, ∇f, ∂ₐ∇f, ∂ᵦ∂ₐ∇f, …)."""
        if not axes:
            return lambda x: jacrev(lambda x: (y := f(x), y), has_aux=True)(x)[::-1]
        below = pushed(axes[:-1])

        def further(x: Tensor) -> tuple[Tensor, ...]:
            found, moved = jvp(below, (x,), (basis[axes[-1]],))
            return (*found, moved[-1])

        return further

    if all(p.laplacians for p in wanted):
        for _ in range(wanted[0].laplacians):
            f = laplacian(f)
        values = f(x)
        return {p: values[p.unknown] for p in wanted}

    # Beside other derivatives a Laplacian is a sum of second ones, which bring the lower ones along. The gradient takes
    # the last axis, those before it are pushed, and one chain of pushes serves all of its beginnings.
    terms = {p: [(i, i) for i in range(len(x))] if p.laplacians else [p.axes] for p in wanted}
    series: dict[tuple[int, ...], tuple[Tensor, ...]] = {}
    for chain in sorted({axes[:-1] for group in terms.values() for axes in group}, key=len, reverse=True):
        if not any(known[: len(chain)] == chain for known in series):
            series[chain] = pushed(chain)(x)

    def read(unknown: int, axes: tuple[int, ...]) -> Tensor:
        along = next(found for chain, found in series.items() if chain[: len(axes[:-1])] == axes[:-1])
        return along[len(axes)][(unknown, *axes[-1:])]

    return {p: sum(read(p.unknown, axes) for axes in group) for p, group in terms.items()}


HESSIAN = Peer("vmap(hessian)", prepared(by_tower))
JVP_GRAD = Peer("jvp∘grad", prepared(by_pushed_gradients))
