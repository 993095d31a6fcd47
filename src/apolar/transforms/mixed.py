"""Mixed second derivatives with their symmetry checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from apolar.engine.context import Detached, values_readable
from apolar.errors import NonFiniteError, ShapeError
from apolar.transforms.first import jacobian
from apolar.transforms.inputs import Function, tensor
from apolar.transforms.second import hessian


@dataclass(frozen=True)
class MixedPartials:
    """Second derivatives ∂_b(∂ₐ f), and whether their order matters.

    Attributes:
        hessian: ``(..., d, d)``; entry (a, b) is ∂/∂x_b of ∂f/∂xₐ, the newest derivative last, as in torch.func.
        violation: ``(...)``, the largest |∂ₐ∂_b f − ∂_b∂ₐ f| at each point.
        symmetric: ``(...)``, whether all of them exist and the violation is zero up to the error of the limit.
    """

    hessian: Tensor
    violation: Tensor
    symmetric: Tensor

    def __repr__(self) -> str:
        broken = int((~self.symmetric).sum())
        if not broken:
            return f"MixedPartials: symmetric at all {self.symmetric.numel()} points\n{self.hessian}"
        worst = self.hessian.reshape(-1, *self.hessian.shape[-2:])[self.violation.reshape(-1).argmax()]
        difference = (worst - worst.mT).abs()
        a, b = divmod(int(difference.argmax()), worst.shape[-1])
        return (
            f"MixedPartials: not symmetric at {broken} of {self.symmetric.numel()} points. At the worst, "
            f"∂{b + 1}(∂{a + 1} f) = {float(worst[a, b]):.6g} but ∂{a + 1}(∂{b + 1} f) = {float(worst[b, a]):.6g}: the second "
            f"derivatives are not continuous there, and the order of differentiation matters.\n{self.hessian}"
        )


def mixed_partials(f: Function, detached: Detached = "error") -> Function:
    """The Hessian with the symmetry f_xy = f_yx checked, the violation reported.

    A Hessian by rules is symmetric by construction, also where the function is not twice continuously differentiable. So the
    exact first derivatives near each point are differenced once more, in each order: where the limits exist and differ, they
    are returned instead, and so they are where the formula of f itself has no value (0/0).

    Args:
        f: maps points ``(..., d)`` to numbers ``(...)`` or ``(..., 1)``, row by row.
        detached: what a value is that leaves the computation, as in :func:`evaluate`.

    Returns:
        A function from points ``(..., d)`` to a :class:`MixedPartials`.

    Raises:
        ShapeError: ``f`` returns more than one number for a point.
        NonFiniteError: neither the formula nor the limits have a value.

    Source: Schwarz's theorem and Peano's counterexample; Richardson extrapolation of central differences.

    >>> ap.mixed_partials(lambda p: p[..., 0] ** 2 * p[..., 1])(torch.tensor([1.0, 2.0], dtype=torch.float64)).hessian
    tensor([[4., 2.],
            [2., 0.]], dtype=torch.float64)
    """

    def partials(points: Any) -> MixedPartials:
        points = tensor(points)
        if not points.ndim:
            raise ShapeError(f"the points must have the coordinates on the last axis, got {tuple(points.shape)}")
        batch, d = points.shape[:-1], points.shape[-1]
        rows = points.reshape(-1, d)
        exact = _each(hessian(lambda p: _number(f(p)), detached=detached), rows, (d, d))
        limit, error, converged = _limits(f, rows, detached)
        differs = converged & converged.mT & ((limit - limit.mT).abs() > 10 * (error + error.mT))
        missing = ~torch.isfinite(exact)
        nowhere = (missing & ~converged).flatten(1).any(1)
        if values_readable(rows) and nowhere.any():
            raise NonFiniteError(
                f"the second derivatives do not exist at {int(nowhere.sum())} of {len(rows)} points, the first of them "
                f"{rows[nowhere][0].tolist()}: neither the formula of f nor the limits near the point have a value there."
            )
        joined = torch.where(differs | missing, limit, exact)
        violation = (joined - joined.mT).abs().amax((-2, -1))
        return MixedPartials(
            joined.reshape(*batch, d, d),
            violation.reshape(batch),
            (~differs & torch.isfinite(joined)).all(-1).all(-1).reshape(batch),
        )

    return partials


def _number(y: Tensor) -> Tensor:
    if y.numel() != 1:
        raise ShapeError(f"mixed partials need a function with one number for each point, got {tuple(y.shape)}")
    return y.reshape(())


def _each(function: Function, rows: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The function of every row."""
    return torch.stack([function(row) for row in rows]) if len(rows) else rows.new_zeros(0, *shape)


SCALES = (1e-2, 1e-4, 1e-6)
"""Steps, relative to the size of the point: each entry is taken at the one where its limit is known best."""


def _limits(f: Function, rows: Tensor, detached: Detached) -> tuple[Tensor, Tensor, Tensor]:
    """∂_b(∂ₐ f) as the limit of central differences of the exact ∂ₐ f along axis b, its error, and whether it exists.

    A limit is taken to exist where the quotients over h, h/4 and h/16 agree: beside a kink, but not at it, they do not.
    """
    d, eps = rows.shape[-1], torch.finfo(rows.dtype).eps
    step = eps ** (1 / 3) * (1 + rows.abs().amax(-1, keepdim=True))[:, :, None]
    axes = torch.eye(d, dtype=rows.dtype, device=rows.device)

    def gradients(points: Tensor) -> Tensor:
        return _each(jacobian(lambda p: _number(f(p)), detached=detached), points.reshape(-1, d), (d,)).reshape(
            points.shape
        )

    def quotient(h: Tensor) -> tuple[Tensor, Tensor]:
        """The quotient, and its rounding error."""
        right, left = rows[:, None, :] + h * axes, rows[:, None, :] - h * axes
        width = (right - left).sum(-1, keepdim=True)
        after, before = gradients(right), gradients(left)
        return (after - before) / width, 8 * eps * torch.maximum(after.abs(), before.abs()) / width

    (coarse, _), (middle, _), (fine, rounding) = (quotient(step / 4**k) for k in range(3))
    error = torch.maximum((coarse - middle).abs(), (middle - fine).abs()) + rounding
    limit = (16 * middle - coarse) / 15
    exists = error <= eps ** (1 / 3) * limit.abs() + 2 * rounding
    return limit.mT, error.mT, exists.mT
