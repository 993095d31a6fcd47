"""Derivatives of tensors that were already computed, where only autograd's graph is left."""

from __future__ import annotations

import torch
from torch import Tensor

from apolar.errors import DtypeError, GraphError, ShapeError, UnsupportedOperator
from apolar.transforms.inputs import check_order

WRONG_IN_REVERSE = {"NativeLayerNormBackward0": 3, "NativeBatchNormBackward0": 3}
"""Nodes of autograd's graph, and the order from which PyTorch 2.13 differentiates them wrongly."""


def diff(y: Tensor, x: Tensor, order: int = 1) -> Tensor:
    """The derivative of a tensor that was already computed, row by row, of any order.

    Walks autograd's graph once for each order, so its cost grows exponentially; where the function is at hand use
    ap.evaluate or ap.derivative.

    Args:
        y: computed from ``x``: of the shape of ``x``, or ``(..., 1)`` for ``x`` of shape ``(..., d)`` at order 1. Row i may
            depend on row i of ``x`` only.
        x: requires grad.
        order: 1, 2, 3, …

    Returns:
        A tensor of the shape of ``x``; 0 where a derivative is constant.

    Raises:
        GraphError: ``y`` was not computed from ``x`` with gradients on.
        ShapeError: the rows of ``y`` and ``x`` do not correspond.
        UnsupportedOperator: the graph holds a node that PyTorch differentiates wrongly at this order.

    >>> x = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> ap.diff(x**3, x, order=2).detach()
    tensor([ 6., 12.])
    """
    check_order(order)
    _check(y, x, order)
    for k in range(order):
        if not y.requires_grad:
            return torch.zeros_like(x)
        step: Tensor | None = torch.autograd.grad(y, x, torch.ones_like(y), create_graph=True, allow_unused=True)[0]
        if step is None and k == 0:
            raise GraphError(
                "x is not part of the computation of y. A slice such as X[:, 0:1] taken anew is another tensor than the one "
                "that was used: slice first, x = X[:, 0:1], and compute y from x."
            )
        if step is None:
            return torch.zeros_like(x)
        y = step
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
    for name, wrong_from in WRONG_IN_REVERSE.items():
        if order >= wrong_from and name in _nodes(y):
            raise UnsupportedOperator(
                f"PyTorch differentiates {name.removesuffix('Backward0')} wrongly from order {wrong_from} in reverse mode. Use "
                "ap.evaluate or ap.derivative on the function itself."
            )


def _nodes(y: Tensor) -> set[str]:
    """The names of all nodes of the graph of ``y``."""
    waiting, seen = [y.grad_fn], {y.grad_fn}
    while waiting:
        node = waiting.pop()
        following = {n for n, _ in node.next_functions if n is not None} - seen if node is not None else set()
        waiting += following
        seen |= following
    return {node.name() for node in seen if node is not None}
