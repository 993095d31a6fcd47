"""Operations whose numbers go wrong at once: accidental broadcasting, and cancellation of digits."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from apolar.diagnosis.operations import DIFFERENCES, DIVIDING, JOINING, SLICING, SUBTRACTING
from apolar.diagnosis.traces import NONE, Call, Mark, Marks, Memory
from apolar.engine.torch_private import base

LOST = 128
"""A difference smaller than so many units of rounding of its operands has lost nearly all digits."""

LOST_BESIDE_A_NUMBER = 10_000
"""The same for 1 − cos x and the like, which is divided by a power of x and then differentiated."""

TINY = 1e-2
"""Divided by something smaller, it becomes large again."""

LARGE = 1_000_000
"""Tensors with more entries are not looked at for cancellation."""

NARROW = {torch.float32, torch.float16, torch.bfloat16}


def carried(memory: Memory, call: Call) -> Mark | None:
    """The mark of a broadcast to all pairs: of this call, or of one before while its result keeps that shape."""
    shape = call.outputs[0].shape
    before = (t.spread for x, t in zip(call.inputs, call.traces) if t.spread is not None and x.shape == shape)
    return _broadcast(memory, call) or next(before, None)


def _broadcast(memory: Memory, call: Call) -> Mark | None:
    """(N, 1) against (N,), unless one side was expanded on the same line or both come from one tensor."""
    if call.name not in DIFFERENCES or len(call.inputs) < 2 or not call.required:
        return None
    (flat, _), (column, made) = sorted(zip(call.inputs[:2], call.traces[:2]), key=lambda pair: pair[0].ndim)
    if not (flat.ndim == 1 and column.ndim == 2 and column.shape == (len(flat), 1) and len(flat) > 1):
        return None
    meant = made.expanded and (made.place.line == call.place.line or column.requires_grad)
    if meant or base(column) is flat or (base(column) is not None and base(column) is base(flat)):
        return None
    left, right = (tuple(x.shape) for x in call.inputs[:2])
    about: dict[str, Any] = {"left": left, "right": right, "result": (len(flat), len(flat))}
    return memory.marked("broadcast", call.place, call.name, **about)


def reduced(call: Call, spread: Mark | None) -> Marks:
    """The mark of a broadcast whose pairs are all reduced to one number, so that nobody can have wanted them."""
    if call.outputs[0].ndim:
        return NONE
    return frozenset(mark for mark in (spread, *(t.spread for t in call.traces)) if mark is not None)


def emptied(memory: Memory, call: Call) -> Mark | None:
    """The mark of a slice without entries of a tensor that has some: of this call, or of one before while nothing is there."""
    if any(y.numel() for y in call.outputs):
        return None
    before = next((t.empty for t in call.traces if t.empty is not None), None)
    if before is not None or call.name not in SLICING or not call.required or not call.inputs[0].numel():
        return before
    if len(call.inputs) > 1 or any(isinstance(i, (list, np.ndarray)) for i in _indices(call)):
        return None  # a mask or a list of indices, which may well choose nothing
    about: dict[str, Any] = {"shape": tuple(call.inputs[0].shape), "result": tuple(call.outputs[0].shape)}
    return memory.marked("empty-slice", call.place, call.name, **about)


def _indices(call: Call) -> tuple[Any, ...]:
    index = call.args[1] if len(call.args) > 1 else ()
    return index if isinstance(index, tuple) else (index,)


def swallowed(call: Call) -> Marks:
    """The mark of an empty slice that is summed or averaged; beside others in a longer tensor it does no harm."""
    if call.name in JOINING or not any(y.numel() for y in call.outputs):
        return NONE
    return frozenset(t.empty for t in call.traces if t.empty is not None)


def cancelled(memory: Memory, call: Call) -> Mark | None:
    """The mark of a difference in which most entries have lost nearly all digits."""
    result, operands = call.outputs[0].detach(), call.args[:2]
    if call.name not in SUBTRACTING or len(operands) < 2 or result.dtype not in NARROW:
        return None
    if not 0 < result.numel() <= LARGE:
        return None
    difference, eps = result.abs(), torch.finfo(result.dtype).eps
    size = torch.maximum(*(torch.as_tensor(x).detach().to(result).abs().broadcast_to(result.shape) for x in operands))
    if all(isinstance(x, Tensor) for x in operands):
        lost = (difference <= LOST * eps * size) & (difference > 0)  # equal tensors are mostly meant to be equal
    else:
        lost = difference <= LOST_BESIDE_A_NUMBER * eps * size
    if not bool(lost.double().mean() >= 0.5):
        return None
    about: dict[str, Any] = {"dtype": str(result.dtype).removeprefix("torch."), "digits": round(-math.log10(eps))}
    return memory.marked("cancellation", call.place, call.name, **about)


def magnified(call: Call, lost: Mark | None) -> Marks:
    """The mark of a cancellation that matters: of two computed values, or divided by something tiny that is computed too."""
    if lost is not None and len(call.required) == 2:
        return frozenset({lost})
    if call.name not in DIVIDING or len(call.inputs) < 2 or call.traces[0].lost is None:
        return NONE
    tiny = bool((call.inputs[1].detach().abs() <= TINY).all())
    return frozenset({call.traces[0].lost}) if tiny and call.inputs[1].requires_grad else NONE
