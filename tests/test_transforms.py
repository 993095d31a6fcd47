"""Transforms in the style of torch.func, alone and inside of each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

import apolar as ap
from apolar.errors import ApolarError, FunctionError, RowCouplingError, ShapeError

Y = torch.tensor([0.3, -0.7, 1.1], dtype=torch.float64)

# --------------------------------------------------------------------------------------------- auxiliary values, nested

INNER: dict[str, Callable[[Callable[[Tensor], Any]], Callable[[Tensor], Any]]] = {
    "grad": lambda f: ap.grad(f, has_aux=True),
    "jacobian": lambda f: ap.jacobian(f, has_aux=True),
    "hessian": lambda f: ap.hessian(f, has_aux=True),
}
OUTER: dict[str, Callable[[Callable[[Tensor], Tensor]], Tensor]] = {
    "jacobian": lambda f: ap.jacobian(f)(Y),
    "jvp": lambda f: torch.stack([ap.jvp(f, (Y,), (v,))[1] for v in torch.eye(3).double()], -1),
    "grad": lambda f: torch.stack([ap.grad(lambda y, k=k: f(y)[k])(Y) for k in range(3)]),
    "torch.func.jacrev": lambda f: torch.func.jacrev(f)(Y),
    "torch.func.jacfwd": lambda f: torch.func.jacfwd(f)(Y),
}


@pytest.mark.parametrize("of", ["the outer variable", "the inner variable"])
@pytest.mark.parametrize("outer", OUTER)
@pytest.mark.parametrize("inner", INNER)
def test_auxiliary_values_keep_the_derivatives_of_the_outer_transform(inner: str, outer: str, of: str) -> None:
    def aux(y: Tensor) -> Tensor:
        return INNER[inner](lambda x: ((x * x).sum(), y**2 if of == "the outer variable" else x**2))(y)[1]

    assert torch.allclose(OUTER[outer](aux), torch.diag(2 * Y))


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


# ------------------------------------------------------------------------------------------------ no entries, one entry

EMPTY: dict[str, tuple[Callable[[Tensor], Any], tuple[int, ...]]] = {
    "grad": (ap.grad(lambda x: x.sum()), (0,)),
    "jacobian": (ap.jacobian(lambda x: x.sum()), (0,)),
    "jacobian in chunks": (ap.jacobian(lambda x: x.sum(), chunk_size=2), (0,)),
    "hessian": (ap.hessian(lambda x: x.sum()), (0, 0)),
    "derivative_tensor": (ap.derivative_tensor(lambda x: x.sum(), 3), (0, 0, 0)),
    "hessian_diagonal": (ap.hessian_diagonal(lambda x: x.sum()), (0,)),
    "hessian_trace": (ap.hessian_trace(lambda x: x.sum()), ()),
    "derivative": (ap.derivative(torch.sin, 2), (0,)),
}


@pytest.mark.parametrize("name", EMPTY)
def test_inputs_without_entries(name: str) -> None:
    transform, shape = EMPTY[name]
    found = transform(torch.zeros(0))
    assert found.shape == shape
    assert not found.any()


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("shape", [(), (1,), (1, 1)], ids=str)
def test_derivative_tensor_of_one_number(shape: tuple[int, ...], order: int) -> None:
    found = ap.derivative_tensor(lambda x: torch.exp(2 * x).sum(), order)(torch.zeros(shape, dtype=torch.float64))
    assert found.shape == shape * order
    assert torch.allclose(found, torch.tensor(2.0**order).double())


# -------------------------------------------------------------------------------------------------- functions that fail


def fails(x: Tensor) -> Tensor:
    return (x @ torch.ones(3, 3).double()).sum()


def one(x: Tensor) -> Tensor:
    return x.sum()


POINTS = torch.ones(6, 2, dtype=torch.float64)
MANY = torch.ones(15, 2, dtype=torch.float64)
FAILING: dict[str, tuple[Callable[[], object], type[ApolarError], str]] = {
    "grad": (lambda: ap.grad(fails)(POINTS), FunctionError, "mat1 and mat2"),
    "jacobian": (lambda: ap.jacobian(fails)(POINTS), FunctionError, "mat1 and mat2"),
    "hessian": (lambda: ap.hessian(fails)(POINTS), FunctionError, "mat1 and mat2"),
    "hessian in many variables": (lambda: ap.hessian(fails)(MANY), FunctionError, "mat1 and mat2"),
    "hvp": (lambda: ap.hvp(fails, POINTS, POINTS), FunctionError, "mat1 and mat2"),
    "vjp": (lambda: ap.vjp(fails, POINTS), FunctionError, "mat1 and mat2"),
    "jvp": (lambda: ap.jvp(fails, (POINTS,), (POINTS,)), FunctionError, "mat1 and mat2"),
    "vjp of nothing": (lambda: ap.vjp(lambda x: None, POINTS), FunctionError, "NoneType"),
    "cotangent of another shape": (lambda: ap.vjp(torch.sin, POINTS)[1](POINTS[0]), ShapeError, r"\(2,\).*\(6, 2\)"),
    "grad of nothing": (lambda: ap.grad(lambda x: None)(POINTS), ApolarError, "NoneType"),
    "no auxiliary value": (lambda: ap.grad(one, has_aux=True)(POINTS), FunctionError, "pair"),
    "no auxiliary value, jacobian": (lambda: ap.jacobian(one, has_aux=True)(POINTS), FunctionError, "pair"),
    "no auxiliary value, hessian": (lambda: ap.hessian(one, has_aux=True)(POINTS), FunctionError, "pair"),
}


@pytest.mark.parametrize("name", FAILING)
def test_functions_that_fail_are_reported_in_the_words_of_apolar(name: str) -> None:
    call, error, message = FAILING[name]
    with pytest.raises(error, match=message):
        call()
