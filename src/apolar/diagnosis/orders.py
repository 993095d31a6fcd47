"""Derivatives of higher order: zero, constant, summed, or differentiated wrongly by PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from apolar.diagnosis import graph
from apolar.diagnosis.functions import origin_of_backward
from apolar.diagnosis.operations import KINKS, LINEAR, PRODUCTS, STEPS
from apolar.diagnosis.request import Request
from apolar.diagnosis.traces import Derivative, identity
from apolar.engine.torch_private import family, is_once_differentiable, is_zero_tensor, uses_batch_statistics
from apolar.rules.facts import Fact, by_node

IGNORED = LINEAR | STEPS


def derivative_of(request: Request, opaque: Sequence[Any]) -> Derivative:
    """What the gradients of this request are."""
    ends = {graph.start(x) for x in request.asked if x.requires_grad}
    path = graph.between(request.below, ends)
    on_path = set(path)
    before = request.derivative
    kinks = list(before.kinks) if before else []
    curved = before.curved if before else False
    once = before.once if before else None
    blind = before.opaque if before else None
    for node in path:
        name = family(node)
        if is_once_differentiable(node):
            once = name
        if node in opaque:
            blind = origin_of_backward(node)
        if name in KINKS:
            kinks.append(graph.origin(node))
        elif name in PRODUCTS:
            curved |= sum(n in on_path or n in ends for n in graph.following(node)) > 1
        else:
            curved |= name not in IGNORED and node not in ends
    return Derivative(
        request.order,
        frozenset(map(identity, request.asked)),
        _facts(request),
        tuple(kinks),
        curved,
        once=once,
        opaque=blind,
    )


def look(request: Request, gradients: Sequence[Tensor | None]) -> None:
    """Findings about a walk that went through."""
    _coupled(request)
    before = request.derivative
    if before is not None and before.opaque is not None:
        request.memory.report("custom-backward", before.opaque.place, name=before.opaque.name)
    if before is None or request.accumulates:
        return
    for x, gradient in zip(request.asked, gradients):
        if gradient is not None and before.of(x) and is_zero(gradient):
            _straight(request, before)


def is_zero(gradient: Tensor) -> bool:
    """Whether all entries are exactly 0."""
    if gradient.layout is not torch.strided or not gradient.numel():
        return False
    return is_zero_tensor(gradient) or not bool(gradient.detach().count_nonzero())


def missing(request: Request, x: Tensor) -> bool:
    """Whether there is no second derivative because the first is constant, and the finding for it."""
    before = request.derivative
    if before is None or not before.of(x):
        return False
    if before.opaque is not None:
        request.memory.report("custom-backward", before.opaque.place, name=before.opaque.name)
    elif before.once:
        request.memory.report("derivative-missing", request.place, name=before.once, order=before.order + 1)
    elif not _straight(request, before) and not request.tolerant:
        request.memory.report("constant-derivative", request.place, order=before.order)
    return True


def _straight(request: Request, before: Derivative) -> bool:
    """A second derivative that vanishes because the function consists of straight pieces."""
    if before.curved or not before.kinks:
        return False
    kink = before.kinks[0]
    request.memory.report("piecewise-linear", kink.place if kink.place.file else request.place, name=kink.name)
    return True


def _facts(request: Request) -> dict[Fact, graph.Origin]:
    """What PyTorch gets wrong on the way to the inputs, here and in the derivatives before, and the calls it comes from."""
    facts = dict(request.derivative.facts) if request.derivative else {}
    ends = {graph.start(x) for x in request.asked if x.requires_grad}
    path = set(graph.between(request.below, ends)) - ends
    used = {(graph.start(y), y.output_nr) for y in request.outputs if y.requires_grad}
    used |= {edge for node in path for edge in node.next_functions}
    for node, output in used:
        if node in path:
            for fact in by_node(node.name(), output):
                if fact.reverse and not fact.convention and fact not in facts and fact.holds_at(node):
                    facts[fact] = graph.origin(node)
    return facts


def _wrong(request: Request) -> None:
    """A node that PyTorch differentiates wrongly at this order."""
    for fact, made in _facts(request).items():
        if request.order >= fact.reverse:
            place = made.place if made.place.file else request.place
            request.memory.report("wrong-derivative", place, name=made.name or fact.operator, order=fact.reverse)


def _coupled(request: Request) -> None:
    """Batch normalisation between the sum of all rows and the points."""
    points = [x for x in request.plain if x.requires_grad and x.ndim > 1 and len(x) > 1]
    if not points or not request.sums_rows():
        return
    ends = {graph.start(x) for x in points}
    for node in graph.between(request.below, ends):
        made = graph.origin(node)
        by_batch = family(node) in {"NativeBatchNorm", "CudnnBatchNorm"} and made.name != "instance_norm"
        if by_batch and uses_batch_statistics(node):
            request.memory.report("batch-coupled", made.place if made.place.file else request.place)


def look_before(request: Request) -> None:
    """What is seen while the graph is still there: nodes that are differentiated wrongly, and sums over rows of a Hessian."""
    _wrong(request)
    _summed(request)


def _summed(request: Request) -> None:
    """A sum over the rows of a Hessian that has entries beside its diagonal."""
    before = request.derivative
    gradient = before.gradient() if before is not None and before.gradient is not None else None
    if before is None or gradient is None or not gradient.requires_grad or request.accumulates:
        return
    if before.order > 1 or not before.whole or gradient.shape[-1:] <= (1,) or not request.sums_rows():
        return
    for x in request.asked:
        if before.of(x) and x.shape == gradient.shape:
            try:
                column = torch.autograd.grad(gradient[..., 0].sum(), x, retain_graph=True, allow_unused=True)[0]
            except RuntimeError:
                return  # the walk that was asked for fails as well, and is explained there
            if column is not None and bool(column[..., 1:].count_nonzero()):
                request.memory.report("hessian-rows-summed", request.place, shape=tuple(x.shape))
