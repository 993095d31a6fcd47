"""Recording: operations, operands and what is refused."""

from __future__ import annotations

import math

import pytest
import torch

import apolar as ap

X = torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64)


class Double(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return 2 * x

    @staticmethod
    def backward(ctx, g):
        return 2 * g


def written_by_index(x):
    y = x.clone()
    y[0] = 1
    return y


def written_into_view(x):
    y = x.clone()
    y.view(3).add_(1)
    return y


@pytest.mark.parametrize(
    "f, error, message",
    [
        (lambda x: torch.tensor(math.sin(x[0])) * x, ap.DetachedError, "__float__|float takes a value out"),
        (lambda x: x * x.sum().item(), ap.DetachedError, "item takes a value out"),
        (lambda x: torch.tensor([x[0], x[1]]), ap.DetachedError, "torch.stack"),
        (written_by_index, ap.UnsupportedOperator, "by an index"),
        (lambda x: torch.sin(x, out=torch.empty(3)), ap.UnsupportedOperator, "out="),
        (written_into_view, ap.UnsupportedOperator, "shares its memory"),
        (Double.apply, ap.UnsupportedOperator, "autograd.Function"),
        (lambda x: torch.func.grad(lambda z: (z**2).sum())(x), ap.UnsupportedOperator, "torch"),
        (lambda x: torch.autograd.grad((x**2).sum(), x)[0], ap.UnsupportedOperator, "torch.autograd"),
        (lambda x: torch.dropout(x, 0.5, True), ap.FunctionError, "random"),
        (lambda x: x * torch.nn.functional.dropout(x), ap.FunctionError, "random"),
    ],
)
def test_what_cannot_be_followed_is_refused(f, error, message) -> None:
    with pytest.raises(error, match=message):
        ap.explain(f, X)


def test_without_gradients_a_value_is_constant() -> None:
    def f(x):
        with torch.no_grad():
            scale = x.sum()
        return x * scale

    assert ap.explain(f, X).derivatives["x",].tolist() == [3.5, 3.5, 3.5]


def test_detached_values_are_constant() -> None:
    assert ap.explain(lambda x: x * x.detach(), X).derivatives["x",].tolist() == X.tolist()


def test_a_value_that_is_used_twice_is_one_node() -> None:
    def f(x):
        y = x.sin()
        return y * y + y

    (derivation,) = ap.explain(f, 1.0).derivations
    assert [step.function for step in derivation.steps] == ["sin", "mul", "add"]
    assert [len(adjoint.contributions) for adjoint in derivation.adjoints] == [0, 1, 3, 1]


def test_captured_tensors() -> None:
    weight = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    matrix = torch.eye(3, dtype=torch.float64)
    (derivation,) = ap.explain(lambda x: weight * (matrix @ x).sum(), X).derivations
    assert {leaf.name.plain: leaf.kind for leaf in derivation.leaves} == {
        "x": "input",
        "p₁": "parameter",
        "c₁": "constant",
    }
    assert float(derivation.gradients["p₁"]) == 3.5


def test_a_captured_graph_is_refused() -> None:
    weight = torch.tensor(2.0, requires_grad=True) * 2
    with pytest.raises(ap.UnsupportedOperator, match="MulBackward0"):
        ap.explain(lambda x: x * weight, X)


def test_several_results_of_one_call() -> None:
    (derivation,) = ap.explain(lambda x: torch.topk(x, 2).values.prod(), X).derivations
    assert derivation.gradients["x"].tolist() == [0, 2, 1]
    assert [step.function for step in derivation.steps] == ["topk[0]", "prod"]
