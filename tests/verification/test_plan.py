"""Plans: what is counted, which strategy is chosen, and how it reads."""

from __future__ import annotations

import sys

import pytest
import torch
from torch import Tensor, nn

import apolar as ap
from apolar.errors import OperatorError, RowCouplingError, ShapeError
from apolar.verification.plan import Counter, Strategy, describe, sweeps
from apolar.verification.references import nested_reverse_mode

dx, dy = ap.coordinates("x y")
LAPLACIAN = dx**2 + dy**2


def perceptron(inputs: int = 2, outputs: int = 1, width: int = 64) -> nn.Module:
    return nn.Sequential(
        nn.Linear(inputs, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh(), nn.Linear(width, outputs)
    )


def test_counts_of_a_call() -> None:
    rows, width = 1000, 64
    p = ap.plan(perceptron(), torch.rand(rows, 2), LAPLACIAN)
    assert p.plain.flops == 2 * rows * (2 * width + width * width + width)
    assert p.plain.written == rows * (4 * width + 1)
    assert p.plain.largest == rows * width
    assert p.points == rows
    first, rest = 2 * rows * 2 * width, 2 * rows * (width * width + width)
    assert first + 4 * rest <= p.lifted.flops <= 1.001 * (first + 4 * rest)  # beside the tangents, which have no rows
    assert p.memory == 2 * 4 * p.plain.largest * 4
    assert p.memory_with_gradients == 4 * p.plain.written * 4


@pytest.mark.parametrize(
    "operators, components, order, expected",
    [
        ((dx,), 2, 1, [0]),
        ((dx, dy), 3, 1, [0]),
        ((LAPLACIAN,), 4, 2, [0, 1, 1]),
        ((dx * dy,), 4, 2, [0, 1]),
        ((dx**4,), 5, 4, [0, 1, 2, 3]),
        ((LAPLACIAN**2,), 9, 4, [0, 1, 1, 2, 2, 3, 3, 3]),
    ],
)
def test_components_and_sweeps(operators, components, order, expected) -> None:
    net = perceptron()
    p = ap.plan(net, torch.rand(100, 2), 1, *operators)
    assert (p.components, p.order, p.sweeps) == (components, order, len(expected))
    assert sorted(sweeps(*operators)) == sorted(expected)


@pytest.mark.parametrize("operator", [dx, LAPLACIAN, dx * dy, dx**3 + dy, LAPLACIAN**2], ids=repr)
def test_sweeps_are_those_of_nested_reverse_mode(operator: ap.Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    grad = torch.autograd.grad
    monkeypatch.setattr(torch.autograd, "grad", lambda *a, **k: calls.append(a) or grad(*a, **k))
    nested_reverse_mode(perceptron().double(), torch.rand(3, 2, dtype=torch.float64), [operator])
    assert len(calls) == len(sweeps(operator))


@pytest.mark.parametrize("outputs", [1, 3])
def test_predicted_cost_of_nested_reverse_mode(outputs: int) -> None:
    """Within a factor of three of what is counted when it runs, up to order 4."""
    net, X = perceptron(outputs=outputs), torch.rand(16, 2)
    for operator in (dx, LAPLACIAN, dx**3, LAPLACIAN**2):
        p = ap.plan(net, X, operator)
        with Counter() as counter:
            nested_reverse_mode(net, X, [operator])
        ratio = counter.cost(1).time / p.plain.time
        assert p.nested_ratio / 3 < ratio < p.nested_ratio * 3, (operator, ratio, p.nested_ratio)


def test_high_orders_are_cheaper_by_a_lifted_pass_and_gradients_in_many_variables_by_reverse_mode() -> None:
    assert ap.plan(perceptron(), torch.rand(100, 2), LAPLACIAN**2).strategy is Strategy.LIFTED
    many = ap.coordinates([f"x{i}" for i in range(100)])
    p = ap.plan(perceptron(100), torch.rand(100, 100), *many)
    assert p.strategy is Strategy.REVERSE
    assert p.nested_ratio < p.ratio


def test_rows_in_chunks_where_memory_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    net, X = perceptron(), torch.rand(1000, 2)
    everything = ap.plan(net, X, LAPLACIAN)
    assert (everything.strategy, everything.chunk_size) == (Strategy.LIFTED, None)
    monkeypatch.setattr(
        sys.modules["apolar.verification.plan"], "_free", lambda device: everything.memory_with_gradients // 4
    )
    p = ap.plan(net, X, LAPLACIAN)
    assert (p.strategy, p.chunk_size) == (Strategy.CHUNKED, 250)
    assert "chunk_size=250" in repr(p)
    monkeypatch.setattr(sys.modules["apolar.verification.plan"], "_free", lambda device: everything.memory)
    assert ap.plan(net.requires_grad_(False), X, LAPLACIAN).strategy is Strategy.LIFTED


def test_costs_grow_with_the_points() -> None:
    net = perceptron()
    few, many = (ap.plan(net, torch.rand(rows, 2), LAPLACIAN) for rows in (100, 10000))
    assert many.plain.flops == 100 * few.plain.flops
    assert many.ratio == pytest.approx(few.ratio, rel=1e-3)
    assert many.memory == 100 * few.memory


def test_forms_of_points_and_outputs() -> None:
    x, y = torch.rand(5), torch.rand(5)
    p = ap.plan(lambda a, b: a * b, (x, y), dx * dy)
    assert (p.points, p.sweeps) == (5, 2)
    assert ap.plan(lambda q: torch.sin(q.prod(-1)), torch.rand(2), dx).points == 1
    assert ap.plan(lambda q: torch.sin(q.prod(-1)), torch.rand(0, 2), dx).points == 0
    assert ap.plan(lambda q: {"a": q, "b": q.sum(-1)}, torch.rand(3, 4, 2), dx).sweeps == 3


def test_the_function_is_left_as_it_was() -> None:
    net = perceptron()
    ap.plan(net, torch.rand(100, 2), LAPLACIAN)
    assert all(q.grad is None for q in net.parameters())


def test_reads_as_sentences() -> None:
    p = ap.plan(perceptron(), torch.rand(1000, 2), dx, LAPLACIAN)
    lines = str(p).splitlines()
    assert lines[0] == "One lifted pass with ap.evaluate."
    assert lines[1] == "Wanted: ∂x, ∂x² + ∂y²."
    assert lines[2].startswith("A lifted pass carries 4 components instead of 6")
    assert "floating-point operations and writes 257,000 numbers at 1000 points." in lines[3]
    assert lines[4].startswith("Nested reverse mode needs 3 sweeps and costs about ")
    assert all(line.endswith(".") for line in lines)
    assert p._repr_html_().count("<li>") == len(lines) - 1


def test_describes_operators_alone() -> None:
    text = describe(LAPLACIAN**2)
    assert "9 components instead of 15" in text
    assert text.endswith("needs 8 sweeps for every output.")


def coupled(q: Tensor) -> Tensor:
    return q - q.mean(0)


@pytest.mark.parametrize(
    "attempt, error, words",
    [
        (lambda: ap.plan(torch.sin, torch.rand(3, 2)), OperatorError, "at least one"),
        (lambda: ap.plan(torch.sin, torch.rand(3, 3), dx), ShapeError, "last axis of 2"),
        (lambda: ap.plan(coupled, torch.rand(3, 2), dx), RowCouplingError, "mixes rows"),
    ],
)
def test_errors(attempt, error, words) -> None:
    with pytest.raises(error, match=words):
        attempt()
