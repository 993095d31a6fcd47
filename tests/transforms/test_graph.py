# ruff: noqa: E501
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


# ----------------------------------------------------------------------------------------- where PyTorch itself is wrong


def at(value: float, *more: float) -> Tensor:
    return torch.tensor([value, *more], dtype=torch.float64, requires_grad=True)


WRONG_IN_PYTORCH: dict[str, tuple[Callable[[Tensor], Tensor], Tensor, int, str]] = {
    "i1 at 0": (torch.special.i1, at(0.0), 3, "special_i1 .*SpecialI1Backward0.* order 3 .*at 0"),
    "i1 near 0": (torch.special.i1, at(1e-9), 2, "special_i1.*near 0"),
    "i1 near 0 among others": (torch.special.i1, at(2.0, 1e-3), 2, "special_i1"),
    "i0 at 0": (torch.i0, at(0.0), 4, r"i0 \(node I0Backward0\).* order 4"),
    "i0 at 0, of more than its argument": (lambda x: torch.sin(torch.i0(x * x)) + x, at(0.0), 4, "i0"),
    "i1e near 0": (torch.special.i1e, at(1e-4), 2, "special_i1e"),
    "sinc at 0": (torch.sinc, at(0.0), 2, "sinc.*at 0"),
    "logcumsumexp": (lambda x: torch.logcumsumexp(x, 0), at(0.5), 3, "LogcumsumexpBackward0.* order 3"),
    "logaddexp far apart": (lambda x: torch.logaddexp(x, x - 1000), at(0.5), 2, "logaddexp.*exp overflows"),
    "a power with exponent 0": (lambda x: (1 + x) ** x, at(0.0), 2, "pow.*exponent is 0 and both"),
    "a power with exponent 1": (lambda x: x**x, at(1.0), 3, "pow"),
    "a power of 0": (lambda x: 0.0 ** (1 + x), at(0.5), 2, "pow.*base is 0"),
    "a square of 0 by a tensor": (lambda x: x ** torch.tensor(2.0).double(), at(0.0), 4, "pow.*base and exponent are 0"),
    "a singular matrix": (lambda x: torch.linalg.det(x[:, None, None] * torch.eye(2).double()), at(0.0), 2, "det.*singular"),
    "a norm of order 4": (lambda x: torch.linalg.vector_norm(torch.stack([x, x + 1]), 4, 0), at(0.0), 4, "vector_norm.*p = 4"),
    "weight_norm": (lambda x: torch._weight_norm(torch.stack([x, 1 + x], -1), 1 + 0 * x[:, None], 0)[:, 0], at(0.5), 2, "_weight_norm"),
    "max_unpool of an index twice": (lambda x: F.max_unpool1d(torch.cat([x, x])[None], torch.tensor([[0, 0]]), 2)[0, :1], at(0.5), 1, "max_unpool2d"),
    "a random number": (lambda x: torch.normal(x, 1.0), at(0.5), 1, "normal"),
    "native_batch_norm": (lambda x: torch.native_batch_norm(torch.stack([x, x * x]), None, None, None, None, True, 0.1, 1e-5)[0][0], at(0.5), 3, "native_batch_norm.*in training"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG_IN_PYTORCH)
def test_what_pytorch_gets_wrong_is_refused_from_there_on(name: str) -> None:
    f, x, order, message = WRONG_IN_PYTORCH[name]
    for k in (order, order + 1):
        with pytest.raises(UnsupportedOperator, match=message):
            ap.diff(f(x), x, k)
    for k in range(1, order):
        agree(ap.diff(f(x), x, k).detach(), ap.derivative(f, k)(x.detach()))


RIGHT_IN_PYTORCH: dict[str, tuple[Callable[[Tensor], Tensor], Tensor, int]] = {
    "i1 away from 0": (torch.special.i1, at(0.3, -2.0), 4),
    "i0 away from 0": (torch.i0, at(0.3, -2.0), 4),
    "sinc away from 0": (torch.sinc, at(0.4, -1.3), 4),
    "powers of tensors": (lambda x: x ** torch.tensor([0.0, 1.0, 2.0, 3.0]).double(), at(0.5, 0.5, 0.5, 0.5), 4),
    "a power with another exponent": (lambda x: (1 + x) ** (x + 0.3), at(0.5), 4),
    "a product of zeros": (lambda x: torch.prod(torch.stack([x, x, x]), 0), at(0.0), 4),
    "a regular matrix": (lambda x: torch.linalg.det(x[:, None, None] * torch.eye(2).double()), at(0.5), 4),
    "logaddexp": (lambda x: torch.logaddexp(x, x * x), at(0.5), 4),
    "max_unpool": (lambda x: F.max_unpool1d(torch.cat([x, x])[None], torch.tensor([[0, 1]]), 2)[0, :1], at(0.5), 2),
}  # fmt: skip


@pytest.mark.parametrize("name", RIGHT_IN_PYTORCH)
def test_there_is_no_false_alarm_away_from_the_points(name: str) -> None:
    f, x, order = RIGHT_IN_PYTORCH[name]
    for k in range(1, order + 1):
        agree(ap.diff(f(x), x, k).detach(), ap.derivative(f, k)(x.detach()))


def test_batch_norm_of_given_statistics_is_right() -> None:
    x = variable(4, 1)
    y = F.batch_norm(torch.sin(x), torch.zeros(1).double(), torch.ones(1).double())
    agree(ap.diff(y, x, 3).detach(), -torch.cos(x.detach()) / (1 + 1e-5) ** 0.5)


def test_only_what_lies_between_counts() -> None:
    """layer_norm of something else is a factor, and what x was computed from is no matter."""
    x, t = variable(3, 4), variable(3, 4)
    scale = layer_norm(t).detach().clone() * 1
    agree(ap.diff(torch.sin(x) * layer_norm(t), x, 3).detach(), -torch.cos(x.detach()) * scale)
    y = layer_norm(t)
    agree(ap.diff(torch.sin(y), y, 3).detach(), -torch.cos(y.detach()))


def test_orders_of_derivatives_of_derivatives_add_up() -> None:
    x = at(0.0)
    first = ap.diff(torch.special.i1(x), x)
    assert ap.diff(first, x).shape == x.shape
    with pytest.raises(UnsupportedOperator, match="special_i1"):
        ap.diff(first, x, 2)
    with pytest.raises(UnsupportedOperator, match="special_i1"):
        ap.diff(ap.diff(2 * first, x), x)


# -------------------------------------------------------------------------------------------------------------- mixed rows

MIXED: dict[str, Callable[[Tensor], Tensor]] = {
    "flipped rows": lambda x: x.flip(0) ** 2,
    "a mean": lambda x: (x - x.mean(0)) ** 2,
    "a column of another row": lambda x: x.roll(1, 0).sum(-1, keepdim=True),
    "attention among rows": lambda x: F.scaled_dot_product_attention(x, x, x),
    "one pair": lambda x: x.index_add(0, torch.tensor([1]), x[3:4]),
}


@pytest.mark.parametrize("name", MIXED)
def test_mixed_rows_are_refused(name: str) -> None:
    x = variable(4, 2)
    with pytest.raises(ap.RowCouplingError, match="mixes rows"):
        ap.diff(MIXED[name](x), x)


def test_rows_that_are_mixed_at_the_second_order() -> None:
    """At equal points the first derivative of (x − mean)² is 0."""
    x = torch.ones(4, 1, dtype=torch.float64, requires_grad=True)
    y = (x - x.mean()) ** 2
    agree(ap.diff(y, x).detach(), torch.zeros(4, 1, dtype=torch.float64))
    with pytest.raises(ap.RowCouplingError):
        ap.diff(y, x, 2)


APART: dict[str, Callable[[Tensor], Tensor]] = {
    "a sum that is always 1": lambda x: x.softmax(-1).sum(-1, keepdim=True),
    "noise": lambda x: x * torch.rand_like(x),
    "infinite": lambda x: 1 / (x - x),
    "float32": lambda x: torch.tanh(x.float() * 3).double(),
}


@pytest.mark.parametrize("name", APART)
def test_no_false_alarm(name: str) -> None:
    x = variable(40, 2)
    ap.diff(APART[name](x), x)
