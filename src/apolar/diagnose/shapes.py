"""Operations whose numbers go wrong at once: accidental broadcasting, and cancellation of digits."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from apolar.diagnose.operations import DIFFERENCES, DIVIDING, EXPANDING, SUBTRACTING
from apolar.diagnose.places import Place
from apolar.diagnose.traces import NONE, Mark, Marks, Memory, Trace

LOST = 128
"""A difference smaller than so many units of rounding of its operands has lost nearly all digits."""

TINY = 1e-2
"""Divided by something smaller, it becomes large again."""

LARGE = 1_000_000
"""Tensors with more entries are not looked at for cancellation."""


def broadcast(
    memory: Memory, name: str, inputs: list[Tensor], result: Tensor, traces: list[Trace], place: Place
) -> Marks:
    """The mark of (N, 1) against (N,), unless one side was expanded on the same line or both come from one tensor."""
    if name not in DIFFERENCES or len(inputs) < 2:
        return NONE
    pair = sorted(zip(inputs[:2], traces[:2]), key=lambda p: p[0].ndim)
    (flat, _), (column, made) = pair
    if not (flat.ndim == 1 and column.ndim == 2 and column.shape == (len(flat), 1) and len(flat) > 1):
        return NONE
    meant = made.name in EXPANDING and (made.place.line == place.line or column.requires_grad)
    if meant or column._base is flat or (column._base is not None and column._base is flat._base):
        return NONE
    shapes: dict[str, Any] = {
        "left": tuple(inputs[0].shape),
        "right": tuple(inputs[1].shape),
        "result": (len(flat), len(flat)),
    }
    return frozenset({memory.mark("broadcast", place, name, **shapes)})


def cancelled(memory: Memory, name: str, args: Any, result: Tensor, place: Place) -> Mark | None:
    """The mark of a difference in which most entries have lost nearly all digits."""
    if name not in SUBTRACTING or not result.is_floating_point() or result.dtype == torch.float64 or len(args) < 2:
        return None
    if not 0 < result.numel() <= LARGE:
        return None
    difference = result.detach().abs()
    size = torch.maximum(*(torch.as_tensor(x).detach().to(result).abs().broadcast_to(result.shape) for x in args[:2]))
    info = torch.finfo(result.dtype)
    lost = (difference <= LOST * info.eps * size) & (size > 0)
    if all(isinstance(x, Tensor) for x in args[:2]):
        lost &= difference > 0  # equal tensors are mostly meant to be equal
    if not bool(lost.double().mean() >= 0.5):
        return None
    dtype = str(result.dtype).removeprefix("torch.")
    return memory.mark("cancellation", place, name, dtype=dtype, digits=round(-torch.tensor(info.eps).log10().item()))


def magnified(name: str, args: Any, traces: list[Trace], lost: Mark | None, moving: int) -> Marks:
    """The mark of a cancellation that matters: of two computed values, or divided by something tiny."""
    if lost is not None and moving == 2:
        return frozenset({lost})
    numerator = traces[0].lost if name in DIVIDING and traces and len(args) > 1 else None
    if numerator is not None and bool((torch.as_tensor(args[1]).detach().abs() <= TINY).all()):
        return frozenset({numerator})
    return NONE
