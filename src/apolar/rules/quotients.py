"""How many digits rounding leaves to the derivatives of a quotient.

Where a denominator a is near 0, b/a is a small difference of large numbers if b is near 0 there as well: each order loses as
many digits as a₀/a₁ has. A bound of the errors follows from the recurrence for b/a itself, with absolute values in it. It is
computed where the denominator is so small that digits may be lost. Derivatives without a digit become NaN, as the quotient may
be a branch that is not taken; a pass whose results contain one of them raises ``PrecisionError``.
"""

from __future__ import annotations

from math import factorial

import torch
from torch import Tensor

from apolar.engine.context import values_readable
from apolar.engine.jet import Jet, user_line
from apolar.kernels import eager

SUSPICIOUS = 1e-4
"""Error of a derivative, in units of the quotient, from which on errors are looked at."""

NEAR = 0.3
"""a₀ a₂/a₁² of a denominator whose zero is near: 0 for x, ¼ for x², and ½ for exponentials, which have none."""

BOUND = 4
"""How much larger the bound of an error is than the error, at least."""


def with_digits(q: Tensor, b: Jet, a: Jet) -> Tensor:
    """The components q of b/a, NaN where rounding leaves no digit."""
    if not _suspicious(a):
        return q
    lost = _lost(q, b, a)
    if not bool(lost.any()):
        return q
    entry = int(lost.reshape(len(q), -1).any(0).nonzero()[0])
    component = int(lost.reshape(len(q), -1)[:, entry].nonzero()[0])
    at_b, at_a = (x.value.expand(q.shape[1:]).reshape(-1)[entry].item() for x in (b, a))
    a.context.lost.append(
        f"A quotient loses all digits of its derivatives of order {a.algebra.basis[component].order} and more: it is "
        f"{at_b:.3g} over {at_a:.3g}, near a point where both are 0{user_line()}"
    )
    return torch.where(lost, torch.nan, q)


def _suspicious(a: Jet) -> bool:
    """Whether the denominator is so near to 0 somewhere, in units of its derivatives, that digits may be lost."""
    components, order = a.components, a.algebra.order
    if type(components) is not Tensor or not components.numel() or not values_readable(components):
        return False
    low, high = (x.tolist() for x in components.detach().abs().reshape(len(components), -1).aminmax(dim=1))
    growth = min(max(high[1:], default=0.0) / max(low[0], 1e-300), 1e15)
    return growth > 1 and torch.finfo(components.dtype).eps * growth ** (order + 1) * factorial(order) > SUSPICIOUS


def _lost(q: Tensor, b: Jet, a: Jet) -> Tensor:
    """Where the error of a component may be as large as itself, and as what it would be expected to be.

    a₀ eₖ = ε (|bₖ| + Σ|aᵢ||qⱼ|) + Σ|aᵢ| eⱼ. The numerator may itself come from numbers of the size of its derivatives, as
    1 − cos x does, so that b₀ is off by as much as they say. A derivative of order k is expected to be as large as cᵏ q₀, with
    c from those that have digits.
    """
    epsilon, orders = torch.finfo(q.dtype).eps, [p.order for p in a.algebra.basis]
    with torch.no_grad():
        top, bottom, size = b.components.abs(), a.components.abs(), q.abs()
        first = [k for k, n in enumerate(orders) if n <= 2]
        rounding = epsilon * (top + eager.multiplied(a.algebra, *torch.broadcast_tensors(bottom, size)))
        rounding[0] += epsilon * top[first].amax(0)
        signed = [bottom[0], *(-x for x in bottom[1:])]
        error = eager.divide(a.algebra, lambda c: c / bottom[0], torch.mul, signed, rounding.unbind(0))
        sure, rate = error < 0.1 * size, torch.zeros_like(size[0])
        first_size = torch.where(sure[0], size[0], 0.0)
        for k, n in enumerate(orders[1:], start=1):
            rate = torch.where(sure[0] & sure[k], rate.maximum((factorial(n) * size[k] / size[0]) ** (1 / n)), rate)
        steepest = [k for k, n in enumerate(orders) if n == 1]
        length = bottom[0] / bottom[steepest].amax(0).clamp(min=torch.finfo(q.dtype).tiny)
        slope = torch.where(sure[steepest], size[steepest], 0.0).amax(0)
        vanishes = (
            size[0] == 0
        )  # then the derivatives are those of a slope, over the distance to the zero of the denominator
        first_size, rate = torch.where(vanishes, slope * length, first_size), torch.where(vanishes, 1 / length, rate)
        expected = torch.stack([first_size * rate**n / factorial(n) for n in orders])
        slopes, bends = ([bottom[k] for k, n in enumerate(orders) if n == m] for m in (1, 2))
        bend = torch.stack(bends).amax(0) if bends else torch.zeros_like(bottom[0])
        near = bottom[0] * bend < NEAR * torch.stack(slopes).amax(0) ** 2
        finite = torch.isfinite(q)
        lost = (error > BOUND * size) & (error > BOUND * expected) & finite & near
        lost[0] = False  # the value is that of torch
        return lost | (~finite & lost.any(0))
