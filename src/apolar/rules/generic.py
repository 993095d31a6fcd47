"""Operators without a rule and without parts: their derivatives from PyTorch, combined by the algebra.

A jet stands for the path x(ξ) = Σₖ xₖ eₖ(ξ), where the polynomials eₖ are dual to the basis, pᵢ(∂)eₖ(0) = δᵢₖ. Since V is
closed, pₖ(∂) F(x(ξ)) at 0 depends on nothing else. With weights w, h = ⟨w, F(x(ξ))⟩ is a scalar whose derivatives with
respect to the scalars ξⱼ are nested reverse passes, and each of them is linear in w, so that a last pass gives ∂ᵅF.

PyTorch's own derivatives are not right everywhere: ATen operators are taken up to an order that the tests have verified.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload
from torch.utils._pytree import tree_flatten, tree_map, tree_unflatten

from apolar.jet import Jet, belongs, unsupported
from apolar.operators import Monomial

VERIFIED: dict[Any, int] = {}
"""By ATen operator: the order up to which PyTorch's nested reverse mode is right."""

NO_DERIVATIVE = "PyTorch has no derivative of it at this order: register one, or say it in functions that ap.supported_operators() lists."


def by_reverse_mode(jet: Jet, func: Any, *args: Any, **kwargs: Any) -> Any:
    """An operator through nested reverse passes: one of the user at any order, one of ATen as far as it is verified."""
    algebra = jet.algebra
    if not isinstance(func, OpOverload) or (
        func.namespace == "aten" and algebra.order > VERIFIED.get(func.overloadpacket, 0)
    ):
        raise unsupported(func, jet)
    leaves, tree = tree_flatten((args, kwargs))
    moving = [k for k, x in enumerate(leaves) if belongs(x, jet)]
    recorded = torch.is_grad_enabled() and any(isinstance(x, Tensor) and _requires_grad(x, jet) for x in leaves)
    with torch.enable_grad():
        symbols = [torch.zeros((), dtype=torch.float64, requires_grad=True) for _ in algebra.coordinates]
        for k in moving:
            leaves[k] = _path(leaves[k].components, symbols, algebra.path)
        at, named = tree_unflatten(leaves, tree)
        output = func(*at, **named)

    def lifted(y: Any) -> Any:
        if not isinstance(y, Tensor) or not (y.is_floating_point() or y.is_complex()):
            return y
        if not y.requires_grad:
            raise unsupported(func, jet, NO_DERIVATIVE)
        return jet.like(_components(y, symbols, jet, recorded))

    try:
        return tree_map(lifted, output)
    except (NotImplementedError, RuntimeError) as error:
        raise unsupported(func, jet, NO_DERIVATIVE) from error


def _requires_grad(x: Any, jet: Jet) -> bool:
    return x.components.requires_grad if belongs(x, jet) else x.requires_grad


def _path(components: Tensor, symbols: list[Tensor], monomials: tuple[tuple[Monomial, float], ...]) -> Tensor:
    """x(ξ) = Σₖ xₖ eₖ(ξ)."""
    total: Any = 0
    for x, (powers, c) in zip(components.unbind(0), monomials, strict=True):
        e: Any = c
        for symbol, power in zip(symbols, powers, strict=True):
            e = e * symbol**power if power else e
        total = total + x * (e if isinstance(e, float) else e.to(x.dtype))
    return total


def _components(y: Tensor, symbols: list[Tensor], jet: Jet, recorded: bool) -> Tensor:
    """pₖ(∂) y for every k, where y depends on the symbols."""
    weights = torch.zeros_like(y, requires_grad=True)
    with torch.enable_grad():
        derivatives = {(0,) * len(symbols): (weights.conj() * y).real.sum() if y.is_complex() else (weights * y).sum()}

        def derivative(monomial: Monomial) -> Tensor:
            if monomial not in derivatives:
                j = next(j for j, power in enumerate(monomial) if power)
                lower = derivative((*monomial[:j], monomial[j] - 1, *monomial[j + 1 :]))
                derivatives[monomial] = _gradient(lower, symbols[j], True)
            return derivatives[monomial]

        components = [
            sum(float(c) * _gradient(derivative(m), weights, recorded) for m, c in p.terms.items())
            for p in jet.algebra.basis
        ]
    return torch.stack(components)  # type: ignore[arg-type]


def _gradient(of: Tensor, with_respect_to: Tensor, recorded: bool) -> Tensor:
    if not of.requires_grad:
        return torch.zeros_like(with_respect_to)
    return torch.autograd.grad(of, with_respect_to, create_graph=recorded, retain_graph=True, materialize_grads=True)[0]
