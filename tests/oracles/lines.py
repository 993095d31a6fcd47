"""What all references share: a function along a direction, and flat outputs.

A *multi-index* (i, j) stands for ∂ˢⁱ∂ᵗʲ; a reference returns one flat vector per multi-index, all floating-point
outputs of the function one after another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

Function = Callable[..., Any]
Index = tuple[int, int]
Point = Sequence[Tensor]
Direction = Sequence["Tensor | None"]

INDICES: tuple[Index, ...] = ((1, 0), (2, 0), (3, 0), (4, 0), (1, 1), (2, 1))
"""All that is compared: orders 1 to 4 along v, and the mixed ∂s∂t, ∂s²∂t."""


class Estimate(NamedTuple):
    """A derivative from a reference, and how far two runs of the reference differ, entry by entry."""

    value: Tensor
    error: Tensor


def leaves(output: Any) -> list[Any]:
    """The floating-point or complex tensors in a nest of tuples, lists and dictionaries, in order."""
    if isinstance(output, Tensor):
        return [output] if output.is_floating_point() or output.is_complex() else []
    if isinstance(output, dict):
        output = tuple(output.values())
    if isinstance(output, (tuple, list)):
        return [leaf for part in output for leaf in leaves(part)]
    return []


def flat(output: Any) -> Tensor:
    """All floating-point outputs as one vector."""
    parts = [leaf.reshape(-1) for leaf in leaves(output)]
    return torch.cat(parts) if parts else torch.zeros(0, dtype=torch.float64)


def real(values: Tensor) -> Tensor:
    """Complex numbers as pairs of real ones, along the last axis."""
    return torch.view_as_real(values.resolve_conj()).flatten(-2) if values.is_complex() else values


def combine(v: Direction, w: Direction, a: float, b: float) -> list[Tensor | None]:
    """a·v + b·w, input by input; ``None`` is a zero direction."""

    def one(p: Tensor | None, q: Tensor | None) -> Tensor | None:
        if p is None or q is None:
            return q if p is None and q is None else (b * q if q is not None else a * p)  # type: ignore[operator]
        return a * p + b * q

    return [one(p, q) for p, q in zip(v, w)]


def along(f: Function, x: Point, v: Direction) -> Callable[[complex | float], Tensor]:
    """g(s) = f(x + s·v) as a flat vector; an input without direction is passed as it is."""

    def g(s: complex | float) -> Tensor:
        return flat(f(*(p.clone() if d is None else p + s * d for p, d in zip(x, v))))

    return g
