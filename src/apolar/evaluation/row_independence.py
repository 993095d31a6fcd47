"""Whether a function treats rows independently, which derivatives with respect to the coordinates of each row rest on."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from apolar.engine.context import values_readable
from apolar.engine.torch_private import tree_leaves
from apolar.errors import RowCouplingError

_independent: weakref.WeakKeyDictionary[Any, set[Any]] = weakref.WeakKeyDictionary()
"""Functions seen to treat rows independently: for which batch shapes of how many axes, with which modules in training."""


def check_rows(f: Callable[..., Any], points: Sequence[Tensor], output: Any, batch: tuple[int, ...]) -> None:
    """Refuse a function whose rows depend on each other: by the shape of its result, and by a trial once per function."""
    for leaf in (output,) if isinstance(output, Tensor) else tree_leaves(output):
        if tuple(leaf.shape[: len(batch)]) != batch:
            raise RowCouplingError(
                f"f must return one row for each point: points {tuple(points[0].shape)} need a result {(*batch, 'k')}, got "
                f"{tuple(leaf.shape)}. If f sums over its points, use ap.grad, ap.jacobian or ap.hessian; if it takes a single "
                "point, evaluate at one point and batch that: torch.func.vmap(lambda x: ap.evaluate(f, x, ...))(X)."
            )
    if not values_readable(*points) or all(n < 2 for n in batch):
        return
    trial = (batch, points[0].ndim, _modes(f))
    try:
        seen = _independent.setdefault(f, set())
    except TypeError:
        seen = set()
    if trial not in seen and _rows_depend(f, points, batch):
        raise RowCouplingError(
            "f mixes rows: the result of a point changes when other points change, so its derivative with respect to its own "
            "coordinates is not defined. Batch normalisation in training mode does so (call .eval()), and so do means or "
            "sums over the first axis. For functions of all points together use ap.grad, ap.jacobian or ap.hessian."
        )
    seen.add(trial)


def _modes(f: Any) -> tuple[bool, ...]:
    """Which modules that f can reach are in training mode."""
    return tuple([getattr(m, "training", False) for m in reachable_modules(f)])


def reachable_modules(f: Any) -> list[torch.nn.Module]:
    """Modules that f is or holds by its closure, its arguments or its globals, with all that they consist of."""
    held = [f, getattr(f, "__self__", None), *getattr(f, "args", ()), *(getattr(f, "keywords", None) or {}).values()]
    code = getattr(f, "__code__", None)
    if code is not None:
        held += [f.__globals__.get(name) for name in code.co_names]
        for cell in f.__closure__ or ():
            try:
                held.append(cell.cell_contents)
            except ValueError:
                continue
    found = dict.fromkeys(h for h in held if isinstance(h, torch.nn.Module))
    waiting = list(found)
    while waiting:
        parts = [m for m in waiting.pop()._modules.values() if m is not None and m not in found]
        found.update(dict.fromkeys(parts))
        waiting += parts
    return list(found)


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
