"""Operators of fields, row by row: points (..., d) to values (..., k)."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from apolar.algebras.operators import Coordinates
from apolar.engine.context import Detached
from apolar.errors import ShapeError
from apolar.evaluation.evaluate import evaluate
from apolar.transforms.inputs import Function, check_order, named, numbered, symbol, tensor


def laplacian(f: Function, detached: Detached = "error") -> Function:
    """Sum of the unmixed second derivatives of ``f``, in one forward pass.

    Args:
        f: maps points ``(..., d)`` to values ``(..., k)``, row by row.
        detached: what a value is that leaves the computation, as in :func:`evaluate`.

    Returns:
        A function from points ``(..., d)`` to the Laplacians ``(..., k)``.

    Raises:
        UnsupportedOperator: ``f`` calls something without a rule.

    Source: forward Laplacian, Li et al. 2024; the case V = {1, ξ₁, …, ξ_d, Σξᵢ²} of the closure in docs/mathematics.md.

    >>> ap.laplacian(lambda p: (p**2).sum(-1, keepdim=True))(torch.zeros(3, 2)).squeeze()
    tensor([4., 4., 4.])
    """
    return lambda points: evaluate(f, points, _space(points).laplacian, detached=detached)


def bilaplacian(f: Function, detached: Detached = "error") -> Function:
    """The Laplacian of the Laplacian, in one forward pass.

    Args:
        f: maps points ``(..., d)`` to values ``(..., k)``, row by row.
        detached: what a value is that leaves the computation, as in :func:`evaluate`.

    Returns:
        A function from points ``(..., d)`` to values ``(..., k)``.

    >>> ap.bilaplacian(lambda p: (p**4).sum(-1, keepdim=True))(torch.ones(1, 2))
    tensor([[48.]])
    """
    return lambda points: evaluate(f, points, _space(points).bilaplacian, detached=detached)


def divergence(F: Function, detached: Detached = "error") -> Function:
    """Σ ∂Fᵢ/∂xᵢ of a vector field.

    Args:
        F: maps points ``(..., d)`` to vectors ``(..., d)``, row by row.
        detached: what a value is that leaves the computation, as in :func:`evaluate`.

    Returns:
        A function from points ``(..., d)`` to numbers ``(...)``.

    Raises:
        ShapeError: the vectors do not have as many components as there are coordinates.

    >>> ap.divergence(lambda p: p**2)(torch.tensor([1.0, 2.0]))
    tensor(6.)
    """
    return lambda points: _field_jacobian(F, points, detached).diagonal(dim1=-2, dim2=-1).sum(-1)


def curl(F: Function, detached: Detached = "error") -> Function:
    """The curl of a vector field in two or three dimensions.

    Args:
        F: maps points ``(..., d)`` to vectors ``(..., d)``, row by row, with d = 2 or 3.
        detached: what a value is that leaves the computation, as in :func:`evaluate`.

    Returns:
        A function from points to vectors ``(..., 3)``; in two dimensions to the numbers ∂₁F₂ − ∂₂F₁ ``(...)``.

    Raises:
        ShapeError: d is neither 2 nor 3.

    >>> ap.curl(lambda p: torch.stack([-p[1], p[0]]))(torch.tensor([1.0, 2.0]))
    tensor(2.)
    """

    def rotation(points: Any) -> Tensor:
        J = _field_jacobian(F, points, detached)
        d = J.shape[-1]
        if d not in (2, 3):
            raise ShapeError(f"a curl needs points with 2 or 3 coordinates, got {d}")
        spin = J - J.mT
        if d == 2:
            return spin[..., 1, 0]
        return torch.stack([spin[..., 2, 1], spin[..., 0, 2], spin[..., 1, 0]], -1)

    return rotation


def directional(f: Function, v: Any, order: int = 1, detached: Detached = "error") -> Function:
    """The derivative of any order along a direction, dⁿ/dsⁿ f(x + s·v) at s = 0.

    Args:
        f: maps points ``(..., d)`` to values ``(..., k)``, row by row.
        v: the direction ``(d,)``, or one for each point ``(..., d)``; it is not normalised.
        order: 1, 2, 3, …
        detached: what a value is that leaves the computation, as in :func:`evaluate`.

    Returns:
        A function from points ``(..., d)`` to values ``(..., k)``.

    >>> ap.directional(lambda p: p[..., :1] * p[..., 1:], torch.tensor([1.0, 1.0]), order=2)(torch.zeros(2))
    tensor([2.])
    """
    check_order(order)
    return lambda points: evaluate(f, tensor(points), symbol() ** order, directions={"s": tensor(v)}, detached=detached)


class VelocityGradient(NamedTuple):
    """The velocity gradient Lᵢⱼ = ∂vᵢ/∂xⱼ ``(..., d, d)`` with its symmetric and its antisymmetric part, L = D + W."""

    L: Tensor
    D: Tensor
    W: Tensor


def velocity_gradient(F: Function, detached: Detached = "error") -> Function:
    """The gradient of a velocity field, split into strain rate and spin.

    Args:
        F: maps points ``(..., d)`` to velocities ``(..., d)``, row by row. Units: velocity over length, 1/time.
        detached: what a value is that leaves the computation, as in :func:`evaluate`.

    Returns:
        A function to the named tuple ``(L, D, W)``, each ``(..., d, d)``.

    >>> ap.velocity_gradient(lambda p: torch.stack([p[1], 0 * p[0]]))(torch.zeros(2)).W
    tensor([[ 0.0000,  0.5000],
            [-0.5000,  0.0000]])
    """

    def split(points: Any) -> VelocityGradient:
        L = _field_jacobian(F, points, detached)
        return VelocityGradient(L, (L + L.mT) / 2, (L - L.mT) / 2)

    return split


def _field_jacobian(F: Function, points: Any, detached: Detached) -> Tensor:
    points = tensor(points)
    columns = evaluate(F, points, *_space(points).gradient, detached=detached)
    columns = columns if points.shape[-1] > 1 else (columns,)
    if not all(isinstance(column, Tensor) for column in columns):
        raise ShapeError("a vector field returns one tensor; stack its components on the last axis")
    J = torch.stack(columns, -1)
    if J.shape[-2] != J.shape[-1] or J.ndim != points.ndim + 1:
        raise ShapeError(
            f"a vector field maps points {tuple(points.shape)} to vectors of the same shape, got {tuple(J.shape[:-1])}"
        )
    return J


def _space(points: Any) -> Coordinates:
    if not isinstance(points, Tensor) or not points.ndim or not points.shape[-1]:
        found = tuple(points.shape) if isinstance(points, Tensor) else type(points).__name__
        raise ShapeError(f"the points must be a tensor (..., d) with d coordinates, got {found}")
    d = points.shape[-1]
    return named("x y z"[: 2 * d - 1]) if 0 < d <= 3 else numbered(d)
