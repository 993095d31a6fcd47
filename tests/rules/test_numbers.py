"""Numbers of NumPy, and equal numbers of other types."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import apolar as ap

THREE = [np.int64(3), np.int32(3), np.float64(3), np.float32(3), torch.tensor(3), 3.0, 3]


@pytest.mark.parametrize("three", THREE, ids=repr)
def test_an_exponent_of_any_type(three: Any) -> None:
    x = torch.tensor(2.0, dtype=torch.float64)
    for exponent in (three, 3, 3.0, three):
        assert ap.derivative(lambda x, n=exponent: x**n, 3)(x) == 6
        assert ap.derivative(lambda x, n=exponent: torch.pow(x, n), 2)(x) == 12


def test_parameters_of_other_functions() -> None:
    x = torch.tensor([-1.0, 2.0], dtype=torch.float64)
    expected = ap.derivative(lambda x: torch.nn.functional.elu(x, 2.0))(x)
    assert torch.equal(ap.derivative(lambda x: torch.nn.functional.elu(x, np.float64(2)))(x), expected)
    assert torch.equal(ap.derivative(lambda x: torch.nn.functional.elu(x, alpha=np.int64(2)))(x), expected)
