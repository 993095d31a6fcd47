"""Why a gradient is missing, incomplete or zero: which cut, if any, lies between the output and the input."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from torch import Tensor, nn

from apolar.diagnosis import graph, orders
from apolar.diagnosis.causes import CUTS
from apolar.diagnosis.operations import FLAT, MOVING, PRODUCTS, STEPS
from apolar.diagnosis.places import Place
from apolar.diagnosis.request import Request
from apolar.diagnosis.traces import Mark, Memory
from apolar.engine.torch_private import family

TAKEN_OUT = {"item", "numpy", "tensor-copy"}
"""Cuts that are seldom meant where what comes out is differentiated with respect to a plain tensor."""

ALWAYS = {"broadcast", "cancellation", "create-graph-missing", "empty-slice"}
"""What is never meant once it flows into something that is differentiated."""


def without_graph(request: Request) -> None:
    """Findings for an output that has no graph at all."""
    memory = request.memory
    for y in request.outputs:
        if y.requires_grad:
            continue
        trace = memory.trace(y)
        cuts = [mark for mark in trace.marks if mark.code in CUTS] or memory.copied
        if not cuts and trace.derivative is not None:
            for x in request.asked:
                if orders.missing(request, x):
                    return
        if cuts:
            report(memory, cuts)
        elif memory.checkpoints:
            memory.report("checkpoint-reentrant", memory.checkpoints[-1])
        else:
            memory.report("nothing-requires-grad", request.place, what="y")


def unused(request: Request, gradients: Sequence[Tensor | None]) -> None:
    """Findings for inputs without a gradient."""
    for x, gradient in zip(request.asked, gradients):
        if gradient is None:
            _unused(request, x)


def _unused(request: Request, x: Tensor) -> None:
    memory = request.memory
    cuts = [mark for mark in request.marks if mark.code in CUTS and mark.stops(x)]
    if cuts:
        report(memory, cuts)
    elif orders.missing(request, x):
        return
    elif not x.requires_grad:
        memory.report("nothing-requires-grad", request.place, what="x")
    elif _made_of_inputs(request, x):
        made = graph.origin(x.grad_fn)
        memory.report(
            "fresh-slice",
            made.place if made.place.file else request.place,
            shape=tuple(x.shape),
            name=made.name or family(x.grad_fn),
            asked=request.place.line or "?",
        )
    elif not (request.tolerant or (request.allowed and isinstance(x, nn.Parameter))):
        memory.report("input-unused", request.place, shape=tuple(x.shape))


def _made_of_inputs(request: Request, x: Tensor) -> bool:
    """Whether a tensor was made of what the output was made of."""
    used = {id(leaf) for leaf in graph.leaves(request.below)}
    return x.grad_fn is not None and any(id(leaf) in used for leaf in graph.leaves(graph.nodes([x])))


def failed(request: Request) -> None:
    """Findings for inputs that are not in the graph, after PyTorch refused."""
    reached = set(request.below)
    for x in request.asked:
        if not x.requires_grad or graph.start(x) not in reached:
            _unused(request, x)


def incomplete(request: Request) -> None:
    """Findings for values that left the graph and came back into the output, past the graph.

    A constant factor may be meant, so these are reported only where conversion was silent, where the derivative with
    respect to a plain tensor is asked for, or where the value is only added, so that it has no effect whatever.
    """
    memory = request.memory
    memory.differentiated |= request.marks
    for mark in request.marks:
        differentiated = any(mark.stops(x) for x in request.asked)
        silent = mark.code in TAKEN_OUT and any(mark.stops(x) for x in request.plain)
        meant = not (mark.implicit or silent or mark in request.added)
        if mark.code in ALWAYS or (mark.code in CUTS and differentiated and not meant):
            memory.report_mark(mark)


def only_patched(request: Request) -> None:
    """Findings for an output that was made a leaf by hand."""
    memory = request.memory
    for y in request.outputs:
        patch = memory.patched.get(y)
        if y.grad_fn is not None or patch is None or any(y is x for x in request.inputs or ()):
            continue
        if patch.name in {"requires_grad", "requires_grad_"}:
            memory.report("requires-grad-patch", patch.place)
        report(memory, (mark for mark in patch.marks if mark.code in CUTS))


def zero(request: Request, gradients: Sequence[Tensor | None]) -> None:
    """Findings for gradients that are exactly 0 because every path leads through a step."""
    ends = [(x, graph.start(x)) for x, g in zip(request.asked, gradients) if g is not None and orders.is_zero(g)]
    if not ends:
        return
    free = graph.reached(request.outputs, STEPS)
    for _, end in ends:
        if end in free:
            continue
        for node in graph.between(request.below, {end}):
            made = graph.origin(node)
            if family(node) in STEPS and not made.order:
                place = made.place if made.place.file else request.place
                request.memory.report("piecewise-constant", place, name=made.name or family(node))


def all_zero(request: Request, gradients: Sequence[Tensor | None], stops: Sequence[Any]) -> None:
    """The finding for a walk after which no parameter has any gradient, unless something else explains that.

    Where the output itself is 0 there may be nothing left to learn, as with a hinge that no point touches. Only flat pieces and
    factors of 0 count: a square or a spread may be at its minimum.
    """
    memory = request.memory
    found = [g for x, g in zip(request.asked, gradients) if isinstance(x, nn.Parameter) or x in memory.optimised]
    flat = [node for node in stops if _is_flat(node)]
    learnt = any(y.numel() > 1 or not bool(y) for y in request.outputs)
    if not found or not flat or learnt or memory.diagnosis.findings:
        return
    if all(g is not None and orders.is_zero(g) for g in found):
        made = graph.origin(flat[0])
        place = made.place if made.place.file else request.place
        memory.report("gradient-zero", place, count=len(found), name=made.name or family(flat[0]))


def _is_flat(node: Any) -> bool:
    """Whether a node can stop gradients: a function that is flat somewhere, or a factor."""
    return family(node) in FLAT or (family(node) in PRODUCTS and len(graph.following(node)) == 1)


def not_a_leaf(memory: Memory, tensor: Tensor, place: Place) -> None:
    """The finding for a tensor whose gradient is wanted and that is no leaf: where a leaf became it, or where it is wanted."""
    made = graph.origin(tensor.grad_fn)
    moved = made.name in MOVING and made.place.file is not None
    memory.report("non-leaf-grad", made.place if moved else place, name=made.name or family(tensor.grad_fn))


def report(memory: Memory, cuts: Iterable[Mark]) -> None:
    """The cuts that explain a symptom, the first of each code."""
    for mark in sorted(cuts, key=lambda m: (m.place.file or "", m.place.line or 0)):
        memory.report_mark(mark)


def never_filled(memory: Memory) -> None:
    """At the end: leaves that were meant to get a gradient, never got one, and the cuts that were in the way."""
    for leaf in memory.unfilled.values():
        if leaf.grad is None:
            report(memory, [m for m in memory.differentiated if m.code in CUTS and m.stops(leaf)])
