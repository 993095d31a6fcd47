"""Two ways to derivatives that share nothing with jets: nested reverse mode, and high-precision finite differences.

Above ``operators``, below ``check``. Both take a function of points ``(..., d)`` to columns ``(..., k)`` and go through
an operator monomial by monomial.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from math import comb, factorial, prod
from typing import Any

import numpy as np
import torch
from numpy.polynomial import chebyshev
from torch import Tensor
from torch.overrides import TorchFunctionMode

from apolar.algebras.operators import Monomial, Operator
from apolar.engine.torch_private import tree_map

Function = Callable[[Tensor], Tensor]
Direction = tuple[Fraction, ...]


@dataclass(frozen=True)
class Reference:
    """One operator by one method.

    Attributes:
        value: ``(..., k)``.
        error: how far the method trusts itself, ``(..., k)``; zero where it is exact but for rounding.
        size: the largest Σ |c_α| |∂ᵅf|, against which errors are measured: a harmonic function has the Laplacian 0.
    """

    value: Tensor
    error: Tensor
    size: float


# --------------------------------------------------------------------------------------------------- nested reverse mode


def nested_reverse_mode(f: Function, points: Tensor, operators: Sequence[Operator]) -> list[Reference]:
    """Each monomial by as many calls of ``torch.autograd.grad`` as it has symbols, with ``create_graph=True``.

    Raises:
        RuntimeError: PyTorch cannot differentiate ``f`` so often.
    """
    with torch.enable_grad():
        X = points.detach().requires_grad_()
        columns = f(X).unbind(-1)

        @cache
        def derivative(k: int, monomial: Monomial) -> Tensor:
            j = next((j for j, power in enumerate(monomial) if power), None)
            if j is None:
                return columns[k]
            return gradient(k, tuple(power - (i == j) for i, power in enumerate(monomial)))[..., j]

        @cache
        def gradient(k: int, monomial: Monomial) -> Tensor:
            y = derivative(k, monomial)
            if not y.requires_grad:
                return torch.zeros_like(X)
            return torch.autograd.grad(y.sum(), X, create_graph=True, materialize_grads=True)[0]

        def reference(operator: Operator) -> Reference:
            terms = [
                (float(c), torch.stack([derivative(k, monomial) for k in range(len(columns))], -1).detach())
                for monomial, c in operator.terms.items()
            ]
            value = _combine(terms, like=columns)
            return Reference(value, torch.zeros_like(value), _size(terms))

        return [reference(p) for p in operators]


# --------------------------------------------------------------------------------------------------- finite differences

NODES = 20
RADII = (1.0, 0.5, 0.25, 0.12, 0.06, 0.03, 0.015, 0.007)
CONVERGED = 1e-11
"""No smaller radius is tried once three of them agree so far, relative to the largest derivative…"""
USEFUL = 1e-6
"""… or so far, where smaller ones no longer help."""


def finite_differences(f: Function, points: Tensor, operators: Sequence[Operator]) -> list[Reference]:
    """Derivatives along straight lines by interpolation, and mixed ones as combinations of them.

    Every row goes a way of its own along a line: row i moves along rᵢ v, and the derivative of order k is divided by rᵢᵏ. So a
    function that mixes rows gives no derivative that would agree with one for which all rows move together.

    The derivative of order k at the middle of [−r, r] is that of the polynomial through 20 Chebyshev nodes. Of several
    radii each value takes the one that differs least from the next two. The estimate of its error is that difference, or
    the part of the last quarter of the Chebyshev coefficients if that is larger: near a kink they do not fall off.

    Source: Trefethen, Approximation Theory and Approximation Practice, chapters 3 and 21.
    """
    terms = [_lines(p) for p in operators]
    orders: dict[Direction, int] = {}
    for direction, k in itertools.chain(*terms):
        orders[direction] = max(orders.get(direction, 0), k)
    lengths = _lengths(points)
    with torch.no_grad():
        along = {v: _line(f, points, v, lengths, order) for v, order in orders.items()}
    references = []
    for lines in terms:
        values = [(float(c), along[v][k][0]) for (v, k), c in lines.items()]
        errors = [(abs(float(c)), along[v][k][1]) for (v, k), c in lines.items()]
        like = next(iter(along.values()))[0][0].unbind(-1)
        references.append(Reference(_combine(values, like), _combine(errors, like), _size(values)))
    return references


def _lines(operator: Operator) -> dict[tuple[Direction, int], Fraction]:
    """P(∂) as a combination of (v·∂)ᵏ, by direction and order, exactly."""
    lines: dict[tuple[Direction, int], Fraction] = {}
    for monomial, c in operator.terms.items():
        for line, weight in polarised(monomial).items():
            lines[line] = lines.get(line, Fraction(0)) + c * weight
    return {line: c for line, c in lines.items() if c}


def polarised(monomial: Monomial) -> dict[tuple[Direction, int], Fraction]:
    """∂ᵅ = 1/n! Σ_β (−1)^|β| C(α, β) ((α/2 − β)·∂)ⁿ over 0 ≤ β ≤ α, n = |α|.

    Source: Kan, From moments of sum to moments of product, J. Multivariate Anal. 99 (2008).

    >>> {tuple(map(int, v)): str(c) for (v, _), c in polarised((1, 1)).items()}
    {(1, 1): '1/4', (1, -1): '-1/4'}
    """
    n = sum(monomial)
    lines: dict[tuple[Direction, int], Fraction] = {}
    for beta in itertools.product(*(range(power + 1) for power in monomial)):
        h = [Fraction(a, 2) - b for a, b in zip(monomial, beta)]
        first = next((x for x in h if x), Fraction(0))
        length = max(map(abs, h)) if first > 0 else -max(map(abs, h))  # so that h and −h are one line
        if length or not n:
            weight = Fraction((-1) ** sum(beta) * prod(map(comb, monomial, beta)), factorial(n)) * length**n
            line = (tuple(x / length if length else x for x in h), n)
            lines[line] = lines.get(line, Fraction(0)) + weight
    return lines


@cache
def _rule(order: int) -> tuple[Tensor, Tensor, Tensor]:
    """The nodes on [−1, 1]; the matrix from values there to Chebyshev coefficients; Tₘ⁽ᵏ⁾(0) for k = 1 … order."""
    x = np.cos(np.pi * (np.arange(NODES) + 0.5) / NODES)
    to_coefficients = 2.0 / NODES * chebyshev.chebvander(x, NODES - 1).T
    to_coefficients[0] /= 2
    at_zero = [chebyshev.chebval(0.0, chebyshev.chebder(np.eye(NODES), k)) for k in range(1, order + 1)]
    return torch.from_numpy(x), torch.from_numpy(to_coefficients), torch.from_numpy(np.stack(at_zero))


def _lengths(points: Tensor) -> Tensor:
    """rᵢ, ``(..., 1)``: of either sign, and near enough to 1 that no digit is lost."""
    signs = np.random.default_rng(0)
    lengths = signs.uniform(0.8, 1.0, points.shape[:-1]) * signs.choice([-1.0, 1.0], points.shape[:-1])
    return torch.as_tensor(lengths).to(points).unsqueeze(-1)


def _line(
    f: Function, points: Tensor, direction: Direction, lengths: Tensor, order: int
) -> list[tuple[Tensor, Tensor]]:
    """For every order up to the highest the derivatives along a direction, and their errors."""
    v = lengths * torch.tensor([float(x) for x in direction], dtype=points.dtype, device=points.device)
    y = f(points).double()
    value = (y, torch.zeros_like(y))
    if not order or not y.numel():
        return [value] * (order + 1)
    found: list[list[tuple[Tensor, Tensor]]] = []
    before = [math.inf] * order
    for radius in RADII:
        found.append(_at_radius(f, points, v, order, radius, y.shape))
        best = [_best(list(rungs)) for rungs in zip(*found)]
        errors = [float(error.max()) / (float(x.abs().max()) or 1.0) for x, error in best]
        if all(e <= CONVERGED or e == b <= USEFUL for e, b in zip(errors, before)):
            break
        before = errors
    scales = [lengths.double() ** k for k in range(1, order + 1)]
    return [value, *((x / r, error / r.abs()) for (x, error), r in zip(best, scales, strict=True))]


def _at_radius(
    f: Function, points: Tensor, v: Tensor, order: int, radius: float, shape: torch.Size
) -> list[tuple[Tensor, Tensor]]:
    """The derivatives of orders 1 to ``order`` from the nodes on [−r, r], and what the last coefficients add."""
    nodes, to_coefficients, at_zero = (x.to(points.device) for x in _rule(order))
    moved = points + (radius * nodes.to(v)).reshape(-1, *[1] * points.ndim) * v
    c = torch.tensordot(to_coefficients, _sampled(f, moved, shape).double(), dims=1)
    last = NODES * 3 // 4
    return [
        (torch.tensordot(w, c, dims=1) / radius**k, torch.tensordot(w[last:].abs(), c[last:].abs(), dims=1) / radius**k)
        for k, w in enumerate(at_zero, start=1)
    ]


def _sampled(f: Function, moved: Tensor, shape: torch.Size) -> Tensor:
    """f at many shifted copies of the points, copy by copy: f may hold a tensor with a row for each point."""
    try:
        return torch.stack([f(x) for x in moved])
    except Exception:  # outside of the domain of f
        return torch.full((len(moved), *shape), torch.nan, device=moved.device)


def _best(rungs: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """Entry by entry the value with the smallest error."""
    best = torch.nan_to_num(rungs[0][0], nan=0.0)
    error = torch.full_like(best, torch.inf)
    for (one, rest), (two, _), (three, _) in zip(rungs, rungs[1:], rungs[2:]):
        differences = torch.stack([(one - two).abs(), (one - three).abs(), rest])
        difference = differences.nan_to_num(nan=torch.inf).amax(0)
        better = difference < error
        best, error = torch.where(better, one, best), torch.where(better, difference, error)
    return best, error


def _combine(terms: list[tuple[float, Tensor]], like: Sequence[Tensor]) -> Tensor:
    return sum((c * x for c, x in terms), torch.zeros_like(torch.stack(list(like), -1).detach()))


def _size(terms: list[tuple[float, Tensor]]) -> float:
    total = sum((abs(c) * x.abs() for c, x in terms), torch.zeros(()))
    finite = total[total.isfinite()]
    return float(finite.max()) if finite.numel() else 0.0


# -------------------------------------------------------------------------------------------------------- in double


class InDouble(TorchFunctionMode):
    """Everything that torch computes inside is computed in double precision, whatever parameters and constants are."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return tree_map(_double, func(*tree_map(_double, args), **tree_map(_double, kwargs or {})))


WIDER = {torch.float16: torch.float64, torch.bfloat16: torch.float64, torch.float32: torch.float64,
         torch.complex64: torch.complex128}  # fmt: skip


def _double(x: Any) -> Any:
    return x.to(WIDER[x.dtype]) if isinstance(x, Tensor) and x.dtype in WIDER else x


def in_double(f: Function, points: Tensor) -> Function | None:
    """``f`` with its arithmetic in double precision; None where that is not the same function."""

    def doubled(X: Any) -> Any:
        with InDouble():
            return f(X)

    try:
        with torch.no_grad():
            wide, narrow = doubled(points.double()), f(points)
    except Exception:
        return None
    scale = float(narrow[narrow.isfinite()].abs().amax()) if narrow.isfinite().any() else 0.0
    same = torch.allclose(wide.double(), narrow.double(), rtol=0.01, atol=0.01 * scale, equal_nan=True)
    return doubled if same and wide.dtype == torch.float64 else None
