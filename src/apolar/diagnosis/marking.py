"""What a call of a torch function leaves on its results: cuts, births of NaN, growth, what was only added."""

from __future__ import annotations

import weakref
from dataclasses import replace

import torch

from apolar.diagnosis.nonfinite import already, finite
from apolar.diagnosis.operations import (
    ADDITIVE,
    CASTING,
    COPYING,
    DETACHING,
    EXPANDING,
    LIKE,
    OVERFLOWING,
    WITHOUT_VALUES,
)
from apolar.diagnosis.places import Place
from apolar.diagnosis.shapes import cancelled, carried, emptied, magnified, reduced, swallowed
from apolar.diagnosis.traces import NONE, Call, Derivative, Mark, Marks, Memory, Trace

GROWN = 3
"""Over so many steps may a graph reach back before it is said to grow."""


def trace_of(memory: Memory, call: Call, numbers: Marks) -> Trace:
    """The trace of a call, given the marks of the numbers among its arguments."""
    grad = any(t.requires_grad for t in call.outputs)
    if memory.walked and grad:
        memory.era, memory.walked = memory.era + 1, False
    marks = _passed_on(call, numbers)
    if call.required and (not grad or (call.name in COPYING and call.outputs[0].grad_fn is None)):
        marks |= _cut(memory, call)
    spread = carried(memory, call)
    lost = cancelled(memory, call) if call.required else None
    return Trace(
        call.name,
        call.place,
        grad,
        marks | reduced(call, spread) | magnified(call, lost) | swallowed(call),
        _added(call, numbers) if grad else marks,
        _derivative(call),
        memory.era,
        *(_reach(memory, call) if grad else (memory.era, frozenset())),
        call.name in EXPANDING and call.outputs[0].ndim > call.inputs[0].ndim,
        _nonfinite(memory, call),
        lost,
        spread,
        weakref.ref(call.inputs[0]) if call.name in DETACHING and call.inputs[0].is_leaf else None,
        emptied(memory, call),
    )


def _passed_on(call: Call, numbers: Marks) -> Marks:
    """The marks of the arguments; a gradient that is only a direction, or that moves its own input, means no derivative."""
    marks = numbers.union(*(t.marks for t in call.traces))
    gradients = {mark for mark in marks if mark.code == "create-graph-missing"}
    moves = len(call.inputs) == 2 and any(mark.stops(x) for mark in gradients for x in call.inputs)
    return marks - gradients if moves or call.name in {"sign", "detach"} else marks


def _cut(memory: Memory, call: Call) -> Marks:
    """The mark of a call whose result has no graph although an argument had one."""
    place = call.place
    if call.name in WITHOUT_VALUES or (call.name in LIKE and not call.inputs[0].requires_grad):
        return NONE
    if call.name in COPYING:
        code = "tensor-copy"
    elif call.name in DETACHING:
        code = "detach"
    elif not torch.is_grad_enabled():
        if memory.switched_off is None:
            return NONE  # by PyTorch itself, as in an autograd.Function
        code, place = "no-grad", memory.switched_off
    elif any(t.is_floating_point() or t.is_complex() for t in call.outputs):
        code = "derivative-missing"
    else:
        code = "integer-dtype" if call.name in CASTING else "piecewise-constant"
    return frozenset({memory.marked(code, place, call.name, memory.sources(call.required))})


def _nonfinite(memory: Memory, call: Call) -> Mark | None:
    """The mark of NaN or infinity in the arguments or the results: of the first infinity, then of the first NaN.

    An infinity by overflow stays the cause of the NaN that is made of it.
    """
    before = next((t.nonfinite for t in call.traces if t.nonfinite is not None), None)
    if call.name in WITHOUT_VALUES or not call.inputs or all(map(finite, call.outputs)):
        return before
    nan, given_nan = (any(bool(t.detach().isnan().any()) for t in tensors) for tensors in (call.outputs, call.inputs))
    of_gradient = before is not None and before.code != "nonfinite-value"
    if before is not None and (of_gradient or given_nan or not nan or before.name in OVERFLOWING):
        return before
    if any(t.empty is not None for t in call.traces):
        return None  # the mean of nothing, which has a mark of its own
    if given_nan or not nan:
        given = already(memory, call.inputs, call.place)
        if given is not None:
            return given
    return memory.marked("nonfinite-value", call.place, call.name)


def _reach(memory: Memory, call: Call) -> tuple[int, frozenset[Place]]:
    """The era at which the graph of the results begins, and where it came in from earlier ones; a finding where it grows.

    It grows where a result goes back to the same line step by step, or where results of many steps come together.
    """
    past = [t for x, t in zip(call.inputs, call.traces) if x.grad_fn is not None]
    oldest = min((t.oldest for t in past), default=memory.era)
    earlier = {t.era for t in past if t.era < memory.era}
    crossed = frozenset().union(*(t.crossed for t in past))
    if not earlier:
        return oldest, crossed
    steps = memory.era - oldest
    if steps >= GROWN and (call.place in crossed or len(earlier) >= GROWN):
        memory.report("graph-grows", call.place, name=call.name, steps=steps)
    return oldest, crossed | {call.place}


def _added(call: Call, numbers: Marks) -> Marks:
    """The marks that have only been added to the result: the gradient feels nothing of them."""
    moving = [t for x, t in zip(call.inputs, call.traces) if x.requires_grad]
    fixed = [(x, t.marks) for x, t in zip(call.inputs, call.traces) if not x.requires_grad]
    if call.name in ADDITIVE:
        added = numbers.union(*(t.added for t in moving), *(marks for x, marks in fixed if x.ndim == 0))
        return added.difference(*(t.marks - t.added for t in moving))
    if call.name in {"mul", "div"} and len(moving) == 1:
        return moving[0].added.difference(*(marks for _, marks in fixed))
    return NONE


def _derivative(call: Call) -> Derivative | None:
    """What the result has to do with gradients: what the arguments had, the highest order of them."""
    found = max((t.derivative for t in call.traces if t.derivative is not None), key=lambda d: d.order, default=None)
    return found if found is None or call.name in {"sum", "clone"} or not found.whole else replace(found, whole=False)
