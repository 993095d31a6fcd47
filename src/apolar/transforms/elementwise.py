"""Derivatives of functions of one tensor, entry by entry."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from apolar.algebras.operators import Operator
from apolar.engine.context import Detached
from apolar.engine.torch_private import tree_leaves
from apolar.errors import ShapeError
from apolar.evaluation.evaluate import check_points, push
from apolar.evaluation.row_independence import check_rows
from apolar.transforms.inputs import Function, check_order, symbol, tensor


def derivative(f: Function, order: int = 1, detached: Detached = "error") -> Function:
    """The derivative of an elementwise function, of any order, in one pass.

    Args:
        f: maps a tensor of any shape to one of the same shape, entry by entry.
        order: 1, 2, 3, …
        detached: what a value is that leaves the computation, as in :func:`evaluate`.

    Returns:
        A function from a tensor ``(*shape)``, or a number, to the derivatives ``(*shape)``.

    Raises:
        OperatorError: an order below 1.
        ShapeError: ``f`` does not keep the shape.
        RowCouplingError: ``f`` mixes entries.

    Source: Taylor mode, Griewank and Walther, Evaluating derivatives, chapter 13.

    >>> ap.derivative(lambda x: x**3 + 2 * x**2 + 1, order=2)(2.0)
    tensor(16., dtype=torch.float64)
    """
    check_order(order)
    operators = _powers(order)[order:]
    return lambda x: _univariate(f, x, operators, detached)[0]


def taylor(f: Function, order: int, detached: Detached = "error") -> Function:
    """All derivatives of an elementwise function up to an order, in one pass.

    Args:
        f: maps a tensor of any shape to one of the same shape, entry by entry.
        order: the highest order, 1 or more.
        detached: what a value is that leaves the computation, as in :func:`evaluate`.

    Returns:
        A function from a tensor ``(*shape)``, or a number, to the list ``[f, f′, …]`` of tensors ``(*shape)``.

    Raises:
        OperatorError: an order below 1.

    >>> [float(y) for y in ap.taylor(torch.exp, 3)(0.0)]
    [1.0, 1.0, 1.0, 1.0]
    """
    check_order(order)
    operators = _powers(order)
    return lambda x: _univariate(f, x, operators, detached)


@lru_cache
def _powers(order: int) -> list[Operator]:
    """1, ∂, ∂², … up to the order."""
    return [symbol() ** k for k in range(order + 1)]


def _univariate(f: Function, x: Any, operators: list[Operator], detached: Detached) -> list[Tensor]:
    (x,) = check_points(tensor(x))
    results = push(f, (x,), ([torch.ones_like(x)],), operators, detached=detached)
    if not isinstance(results[0], Tensor) or results[0].shape != x.shape:
        raise ShapeError(
            f"f must keep the shape {tuple(x.shape)}, entry by entry; it returned "
            f"{[tuple(y.shape) for y in tree_leaves(results[0])]}. For other functions use ap.jacobian, ap.hessian or "
            "ap.evaluate."
        )
    check_rows(f, (x,), results[0], tuple(x.shape))
    return results
