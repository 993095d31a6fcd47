"""The user's own autograd.Functions: whether the gradients that they pass on can be differentiated in their turn."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor
from torch.autograd.function import BackwardCFunction

from apolar.diagnosis import graph
from apolar.diagnosis.places import Place
from apolar.engine.torch_private import family, function_class, is_once_differentiable

LIBRARIES = ("torch", "apolar")


def is_opaque(node: Any, passed_on: Sequence[Tensor | None], given: Sequence[Tensor | None]) -> bool:
    """Whether a backward pass used values of the forward pass, and its gradients know nothing of where these came from."""
    return (
        _is_own(node)
        and not is_once_differentiable(node)
        and _keeps_values(node)
        and not _leads_back(node, passed_on, given)
    )


def origin_of_backward(node: Any) -> graph.Origin:
    """The line where the backward pass of a Function is defined, and its name."""
    backward = inspect.unwrap(vars(function_class(node))["backward"].__func__)
    code = getattr(backward, "__code__", None)
    return graph.Origin(Place(code.co_filename, code.co_firstlineno) if code else graph.UNKNOWN.place, family(node))


def _is_own(node: Any) -> bool:
    module = getattr(function_class(node), "__module__", "torch")
    return isinstance(node, BackwardCFunction) and module.partition(".")[0] not in LIBRARIES


def _keeps_values(node: Any) -> bool:
    """Whether ctx holds numbers: saved tensors, or attributes."""
    kept = [*node.saved_tensors, *vars(node).values()]
    arrays = [x for x in kept if isinstance(x, (Tensor, np.ndarray))]
    return any(x.is_floating_point() if isinstance(x, Tensor) else x.dtype.kind == "f" for x in arrays)


def _leads_back(node: Any, passed_on: Sequence[Tensor | None], given: Sequence[Tensor | None]) -> bool:
    """Whether the graph of what is passed on leads to an input or an output of the Function, past that of what was given."""
    ends = {node, *graph.following(node)}
    seen = {g.grad_fn for g in given if g is not None}
    waiting = [graph.start(g) for g in passed_on if g is not None and g.requires_grad]
    while waiting:
        below = waiting.pop()
        if below in ends:
            return True
        if below is not None and below not in seen:
            seen.add(below)
            waiting += graph.following(below)
    return False
