"""All partial derivatives of one order, against torch.func."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
import torch

import apolar as ap
from apolar.errors import FunctionError, OperatorError, ShapeError
from tests.oracles import torch_func
from tests.oracles.scenarios import FUNCTIONS, Scenario, mixed, smooth

from .agreement import DTYPES, agree

ONE_ARGNUM = [s for s in FUNCTIONS if isinstance(s.argnums, int)]
X = torch.tensor([0.3, -0.7, 1.1], dtype=torch.float64)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("scenario", ONE_ARGNUM, ids=str)
def test_derivative_tensor(scenario: Scenario, order: int, dtype: torch.dtype) -> None:
    found = ap.derivative_tensor(scenario.function, order, scenario.argnums)(*scenario.inputs(dtype))
    agree(found, torch_func.of(scenario, order, dtype), dtype)


@pytest.mark.parametrize("chunk_size", [1, 3, 100])
@pytest.mark.parametrize("scenario", ONE_ARGNUM, ids=str)
def test_in_chunks(scenario: Scenario, chunk_size: int) -> None:
    arguments = scenario.function, 2, scenario.argnums
    found = ap.derivative_tensor(*arguments, chunk_size=chunk_size)(*scenario.inputs())
    agree(found, ap.derivative_tensor(*arguments)(*scenario.inputs()))


@pytest.mark.parametrize("order", [4, 5])
def test_high_orders_are_symmetric_and_exact(order: int) -> None:
    """∂ᵅ exp(a·x) = aᵅ exp(a·x)."""
    a = torch.tensor([0.5, -1.0, 2.0], dtype=torch.float64)
    found = ap.derivative_tensor(lambda x: torch.exp(a @ x), order)(X)
    expected = torch.exp(a @ X)
    for _ in range(order):
        expected = expected[..., None] * a
    agree(found, expected)
    for axes in itertools.permutations(range(order)):
        assert torch.equal(found, found.permute(axes))


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("shape", [(), (1,), (1, 1)], ids=str)
def test_functions_of_one_number(shape: tuple[int, ...], order: int) -> None:
    found = ap.derivative_tensor(lambda x: torch.exp(2 * x).sum(), order)(torch.zeros(shape, dtype=torch.float64))
    agree(found, torch.full(shape * order, 2.0**order, dtype=torch.float64))


def test_python_numbers() -> None:
    agree(ap.derivative_tensor(lambda x: x**3, 2)(2.0), torch.tensor(12.0, dtype=torch.float64))


REFUSED: dict[str, tuple[Callable[[], object], type[Exception], str]] = {
    "order 0": (lambda: ap.derivative_tensor(smooth, 0), OperatorError, "1, 2, 3.*got 0"),
    "half an order": (lambda: ap.derivative_tensor(smooth, 1.5), OperatorError, r"1, 2, 3.*got 1\.5"),
    "a function of nothing": (lambda: ap.derivative_tensor(lambda x: None, 2)(X), FunctionError, "NoneType"),
    "an argument that is not there": (lambda: ap.derivative_tensor(smooth, 2, 3)(X), ShapeError, "argnums=3"),
    "no argument": (lambda: ap.derivative_tensor(mixed, 2)(), ShapeError, "argnums=0"),
    "chunks of none": (lambda: ap.derivative_tensor(smooth, 2, chunk_size=0)(X), ShapeError, "chunk_size.*0"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_meaning_is_refused(name: str) -> None:
    call, error, message = REFUSED[name]
    with pytest.raises(error, match=message):
        call()
