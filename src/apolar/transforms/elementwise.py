"""Derivatives of functions of one tensor, entry by entry."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from apolar.algebras.operators import Operator
from apolar.engine.torch_private import tree_leaves
from apolar.errors import ShapeError
from apolar.evaluation.evaluate import check_points, push_rows
from apolar.transforms.inputs import Function, check_order, symbol, tensor


def derivative(f: Function, order: int = 1) -> Function:
    """The derivative of an elementwise function, of any order, in one pass.

    Args:
        f: maps a tensor of any shape to one of the same shape, entry by entry.
        order: 1, 2, 3, …

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
    return lambda x: _univariate(f, x, operators)[0]


def taylor(f: Function, order: int) -> Function:
    """All derivatives of an elementwise function up to an order, in one pass.

    Args:
        f: maps a tensor of any shape to one of the same shape, entry by entry.
        order: the highest order, 1 or more.

    Returns:
        A function from a tensor ``(*shape)``, or a number, to the list ``[f, f′, …]`` of tensors ``(*shape)``.

    Raises:
        OperatorError: an order below 1.

    >>> [float(y) for y in ap.taylor(torch.exp, 3)(0.0)]
    [1.0, 1.0, 1.0, 1.0]
    """
    check_order(order)
    operators = _powers(order)
    return lambda x: _univariate(f, x, operators)


@lru_cache
def _powers(order: int) -> list[Operator]:
    """1, ∂, ∂², … up to the order."""
    return [symbol() ** k for k in range(order + 1)]


def _univariate(f: Function, x: Any, operators: list[Operator]) -> list[Tensor]:
    (x,) = check_points(tensor(x))
    return push_rows(f, (x,), ([torch.ones_like(x)],), operators, tuple(x.shape), check=_check_shape)


def _check_shape(output: Any, points: Sequence[Tensor], batch: tuple[int, ...]) -> None:
    if not isinstance(output, Tensor) or output.shape != batch:
        raise ShapeError(
            f"f must keep the shape {batch}, entry by entry; it returned {[tuple(y.shape) for y in tree_leaves(output)]}. For "
            "other functions use ap.jacobian, ap.hessian or ap.evaluate."
        )
