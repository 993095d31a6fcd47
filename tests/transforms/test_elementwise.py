"""Derivatives entry by entry, against formulas that SymPy differentiated."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

import apolar as ap
from apolar.errors import OperatorError, RowCouplingError, ShapeError
from tests.oracles.scenarios import ENTRYWISE, ENTRYWISE_SHAPES, draw

from .agreement import DTYPES, agree

ORDERS = (1, 2, 3, 5)
Y = torch.tensor([0.3, -0.7, 1.1], dtype=torch.float64)


def exact(expression: str, order: int, x: Tensor) -> Tensor:
    return ENTRYWISE[expression].derivative(*["x"] * order)(x.double())


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("expression", ENTRYWISE)
def test_derivative(expression: str, order: int, dtype: torch.dtype) -> None:
    x = draw(expression, 5, dtype=dtype)
    agree(ap.derivative(ENTRYWISE[expression], order)(x), exact(expression, order, x), dtype)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("expression", ENTRYWISE)
def test_taylor(expression: str, dtype: torch.dtype) -> None:
    x = draw(expression, 5, dtype=dtype)
    expected = [ENTRYWISE[expression](x.double()), *(exact(expression, k, x) for k in range(1, 5))]
    agree(ap.taylor(ENTRYWISE[expression], 4)(x), expected, dtype)


@pytest.mark.parametrize("shape", ENTRYWISE_SHAPES, ids=str)
def test_every_shape(shape: tuple[int, ...]) -> None:
    x = draw("shapes", *shape)
    agree(ap.derivative(torch.sin, 3)(x), -torch.cos(x))
    agree(ap.taylor(torch.sin, 2)(x), [torch.sin(x), torch.cos(x), -torch.sin(x)])


NUMBERS: dict[str, object] = {
    "a float": 2.0,
    "an int": 2,
    "a float of NumPy": np.float64(2.0),
    "an array of no axes": np.array(2.0),
    "a tensor": torch.tensor(2.0, dtype=torch.float64),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_are_double_precision(name: str) -> None:
    found = ap.derivative(lambda x: x**3 + 2 * x**2 + 1, order=2)(NUMBERS[name])
    agree(found, torch.tensor(16.0, dtype=torch.float64))


def test_complex_numbers() -> None:
    found = ap.derivative(torch.exp, 2)(1j * torch.pi)
    assert found.dtype == torch.complex128
    assert complex(found) == pytest.approx(-1)


def test_high_orders_in_one_pass() -> None:
    """Orders 1 to 12 of the arctangent at 1: (−1)ⁿ⁻¹ (n−1)! sin(nπ/4) / 2^(n/2)."""
    for n, found in enumerate(ap.taylor(torch.atan, 12)(1.0)[1:], start=1):
        expected = (-1) ** (n - 1) * math.sin(n * math.pi / 4) / 2 ** (n / 2)
        assert float(found) / math.factorial(n - 1) == pytest.approx(expected, rel=1e-12, abs=1e-14)


def test_the_second_derivative_of_the_second_derivative() -> None:
    agree(ap.derivative(ap.derivative(torch.sin, 2), 2)(Y), torch.sin(Y))


# ------------------------------------------------------------------------------------------------- entries must not mix

MIXED: dict[str, tuple[Tensor, Callable[[Tensor], Tensor]]] = {
    "softmax of one row": (Y, lambda x: torch.softmax(x, -1)),
    "softmax of each row": (torch.stack([Y, 2 * Y]), lambda x: torch.softmax(x, -1)),
    "softmax of a single row": (Y.unsqueeze(0), lambda x: torch.softmax(x, -1)),
    "mean over rows": (torch.stack([Y, 2 * Y]), lambda x: x * x.mean(0)),
    "transposed": (torch.outer(Y, Y + 1), lambda x: x.mT),
}


@pytest.mark.parametrize("name", MIXED)
def test_functions_that_mix_entries_have_no_elementwise_derivative(name: str) -> None:
    x, f = MIXED[name]
    with pytest.raises(RowCouplingError):
        ap.derivative(f)(x)


def test_rows_that_were_seen_to_be_independent_say_nothing_about_entries() -> None:
    def f(x: Tensor) -> Tensor:
        return torch.softmax(x, -1)

    ap.evaluate(f, torch.stack([Y, 2 * Y]), ap.coordinates("x y z")["x"])
    with pytest.raises(RowCouplingError):
        ap.derivative(f)(Y)


SHAPES: dict[str, Callable[[Tensor], object]] = {
    "a sum": lambda x: x.sum(),
    "a new axis": lambda x: x.unsqueeze(0),
    "a pair": lambda x: (x, x),
    "fewer entries": lambda x: x[:2],
}


@pytest.mark.parametrize("transform", [ap.derivative, lambda f: ap.taylor(f, 2)], ids=["derivative", "taylor"])
@pytest.mark.parametrize("name", SHAPES)
def test_functions_that_change_the_shape_are_refused(
    name: str, transform: Callable[..., Callable[..., Tensor]]
) -> None:
    with pytest.raises(ShapeError, match=r"keep the shape \(3,\).*ap\.jacobian"):
        transform(SHAPES[name])(Y)


@pytest.mark.parametrize("order", [0, -1, 1.5, "2", None, True], ids=repr)
@pytest.mark.parametrize("transform", [ap.derivative, ap.taylor], ids=["derivative", "taylor"])
def test_orders_that_are_none_are_refused(transform: Callable[..., object], order: object) -> None:
    with pytest.raises(OperatorError, match="1, 2, 3"):
        transform(torch.sin, order)
