"""A call of grad() or backward(): what is asked, and what lies below the outputs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn

from apolar.diagnosis import graph
from apolar.diagnosis.numberflow import asks_for_none
from apolar.diagnosis.places import Place, user_frame
from apolar.diagnosis.traces import NONE, Derivative, Marks, Memory
from apolar.engine.torch_private import family

SIGNATURES = {
    torch.autograd.grad: inspect.signature(torch.autograd.grad),
    torch.autograd.backward: inspect.signature(torch.autograd.backward),
    Tensor.backward: inspect.signature(Tensor.backward),
}
"""The functions that start a walk through the graph."""


DISPATCH = {"torch.overrides", "torch.autograd", "torch._tensor"}
"""Modules between a caller and the watch."""


@dataclass
class Request:
    """One walk through the graph.

    Attributes:
        inputs: with respect to which gradients are asked; None for backward() into all leaves.
        weights: grad_outputs.
        accumulates: whether it adds to ``.grad``.
        allowed: whether None or 0 for an input that is not used was asked for.
        tolerant: whether it is also dealt with: by zeros, by a library, or by a file that asks whether something is None.
    """

    memory: Memory
    place: Place
    outputs: list[Tensor]
    inputs: list[Tensor] | None
    weights: list[Tensor | None]
    create_graph: bool
    accumulates: bool
    allowed: bool
    tolerant: bool

    def __post_init__(self) -> None:
        self.below = graph.nodes(self.outputs)
        traces = [self.memory.trace(y) for y in self.outputs]
        self.marks: Marks = frozenset().union(NONE, *(t.marks for t in traces))
        self.added: Marks = frozenset().union(NONE, *(t.added for t in traces))
        derivatives = [t.derivative for t in traces if t.derivative is not None]
        self.derivative: Derivative | None = max(derivatives, key=lambda d: d.order, default=None)

    @property
    def order(self) -> int:
        """Of the derivative that is asked for."""
        return 1 + (self.derivative.order if self.derivative else 0)

    @cached_property
    def asked(self) -> list[Tensor]:
        """The inputs, or the leaves into which gradients go."""
        return list(graph.leaves(self.below)) if self.inputs is None else self.inputs

    @cached_property
    def plain(self) -> list[Tensor]:
        """Those that are asked for and are not parameters."""
        return [x for x in self.asked if not isinstance(x, nn.Parameter)]

    def sums_rows(self) -> bool:
        """Whether the entries of the outputs are added up, by sum() or by grad_outputs of ones."""
        if self.weights and all(w is not None for w in self.weights):
            return all(bool((w == 1).all()) for w in self.weights if w is not None)
        return all(y.grad_fn is not None and family(y.grad_fn) == "Sum" for y in self.outputs)


def request(
    memory: Memory, place: Place, func: Callable[..., Any], args: Any, kwargs: Any, direct: bool
) -> Request | None:
    """What a call asks; None where it is not about plain tensors."""
    given = SIGNATURES[func].bind(*args, **kwargs).arguments
    outputs = _tensors(given.get("outputs", given.get("tensors", given.get("self"))))
    inputs = _tensors(given.get("inputs"))
    materialised = bool(given.get("materialize_grads"))
    allowed = materialised or bool(given.get("allow_unused"))
    weights = given.get("grad_outputs", given.get("grad_tensors", given.get("gradient")))
    if outputs is None or (inputs is None and given.get("inputs") is not None):
        return None
    return Request(
        memory,
        place,
        outputs,
        inputs,
        [weights] if weights is None or isinstance(weights, Tensor) else list(weights),
        bool(given.get("create_graph")),
        func is not torch.autograd.grad,
        allowed,
        allowed and (materialised or not direct or asks_for_none(place)),
    )


def is_direct(frame: FrameType | None) -> bool:
    """Whether the user's own code calls what runs in a frame of PyTorch's dispatch, and not a library in between."""
    while frame is not None and frame.f_globals.get("__name__") in DISPATCH:
        frame = frame.f_back
    return frame is not None and user_frame(frame) is frame


def _tensors(given: Any) -> list[Tensor] | None:
    if given is None:
        return None
    found: Sequence[Any] = [given] if isinstance(given, Tensor) else list(given)
    return list(found) if all(isinstance(t, Tensor) for t in found) else None
