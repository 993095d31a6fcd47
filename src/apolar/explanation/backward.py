"""The backward pass of a recorded value: upstream × local derivative, step by step, down to the leaves."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from apolar.explanation.explanation import Adjoint, By, Contribution, Derivation, Edge, Leaf, Step
from apolar.explanation.local import Operation
from apolar.explanation.notation import array, in_numbers, written
from apolar.explanation.tape import Node, ancestors


def derivation(output: Node, by: By, seed: Tensor | None, inputs: Sequence[Node]) -> Derivation:
    """A recorded value and its gradient, step by step.

    Args:
        output: the value.
        by: which derivative of the function it is.
        seed: what its entries are multiplied by; None for 1.
        inputs: whose gradients are wanted even where they are 0.
    """
    nodes = ancestors(output)
    start = torch.ones_like(output.value) if seed is None else seed
    found: dict[Node, list[Contribution]] = {node: [] for node in nodes if node.active}
    gradients: dict[Node, Tensor] = {node: torch.zeros_like(node.value) for node in inputs}
    adjoints, edges = [], []
    for node in reversed(nodes):
        if node.active and (node is output or found[node]):
            gradients[node] = _sum([c.value for c in found[node]]) if found[node] else start
            adjoints.append(Adjoint(node.name, tuple(found[node]), gradients[node]))
        for position, operand in enumerate(node.operands):
            contribution = None
            if operand.active and node in gradients:
                contribution = _contribution(node, position, gradients[node])
                found[operand].append(contribution)
            edges.append(
                Edge(operand.name, node.name, operand.value, None if contribution is None else contribution.value)
            )
    return Derivation(
        by,
        tuple(Leaf(n.name, n.kind, n.label, n.value) for n in nodes if n.kind != "operation"),
        tuple(map(_step, (n for n in nodes if n.kind == "operation"))),
        output.name,
        output.value,
        tuple(adjoints),
        {
            n.label or n.name.plain: gradients[n]
            for n in dict.fromkeys([*inputs, *nodes])
            if n in gradients and n.kind in ("input", "parameter")
        },
        tuple(reversed(edges)),
    )


def _step(node: Node) -> Step:
    operation, operands = Operation(node), node.operands
    numbers = None
    if operation.expression is not None and all(operand.value.ndim == 0 for operand in operands):
        numbers = in_numbers(operation.expression, dict(zip(operation.symbols, (x.value for x in operands))))
        numbers = None if numbers.plain == array(node.value).plain else numbers
    return Step(
        node.name, operation.label, operation.formula, numbers, tuple(operand.name for operand in operands), node.value
    )


def _contribution(node: Node, position: int, upstream: Tensor) -> Contribution:
    operation = Operation(node)
    derivative = operation.derivative(position)
    return Contribution(
        node.name,
        operation.label,
        None if derivative is None else written(derivative, operation.names),
        operation.product(position),
        upstream,
        operation.local(position),
        operation.contribution(position, upstream),
        operation.words(position),
        position + 1 if node.operands.count(node.operands[position]) > 1 else None,
    )


def _sum(values: list[Tensor]) -> Tensor:
    total = values[0]
    for value in values[1:]:
        total = total + value
    return total
