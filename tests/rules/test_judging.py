"""The judge of rules: right ones pass at all shapes and dtypes, wrong ones are found at the order at which they go wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from apolar.rules.judging import wrong_order

EXACT: dict[str, tuple[Callable[..., Any], tuple[Tensor, ...]]] = {
    "exp": (torch.exp, (torch.linspace(-2, 2, 7, dtype=torch.float64),)),
    "float32": (torch.sin, (torch.linspace(-2, 2, 7),)),
    "near the end of its domain": (torch.log, (torch.tensor([1e-6, 1e-3, 1.0, 1e3], dtype=torch.float64),)),
    "large numbers": (torch.sqrt, (torch.tensor([1e8, 1e12], dtype=torch.float64),)),
    "a kink among others": (torch.relu, (torch.tensor([0.0, 1.0, -1.0], dtype=torch.float64),)),
    "two arguments": (torch.mul, (torch.rand(2, 3).double(), torch.rand(3).double())),
    "several results": (lambda x: (x * x, {"a": x.sum()}), (torch.rand(3).double(),)),
    "an integer result": (lambda x: (x, x.argmax()), (torch.rand(3).double(),)),
    "complex": (lambda x: x * x * (1 + 2j), (torch.randn(3, dtype=torch.complex128),)),
    "without axes": (torch.cos, (torch.tensor(0.4, dtype=torch.float64),)),
    "without entries": (torch.cos, (torch.zeros(0, 2, dtype=torch.float64),)),
    "not contiguous": (torch.matmul, (torch.rand(3, 3).double().mT, torch.rand(3, 3).double())),
}  # fmt: skip


@pytest.mark.parametrize("order", [1, 2, 4])
@pytest.mark.parametrize("name", EXACT)
def test_right_rules_pass(name: str, order: int) -> None:
    function, point = EXACT[name]
    assert wrong_order(function, function, point, order) is None


def off_from(order: int) -> Callable[[Any], Any]:
    """sin with derivatives that are one per cent wrong from this order on."""

    def lifted(x: Any) -> Any:
        y = torch.sin(x)
        components = y.components.clone()
        components[order:] *= 1.01
        return y.like(components)

    return lifted


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("order", [1, 2, 3])
def test_wrong_ones_are_found_at_their_order(order: int, dtype: torch.dtype) -> None:
    point = (torch.tensor([0.3, 0.9], dtype=dtype),)
    assert wrong_order(torch.sin, off_from(order), point, 3) == order
    assert wrong_order(torch.sin, off_from(order), point, order - 1 or 1) == (None if order > 1 else 1)


def test_the_value_itself_is_judged() -> None:
    point = (torch.tensor([0.3, 0.9], dtype=torch.float64),)
    assert wrong_order(torch.cos, torch.sin, point, 2) == 0
    assert wrong_order(lambda x: torch.rand_like(x), lambda x: torch.rand_like(x), point, 1) is not None


def test_no_derivative_where_there_should_be_one() -> None:
    """NaN, and a plain tensor in place of a jet."""
    point = (torch.tensor([0.3, 0.9], dtype=torch.float64),)
    assert wrong_order(torch.sin, lambda x: torch.sin(x) + 0 * (x - 0.3) ** -1, point, 1) is not None
    assert wrong_order(torch.sin, lambda x: torch.sin(x.components[0]), point, 1) == 1
