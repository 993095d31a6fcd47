"""One sampling method at several radii: the radii that agree best give the value, their difference the error.

Two radii can agree by luck, so no error is taken to be smaller than what rounding in the samples alone would cause.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import torch
from torch import Tensor

from .lines import Direction, Estimate, Function, Index, Point, along, combine
from .polarisation import Pair, weights

Rung = TypeVar("Rung")
Sampler = Callable[[Callable[[complex], Tensor], Rung, int], list[Estimate]]
"""(g, rung, order) → the derivatives of g at 0 of orders 0 to order, each with the rounding error of its samples."""

ENOUGH = 1e-9
"""An error, relative to the largest entry, at which no further radius is tried."""

EPSILON = torch.finfo(torch.float64).eps


def climb(sampler: Sampler[Rung], rungs: Sequence[Rung], g: Callable[[complex], Tensor], order: int) -> list[Estimate]:
    """Derivatives of g of orders 0 to ``order``, each entry from the neighbouring rungs that agree best there."""
    best: list[Estimate] = []
    previous: list[Estimate] = []
    for rung in rungs:
        try:
            current = sampler(g, rung, order)
        except (RuntimeError, ValueError):  # outside the domain of f at this radius
            previous = []
            continue
        if previous:
            pairs = [Estimate(p.value, p.error.maximum(distance(p.value, c.value))) for p, c in zip(previous, current)]
            best = [closer(b, p) for b, p in zip(best, pairs)] if best else pairs
            if all(bool((e.error <= ENOUGH * scale(e.value)).all()) for e in best):
                break
        previous = current
    if not best:
        raise ArithmeticError("the function could not be sampled at two neighbouring radii")
    return best


def closer(a: Estimate, b: Estimate) -> Estimate:
    """Entry by entry the estimate with the smaller error."""
    better = a.error <= b.error
    return Estimate(torch.where(better, a.value, b.value), torch.where(better, a.error, b.error))


def distance(a: Tensor, b: Tensor) -> Tensor:
    """The difference, entry by entry; infinite where one is not a number."""
    return torch.nan_to_num((a - b).abs(), nan=torch.inf)


def rounding(samples: Tensor, precision: float = EPSILON) -> float:
    """The rounding error of one sample: a few units in the last place of the largest that is finite."""
    finite = torch.where(samples.isfinite(), samples.abs(), 0.0)
    return 4 * precision * float(finite.max()) if samples.numel() else 0.0


def scale(a: Tensor) -> float:
    """What an error is measured against: the largest entry, at least 1."""
    return max(1.0, float(a.abs().max())) if a.numel() else 1.0


def derivatives(
    sampler: Sampler[Rung],
    rungs: Sequence[Rung],
    f: Function,
    x: Point,
    v: Direction,
    w: Direction,
    indices: Iterable[Index],
) -> dict[Index, Estimate]:
    """∂ˢⁱ∂ᵗʲ of f(x + s·v + t·w) for each multi-index, by ``sampler`` along lines and polarisation."""
    indices = tuple(indices)
    orders: dict[Pair, int] = {}
    for index in indices:
        for pair, _ in weights(index):
            orders[pair] = max(orders.get(pair, 0), sum(index))
    lines = {
        (a, b): climb(sampler, rungs, along(f, x, combine(v, w, float(a), float(b))), order)
        for (a, b), order in orders.items()
    }
    return {
        index: Estimate(
            sum(float(c) * lines[pair][sum(index)].value for pair, c in weights(index)),  # type: ignore[arg-type]
            sum(abs(float(c)) * lines[pair][sum(index)].error for pair, c in weights(index)),
        )
        for index in indices
    }
