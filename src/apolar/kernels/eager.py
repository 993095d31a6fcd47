"""Products and compositions of jets in eager torch, and the reference for every other back end.

Components are tensors; one that is zero everywhere may be the number 0. Where no derivative is recorded, sums are
accumulated in place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from apolar.algebras.algebra import Algebra, Term
from apolar.engine.context import only_reverse_mode, unobserved
from apolar.engine.jet import Jet
from apolar.engine.series import NUMBERS, Scaled, dense, split, times


def in_place(*operands: Any) -> bool:
    """Whether results may be accumulated in place: nobody records, batches or lifts these operations."""
    if not only_reverse_mode():
        return False
    recording = torch.is_grad_enabled()
    for x in operands:
        if type(x) is Jet or (recording and type(x) not in NUMBERS and getattr(x, "requires_grad", True)):
            return False
    return True


FEW = 8192
"""Entries up to which calls of torch cost more than the arithmetic in them."""


def few(*tensors: Any) -> bool:
    """Whether it is better to compute all at once than each in place: small, plain, and recorded by nobody."""
    recording = torch.is_grad_enabled()
    for x in tensors:
        if type(x) is not Tensor or x.numel() > FEW or not x.is_cpu or (recording and x.requires_grad):
            return False
    return unobserved()


def multiplied(algebra: Algebra, g: Tensor, h: Tensor) -> Tensor:
    """g·h by Leibniz' rule, of stacked components."""
    if algebra.size > 2 and g.ndim == h.ndim and few(g, h):
        return _at_once(algebra, "product", g, h)
    factors = g.unbind(0)
    return product(algebra, factors, factors if g is h else h.unbind(0))


def product(algebra: Algebra, g: Sequence[Tensor], h: Sequence[Tensor]) -> Tensor:
    """The same of components one by one."""
    table = algebra.square if g is h else algebra.product
    return torch.stack([_sum_of_products(terms, g, h) for terms in table])


def _at_once(algebra: Algebra, table: str, g: Tensor, h: Tensor) -> Tensor:
    """The sums of c·gᵢ·hⱼ that a table of the algebra asks for, in four calls of torch."""
    left, right, into, factors = _indices(algebra, table)
    terms = g.index_select(0, left) * h.index_select(0, right)
    if factors is not None:
        terms *= factors.reshape(-1, *(1,) * (terms.ndim - 1))
    return terms.new_zeros(algebra.size, *terms.shape[1:]).index_add_(0, into, terms)


@lru_cache(maxsize=1024)
def _indices(algebra: Algebra, table: str) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    """Of every term of a table the left component, the right one, where it is added, and its factor if some are not 1."""
    if table == "product":
        terms = [(i, j, k, c) for k, row in enumerate(algebra.product) for i, j, c in row]
    else:
        terms = [(i, k, j, c) for i, row in enumerate(algebra.dual) for k, j, c in row]
    *indices, factors = zip(*terms, strict=True)
    with torch.inference_mode(False):
        left, right, into = (torch.tensor(index) for index in indices)
        return left, right, into, None if set(factors) == {1.0} else torch.tensor(factors, dtype=torch.float64)


def bilinear(algebra: Algebra, function: Callable[[Any, Any], Tensor], g: Sequence[Any], h: Sequence[Any]) -> Tensor:
    """function(g, h) by Leibniz' rule, for any function that is linear in either argument."""
    return torch.stack([_sum(_times(c, function(g[i], h[j])) for i, j, c in terms) for terms in algebra.product])


def quotient(algebra: Algebra, b: Sequence[Any], a: Tensor) -> Tensor:
    """b/a, entry by entry, of components one by one and of stacked ones."""
    like = b[0].shape in (a.shape[1:], ()) and b[0].dtype == a.dtype
    long = algebra.univariate and algebra.order > 6
    if not (long and like and few(a, *(c for c in b if isinstance(c, Tensor)))):
        return divide(algebra, lambda c: c / a[0], torch.mul, a.unbind(0), b)
    x = torch.empty_like(a)
    for k, b_k in enumerate(b):
        known = (a[1 : k + 1] * x[:k].flip(0)).sum(0) if k else 0
        torch.div(b_k - known, a[0], out=x[k])
    return x


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
    """φ(g) with its components on the first axis."""
    g = components.unbind(0)
    if not in_place(components, *(factor for c in taylor if (factor := split(c)[1]) is not None)):
        return stack(list(composed(algebra, taylor, g)), g[0])
    out = torch.empty_like(components)
    for k, component in enumerate(composed(algebra, taylor, g, out)):
        if k == 0 or not isinstance(component, Tensor):
            out[k] = component
    return out


