"""Operators without a rule and without parts: their derivatives from PyTorch, combined by the algebra.

A jet stands for the path x(ξ) = Σₖ xₖ eₖ(ξ), where the polynomials eₖ are dual to the basis, pᵢ(∂)eₖ(0) = δᵢₖ. Since V is
closed, pₖ(∂) F(x(ξ)) at 0 depends on nothing else. With weights w, h = ⟨w, F(x(ξ))⟩ is a scalar whose derivatives with
respect to the scalars ξⱼ are nested reverse passes, and each of them is linear in w, so that a last pass gives ∂ᵅF.

PyTorch's derivatives are not right everywhere, and a backward pass that cannot be differentiated often gives zeros. So they
are judged by differences where they are used (``judging.py``), and refused where they do not agree.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from apolar.algebras.operators import Monomial
from apolar.engine.jet import Jet, belongs, unsupported
from apolar.engine.torch_private import OpOverload, mutates, tree_flatten, tree_leaves, tree_map, tree_unflatten
from apolar.rules.judging import Judge

NO_DERIVATIVE = (
    "PyTorch's own derivatives of it are missing or wrong at this order: say it in functions that "
    "ap.supported_operators() lists."
)


def by_reverse_mode(jet: Jet, func: Any, *args: Any, **kwargs: Any) -> Any:
    """An operator by nested reverse passes through PyTorch's derivatives of it."""
    if not isinstance(func, OpOverload) or mutates(func):
        raise unsupported(func, jet)
    if any(isinstance(x.components, Jet) for x in tree_leaves((args, kwargs)) if belongs(x, jet)):
        raise unsupported(
            func, jet, "An evaluation inside of another cannot differentiate it: ask for all operators at once."
        )
    try:
        if judge.wrong_order(jet, func, args, kwargs) is not None:
            raise unsupported(func, jet, NO_DERIVATIVE)
        return _by_reverse_mode(jet, func, *args, **kwargs)
    except (NotImplementedError, RuntimeError) as error:
        raise unsupported(func, jet, NO_DERIVATIVE) from error


def _by_reverse_mode(jet: Jet, func: Any, *args: Any, **kwargs: Any) -> Any:
    leaves, tree = tree_flatten((args, kwargs))

    def at(*moving: Any) -> Any:
        rest = iter(moving)
        args, kwargs = tree_unflatten([next(rest) if belongs(x, jet) else x for x in leaves], tree)
        return func(*args, **kwargs)

    moving = [x for x in leaves if belongs(x, jet)]
    recorded = torch.is_grad_enabled() and any(x.requires_grad for x in leaves if isinstance(x, Tensor))
    with torch.enable_grad():
        symbols = [torch.zeros((), dtype=torch.float64, requires_grad=True) for _ in jet.algebra.coordinates]
        output = at(*(_path(x.components, symbols, jet.algebra.path) for x in moving))
        numbers = [y for y in tree_leaves(output) if _floating(y)]
        if numbers and not any(map(_moves, numbers)):
            raise unsupported(func, jet, NO_DERIVATIVE)
        return tree_map(lambda y: jet.like(_components(y, symbols, jet, recorded)) if _moves(y) else y, output)


judge = Judge(_by_reverse_mode)


def _floating(y: Any) -> bool:
    return isinstance(y, Tensor) and (y.is_floating_point() or y.is_complex())


def _moves(y: Any) -> bool:
    return isinstance(y, Tensor) and y.requires_grad


def _path(components: Tensor, symbols: list[Tensor], monomials: tuple[tuple[Monomial, float], ...]) -> Tensor:
    """x(ξ) = Σₖ xₖ eₖ(ξ)."""
    total: Any = 0
    for x, (powers, c) in zip(components.unbind(0), monomials, strict=True):
        e: Any = c
        for symbol, power in zip(symbols, powers, strict=True):
            e = e * symbol**power if power else e
        total = total + x * (e.to(x) if isinstance(e, Tensor) else e)
    return total


def _components(y: Tensor, symbols: list[Tensor], jet: Jet, recorded: bool) -> Tensor:
    """pₖ(∂) y for every k, where y depends on the symbols."""
    weights = torch.zeros_like(y, requires_grad=True)
    derivatives = {(0,) * len(symbols): torch.real(weights.conj() * y).sum()}

    def derivative(monomial: Monomial) -> Tensor:
        if monomial not in derivatives:
            j = next(j for j, power in enumerate(monomial) if power)
            lower = derivative((*monomial[:j], monomial[j] - 1, *monomial[j + 1 :]))
            derivatives[monomial] = _gradient(lower, symbols[j], recorded=True)
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
