"""Functions of one variable against mpmath, orders 0 to 6, in one pass."""

from __future__ import annotations

import pytest
import torch

from tests.oracles import series
from tests.oracles.jets import jet_derivatives

from .refusal import right_or_refused
from .tables.univariate import TABLE, Univariate

ORDER = 6


@pytest.mark.parametrize("line", TABLE, ids=str)
def test_agrees_with_mpmath(line: Univariate) -> None:
    x = torch.tensor(line.points, dtype=torch.float64)
    indices = [(k, 0) for k in range(ORDER + 1)]
    with right_or_refused(line.refused):
        found = jet_derivatives(line.function, [x], [torch.ones_like(x)], [None], indices)
        exact = torch.tensor([series.derivatives(line.exact, p, ORDER) for p in line.points], dtype=torch.float64)
        for k, index in enumerate(indices):
            error = (found[index] - exact[:, k]).abs() / exact[:, k].abs().clamp(min=1.0)
            assert (error <= line.tolerance).all(), f"order {k}: found {found[index]}, exact {exact[:, k]}"
