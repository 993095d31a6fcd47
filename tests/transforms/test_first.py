"""Gradients, Jacobians and products with them, against torch.func."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._pytree import tree_map

import apolar as ap
from apolar.errors import FunctionError, ShapeError
from tests.oracles import torch_func
from tests.oracles.scenarios import FUNCTIONS, NUMBERS, ONE_ARGUMENT, Scenario, smooth, vector

from .agreement import DTYPES, agree

each_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=str)
each_function = pytest.mark.parametrize("scenario", FUNCTIONS, ids=str)
X = torch.tensor([0.3, -0.7, 1.1], dtype=torch.float64)


@each_dtype
@pytest.mark.parametrize("scenario", NUMBERS, ids=str)
def test_grad(scenario: Scenario, dtype: torch.dtype) -> None:
    found = ap.grad(scenario.function, scenario.argnums)(*scenario.inputs(dtype))
    agree(found, torch_func.of(scenario, 1, dtype), dtype)


@each_dtype
@pytest.mark.parametrize("chunk_size", [None, 1, 3])
@each_function
def test_jacobian(scenario: Scenario, chunk_size: int | None, dtype: torch.dtype) -> None:
    found = ap.jacobian(scenario.function, scenario.argnums, chunk_size=chunk_size)(*scenario.inputs(dtype))
    agree(found, torch_func.of(scenario, 1, dtype), dtype)


@each_dtype
@each_function
def test_jvp(scenario: Scenario, dtype: torch.dtype) -> None:
    inputs, directions = scenario.inputs(dtype), scenario.directions(dtype)
    expected = torch.func.jvp(
        scenario.function, tuple(x.double() for x in inputs), tuple(v.double() for v in directions)
    )
    agree(ap.jvp(scenario.function, inputs, directions), expected, dtype)


@each_dtype
@each_function
def test_vjp(scenario: Scenario, dtype: torch.dtype) -> None:
    inputs = scenario.inputs(dtype)
    value, back = torch.func.vjp(scenario.function, *(x.double() for x in inputs))
    cotangent = tree_map(torch.cos, value)
    found, pull = ap.vjp(scenario.function, *inputs)
    agree(found, value, dtype)
    agree(pull(tree_map(lambda c: c.to(dtype), cotangent)), back(cotangent), dtype)


def test_one_tensor_for_the_arguments_of_jvp() -> None:
    agree(ap.jvp(torch.sin, X, torch.ones_like(X)), (torch.sin(X), torch.cos(X)))


# ------------------------------------------------------------------------------------------------------ auxiliary values

AUXILIARY: dict[str, Any] = {
    "a tensor": lambda x: x * 2,
    "a nest": lambda x: {"a": (x.sum(), [x])},
    "a number": lambda x: 3.0,
    "text": lambda x: "text",
    "None": lambda x: None,
}
WITH_AUX: dict[str, Callable[..., Any]] = {"grad": ap.grad, "jacobian": ap.jacobian, "hessian": ap.hessian}


@pytest.mark.parametrize("name", AUXILIARY)
@pytest.mark.parametrize("transform", WITH_AUX)
def test_auxiliary_values_are_passed_on(transform: str, name: str) -> None:
    result, aux = WITH_AUX[transform](lambda x: (smooth(x), AUXILIARY[name](x)), has_aux=True)(X)
    agree(result, WITH_AUX[transform](smooth)(X))
    if isinstance(aux, (float, str, type(None))):
        assert aux == AUXILIARY[name](X)
    else:
        agree(aux, AUXILIARY[name](X))


@pytest.mark.parametrize("transform", WITH_AUX)
def test_auxiliary_values_beside_several_arguments(transform: str) -> None:
    found = WITH_AUX[transform](lambda a, b: ((a * b).sum(), a - b), (0, 1), has_aux=True)(X, 2 * X)
    agree(found, (WITH_AUX[transform](lambda a, b: (a * b).sum(), (0, 1))(X, 2 * X), -X))


INNER: dict[str, Callable[[Callable[[Tensor], Any]], Callable[[Tensor], Any]]] = {
    name: lambda f, transform=transform: transform(f, has_aux=True) for name, transform in WITH_AUX.items()
}
OUTER: dict[str, Callable[[Callable[[Tensor], Tensor]], Tensor]] = {
    "jacobian": lambda f: ap.jacobian(f)(X),
    "jvp": lambda f: torch.stack([ap.jvp(f, (X,), (v,))[1] for v in torch.eye(3).double()], -1),
    "grad": lambda f: torch.stack([ap.grad(lambda y, k=k: f(y)[k])(X) for k in range(3)]),
    "torch.func.jacrev": lambda f: torch.func.jacrev(f)(X),
    "torch.func.jacfwd": lambda f: torch.func.jacfwd(f)(X),
}


@pytest.mark.parametrize("of", ["the outer variable", "the inner variable"])
@pytest.mark.parametrize("outer", OUTER)
@pytest.mark.parametrize("inner", INNER)
def test_auxiliary_values_keep_the_derivatives_of_the_outer_transform(inner: str, outer: str, of: str) -> None:
    def aux(y: Tensor) -> Tensor:
        return INNER[inner](lambda x: ((x * x).sum(), y**2 if of == "the outer variable" else x**2))(y)[1]

    assert torch.allclose(OUTER[outer](aux), torch.diag(2 * X))


# ------------------------------------------------------------------------------------------------- functions that fail


def fails(x: Tensor) -> Tensor:
    return (x @ torch.ones(3, 3).double()).sum()


POINTS = torch.ones(6, 2, dtype=torch.float64)
FAILING: dict[str, tuple[Callable[[], object], type[Exception], str]] = {
    "grad": (lambda: ap.grad(fails)(POINTS), FunctionError, "mat1 and mat2"),
    "jacobian": (lambda: ap.jacobian(fails)(POINTS), FunctionError, "mat1 and mat2"),
    "vjp": (lambda: ap.vjp(fails, POINTS), FunctionError, "mat1 and mat2"),
    "jvp": (lambda: ap.jvp(fails, (POINTS,), (POINTS,)), FunctionError, "mat1 and mat2"),
    "grad of nothing": (lambda: ap.grad(lambda x: None)(POINTS), ShapeError, "NoneType"),
    "grad of a number of Python": (lambda: ap.grad(lambda x: 1.0)(POINTS), ShapeError, "float"),
    "grad of a pair": (lambda: ap.grad(lambda x: (x.sum(), x))(POINTS), ShapeError, "tuple"),
    "grad of several numbers": (lambda: ap.grad(torch.sin)(POINTS), ShapeError, r"one number, got \(6, 2\).*ap\.jacobian"),
    "jacobian of nothing": (lambda: ap.jacobian(lambda x: None)(POINTS), FunctionError, "NoneType"),
    "vjp of nothing": (lambda: ap.vjp(lambda x: None, POINTS), FunctionError, "NoneType"),
    "jvp of nothing": (lambda: ap.jvp(lambda x: None, (POINTS,), (POINTS,)), FunctionError, "NoneType"),
    "no auxiliary value, grad": (lambda: ap.grad(lambda x: x.sum(), has_aux=True)(X), FunctionError, "pair"),
    "no auxiliary value, jacobian": (lambda: ap.jacobian(torch.sin, has_aux=True)(POINTS), FunctionError, "pair"),
    "a cotangent of another shape": (lambda: ap.vjp(torch.sin, POINTS)[1](X), ShapeError, r"\(3,\).*\(6, 2\)"),
    "a cotangent of another nest": (lambda: ap.vjp(lambda x: (x, x), X)[1](X), ShapeError, r"\(3,\).*\(3,\)"),
    "a direction of another shape": (lambda: ap.jvp(torch.sin, (POINTS,), (X,)), ShapeError, r"\(6, 2\).*\(3,\)"),
    "no direction": (lambda: ap.jvp(torch.sin, (POINTS,), ()), ShapeError, r"\(6, 2\).*\[\]"),
    "chunks of none": (lambda: ap.jacobian(vector, chunk_size=0)(X), ShapeError, "chunk_size.*0"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAILING)
def test_what_goes_wrong_is_said_in_the_words_of_apolar(name: str) -> None:
    call, error, message = FAILING[name]
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("scenario", ONE_ARGUMENT, ids=str)
def test_inputs_are_left_alone(scenario: Scenario) -> None:
    (x,) = scenario.inputs()
    before = x.clone()
    ap.jacobian(scenario.function)(x)
    assert torch.equal(x, before)
    assert not x.requires_grad
