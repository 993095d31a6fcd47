"""Gradients that are added to old ones: what was used, and not cleared, before the next backward()."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from torch import Tensor

from apolar.diagnosis.request import Request
from apolar.diagnosis.traces import LeafState, Memory


def _cleared(leaf: Tensor) -> bool:
    return leaf.grad is None or leaf.grad.is_sparse or not bool(leaf.grad.detach().count_nonzero())


def before_backward(request: Request) -> None:
    """Note which leaves still hold a gradient that was used."""
    for leaf in request.asked:
        state = request.memory.leaves.get(leaf)
        if state is None:
            continue
        if _cleared(leaf):
            state.used, state.read, state.stale = False, False, None
        elif state.used or state.read:
            state.stale = request.place


def after_backward(request: Request) -> None:
    """Note which leaves have a gradient now."""
    memory = request.memory
    for leaf in request.asked:
        state = memory.leaves.setdefault(leaf, LeafState(request.place))
        state.place, state.create_graph = request.place, request.create_graph
        state.used |= memory.stepping > 0
        memory.unfilled.pop(id(leaf), None)


def stepped(memory: Memory, leaves: Iterable[Tensor]) -> None:
    """The gradients of these leaves are used for a step: findings for those with an old part."""
    for leaf in leaves:
        state = memory.leaves.get(leaf)
        if state is not None and leaf.grad is not None:
            if state.stale is not None and state.used:
                memory.report("gradient-accumulated", state.stale)
            state.used = True


def read(memory: Memory, leaf: Tensor) -> None:
    """Somebody looks at the gradient of a leaf: a finding the second time, with an old part in it.

    What an optimiser takes care of may be looked at between steps.
    """
    state = memory.leaves.get(leaf)
    if state is not None:
        if state.stale is not None and state.read and leaf not in memory.optimised:
            memory.report("gradient-accumulated", state.stale)
        state.read = True


def parameters(groups: Iterable[dict[str, Any]]) -> Iterator[Tensor]:
    """The tensors of an optimiser's groups."""
    return (p for group in groups for p in group["params"])
