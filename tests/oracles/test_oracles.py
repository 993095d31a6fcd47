"""The references against each other, on functions whose derivatives are known or that two of them can do."""

from __future__ import annotations

from fractions import Fraction
from math import factorial

import mpmath
import pytest
import torch
import torch.nn.functional as F

from tests.oracles import chebyshev, contour, nested_reverse, polarisation, series
from tests.oracles.ladder import scale
from tests.oracles.lines import INDICES, Function, Index
from tests.rules.case import Case, cotangent, reference
from tests.rules.tables import CASES


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_polarisation_is_exact_on_polynomials() -> None:
    """The mixed derivative of order (i, j) of Σ c sᵃtᵇ is i! j! c at (i, j), from derivatives along lines."""
    coefficients = {(a, b): Fraction(3 * a + 5 * b + 1, 7) for a in range(5) for b in range(5)}
    for i, j in (*INDICES, (0, 2), (2, 2), (1, 3)):
        along = {
            (a, b): factorial(i + j) * sum(c * a**k * b**m for (k, m), c in coefficients.items() if k + m == i + j)
            for (a, b), _ in polarisation.weights((i, j))
        }
        mixed = sum(weight * along[pair] for pair, weight in polarisation.weights((i, j)))
        assert mixed == factorial(i) * factorial(j) * coefficients[i, j]


@pytest.mark.parametrize("oracle", [chebyshev.derivatives, contour.derivatives])
def test_exponential(oracle: Function) -> None:
    """∂ˢⁱ∂ᵗʲ exp(⟨a, x + s v + t w⟩) = ⟨a, v⟩ⁱ ⟨a, w⟩ʲ exp⟨a, x⟩."""
    a, x, v, w = (random(3, seed=k) / 2 for k in range(4))
    found = oracle(lambda x: torch.exp((a.to(x.dtype) * x).sum()), [x], [v], [w])
    for (i, j), (value, error) in found.items():
        exact = (a @ v) ** i * (a @ w) ** j * torch.exp(a @ x)
        assert abs(value.item() - exact.item()) <= max(1e-11, 20 * error.item())
        assert error < 1e-8


@pytest.mark.parametrize("oracle", [chebyshev.derivatives, contour.derivatives])
@pytest.mark.parametrize("name", ["sin", "exp", "tanh", "log1p", "atan"])
def test_agrees_with_mpmath(oracle: Function, name: str) -> None:
    exact = {"tanh": mpmath.tanh, "log1p": mpmath.log1p, "atan": mpmath.atan}.get(name) or getattr(mpmath, name)
    x = torch.tensor([0.3, 1.1], dtype=torch.float64)
    found = oracle(getattr(torch, name), [x], [torch.ones_like(x)], [None], [(k, 0) for k in range(1, 5)])
    for (k, _), (value, error) in found.items():
        expected = torch.tensor([series.derivatives(exact, p, k)[k] for p in x.tolist()], dtype=torch.float64)
        assert ((value - expected).abs() <= (20 * error).clamp(min=1e-11)).all()


def test_errors_are_not_underestimated_near_a_singularity() -> None:
    """log at 0.06: the nearest radii do not fit, and what is returned says how far it can be trusted."""
    x, one = torch.tensor([0.06], dtype=torch.float64), torch.ones(1, dtype=torch.float64)
    found = chebyshev.derivatives(torch.log, [x], [one], [None], [(k, 0) for k in range(1, 5)])
    for (k, _), (value, error) in found.items():
        exact = (-1) ** (k - 1) * factorial(k - 1) / 0.06**k
        assert abs(value.item() - exact) <= 20 * error + 1e-9 * abs(exact)


ANALYTIC = [case for case in CASES if case.oracle == "contour"]


@pytest.mark.parametrize("case", ANALYTIC[::5], ids=str)
def test_contour_agrees_with_chebyshev(case: Case) -> None:
    other = chebyshev.derivatives(case.function, case.point(), *case.directions())
    for index, (value, error) in reference(case).items():
        difference = (value - other[index].value).abs().max().item() if value.numel() else 0.0
        assert difference <= 1e-9 * scale(value) + 20 * float((error + other[index].error).max())


@pytest.mark.parametrize(
    "name", ["softmax", "conv2d", "nn.GRUCell", "norm", "x ** y", "perceptron with GELU", "logsumexp"]
)
def test_nested_reverse_mode_agrees_with_chebyshev(name: str) -> None:
    (case,) = (case for case in CASES if case.name == name)
    for index, (value, error) in reference(case).items():
        c = cotangent(case, value.numel())
        found = nested_reverse.derivative(case.function, case.point(), *case.directions(), index, c)
        assert abs(found - c @ value) <= 1e-8 * scale(value) + 20 * (c.abs() @ error)


def layer_norm(x: torch.Tensor) -> torch.Tensor:
    return F.layer_norm(x, (4,))


def layer_norm_by_hand(x: torch.Tensor) -> torch.Tensor:
    centred = x - x.mean(-1, keepdim=True)
    return centred / (centred.pow(2).mean(-1, keepdim=True) + 1e-5).sqrt()


@pytest.mark.parametrize("index, right", [((1, 0), True), ((2, 0), True), ((3, 0), False), ((4, 0), False)])
def test_pytorch_is_wrong_for_layer_norm(index: Index, right: bool) -> None:
    """Nested reverse mode through layer_norm fails from the third order; the same formula written out does not."""
    x, v, c = random(3, 4), random(3, 4, seed=1), random(12, seed=2)
    exact = c @ chebyshev.derivatives(layer_norm, [x], [v], [None], [index])[index].value
    found = nested_reverse.derivative(layer_norm, [x], [v], [None], index, c)
    by_hand = nested_reverse.derivative(layer_norm_by_hand, [x], [v], [None], index, c)
    assert abs(by_hand - exact) <= 1e-6 * max(1, abs(exact))
    assert (abs(found - exact) <= 1e-6 * max(1, abs(exact))) == right, "PyTorch has changed: tell the documentation"


def test_pytorch_is_wrong_for_det_forward_over_forward() -> None:
    """jvp of jvp of det is wrong; ∂s² det(x + s v) is 2 Σ over pairs of rows of v, found by both samplings."""
    x, v = random(3, 3), random(3, 3, seed=1)

    def first(y: torch.Tensor) -> torch.Tensor:
        return torch.func.jvp(torch.linalg.det, (y,), (v,))[1]

    forward = torch.func.jvp(first, (x,), (v,))[1]
    sampled = contour.derivatives(torch.linalg.det, [x], [v], [None], [(2, 0)])[2, 0].value
    rows = sum(
        2 * torch.linalg.det(torch.stack([v[k] if k in pair else x[k] for k in range(3)]))
        for pair in ((0, 1), (0, 2), (1, 2))
    )
    assert torch.allclose(sampled, rows.reshape(1))
    assert not torch.allclose(forward, rows), "PyTorch has changed: tell the documentation"
