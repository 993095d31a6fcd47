"""Whether a function treats rows independently, which derivatives with respect to the coordinates of each row rest on."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from apolar.engine.context import values_readable
from apolar.engine.guard import Guard, Memory, likeness
from apolar.engine.torch_private import tree_leaves
from apolar.errors import RowCouplingError

_independent: Memory[Seen] = Memory(most=8)
"""Functions seen to treat rows independently."""

PATIENCE = 64
"""At most so many calls pass before a verdict that no guard can follow is tested again."""


@dataclass
class Seen:
    """For which batch shapes of how many axes, and whether all that the function reads is guarded."""

    certain: bool
    trials: dict[Any, Verdict] = field(default_factory=dict)


@dataclass
class Verdict:
    """That rows are independent, while what the function reads stays the same.

    Where the function reads what cannot be followed, it is tested again after 1, 2, 4, ... calls.

    Attributes:
        left: how many calls may pass before the next test; None where everything is guarded.
        patience: how many calls could pass before the last one.
    """

    left: int | None
    patience: int = 1

    def due(self) -> bool:
        """Count a call; whether to test again."""
        if self.left is None:
            return False
        self.left -= 1
        if self.left < 0:
            self.patience = min(2 * self.patience, PATIENCE)
            self.left = self.patience
            return True
        return False


def check_rows(f: Callable[..., Any], points: Sequence[Tensor], output: Any, batch: tuple[int, ...]) -> None:
    """Refuse a function whose rows depend on each other: by the shape of its result, and by a trial.

    The verdict is remembered for as long as what f reads stays the same.
    """
    if not _to_be_tried(points, output, batch):
        return
    key, trial = likeness(f), (batch, points[0].ndim)
    seen = _independent.find(key, f)
    if seen is not None and trial in seen.trials and not seen.trials[trial].due():
        return
    if seen is None:
        guard = Guard(f)
        _try(f, points, batch)
        if not guard.holds(f):  # f itself changes what it reads
            guard = Guard(f, ignored=frozenset(guard.differences(f)))
        seen = Seen(certain=not guard.opaque)
        _independent.remember(key, guard, seen)
    else:
        _try(f, points, batch)
    seen.trials.setdefault(trial, Verdict(left=None if seen.certain else 1))


def check_rows_once(f: Callable[..., Any], points: Sequence[Tensor], output: Any, batch: tuple[int, ...]) -> None:
    """The same for a function that is not called again."""
    if _to_be_tried(points, output, batch):
        _try(f, points, batch)


def _to_be_tried(points: Sequence[Tensor], output: Any, batch: tuple[int, ...]) -> bool:
    """Check the shape; whether there are several rows of which the values can be seen."""
    for leaf in (output,) if isinstance(output, Tensor) else tree_leaves(output):
        if tuple(leaf.shape[: len(batch)]) != batch:
            raise RowCouplingError(
                f"f must return one row for each point: points {tuple(points[0].shape)} need a result {(*batch, 'k')}, got "
                f"{tuple(leaf.shape)}. If f sums over its points, use ap.grad, ap.jacobian or ap.hessian; if it takes a single "
                "point, evaluate at one point and batch that: torch.func.vmap(lambda x: ap.evaluate(f, x, ...))(X)."
            )
    return values_readable(*points) and any(n >= 2 for n in batch)


def _try(f: Callable[..., Any], points: Sequence[Tensor], batch: tuple[int, ...]) -> None:
    if _rows_depend(f, points, batch):
        raise RowCouplingError(
            "f mixes rows: the result of a point changes when other points change, so its derivative with respect to its own "
            "coordinates is not defined. Batch normalisation in training mode does so (call .eval()), and so do means or "
            "sums over the first axis. For functions of all points together use ap.grad, ap.jacobian or ap.hessian."
        )


def _rows_depend(f: Callable[..., Any], points: Sequence[Tensor], batch: tuple[int, ...]) -> bool:
    """Whether, along a batch axis, one half of the results changes when the other half of the points does.

    Random functions pass: two runs of them differ anyway.
    """
    with torch.no_grad():
        before = _random_state(points)
        points = [_generic(x, batch) for x in points]
        plain = tree_leaves(f(*(x.clone() for x in points)))
        if before != _random_state(points):
            return False
        for axis, rows in enumerate(batch):
            for moved, kept in _halves(rows):
                changed = tree_leaves(f(*(_moved(x, axis, moved) for x in points)))
                for a, b in zip(plain, changed, strict=True):
                    still = slice(kept.start, kept.stop)
                    a, b = a.movedim(axis, 0)[still], b.movedim(axis, 0)[still]
                    if not torch.allclose(a, b, rtol=1e-4, atol=1e-5 * _scale(a), equal_nan=True):
                        return True
    return False


def _generic(x: Tensor, batch: tuple[int, ...]) -> Tensor:
    """Points nearby that all differ, drawn towards ½ so that those between 0 and 1 stay there."""
    shift = torch.linspace(0.05, 0.09, math.prod(batch), dtype=x.real.dtype, device=x.device)
    return 0.9 * x + shift.reshape(*batch, *(1,) * (x.ndim - len(batch)))


def _moved(x: Tensor, axis: int, rows: slice) -> Tensor:
    """The points with some rows elsewhere: in reverse order, and drawn towards ½ once more."""
    x = x.clone()
    some = x.movedim(axis, 0)[rows]
    some.copy_(0.9 * some.flip(0) + 0.05)
    return x


def _halves(rows: int) -> list[tuple[slice, slice]]:
    first, second = slice(0, rows // 2), slice(rows // 2, rows)
    return [(first, second), (second, first)] if rows > 1 else []


def _random_state(points: Sequence[Tensor]) -> list[list[int]]:
    states = [torch.get_rng_state()]
    if any(x.is_cuda for x in points):
        states.append(torch.cuda.get_rng_state(points[0].device))
    return [state.tolist() for state in states]


def _scale(x: Tensor) -> float:
    finite = x[torch.isfinite(x)]
    return float(finite.abs().max()) if finite.numel() else 0.0
