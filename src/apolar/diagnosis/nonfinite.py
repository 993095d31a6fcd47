"""Where NaN and infinity are born: every node of the graph is looked at while a gradient passes through it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from apolar.diagnosis import graph
from apolar.diagnosis.functions import is_opaque
from apolar.diagnosis.places import Place, name_of
from apolar.diagnosis.request import Request
from apolar.diagnosis.traces import Mark, Memory
from apolar.engine.context import recording
from apolar.engine.torch_private import family, is_zero_tensor

CHOOSING = {"where", "masked_fill", "masked_fill_", "nan_to_num", "__setitem__", "nansum", "nanmean"}
"""What leaves values out, but not their derivatives."""


@dataclass
class Births:
    """What the walk saw.

    Attributes:
        found: the nodes that were given finite gradients and passed on others; whether they were given only zeros there.
        stops: the nodes that were given a gradient and passed on zeros.
        opaque: the nodes of autograd.Functions that passed on gradients which have lost their history.
    """

    found: list[tuple[Any, bool]] = field(default_factory=list)
    stops: list[Any] = field(default_factory=list)
    opaque: list[Any] = field(default_factory=list)


def finite(tensor: Tensor) -> bool:
    """Whether all entries are ordinary numbers."""
    if not (tensor.is_floating_point() or tensor.is_complex()) or tensor.layout is not torch.strided:
        return True
    tensor = tensor.detach()
    if tensor.is_complex():
        tensor = torch.view_as_real(tensor.resolve_conj())
    if is_zero_tensor(tensor) or math.isfinite(tensor.sum().item()):  # the sum is cheaper, but it may overflow
        return True
    return bool(torch.isfinite(tensor).all())


@contextmanager
def watched(request: Request) -> Iterator[Births]:
    """Watch every node below the outputs; with create_graph, the new nodes are told which call they belong to."""
    births = Births()
    known = set(request.below)

    def hook(node: Any) -> Any:
        def look(passed_on: Sequence[Tensor | None], given: Sequence[Tensor | None]) -> None:
            with request.memory.guard:
                if recording():
                    return
                if request.create_graph:
                    _tell(node, passed_on, known, request.order)
                    if is_opaque(node, passed_on, given):
                        births.opaque.append(node)
                elif _is_zero(passed_on) and not _is_zero(given):
                    births.stops.append(node)
                if all(finite(g) for g in passed_on if g is not None):
                    return
                if all(finite(g) for g in given if g is not None):
                    births.found.append((node, any(_zero_at(g, passed_on) for g in given if g is not None)))

        return look

    handles = [node.register_hook(hook(node)) for node in request.below if not hasattr(node, "variable")]
    try:
        yield births
    finally:
        for handle in handles:
            handle.remove()


def _is_zero(gradients: Iterable[Tensor | None]) -> bool:
    """Whether nothing is passed on; a gradient of another kind than a plain tensor may be anything."""
    return all(
        g is None or (type(g) is Tensor and g.layout is torch.strided and not bool(g.detach().count_nonzero()))
        for g in gradients
    )


def _tell(node: Any, passed_on: Iterable[Tensor | None], known: set[Any], order: int) -> None:
    first = graph.origin(node)
    made = graph.Origin(first.place, first.name or family(node), order, first.nonfinite)
    for gradient in passed_on:
        if gradient is not None:
            graph.tag(gradient, made, known)


def _zero_at(given: Tensor, passed_on: Iterable[Tensor | None]) -> bool:
    """Whether the gradient was 0 wherever the one that is passed on is not finite."""
    for gradient in passed_on:
        if gradient is not None and gradient.shape == given.shape and not finite(gradient):
            return bool((given.detach()[~torch.isfinite(gradient.detach())] == 0).all())
    return False


def explain(request: Request, births: Births) -> Mark | None:
    """The finding for a gradient that is not finite, and its mark: where NaN or infinity came up first."""
    found = _origin(request, births)
    if found is not None:
        request.memory.report_mark(found)
    return found


def _origin(request: Request, births: Births) -> Mark | None:
    memory = request.memory
    for y in request.outputs:  # what was lost before this walk
        if (mark := memory.trace(y).nonfinite) is not None and not finite(y):
            return mark
    for node, zero in births.found[:1]:
        made = graph.origin(node)
        above = set(graph.between(request.below, {node})) - {node} if zero else set()
        place = made.place if made.place.file else request.place
        if any(graph.origin(n).name in CHOOSING and not graph.origin(n).order for n in above):
            code = "where-branch"
        elif made.nonfinite is not None:
            return made.nonfinite
        else:
            code = "nonfinite-second-derivative" if request.order > 1 else "nonfinite-gradient"
        return memory.marked(code, place, made.name or family(node), order=request.order)
    marks = (memory.trace(y).nonfinite for y in request.outputs)
    return next((mark for mark in marks if mark is not None), None)


def already(memory: Memory, tensors: Iterable[Tensor], place: Place) -> Mark | None:
    """The mark of NaN or infinity that tensors without a known past bring along, such as parameters and data."""
    for x in tensors:
        if finite(x):
            continue
        if x in memory.spoiled:  # by a step along a gradient that was not finite
            mark: Mark = memory.spoiled[x]
            return mark
        what = "parameter" if isinstance(x, nn.Parameter) else "tensor"
        return memory.marked("nonfinite-input", place, f"{what} {name_of(x)}".rstrip())
    return None
