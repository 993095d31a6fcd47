"""Derivatives of functions of one tensor, entry by entry."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from apolar.algebras.operators import Operator
from apolar.engine.context import Detached
from apolar.engine.jet import anywhere
from apolar.engine.torch_private import tree_leaves
from apolar.errors import ShapeError, SingularPoint
from apolar.evaluation.evaluate import check_points, push_rows
from apolar.transforms.inputs import Function, check_order, named, symbol, tensor


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
        SingularPoint: there is no derivative of order two or higher; or none by a complex ``x``, as for ``abs`` and ``conj``.

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
    return (_complex if x.is_complex() else _real)(f, x, operators, detached)


def _entrywise(
    f: Function, x: Tensor, directions: Sequence[Tensor], operators: list[Operator], detached: Detached
) -> list[Tensor]:
    return push_rows(f, (x,), (directions,), operators, tuple(x.shape), detached=detached, check=_check_shape)


def _check_shape(output: Any, points: Sequence[Tensor], batch: tuple[int, ...]) -> None:
    if not isinstance(output, Tensor) or output.shape != batch:
        raise ShapeError(
            f"f must keep the shape {batch}, entry by entry; it returned {[tuple(y.shape) for y in tree_leaves(output)]}. For "
            "other functions use ap.jacobian, ap.hessian or ap.evaluate."
        )


def _real(f: Function, x: Tensor, operators: list[Operator], detached: Detached) -> list[Tensor]:
    return _entrywise(f, x, [torch.ones_like(x)], operators, detached)


def _complex(f: Function, x: Tensor, operators: list[Operator], detached: Detached) -> list[Tensor]:
    """The same, after it was seen that along i the k-th derivative is iᵏ times that along 1 (Cauchy and Riemann).

    Raises:
        SingularPoint: it is not.
    """
    s, t = named("s t")
    orders = range(1, operators[-1].order + 1)
    along = [d**k for k in orders for d in (s, t)]
    directions = [torch.ones_like(x), torch.full_like(x, 1j)]
    found = _entrywise(f, x, directions, [s.coordinates.one, *along], detached)
    for k in orders:
        real, imaginary = found[2 * k - 1 : 2 * k + 1]
        size = torch.maximum(real.abs(), imaginary.abs())
        if anywhere((real * 1j**k - imaginary).abs() > torch.finfo(size.dtype).eps ** 0.5 * size):
            raise SingularPoint(
                f"f has no derivative of order {k} by a complex number: along the imaginary axis it is another one than "
                "along the real axis, as for abs, conj, real, imag and angle. Take the real and the imaginary part as two real "
                "variables, z = torch.view_as_complex(x), or the derivative along one direction, ap.jvp."
            )
    return [found[0], *found[1::2]][operators[0].order :]
