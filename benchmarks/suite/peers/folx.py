"""folx: the forward Laplacian in JAX, compiled by ``jax.jit``; powers by nesting."""

from __future__ import annotations

from typing import Any

from ..cases import Derivative
from .jax import prepared
from .peer import LeftOut, Peer


def derivatives(f: Any, x: Any, wanted: tuple[Derivative, ...]) -> dict:
    try:
        import folx
    except ImportError as error:
        raise LeftOut(f"folx is not installed ({error})") from None
    if not any(p.laplacians for p in wanted) or any(len(p.axes) > 1 for p in wanted):
        raise LeftOut("folx computes values, gradients and Laplacians")
    for _ in range(max(p.laplacians for p in wanted) - 1):
        f = (lambda g: lambda x: folx.forward_laplacian(g)(x).laplacian)(f)
    found = folx.forward_laplacian(f)(x)
    gradient = found.jacobian.dense_array  # the points' axis comes first
    return {
        p: found.laplacian[p.unknown] if p.laplacians else (gradient[p.axes] if p.axes else found.x)[p.unknown]
        for p in wanted
    }


FOLX = Peer("folx", prepared(derivatives), eager=False, counted=False)
