"""What the transforms take: arguments by number, keywords, numbers, tensors without entries, and what they refuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import apolar as ap
from apolar.errors import ApolarError, DtypeError, FunctionError, ShapeError
from tests.oracles.scenarios import mixed_number

from .agreement import agree

X = torch.tensor([0.3, -0.7, 1.1], dtype=torch.float64)
B = torch.linspace(-1, 1, 6, dtype=torch.float64).reshape(3, 2)

OF_NUMBERS: dict[str, Callable[..., Any]] = {
    "grad": ap.grad,
    "jacobian": ap.jacobian,
    "hessian": ap.hessian,
    "derivative_tensor": lambda f, argnums=0: ap.derivative_tensor(f, 2, argnums),
}


@pytest.mark.parametrize("argnums", [2, -3, (0, 2), (0, 1, -3)], ids=str)
@pytest.mark.parametrize("transform", ["grad", "jacobian", "hessian"])
def test_arguments_that_are_not_there_are_refused(transform: str, argnums: Any) -> None:
    with pytest.raises(ShapeError, match=r"argnums=.*got 2"):
        OF_NUMBERS[transform](mixed_number, argnums)(X, B)


@pytest.mark.parametrize("transform", OF_NUMBERS)
def test_no_argument_is_refused(transform: str) -> None:
    with pytest.raises(ShapeError, match=r"argnums=0.*got 0"):
        OF_NUMBERS[transform](mixed_number)()


@pytest.mark.parametrize("transform", ["grad", "jacobian", "hessian"])
def test_no_argnums_are_refused(transform: str) -> None:
    with pytest.raises(ShapeError, match="argnums"):
        OF_NUMBERS[transform](mixed_number, ())(X, B)


@pytest.mark.parametrize("transform", OF_NUMBERS)
def test_other_arguments_and_keywords_are_passed_on(transform: str) -> None:
    def f(x: Tensor, power: int, *, scale: Tensor, name: str = "") -> Tensor:
        assert name == "given"
        return (scale * x**power).sum()

    of = OF_NUMBERS[transform]
    found = of(f)(X, 3, scale=X, name="given")
    agree(found, of(lambda x: (X * x**3).sum())(X))


NUMBERS: dict[str, Any] = {"float": 2.0, "int": 2, "np.float32": np.float32(2.0), "array": np.array(2.0)}


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("transform", OF_NUMBERS)
def test_numbers_are_double_precision(transform: str, name: str) -> None:
    found = OF_NUMBERS[transform](lambda x: x**3)(NUMBERS[name])
    agree(found, torch.tensor(12.0, dtype=torch.float64))


# ------------------------------------------------------------------------------------------------------- without entries


def total(x: Tensor) -> Tensor:
    return (x**2).sum()


EMPTY: dict[str, tuple[Callable[[Tensor], Any], tuple[int, ...]]] = {
    "grad": (ap.grad(total), (0,)),
    "jacobian": (ap.jacobian(total), (0,)),
    "jacobian in chunks": (ap.jacobian(total, chunk_size=2), (0,)),
    "jacobian of entries": (ap.jacobian(torch.sin), (0, 0)),
    "hessian": (ap.hessian(total), (0, 0)),
    "hessian in chunks": (ap.hessian(total, chunk_size=2), (0, 0)),
    "derivative_tensor": (ap.derivative_tensor(total, 3), (0, 0, 0)),
    "hessian_diagonal": (ap.hessian_diagonal(total), (0,)),
    "hessian_trace": (ap.hessian_trace(total), ()),
    "hessian_trace, estimated": (lambda x: ap.hessian_trace(total, samples=4)(x).value, ()),
    "hvp": (lambda x: ap.hvp(total, x, x), (0,)),
    "jvp": (lambda x: ap.jvp(torch.sin, (x,), (x,))[1], (0,)),
    "vjp": (lambda x: ap.vjp(torch.sin, x)[1](x)[0], (0,)),
    "derivative": (ap.derivative(torch.sin, 2), (0,)),
    "taylor": (lambda x: ap.taylor(torch.sin, 2)(x)[2], (0,)),
}


@pytest.mark.parametrize("name", EMPTY)
def test_inputs_without_entries(name: str) -> None:
    transform, shape = EMPTY[name]
    found = transform(torch.zeros(0, dtype=torch.float64))
    agree(found, torch.zeros(shape, dtype=torch.float64))


# --------------------------------------------------------------------------------------------------------------- refusals

WHAT: dict[str, tuple[Any, str]] = {
    "integers": (torch.arange(3), r"floating point.*int64.*double\(\)"),
    "truth values": (torch.tensor([True]), "floating point.*bool"),
    "text": ("text", "tensor or a number, got str"),
    "None": (None, "tensor or a number, got NoneType"),
    "a list of text": (["a"], "tensor or a number, got list"),
}
TAKING: dict[str, Callable[[Any], Any]] = {
    **{name: lambda x, of=of: of(total)(x) for name, of in OF_NUMBERS.items()},
    "derivative": lambda x: ap.derivative(torch.sin)(x),
    "taylor": lambda x: ap.taylor(torch.sin, 2)(x),
    "hvp": lambda x: ap.hvp(total, x, x),
    "jvp": lambda x: ap.jvp(torch.sin, (x,), (x,)),
    "vjp": lambda x: ap.vjp(torch.sin, x),
    "hessian_diagonal": lambda x: ap.hessian_diagonal(total)(x),
    "hessian_trace": lambda x: ap.hessian_trace(total)(x),
    "mixed_partials": lambda x: ap.mixed_partials(total)(x),
}


@pytest.mark.parametrize("what", WHAT)
@pytest.mark.parametrize("transform", TAKING)
def test_what_cannot_be_differentiated_is_refused(transform: str, what: str) -> None:
    x, message = WHAT[what]
    with pytest.raises(DtypeError, match=message):
        TAKING[transform](x)


OUTPUTS: dict[str, Callable[[Tensor], Any]] = {
    "None": lambda x: None,
    "text": lambda x: "text",
    "a number": lambda x: 1.0,
    "an array": lambda x: np.zeros(2),
    "a nest with a number": lambda x: {"a": x.sum(), "b": 1.0},
    "nothing": lambda x: (),
}
RETURNING: dict[str, Callable[[Callable[[Tensor], Any]], Any]] = {
    **{name: lambda f, of=of: of(f)(X) for name, of in OF_NUMBERS.items()},
    "derivative": lambda f: ap.derivative(f)(X),
    "hvp": lambda f: ap.hvp(f, X, X),
    "jvp": lambda f: ap.jvp(f, (X,), (X,)),
    "vjp": lambda f: ap.vjp(f, X),
    "hessian_diagonal": lambda f: ap.hessian_diagonal(f)(X),
    "hessian_trace": lambda f: ap.hessian_trace(f)(X),
    "hessian in many variables": lambda f: ap.hessian(f)(torch.ones(30)),
}


@pytest.mark.parametrize("what", OUTPUTS)
@pytest.mark.parametrize("transform", RETURNING)
def test_functions_that_return_no_tensors_are_refused(transform: str, what: str) -> None:
    with pytest.raises((FunctionError, ShapeError), match=r"return|one number"):
        RETURNING[transform](OUTPUTS[what])


@pytest.mark.parametrize("transform", ["grad", "jacobian", "hessian"])
def test_what_detaches_is_treated_like_a_constant_or_refused(transform: str) -> None:
    """Reverse mode sees a constant, as torch.func does; forward mode refuses."""
    try:
        found = OF_NUMBERS[transform](lambda x: (x.detach() * x).sum())(X)
    except ApolarError:
        return
    agree(found, {"grad": X, "jacobian": X, "hessian": torch.zeros(3, 3).double()}[transform])
