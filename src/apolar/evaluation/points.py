"""A function of points as a function of one tensor, however ``evaluate`` may be given the points.

Above ``evaluate``, below ``check`` and ``plan``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from apolar.algebras.operators import Operator
from apolar.evaluation.evaluate import evaluate


def of_one_tensor(
    f: Callable[..., Any], X: Tensor | Sequence[Tensor], operators: Sequence[Operator | float]
) -> tuple[Callable[[Tensor], Any], Tensor]:
    """``f`` as a function of one tensor of points ``(..., d)``, and the points, detached.

    Raises:
        ApolarError: the points do not fit; in the words of ``evaluate``.

    >>> dx, dy = ap.coordinates("x y")
    >>> g, X = of_one_tensor(lambda x, y: x * y, (torch.ones(3), torch.full((3,), 2.0)), [dx * dy])
    >>> X.shape, g(X)
    (torch.Size([3, 2]), tensor([2., 2., 2.]))
    """
    if isinstance(X, Tensor):
        return f, X.detach()
    evaluate(f, X, *operators)
    d = len(next(p for p in operators if isinstance(p, Operator)).coordinates)
    if len(X) == d and not all(x.ndim and x.shape[-1] == 1 for x in X):
        return lambda p: f(*p.unbind(-1)), torch.stack(torch.broadcast_tensors(*X), -1).detach()
    widths = [x.shape[-1] for x in X]
    return lambda p: f(*p.split(widths, -1)), torch.cat(list(X), -1).detach()
