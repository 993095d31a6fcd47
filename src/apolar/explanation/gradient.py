"""The gradient as a function of its own: the backward pass of a recorded value, itself recorded.

What it computes is made of the values that are there already and of new operations, so it has steps and a derivative
like any other function. What is the same twice is recorded once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.overrides import handle_torch_function

from apolar.explanation.compute import compute
from apolar.explanation.local import Operation, pulled_back
from apolar.explanation.tape import Node, Recorder, ancestors
from apolar.explanation.tensors import MEAN, SUM

Cotangent = Any
"""A recorded tensor, or a Python number where every entry is this number."""


class Pullback:
    """The vector–Jacobian product of an operation without formula, as a function of the upstream gradient.

    It takes the operands as well where it may depend on their values.
    """

    def __init__(self, node: Node, position: int) -> None:
        self.node, self.position = node, position
        self.__name__ = f"{node.label}_vjp"

    def __call__(self, upstream: Tensor, *operands: Tensor) -> Tensor:
        with torch.enable_grad():
            leaves = [x if x.requires_grad else x.detach() for x in operands or [x.value for x in self.node.operands]]
            if not leaves[self.position].requires_grad:
                leaves[self.position].requires_grad_()
            return pulled_back(self.node.call(leaves), leaves[self.position], upstream, create_graph=True)


def record_gradient(recorder: Recorder, output: Node, seed: Tensor | None) -> dict[Node, Node]:
    """The gradient of a recorded value by everything that it depends on, as nodes; a gradient that is 0 is left out.

    Args:
        recorder: that recorded the value.
        output: the value.
        seed: what its entries are multiplied by; None for 1.
    """
    cotangents: dict[Node, Cotangent] = {output: 1.0 if seed is None else seed}
    recorder.shares = True
    with recorder, torch.enable_grad():
        for node in reversed(ancestors(output)):
            if node not in cotangents or not node.operands:
                continue
            operands = [recorder.tensor(operand) for operand in node.operands]
            for position, operand in enumerate(node.operands):
                if operand.active:
                    added = _contribution(recorder, node, position, cotangents[node], operands)
                    known = cotangents.get(operand, 0.0)
                    if not _is(added, 0.0):
                        cotangents[operand] = added if _is(known, 0.0) else known + added
        return {
            node: recorder.node(_full(cotangent, node) if isinstance(cotangent, float) else cotangent)
            for node, cotangent in cotangents.items()
            if node.kind != "operation"
        }


def _contribution(
    recorder: Recorder, node: Node, position: int, upstream: Cotangent, operands: Sequence[Tensor]
) -> Cotangent:
    operation, operand = Operation(node), node.operands[position]
    derivative = operation.derivative(position)
    if derivative is not None:
        try:
            slope = compute(derivative, dict(zip(operation.symbols, operands)))
        except KeyError:
            pass
        else:
            return _reduced(_product(upstream, slope), node, operand)
    rule = operation.rule
    if rule.pullbacks and rule.computes(node):
        if isinstance(upstream, float) and rule not in (SUM, MEAN):
            upstream = _full(upstream, node)
        found = rule.pullbacks[position](upstream, recorder.tensor(node), operands, node)
        return found if isinstance(found, float) else _fitted(found, operand)
    if isinstance(upstream, float):
        upstream = _full(upstream, node)
    given = (upstream,) if rule.linear else (upstream, *operands)
    return handle_torch_function(Pullback(node, position), given, *given)


def _product(upstream: Cotangent, slope: Cotangent) -> Cotangent:
    if _is(upstream, 1.0) or _is(slope, 0.0):
        return slope
    return upstream if _is(slope, 1.0) else upstream * slope


def _reduced(cotangent: Cotangent, node: Node, operand: Node) -> Cotangent:
    """Summed over the axes along which the operand was broadcast."""
    whole, part = node.value.shape, operand.value.shape
    if isinstance(cotangent, float):
        return cotangent * (whole.numel() / part.numel()) if part.numel() else 0.0
    return _fitted(cotangent if cotangent.shape == whole else cotangent.expand(whole), operand)


def _fitted(cotangent: Tensor, operand: Node) -> Tensor:
    shape = operand.value.shape
    if cotangent.shape != shape:
        larger = cotangent.numel() > shape.numel() or cotangent.ndim > len(shape)
        cotangent = cotangent.sum_to_size(shape) if larger else cotangent.expand(shape)
    return cotangent if cotangent.dtype == operand.value.dtype else cotangent.to(operand.value.dtype)


def _full(value: float, node: Node) -> Tensor:
    return torch.full_like(node.value, value)


def _is(cotangent: Cotangent, value: float) -> bool:
    return isinstance(cotangent, float) and cotangent == value
