"""The jets of points that move: along the axes of the coordinates, or along directions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeAlias

import torch
from torch import Tensor

from apolar.algebras.algebra import Algebra
from apolar.algebras.operators import Coordinates
from apolar.engine.context import Context, Detached, begin, unobserved
from apolar.engine.jet import Jet
from apolar.errors import OperatorError, ShapeError
from apolar.evaluation.singular_check import checked
from apolar.kernels.sources import Uniform, postponable


@dataclass(frozen=True, eq=False)
class Units:
    """Directions that are the same for every row.

    Attributes:
        rows: ``(symbols, k)``, for each symbol how the last axis moves.
        known: the tangents that follow over an algebra.
    """

    rows: Tensor
    known: dict[Algebra, tuple[Tensor, tuple[int, ...]]] = field(default_factory=dict, repr=False)

    def tangents(self, over: Algebra) -> tuple[Tensor, tuple[int, ...]]:
        """The components that are not zero but for the value, stacked, and which they are."""
        if over not in self.known:
            moving = _moving(over, self.rows.unbind(0))
            self.known[over] = torch.stack(list(moving.values())), tuple(moving)
        return self.known[over]

    def expanded(self, value: Tensor) -> list[Tensor]:
        """For every row of a value."""
        return [unit.expand_as(value) for unit in self.rows.unbind(0)]


Directions: TypeAlias = "Units | Sequence[Tensor | None]"
"""For each symbol the direction in which a tensor moves; None where it does not."""


def new_context(points: Sequence[Tensor], check_finite: bool = False, detached: Detached = "error") -> Context:
    """The context of a pass at these points; checked inside of a checked one too."""
    around = any(isinstance(x, Jet) and x.context.checked for x in points)
    return begin(checked if check_finite or around else None, detached)


def lift(over: Algebra, value: Tensor, directions: Directions, context: Context | None = None) -> Jet:
    """The jet of a point that moves along ``directions``, one for each symbol."""
    components = _uniform(over, value, directions) or _stacked(over, value, directions)
    return Jet(components, over, new_context([value]) if context is None else context)


def _moving(over: Algebra, directions: Sequence[Tensor | None]) -> dict[int, Tensor]:
    """The components that move."""
    found: dict[int, Tensor] = {}
    for symbol, direction in enumerate(directions):
        if direction is not None:
            for i, c in over.seed(symbol):
                step = direction if c == 1 else c * direction
                found[i] = found[i] + step if i in found else step
    return found


def _stacked(over: Algebra, value: Tensor, directions: Directions) -> Tensor:
    moving = _moving(over, directions.expanded(value) if isinstance(directions, Units) else directions)
    zero = torch.zeros_like(value)
    found = [value, *(moving.get(k, zero) for k in range(1, over.size))]
    if any(c.shape != value.shape or c.dtype != value.dtype for c in found):
        found = [c.to(value.dtype).expand_as(value) for c in found]
    return torch.stack(found)


def _uniform(over: Algebra, value: Tensor, directions: Directions) -> Uniform | None:
    """The same, where all rows move alike."""
    if not isinstance(directions, Units) or value.ndim < 2 or not value.numel() or not postponable(value):
        return None
    tangents, carried = directions.tangents(over)
    return Uniform(value, tangents.view(len(tangents), *(1,) * (value.ndim - 1), -1), carried, over.size)


def axes(points: Sequence[Tensor], coordinates: Coordinates) -> Sequence[Units]:
    """Every coordinate moves its own entry of the last axes, taken together."""
    widths = tuple([x.shape[-1] if x.ndim else 0 for x in points])
    if sum(widths) != len(coordinates):
        raise ShapeError(_wrong_axis(points, coordinates))
    units = _units if unobserved() else _units.__wrapped__
    return units(widths, points[0].dtype, points[0].device)


@lru_cache(maxsize=256)
def _units(widths: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Sequence[Units]:
    with torch.inference_mode(False):
        return [Units(unit) for unit in torch.eye(sum(widths), dtype=dtype, device=device).split(widths, dim=1)]


def _wrong_axis(points: Sequence[Tensor], coordinates: Coordinates) -> str:
    shapes = ", ".join(str(tuple(x.shape)) for x in points)
    width = points[0].shape[-1] if points[0].ndim else 0
    advice = "Reshape the points to (..., number of coordinates)"
    if len(points) == 1 and 0 < width <= 20:
        unused = (n for n in ("t", "x", "y", "z", *(f"x{i}" for i in range(1, 50))) if n not in coordinates.names)
        names = " ".join([*coordinates.names, *unused][:width])
        advice = f"If the points are right, name every coordinate: ap.coordinates({names!r})"
    return (
        f"the operators live in coordinates {coordinates}, so the points need a last axis of {len(coordinates)}; "
        f"got {shapes}. {advice}."
    )


def along(points: Sequence[Tensor], coordinates: Coordinates, directions: Mapping[str, Tensor]) -> Sequence[Directions]:
    """Every symbol moves the points along its direction field."""
    if len(points) != 1:
        raise ShapeError(
            "directions move the rows of one tensor of points; concatenate the coordinates on the last axis"
        )
    if set(directions) != set(coordinates.names):
        raise OperatorError(f"directions must be given for all of {coordinates}, got {sorted(directions)}")
    x = points[0]
    try:
        given = [torch.as_tensor(directions[n], dtype=x.dtype, device=x.device) for n in coordinates.names]
        expanded = [v.expand_as(x) for v in given]
    except (RuntimeError, TypeError, ValueError) as error:
        found = {name: tuple(v.shape) if isinstance(v, Tensor) else v for name, v in directions.items()}
        raise ShapeError(
            f"directions must be tensors that broadcast to the points, {tuple(x.shape)}; got {found}"
        ) from error
    if x.ndim and all(v.ndim < 2 for v in given):
        return [Units(torch.stack([v.expand(x.shape[-1]) for v in given]))]
    return [expanded]
