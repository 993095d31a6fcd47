"""JAX, compiled by ``jax.jit``: ``hessian`` and its higher tensors, and Taylor mode by ``jax.experimental.jet``.

The same network with the same weights: a table says every module in the words of JAX.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from torch import nn

from .. import networks
from ..cases import Derivative
from ..problem import Problem, Step, sum_of_squares
from . import pointwise
from .peer import LeftOut, Peer

Weights = dict[str, Any]


def imported(problem: Problem) -> Any:
    try:
        import jax
    except ImportError as error:
        raise LeftOut(f"JAX is not installed ({error})") from None
    jax.config.update("jax_enable_x64", True)  # dtypes are those of the arrays
    if problem.device.startswith("cuda") and jax.default_backend() != "gpu":
        raise LeftOut(f"this JAX computes on {jax.default_backend()} only")
    return jax


def of(weights: Weights, name: str) -> Weights:
    """Those of a module inside."""
    return {key.removeprefix(name + "."): w for key, w in weights.items() if key.startswith(name + ".")}


def inside(module: nn.Module, name: str, weights: Weights, x: Any) -> Any:
    return apply(module.get_submodule(name), of(weights, name), x)


def apply(module: nn.Module, w: Weights, x: Any) -> Any:
    """What the module does."""
    return MODULES[type(module)](module, w, x)


def sequential(module: nn.Sequential, w: Weights, x: Any) -> Any:
    for name in module._modules:
        x = inside(module, name, w, x)
    return x


def encoder(module: networks.Encoder, w: Weights, x: Any) -> Any:
    x = x + inside(module, "attention", w, x)
    return x + inside(module, "layers", w, x)


def attention(module: networks.Attention, w: Weights, x: Any) -> Any:
    import jax

    q, k, v = (inside(module, name, w, x) for name in ("q", "k", "v"))
    return inside(module, "out", w, jax.nn.softmax(q @ k.T / math.sqrt(x.shape[-1]), -1) @ v)


def tanh(_: nn.Tanh, w: Weights, x: Any) -> Any:
    import jax.numpy as jnp

    return jnp.tanh(x)


MODULES: dict[type, Callable[[Any, Weights, Any], Any]] = {
    nn.Linear: lambda _, w, x: x @ w["weight"].T + w["bias"],
    nn.Tanh: tanh,
    nn.Sequential: sequential,
    networks.Residual: lambda m, w, x: x + inside(m, "block", w, x),
    networks.Norm: lambda _, w, x: x / ((x * x).mean(-1, keepdims=True) + 1e-5) ** 0.5,
    networks.Tokens: lambda _, w, x: x[:, None] * w["scale"] + w["place"],
    networks.Attention: attention,
    networks.Encoder: encoder,
    networks.Mean: lambda _, w, x: x.mean(-2),
}


def prepared(derivatives: Callable[..., dict]) -> Callable[[Problem], Step]:
    """``derivatives(f, x, wanted)`` are those of a function of one point."""

    def prepare(problem: Problem) -> Step:
        jax, case = imported(problem), problem.case
        weights = {name: jax.numpy.asarray(p.detach().cpu().numpy()) for name, p in problem.net.named_parameters()}
        X = jax.numpy.asarray(problem.X.cpu().numpy())

        def loss(weights: Weights, X: Any) -> Any:
            def at(x: Any) -> tuple:
                return case.run(derivatives(lambda x: apply(problem.net, weights, x), x, case.derivatives).__getitem__)

            return sum_of_squares(jax.vmap(at)(X))

        value_and_gradient = jax.jit(jax.value_and_grad(loss))

        def step() -> list[Any]:
            value, gradients = jax.block_until_ready(value_and_gradient(weights, X))
            return [value, *(gradients[name] for name in weights)]

        return step

    return prepare


def by_tower(f: Any, x: Any, wanted: tuple[Derivative, ...]) -> dict:
    import jax

    return pointwise.from_tower(f, x, wanted, jax)


def by_jets(f: Any, x: Any, wanted: tuple[Derivative, ...]) -> dict:
    """One jet for each axis; all axes at once for a Laplacian, whose powers are nested."""
    import jax
    from jax.experimental.jet import jet

    eye = jax.numpy.eye(x.shape[0], dtype=x.dtype)

    def along(g: Any, x: Any, e: Any, order: int) -> list[Any]:
        value, derivatives = jet(g, (x,), ((e, *[jax.numpy.zeros_like(e)] * (order - 1)),))
        return [value, *derivatives]

    def laplacian(g: Any) -> Any:
        return lambda x: jax.vmap(lambda e: along(g, x, e, 2)[2])(eye).sum(0)

    found: dict[Derivative, Any] = {}
    series: dict[int, list[Any]] = {}
    for p in sorted(wanted, key=lambda p: len(p.axes), reverse=True):
        if p.laplacians:
            g = f
            for _ in range(p.laplacians):
                g = laplacian(g)
            found[p] = g(x)[p.unknown]
        elif len(set(p.axes)) > 1:
            raise LeftOut("a jet is along one direction: no mixed derivatives")
        else:
            axis = p.axes[0] if p.axes else next(iter(series), 0)
            series.setdefault(axis, along(f, x, eye[axis], max(len(p.axes), 1)))
            found[p] = series[axis][len(p.axes)][p.unknown]
    return found


JAX_HESSIAN = Peer("JAX hessian", prepared(by_tower), eager=False, counted=False)
JAX_JET = Peer("JAX jet", prepared(by_jets), eager=False, counted=False)
