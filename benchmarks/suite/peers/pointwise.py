"""Full derivative tensors of a function of one point, in words that torch.func and JAX share.

``T`` is ``torch.func`` or ``jax``; f maps a point ``(d,)`` to the unknowns ``(k,)``. Values and lower derivatives come along
as auxiliary outputs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..cases import Derivative

Function = Callable[[Any], Any]


def tower(f: Function, order: int, T: Any) -> Function:
    """x ↦ (f, ∇f, ∇²f, …), full tensors: reverse mode first, then forward mode."""
    if order == 0:
        return lambda x: (f(x),)
    below = tower(f, order - 1, T)

    def last(x: Any) -> Any:
        found = below(x)
        return found[-1], found

    jacobian = (T.jacrev if order == 1 else T.jacfwd)(last, has_aux=True)

    def all_of_them(x: Any) -> Any:
        highest, found = jacobian(x)
        return (*found, highest)

    return all_of_them


def from_tower(f: Function, x: Any, wanted: tuple[Derivative, ...], T: Any) -> dict[Derivative, Any]:
    """Partial derivatives are entries of full tensors, Laplacians traces of Hessians, their powers nested."""

    def laplacian(g: Function) -> Function:
        return lambda x: trace(tower(g, 2, T)(x)[2])

    order = max(max(len(p.axes), 2 * min(p.laplacians, 1)) for p in wanted)
    power = max(p.laplacians for p in wanted)
    for _ in range(power - 1):
        f = laplacian(f)
    found = tower(f, order, T)(x)
    return {p: trace(found[2])[p.unknown] if p.laplacians else found[len(p.axes)][(p.unknown, *p.axes)] for p in wanted}


def trace(hessian: Any) -> Any:
    return hessian.diagonal(0, -2, -1).sum(-1)