def composed(algebra: Algebra, taylor: Sequence[Any], g: Sequence[Any], out: Any = None) -> Iterator[Any]:
    """The components of φ(g) = Σₑ φₑ nᵉ one by one, with φₑ = φ⁽ᵉ⁾(g₀)/e! and n the nilpotent part of g.

    This is Faà di Bruno's formula for the algebra. All but the first are written to ``out``, where it is given.
    """
    last = [0, *(e for e, c in enumerate(taylor) if split(c)[0])][-1]
    support = frozenset(k for k in range(1, algebra.size) if not absent(g[k]))
    steps = algebra.powers if len(support) == algebra.size - 1 else algebra.powers_of(support)
    powers: dict[int, Mapping[int, Any]] = {1: {k: g[k] for k in support}}
    for exponent, step in enumerate(steps[: last - 1 if last else 0], start=2):
        left, right = powers[step.left], powers[step.right]
        powers[exponent] = {k: _sum_of_products(terms, left, right) for k, terms in step.terms.items()}
    overwrite = in_place(*g)
    yield dense(taylor[0])
    for k in range(1, algebra.size):
        products = [(taylor[e], powers[e][k]) for e in range(1, max(last, 1) + 1) if k in powers[e]]
        if not products:
            yield 0
            continue
        (factor, n), *rest = products
        number, slope = split(factor)
        by: Any = number if slope is None else slope
        first = n * by if out is None else torch.mul(n, by, out=out[k])
        if slope is not None and number != 1:
            first = first.mul_(number) if overwrite else first * number
        yield _accumulate(first, rest, overwrite)


def dual_product(algebra: Algebra, factor: Iterable[Any], cotangent: Tensor) -> Tensor:
    """The adjoint of h ↦ factor·h, applied to the cotangent: ḡⱼ = Σ cₖᵢⱼ factorᵢ w̄ₖ, with complex factors conjugated.

    The components of the factor are taken one by one and may be made on the way.
    """
    factors = iter(factor)
    if algebra.size > 2 and few(cotangent):
        stacked = stack(list(factors), cotangent[0])
        if few(stacked):
            return _at_once(algebra, "dual", stacked.conj(), cotangent)
        factors = iter(stacked.unbind(0))
    first = next(factors)
    base = (first.conj() if isinstance(first, Tensor) else first) * cotangent
    overwrite = in_place(base)
    totals = dual_sums(algebra, factors, list(base.unbind(0)), cotangent.unbind(0), overwrite)
    return base if overwrite else torch.stack(totals)


def dual_sums(
    algebra: Algebra, factors: Iterable[Any], totals: list[Any], cotangent: Sequence[Any], overwrite: bool
) -> list[Any]:
    """Adds to the totals what the nilpotent part of the factor gives."""
    for i, f in enumerate(factors, start=1):
        if absent(f):
            continue
        for k, j, c in algebra.dual[i]:
            if not absent(cotangent[k]):
                totals[j] = _accumulate(totals[j], [(Scaled(c, f.conj()), cotangent[k])], overwrite)
    return totals


def absent(component: Any) -> bool:
    """Whether it is the number 0: zero everywhere."""
    return type(component) in NUMBERS and component == 0


def stack(components: Sequence[Any], like: Tensor | None = None) -> Tensor:
    """Components on a new first axis; numbers become tensors like the given one, or like the first that is a tensor."""
    like = next(c for c in components if isinstance(c, Tensor)) if like is None else like
    return torch.stack([c if isinstance(c, Tensor) else torch.full_like(like, c) for c in components])


def _accumulate(total: Tensor, products: Iterable[tuple[Any, Tensor]], overwrite: bool) -> Tensor:
    """total + Σ φ·n, in the memory of ``total`` where that is allowed."""
    for factor, n in products:
        number, tensor = split(factor)
        if not number:
            continue
        if absent(total):
            total = dense(times(factor, n))
        elif overwrite:
            total = total.add_(n, alpha=number) if tensor is None else total.addcmul_(tensor, n, value=number)
        else:
            total = (
                torch.add(total, n, alpha=number) if tensor is None else torch.addcmul(total, tensor, n, value=number)
            )
    return total


def _sum_of_products(terms: Sequence[Term], g: Any, h: Any) -> Tensor:
    (i, j, c), *rest = terms
    first = g[i] * h[j]
    return _accumulate(_times(c, first), [(Scaled(c, g[i]), h[j]) for i, j, c in rest], in_place(first))


def _sum(tensors: Iterable[Tensor]) -> Tensor:
    first, *rest = tensors
    for k, tensor in enumerate(rest):
        first = first.add_(tensor) if k and in_place(first) else first + tensor
    return first


def _times(c: float, tensor: Tensor) -> Tensor:
    return tensor if c == 1 else tensor * c
