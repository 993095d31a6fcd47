"""Derivatives of tensors that were already computed, where only autograd's graph is left."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import get_gradient_edge

from apolar.engine.torch_private import in_transform
from apolar.errors import DtypeError, GraphError, RowCouplingError, ShapeError, UnsupportedOperator
from apolar.evaluation.row_independence import SHORTER, Difference, random_lengths, tolerance, visible
from apolar.rules.facts import by_node
from apolar.transforms.inputs import check_order

TAKEN = "apolar.order"
"""Where the node of a derivative keeps its order, in its own metadata: derivatives of it count from there."""


def diff(y: Tensor, x: Tensor, order: int = 1) -> Tensor:
    """The derivative of a tensor that was already computed, row by row, of any order.

    Walks autograd's graph once for each order, so its cost grows exponentially; where the function is at hand use
    ap.evaluate or ap.derivative.

    Args:
        y: computed from ``x``: of the shape of ``x``, or ``(..., 1)`` for ``x`` of shape ``(..., d)`` at order 1. Row i may
            depend on row i of ``x`` only; the derivatives of the entries of a row are added.
        x: requires grad.
        order: 1, 2, 3, …

    Returns:
        A tensor of the shape of ``x``; 0 where a derivative is constant.

    Raises:
        GraphError: ``y`` was not computed from ``x`` with gradients on.
        ShapeError: the rows of ``y`` and ``x`` do not correspond.
        RowCouplingError: a row of ``y`` depends on another one of ``x``.
        UnsupportedOperator: the graph between ``y`` and ``x`` holds a node that PyTorch differentiates wrongly at this order,
            at the values that it saved. What PyTorch takes for a constant (``torch.special.bessel_j0``, the mean and deviation
            of ``torch.native_layer_norm``) leaves no node, and nothing can be told; nor can how often torch.autograd.grad has
            differentiated before.

    >>> x = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> ap.diff(x**3, x, order=2).detach()
    tensor([ 6., 12.])
    """
    check_order(order)
    _check(y, x, order)
    taken = 0
    for k in range(order):
        if not y.requires_grad:
            return torch.zeros_like(x)
        taken = max(taken, _refuse_wrong(y, x, order - k))
        step: Tensor | None = torch.autograd.grad(y, x, torch.ones_like(y), create_graph=True, allow_unused=True)[0]
        if step is None and k == 0:
            raise GraphError(
                "x is not part of the computation of y. A slice such as X[:, 0:1] taken anew is another tensor than the one "
                "that was used: slice first, x = X[:, 0:1], and compute y from x."
            )
        if step is None:
            return torch.zeros_like(x)
        _refuse_mixed(y, x, step)
        y = step
    node: Any = y.grad_fn
    if node is not None:
        node.metadata[TAKEN] = taken + order
    return y


def _check(y: Tensor, x: Tensor, order: int) -> None:
    if not (isinstance(y, Tensor) and isinstance(x, Tensor)):
        raise DtypeError(f"y and x must be tensors, got {type(y).__name__} and {type(x).__name__}")
    if not x.requires_grad:
        raise GraphError(
            "x does not require grad, so its computation was not recorded: x.requires_grad_() before y is computed"
        )
    if not y.requires_grad:
        raise GraphError(
            "y has no graph: it was computed under torch.no_grad(), detached, converted (numpy, item) or does not depend on a "
            "tensor that requires grad. Compute it again from x without that."
        )
    column = order == 1 and y.shape[:-1] == x.shape[:-1] and y.shape[-1:] == (1,)
    if y.shape != x.shape and not column:
        raise ShapeError(
            f"every row of y must belong to a row of x: y has shape {tuple(y.shape)}, x {tuple(x.shape)}. Take one column of y "
            "at a time; for higher orders one column of x from which y was computed."
        )


def _refuse_mixed(y: Tensor, x: Tensor, step: Tensor) -> None:
    """Where row i of y depends on row i of x alone, cotangents wᵢ give wᵢ times what ones give; where not, random ones do not.

    The walk costs less than that of the derivative, since it is not recorded.
    """
    batch = tuple(x.shape[:-1] if x.ndim > 1 else x.shape)
    if in_transform() or not visible((y,), batch):
        return
    w = random_lengths(y, (*batch, *(1,) * (y.ndim - len(batch))))
    allowed = max(tolerance(y.dtype), tolerance(x.dtype))

    def difference(factor: float = 1.0) -> Difference:
        """Of what steps of the size of x would change."""
        (found,) = torch.autograd.grad(y, x, (factor * w).expand_as(y), retain_graph=True)
        with torch.no_grad():
            size = x.abs().amax()
            size = torch.where(torch.isfinite(size) & (size > 0), size, 1.0)
            return Difference.of(1, y, found * size, factor * w * step * size, allowed)

    first = difference()
    if first.excess > 1 and first.scales_to(difference(SHORTER)):  # else it is rounding
        raise RowCouplingError(
            f"y {tuple(y.shape)} mixes rows of x {tuple(x.shape)}: a row of y depends on another one of x, so that the "
            "derivative by its own alone cannot be told from autograd's graph. Use ap.jacobian on the function itself, or "
            "compute y row by row."
        )


def _refuse_wrong(y: Tensor, x: Tensor, order: int) -> int:
    """Refuse ``order`` more derivatives where PyTorch gets them wrong; the order that ``y`` already is of.

    The graph of a derivative has nodes of its own, so it is looked at before every walk.
    """
    edges = _between(y, x)
    taken: int = max((node.metadata.get(TAKEN, 0) for node, _ in edges), default=0)
    for node, output in edges:
        for fact in by_node(node.name(), output):
            if 0 < fact.reverse <= taken + order and not fact.convention and fact.holds_at(node):
                where = f" {fact.where}" * bool(fact.where)
                raise UnsupportedOperator(
                    f"PyTorch differentiates {fact.operator} (node {node.name()}) wrongly from order {fact.reverse} in reverse "
                    f"mode{where}. Use ap.evaluate or ap.derivative on the function itself."
                )
    return taken


def _between(y: Tensor, x: Tensor) -> list[tuple[Any, int]]:
    """The nodes from ``x`` to ``y`` in autograd's graph, without that of ``x``, each with the output of it that is used."""
    end, start = get_gradient_edge(x).node, get_gradient_edge(y)
    leading: dict[Any, bool | None] = {end: True}
    inner: list[Any] = []
    waiting = [start.node]
    while waiting:
        node = waiting.pop()
        following = [n for n, _ in node.next_functions if n is not None]
        if node not in leading:
            leading[node] = None
            waiting += [node, *(n for n in following if n not in leading)]
        elif leading[node] is None:
            leading[node] = any(leading[n] for n in following)
            inner += [node] * bool(leading[node])
    used = {(start.node, start.output_nr), *(edge for node in inner for edge in node.next_functions)}
    outputs: dict[Any, list[int]] = {}
    for node, output in used:
        outputs.setdefault(node, []).append(output)
    return [(node, output) for node in inner for output in sorted(outputs[node])]
