"""Products and compositions of jets in eager torch, and the reference for every other back end.

Components are tensors; one that is zero everywhere may be the number 0. Where no derivative is recorded, sums are
accumulated in place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from apolar.algebra import Algebra, Term
from apolar.jet import Jet
from apolar.series import Scaled, dense, split


def in_place(*tensors: Any) -> bool:
    """Whether results may be accumulated in place: nobody records, batches or lifts these operations."""
    return not (
        torch.is_grad_enabled()
        or torch._C._are_functorch_transforms_active()
        or any(isinstance(t, Jet) for t in tensors)
    )


def product(algebra: Algebra, g: Sequence[Tensor], h: Sequence[Tensor]) -> Tensor:
    """g·h by Leibniz' rule."""
    table = algebra.square if g is h else algebra.product
    return torch.stack([_sum_of_products(terms, g, h) for terms in table])


def bilinear(algebra: Algebra, function: Callable[[Any, Any], Tensor], g: Sequence[Any], h: Sequence[Any]) -> Tensor:
    """function(g, h) by Leibniz' rule, for any function that is linear in either argument."""
    return torch.stack([_sum(_times(c, function(g[i], h[j])) for i, j, c in terms) for terms in algebra.product])


def divide(
    algebra: Algebra,
    invert: Callable[[Any], Tensor],
    multiply: Callable[[Any, Any], Tensor],
    a: Sequence[Any],
    b: Sequence[Any],
) -> Tensor:
    """x with a·x = b, where ``invert`` divides by a₀: xₖ = (bₖ − Σ c aᵢ xⱼ)/a₀ over the terms with i ≥ 1, in order."""
    x: list[Tensor] = []
    for b_k, terms in zip(b, algebra.product, strict=True):
        known = [_times(c, multiply(a[i], x[j])) for i, j, c in terms if i]
        x.append(invert(b_k - _sum(known) if known else b_k))
    return torch.stack(x)


def compose(algebra: Algebra, taylor: Sequence[Any], components: Tensor) -> Tensor:
    """φ(g) = Σₑ φₑ nᵉ with φₑ = φ⁽ᵉ⁾(g₀)/e! and n the nilpotent part of g: Faà di Bruno's formula for the algebra."""
    g = components.unbind(0)
    last = [0, *(e for e, c in enumerate(taylor) if split(c)[0])][-1]
    powers: dict[int, Mapping[int, Tensor]] = {1: {k: g[k] for k in range(1, algebra.size)}}
    for exponent, step in enumerate(algebra.powers[: last - 1 if last else 0], start=2):
        left, right = powers[step.left], powers[step.right]
        powers[exponent] = {k: _sum_of_products(terms, left, right) for k, terms in step.terms.items()}
    value = dense(taylor[0])
    value = value if isinstance(value, Tensor) else torch.full_like(g[0], value)
    number, slope = split(taylor[1]) if algebra.size > 1 else (0, None)
    if in_place(components):
        out = torch.empty_like(components)
        out[0] = value
        torch.mul(components[1:], number if slope is None else slope, out=out[1:])
        scaled = out.unbind(0)
        if slope is not None and number != 1:
            out[1:] *= number
    else:
        scaled = (g[0], *_times(number, components[1:] if slope is None else components[1:] * slope).unbind(0))
    parts = [
        _accumulate(scaled[k], [(taylor[e], powers[e][k]) for e in range(2, last + 1) if k in powers[e]])
        for k in range(1, algebra.size)
    ]
    return out if in_place(components) else torch.stack([value, *parts])


def dual_product(algebra: Algebra, factor: Tensor, cotangent: Tensor) -> Tensor:
    """The adjoint of h ↦ factor·h, applied to the cotangent: ḡⱼ = Σ cₖᵢⱼ factorᵢ w̄ₖ, with complex factors conjugated."""
    factor = factor.conj()
    f, w = factor.unbind(0), cotangent.unbind(0)
    base = f[0] * cotangent
    parts = [
        _accumulate(base[j], [(Scaled(c, f[i]), w[k]) for k, i, c in terms if i])
        for j, terms in enumerate(algebra.dual)
    ]
    return base if in_place(factor, cotangent) else torch.stack(parts)


def stack(components: Sequence[Any]) -> Tensor:
    """Components on a new first axis."""
    like = next(c for c in components if isinstance(c, Tensor))
    return torch.stack([c if isinstance(c, Tensor) else torch.full_like(like, c) for c in components])


def _accumulate(total: Tensor, products: Iterable[tuple[Any, Tensor]]) -> Tensor:
    """total + Σ φ·n; in place where that is allowed."""
    for factor, n in products:
        number, tensor = split(factor)
        if not number:
            continue
        if in_place(total, n):
            total = total.add_(n, alpha=number) if tensor is None else total.addcmul_(tensor, n, value=number)
        else:
            total = (
                torch.add(total, n, alpha=number) if tensor is None else torch.addcmul(total, tensor, n, value=number)
            )
    return total


def _sum_of_products(terms: Sequence[Term], g: Any, h: Any) -> Tensor:
    (i, j, c), *rest = terms
    return _accumulate(_times(c, g[i] * h[j]), [(Scaled(c, g[i]), h[j]) for i, j, c in rest])


def _sum(tensors: Iterable[Tensor]) -> Tensor:
    first, *rest = tensors
    for tensor in rest:
        first = first + tensor
    return first


def _times(c: float, tensor: Tensor) -> Tensor:
    return tensor if c == 1 else tensor * c
