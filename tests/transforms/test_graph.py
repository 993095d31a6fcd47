"""Derivatives of tensors that were already computed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import apolar as ap
from apolar.errors import ApolarError, GraphError, OperatorError, ShapeError, UnsupportedOperator
from tests.oracles.scenarios import ENTRYWISE, draw

from .agreement import DTYPES, agree


def variable(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return draw("graph", *shape, dtype=dtype).requires_grad_()


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("expression", [e for e in ENTRYWISE if e != "0*x + 7"])
def test_functions_of_one_variable(expression: str, order: int, dtype: torch.dtype) -> None:
    f, x = ENTRYWISE[expression], variable(5, dtype=dtype)
    expected = f.derivative(*["x"] * order)(x.detach().double())
    agree(ap.diff(f(x), x, order).detach(), expected, dtype)


@pytest.mark.parametrize("shape", [(), (1,), (4,), (4, 1), (2, 3), (0,)], ids=str)
def test_every_shape(shape: tuple[int, ...]) -> None:
    x = variable(*shape)
    agree(ap.diff(torch.sin(x), x, 2).detach(), -torch.sin(x.detach()))


def test_one_column_of_results_gives_gradients_of_rows() -> None:
    X = variable(5, 3)
    y = (X**2).sum(-1, keepdim=True) * X[:, :1]
    (expected,) = torch.autograd.grad(y.sum(), X, retain_graph=True)
    agree(ap.diff(y, X).detach(), expected)


def test_mixed_derivatives_by_calling_twice() -> None:
    x, t = variable(4, 1), draw("t", 4, 1).requires_grad_()
    u = torch.sin(x * t**2)
    agree(
        ap.diff(ap.diff(u, x), t).detach(), (2 * t * torch.cos(x * t**2) - 2 * x * t**3 * torch.sin(x * t**2)).detach()
    )


def test_gradients_flow_on_to_parameters() -> None:
    net = nn.Sequential(nn.Linear(1, 6), nn.Tanh(), nn.Linear(6, 1)).double()
    x = variable(5, 1)
    parameters = list(net.parameters())
    found = torch.autograd.grad(ap.diff(net(x), x, 2).sum(), parameters, materialize_grads=True)
    lifted = torch.autograd.grad(ap.derivative(net, 2)(x.detach()).sum(), parameters, materialize_grads=True)
    for a, b in zip(found, lifted, strict=True):
        agree(a, b)


# --------------------------------------------------------------------------------------------------- what is zero is zero

LINEAR: dict[str, Callable[[Tensor], Tensor]] = {
    "x": lambda x: x * 1,
    "2x − 3": lambda x: 2 * x - 3,
    "a linear layer": lambda x: F.linear(x, torch.full((1, 1), 2.0, dtype=x.dtype)),
    "x + x·0": lambda x: x + x * 0,
}


@pytest.mark.parametrize("order", [2, 3])
@pytest.mark.parametrize("name", LINEAR)
def test_linear_functions_have_no_second_derivative(name: str, order: int) -> None:
    x = variable(4, 1)
    agree(ap.diff(LINEAR[name](x), x, order).detach(), torch.zeros(4, 1, dtype=x.dtype))


def test_linear_functions_with_parameters() -> None:
    """The graph of w·x goes on to w, but not to x a second time."""
    net, x = nn.Linear(1, 1).double(), variable(4, 1)
    agree(ap.diff(net(x), x, 2).detach(), torch.zeros(4, 1, dtype=x.dtype))


def test_polynomials_end() -> None:
    x = variable(4)
    agree(ap.diff(x**2, x, 3).detach(), torch.zeros(4, dtype=x.dtype))
    agree(ap.diff(x**3, x, 3).detach(), torch.full((4,), 6.0, dtype=x.dtype))


# ----------------------------------------------------------------------------------------------------------- refusals


def fresh_slice() -> Tensor:
    X = variable(4, 2)
    return ap.diff(torch.sin(X[:, 0:1]), X[:, 0:1])


def plain_input() -> Tensor:
    x = torch.ones(4, 1)
    return ap.diff(torch.sin(variable(4, 1)), x)


def without_graph() -> Tensor:
    x = variable(4, 1)
    with torch.no_grad():
        y = torch.sin(x)
    return ap.diff(y, x)


def detached() -> Tensor:
    x = variable(4, 1)
    return ap.diff(torch.sin(x).detach(), x)


def another_tensor() -> Tensor:
    return ap.diff(torch.sin(variable(4, 1)), variable(4, 1))


def two_columns() -> Tensor:
    X = variable(4, 2)
    return ap.diff(torch.stack([X.sum(-1), X.prod(-1), X[:, 0]], -1), X)


def a_sum() -> Tensor:
    x = variable(4, 1)
    return ap.diff(torch.sin(x).sum(), x)


def a_column_twice() -> Tensor:
    X = variable(4, 2)
    return ap.diff((X**3).sum(-1, keepdim=True), X, 2)


def normalised(normalise: Callable[[Tensor], Tensor], order: int) -> Callable[[], Tensor]:
    def call() -> Tensor:
        X = variable(3, 4)
        return ap.diff(normalise(torch.sin(X)) * X, X, order)

    return call


def layer_norm(x: Tensor) -> Tensor:
    return F.layer_norm(x, x.shape[-1:])


def batch_norm(x: Tensor) -> Tensor:
    return F.batch_norm(x, None, None, training=True)


REFUSED: dict[str, tuple[Callable[[], Tensor], type[ApolarError], str]] = {
    "a fresh slice": (fresh_slice, GraphError, "slice first"),
    "an input that was not recorded": (plain_input, GraphError, r"does not require grad.*requires_grad_\(\)"),
    "no_grad": (without_graph, GraphError, r"y has no graph.*no_grad"),
    "detached": (detached, GraphError, "y has no graph.*detached"),
    "another tensor": (another_tensor, GraphError, "not part of the computation"),
    "several columns": (two_columns, ShapeError, r"\(4, 3\).*\(4, 2\)"),
    "a sum": (a_sum, ShapeError, r"\(\).*\(4, 1\)"),
    "a column twice": (a_column_twice, ShapeError, "one column"),
    "layer_norm, order 3": (normalised(layer_norm, 3), UnsupportedOperator, "LayerNorm.*order 3.*ap.evaluate"),
    "batch_norm, order 3": (normalised(batch_norm, 3), UnsupportedOperator, "BatchNorm.*order 3.*ap.evaluate"),
    "order 0": (lambda: ap.diff(variable(2), variable(2), 0), OperatorError, "1, 2, 3.*got 0"),
    "order 1.5": (lambda: ap.diff(variable(2), variable(2), 1.5), OperatorError, r"1, 2, 3.*got 1\.5"),
    "order True": (lambda: ap.diff(variable(2), variable(2), True), OperatorError, "1, 2, 3.*got True"),
    "no tensor": (lambda: ap.diff(1.0, variable(2)), ApolarError, "tensor"),
    "an input that is no tensor": (lambda: ap.diff(variable(2), [1.0]), ApolarError, "tensor"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_answer_is_refused(name: str) -> None:
    call, error, message = REFUSED[name]
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("order", [1, 2])
def test_layer_norm_is_right_below_the_order_where_it_is_refused(order: int) -> None:
    """Row by row the entries mix, so the sum over the row is compared."""
    X = variable(3, 4)
    y = layer_norm(torch.sin(X)) * X
    by_hand = torch.sin(X)
    by_hand = by_hand - by_hand.mean(-1, keepdim=True)
    by_hand = by_hand / torch.sqrt((by_hand**2).mean(-1, keepdim=True) + 1e-5) * X
    agree(ap.diff(y, X, order).detach(), ap.diff(by_hand, X, order).detach())


def test_slicing_first_is_what_the_message_proposes() -> None:
    X = variable(4, 2)
    x, t = X[:, 0:1], X[:, 1:2]
    agree(ap.diff(torch.sin(x) * t, x).detach(), (torch.cos(x) * t).detach())
